//! What closes the gap that `verify` found, where the files on this machine tell.

use crate::layout::Layout;
use crate::verdict::{Cause, Clues};
use base::Fix;

/// The fix for a cause; nothing where the cause lies with the site, a cache or another server.
pub fn of(cause: &Cause, clues: &Clues, layout: &Layout) -> Option<Fix> {
    match cause.word {
        "flag_missing" => Some(
            Fix::advice("put up the page of the holds that are due")
                .command("root", &own("tick", layout)),
        ),
        "page_missing" if clues.missing.is_some() => {
            let fix = Fix::advice("write the page's files again");
            Some(fix.command("root", &own("tick", layout)))
        }
        "mode" => clues.unreadable.as_ref().map(|(path, _)| readable(path, layout)),
        "method" | "no_retry_after" | "no_no_store" | "wrong_host" => Some(
            Fix::advice("let the web server read the configuration that maint-page prints").edit(
                "root",
                format!(
                    "the site's server block (nginx), virtual host (apache) or site (caddy): the lines that '{}' prints, \
                     with apache or caddy in place of nginx where that is the server; then reload the server",
                    base::shell::line(&own("snippet", layout).into_iter().chain(["nginx".to_owned()]).collect::<Vec<_>>())
                ),
            ),
        ),
        _ => None,
    }
}

/// The tool's own directory may be opened to the server; what stands above it belongs to somebody
/// else.
fn readable(path: &str, layout: &Layout) -> Fix {
    let own = std::path::Path::new(path);
    if own.starts_with(layout.dir()) {
        let mode = if own.is_dir() { "o+x" } else { "o+r" };
        return Fix::advice("let the web server's user read what the tool made")
            .command("root", &["chmod", mode, path]);
    }
    Fix::advice(format!(
        "keep the maintenance directory where the web server's user may go, such as /srv/SITE/maintenance: '{path}' is closed to others"
    ))
}

fn own(verb: &str, layout: &Layout) -> Vec<String> {
    let (option, path) = match layout.one_file() {
        Some(_) => ("--page", layout.flag_path()),
        None => ("--dir", layout.dir().to_path_buf()),
    };
    ["maint-page", verb, option, &path.display().to_string()]
        .map(str::to_owned)
        .to_vec()
}
