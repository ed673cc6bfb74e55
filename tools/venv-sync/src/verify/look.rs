//! The look at the files of one distribution: each path that its RECORD lists.

use std::borrow::Cow;
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use pydist::files;
use pydist::record::{self, Entry};
use rustix::fd::OwnedFd;
use rustix::fs::{AtFlags, FileType, Mode, OFlags, ResolveFlags};
use sha2::{Digest, Sha256, Sha384, Sha512};

use super::claims::{Claim, Claims};
use super::place::{Place, below, is_plain};
use super::programs;
use crate::compare::Policy;
use crate::findings::{Finding, Kind};
use crate::observe::{Installed, Observed};
use crate::request::Depth;

/// What one thread found.
#[derive(Default)]
pub struct Part<'a> {
    pub dists: Vec<&'a Installed>,
    pub findings: Vec<Finding>,
    pub warnings: Vec<String>,
    pub claims: Vec<Claim>,
}

/// The environment, opened.
pub struct Look<'a> {
    pub root: OwnedFd,
    prefix: PathBuf,
    sites: Vec<Site>,
    depth: Depth,
    pub policy: &'a Policy,
    /// Who may enter the environment's directory, and has to be able to read what is in it.
    classes: u32,
}

/// A site directory, opened once: most files lie right below it, and the way to them is shorter
/// from there.
pub struct Site {
    path: PathBuf,
    /// Its path in the environment.
    pub below: PathBuf,
    fd: OwnedFd,
}

impl<'a> Look<'a> {
    pub fn new(observed: &Observed, depth: Depth, policy: &'a Policy) -> std::io::Result<Self> {
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

    pub fn site_of(&self, installed: &Installed) -> Option<&Site> {
        let site = installed.dist.path.parent()?;
        self.sites.iter().find(|have| have.path == site)
    }

    /// Where a path of a RECORD is; `None` where it leads out.
    pub fn place<'b>(&'b self, site: &'b Site, path: &'b str) -> Option<Place<'b>> {
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
    pub fn shown(&self, site: &Site, place: &Place<'_>) -> PathBuf {
        let dir = if std::ptr::eq(place.dir, &self.root) {
            &self.prefix
        } else {
            &site.path
        };
        dir.join(&place.name)
    }

    pub fn distribution<'b>(
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

    pub fn about(&self, installed: &Installed, kind: Kind, msg: String) -> Finding {
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
            errno => Wrong::Unverifiable(format!("cannot be read: {errno}")),
        })?;
        let mut file = std::fs::File::from(file);
        let unreadable = |error: std::io::Error| {
            Wrong::Unverifiable(format!("cannot be read: {}", base::error::plain(&error)))
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
        errno => Wrong::Unverifiable(format!("cannot be looked at: {errno}")),
    }
}

/// A RECORD as text, whatever its bytes.
pub fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes)
        .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
}

/// Reads to the end, or a little beyond the size that it should have: a file that grows for ever is
/// modified already.
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
