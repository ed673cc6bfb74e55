//! Root runs the tools over what an unprivileged user owns, while that user attacks. Each attack is
//! carried out for real, by a process of that user, and has to fail. Where an attack is a race, it
//! is tried again and again: RUNBOOK_SWEEP=full tries ten times as often.

mod blocked;
mod bombs;
mod journal;
mod limits;
mod maint_page;
mod matrix;
mod peers;
mod programs;
mod secrets;
mod services;
mod stopped;
mod sweep;
mod user;
