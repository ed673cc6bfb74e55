//! The only side effects on the layout's files: a plan's steps, in order, under its lock. All of it
//! happens with the rights of the user whose directory it is ([`crate::settle`]): what is made is
//! that user's, and what that user cannot change stays as it is.

use crate::layout::{self, Layout, Place, Where};
use crate::observe::Opened;
use crate::plan::Step;
use crate::report::{Did, Item};
use crate::template::{self, Template};
use base::atomic::{Access, Dir};
use base::bytes::{exact, lossy};
use base::lock::Lock;
use base::{Error, Result};
use rustix::fs::{Mode, RenameFlags};
use std::ffi::{OsStr, OsString};
use std::os::fd::AsFd;
use std::path::Path;
use std::time::Duration;

/// Takes the layout's lock, making its directory if that is missing, and removes what killed
/// runs left. In single-file mode, too, the only directory that is swept is this tool's own.
pub fn lock(layout: &Layout, wait: Duration) -> Result<Lock> {
    make_root(layout)?;
    let opened = Opened::new(layout)?;
    for dir in opened.all() {
        dir.refuse_shared()?;
    }
    let root = opened
        .get(Where::Root)
        .ok_or_else(|| Error::failed(format!("{} has gone", layout.dir().display())))?;
    let lock = Lock::acquire_in(root, layout::LOCK, wait)?;
    for dir in opened.own() {
        dir.sweep()?;
    }
    Ok(lock)
}

/// Makes the layout's own directory; those above it are somebody else's business.
fn make_root(layout: &Layout) -> Result<()> {
    let path = layout.dir();
    match make_dir(rustix::fs::CWD, path, 0o755) {
        Err(rustix::io::Errno::EXIST) => return Ok(()),
        Err(e) => {
            let hint = format!("mkdir -p {}", layout.parent().display());
            return Err(Error::io(format!("cannot make {}", path.display()), &e.into()).hint(hint));
        }
        Ok(()) => {}
    }
    // A parent that is a link is not opened: the directory is made all the same.
    let Ok(parent) = Dir::open(layout.parent()) else {
        return Ok(());
    };
    parent.sync()
}

/// With its mode from the first moment: killed between mkdir and chmod, it would stay closed to
/// the web server for good. Nothing else of this process runs meanwhile that could care.
fn make_dir(at: impl AsFd, name: &Path, mode: u32) -> rustix::io::Result<()> {
    let before = rustix::process::umask(Mode::empty());
    let made = rustix::fs::mkdirat(at, name, Mode::from_raw_mode(mode));
    rustix::process::umask(before);
    made
}

/// Puts the template's copy in place.
pub fn copy_template(layout: &Layout, template: &Template) -> Result<bool> {
    let root = Dir::open(layout.dir())?;
    Hands {
        layout,
        root,
        home: None,
    }
    .make(layout::PAGE, 0o755)?;
    template::copy(template, &Dir::open(layout.dir())?.below(layout::PAGE)?)
}

/// The directories, each opened once: a path swapped meanwhile leads nowhere else.
struct Hands<'a> {
    layout: &'a Layout,
    root: Dir,
    home: Option<Dir>,
}

/// Carries the steps out. Stops at the first that fails; the items say how far it came.
pub fn act(layout: &Layout, steps: &[Step]) -> (Vec<Item>, Option<Error>) {
    let mut items = Vec::new();
    let made = make_root(layout).and_then(|()| {
        let home = layout
            .one_file()
            .map(|single| Dir::open(&single.home))
            .transpose()?;
        Ok(Hands {
            layout,
            root: Dir::open(layout.dir())?,
            home,
        })
    });
    let hands = match made {
        Ok(hands) => hands,
        Err(error) => return (items, Some(error)),
    };
    for step in steps {
        let error = hands.one(step).err();
        items.push(item(
            layout,
            step,
            if error.is_some() {
                Did::Failed
            } else {
                Did::Done
            },
        ));
        if error.is_some() {
            return (items, error);
        }
    }
    (items, None)
}

