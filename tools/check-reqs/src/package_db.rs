//! Which packages are installed: `dpkg-query` and `rpm` are asked, once each, since dpkg's file
//! lags behind its journal while dpkg runs (and after it was killed) and rpm's database has no text
//! form; apk's installed file and pacman's directories are read.

use crate::version::Order;
use base::child::Run;
use distro::Manager;
use std::collections::HashMap;
use std::fs;
use std::path::Path;
use std::time::Duration;

/// One installed package, or what a package provides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Package {
    /// The package's name.
    pub name: String,
    /// The version, as the package manager writes it. None for something that is provided without a
    /// version: no comparison holds for that (Debian Policy 7.5).
    pub version: Option<String>,
}

/// Every installed package.
#[derive(Debug, Default)]
pub struct PackageDb {
    installed: HashMap<String, Package>,
    /// Packages of a foreign architecture, as `name:architecture`, and those of the own one.
    by_architecture: HashMap<String, Package>,
    provided: HashMap<String, Package>,
    order: Option<Order>,
}

impl PackageDb {
    /// Reads this package manager's database.
    pub fn read(manager: Option<Manager>) -> Result<PackageDb, String> {
        match manager {
            Some(Manager::Apt) => dpkg(),
            Some(Manager::Apk) => read_text(Path::new("/lib/apk/db/installed"))
                .or_else(|_| read_text(Path::new("/usr/lib/apk/db/installed")))
                .map(|text| PackageDb::apk(&text)),
            Some(Manager::Pacman) => pacman(Path::new("/var/lib/pacman/local")),
            Some(Manager::Dnf | Manager::Zypper) => rpm(),
            None => Err("the package manager of this distribution is not known".into()),
        }
    }

    /// Whose order its versions are in.
    pub fn order(&self) -> Order {
        self.order.unwrap_or(Order::Dpkg)
    }

    /// The package of that name, or one that provides it. `libc6:amd64` names one architecture.
    pub fn find(&self, name: &str) -> Option<&Package> {
        match name.contains(':') && self.order() == Order::Dpkg {
            true => self.by_architecture.get(name),
            false => self.installed.get(name).or_else(|| self.provided.get(name)),
        }
    }

    /// Every installed package, sorted by name.
    pub fn all(&self) -> Vec<&Package> {
        let mut all: Vec<&Package> = self.installed.values().collect();
        all.sort_by(|a, b| a.name.cmp(&b.name));
        all
    }

    fn add(&mut self, name: &str, version: &str) {
        let package = Package {
            name: name.to_string(),
            version: Some(version.to_string()),
        };
        self.installed.insert(name.to_string(), package);
    }

    /// `what` is `name`, or a name with a version: `name (= 2)`, `name=2`.
    fn provide(&mut self, what: &str, by: &str) {
        let at = what
            .find(['=', '<', '>', '~', '(', ' '])
            .unwrap_or(what.len());
        let (name, version) = what.split_at(at);
        let version = version.trim_matches([' ', '(', ')', '=', '<', '>', '~']);
        self.provided
            .entry(name.trim().to_string())
            .or_insert_with(|| Package {
                name: by.to_string(),
                version: (!version.is_empty()).then(|| version.to_string()),
            });
    }

    /// dpkg's paragraphs; only `install ok installed` (or held, or with triggers pending) counts.
    /// The native architecture is that of dpkg itself.
    pub fn dpkg(text: &str) -> PackageDb {
        let mut db = PackageDb {
            order: Some(Order::Dpkg),
            ..PackageDb::default()
        };
        let mut paragraphs = vec![Paragraph::default()];
        for line in text.split('\n') {
            match (line.as_bytes().first(), paragraphs.last_mut()) {
                (None, _) => paragraphs.push(Paragraph::default()),
                (Some(b'P' | b'S' | b'V' | b'A'), Some(paragraph)) => paragraph.take(line),
                _ => {}
            }
        }
        let native = paragraphs
            .iter()
            .find(|paragraph| paragraph.name == "dpkg")
            .map_or("", |paragraph| paragraph.architecture);
        for paragraph in &paragraphs {
            paragraph.add_to(&mut db, native);
        }
        db
    }

