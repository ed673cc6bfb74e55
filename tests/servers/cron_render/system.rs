//! /etc/cron.d and systemd's units: the places that root alone writes.

use super::MISAGO;
use harness::Person;
use harness::{Output, scratch, tool};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;

/// A site that is on this machine: a directory with an interpreter in it, and a name of its own.
struct Site {
    person: Person,
    dir: tempfile::TempDir,
    name: String,
}

impl Site {
    fn new() -> Option<Site> {
        let person = Person::new()?;
        let dir = scratch();
        std::fs::set_permissions(dir.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
        std::fs::create_dir_all(dir.path().join("venv/bin")).unwrap();
        std::os::unix::fs::symlink("/bin/true", dir.path().join("venv/bin/python")).unwrap();
        std::fs::write(dir.path().join("manage.py"), "").unwrap();
        let name = person.name.clone();
        Some(Site { person, dir, name })
    }

    fn run(&self, command: &str, format: &str, template: &str, words: &str) -> Output {
        let run = tool("cron-render").args([command]);
        let run = if command == "remove" {
            run
        } else {
            run.arg("-")
                .args(["--dir"])
                .arg(self.dir.path())
                .input(template)
        };
        run.args([
            "--name",
            &self.name,
            "--user",
            &self.person.name,
            "--format",
            format,
            "--lock-wait",
            "60s",
        ])
        .args(words.split_whitespace())
        .run()
    }

    fn cron_d(&self) -> PathBuf {
        Path::new("/etc/cron.d").join(&self.name)
    }

    /// Our unit files, sorted.
    fn units(&self) -> Vec<PathBuf> {
        let prefix = format!("{}-", self.name);
        let all = std::fs::read_dir("/etc/systemd/system")
            .unwrap()
            .flatten()
            .map(|e| e.path());
        let mut ours: Vec<PathBuf> = all
            .filter(|p| {
                p.file_name()
                    .unwrap()
                    .to_string_lossy()
                    .starts_with(&prefix)
            })
            .collect();
        ours.sort();
        ours
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(self.cron_d());
        for unit in self.units() {
            let wants = Path::new("/etc/systemd/system/timers.target.wants")
                .join(unit.file_name().unwrap());
            let _ = std::fs::remove_file(wants);
            let _ = std::fs::remove_file(unit);
        }
        for place in ["/run/runbook-tools", "/var/backups/runbook-tools"] {
            for file in std::fs::read_dir(place).into_iter().flatten().flatten() {
                if file.file_name().to_string_lossy().contains(&self.name) && file.path().is_file()
                {
                    let _ = std::fs::remove_file(file.path());
                }
            }
            let _ =
                std::fs::remove_dir_all(Path::new(place).join(format!("systemd-{}", self.name)));
        }
    }
}

#[test]
fn a_file_in_cron_d_comes_is_kept_and_goes() {
    let Some(site) = Site::new() else { return };
    assert_eq!(
        site.run("install", "cron.d", MISAGO, "-n")
            .expect_code(1)
            .json()["changed"],
        true
    );
    assert!(!site.cron_d().exists());
    assert_eq!(
        site.run("install", "cron.d", MISAGO, "")
            .expect_code(0)
            .json()["changed"],
        true
    );
    let text = std::fs::read_to_string(site.cron_d()).unwrap();
    let line = format!(
        "15 0 * * * {} cd {} && venv/bin/python manage.py prunecategories\n",
        site.person.name,
        site.dir.path().display()
    );
    assert!(text.contains(&line), "{text}");
    let meta = std::fs::metadata(site.cron_d()).unwrap();
    assert_eq!(
        (meta.mode() & 0o7777, meta.uid(), meta.gid(), meta.nlink()),
        (0o644, 0, 0, 1)
    );
    assert_eq!(
        site.run("install", "cron.d", MISAGO, "")
            .expect_code(0)
            .json()["changed"],
        false
    );
    site.run("diff", "cron.d", MISAGO, "").expect_code(0);
    tool("cron-render")
        .arg("lint")
        .arg(site.cron_d())
        .args(["--tz", "UTC"])
        .run()
        .expect_code(0);

    assert_eq!(
        site.run("remove", "cron.d", "", "-n").expect_code(1).json()["changed"],
        true
    );
    assert_eq!(
        site.run("remove", "cron.d", "", "").expect_code(0).json()["changed"],
        true
    );
    assert!(!site.cron_d().exists());
    assert_eq!(
        site.run("remove", "cron.d", "", "").expect_code(0).json()["changed"],
        false
    );
}

#[test]
fn cron_sees_each_new_file_by_whole_seconds() {
    let Some(site) = Site::new() else { return };
    let mut last = 0;
    for spread in ["", "--spread 10m", "--spread 20m", "--spread 30m"] {
        let changed = site
            .run("install", "cron.d", MISAGO, spread)
            .expect_code(0)
            .json()["changed"]
            == true;
        let mtime = std::fs::metadata(site.cron_d()).unwrap().mtime();
        assert!(!changed || mtime > last, "{mtime} is not newer than {last}");
        last = mtime;
    }
}

#[test]
fn mode_and_owner_are_mended() {
    let Some(site) = Site::new() else { return };
    site.run("install", "cron.d", MISAGO, "").expect_code(0);
    std::fs::set_permissions(site.cron_d(), std::fs::Permissions::from_mode(0o666)).unwrap();
    site.run("diff", "cron.d", MISAGO, "").expect_code(1);
    assert_eq!(
        site.run("install", "cron.d", MISAGO, "")
            .expect_code(0)
            .json()["changed"],
        true
    );
    assert_eq!(
        std::fs::metadata(site.cron_d()).unwrap().mode() & 0o7777,
        0o644
    );
}

#[test]
fn somebody_elses_file_and_a_link_are_left_alone() {
    let Some(site) = Site::new() else { return };
    let theirs = "* * * * * root /bin/true\n";
    std::fs::write(site.cron_d(), theirs).unwrap();
    site.run("install", "cron.d", MISAGO, "")
        .expect_code(3)
        .expect_err("did not write it");
    site.run("remove", "cron.d", "", "").expect_code(3);
    assert_eq!(std::fs::read_to_string(site.cron_d()).unwrap(), theirs);
    site.run("install", "cron.d", MISAGO, "--force")
        .expect_code(0);
    std::fs::remove_file(site.cron_d()).unwrap();
    let target = site.dir.path().join("target");
    std::fs::write(&target, theirs).unwrap();
    std::os::unix::fs::symlink(&target, site.cron_d()).unwrap();
    site.run("install", "cron.d", MISAGO, "").expect_code(3);
    assert_eq!(std::fs::read_to_string(&target).unwrap(), theirs);
}

#[test]
fn an_edited_file_in_cron_d_is_refused() {
    let Some(site) = Site::new() else { return };
    site.run("install", "cron.d", MISAGO, "").expect_code(0);
    let text = std::fs::read_to_string(site.cron_d()).unwrap();
    for edited in [
        text.replace("15 0", "16 0"),
        format!("{text}1 1 * * * root /bin/true\n"),
    ] {
        std::fs::write(site.cron_d(), &edited).unwrap();
        site.run("install", "cron.d", MISAGO, "")
            .expect_code(3)
            .expect_err("edited by hand");
        site.run("remove", "cron.d", "", "")
            .expect_code(3)
            .expect_err("--force");
        assert_eq!(std::fs::read_to_string(site.cron_d()).unwrap(), edited);
    }
}

/// Both of Misago's schedules, and lines that are hard to say in systemd's words.
const HARD: &str = r#"PATH=/usr/bin:/bin
GREETING=a "b" % $c
0 0 13 * 5 /bin/date +\%F > "/tmp/x $HOME" && echo 'a\\b'
@reboot /bin/true
*/5 9-17 * * 1-5 /bin/cat%hello \\ world%two
0 3 * * * python manage.py x --a="b c" >/dev/null
@weekly python manage.py y
0 0 1 */3 * /bin/echo plain
0 12 */2 6-8 mon,wed-fri /bin/echo 'it''s' ${X:-y} "q\"q" ~ # note
"#;

#[test]
fn units_that_systemd_accepts() {
    if harness::need("systemd-analyze").is_none() {
        return;
    }
    let Some(site) = Site::new() else { return };
    let dir = scratch();
    for (n, template) in [MISAGO, HARD].into_iter().enumerate() {
        let words = "--log-dir /var/log --lock-dir /run/lock --job-timeout 5m --tz Europe/Warsaw --env A=1 --env P=50%";
        let report = site
            .run("render", "systemd", template, words)
            .expect_code(0)
            .json();
        let mut files = Vec::new();
        for part in report["rendered"]
            .as_str()
            .unwrap()
            .split("# /etc/systemd/system/")
            .skip(1)
        {
            let (name, text) = part.split_once('\n').unwrap();
            let file = dir.path().join(format!("{n}-{name}"));
            std::fs::write(&file, text.replace("\nUser=", "\n#User=")).unwrap();
            files.push(file);
        }
        let items = report["items"].as_array().unwrap();
        let reboots = items.iter().filter(|i| i["kind"] == "reboot").count();
        assert_eq!(
            files.len(),
            2 * items.len() - reboots,
            "a job of @reboot has no timer"
        );
        let done = Command::new("systemd-analyze")
            .args(["verify", "--man=no"])
            .args(&files)
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&done.stderr).into_owned();
        // Without a user, ~ is nobody's home.
        assert!(
            done.status.success() && said.trim().is_empty(),
            "{said}\n{}",
            report["rendered"].as_str().unwrap()
        );
    }
}

