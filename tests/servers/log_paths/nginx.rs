//! nginx: what the reader finds is what the master holds open, for every syntax that names a log.

use super::{codes, item, items, log_paths, paths, site, write, written_by};
use harness::{Server, need, wait_until};
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

/// A real nginx on this configuration, with `@DIR@` the directory and `@PORT@` free ports.
pub struct Running {
    pub dir: harness::TempDir,
    pub server: Server,
}

/// Starts nginx on `main`, beside the other files given.
pub fn start(main: &str, others: &[(&str, &str)]) -> Option<Running> {
    let nginx = need("nginx")?;
    let dir = site();
    let at = dir.path().display().to_string();
    let fill = |text: &str| {
        let mut text = text.replace("@DIR@", &at);
        while text.contains("@PORT@") {
            text = text.replacen("@PORT@", &harness::free_port().to_string(), 1);
        }
        text
    };
    for (name, text) in others {
        write(&dir.path().join(name), fill(text));
    }
    fs::create_dir_all(dir.path().join("logs")).unwrap();
    let head = format!("daemon off; pid {at}/nginx.pid; events {{}}\n");
    let temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|name| format!("{name}_temp_path {at}/t/{name};"))
        .join(" ");
    fs::create_dir_all(dir.path().join("t")).unwrap();
    write(
        &dir.path().join("nginx.conf"),
        head + &fill(main).replace("@TEMP@", &temporary),
    );
    let mut command = Command::new(nginx);
    command
        .arg("-c")
        .arg(dir.path().join("nginx.conf"))
        .arg("-p")
        .arg(dir.path())
        .arg("-e")
        .arg(dir.path().join("logs/start.log"));
    let server = Server::start(&mut command, &dir.path().join("said"));
    let mut running = Running { dir, server };
    let pid = running.dir.path().join("nginx.pid");
    wait_until("nginx's pid file", || {
        assert!(
            running.server.runs(),
            "nginx ended: {}",
            running.server.said()
        );
        fs::read_to_string(&pid).is_ok_and(|text| text.ends_with('\n'))
    });
    Some(running)
}

const EVERYTHING: &str = r#"
user www-data;
error_log logs/main.error.log warn;
error_log "@DIR@/logs/second error.log";
include extra/main-*.conf;
http {
    @TEMP@
    log_format one '$remote_addr {not a block} "quoted;"';
    map $host $x { default "a;b"; "~^www\.(?<d>.+)$" $d; }
    types { text/html html; }
    include extra/http.conf;
    server {
        listen 127.0.0.1:@PORT@;
        access_log logs/a.log one buffer=4k flush=1s;
        access_log 'logs/a\'2.log';
        access_log syslog:server=127.0.0.1:9;
        access_log logs/$host.log;
        error_log logs/a.error.log;
        location / { access_log off; if ($arg_x) { access_log logs/if.log; } }
        location ~ \.php$ { limit_except GET { access_log logs/limit.log; } }
        location /c { access_log logs/cond.log combined if=$x; error_log off; }
        location "/d e" { access_log logs/quoted${request_method}location.log; }
    }
    server { listen 127.0.0.1:@PORT@; access_log off; }
    server { listen 127.0.0.1:@PORT@; include extra/server.conf; } # the last
}
"#;

