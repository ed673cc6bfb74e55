//! Visitors who keep asking while a runbook runs, and what they were told: only they know whether
//! the site was there.

use crate::stage::Stage;
use serde_json::Value;
use std::io::Read;
use std::process::{Child, Stdio};

impl Stage {
    /// Visitors who keep asking for these addresses, each some thirty times a second, until they
    /// are called off.
    pub fn visitors(&self, urls: &[&str]) -> Visitors {
        let argv = [&["python3", "-u", "-c", VISITORS], urls].concat();
        let mut child = self
            .machine
            .command(&argv)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("python3");
        let mut first = [0; 1];
        child
            .stdout
            .as_mut()
            .expect("a pipe")
            .read_exact(&mut first)
            .expect("the visitors' first line");
        Visitors { child }
    }
}

/// Visitors, asking.
pub struct Visitors {
    child: Child,
}

/// One kind of answer.
#[derive(Debug)]
pub struct Answer {
    /// Which address.
    pub url: String,
    /// The HTTP status; 0 where there was no answer.
    pub status: u64,
    /// The body's first 300 characters, or why there was none.
    pub body: String,
    /// The body's last 60 characters; what ended early has status 0.
    pub end: String,
    /// Retry-After.
    pub retry_after: Option<String>,
    /// How often in a row.
    pub times: u64,
}

impl Visitors {
    /// Calls them off: what they were told, in order, equal answers in a row counted.
    pub fn told(mut self) -> Vec<Answer> {
        drop(self.child.stdin.take());
        let mut text = String::new();
        self.child
            .stdout
            .take()
            .expect("a pipe")
            .read_to_string(&mut text)
            .expect("the visitors' output");
        assert!(
            self.child.wait().expect("python3").success(),
            "the visitors ended badly: {text}"
        );
        let all: Vec<Value> = serde_json::from_str(&text).expect("JSON");
        let answer = |it: &Value| Answer {
            url: it["url"].as_str().unwrap().to_owned(),
            status: it["status"].as_u64().unwrap(),
            body: it["body"].as_str().unwrap().to_owned(),
            end: it["end"].as_str().unwrap().to_owned(),
            retry_after: it["retry_after"].as_str().map(str::to_owned),
            times: it["times"].as_u64().unwrap(),
        };
        all.iter().map(answer).collect()
    }
}

impl Drop for Visitors {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Until standard input ends. Certificates are not the question here; redirections are answers.
const VISITORS: &str = r"
import http.client, json, ssl, sys, threading, time, urllib.parse
over, told, lock = threading.Event(), [], threading.Lock()
def ask(url):
    parts = urllib.parse.urlsplit(url)
    if parts.scheme == 'https':
        kind = lambda *a, **k: http.client.HTTPSConnection(*a, context=ssl._create_unverified_context(), **k)
    else:
        kind = http.client.HTTPConnection
    try:
        line = kind(parts.hostname, parts.port, timeout=20)
        line.request('GET', parts.path or '/')
        answer = line.getresponse()
        text = answer.read().decode('utf-8', 'replace')
        line.close()
        return dict(status=answer.status, body=text[:300], end=text[-60:], retry_after=answer.getheader('Retry-After'))
    except Exception as e:
        return dict(status=0, body=f'{type(e).__name__}: {e}', end='', retry_after=None)
def visit(url):
    while not over.is_set():
        found = ask(url)
        with lock:
            mine = [x for x in told if x['url'] == url]
            if mine and found.items() <= mine[-1].items():
                mine[-1]['times'] += 1
            else:
                told.append(dict(found, url=url, times=1))
        time.sleep(.03)
print('x', end='', flush=True)
threads = [threading.Thread(target=visit, args=(url,)) for url in sys.argv[1:]]
[thread.start() for thread in threads]
sys.stdin.read()
over.set()
[thread.join() for thread in threads]
print(json.dumps(told))
";