#[test]
fn units_are_installed_enabled_and_removed() {
    if harness::need("systemctl").is_none() {
        return;
    }
    let Some(site) = Site::new() else { return };
    let report = site
        .run("install", "systemd", MISAGO, "-n")
        .expect_code(1)
        .json();
    assert_eq!((&report["changed"], site.units().len()), (&true.into(), 0));
    site.run("install", "systemd", MISAGO, "").expect_code(0);
    assert_eq!(site.units().len(), 6);
    let wants = |unit: &Path| {
        Path::new("/etc/systemd/system/timers.target.wants").join(unit.file_name().unwrap())
    };
    let timers: Vec<PathBuf> = site
        .units()
        .into_iter()
        .filter(|u| u.extension().unwrap() == "timer")
        .collect();
    assert!(
        timers.iter().all(|t| wants(t).is_symlink()),
        "all timers are enabled"
    );
    assert_eq!(
        site.run("install", "systemd", MISAGO, "")
            .expect_code(0)
            .json()["changed"],
        false
    );

    // A timer that somebody disabled is enabled again.
    std::fs::remove_file(wants(&timers[0])).unwrap();
    assert_eq!(
        site.run("install", "systemd", MISAGO, "")
            .expect_code(0)
            .json()["changed"],
        true
    );
    assert!(wants(&timers[0]).is_symlink());

    // A job that is gone from the template takes its units with it.
    let fewer: String = MISAGO.lines().take(2).map(|l| format!("{l}\n")).collect();
    site.run("install", "systemd", &fewer, "").expect_code(0);
    assert_eq!(site.units().len(), 2);

    let service = site
        .units()
        .into_iter()
        .find(|u| u.extension().unwrap() == "service")
        .unwrap();
    let text = std::fs::read_to_string(&service).unwrap();
    std::fs::write(&service, text.replace("oneshot", "simple")).unwrap();
    site.run("install", "systemd", &fewer, "")
        .expect_code(3)
        .expect_err("edited by hand");
    site.run("remove", "systemd", "", "").expect_code(3);
    site.run("install", "systemd", &fewer, "--force")
        .expect_code(0);

    assert_eq!(
        site.run("remove", "systemd", "", "").expect_code(0).json()["changed"],
        true
    );
    assert_eq!(site.units(), [] as [PathBuf; 0]);
    assert!(timers.iter().all(|t| !wants(t).is_symlink()));
    assert_eq!(
        site.run("remove", "systemd", "", "").expect_code(0).json()["changed"],
        false
    );
}

