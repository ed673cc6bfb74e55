//! Init scripts on a machine without systemd: Debian's own nginx and uwsgi, and scripts that lie.

use std::fs;
use std::time::{Duration, Instant};

use harness::machine::Machine;
use serde_json::{Value, json};

use super::site::{service, steps};

fn run(machine: &Machine, arguments: &[&str], code: i32) -> Value {
    machine
        .tool("svc-cycle")
        .args(arguments)
        .run()
        .expect_code(code)
        .json()
}

/// A script in the manner of the tracks site: uwsgi with its options in one variable.
fn uwsgi_script(options: &str) -> String {
    format!(
        "#!/bin/sh\n### BEGIN INIT INFO\n# Provides: tracks\n### END INIT INFO\nNAME=tracks\nPIDFILE=/run/$NAME.pid\n\
         DAEMON_OPTS=\"--plugin python3 --socket 127.0.0.1:8001 --wsgi-file /srv/tracks/wsgi.py -M -p 2 -d /var/log/$NAME.log --pidfile $PIDFILE --umask 022 {options}\"\n\
         case $1 in\n start) uwsgi $DAEMON_OPTS ;;\n stop) uwsgi --stop $PIDFILE; sleep 0.1; rm -f $PIDFILE ;;\n reload) uwsgi --reload $PIDFILE ;;\n esac\n"
    )
}

#[test]
fn nginx_and_uwsgi_in_order_under_an_empty_environment() {
    let Some(machine) = Machine::with_plain_init() else {
        return;
    };
    for program in ["nginx", "uwsgi"] {
        if harness::need(program).is_none() {
            return;
        }
    }
    machine.script(
        "/etc/init.d/tracks",
        &uwsgi_script("--env PRODUCTION=1 --uid www-data"),
    );
    machine.write(
        "/srv/tracks/wsgi.py",
        "def application(environ, start):\n    start('200 OK', [])\n    return [b'tracks']\n",
    );
    machine.write("/etc/nginx/nginx.conf", "pid /run/nginx.pid;\nevents {}\nhttp { server { listen 127.0.0.1:8080; location / { include uwsgi_params; uwsgi_pass 127.0.0.1:8001; } } }\n");
    machine.write(
        "/root/set.toml",
        "[service.tracks]\nbackend = \"sysv\"\nready = [{ port = 8001 }]\nexpect = { env = [\"PRODUCTION\"], user = \"www-data\" }\n\
         [service.nginx]\nbackend = \"sysv\"\nafter = [\"tracks\"]\nready = [{ http = \"http://127.0.0.1:8080/\", contains = \"tracks\" }]\n",
    );
    assert_eq!(
        run(&machine, &["start", "-n", "-f", "/root/set.toml"], 1)["outcome"],
        "planned"
    );
    let started = run(&machine, &["start", "-f", "/root/set.toml"], 0);
    assert_eq!(steps(&started, "tracks"), ["start", "ready", "expect"]);
    assert_eq!(
        run(&machine, &["start", "-f", "/root/set.toml"], 0)["changed"],
        false
    );
    let before = service(&started, "nginx")["pids"].clone();
    let report = run(&machine, &["restart", "-f", "/root/set.toml"], 0);
    assert_ne!(service(&report, "nginx")["pids"], before);
    assert_eq!(report["leftovers"], json!([]));
    run(&machine, &["reload", "-f", "/root/set.toml"], 0);
    // The two commands of the guide, as service(8) would be typed.
    run(&machine, &["restart", "tracks", "nginx"], 0);
    run(&machine, &["check", "-f", "/root/set.toml"], 0);

    // nginx's own script says 0 or 1 as it likes; a broken configuration is found because nothing
    // runs.
    machine.write("/etc/nginx/nginx.conf", "nonsense;\n");
    let report = run(&machine, &["restart", "-f", "/root/set.toml", "nginx"], 3);
    assert_eq!(
        (
            &report["outcome"],
            &report["changed"],
            &service(&report, "nginx")["after"]
        ),
        (&json!("refused"), &json!(false), &json!("running"))
    );
    assert!(
        report["error"]["message"]
            .as_str()
            .unwrap()
            .contains("unknown directive")
    );
    run(&machine, &["stop", "-f", "/root/set.toml"], 0);
    let report = run(&machine, &["start", "-f", "/root/set.toml", "nginx"], 3);
    assert_eq!(report["outcome"], "not_ready");
    run(&machine, &["stop", "-f", "/root/set.toml"], 0);

    // Set in the shell and not in the script: it does not reach the daemon, and that is said.
    machine.script("/etc/init.d/tracks", &uwsgi_script("--uid www-data"));
    let report = machine
        .tool("svc-cycle")
        .args(["start", "-f", "/root/set.toml", "tracks"])
        .env("PRODUCTION", "1")
        .run()
        .expect_code(3)
        .json();
    assert_eq!(
        (&report["outcome"], &service(&report, "tracks")["expect"][0]),
        (
            &json!("drifted"),
            &json!({"key": "env PRODUCTION", "ok": false})
        )
    );
    // Started by root without --uid: it runs as root.
    machine.script("/etc/init.d/tracks", &uwsgi_script("--env PRODUCTION=1"));
    let report = run(&machine, &["restart", "-f", "/root/set.toml", "tracks"], 3);
    assert_eq!(
        service(&report, "tracks")["expect"][1],
        json!({"key": "user", "ok": false})
    );
}

