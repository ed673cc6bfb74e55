//! The paths of the page, its flag, the holds and the keys.
//!
//! Two layouts, one code: with the flag layout, page and flag are two things, so that the page
//! is whole and in place before the first visitor is sent to it. In single-file mode, for
//! servers that already test for one file, the page is the flag, and the holds are kept in a
//! directory beside it.

use base::child::Identity;
use base::{Error, Kind, Result};
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

/// The flag's name.
pub const FLAG: &str = "on";
/// The directory of the page.
pub const PAGE: &str = "page";
/// The page for people.
pub const HTML: &str = "page.html";
/// The page for programs.
pub const JSON: &str = "page.json";
/// The directory of the holds.
pub const HOLDS: &str = "holds";
/// The directory of the bypass keys.
pub const BYPASS: &str = "bypass";
/// What the site's own code reads.
pub const NOTICE: &str = "maintenance.json";
/// The lock on all of it.
pub const LOCK: &str = ".lock";
/// Where a page is made whole before it is put in its place, in single-file mode.
pub const STAGED: &str = "staged.html";

/// What the flag and the Retry-After files hold: how this tool knows its own.
pub const SIGNATURE: &[u8] = b"maint-page 1\n";

/// A layout at its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    dir: PathBuf,
    single: Option<Single>,
}

/// The one file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Single {
    /// Its directory.
    pub home: PathBuf,
    /// Its name there.
    pub name: OsString,
}

impl Layout {
    /// Flag and page in `dir`.
    pub fn flag(dir: &Path) -> Layout {
        Layout {
            dir: dir.to_path_buf(),
            single: None,
        }
    }

    /// Page and flag are `file`.
    pub fn single(file: &Path) -> Result<Layout> {
        let (Some(home), Some(name)) = (file.parent(), file.file_name()) else {
            return Err(Error::usage(format!(
                "--page: {} is not a file's name",
                file.display()
            )));
        };
        let mut beside = OsString::from(".");
        beside.push(name);
        beside.push(".maint-page");
        Ok(Layout {
            dir: home.join(beside),
            single: Some(Single {
                home: home.to_path_buf(),
                name: name.to_os_string(),
            }),
        })
    }

    /// The directory with the holds.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The one file, in single-file mode.
    pub fn one_file(&self) -> Option<&Single> {
        self.single.as_ref()
    }

    /// What visitors are sent to the page by: flag or file.
    pub fn flag_path(&self) -> PathBuf {
        match &self.single {
            Some(single) => single.home.join(&single.name),
            None => self.dir.join(FLAG),
        }
    }

    /// The page for people.
    pub fn html_path(&self) -> PathBuf {
        match &self.single {
            Some(_) => self.flag_path(),
            None => self.dir.join(PAGE).join(HTML),
        }
    }

    /// What the site's own code reads.
    pub fn notice_path(&self) -> PathBuf {
        match &self.single {
            Some(single) => single.home.join(NOTICE),
            None => self.dir.join(NOTICE),
        }
    }

    /// The directory that has to be there already.
    pub fn parent(&self) -> &Path {
        self.dir.parent().unwrap_or(Path::new("/"))
    }

    /// With whose rights the work in it is done: those of the user who can change its path, where
    /// root works for that user. `None` means with the caller's.
    ///
    /// # Errors
    /// `Kind::Permission` where more than one user can change the path.
    pub fn worker(&self) -> Result<Option<Identity>> {
        let judged = match base::trust::inspect(&self.dir) {
            Err(error) if error.kind == Kind::NotFound => base::trust::inspect(self.parent()),
            judged => judged,
        };
        match judged {
            Ok(trust) => trust.executor(),
            // What is missing, or is no directory, is found out and said by the work itself.
            Err(_) => Ok(None),
        }
    }

    /// The directories in it, with their modes: the server may look for a bypass key by its
    /// name, and may not list them.
    pub fn directories(&self) -> &'static [(&'static str, u32)] {
        match self.single {
            Some(_) => &[(HOLDS, 0o755)],
            None => &[(HOLDS, 0o755), (PAGE, 0o755), (BYPASS, 0o711)],
        }
    }
}

