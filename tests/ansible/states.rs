//! Every command of every tool that changes something, three times: in check mode, for real, and
//! again. Ansible's verdict, the module's keys and the difference that Ansible shows are compared
//! each time; and around check mode the whole host.

use crate::host::{Ground, difference};
use harness::need;
use serde_json::{Value, json};

/// What a run of a task has to come to.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Is {
    /// Check mode: it would change something.
    Would,
    /// It changed something.
    Changed,
    /// Nothing was to be done.
    Unchanged,
    /// It was tried and failed.
    Failed,
    /// Not run this time.
    Left,
}

use Is::{Changed, Failed, Left, Unchanged, Would};

/// A task, what becomes of it in check mode, for real and again, and lines of the difference that
/// is shown.
struct Case(
    &'static str,
    &'static str,
    Value,
    [Is; 3],
    &'static [&'static str],
);

fn making(ground: &Ground) -> Vec<Case> {
    let (app, admin, wheels) = (
        ground.dsn("app"),
        ground.dsn("postgres"),
        ground.wheelhouse(),
    );
    let (services, page) = ("/srv/services.toml", "/srv/page");
    let venv = json!({"command": "apply", "venv": "/srv/venv", "requirement": ["/srv/requirements.txt"], "wheelhouse": wheels, "installer": "uv"});
    let up = json!({"command": true, "dir": page, "id": "update", "until": "2038-01-01T00:00:00Z", "message": "Back soon."});
    let schedule = json!({"command": "install", "template": "/srv/cron/site.txt", "name": "site", "user": "root"});
    let with = |base: &Value, key: &str, value: &str| {
        let mut args = base.clone();
        args[key] = value.into();
        args
    };
    vec![
        Case(
            "create",
            "pg_ext_ensure",
            json!({"dsn": app, "ext": ["hstore"]}),
            [Would, Changed, Unchanged],
            &["+app: hstore 1.", "schema public, owner app"],
        ),
        Case(
            "update",
            "pg_ext_ensure",
            json!({"dsn": admin, "ext": "behind", "update": true}),
            [Would, Changed, Unchanged],
            &["-app: behind 1.0", "+app: behind 1.1"],
        ),
        Case(
            "elevate",
            "pg_ext_ensure",
            json!({"command": "elevate", "role": "app", "admin": admin, "argv": ["true"]}),
            [Would, Changed, Changed],
            &[
                "-app: not a superuser",
                "+app: superuser while COMMAND runs",
            ],
        ),
        Case(
            "pg recover",
            "pg_ext_ensure",
            json!({"command": "recover", "admin": admin}),
            [Would, Changed, Unchanged],
            &["-left_over: superuser", "+left_over: not a superuser"],
        ),
        Case(
            "apply",
            "venv_sync",
            venv,
            [Would, Changed, Unchanged],
            &["-alpha==1.0", "+alpha==2.0"],
        ),
        Case(
            "on",
            "maint_page",
            up,
            [Would, Changed, Unchanged],
            &["-page: down", "+page: up", "+hold: update"],
        ),
        Case(
            "add",
            "maint_page",
            json!({"command": "bypass", "action": "add", "dir": page, "ttl": "1h"}),
            [Would, Changed, Changed],
            &["-bypass keys: 1", "+bypass keys: 2"],
        ),
        Case(
            "during",
            "maint_page",
            json!({"command": "during", "dir": "/srv/during", "id": "d", "argv": ["true"], "drain": "0s", "on_failure": "off"}),
            [Would, Changed, Changed],
            &[],
        ),
        Case(
            "tick",
            "maint_page",
            json!({"command": "tick", "dir": "/srv/tick"}),
            [Would, Changed, Unchanged],
            &["-page: down", "+page: up"],
        ),
        Case(
            "wait",
            "maint_page",
            json!({"command": "wait", "dir": "/srv/wait", "id": "nightly"}),
            [Would, Changed, Unchanged],
            &["-page: down", "+page: up"],
        ),
        Case(
            "start",
            "svc_cycle",
            json!({"command": "start", "file": services, "service": ["queue"]}),
            [Would, Changed, Unchanged],
            &["-queue: stopped", "+queue: running"],
        ),
        Case(
            "restart",
            "svc_cycle",
            json!({"command": "restart", "file": services, "service": ["cache"]}),
            [Would, Changed, Changed],
            &["-cache: running", "+cache: running, restarted"],
        ),
        Case(
            "reload",
            "svc_cycle",
            json!({"command": "reload", "file": services, "service": ["web"]}),
            [Would, Changed, Changed],
            &["-web: running", "+web: running, reloaded"],
        ),
        Case(
            "cycle",
            "svc_cycle",
            json!({"command": "cycle", "file": services, "service": ["cache"], "argv": ["true"]}),
            [Would, Changed, Changed],
            &["+cache: running, restarted", "+COMMAND"],
        ),
        Case(
            "svc recover",
            "svc_cycle",
            json!({"command": "recover"}),
            [Would, Changed, Unchanged],
            &["-lost: stopped", "+lost: running"],
        ),
        Case(
            "crontab",
            "cron_render",
            schedule.clone(),
            [Would, Changed, Unchanged],
            &["+15 4 * * * cd /srv/site && ./manage.py clearsessions"],
        ),
        Case(
            "cron.d",
            "cron_render",
            with(&schedule, "format", "cron.d"),
            [Would, Changed, Unchanged],
            &["+15 4 * * * root cd /srv/site"],
        ),
        Case(
            "units",
            "cron_render",
            with(&schedule, "format", "systemd"),
            [Would, Left, Left],
            &["+OnCalendar="],
        ),
        Case(
            "directories",
            "log_paths",
            json!({"conf": ["nginx=/srv/logs.conf"], "create_dirs": true, "config_only": true}),
            [Would, Changed, Unchanged],
            &["+0755 root:root /srv/log"],
        ),
        Case(
            "needs",
            "check_reqs",
            json!({"need": ["cmd:nginx", "writable:/srv", "disk:/srv:1K"]}),
            [Unchanged, Unchanged, Left],
            &[],
        ),
    ]
}

