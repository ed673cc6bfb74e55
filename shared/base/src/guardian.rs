//! What must not stay (a superuser, stopped services, a page) has a guardian: the same program once
//! more, in a session of its own, that waits at the end of a pipe. The pipe's other end closes when
//! the tool ends, however it ends, SIGKILL included; unless the tool said before that all is done,
//! the guardian then does it.

use crate::clock::Deadline;
use crate::error::{Error, Result};
use crate::exit::Exit;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::process::{Pid, Signal};
use std::ffi::OsString;
use std::io::{Read, Write};
use std::process::{Child, ChildStdin, Command, Stdio};

const WORD: &str = "--guardian";
const DISARM: u8 = b'.';
const LEAVE: u8 = b'l';

/// The guardian's other end.
#[derive(Debug)]
pub struct Guardian {
    child: Child,
    pipe: Option<ChildStdin>,
}

/// Starts one: `kind` and `payload` are what [`crate::tool::Tool::guardian`] will be called with.
/// It is ready when this returns.
///
/// # Errors
/// `Kind::Io` where the process cannot be started or does not answer: then nothing may be begun
/// that needs it.
pub fn start(kind: &str, payload: &[u8]) -> Result<Guardian> {
    let io = |e: &std::io::Error| Error::io("cannot start the guardian process", e);
    let mut command = Command::new("/proc/self/exe");
    // ps(1) shows who it is, not how it was found.
    if let Some(own) = std::env::args_os().next() {
        std::os::unix::process::CommandExt::arg0(&mut command, own);
    }
    command
        .arg(WORD)
        .arg(kind)
        .current_dir("/")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped());
    let mut child = crate::child::spawn(&mut command, Deadline::NEVER).map_err(|e| io(&e))?;
    let mut pipe = child
        .stdin
        .take()
        .ok_or_else(|| Error::failed("the guardian has no pipe"))?;
    let send = |pipe: &mut ChildStdin| -> std::io::Result<()> {
        pipe.write_all(&(payload.len() as u64).to_le_bytes())?;
        pipe.write_all(payload)?;
        pipe.flush()
    };
    send(&mut pipe).map_err(|e| io(&e))?;
    let mut ready = [0u8];
    let mut answers = child
        .stdout
        .take()
        .ok_or_else(|| Error::failed("the guardian has no standard output"))?;
    answers.read_exact(&mut ready).map_err(|e| io(&e))?;
    Ok(Guardian {
        child,
        pipe: Some(pipe),
    })
}

impl Guardian {
    /// The guardian's process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Everything is as it should be: the guardian may go, and does nothing.
    pub fn disarm(mut self) {
        if let Some(mut pipe) = self.pipe.take() {
            let _ = pipe.write_all(&[DISARM]);
        }
        let _ = self.child.wait();
    }

    /// The guardian is to do its work once this process has ended; nobody waits for it, and it lets
    /// go of standard error, on which cron and ssh would wait.
    pub fn leave(mut self) {
        if let Some(mut pipe) = self.pipe.take() {
            let _ = pipe.write_all(&[LEAVE]);
        }
    }

    /// The guardian is to do its work now; true if it said that it succeeded.
    pub fn release(mut self) -> bool {
        drop(self.pipe.take());
        self.child.wait().is_ok_and(|status| status.success())
    }
}

/// Whether these arguments mean that this process is a guardian, and of which kind.
pub fn asked(args: &[OsString]) -> Option<String> {
    match args {
        [word, kind] if word == WORD => kind.to_str().map(str::to_string),
        _ => None,
    }
}

/// The kernel calls a program that was executed through /proc/self/exe "exe".
fn name_ourselves() {
    let own = std::env::args_os().next().map(std::path::PathBuf::from);
    let name = own.as_deref().and_then(std::path::Path::file_name);
    if let Some(name) = name.and_then(|name| std::ffi::CString::new(name.as_encoded_bytes()).ok()) {
        let _ = nix::sys::prctl::set_name(&name);
    }
}

/// How often the guardian looks whether the tool was stopped.
const LOOK: Timespec = Timespec {
    tv_sec: 2,
    tv_nsec: 0,
};

/// How many looks in a row find the tool stopped before the tool is continued.
const LOOKS: u32 = 5;

/// What the tool says before it ends. A tool that is stopped (SIGSTOP, Ctrl-Z) would leave
/// everything as it is for as long: after ten seconds the guardian continues the tool, whose own
/// deadlines hold again then.
fn last_words(pipe: &mut std::io::Stdin) -> Vec<u8> {
    let tool = rustix::process::getppid();
    let mut said = Vec::new();
    let mut stopped = 0;
    loop {
        let mut fds = [PollFd::new(&*pipe, PollFlags::IN)];
        match poll(&mut fds, Some(&LOOK)) {
            Err(Errno::INTR) => continue,
            Ok(0) => {
                stopped = if tool.is_some_and(is_stopped) {
                    stopped + 1
                } else {
                    0
                };
                if let Some(tool) = tool.filter(|_| stopped >= LOOKS) {
                    // As long as the pipe is open, the tool is our parent, and no other process has
                    // the number.
                    if rustix::process::getppid() == Some(tool) {
                        let _ = rustix::process::kill_process(tool, Signal::CONT);
                    }
                    stopped = 0;
                }
            }
            _ => {
                let mut part = [0u8; 16];
                match pipe.read(&mut part) {
                    Ok(0) => return said,
                    Ok(read) => said.extend_from_slice(&part[..read]),
                    Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
                    Err(_) => return said,
                }
            }
        }
    }
}

/// Whether the process is stopped by a signal.
fn is_stopped(pid: Pid) -> bool {
    let stat = std::fs::read(format!("/proc/{}/stat", pid.as_raw_nonzero())).unwrap_or_default();
    let after = stat.iter().rposition(|byte| *byte == b')').unwrap_or(0);
    stat.get(after + 2) == Some(&b'T')
}

/// A guardian's whole life.
pub fn serve(kind: &str, act: fn(&str, &[u8]) -> Exit) -> Exit {
    let _ = nix::unistd::setsid();
    name_ourselves();
    let Ok(_held) = crate::signals::Watch::begin() else {
        return Exit::Failed;
    };
    let mut pipe = std::io::stdin();
    let mut len = [0u8; 8];
    if pipe.read_exact(&mut len).is_err() {
        return Exit::Usage;
    }
    let mut payload = Vec::new();
    let wanted = u64::from_le_bytes(len);
    if wanted > 1 << 24
        || pipe
            .by_ref()
            .take(wanted)
            .read_to_end(&mut payload)
            .is_err()
        || payload.len() as u64 != wanted
    {
        return Exit::Usage;
    }
    if rustix::io::write(rustix::stdio::stdout(), b"r").is_err() {
        return Exit::Failed;
    }
    let said = last_words(&mut pipe);
    if said.first() == Some(&DISARM) {
        return Exit::Ok;
    }
    if said.first() == Some(&LEAVE) {
        if let Ok(nowhere) = std::fs::File::options().write(true).open("/dev/null") {
            let _ = rustix::stdio::dup2_stderr(&nowhere);
        }
    }
    act(kind, &payload)
}
