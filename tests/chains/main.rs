//! The tools chained: the README's recipes as written, and one inside the other.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod cron;
mod examples;
mod nested;
mod readme;
mod recipe;
