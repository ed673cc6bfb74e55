//! One process, and the proof that it is still that one.
//!
//! A pid is reused; a pid with its start time, executable and owner is not. [`Identity`] is what
//! can be written down and compared later; [`Process`] is a pidfd taken together with an identity,
//! so that a signal or a wait cannot reach whatever got the number afterwards (pidfd_open(2): the
//! descriptor stays with the process).

use std::ffi::OsString;
use std::fs;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{CWD, Mode, OFlags};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use serde::{Deserialize, Serialize};

/// Which process it is: no two in one boot agree in all of this.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Identity {
    /// The number.
    pub pid: i32,
    /// Start time in clock ticks since boot: field 22 of `/proc/PID/stat`.
    pub start: u64,
    /// The executable, as `/proc/PID/exe` has it; None when this user may not read the link (kernel
    /// threads have none).
    pub exe: Option<PathBuf>,
    /// The effective user, as the owner of `/proc/PID`.
    pub uid: u32,
}

impl Identity {
    /// The process that has this number now.
    ///
    /// # Errors
    /// NotFound when no living process has it: a zombie is not living.
    pub fn of(pid: i32) -> io::Result<Self> {
        let stat = Stat::of(pid)?;
        if stat.is_dead() {
            return Err(io::Error::new(
                io::ErrorKind::NotFound,
                format!("process {pid} has ended"),
            ));
        }
        let uid = fs::metadata(format!("/proc/{pid}"))?.uid();
        Ok(Self {
            pid,
            start: stat.start,
            exe: executable(pid),
            uid,
        })
    }

    /// How long the process has been running; `None` where the clock or the kernel's tick is not
    /// known.
    #[must_use]
    pub fn age(&self) -> Option<Duration> {
        let ticks = nix::unistd::sysconf(nix::unistd::SysconfVar::CLK_TCK).ok()??;
        let ticks = u64::try_from(ticks).ok()?.max(1);
        let up = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
        let up = Duration::new(
            u64::try_from(up.tv_sec).ok()?,
            u32::try_from(up.tv_nsec).ok()?,
        );
        up.checked_sub(Duration::from_millis(self.start * 1000 / ticks))
    }

    /// Whether that very process still lives. An `exec` since then is the same process; only pid
    /// and start time count here.
    #[must_use]
    pub fn lives(&self) -> bool {
        match Stat::of(self.pid) {
            Ok(stat) => !stat.is_dead() && stat.start == self.start,
            // What cannot be looked at (no descriptor is left) is not gone for that.
            Err(error) => error.kind() != io::ErrorKind::NotFound,
        }
    }
}

/// A process held by its pidfd.
#[derive(Debug)]
pub struct Process {
    /// Who it was when the descriptor was taken.
    pub identity: Identity,
    fd: OwnedFd,
}

impl Process {
    /// Takes hold of the living process with this number.
    ///
    /// # Errors
    /// NotFound when there is none.
    pub fn open(pid: i32) -> io::Result<Self> {
        // 0 and the negative numbers mean groups and everybody to kill(2), and from_raw asserts
        // they do not come.
        let number = (pid > 0)
            .then(|| Pid::from_raw(pid))
            .flatten()
            .ok_or_else(|| {
                io::Error::new(io::ErrorKind::InvalidInput, format!("{pid} is not a pid"))
            })?;
        let fd = pidfd_open(number, PidfdFlags::empty()).map_err(gone)?;
        let process = Self {
            identity: Identity::of(pid)?,
            fd,
        };
        // Read while the descriptor shows the process alive, the identity is the descriptor's own.
        if process.ended()? {
            return Err(io::Error::new(
                io::ErrorKind::NotFound,
                format!("process {pid} has ended"),
            ));
        }
        Ok(process)
    }

    /// Takes hold of the process only if it still is the one written down.
    ///
    /// # Errors
    /// NotFound when that one has ended, whether or not its number was given to another.
    pub fn reopen(identity: &Identity) -> io::Result<Self> {
        let process = Self::open(identity.pid)?;
        if process.identity.start == identity.start {
            Ok(process)
        } else {
            Err(io::Error::new(
                io::ErrorKind::NotFound,
                format!("process {} is another one now", identity.pid),
            ))
        }
    }

