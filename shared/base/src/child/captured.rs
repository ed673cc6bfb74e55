//! A program whose output is wanted.

use super::streams::{Input, Stream};
use super::{Ending, Identity, Kill, not_started, signal_group};
use crate::clock::Deadline;
use crate::error::{Error, Result};
use crate::signals::Watch;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::ffi::{OsStr, OsString};
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How much of each stream is kept where nobody says otherwise: 64 KiB.
pub const CAP: usize = 64 << 10;

/// How long a group that was asked to end may take before it is killed.
const GRACE: Duration = Duration::from_millis(500);

/// How long a stream is still read after the program has ended: a daemon it left behind may hold the other end for ever.
const LINGER: Duration = Duration::from_millis(50);

/// A program to run.
#[derive(Clone, Debug)]
pub struct Run {
    argv: Vec<OsString>,
    env: Vec<(OsString, OsString)>,
    clear: bool,
    dir: Option<PathBuf>,
    user: Option<Identity>,
    input: Vec<u8>,
    cap: usize,
    deadline: Deadline,
    watch: Option<Arc<Watch>>,
}

/// A program that was run.
#[derive(Clone, Debug)]
pub struct Finished {
    /// How it ended.
    pub ending: Ending,
    /// The time was up: the whole group was ended.
    pub timed_out: bool,
    /// This process was asked to end meanwhile ([`Run::watch`]), and ended the group.
    pub interrupted: Option<nix::sys::signal::Signal>,
    /// What it said on standard output, up to the cap.
    pub stdout: Vec<u8>,
    /// What it said on standard error, up to the cap.
    pub stderr: Vec<u8>,
    /// It said more than was kept.
    pub truncated: bool,
    /// How long it took.
    pub elapsed: Duration,
}

impl Finished {
    /// It ended by itself, in time, with exit code 0.
    pub fn success(&self) -> bool {
        self.ending.success() && !self.timed_out && self.interrupted.is_none()
    }

    /// Standard output as text.
    pub fn out(&self) -> String {
        String::from_utf8_lossy(&self.stdout).into_owned()
    }

    /// Standard error as text.
    pub fn err(&self) -> String {
        String::from_utf8_lossy(&self.stderr).into_owned()
    }

    /// The last line with something in it, of standard error or else of standard output: most programs' own summary.
    pub fn last_words(&self) -> String {
        let last = |bytes: &[u8]| {
            String::from_utf8_lossy(bytes)
                .lines()
                .rev()
                .map(str::trim)
                .find(|l| !l.is_empty())
                .map(str::to_string)
        };
        last(&self.stderr)
            .or_else(|| last(&self.stdout))
            .unwrap_or_default()
    }
}

impl Run {
    /// This program, without arguments; a name without a slash is looked for on PATH.
    pub fn new(program: impl AsRef<OsStr>) -> Run {
        Run {
            argv: vec![program.as_ref().to_os_string()],
            env: Vec::new(),
            clear: false,
            dir: None,
            user: None,
            input: Vec::new(),
            cap: CAP,
            deadline: Deadline::NEVER,
            watch: None,
        }
    }

    /// A whole argument vector.
    pub fn argv<S: AsRef<OsStr>>(words: &[S]) -> Run {
        let mut run = Run::new("");
        run.argv = words.iter().map(|w| w.as_ref().to_os_string()).collect();
        run
    }

    /// One more argument.
    #[must_use]
    pub fn arg(mut self, word: impl AsRef<OsStr>) -> Run {
        self.argv.push(word.as_ref().to_os_string());
        self
    }

    /// More arguments.
    #[must_use]
    pub fn args<S: AsRef<OsStr>>(mut self, words: impl IntoIterator<Item = S>) -> Run {
        self.argv
            .extend(words.into_iter().map(|w| w.as_ref().to_os_string()));
        self
    }

    /// Nothing of this process's environment: only what [`Run::env`] adds.
    #[must_use]
    pub fn clean(mut self) -> Run {
        self.clear = true;
        self
    }

