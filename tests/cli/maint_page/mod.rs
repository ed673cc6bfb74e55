//! maint-page as a user runs it: holds, times, files, exit codes. What the web servers make of it
//! is in tests/servers.

mod clock;
mod during;
mod files;
mod holds;
mod pages;
mod usage;

use harness::{Output, TempDir, Tool, scratch, tool};
use serde_json::{Value, json};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// A directory for one site's page.
struct Site {
    top: TempDir,
}

impl Site {
    fn new() -> Site {
        Site { top: scratch() }
    }

    fn dir(&self) -> PathBuf {
        self.top.path().join("maintenance")
    }

    fn file(&self, name: &str) -> PathBuf {
        self.dir().join(name)
    }

    fn has(&self, name: &str) -> bool {
        fs::symlink_metadata(self.file(name)).is_ok()
    }

    fn text(&self, name: &str) -> String {
        fs::read_to_string(self.file(name)).unwrap_or_else(|e| panic!("{name}: {e}"))
    }

    fn json(&self, name: &str) -> Value {
        serde_json::from_str(&self.text(name)).unwrap()
    }

    /// `maint-page COMMAND --dir …`.
    fn tool(&self, command: &str) -> Tool {
        maint_page(command).arg("--dir").arg(self.dir())
    }

    fn on(&self) -> Output {
        self.tool("on").run().expect_code(0)
    }

    /// Turns a hold's times back, as if so many seconds had passed since it was made.
    fn age(&self, id: &str, seconds: i64) {
        let name = format!("holds/{id}.json");
        let mut hold = self.json(&name);
        for key in [
            "created_at",
            "starts_at",
            "ends_at",
            "warn_from",
            "activated_at",
        ] {
            if let Some(text) = hold[key].as_str() {
                let old: jiff::Timestamp = text.parse().unwrap();
                hold[key] = json!((old - jiff::SignedDuration::from_secs(seconds)).to_string());
            }
        }
        fs::write(self.file(&name), hold.to_string()).unwrap();
    }

    /// Everything in it, with its content: to see that nothing was touched.
    fn picture(&self) -> Vec<(PathBuf, Vec<u8>)> {
        let mut seen = Vec::new();
        walk(self.top.path(), &mut seen);
        seen.sort();
        seen
    }
}

fn walk(dir: &Path, seen: &mut Vec<(PathBuf, Vec<u8>)>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() && !path.is_symlink() {
            walk(&path, seen);
        } else if path.file_name().unwrap() != ".lock" {
            seen.push((path.clone(), fs::read(&path).unwrap_or_default()));
        }
    }
}

fn maint_page(command: &str) -> Tool {
    tool("maint-page")
        .arg(command)
        .env_remove("SUDO_USER")
        .env("TZ", "UTC")
}

/// Who runs the tests: whose holds they are unless told otherwise.
fn me() -> String {
    nix::unistd::User::from_uid(nix::unistd::getuid())
        .unwrap()
        .unwrap()
        .name
}

fn my_hold() -> String {
    format!("holds/{}.json", me())
}

fn mode(path: &Path) -> u32 {
    fs::symlink_metadata(path).unwrap().permissions().mode() & 0o7777
}
