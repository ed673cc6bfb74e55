//! Unknown is not unmet: each type, where it cannot be seen how things are.

use super::{answer, check, check_file, pair, silent};
use harness::{namespace, scratch};
use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

/// The answers to these NEEDs as nobody gets them.
fn as_nobody(needs: &[&str]) -> Vec<String> {
    let dir = scratch();
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let bin = dir.path().join("check-reqs");
    fs::copy(harness::bin("check-reqs"), &bin).unwrap();
    let done = Command::new("setpriv")
        .args(["--reuid=65534", "--regid=65534", "--clear-groups"])
        .arg(&bin)
        .args(needs)
        .output()
        .unwrap();
    let report: serde_json::Value =
        serde_json::from_slice(&done.stdout).unwrap_or_else(|e| panic!("{e}: {done:?}"));
    let items = report["items"].as_array().unwrap().iter();
    items
        .map(|item| {
            format!(
                "{} {}",
                item["status"].as_str().unwrap(),
                item["reason"].as_str().unwrap_or("")
            )
        })
        .collect()
}

#[test]
fn where_there_is_no_permission_to_look() {
    if !namespace::available() {
        return;
    }
    let dir = scratch();
    let closed = dir.path().join("closed");
    fs::create_dir_all(closed.join("venv/lib/python3.11/site-packages")).unwrap();
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o700)).unwrap();
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let at = closed.display();
    // A process of root's, whose environment is nobody else's business.
    let program = dir.path().join("rootsown");
    fs::copy("/bin/sleep", &program).unwrap();
    let _server = harness::Server::start(Command::new(&program).arg("60"), &dir.path().join("log"));
    harness::wait_until("it runs", || super::ask("env:rootsown:PATH").0 == "met");
    let needs = [
        format!("python@{at}/venv"),
        format!("setuptools@{at}/venv"),
        format!("disk:{at}/x:1K"),
        format!("file:{at}/x"),
        "env:rootsown:PATH".to_string(),
        "writable:/tmp:www-data".to_string(),
        format!("django:{at}/site"),
    ];
    let needs: Vec<&str> = needs.iter().map(String::as_str).collect();
    assert_eq!(as_nobody(&needs), vec!["unknown permission"; needs.len()]);
}

/// With `hidepid`, what runs as another user is not there at all: what needs it is not missing for
/// that.
#[test]
fn where_proc_hides_other_users_processes() {
    if !namespace::available() {
        return;
    }
    let script = r#"
cp $CHECK /srv/check-reqs && chmod 755 /srv/check-reqs
cp /bin/sleep /srv/rootsown
rm -rf /run/systemd/system
mount -t proc none /proc
/srv/rootsown 60 &
nobody() { setpriv --reuid=65534 --regid=65534 --clear-groups /srv/check-reqs "$@" | jq -r '.items[] | "\(.type) \(.status) \(.reason)"'; }
until $CHECK env:rootsown:PATH > /dev/null; do sleep 0.1; done
mount -o remount,hidepid=2 /proc
$CHECK env:rootsown:PATH | jq -r '.items[0].status'
nobody env:rootsown:PATH service:cron
"#;
    // Processes of its own: before Linux 5.8 the option is that of every /proc of the namespace.
    let done = namespace::run(
        &["/run", "/srv"],
        &["--pid", "--fork", "--kill-child"],
        &[],
        script,
    );
    let said = String::from_utf8_lossy(&done.stdout);
    let mut lines = said.lines();
    assert_eq!(lines.next(), Some("met"), "{done:?}");
    let hidden = Some("service_env unknown permission");
    assert_eq!(lines.next(), hidden, "{done:?}");
    // Which reason comes first depends on what the host has of an init system.
    let service = lines.next().unwrap_or_default();
    assert!(service.starts_with("service unknown "), "{done:?}");
}

