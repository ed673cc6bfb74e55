//! What a task costs on a host: the tools as modules beside `command:` and Ansible's own modules
//! for the same jobs, over ssh with a kept connection as Ansible has it by default, in one run.
//! Nothing is left to change, which is what most tasks of most runs are.
//!
//! Ansible's own modules can be handed to the host's Python without a file (pipelining); a module
//! in another language cannot. Both are shown.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    dead_code
)]

#[path = "../ansible/controller.rs"]
mod controller;

use controller::Controller;
use harness::fleet::{Fleet, Host};
use harness::test_venv;
use harness::venvs::Venvs;
use serde_json::{Value, json};
use std::time::{Duration, Instant};

const HOSTS: u8 = 3;

/// How often a task stands in a playbook.
const TIMES: u32 = 4;

/// A job, and the ways to do it: `command:` with what people type, Ansible's own module, ours.
struct Job(&'static str, Vec<(&'static str, Value)>);

fn jobs(wheels: &str) -> Vec<Job> {
    let builtin = |name: &str, args: Value| json!({(format!("ansible.builtin.{name}")): args});
    let ours = |name: &str, args: Value| json!({(format!("runbook.tools.{name}")): args});
    let command = |line: &str| builtin("command", json!({"cmd": line}));
    let pip = json!({"requirements": "/srv/requirements.txt", "virtualenv": "/srv/native", "extra_args": format!("--no-index --find-links {wheels}")});
    let sync =
        json!({"command": "apply", "venv": "/srv/venv", "requirement": ["/srv/requirements.txt"]});
    let cron = json!({"name": "clear", "minute": "15", "hour": "4", "job": "/srv/site/work", "user": "root"});
    let page = json!({"dest": "/srv/page.html", "content": "Back soon.\n"});
    let on = json!({"command": "on", "dir": "/srv/page", "id": "bench", "until": "2038-01-01T00:00:00Z"});
    let render = json!({"command": "install", "template": "/srv/cron.txt", "name": "site"});
    vec![
        Job("nothing", vec![("command: true", command("true"))]),
        Job(
            "a program is there",
            vec![
                ("command: test -x", command("test -x /usr/sbin/nginx")),
                ("stat", builtin("stat", json!({"path": "/usr/sbin/nginx"}))),
                (
                    "check_reqs",
                    ours("check_reqs", json!({"need": ["cmd:nginx"]})),
                ),
            ],
        ),
        Job(
            "a port answers",
            vec![
                (
                    "wait_for",
                    builtin("wait_for", json!({"port": 80, "timeout": 5})),
                ),
                (
                    "check_reqs",
                    ours("check_reqs", json!({"need": ["tcp:127.0.0.1:80"]})),
                ),
            ],
        ),
        Job(
            "an environment is in sync",
            vec![
                (
                    "command: pip install -r",
                    command(&format!(
                        "/srv/native/bin/pip install -q --no-index --find-links {wheels} -r /srv/requirements.txt"
                    )),
                ),
                ("pip", builtin("pip", pip)),
                ("venv_sync", ours("venv_sync", sync)),
            ],
        ),
        Job(
            "a service runs",
            vec![
                ("command: service status", command("service nginx status")),
                (
                    "service",
                    builtin("service", json!({"name": "nginx", "state": "started"})),
                ),
                (
                    "svc_cycle",
                    ours(
                        "svc_cycle",
                        json!({"command": "start", "service": ["sysv:nginx"]}),
                    ),
                ),
            ],
        ),
        Job(
            "a job is scheduled",
            vec![
                ("cron", builtin("cron", cron)),
                ("cron_render", ours("cron_render", render)),
            ],
        ),
        Job(
            "a page is there",
            vec![
                ("copy", builtin("copy", page)),
                ("maint_page", ours("maint_page", on)),
            ],
        ),
        Job(
            "where it logs",
            vec![
                (
                    "find",
                    builtin("find", json!({"paths": "/var/log", "recurse": true})),
                ),
                (
                    "log_paths",
                    ours("log_paths", json!({"service": ["nginx"]})),
                ),
            ],
        ),
    ]
}

fn prepare(host: &Host, wheels: &str) {
    std::fs::copy(test_venv().join("bin/uv"), host.path("/usr/local/bin/uv")).unwrap();
    std::fs::write(host.srv.join("requirements.txt"), "alpha==2.0\n").unwrap();
    std::fs::write(host.srv.join("cron.txt"), "15 4 * * * /srv/site/work\n").unwrap();
    host.sh(&format!(
        "python3 -m venv /srv/native && /srv/native/bin/pip install -q --no-index --find-links {wheels} -r /srv/requirements.txt\n\
         venv-sync apply /srv/venv -r /srv/requirements.txt --installer uv --wheelhouse {wheels} >/dev/null\n\
         service nginx start >/dev/null 2>&1\n"
    ));
}

fn main() {
    let venvs = Venvs::with_alpha();
    let wheels = venvs.wheelhouse().display().to_string();
    let fleet = Fleet::sharing(HOSTS, &[venvs.path()]);
    fleet.hosts().iter().for_each(|host| prepare(host, &wheels));
    let controller = Controller::of(&fleet);
    let jobs = jobs(&wheels);
    // Once, so that connections are open and nothing is left to change.
    for (_, task) in jobs.iter().flat_map(|job| &job.1) {
        play(&controller, std::slice::from_ref(task), "0");
    }
    println!(
        "a task that finds nothing to change, on one host over ssh (ControlPersist), {HOSTS} hosts one after another"
    );
    println!(
        "  {:<28}{:<26}{:>11}{:>10}{:>14}",
        "", "", "default", "to first", "pipelining"
    );
    let mut none = [Duration::ZERO; 2];
    for (at, pipelining) in ["0", "1"].into_iter().enumerate() {
        none[at] = play(
            &controller,
            &[json!({"ansible.builtin.meta": "noop"})],
            pipelining,
        );
    }
    for Job(what, ways) in &jobs {
        let mut first = None;
        for (name, task) in ways {
            let cost = |at: usize, pipelining: &str| {
                let tasks: Vec<Value> = (0..TIMES).map(|_| task.clone()).collect();
                play(&controller, &tasks, pipelining).saturating_sub(none[at])
                    / (TIMES * u32::from(HOSTS))
            };
            let (plain, piped) = (cost(0, "0"), cost(1, "1"));
            let first = *first.get_or_insert(plain);
            let ratio = plain.as_secs_f64() / first.as_secs_f64();
            println!(
                "  {what:<28}{name:<26}{:>8} ms{ratio:>9.2}x{:>11} ms",
                plain.as_millis(),
                piped.as_millis()
            );
        }
    }
}

/// How long a playbook of these tasks takes, on every host, one host at a time.
fn play(controller: &Controller, tasks: &[Value], pipelining: &str) -> Duration {
    let began = Instant::now();
    let played = controller.timed(tasks, pipelining);
    let took = began.elapsed();
    controller::ok(&played, "the playbook");
    took
}
