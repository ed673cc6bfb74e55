//! Are the files that RECORD lists there, and are they what was installed?
//!
//! Every path is looked up from the environment's own directory, opened once, and one that would climb out of it is not looked at at
//! all: RECORD is a file that anybody who can install can write. The work is spread over the processors by distribution.

mod claims;
pub mod programs;

use std::borrow::Cow;
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use pydist::record::{self, Entry};
use pydist::{Form, files};
use rustix::fd::OwnedFd;
use rustix::fs::{AtFlags, FileType, Mode, OFlags, ResolveFlags};
use sha2::{Digest, Sha256, Sha384, Sha512};

use claims::{Claim, Claims, claimed_twice};

use crate::compare::Policy;
use crate::findings::{Finding, Kind};
use crate::observe::{self, Installed, Observed};
use crate::request::Depth;

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

/// Looks at the files of every distribution of the environment's own.
pub fn verify(observed: &Observed, depth: Depth, policy: &Policy) -> std::io::Result<Verified> {
    let mut out = Verified::default();
    programs::look(observed, policy, &mut out.findings);
    if depth == Depth::None {
        return Ok(out);
    }
    let dists: Vec<&Installed> = observed
        .installed
        .iter()
        .filter(|i| i.place == observe::Place::Own && i.dist.form == Form::DistInfo && i.has_record)
        .collect();
    let look = Look::new(observed, depth, policy)?;
    let next = AtomicUsize::new(0);
    let threads = std::thread::available_parallelism()
        .map_or(1, usize::from)
        .min(8)
        .min(dists.len().max(1));
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
        let others: Vec<_> = (1..threads)
            .map(|_| base::threads::help(scope, work))
            .collect();
        let mut parts = vec![work()];
        parts.extend(others.into_iter().filter_map(base::threads::Helper::join));
        parts
    });
    let twice = claimed_twice(&parts, &look);
    let is_twice = |finding: &Finding| {
        finding.kind == Kind::FileModified && twice.iter().any(|t| t.path == finding.path)
    };
    for part in parts {
        out.findings.extend(
            part.findings
                .into_iter()
                .filter(|finding| !is_twice(finding)),
        );
        out.warnings.extend(part.warnings);
        out.files += part.claims.len();
    }
    out.findings.extend(twice);
    out.findings
        .sort_by(|a, b| (a.kind, &a.name, &a.path).cmp(&(b.kind, &b.name, &b.path)));
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
    sites: Vec<Site>,
    depth: Depth,
    policy: &'a Policy,
    /// Who may enter the environment's directory, and has to be able to read what is in it.
    classes: u32,
}

/// A site directory, opened once: most files lie right below it, and the way to them is shorter from there.
struct Site {
    path: PathBuf,
    below: PathBuf,
    fd: OwnedFd,
}

/// A file that RECORD lists: from which directory, and by which name.
struct Place<'a> {
    dir: &'a OwnedFd,
    name: Cow<'a, Path>,
}

impl<'a> Look<'a> {
    fn new(observed: &Observed, depth: Depth, policy: &'a Policy) -> std::io::Result<Self> {
        let prefix = &observed.environment.prefix;
        let site = |path: &PathBuf| {
            let below = path.strip_prefix(prefix).ok()?.to_owned();
            Some(Site {
                path: path.clone(),
                below,
                fd: files::open_dir(path).ok()?,
            })
        };
        let sites = observed.environment.sites.iter().filter_map(site).collect();
        Ok(Look {
            classes: programs::classes(prefix),
            root: files::open_dir(prefix)?,
            prefix: prefix.clone(),
            sites,
            depth,
            policy,
        })
    }

    fn site_of(&self, installed: &Installed) -> Option<&Site> {
        let site = installed.dist.path.parent()?;
        self.sites.iter().find(|have| have.path == site)
    }

