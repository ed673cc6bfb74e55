//! A package of the distribution, in the distribution's own order of versions.

use super::{Check, Finding, Type};
use crate::document::Fields;
use crate::fix;
use crate::scene::Scene;
use crate::version::{Order, Wanted};
use base::Result;
use base::clock::Deadline;

/// `type = "package"`.
pub const TYPE: Type = Type {
    name: "package",
    about: "an installed package of dpkg, rpm, apk or pacman, in its own order of versions",
    keys: &[
        ("name", "the package"),
        ("version", "\">=1.18\"; alternatives in a list"),
    ],
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

    fn look(&self, scene: &Scene, _: Deadline) -> Finding {
        let db = match scene.packages() {
            Ok(db) => db,
            Err(why) => return Finding::unknown("no_package_manager", why.clone()),
        };
        let name = &self.name;
        let Some(package) = db.find(name) else {
            return Finding::unmet("missing", format!("the package {name} is not installed"))
                .fix(fix::install(&scene.distro, &[name]));
        };
        let found = match package.name == *name || name.starts_with(&format!("{}:", package.name)) {
            true => package.version.clone(),
            false => format!("{} (provided by {})", package.version, package.name),
        };
        if self.wanted.admits(&package.version, db.order()) == Some(true) {
            return Finding::met(found.clone(), format!("{name} {found} is installed"));
        }
        Finding::unmet(
            "version",
            format!("{name} is {found}, wanted is {}", self.wanted.text()),
        )
        .found(found)
        .fix(fix::upgrade(&scene.distro, name, self.wanted.text()))
    }
}
