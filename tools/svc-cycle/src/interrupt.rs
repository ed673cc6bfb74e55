//! TERM, INT, HUP and QUIT, held back and looked at where it is safe to stop.
//!
//! Whoever waits asks [`Interrupt::seen`]. Bringing services back does not ask: no number of
//! signals skips the start.

use std::sync::Mutex;

use base::signals::Watch;
use base::{Error, Kind, Result};
use nix::sys::signal::Signal;

/// The signals of this run.
#[derive(Debug)]
pub struct Interrupt {
    watch: Watch,
    first: Mutex<Option<Signal>>,
}

impl Interrupt {
    /// Begins to hold them back; before any thread is started.
    ///
    /// # Errors
    /// The kernel refuses.
    pub fn begin() -> Result<Self> {
        // Progress to a lost terminal and to a closed pipe must not end the run either.
        Ok(Self {
            watch: Watch::begin()?,
            first: Mutex::new(None),
        })
    }

    /// Who holds them, for COMMAND.
    #[must_use]
    pub fn watch(&self) -> &Watch {
        &self.watch
    }

    /// The first one that came.
    #[must_use]
    pub fn seen(&self) -> Option<Signal> {
        let mut first = match self.first.lock() {
            Ok(first) => first,
            Err(poisoned) => poisoned.into_inner(),
        };
        while let Some(signal) = self.watch.next() {
            first.get_or_insert(signal);
        }
        *first
    }

    /// The error for having been interrupted.
    ///
    /// # Errors
    /// A signal came.
    pub fn check(&self) -> Result<()> {
        match self.seen() {
            Some(signal) => Err(Error::new(
                Kind::Deadline,
                format!("interrupted by {signal}"),
            )),
            None => Ok(()),
        }
    }
}
