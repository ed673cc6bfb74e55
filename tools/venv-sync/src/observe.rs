//! Observes the environment: its distributions, its `.pth` files, and whatever else Python would
//! see. Reads only, starts nothing.

use std::collections::BTreeMap;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use pydist::metadata::Metadata;
use pydist::requirement::Requirement;
use pydist::specifier::InstalledVersion;
use pydist::{Dist, Environment, Form, files, pth, site};

use crate::requirements::Requirements;
use crate::requirements::link::{DirectUrl, absolute};

/// Whose a site directory is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// The environment's own.
    Own,
    /// A vendor library that the caller named.
    Vendor,
    /// The system's, visible from the environment.
    System,
}

/// A distribution, with what its files say.
#[derive(Debug)]
pub struct Installed {
    /// Name, version and directory.
    pub dist: Dist,
    /// The version, ready to be compared.
    pub version: InstalledVersion,
    /// The fields, or why they cannot be read.
    pub metadata: Result<Metadata, String>,
    /// What it requires; what cannot be read of it is left out.
    pub requires: Vec<Requirement>,
    /// What it requires only with an extra, as written: most lines of most METADATA, and rarely
    /// asked for.
    pub optional: Vec<String>,
    /// Where it came from, if not from an index.
    pub direct_url: Option<DirectUrl>,
    /// Whether there is a list of its files.
    pub has_record: bool,
    /// Whose directory it lies in.
    pub place: Place,
}

impl Installed {
    /// Whether nothing of its directory is missing.
    pub fn is_whole(&self) -> bool {
        self.has_record && self.metadata.is_ok()
    }
}

/// A `.pth` file, or `sitecustomize.py`.
#[derive(Debug)]
pub struct StartupFile {
    pub path: PathBuf,
    /// Paths that it adds: line, as written, and made absolute.
    pub adds: Vec<(usize, PathBuf, PathBuf)>,
    /// The first line that it executes.
    pub executes: Option<(usize, String)>,
    /// The distribution whose RECORD lists it.
    pub owner: Option<String>,
}

/// Everything that a comparison needs.
#[derive(Debug)]
pub struct Observed {
    /// The environment.
    pub environment: Environment,
    /// Its distributions, those of vendor libraries, and the system's where they are visible.
    pub installed: Vec<Installed>,
    /// Its `.pth` files.
    pub startup: Vec<StartupFile>,
    /// Remains of removed distributions.
    pub leftovers: Vec<PathBuf>,
    /// What was asked for, is not there, and is in the system's Python: by normalized name.
    pub elsewhere: BTreeMap<String, Dist>,
    /// Modules of vendor libraries that come without metadata, by normalized name.
    pub vendor_modules: std::collections::BTreeSet<String>,
    /// The environment's directory, links followed: what lies below is its own.
    pub real_prefix: PathBuf,
}

/// Looks at the environment.
pub fn observe(
    environment: Environment,
    wanted: &Requirements,
    vendor: &[PathBuf],
) -> Result<Observed, pydist::Error> {
    let mut out = Observed {
        real_prefix: environment
            .prefix
            .canonicalize()
            .unwrap_or_else(|_| environment.prefix.clone()),
        environment,
        installed: Vec::new(),
        startup: Vec::new(),
        leftovers: Vec::new(),
        elsewhere: BTreeMap::new(),
        vendor_modules: std::collections::BTreeSet::new(),
    };
    for path in out.environment.sites.clone() {
        out.look_into(&path, Place::Own)?;
    }
    for path in vendor {
        out.look_into(path, Place::Vendor)?;
        out.vendor_modules.extend(modules(path));
    }
    let base = out.environment.base();
    if let Some(base) = base.as_ref().filter(|_| out.environment.config.system_site) {
        for path in &base.sites {
            out.look_into(path, Place::System)?;
        }
    }
    out.find_owners();
    if let Some(base) = base.filter(|_| !out.environment.config.system_site) {
        out.find_elsewhere(&base, wanted);
    }
    Ok(out)
}

