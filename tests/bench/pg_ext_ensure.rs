//! pg-ext-ensure beside the real psql binary (not the distribution's Perl wrapper) and Ansible's
//! `community.postgresql` module, in one run: nothing to do for one extension and for five, then
//! five in each of fifty databases. The programs take turns and the median of their turns counts,
//! so that a busy machine is busy for all of them. And: how long a role stays a superuser after its
//! tool is killed.
//!
//! Ansible is run from `target/bench-venv` (or `$RUNBOOK_BENCH_VENV`): `pip install ansible
//! psycopg2-binary`. Without it its rows are left out.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout
)]

use harness::postgres::{Postgres, program};
use harness::{bin, scratch, source_root};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

const TURNS: usize = 31;
const FIVE: [&str; 5] = ["btree_gin", "hstore", "pg_trgm", "citext", "unaccent"];
const DATABASES: usize = 50;

/// A program that takes part: one call of `run` is one turn.
struct Runner<'a> {
    name: &'a str,
    run: Box<dyn FnMut() + 'a>,
    times: Vec<Duration>,
}

fn runner<'a>(name: &'a str, run: impl FnMut() + 'a) -> Runner<'a> {
    Runner {
        name,
        run: Box::new(run),
        times: Vec::new(),
    }
}

fn command(path: &PathBuf, args: &[String]) {
    let mut command = Command::new(path);
    command
        .args(args)
        .env_clear()
        .envs([("PATH", "/usr/bin:/bin"), ("HOME", "/nonexistent")]);
    let status = command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .unwrap();
    assert!(status.success(), "{} {args:?}: {status}", path.display());
}

/// Everybody takes turns; the medians, printed and returned.
fn race(turns: usize, runners: &mut [Runner<'_>]) -> Vec<f64> {
    for turn in 0..=turns {
        for runner in runners.iter_mut() {
            let began = Instant::now();
            (runner.run)();
            // The first turn warms up.
            if turn > 0 {
                runner.times.push(began.elapsed());
            }
        }
    }
    let median = |runner: &mut Runner<'_>| {
        runner.times.sort_unstable();
        let median = runner.times[runner.times.len() / 2].as_secs_f64() * 1e3;
        println!("{:<48} {median:>9.2} ms", runner.name);
        median
    };
    runners.iter_mut().map(median).collect()
}

fn ratio(what: &str, found: f64, most: f64) {
    let verdict = if found <= most { "reached" } else { "MISSED" };
    println!("  {what:<46} {found:>9.4}x  at most {most:.4}x: {verdict}");
}

fn psql_args(server: &Postgres, database: &str, statements: &[String]) -> Vec<String> {
    let mut args: Vec<String> = ["-X", "-q", "-A", "-t", "-d"].map(String::from).to_vec();
    args.push(server.dsn("app", database));
    for statement in statements {
        args.extend(["-c".to_string(), statement.clone()]);
    }
    args
}

fn create(names: &[&str]) -> Vec<String> {
    names
        .iter()
        .map(|name| format!("CREATE EXTENSION IF NOT EXISTS \"{name}\""))
        .collect()
}

fn main() {
    if std::env::args().any(|word| word == "--list") {
        return;
    }
    let server = Postgres::start();
    server.create_app("app");
    let (tool, psql) = (bin("pg-ext-ensure"), program("psql"));
    let ours = |database: &str, names: &[&str]| -> Vec<String> {
        let mut args = vec!["-d".to_string(), server.dsn("app", database)];
        args.extend(names.iter().map(|name| (*name).to_string()));
        args
    };
    command(&tool, &ours("app", &FIVE));
    println!("PostgreSQL over a socket, nothing to do; {TURNS} turns, medians");
    let (one, five) = (ours("app", &FIVE[..1]), ours("app", &FIVE));
    let (connect, psql_one, psql_five) = (
        psql_args(&server, "app", &["SELECT 1".to_string()]),
        psql_args(&server, "app", &create(&FIVE[..1])),
        psql_args(&server, "app", &create(&FIVE)),
    );
    let medians = race(
        TURNS,
        &mut [
            runner("pg-ext-ensure, one extension", || command(&tool, &one)),
            runner("psql, one", || command(&psql, &psql_one)),
            runner("psql, SELECT 1", || command(&psql, &connect)),
            runner("pg-ext-ensure, five", || command(&tool, &five)),
            runner("one psql, five statements", || command(&psql, &psql_five)),
        ],
    );
    ratio("one extension, beside psql", medians[0] / medians[1], 0.9);
    ratio("five, beside one psql", medians[3] / medians[4], 1.0);
    ansible(&server, &medians);
    many(&server, &tool, &psql);
    killed(&server, &tool);
}

