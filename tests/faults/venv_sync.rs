//! venv-sync killed at any moment, failed at any call, and on a full disk: the environment is the old one or the new one, whole.

use harness::full_sweep;
use harness::venvs::Venvs;
use std::collections::BTreeSet;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// What must hold after anything: the environment works, and is one of the two.
fn whole(venvs: &Venvs, when: &str) -> String {
    let version = venvs.python("import alpha, beta; print(alpha.version)");
    assert!(["1.0", "2.0"].contains(&version.as_str()), "{when}: {version}");
    let script = venvs.command(venvs.venv().join("bin/alpha")).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&script.stdout).trim(), version, "{when}");
    version
}

/// The next run makes it so, and clears up.
fn mends(venvs: &Venvs, version: &str, when: &str) {
    venvs.requirements(&format!("alpha=={version}\n"));
    // What a killed run had started may still hold the lock.
    let done = venvs.apply(&["--lock-wait", "60s", "--keep", "2"]).run();
    assert_eq!(done.code(), 0, "{when}: {}", done.err());
    assert_eq!(whole(venvs, when), version, "{when}");
    venvs.sync("check", &["--verify", "hash"]).run().expect_code(0);
    let names = |dir: std::path::PathBuf| -> BTreeSet<String> {
        std::fs::read_dir(dir).unwrap().flatten().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
    };
    // The link may be right already, and then nothing was written, not even to clear up.
    if done.json()["changed"] == true {
        let releases = names(venvs.path().join("venv.d/releases"));
        assert!(releases.len() <= 2, "{when}: {releases:?}");
        let stray: Vec<_> = names(venvs.path().to_path_buf()).into_iter().filter(|name| name.starts_with(".rbt-")).collect();
        assert!(stray.is_empty(), "{when}: {stray:?}");
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
        let mut child = apply.command().process_group(0).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        std::thread::sleep(whole_run * (round + 1) / rounds);
        child.kill().unwrap();
        child.wait().unwrap();
        let when = format!("killed in round {round} of {rounds}");
        let now = whole(&venvs, &when);
        outcomes.insert(now == target);
        mends(&venvs, target, &when);
        version = target.to_owned();
    }
    assert!(outcomes.contains(&false), "some were killed before they were done");
}

#[test]
fn the_installer_killed_too() {
    let venvs = start();
    for _ in 0..4 {
        venvs.requirements("alpha==2.0\n");
        let mut apply = venvs.apply(&["--installer", "pip"]);
        let mut child = apply.command().process_group(0).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
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
    let child = apply.command().stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    std::thread::sleep(Duration::from_millis(700));
    let pid = nix::unistd::Pid::from_raw(child.id().try_into().unwrap());
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM).unwrap();
    let done = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&done.stderr).into_owned();
    assert_eq!(done.status.code(), Some(3), "{said}");
    assert!(said.contains("SIGTERM"), "{said}");
    assert_eq!(std::fs::read_dir(venvs.path().join("venv.d/releases")).unwrap().count(), 1);
    assert_eq!(whole(&venvs, "after SIGTERM"), "1.0");
}

/// The calls by which anything changes, traced in the tool alone and not in what it starts.
const CALLS: [&str; 11] =
    ["mkdirat", "openat", "renameat", "renameat2", "symlinkat", "unlinkat", "fsync", "syncfs", "flock", "fchmod", "unlink"];

fn injected(venvs: &Venvs, call: &str, fault: &str, when: usize) -> std::process::Output {
    let mut strace = venvs.command("strace");
    strace.args(["-qq", "-o", "/dev/null", "-e", &format!("trace={call}"), "-e", &format!("inject={call}:{fault}:when={when}")]);
    strace.arg(harness::bin("venv-sync")).args(["apply", "venv", "-r", "requirements.txt", "--wheelhouse", "wheels"]);
    strace.args(["--python", "/usr/bin/python3", "--lock-wait", "60s"]).output().unwrap()
}

