//! svc-cycle against the real thing: each backend, each lie that it has to see through.

mod site;

mod always_back;
mod compose;
mod engine;
mod supervisor;
mod systemd;
mod sysv;
mod two_sites;
mod units;
