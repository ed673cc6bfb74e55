//! The set file as the manual describes it: the keys that [`super`] reads, by its own types, and those that it takes apart by hand.

use super::Written as Set;
use base::document::Document;

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
    Document::of::<Set>(
        "Set file",
        &[
            "A set file lists the services of a site, in TOML or JSON. Every table [service.NAME] is a service. Unknown keys, unknown names in after and circles are errors, which svc-cycle reports before the first change.",
            "Durations are written as 90s or 1h 30m. Relative paths start at the directory of the set file.",
        ],
        EXAMPLE,
    )
}
