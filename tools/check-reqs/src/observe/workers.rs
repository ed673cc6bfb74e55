//! The threads that look. They are not waited for: one that hangs in a system call ends with the
//! process.

use crate::finding::Finding;
use crate::request::Manner;
use crate::requirement::Requirement;
use crate::scene::Scene;
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// What a worker tells.
pub enum Event {
    /// It begins to look at a requirement, and has this much time.
    Started(usize, Instant, Duration),
    /// It has looked.
    Done(usize, Box<Finding>, Duration),
}

/// What is ready to be looked at.
#[derive(Default)]
struct Queue {
    ready: VecDeque<usize>,
    closed: bool,
}

struct Shared {
    queue: Mutex<Queue>,
    filled: Condvar,
    requirements: Arc<Vec<Requirement>>,
    scene: Arc<Scene>,
    manner: Manner,
}

/// All workers of one pass.
pub struct Workers {
    shared: Arc<Shared>,
    sender: Sender<Event>,
    receiver: Receiver<Event>,
    /// Whether at least one thread was started.
    any: bool,
}

impl Workers {
    /// None yet.
    pub fn new(requirements: Arc<Vec<Requirement>>, scene: Arc<Scene>, manner: Manner) -> Workers {
        let (sender, receiver) = channel();
        let shared = Shared {
            queue: Mutex::default(),
            filled: Condvar::new(),
            requirements,
            scene,
            manner,
        };
        Workers {
            shared: Arc::new(shared),
            sender,
            receiver,
            any: false,
        }
    }

    /// Starts some more.
    pub fn start(&mut self, count: usize) {
        for _ in 0..count {
            let (shared, sender) = (Arc::clone(&self.shared), self.sender.clone());
            // Where no more threads can be had, those that are there do the work.
            match std::thread::Builder::new()
                .name("look".into())
                .spawn(move || while work(&shared, &sender, next(&shared)) {})
            {
                Ok(_) => self.any = true,
                Err(_) => break,
            }
        }
    }

    /// One more is ready.
    pub fn push(&mut self, i: usize) {
        self.shared
            .queue
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .ready
            .push_back(i);
        self.shared.filled.notify_one();
    }

    /// The next event. Where the system has no thread to spare at all, this thread looks.
    pub fn event(&self, patience: Duration) -> Result<Event, RecvTimeoutError> {
        if !self.any {
            let first = self
                .shared
                .queue
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .ready
                .pop_front();
            work(&self.shared, &self.sender, first);
        }
        self.receiver.recv_timeout(patience)
    }
}

impl Drop for Workers {
    fn drop(&mut self) {
        self.shared
            .queue
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .closed = true;
        self.shared.filled.notify_all();
    }
}

fn next(shared: &Shared) -> Option<usize> {
    let mut queue = shared.queue.lock().unwrap_or_else(PoisonError::into_inner);
    loop {
        if queue.closed {
            return None;
        }
        if let Some(i) = queue.ready.pop_front() {
            return Some(i);
        }
        queue = shared
            .filled
            .wait(queue)
            .unwrap_or_else(PoisonError::into_inner);
    }
}

/// Looks at one requirement; false where there is none, or nobody waits for the finding.
fn work(shared: &Shared, sender: &Sender<Event>, next: Option<usize>) -> bool {
    let Some(i) = next else {
        return false;
    };
    let requirement = &shared.requirements[i];
    let each = requirement
        .timeout
        .or(shared.manner.each)
        .unwrap_or_else(|| requirement.check.patience());
    let (began, deadline) = (Instant::now(), shared.manner.deadline.or_after(each));
    if sender
        .send(Event::Started(i, began, deadline.slice(each)))
        .is_err()
    {
        return false;
    }
    let late = || Finding::unknown("timeout", "not checked: the time for the whole run was up");
    let look = AssertUnwindSafe(|| match shared.manner.deadline.passed() {
        true => late(),
        false => requirement.check.look(&shared.scene, deadline),
    });
    let looked = match &requirement.user {
        Some(user) => base::trust::with_rights_of(user, || catch_unwind(look)),
        None => Ok(catch_unwind(look)),
    };
    let finding = match looked {
        Ok(Ok(finding)) => finding,
        Ok(Err(_)) => Finding::unknown("internal", "internal error: please report it"),
        Err(error) => Finding::unknown("permission", error.whole()),
    };
    sender
        .send(Event::Done(i, Box::new(finding), began.elapsed()))
        .is_ok()
}
