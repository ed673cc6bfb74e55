//! A process as /proc shows it. Each fact is read from the kernel when it is asked for: proc(5).

use crate::descriptors::Descriptors;
use crate::namespace::Namespace;
use crate::process::{Identity, arguments};
use std::ffi::OsString;
use std::fs;
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// The longest /proc/PID/maps that is read, in bytes.
const MAPS_LIMIT: u64 = 16 << 20;

/// One process, identified by its number and start time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct View {
    /// The process.
    pub identity: Identity,
}

/// The executable of a process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exe {
    /// The path when it was started, in the process' own root.
    pub path: PathBuf,
    /// The device of the file that runs.
    pub dev: u64,
    /// The inode of the file that runs.
    pub ino: u64,
    /// The owner of the file that runs.
    pub owner: u32,
    /// Whether the file has no name any more: it was replaced or removed.
    pub deleted: bool,
}

/// The users of a process: credentials(7).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Uids {
    /// The real user.
    pub real: u32,
    /// The effective user.
    pub effective: u32,
    /// The saved set-user-ID.
    pub saved: u32,
}

/// A descriptor that leads to a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenFile {
    /// The descriptor.
    pub fd: u32,
    /// The path as the kernel shows it, without ` (deleted)`.
    pub path: PathBuf,
    /// The device.
    pub dev: u64,
    /// The inode.
    pub ino: u64,
    /// Whether the descriptor can be written to.
    pub writable: bool,
    /// The number of names the file still has; 0 for a removed file.
    pub links: u64,
    /// The file type and mode bits of st_mode.
    pub mode: u32,
}

/// A file that is mapped into memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MappedFile {
    /// The path as the kernel shows it, without ` (deleted)`.
    pub path: PathBuf,
    /// The inode; the device in maps is that of the block device and differs from stat's on btrfs
    /// and overlayfs.
    pub ino: u64,
    /// Whether the file has no name any more.
    pub deleted: bool,
}

impl View {
    /// The living process of this number.
    ///
    /// # Errors
    /// NotFound when there is none.
    pub fn of(pid: i32) -> io::Result<View> {
        Identity::of(pid).map(|identity| View { identity })
    }

    /// The number.
    #[must_use]
    pub fn pid(&self) -> i32 {
        self.identity.pid
    }

    fn file(&self, name: &str) -> PathBuf {
        PathBuf::from(format!("/proc/{}/{name}", self.identity.pid))
    }

    /// The executable, identified by device and inode.
    ///
    /// # Errors
    /// PermissionDenied for another user's process; NotFound for a kernel thread.
    pub fn exe(&self) -> io::Result<Exe> {
        let link = self.file("exe");
        let (path, deleted) = undeleted(fs::read_link(&link)?);
        let meta = fs::metadata(&link)?;
        Ok(Exe {
            path,
            dev: meta.dev(),
            ino: meta.ino(),
            owner: meta.uid(),
            deleted: deleted && meta.nlink() == 0,
        })
    }

    /// The arguments as the process shows them now; a process can change them at will.
    ///
    /// # Errors
    /// NotFound when the process has ended.
    pub fn argv(&self) -> io::Result<Vec<OsString>> {
        arguments(self.identity.pid)
    }

    /// The working directory, in the process' own root.
    ///
    /// # Errors
    /// PermissionDenied for another user's process.
    pub fn cwd(&self) -> io::Result<PathBuf> {
        fs::read_link(self.file("cwd"))
    }

    /// Where `path`, as the process names it, is found from here: below /proc/PID/root.
    #[must_use]
    pub fn inside(&self, path: &Path) -> PathBuf {
        self.file("root")
            .join(path.strip_prefix("/").unwrap_or(path))
    }

    /// The users of the process.
    ///
    /// # Errors
    /// NotFound when the process has ended; InvalidData for a status file without `Uid:`.
    pub fn uids(&self) -> io::Result<Uids> {
        let status = fs::read(self.file("status"))?;
        let text = String::from_utf8_lossy(&status);
        let line = text.lines().find_map(|line| line.strip_prefix("Uid:"));
        let mut numbers = line
            .unwrap_or_default()
            .split_ascii_whitespace()
            .filter_map(|word| word.parse().ok());
        match (numbers.next(), numbers.next(), numbers.next()) {
            (Some(real), Some(effective), Some(saved)) => Ok(Uids {
                real,
                effective,
                saved,
            }),
            _ => Err(io::Error::new(
                io::ErrorKind::InvalidData,
                format!("{}: no line Uid:", self.file("status").display()),
            )),
        }
    }

