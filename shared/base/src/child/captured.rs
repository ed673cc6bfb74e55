//! A program whose output is wanted.

use super::identity::Detached;
use super::streams::{Input, Stream};
use super::{Ending, Identity, Kill, not_started, signal_group};
use crate::clock::Deadline;
use crate::error::{Error, Result};
use crate::signals::Watch;
use crate::trust::Trust;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::ffi::{OsStr, OsString};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How much of each stream is kept where nobody says otherwise: 64 KiB.
pub const CAP: usize = 64 << 10;

/// How long a group that was asked to end may take before it is killed.
const GRACE: Duration = Duration::from_millis(500);

/// How long a run may go on after it has ended a program at the deadline: to clear away what the
/// program left.
const WIND_UP: Duration = Duration::from_secs(5);

/// How long a stream is still read after the program has ended: a daemon it left behind may hold
/// the other end for ever.
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
    opened: Option<Arc<Trust>>,
    detached: Option<Detached>,
    memory: Option<u64>,
    mounts: Option<Arc<OwnedFd>>,
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

    /// The last line with something in it, of standard error or else of standard output: most
    /// programs' own summary.
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
            opened: None,
            detached: None,
            memory: None,
            mounts: None,
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

    /// Variables that [`Run::env`] can override, whichever was called first.
    #[must_use]
    pub fn default_env(mut self, variables: Vec<(OsString, OsString)>) -> Run {
        self.env.splice(0..0, variables);
        self
    }

    /// In this directory.
    #[must_use]
    pub fn dir(mut self, dir: impl AsRef<Path>) -> Run {
        self.dir = Some(dir.as_ref().to_path_buf());
        self
    }

    /// In this directory, where [`Run::dir`] gives none.
    #[must_use]
    pub fn default_dir(mut self, dir: impl AsRef<Path>) -> Run {
        self.dir.get_or_insert_with(|| dir.as_ref().to_path_buf());
        self
    }

    /// As this user, where that is not who we are: apart from everything of ours
    /// ([`Identity::isolate`]).
    #[must_use]
    pub fn user(mut self, user: Option<Identity>) -> Run {
        self.user = user;
        self
    }

    /// Hands these variables of ours on to another user's program; `PIP_*` means all that begin so.
    #[must_use]
    pub fn pass(mut self, names: &[&str]) -> Run {
        let wanted = |name: &OsStr| {
            let name = name.to_string_lossy();
            names.iter().any(|wanted| match wanted.strip_suffix('*') {
                Some(start) => name.starts_with(start),
                None => name == *wanted,
            })
        };
        let ours = std::env::vars_os().filter(|(name, _)| wanted(name));
        self.env.extend(ours);
        self
    }

    /// Executes this very file, whatever its path leads to by then. A script is executed by its
    /// path: its interpreter opens the path again, and who can exchange the script is who it is run
    /// as.
    #[must_use]
    pub fn opened(mut self, program: Trust) -> Run {
        self.opened = Some(Arc::new(program));
        self
    }

    /// With this on standard input; without, standard input is /dev/null.
    #[must_use]
    pub fn input(mut self, bytes: impl Into<Vec<u8>>) -> Run {
        self.input = bytes.into();
        self
    }

    /// It may take this many bytes of address space (RLIMIT_AS): for a program that reads what
    /// another user answers.
    #[must_use]
    pub fn memory(mut self, bytes: u64) -> Run {
        self.memory = Some(bytes);
        self
    }

    /// Among the mounts of this namespace (mount_namespaces(7)), which is entered before the user
    /// is taken on. For root.
    #[must_use]
    pub fn mounts(mut self, namespace: OwnedFd) -> Run {
        self.mounts = Some(Arc::new(namespace));
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

    /// As a daemon starts its jobs: in a session without a terminal, with this umask, both outputs
    /// in one pipe (which [`Finished::stdout`] holds), standard input a pipe even where it is
    /// empty, and followed until the pipe is closed by everything that the program started.
    #[must_use]
    pub fn as_job(mut self, umask: u32) -> Run {
        self.detached = Some(Detached { umask });
        self
    }

    fn command(&self) -> Result<Command> {
        let Some((program, args)) = self.argv.split_first() else {
            return Err(Error::usage("there is no program to run"));
        };
        let mut command = match self.opened.as_deref().filter(|opened| !is_script(opened)) {
            Some(opened) => {
                let fd = opened.as_fd().as_raw_fd();
                let mut command = Command::new(format!("/proc/self/fd/{fd}"));
                command.arg0(program);
                command
            }
            None => Command::new(program),
        };
        command
            .args(args)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command.stdin(if self.input.is_empty() && self.detached.is_none() {
            Stdio::null()
        } else {
            Stdio::piped()
        });
        let another = self.another();
        if let Some(namespace) = &self.mounts {
            let dir = self.dir.as_deref().filter(|_| another.is_none());
            super::identity::enter_mounts(&mut command, Arc::clone(namespace), dir)?;
        }
        match &another {
            Some(user) => user.isolate(&mut command, self.dir.as_deref())?,
            None => {
                if self.detached.is_none() {
                    command.process_group(0);
                }
                if let Some(dir) = self.dir.as_deref().filter(|_| self.mounts.is_none()) {
                    command.current_dir(dir);
                }
                super::identity::release_signals(&mut command);
            }
        }
        if let Some(detached) = self.detached {
            detached.prepare(&mut command, another.is_none());
        }
        if let Some(bytes) = self.memory {
            super::identity::bound_memory(&mut command, bytes);
        }
        if self.clear {
            command.env_clear();
        }
        command.envs(self.env.iter().map(|(k, v)| (k, v)));
        Ok(command)
    }

    /// The user, where that is not who we are: the one whose rights this thread has, else the one
    /// that was named.
    fn another(&self) -> Option<Identity> {
        Identity::assumed()
            .or_else(|| self.user.clone())
            .filter(|user| !user.is_current())
    }

    fn not_started(&self, program: &OsStr, error: &std::io::Error) -> Error {
        let dir = self.dir.as_deref();
        if let Some(error) = self
            .another()
            .and_then(|user| super::identity::before_exec(error, &user, dir))
        {
            return error;
        }
        match dir {
            Some(dir) if !dir.is_dir() => {
                Error::io(format!("cannot run in '{}'", dir.display()), error)
            }
            _ => not_started(program, error),
        }
    }

    /// Runs it to its end, or to the deadline.
    ///
    /// # Errors
    /// `Kind::CommandNotFound`, `Kind::CommandNotExecutable` where it could not be started;
    /// `Kind::Io`. A program that fails or is ended at the deadline is no error here: look at the
    /// [`Finished`].
    pub fn run(&self) -> Result<Finished> {
        let began = Instant::now();
        let program = self
            .argv
            .first()
            .map_or(OsStr::new(""), OsString::as_os_str);
        let mut child = super::spawn(&mut self.command()?, self.deadline)
            .map_err(|e| self.not_started(program, &e))?;
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
                ended = Some(match self.detached {
                    Some(_) => self.deadline,
                    None => Deadline::after(Some(LINGER)),
                });
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

fn is_script(program: &Trust) -> bool {
    let mut first = [0u8; 2];
    program
        .reopen(rustix::fs::OFlags::RDONLY)
        .is_ok_and(|fd| rustix::io::read(&fd, &mut first) == Ok(2) && &first == b"#!")
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
            crate::watchdog::winding_up(WIND_UP);
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
    fn another_user_gets_nothing_of_ours() {
        if !rustix::process::geteuid().is_root() {
            return;
        }
        let user = Identity::of_name("nobody").unwrap();
        let secret = std::fs::File::open("/etc/shadow").unwrap();
        // Above what std opens, without close-on-exec, as a shell leaves it.
        let kept = rustix::io::fcntl_dupfd_cloexec(&secret, 9).unwrap();
        rustix::io::fcntl_setfd(&kept, rustix::io::FdFlags::empty()).unwrap();
        let script = "id -u; id -G; umask; pwd; ls /proc/self/fd | wc -l; env | cut -d= -f1 | sort | tr '\\n' ' '; echo; \
                      ps -o pid=,sid=,tty= -p $$ | awk '{print ($1 == $2), $3}'";
        let done = Run::new("sh")
            .args(["-c", script])
            .env("GIVEN", "1")
            .user(Some(user.clone()))
            .run()
            .unwrap();
        let out = done.out();
        let lines: Vec<&str> = out.lines().collect();
        assert_eq!(lines[0], user.uid.to_string(), "{done:?}");
        assert_eq!(lines[1], user.gid.to_string());
        assert_eq!(&lines[2..4], ["0022", "/"]);
        // 0, 1, 2 and the one that ls itself opens.
        assert_eq!(lines[4], "4");
        let known = "GIVEN HOME LANG LANGUAGE LOGNAME PATH PWD TZ USER SHLVL OLDPWD _";
        let known: Vec<&str> = known.split(' ').collect();
        let mut variables = lines[5].split_whitespace();
        assert!(
            variables.all(|name| name.starts_with("LC_") || known.contains(&name)),
            "{lines:?}"
        );
        assert_eq!(lines[6], "1 ?");
    }

    #[test]
    fn another_user_enters_its_own_directory_only() {
        if !rustix::process::geteuid().is_root() {
            return;
        }
        let user = Identity::of_name("nobody").unwrap();
        let run = Run::new("true").user(Some(user));
        let error = run.dir("/root").run().unwrap_err();
        assert_eq!(
            error.message,
            "user 'nobody' cannot enter the directory '/root': Permission denied"
        );
    }

    #[test]
    fn the_opened_file_is_executed() {
        let dir = std::env::temp_dir().join(format!("opened-{}", std::process::id()));
        std::fs::create_dir(&dir).unwrap();
        let program = dir.join("program");
        std::fs::copy("/bin/echo", &program).unwrap();
        let opened = crate::trust::inspect(&program).unwrap();
        std::fs::remove_file(&program).unwrap();
        std::fs::copy("/bin/false", &program).unwrap();
        let run = Run::new(&program).arg("hi").opened(opened);
        assert_eq!(run.run().unwrap().out(), "hi\n");
        std::fs::remove_dir_all(&dir).unwrap();
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
