//! Small inputs that would become large: nesting, includes, expansion, files and answers without an
//! end. Each ends with an answer, in time, and within 64 MiB of memory, measured by the kernel for
//! the process itself.

use harness::{TempDir, bin, scratch};
use std::fs;
use std::io::Write;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The most memory, in KiB.
const MOST: u64 = 64 << 10;

/// The end of a run's memory, with what the allocator holds back.
const RUN: u64 = 768 << 10;

/// Runs a program as its child, and prints its exit status (negative for a signal), its largest
/// resident size in KiB, and how long it took. A process of little memory has to do it: the kernel
/// counts what a process held before exec, too.
const MEASURE: &str = "
import os, sys, time
began = time.time()
pid = os.fork()
if pid == 0:
    null = os.open('/dev/null', os.O_RDWR)
    err = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(null, 0); os.dup2(null, 1); os.dup2(err, 2)
    os.execv(sys.argv[2], sys.argv[2:])
_, status, usage = os.wait4(pid, 0)
print(os.waitstatus_to_exitcode(status), usage.ru_maxrss, time.time() - began)
";

struct Bench {
    dir: TempDir,
    failed: Vec<String>,
}

impl Bench {
    fn new() -> Bench {
        Bench {
            dir: scratch(),
            failed: Vec::new(),
        }
    }

    fn write(&self, name: &str, bytes: impl AsRef<[u8]>) -> String {
        let path = self.dir.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, bytes).unwrap();
        path.to_str().unwrap().to_owned()
    }

    /// A file of 3 GiB that takes no room.
    fn huge(&self) -> String {
        let path = self.dir.path().join("huge");
        let file = fs::File::create(&path).unwrap();
        file.set_len(3 << 30).unwrap();
        fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
        path.to_str().unwrap().to_owned()
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Runs a tool with a timeout of ten seconds.
    fn run(&mut self, name: &str, args: &[&str]) {
        self.run_with(name, args, &[]);
    }

    fn run_with(&mut self, name: &str, args: &[&str], env: &[(&str, &str)]) {
        self.run_within(MOST, name, args, env);
    }

    /// As the others; the memory is that of the largest of the tool and the programs that the tool
    /// runs.
    fn run_within(&mut self, most: u64, name: &str, args: &[&str], env: &[(&str, &str)]) {
        let err = self.path("stderr");
        let done = Command::new("/usr/bin/python3")
            .args(["-SEc", MEASURE])
            .arg(&err)
            .arg(bin(name))
            .args(args)
            .args(["--timeout", "10s"])
            .env("HOME", self.dir.path())
            .envs(env.iter().copied())
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&done.stdout).into_owned();
        let numbers: Vec<f64> = text
            .split_whitespace()
            .map(|n| n.parse().unwrap())
            .collect();
        let said = fs::read(&err).unwrap_or_default();
        let said = String::from_utf8_lossy(&said[..said.len().min(400)]).into_owned();
        let (code, kib, took) = (numbers[0], numbers[1], numbers[2]);
        let broken = said.contains("internal error") || said.contains("panicked");
        if code < 0.0 || broken || kib > most as f64 || took > 12.0 {
            self.failed.push(format!(
                "{name} {args:?}: exit {code}, {:.0} MiB, {took:.1} s: {said}",
                kib / 1024.0
            ));
        }
    }

    fn end(self) {
        assert!(self.failed.is_empty(), "{}", self.failed.join("\n"));
    }
}

fn many(count: usize, line: impl Fn(usize) -> String) -> String {
    (0..count).map(line).collect()
}

fn venv(dir: &Path) -> String {
    let path = dir.join("venv");
    crate::peers::venv(&path);
    path.to_str().unwrap().to_owned()
}