    /// Where a path of a RECORD is; `None` where it leads out.
    fn place<'b>(&'b self, site: &'b Site, path: &'b str) -> Option<Place<'b>> {
        if is_plain(path) {
            return Some(Place {
                dir: &site.fd,
                name: Cow::Borrowed(Path::new(path)),
            });
        }
        Some(Place {
            dir: &self.root,
            name: Cow::Owned(below(&site.below, Path::new(path))?),
        })
    }

    /// Its path, as a person would name it.
    fn shown(&self, site: &Site, place: &Place<'_>) -> PathBuf {
        let dir = if std::ptr::eq(place.dir, &self.root) {
            &self.prefix
        } else {
            &site.path
        };
        dir.join(&place.name)
    }

    fn distribution<'b>(
        &self,
        installed: &'b Installed,
        index: usize,
        part: &mut Part<'b>,
        buffer: &mut [u8],
    ) {
        let dist = &installed.dist;
        let path = dist.path.join("RECORD");
        let text = match files::read(&path, files::RECORD_LIMIT) {
            Ok(bytes) => text(bytes),
            Err(error) => {
                let msg = format!("{} {}", path.display(), base::error::plain(&error));
                part.findings
                    .push(self.about(installed, Kind::RecordMissing, msg).path(&path));
                return;
            }
        };
        let Some(site) = self.site_of(installed) else {
            return;
        };
        let info = dist.path.file_name().unwrap_or_default().as_bytes();
        let claims = Claims::below(&site.below);
        let (mut missing, mut payload, mut gone, mut outside) = (Vec::new(), 0, 0, 0);
        let mut closed = programs::Closed::default();
        for entry in record::entries(&text) {
            if entry.hash.is_none()
                && entry.size.is_none()
                && (entry.path.ends_with(".pyc") || entry.path.ends_with("RECORD"))
            {
                continue;
            }
            let Some(place) = self.place(site, &entry.path) else {
                outside += 1;
                continue;
            };
            let is_payload = !entry.path.as_bytes().starts_with(info);
            payload += usize::from(is_payload);
            part.claims
                .push(claims.of(&place, &entry, index, &self.root));
            let (kind, how) = match self.file(site, &place, &entry, buffer) {
                Ok(mode) => {
                    if mode & self.classes != self.classes {
                        closed.note(mode, || self.shown(site, &place));
                    }
                    continue;
                }
                Err(Wrong::Missing) => {
                    gone += usize::from(is_payload);
                    missing.push(self.shown(site, &place));
                    continue;
                }
                Err(Wrong::Modified(how)) => (Kind::FileModified, how),
                Err(Wrong::Unverifiable(why)) => (Kind::UnverifiableHash, why),
            };
            let path = self.shown(site, &place);
            let msg = format!("{} of {} {how}", path.display(), dist.name);
            part.findings
                .push(self.about(installed, kind, msg).path(&path));
        }
        if let Some(msg) = closed.says(&dist.name) {
            match closed.is_drift() {
                true => part.findings.push(
                    self.about(installed, Kind::NotReadable, msg)
                        .path(&dist.path),
                ),
                false => part.warnings.push(msg),
            }
        }
        if outside > 0 {
            part.warnings.push(format!(
                "{}: {outside} paths lead out of the environment and were not looked at",
                path.display()
            ));
        }
        if payload > 0 && gone == payload {
            let msg = format!(
                "{} {} is listed, but all its files are gone",
                dist.name, dist.version
            );
            part.findings
                .push(self.about(installed, Kind::GhostDist, msg).path(&dist.path));
            return;
        }
        for path in missing {
            let msg = format!("{} of {} is gone", path.display(), dist.name);
            part.findings
                .push(self.about(installed, Kind::FileMissing, msg).path(&path));
        }
    }

    fn about(&self, installed: &Installed, kind: Kind, msg: String) -> Finding {
        Finding::new(kind, msg)
            .name(&installed.dist.name)
            .installed(&installed.dist.version)
            .fix(self.policy.apply.clone())
    }

    fn file(
        &self,
        site: &Site,
        place: &Place<'_>,
        entry: &Entry<'_>,
        buffer: &mut [u8],
    ) -> Result<u32, Wrong> {
        let mut stat = rustix::fs::statat(place.dir, &*place.name, AtFlags::SYMLINK_NOFOLLOW)
            .map_err(absent)?;
        if FileType::from_raw_mode(stat.st_mode) == FileType::Symlink {
            // As uv's --link-mode symlink leaves them.
            stat = rustix::fs::statat(place.dir, &*place.name, AtFlags::empty()).map_err(absent)?;
        }
        if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
            return Err(Wrong::Modified("is not a regular file".to_owned()));
        }
        let size = u64::try_from(stat.st_size).unwrap_or(0);
        if let Some(expected) = entry.size.filter(|expected| *expected != size) {
            return Err(Wrong::Modified(format!(
                "has {size} bytes, {expected} were installed"
            )));
        }
        if self.depth == Depth::Hash {
            self.hash(site, place, entry, buffer)?;
        }
        Ok(stat.st_mode)
    }

    /// Opens a file to read it, and follows no link out of the environment to do so.
    fn open(&self, site: &Site, place: &Place<'_>) -> rustix::io::Result<OwnedFd> {
        let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
        let within = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
        let open = |dir: &OwnedFd, name: &Path| {
            rustix::fs::openat2(dir, name, flags, Mode::empty(), within)
        };
        match open(place.dir, &place.name) {
            // Out of the site directory may still be within the environment.
            Err(rustix::io::Errno::XDEV) if !std::ptr::eq(place.dir, &self.root) => {
                open(&self.root, &site.below.join(&place.name))
            }
            // Linux before 5.6 has no openat2; there, no link is followed at all.
            Err(rustix::io::Errno::NOSYS) => rustix::fs::openat(
                place.dir,
                &*place.name,
                flags | OFlags::NOFOLLOW,
                Mode::empty(),
            ),
            opened => opened,
        }
    }

    fn hash(
        &self,
        site: &Site,
        place: &Place<'_>,
        entry: &Entry<'_>,
        buffer: &mut [u8],
    ) -> Result<(), Wrong> {
        let Some((algorithm, expected)) = entry.hash else {
            return Ok(());
        };
        let file = self.open(site, place).map_err(|errno| match errno {
            rustix::io::Errno::XDEV => {
                Wrong::Unverifiable("leads out of the environment and was not read".to_owned())
            }
            rustix::io::Errno::NOENT => Wrong::Missing,
            errno => Wrong::Unverifiable(format!("can't be read: {errno}")),
        })?;
        let mut file = std::fs::File::from(file);
        let unreadable = |error: std::io::Error| {
            Wrong::Unverifiable(format!("can't be read: {}", base::error::plain(&error)))
        };
        let digest = match algorithm {
            "sha256" => digest::<Sha256>(&mut file, buffer, entry.size).map_err(unreadable)?,
            "sha384" => digest::<Sha384>(&mut file, buffer, entry.size).map_err(unreadable)?,
            "sha512" => digest::<Sha512>(&mut file, buffer, entry.size).map_err(unreadable)?,
            weak => {
                return Err(Wrong::Unverifiable(format!(
                    "has a hash by {weak}, which proves nothing"
                )));
            }
        };
        if digest == expected {
            Ok(())
        } else {
            Err(Wrong::Modified(
                "is not what was installed (its hash differs)".to_owned(),
            ))
        }
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

fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes)
        .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
}

