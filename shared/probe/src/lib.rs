//! Probes: ports, sockets, HTTP answers and processes, asked directly.
//!
//! Three tools need the same questions answered honestly: does something listen there, *who*
//! listens there, what does the page say, is this pid still the process it was. Each module asks
//! the kernel or the server itself; none of them believes an exit code, a pid file or a status
//! line.
//!
//! What this crate refuses to do: it starts nothing but the command of a [`Probe::Command`],
//! signals nothing but through a pidfd whose process was checked (`proc::Process`), follows no
//! redirect unless asked to, and never goes through a proxy from the environment: a probe is about
//! this host.

#![cfg_attr(test, allow(clippy::disallowed_methods))]

pub mod http;
pub mod port;
pub mod socket;

mod check;

pub use check::{Armed, Outcome, Probe, Written};