    /// apk's database: paragraphs of `P:name`, `V:version`, `p:provided`.
    pub fn apk(text: &str) -> PackageDb {
        let mut db = PackageDb {
            order: Some(Order::Alpine),
            ..PackageDb::default()
        };
        for paragraph in text.split("\n\n") {
            let value = |key: &str| {
                paragraph
                    .lines()
                    .find_map(|line| line.strip_prefix(key))
                    .unwrap_or("")
            };
            let (name, version) = (value("P:"), value("V:"));
            if !name.is_empty() {
                db.add(name, version);
                for what in value("p:").split_whitespace() {
                    db.provide(what, name);
                }
            }
        }
        db
    }

    /// One `desc` file of pacman: `%NAME%` and `%VERSION%`, each with its value on the next line.
    fn pacman_desc(&mut self, text: &str) {
        let value = |key: &str| {
            let mut lines = text.lines().skip_while(|line| *line != key).skip(1);
            lines.next().unwrap_or("").to_string()
        };
        let (name, version) = (value("%NAME%"), value("%VERSION%"));
        if !name.is_empty() {
            self.add(&name, &version);
            let provides = text
                .lines()
                .skip_while(|line| *line != "%PROVIDES%")
                .skip(1)
                .take_while(|line| !line.is_empty());
            for what in provides {
                self.provide(what, &name);
            }
        }
    }
}

/// What matters of one paragraph of dpkg's.
#[derive(Default)]
struct Paragraph<'t> {
    name: &'t str,
    architecture: &'t str,
    version: &'t str,
    provides: &'t str,
    installed: bool,
}

impl<'t> Paragraph<'t> {
    fn take(&mut self, line: &'t str) {
        match line.split_once(": ") {
            Some(("Package", value)) => self.name = value.trim(),
            Some(("Architecture", value)) => self.architecture = value.trim(),
            Some(("Version", value)) => self.version = value.trim(),
            Some(("Provides", value)) => self.provides = value,
            Some(("Status", value)) => {
                let state = value.split_whitespace().last().unwrap_or("");
                self.installed =
                    matches!(state, "installed" | "triggers-pending" | "triggers-awaited");
            }
            _ => {}
        }
    }

    fn add_to(&self, db: &mut PackageDb, native: &str) {
        if !self.installed || self.name.is_empty() {
            return;
        }
        let package = Package {
            name: self.name.to_string(),
            version: Some(self.version.to_string()),
        };
        let with = format!("{}:{}", self.name, self.architecture);
        db.by_architecture.insert(with, package);
        // A foreign package does not serve native programs: it counts only where it is named so.
        if !native.is_empty() && !["all", native, ""].contains(&self.architecture) {
            return;
        }
        db.add(self.name, self.version);
        for what in self.provides.split(',').map(str::trim) {
            if !what.is_empty() {
                db.provide(what, self.name);
            }
        }
    }
}

fn read_text(path: &Path) -> Result<String, String> {
    let bytes = fs::read(path)
        .map_err(|error| format!("{}: {}", path.display(), base::error::plain(&error)))?;
    Ok(String::from_utf8(bytes)
        .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned()))
}

fn pacman(dir: &Path) -> Result<PackageDb, String> {
    let mut db = PackageDb {
        order: Some(Order::Rpm),
        ..PackageDb::default()
    };
    let entries = fs::read_dir(dir)
        .map_err(|error| format!("{}: {}", dir.display(), base::error::plain(&error)))?;
    for entry in entries.flatten() {
        if let Ok(text) = read_text(&entry.path().join("desc")) {
            db.pacman_desc(&text);
        }
    }
    Ok(db)
}