    /// One variable.
    #[must_use]
    pub fn env(mut self, key: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Run {
        self.env
            .push((key.as_ref().to_os_string(), value.as_ref().to_os_string()));
        self
    }

    /// In this directory.
    #[must_use]
    pub fn dir(mut self, dir: impl AsRef<Path>) -> Run {
        self.dir = Some(dir.as_ref().to_path_buf());
        self
    }

    /// As this user.
    #[must_use]
    pub fn user(mut self, user: Option<Identity>) -> Run {
        self.user = user;
        self
    }

    /// With this on standard input; without, standard input is /dev/null.
    #[must_use]
    pub fn input(mut self, bytes: impl Into<Vec<u8>>) -> Run {
        self.input = bytes.into();
        self
    }

    /// Keep this many bytes of each stream; the rest is read and dropped.
    #[must_use]
    pub fn cap(mut self, bytes: usize) -> Run {
        self.cap = bytes;
        self
    }

    /// End it, with all it started, at this time.
    #[must_use]
    pub fn deadline(mut self, deadline: Deadline) -> Run {
        self.deadline = deadline;
        self
    }

    /// As [`Run::deadline`], from now.
    #[must_use]
    pub fn timeout(self, after: Duration) -> Run {
        let deadline = self.deadline.or_after(after);
        self.deadline(deadline)
    }

    /// End it when this process is asked to end.
    #[must_use]
    pub fn watch(mut self, watch: Option<Arc<Watch>>) -> Run {
        self.watch = watch;
        self
    }

    fn command(&self) -> Result<Command> {
        let Some((program, args)) = self.argv.split_first() else {
            return Err(Error::usage("there is no program to run"));
        };
        let mut command = Command::new(program);
        command
            .args(args)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0);
        command.stdin(if self.input.is_empty() {
            Stdio::null()
        } else {
            Stdio::piped()
        });
        if self.clear {
            command.env_clear();
        }
        command.envs(self.env.iter().map(|(k, v)| (k, v)));
        if let Some(dir) = &self.dir {
            command.current_dir(dir);
        }
        if let Some(user) = &self.user {
            user.apply(&mut command);
        }
        super::identity::release_signals(&mut command);
        Ok(command)
    }

    /// Runs it to its end, or to the deadline.
    ///
    /// # Errors
    /// `Kind::CommandNotFound`, `Kind::CommandNotExecutable` where it could not be started; `Kind::Io`. A program that fails or is ended
    /// at the deadline is no error here: look at the [`Finished`].
    pub fn run(&self) -> Result<Finished> {
        let began = Instant::now();
        let program = self
            .argv
            .first()
            .map_or(OsStr::new(""), OsString::as_os_str);
        let mut child = self.command()?.spawn().map_err(|e| match &self.dir {
            Some(dir) if !dir.is_dir() => Error::io(format!("cannot run in {}", dir.display()), &e),
            _ => not_started(program, &e),
        })?;
        let broken = |e: std::io::Error| {
            Error::io(format!("cannot follow {}", program.to_string_lossy()), &e)
        };
        let mut streams = [
            Stream::of(child.stdout.take(), self.cap),
            Stream::of(child.stderr.take(), self.cap),
        ];
        let mut input = Input::of(child.stdin.take(), &self.input);
        let pidfd = pidfd(child.id())?;
        let mut stop = Stop {
            deadline: self.deadline,
            timed_out: false,
        };
        let mut ended: Option<Deadline> = None;
        let mut interrupted = None;
        loop {
            let open = streams.iter().any(|s| s.pipe.is_some());
            let until = match ended {
                Some(until) if !open || until.passed() => break,
                Some(until) => until,
                None => stop.deadline,
            };
            wait_for(
                &pidfd,
                ended.is_none(),
                &streams,
                input.as_ref(),
                self.watch.as_deref(),
                until,
            )
            .map_err(broken)?;
            streams.iter_mut().for_each(Stream::read);
            input = input.and_then(Input::write);
            if ended.is_none() && child.try_wait().map_err(broken)?.is_some() {
                ended = Some(Deadline::after(Some(LINGER)));
            }
            if let Some(signal) = self.watch.as_deref().and_then(Watch::next) {
                interrupted = Some(signal);
                stop.deadline = Deadline::after(Some(Duration::ZERO));
            }
            if ended.is_none() && stop.deadline.passed() {
                stop.end(child.id());
            }
        }
        if stop.timed_out {
            signal_group(child.id(), Kill::KILL);
        }
        let status = child.wait().map_err(broken)?;
        let [out, err] = streams;
        Ok(Finished {
            ending: Ending::of(status),
            timed_out: stop.timed_out && interrupted.is_none(),
            interrupted,
            truncated: out.truncated || err.truncated,
            stdout: out.kept,
            stderr: err.kept,
            elapsed: began.elapsed(),
        })
    }
}