#[test]
fn requirements_files() {
    let mut bench = Bench::new();
    let venv = venv(bench.dir.path());
    for i in 0..60 {
        let next = i + 1;
        bench.write(
            &format!("twice{i}.txt"),
            format!("-r twice{next}.txt\n-r twice{next}.txt\n"),
        );
    }
    bench.write("twice60.txt", "six\n");
    for i in 0..3000 {
        bench.write(&format!("chain/{i}.txt"), format!("-r {}.txt\n", i + 1));
    }
    let brackets = format!(
        "{}python_version > '3'{}",
        "(".repeat(200_000),
        ")".repeat(200_000)
    );
    let files = [
        bench.path("twice0.txt").to_str().unwrap().to_owned(),
        bench.path("chain/0.txt").to_str().unwrap().to_owned(),
        bench.write(
            "home.txt",
            format!("six @ file:///{}\n", "${HOME}".repeat(160_000)),
        ),
        bench.write(
            "lines.txt",
            "six==1.0 ; python_version > '3'\n".repeat(400_000),
        ),
        bench.write("long.txt", "a".repeat(15 << 20)),
        bench.write("marker.txt", format!("six ; {brackets}\n")),
        bench.write("joined.txt", "\\\n".repeat(7_000_000)),
        bench.write("pylock.toml", {
            let package = "[[packages]]\nname = \"a\"\nversion = \"1\"\n".repeat(100_000);
            format!("lock-version = \"1.0\"\n{package}")
        }),
        bench.huge(),
    ];
    for file in &files {
        bench.run("venv-sync", &["check", "-r", file, &venv]);
    }
    bench.end();
}

#[test]
fn structured_inputs() {
    let mut bench = Bench::new();
    let brackets = format!("{}{}", "[".repeat(500_000), "]".repeat(500_000));
    let files = [
        bench.write("deep.toml", format!("x = {brackets}\n")),
        bench.write("keys.toml", format!("[{}]\n", vec!["a"; 200_000].join("."))),
        bench.write("deep.json", format!("{{\"x\": {brackets}}}")),
        bench.write(
            "wide.json",
            format!("{{\"check\": [{}1]}}", "1,".repeat(1_500_000)),
        ),
        bench.write("lines.toml", "\n".repeat(4_000_000)),
        bench.write(
            "checks.toml",
            many(30_000, |i| {
                format!("[[check]]\ntype = \"file\"\npath = \"/x{i}\"\n")
            }),
        ),
        bench.write(
            "services.toml",
            many(30_000, |i| {
                format!("[service.a{i}]\nbackend = \"pidfile\"\npidfile = \"/x\"\n")
            }),
        ),
        bench.write("filled.toml", {
            let value = "x".repeat(1_000_000);
            let path = "${A}".repeat(10_000);
            format!("[set]\nA = \"{value}\"\n[[check]]\ntype = \"file\"\npath = \"{path}\"\n")
        }),
        bench.write("when.toml", {
            let (open, close) = ("(".repeat(100_000), ")".repeat(100_000));
            format!(
                "[[check]]\ntype = \"file\"\npath = \"/\"\nwhen = \"{open}os.id == 'a'{close}\"\n"
            )
        }),
        bench.huge(),
    ];
    for file in &files {
        bench.run("check-reqs", &["-f", file]);
        bench.run("check-reqs", &["--site", file, "file:/"]);
        bench.run("svc-cycle", &["status", "-f", file]);
        bench.run("cron-render", &["lint", file]);
        bench.run("pg-ext-ensure", &["--spec", file]);
    }
    bench.end();
}

