//! svc-cycle beside supervisorctl, systemctl and Ansible, in one run: how fast, and whose verdict
//! is true.
//!
//! The programs take turns and the median of their turns counts, so that a busy machine is busy for
//! all of them.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::exit
)]

use std::fs;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use harness::machine::Machine;
use harness::supervisor::Supervisor;
use harness::{bin, scratch, test_venv};

fn main() {
    let mut all = true;
    all &= supervisor();
    all &= exits();
    all &= systemd();
    println!(
        "{}",
        if all {
            "every ratio of the page is reached"
        } else {
            "NOT every ratio of the page is reached"
        }
    );
    std::process::exit(i32::from(!all));
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}

fn time(command: &mut Command) -> Duration {
    let began = Instant::now();
    let output = command.stdin(Stdio::null()).output().expect("run it");
    let took = began.elapsed();
    assert!(
        output.status.success(),
        "{command:?}: {}\n{}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    took
}

fn row(what: &str, time: Duration) {
    println!("  {what:<52} {:>9.2} ms", time.as_secs_f64() * 1000.0);
}

/// Says the ratio, and whether it is at most one to `wanted`.
fn ratio(what: &str, ours: Duration, theirs: Duration, wanted: f64) -> bool {
    let found = theirs.as_secs_f64() / ours.as_secs_f64();
    let ok = found >= wanted;
    println!(
        "  {} {what}: 1/{found:.1} (wanted: at most 1/{wanted})\n",
        if ok { "ok " } else { "MISSED" }
    );
    ok
}

fn supervisor() -> bool {
    let supervisor = Supervisor::start(
        "[program:g]\ncommand = /bin/sleep 600\nnumprocs = 3\nprocess_name = %(program_name)s%(process_num)d\n",
    );
    supervisor.wait_running(&["g:g0", "g:g1", "g:g2"]);
    let config = supervisor.config();
    let theirs = |words: &[&str]| {
        let mut command = Command::new("/usr/bin/supervisorctl");
        command.arg("-c").arg(&config).args(words);
        time(&mut command)
    };
    let ours = |words: &[&str]| {
        let mut command = Command::new(bin("svc-cycle"));
        command.args(words).arg("-c").arg(&config);
        time(&mut command)
    };
    let (mut client, mut tool, mut socket) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..31 {
        client.push(theirs(&["status"]));
        tool.push(ours(&["status", "supervisor:g:*"]));
        socket.push(bare(&supervisor));
    }
    println!("status of three processes under supervisord");
    row("supervisorctl status", median(client.clone()));
    row("svc-cycle status", median(tool.clone()));
    row("the socket alone (getAllProcessInfo)", median(socket));
    let mut all = ratio(
        "svc-cycle status to supervisorctl status",
        median(tool),
        median(client),
        80.0,
    );
    let (mut client, mut tool) = (Vec::new(), Vec::new());
    for _ in 0..5 {
        client.push(theirs(&["restart", "g:*"]));
        tool.push(ours(&["restart", "supervisor:g:*"]));
    }
    println!("restart of a group of three, startsecs = 1");
    row("supervisorctl restart g:*", median(client.clone()));
    row(
        "svc-cycle restart, all old processes gone, verified",
        median(tool.clone()),
    );
    all &= ratio(
        "svc-cycle restart to supervisorctl restart",
        median(tool),
        median(client),
        2.0,
    );
    all
}

fn bare(supervisor: &Supervisor) -> Duration {
    let began = Instant::now();
    let mut stream = UnixStream::connect(supervisor.socket()).unwrap();
    let body = "<?xml version=\"1.0\"?><methodCall><methodName>supervisor.getAllProcessInfo</methodName><params></params></methodCall>";
    write!(
        stream,
        "POST /RPC2 HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: text/xml\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    assert!(answer.starts_with(b"HTTP/1.1 200"));
    began.elapsed()
}

/// From the death of a process to the end of svc-cycle, which is watching it: the whole of
/// noticing, looking again and reporting.
fn exits() -> bool {
    let dir = scratch();
    fs::write(
        dir.path().join("set.toml"),
        "[service.idle]\nbackend = \"pidfile\"\nname = \"idle.pid\"\nstart = [\"sh\", \"-c\", \"setsid sleep 600 </dev/null >/dev/null 2>&1 & echo $! > idle.pid\"]\nstable = \"60s\"\n",
    )
    .unwrap();
    let mut times = Vec::new();
    for _ in 0..15 {
        let mut child = Command::new(bin("svc-cycle"))
            .args(["start", "-f", "set.toml"])
            .current_dir(dir.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(Duration::from_millis(150));
        let pid: i32 = fs::read_to_string(dir.path().join("idle.pid"))
            .unwrap()
            .trim()
            .parse()
            .unwrap();
        let began = Instant::now();
        nix::sys::signal::kill(
            nix::unistd::Pid::from_raw(pid),
            nix::sys::signal::Signal::SIGKILL,
        )
        .unwrap();
        assert_eq!(child.wait().unwrap().code(), Some(3));
        times.push(began.elapsed());
    }
    println!("a process dies while it is being watched for `stable`");
    let found = median(times);
    row("until svc-cycle has noticed, reported and ended", found);
    let ok = found < Duration::from_millis(10);
    println!(
        "  {} exit detection within 10 ms\n",
        if ok { "ok " } else { "MISSED" }
    );
    ok
}

fn systemd() -> bool {
    let Some(machine) = Machine::with_systemd() else {
        return true;
    };
    drop(machine.tool("svc-cycle"));
    machine.unit(
        "t-redis.service",
        "[Service]\nExecStart=/usr/bin/redis-server --port 7777 --save \"\" --appendonly no\n",
    );
    machine.unit("t-false.service", "[Service]\nExecStart=/bin/false\n");
    machine.unit(
        "t-loop.service",
        "[Unit]\nStartLimitIntervalSec=0\n[Service]\nExecStart=/bin/sh -c 'sleep 0.15; exit 3'\nRestart=always\nRestartSec=50ms\n",
    );
    machine.write(
        "/root/redis.toml",
        "[service.t-redis]\nbackend = \"systemd\"\nready = [{ port = 7777 }]\n",
    );
    machine.must(&["systemctl", "daemon-reload"]);
    // The environment stands in a directory that the overlay may not show.
    let venv = scratch_copy(&machine);
    let ansible = format!("{venv}/bin/ansible");
    let restart = |words: &[&str]| time(&mut machine.command(words));
    let ours = [
        "/usr/local/bin/svc-cycle",
        "restart",
        "-f",
        "/root/redis.toml",
    ];
    let theirs = [
        "env",
        "HOME=/root",
        "ANSIBLE_LOCALHOST_WARNING=False",
        &ansible,
        "localhost",
        "-c",
        "local",
        "-m",
        "systemd_service",
        "-a",
        "name=t-redis state=restarted",
    ];
    machine.must(&["systemctl", "start", "t-redis"]);
    let (mut tool, mut play, mut bare) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..5 {
        play.push(restart(&theirs));
        tool.push(restart(&ours));
        bare.push(restart(&["systemctl", "restart", "t-redis"]));
    }
    println!("restart of a unit (redis)");
    row("systemctl restart, which verifies nothing", median(bare));
    row(
        "ansible -m systemd_service state=restarted",
        median(play.clone()),
    );
    row(
        "svc-cycle restart, verified by its port and processes",
        median(tool.clone()),
    );
    let mut all = ratio(
        "svc-cycle restart to Ansible's",
        median(tool),
        median(play),
        10.0,
    );

    println!("the verdict on a start that is none (exit status; 0 is wrong)");
    for unit in ["t-false", "t-loop"] {
        let code = |words: &[&str]| {
            machine.run(&["systemctl", "stop", unit]);
            machine.run(&["systemctl", "reset-failed", unit]);
            machine.run(words).status.code().unwrap_or(-1)
        };
        let name = format!("name={unit} state=started");
        let theirs = [
            "env",
            "HOME=/root",
            &ansible,
            "localhost",
            "-c",
            "local",
            "-m",
            "systemd_service",
            "-a",
            &name,
        ];
        let (bare, play, tool) = (
            code(&["systemctl", "start", unit]),
            code(&theirs),
            code(&["/usr/local/bin/svc-cycle", "start", unit]),
        );
        println!("  {unit:<10} systemctl {bare}   ansible {play}   svc-cycle {tool}");
        all &= tool == 3;
    }
    println!();
    all
}

/// The test environment as the machine sees it: there, or copied into it.
fn scratch_copy(machine: &Machine) -> String {
    let venv = test_venv();
    let venv = venv.canonicalize().unwrap();
    if !machine
        .path(&format!("{}/bin/python", venv.display()))
        .exists()
        && !machine
            .run(&["test", "-x", &format!("{}/bin/python", venv.display())])
            .status
            .success()
    {
        let target = machine.path(venv.to_str().unwrap());
        fs::create_dir_all(target.parent().unwrap()).unwrap();
        assert!(
            Command::new("cp")
                .arg("-a")
                .arg(&venv)
                .arg(target)
                .status()
                .unwrap()
                .success()
        );
    }
    venv.display().to_string()
}
