//! A schedule in plain English.

use crate::schedule::Schedule;

/// In English.
pub fn english(_schedule: &Schedule) -> String {
    String::new()
}
