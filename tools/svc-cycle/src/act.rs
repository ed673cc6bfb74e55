//! The only side effects: stopping, starting and waiting, service by service, wave by wave.
//!
//! Services of one wave are worked on at once, each in a thread of its own, because stopping takes
//! as long as the slowest worker's last request.

mod start;
mod stop;

pub use start::{is_shortage, settled};
pub use stop::gone;

use std::sync::Mutex;

use base::clock::Deadline;

use crate::interrupt::Interrupt;
use crate::journal::Journal;
use crate::service::Service;
use crate::set::Set;
use crate::task::Task;

/// What a run acts with.
#[derive(Debug, Clone, Copy)]
pub struct Executor<'a> {
    /// The services.
    pub set: &'a Set,
    /// Signals that came.
    pub interrupt: &'a Interrupt,
    /// The end of the whole run; bringing back does not keep it.
    pub deadline: Deadline,
    /// A person watches.
    pub progress: bool,
    /// What is written down before a stop that its backend does not show.
    pub journal: Option<&'a Mutex<Journal>>,
    /// A service that its socket starts again right after its stop is as good as started: nothing
    /// runs in between.
    pub revival: bool,
}

impl Executor<'_> {
    fn say(&self, text: &str) {
        if self.progress {
            base::tool::say(&format!("{}\n", base::terminal::escape(text)));
        }
    }

    /// Works on the tasks of each wave at once, wave after wave; between waves `go_on` is asked.
    pub fn waves(
        &self,
        tasks: &mut [Task],
        backwards: bool,
        go_on: impl Fn(&[Task]) -> bool,
        work: impl Fn(&Self, &Service, &mut Task) + Sync,
    ) {
        let mut waves = self.set.waves.clone();
        if backwards {
            waves.reverse();
        }
        for wave in waves {
            if !go_on(tasks) {
                return;
            }
            self.at_once(tasks, |at| wave.contains(&at), &work);
        }
    }

    /// Works on the tasks at these places at once. Where the system has no thread left, this one
    /// does their work.
    pub fn at_once(
        &self,
        tasks: &mut [Task],
        here: impl Fn(usize) -> bool,
        work: &(impl Fn(&Self, &Service, &mut Task) + Sync),
    ) {
        let jobs: Vec<(usize, &mut Task)> = tasks
            .iter_mut()
            .enumerate()
            .rev()
            .filter(|(at, _)| here(*at))
            .collect();
        let more = jobs.len().saturating_sub(1);
        let queue = Mutex::new(jobs);
        let take = || match queue.lock() {
            Ok(mut jobs) => jobs.pop(),
            Err(poisoned) => poisoned.into_inner().pop(),
        };
        let drain = || {
            while let Some((at, task)) = take() {
                work(self, &self.set.services[at], task);
            }
        };
        std::thread::scope(|scope| {
            for _ in 0..more {
                let _ = std::thread::Builder::new().spawn_scoped(scope, drain);
            }
            drain();
        });
    }
}
