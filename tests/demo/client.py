#!/usr/bin/python3
"""Keeps asking the site, as its visitors would, and counts what it was told.

Every answer has to be the site's own, whole, or the whole maintenance page with
503. Anything else (a refused connection, 502, half a page) is counted as wrong,
and one of them is enough to fail the demo.

    client.py PORT SUMMARY    until SIGTERM; then the counts go to SUMMARY as JSON
"""

import collections
import http.client
import json
import re
import signal
import sys
import threading
import time

PAUSE = 0.02


class Visitor(threading.Thread):
    """Asks for the same thing again and again."""

    def __init__(self, port, tally, stop, ask):
        super().__init__(daemon=True)
        self.port, self.tally, self.stop = port, tally, stop
        self.method, self.path, self.headers, self.body, self.keep, self.whole = ask
        self.connection = None

    def run(self):
        while not self.stop.is_set():
            try:
                kind = self.judge(*self.ask())
            except (OSError, ValueError, http.client.HTTPException) as error:
                kind, self.connection = f"wrong: {self.path}: {error!r}", None
            self.tally.count(kind)
            time.sleep(PAUSE)

    def ask(self):
        if self.connection is None:
            self.connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        self.connection.request(self.method, self.path, self.body, self.headers)
        answer = self.connection.getresponse()
        body = answer.read()
        # nginx closes a kept connection now and then and says so.
        if not self.keep or answer.getheader("Connection") == "close":
            self.connection.close()
            self.connection = None
        return answer, body

    def judge(self, answer, body):
        if answer.status == 503:
            return self.judge_maintenance(answer, body)
        if self.method == "HEAD":
            whole = answer.status == 200 and not body
        else:
            whole = self.whole(answer.status, body)
        if not whole:
            return f"wrong: {self.method} {self.path}: {answer.status} {body[:60]!r}"
        if self.method == "POST":
            return "report queued"
        return "site, with the notice" if b'class="notice"' in body else "site"

    def judge_maintenance(self, answer, body):
        json_wanted = "json" in self.headers.get("Accept", "")
        if self.method == "HEAD":
            whole = not body
        elif json_wanted:
            whole = isinstance(json.loads(body), dict)
        else:
            # Its last line is the token by which maint-page knows its own page.
            whole = body.lstrip().startswith(b"<!") and re.search(rb"</html>\s*<!-- maint-page 1 [0-9a-f ]+ -->\s*$", body)
        if not whole or not answer.getheader("Retry-After"):
            return f"wrong: 503 to {self.method} {self.path}: {body[:60]!r}"
        return "maintenance page"


class Tally:
    """Counts by kind, under one lock."""

    def __init__(self):
        self.lock, self.kinds = threading.Lock(), collections.Counter()

    def count(self, kind):
        with self.lock:
            self.kinds[kind] += 1


def page(status, body):
    return status == 200 and body.rstrip().endswith(b"</html>")


def listing(status, body):
    return status == 200 and "count" in json.loads(body)


def queued(status, body):
    return status == 202 and body == b"queued\n"


FORM = {"Content-Type": "application/x-www-form-urlencoded"}
#        method, path, headers, body, kept connection, what a whole answer is
ASKS = [
    ("GET", "/", {"Accept": "text/html"}, None, True, page),
    ("GET", "/", {"Accept": "text/html"}, None, False, page),
    ("HEAD", "/", {}, None, True, None),
    ("GET", "/observations.json", {"Accept": "application/json"}, None, True, listing),
    ("POST", "/report", FORM, b"place=North+wall&species=Acropora", False, queued),
]


def main(port, summary):
    tally, stop = Tally(), threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    visitors = [Visitor(port, tally, stop, ask) for ask in ASKS]
    for visitor in visitors:
        visitor.start()
    stop.wait()
    for visitor in visitors:
        visitor.join(timeout=35)
    with open(summary, "w", encoding="utf-8") as out:
        json.dump(tally.kinds, out, sort_keys=True)


main(int(sys.argv[1]), sys.argv[2])
