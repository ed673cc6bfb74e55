//! `snippet`: a text for the web server, printed as it is.

use crate::report::Maintenance;
use crate::snippet::{self, Allow};
use base::report::{Raw, Report, Status};
use std::path::Path;

/// `maint-page snippet`.
pub fn run(server: &str, dir: &Path, allow: &Allow) -> Report<Maintenance> {
    let shown = dir.display().to_string();
    let text = snippet::text(server, &shown, allow).unwrap_or_default();
    let body = Maintenance {
        command: "snippet".to_owned(),
        dir: Some(shown),
        ..Maintenance::default()
    };
    Report::new(Status::Ok, format!("configuration for {server}"), body)
        .raw(Raw::Always(text.into_bytes()))
}
