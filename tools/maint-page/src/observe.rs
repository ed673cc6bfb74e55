//! What is on the disk. Reads only, and never through a link.
//!
//! Everything found at one of this tool's places is either its own work or *foreign*. A file is
//! its own only by what is in it: a name proves nothing, since `touch on` makes one.

use crate::bypass::Key;
use crate::hold::Hold;
use crate::layout::{self, Layout, Place, Where};
use crate::notice::Notice;
use crate::page;
use crate::standing::BUCKETS;
use base::atomic::Dir;
use base::{Error, Kind, Result};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

/// The largest file of ours that is read.
const LIMIT: u64 = 4 << 20;

/// What stands at a place.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Found {
    /// The file does not exist.
    #[default]
    Absent,
    /// This tool's own work, with its bytes.
    Ours(Vec<u8>),
    /// Somebody else's, and why it is taken for that.
    Foreign(&'static str),
}

impl Found {
    /// The bytes, if it is ours.
    pub fn bytes(&self) -> Option<&[u8]> {
        match self {
            Found::Ours(bytes) => Some(bytes),
            _ => None,
        }
    }
}

/// Everything that was found.
#[derive(Debug, Default)]
pub struct Observed {
    /// Whether the layout's directory is there.
    pub exists: bool,
    /// Directories that are missing in it.
    pub missing: Vec<(&'static str, u32)>,
    /// The holds, by id.
    pub holds: Vec<Hold>,
    /// The flag, or the one file.
    pub flag: Found,
    /// The page for people.
    pub html: Found,
    /// The page for programs.
    pub json: Found,
    /// What the site's code reads.
    pub notice: Found,
    /// The Retry-After files there are.
    pub retries: Vec<u64>,
    /// The bypass keys.
    pub keys: Vec<Key>,
    /// The copied templates there are, with their page.
    pub templates: Vec<(String, String)>,
}

/// The layout's directories, each opened once. A missing one is None.
#[derive(Debug)]
pub struct Opened {
    root: Option<Dir>,
    home: Option<Dir>,
    page: Option<Dir>,
    holds: Option<Dir>,
    bypass: Option<Dir>,
}

impl Opened {
    /// Opens what there is.
    pub fn new(layout: &Layout) -> Result<Opened> {
        let root = optional(Dir::open(layout.dir()))?;
        let below = |name: &str| match &root {
            Some(root) => optional(root.below(name)),
            None => Ok(None),
        };
        let home = match layout.one_file() {
            Some(single) => optional(Dir::open(&single.home))?,
            None => None,
        };
        Ok(Opened {
            page: below(layout::PAGE)?,
            holds: below(layout::HOLDS)?,
            bypass: below(layout::BYPASS)?,
            home,
            root,
        })
    }

    /// The directory asked for, if it is there.
    pub fn get(&self, which: Where) -> Option<&Dir> {
        match which {
            Where::Root => self.root.as_ref(),
            Where::Home => self.home.as_ref(),
            Where::Page => self.page.as_ref(),
            Where::Holds => self.holds.as_ref(),
            Where::Bypass => self.bypass.as_ref(),
        }
    }

    /// All that are there.
    pub fn all(&self) -> impl Iterator<Item = &Dir> {
        [
            &self.root,
            &self.home,
            &self.page,
            &self.holds,
            &self.bypass,
        ]
        .into_iter()
        .flatten()
    }

