//! Threads that help. std's own spawn panics where the system has no thread to spare (`ulimit -u`,
//! `-v`, a control group's limit); a tool then does the work itself, later and not less.

use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{Builder, Scope, ScopedJoinHandle};

/// Work that a thread does, or that was done at once.
#[derive(Debug)]
pub enum Helper<'scope, T> {
    /// The thread; `None` where the work was not there any more.
    Thread(ScopedJoinHandle<'scope, Option<T>>),
    /// What the work came to: there was no thread for it.
    Done(Option<T>),
}

impl<T> Helper<'_, T> {
    /// What the work came to; `None` where it panicked.
    pub fn join(self) -> Option<T> {
        match self {
            Helper::Thread(thread) => thread.join().ok().flatten(),
            Helper::Done(done) => done,
        }
    }
}

/// Does the work in a thread of its own; in this thread where the system starts no other.
pub fn help<'scope, T, F>(scope: &'scope Scope<'scope, '_>, work: F) -> Helper<'scope, T>
where
    F: FnOnce() -> T + Send + 'scope,
    T: Send + 'scope,
{
    // Where no thread is started, std drops the closure: the work lies where both can reach it.
    let shared = Arc::new(Mutex::new(Some(work)));
    let own = Arc::clone(&shared);
    match Builder::new().spawn_scoped(scope, move || take(&own).map(|work| work())) {
        Ok(thread) => Helper::Thread(thread),
        Err(_) => Helper::Done(take(&shared).map(|work| work())),
    }
}

fn take<F>(from: &Mutex<Option<F>>) -> Option<F> {
    from.lock().unwrap_or_else(PoisonError::into_inner).take()
}

#[cfg(test)]
mod tests {
    use super::help;

    #[test]
    fn the_work_is_done_and_a_panic_is_nobodys_but_its_own() {
        let sum = std::thread::scope(|scope| {
            let helpers: Vec<_> = (1..=4).map(|n| help(scope, move || n * 10)).collect();
            helpers
                .into_iter()
                .filter_map(super::Helper::join)
                .sum::<i32>()
        });
        assert_eq!(sum, 100);
        let broken = std::thread::scope(|scope| {
            let work = || -> i32 { std::panic::resume_unwind(Box::new("broken")) };
            help(scope, work).join()
        });
        assert_eq!(broken, None);
    }
}
