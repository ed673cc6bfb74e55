//! The places that a run touches, as strace shows the places, and what never answers there.

use crate::peers::{HOLDER, WEDGED, helper};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Child;

/// What a run does with a path.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    Opened(PathBuf),
    Locked(PathBuf),
    Connected(PathBuf),
}

impl Place {
    pub fn path(&self) -> &Path {
        match self {
            Place::Opened(path) | Place::Locked(path) | Place::Connected(path) => path,
        }
    }

    /// Puts there what never answers; what has to be ended afterwards.
    pub fn block(&self) -> Option<Child> {
        match self {
            Place::Opened(path) => {
                let _ = fs::remove_file(path);
                if let Some(dir) = path.parent() {
                    let _ = fs::create_dir_all(dir);
                }
                nix::unistd::mkfifo(path, nix::sys::stat::Mode::S_IRWXU).unwrap();
                None
            }
            Place::Locked(path) => Some(helper(HOLDER, path)),
            Place::Connected(path) => {
                let _ = fs::remove_file(path);
                Some(helper(WEDGED, path))
            }
        }
    }
}

/// Between two characters.
fn between(text: &str, open: char, close: char) -> Option<&str> {
    let (_, rest) = text.split_once(open)?;
    rest.split_once(close).map(|(inside, _)| inside)
}

/// The place of one line of `strace -y`.
pub fn place(line: &str) -> Option<Place> {
    if let Some((_, rest)) = line.split_once("flock(") {
        return between(rest, '<', '>').map(|path| Place::Locked(path.into()));
    }
    if let Some((_, rest)) = line.split_once("sun_path=\"") {
        return rest
            .split('"')
            .next()
            .map(|path| Place::Connected(path.into()));
    }
    let (_, rest) = line.split_once("openat(").or(line.split_once("openat2("))?;
    if rest.contains("O_DIRECTORY") {
        return None;
    }
    if let Some((_, path)) = rest
        .rsplit_once(" = ")
        .filter(|(_, done)| done.contains('<'))
    {
        return between(path, '<', '>').map(|path| Place::Opened(path.into()));
    }
    let name = between(rest, '"', '"')?;
    match between(rest.split('"').next()?, '<', '>') {
        _ if name.starts_with('/') => Some(Place::Opened(name.into())),
        Some(dir) => Some(Place::Opened(Path::new(dir).join(name))),
        None => None,
    }
}