#[test]
fn where_no_answer_comes_in_time() {
    let dir = scratch();
    let slow = dir.path().join("slow");
    fs::write(&slow, "#!/bin/sh\nsleep 60\n").unwrap();
    fs::set_permissions(&slow, fs::Permissions::from_mode(0o755)).unwrap();
    let (listener, page) = silent();
    let port = listener.local_addr().unwrap().port();
    for need in [
        format!("python@{}", slow.display()),
        format!("cmd:{}>=1", slow.display()),
        page,
        format!("noindex:http://127.0.0.1:{port}/media/"),
        format!("robots:http://127.0.0.1:{port}/robots.txt"),
        format!("tls:127.0.0.1:{port}"),
        format!("smtp:127.0.0.1:{port}"),
        format!("postgres@host=127.0.0.1 port={port} user=x dbname=x sslmode=disable"),
        format!("ext:hstore@host=127.0.0.1 port={port} user=x dbname=x sslmode=disable"),
    ] {
        let done = check(&["--each", "300ms", &need]).expect_code(3);
        assert_eq!(
            answer(&done),
            pair("unknown", "timeout"),
            "{need}: {}",
            done.out()
        );
    }
}

#[test]
fn where_connections_are_not_taken() {
    // A queue that is full: what comes next is dropped, and the kernel tries again until somebody
    // gives up.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    nix::sys::socket::listen(&listener, nix::sys::socket::Backlog::new(0).unwrap()).unwrap();
    let _full: Vec<_> = (0..4)
        .map(|_| {
            std::net::TcpStream::connect_timeout(&address, std::time::Duration::from_millis(200))
        })
        .collect();
    let done = check(&["--each", "300ms", &format!("tcp:{address}")]).expect_code(3);
    assert_eq!(answer(&done), pair("unknown", "timeout"));
}

#[test]
fn where_the_system_keeps_its_own_files_to_itself() {
    if !namespace::available() {
        return;
    }
    // No /proc: neither memory, ports nor processes can be seen.
    let script = r#"
$CHECK crontab:www-data > /dev/null || true
mount -t tmpfs none /proc
$CHECK memory:1M port:80 port:80:free | jq -r '.items[] | "\(.type) \(.status) \(.reason)"'
"#;
    assert_eq!(
        namespace::said(&["/etc"], script),
        "memory unknown error\nport unknown error\nport unknown error\n"
    );
    // Lists of who may, and the user database, that only root may read.
    let script = r#"
cp $CHECK /srv/check-reqs && chmod 755 /srv/check-reqs
echo root > /etc/cron.allow; chmod 600 /etc/cron.allow
nobody() { setpriv --reuid=65534 --regid=65534 --clear-groups /srv/check-reqs "$@" | jq -r '.items[] | "\(.type) \(.status) \(.reason)"'; }
nobody crontab:nobody
chmod 600 /etc/passwd /etc/group
nobody user:www-data group:www-data
"#;
    assert_eq!(
        namespace::said(&["/etc", "/srv"], script),
        "crontab unknown permission\nuser unknown error\ngroup unknown error\n"
    );
}

#[test]
fn where_a_server_answers_something_else() {
    let serve = |status: &'static str| {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        std::thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                let mut request = [0; 2048];
                let _ = std::io::Read::read(&mut stream, &mut request);
                let answer =
                    format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
                let _ = std::io::Write::write_all(&mut stream, answer.as_bytes());
            }
        });
        port
    };
    let broken = serve("500 Internal Server Error");
    assert_eq!(
        super::ask(&format!("noindex:http://127.0.0.1:{broken}/media/")),
        pair("unknown", "status")
    );
    assert_eq!(
        super::ask(&format!("robots:http://127.0.0.1:{broken}/robots.txt")),
        pair("unknown", "status")
    );
}

#[test]
fn a_version_that_is_none() {
    let dir = scratch();
    let site = dir.path().join("lib/python3.11/site-packages");
    fs::create_dir_all(site.join("oddity-not_a_version.dist-info")).unwrap();
    fs::create_dir_all(dir.path().join("bin")).unwrap();
    fs::write(
        dir.path().join("pyvenv.cfg"),
        "home = /usr/bin\nversion = 3.11.2\n",
    )
    .unwrap();
    std::os::unix::fs::symlink("/usr/bin/python3", dir.path().join("bin/python")).unwrap();
    let file = format!(
        "[[check]]\ntype = \"dist\"\nname = \"oddity\"\nversion = \">=1\"\nvenv = \"{}\"\n",
        dir.path().display()
    );
    assert_eq!(answer(&check_file(&file, &[])), pair("unknown", "version"));
}
