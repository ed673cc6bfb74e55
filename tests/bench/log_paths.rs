//! log-paths beside its peers, in one run: `nginx -T -q` and `crossplane parse` on 50 and 1,000
//! virtual hosts, `lsof -nP +L1` on 500 processes with 50 descriptors each; and how its cost grows
//! with the virtual hosts.
//!
//! The virtual hosts are as they are: a file each, TLS with a certificate, two logs, three
//! locations and a common snippet. nginx reads every certificate, which is most of its time; so
//! fifty without TLS are measured, too, with no ratio to reach: there a C program that only opens
//! the files takes as long as the ratio would allow.
//!
//! The peers do more (nginx opens every log, crossplane keeps the whole tree, lsof names every
//! descriptor): that is the point, since until now they were what answered these questions.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use harness::{Server, TempDir, bin, scratch, test_venv, wait_until};
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

fn main() {
    println!(
        "{:<58} {:>10} {:>8} {:>8}",
        "", "median", "ratio", "at most"
    );
    let few = vhosts(50, true);
    let plain = vhosts(50, false);
    let many = vhosts(1000, true);
    let ours_few = median(41, &mut ours(few.path()));
    let nginx_few = median(21, &mut nginx(few.path()));
    let crossplane_few = median(7, &mut crossplane(few.path()));
    let (ours_plain, nginx_plain) = (
        median(41, &mut ours(plain.path())),
        median(21, &mut nginx(plain.path())),
    );
    let ours_many = median(21, &mut ours(many.path()));
    let nginx_many = median(11, &mut nginx(many.path()));
    row("50 vhosts: log-paths --config-only nginx", ours_few, None);
    row(
        "50 vhosts: nginx -T -q",
        nginx_few,
        Some((ours_few, 1.0 / 8.0)),
    );
    row(
        "50 vhosts: crossplane parse",
        crossplane_few,
        Some((ours_few, 1.0 / 40.0)),
    );
    row(
        "50 vhosts without TLS: log-paths --config-only nginx",
        ours_plain,
        None,
    );
    row(
        "50 vhosts without TLS: nginx -T -q",
        nginx_plain,
        Some((ours_plain, f64::INFINITY)),
    );
    row(
        "1000 vhosts: log-paths --config-only nginx",
        ours_many,
        None,
    );
    row(
        "1000 vhosts: nginx -T -q",
        nginx_many,
        Some((ours_many, 0.1)),
    );
    println!(
        "{:<58} {:>10} {:>8.1} {:>8}",
        "growth of log-paths from 50 to 1000 vhosts",
        "",
        ratio(ours_many, ours_few),
        "22"
    );
    let crowd = processes();
    let mut walk = Command::new(bin("log-paths"));
    walk.args(["--open-only", "-o", "json"]);
    let mut lsof = Command::new("lsof");
    lsof.args(["-nP", "+L1"]);
    let (ours, theirs) = (median(21, &mut walk), median(11, &mut lsof));
    row(
        "500 processes of 50 descriptors: log-paths --open-only",
        ours,
        None,
    );
    row(
        "500 processes of 50 descriptors: lsof -nP +L1",
        theirs,
        Some((ours, 1.0 / 5.0)),
    );
    drop(crowd);
}

fn row(name: &str, time: Duration, against: Option<(Duration, f64)>) {
    let shown = format!("{:.2} ms", time.as_secs_f64() * 1000.0);
    match against {
        None => println!("{name:<58} {shown:>10}"),
        Some((ours, most)) => println!(
            "{name:<58} {shown:>10} {:>8.3} {most:>8.3}",
            ratio(ours, time)
        ),
    }
}

fn ratio(one: Duration, other: Duration) -> f64 {
    one.as_secs_f64() / other.as_secs_f64()
}

/// The median of several runs, each a whole process.
fn median(rounds: usize, command: &mut Command) -> Duration {
    command
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .stdin(Stdio::null());
    let mut times: Vec<Duration> = (0..rounds)
        .map(|_| {
            let began = Instant::now();
            command
                .status()
                .unwrap_or_else(|why| panic!("{command:?}: {why}"));
            began.elapsed()
        })
        .collect();
    times.sort();
    times[rounds / 2]
}

fn ours(dir: &Path) -> Command {
    let mut command = Command::new(bin("log-paths"));
    command
        .args(["--config-only", "--conf"])
        .arg(format!("nginx={}/nginx.conf", dir.display()))
        .arg("nginx");
    command
}

fn nginx(dir: &Path) -> Command {
    let mut command = Command::new("nginx");
    command
        .args(["-T", "-q", "-p"])
        .arg(dir)
        .arg("-c")
        .arg(dir.join("nginx.conf"));
    command
}

