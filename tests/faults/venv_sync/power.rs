//! The power goes while an environment changes: what the disk has got by then is the old
//! environment or the new one, whole, with no file of zeros in it; and what was reported as done is
//! there.

use super::other;
use harness::disk::Disk;
use harness::full_sweep;
use harness::venvs::Venvs;
use std::path::Path;
use std::process::Stdio;

fn kinds() -> &'static [&'static str] {
    if full_sweep() {
        &["ext4", "xfs", "btrfs"]
    } else {
        &["ext4"]
    }
}

/// The environment on a disk, and what it is made from elsewhere.
struct Site {
    venvs: Venvs,
    disk: Disk,
}

impl Site {
    fn new(kind: &str) -> Option<Site> {
        let site = Site {
            disk: Disk::new(kind)?,
            venvs: Venvs::with_alpha(),
        };
        site.apply("1.0");
        Some(site)
    }

    fn words(&self, version: &str) -> Vec<String> {
        self.venvs.requirements(&format!("alpha=={version}\n"));
        let venv = self.disk.path().join("venv").display().to_string();
        let rest = [
            "-r",
            "requirements.txt",
            "--wheelhouse",
            "wheels",
            "--python",
            "/usr/bin/python3",
            "--lock-wait",
            "60s",
        ];
        ["apply", &venv]
            .into_iter()
            .chain(rest)
            .map(str::to_owned)
            .collect()
    }

    fn run(&self, words: &[String]) -> serde_json::Value {
        self.venvs
            .tool(&words.iter().map(String::as_str).collect::<Vec<_>>())
            .run()
            .expect_code(0)
            .json()
    }

    fn apply(&self, version: &str) -> serde_json::Value {
        self.run(&self.words(version))
    }

    fn rollback(&self, to: &str) -> Vec<String> {
        [
            "rollback",
            &self.disk.path().join("venv").display().to_string(),
            "--to",
            to,
        ]
        .map(str::to_owned)
        .to_vec()
    }

    /// Killed right before the n-th of these calls, and the power goes with it. False where it made
    /// fewer of them and came to its end.
    fn killed(&self, words: &[String], call: &str, n: usize) -> bool {
        let mut strace = self.venvs.command("strace");
        let (trace, inject) = (
            format!("trace={call}"),
            format!("inject={call}:signal=KILL:when={n}"),
        );
        strace
            .args(["-qq", "-o", "/dev/null", "-e", &trace, "-e", &inject])
            .arg(harness::bin("venv-sync"))
            .args(words);
        !strace
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .unwrap()
            .success()
    }

    /// Which version is live on a disk; it is whole, to the last hash, and so is all that could be
    /// gone back to.
    fn live(&self, disk: &Disk, at: &str) -> String {
        let venv = disk.path().join("venv");
        let version = self.version(&venv, at);
        let list = self
            .venvs
            .tool(&["list", venv.to_str().unwrap()])
            .run()
            .expect_code(0)
            .json();
        for release in list["items"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|release| release["complete"] == true)
        {
            self.version(Path::new(release["path"].as_str().unwrap()), at);
        }
        version
    }

    fn version(&self, venv: &Path, at: &str) -> String {
        let python = self
            .venvs
            .command(venv.join("bin/python"))
            .args(["-c", "import alpha, beta; print(alpha.version)"])
            .output()
            .unwrap();
        let version = String::from_utf8_lossy(&python.stdout).trim().to_owned();
        assert!(
            ["1.0", "2.0"].contains(&version.as_str()),
            "{at}: {}: {python:?}",
            venv.display()
        );
        self.venvs.write("live.txt", &format!("alpha=={version}\n"));
        let check = self
            .venvs
            .tool(&[
                "check",
                venv.to_str().unwrap(),
                "-r",
                "live.txt",
                "--verify",
                "hash",
            ])
            .run();
        // The copy is mounted elsewhere: its scripts start the interpreter of the original place,
        // and that is all that is wrong with it.
        let counts = check.json()["counts"]["kinds"].clone();
        let kinds: Vec<String> = counts
            .as_object()
            .map(|kinds| kinds.keys().cloned().collect())
            .unwrap_or_default();
        assert!(
            check.code() == 0 || check.code() == 1 && kinds == ["script_broken"],
            "{at}: {}: {}",
            venv.display(),
            check.out()
        );
        version
    }
}

#[test]
fn what_was_reported_is_there_after_a_power_cut() {
    for kind in kinds() {
        let Some(site) = Site::new(kind) else { return };
        assert_eq!(site.live(&site.disk.cut(), kind), "1.0");
        for version in ["2.0", "1.0"] {
            let id = site.apply(version)["previous"].as_str().unwrap().to_owned();
            assert_eq!(
                site.live(&site.disk.cut(), kind),
                version,
                "{kind}: apply was reported as done"
            );
            site.run(&site.rollback(&id));
            assert_eq!(
                site.live(&site.disk.cut(), kind),
                other(version),
                "{kind}: rollback was reported as done"
            );
            site.apply(version);
        }
    }
}

#[test]
fn a_power_cut_in_the_middle_leaves_the_old_or_the_new_environment() {
    for kind in kinds() {
        let Some(site) = Site::new(kind) else { return };
        let (mut version, mut before, mut after) = ("1.0".to_owned(), 0, 0);
        for (call, most) in [
            ("syncfs", 1),
            ("symlinkat", 1),
            ("renameat", 1),
            ("renameat2", 1),
            ("unlinkat", 40),
            ("fsync", 40),
        ] {
            // Every other one of many, in the short form.
            for n in (1..=most).step_by(if full_sweep() || most == 1 { 1 } else { 2 }) {
                let target = other(&version).to_owned();
                let at = format!("{kind}, before {call} {n}");
                if !site.killed(&site.words(&target), call, n) {
                    version = target;
                    break;
                }
                let cut = site.disk.cut();
                if site.live(&cut, &at) == target {
                    after += 1;
                } else {
                    before += 1;
                }
                // On that disk, too, the next run brings it about.
                drop(cut);
                site.apply(&target);
                assert_eq!(site.live(&site.disk, &at), target, "{at}");
                version = target;
            }
        }
        assert!(
            before > 3 && after > 0,
            "{kind}: {before} times the old one, {after} times the new one"
        );
    }
}

#[test]
fn a_power_cut_in_a_rollback_leaves_one_of_the_two() {
    for kind in kinds() {
        let Some(site) = Site::new(kind) else { return };
        let mut from = site.apply("2.0")["previous"].as_str().unwrap().to_owned();
        let (mut version, mut cuts) = ("2.0".to_owned(), 0);
        for call in ["symlinkat", "renameat", "fsync"] {
            for n in 1..=10 {
                let at = format!("{kind}, rollback, before {call} {n}");
                let words = site.rollback(&from);
                let whole = !site.killed(&words, call, n);
                if !whole {
                    site.live(&site.disk.cut(), &at);
                    cuts += 1;
                }
                let list = site
                    .venvs
                    .tool(&["list", site.disk.path().join("venv").to_str().unwrap()])
                    .run()
                    .json();
                site.run(&words);
                version = other(&version).to_owned();
                assert_eq!(site.live(&site.disk, &at), version, "{at}");
                let items = list["items"].as_array().unwrap();
                from = items
                    .iter()
                    .map(|item| item["id"].as_str().unwrap())
                    .find(|id| *id != from)
                    .unwrap()
                    .to_owned();
                if whole {
                    break;
                }
            }
        }
        assert!(cuts >= 3, "{kind}: {cuts}");
    }
}
