//! Are the files that RECORD lists there, and are they what was installed?
//!
//! Every path is looked up from the environment's own directory, opened once, and one that would climb out of it is not looked at at
//! all: RECORD is a file that anybody who can install can write. The work is spread over the processors by distribution.

use std::collections::HashMap;
use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};
use std::io::Read;
use std::path::{Component, Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use pydist::record::{self, Entry};
use pydist::{Form, files};
use rustix::fd::OwnedFd;
use rustix::fs::{AtFlags, FileType, Mode, OFlags, ResolveFlags};
use sha2::{Digest, Sha256, Sha384, Sha512};

use crate::findings::{Finding, Kind};
use crate::observe::{Installed, Observed, Place};

/// How closely files are looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Depth {
    /// Not at all.
    None,
    /// Are they there, in their size?
    Size,
    /// Are they what was installed?
    Hash,
}

/// What came of it.
#[derive(Debug, Default)]
pub struct Verified {
    /// Files that aren't as they were.
    pub findings: Vec<Finding>,
    /// What is worth a word.
    pub warnings: Vec<String>,
    /// How many files were looked at.
    pub files: usize,
}

/// A path that a distribution says is its own.
struct Claim {
    path: u64,
    hash: u64,
    dist: usize,
}

/// Looks at the files of every distribution of the environment's own.
pub fn verify(observed: &Observed, depth: Depth, fix: &str) -> std::io::Result<Verified> {
    let mut out = Verified::default();
    if depth == Depth::None {
        return Ok(out);
    }
    let dists: Vec<&Installed> =
        observed.installed.iter().filter(|i| i.place == Place::Own && i.dist.form == Form::DistInfo && i.has_record).collect();
    let look = Look { root: files::open_dir(&observed.environment.prefix)?, prefix: observed.environment.prefix.clone(), depth, fix };
    let next = AtomicUsize::new(0);
    let threads = std::thread::available_parallelism().map_or(1, usize::from).min(8).min(dists.len().max(1));
    let work = || {
        let mut mine = Part::default();
        let mut buffer = vec![0; 64 << 10];
        while let Some(dist) = dists.get(next.fetch_add(1, Ordering::Relaxed)) {
            let index = mine.dists.len();
            mine.dists.push(dist);
            look.distribution(dist, index, &mut mine, &mut buffer);
        }
        mine
    };
    let parts: Vec<Part> = std::thread::scope(|scope| {
        let others: Vec<_> = (1..threads).map(|_| scope.spawn(work)).collect();
        let mut parts = vec![work()];
        parts.extend(others.into_iter().filter_map(|thread| thread.join().ok()));
        parts
    });
    let twice = claimed_twice(&parts, &look);
    let is_twice = |finding: &Finding| finding.kind == Kind::FileModified && twice.iter().any(|t| t.path == finding.path);
    for part in parts {
        out.findings.extend(part.findings.into_iter().filter(|finding| !is_twice(finding)));
        out.warnings.extend(part.warnings);
        out.files += part.claims.len();
    }
    out.findings.extend(twice);
    out.findings.sort_by(|a, b| (a.kind, &a.name, &a.path).cmp(&(b.kind, &b.name, &b.path)));
    Ok(out)
}

#[derive(Default)]
struct Part<'a> {
    dists: Vec<&'a Installed>,
    findings: Vec<Finding>,
    warnings: Vec<String>,
    claims: Vec<Claim>,
}

struct Look<'a> {
    root: OwnedFd,
    prefix: PathBuf,
    depth: Depth,
    fix: &'a str,
}