    /// Sends a signal to this process and no other.
    ///
    /// # Errors
    /// NotFound when it has ended; PermissionDenied when it is another user's.
    pub fn signal(&self, signal: Signal) -> io::Result<()> {
        pidfd_send_signal(&self.fd, signal).map_err(gone)
    }

    /// Whether it has ended (a zombie has).
    ///
    /// # Errors
    /// Only what poll(2) says.
    pub fn ended(&self) -> io::Result<bool> {
        self.wait(Duration::ZERO)
    }

    /// Waits until it ends: true if it did within `timeout`. No polling: the kernel wakes us, so an
    /// exit is seen at once.
    ///
    /// # Errors
    /// Only what poll(2) says.
    pub fn wait(&self, timeout: Duration) -> io::Result<bool> {
        wait_any(&[self], timeout).map(|ended| !ended.is_empty())
    }

    /// The descriptor, for a poll of one's own: readable once the process has ended.
    #[must_use]
    pub fn fd(&self) -> &OwnedFd {
        &self.fd
    }
}

/// Waits until at least one of `processes` has ended, and says which (indices); empty when
/// `timeout` passed first.
///
/// # Errors
/// Only what poll(2) says.
pub fn wait_any(processes: &[&Process], timeout: Duration) -> io::Result<Vec<usize>> {
    let deadline = Instant::now() + timeout;
    let mut fds: Vec<PollFd<'_>> = processes
        .iter()
        .map(|process| PollFd::from_borrowed_fd(process.fd.as_fd(), PollFlags::IN))
        .collect();
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let left = Timespec {
            tv_sec: i64::try_from(left.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: left.subsec_nanos().into(),
        };
        match poll(&mut fds, Some(&left)) {
            Ok(_) => {
                return Ok(fds
                    .iter()
                    .enumerate()
                    .filter(|(_, fd)| !fd.revents().is_empty())
                    .map(|(at, _)| at)
                    .collect());
            }
            Err(rustix::io::Errno::INTR) => {}
            Err(errno) => return Err(errno.into()),
        }
    }
}

fn gone(errno: rustix::io::Errno) -> io::Error {
    if errno == rustix::io::Errno::SRCH {
        io::Error::new(io::ErrorKind::NotFound, "no such process")
    } else {
        errno.into()
    }
}

/// A small file of /proc, in as few calls as it takes: one call for the size would be wasted, since
/// /proc shows 0.
pub(crate) fn contents(path: &str) -> Result<Vec<u8>, rustix::io::Errno> {
    let flags = OFlags::RDONLY | OFlags::CLOEXEC;
    let fd = rustix::fs::openat(CWD, path, flags, Mode::empty())?;
    let mut bytes = Vec::with_capacity(4096);
    loop {
        let room = bytes.capacity() - bytes.len();
        let read = rustix::io::read(&fd, rustix::buffer::spare_capacity(&mut bytes))?;
        // A file of /proc gives all that it has, or as much as there is room for, or a page.
        if read == 0 || read < room && read % 4096 != 0 {
            return Ok(bytes);
        }
        bytes.reserve(4096);
    }
}

/// The environment a process was started with, as `/proc/PID/environ` has it (not what it changed
/// in itself later).
///
/// # Errors
/// PermissionDenied for another user's process; NotFound when it has ended.
pub fn environment(pid: i32) -> io::Result<Vec<(OsString, OsString)>> {
    let bytes = contents(&format!("/proc/{pid}/environ"))?;
    Ok(bytes
        .split(|byte| *byte == 0)
        .filter(|entry| !entry.is_empty())
        .map(|entry| {
            let at = entry
                .iter()
                .position(|byte| *byte == b'=')
                .unwrap_or(entry.len());
            let value = entry.get(at + 1..).unwrap_or_default();
            (
                OsString::from_vec(entry[..at].to_vec()),
                OsString::from_vec(value.to_vec()),
            )
        })
        .collect())
}