#[test]
fn debian_s_own_uwsgi_script() {
    let Some(machine) = Machine::with_plain_init() else {
        return;
    };
    machine.write(
        "/etc/uwsgi/apps-enabled/site.ini",
        "[uwsgi]\nplugin = python3\nsocket = 127.0.0.1:8002\nwsgi-file = /srv/site.py\n",
    );
    machine.write(
        "/srv/site.py",
        "def application(environ, start):\n    start('200 OK', [])\n    return [b'site']\n",
    );
    machine
        .write("/root/set.toml", "[service.uwsgi]\nbackend = \"sysv\"\npidfile = \"/run/uwsgi/app/site/pid\"\nready = [{ port = 8002 }]\n");
    let report = run(&machine, &["start", "-f", "/root/set.toml"], 0);
    assert_eq!(service(&report, "uwsgi")["after"], "running");
    run(&machine, &["restart", "-f", "/root/set.toml"], 0);
    run(&machine, &["stop", "-f", "/root/set.toml"], 0);
    run(&machine, &["status", "-f", "/root/set.toml"], 1);
    // Without a pid file: the script's own status exits 0 of nothing, the processes of its program
    // are what counts.
    run(&machine, &["status", "sysv:uwsgi"], 1);
    let report = run(&machine, &["start", "sysv:uwsgi"], 0);
    let pid = service(&report, "sysv:uwsgi")["pids"][0].as_i64().unwrap();
    machine.must(&["test", "-d", &format!("/proc/{pid}")]);
    machine.must(&["sh", "-c", "kill -9 $(pidof uwsgi-core uwsgi)"]);
    run(&machine, &["status", "sysv:uwsgi"], 1);
    run(&machine, &["start", "sysv:uwsgi"], 0);
    run(&machine, &["restart", "sysv:uwsgi"], 0);
    run(&machine, &["stop", "sysv:uwsgi"], 0);
    assert!(
        !machine
            .run(&["pidof", "uwsgi-core", "uwsgi"])
            .status
            .success()
    );
    // A script that has no status, a pid file nowhere and a shell for a program: nobody knows, and
    // the start's own processes speak.
    machine.script(
        "/etc/init.d/blind",
        "#!/bin/sh\ncase $1 in\n start) setsid sleep 600.5 </dev/null >/dev/null 2>&1 & ;;\n stop) pkill -f 'sleep 600.5' ;;\n *) echo usage; exit 3 ;;\nesac\n",
    );
    let report = run(&machine, &["status", "sysv:blind"], 3);
    assert_eq!(report["outcome"], "unknown");
    let report = run(&machine, &["start", "sysv:blind"], 0);
    assert!(
        report["warnings"][0]
            .as_str()
            .unwrap()
            .contains("left behind"),
        "{report}"
    );
    machine.must(&["pgrep", "-f", "sleep 600.5"]);
    run(&machine, &["stop", "sysv:blind"], 0);
    assert!(
        !machine
            .run(&["pgrep", "-f", "sleep 600.5"])
            .status
            .success()
    );
}

