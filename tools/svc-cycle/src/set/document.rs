//! The set file as the manual describes it: the keys that [`super`] reads, by its own types, and
//! those that it takes apart by hand.

use super::Written as Set;
use crate::backend;
use base::document::{Document, Key, Table};

/// A set file, whole; a test reads it.
pub const EXAMPLE: &str = r#"[service.redis]
backend = "systemd"
name = "redis-server.service"
policy = "ensure"
ready = [{ port = 6379 }]

[service.gunicorn]
backend = "supervisor"
config = "/srv/site/config/supervisor.conf"
after = ["redis"]
ready = [{ http = "http://127.0.0.1:8000/", host = "example.org", status = [200] }]
stable = "5s"
stopped = [{ port = 8000 }]
expect = { env = ["PRODUCTION=1"], user = "site" }

[service.celeryworker]
backend = "supervisor"
config = "/srv/site/config/supervisor.conf"
after = ["redis"]
ready = [{ log = "/srv/site/log/worker.log", line = "ready." }]
stop_timeout = "10m"
"#;

/// The manual's description of a set file.
#[must_use]
pub fn document() -> Document {
    let mut document = Document::of::<Set>(
        "Set file",
        &[
            "A set file lists the services of a site, in TOML or JSON. Every table [service.NAME] is a service. Unknown keys, unknown names in after and circles are errors, which svc-cycle reports before the first change.",
            "Durations are written as 90s or 1h 30m. Relative paths start at the directory of the set file.",
        ],
        EXAMPLE,
    );
    document.tables.push(Table {
        heading: "backend = \"BACKEND\"".to_owned(),
        text: "The service manager. Without a set file write the backend and a colon before the name: supervisor:gunicorn.".to_owned(),
        keys: backend::ALL
            .iter()
            .map(|row| Key {
                name: row.name.to_owned(),
                value: String::new(),
                text: row.about.to_owned(),
            })
            .collect(),
    });
    document
}
