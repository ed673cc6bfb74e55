//! Distributions of the live environment that a new release takes over as they are: their files are
//! copied (or shared), their scripts name the new interpreter, and RECORD is updated.

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use pydist::record;
use rustix::fs::{CWD, Mode, Timespec, Timestamps};
use sha2::{Digest, Sha256};

use crate::request::LinkMode;
use crate::shebang;
use crate::verify::below;

/// A distribution that is taken over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// The normalized name.
    pub key: String,
    /// The version.
    pub version: String,
    /// The `dist-info` directory, in the live environment.
    pub info: PathBuf,
}

/// What was taken over.
#[derive(Debug, Default)]
pub struct Reused {
    /// Names of the distributions that are in the release now.
    pub keys: BTreeSet<String>,
    /// Sources without a valid compiled form, in the release.
    pub uncompiled: Vec<PathBuf>,
    /// Whether the file system shares blocks between the copies.
    pub reflink: bool,
}

/// From one environment to another.
#[derive(Debug)]
pub struct Copier<'a> {
    /// The live environment, links followed.
    pub from: &'a Path,
    /// The release.
    pub to: &'a Path,
    /// `cpython-311`.
    pub tag: Option<String>,
    /// How files are copied.
    pub mode: LinkMode,
    /// Whether the file system refused to share blocks before.
    no_reflink: AtomicBool,
    reflinked: AtomicBool,
}

/// Why a distribution is not taken over: it is installed anew.
enum Unfit {
    /// It is not as a copy would need it.
    Odd,
    /// Copying failed.
    Failed(std::io::Error),
}

impl From<std::io::Error> for Unfit {
    fn from(error: std::io::Error) -> Self {
        match error.kind() {
            // What cannot be read there, the installer brings anew.
            std::io::ErrorKind::NotFound | std::io::ErrorKind::PermissionDenied => Unfit::Odd,
            _ => Unfit::Failed(error),
        }
    }
}

impl<'a> Copier<'a> {
    /// A copier between two environments of the same Python.
    pub fn new(from: &'a Path, to: &'a Path, tag: Option<String>, mode: LinkMode) -> Self {
        Copier {
            from,
            to,
            tag,
            mode,
            no_reflink: AtomicBool::new(mode == LinkMode::Copy),
            reflinked: AtomicBool::new(false),
        }
    }

    /// Takes distributions over, several at a time.
    ///
    /// # Errors
    /// The disk is full, or the file system cannot do what `--link-mode` asks for.
    pub fn take(&self, kept: &[Kept]) -> std::io::Result<Reused> {
        let next = AtomicUsize::new(0);
        let out = Mutex::new((Reused::default(), None));
        let threads = std::thread::available_parallelism()
            .map_or(1, usize::from)
            .min(8);
        let work = || {
            while let Some(dist) = kept.get(next.fetch_add(1, Ordering::Relaxed)) {
                let taken = self.distribution(dist);
                let Ok(mut out) = out.lock() else { return };
                match taken {
                    Ok(sources) => {
                        out.0.keys.insert(dist.key.clone());
                        out.0.uncompiled.extend(sources);
                    }
                    Err(Unfit::Odd) => {}
                    Err(Unfit::Failed(error)) => {
                        out.1.get_or_insert(error);
                        next.store(kept.len(), Ordering::Relaxed);
                    }
                }
            }
        };
        std::thread::scope(|scope| {
            for _ in 1..threads.min(kept.len().max(1)) {
                base::threads::help(scope, work);
            }
            work();
        });
        let (mut reused, error) = out
            .into_inner()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        reused.reflink = self.reflinked.load(Ordering::Relaxed);
        reused.uncompiled.sort();
        error.map_or(Ok(reused), Err)
    }

    /// Copies one; its sources that are not compiled come back.
    fn distribution(&self, dist: &Kept) -> Result<Vec<PathBuf>, Unfit> {
        let site = dist.info.parent().ok_or(Unfit::Odd)?;
        let site = site.strip_prefix(self.from).map_err(|_| Unfit::Odd)?;
        let bytes = pydist::files::read(&dist.info.join("RECORD"), pydist::files::RECORD_LIMIT)?;
        let text = String::from_utf8(bytes).map_err(|_| Unfit::Odd)?;
        let files = self.files(site, dist, &text)?;
        let mut done = Vec::new();
        let copied = self.copy(&files, &text, &mut done);
        if copied.is_err() {
            // Half of a distribution is worse than none.
            for path in done {
                let _ = std::fs::remove_file(path);
            }
            let _ = std::fs::remove_dir_all(self.to.join(site).join(name_of(&dist.info)));
        }
        copied
    }

