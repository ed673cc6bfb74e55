//! Reading files that somebody else may have planted.
//!
//! An environment can hold a FIFO named METADATA (opening it would wait for ever), a link to a
//! device (opening that can do things), or a file without end. So: a link is looked at before it is
//! opened, everything is opened without waiting and looked at again, and read up to a bound.

use std::io;
use std::path::Path;

use rustix::fd::{AsFd, OwnedFd};
use rustix::fs::{FileType, Mode, OFlags, RawMode};

/// How much of a METADATA, PKG-INFO, pyvenv.cfg or .pth file is worth reading.
pub const METADATA_LIMIT: usize = 4 << 20;
/// How much of a RECORD is worth reading: some 600,000 files.
pub const RECORD_LIMIT: usize = 64 << 20;

const FLAGS: OFlags = OFlags::RDONLY
    .union(OFlags::CLOEXEC)
    .union(OFlags::NONBLOCK)
    .union(OFlags::NOCTTY);

/// Opens a regular file, `name` as seen from `dir`.
pub fn open_at(dir: impl AsFd, name: &Path) -> io::Result<(OwnedFd, u64)> {
    // Only a link can lead to a device that does something when it is opened; whatever stands here
    // itself cannot.
    let file = match rustix::fs::openat(&dir, name, FLAGS | OFlags::NOFOLLOW, Mode::empty()) {
        Err(rustix::io::Errno::LOOP) => {
            regular(rustix::fs::statat(&dir, name, rustix::fs::AtFlags::empty())?.st_mode)?;
            rustix::fs::openat(&dir, name, FLAGS, Mode::empty())?
        }
        opened => opened?,
    };
    let stat = rustix::fs::fstat(&file)?;
    regular(stat.st_mode)?;
    Ok((file, u64::try_from(stat.st_size).unwrap_or(0)))
}

/// Opens a directory to look at what is in it.
pub fn open_dir(path: &Path) -> io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    Ok(rustix::fs::open(path, flags, Mode::empty())?)
}

fn regular(mode: RawMode) -> io::Result<()> {
    match FileType::from_raw_mode(mode) {
        FileType::RegularFile => Ok(()),
        FileType::Directory => Err(io::Error::other("is a directory")),
        FileType::Fifo => Err(io::Error::other("is a FIFO, not a file")),
        FileType::Socket => Err(io::Error::other("is a socket, not a file")),
        FileType::CharacterDevice | FileType::BlockDevice => {
            Err(io::Error::other("is a device, not a file"))
        }
        _ => Err(io::Error::other("is not a regular file")),
    }
}

/// The whole of a regular file, or an error where it is longer than `limit`.
pub fn read(path: &Path, limit: usize) -> io::Result<Vec<u8>> {
    read_at(rustix::fs::CWD, path, limit)
}

/// The whole of a regular file seen from `dir`, or an error where it is longer than `limit`.
pub fn read_at(dir: impl AsFd, name: &Path, limit: usize) -> io::Result<Vec<u8>> {
    let (file, size) = open_at(dir, name)?;
    let too_long = || io::Error::other(format!("is longer than {limit} bytes"));
    let expected = usize::try_from(size).map_err(|_| too_long())?;
    if expected > limit {
        return Err(too_long());
    }
    let mut out = Vec::with_capacity(expected + 1);
    fill(&file, &mut out, limit + 1, |_| false)?;
    if out.len() > limit {
        return Err(too_long());
    }
    Ok(out)
}

/// The head of a file of mail-like fields: everything up to the first empty line.
pub fn read_head(dir: impl AsFd, name: &Path, limit: usize) -> io::Result<Vec<u8>> {
    let (file, size) = open_at(dir, name)?;
    let mut out = Vec::with_capacity(usize::try_from(size).unwrap_or(0).min(8 << 10) + 1);
    fill(&file, &mut out, limit, |bytes| {
        crate::metadata::end_of_head(bytes).is_some()
    })?;
    Ok(out)
}

fn fill(
    file: &OwnedFd,
    out: &mut Vec<u8>,
    limit: usize,
    mut enough: impl FnMut(&[u8]) -> bool,
) -> io::Result<()> {
    loop {
        if out.len() >= limit {
            out.truncate(limit);
            return Ok(());
        }
        if out.capacity() == out.len() {
            out.reserve(8 << 10);
        }
        let room = rustix::buffer::spare_capacity(out);
        match rustix::io::read(file, room) {
            Ok(0) => return Ok(()),
            Ok(_) if enough(out) => return Ok(()),
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::{read, read_head};
    use std::path::Path;

    #[test]
    fn fifos_devices_and_directories_are_refused_at_once() {
        let dir = tempfile::tempdir().unwrap();
        let fifo = dir.path().join("METADATA");
        rustix::fs::mkfifoat(rustix::fs::CWD, &fifo, rustix::fs::Mode::RUSR).unwrap();
        for path in [fifo.as_path(), Path::new("/dev/zero"), dir.path()] {
            assert!(read(path, 10).is_err(), "{}", path.display());
        }
    }

    #[test]
    fn a_file_longer_than_the_bound_is_an_error() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        std::fs::write(&path, vec![b'x'; 100_000]).unwrap();
        assert!(read(&path, 99_999).is_err());
        assert_eq!(read(&path, 100_000).unwrap().len(), 100_000);
    }

    #[test]
    fn the_head_ends_at_the_first_empty_line() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        let body = "Name: a\n\n".to_owned() + &"x\n".repeat(100_000);
        std::fs::write(&path, body).unwrap();
        let head = read_head(rustix::fs::CWD, &path, 1 << 20).unwrap();
        assert!(head.starts_with(b"Name: a\n\n") && head.len() < 20_000);
    }
}
