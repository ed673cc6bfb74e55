//! maint-page beside what is done by hand: 100 flips under 64 kept connections, every answer looked
//! at; and how long a page takes to show.
//!
//! Peers: the file that is page and flag, put there by `echo >` and taken away by `rm -f`, as the
//! CoralNet guide has it; the same file by maint-page's single-file mode.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[allow(dead_code)]
#[path = "../servers/maint_page/crowd.rs"]
mod crowd;

use crowd::{Crowd, Tally, whole_page};
use harness::nginx::Nginx;
use harness::{TempDir, scratch, tool};
use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::{Duration, Instant};

const FLIPS: usize = 100;
const CONNECTIONS: usize = 64;

fn main() {
    println!("{FLIPS} flips under {CONNECTIONS} connections");
    println!(
        "{:<34} {:>10} {:>10} {:>10} {:>8} {:>9}",
        "", "answers", "site", "page", "wrong", "ms a flip"
    );
    let ours = flag_layout();
    peer(
        "single-file mode",
        &|file| run_single("on", file),
        &|file| run_single("off", file),
        whole_page,
    );
    peer(
        "echo > file, rm -f",
        &by_echo,
        &|file| fs::remove_file(file).unwrap(),
        |body| body == BY_HAND,
    );
    first_503();
    assert_eq!(
        ours.wrong, 0,
        "the flag layout lost or damaged answers: {:?}",
        ours.kinds
    );
}

fn open_scratch() -> TempDir {
    let top = scratch();
    fs::set_permissions(top.path(), fs::Permissions::from_mode(0o755)).unwrap();
    top
}

fn nginx_with_flag(dir: &Path, top: &Path) -> Nginx {
    let snippet = top.join("maint-page.conf");
    fs::write(
        &snippet,
        tool("maint-page")
            .args(["snippet", "nginx", "--dir"])
            .arg(dir)
            .run()
            .expect_code(0)
            .stdout,
    )
    .unwrap();
    Nginx::new()
        .http("keepalive_requests 100000000;")
        .server(&format!(
            "include {};\nlocation / {{ return 200 'app'; }}",
            snippet.display()
        ))
        .start()
}

fn flag_layout() -> Tally {
    let top = open_scratch();
    let dir = top.path().join("maintenance");
    let nginx = nginx_with_flag(&dir, top.path());
    let flip = |command: &str| {
        drop(
            tool("maint-page")
                .arg(command)
                .arg("--dir")
                .arg(&dir)
                .run()
                .expect_code(0),
        );
    };
    rounds(
        "maint-page, flag layout",
        &nginx,
        &|| flip("on"),
        &|| flip("off"),
        whole_page,
    )
}

const BY_HAND: &str = "CoralNet is under maintenance. We'll be back as soon as we can!\n";

/// As a shell writes it: the file is there before its words are.
fn by_echo(file: &Path) {
    fs::File::create(file)
        .unwrap()
        .write_all(BY_HAND.as_bytes())
        .unwrap();
}

fn run_single(command: &str, file: &Path) {
    tool("maint-page")
        .arg(command)
        .arg("--page")
        .arg(file)
        .run()
        .expect_code(0);
}

fn peer(name: &str, on: &dyn Fn(&Path), off: &dyn Fn(&Path), is_page: fn(&str) -> bool) {
    let top = open_scratch();
    let root = top.path().display();
    let file = top.path().join("maintenance.html");
    let nginx = Nginx::new()
        .http("keepalive_requests 100000000;")
        .server(&format!(
            "root {root};\nif (-f $document_root/maintenance.html) {{ return 503; }}\nerror_page 503 @maintenance;\n\
             location @maintenance {{ rewrite ^ /maintenance.html break; error_page 405 =503 /maintenance.html; }}\nlocation / {{ return 200 'app'; }}"
        ))
        .start();
    rounds(name, &nginx, &|| on(&file), &|| off(&file), is_page);
}

fn rounds(
    name: &str,
    nginx: &Nginx,
    on: &dyn Fn(),
    off: &dyn Fn(),
    is_page: fn(&str) -> bool,
) -> Tally {
    let crowd = Crowd::gather(nginx.port(), CONNECTIONS, is_page);
    let mut spent = Duration::ZERO;
    for _ in 0..FLIPS / 2 {
        for flip in [on, off] {
            let began = Instant::now();
            flip();
            spent += began.elapsed();
            std::thread::sleep(Duration::from_millis(20));
        }
    }
    let tally = crowd.leave();
    let each = spent.as_secs_f64() * 1000.0 / FLIPS as f64;
    println!(
        "{name:<34} {:>10} {:>10} {:>10} {:>8} {each:>9.1}",
        tally.all(),
        tally.site,
        tally.page,
        tally.wrong
    );
    for (kind, times) in &tally.kinds {
        println!("    {times:>8}  {kind}");
    }
    tally
}

/// From the flag's being there to the first 503, from the start of `on` to it, and for all of `on
/// --verify`.
fn first_503() {
    let top = open_scratch();
    let dir = top.path().join("maintenance");
    let nginx = nginx_with_flag(&dir, top.path());
    let run = |command: &str, extra: &[&str]| {
        drop(
            tool("maint-page")
                .arg(command)
                .arg("--dir")
                .arg(&dir)
                .args(extra)
                .run()
                .expect_code(0),
        );
    };
    run("on", &[]);
    run("off", &[]);
    let (mut shown, mut whole, mut proven) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..20 {
        let began = Instant::now();
        run("on", &[]);
        whole.push(began.elapsed());
        let returned = Instant::now();
        while status(nginx.port()) != 503 {}
        shown.push(returned.elapsed());
        run("off", &[]);
        let began = Instant::now();
        run("on", &["--verify", &nginx.url("/")]);
        proven.push(began.elapsed());
        run("off", &[]);
    }
    println!(
        "median of 20: `on` {}; from its return to the first 503 {}; `on --verify` {}",
        median(whole),
        median(shown),
        median(proven)
    );
}

fn median(mut times: Vec<Duration>) -> String {
    times.sort();
    format!("{:.1} ms", times[times.len() / 2].as_secs_f64() * 1000.0)
}

fn status(port: u16) -> u16 {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream
        .write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer.split(' ').nth(1).unwrap().parse().unwrap()
}