/// What would be done.
pub fn intended(layout: &Layout, steps: &[Step]) -> Vec<Item> {
    steps
        .iter()
        .map(|step| item(layout, step, Did::Planned))
        .collect()
}

fn item(layout: &Layout, step: &Step, did: Did) -> Item {
    let at = |place: &Place| (place.word(), place.path(layout));
    let (action, (what, path)) = match step {
        Step::MakeRoot => ("make", ("directory", layout.dir().to_path_buf())),
        Step::Make(name, _) => ("make", ("directory", layout.dir().join(name))),
        Step::Write(place, _) => ("write", at(place)),
        Step::Remove(place) => ("remove", at(place)),
        Step::Aside(place) => ("rename_aside", at(place)),
    };
    Item {
        what: what.to_owned(),
        action: action.to_owned(),
        path: lossy(path.as_os_str()),
        path_b64: exact(path.as_os_str()),
        did,
    }
}

impl Hands<'_> {
    fn one(&self, step: &Step) -> Result<()> {
        match step {
            Step::MakeRoot => Ok(()),
            Step::Make(name, mode) => self.make(name, *mode),
            Step::Write(place, bytes) => self.write(place, bytes),
            Step::Remove(place) => self.at(place, |dir, name| dir.remove(name).map(drop)),
            Step::Aside(place) => self.at(place, |dir, name| {
                let mut to = OsString::from(name);
                to.push(format!(
                    ".foreign-{}",
                    jiff::Timestamp::now().strftime("%Y%m%dT%H%M%S%fZ")
                ));
                dir.rename(name, to, false)
            }),
        }
    }

    fn make(&self, name: &str, mode: u32) -> Result<()> {
        match make_dir(&self.root, Path::new(name), mode) {
            Err(rustix::io::Errno::EXIST) => return Ok(()),
            Err(e) => {
                return Err(Error::io(
                    format!("cannot make {}", self.root.path().join(name).display()),
                    &e.into(),
                ));
            }
            Ok(()) => {}
        }
        self.root.sync()
    }

    fn at(&self, place: &Place, work: impl Fn(&Dir, &OsStr) -> Result<()>) -> Result<()> {
        let (which, name) = place.at(self.layout);
        match (which, &self.home) {
            (Where::Home, Some(home)) => work(home, &name),
            (Where::Page, _) => work(&self.root.below(layout::PAGE)?, &name),
            (Where::Holds, _) => work(&self.root.below(layout::HOLDS)?, &name),
            (Where::Bypass, _) => work(&self.root.below(layout::BYPASS)?, &name),
            _ => work(&self.root, &name),
        }
    }

    /// Readable for the web server and the site, whatever the umask says. A key's file, too: Caddy
    /// 2.11 opens the file to see whether the key is there. The key is the file's name, and nobody
    /// but root can list the directory of the keys.
    fn write(&self, place: &Place, bytes: &[u8]) -> Result<()> {
        let mode = 0o644;
        self.at(place, |dir, name| match (place, &self.home) {
            (Place::Flag | Place::Notice, Some(home)) => self.staged(home, name, bytes, mode),
            _ => dir.write(name, bytes, Access::mode(mode)),
        })
    }

    /// In single-file mode the file's directory is not this tool's own: a temporary file that a
    /// killed run leaves must not lie there. It is made whole in the directory beside, and
    /// renamed.
    fn staged(&self, home: &Dir, name: &OsStr, bytes: &[u8], mode: u32) -> Result<()> {
        self.root.write(layout::STAGED, bytes, Access::mode(mode))?;
        rustix::fs::renameat_with(&self.root, layout::STAGED, home, name, RenameFlags::empty())
            .map_err(|e| {
                Error::io(
                    format!("cannot put {} in place", home.path().join(name).display()),
                    &e.into(),
                )
            })?;
        home.sync()
    }
}