    /// The files of a RECORD, each below the environment; `Odd` where one is not a plain file
    /// inside it.
    fn files(&self, site: &Path, dist: &Kept, text: &str) -> Result<Vec<File>, Unfit> {
        let own: PathBuf = Path::new(name_of(&dist.info)).join("RECORD");
        let mut files = Vec::new();
        for (index, line) in text.split_inclusive('\n').enumerate() {
            let Some(entry) = record::entries(line).next() else {
                continue;
            };
            let is_compiled = entry.path.ends_with(".pyc") && entry.hash.is_none();
            let written = Path::new(&*entry.path);
            let path = below(site, written).ok_or(Unfit::Odd)?;
            files.push(File {
                line: index,
                is_record: *written == *own,
                is_compiled,
                path,
            });
        }
        Ok(files)
    }

    fn copy(
        &self,
        files: &[File],
        text: &str,
        done: &mut Vec<PathBuf>,
    ) -> Result<Vec<PathBuf>, Unfit> {
        let mut made: BTreeSet<PathBuf> = BTreeSet::new();
        let mut lines: Vec<Option<String>> = text
            .split_inclusive('\n')
            .map(|line| Some(line.to_owned()))
            .collect();
        let mut uncompiled = Vec::new();
        let mut record = None;
        for file in files {
            if file.is_compiled {
                // Compiled anew or copied below; no RECORD of a release lists them.
                if let Some(line) = lines.get_mut(file.line) {
                    *line = None;
                }
                continue;
            }
            self.directories(&file.path, &mut made)?;
            if file.is_record {
                record = Some(&file.path);
                continue;
            }
            if let Some((digest, size)) = self.file(&file.path, done)? {
                if let Some(slot) = lines.get_mut(file.line) {
                    *slot = slot
                        .as_deref()
                        .and_then(|line| relisted(line, &digest, size));
                }
            }
            if file.path.extension().is_some_and(|end| end == "py")
                && !self.compiled(&file.path, &mut made, done)?
            {
                uncompiled.push(self.to.join(&file.path));
            }
        }
        let record = record.ok_or(Unfit::Odd)?;
        let lines: String = lines.into_iter().flatten().collect();
        write(&self.to.join(record), lines.as_bytes(), 0o644, done)?;
        Ok(uncompiled)
    }

    fn directories(&self, path: &Path, made: &mut BTreeSet<PathBuf>) -> std::io::Result<()> {
        let Some(parent) = path.parent() else {
            return Ok(());
        };
        if parent == Path::new("") || made.contains(parent) {
            return Ok(());
        }
        self.directories(parent, made)?;
        match std::fs::create_dir(self.to.join(parent)) {
            Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => return Err(error),
            _ => {}
        }
        made.insert(parent.to_owned());
        Ok(())
    }

    /// Copies a file; a script that names the old interpreter comes back as what it is now.
    fn file(&self, path: &Path, done: &mut Vec<PathBuf>) -> Result<Option<(String, u64)>, Unfit> {
        let (from, to) = (self.from.join(path), self.to.join(path));
        let meta = from.symlink_metadata()?;
        if !meta.is_file() {
            return Err(Unfit::Odd);
        }
        if to.symlink_metadata().is_ok() {
            // Two distributions have the file; with another content one of them would not be taken
            // over.
            return Ok(None);
        }
        if path.parent() == Some(Path::new("bin")) {
            if let Some(script) = self.script(&from, meta.len())? {
                write(&to, &script, 0o755, done)?;
                let digest = URL_SAFE_NO_PAD.encode(Sha256::digest(&script));
                return Ok(Some((digest, script.len() as u64)));
            }
        }
        self.content(&from, &to, &meta, done)?;
        Ok(None)
    }

    fn script(&self, from: &Path, size: u64) -> Result<Option<Vec<u8>>, Unfit> {
        if size > 1 << 20 {
            return Ok(None);
        }
        let bytes = pydist::files::read(from, 1 << 20)?;
        let Some(shebang::Starts::Program(program)) = shebang::interpreter(&bytes) else {
            return Ok(None);
        };
        let name = program.file_name().unwrap_or_default().as_bytes();
        let (Some(bin), true) = (program.parent(), name.starts_with(b"python")) else {
            return Ok(None);
        };
        // Whatever environment the script was made for, a moved or copied one too: the release's
        // own interpreter starts it.
        let old = bin.parent().unwrap_or(bin).to_owned();
        if old == Path::new("/usr") || old == Path::new("/usr/local") {
            return Ok(None);
        }
        Ok(shebang::moved(&bytes, &[old], self.to))
    }

