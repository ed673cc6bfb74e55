//! Ansible takes exactly one JSON object from a module, whatever happens to it. So a tool that is
//! run as one is run twice: the outer process only waits, hands signals on, and prints what the
//! inner one reported; where that was killed before it could report, the outer says so in its
//! place.

use crate::child::Ending;
use crate::cli::CommandLine;
use crate::clock::Deadline;
use crate::envelope::refusal;
use crate::error::{Error, Result};
use crate::exit::Exit;
use crate::signals::Watch;
use rustix::event::{PollFd, PollFlags, poll};
use std::ffi::OsString;
use std::io::Read;
use std::process::{Command, Stdio};

/// Marks the inner process.
const INNER: &str = "RUNBOOK_TOOLS_MODULE";

/// Whether this process is the outer one: run as a module, and not yet by itself.
pub fn is_outer(args: &[OsString]) -> bool {
    asked(args) && std::env::var_os(INNER).is_none()
}

/// Whether the options come from Ansible.
pub fn asked(args: &[OsString]) -> bool {
    args.iter()
        .take_while(|a| *a != "--")
        .any(|a| a.as_encoded_bytes().starts_with(b"--ansible-args"))
}

/// Runs the inner process and prints its object, or one of our own.
pub fn outer(line: &'static CommandLine, args: &[OsString]) -> Exit {
    let (object, exit) = match run(args) {
        Ok((object, ending)) if is_object(&object) => (object, Exit::Command(ending.shell_code())),
        Ok((_, ending)) => {
            let error = Error::failed(format!("{} gave no report: {ending}", line.name))
                .hint("run the module again: it continues the interrupted run");
            let exit = Exit::Command(ending.shell_code().max(1));
            (refusal(line, &error, exit), exit)
        }
        Err(error) => (refusal(line, &error, error.exit()), error.exit()),
    };
    match crate::out::emit(&object) {
        Ok(()) => exit,
        Err(_) => Exit::Failed,
    }
}

fn is_object(text: &[u8]) -> bool {
    matches!(
        serde_json::from_slice(text),
        Ok(serde_json::Value::Object(_))
    )
}

fn run(args: &[OsString]) -> Result<(Vec<u8>, Ending)> {
    let io = |e: std::io::Error| Error::io("cannot run the tool as a module", &e);
    // Ansible runs modules on a terminal of its own and reads what comes out of it as one stream:
    // whatever stood on standard error would stand in front of the object. The inner process is
    // started before signals are held back here: it is to have the mask that we were given.
    let mut command = Command::new("/proc/self/exe");
    command
        .args(args)
        .env(INNER, "1")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    let mut child = crate::child::spawn(&mut command, Deadline::NEVER).map_err(io)?;
    let watch = Watch::begin()?;
    let mut pipe = child
        .stdout
        .take()
        .ok_or_else(|| Error::failed("the inner process has no pipe"))?;
    let mut object = Vec::new();
    let mut buffer = [0u8; 16 << 10];
    loop {
        let mut fds = [
            PollFd::new(&watch, PollFlags::IN),
            PollFd::new(&pipe, PollFlags::IN),
        ];
        match poll(&mut fds, None) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(e) => return Err(io(e.into())),
        }
        let readable = !fds[1].revents().is_empty();
        while let Some(signal) = watch.next() {
            if let Ok(pid) = i32::try_from(child.id()) {
                let _ = nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), signal);
            }
        }
        if readable {
            match pipe.read(&mut buffer).map_err(io)? {
                0 => break,
                n => object.extend_from_slice(&buffer[..n]),
            }
        }
    }
    child
        .wait()
        .map(|status| (object, Ending::of(status)))
        .map_err(io)
}
