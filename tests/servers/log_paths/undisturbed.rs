//! A run disturbs nothing: what is there before is there after, to the inode and the change time,
//! and no log is made.

use super::{nginx, tree};

#[test]
fn the_tree_is_the_same_before_and_after() {
    let main = "user www-data; error_log logs/e.log; http { @TEMP@ server { listen 127.0.0.1:@PORT@; access_log logs/a.log; include more.conf; } }";
    let Some(running) = nginx::start(main, &[("more.conf", "")]) else {
        return;
    };
    let dir = running.dir.path();
    // A log that nginx would make if it were asked whether its configuration is right, and a
    // directory whose owner it would change.
    super::write(
        &dir.join("more.conf"),
        "access_log logs/new.log; access_log missing/dir/b.log; client_body_temp_path body;",
    );
    std::fs::rename(dir.join("logs/a.log"), dir.join("logs/a.log.1")).unwrap();
    nix::unistd::mkfifo(&dir.join("logs/fifo"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    std::os::unix::fs::symlink("/dev/full", dir.join("logs/link")).unwrap();
    let before = tree(dir);
    for words in [
        &["-o", "json"][..],
        &["-o", "text", "-v"],
        &["--check"],
        &["-0"],
        &["--open-only"],
        &["--create-dirs", "-n"],
    ] {
        super::log_paths("nginx", &dir.join("nginx.conf"), words);
    }
    assert_eq!(tree(dir), before);
}
