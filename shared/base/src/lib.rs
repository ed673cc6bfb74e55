//! The contract that all seven tools keep, in one place: what a report looks like, which exit code
//! means what, how a command line is defined and read, how a file is replaced, a lock taken, a
//! child run and ended. A tool that needs one of these things takes it from here; nothing here
//! knows any tool, and nothing here depends on clap.

#![cfg_attr(test, allow(clippy::disallowed_methods))]

pub mod atomic;
pub mod bytes;
pub mod child;
pub mod cli;
pub mod clock;
pub mod connect;
pub mod document;
pub mod envelope;
pub mod error;
pub mod exit;
pub mod fix;
pub mod guardian;
pub mod lock;
pub mod mask;
mod memory;
mod module;
mod out;
pub mod report;
pub mod run_as;
pub mod shell;
pub mod signals;
pub mod site;
pub mod source;
pub mod spelling;
pub mod sql;
pub mod terminal;
mod text;
pub mod threads;
pub mod tool;
pub mod trust;
pub mod watchdog;

pub use error::{Error, Kind, Result};
pub use exit::Exit;
pub use fix::Fix;
pub use run_as::RunAs;
