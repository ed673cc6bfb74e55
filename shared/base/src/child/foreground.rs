//! The COMMAND that a user put after `--`: as whoever called the tool, in a process group of its
//! own which is given the terminal, its output on our standard error, its last words kept, our
//! ending signals handed on to it.

use super::captured::{pidfd, poll_until};
use super::streams::nonblocking;
use super::{Ending, Identity, Kill, not_started, signal_group};
use crate::clock::Deadline;
use crate::error::{Error, Result};
use crate::exit::Exit;
use crate::signals::Watch;
use nix::sys::signal::Signal;
use rustix::event::{PollFd, PollFlags};
use std::ffi::OsString;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// How much of its last words is kept, in bytes.
const TAIL: usize = 4 << 10;

/// How long a run may go on after COMMAND was ended at the deadline: to put back what was changed
/// for COMMAND.
const WIND_UP: Duration = Duration::from_secs(60);

/// How long its streams are still read after it has ended.
const LINGER: Duration = Duration::from_millis(50);

/// A COMMAND to run.
pub struct Foreground<'a> {
    argv: &'a [OsString],
    deadline: Deadline,
    grace: Duration,
    patient: bool,
    started: Option<&'a dyn Fn(u32)>,
    user: Option<Identity>,
    dir: Option<PathBuf>,
    env: Vec<(OsString, OsString)>,
}

/// The result of COMMAND.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// How it ended.
    pub ending: Ending,
    /// The last 4 KiB of what it said, both streams as they came, without secrets.
    pub tail: String,
    /// The first signal that asked us to end meanwhile.
    pub interrupted: Option<Signal>,
    /// The time was up.
    pub timed_out: bool,
    /// How long it ran.
    pub elapsed: Duration,
}

impl Outcome {
    /// The exit code that its ending means for us: its own.
    pub fn exit(&self) -> Exit {
        Exit::Command(self.ending.shell_code())
    }
}

impl<'a> Foreground<'a> {
    /// This command.
    pub fn new(argv: &'a [OsString]) -> Foreground<'a> {
        Foreground {
            argv,
            deadline: Deadline::NEVER,
            grace: Duration::from_secs(10),
            patient: false,
            started: None,
            user: None,
            dir: None,
            env: Vec::new(),
        }
    }

    /// As this user, where that is not who we are: apart from everything of ours
    /// ([`Identity::isolate`]), without a terminal.
    #[must_use]
    pub fn user(mut self, user: Option<Identity>) -> Foreground<'a> {
        self.user = user;
        self
    }

