//! The tools as modules of the real Ansible, over ssh to hosts of the test's own.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod collection;
mod controller;
mod host;
mod killed;
mod left;
mod options;
mod readme;
mod rolling;
mod secrets;
mod states;
mod verdicts;
