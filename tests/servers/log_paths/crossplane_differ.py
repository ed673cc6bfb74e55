"""Makes nginx configurations at random, of every syntax that the reader knows, and says by crossplane which log directives they hold."""
import json, os, random, sys
import crossplane

base, rounds = sys.argv[1], int(sys.argv[2])
random.seed(20261121)


def pick(items):
    return random.choice(items)


WORDS = ["/l/a.log", "'/l/b c.log'", '"/l/d{e};f.log"', "/l/$host.log", "/l/${host}x.log", "rel/x.log", "'/l/it\\'s.log'", "\"/l/q\\\"q.log\"", "off",
         "syslog:server=127.0.0.1,tag=x", "/l/back\\slash.log", "/l/é.log", "/l/x#y.log", "stderr", "memory:32m", "''", "/l/a\\ b.log"]
NOISE = ["gzip on;", "# access_log /l/comment.log;\n", "add_header X 'access_log /l/no.log;';", "set $a \"{\";", "map $a $b { default '}'; \"~^x{2,3}$\" y; }",
         "log_format f '$a \"$b\" {' '}';", "rewrite '^(.*)$' '/x{1}' last;", "return 200 \"a\nb\";", "proxy_set_header X \"\";", "types { text/html html; }",
         "upstream u { server 127.0.0.1; }", "if_modified_since off;", "deny all ;", "\t\t", "root /x\n  ;"]
LUA = ["content_by_lua_block { local s = 'it\\'s }' -- } {\n ngx.say(\"{\") }", "access_by_lua_block { local t = { a = [[ } ]] } --[[ } ]] }"]


def log(context):
    line = pick(["access_log", "error_log"]) if context != "main" else "error_log"
    word = pick(WORDS)
    tail = ""
    if line == "access_log" and word not in ("off", "''"):
        tail = pick(["", " combined", " combined if=$a", "  combined buffer=4k\n\tflush=1s", " combined gzip=1"])
    elif line == "error_log":
        tail = pick(["", " warn", "\n info"])
    return line + pick([" ", "\t", "\n  "]) + word + tail + pick([";", " ;", "\n;"])


def body(context, depth, files):
    out = []
    for _ in range(random.randint(0, 5)):
        kind = random.random()
        if kind < 0.45:
            out.append(log(context))
        elif kind < 0.65:
            out.append(pick(NOISE) if context != "main" else pick(["user www-data;", "worker_processes 1;", "# error_log no;\n"]))
        elif kind < 0.72 and context in ("server", "location"):
            out.append(pick(LUA))
        elif kind < 0.85 and depth < 3:
            name = "inc%d.conf" % len(files)
            files[name] = None
            files[name] = body(context, depth + 1, files)
            out.append("include %s;" % pick([name, "'%s'" % name, "./" + name]))
        elif context == "main":
            out.append("http {\n%s\n}" % body("http", depth, files) if random.random() < 0.7 else "stream { %s }" % body("stream", depth, files))
        elif context == "http":
            out.append("server {\n%s\n}" % body("server", depth, files))
        elif context in ("server", "location") and depth < 3:
            head = pick(["location /x", "location ~ \\.php$", "location = '/a b'", "if ($a = '}')", "location ~* \"^/x{2}\""])
            out.append("%s {%s}" % (head, body("location", depth + 1, files)))
    return pick(["\n", " ", "\n\n"]).join(out) + "\n"


def logs(file):
    parsed = crossplane.parse(file, catch_errors=True, check_ctx=False, check_args=False)
    if parsed["errors"]:
        return None
    found = []

    def walk(config, block):
        for item in block:
            if item["directive"] in ("access_log", "error_log") and item["args"]:
                found.append([item["directive"], item["args"][0], config["file"], item["line"]])
            for included in item.get("includes", []):
                walk(parsed["config"][included], parsed["config"][included]["parsed"])
            walk(config, item.get("block", []))

    walk(parsed["config"][0], parsed["config"][0]["parsed"])
    return found


cases = []
for number in range(rounds):
    here = os.path.join(base, "case%d" % number)
    os.makedirs(here)
    files = {}
    text = body("main", 0, files)
    for name, content in files.items():
        with open(os.path.join(here, name), "w") as out:
            out.write(content)
    file = os.path.join(here, "nginx.conf")
    with open(file, "w") as out:
        out.write(text)
    try:
        found = logs(file)
    except Exception as error:
        continue
    if found is not None:
        cases.append({"file": file, "logs": found})
json.dump(cases, sys.stdout)