/// `dpkg-query --show`, in the form of dpkg's own paragraphs.
fn dpkg() -> Result<PackageDb, String> {
    let format = "Package: ${Package}\\nArchitecture: ${Architecture}\\nStatus: ${Status}\\nVersion: ${Version}\\nProvides: ${Provides}\\n\\n";
    let output = Run::new("dpkg-query")
        .args(["--show", "--showformat", format])
        .cap(64 << 20)
        .timeout(Duration::from_secs(10))
        .run();
    let output = output.map_err(|error| error.message)?;
    if !output.success() {
        return Err(format!("dpkg-query: {}", output.last_words()));
    }
    Ok(PackageDb::dpkg(&output.out()))
}

/// `rpm -qa`, a line for each package: epoch, version and release as rpm compares them.
fn rpm() -> Result<PackageDb, String> {
    let format =
        "%{NAME}\\t%{EPOCHNUM}:%{VERSION}-%{RELEASE}\\t[%{PROVIDENAME}=%{PROVIDEVERSION} ]\\n";
    let output = Run::new("rpm")
        .args(["-qa", "--qf", format])
        .cap(64 << 20)
        .timeout(Duration::from_secs(10))
        .run();
    let output = output.map_err(|error| error.message)?;
    if !output.success() {
        return Err(format!("rpm -qa: {}", output.last_words()));
    }
    let mut db = PackageDb {
        order: Some(Order::Rpm),
        ..PackageDb::default()
    };
    for line in output.out().lines() {
        let mut parts = line.split('\t');
        if let (Some(name), Some(version)) = (parts.next(), parts.next()) {
            db.add(name, version.strip_prefix("0:").unwrap_or(version));
            for what in parts.next().unwrap_or("").split_whitespace() {
                db.provide(what.trim_end_matches('='), name);
            }
        }
    }
    Ok(db)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn version<'d>(db: &'d PackageDb, name: &str) -> Option<&'d str> {
        db.find(name).and_then(|package| package.version.as_deref())
    }

    #[test]
    fn dpkg_counts_only_what_is_installed() {
        let text = "Package: dpkg\nArchitecture: amd64\nStatus: install ok installed\nVersion: 1\n\n\
                    Package: nginx\nArchitecture: amd64\nStatus: install ok installed\nVersion: 1.22.1-9\nProvides: httpd, httpd-cgi (= 2)\n\n\
                    Package: gone\nStatus: deinstall ok config-files\nVersion: 1\n\n\
                    Package: half\nStatus: install ok half-configured\nVersion: 1\n\n\
                    Package: libz\nArchitecture: i386\nStatus: install ok installed\nVersion: 3\n\n\
                    Package: held\nArchitecture: all\nStatus: hold ok installed\nVersion: 2\n";
        let db = PackageDb::dpkg(text);
        assert_eq!(version(&db, "nginx"), Some("1.22.1-9"));
        assert_eq!(version(&db, "nginx:amd64"), Some("1.22.1-9"));
        for foreign in ["nginx:i386", "nginx:nonsense", "libz", "libz:amd64"] {
            assert!(db.find(foreign).is_none(), "{foreign}");
        }
        assert_eq!(version(&db, "libz:i386"), Some("3"));
        assert_eq!(db.find("httpd-cgi").unwrap().name, "nginx");
        assert_eq!(version(&db, "httpd-cgi"), Some("2"));
        assert_eq!(version(&db, "httpd"), None);
        assert_eq!(version(&db, "held"), Some("2"));
        assert!(db.find("gone").is_none() && db.find("half").is_none());
    }

    #[test]
    fn apk_and_pacman_have_their_own_files() {
        let db = PackageDb::apk(
            "C:Q1x=\nP:nginx\nV:1.26.1-r0\np:cmd:nginx=1.26.1-r0\n\nP:musl\nV:1.2.5-r0\n",
        );
        assert_eq!(version(&db, "nginx"), Some("1.26.1-r0"));
        assert_eq!(version(&db, "cmd:nginx"), Some("1.26.1-r0"));
        let mut db = PackageDb::default();
        db.pacman_desc("%NAME%\nnginx\n\n%VERSION%\n1.26.1-1\n\n%PROVIDES%\nhttp-server\nx=1\n\n%DEPENDS%\npcre2\n");
        assert_eq!(db.find("http-server").unwrap().name, "nginx");
        assert!(db.find("pcre2").is_none());
    }
}