    /// In this directory.
    #[must_use]
    pub fn dir(mut self, dir: impl Into<PathBuf>) -> Foreground<'a> {
        self.dir = Some(dir.into());
        self
    }

    /// With one more variable.
    #[must_use]
    pub fn env(mut self, key: impl Into<OsString>, value: impl Into<OsString>) -> Foreground<'a> {
        self.env.push((key.into(), value.into()));
        self
    }

    /// A signal is handed on, and then COMMAND has all the time it needs: it may be one that puts
    /// things right before it ends, such as a `svc-cycle cycle` that starts the services again.
    #[must_use]
    pub fn patient(mut self) -> Foreground<'a> {
        self.patient = true;
        self
    }

    /// End it at this time: TERM to its group, and KILL after the grace.
    #[must_use]
    pub fn deadline(mut self, deadline: Deadline) -> Foreground<'a> {
        self.deadline = deadline;
        self
    }

    /// How long the process group may take to end after an ending signal, before the group is
    /// killed (default: 10 s).
    #[must_use]
    pub fn grace(mut self, grace: Duration) -> Foreground<'a> {
        self.grace = grace;
        self
    }

    /// Gets the pid, which is the group's, too, as soon as COMMAND has started: a journal that has
    /// it can end COMMAND after us.
    #[must_use]
    pub fn started(mut self, started: &'a dyn Fn(u32)) -> Foreground<'a> {
        self.started = Some(started);
        self
    }

    /// Runs it. `watch` is whoever holds the ending signals back; each goes to COMMAND's group as
    /// it comes.
    ///
    /// # Errors
    /// `Kind::CommandNotFound` (exit 127), `Kind::CommandNotExecutable` (126); `Kind::Io`.
    pub fn run(&self, watch: &Watch) -> Result<Outcome> {
        let began = Instant::now();
        let (program, args) = self
            .argv
            .split_first()
            .ok_or_else(|| Error::usage("there is no command to run"))?;
        let (out, out_end) = pipe()?;
        let (err, err_end) = pipe()?;
        let watched = crate::terminal::watched(&[&out, &err]);
        let mut command = Command::new(program);
        command.args(args).stdout(out_end).stderr(err_end);
        self.place(&mut command)?;
        command.envs(watched);
        let mut child =
            super::spawn(&mut command, self.deadline).map_err(|e| self.not_started(program, &e))?;
        // Our own writing ends: the pipes end with COMMAND.
        drop(command);
        let leader = child.id();
        if let Some(started) = self.started {
            started(leader);
        }
        let terminal = match self.another() {
            Some(_) => None,
            None => Terminal::lend(leader),
        };
        let pidfd = pidfd(leader)?;
        let mut pipes = [Some(out), Some(err)];
        let mut seen = Outcome {
            ending: Ending::Exit(0),
            tail: String::new(),
            interrupted: None,
            timed_out: false,
            elapsed: Duration::ZERO,
        };
        let mut tail = Tail::default();
        let mut kill_at = Deadline::NEVER;
        let mut ended: Option<Deadline> = None;
        let status = loop {
            let until = match ended {
                Some(until) => until,
                None => sooner(self.deadline, kill_at, seen.timed_out),
            };
            let mut fds = vec![PollFd::new(watch, PollFlags::IN)];
            if ended.is_none() {
                fds.push(PollFd::new(&pidfd, PollFlags::IN));
            }
            fds.extend(
                pipes
                    .iter()
                    .flatten()
                    .map(|p| PollFd::new(p, PollFlags::IN)),
            );
            poll_until(&mut fds, until).map_err(|e| Error::io("cannot follow the command", &e))?;
            pipes.iter_mut().for_each(|pipe| tee(pipe, &mut tail));
            while let Some(signal) = watch.next() {
                seen.interrupted.get_or_insert(signal);
                hand_on(leader, signal);
                if !self.patient && kill_at.left().is_none() {
                    kill_at = Deadline::after(Some(self.grace));
                }
            }
            let open = pipes.iter().any(Option::is_some);
            match child
                .try_wait()
                .map_err(|e| Error::io("cannot follow the command", &e))?
            {
                Some(status) if !open || ended.is_some_and(Deadline::passed) => break status,
                Some(_) if ended.is_none() => ended = Some(Deadline::after(Some(LINGER))),
                Some(_) => {}
                None if kill_at.passed() => {
                    signal_group(leader, Kill::KILL);
                    kill_at = Deadline::after(Some(self.grace));
                }
                None if self.deadline.passed() && !seen.timed_out => {
                    seen.timed_out = true;
                    crate::watchdog::winding_up(self.grace + WIND_UP);
                    signal_group(leader, Kill::TERM);
                    kill_at = Deadline::after(Some(self.grace));
                }
                None => {}
            }
        };
        drop(terminal);
        seen.ending = Ending::of(status);
        seen.tail = tail.masked();
        seen.elapsed = began.elapsed();
        Ok(seen)
    }
}

impl Foreground<'_> {
    /// The user, where that is not who we are.
    fn another(&self) -> Option<&Identity> {
        self.user.as_ref().filter(|user| !user.is_current())
    }

    fn place(&self, command: &mut Command) -> Result<()> {
        match self.another() {
            Some(user) => {
                user.isolate(command, self.dir.as_deref())?;
                // Whoever can read a terminal can read what is typed there.
                if rustix::termios::isatty(rustix::stdio::stdin()) {
                    command.stdin(Stdio::null());
                }
            }
            None => {
                command.process_group(0);
                if let Some(dir) = &self.dir {
                    command.current_dir(dir);
                }
                super::identity::release_signals(command);
            }
        }
        command.envs(self.env.iter().map(|(name, value)| (name, value)));
        Ok(())
    }

    fn not_started(&self, program: &OsString, error: &std::io::Error) -> Error {
        self.another()
            .and_then(|user| super::identity::before_exec(error, user, self.dir.as_deref()))
            .unwrap_or_else(|| not_started(program, error))
    }
}

fn sooner(deadline: Deadline, kill_at: Deadline, timed_out: bool) -> Deadline {
    if timed_out {
        return kill_at;
    }
    match kill_at.left() {
        Some(left) => deadline.or_after(left),
        None => deadline,
    }
}

