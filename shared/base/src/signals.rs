//! Signals, taken as events and never in a handler. The two places that need an unsafe call are
//! here, with their reasons.

use crate::error::{Error, Result};
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use std::os::fd::{AsFd, BorrowedFd};

/// Makes a write beyond the file size limit an error like others (EFBIG) where it would otherwise
/// end the process.
pub fn ignore_file_size_signal() {
    ignore(Signal::SIGXFSZ);
}

/// Keeps a lost terminal from ending work that has to be finished.
pub fn ignore_hangup() {
    ignore(Signal::SIGHUP);
}

#[allow(unsafe_code)]
fn ignore(signal: Signal) {
    // SAFETY: SIG_IGN installs no handler, so nothing can run at an unsafe moment.
    let _ = unsafe { nix::sys::signal::signal(signal, nix::sys::signal::SigHandler::SigIgn) };
}

/// The signals that ask a program to end.
pub const ENDING: [Signal; 4] = [
    Signal::SIGTERM,
    Signal::SIGINT,
    Signal::SIGHUP,
    Signal::SIGQUIT,
];

/// The ending signals, held back from now on and handed out one by one. [`crate::child`] gives
/// children a clean mask.
#[derive(Debug)]
pub struct Watch {
    fd: SignalFd,
}

impl Watch {
    /// Begins to hold them back. Call it before any thread is started: threads inherit the mask.
    ///
    /// # Errors
    /// `Kind::Io` where the kernel refuses a descriptor.
    pub fn begin() -> Result<Watch> {
        let set: SigSet = ENDING.into_iter().collect();
        set.thread_block()
            .map_err(|e| Error::io("cannot hold signals back", &e.into()))?;
        let fd = SignalFd::with_flags(&set, SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC)
            .map_err(|e| Error::io("cannot watch signals", &e.into()))?;
        crate::watchdog::heed(&fd);
        Ok(Watch { fd })
    }

    /// The next signal that came, if one did.
    pub fn next(&self) -> Option<Signal> {
        let info = self.fd.read_signal().ok()??;
        Signal::try_from(i32::try_from(info.ssi_signo).ok()?).ok()
    }
}

impl AsFd for Watch {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}
