//! The stack of the coralnet site: redis that is only ensured, celery's worker and beat under
//! supervisord.

use std::fs;

use harness::supervisor::{self, Supervisor};
use harness::{free_port, tool};
use serde_json::json;

use super::site::{service, steps};

#[test]
fn celery_and_redis_as_coralnet_has_them() {
    if !supervisor::available() || harness::need("redis-server").is_none() {
        return;
    }
    let port = free_port();
    let dir = harness::scratch();
    fs::write(
        dir.path().join("tasks.py"),
        format!("from celery import Celery\napp = Celery('tasks', broker='redis://127.0.0.1:{port}/0')\n\n@app.task\ndef add(a, b):\n    return a + b\n"),
    )
    .unwrap();
    let celery = harness::test_venv().join("bin/celery");
    let supervisor = Supervisor::start_in(
        dir,
        &format!(
            "[program:celeryworker]\ncommand = {celery} -A tasks worker -c 2 -l info -n w{port}@%%h\ndirectory = %(here)s\nautostart = false\nstartsecs = 0\nstopwaitsecs = 20\n\
             environment = C_FORCE_ROOT=\"1\"\n\n\
             [program:celerybeat]\ncommand = {celery} -A tasks beat -s %(here)s/schedule --pidfile %(here)s/beat.pid\ndirectory = %(here)s\nautostart = false\nstartsecs = 1\n",
            celery = celery.display()
        ),
    );
    let set = supervisor.dir().join("set.toml");
    fs::write(
        &set,
        format!(
            "[service.redis]\nbackend = \"command\"\nname = \"redis-server\"\nstart = [\"redis-server\", \"--port\", \"{port}\", \"--bind\", \"127.0.0.1\", \"--save\", \"\"]\n\
             match = \"127.0.0.1:{port}\"\npolicy = \"ensure\"\nready = [{{ port = {port} }}]\n\
             [service.celeryworker]\nbackend = \"supervisor\"\nconfig = \"supervisor.conf\"\nafter = [\"redis\"]\n\
             ready = [{{ log = \"celeryworker-stderr.log\", line = \"ready.\" }}]\n\
             [service.celerybeat]\nbackend = \"supervisor\"\nconfig = \"supervisor.conf\"\nafter = [\"redis\"]\n"
        ),
    )
    .unwrap();
    let conf = fs::read_to_string(supervisor.config()).unwrap();
    fs::write(
        supervisor.config(),
        conf.replace(
            "[program:celeryworker]\n",
            "[program:celeryworker]\nstderr_logfile = %(here)s/celeryworker-stderr.log\n",
        ),
    )
    .unwrap();
    supervisor.ctl(&["reread"]);
    supervisor.ctl(&["update"]);
    let run = |arguments: &[&str], code: i32| {
        tool("svc-cycle")
            .args(arguments)
            .args(["-f", set.to_str().unwrap()])
            .dir(supervisor.dir())
            .run()
            .expect_code(code)
            .json()
    };
    let started = run(&["start"], 0);
    let redis = service(&started, "redis")["pids"].clone();
    // A cycle leaves redis alone, and the whole prefork tree of the worker is a new one.
    let report = tool("svc-cycle")
        .args(["cycle", "-f", set.to_str().unwrap(), "--", "true"])
        .dir(supervisor.dir())
        .run()
        .expect_code(0)
        .json();
    assert_eq!(
        (
            &service(&report, "redis")["pids"],
            &service(&report, "redis")["changed"]
        ),
        (&redis, &json!(false))
    );
    assert_eq!(steps(&report, "celeryworker"), ["stop", "start", "ready"]);
    assert_eq!(report["leftovers"], json!([]));
    // Not running: started, and only then what waits for it.
    run(&["stop", "redis"], 0);
    let started = run(&["start"], 0);
    assert_eq!(service(&started, "redis")["changed"], true);
    run(&["stop", "redis", "celeryworker", "celerybeat"], 0);
}