#[test]
fn configurations() {
    let mut bench = Bench::new();
    for kind in ["nginx", "apache", "logrotate"] {
        for i in 0..40 {
            let next = bench.path(&format!("{kind}/{}.conf", i + 1));
            let next = next.display();
            let line = match kind {
                "nginx" => format!("include {next}; include {next};\n"),
                "apache" => format!("Include {next}\nInclude {next}\n"),
                _ => format!("include {next}\ninclude {next}\n"),
            };
            bench.write(&format!("{kind}/{i}.conf"), line);
        }
    }
    bench.write("nginx/40.conf", "access_log /x.log;\n");
    let first = |kind: &str| {
        bench
            .path(&format!("{kind}/0.conf"))
            .to_str()
            .unwrap()
            .to_owned()
    };
    let snippets = many(40, |i| {
        format!("(s{i}) {{\nimport s{0}\nimport s{0}\n}}\n", i + 1)
    });
    let runs: Vec<(&str, String)> = vec![
        ("nginx", first("nginx")),
        ("nginx", bench.write("logs.conf", format!(
            "events {{}}\nhttp {{\n{}}}\n",
            many(100_000, |i| format!("access_log /var/log/x{i}.log;\n"))
        ))),
        ("nginx", bench.write("deep.conf", "http{".repeat(300_000))),
        ("apache", first("apache")),
        ("apache", bench.write("define.conf", {
            let doubled = many(12, |i| match i {
                0 => "Define A0 x\n".to_owned(),
                _ => format!("Define A{i} {}\n", format!("${{A{}}}", i - 1).repeat(10)),
            });
            format!("{doubled}CustomLog ${{A11}} common\n")
        })),
        ("apache", bench.write("open.conf", "<IfModule x>\n".repeat(300_000))),
        ("caddy", bench.write("Caddyfile", format!("a {{\n{}", "log {\n".repeat(100_000)))),
        ("caddy", bench.write("imports", format!("{snippets}(s40) {{\nlog\n}}\na {{\nimport s0\n}}\n"))),
        ("supervisor", bench.write("many.conf",
            "[supervisord]\n[program:x]\ncommand=/bin/cat\nnumprocs=100000000\nprocess_name=%(process_num)s\n")),
        ("supervisor", bench.write("env.conf", format!(
            "[supervisord]\nenvironment=A=\"{}\"\n[program:x]\ncommand=/bin/cat\n",
            "%(ENV_HOME)s".repeat(200_000)
        ))),
        ("uwsgi", bench.write("logs.ini", format!("[uwsgi]\n{}", "logto=/x\n".repeat(100_000)))),
        ("uwsgi", bench.write("filled.ini", {
            let doubled = many(11, |i| format!("a{}={}\n", i + 1, format!("%(a{i})").repeat(10)));
            format!("[uwsgi]\na0=x\n{doubled}logto=%(a11)\n")
        })),
        ("gunicorn", bench.write("gunicorn.conf.py", format!("accesslog={}", "(".repeat(300_000)))),
        ("gunicorn", bench.write("doubled.conf.py", format!("a='x'\n{}accesslog=a\n", "a=a+a\n".repeat(60)))),
        ("django", bench.write("settings.py", format!("X={}", "[".repeat(300_000)))),
        ("logrotate", first("logrotate")),
    ];
    let huge = bench.huge();
    for (service, file) in &runs {
        let asked = if *service == "logrotate" {
            "nginx"
        } else {
            service
        };
        bench.run(
            "log-paths",
            &[
                "--config-only",
                "--conf",
                &format!("{service}={file}"),
                asked,
            ],
        );
    }
    for service in [
        "nginx",
        "apache",
        "caddy",
        "supervisor",
        "uwsgi",
        "redis",
        "postgresql",
        "gunicorn",
        "django",
    ] {
        bench.run(
            "log-paths",
            &[
                "--config-only",
                "--conf",
                &format!("{service}={huge}"),
                service,
            ],
        );
    }
    bench.end();
}

#[test]
fn files_that_others_own() {
    let mut bench = Bench::new();
    let huge = bench.huge();
    let set = bench.write(
        "set.toml",
        format!("[service.a]\nbackend = \"pidfile\"\npidfile = \"{huge}\"\n"),
    );
    bench.run("svc-cycle", &["status", "-f", &set]);
    bench.run("svc-cycle", &["stop", "-f", &set]);
    let check = bench.write(
        "check.toml",
        format!("[[check]]\ntype = \"service_env\"\npid_file = \"{huge}\"\nvariable = \"A\"\n"),
    );
    bench.run("check-reqs", &["-f", &check]);
    let check = bench.write(
        "django.toml",
        format!("[[check]]\ntype = \"django\"\ndirectory = \"/\"\nenv_file = \"{huge}\"\n"),
    );
    bench.run("check-reqs", &["-f", &check]);
    let dsn = "host=127.0.0.1 port=1 user=x dbname=x";
    bench.run_with(
        "pg-ext-ensure",
        &["--dsn", dsn, "hstore"],
        &[("PGPASSFILE", &huge)],
    );
    bench.run_with(
        "pg-ext-ensure",
        &["--service", "x", "hstore"],
        &[("PGSERVICEFILE", &huge)],
    );
    let page = bench.path("page");
    fs::create_dir(&page).unwrap();
    fs::rename(&huge, page.join("maintenance.json")).unwrap();
    let page = page.to_str().unwrap().to_owned();
    for verb in ["status", "on", "off"] {
        bench.run("maint-page", &[verb, "--dir", &page]);
    }
    let template = bench.path("template");
    fs::create_dir(&template).unwrap();
    let (dir, template) = (bench.path("dir"), template.to_str().unwrap().to_owned());
    for bytes in [
        "{{message}}".repeat(1_500_000),
        "{{message}}".repeat(90_000),
        "x".repeat(19 << 20),
    ] {
        bench.write("template/page.html", bytes);
        bench.run(
            "maint-page",
            &[
                "on",
                "--dir",
                dir.to_str().unwrap(),
                "--template",
                &template,
            ],
        );
    }
    let crontab = bench.write("cron.txt", "* * * * * true\n".repeat(200_000));
    bench.run("cron-render", &["render", &crontab, "--user", "root"]);
    bench.end();
}

