//! Which namespaces a process lives in: namespaces(7). A container's processes and those of units
//! with PrivateTmp= see other files under the same names.

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt;

/// A kind of namespace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Namespace {
    /// File systems: mount_namespaces(7).
    Mount,
    /// Process numbers: pid_namespaces(7).
    Pid,
    /// Users: user_namespaces(7).
    User,
    /// Network devices and ports: network_namespaces(7).
    Network,
}

impl Namespace {
    const fn file(self) -> &'static str {
        match self {
            Namespace::Mount => "mnt",
            Namespace::Pid => "pid",
            Namespace::User => "user",
            Namespace::Network => "net",
        }
    }

    /// The inode that identifies the namespace of process `pid`.
    ///
    /// # Errors
    /// PermissionDenied for another user's process; NotFound when the process has ended.
    pub fn of(self, pid: i32) -> io::Result<u64> {
        std::fs::metadata(format!("/proc/{pid}/ns/{}", self.file())).map(|meta| meta.ino())
    }

    /// The namespace of a process, for setns(2).
    ///
    /// # Errors
    /// PermissionDenied for another user's process; NotFound when the process has ended.
    pub fn open(self, process: &crate::Identity) -> io::Result<OwnedFd> {
        let file = std::fs::File::open(format!("/proc/{}/ns/{}", process.pid, self.file()))?;
        // The number may have been given to another process by now.
        if process.lives() {
            Ok(file.into())
        } else {
            Err(io::ErrorKind::NotFound.into())
        }
    }

    /// Whether process `pid` shares this process' namespace; `None` where this user may not look.
    #[must_use]
    pub fn shared_with(self, pid: i32) -> Option<bool> {
        let ours = std::fs::metadata(format!("/proc/self/ns/{}", self.file()))
            .ok()?
            .ino();
        self.of(pid).ok().map(|theirs| theirs == ours)
    }
}
