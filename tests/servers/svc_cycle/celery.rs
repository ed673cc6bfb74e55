//! celery under systemd as celery's manual has it: `celery multi` in a unit of Type=forking, beat
//! beside it, Debian's redis between them.

use harness::machine::Machine;
use harness::{need, test_venv};

use super::host::{active, run, show};
use super::site::service;

const TASKS: &str = r"
from celery import Celery

version = open('/srv/proj/version').read().strip()
if version == 'broken':
    import time, no_such_module

app = Celery('tasks', broker='redis://127.0.0.1:6379/0', backend='redis://127.0.0.1:6379/0')

@app.task
def tell():
    return version
";

/// The unit's environment, in a file of its own.
const SETTINGS: &str = r#"
CELERYD_NODES="w1 w2"
CELERY_BIN="/opt/celery/bin/python -m celery"
CELERY_APP="tasks"
CELERYD_OPTS="--concurrency=1 --without-gossip --without-mingle"
CELERYD_PID_FILE="/run/celery/%n.pid"
CELERYD_LOG_FILE="/var/log/celery/%n%I.log"
CELERYD_LOG_LEVEL="INFO"
CELERYBEAT_PID_FILE="/run/celery/beat.pid"
CELERYBEAT_LOG_FILE="/var/log/celery/beat.log"
"#;

const WORKERS: &str = r#"
[Unit]
Description=Celery workers
After=network.target redis-server.service

[Service]
Type=forking
User=celery
Group=celery
EnvironmentFile=/etc/conf.d/celery
WorkingDirectory=/srv/proj
ExecStart=/bin/sh -c '${CELERY_BIN} -A $CELERY_APP multi start $CELERYD_NODES --pidfile=${CELERYD_PID_FILE} --logfile=${CELERYD_LOG_FILE} --loglevel="${CELERYD_LOG_LEVEL}" $CELERYD_OPTS'
ExecStop=/bin/sh -c '${CELERY_BIN} multi stopwait $CELERYD_NODES --pidfile=${CELERYD_PID_FILE} --logfile=${CELERYD_LOG_FILE} --loglevel="${CELERYD_LOG_LEVEL}"'
ExecReload=/bin/sh -c '${CELERY_BIN} -A $CELERY_APP multi restart $CELERYD_NODES --pidfile=${CELERYD_PID_FILE} --logfile=${CELERYD_LOG_FILE} --loglevel="${CELERYD_LOG_LEVEL}" $CELERYD_OPTS'
Restart=always

[Install]
WantedBy=multi-user.target
"#;

const BEAT: &str = r#"
[Unit]
Description=Celery beat
After=network.target celery.service

[Service]
Type=simple
User=celery
Group=celery
EnvironmentFile=/etc/conf.d/celery
WorkingDirectory=/srv/proj
ExecStart=/bin/sh -c '${CELERY_BIN} -A ${CELERY_APP} beat --schedule=/run/celery/schedule --pidfile=${CELERYBEAT_PID_FILE} --logfile=${CELERYBEAT_LOG_FILE} --loglevel="${CELERYD_LOG_LEVEL}"'
Restart=always

[Install]
WantedBy=multi-user.target
"#;

fn install(machine: &Machine) {
    machine.write("/srv/proj/tasks.py", TASKS);
    machine.write("/srv/proj/version", "1");
    machine.write("/etc/conf.d/celery", SETTINGS);
    machine.unit("celery.service", WORKERS);
    machine.unit("celerybeat.service", BEAT);
    machine.write(
        "/etc/tmpfiles.d/celery.conf",
        "d /run/celery 0755 celery celery -\nd /var/log/celery 0755 celery celery -\n",
    );
    machine.must(&["useradd", "--system", "celery"]);
    machine.must(&[
        "systemd-tmpfiles",
        "--create",
        "/etc/tmpfiles.d/celery.conf",
    ]);
    let venv = test_venv().canonicalize().unwrap();
    machine.must(&["mkdir", "-p", "/opt/celery"]);
    machine.must(&["mount", "--bind", venv.to_str().unwrap(), "/opt/celery"]);
    machine.must(&["systemctl", "daemon-reload"]);
}

/// The version of the code that does the work.
#[track_caller]
fn answer(machine: &Machine) -> String {
    let ask = "from celery import Celery\nurl = 'redis://127.0.0.1:6379/0'\n\
               print(Celery(broker=url, backend=url).send_task('tasks.tell').get(timeout=60))";
    let said = machine.must(&["/opt/celery/bin/python", "-c", ask]);
    said.trim().to_owned()
}

fn workers(machine: &Machine) -> Vec<String> {
    let output = machine.run(&["pgrep", "-u", "celery"]);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.split_ascii_whitespace().map(str::to_owned).collect()
}

#[test]
fn new_code_does_the_work_after_a_cycle_and_broken_code_is_no_success() {
    let Some(machine) = Machine::with_systemd() else {
        return;
    };
    if need("redis-server").is_none() {
        return;
    }
    install(&machine);
    let report = run(
        &machine,
        &["start", "redis-server", "celery", "celerybeat"],
        0,
    );
    assert_eq!(service(&report, "celery")["after"], "running");
    assert_eq!(answer(&machine), "1");

    // A set file from what runs: in systemd's own order, and a cycle works with it.
    let written = machine
        .tool("svc-cycle")
        .args([
            "snapshot",
            "-o",
            "text",
            "redis-server",
            "celerybeat",
            "celery",
        ])
        .run()
        .expect_code(0)
        .out();
    assert!(written.contains("[service.celery]"), "{written}");
    assert!(written.contains("port = 6379"), "{written}");
    assert!(written.contains("user = \"celery\""), "{written}");
    let set = written.replace(
        "[service.redis-server]\n",
        "[service.redis-server]\npolicy = \"ensure\"\n",
    );
    machine.write("/root/set.toml", &set);
    run(&machine, &["check", "-f", "/root/set.toml"], 0);
    let cycle = |command: &str, code: i32| {
        let words = ["cycle", "-f", "/root/set.toml", "--", "sh", "-c", command];
        run(&machine, &words, code)
    };
    let redis = show(&machine, "redis-server", "MainPID");
    let before = workers(&machine);
    let report = cycle(
        "pgrep -u celery > /root/seen; echo 2 > /srv/proj/version; true",
        0,
    );
    let seen = std::fs::read_to_string(machine.path("/root/seen")).unwrap();
    assert_eq!(seen, "", "{report}");
    assert_eq!(answer(&machine), "2", "{report}");
    assert!(workers(&machine).iter().all(|pid| !before.contains(pid)));
    assert_eq!(show(&machine, "redis-server", "MainPID"), redis);

    // Beat is down on purpose: it stays down.
    run(&machine, &["stop", "-f", "/root/set.toml", "celerybeat"], 0);
    cycle("echo 3 > /srv/proj/version", 0);
    assert!(!active(&machine, "celerybeat"));
    assert_eq!(answer(&machine), "3");

    // `celery multi` says that all is well as soon as the workers are detached.
    let report = cycle("echo broken > /srv/proj/version", 125);
    assert_eq!(report["outcome"], "left_down", "{report}");
    machine.write("/srv/proj/version", "4");
    run(&machine, &["recover"], 0);
    assert_eq!(answer(&machine), "4");
    assert!(!active(&machine, "celerybeat"));
}
