//! Manuals, completions and schemas, made from the tools' own definitions and types. They are
//! committed, so that packages and people without a compiler have them; a test compares, so that
//! they cannot grow old.

#![cfg_attr(test, allow(clippy::disallowed_methods))]

mod ansible;
mod changelog;
mod completions;
mod man;
mod overview;
mod report;
mod schema;
mod sentence;
mod site;
mod tools;

pub use tools::{Described, TOOLS};

use base::error::{Error, Result};
use std::path::Path;

/// A generated file: its path below the top of the source tree, and its content.
#[derive(Debug)]
pub struct Page {
    /// Relative path.
    pub path: String,
    /// Content.
    pub text: String,
}

/// Everything that is generated.
///
/// # Errors
/// `Kind::Io` where the changelog, which dates the manuals, cannot be read.
pub fn pages(top: &Path) -> Result<Vec<Page>> {
    let releases = changelog::read(top)?;
    let release = changelog::date(&releases)?;
    let mut pages = Vec::new();
    for tool in TOOLS {
        pages.push(man::page(tool, &release));
        pages.extend(completions::pages(tool.line));
        pages.push(schema::page(tool));
    }
    pages.push(overview::page(&release));
    pages.push(site::page(&release));
    pages.push(site::schema());
    pages.extend(ansible::pages());
    pages.push(changelog::debian(&releases)?);
    Ok(pages)
}

/// Writes the pages, or compares them with what is there.
///
/// # Errors
/// `Kind::Failed` with the names of the pages that are old; `Kind::Io`.
pub fn run(top: &Path, check: bool) -> Result<String> {
    let mut old = Vec::new();
    for page in pages(top)? {
        let path = top.join(&page.path);
        if std::fs::read_to_string(&path).is_ok_and(|text| text == page.text) {
            continue;
        }
        if !check {
            let io = |e: std::io::Error| Error::io(format!("cannot write {}", page.path), &e);
            if let Some(dir) = path.parent() {
                std::fs::create_dir_all(dir).map_err(io)?;
            }
            std::fs::write(&path, &page.text).map_err(io)?;
        }
        old.push(page.path);
    }
    match (check, old.is_empty()) {
        (true, false) => Err(Error::failed(format!(
            "not what the definitions say: {}",
            old.join(", ")
        ))
        .hint("make docs")),
        (true, true) => Ok("everything is what the definitions say\n".into()),
        (false, _) => Ok(old.iter().map(|path| format!("wrote {path}\n")).collect()),
    }
}
