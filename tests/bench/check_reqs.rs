//! check-reqs beside its peers, in one run: the same 20 checks by testinfra (under pytest, on this
//! host) and by goss, where there is one (`GOSS=/path/to/goss`, or on PATH); then how it grows to
//! thousands of checks, and how long it takes until it begins.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use harness::{TempDir, bin, need, scratch, test_venv};
use std::fmt::Write as _;
use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

fn main() {
    let dir = scratch();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let host = Host { dir, port };
    let ours = best(30, || host.ours());
    println!("{:<44} {:>10} {:>8}", "20 checks", "best", "ratio");
    println!("{:<44} {:>10} {:>8}", "check-reqs", shown(ours), "1");
    let pytest = best(3, || host.testinfra());
    print_peer("testinfra (pytest)", ours, pytest, 0.05);
    match goss() {
        Some(goss) => print_peer("goss validate", ours, best(10, || host.goss(&goss)), 0.1),
        None => println!("{:<44} {:>10}", "goss", "not here"),
    }
    growth(host.dir.path());
    startup();
}

fn print_peer(name: &str, ours: Duration, theirs: Duration, most: f64) {
    let ratio = ours.as_secs_f64() / theirs.as_secs_f64();
    let verdict = if ratio <= most { "reached" } else { "MISSED" };
    println!(
        "{name:<44} {:>10} {ratio:>8.4}  at most {most}: {verdict}",
        shown(theirs)
    );
}

fn shown(time: Duration) -> String {
    format!("{:.2} ms", time.as_secs_f64() * 1000.0)
}

/// The shortest of so many runs: what the work takes where nothing else is in the way.
fn best(times: usize, run: impl Fn()) -> Duration {
    let one = || {
        let began = Instant::now();
        run();
        began.elapsed()
    };
    (0..times).map(|_| one()).min().unwrap()
}

fn quietly(command: &mut Command) {
    let done = command.stdin(Stdio::null()).output().unwrap();
    assert!(
        done.status.success(),
        "{command:?}: {}{}",
        String::from_utf8_lossy(&done.stdout),
        String::from_utf8_lossy(&done.stderr)
    );
}

/// What is checked, on this host as it is.
struct Host {
    dir: TempDir,
    port: u16,
}

const FILES: [&str; 5] = [
    "/etc/passwd",
    "/etc/hosts",
    "/etc/fstab",
    "/etc/os-release",
    "/usr/bin/env",
];
const PACKAGES: [&str; 3] = ["coreutils", "nginx", "cron"];
const COMMANDS: [&str; 3] = ["git", "jq", "curl"];
const USERS: [&str; 2] = ["root", "www-data"];

impl Host {
    fn ours(&self) {
        let mut command = Command::new(bin("check-reqs"));
        command.args(FILES.map(|file| format!("file:{file}:root")));
        command.args(PACKAGES.map(|package| format!("pkg:{package}")));
        command.args(COMMANDS.map(|name| format!("cmd:{name}")));
        command.args(USERS.map(|user| format!("user:{user}")));
        command.args([
            "group:www-data",
            "dir:/tmp",
            "dns:localhost",
            "disk:/:1M",
            "cmd:git>=1.0",
        ]);
        command.args([
            format!("port:{}:listening", self.port),
            format!("packaging>=20@{}", test_venv().display()),
        ]);
        quietly(&mut command);
    }

    fn testinfra(&self) {
        let file = self.dir.path().join("test_host.py");
        let mut text = String::from("import pytest\n");
        let list = |words: &[&str]| {
            words
                .iter()
                .map(|word| format!("{word:?}"))
                .collect::<Vec<_>>()
                .join(", ")
        };
        let each = |name: &str, words: &[&str], body: &str| {
            format!(
                "@pytest.mark.parametrize('x', [{}])\ndef test_{name}(host, x):\n    assert {body}\n",
                list(words)
            )
        };
        text += &each(
            "file",
            &FILES,
            "host.file(x).exists and host.file(x).user == 'root'",
        );
        text += &each("package", &PACKAGES, "host.package(x).is_installed");
        text += &each("command", &COMMANDS, "host.exists(x)");
        text += &each("user", &USERS, "host.user(x).exists");
        text += "def test_group(host):\n    assert host.group('www-data').exists\n";
        text += "def test_dir(host):\n    assert host.file('/tmp').is_directory\n";
        text += "def test_dns(host):\n    assert host.addr('localhost').is_resolvable\n";
        text += "def test_disk(host):\n    assert int(host.check_output('df --output=avail -k /').split()[1]) > 1024\n";
        text += "def test_git(host):\n    assert host.check_output('git --version').split()[2] >= '1.0'\n";
        text += &format!(
            "def test_port(host):\n    assert host.socket('tcp://127.0.0.1:{}').is_listening\n",
            self.port
        );
        text += &format!(
            "def test_dist(host):\n    assert host.pip('packaging', pip_path='{}/bin/pip').is_installed\n",
            test_venv().display()
        );
        fs::write(&file, text).unwrap();
        let mut command = Command::new(test_venv().join("bin/python"));
        command
            .args(["-m", "pytest", "-q", "-p", "no:cacheprovider"])
            .arg(&file)
            .current_dir(self.dir.path());
        quietly(&mut command);
    }

