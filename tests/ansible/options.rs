//! Options as Ansible gives them: typed from playbooks, strings from ad-hoc calls; and what is
//! refused, by its name, with what is allowed.

use crate::host::Ground;
use serde_json::{Value, json};

/// Values of each type in each way of giving them, and what the tool made of it.
pub fn are_understood_or_refused_by_name(ground: &Ground) {
    adhoc(ground);
    typed(ground);
    refused(ground);
    not_installed(ground);
}

/// `ansible host1 -m runbook.tools.check_reqs -a 'need=cmd:nginx,cmd:jq'`.
fn adhoc(ground: &Ground) {
    let call = |module: &str, args: &str, more: &[&str]| {
        ground.controller.adhoc("host1", module, args, more)
    };
    let met = call(
        "check_reqs",
        "need=cmd:nginx,disk:/srv:1K each=5 jobs=2 verbose=yes",
        &[],
    );
    assert_eq!(
        (met.verdict.as_str(), &met.result["items"][1]["status"]),
        ("ok", &json!("met")),
        "{met:?}"
    );
    let on = call(
        "maint_page",
        "command=on dir=/srv/adhoc for=600 id=adhoc auto_off=yes",
        &["--check"],
    );
    assert_eq!(
        (
            on.verdict.as_str(),
            &on.result["changed"],
            &on.result["dry_run"]
        ),
        ("ok", &json!(true), &json!(true)),
        "{on:?}"
    );
    assert_eq!(on.result["holds"][0]["auto_off"], true, "{on:?}");
    // A site file is an option like the others; what the call gives wins over the file.
    let file = "[site]\\nname = \"reef\"\\n[check-reqs]\\nneed = [\"cmd:sh\"]\\n";
    ground
        .host()
        .sh(&format!("printf '{file}' > /srv/reef-site.toml"));
    for (args, id) in [("", "cmd:sh"), (" need=cmd:env", "cmd:env")] {
        let met = call(
            "check_reqs",
            &format!("site=/srv/reef-site.toml{args}"),
            &[],
        );
        assert_eq!(
            (met.verdict.as_str(), &met.result["items"][0]["id"]),
            ("ok", &json!(id)),
            "{met:?}"
        );
    }
    ground.host().sh("echo x = 1 >> /srv/reef-site.toml");
    let unknown = call("check_reqs", "site=/srv/reef-site.toml", &[]);
    let said = unknown.result["msg"].as_str().unwrap();
    assert!(said.contains("reef-site.toml:5:1: "), "{unknown:?}");
    let wrong = call("check_reqs", "needs=cmd:sh", &[]);
    assert_eq!(
        (wrong.verdict.as_str(), &wrong.result["rc"]),
        ("failed", &json!(2)),
        "{wrong:?}"
    );
    assert!(
        wrong.result["msg"]
            .as_str()
            .unwrap()
            .contains("unknown option needs (check-reqs takes: "),
        "{wrong:?}"
    );
}

fn typed(ground: &Ground) {
    let on = |key: &str, value: Value| {
        let mut args = json!({"command": "on", "dir": "/srv/typed", "id": "typed", "_ansible_check_mode": true});
        args[key] = value;
        let (said, code) = ground.module("maint_page", &args);
        assert_eq!((code, &said["rc"]), (1, &json!(1)), "{args}: {said}");
        said
    };
    // A duration as seconds, as a string, in words; a bool in every way that Ansible knows.
    for duration in [json!(90), json!("90"), json!("1m 30s"), json!("90s")] {
        let said = on("for", duration);
        let hold = &said["holds"][0];
        let time = |key: &str| {
            hold[key]
                .as_str()
                .unwrap()
                .parse::<jiff::Timestamp>()
                .unwrap()
                .as_second()
        };
        assert_eq!(time("ends_at") - time("starts_at"), 90, "{said}");
    }
    for (value, is) in [
        (json!(true), true),
        (json!("yes"), true),
        (json!("True"), true),
        (json!(1), true),
        (json!("off"), false),
        (json!(0), false),
    ] {
        assert_eq!(on("auto_off", value)["holds"][0]["auto_off"], is);
    }
    // YAML reads a bare on as true, null is as good as not given, and a list may be a list of one.
    assert_eq!(on("command", json!(true))["command"], "on");
    on("message", Value::Null);
    let (said, code) = ground.module(
        "check_reqs",
        &json!({"need": ["cmd:sh"], "jobs": 3, "only": "cmd:sh", "tag": Value::Null}),
    );
    assert_eq!(
        (code, &said["items"][0]["id"]),
        (0, &json!("cmd:sh")),
        "{said}"
    );
    // A word for a terminal and another for a pipe are not for a module, which always says one
    // object.
    let (said, _) = ground.module(
        "cron_render",
        &json!({"command": "render", "template": "/srv/cron/site.txt"}),
    );
    assert_eq!(said["items"][0]["schedule"], "15 4 * * *", "{said}");
}