#[test]
fn somebody_elses_units_are_left_alone() {
    let Some(site) = Site::new() else { return };
    let theirs = PathBuf::from(format!(
        "/etc/systemd/system/{}-prunecategories.service",
        site.name
    ));
    std::fs::write(&theirs, "[Service]\nExecStart=/bin/true\n").unwrap();
    site.run("install", "systemd", MISAGO, "")
        .expect_code(3)
        .expect_err("did not write it");
    assert_eq!(site.units(), [theirs]);
    assert_eq!(
        site.run("remove", "systemd", "", "").expect_code(0).json()["changed"],
        false
    );
}

/// The twelve jobs of a newer Misago, five minutes apart.
const MISAGO_TWELVE: &str = "\
0 1 * * * python manage.py deletemarkedusers
5 1 * * * python manage.py deleteinactiveusers
10 1 * * * python manage.py clearattachments
15 1 * * * python manage.py clearnotifications
20 1 * * * python manage.py clearreadtracker
25 1 * * * python manage.py clearsessions
30 1 * * * python manage.py expireuserdatadownloads
35 1 * * * python manage.py prepareuserdatadownloads
40 1 * * * python manage.py prunecategories
45 1 * * * python manage.py removeoldips
50 1 * * * python manage.py invalidatebans
55 1 * * * python manage.py buildactivepostersranking
";