impl Look<'_> {
    fn distribution<'a>(&self, installed: &'a Installed, index: usize, part: &mut Part<'a>, buffer: &mut [u8]) {
        let dist = &installed.dist;
        let path = dist.path.join("RECORD");
        let text = match files::read(&path, files::RECORD_LIMIT) {
            Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
            Err(error) => {
                let msg = format!("{} {}", path.display(), base::error::plain(&error));
                part.findings.push(self.about(installed, Kind::RecordMissing, msg).path(&path));
                return;
            }
        };
        let Some(site) = dist.path.parent().and_then(|site| site.strip_prefix(&self.prefix).ok()) else {
            return;
        };
        let info = dist.path.file_name().unwrap_or_default();
        let (mut missing, mut payload, mut outside) = (Vec::new(), 0, 0);
        for entry in record::entries(&text) {
            if entry.hash.is_none() && entry.size.is_none() && (entry.path.ends_with(".pyc") || entry.path.ends_with("RECORD")) {
                continue;
            }
            let Some(path) = below(site, Path::new(&*entry.path)) else {
                outside += 1;
                continue;
            };
            payload += usize::from(!Path::new(&*entry.path).starts_with(info));
            part.claims.push(claim(&path, &entry, index));
            match self.file(&path, &entry, buffer) {
                Ok(()) => {}
                Err(Wrong::Missing) => missing.push(path),
                Err(Wrong::Modified(how)) => {
                    let path = self.prefix.join(path);
                    let msg = format!("{} of {} {how}", path.display(), dist.name);
                    part.findings.push(self.about(installed, Kind::FileModified, msg).path(&path));
                }
                Err(Wrong::Unverifiable(why)) => {
                    let path = self.prefix.join(path);
                    let msg = format!("{} of {} {why}", path.display(), dist.name);
                    part.findings.push(self.about(installed, Kind::UnverifiableHash, msg).path(&path));
                }
            }
        }
        if outside > 0 {
            part.warnings.push(format!("{}: {outside} paths lead out of the environment and were not looked at", path.display()));
        }
        let gone = missing.iter().filter(|path| !path.starts_with(site.join(info))).count();
        if payload > 0 && gone == payload {
            let msg = format!("{} {} is listed, but all its files are gone", dist.name, dist.version);
            part.findings.push(self.about(installed, Kind::GhostDist, msg).path(&dist.path));
            return;
        }
        for path in missing {
            let path = self.prefix.join(path);
            let msg = format!("{} of {} is gone", path.display(), dist.name);
            part.findings.push(self.about(installed, Kind::FileMissing, msg).path(&path));
        }
    }

    fn about(&self, installed: &Installed, kind: Kind, msg: String) -> Finding {
        Finding::new(kind, msg).name(&installed.dist.name).installed(&installed.dist.version).fix(self.fix)
    }

    fn file(&self, path: &Path, entry: &Entry<'_>, buffer: &mut [u8]) -> Result<(), Wrong> {
        let mut stat = rustix::fs::statat(&self.root, path, AtFlags::SYMLINK_NOFOLLOW).map_err(absent)?;
        if FileType::from_raw_mode(stat.st_mode) == FileType::Symlink {
            // As uv's --link-mode symlink leaves them.
            stat = rustix::fs::statat(&self.root, path, AtFlags::empty()).map_err(absent)?;
        }
        if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
            return Err(Wrong::Modified("is not a regular file".to_owned()));
        }
        let size = u64::try_from(stat.st_size).unwrap_or(0);
        if let Some(expected) = entry.size.filter(|expected| *expected != size) {
            return Err(Wrong::Modified(format!("has {size} bytes, {expected} were installed")));
        }
        if self.depth == Depth::Hash { self.hash(path, entry, buffer) } else { Ok(()) }
    }

    fn hash(&self, path: &Path, entry: &Entry<'_>, buffer: &mut [u8]) -> Result<(), Wrong> {
        let Some((algorithm, expected)) = entry.hash else {
            return Ok(());
        };
        let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
        let within = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
        let file = rustix::fs::openat2(&self.root, path, flags, Mode::empty(), within).map_err(|errno| match errno {
            rustix::io::Errno::XDEV => Wrong::Unverifiable("leads out of the environment and was not read".to_owned()),
            rustix::io::Errno::NOENT => Wrong::Missing,
            errno => Wrong::Unverifiable(format!("can't be read: {errno}")),
        })?;
        let mut file = std::fs::File::from(file);
        let unreadable = |error: std::io::Error| Wrong::Unverifiable(format!("can't be read: {}", base::error::plain(&error)));
        let digest = match algorithm {
            "sha256" => digest::<Sha256>(&mut file, buffer, entry.size).map_err(unreadable)?,
            "sha384" => digest::<Sha384>(&mut file, buffer, entry.size).map_err(unreadable)?,
            "sha512" => digest::<Sha512>(&mut file, buffer, entry.size).map_err(unreadable)?,
            weak => return Err(Wrong::Unverifiable(format!("has a hash by {weak}, which proves nothing"))),
        };
        if digest == expected { Ok(()) } else { Err(Wrong::Modified("is not what was installed (its hash differs)".to_owned())) }
    }
}

enum Wrong {
    Missing,
    Modified(String),
    Unverifiable(String),
}

