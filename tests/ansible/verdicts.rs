//! What each module says where there is nothing to change, where the answer is no, where it failed,
//! and where it has to be tried again.

use crate::host::Ground;
use harness::need;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader};
use std::process::Stdio;

/// A task; Ansible's verdict, the module's status and exit status, and a part of its message.
struct Case(
    &'static str,
    &'static str,
    Value,
    (&'static str, &'static str, i32),
    &'static str,
);

fn cases(ground: &Ground) -> Vec<Case> {
    let (app, admin, wheels) = (
        ground.dsn("app"),
        ground.dsn("postgres"),
        ground.wheelhouse(),
    );
    let (no, failed, retry, ok) = (
        ("failed", "no", 1),
        ("failed", "failed", 3),
        ("failed", "retry", 75),
        ("ok", "ok", 0),
    );
    let venv = |command: &str, file: &str| json!({"command": command, "venv": "/srv/venv", "requirement": [file]});
    let services = |command: &str, name: &str| json!({"command": command, "file": "/srv/services.toml", "service": [name]});
    let cron =
        |command: &str, file: &str| json!({"command": command, "template": file, "name": "site"});
    let logs = |conf: &str, key: &str| json!({"conf": [format!("nginx={conf}")], "config_only": true, (key): true});
    let mut lacking = venv("apply", "/srv/lacking.txt");
    (lacking["wheelhouse"], lacking["installer"]) = (wheels.into(), "uv".into());
    vec![
        Case(
            "met",
            "check_reqs",
            json!({"need": ["cmd:nginx"]}),
            ok,
            "1 met",
        ),
        Case(
            "unmet",
            "check_reqs",
            json!({"need": ["cmd:nginx", "cmd:no-such-program"]}),
            no,
            "1 unmet",
        ),
        Case(
            "unknown",
            "check_reqs",
            json!({"need": ["http:http://127.0.0.1:9999/"], "each": "300ms"}),
            failed,
            "1 unknown",
        ),
        Case(
            "late",
            "check_reqs",
            json!({"need": ["tcp:127.0.0.1:9"], "wait": "500ms"}),
            no,
            "1 unmet",
        ),
        Case(
            "drifted",
            "pg_ext_ensure",
            json!({"dsn": admin, "ext": ["btree_gin:public"]}),
            no,
            "1 in another schema",
        ),
        Case(
            "not available",
            "pg_ext_ensure",
            json!({"dsn": app, "ext": ["no_such_extension"]}),
            failed,
            "'no_such_extension' in 'app'",
        ),
        Case(
            "no server",
            "pg_ext_ensure",
            json!({"dsn": "host=/srv/nowhere dbname=app user=app", "ext": ["hstore"]}),
            retry,
            "/srv/nowhere",
        ),
        Case(
            "in sync",
            "venv_sync",
            venv("check", "/srv/requirements.txt"),
            ok,
            "in sync",
        ),
        Case(
            "drift",
            "venv_sync",
            venv("check", "/srv/newer.txt"),
            no,
            "1 wrong_version",
        ),
        Case(
            "releases",
            "venv_sync",
            json!({"command": "list", "venv": "/srv/venv"}),
            ok,
            "1 release,",
        ),
        Case(
            "no such version",
            "venv_sync",
            lacking,
            failed,
            "still live",
        ),
        Case(
            "off",
            "maint_page",
            json!({"command": "status", "dir": "/srv/page"}),
            ok,
            "off",
        ),
        Case(
            "not on",
            "maint_page",
            json!({"command": "status", "dir": "/srv/page", "on": true}),
            no,
            "off",
        ),
        Case(
            "foreign",
            "maint_page",
            json!({"command": "on", "dir": "/srv/foreign"}),
            failed,
            "/srv/foreign/on is foreign",
        ),
        Case(
            "runs",
            "svc_cycle",
            services("status", "web"),
            ok,
            "1 running",
        ),
        Case(
            "does not run",
            "svc_cycle",
            services("status", "queue"),
            no,
            "queue",
        ),
        Case(
            "not ready",
            "svc_cycle",
            services("start", "broken"),
            failed,
            "broken",
        ),
        Case(
            "sound",
            "cron_render",
            cron("lint", "/srv/cron/site.txt"),
            ok,
            "1 job",
        ),
        Case(
            "unsound",
            "cron_render",
            cron("lint", "/srv/cron/wrong.txt"),
            no,
            "1",
        ),
        Case(
            "not installed",
            "cron_render",
            cron("diff", "/srv/cron/site.txt"),
            no,
            "differs",
        ),
        Case(
            "not to be installed",
            "cron_render",
            cron("install", "/srv/cron/wrong.txt"),
            ("failed", "failed", 2),
            "61 is no minute",
        ),
        Case(
            "listed",
            "log_paths",
            logs("/srv/logs.conf", "verbose"),
            ok,
            "2 logs",
        ),
        Case(
            "unhealthy",
            "log_paths",
            logs("/srv/logs.conf", "check"),
            no,
            "problem",
        ),
        Case(
            "refused",
            "log_paths",
            logs("/srv/planted.conf", "create_dirs"),
            failed,
            "others can write",
        ),
    ]
}

