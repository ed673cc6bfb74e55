//! Two sites on one host, each with a site file: what is done for one site leaves the other site
//! alone.

use std::fs;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use harness::{Tool, scratch, tool, wait_until};
use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::Pid;

use super::site::{Site, private};

struct Two {
    state: harness::TempDir,
    sites: [(Site, PathBuf); 2],
}

impl Two {
    fn start() -> Option<Self> {
        let site = |name: &str| {
            let site = Site::start()?;
            let file = site.dir().join(format!("{name}.toml"));
            let text = format!(
                "[site]\nname = \"{name}\"\n[svc-cycle]\nfile = \"services.toml\"\n[maint-page]\ndir = \"page\"\n"
            );
            fs::write(&file, text).unwrap();
            Some((site, file))
        };
        Some(Self {
            state: scratch(),
            sites: [site("reef")?, site("kelp")?],
        })
    }

    fn tool(&self, name: &str, at: usize, verb: &str) -> Tool {
        let file = self.sites[at].1.to_str().unwrap();
        private(name, self.state.path()).args([verb, "--site", file])
    }

    fn running(&self, at: usize) -> usize {
        self.sites[at].0.running().len()
    }

    /// Who of the site runs, in the order of the names.
    fn pids(&self, at: usize) -> Vec<(String, i32)> {
        let mut all = self.sites[at].0.running();
        all.sort();
        all
    }

    fn journals(&self) -> usize {
        let names = fs::read_dir(self.state.path()).unwrap().flatten();
        let is_journal = |name: std::ffi::OsString| name.to_string_lossy().ends_with(".journal");
        names.filter(|entry| is_journal(entry.file_name())).count()
    }

    /// A cycle of the site that is killed together with its guardian: the site's services stay
    /// down.
    fn interrupt(&self, at: usize) {
        let started = self.sites[at].0.dir().join("started");
        let script = format!("touch {}; exec sleep 600", started.display());
        let mut cycle = self
            .tool("svc-cycle", at, "cycle")
            .args(["--", "sh", "-c", &script]);
        let mut child = cycle
            .command()
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        wait_until("COMMAND runs", || started.exists());
        std::thread::sleep(Duration::from_millis(200));
        kill_guardian(child.id());
        killpg(Pid::from_raw(child.id() as i32), Signal::SIGKILL).unwrap();
        child.wait().unwrap();
        wait_until("the services are down", || self.running(at) == 0);
    }
}

/// Kills the guardian of a run, if the run has started one.
fn kill_guardian(run: u32) {
    let children =
        fs::read_to_string(format!("/proc/{run}/task/{run}/children")).unwrap_or_default();
    for each in children.split_ascii_whitespace() {
        let line = fs::read_to_string(format!("/proc/{each}/cmdline")).unwrap_or_default();
        if line.contains("--guardian") {
            let _ = kill(Pid::from_raw(each.parse().unwrap()), Signal::SIGKILL);
        }
    }
}

#[test]
fn recover_of_one_site_starts_nothing_of_the_other() {
    let Some(two) = Two::start() else { return };
    two.interrupt(0);
    two.interrupt(1);
    let report = two
        .tool("svc-cycle", 1, "recover")
        .run()
        .expect_code(0)
        .json();
    assert_eq!(report["services"].as_array().unwrap().len(), 2, "{report}");
    assert_eq!((two.running(0), two.running(1)), (0, 4));
    let again = two
        .tool("svc-cycle", 1, "recover")
        .run()
        .expect_code(0)
        .json();
    assert_eq!(again["msg"], "no interrupted run to recover");
    // The set of the first site has changed since: the run is recovered as the set was then.
    let (site, _) = &two.sites[0];
    let text = fs::read_to_string(site.file()).unwrap();
    let (gunicorn, _) = text.split_once("[service.worker]").unwrap();
    site.set(&gunicorn.replace("after = [\"worker\"]\n", ""));
    two.tool("svc-cycle", 0, "recover").run().expect_code(0);
    assert_eq!((two.running(0), two.running(1)), (4, 4));
}

#[test]
fn locks_and_holds_of_one_site_are_not_the_other_s() {
    let Some(two) = Two::start() else { return };
    let page = |at: usize, verb: &str| {
        let file = two.sites[at].1.to_str().unwrap();
        tool("maint-page").args([verb, "--site", file]).run()
    };
    page(0, "on").expect_code(0);
    page(1, "on").expect_code(0);
    page(1, "off").expect_code(0);
    assert!(two.sites[0].0.dir().join("page/on").exists());
    assert!(!two.sites[1].0.dir().join("page/on").exists());
    // While the first site is down for its COMMAND, the second site is cycled.
    let file = two.sites[1].1.display().to_string();
    let program = harness::tools().join("svc-cycle").display().to_string();
    let report = two
        .tool("svc-cycle", 0, "cycle")
        .args(["--", &program, "restart", "-q", "--site", &file])
        .run()
        .expect_code(0)
        .json();
    assert_eq!(report["restored"], true, "{report}");
    // restart starts the spare program, too, which was down.
    assert_eq!((two.running(0), two.running(1)), (4, 5));
}

#[test]
fn killed_at_random_the_sites_never_touch_each_other() {
    let Some(two) = Two::start() else { return };
    let rounds = if harness::full_sweep() { 100 } else { 3 };
    let mut random = 0x9e37_79b9_7f4a_7c15_u64 ^ u64::from(std::process::id());
    for round in 0..2 * rounds {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        let (at, other) = (round % 2, 1 - round % 2);
        let (before, others) = (two.pids(at), two.pids(other));
        let (pause, alone) = (random % 900_000, random & 1 << 40 == 0);
        eprintln!(
            "round {round}: killed after {pause} µs, guardian too: {}",
            !alone
        );
        let mut cycle = two.tool("svc-cycle", at, "cycle");
        let command = cycle.command().args(["--", "sh", "-c", "sleep 0.1"]);
        command.stdin(Stdio::null()).stdout(Stdio::null());
        let mut child = command.stderr(Stdio::null()).spawn().unwrap();
        std::thread::sleep(Duration::from_micros(pause));
        let leader = Pid::from_raw(child.id() as i32);
        if !alone {
            // Stopped first: it would start another one.
            kill(leader, Signal::SIGSTOP).unwrap();
            kill_guardian(child.id());
        }
        kill(leader, Signal::SIGKILL).unwrap();
        child.wait().unwrap();
        // The first line of the other site's runbook, while this site is down.
        let report = two.tool("svc-cycle", other, "recover").run().expect_code(0);
        assert_eq!(report.json()["changed"], false);
        wait_until("what was interrupted is recovered", || {
            two.tool("svc-cycle", at, "recover").run().code() == 0
        });
        let names = |all: &[(String, i32)]| -> Vec<String> {
            all.iter().map(|(name, _)| name.clone()).collect()
        };
        wait_until("all of the site runs", || {
            names(&two.pids(at)) == names(&before) && two.sites[at].0.gunicorns() == 3
        });
        wait_until("no journal is left", || two.journals() == 0);
        assert_eq!(two.pids(other), others);
    }
}
