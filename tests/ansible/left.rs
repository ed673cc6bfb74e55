//! A test that is killed takes its hosts with it: their processes, namespaces and cables.

use harness::fleet::Fleet;
use harness::{need, wait_until};
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

/// The part of the test that is killed; it does nothing unless it is asked to.
#[test]
#[ignore = "run by killed_tests_leave_nothing, which kills it"]
fn hold_a_fleet() {
    let fleet = Fleet::up(1);
    let host = &fleet.hosts()[0];
    // A server of its own, in a session of its own, as a daemon has it.
    host.sh("setsid redis-server --port 6390 --daemonize yes --save '' --dir /srv >/dev/null");
    wait_until("redis runs", || {
        host.processes()
            .iter()
            .any(|(_, argv)| argv[0].contains("redis"))
    });
    println!(
        "\nheld {} {}",
        host.address,
        host.processes()
            .iter()
            .map(|(pid, _)| pid.to_string())
            .collect::<Vec<_>>()
            .join(" ")
    );
    std::thread::sleep(std::time::Duration::from_secs(120));
}

#[test]
fn killed_tests_leave_nothing() {
    if need("sshd").is_none() || need("redis-server").is_none() {
        return;
    }
    let words = ["--ignored", "--exact", "left::hold_a_fleet", "--nocapture"];
    let mut test = Command::new(std::env::current_exe().unwrap())
        .args(words)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(test.stdout.take().unwrap()).lines();
    let held = lines
        .find_map(|line| line.unwrap().strip_prefix("held ").map(str::to_owned))
        .unwrap();
    let mut words = held.split_whitespace();
    let address = words.next().unwrap().to_owned();
    let pids: Vec<i32> = words.map(|word| word.parse().unwrap()).collect();
    let cable = || {
        let routes = Command::new("ip")
            .args(["route", "get", &address])
            .output()
            .unwrap();
        String::from_utf8_lossy(&routes.stdout).contains(" dev rbt")
    };
    assert!(pids.len() >= 2 && cable(), "{held}");

    test.kill().unwrap();
    test.wait().unwrap();

    let gone = |pid: &i32| !std::path::Path::new(&format!("/proc/{pid}")).exists();
    wait_until("its processes are gone", || pids.iter().all(gone));
    wait_until("its cable is gone", || !cable());
}
