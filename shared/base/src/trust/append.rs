//! Files that are appended to: journals and logs. They may stand in another user's directory, who
//! could put a link to a file of root's there, or a FIFO that nobody reads.

use super::{Trust, assume, failed, open, walk};
use crate::child::Identity;
use crate::error::{Error, Kind, Result};
use rustix::fs::{FileType, Mode, OFlags};
use rustix::io::Errno;
use std::fs::File;
use std::os::fd::OwnedFd;
use std::path::Path;

/// How often a file is looked for again that appears or disappears meanwhile.
const ROUNDS: usize = 8;

/// Opens a file for appending and makes it where there is none. In a directory that another user
/// can change, that is done with that user's rights, and the file made is that user's. Never waits,
/// never writes through a second name of a file.
///
/// # Errors
/// `Kind::Permission` where more than one other user can change the path, or the user has no right
/// to the file; `Kind::Failed` for what is no regular file; `Kind::Io`.
pub fn open_append(path: &Path, mode: u32) -> Result<File> {
    let mut last = Errno::AGAIN;
    for _ in 0..ROUNDS {
        let opened = match walk::walk(path, true) {
            Ok(trust) => existing(path, &trust)?,
            Err(Errno::NOENT) => missing(path, mode)?,
            Err(e) => return Err(failed("open", path, e)),
        };
        match opened {
            Ok(fd) => {
                let _ = rustix::fs::fcntl_setfl(&fd, OFlags::APPEND);
                return Ok(File::from(fd));
            }
            Err(e @ (Errno::STALE | Errno::LOOP | Errno::NOENT | Errno::EXIST)) => last = e,
            Err(e) => return Err(failed("open", path, e)),
        }
    }
    Err(failed("open", path, last))
}

type Opened = std::result::Result<OwnedFd, Errno>;

const FLAGS: OFlags = OFlags::WRONLY.union(OFlags::APPEND);

fn existing(path: &Path, trust: &Trust) -> Result<Opened> {
    let me = rustix::process::geteuid().as_raw();
    let trusted = trust.way.trusted_by(me) || me != 0;
    match trust.file_type() {
        FileType::RegularFile => {}
        // /dev/null, or a terminal, by a path of root's.
        FileType::CharacterDevice if trusted => return Ok(trust.reopen(FLAGS)),
        other => {
            return Err(refused(
                path,
                &format!("is {}, not a regular file", open::words(other)),
            ));
        }
    }
    if trusted {
        return Ok(trust.reopen(FLAGS));
    }
    if trust.stat.st_nlink > 1 {
        return Err(refused(path, "has a second name elsewhere (a hard link)"));
    }
    let opened = match trust.as_whom(trust.way)? {
        Some(user) => assume::with_rights_of(&user, || trust.reopen(FLAGS))?,
        None => trust.reopen(FLAGS),
    };
    Ok(match opened {
        // A file that root made in that directory: it is where its name says, unless a link led
        // here.
        Err(Errno::ACCESS) if !trust.linked => trust.reopen(FLAGS),
        other => other,
    })
}

fn missing(path: &Path, mode: u32) -> Result<Opened> {
    if walk::walk(path, false).is_ok() {
        return Err(refused(
            path,
            "is a symbolic link to a file that does not exist",
        ));
    }
    let (parent, name) = super::parent_and_name(path)?;
    let dir = walk::walk(parent, true).map_err(|e| failed("open", path, e))?;
    let flags = FLAGS | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let create = || rustix::fs::openat(&dir, name, flags, Mode::from_raw_mode(mode));
    match maker(&dir)? {
        Some(user) => assume::with_rights_of(&user, create),
        None => Ok(create()),
    }
}

/// With whose rights a name is made in a directory: the caller's own, or those of the one other
/// user who can change the path.
fn maker(dir: &Trust) -> Result<Option<Identity>> {
    dir.as_whom(dir.owner)
}

fn refused(path: &Path, why: &str) -> Error {
    let shown = crate::terminal::escape_bytes(path.as_os_str().as_encoded_bytes());
    Error::new(Kind::Failed, format!("cannot open '{shown}': it {why}"))
}