    fn content(
        &self,
        from: &Path,
        to: &Path,
        meta: &std::fs::Metadata,
        done: &mut Vec<PathBuf>,
    ) -> Result<(), Unfit> {
        // As installers set it, whatever umask made the old one.
        let mode = if meta.mode() & 0o111 == 0 {
            0o644
        } else {
            0o755
        };
        if self.mode == LinkMode::Hardlink && meta.mode() & 0o7777 == mode {
            match std::fs::hard_link(from, to) {
                Ok(()) => {
                    done.push(to.to_owned());
                    return Ok(());
                }
                Err(error) if error.raw_os_error() == Some(31) => {}
                Err(error) => return Err(error.into()),
            }
        }
        let (fd, size) = pydist::files::open_at(CWD, from)?;
        let mut source = std::fs::File::from(fd);
        let new = created(to, mode, done)?;
        if !self.shared(&new, &source)? {
            transfer(&mut source, &new, size, self.mode)?;
        }
        settle(&new, mode, Some(meta))?;
        Ok(())
    }

    /// Shares the blocks of a file, where the file system can.
    fn shared(&self, new: &std::fs::File, source: &std::fs::File) -> Result<bool, Unfit> {
        if self.no_reflink.load(Ordering::Relaxed) {
            return Ok(false);
        }
        match rustix::fs::ioctl_ficlone(new, source) {
            Ok(()) => {
                self.reflinked.store(true, Ordering::Relaxed);
                Ok(true)
            }
            Err(errno) if self.mode == LinkMode::Reflink => Err(Unfit::Failed(
                std::io::Error::other(format!("the file system cannot share blocks: {errno}")),
            )),
            Err(_) => {
                self.no_reflink.store(true, Ordering::Relaxed);
                Ok(false)
            }
        }
    }

    /// Copies the compiled form of a source, if there is one that Python would use.
    fn compiled(
        &self,
        source: &Path,
        made: &mut BTreeSet<PathBuf>,
        done: &mut Vec<PathBuf>,
    ) -> Result<bool, Unfit> {
        let Some(path) = self.tag.as_deref().and_then(|tag| cached(source, tag)) else {
            return Ok(false);
        };
        let from = self.from.join(&path);
        let Ok(meta) = from.symlink_metadata() else {
            return Ok(false);
        };
        if !meta.is_file() || !is_valid(&from, &self.to.join(source)) {
            return Ok(false);
        }
        self.directories(&path, made)?;
        let to = self.to.join(&path);
        if to.symlink_metadata().is_err() {
            self.content(&from, &to, &meta, done)?;
        }
        Ok(true)
    }
}

fn write(to: &Path, bytes: &[u8], mode: u32, done: &mut Vec<PathBuf>) -> Result<(), Unfit> {
    let mut new = created(to, mode, done)?;
    new.write_all(bytes).map_err(Unfit::Failed)?;
    settle(&new, mode, None)?;
    Ok(())
}

struct File {
    line: usize,
    is_record: bool,
    is_compiled: bool,
    path: PathBuf,
}

fn name_of(info: &Path) -> &std::ffi::OsStr {
    info.file_name().unwrap_or_default()
}

/// A new file; one that stands there is an error, since two distributions would fight over it.
fn created(to: &Path, mode: u32, done: &mut Vec<PathBuf>) -> Result<std::fs::File, Unfit> {
    let opened = std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(mode)
        .open(to);
    let file = opened.map_err(|error| match error.kind() {
        std::io::ErrorKind::AlreadyExists => Unfit::Odd,
        _ => Unfit::Failed(error),
    })?;
    done.push(to.to_owned());
    Ok(file)
}

fn settle(new: &std::fs::File, mode: u32, like: Option<&std::fs::Metadata>) -> std::io::Result<()> {
    rustix::fs::fchmod(new, Mode::from_raw_mode(mode))?;
    if let Some(meta) = like {
        // Compiled files name the time of their source.
        let time = Timespec {
            tv_sec: meta.mtime(),
            tv_nsec: meta.mtime_nsec(),
        };
        let times = Timestamps {
            last_access: time,
            last_modification: time,
        };
        rustix::fs::futimens(new, &times)?;
    }
    Ok(())
}

