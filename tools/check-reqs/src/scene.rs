//! What all checks of a run share: the distribution, and readings that are taken once and used
//! often (the package database, an environment's distributions). Filled on first use, from
//! whichever check comes first.

use crate::package_db::PackageDb;
use distro::Distro;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

/// The distributions of one Python environment, by normalized name, or why they cannot be read.
pub type Dists = Arc<Result<DistIndex, String>>;

/// An environment that was read.
#[derive(Debug)]
pub struct DistIndex {
    /// The environment itself.
    pub environment: pydist::Environment,
    /// What is installed in it, by normalized name.
    pub dists: HashMap<String, pydist::Dist>,
}

/// What a run knows of this host.
pub struct Scene {
    /// The distribution.
    pub distro: Distro,
    /// Whether the caller is root.
    pub root: bool,
    packages: OnceLock<Result<PackageDb, String>>,
    indexes: OnceLock<bool>,
    dists: Mutex<HashMap<PathBuf, Arc<OnceLock<Dists>>>>,
}

impl Scene {
    /// Of this host.
    pub fn here() -> Scene {
        Scene::of(Distro::here())
    }

    /// Of this host, as if it ran that distribution.
    pub fn of(distro: Distro) -> Scene {
        Scene {
            distro,
            root: nix::unistd::geteuid().is_root(),
            packages: OnceLock::new(),
            indexes: OnceLock::new(),
            dists: Mutex::new(HashMap::new()),
        }
    }

    /// The package database.
    pub fn packages(&self) -> &Result<PackageDb, String> {
        self.packages
            .get_or_init(|| PackageDb::read(self.distro.manager()))
    }

    /// Whether the package manager has no index of packages yet: a container's image, a fresh root.
    pub fn indexes_are_missing(&self) -> bool {
        *self.indexes.get_or_init(|| {
            let entries = std::fs::read_dir("/var/lib/apt/lists");
            let is_index = |name: &str| name.contains("_Packages");
            self.distro.manager() == Some(distro::Manager::Apt)
                && !entries.is_ok_and(|mut entries| {
                    entries.any(|entry| {
                        entry.is_ok_and(|entry| is_index(&entry.file_name().to_string_lossy()))
                    })
                })
        })
    }

    /// What is installed in an environment.
    pub fn dists(&self, place: &Path) -> Dists {
        let cell = {
            let mut dists = self.dists.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(dists.entry(place.to_path_buf()).or_default())
        };
        Arc::clone(cell.get_or_init(|| Arc::new(index(place))))
    }
}

fn index(place: &Path) -> Result<DistIndex, String> {
    let environment = pydist::Environment::open(place).map_err(|error| error.to_string())?;
    let mut all = environment
        .distributions()
        .map_err(|error| error.to_string())?;
    // With include-system-site-packages the base interpreter's distributions can be imported, too;
    // the environment's own come first.
    if environment.config.system_site {
        if let Some(base) = environment.base() {
            all.extend(base.distributions().unwrap_or_default());
        }
    }
    let mut dists = HashMap::with_capacity(all.len());
    for dist in all {
        dists.entry(dist.key.clone()).or_insert(dist);
    }
    Ok(DistIndex { environment, dists })
}

/// What conditions may ask of this host.
pub fn facts(settings: &crate::document::Settings) -> crate::when::Facts {
    let distro = Distro::here();
    let host = nix::sys::utsname::uname();
    let name = host
        .as_ref()
        .map(|host| host.nodename().to_string_lossy().into_owned())
        .unwrap_or_default();
    let mut facts: crate::when::Facts = [
        ("os.id", distro.id),
        ("os.version", distro.release.unwrap_or_default()),
        ("os.like", distro.like),
        ("arch", std::env::consts::ARCH.to_string()),
        ("hostname", name),
    ]
    .into_iter()
    .map(|(key, value)| (key.to_string(), value))
    .collect();
    facts.extend(
        settings
            .iter()
            .map(|(key, value)| (format!("set.{key}"), value.clone())),
    );
    facts
}