/// One file of the layout.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// The flag, or the one file.
    Flag,
    /// The page for people.
    Html,
    /// The page for programs.
    Json,
    /// The file that stands for a number of seconds in Retry-After.
    Retry(u64),
    /// What the site's own code reads.
    Notice,
    /// The hold with this id.
    Hold(String),
    /// The bypass key of this name.
    Key(String),
}

impl Place {
    /// What reports call it.
    pub fn word(&self) -> &'static str {
        match self {
            Place::Flag => "flag",
            Place::Html => "page",
            Place::Json => "page_json",
            Place::Retry(_) => "retry_after",
            Place::Notice => "notice",
            Place::Hold(_) => "hold",
            Place::Key(_) => "bypass_key",
        }
    }

    /// The directory it stands in (below the layout's own, or the one file's), and its name.
    pub fn at(&self, layout: &Layout) -> (Where, OsString) {
        let named = |dir, name: &str| (dir, OsString::from(name));
        match (self, layout.one_file()) {
            (Place::Flag, Some(single)) => (Where::Home, single.name.clone()),
            (Place::Notice, Some(_)) => named(Where::Home, NOTICE),
            (Place::Flag, None) => named(Where::Root, FLAG),
            (Place::Notice, None) => named(Where::Root, NOTICE),
            (Place::Html, _) => named(Where::Page, HTML),
            (Place::Json, _) => named(Where::Page, JSON),
            (Place::Retry(seconds), _) => named(Where::Root, &format!("retry-{seconds}")),
            (Place::Hold(id), _) => named(Where::Holds, &format!("{id}.json")),
            (Place::Key(key), _) => named(Where::Bypass, key),
        }
    }

    /// Its path, for reports. A key's is given by its first eight digits.
    pub fn path(&self, layout: &Layout) -> PathBuf {
        let (dir, name) = self.at(layout);
        let name: &OsStr = match self {
            Place::Key(key) => OsStr::new(key.get(..8).unwrap_or(key)),
            _ => &name,
        };
        match dir {
            Where::Root => layout.dir.join(name),
            Where::Home => layout.flag_path().with_file_name(name),
            Where::Page => layout.dir.join(PAGE).join(name),
            Where::Holds => layout.dir.join(HOLDS).join(name),
            Where::Bypass => layout.dir.join(BYPASS).join(name),
        }
    }
}

/// The directory a file stands in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Where {
    /// The layout's own.
    Root,
    /// The one file's.
    Home,
    /// `page/`.
    Page,
    /// `holds/`.
    Holds,
    /// `bypass/`.
    Bypass,
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn both_layouts_at_their_places() {
        let flag = Layout::flag(Path::new("/srv/m"));
        assert_eq!(Place::Flag.path(&flag), Path::new("/srv/m/on"));
        assert_eq!(Place::Html.path(&flag), Path::new("/srv/m/page/page.html"));
        assert_eq!(Place::Retry(60).path(&flag), Path::new("/srv/m/retry-60"));
        assert_eq!(
            Place::Hold("a".into()).path(&flag),
            Path::new("/srv/m/holds/a.json")
        );
        let single = Layout::single(Path::new("/srv/www/tmp/maintenance.html")).unwrap();
        assert_eq!(
            Place::Flag.path(&single),
            Path::new("/srv/www/tmp/maintenance.html")
        );
        assert_eq!(
            Place::Notice.path(&single),
            Path::new("/srv/www/tmp/maintenance.json")
        );
        assert_eq!(
            single.dir(),
            Path::new("/srv/www/tmp/.maintenance.html.maint-page")
        );
        assert!(Layout::single(Path::new("/")).is_err());
    }

    #[test]
    fn a_keys_path_in_a_report_is_not_the_key() {
        let flag = Layout::flag(Path::new("/srv/m"));
        let key = Place::Key("0123456789abcdef0123456789abcdef".into());
        assert_eq!(key.path(&flag), Path::new("/srv/m/bypass/01234567"));
    }
}