fn hand_on(leader: u32, signal: Signal) {
    let kill = match signal {
        Signal::SIGINT => Kill::INT,
        Signal::SIGHUP => Kill::HUP,
        Signal::SIGQUIT => Kill::QUIT,
        _ => Kill::TERM,
    };
    signal_group(leader, kill);
}

/// A pipe: the end that we read, and the end for COMMAND.
fn pipe() -> Result<(std::fs::File, OwnedFd)> {
    let (read, write) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)
        .map_err(|e| Error::io("cannot make a pipe", &e.into()))?;
    let file = std::fs::File::from(read);
    nonblocking(&file);
    Ok((file, write))
}

/// The last words, with some more before them: a secret that the cut went through would not be
/// known any more.
#[derive(Default)]
struct Tail {
    bytes: Vec<u8>,
    cut: bool,
}

impl Tail {
    fn take(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
        let over = self
            .bytes
            .len()
            .saturating_sub(TAIL + 1024 + crate::mask::longest());
        self.cut |= over > 0;
        self.bytes.drain(..over);
    }

    fn masked(&self) -> String {
        let text = crate::mask::text(&String::from_utf8_lossy(&self.bytes));
        // After the cut stands the rest of a line, or of a secret.
        let rest = match text.find('\n') {
            _ if !self.cut => 0,
            Some(at) => at + 1,
            None => crate::mask::longest(),
        };
        let mut start = rest.max(text.len().saturating_sub(TAIL)).min(text.len());
        while !text.is_char_boundary(start) {
            start += 1;
        }
        text[start..].to_owned()
    }
}

fn tee(pipe: &mut Option<std::fs::File>, tail: &mut Tail) {
    let mut buffer = [0u8; 16 << 10];
    for _ in 0..16 {
        let Some(file) = pipe else { return };
        match file.read(&mut buffer) {
            Ok(0) => *pipe = None,
            Ok(n) => {
                let _ = std::io::stderr().write_all(&buffer[..n]);
                tail.take(&buffer[..n]);
            }
            Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
            Err(e) if e.kind() == std::io::ErrorKind::WouldBlock => return,
            Err(_) => *pipe = None,
        }
    }
}

/// The terminal, lent to COMMAND's group as a shell does, so that it can ask for a password and
/// gets the Ctrl-C; taken back at the end.
struct Terminal {
    ours: rustix::process::Pid,
}

impl Terminal {
    fn lend(leader: u32) -> Option<Terminal> {
        // The terminal first: without one the group is not asked for, which in another process
        // namespace can be 0, an assertion's end.
        let held = rustix::termios::tcgetpgrp(rustix::stdio::stdin()).ok()?;
        let ours = rustix::process::getpgrp();
        if held != ours {
            return None;
        }
        let leader = i32::try_from(leader)
            .ok()
            .and_then(rustix::process::Pid::from_raw)?;
        give(leader).then_some(Terminal { ours })
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        give(self.ours);
    }
}

/// Changing the terminal's group from the background raises SIGTTOU unless it is blocked
/// (tcsetpgrp(3)).
fn give(group: rustix::process::Pid) -> bool {
    let blocked: nix::sys::signal::SigSet = [Signal::SIGTTOU].into_iter().collect();
    let before = blocked.thread_swap_mask(nix::sys::signal::SigmaskHow::SIG_BLOCK);
    let given = rustix::termios::tcsetpgrp(rustix::stdio::stdin(), group).is_ok();
    if let Ok(before) = before {
        let _ = before.thread_set_mask();
    }
    given
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cut_through_a_secret_shows_nothing_of_it() {
        crate::mask::register("tail-secret-0123456789");
        for shift in 0..60 {
            let mut tail = Tail::default();
            tail.take("é".repeat(shift).as_bytes());
            for _ in 0..400 {
                tail.take(b"tail-secret-0123456789 and some more words ");
            }
            let masked = tail.masked();
            assert!(
                masked.len() <= TAIL && masked.ends_with("*** and some more words "),
                "{masked}"
            );
            assert!(!masked.contains(['0', '9']), "{masked}");
        }
        let mut tail = Tail::default();
        tail.take("clé=valeur ‘foo=bar’\n".as_bytes());
        assert_eq!(tail.masked(), "clé=valeur ‘foo=bar’\n");
    }
}