/// What the configuration makes nginx open is what it has open; templates and other sinks are
/// reported as such.
#[test]
fn every_syntax_is_read_as_nginx_reads_it() {
    let others = [
        ("extra/main-1.conf", "error_log logs/main3.log;\n"),
        ("extra/.main-2.conf", "error_log logs/hidden.log;\n"),
        ("extra/http.conf", "include extra/nested.conf;"),
        (
            "extra/nested.conf",
            "# nested: relative to the main file\naccess_log logs/http.log;\n",
        ),
        (
            "extra/server.conf",
            "location / { access_log @DIR@/logs/../logs/./deep.log; }",
        ),
    ];
    let Some(running) = start(EVERYTHING, &others) else {
        return;
    };
    let conf = running.dir.path().join("nginx.conf");
    let report = log_paths("nginx", &conf, &["--config-only"])
        .expect_code(0)
        .json();
    let mut opened = written_by(running.server.pid());
    opened.remove(&running.dir.path().join("said"));
    opened.remove(&running.dir.path().join("logs/start.log"));
    assert_eq!(paths(&report), opened, "{report:#}");
    let of_sink = |sink: &str| {
        items(&report)
            .into_iter()
            .filter(|item| item["sink"] == sink)
            .collect::<Vec<_>>()
    };
    let templates: BTreeSet<String> = of_sink("template")
        .iter()
        .map(|item| item["path"].as_str().unwrap().to_owned())
        .collect();
    let at = running.dir.path().display();
    assert_eq!(
        templates,
        BTreeSet::from([
            format!("{at}/logs/$host.log"),
            format!("{at}/logs/quoted${{request_method}}location.log")
        ])
    );
    assert_eq!(of_sink("syslog").len(), 1);
    assert_eq!(of_sink("template")[0]["opener"], "worker");
    for (name, conditional) in [
        ("if.log", true),
        ("cond.log", true),
        ("a.log", false),
        ("deep.log", false),
    ] {
        assert_eq!(
            item(&report, &running.dir.path().join("logs").join(name))["conditional"],
            conditional,
            "{name}"
        );
    }
    let off = item(&report, &running.dir.path().join("off"));
    assert!(codes(&off).contains(&"suspect_name".to_owned()));
    assert_eq!(off["source"]["line"], 22);
}

/// A running master's `-p` and `-c` are believed, and its descriptors are joined with what its
/// configuration says.
#[test]
fn a_running_master_says_where_it_reads() {
    let Some(running) = start(
        "http { @TEMP@ server { listen 127.0.0.1:@PORT@; access_log logs/a.log; } }",
        &[],
    ) else {
        return;
    };
    let report = log_paths("nginx", &running.dir.path().join("nginx.conf"), &[])
        .expect_code(0)
        .json();
    let log = item(&report, &running.dir.path().join("logs/a.log"));
    assert_eq!(log["evidence"], serde_json::json!(["config", "open"]));
    let holders = log["open_by"].as_array().unwrap();
    assert!(
        holders
            .iter()
            .any(|holder| holder["pid"] == running.server.pid())
    );
    assert!(holders.iter().all(|holder| holder["flags"]
        == serde_json::json!(["O_WRONLY", "O_APPEND", "O_CLOEXEC"])
        || holder["flags"] == serde_json::json!(["O_WRONLY", "O_APPEND"])));
    assert_eq!(
        report["coverage"]["procs_total"],
        report["coverage"]["procs_readable"]
    );
    let all = harness::tool("log-paths").arg("nginx").run().json();
    assert!(
        items(&all).iter().any(|item| item["path"] == log["path"]),
        "found without --conf: {all:#}"
    );
}

