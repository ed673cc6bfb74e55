//! Everything that is wrong with a template, or will surprise.
//!
//! Each family of findings has its file. What has to be asked of the machine (is there such a
//! command, such a user) was asked before and comes in as [`Facts`]: nothing here reads anything.

mod clock;
mod commands;
mod file;
mod here;
mod schedules;
mod settings;

use std::collections::{HashMap, HashSet};
use std::ops::Range;

use crate::finding::{Code, Finding, IntoFix};
use crate::host::Daemon;
use crate::look::Unmet;
use crate::site::Site;
use crate::spread::Placed;
use crate::template::Template;
use crate::zone::Zone;

pub use commands::lookups;
pub use schedules::refusal;

/// A program's name and the PATH it is looked for on.
pub type Lookup = (Vec<u8>, Vec<u8>);

/// What the machine says.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// Programs that are not there.
    pub missing: HashSet<Lookup>,
    /// Users and whether they exist.
    pub users: HashMap<String, bool>,
    /// The template's own file, where it lies in `cron.d`.
    pub file: Option<FileFacts>,
    /// What the jobs need on this host and do not get.
    pub unmet: Vec<Unmet>,
    /// Users whose account stops their jobs, and why.
    pub accounts: Vec<(String, &'static str)>,
    /// Directories of logs and locks that every user may write.
    pub shared: Vec<String>,
    /// The daemon, where it matters.
    pub daemon: Option<(Daemon, &'static str)>,
    /// Rendering, for what is wrong with the result alone.
    pub result: Vec<Finding>,
    /// The machine's own time zone.
    pub zone: Option<Zone>,
    /// Seconds since 1970.
    pub now: i64,
}

/// A file in a directory `cron.d`, as cron looks at it.
#[derive(Clone, Debug)]
pub struct FileFacts {
    pub name: String,
    /// Its path.
    pub path: String,
    /// Permission bits.
    pub mode: u32,
    /// Owner.
    pub uid: u32,
    /// Hard links.
    pub links: u64,
}

/// All findings, in the order of their places.
pub fn all(template: &Template, site: &Site, placed: &[Placed], facts: &Facts) -> Vec<Finding> {
    let mut found = Vec::new();
    schedules::look(template, site, &mut found);
    commands::look(template, site, facts, &mut found);
    settings::look(template, site, &mut found);
    file::look(template, site, facts, &mut found);
    clock::look(template, site, placed, facts, &mut found);
    here::look(template, site, facts, &mut found);
    found.extend(facts.result.iter().cloned());
    found.sort_by_key(|f| (f.line, f.column, f.code));
    found.dedup();
    found
}

/// A piece of a line as messages quote it.
fn quote(text: &[u8], span: Range<usize>) -> String {
    let piece = text
        .get(span.start.min(text.len())..span.end.min(text.len()))
        .unwrap_or_default();
    let piece = if piece.len() > 60 {
        &piece[..60]
    } else {
        piece
    };
    format!(
        "'{}'",
        base::terminal::escape(&String::from_utf8_lossy(piece))
    )
}

fn push(
    found: &mut Vec<Finding>,
    code: Code,
    place: (usize, usize),
    message: impl Into<String>,
    fix: impl IntoFix,
) {
    found.push(Finding::at(code, place, message, fix));
}
