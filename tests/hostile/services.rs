//! Services, processes and interpreters that another user controls.

use crate::user::{DEP, Host, as_user, everything};
use harness::tool;
use std::fs;
use std::process::Command;

/// A set file of the user's with one service.
fn set(host: &Host, more: &str) -> String {
    let path = host.site().join("set.toml");
    let start = "start = [\"/bin/sh\", \"-c\", \"id -u > who; exec sleep 5\"]";
    let text =
        format!("[service.app]\nbackend = \"pidfile\"\npidfile = \"app.pid\"\n{start}\n{more}\n");
    fs::write(&path, text).unwrap();
    host.give(&path);
    path.to_str().unwrap().to_owned()
}

#[test]
fn a_log_that_is_a_link_is_neither_written_nor_shown() {
    if !harness::need_root() {
        return;
    }
    let host = Host::new();
    let secret = host.secret("file", "root's own words");
    let before = everything(&host.roots());
    let set = set(&host, "log = \"log\"");
    as_user(
        &host.site(),
        &format!("import os; os.symlink('{}', 'log')", secret.display()),
    );
    let done = tool("svc-cycle")
        .args(["start", "--file", &set, "--timeout", "3s", "app"])
        .run();
    assert_eq!(everything(&host.roots()), before);
    assert!(!done.out().contains("own words"), "{}", done.out());
    done.expect_code(3).expect_err("symbolic link");
}

#[test]
fn what_a_users_set_starts_runs_as_that_user() {
    if !harness::need_root() {
        return;
    }
    let host = Host::new();
    let path = set(&host, "");
    tool("svc-cycle")
        .args(["start", "--file", &path, "--timeout", "2s", "app"])
        .run();
    let who = fs::read_to_string(host.site().join("who")).unwrap();
    assert_eq!(who.trim(), DEP.to_string());
    fs::remove_file(host.site().join("who")).unwrap();
    let path = set(&host, "user = \"root\"");
    let done = tool("svc-cycle")
        .args(["start", "--file", &path, "--timeout", "2s", "app"])
        .run()
        .expect_code(2);
    assert!(done.err().contains("--trust"), "{}", done.err());
    assert!(!host.site().join("who").exists());
}

#[test]
fn a_pid_file_names_no_process_of_somebody_else() {
    if !harness::need_root() {
        return;
    }
    let host = Host::new();
    let mut victim = Command::new("sleep").arg("60").spawn().unwrap();
    let file = host.site().join("app.pid");
    fs::write(&file, format!("{}\n", victim.id())).unwrap();
    host.give(&file);
    let done = tool("svc-cycle")
        .arg("stop")
        .arg(format!("pidfile:{}", file.display()))
        .run();
    let lives = victim.try_wait().unwrap().is_none();
    let _ = victim.kill();
    let _ = victim.wait();
    assert!(lives, "{}", done.out());
    done.expect_code(3)
        .expect_err("chooses which process is signalled");
}

#[test]
fn nothing_is_made_for_a_process_that_calls_itself_nginx() {
    if !harness::need_root() {
        return;
    }
    let host = Host::new();
    let wanted = host.roots().join("x.service.d");
    let conf = host.site().join("n.conf");
    fs::write(
        &conf,
        format!(
            "events {{}}\nhttp {{ access_log {}/a.log; }}\n",
            wanted.display()
        ),
    )
    .unwrap();
    let title = format!(
        "nginx: master process /usr/sbin/nginx -c {}",
        conf.display()
    );
    let id = DEP.to_string();
    let mut fake = Command::new("setpriv")
        .args(["--reuid", &id, "--regid", &id, "--clear-groups"])
        .args(["bash", "-c", "exec -a \"$0\" sleep 60", &title])
        .spawn()
        .unwrap();
    let named =
        || fs::read(format!("/proc/{}/cmdline", fake.id())).is_ok_and(|c| c.starts_with(b"nginx:"));
    harness::wait_until("the process has its title", named);
    let done = tool("log-paths")
        .args(["--config-only", "--create-dirs", "nginx"])
        .run();
    let _ = fake.kill();
    let _ = fake.wait();
    assert!(!wanted.exists(), "{}", done.out());
    assert!(
        done.out().contains("is not a process of root"),
        "{}",
        done.out()
    );
}
