//! The report as other programs' formats see it.

use crate::report::Item;
use std::time::Duration;

/// What a format is made from.
pub struct Whole<'r> {
    /// Every item.
    pub items: &'r [Item],
    /// The summary.
    pub msg: &'r str,
    /// How long the run took.
    pub elapsed: Duration,
}