/// How often a call is made in an update.
fn count(venvs: &Venvs, call: &str) -> usize {
    let mut strace = venvs.command("strace");
    strace.args(["-qq", "-o", "trace", "-e", &format!("trace={call}")]).arg(harness::bin("venv-sync"));
    strace.args(["apply", "venv", "-r", "requirements.txt", "--wheelhouse", "wheels", "--python", "/usr/bin/python3"]);
    assert!(strace.output().unwrap().status.success());
    std::fs::read_to_string(venvs.path().join("trace")).unwrap().lines().filter(|line| line.starts_with(call)).count()
}

/// Every call, or in the short form a few spread over all.
fn points(count: usize) -> Vec<usize> {
    let few = 3;
    if full_sweep() || count <= few { (1..=count).collect() } else { (0..few).map(|i| 1 + i * (count - 1) / (few - 1)).collect() }
}

fn sweep(faults: &[&str]) {
    let venvs = start();
    let mut version = "1.0".to_owned();
    for call in CALLS {
        let target = other(&version);
        venvs.requirements(&format!("alpha=={target}\n"));
        let calls = count(&venvs, call);
        version = whole(&venvs, call);
        for when in points(calls) {
            for fault in faults {
                let target = other(&version);
                venvs.requirements(&format!("alpha=={target}\n"));
                let done = injected(&venvs, call, fault, when);
                let what = format!("{call} {when} of {calls}: {fault}, exit {:?}", done.status.code());
                let now = whole(&venvs, &what);
                if done.status.success() {
                    assert_eq!(now, target, "{what}: success is said only where it is so");
                }
                mends(&venvs, target, &what);
                version = target.to_owned();
            }
        }
    }
}

#[test]
fn killed_at_every_call_that_changes_something() {
    sweep(&["signal=KILL"]);
}

#[test]
fn failed_at_every_call_that_changes_something() {
    sweep(if full_sweep() { &["error=EIO", "error=ENOSPC", "error=EACCES", "error=EINTR"] } else { &["error=EIO"] });
}

#[test]
fn a_file_size_limit_is_an_error_like_others() {
    let venvs = start();
    venvs.wheel("alpha", "3.0", "", &[&format!("alpha/__init__.py=version = '3.0'\n#{}", "x".repeat(90_000))]);
    venvs.requirements("alpha==3.0\n");
    let mut sh = venvs.command("sh");
    let script = "ulimit -f 16; exec \"$0\" apply venv -r requirements.txt --wheelhouse wheels --python /usr/bin/python3";
    let done = sh.args(["-c", script]).arg(harness::bin("venv-sync")).output().unwrap();
    assert_eq!(done.status.code(), Some(3), "{}", String::from_utf8_lossy(&done.stderr));
    assert_eq!(whole(&venvs, "a file that is too long"), "1.0");
}

#[test]
fn on_a_full_disk() {
    let venvs = start();
    // Everything again on a small file system of its own; without the right to mount one there is nothing to be seen here.
    let small = venvs.path().join("small");
    std::fs::create_dir(&small).unwrap();
    let size = "size=2560k,nr_inodes=4000";
    let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", size, "none"]).arg(&small).stderr(Stdio::null()).status().unwrap();
    if !mounted.success() {
        return;
    }
    let unmount = Unmount(small.clone());
    let large = venvs.write("large.py", &format!("version = '3.0'\n#{}", "x".repeat(4_000_000)));
    venvs.wheel("alpha", "3.0", "", &[&format!("alpha/__init__.py=@{}", large.display())]);
    let apply = |wanted: &str| {
        venvs.requirements(wanted);
        let arguments = ["apply", "small/venv", "-r", "requirements.txt", "--wheelhouse", "wheels", "--python", "/usr/bin/python3"];
        venvs.tool(&arguments).run()
    };
    apply("alpha==1.0\n").expect_code(0);
    let failed = apply("alpha==3.0\n").expect_code(3);
    assert!(failed.err().contains("No space left") || failed.err().contains("os error 28"), "{}", failed.err());
    let python = venvs.command(small.join("venv/bin/python")).args(["-c", "import alpha; print(alpha.version)"]).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&python.stdout).trim(), "1.0");
    assert_eq!(std::fs::read_dir(small.join("venv.d/releases")).unwrap().count(), 1);
    apply("alpha==2.0\n").expect_code(0);
    drop(unmount);
}

struct Unmount(std::path::PathBuf);

impl Drop for Unmount {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}