/// The executable of a process, without the kernel's ` (deleted)`; None when it may not be read.
#[must_use]
pub fn executable(pid: i32) -> Option<PathBuf> {
    let link = fs::read_link(format!("/proc/{pid}/exe")).ok()?;
    let bytes = link.into_os_string().into_vec();
    let bytes = bytes.strip_suffix(b" (deleted)").unwrap_or(&bytes).to_vec();
    Some(PathBuf::from(OsString::from_vec(bytes)))
}

/// Whether it lives in our process namespace: a container's processes are seen from outside, and
/// are the container's own. What may not be looked at counts as ours.
#[must_use]
pub fn is_of_this_machine(pid: i32) -> bool {
    let of = |pid: &str| fs::read_link(format!("/proc/{pid}/ns/pid")).ok();
    of(&pid.to_string()).is_none_or(|theirs| of("self").is_none_or(|ours| ours == theirs))
}

/// The command line of a process, argument by argument; empty for a zombie or a kernel thread.
///
/// # Errors
/// NotFound when it has ended.
pub fn arguments(pid: i32) -> io::Result<Vec<OsString>> {
    let bytes = contents(&format!("/proc/{pid}/cmdline"))?;
    let bytes = bytes.strip_suffix(b"\0").unwrap_or(&bytes);
    if bytes.is_empty() {
        return Ok(Vec::new());
    }
    Ok(bytes
        .split(|byte| *byte == 0)
        .map(|part| OsString::from_vec(part.to_vec()))
        .collect())
}

/// What of `/proc/PID/stat` matters here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stat {
    /// The number.
    pub pid: i32,
    /// The executable's short name, at most 15 bytes of it.
    pub comm: String,
    /// One letter: R, S, D, Z, T, X…
    pub state: char,
    /// The parent.
    pub parent: i32,
    /// The process group.
    pub group: i32,
    /// The session.
    pub session: i32,
    /// Clock ticks since boot.
    pub start: u64,
    /// The device number of the controlling terminal; 0 for none.
    pub terminal: u32,
    /// The kernel's flags of the process: `PF_*` in linux/sched.h.
    pub flags: u64,
}

/// Whether the kernel knows the process and refuses to signal it for this user; only asked where
/// `/proc` shows no such process.
fn is_hidden(pid: i32) -> bool {
    let number = (pid > 0).then(|| Pid::from_raw(pid)).flatten();
    number
        .is_some_and(|pid| rustix::process::test_kill_process(pid) == Err(rustix::io::Errno::PERM))
}

/// `PF_KTHREAD` of linux/sched.h.
const KERNEL_THREAD: u64 = 0x0020_0000;

impl Stat {
    /// Reads it for one process.
    ///
    /// # Errors
    /// NotFound when there is no such process; PermissionDenied when `/proc` hides the process from
    /// this user (hidepid=2); InvalidData when the line is not proc(5)'s.
    pub fn of(pid: i32) -> io::Result<Self> {
        // Reading it while the process goes is ESRCH, not ENOENT.
        let bytes = contents(&format!("/proc/{pid}/stat"))
            .map_err(gone)
            .map_err(|error| match error.kind() {
                io::ErrorKind::NotFound if is_hidden(pid) => io::Error::new(
                    io::ErrorKind::PermissionDenied,
                    format!("/proc hides process {pid} (hidepid)"),
                ),
                _ => error,
            })?;
        Self::parse(&bytes).ok_or_else(|| {
            io::Error::new(
                io::ErrorKind::InvalidData,
                format!("/proc/{pid}/stat: not understood"),
            )
        })
    }

    /// Ended, waiting only to be collected by its parent.
    #[must_use]
    pub fn is_dead(&self) -> bool {
        matches!(self.state, 'Z' | 'X' | 'x')
    }

    /// A thread of the kernel, which has no executable and no files.
    #[must_use]
    pub fn is_kernel_thread(&self) -> bool {
        self.flags & KERNEL_THREAD != 0
    }