fn absent(errno: rustix::io::Errno) -> Wrong {
    match errno {
        rustix::io::Errno::NOENT | rustix::io::Errno::NOTDIR => Wrong::Missing,
        errno => Wrong::Unverifiable(format!("can't be looked at: {errno}")),
    }
}

/// Reads to the end, or a little beyond the size that it should have: a file that grows for ever is modified already.
fn digest<D: Digest>(file: &mut std::fs::File, buffer: &mut [u8], size: Option<u64>) -> std::io::Result<String> {
    let mut hasher = D::new();
    let mut left = size.map_or(u64::MAX, |size| size + 1);
    while left > 0 {
        let most = usize::try_from(left).unwrap_or(usize::MAX).min(buffer.len());
        match file.read(&mut buffer[..most]) {
            Ok(0) => break,
            Ok(count) => {
                hasher.update(&buffer[..count]);
                left -= count as u64;
            }
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(URL_SAFE_NO_PAD.encode(hasher.finalize()))
}

/// `path` from `site`, both worked out in the text; `None` where it leaves the environment.
fn below(site: &Path, path: &Path) -> Option<PathBuf> {
    let plain = path.components().all(|part| matches!(part, Component::Normal(_)));
    if plain {
        return Some(site.join(path));
    }
    let mut out = site.to_path_buf();
    for part in path.components() {
        match part {
            Component::Normal(name) => out.push(name),
            Component::CurDir => {}
            Component::ParentDir if out.pop() => {}
            _ => return None,
        }
    }
    Some(out)
}

type Hasher = BuildHasherDefault<DefaultHasher>;

fn claim(path: &Path, entry: &Entry<'_>, dist: usize) -> Claim {
    let hasher = Hasher::default();
    Claim { path: hasher.hash_one(path), hash: hasher.hash_one((entry.hash, entry.size)), dist }
}

/// Files that two distributions installed with different content: one of them has lost. The same content twice (an empty
/// `__init__.py`) harms nobody.
fn claimed_twice(parts: &[Part<'_>], look: &Look<'_>) -> Vec<Finding> {
    let mut seen: HashMap<u64, (u64, &Installed)> = HashMap::new();
    let mut found = Vec::new();
    for part in parts {
        for claim in &part.claims {
            let Some(dist) = part.dists.get(claim.dist) else {
                continue;
            };
            match seen.get(&claim.path) {
                Some((hash, other)) if *hash != claim.hash && other.dist.key != dist.dist.key => {
                    found.extend(name_of_claim(claim.path, dist, other, look));
                }
                Some(_) => {}
                None => {
                    seen.insert(claim.path, (claim.hash, dist));
                }
            }
        }
    }
    found
}

/// The path itself was not kept, only its hash: read once more.
fn name_of_claim(path: u64, one: &Installed, other: &Installed, look: &Look<'_>) -> Option<Finding> {
    let (one, other) = if one.dist.key < other.dist.key { (one, other) } else { (other, one) };
    let bytes = files::read(&one.dist.path.join("RECORD"), files::RECORD_LIMIT).ok()?;
    let text = String::from_utf8_lossy(&bytes).into_owned();
    let site = one.dist.path.parent()?.strip_prefix(&look.prefix).ok()?;
    let mut paths = record::entries(&text).filter_map(|entry| below(site, Path::new(&*entry.path)));
    let path = paths.find(|have| Hasher::default().hash_one(have.as_path()) == path)?;
    let path = look.prefix.join(path);
    let msg = format!("{} was installed by {} and by {}, with different content", path.display(), one.dist.name, other.dist.name);
    let fix = format!("remove one of the two, or --allow {} if it doesn't matter", other.dist.name);
    Some(look.about(one, Kind::FileClaimedTwice, msg).required(&other.dist.name).path(&path).fix(fix))
}

#[cfg(test)]
mod tests {
    use super::below;
    use std::path::{Path, PathBuf};

    #[test]
    fn a_path_that_leaves_the_environment_is_none() {
        let site = Path::new("lib/python3.11/site-packages");
        assert_eq!(below(site, Path::new("../../../bin/x")), Some(PathBuf::from("bin/x")));
        assert_eq!(below(site, Path::new("a/./b.py")), Some(site.join("a/b.py")));
        assert_eq!(below(site, Path::new("../../../../etc/passwd")), None);
        assert_eq!(below(site, Path::new("/etc/passwd")), None);
        assert_eq!(below(site, Path::new("a/../../../../../x")), None);
    }
}
