//! A file system in a file, to pull the plug on: what the disk had got at that moment is mounted
//! anew, as after a power cut.

use crate::need;
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

/// A loop-mounted file system; unmounted when dropped.
#[derive(Debug)]
pub struct Disk {
    home: TempDir,
    kind: String,
}

impl Disk {
    /// An empty one: `ext4`, `xfs` or `btrfs`. None only where `SKIP_SERVERS=1` and this machine
    /// does not let us mount (no root, a container without loop devices).
    pub fn new(kind: &str) -> Option<Disk> {
        let disk = Disk {
            home: crate::scratch(),
            kind: kind.to_owned(),
        };
        let image = std::fs::File::create(disk.image()).expect("a file");
        image
            .set_len(if kind == "ext4" { 32 << 20 } else { 320 << 20 })
            .expect("its length");
        let mkfs = need(&format!("mkfs.{kind}"))?;
        run(Command::new(mkfs).arg("-q").arg(disk.image()))
            .unwrap_or_else(|why| panic!("mkfs.{kind}: {why}"));
        disk.mount()
    }

    /// Where it is mounted.
    pub fn path(&self) -> PathBuf {
        self.home.path().join("mnt")
    }

    /// The plug is pulled: what has reached the disk by now, mounted as after a reboot. This one
    /// goes on.
    pub fn cut(&self) -> Disk {
        let after = Disk {
            home: crate::scratch(),
            kind: self.kind.clone(),
        };
        run(Command::new("cp")
            .arg("--sparse=always")
            .arg(self.image())
            .arg(after.image()))
        .expect("a copy");
        after.mount().expect("the copy does not mount")
    }

    fn image(&self) -> PathBuf {
        self.home.path().join("image")
    }

    fn mount(self) -> Option<Disk> {
        std::fs::create_dir(self.path()).expect("a directory");
        // Two images of one xfs or btrfs carry one identity; xfs has to be told that this is meant.
        let options = if self.kind == "xfs" {
            "loop,nouuid"
        } else {
            "loop"
        };
        match run(Command::new("mount")
            .args(["-t", &self.kind, "-o", options])
            .arg(self.image())
            .arg(self.path()))
        {
            Ok(()) => Some(self),
            Err(_) if crate::skip_servers() => None,
            Err(why) => panic!(
                "cannot mount {}: {why}; SKIP_SERVERS=1 leaves out what needs root and loop devices",
                self.kind
            ),
        }
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        if mounted(&self.path()) {
            let _ = run(Command::new("umount").arg(self.path()));
        }
    }
}

/// A file system in memory, of a size that is soon used up; unmounted when dropped.
#[derive(Debug)]
pub struct Small(PathBuf);

impl Small {
    /// Mounts one on a directory, with tmpfs's options (`size=2m,nr_inodes=4000`). None only where
    /// `SKIP_SERVERS=1` and this machine does not let us mount.
    pub fn mount(on: &Path, options: &str) -> Option<Small> {
        match run(Command::new("mount")
            .args(["-t", "tmpfs", "-o", options, "none"])
            .arg(on))
        {
            Ok(()) => Some(Small(on.to_owned())),
            Err(_) if crate::skip_servers() => None,
            Err(why) => {
                panic!("cannot mount a tmpfs: {why}; SKIP_SERVERS=1 leaves out what needs root")
            }
        }
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        let _ = run(Command::new("umount").arg("-l").arg(&self.0));
    }
}

fn mounted(path: &Path) -> bool {
    let table = std::fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    table
        .lines()
        .any(|line| line.split(' ').nth(1) == path.to_str())
}

fn run(command: &mut Command) -> Result<(), String> {
    let done = command.output().map_err(|e| e.to_string())?;
    if done.status.success() {
        Ok(())
    } else {
        Err(String::from_utf8_lossy(&done.stderr).trim().to_owned())
    }
}
