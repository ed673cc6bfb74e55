//! logrotate: what `logrotate -d` says it would do to each log is what is reported, and what it
//! really makes is what was foretold.

mod sweep;

use super::{codes, item, site, write};
use harness::{Output, need, need_root};
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

/// A supervisord.conf whose programs log to these files, which supervisor does not rotate, and a
/// logrotate configuration.
struct Site {
    dir: harness::TempDir,
}

impl Site {
    fn new(logs: &[&str], user: &str) -> Self {
        let dir = site();
        let mut text =
            format!("[supervisord]\nlogfile=/dev/null\nlogfile_maxbytes=0\nuser={user}\n");
        for (number, log) in logs.iter().enumerate() {
            let path = dir.path().join(log);
            text += &format!(
                "[program:p{number}]\ncommand=x\nstderr_logfile=NONE\nstdout_logfile_maxbytes=0\nstdout_logfile={}\n",
                path.display()
            );
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, "x\n").unwrap();
        }
        write(&dir.path().join("supervisord.conf"), text);
        Self { dir }
    }

    fn at(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Writes a file of the configuration, `@` its directory.
    fn conf(&self, name: &str, text: &str) {
        write(
            &self.at(name),
            text.replace('@', &self.dir.path().display().to_string()),
        );
        fs::set_permissions(self.at(name), fs::Permissions::from_mode(0o644)).unwrap();
    }

    fn run(&self, more: &[&str]) -> Output {
        let conf =
            |service: &str, file: &str| format!("--conf={service}={}", self.at(file).display());
        harness::tool("log-paths")
            .args([
                "--config-only",
                &conf("supervisor", "supervisord.conf"),
                &conf("logrotate", "main.conf"),
            ])
            .args(more)
            .run()
    }

    fn debug(&self) -> String {
        let out = Command::new("/usr/sbin/logrotate")
            .args(["-d", "-f", "-v", "-s"])
            .arg(self.at("state"))
            .arg(self.at("main.conf"))
            .current_dir("/")
            .output()
            .unwrap();
        String::from_utf8_lossy(&out.stderr).into_owned() + &String::from_utf8_lossy(&out.stdout)
    }
}

fn can() -> bool {
    need("logrotate").is_some() && need_root()
}

const LOGS: &[&str] = &[
    "l/a.log",
    "l/b.log",
    "l/c.log",
    "l/d.log",
    "l/hard.log",
    "l/.hidden.log",
    "gw/g.log",
    "gws/s.log",
    "l/none.log",
    "l/taboo.log",
    "l/owner.log",
    "l/mode.log",
    "l/script.log",
];

/// Which logs are rotated, which are passed over and why: the same as `logrotate -d` says.
#[test]
fn each_fate_is_the_one_that_logrotate_foretells() {
    if !can() {
        return;
    }
    let site = Site::new(LOGS, "root");
    fs::hard_link(site.at("l/hard.log"), site.at("l/second-name")).unwrap();
    fs::rename(site.at("l/d.log"), site.at("l/real")).unwrap();
    symlink("real", site.at("l/d.log")).unwrap();
    for dir in ["gw", "gws"] {
        chown(site.at(dir), Some(0), Some(33)).unwrap();
        fs::set_permissions(site.at(dir), fs::Permissions::from_mode(0o775)).unwrap();
    }
    site.conf("main.conf", "weekly\nrotate 2\ncreate\ninclude @/conf.d\n");
    site.conf(
        "conf.d/01",
        "@/l/b.log { daily\n}\n@/l/hard.log @/l/d.log\n{\n create 0600 root root }\n",
    );
    site.conf("conf.d/.02", "# a hidden file counts\n\"@/l/.hidden.log\" {\n missingok\n postrotate\n  echo } @/l/none.log {\n endscript\n}\n@/l/script.log { }\n");
    // The second pattern meets b.log, which is taken: what follows it in that pattern is dropped,
    // c.log among it.
    site.conf("conf.d/03", "@/l/a.log @/l/[b-c].log {\n copytruncate\n}\n");
    site.conf(
        "conf.d/04",
        "@/gw/*.log {\n daily\n}\n@/gws/*.log {\n su www-data www-data\n}\n",
    );
    for (name, log) in [
        ("taboo.dpkg-old", "taboo"),
        ("taboo~", "taboo"),
        ("05", "owner"),
        ("06", "mode"),
    ] {
        site.conf(
            &format!("conf.d/{name}"),
            &format!("@/l/{log}.log {{ daily\n }}\n"),
        );
    }
    chown(site.at("conf.d/05"), Some(33), None).unwrap();
    fs::set_permissions(site.at("conf.d/06"), fs::Permissions::from_mode(0o664)).unwrap();
    let said = site.debug();
    let report = site.run(&["--check"]).expect_code(1).json();
    for log in LOGS {
        let path = site.at(log);
        let name = path.display().to_string();
        let considered = said.contains(&format!("considering log {name}\n"));
        let refused = said.contains(&format!("log {name} is symbolic link"))
            || said.contains(&format!("log {name} has multiple"))
            || said.contains(&format!("skipping \"{name}\" because"));
        let found = item(&report, &path);
        assert_eq!(
            found["rotated_by"]["tool"] == "logrotate",
            considered && !refused,
            "{log}: {found:#}\n{said}"
        );
        let skipped = codes(&found).contains(&"rotation_skipped".to_owned());
        assert_eq!(skipped, refused, "{log}: {found:#}\n{said}");
    }
    let has = |log: &str, code: &str| {
        let found = item(&report, &site.at(log));
        assert!(
            codes(&found).contains(&code.to_owned()),
            "{log} {code}: {found:#}"
        );
    };
    has("l/c.log", "rotation_config_ignored");
    has("l/owner.log", "rotation_config_ignored");
    has("l/mode.log", "rotation_config_ignored");
    has("l/b.log", "rotated_twice");
    has("l/none.log", "not_rotated");
    has("l/taboo.log", "not_rotated");
    has("l/d.log", "symlink");
    let own: Value = item(&report, &site.at("gws/s.log"))["rotated_by"].clone();
    assert_eq!(
        (
            own["su"].as_str(),
            own["copytruncate"].as_bool(),
            own["line"].as_u64()
        ),
        (Some("www-data www-data"), Some(false), Some(4))
    );
    assert_eq!(
        item(&report, &site.at("l/a.log"))["rotated_by"]["copytruncate"],
        true
    );
}