/// A server that says `first` to whoever asks, and then `then` without an end.
fn endless(asked: bool, first: &'static [u8], then: &'static [u8]) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            std::thread::spawn(move || {
                let mut stream = stream;
                let mut buffer = [0u8; 4096];
                if asked {
                    let _ = std::io::Read::read(&mut stream, &mut buffer);
                }
                let block = then.repeat((64 << 10) / then.len().max(1) + 1);
                let _ = stream.write_all(first);
                while stream.write_all(&block).is_ok() {}
            });
        }
    });
    port
}

#[test]
fn answers() {
    const HEAD: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\n\r\n";
    let mut bench = Bench::new();
    let page = endless(true, HEAD, b"<p>x</p>");
    let headers = endless(true, b"HTTP/1.1 200 OK\r\n", b"X-A: bbbbbbbbbbbb\r\n");
    let (line, lines) = (
        endless(false, b"220", b"2"),
        endless(false, b"220 x\r\n", b"250-x\r\n"),
    );
    let xml = endless(
        true,
        HEAD,
        b"<methodResponse><params><param><value><array><data><value>",
    );
    for port in [page, headers] {
        let url = format!("http://127.0.0.1:{port}/");
        let (http, robots) = (format!("http:{url}"), format!("robots:{url}robots.txt"));
        bench.run(
            "check-reqs",
            &[
                "--each",
                "3s",
                &http,
                &robots,
                &format!("noindex:{url}media/"),
            ],
        );
        bench.run(
            "maint-page",
            &[
                "verify", "--off", "--within", "3s", "--dir", "/nowhere", &url,
            ],
        );
    }
    for port in [line, lines] {
        let (smtp, tls) = (
            format!("smtp:127.0.0.1:{port}:starttls"),
            format!("tls:127.0.0.1:{port}"),
        );
        bench.run("check-reqs", &["--each", "3s", &smtp, &tls]);
        let dsn = format!("host=127.0.0.1 port={port} user=x dbname=x sslmode=disable");
        // The length that a server announces is all the protocol says: the run's own end is the
        // bound.
        let need = format!("postgres@{dsn}");
        bench.run_within(RUN, "check-reqs", &["--each", "3s", &need], &[]);
        bench.run_within(RUN, "pg-ext-ensure", &["--dsn", &dsn, "hstore"], &[]);
    }
    for port in [xml, headers] {
        let conf = bench.write(
            &format!("{port}.conf"),
            format!(
                "[inet_http_server]\nport=127.0.0.1:{port}\n[supervisord]\n[supervisorctl]\n\
             serverurl=http://127.0.0.1:{port}\n[program:a]\ncommand=/bin/cat\n"
            ),
        );
        bench.run("svc-cycle", &["status", "--config", &conf, "supervisor:a"]);
        let check = bench.write(&format!("{port}.toml"), format!(
            "[[check]]\ntype = \"service\"\nname = \"a\"\nmanager = \"supervisor\"\nconf = \"{conf}\"\n"
        ));
        // supervisorctl, a program of Python's, has 192 MiB of address space.
        let args = ["--each", "3s", "-f", &check];
        bench.run_within(3 * MOST, "check-reqs", &args, &[]);
    }
    let spam = bench.write("spam", "#!/bin/sh\nexec yes\n");
    fs::set_permissions(&spam, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    bench.run("check-reqs", &["--each", "3s", &format!("cmd:{spam}>=1")]);
    bench.end();
}

#[test]
fn a_message_without_an_end_ends_the_run_and_not_the_host() {
    // A server's error message of 2 GiB: the protocol has no bound, the run has.
    let port = endless(true, b"E\x7f\xff\xff\xff", b"S");
    let dsn = format!("host=127.0.0.1 port={port} user=x dbname=x sslmode=disable");
    let done = Command::new("/usr/bin/python3")
        .args(["-SEc", MEASURE, "/dev/null"])
        .arg(bin("pg-ext-ensure"))
        .args(["--dsn", &dsn, "hstore", "--timeout", "30s"])
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&done.stdout).into_owned();
    let numbers: Vec<f64> = text
        .split_whitespace()
        .map(|n| n.parse().unwrap())
        .collect();
    assert!([3.0, 75.0].contains(&numbers[0]), "{text}");
    assert!(numbers[1] < 1024.0 * 1024.0, "{text}");
}
