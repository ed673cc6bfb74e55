//! Directories of logs that are made.

use super::{log_paths, site, write};
use harness::{Server, need_root, wait_until};
use std::fs;
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::path::PathBuf;
use std::process::Command;

/// Directories are made for whoever opens the log, once, and never below what others can write.
#[test]
fn missing_directories_are_made() {
    let dir = site();
    let (conf, logs) = (dir.path().join("supervisord.conf"), dir.path().join("a/b"));
    write(
        &conf,
        format!(
            "[supervisord]\nlogfile={}/s.log\nlogfile_maxbytes=0\nuser=www-data\n",
            logs.display()
        ),
    );
    let run = |more: &[&str]| {
        log_paths(
            "supervisor",
            &conf,
            &[&["--config-only", "--create-dirs"], more].concat(),
        )
    };
    let would = run(&["-n"]).expect_code(1).json();
    assert_eq!(
        (
            would["changed"].as_bool(),
            would["directories"][0]["state"].as_str()
        ),
        (Some(true), Some("would_create"))
    );
    assert!(!logs.exists());
    let made = run(&[]).expect_code(0).json();
    assert_eq!(
        (
            made["changed"].as_bool(),
            made["directories"][0]["state"].as_str()
        ),
        (Some(true), Some("created"))
    );
    if nix::unistd::geteuid().is_root() {
        use std::os::unix::fs::MetadataExt;
        assert_eq!(fs::metadata(&logs).unwrap().uid(), 33);
        assert_eq!(fs::metadata(dir.path().join("a")).unwrap().uid(), 0);
    }
    let again = run(&[]).expect_code(0).json();
    assert_eq!(
        (
            again["changed"].as_bool(),
            again["directories"].as_array().map(Vec::len)
        ),
        (Some(false), Some(0))
    );
    // Others can write here: a link could be put in the way.
    let open = dir.path().join("open");
    fs::create_dir(&open).unwrap();
    fs::set_permissions(&open, fs::Permissions::from_mode(0o777)).unwrap();
    write(
        &conf,
        format!("[supervisord]\nlogfile={}/x/s.log\n", open.display()),
    );
    run(&[]).expect_code(3).expect_err("others can write");
    assert!(!open.join("x").exists());
    let link: PathBuf = dir.path().join("link");
    symlink(dir.path().join("a"), &link).unwrap();
    write(
        &conf,
        format!("[supervisord]\nlogfile={}/y/s.log\n", link.display()),
    );
    run(&[]).expect_code(3).expect_err("links are not followed");
    assert!(!dir.path().join("a/y").exists());
}

/// A process name is not believed: nothing is made for a configuration that another user could have
/// written, or that only a process of another user asks for.
#[test]
fn directories_are_not_made_for_strangers() {
    if !need_root() {
        return;
    }
    let dir = site();
    let (conf, wanted) = (dir.path().join("n.conf"), dir.path().join("made/here"));
    write(
        &conf,
        format!("error_log {}/x.log; events {{}}", wanted.display()),
    );
    let run = || log_paths("nginx", &conf, &["--config-only", "--create-dirs"]);
    chown(&conf, Some(33), Some(33)).unwrap();
    run().expect_code(3);
    assert!(!wanted.exists());
    chown(&conf, Some(0), Some(0)).unwrap();
    // The same by the title of another user's process, whose configuration is root's.
    let title = format!(
        "nginx: master process /usr/sbin/nginx -c {}",
        conf.display()
    );
    let script = format!("exec -a '{title}' sleep 600");
    let fake = Server::start(
        Command::new("setpriv").args([
            "--reuid=33",
            "--regid=33",
            "--clear-groups",
            "bash",
            "-c",
            &script,
        ]),
        &dir.path().join("said"),
    );
    wait_until("the title", || {
        fs::read(format!("/proc/{}/cmdline", fake.pid()))
            .is_ok_and(|line| line.starts_with(b"nginx: "))
    });
    let report = harness::tool("log-paths")
        .args(["--config-only", "--create-dirs", "nginx"])
        .run()
        .json();
    let refused = report["directories"].as_array().unwrap();
    let ours = refused
        .iter()
        .find(|made| made["path"] == wanted.to_str().unwrap())
        .unwrap();
    assert_eq!(ours["state"], "refused", "{report:#}");
    assert!(!wanted.exists());
    drop(fake);
    run().expect_code(0);
    assert!(wanted.exists());
}