    fn goss(&self, goss: &Path) {
        let mut text = String::new();
        let section = |text: &mut String, name: &str, words: &[&str], keys: &str| {
            let _ = writeln!(text, "{name}:");
            for word in words {
                let _ = writeln!(text, "  {word}: {{ {keys} }}");
            }
        };
        let mut files = FILES.to_vec();
        files.push("/tmp");
        section(&mut text, "file", &files, "exists: true, owner: root");
        section(&mut text, "package", &PACKAGES, "installed: true");
        section(&mut text, "user", &USERS, "exists: true");
        section(&mut text, "group", &["www-data"], "exists: true");
        section(&mut text, "dns", &["localhost"], "resolvable: true");
        section(
            &mut text,
            "port",
            &[&format!("\"tcp:{}\"", self.port)],
            "listening: true",
        );
        let mut commands: Vec<String> = COMMANDS
            .iter()
            .map(|name| format!("command -v {name}"))
            .collect();
        commands.extend([
            "git --version".into(),
            "df -k /".into(),
            format!("{}/bin/python -c 'import packaging'", test_venv().display()),
        ]);
        let commands: Vec<String> = commands
            .iter()
            .map(|command| format!("\"{command}\""))
            .collect();
        section(
            &mut text,
            "command",
            &commands.iter().map(String::as_str).collect::<Vec<_>>(),
            "exit-status: 0",
        );
        let file = self.dir.path().join("goss.yaml");
        fs::write(&file, text).unwrap();
        quietly(
            Command::new(goss)
                .arg("-g")
                .arg(&file)
                .args(["validate", "--format", "silent"]),
        );
    }
}

fn goss() -> Option<PathBuf> {
    let given = std::env::var_os("GOSS").map(PathBuf::from);
    let paths = std::env::var_os("PATH").unwrap_or_default();
    given.or_else(|| {
        std::env::split_paths(&paths)
            .map(|dir| dir.join("goss"))
            .find(|path| path.is_file())
    })
}

/// The same check over more and more files.
fn growth(dir: &Path) {
    println!(
        "\n{:<44} {:>10} {:>12}",
        "checks of files", "best", "µs a check"
    );
    let mut of_thousand = 0.0;
    for count in [1, 10, 100, 1_000, 10_000] {
        let file = dir.join(format!("{count}.toml"));
        let mut text = String::new();
        for i in 0..count {
            let path = dir.join(format!("f{i}"));
            fs::write(&path, "").unwrap();
            let _ = write!(
                text,
                "[[check]]\nid = \"f{i}\"\ntype = \"file\"\npath = \"{}\"\nkind = \"file\"\n",
                path.display()
            );
        }
        fs::write(&file, text).unwrap();
        let time = best(10, || {
            quietly(
                Command::new(bin("check-reqs"))
                    .args(["-q", "-f"])
                    .arg(&file),
            );
        });
        let each = time.as_secs_f64() * 1e6 / f64::from(count);
        println!("{count:<44} {:>10} {each:>12.1}", shown(time));
        if count == 1_000 {
            of_thousand = each;
        }
        if count == 10_000 {
            println!(
                "from 1,000 to 10,000 a check costs {:.2} times as much",
                each / of_thousand
            );
        }
    }
}

/// From exec to the first look, as the kernel saw it: the first stat of the file that is asked for.
fn startup() {
    let whole = best(100, || {
        quietly(Command::new(bin("check-reqs")).args(["-q", "file:/etc/passwd"]));
    });
    println!("\n{:<44} {:>10}", "one check, the whole run", shown(whole));
    let Some(strace) = need("strace") else { return };
    let dir = scratch();
    let log = dir.path().join("log");
    let mut first = f64::MAX;
    for _ in 0..10 {
        quietly(
            Command::new(&strace)
                .args(["-f", "-r", "-e", "trace=execve,statx", "-o"])
                .arg(&log)
                .arg(bin("check-reqs"))
                .arg("file:/etc/passwd"),
        );
        let text = fs::read_to_string(&log).unwrap();
        let mut sum = 0.0;
        for line in text.lines() {
            let mut words = line.split_whitespace();
            sum += words
                .nth(1)
                .and_then(|word| word.parse::<f64>().ok())
                .unwrap_or(0.0);
            if line.contains("statx(") && line.contains("/etc/passwd") {
                break;
            }
        }
        first = first.min(sum * 1000.0);
    }
    println!(
        "{:<44} {:>7.2} ms  (with strace looking on)",
        "from exec to the first look", first
    );
}
