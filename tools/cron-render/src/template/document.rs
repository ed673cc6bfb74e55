//! Templates in TOML and JSON, as the manual and `--help` describe them.

use base::document::Document;

/// A template in TOML, whole; a test reads it.
pub const EXAMPLE: &str = r#"[site]
name = "misago"
dir = "/srv/misago"
user = "misago"
env = { DJANGO_SETTINGS_MODULE = "forum.settings" }
log_dir = "/var/log/misago"
spread = "20m"

[[job]]
schedule = "15 0 * * *"
manage = "clearsessions"

[[job]]
id = "backup"
schedule = "H 3 * * *"
argv = ["/usr/local/bin/backup-site", "--to", "/backup"]
lock = true
timeout = "2h"
"#;

/// The manual's description of templates and of the file of `--site`.
pub fn documents() -> Vec<Document> {
    let text = [
        "A template is a crontab, or a file of TOML or JSON with the same jobs. Unknown keys are errors, with line and column. Durations are written as 90s or 1h 30m.",
    ];
    vec![Document::of::<super::Document>(
        "Template in TOML",
        &text,
        EXAMPLE,
    )]
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::template::{Content, Draft};

    #[test]
    fn the_example_is_a_template() {
        let draft = Draft::new("site.toml".to_owned(), EXAMPLE.into()).unwrap();
        assert!(matches!(draft.content, Content::Jobs { jobs, .. } if jobs.len() == 2));
    }
}