    /// The file mode creation mask.
    ///
    /// # Errors
    /// NotFound when the process has ended; InvalidData for a status file without `Umask:`.
    pub fn umask(&self) -> io::Result<u32> {
        let status = fs::read(self.file("status"))?;
        let text = String::from_utf8_lossy(&status);
        let line = text.lines().find_map(|line| line.strip_prefix("Umask:"));
        line.and_then(|mask| u32::from_str_radix(mask.trim(), 8).ok())
            .ok_or_else(|| {
                io::Error::new(
                    io::ErrorKind::InvalidData,
                    format!("{}: no line Umask:", self.file("status").display()),
                )
            })
    }

    /// Whether the process shares this process' namespace; `None` where this user may not look.
    #[must_use]
    pub fn shares(&self, namespace: Namespace) -> Option<bool> {
        namespace.shared_with(self.identity.pid)
    }

    /// The control group: the path in the unified hierarchy, or in systemd's own hierarchy where
    /// there is no unified one (cgroups(7)).
    ///
    /// # Errors
    /// NotFound when the process has ended.
    pub fn cgroup(&self) -> io::Result<Option<PathBuf>> {
        let bytes = fs::read(self.file("cgroup"))?;
        let path = |prefix: &[u8]| {
            let mut lines = bytes.split(|byte| *byte == b'\n');
            lines.find_map(|line| {
                let rest = line.strip_prefix(prefix)?;
                Some(PathBuf::from(OsString::from_vec(rest.to_vec())))
            })
        };
        let named = || {
            let mut lines = bytes.split(|byte| *byte == b'\n');
            lines.find_map(|line| {
                let rest = line.splitn(2, |byte| *byte == b':').nth(1)?;
                let rest = rest.strip_prefix(b"name=systemd:")?;
                Some(PathBuf::from(OsString::from_vec(rest.to_vec())))
            })
        };
        Ok(path(b"0::")
            .filter(|path| path != Path::new("/"))
            .or_else(named)
            .or_else(|| path(b"0::")))
    }

    /// The systemd service that the process is in, by its control group.
    ///
    /// # Errors
    /// NotFound when the process has ended.
    pub fn unit(&self) -> io::Result<Option<String>> {
        let group = self.cgroup()?.unwrap_or_default();
        Ok(service_of(&group))
    }

    /// Device and inode of the process' root directory: another file system's are a container's.
    ///
    /// # Errors
    /// PermissionDenied for another user's process; NotFound when the process has ended.
    pub fn root(&self) -> io::Result<(u64, u64)> {
        fs::metadata(self.file("root")).map(|meta| (meta.dev(), meta.ino()))
    }

    /// The descriptors of the process.
    ///
    /// # Errors
    /// PermissionDenied for another user's process; NotFound when the process has ended.
    pub fn descriptors(&self) -> io::Result<Descriptors> {
        Descriptors::open(self.identity.pid)
    }

    /// The files that the process has open. Descriptors of sockets, pipes and anonymous inodes are
    /// left out; a descriptor that is closed meanwhile, too.
    ///
    /// # Errors
    /// PermissionDenied for another user's process.
    pub fn open_files(&self) -> io::Result<Vec<OpenFile>> {
        let descriptors = self.descriptors()?;
        let mut files = Vec::new();
        descriptors.each(&mut Vec::new(), |descriptor| {
            let Some(target) = descriptor.target().filter(|target| target.is_absolute()) else {
                return;
            };
            let Ok(stat) = descriptor.stat() else { return };
            files.push(OpenFile {
                fd: descriptor.fd,
                path: undeleted(target).0,
                dev: stat.st_dev,
                ino: stat.st_ino,
                writable: descriptor.writable,
                #[allow(clippy::useless_conversion, reason = "u32 on some architectures")]
                links: stat.st_nlink.into(),
                mode: stat.st_mode,
            });
        });
        Ok(files)
    }

    /// The files that are mapped into the process' memory, each once.
    ///
    /// # Errors
    /// PermissionDenied for another user's process.
    pub fn mapped_files(&self) -> io::Result<Vec<MappedFile>> {
        use std::io::Read;
        let mut bytes = Vec::new();
        fs::File::open(self.file("maps"))?
            .take(MAPS_LIMIT)
            .read_to_end(&mut bytes)?;
        let mut files: Vec<MappedFile> = Vec::new();
        for line in bytes.split(|byte| *byte == b'\n') {
            if let Some(file) = mapped(line) {
                if files.last() != Some(&file) && !files.contains(&file) {
                    files.push(file);
                }
            }
        }
        Ok(files)
    }
}