    /// Those that nothing but this tool writes to.
    pub fn own(&self) -> impl Iterator<Item = &Dir> {
        [&self.root, &self.page, &self.holds, &self.bypass]
            .into_iter()
            .flatten()
    }
}

fn optional(dir: Result<Dir>) -> Result<Option<Dir>> {
    match dir {
        Ok(dir) => Ok(Some(dir)),
        Err(error) if error.kind == Kind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Reads it all.
pub fn observe(layout: &Layout, opened: &Opened) -> Result<Observed> {
    let own = |bytes: &[u8]| bytes == layout::SIGNATURE;
    let single = layout.one_file().is_some();
    let look = |place: Place, is_ours: &dyn Fn(&[u8]) -> bool| {
        let (which, name) = place.at(layout);
        find(opened.get(which), &name, is_ours)
    };
    let mut observed = Observed {
        exists: opened.get(Where::Root).is_some(),
        holds: holds(opened.get(Where::Holds))?,
        flag: if single {
            look(Place::Flag, &page::is_ours)?
        } else {
            look(Place::Flag, &own)?
        },
        notice: look(Place::Notice, &is_notice)?,
        keys: crate::bypass::read(opened.get(Where::Bypass))?,
        ..Observed::default()
    };
    for &(name, mode) in layout.directories() {
        let there = opened
            .get(Where::Root)
            .map(|root| root.stat(name))
            .transpose()?
            .flatten()
            .is_some();
        if !there {
            observed.missing.push((name, mode));
        }
    }
    if !single {
        observed.html = look(Place::Html, &page::is_ours)?;
        observed.json = look(Place::Json, &page::is_ours)?;
        for seconds in BUCKETS {
            if matches!(look(Place::Retry(seconds), &own)?, Found::Ours(_)) {
                observed.retries.push(seconds);
            }
        }
        observed.templates = crate::template::copied(opened.get(Where::Page))?;
    }
    Ok(observed)
}

/// What stands under `name`. What cannot be read is foreign: this tool can read its own.
fn find(dir: Option<&Dir>, name: &OsStr, is_ours: &dyn Fn(&[u8]) -> bool) -> Result<Found> {
    let Some(dir) = dir else {
        return Ok(Found::Absent);
    };
    let Some(stat) = dir.stat(name)? else {
        return Ok(Found::Absent);
    };
    match stat.st_mode & 0o170_000 {
        0o100_000 if stat.st_size.unsigned_abs() > LIMIT => {
            return Ok(Found::Foreign("too large to be a page of ours"));
        }
        0o100_000 => {}
        0o120_000 => return Ok(Found::Foreign("a symbolic link")),
        0o040_000 => return Ok(Found::Foreign("a directory")),
        _ => return Ok(Found::Foreign("not a regular file")),
    }
    match dir.read(name, LIMIT)? {
        None => Ok(Found::Absent),
        Some(bytes) if is_ours(&bytes) => Ok(Found::Ours(bytes)),
        Some(_) => Ok(Found::Foreign("maint-page did not write it")),
    }
}

fn is_notice(bytes: &[u8]) -> bool {
    serde_json::from_slice::<Notice>(bytes).is_ok()
}

/// The holds, by id. A file there that is no hold stops everything: it might be a newer
/// version's, and forgetting it would take somebody's page away.
fn holds(dir: Option<&Dir>) -> Result<Vec<Hold>> {
    let Some(dir) = dir else {
        return Ok(Vec::new());
    };
    let mut holds = Vec::new();
    for name in dir.names()? {
        if name.as_bytes().starts_with(b".") {
            continue;
        }
        let path = dir.path().join(&name);
        let hint = "move the file out of the way if nobody needs the file";
        let wrong = |why: String| {
            Error::failed(format!("{} is not a hold: {why}", path.display())).hint(hint)
        };
        let Some(id) = name.to_str().and_then(|name| name.strip_suffix(".json")) else {
            return Err(wrong(
                "the name of the file does not end in .json".to_owned(),
            ));
        };
        let Some(bytes) = dir.read(&name, LIMIT)? else {
            continue;
        };
        let hold: Hold = serde_json::from_slice(&bytes).map_err(|why| wrong(why.to_string()))?;
        if hold.id != id {
            return Err(wrong(format!("the file has the id '{}'", hold.id)));
        }
        holds.push(hold);
    }
    Ok(holds)
}
