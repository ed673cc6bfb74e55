//! The state of a service, as its manager says and its processes prove.

use crate::running::Found;

/// The state of a service.
pub enum State {
    /// Processes prove that the service runs.
    Running {
        /// Whether the service is started at boot, where the manager knows.
        enabled: Option<bool>,
        /// The manager's words.
        words: String,
        /// The processes; none for units that have no process of their own.
        processes: Vec<Found>,
    },
    /// The service does not run.
    Stopped {
        /// The manager's words.
        words: String,
        /// The parts that are down, where the name stands for several; empty otherwise.
        parts: Vec<String>,
    },
    /// There is no such service.
    Absent,
    /// It cannot be told: one word for programs, and why.
    Unclear(&'static str, String),
}

impl State {
    /// A service of one part that does not run.
    pub fn stopped(words: String) -> State {
        State::Stopped {
            words,
            parts: Vec::new(),
        }
    }

    /// The manager did not answer in time.
    pub fn timeout(what: &str) -> State {
        State::Unclear("timeout", format!("{what}: no answer in time"))
    }
}