/// A server with no access log at any level has the compiled default; with no server nobody has it.
#[test]
fn the_default_log_is_for_bare_servers_only() {
    let dir = site();
    let conf = dir.path().join("nginx.conf");
    let found = |text: &str| {
        write(
            &conf,
            format!(
                "error_log {}/e.log; events {{}} {text}",
                dir.path().display()
            ),
        );
        let report = log_paths("nginx", &conf, &["--config-only"])
            .expect_code(0)
            .json();
        items(&report)
            .into_iter()
            .filter(|item| item["evidence"][0] == "default")
            .map(|item| item["path"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    let default = "/var/log/nginx/access.log";
    assert_eq!(found("http { server { } }"), [default]);
    assert_eq!(
        found("http { server { location / { access_log /x/y; } } }"),
        [default]
    );
    assert_eq!(found("http { access_log off; server { } }"), [""; 0]);
    assert_eq!(
        found("http { server { access_log /x/y; } server { access_log off; } }"),
        [""; 0]
    );
    assert_eq!(found("http { }"), [""; 0]);
    assert_eq!(found("stream { server { } }"), [""; 0]);
}

/// Includes that go in a circle, are missing, or are no files end in a clear error, and the rest is
/// still read.
#[test]
fn hostile_includes_end_in_clear_errors() {
    let dir = site();
    let conf = dir.path().join("nginx.conf");
    let fifo = dir.path().join("fifo.conf");
    nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRWXU).unwrap();
    write(
        &dir.path().join("loop.conf"),
        "include ./loop.conf; include loop.conf;",
    );
    write(&dir.path().join("large.conf"), vec![b'#'; 17 << 20]);
    let text = "error_log /l/e.log;\nevents {}\ninclude loop.conf;\ninclude fifo.conf;\ninclude none.conf;\ninclude large.conf;\ninclude /proc/self/fd/0;\ninclude extra*.conf;\nhttp { access_log /l/a.log; }\n";
    write(&conf, text);
    let began = std::time::Instant::now();
    let report = log_paths("nginx", &conf, &["--config-only"])
        .expect_code(3)
        .json();
    assert!(began.elapsed().as_secs() < 2);
    assert_eq!(
        paths(&report),
        BTreeSet::from(["/l/e.log".into(), "/l/a.log".into()])
    );
    let errors = report["errors"].as_array().unwrap();
    let found: BTreeSet<(String, u64)> = errors
        .iter()
        .filter(|error| error["file"] == conf.to_str().unwrap())
        .map(|error| {
            (
                error["code"].as_str().unwrap().to_owned(),
                error["line"].as_u64().unwrap(),
            )
        })
        .collect();
    let want = [
        ("config_unreadable", 4),
        ("include_missing", 5),
        ("config_too_large", 6),
        ("config_unreadable", 7),
    ];
    assert_eq!(
        found,
        want.map(|(code, line)| (code.to_owned(), line)).into(),
        "{errors:#?}"
    );
    let circle = errors
        .iter()
        .find(|error| error["code"] == "include_loop")
        .unwrap();
    assert!(
        circle["message"].as_str().unwrap().contains("loop.conf > "),
        "{circle}"
    );
    assert!(errors.iter().all(|error| {
        error["fix"]["summary"]
            .as_str()
            .is_some_and(|fix| !fix.is_empty())
    }));
}

/// A name of bytes that are not UTF-8 comes exactly, too.
#[test]
fn names_are_bytes() {
    use std::os::unix::ffi::OsStrExt;
    let dir = site();
    let conf = dir.path().join("nginx.conf");
    let name = [dir.path().as_os_str().as_bytes(), b"/\xff\x1b[31m.log"].concat();
    fs::write(Path::new(std::ffi::OsStr::from_bytes(&name)), "").unwrap();
    write(
        &conf,
        [b"error_log \"".as_slice(), &name, b"\"; events {}"].concat(),
    );
    let report = log_paths("nginx", &conf, &["--config-only"])
        .expect_code(0)
        .json();
    use base::bytes::exact_bytes;
    assert_eq!(
        report["items"][0]["path_b64"].as_str(),
        exact_bytes(&name).as_deref()
    );
    assert_eq!(report["items"][0]["exists"], true);
    let text = log_paths("nginx", &conf, &["--config-only", "-o", "text"]).expect_code(0);
    assert!(!text.stdout.contains(&0x1b), "{:?}", text.out());
    let nul = log_paths("nginx", &conf, &["--config-only", "-0"]).expect_code(0);
    assert_eq!(nul.stdout, [name.as_slice(), b"\0"].concat());
    log_paths("nginx", &conf, &["--config-only", "--plain"])
        .expect_code(3)
        .expect_silence()
        .expect_err("control bytes");
}