fn crossplane(dir: &Path) -> Command {
    let mut command = Command::new(test_venv().join("bin/crossplane"));
    command.arg("parse").arg(dir.join("nginx.conf"));
    command
}

/// A site of so many virtual hosts, a file each, as a hosting administrator has them.
fn vhosts(count: usize, with_tls: bool) -> TempDir {
    let dir = scratch();
    let at = dir.path().display();
    for sub in ["sites-enabled", "snippets", "logs", "t"] {
        fs::create_dir_all(dir.path().join(sub)).unwrap();
    }
    certificate(dir.path());
    let tls = format!(
        "ssl_certificate {at}/cert.pem;\nssl_certificate_key {at}/key.pem;\nssl_protocols TLSv1.2 TLSv1.3;\nssl_session_timeout 1d;\n"
    );
    fs::write(dir.path().join("snippets/tls.conf"), tls).unwrap();
    let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|name| format!("{name}_temp_path {at}/t/{name};\n"))
        .concat();
    let main = format!(
        "user www-data;\npid {at}/nginx.pid;\nerror_log {at}/logs/error.log;\nevents {{ worker_connections 64; }}\nhttp {{\n{temporary}server_names_hash_max_size 8192;\n\
         log_format main '$remote_addr - $remote_user [$time_local] \"$request\" $status';\naccess_log {at}/logs/access.log main;\n\
         include {at}/sites-enabled/*;\n}}\n"
    );
    fs::write(dir.path().join("nginx.conf"), main).unwrap();
    for number in 0..count {
        let mut text = String::new();
        write!(
            text,
            "# site {number}\nserver {{\n    listen 127.0.0.1:8443 ssl;\n    server_name site{number}.example.org www.site{number}.example.org;\n    root /srv/site{number}/public;\n\n    \
             access_log {at}/logs/site{number}.access.log main;\n    error_log {at}/logs/site{number}.error.log warn;\n\n    include {at}/snippets/tls.conf;\n\n    \
             location /static/ {{\n        alias /srv/site{number}/static/;\n        expires 30d;\n        access_log off;\n    }}\n\n    \
             location / {{\n        proxy_pass http://127.0.0.1:9000;\n        proxy_set_header Host $host;\n        proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;\n        \
             proxy_set_header X-Forwarded-Proto $scheme;\n        proxy_read_timeout 60s;\n    }}\n\n    location ~ /\\.(?!well-known) {{\n        deny all;\n    }}\n}}\n",
        )
        .unwrap();
        if !with_tls {
            text = text
                .replace("8443 ssl", "8443")
                .replace(&format!("    include {at}/snippets/tls.conf;\n"), "");
        }
        fs::write(
            dir.path().join(format!("sites-enabled/site{number}.conf")),
            text,
        )
        .unwrap();
    }
    let checked = nginx(dir.path()).output().unwrap();
    assert!(
        checked.status.success(),
        "{}",
        String::from_utf8_lossy(&checked.stderr)
    );
    dir
}

fn certificate(dir: &Path) {
    let mut command = Command::new("openssl");
    command
        .args([
            "req",
            "-x509",
            "-newkey",
            "rsa:2048",
            "-nodes",
            "-days",
            "2",
            "-subj",
            "/CN=example.org",
            "-keyout",
        ])
        .arg(dir.join("key.pem"));
    let made = command
        .arg("-out")
        .arg(dir.join("cert.pem"))
        .output()
        .unwrap();
    assert!(
        made.status.success(),
        "{}",
        String::from_utf8_lossy(&made.stderr)
    );
}

/// 500 processes of 50 descriptors: sockets and pipes, files that are read, and a few that are
/// written, some of them deleted.
fn processes() -> (TempDir, Server) {
    let dir = scratch();
    let script = r"
import os, socket, sys, time, signal
base = sys.argv[1]
for n in range(500):
    if os.fork() == 0:
        keep = [os.open('/etc/passwd', os.O_RDONLY) for _ in range(12)] + [s for _ in range(8) for s in socket.socketpair()] + [p for _ in range(7) for p in os.pipe()]
        keep += [os.open('%s/%d.%d.log' % (base, n, i), os.O_WRONLY | os.O_CREAT | os.O_APPEND) for i in range(5)]
        if n % 10 == 0:
            os.unlink('%s/%d.0.log' % (base, n))
        time.sleep(600)
        os._exit(0)
open(base + '/ready', 'w').close()
time.sleep(600)
";
    let server = Server::start(
        Command::new("python3").args(["-c", script]).arg(dir.path()),
        &dir.path().join("said"),
    );
    wait_until("the processes", || {
        dir.path().join("ready").exists() && dir.path().join("499.4.log").exists()
    });
    std::thread::sleep(Duration::from_millis(500));
    (dir, server)
}