#[test]
fn the_environment_is_exactly_that_of_service() {
    let Some(machine) = Machine::with_plain_init() else {
        return;
    };
    machine.script(
        "/etc/init.d/probe",
        "#!/bin/sh\nPIDFILE=/run/probe.pid\nif [ \"$1\" = start ]; then env | grep -v '^_=' | sort > /root/seen; pwd >> /root/seen; ls /proc/self/fd >> /root/seen; sleep 600 </dev/null >/dev/null 2>&1 & echo $! > $PIDFILE; fi\n\
         if [ \"$1\" = stop ]; then kill $(cat $PIDFILE); rm $PIDFILE; fi\n",
    );
    let shell = |command: &str| {
        format!(
            "cd /root; export PRODUCTION=1 LANG=C.UTF-8 LC_TIME=de_DE FOO=bar TERM=vt100; unset LC_ALL; {command}"
        )
    };
    machine.must(&[
        "sh",
        "-c",
        &shell("service probe start </dev/null; service probe stop"),
    ]);
    let by_service = fs::read_to_string(machine.path("/root/seen")).unwrap();
    machine.tool("svc-cycle");
    machine.must(&["sh", "-c", &shell("svc-cycle start sysv:probe </dev/null")]);
    let by_us = fs::read_to_string(machine.path("/root/seen")).unwrap();
    assert_eq!(by_us, by_service);
    assert!(!by_us.contains("PRODUCTION"));
}

#[test]
fn scripts_that_lie() {
    let Some(machine) = Machine::with_plain_init() else {
        return;
    };
    machine.script(
        "/etc/init.d/nothing",
        "#!/bin/sh\nPIDFILE=/run/nothing.pid\n: > $PIDFILE\nexit 0\n",
    );
    let began = Instant::now();
    let report = run(&machine, &["start", "sysv:nothing"], 3);
    assert_eq!(report["outcome"], "not_ready");
    assert!(began.elapsed() < Duration::from_secs(30));

    // The daemon keeps the script's output: whoever waits for its end waits for ever.
    machine.script(
        "/etc/init.d/keeper",
        "#!/bin/sh\nPIDFILE=/run/keeper.pid\nif [ \"$1\" = start ]; then echo starting; sh -c 'while :; do echo noise; sleep 0.05; done' & echo $! > $PIDFILE; fi\n\
         if [ \"$1\" = stop ]; then kill $(cat $PIDFILE); fi\n",
    );
    machine.write(
        "/root/keeper.toml",
        "[service.keeper]\nbackend = \"sysv\"\nstable = \"500ms\"\n",
    );
    let report = run(&machine, &["start", "-f", "/root/keeper.toml"], 0);
    assert_eq!(service(&report, "keeper")["after"], "running");
    // The script says that it stopped it, and did not.
    machine.script(
        "/etc/init.d/keeper",
        "#!/bin/sh\nPIDFILE=/run/keeper.pid\nexit 0\n",
    );
    machine.write(
        "/root/keeper.toml",
        "[service.keeper]\nbackend = \"sysv\"\nstop_timeout = \"500ms\"\n",
    );
    let report = run(&machine, &["stop", "-f", "/root/keeper.toml"], 3);
    assert_eq!(
        (
            &report["outcome"],
            report["leftovers"].as_array().unwrap().is_empty()
        ),
        (&json!("not_stopped"), false)
    );
    machine.write(
        "/root/keeper.toml",
        "[service.keeper]\nbackend = \"sysv\"\nstop_timeout = \"500ms\"\nkill = \"escalate\"\n",
    );
    run(&machine, &["stop", "-f", "/root/keeper.toml"], 0);
}
