//! The units that Debian's own packages install: what runs is asked of the server, not of systemd.

use std::fs;

use harness::machine::Machine;

use super::host::{active, run, show};
use super::site::service;

#[test]
fn debian_s_postgresql_is_judged_by_its_clusters() {
    let Some(machine) = Machine::with_systemd() else {
        return;
    };
    if harness::need("pg_createcluster").is_none() {
        return;
    }
    let series = harness::postgres::version();
    let unit = format!("postgresql@{series}-main");
    machine.run(&["pg_dropcluster", "--stop", &series, "main"]);
    machine.must(&[
        "pg_createcluster",
        &series,
        "main",
        "--start-conf",
        "auto",
        "--",
        "-N",
    ]);
    machine.must(&["systemctl", "daemon-reload"]);
    run(&machine, &["start", "postgresql"], 0);
    let servers = || {
        let output = machine.run(&["pgrep", "-c", "-u", "postgres", "postgres"]);
        String::from_utf8_lossy(&output.stdout)
            .trim()
            .parse::<u32>()
            .unwrap_or(0)
    };
    assert!(servers() > 0);
    let report = run(
        &machine,
        &[
            "cycle",
            "postgresql",
            "--",
            "sh",
            "-c",
            "pgrep -c -u postgres postgres > /root/seen; true",
        ],
        0,
    );
    assert_eq!(
        fs::read_to_string(machine.path("/root/seen"))
            .unwrap()
            .trim(),
        "0",
        "{report}"
    );
    assert!(servers() > 0 && active(&machine, &unit));
    // A reload keeps PostgreSQL's processes, and the new value is in force.
    let sql = |text: &str| {
        let words = ["runuser", "-u", "postgres", "--", "psql", "-Atc", text];
        machine.must(&words).trim().to_owned()
    };
    sql("ALTER SYSTEM SET log_min_duration_statement = 1234");
    let report = run(&machine, &["reload", &unit], 0);
    assert_eq!(sql("SHOW log_min_duration_statement"), "1234ms", "{report}");
    // The umbrella is up and the cluster is not.
    machine.must(&["systemctl", "stop", &unit]);
    run(&machine, &["status", "postgresql"], 1);
    run(&machine, &["start", "postgresql"], 0);
    assert!(active(&machine, &unit));
    run(&machine, &["stop", "postgresql"], 0);
    assert_eq!(servers(), 0);
}

#[test]
fn an_init_script_that_systemd_wrapped_is_not_running_without_a_process() {
    let Some(machine) = Machine::with_systemd() else {
        return;
    };
    if harness::need("uwsgi").is_none() {
        return;
    }
    machine.write(
        "/etc/uwsgi/apps-enabled/site.ini",
        "[uwsgi]\nplugin = python3\nsocket = 127.0.0.1:8002\nwsgi-file = /srv/site.py\n",
    );
    machine.write(
        "/srv/site.py",
        "def application(environ, start):\n    start('200 OK', [])\n    return [b'site']\n",
    );
    run(&machine, &["start", "uwsgi"], 0);
    run(&machine, &["status", "uwsgi"], 0);
    machine.must(&["sh", "-c", "kill -9 $(pidof uwsgi-core uwsgi)"]);
    harness::wait_until("systemd still calls it active", || {
        show(&machine, "uwsgi", "SubState") == "exited"
    });
    let report = run(&machine, &["status", "uwsgi"], 1);
    assert!(
        report["warnings"][0]
            .as_str()
            .unwrap()
            .contains("no process of it is left"),
        "{report}"
    );
    let report = run(&machine, &["start", "uwsgi"], 0);
    assert_eq!(service(&report, "uwsgi")["after"], "running");
    machine.must(&["sh", "-c", "pidof uwsgi-core uwsgi"]);
}

/// A server of Debian's, with a configuration whose version it answers with.
struct Served {
    unit: &'static str,
    file: &'static str,
    text: fn(u32) -> String,
    ask: &'static str,
    /// svc-cycle knows the server's own check of its configuration.
    checked: bool,
}

