//! Every run ends. A thread watches the clock and the ending signals while the work may be stuck in
//! a system call that nothing interrupts: a file system that does not answer, a name server, a
//! device. At the end of `--timeout`, or when an ending signal stays unheeded, the watchdog reports
//! and ends the process. What must not stay as it is then is the guardian's work
//! ([`crate::guardian`]).

use crate::clock::Deadline;
use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How long after the deadline a run may still take to notice it and to report.
const GRACE: Duration = Duration::from_millis(800);

/// How long an ending signal may stay unheeded.
const UNHEEDED: Duration = Duration::from_secs(10);

/// What ends the process: it reports, and returns the exit status.
type End = Box<dyn FnOnce(Why) -> u8 + Send>;

/// Why the watchdog ends a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Why {
    /// The time was up.
    Deadline,
    /// An ending signal stayed unheeded.
    Signal,
}

struct State {
    /// When the process is ended.
    end: Option<Instant>,
    signals: Vec<OwnedFd>,
    wake: Option<OwnedFd>,
    act: Option<End>,
}

static STATE: Mutex<State> = Mutex::new(State {
    end: None,
    signals: Vec::new(),
    wake: None,
    act: None,
});

/// Whether somebody reports: the work, or the watchdog. Only one of them does.
static REPORTING: AtomicBool = AtomicBool::new(false);

fn state() -> MutexGuard<'static, State> {
    STATE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Begins to watch: `act` is what reports, should it come to that.
pub(crate) fn begin(deadline: Deadline, act: End) {
    let mut state = state();
    state.act = Some(act);
    state.end = deadline
        .left()
        .and_then(|left| Instant::now().checked_add(left)?.checked_add(GRACE));
    if state.end.is_some() {
        wake(&mut state);
    }
}

/// Allows the run this long from now, whatever its deadline: for what has to be put right before a
/// run may end, and has a bound of its own. Only the work itself can say so, hence it is not stuck.
pub fn winding_up(most: Duration) {
    let mut state = state();
    if let Some(end) = state.end {
        let later = Instant::now().checked_add(most).map_or(end, |l| l.max(end));
        state.end = Some(later);
        wake(&mut state);
    }
}

/// The work is done and reports now; false where the watchdog does so already.
pub(crate) fn reports() -> bool {
    !REPORTING.swap(true, Ordering::SeqCst)
}

/// Watches that these signals are read ([`crate::signals::Watch`]).
pub(crate) fn heed(signals: impl AsFd) {
    if let Ok(copy) = rustix::io::fcntl_dupfd_cloexec(signals, 3) {
        let mut state = state();
        state.signals.push(copy);
        wake(&mut state);
    }
}

/// Starts the thread, or tells it that something is new. Without a descriptor or a thread to spare
/// the kernel's alarm ends the run.
fn wake(state: &mut State) {
    if let Some(wake) = &state.wake {
        let _ = rustix::io::write(wake, &1u64.to_ne_bytes());
        return;
    }
    state.wake = start();
    // Rung off once a later call has started the thread.
    let end = state.end.filter(|_| state.wake.is_none());
    alarm(end.map(|end| end.saturating_duration_since(Instant::now())));
}

/// Starts the thread; what wakes the thread is returned.
fn start() -> Option<OwnedFd> {
    let fd = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK).ok()?;
    let own = rustix::io::fcntl_dupfd_cloexec(&fd, 3).ok()?;
    // The thread inherits this mask: no signal meant for the work is ever given to the thread.
    let all = nix::sys::signal::SigSet::all();
    let before = all
        .thread_swap_mask(nix::sys::signal::SigmaskHow::SIG_SETMASK)
        .ok()?;
    let started = std::thread::Builder::new()
        .name("watchdog".into())
        .stack_size(256 << 10)
        .spawn(move || watch(&own));
    let _ = before.thread_set_mask();
    started.is_ok().then_some(fd)
}

