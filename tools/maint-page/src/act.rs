//! The only side effects on the layout's files: a plan's steps, in order, under its lock.

use crate::layout::{self, Layout, Place, Where};
use crate::observe::Opened;
use crate::plan::Step;
use crate::report::{Did, Item};
use crate::template::{self, Template};
use base::atomic::{Access, Dir};
use base::lock::Lock;
use base::{Error, Kind, Result};
use rustix::fs::{Mode, RenameFlags};
use std::ffi::{OsStr, OsString};
use std::time::Duration;

/// Takes the layout's lock, making its directory if that is missing, and removes what killed
/// runs left. In single-file mode, too, the only directory that is swept is this tool's own.
pub fn lock(layout: &Layout, wait: Duration) -> Result<Lock> {
    make_root(layout)?;
    let opened = Opened::new(layout)?;
    for dir in opened.all() {
        dir.refuse_shared()?;
    }
    let lock = Lock::acquire(&layout.dir().join(layout::LOCK), wait)?;
    for dir in opened.own() {
        dir.sweep()?;
    }
    Ok(lock)
}

/// Makes the layout's own directory; those above it are somebody else's business.
fn make_root(layout: &Layout) -> Result<bool> {
    let path = layout.dir();
    let hint = format!("mkdir -p {}", layout.parent().display());
    match rustix::fs::mkdirat(rustix::fs::CWD, path, Mode::from_raw_mode(0o700)) {
        Err(rustix::io::Errno::EXIST) => return Ok(false),
        Err(e) => return Err(Error::io(format!("cannot make {}", path.display()), &e.into()).hint(hint)),
        Ok(()) => {}
    }
    let dir = Dir::open(path)?;
    rustix::fs::fchmod(&dir, Mode::from_raw_mode(0o755))
        .map_err(|e| Error::io(format!("cannot set the mode of {}", path.display()), &e.into()))?;
    Dir::open(layout.parent()).and_then(|parent| parent.sync()).or_else(|error| match error.kind {
        // A parent that is a link: the directory is made all the same.
        Kind::Failed => Ok(()),
        _ => Err(error),
    })?;
    Ok(true)
}

/// Puts the template's copy in place.
pub fn copy_template(layout: &Layout, template: &Template) -> Result<bool> {
    let root = Dir::open(layout.dir())?;
    root.make(layout::PAGE, 0o755)?;
    template::copy(template, &root.below(layout::PAGE)?)
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
    let made = make_root(layout).and_then(|_| {
        let home = layout.one_file().map(|single| Dir::open(&single.home)).transpose()?;
        Ok(Hands { layout, root: Dir::open(layout.dir())?, home })
    });
    let hands = match made {
        Ok(hands) => hands,
        Err(error) => return (items, Some(error)),
    };
    for step in steps {
        let error = hands.one(step).err();
        items.push(item(layout, step, if error.is_some() { Did::Failed } else { Did::Done }));
        if error.is_some() {
            return (items, error);
        }
    }
    (items, None)
}

/// What would be done.
pub fn intended(layout: &Layout, steps: &[Step]) -> Vec<Item> {
    steps.iter().map(|step| item(layout, step, Did::Planned)).collect()
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
    Item { what: what.to_owned(), action: action.to_owned(), path: path.display().to_string(), did }
}

impl Hands<'_> {
    fn one(&self, step: &Step) -> Result<()> {
        match step {
            Step::MakeRoot => Ok(()),
            Step::Make(name, mode) => self.root.make(name, *mode).map(drop),
            Step::Write(place, bytes) => self.write(place, bytes),
            Step::Remove(place) => self.at(place, |dir, name| dir.remove(name).map(drop)),
            Step::Aside(place) => self.at(place, |dir, name| {
                let mut to = OsString::from(name);
                to.push(format!(".foreign-{}", jiff::Timestamp::now().strftime("%Y%m%dT%H%M%S%fZ")));
                dir.rename(name, to, false)
            }),
        }
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

    /// Readable for the web server and the site, whatever the umask says; keys are asked for by
    /// name and never read by it.
    fn write(&self, place: &Place, bytes: &[u8]) -> Result<()> {
        let mode = if matches!(place, Place::Key(_)) { 0o600 } else { 0o644 };
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
            .map_err(|e| Error::io(format!("cannot put {} in place", home.path().join(name).display()), &e.into()))?;
        home.sync()
    }
}