/// Ansible's module, as a user runs it: `ansible -m community.postgresql.postgresql_ext`, once for
/// each extension.
fn ansible(server: &Postgres, ours: &[f64]) {
    let venv = std::env::var_os("RUNBOOK_BENCH_VENV")
        .map_or_else(|| source_root().join("target/bench-venv"), PathBuf::from);
    let ansible = venv.join("bin/ansible");
    if !ansible.exists()
        || !std::fs::read_dir(venv.join("lib")).is_ok_and(|mut lib| lib.next().is_some())
    {
        println!("  Ansible is not in {}: left out", venv.display());
        return;
    }
    let home = scratch();
    let run = |name: &str| {
        let arguments = format!(
            "name={name} login_db=app login_user=app login_unix_socket={} login_port={}",
            server.socket_dir().display(),
            server.port()
        );
        let mut command = Command::new(&ansible);
        command
            .args(["localhost", "-c", "local", "-e"])
            .arg(format!(
                "ansible_python_interpreter={}/bin/python",
                venv.display()
            ));
        command.args([
            "-m",
            "community.postgresql.postgresql_ext",
            "-a",
            &arguments,
        ]);
        command
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .env("HOME", home.path())
            .env("LC_ALL", "C.UTF-8");
        let output = command.stdin(Stdio::null()).output().unwrap();
        assert!(
            output.status.success(),
            "{}{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
    };
    let medians = race(
        3,
        &mut [
            runner("Ansible's postgresql_ext, one", || run(FIVE[0])),
            runner("Ansible's postgresql_ext, five times", || {
                FIVE.iter().for_each(|name| run(name));
            }),
        ],
    );
    ratio(
        "one extension, beside Ansible's module",
        ours[0] / medians[0],
        1.0 / 150.0,
    );
    ratio("five, beside its loop", ours[3] / medians[1], 1.0 / 200.0);
}

fn many(server: &Postgres, tool: &PathBuf, psql: &PathBuf) {
    let names: Vec<String> = (0..DATABASES)
        .map(|number| format!("many_{number}"))
        .collect();
    for name in &names {
        server.psql(
            "postgres",
            &format!("CREATE DATABASE {name} TEMPLATE app OWNER app"),
        );
    }
    println!("\n{DATABASES} databases with five extensions each, nothing to do");
    let mut args = vec!["-d".to_string(), server.dsn("app", "app")];
    args.extend(
        names
            .iter()
            .flat_map(|name| ["--db".to_string(), name.clone()]),
    );
    args.extend(FIVE.map(String::from));
    let statements = create(&FIVE);
    let medians = race(
        7,
        &mut [
            runner("pg-ext-ensure --db … five", || command(tool, &args)),
            runner("psql in a loop, five statements each", || {
                names
                    .iter()
                    .for_each(|name| command(psql, &psql_args(server, name, &statements)));
            }),
        ],
    );
    ratio(
        "50 x 5, beside the loop",
        medians[0] / medians[1],
        1.0 / 3.0,
    );
}

/// 200 kills of the tool at any moment: the longest that the role stayed a superuser afterwards.
fn killed(server: &Postgres, tool: &PathBuf) {
    let state = scratch();
    let admin = server.dsn("postgres", "postgres");
    let is_super = || {
        server.psql(
            "postgres",
            "SELECT rolsuper FROM pg_roles WHERE rolname = 'app'",
        ) == "t"
    };
    let (mut longest, mut hits) = (Duration::ZERO, 0);
    for round in 0..200u64 {
        let mut command = Command::new(tool);
        command.args([
            "elevate", "--role", "app", "--admin", &admin, "--", "sleep", "0.05",
        ]);
        command
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .env("STATE_DIRECTORY", state.path());
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(Duration::from_micros((round * 7919 % 800) * 100));
        child.kill().unwrap();
        child.wait().unwrap();
        let began = Instant::now();
        hits += u64::from(is_super());
        while is_super() {
            assert!(
                began.elapsed() < Duration::from_secs(30),
                "round {round}: still a superuser"
            );
        }
        longest = longest.max(began.elapsed());
        let status = Command::new(tool)
            .args(["recover", "--lock-wait", "10s", "--admin", &admin])
            .env("STATE_DIRECTORY", state.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .unwrap();
        assert!(status.success() && !is_super());
    }
    println!(
        "\n200 kills during elevate: a superuser at the kill {hits} times, the longest for {:.0} ms (at most 5000)",
        longest.as_secs_f64() * 1e3
    );
}
