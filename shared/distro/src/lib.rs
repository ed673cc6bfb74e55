//! Distributions, as far as fixes need their commands: which one this is, what its package manager
//! is called, and which package holds what. Nothing is run here, and a name that is not known is
//! not guessed.

#![cfg_attr(test, allow(clippy::disallowed_methods))]

pub mod command;
pub mod extension;

mod manager;

pub use manager::Manager;

use std::fmt;

/// A distribution, as far as package names go.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Distro {
    /// Its own name: `debian`, `rocky`; empty where it is not known.
    pub id: String,
    /// `ID_LIKE`: those it descends from.
    pub like: String,
    /// Its version, if it has one: `12`, `24.04`.
    pub release: Option<String>,
    /// Whose package names it uses.
    pub family: Family,
    /// PostgreSQL comes from the PostgreSQL project's own repository.
    pub pgdg: bool,
}

/// The families with package names of their own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Family {
    /// Debian.
    Debian,
    /// Ubuntu.
    Ubuntu,
    /// Fedora.
    Fedora,
    /// Red Hat Enterprise Linux and its rebuilds.
    Rhel,
    /// Alpine.
    Alpine,
    /// Arch.
    Arch,
    /// openSUSE and SLES.
    Suse,
    /// None of these: nothing is known of its packages.
    #[default]
    Other,
}

impl Distro {
    /// The one this host runs (os-release(5): `/etc` first, then `/usr/lib`).
    pub fn here() -> Distro {
        let text = std::fs::read_to_string("/etc/os-release")
            .or_else(|_| std::fs::read_to_string("/usr/lib/os-release"));
        Distro::parse(&text.unwrap_or_default())
    }

    /// Reads an os-release file: shell assignments, quoted or not. Of two for one key the last
    /// counts, as in a shell.
    pub fn parse(text: &str) -> Distro {
        let value = |key: &str| {
            let lines = text
                .lines()
                .rev()
                .filter_map(|line| line.trim().split_once('='));
            let found = lines
                .filter(|(name, _)| *name == key)
                .map(|(_, value)| value.trim_matches(['"', '\'']).to_owned())
                .next();
            found.filter(|value| !value.is_empty())
        };
        let (id, like) = (
            value("ID").unwrap_or_default(),
            value("ID_LIKE").unwrap_or_default(),
        );
        let family = std::iter::once(id.as_str())
            .chain(like.split_whitespace())
            .find_map(Family::of_id)
            .unwrap_or_default();
        Distro {
            release: value("VERSION_ID"),
            id,
            like,
            family,
            pgdg: false,
        }
    }

    /// The same, knowing where this host's server of a release series (`16`, `9.6`) is from: the
    /// project's RPMs have a place of their own.
    pub fn with_server(mut self, series: &str) -> Distro {
        let rpm = matches!(self.family, Family::Fedora | Family::Rhel);
        self.pgdg |= rpm && std::path::Path::new(&format!("/usr/pgsql-{series}")).is_dir();
        self
    }

    /// How packages are installed there.
    pub fn manager(&self) -> Option<Manager> {
        self.family.manager()
    }
}

impl Family {
    fn of_id(id: &str) -> Option<Family> {
        Some(match id {
            "debian" | "raspbian" => Family::Debian,
            "ubuntu" | "linuxmint" | "pop" => Family::Ubuntu,
            "fedora" => Family::Fedora,
            "rhel" | "centos" | "rocky" | "almalinux" | "ol" | "amzn" => Family::Rhel,
            "alpine" => Family::Alpine,
            "arch" | "archlinux" | "archarm" | "manjaro" => Family::Arch,
            "suse" | "opensuse" | "opensuse-leap" | "opensuse-tumbleweed" | "sles" => Family::Suse,
            _ => return None,
        })
    }

    /// How packages are installed there.
    pub const fn manager(self) -> Option<Manager> {
        Some(match self {
            Family::Debian | Family::Ubuntu => Manager::Apt,
            Family::Fedora | Family::Rhel => Manager::Dnf,
            Family::Alpine => Manager::Apk,
            Family::Arch => Manager::Pacman,
            Family::Suse => Manager::Zypper,
            Family::Other => return None,
        })
    }
}

impl fmt::Display for Distro {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self.family {
            Family::Debian => "debian",
            Family::Ubuntu => "ubuntu",
            Family::Fedora => "fedora",
            Family::Rhel => "rhel",
            Family::Alpine => "alpine",
            Family::Arch => "arch",
            Family::Suse => "suse",
            Family::Other => &self.id,
        };
        match &self.release {
            Some(release) => write!(f, "{name} {release}"),
            None => f.write_str(name),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn families_are_found_through_their_parents() {
        for (text, family) in [
            ("ID=debian\nVERSION_ID=\"12\"\n", Family::Debian),
            ("ID=linuxmint\nID_LIKE=\"ubuntu debian\"\n", Family::Ubuntu),
            ("ID=devuan\nID_LIKE=debian\n", Family::Debian),
            (
                "ID=\"almalinux\"\nID_LIKE=\"rhel centos fedora\"\n",
                Family::Rhel,
            ),
            ("ID=ol\nID_LIKE=\"fedora\"\n", Family::Rhel),
            ("ID=alpine\nVERSION_ID=3.20.1\n", Family::Alpine),
            ("ID=manjaro\nID_LIKE=arch\n", Family::Arch),
            ("ID=\"opensuse-leap\"\n", Family::Suse),
            ("ID=nixos\n", Family::Other),
            ("", Family::Other),
        ] {
            assert_eq!(Distro::parse(text).family, family, "{text}");
        }
    }

    #[test]
    fn what_os_release_says() {
        let rocky = Distro::parse(
            "NAME=\"Rocky Linux\"\nID=\"rocky\"\nID_LIKE=\"rhel centos fedora\"\nVERSION_ID=\"9.3\"\n",
        );
        assert_eq!(
            (
                rocky.id.as_str(),
                rocky.like.as_str(),
                rocky.release.as_deref()
            ),
            ("rocky", "rhel centos fedora", Some("9.3"))
        );
        assert_eq!(
            (rocky.to_string(), rocky.manager()),
            ("rhel 9.3".to_owned(), Some(Manager::Dnf))
        );
        let arch = Distro::parse("ID=arch\nVERSION_ID=''\n");
        assert_eq!((arch.to_string(), arch.release), ("arch".to_owned(), None));
    }
}