/// Reads to the end, or a little beyond the size that it should have: a file that grows for ever is modified already.
fn digest<D: Digest>(
    file: &mut std::fs::File,
    buffer: &mut [u8],
    size: Option<u64>,
) -> std::io::Result<String> {
    let mut hasher = D::new();
    let mut left = size.map_or(u64::MAX, |size| size + 1);
    while left > 0 {
        let most = usize::try_from(left)
            .unwrap_or(usize::MAX)
            .min(buffer.len());
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
pub fn below(site: &Path, path: &Path) -> Option<PathBuf> {
    let plain = path
        .components()
        .all(|part| matches!(part, Component::Normal(_)));
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

/// Whether a path only goes down, by plain names: then it can be used as it is.
fn is_plain(path: &str) -> bool {
    !path.starts_with(['/', '.'])
        && !path.contains("/.")
        && !path.contains("//")
        && !path.is_empty()
}

#[cfg(test)]
mod tests {
    use super::below;
    use std::path::{Path, PathBuf};

    #[test]
    fn a_path_that_leaves_the_environment_is_none() {
        let site = Path::new("lib/python3.11/site-packages");
        assert_eq!(
            below(site, Path::new("../../../bin/x")),
            Some(PathBuf::from("bin/x"))
        );
        assert_eq!(
            below(site, Path::new("a/./b.py")),
            Some(site.join("a/b.py"))
        );
        assert_eq!(below(site, Path::new("../../../../etc/passwd")), None);
        assert_eq!(below(site, Path::new("/etc/passwd")), None);
        assert_eq!(below(site, Path::new("a/../../../../../x")), None);
    }
}