const SERVED: &[Served] = &[
    Served {
        unit: "nginx",
        file: "/etc/nginx/nginx.conf",
        text: |version| {
            format!(
                "pid /run/nginx.pid;\nevents {{}}\nhttp {{ server {{ listen 127.0.0.1:8080; return 200 version={version}; }} }}\n"
            )
        },
        ask: "curl -s -m 5 http://127.0.0.1:8080/",
        checked: true,
    },
    Served {
        unit: "apache2",
        file: "/etc/apache2/sites-enabled/000-default.conf",
        text: |version| {
            format!(
                "<VirtualHost 127.0.0.1:8081>\nServerName localhost\nDocumentRoot /var/www/{version}\n</VirtualHost>\n"
            )
        },
        ask: "curl -s -m 5 http://127.0.0.1:8081/index.html",
        checked: true,
    },
    Served {
        unit: "redis-server",
        file: "/etc/redis/redis.conf",
        text: |version| {
            format!(
                "bind 127.0.0.1\nport 6379\ndaemonize yes\npidfile /run/redis/redis-server.pid\nlogfile \"\"\ndir /var/lib/redis\nsave \"\"\nproc-title-template version={version}\n"
            )
        },
        ask: "timeout 5 redis-cli config get proc-title-template",
        checked: false,
    },
];

#[test]
fn nginx_apache_and_redis_serve_the_new_configuration_or_say_why_not() {
    let Some(machine) = Machine::with_systemd() else {
        return;
    };
    for program in ["nginx", "apache2", "redis-server", "curl"] {
        if harness::need(program).is_none() {
            return;
        }
    }
    machine.write("/etc/apache2/ports.conf", "Listen 127.0.0.1:8081\n");
    for version in 1..=4 {
        let page = format!("/var/www/{version}/index.html");
        machine.write(&page, &format!("version={version}\n"));
    }
    for served in SERVED {
        let unit = served.unit;
        let write = |version: u32| machine.write(served.file, &(served.text)(version));
        let answers = |version: u32| {
            let said = machine.must(&["sh", "-c", served.ask]);
            assert!(
                said.contains(&format!("version={version}")),
                "{unit}: {said}"
            );
        };
        let broken = format!("{}\nnonsense;\n", (served.text)(3));
        write(1);
        run(&machine, &["start", unit], 0);
        answers(1);
        machine.write("/root/new", &(served.text)(2));
        let copy = format!("cp /root/new {}", served.file);
        let report = run(&machine, &["cycle", unit, "--", "sh", "-c", &copy], 0);
        answers(2);
        assert_eq!(report["leftovers"].as_array().unwrap().len(), 0, "{report}");

        // A bad line: found before anything is stopped, where the server has a check for that.
        let pid = show(&machine, unit, "MainPID");
        machine.write(served.file, &broken);
        if served.checked {
            let report = run(&machine, &["restart", unit], 3);
            assert_eq!(report["outcome"], "refused", "{report}");
            let why = report["error"]["message"].as_str().unwrap();
            assert!(why.contains("nonsense"), "{report}");
            assert_eq!(show(&machine, unit, "MainPID"), pid);
            answers(2);
        }
        write(2);
        // COMMAND makes it bad: the server's own words are in the report, and recover starts it
        // once the file is good.
        machine.write("/root/new", &broken);
        let report = run(&machine, &["cycle", unit, "--", "sh", "-c", &copy], 125);
        assert_eq!(report["outcome"], "left_down", "{report}");
        let text = report.to_string();
        assert!(text.contains("nonsense"), "{text}");
        write(4);
        run(&machine, &["recover"], 0);
        answers(4);
        // Down on purpose.
        run(&machine, &["stop", unit], 0);
        run(&machine, &["cycle", unit, "--", "true"], 0);
        assert!(!active(&machine, unit), "{unit}");
        let report = run(&machine, &["status", unit], 1);
        let why = report["warnings"][0].as_str().unwrap();
        assert!(!why.ends_with("running"), "{report}");
    }
}