fn unmaking(ground: &Ground) -> Vec<Case> {
    let remove = json!({"command": "remove", "name": "site"});
    vec![
        Case(
            "drop",
            "pg_ext_ensure",
            json!({"dsn": ground.dsn("app"), "absent": ["hstore"]}),
            [Would, Changed, Unchanged],
            &["-app: hstore 1."],
        ),
        Case(
            "rollback",
            "venv_sync",
            json!({"command": "rollback", "venv": "/srv/venv"}),
            [Would, Changed, Failed],
            &["-alpha==2.0", "+alpha==1.0"],
        ),
        Case(
            "off",
            "maint_page",
            json!({"command": "off", "dir": "/srv/page", "id": "update"}),
            [Would, Changed, Unchanged],
            &["-page: up", "+page: down", "-hold: update"],
        ),
        Case(
            "revoke",
            "maint_page",
            json!({"command": "bypass", "action": "revoke", "key": "all", "dir": "/srv/page"}),
            [Would, Changed, Unchanged],
            &["-bypass keys: "],
        ),
        Case(
            "stop",
            "svc_cycle",
            json!({"command": "stop", "file": "/srv/services.toml", "service": ["queue"]}),
            [Would, Changed, Unchanged],
            &["-queue: running", "+queue: stopped"],
        ),
        Case(
            "no crontab",
            "cron_render",
            remove.clone(),
            [Would, Changed, Unchanged],
            &["-15 4 * * *"],
        ),
        Case(
            "no cron.d",
            "cron_render",
            json!({"command": "remove", "name": "site", "format": "cron.d"}),
            [Would, Changed, Unchanged],
            &["-15 4 * * *"],
        ),
    ]
}

#[test]
fn check_mode_changes_nothing_diff_mode_shows_what_would_and_a_second_run_finds_it_done() {
    if need("sshd").is_none() || need("nginx").is_none() || need("redis-server").is_none() {
        return;
    }
    let ground = Ground::bare();
    let mut wrong = Vec::new();

    // Where none of the tools was ever run, check mode does not even make a directory for locks.
    let before = ground.snapshot();
    for Case(_, module, mut args, ..) in making(&ground) {
        args["_ansible_check_mode"] = true.into();
        args["journal"] = "/srv/journal".into();
        ground.module(module, &args);
    }
    assert_eq!(
        difference(&before, &ground.snapshot()),
        "",
        "check mode changed a bare host"
    );

    ground.live_in();
    for cases in [making(&ground), unmaking(&ground)] {
        let before = ground.snapshot();
        run(&ground, &cases, 0, &["--check", "--diff"], &mut wrong);
        let after = ground.snapshot();
        assert!(
            before.len() > 100 && before.iter().any(|line| line.starts_with("process")),
            "{before:?}"
        );
        assert_eq!(
            difference(&before, &after),
            "",
            "check mode changed the host"
        );
        run(&ground, &cases, 1, &["--diff"], &mut wrong);
        assert_ne!(
            difference(&before, &ground.snapshot()),
            "",
            "nothing was changed, nothing proved"
        );
        run(&ground, &cases, 2, &[], &mut wrong);
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The tasks that are run this time, in one playbook.
fn run(ground: &Ground, cases: &[Case], time: usize, words: &[&str], wrong: &mut Vec<String>) {
    let now: Vec<&Case> = cases.iter().filter(|case| case.3[time] != Left).collect();
    let task = |Case(name, module, args, ..): &&Case| json!({"name": name, (format!("runbook.tools.{module}")): args});
    let played = ground
        .controller
        .play(&now.iter().map(task).collect::<Vec<_>>(), words);
    for Case(name, module, _, is, shown) in now {
        let (task, is) = (played.task(name), is[time]);
        let result = &task.result;
        let key = |key: &str| result[key].clone();
        let expected = match is {
            Would => (json!(true), json!(1), json!("no"), "ok"),
            Changed => (json!(true), json!(0), json!("ok"), "ok"),
            Unchanged => (json!(false), json!(0), json!("ok"), "ok"),
            Failed | Left => (json!(false), json!(3), json!("failed"), "failed"),
        };
        if (
            key("changed"),
            key("rc"),
            key("status"),
            task.verdict.as_str(),
        ) != expected
        {
            wrong.push(format!(
                "{module}, {name}, time {time}: not {is:?}: {} {result}",
                task.verdict
            ));
        }
        let msg = key("msg").as_str().unwrap_or_default().to_owned();
        let future = msg.contains("would") || msg.contains(" to ");
        if msg.is_empty() || (is == Would) != future && !matches!(is, Unchanged | Failed) {
            wrong.push(format!(
                "{module}, {name}, time {time}: msg does not tell {is:?}: {msg:?}"
            ));
        }
        let printed = played.printed(name);
        for line in shown
            .iter()
            .filter(|_| words.contains(&"--diff") && matches!(is, Would | Changed))
        {
            if !printed.lines().any(|have| {
                if line.starts_with(['+', '-']) {
                    have.starts_with(line)
                } else {
                    have.contains(line)
                }
            }) {
                wrong.push(format!(
                    "{module}, {name}, time {time}: Ansible shows no {line:?}:\n{printed}"
                ));
            }
        }
    }
}