/// What is wrong: the module, its options, what its message has to name.
fn refused(ground: &Ground) {
    let cases: &[(&str, Value, &[&str])] = &[
        (
            "check_reqs",
            json!({"needs": ["cmd:sh"]}),
            &["unknown option needs", "need,"],
        ),
        (
            "check_reqs",
            json!({"need": {"cmd": "sh"}}),
            &["need: a mapping is not one value"],
        ),
        (
            "check_reqs",
            json!({"need": ["cmd:sh"], "each": "soon"}),
            &["each: 'soon' is not a duration", "15m"],
        ),
        (
            "check_reqs",
            json!({"need": ["cmd:sh"], "jobs": "many"}),
            &["jobs: 'many' is not a whole number"],
        ),
        (
            "check_reqs",
            json!({"need": ["cmd:sh"], "verbose": "perhaps"}),
            &["verbose: 'perhaps' is neither yes nor no"],
        ),
        (
            "check_reqs",
            json!({"need": ["cmd:sh"], "fail_on": "never"}),
            &["fail_on: 'never' is none of fail, warn, unknown"],
        ),
        (
            "check_reqs",
            json!({"need": ["no-such-kind:x"]}),
            &["no-such-kind"],
        ),
        (
            "check_reqs",
            json!({"need": ["cmd:sh"], "quiet": true}),
            &["unknown option quiet"],
        ),
        (
            "check_reqs",
            json!({"need": ["cmd:sh"], "dry_run": true}),
            &["unknown option dry_run", "check_mode: true"],
        ),
        (
            "pg_ext_ensure",
            json!({"command": "create"}),
            &["command: 'create' is none of: ensure, elevate, recover"],
        ),
        (
            "pg_ext_ensure",
            json!({"command": "elevate", "role": "app", "admin": "host=/x"}),
            &["argv is missing"],
        ),
        (
            "pg_ext_ensure",
            json!({"command": "elevate", "role": "app", "admin": "host=/x", "argv": "sh -c 'true'"}),
            &["argv", "list of words"],
        ),
        (
            "pg_ext_ensure",
            json!({"dsn": {"password": "hunter2"}, "ext": ["hstore"]}),
            &["dsn: a mapping is not one value"],
        ),
        (
            "venv_sync",
            json!({}),
            &[
                "command is missing",
                "check, prepare, apply, rollback, list",
            ],
        ),
        (
            "venv_sync",
            json!({"command": "apply", "requirement": "/srv/requirements.txt"}),
            &["venv is missing", "wheelhouse"],
        ),
        (
            "venv_sync",
            json!({"command": "apply", "venv": ["/a", "/b"]}),
            &["venv: a list is not one value"],
        ),
        (
            "maint_page",
            json!({"dir": "/srv/page"}),
            &["command is missing", "on, off"],
        ),
        (
            "maint_page",
            json!({"command": "on", "dir": "/srv/page", "url": "http://x/"}),
            &["unknown option url", "maint-page on takes: "],
        ),
        (
            "maint_page",
            json!({"command": "during", "dir": "/srv/page", "argv": ["true"]}),
            &["on_failure is missing"],
        ),
        (
            "svc_cycle",
            json!({"command": "restart", "file": "/srv/none.toml"}),
            &["/srv/none.toml"],
        ),
        (
            "svc_cycle",
            json!({"command": "begin"}),
            &["command: 'begin' is none of: start"],
        ),
        (
            "cron_render",
            json!({"command": "install"}),
            &["template is missing"],
        ),
        (
            "cron_render",
            json!({"command": "next", "expression": ["* * * * *"], "count": -1}),
            &["count: '-1' is not a whole number"],
        ),
        (
            "log_paths",
            json!({"kind": ["error", "audit"]}),
            &["kind", "audit", "access, error, app"],
        ),
        (
            "log_paths",
            json!({"print0": true}),
            &["unknown option print0"],
        ),
        ("log_paths", json!([1, 2]), &["not a JSON object"]),
    ];
    let mut wrong = Vec::new();
    for (module, args, parts) in cases {
        let (said, code) = ground.module(module, args);
        let msg = said["msg"].as_str().unwrap_or_default();
        let verdict = (code, &said["rc"], &said["failed"], &said["changed"]);
        if verdict != (2, &json!(2), &json!(true), &json!(false))
            || !parts.iter().all(|part| msg.contains(part))
            || msg.contains("hunter2")
        {
            wrong.push(format!("{module} {args}: {code} {said}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// A host without the program says so, in a report that Ansible can read.
fn not_installed(ground: &Ground) {
    ground.host().sh("mv /usr/local/bin/log-paths /srv/aside");
    let (said, code) = ground.module("log_paths", &json!({"service": ["nginx"]}));
    assert_eq!(
        (code, &said["rc"], &said["failed"]),
        (127, &json!(127), &json!(true)),
        "{said}"
    );
    assert_eq!(said["msg"], "log-paths is not installed on this host");
    ground.host().sh("mv /srv/aside /usr/local/bin/log-paths");
}
