//! Root, over an environment that another user owns: everything that runs there runs as that user.

use harness::venvs::Venvs;
use nix::unistd::chown;
use std::fs::Permissions;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::process::Command;

/// www-data, which every Debian has.
const OWNER: u32 = 33;

/// Gives the directory to the owner; uv comes along, since he cannot look into the source tree.
fn owned() -> Option<Venvs> {
    if !harness::need_root() {
        return None;
    }
    let venvs = Venvs::with_alpha();
    let uv = venvs.path().join("bin/uv");
    let real = uv.canonicalize().unwrap();
    std::fs::remove_file(&uv).unwrap();
    std::fs::copy(real, &uv).unwrap();
    give(venvs.path());
    Some(venvs)
}

fn give(path: &Path) {
    assert!(
        Command::new("chown")
            .args(["-R", "www-data:www-data"])
            .arg(path)
            .status()
            .unwrap()
            .success()
    );
    std::fs::set_permissions(path, Permissions::from_mode(0o755)).unwrap();
}

/// Whose everything below is.
fn owners(dir: &Path) -> Vec<u32> {
    let find = Command::new("find")
        .arg(dir)
        .args(["-printf", "%U\\n"])
        .output()
        .unwrap();
    let mut all: Vec<u32> = String::from_utf8_lossy(&find.stdout)
        .lines()
        .map(|line| line.parse().unwrap())
        .collect();
    all.sort_unstable();
    all.dedup();
    all
}

#[test]
fn what_an_installation_runs_runs_as_the_owner() {
    for installer in ["uv", "pip"] {
        let Some(venvs) = owned() else { return };
        // A line that every Python of this environment executes, as its owner could have planted
        // it.
        let proof = venvs.path().join("proof");
        let line = format!(
            "import os; open('{}', 'a').write(str(os.geteuid()) + chr(10))",
            proof.display()
        );
        venvs.wheel("evil", "1.0", "", &[&format!("evil.pth={line}\n")]);
        venvs.requirements("alpha==1.0\nevil\n");
        give(venvs.path());
        let done = venvs
            .apply(&["--installer", installer, "--post-check", "alpha"])
            .run()
            .expect_code(0)
            .json();
        assert_eq!(
            (&done["changed"], &done["in_sync"]),
            (&true.into(), &true.into())
        );
        let uids = std::fs::read_to_string(&proof).unwrap();
        assert!(
            !uids.is_empty() && uids.lines().all(|uid| uid == OWNER.to_string()),
            "{installer}: {uids}"
        );
        assert_eq!(owners(&venvs.path().join("venv.d")), [OWNER]);
        assert_eq!(venvs.venv().symlink_metadata().unwrap().uid(), OWNER);

        // The second time, in sync, as root: nothing runs at all.
        std::fs::remove_file(&proof).unwrap();
        venvs
            .apply(&["--installer", installer])
            .run()
            .expect_code(0);
        venvs
            .sync("check", &["--verify", "hash"])
            .run()
            .expect_code(0);
        assert!(!proof.exists());

        venvs.requirements("alpha==2.0\nevil\n");
        give(&venvs.path().join("requirements.txt"));
        let planned = venvs.apply(&["-n"]).run().expect_code(1).json();
        assert_eq!(
            (&planned["dry_run"], &planned["changed"]),
            (&true.into(), &true.into())
        );
        venvs
            .apply(&["--installer", installer])
            .run()
            .expect_code(0);
        let back = venvs
            .tool(&["rollback", "venv"])
            .run()
            .expect_code(0)
            .json();
        assert_eq!(back["changed"], true);
        assert_eq!(owners(&venvs.path().join("venv.d")), [OWNER]);
    }
}

#[test]
fn what_goes_wrong_there_is_said_here() {
    let Some(venvs) = owned() else { return };
    venvs.requirements("alpha=1\n");
    give(venvs.path());
    venvs
        .apply(&[])
        .run()
        .expect_code(2)
        .expect_silence()
        .expect_err("requirements.txt:1");
    venvs.requirements("alpha==3.0\n");
    give(venvs.path());
    venvs.apply(&[]).run().expect_code(3).expect_err("alpha");
    // A file for root's eyes is not shown to anybody else.
    venvs.requirements("alpha==1.0\n");
    let file = venvs.path().join("requirements.txt");
    chown(&file, Some(0.into()), Some(0.into())).unwrap();
    std::fs::set_permissions(&file, Permissions::from_mode(0o600)).unwrap();
    venvs
        .apply(&[])
        .run()
        .expect_code(2)
        .expect_err("Permission denied");
    std::fs::set_permissions(&file, Permissions::from_mode(0o644)).unwrap();
    venvs.apply(&[]).run().expect_code(0);
    // Somebody else's lock is an answer, too.
    venvs.requirements("alpha==2.0\n");
    let lock = std::fs::File::options()
        .read(true)
        .write(true)
        .open(venvs.path().join("venv.d/lock"))
        .unwrap();
    let held = nix::fcntl::Flock::lock(lock, nix::fcntl::FlockArg::LockExclusive).unwrap();
    venvs.apply(&[]).run().expect_code(75).expect_err("locked");
    drop(held);
}

#[test]
fn called_from_a_directory_that_the_owner_may_not_enter() {
    let Some(venvs) = owned() else { return };
    venvs.requirements("alpha==1.0\n");
    give(venvs.path());
    let closed = harness::scratch();
    std::fs::set_permissions(closed.path(), Permissions::from_mode(0o700)).unwrap();
    let inside = closed.path().join("runbook");
    std::fs::create_dir(&inside).unwrap();
    let here = |name: &str| venvs.path().join(name).display().to_string();
    let arguments = [
        "apply",
        &here("venv"),
        "-r",
        &here("requirements.txt"),
        "--wheelhouse",
        &here("wheels"),
        "--python",
        "/usr/bin/python3",
    ];
    venvs.tool(&arguments).dir(&inside).run().expect_code(0);
    // Where it is called from is no secret: an error may name it.
    venvs.requirements("alpha==3.0\n");
    give(venvs.path());
    let failed = venvs
        .tool(&arguments)
        .dir(&inside)
        .env("PWD", venvs.path())
        .run()
        .expect_code(3);
    assert!(!failed.err().contains("***"), "{}", failed.err());
}

#[test]
fn links_planted_in_the_store_are_not_followed() {
    let Some(venvs) = owned() else { return };
    venvs.requirements("alpha==1.0\n");
    let elsewhere = venvs.path().join("elsewhere");
    std::fs::create_dir(&elsewhere).unwrap();
    std::fs::write(elsewhere.join(".incomplete"), "").unwrap();
    std::os::unix::fs::symlink(&elsewhere, venvs.path().join("venv.d")).unwrap();
    give(venvs.path());
    venvs.apply(&[]).run().expect_code(3);
    std::fs::remove_file(venvs.path().join("venv.d")).unwrap();
    std::fs::create_dir_all(venvs.path().join("venv.d/releases")).unwrap();
    std::os::unix::fs::symlink(
        &elsewhere,
        venvs.path().join("venv.d/releases/20000101T000000Z-0000"),
    )
    .unwrap();
    give(venvs.path());
    venvs.apply(&[]).run().expect_code(0);
    assert!(
        elsewhere.join(".incomplete").exists(),
        "a link named as an unfinished release is not swept through"
    );
}
