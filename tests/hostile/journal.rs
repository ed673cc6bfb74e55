//! `--journal` in a directory of another user, who puts links there, and holds its lock.

use crate::user::{DEP, Host, Racer, as_user, everything, rounds};
use harness::{Output, tool};
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::{Duration, Instant};

fn check(journal: &Path) -> Output {
    tool("check-reqs")
        .args(["file:/etc/fstab", "--timeout", "2s", "--journal"])
        .arg(journal)
        .run()
}

#[test]
fn a_journal_reaches_no_file_of_roots() {
    if !harness::need_root() {
        return;
    }
    let host = Host::new();
    let secret = host.secret("file", "kept");
    let before = everything(&host.roots());
    let roots = host.roots();
    let make = |script: &str| as_user(&host.site(), script);
    make(&format!(
        "import os; os.symlink('{}', 'link')",
        secret.display()
    ));
    make(&format!(
        "import os; os.symlink('{}', 'away')",
        roots.display()
    ));
    make(&format!(
        "import os; os.symlink('{}/new', 'dangling')",
        roots.display()
    ));
    make("import os; os.mkfifo('fifo')");
    fs::hard_link(&secret, host.site().join("second")).unwrap();
    for name in [
        "link",
        "away/new",
        "away/file",
        "dangling",
        "fifo",
        "second",
    ] {
        let done = check(&host.site().join(name)).expect_code(3);
        assert!(
            done.err().contains("cannot open the journal"),
            "{}",
            done.err()
        );
        assert_eq!(everything(&roots), before, "{name}");
    }
    // An honest one is the user's.
    let honest = host.site().join("journal");
    assert!(check(&honest).code() < 3);
    assert_eq!(fs::metadata(&honest).unwrap().uid(), DEP);
}

/// The directory is a directory at one moment and a link to root's at the next.
const FLIPPER: &str = "
victim = open('victim').read()
os.symlink(victim, 'link')
os.mkdir('real')
while True:
    os.rename('real', 'log') if not os.path.lexists('log') else None
    os.rename('log', 'real')
    os.rename('link', 'log')
    os.rename('log', 'link')
";

#[test]
fn a_directory_that_is_flipped_leads_nowhere_else() {
    if !harness::need_root() {
        return;
    }
    let host = Host::new();
    host.secret("file", "kept");
    let before = everything(&host.roots());
    fs::write(host.site().join("victim"), host.roots().to_str().unwrap()).unwrap();
    let racer = Racer::start(&host.site(), FLIPPER);
    for round in 0..rounds() {
        for name in ["log/file", "log/new"] {
            check(&host.site().join(name));
            assert_eq!(everything(&host.roots()), before, "round {round}");
        }
    }
    drop(racer);
}

#[test]
fn a_held_journal_is_left_at_the_deadline() {
    if !harness::need_root() {
        return;
    }
    let host = Host::new();
    let path = host.site().join("journal");
    fs::write(&path, "").unwrap();
    host.give(&path);
    let holder = Racer::start(
        &host.site(),
        "import fcntl\nf = open('journal', 'a')\nfcntl.flock(f, fcntl.LOCK_EX)\ntime.sleep(60)\n",
    );
    std::thread::sleep(Duration::from_millis(300));
    let began = Instant::now();
    let done = check(&path).expect_code(3);
    assert!(
        done.err().contains("another process holds its lock"),
        "{}",
        done.err()
    );
    assert!(
        began.elapsed() < Duration::from_secs(8),
        "{:?}",
        began.elapsed()
    );
    drop(holder);
}