/// TERM first, KILL after the grace.
struct Stop {
    deadline: Deadline,
    timed_out: bool,
}

impl Stop {
    fn end(&mut self, leader: u32) {
        if self.timed_out {
            signal_group(leader, Kill::KILL);
            self.deadline = Deadline::NEVER;
        } else {
            signal_group(leader, Kill::TERM);
            self.timed_out = true;
            self.deadline = Deadline::after(Some(GRACE));
        }
    }
}

/// A descriptor that becomes readable when the process ends.
pub(super) fn pidfd(pid: u32) -> Result<OwnedFd> {
    let pid = i32::try_from(pid)
        .ok()
        .and_then(rustix::process::Pid::from_raw);
    let pid = pid.ok_or_else(|| Error::failed("a process has no pid"))?;
    rustix::process::pidfd_open(pid, rustix::process::PidfdFlags::empty())
        .map_err(|e| Error::io("cannot watch a process", &e.into()))
}

fn wait_for(
    pidfd: &OwnedFd,
    alive: bool,
    streams: &[Stream],
    input: Option<&Input>,
    watch: Option<&Watch>,
    until: Deadline,
) -> std::io::Result<()> {
    let mut fds: Vec<PollFd<'_>> = Vec::with_capacity(5);
    if alive {
        fds.push(PollFd::new(pidfd, PollFlags::IN));
    }
    fds.extend(
        streams
            .iter()
            .filter_map(|s| s.pipe.as_ref())
            .map(|p| PollFd::new(p, PollFlags::IN)),
    );
    fds.extend(input.map(|i| PollFd::new(&i.pipe, PollFlags::OUT)));
    fds.extend(watch.map(|w| PollFd::new(w, PollFlags::IN)));
    poll_until(&mut fds, until)
}

/// Waits until one of them has something to say, or the time is up.
pub(super) fn poll_until(fds: &mut [PollFd<'_>], until: Deadline) -> std::io::Result<()> {
    let timeout = until.left().map(|left| {
        // A little late rather than a little early, which would spin.
        let left = left + Duration::from_micros(200);
        Timespec {
            tv_sec: i64::try_from(left.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: left.subsec_nanos().into(),
        }
    });
    match poll(fds, timeout.as_ref()) {
        Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
        Err(e) => Err(e.into()),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn output_is_kept_apart_and_capped() {
        let done = Run::new("sh")
            .args(["-c", "printf abc; printf def >&2; exit 3"])
            .run()
            .unwrap();
        assert_eq!(
            (done.out().as_str(), done.err().as_str(), done.ending),
            ("abc", "def", Ending::Exit(3))
        );
        let done = Run::new("sh")
            .args(["-c", "head -c 1000000 /dev/zero"])
            .cap(1000)
            .run()
            .unwrap();
        assert!(done.success() && done.truncated && done.stdout.len() == 1000);
    }

    #[test]
    fn the_deadline_ends_the_whole_group() {
        let done = Run::new("sh")
            .args(["-c", "trap '' TERM; sleep 30 & echo $!; wait"])
            .timeout(Duration::from_millis(100))
            .run()
            .unwrap();
        assert!(done.timed_out);
        let sleeper: u32 = done.out().trim().parse().unwrap();
        std::thread::sleep(Duration::from_millis(50));
        let state = std::fs::read_to_string(format!("/proc/{sleeper}/stat")).unwrap_or_default();
        assert!(state.is_empty() || state.contains(") Z "), "{state}");
    }

    #[test]
    fn a_daemon_that_keeps_the_pipe_is_not_waited_for() {
        let began = Instant::now();
        let done = Run::new("sh")
            .args(["-c", "sleep 5 & echo hi"])
            .run()
            .unwrap();
        assert_eq!(done.out(), "hi\n");
        assert!(began.elapsed() < Duration::from_secs(4));
    }

    #[test]
    fn input_reaches_it_and_a_missing_program_is_named() {
        let big = vec![b'x'; 300_000];
        let done = Run::new("wc").arg("-c").input(big).run().unwrap();
        assert_eq!(done.out().trim(), "300000");
        let error = Run::new("/no/such/program").run().unwrap_err();
        assert_eq!(error.kind, crate::Kind::CommandNotFound);
    }
}
