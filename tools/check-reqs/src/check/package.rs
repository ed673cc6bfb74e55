//! A package of the distribution, in the distribution's own order of versions.

use crate::document::Fields;
use crate::finding::Finding;
use crate::fix::{self, Fix};
use crate::kind::{Check, Type};
use crate::scene::Scene;
use crate::short::{self, Short};
use crate::version::{Order, Wanted};
use base::Result;
use base::child::{Finished, Run};
use base::clock::Deadline;
use distro::Manager;

/// `type = "package"`.
pub const TYPE: Type = Type {
    name: "package",
    about: "an installed package of dpkg, rpm, apk or pacman, in its own order of versions",
    keys: &[
        (
            "name",
            "the package; NAME:ARCHITECTURE where several architectures are installed",
        ),
        ("version", "\">=1.18\"; alternatives in a list"),
    ],
    short: Short {
        words: &["pkg", "package"],
        colon: true,
        forms: &["pkg:NAME[:ARCH][>=1.18]"],
        example: "pkg:nginx>=1.18",
        read: |_, rest| short::versioned(rest, None),
    },
    read,
};

struct Package {
    name: String,
    wanted: Wanted,
}

fn read(fields: &mut Fields<'_>) -> Result<Box<dyn Check>> {
    let name = fields.required("name")?;
    let texts = fields.texts("version")?;
    let wanted = Wanted::new(&texts, Order::Dpkg).map_err(|what| fields.error("version", what))?;
    Ok(Box::new(Package { name, wanted }))
}

impl Check for Package {
    fn subject(&self) -> String {
        self.name.clone()
    }

    fn expected(&self) -> String {
        match self.wanted.is_any() {
            true => format!("package {}", self.name),
            false => format!("package {} {}", self.name, self.wanted.text()),
        }
    }

    fn how(&self) -> String {
        "the package manager's own database (dpkg's status file, rpm -qa, apk's and pacman's local database)".into()
    }

    fn look(&self, scene: &Scene, deadline: Deadline) -> Finding {
        let db = match scene.packages() {
            Ok(db) => db,
            Err(why) => return Finding::unknown("no_package_manager", why.clone()),
        };
        let name = &self.name;
        let Some(package) = db.find(name) else {
            return Finding::unmet("missing", format!("the package {name} is not installed"))
                .fix(self.installation(scene, deadline));
        };
        let own = package.name == *name || name.starts_with(&format!("{}:", package.name));
        let by = match own {
            true => String::new(),
            false => format!("provided by {}", package.name),
        };
        let Some(version) = package.version.as_deref() else {
            // No comparison holds for what is provided without a version.
            return match self.wanted.is_any() {
                true => Finding::met(by.clone(), format!("{name} is {by}")),
                false => Finding::unmet("version", format!("{name} is {by}, without a version"))
                    .found(by)
                    .fix(self.installation(scene, deadline)),
            };
        };
        let found = match own {
            true => version.to_owned(),
            false => format!("{version} ({by})"),
        };
        if self.wanted.admits(version, db.order()) == Some(true) {
            return Finding::met(found.clone(), format!("{name} {found} is installed"));
        }
        Finding::unmet(
            "version",
            format!("{name} is {found}, wanted is {}", self.wanted.text()),
        )
        .found(found)
        .fix(self.upgrade(scene, deadline))
    }
}

/// What apt has of a package.
enum Offer {
    /// This version would be installed.
    Version(String),
    /// The name is virtual: these packages provide it.
    Virtual(Vec<String>),
    /// There is no such name in the indexes.
    Nothing,
}

impl Package {
    /// Installs the package. apt knows which names are packages, and which version would come.
    fn installation(&self, scene: &Scene, deadline: Deadline) -> Fix {
        let name = self.name.as_str();
        let install = || fix::install(scene, &[name]);
        if scene.distro.manager() != Some(Manager::Apt) || scene.indexes_are_missing() {
            return install();
        }
        match offer(name, deadline) {
            Some(Offer::Version(version)) => match self.admits(&version) {
                true => install(),
                false => self.too_old(scene, &version),
            },
            Some(Offer::Virtual(providers)) => {
                let advice = Fix::advice(format!(
                    "install one of the packages that provide {name}: {}",
                    providers.join(", ")
                ));
                let alternatives = providers
                    .iter()
                    .map(|provider| fix::install(scene, &[provider]));
                alternatives.fold(advice, Fix::or)
            }
            Some(Offer::Nothing) => Fix::advice(format!(
                "apt knows no package {name}: fetch newer indexes (apt-get update), add a repository \
                 that has the package, or correct the name"
            )),
            None => install(),
        }
    }

    /// Upgrades the package, where the newer version is on offer.
    fn upgrade(&self, scene: &Scene, deadline: Deadline) -> Fix {
        let name = self.name.as_str();
        let text = format!("upgrade {name} to {}", self.wanted.text());
        let Some(manager) = scene.distro.manager() else {
            return Fix::advice(text);
        };
        if manager == Manager::Apt && !scene.indexes_are_missing() {
            if let Some(Offer::Version(version)) = offer(name, deadline) {
                if !self.admits(&version) {
                    return self.too_old(scene, &version);
                }
            }
        }
        let refresh = manager.refresh().filter(|_| scene.indexes_are_missing());
        let mut lines: Vec<String> = refresh.map(str::to_owned).into_iter().collect();
        lines.push(manager.upgrade_script(name));
        fix::root(text, lines)
    }

    fn admits(&self, version: &str) -> bool {
        self.wanted.admits(version, Order::Dpkg) != Some(false)
    }

    fn too_old(&self, scene: &Scene, version: &str) -> Fix {
        Fix::advice(format!(
            "add a repository that has {} {}: the newest of {} is {version}",
            self.name,
            self.wanted.text(),
            scene.distro
        ))
    }
}

/// Asks apt's cache; nothing is fetched and nothing is changed.
fn offer(name: &str, deadline: Deadline) -> Option<Offer> {
    let ask = |words: &[&str]| {
        let run = Run::argv(words)
            .clean()
            .env("PATH", crate::programs::SYSTEM_PATH)
            .env("LC_ALL", "C")
            .cap(1 << 20)
            .deadline(deadline);
        run.run()
            .ok()
            .filter(Finished::success)
            .map(|done| done.out())
    };
    let policy = ask(&["apt-cache", "policy", "--", name])?;
    let mut lines = policy.lines();
    let candidate = lines.find_map(|line| line.trim().strip_prefix("Candidate: "));
    match candidate {
        Some("(none)") => {}
        Some(version) => return Some(Offer::Version(version.to_owned())),
        None => return Some(Offer::Nothing),
    }
    let shown = ask(&["apt-cache", "showpkg", "--", name])?;
    let mut providers: Vec<String> = shown
        .lines()
        .skip_while(|line| !line.starts_with("Reverse Provides:"))
        .skip(1)
        .filter_map(|line| line.split_whitespace().next())
        .map(str::to_owned)
        .collect();
    providers.sort();
    providers.dedup();
    Some(match providers.is_empty() {
        true => Offer::Nothing,
        false => Offer::Virtual(providers),
    })
}