/// The innermost part of a control group's path that is a service.
fn service_of(group: &Path) -> Option<String> {
    let part = group
        .iter()
        .rfind(|part| part.as_bytes().ends_with(b".service"))?;
    Some(part.to_string_lossy().into_owned())
}

/// `7f00-7f10 r-xp 00000000 fd:01 77   /usr/lib/libpython3.11.so.1.0`.
fn mapped(line: &[u8]) -> Option<MappedFile> {
    let at = line.iter().position(|byte| *byte == b'/')?;
    let head = std::str::from_utf8(&line[..at]).ok()?;
    let ino = head.split_ascii_whitespace().nth(4)?.parse().ok()?;
    let (path, deleted) = undeleted(PathBuf::from(OsString::from_vec(line[at..].to_vec())));
    Some(MappedFile { path, ino, deleted })
}

/// The path without the kernel's ` (deleted)`, and whether the text was there. A file can be called
/// so: only a link count of 0 proves that it is gone.
fn undeleted(path: PathBuf) -> (PathBuf, bool) {
    match path.as_os_str().as_bytes().strip_suffix(b" (deleted)") {
        Some(rest) => (PathBuf::from(OsString::from_vec(rest.to_vec())), true),
        None => (path, false),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn me() -> View {
        View::of(i32::try_from(std::process::id()).unwrap()).unwrap()
    }

    #[test]
    fn this_process_is_what_std_says() {
        let me = me();
        let exe = me.exe().unwrap();
        assert_eq!(exe.path, std::env::current_exe().unwrap());
        assert_eq!(
            exe.ino,
            fs::metadata(std::env::current_exe().unwrap())
                .unwrap()
                .ino()
        );
        assert!(!exe.deleted);
        assert_eq!(me.cwd().unwrap(), std::env::current_dir().unwrap());
        assert_eq!(
            me.uids().unwrap().effective,
            rustix::process::geteuid().as_raw()
        );
        assert_eq!(me.shares(Namespace::Mount), Some(true));
        assert!(
            me.mapped_files()
                .unwrap()
                .iter()
                .any(|file| file.ino == exe.ino)
        );
        assert!(me.inside(Path::new("/proc/self")).exists());
    }

    #[test]
    fn a_removed_file_that_is_held_open_is_told_by_its_links() {
        use std::io::Write;
        let path = std::env::temp_dir().join(format!("proc-view-{} (deleted)", std::process::id()));
        let mut file = fs::File::create(&path).unwrap();
        file.write_all(b"x").unwrap();
        let ino = file.metadata().unwrap().ino();
        let find = || {
            me().open_files()
                .unwrap()
                .into_iter()
                .find(|file| file.ino == ino)
                .unwrap()
        };
        // The name ends in " (deleted)" by itself: the count of links is what proves it.
        assert_eq!((find().links, find().writable), (1, true));
        fs::remove_file(&path).unwrap();
        assert_eq!(find().links, 0);
    }

    #[test]
    fn the_unit_is_the_innermost_service() {
        let of = |path: &str| service_of(Path::new(path));
        assert_eq!(
            of("/system.slice/web.service"),
            Some("web.service".to_owned())
        );
        assert_eq!(
            of("/user.slice/user-0.slice/user@0.service/app.slice/web.service/worker"),
            Some("web.service".to_owned())
        );
        assert_eq!(of("/user.slice/user-0.slice/session-1.scope"), None);
    }

    #[test]
    fn the_root_is_this_systems() {
        let root = fs::metadata("/").unwrap();
        assert_eq!(me().root().unwrap(), (root.dev(), root.ino()));
    }

    #[test]
    fn lines_of_maps() {
        let file = mapped(b"7f00-7f10 r-xp 00000000 fd:01 77   /usr/lib/a b.so (deleted)").unwrap();
        assert_eq!(
            (file.path, file.ino, file.deleted),
            ("/usr/lib/a b.so".into(), 77, true)
        );
        assert_eq!(mapped(b"7f00-7f10 rw-p 00000000 00:00 0   [heap]"), None);
    }
}
