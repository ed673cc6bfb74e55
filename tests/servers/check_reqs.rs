//! check-reqs against the real servers: PostgreSQL, nginx, Apache, Caddy, Django, mail, supervisor,
//! TLS.

mod django;
mod mail;
mod postgres;
mod services;
mod sites;
mod systemd;
mod web;

use harness::{Output, tool};
use serde_json::Value;

/// check-reqs with a file on standard input.
pub fn check_file(text: &str) -> Output {
    tool("check-reqs").args(["-f", "-"]).input(text).run()
}

/// check-reqs with these arguments.
pub fn check(args: &[&str]) -> Output {
    tool("check-reqs").args(args).run()
}

/// The only item.
pub fn item(output: &Output) -> Value {
    let report = output.json();
    assert_eq!(report["items"].as_array().unwrap().len(), 1, "{report}");
    report["items"][0].clone()
}

/// `unmet version`, `met`.
pub fn answer(output: &Output) -> String {
    let item = item(output);
    let reason = item["reason"].as_str().unwrap_or("");
    format!("{} {reason}", item["status"].as_str().unwrap())
        .trim()
        .to_string()
}
