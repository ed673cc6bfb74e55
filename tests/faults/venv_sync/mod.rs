//! venv-sync killed at any moment, failed at any call, and on a full disk: the environment is the
//! old one or the new one, whole.

mod injected;
mod power;

use harness::full_sweep;
use harness::venvs::Venvs;
use std::collections::BTreeSet;
use std::os::unix::process::CommandExt;
use std::process::Stdio;
use std::time::{Duration, Instant};

/// What must hold after anything: the environment works, and is one of the two.
fn whole(venvs: &Venvs, when: &str) -> String {
    let version = venvs.python("import alpha, beta; print(alpha.version)");
    assert!(
        ["1.0", "2.0"].contains(&version.as_str()),
        "{when}: {version}"
    );
    let script = venvs
        .command(venvs.venv().join("bin/alpha"))
        .output()
        .unwrap();
    assert_eq!(
        String::from_utf8_lossy(&script.stdout).trim(),
        version,
        "{when}"
    );
    version
}

/// The next run makes it so, and clears up.
fn mends(venvs: &Venvs, version: &str, when: &str) {
    venvs.requirements(&format!("alpha=={version}\n"));
    // What a killed run had started may still hold the lock.
    let done = venvs.apply(&["--lock-wait", "60s", "--keep", "2"]).run();
    assert_eq!(done.code(), 0, "{when}: {}", done.err());
    assert_eq!(whole(venvs, when), version, "{when}");
    venvs
        .sync("check", &["--verify", "hash"])
        .run()
        .expect_code(0);
    let names = |dir: std::path::PathBuf| -> BTreeSet<String> {
        std::fs::read_dir(dir)
            .unwrap()
            .flatten()
            .map(|entry| entry.file_name().to_string_lossy().into_owned())
            .collect()
    };
    all_whole(venvs, when);
    // The link may be right already, and then nothing was written, not even to clear up.
    if done.json()["changed"] == true {
        let releases = names(venvs.path().join("venv.d/releases"));
        assert!(releases.len() <= 2, "{when}: {releases:?}");
        let stray: Vec<_> = names(venvs.path().to_path_buf())
            .into_iter()
            .filter(|name| name.starts_with(".rbt-"))
            .collect();
        assert!(stray.is_empty(), "{when}: {stray:?}");
    }
}

/// What the list calls complete is whole: it may be gone back to at any time.
fn all_whole(venvs: &Venvs, when: &str) {
    let list = venvs.tool(&["list", "venv"]).run().expect_code(0).json();
    for release in list["items"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|release| release["complete"] == true)
    {
        let python = std::path::Path::new(release["path"].as_str().unwrap()).join("bin/python");
        let done = venvs
            .command(python)
            .args(["-c", "import alpha, beta; print(alpha.version)"])
            .output()
            .unwrap();
        assert!(
            done.status.success(),
            "{when}: {release}: {}",
            String::from_utf8_lossy(&done.stderr)
        );
    }
}

fn start() -> Venvs {
    let venvs = Venvs::with_alpha();
    venvs.requirements("alpha==1.0\n");
    venvs.apply(&[]).run().expect_code(0);
    venvs
}

fn other(version: &str) -> &'static str {
    if version == "1.0" { "2.0" } else { "1.0" }
}

#[test]
fn killed_at_any_moment() {
    let venvs = start();
    venvs.requirements("alpha==2.0\n");
    let began = Instant::now();
    venvs.apply(&[]).run().expect_code(0);
    let whole_run = began.elapsed();
    let rounds: u32 = if full_sweep() { 120 } else { 14 };
    let mut version = "2.0".to_owned();
    let mut outcomes = BTreeSet::new();
    for round in 0..rounds {
        let target = other(&version);
        venvs.requirements(&format!("alpha=={target}\n"));
        let mut apply = venvs.apply(&[]);
        let mut child = apply
            .command()
            .process_group(0)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(whole_run * (round + 1) / rounds);
        child.kill().unwrap();
        child.wait().unwrap();
        let when = format!("killed in round {round} of {rounds}");
        let now = whole(&venvs, &when);
        outcomes.insert(now == target);
        mends(&venvs, target, &when);
        version = target.to_owned();
    }
    assert!(
        outcomes.contains(&false),
        "some were killed before they were done"
    );
}

