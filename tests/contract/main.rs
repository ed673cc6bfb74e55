//! What all seven tools keep: envelope, exit codes, common options, generated pages. Each rule is
//! one test over the one table of samples.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod completions;
mod envelope;
mod fixes;
mod golden;
mod hostile;
mod house;
mod options;
mod pages;
mod sample;
mod secrets;
mod terminal;
mod ways_out;
mod words;