    /// The name stands in parentheses and may hold any byte, parentheses too: the last `)` ends it.
    fn parse(bytes: &[u8]) -> Option<Self> {
        let open = bytes.iter().position(|byte| *byte == b'(')?;
        let close = bytes.iter().rposition(|byte| *byte == b')')?;
        let pid = std::str::from_utf8(bytes.get(..open)?)
            .ok()?
            .trim()
            .parse()
            .ok()?;
        let comm = String::from_utf8_lossy(bytes.get(open + 1..close)?).into_owned();
        let rest = std::str::from_utf8(bytes.get(close + 1..)?).ok()?;
        let fields: Vec<&str> = rest.split_ascii_whitespace().collect();
        Some(Self {
            pid,
            comm,
            state: fields.first()?.chars().next()?,
            parent: fields.get(1)?.parse().ok()?,
            group: fields.get(2)?.parse().ok()?,
            session: fields.get(3)?.parse().ok()?,
            start: fields.get(19)?.parse().ok()?,
            // A signed number in proc(5).
            terminal: fields.get(4)?.parse::<i32>().ok()? as u32,
            flags: fields.get(6)?.parse().ok()?,
        })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;
    use std::process::Command;

    #[test]
    fn a_name_with_parentheses_is_read_whole() {
        let line = b"42 (a) b (c) S 1 42 40 0 -1 4194560 0 0 0 0 0 0 0 0 20 0 1 0 98765 0 0";
        let stat = Stat::parse(line).unwrap();
        assert_eq!(
            (stat.pid, stat.comm.as_str(), stat.state),
            (42, "a) b (c", 'S')
        );
        assert_eq!(
            (stat.parent, stat.group, stat.session, stat.start),
            (1, 42, 40, 98765)
        );
        assert!(!stat.is_kernel_thread());
        let thread = b"2 (kthreadd) S 0 0 0 0 -1 2129984 0 0 0 0 0 0 0 0 20 0 1 0 9 0 0";
        assert!(Stat::parse(thread).unwrap().is_kernel_thread());
        assert_eq!(Stat::parse(b"42 (x"), None);
        assert_eq!(Stat::parse(b""), None);
    }

    #[test]
    fn an_exit_is_seen_and_the_number_alone_proves_nothing() {
        let mut child = Command::new("/bin/sleep").arg("60").spawn().unwrap();
        let pid = i32::try_from(child.id()).unwrap();
        let process = Process::open(pid).unwrap();
        assert!(!process.ended().unwrap());
        assert!(process.identity.age().unwrap() < Duration::from_secs(60));
        let mut reused = process.identity.clone();
        reused.start += 1;
        assert!(!reused.lives());
        assert_eq!(
            Process::reopen(&reused).unwrap_err().kind(),
            io::ErrorKind::NotFound
        );
        process.signal(Signal::TERM).unwrap();
        assert!(process.wait(Duration::from_secs(5)).unwrap());
        // Not yet collected: a zombie does not live.
        assert!(!process.identity.lives());
        child.wait().unwrap();
        assert_eq!(
            process.signal(Signal::TERM).unwrap_err().kind(),
            io::ErrorKind::NotFound
        );
    }

    #[test]
    fn the_running_environment_is_read_not_ours() {
        let mut child = Command::new("/bin/sleep")
            .arg("60")
            .env_clear()
            .env("PRODUCTION", "")
            .spawn()
            .unwrap();
        let pid = i32::try_from(child.id()).unwrap();
        // Until exec is through, the child shows our environment, and then for a moment an empty
        // one.
        while arguments(pid).unwrap() != ["/bin/sleep", "60"] {
            std::thread::yield_now();
        }
        assert_eq!(
            environment(pid).unwrap(),
            [("PRODUCTION".into(), "".into())]
        );
        assert_eq!(arguments(pid).unwrap(), ["/bin/sleep", "60"]);
        child.kill().unwrap();
        child.wait().unwrap();
    }

    #[test]
    fn numbers_that_mean_many_are_refused() {
        assert!(Process::open(0).is_err());
        assert!(Process::open(-1).is_err());
    }
}