fn transfer(
    source: &mut std::fs::File,
    new: &std::fs::File,
    size: u64,
    mode: LinkMode,
) -> Result<(), Unfit> {
    let mut left = size;
    while left > 0 && mode != LinkMode::Copy {
        let most = usize::try_from(left).unwrap_or(usize::MAX);
        match rustix::fs::copy_file_range(&*source, None, new, None, most) {
            Ok(0) => return Ok(()),
            Ok(count) => left = left.saturating_sub(count as u64),
            Err(rustix::io::Errno::INTR) => {}
            Err(
                rustix::io::Errno::XDEV
                | rustix::io::Errno::NOSYS
                | rustix::io::Errno::OPNOTSUPP
                | rustix::io::Errno::INVAL,
            ) => break,
            Err(errno) => return Err(Unfit::Failed(errno.into())),
        }
    }
    let mut buffer = vec![0; 256 << 10];
    let mut out = new;
    loop {
        match source.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(count) => out.write_all(&buffer[..count]).map_err(Unfit::Failed)?,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// A line of RECORD with another hash and size.
fn relisted(line: &str, digest: &str, size: u64) -> Option<String> {
    let end = &line[line.trim_end_matches(['\r', '\n']).len()..];
    let bare = &line[..line.len() - end.len()];
    let mut fields = bare.rsplitn(3, ',');
    let (_, _, path) = (fields.next()?, fields.next()?, fields.next()?);
    Some(format!("{path},sha256={digest},{size}{end}"))
}

/// `pkg/__pycache__/a.cpython-311.pyc` of `pkg/a.py`.
pub fn cached(source: &Path, tag: &str) -> Option<PathBuf> {
    let stem = source.file_stem()?;
    let mut name = stem.to_owned();
    name.push(format!(".{tag}.pyc"));
    Some(source.parent()?.join("__pycache__").join(name))
}

/// Whether a compiled file is of its source: it names the source's time and size (PEP 552).
pub fn is_valid(compiled: &Path, source: &Path) -> bool {
    let mut head = [0; 16];
    let Ok((fd, _)) = pydist::files::open_at(CWD, compiled) else {
        return false;
    };
    if std::fs::File::from(fd).read_exact(&mut head).is_err() {
        return false;
    }
    let Ok(meta) = source.symlink_metadata() else {
        return false;
    };
    let word = |at: usize| u32::from_le_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]);
    // The kernel's numbers, cut to 32 bits as Python cuts them.
    word(4) == 0 && word(8) == meta.mtime() as u32 && word(12) == meta.size() as u32
}

/// Removes a distribution from a release that is being built.
pub fn remove(release: &Path, info: &Path) -> std::io::Result<()> {
    let site = info.parent().unwrap_or(release);
    let site = site.strip_prefix(release).unwrap_or(site);
    let bytes = pydist::files::read(&info.join("RECORD"), pydist::files::RECORD_LIMIT)?;
    let text = String::from_utf8_lossy(&bytes).into_owned();
    let mut directories = BTreeSet::new();
    for entry in record::entries(&text) {
        let Some(path) = below(site, Path::new(&*entry.path)) else {
            continue;
        };
        let whole = release.join(&path);
        match std::fs::remove_file(&whole) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut above = whole.parent();
        while let Some(dir) =
            above.filter(|dir| *dir != release.join(site) && dir.starts_with(release))
        {
            directories.insert(dir.to_owned());
            above = dir.parent();
        }
    }
    for dir in directories.iter().rev() {
        let _ = std::fs::remove_dir_all(dir.join("__pycache__"));
        // What still holds something stays.
        let _ = std::fs::remove_dir(dir);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{cached, relisted};
    use std::path::Path;

    #[test]
    fn lines_of_record_keep_their_path_and_end() {
        let line = "../../../bin/x,sha256=old,10\r\n";
        assert_eq!(
            relisted(line, "new", 12).as_deref(),
            Some("../../../bin/x,sha256=new,12\r\n")
        );
        assert_eq!(
            cached(Path::new("a/b.py"), "cpython-311").as_deref(),
            Some(Path::new("a/__pycache__/b.cpython-311.pyc"))
        );
    }
}