/// Ends the process after this long, with a message and exit status 75 and without a report; with
/// `None`, no longer.
#[allow(unsafe_code)]
fn alarm(after: Option<Duration>) {
    use nix::libc;
    use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction};
    let zero = libc::timeval {
        tv_sec: 0,
        tv_usec: 0,
    };
    let value = after.map_or(zero, |after| libc::timeval {
        tv_sec: i64::try_from(after.as_secs()).unwrap_or(i64::MAX),
        // Zero would mean never.
        tv_usec: i64::from(after.subsec_micros()).max(1),
    });
    let timer = libc::itimerval {
        it_interval: zero,
        it_value: value,
    };
    let handler = SigHandler::Handler(rings);
    let action = SigAction::new(handler, SaFlags::SA_RESTART, SigSet::empty());
    // SAFETY: the handler makes only async-signal-safe calls and allocates nothing; setitimer(2)
    // reads the struct, which outlives the call.
    unsafe {
        if after.is_some() && sigaction(Signal::SIGALRM, &action).is_err() {
            return;
        }
        libc::setitimer(libc::ITIMER_REAL, &timer, std::ptr::null_mut());
    }
}

extern "C" fn rings(_: nix::libc::c_int) {
    let words = b"the time was up, on a host without a thread or a descriptor to spare\n";
    let _ = rustix::io::write(rustix::stdio::stderr(), words);
    leave(75);
}

fn watch(wake: &OwnedFd) {
    let mut unheeded: Option<Instant> = None;
    loop {
        let (end, signals) = {
            let state = state();
            let copies: Vec<OwnedFd> = state
                .signals
                .iter()
                .filter_map(|fd| rustix::io::fcntl_dupfd_cloexec(fd, 3).ok())
                .collect();
            (state.end, copies)
        };
        let now = Instant::now();
        if end.is_some_and(|end| now >= end) {
            finish(Why::Deadline);
        }
        if unheeded.is_some_and(|since| now >= since + UNHEEDED && end.is_none_or(|e| now >= e)) {
            finish(Why::Signal);
        }
        let mut fds = vec![PollFd::new(wake, PollFlags::IN)];
        // While a signal waits to be read, its descriptor would make poll(2) return at once.
        let step = match unheeded {
            Some(_) => Some(Duration::from_millis(200)),
            None => {
                fds.extend(signals.iter().map(|fd| PollFd::new(fd, PollFlags::IN)));
                None
            }
        };
        let left = end.map(|end| end.saturating_duration_since(now));
        let timeout = match (left, step) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        };
        wait(&mut fds, timeout);
        let mut word = [0u8; 8];
        let _ = rustix::io::read(wake, &mut word);
        let waiting = signals.iter().any(|fd| {
            let mut one = [PollFd::new(fd, PollFlags::IN)];
            wait(&mut one, Some(Duration::ZERO));
            !one[0].revents().is_empty()
        });
        unheeded = match (waiting, unheeded) {
            (true, since) => since.or(Some(Instant::now())),
            (false, _) => None,
        };
    }
}

fn wait(fds: &mut [PollFd<'_>], timeout: Option<Duration>) {
    let timeout = timeout.map(|left| Timespec {
        tv_sec: i64::try_from(left.as_secs()).unwrap_or(i64::MAX),
        tv_nsec: left.subsec_nanos().into(),
    });
    if poll(fds, timeout.as_ref()).is_err() {
        std::thread::sleep(Duration::from_millis(1));
    }
}

fn finish(why: Why) {
    let act = state().act.take();
    let code = if reports() {
        let code = act.map_or(75, |act| bounded(move || act(why)));
        match why {
            Why::Deadline => code,
            Why::Signal => 128 + 15,
        }
    } else {
        // The work is reporting already, to somebody who does not read.
        std::thread::sleep(Duration::from_millis(150));
        3
    };
    leave(code);
}

/// The report's reader may be what hangs: a moment, and then the process ends without having been
/// read.
fn bounded(act: impl FnOnce() -> u8 + Send + 'static) -> u8 {
    let (sender, receiver) = std::sync::mpsc::channel();
    let started = std::thread::Builder::new()
        .stack_size(512 << 10)
        .spawn(move || sender.send(act()));
    match started {
        Ok(_) => receiver
            .recv_timeout(Duration::from_millis(150))
            .unwrap_or(75),
        Err(_) => 75,
    }
}

/// Ends the process as it stands: a thread that is stuck may hold what the C library's exit(3)
/// waits for.
#[allow(unsafe_code)]
fn leave(code: u8) -> ! {
    // SAFETY: _exit(2) returns to nobody and touches no memory.
    unsafe { nix::libc::_exit(code.into()) }
}