/// The older one: six, five of them at 00:25.
const MISAGO_SIX: &str = "\
# this is example crontab configuration
15 0 * * * python manage.py prunecategories
25 0 * * * python manage.py buildactivepostersranking
25 0 * * * python manage.py clearattachments
25 0 * * * python manage.py clearreadtracker
25 0 * * * python manage.py clearsessions
25 0 * * * python manage.py invalidatebans
";

#[test]
fn both_of_misagos_schedules_in_all_three_places() {
    let Some(site) = Site::new() else { return };
    for (template, jobs) in [(MISAGO_TWELVE, 12), (MISAGO_SIX, 6)] {
        for format in ["crontab", "cron.d", "systemd"] {
            if format == "systemd" && harness::need("systemctl").is_none() {
                continue;
            }
            let words = "--spread 30m --tz UTC --job-timeout 1h";
            let lint = site
                .run("lint", format, template, words)
                .expect_code(0)
                .json();
            assert_eq!(lint["findings"], serde_json::json!([]), "{format}");
            let report = site
                .run("render", format, template, words)
                .expect_code(0)
                .json();
            let items = report["items"].as_array().unwrap();
            let starts: std::collections::BTreeSet<&str> = items
                .iter()
                .map(|i| i["schedule"].as_str().unwrap())
                .collect();
            assert_eq!(
                (items.len(), starts.len()),
                (jobs, jobs),
                "each has a minute of its own"
            );
            for (code, changed, dry) in [
                (1, true, "-n"),
                (0, true, ""),
                (0, false, ""),
                (0, false, "-n"),
            ] {
                let report = site
                    .run("install", format, template, &format!("{words} {dry}"))
                    .expect_code(code)
                    .json();
                assert_eq!(report["changed"], changed, "{format} {dry}");
            }
            site.run("diff", format, template, words).expect_code(0);
            assert_eq!(
                site.run("remove", format, "", "").expect_code(0).json()["changed"],
                true
            );
        }
    }
    assert_eq!(
        (
            site.person.crontab(),
            site.cron_d().exists(),
            site.units().len()
        ),
        (None, false, 0)
    );
}

#[test]
fn many_sites_at_once_in_cron_d() {
    let sites: Vec<Site> = std::iter::from_fn(Site::new).take(8).collect();
    std::thread::scope(|scope| {
        for site in &sites {
            scope.spawn(|| {
                for template in [MISAGO_SIX, MISAGO_TWELVE] {
                    site.run("install", "cron.d", template, "").expect_code(0);
                }
            });
        }
    });
    for site in &sites {
        assert_eq!(
            site.run("install", "cron.d", MISAGO_TWELVE, "")
                .expect_code(0)
                .json()["changed"],
            false
        );
    }
}