impl Observed {
    fn look_into(&mut self, path: &Path, place: Place) -> Result<(), pydist::Error> {
        let listing = site::list(path)?;
        self.installed.extend(read_all(listing.dists, place));
        if place == Place::System {
            return Ok(());
        }
        self.leftovers
            .extend(listing.leftovers.iter().map(|name| path.join(name)));
        if place == Place::Own {
            self.startup.extend(
                listing
                    .pth
                    .iter()
                    .filter_map(|name| startup(path, Path::new(name))),
            );
            self.startup.extend(customize(path));
        }
        Ok(())
    }

    /// Which distribution's RECORD lists a file that executes something. Only then are RECORDs
    /// worth reading.
    fn find_owners(&mut self) {
        for file in self
            .startup
            .iter_mut()
            .filter(|file| file.executes.is_some())
        {
            let Some(name) = file.path.file_name() else {
                continue;
            };
            let stem = file
                .path
                .file_stem()
                .unwrap_or_default()
                .to_string_lossy()
                .to_lowercase();
            let likely = |dist: &Dist| stem.starts_with("distutils") == (dist.key == "setuptools");
            let mut own: Vec<_> = self
                .installed
                .iter()
                .filter(|i| i.place == Place::Own && i.dist.form == Form::DistInfo)
                .collect();
            own.sort_by_key(|installed| !likely(&installed.dist));
            let owner = own
                .into_iter()
                .find(|installed| lists(&installed.dist, name.as_bytes()));
            file.owner = owner.map(|installed| installed.dist.name.clone());
        }
    }

    /// What was installed into the Python beneath instead, as happens where `pip` is not the
    /// environment's.
    fn find_elsewhere(&mut self, base: &Environment, wanted: &Requirements) {
        let here: std::collections::HashSet<&str> =
            self.installed.iter().map(|i| i.dist.key.as_str()).collect();
        let missing: Vec<&String> = wanted
            .wanted
            .iter()
            .filter_map(|w| w.key.as_ref())
            .filter(|key| !here.contains(key.as_str()))
            .collect();
        if missing.is_empty() {
            return;
        }
        // What Debian's packages put into dist-packages was never meant for this environment.
        let packaged = Path::new("/usr/lib/python3/dist-packages");
        let mut sites = base.sites.clone();
        sites.retain(|site| site != packaged);
        if let (Some(home), Some(python)) = (std::env::var_os("HOME"), self.environment.python) {
            sites.push(Path::new(&home).join(format!(
                ".local/lib/python{}/site-packages",
                python.minor_text()
            )));
        }
        for listing in sites.iter().filter_map(|path| site::list(path).ok()) {
            for dist in listing.dists {
                if missing.contains(&&dist.key) {
                    self.elsewhere.entry(dist.key.clone()).or_insert(dist);
                }
            }
        }
    }
}

/// Reads the distributions of a site directory, side by side where there are many.
fn read_all(dists: Vec<Dist>, place: Place) -> Vec<Installed> {
    const WORTH_A_THREAD: usize = 24;
    let threads = (dists.len() / WORTH_A_THREAD).clamp(1, 4);
    if threads == 1 {
        return dists.into_iter().map(|dist| read(dist, place)).collect();
    }
    let size = dists.len().div_ceil(threads);
    let mut parts = Vec::new();
    let mut dists = dists.into_iter();
    for _ in 0..threads {
        parts.push(dists.by_ref().take(size).collect::<Vec<_>>());
    }
    std::thread::scope(|scope| {
        let first = parts.pop();
        let others: Vec<_> = parts
            .into_iter()
            .map(|part| {
                base::threads::help(scope, move || {
                    part.into_iter()
                        .map(|dist| read(dist, place))
                        .collect::<Vec<_>>()
                })
            })
            .collect();
        let last: Vec<_> = first
            .into_iter()
            .flatten()
            .map(|dist| read(dist, place))
            .collect();
        let mut out: Vec<Installed> = others
            .into_iter()
            .filter_map(base::threads::Helper::join)
            .flatten()
            .collect();
        out.extend(last);
        out
    })
}

