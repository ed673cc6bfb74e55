//! A signal that asks svc-cycle to end, while something stands in the way.

use super::place::Place;
use super::scene::Scene;
use crate::peers::end;
use harness::bin;
use std::fs;
use std::os::unix::fs::FileTypeExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// While COMMAND runs, something else stands at a place; then svc-cycle is asked to end.
fn term(put: &Place, comes_back: bool) {
    let mut scene = Scene::new();
    scene.set();
    let args = ["start", "--file", "@/set.toml"];
    let started = Command::new(bin("svc-cycle"))
        .args(args.map(|word| scene.filled(word)))
        .output()
        .unwrap();
    assert!(
        started.status.success(),
        "{}",
        String::from_utf8_lossy(&started.stderr)
    );
    let dir = scene.dir();
    let mark = dir.join("mark");
    let script = format!("echo > {}; exec sleep 60", mark.display());
    let mut cycle = Command::new(bin("svc-cycle"))
        .args(["cycle", "--file", "@/set.toml", "--journal", "@/journal"].map(|w| scene.filled(w)))
        .args(["--timeout", "120s", "--", "sh", "-c", &script])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    harness::wait_until("COMMAND runs", || mark.exists());
    let _ = fs::remove_file(dir.join("app.pid"));
    let put = match put {
        Place::Opened(name) => Place::Opened(dir.join(name)),
        Place::Locked(name) => Place::Locked(dir.join(name)),
        Place::Connected(name) => Place::Connected(dir.join(name)),
    };
    let mut blocker = put.block();
    let pid = nix::unistd::Pid::from_raw(i32::try_from(cycle.id()).unwrap());
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM).unwrap();
    let began = Instant::now();
    while cycle.try_wait().unwrap().is_none() && began.elapsed() < Duration::from_secs(40) {
        std::thread::sleep(Duration::from_millis(20));
    }
    let ended = cycle.try_wait().unwrap();
    end(&mut cycle);
    if let Some(blocker) = &mut blocker {
        end(blocker);
    }
    assert!(
        ended.is_some(),
        "{put:?}: no end after {:?}",
        began.elapsed()
    );
    let pid_file = dir.join("app.pid");
    let is_fifo = fs::symlink_metadata(&pid_file).is_ok_and(|meta| meta.file_type().is_fifo());
    let back = !is_fifo
        && fs::read_to_string(&pid_file)
            .is_ok_and(|text| Path::new(&format!("/proc/{}", text.trim())).exists());
    assert_eq!(back, comes_back, "{put:?}: {ended:?}");
}

#[test]
fn an_ending_signal_leads_to_the_start_and_the_end() {
    if !harness::need_root() {
        return;
    }
    term(&Place::Opened("more.conf".into()), true);
    term(&Place::Locked("journal".into()), true);
    term(&Place::Opened("set.toml".into()), true);
    // What the start itself needs cannot be had: the run ends all the same.
    term(&Place::Opened("app.log".into()), false);
}
