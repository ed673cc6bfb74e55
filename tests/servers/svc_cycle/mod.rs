//! svc-cycle against the real thing: each backend, each lie that it has to see through.

mod host;
mod site;

mod always_back;
mod celery;
mod compose;
mod coralnet;
mod engine;
mod lies;
mod packages;
mod recovery;
mod relations;
mod sockets;
mod supervisor;
mod systemd;
mod sysv;
mod two_sites;
mod units;
mod users;