/// logrotate makes the new file for the wrong owner, really; it was foretold, with what to write
/// instead.
#[test]
fn the_new_file_belongs_to_somebody_else() {
    if !can() {
        return;
    }
    let site = Site::new(&["l/app.log", "l/fine.log"], "www-data");
    for log in ["l/app.log", "l/fine.log"] {
        chown(site.at(log), Some(33), Some(33)).unwrap();
    }
    site.conf(
        "main.conf",
        "@/l/app.log {\n create 0640 root adm\n}\n@/l/fine.log {\n create\n}\n",
    );
    let report = site.run(&["--check"]).expect_code(1).json();
    let found = item(&report, &site.at("l/app.log"));
    let problem = found["problems"]
        .as_array()
        .unwrap()
        .iter()
        .find(|problem| problem["code"] == "create_owner_mismatch")
        .unwrap_or_else(|| panic!("{found:#}"));
    assert!(
        problem["message"].as_str().unwrap().contains("root:adm")
            && problem["fix"]["steps"][0]["text"]
                .as_str()
                .unwrap()
                .contains("create 0640 www-data"),
        "{problem}"
    );
    assert!(
        !codes(&item(&report, &site.at("l/fine.log")))
            .contains(&"create_owner_mismatch".to_owned())
    );
    let forced = Command::new("/usr/sbin/logrotate")
        .args(["-f", "-s"])
        .arg(site.at("state"))
        .arg(site.at("main.conf"))
        .status()
        .unwrap();
    assert!(forced.success());
    let report = site.run(&["--check"]).expect_code(1).json();
    let after = item(&report, &site.at("l/app.log"));
    assert_eq!(
        (
            after["owner"].as_str(),
            after["group"].as_str(),
            after["mode"].as_str()
        ),
        (Some("root"), Some("adm"), Some("0640"))
    );
    assert!(
        codes(&after).contains(&"not_writable".to_owned()),
        "{after:#}"
    );
    let fine = item(&report, &site.at("l/fine.log"));
    assert_eq!(
        (fine["owner"].as_str(), fine["writable"].as_bool()),
        (Some("www-data"), Some(true))
    );
}

/// supervisor rotates by itself, and logrotate does too: the log is pulled away under supervisord.
#[test]
fn two_that_rotate_one_log() {
    let dir = site();
    let log = dir.path().join("a.log");
    fs::write(&log, "").unwrap();
    write(
        &dir.path().join("s.conf"),
        format!("[supervisord]\nlogfile={}\n", log.display()),
    );
    write(
        &dir.path().join("rotate"),
        format!("{} {{ daily\n }}\n", log.display()),
    );
    let report = harness::tool("log-paths")
        .arg("--config-only")
        .arg(format!("--conf=supervisor={}/s.conf", dir.path().display()))
        .arg(format!("--conf=logrotate={}/rotate", dir.path().display()))
        .run()
        .expect_code(0)
        .json();
    let found = item(&report, &log);
    assert!(
        codes(&found).contains(&"rotated_twice".to_owned()),
        "{found:#}"
    );
    let all: BTreeSet<&Path> = BTreeSet::from([log.as_path()]);
    assert_eq!(
        super::paths(&report),
        all.into_iter().map(Path::to_path_buf).collect()
    );
}