/// What needs a lock that is held.
fn locked() -> Vec<Case> {
    let retry = ("failed", "retry", 75);
    let venv = json!({"command": "apply", "venv": "/srv/venv", "requirement": "/srv/newer.txt", "installer": "uv"});
    let cron = json!({"command": "install", "template": "/srv/cron/site.txt", "name": "site"});
    vec![
        Case("venv", "venv_sync", venv, retry, "is locked by pid"),
        Case(
            "page",
            "maint_page",
            json!({"command": "on", "dir": "/srv/page"}),
            retry,
            "is locked by pid",
        ),
        Case(
            "services",
            "svc_cycle",
            json!({"command": "restart", "file": "/srv/services.toml", "service": "web"}),
            retry,
            "is locked by pid",
        ),
        Case("schedule", "cron_render", cron, retry, "is locked by pid"),
    ]
}

/// Holds every lock there is, until its standard input ends.
const HOLD: &str = r#"
import fcntl, os, sys
names = [os.path.join(top, name) for place in ("/srv", "/run") for top, _, files in os.walk(place) for name in files]
held = [open(path, "r+") for path in names if path.endswith("lock")]
for file in held:
    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
print(len(held), flush=True)
sys.stdin.read()
"#;

#[test]
fn a_module_says_what_is_so_in_words_that_ansible_understands() {
    if need("sshd").is_none() || need("nginx").is_none() || need("redis-server").is_none() {
        return;
    }
    let ground = Ground::bare();
    let host = ground.host();
    let conf = "events {} http { error_log /tmp/planted/error.log; access_log off; }\n";
    for (name, text) in [
        ("newer.txt", "alpha==2.0\n"),
        ("lacking.txt", "alpha==9.0\n"),
        ("planted.conf", conf),
    ] {
        std::fs::write(host.srv.join(name), text).unwrap();
    }
    host.sh(&format!(
        "venv-sync apply /srv/venv -r /srv/requirements.txt --installer uv --wheelhouse {} >/dev/null\n\
         svc-cycle start -f /srv/services.toml --only web >/dev/null\nmaint-page on --dir /srv/page >/dev/null\n\
         maint-page off --dir /srv/page >/dev/null\ncron-render install /srv/cron/site.txt --name site >/dev/null\n\
         cron-render remove --name site >/dev/null\n",
        ground.wheelhouse()
    ));
    // A server that takes what it is told and never answers.
    let silent =
        "import socket, sys; server = socket.create_server(('127.0.0.1', 9999)); sys.stdin.read()";
    let mut silent = host
        .command(&["python3", "-c", silent])
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    let mut wrong = judge(&ground, &cases(&ground));
    drop(silent.stdin.take());
    silent.wait().unwrap();
    let mut holder = host
        .command(&["python3", "-c", HOLD])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut held = String::new();
    BufReader::new(holder.stdout.take().unwrap())
        .read_line(&mut held)
        .unwrap();
    assert!(held.trim().parse::<u32>().unwrap() >= 4, "locks: {held}");
    wrong.extend(judge(&ground, &locked()));
    drop(holder.stdin.take());
    holder.wait().unwrap();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));

    crate::options::are_understood_or_refused_by_name(&ground);
    crate::killed::leaves_one_object(&ground);
}

/// What did not come out as it has to, a line each.
fn judge(ground: &Ground, cases: &[Case]) -> Vec<String> {
    let task = |Case(name, module, args, ..): &Case| json!({"name": name, (format!("runbook.tools.{module}")): args});
    let played = ground
        .controller
        .play(&cases.iter().map(task).collect::<Vec<_>>(), &[]);
    let mut wrong = Vec::new();
    for Case(name, module, _, (verdict, status, rc), part) in cases {
        let task = played.task(name);
        let result = &task.result;
        let msg = result["msg"].as_str().unwrap_or_default();
        let stated = result["status"].as_str().unwrap_or_default();
        // What was started and ended again was started all the same.
        if (
            task.verdict.as_str(),
            stated,
            &result["rc"],
            &result["changed"],
        ) != (verdict, status, &json!(rc), &json!(*name == "not ready"))
        {
            wrong.push(format!("{module}, {name}: {} {result}", task.verdict));
        } else if msg.is_empty() || !msg.contains(part) {
            wrong.push(format!("{module}, {name}: msg is {msg:?}"));
        }
        // Whoever watches the play is told why.
        if *verdict == "failed"
            && !played
                .printed(name)
                .contains(msg.split('"').next().unwrap_or_default())
        {
            wrong.push(format!("{module}, {name}: Ansible does not show {msg:?}"));
        }
    }
    wrong
}
