//! The five sites' runbooks, run for real: each on a host of its own, with the servers, files and
//! troubles its guide speaks of. One directory per site: `runbook.sh` and what it needs, named as
//! on a real host, and the test beside them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "case-conductor/mod.rs"]
mod case_conductor;
mod coralnet;
mod misago;
#[allow(dead_code, reason = "each site takes what it needs of it")]
mod outside;
#[allow(dead_code, reason = "each site takes what it needs of it")]
mod stage;
mod tracks;
#[allow(dead_code, reason = "each site takes what it needs of it")]
mod visitors;
mod wemake;
