//! The tools as modules of the real Ansible, over ssh to hosts of the test's own.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod controller;
mod host;
mod killed;
mod options;
mod rolling;
mod states;
mod verdicts;
