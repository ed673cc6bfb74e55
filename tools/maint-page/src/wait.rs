//! Waiting for a start without polling.
//!
//! A timer on the wall clock that also fires when the clock is set, a watch on the directory
//! of the holds, and the ending signals: whichever comes first is looked at, and everything is
//! judged anew from the files. A clock that jumps, a hold that is taken back and a `tick` from
//! cron that comes first are all the same case.

use crate::change;
use crate::hold::{Hold, State};
use crate::layout::{self, Layout};
use crate::observe::{self, Opened};
use crate::settle::{Settled, Settling};
use base::signals::Watch;
use base::tool::Context;
use base::{Error, Result};
use jiff::Timestamp;
use nix::sys::signal::Signal;
use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::fs::inotify;
use rustix::time::{Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags};
use std::os::fd::OwnedFd;
use std::time::Duration;

/// How a wait ended.
#[derive(Debug)]
pub enum Waited {
    /// The page is up.
    Up(Box<Settled>),
    /// There was nothing to wait for.
    Nothing,
    /// What was waited for was taken back.
    Gone,
    /// The time given was up.
    Late,
    /// A signal asked us to end.
    Interrupted(Signal),
}

/// Waits until the page is up for `id`, or for whatever is announced.
pub fn until_up(
    layout: &Layout,
    id: Option<&str>,
    force: bool,
    context: &Context,
    watch: &Watch,
) -> Result<Waited> {
    let alarm = Alarm::new(layout)?;
    let mut waited = false;
    loop {
        let holds = observe::observe(layout, &Opened::new(layout)?)?.holds;
        let wanted: Vec<&Hold> = holds
            .iter()
            .filter(|hold| id.is_none_or(|id| hold.id == id))
            .collect();
        let now = Timestamp::now();
        let up = wanted.iter().any(|hold| hold.state(now).is_up());
        if up || wanted.iter().any(|hold| hold.is_due(now)) || context.dry_run {
            let settled = raise(layout, force, context)?;
            let of_ours = |hold: &&Hold| id.is_none_or(|id| hold.id == id);
            if context.dry_run
                || settled.error.is_some()
                || settled
                    .holds
                    .iter()
                    .filter(of_ours)
                    .any(|hold| hold.state(settled.now).is_up())
            {
                return Ok(if wanted.is_empty() {
                    Waited::Nothing
                } else {
                    Waited::Up(Box::new(settled))
                });
            }
            waited = true;
            continue;
        }
        if wanted
            .iter()
            .all(|hold| hold.state(now) != State::Announced)
        {
            return Ok(if waited {
                Waited::Gone
            } else {
                Waited::Nothing
            });
        }
        if context.deadline.passed() {
            return Ok(Waited::Late);
        }
        if holds.iter().any(|hold| hold.warn_from <= now) && !layout.notice_path().exists() {
            raise(layout, force, context)?;
        }
        alarm.sleep(change::next_event(&holds, now), context, watch)?;
        waited = true;
        if let Some(signal) = watch.next() {
            return Ok(Waited::Interrupted(signal));
        }
    }
}

/// What is due is done. Somebody else may be at it this moment: that is worth waiting for.
fn raise(layout: &Layout, force: bool, context: &Context) -> Result<Settled> {
    let lock_wait = context.lock_wait.max(Duration::from_secs(10));
    Settling {
        lock_wait,
        force,
        ..Settling::new(layout, context)
    }
    .run(|_, _, _| Ok(()))
}

struct Alarm {
    timer: OwnedFd,
    watcher: OwnedFd,
}

impl Alarm {
    fn new(layout: &Layout) -> Result<Alarm> {
        let named =
            |what: &str, e: rustix::io::Errno| Error::io(format!("cannot {what}"), &e.into());
        let flags = TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC;
        let timer = rustix::time::timerfd_create(TimerfdClockId::Realtime, flags)
            .map_err(|e| named("make a timer", e))?;
        let watcher = inotify::init(inotify::CreateFlags::NONBLOCK | inotify::CreateFlags::CLOEXEC)
            .map_err(|e| named("watch files", e))?;
        let holds = layout.dir().join(layout::HOLDS);
        let events = inotify::WatchFlags::MOVED_TO
            | inotify::WatchFlags::MOVED_FROM
            | inotify::WatchFlags::DELETE;
        match inotify::add_watch(&watcher, holds.as_path(), events) {
            Ok(_) | Err(rustix::io::Errno::NOENT) => Ok(Alarm { timer, watcher }),
            Err(e) => Err(named(&format!("watch {}", holds.display()), e)),
        }
    }

    /// Until `at`, a change of the clock or of the holds, a signal, or the end of the run.
    fn sleep(&self, at: Option<Timestamp>, context: &Context, watch: &Watch) -> Result<()> {
        let at = at.unwrap_or(Timestamp::MAX);
        let when = Timespec {
            tv_sec: at.as_second(),
            tv_nsec: at.subsec_nanosecond().into(),
        };
        let zero = Timespec {
            tv_sec: 0,
            tv_nsec: 0,
        };
        let flags = TimerfdTimerFlags::ABSTIME | TimerfdTimerFlags::CANCEL_ON_SET;
        // A clock that was set between this and the last look gives ECANCELED: look again.
        match rustix::time::timerfd_settime(
            &self.timer,
            flags,
            &Itimerspec {
                it_interval: zero,
                it_value: when,
            },
        ) {
            Ok(_) => {}
            Err(rustix::io::Errno::CANCELED) => return Ok(()),
            Err(e) => return Err(Error::io("cannot set the timer", &e.into())),
        }
        let left = context.deadline.left().map(|left| Timespec {
            tv_sec: i64::try_from(left.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: left.subsec_nanos().into(),
        });
        let mut fds = [
            PollFd::new(&self.timer, PollFlags::IN),
            PollFd::new(&self.watcher, PollFlags::IN),
            PollFd::new(watch, PollFlags::IN),
        ];
        match rustix::event::poll(&mut fds, left.as_ref()) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(e) => return Err(Error::io("cannot wait", &e.into())),
        }
        self.drain();
        Ok(())
    }

    fn drain(&self) {
        let mut buffer = [0u8; 4096];
        let _ = rustix::io::read(&self.timer, &mut buffer);
        while rustix::io::read(&self.watcher, &mut buffer).is_ok_and(|n| n > 0) {}
    }
}