#[test]
fn the_installer_killed_too() {
    let venvs = start();
    for _ in 0..4 {
        venvs.requirements("alpha==2.0\n");
        let mut apply = venvs.apply(&["--installer", "pip"]);
        let mut child = apply
            .command()
            .process_group(0)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(Duration::from_millis(400));
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(whole(&venvs, "while pip works"), "1.0");
    }
    // The installers that were left alone hold the lock until they are done.
    mends(&venvs, "2.0", "afterwards");
}

#[test]
fn asked_to_end_it_clears_up_itself() {
    let venvs = start();
    venvs.requirements("alpha==2.0\n");
    let mut apply = venvs.apply(&["--installer", "pip"]);
    let child = apply
        .command()
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    std::thread::sleep(Duration::from_millis(700));
    let pid = nix::unistd::Pid::from_raw(child.id().try_into().unwrap());
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM).unwrap();
    let done = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&done.stderr).into_owned();
    assert_eq!(done.status.code(), Some(3), "{said}");
    assert!(said.contains("SIGTERM"), "{said}");
    assert_eq!(
        std::fs::read_dir(venvs.path().join("venv.d/releases"))
            .unwrap()
            .count(),
        1
    );
    assert_eq!(whole(&venvs, "after SIGTERM"), "1.0");
}

#[test]
fn a_file_size_limit_is_an_error_like_others() {
    let venvs = start();
    venvs.wheel(
        "alpha",
        "3.0",
        "",
        &[&format!(
            "alpha/__init__.py=version = '3.0'\n#{}",
            "x".repeat(90_000)
        )],
    );
    venvs.requirements("alpha==3.0\n");
    let mut sh = venvs.command("sh");
    let script = "ulimit -f 16; exec \"$0\" apply venv -r requirements.txt --wheelhouse wheels --python /usr/bin/python3";
    let done = sh
        .args(["-c", script])
        .arg(harness::bin("venv-sync"))
        .output()
        .unwrap();
    assert_eq!(
        done.status.code(),
        Some(3),
        "{}",
        String::from_utf8_lossy(&done.stderr)
    );
    assert_eq!(whole(&venvs, "a file that is too long"), "1.0");
}

#[test]
fn on_a_full_disk() {
    let venvs = start();
    // Everything again on a small file system of its own.
    let small = venvs.path().join("small");
    std::fs::create_dir(&small).unwrap();
    let size = "size=2560k,nr_inodes=4000";
    let Some(_mounted) = harness::disk::Small::mount(&small, size) else {
        return;
    };
    let large = venvs.write(
        "large.py",
        &format!("version = '3.0'\n#{}", "x".repeat(4_000_000)),
    );
    venvs.wheel(
        "alpha",
        "3.0",
        "",
        &[&format!("alpha/__init__.py=@{}", large.display())],
    );
    let apply = |wanted: &str| {
        venvs.requirements(wanted);
        let arguments = [
            "apply",
            "small/venv",
            "-r",
            "requirements.txt",
            "--wheelhouse",
            "wheels",
            "--python",
            "/usr/bin/python3",
        ];
        venvs.tool(&arguments).run()
    };
    apply("alpha==1.0\n").expect_code(0);
    let failed = apply("alpha==3.0\n").expect_code(3);
    assert!(
        failed.err().contains("No space left") || failed.err().contains("os error 28"),
        "{}",
        failed.err()
    );
    let python = venvs
        .command(small.join("venv/bin/python"))
        .args(["-c", "import alpha; print(alpha.version)"])
        .output()
        .unwrap();
    assert_eq!(String::from_utf8_lossy(&python.stdout).trim(), "1.0");
    assert_eq!(
        std::fs::read_dir(small.join("venv.d/releases"))
            .unwrap()
            .count(),
        1
    );
    apply("alpha==2.0\n").expect_code(0);
}