fn read(dist: Dist, place: Place) -> Installed {
    let metadata = dist.metadata().map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => "is not there".to_owned(),
        _ => base::error::plain(&error),
    });
    let mut metadata = metadata;
    let lines = metadata
        .as_mut()
        .map(|metadata| std::mem::take(&mut metadata.requires_dist))
        .unwrap_or_default();
    let (optional, always): (Vec<_>, Vec<_>) =
        lines.into_iter().partition(|line| needs_an_extra(line));
    let inside = |name: &str| files::read(&dist.path.join(name), files::METADATA_LIMIT);
    let is_wheel = dist.form == Form::DistInfo;
    Installed {
        version: InstalledVersion::new(&dist.version),
        direct_url: is_wheel
            .then(|| inside("direct_url.json").ok())
            .flatten()
            .and_then(|bytes| serde_json::from_slice(&bytes).ok()),
        has_record: !is_wheel || dist.path.join("RECORD").symlink_metadata().is_ok(),
        metadata,
        requires: always
            .iter()
            .filter_map(|text| Requirement::parse(text).ok())
            .collect(),
        optional,
        dist,
        place,
    }
}

/// Whether a requirement cannot count unless an extra is asked for: `extra == 'x'`, and no `or`
/// that could let it count otherwise.
fn needs_an_extra(line: &str) -> bool {
    let Some((_, marker)) = line.split_once(';') else {
        return false;
    };
    let equals = marker
        .split_once("extra")
        .is_some_and(|(_, rest)| rest.trim_start().starts_with("=="));
    equals
        && !marker
            .split(|c: char| !c.is_alphanumeric() && c != '_')
            .any(|word| word == "or")
}

fn startup(site: &Path, name: &Path) -> Option<StartupFile> {
    let path = site.join(name);
    let bytes = files::read(&path, files::METADATA_LIMIT).ok()?;
    let mut file = StartupFile {
        path,
        adds: Vec::new(),
        executes: None,
        owner: None,
    };
    for (number, line) in pth::lines(&bytes) {
        match line {
            pth::Line::Path(path) => {
                // What is not there is not added.
                let real = absolute(&path, site);
                if real.is_dir() {
                    file.adds.push((number, path, real));
                }
            }
            pth::Line::Import(text) if file.executes.is_none() => {
                file.executes = Some((number, text));
            }
            pth::Line::Import(_) => {}
        }
    }
    (!file.adds.is_empty() || file.executes.is_some()).then_some(file)
}

/// The names that can be imported from a directory.
fn modules(path: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(path).into_iter().flatten().flatten();
    let name = |entry: std::fs::DirEntry| {
        let name = entry.file_name().into_string().ok()?;
        let name = name.strip_suffix(".py").unwrap_or(&name);
        pydist::name::is_valid(name).then(|| pydist::name::normalize(name))
    };
    entries.filter_map(name).collect()
}

/// `sitecustomize.py` and `usercustomize.py` are imported at every start, too.
fn customize(site: &Path) -> Option<StartupFile> {
    let names = ["sitecustomize.py", "usercustomize.py"];
    let path = names
        .iter()
        .map(|name| site.join(name))
        .find(|path| path.is_file())?;
    let import = path.file_stem()?.to_string_lossy().into_owned();
    Some(StartupFile {
        path,
        adds: Vec::new(),
        executes: Some((1, format!("import {import}"))),
        owner: None,
    })
}

fn lists(dist: &Dist, name: &[u8]) -> bool {
    let Ok(record) = files::read(&dist.path.join("RECORD"), files::RECORD_LIMIT) else {
        return false;
    };
    let found = memchr::memmem::find_iter(&record, name);
    let mut found = found.map(|at| {
        (
            at.checked_sub(1).and_then(|before| record.get(before)),
            record.get(at + name.len()),
        )
    });
    found.any(|(before, after)| {
        matches!(before, None | Some(b'\n' | b'"')) && matches!(after, Some(b',' | b'"'))
    })
}
