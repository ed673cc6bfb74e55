//! Which distribution the server runs on: on this machine `os-release` says it; of another, only what the packager put into `version()`.

use std::fmt;

/// A distribution, as far as package names go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Distro {
    /// Which one.
    pub family: Family,
    /// Its version, if it is known: `12`, `24.04`.
    pub release: Option<String>,
    /// The server comes from the PostgreSQL project's own repository.
    pub pgdg: bool,
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
        };
        match &self.release {
            Some(release) => write!(f, "{name} {release}"),
            None => f.write_str(name),
        }
    }
}

/// The families that package PostgreSQL in ways of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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
}

/// The server's distribution: `version` is what `version()` gave, `words` what `server_version` did, `major` its number.
pub fn of_server(version: &str, words: &str, major: u32, local: bool) -> Option<Distro> {
    let here = || local.then(|| std::fs::read_to_string("/etc/os-release").ok()).flatten().and_then(|text| of_os_release(&text));
    let mut distro = of_version(version, words).or_else(here)?;
    let rpm = matches!(distro.family, Family::Fedora | Family::Rhel);
    distro.pgdg |= rpm && local && std::path::Path::new(&format!("/usr/pgsql-{major}")).is_dir();
    Some(distro)
}

/// From `os-release(5)`.
pub fn of_os_release(text: &str) -> Option<Distro> {
    let value = |key: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('='))?;
        Some(line.trim().trim_matches(['"', '\'']).to_string())
    };
    let id = value("ID").unwrap_or_default();
    let like = value("ID_LIKE").unwrap_or_default();
    let family = std::iter::once(id.as_str()).chain(like.split_whitespace()).find_map(family)?;
    Some(Distro { family, release: value("VERSION_ID"), pgdg: false })
}

fn family(id: &str) -> Option<Family> {
    Some(match id {
        "debian" | "raspbian" => Family::Debian,
        "ubuntu" | "linuxmint" | "pop" => Family::Ubuntu,
        "fedora" => Family::Fedora,
        "rhel" | "centos" | "rocky" | "almalinux" | "ol" | "amzn" => Family::Rhel,
        "alpine" => Family::Alpine,
        "arch" | "archarm" | "manjaro" => Family::Arch,
        "suse" | "opensuse" | "opensuse-leap" | "opensuse-tumbleweed" | "sles" => Family::Suse,
        _ => return None,
    })
}

/// From the packager's words: `(Debian 15.18-0+deb12u1)`, `(Ubuntu 14.11-0ubuntu0.22.04.1)`, `gcc (Alpine 13.2.1) 13.2.1`,
/// `gcc (GCC) 11.4.1 20230605 (Red Hat 11.4.1-2)`. Fedora and Red Hat are told apart by `os-release` alone.
fn of_version(version: &str, words: &str) -> Option<Distro> {
    let packager = words.split_once('(').map_or("", |(_, rest)| rest);
    let pgdg = packager.contains(".pgdg");
    let release = |mark: &str| {
        let (_, rest) = packager.split_once(mark)?;
        let number: String = rest.chars().take_while(|c| c.is_ascii_digit() || *c == '.').collect();
        let number = number.trim_end_matches('.');
        // `.pgdg120` is Debian 12, `0ubuntu0.22.04.1` is Ubuntu 22.04.
        let number = number.strip_suffix('0').filter(|n| n.len() == 2 && !n.contains('.')).unwrap_or(number);
        let number: Vec<&str> = number.split('.').take(2).collect();
        (number != [""]).then(|| number.join("."))
    };
    if packager.starts_with("Debian") {
        return Some(Distro { family: Family::Debian, release: release(".pgdg").or_else(|| release("deb")), pgdg });
    }
    if packager.starts_with("Ubuntu") {
        return Some(Distro { family: Family::Ubuntu, release: release(".pgdg").or_else(|| release("ubuntu0.")), pgdg });
    }
    if version.contains("(Alpine ") {
        return Some(Distro { family: Family::Alpine, release: None, pgdg });
    }
    None
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn seen(words: &str, gcc: &str) -> Option<(Family, Option<String>)> {
        of_version(&format!("PostgreSQL {words} on x86_64, compiled by {gcc}, 64-bit"), words).map(|d| (d.family, d.release))
    }

    #[test]
    fn the_packagers_words() {
        assert_eq!(seen("15.18 (Debian 15.18-0+deb12u1)", "gcc"), Some((Family::Debian, Some("12".into()))));
        assert_eq!(seen("16.2 (Debian 16.2-1.pgdg120+2)", "gcc"), Some((Family::Debian, Some("12".into()))));
        assert_eq!(seen("14.11 (Ubuntu 14.11-0ubuntu0.22.04.1)", "gcc"), Some((Family::Ubuntu, Some("22.04".into()))));
        assert_eq!(seen("16.2", "gcc (Alpine 13.2.1_git20231014) 13.2.1"), Some((Family::Alpine, None)));
        assert_eq!(seen("16.2", "gcc (GCC) 13.2.1"), None);
    }

    #[test]
    fn os_release_and_its_relatives() {
        let rocky = "NAME=\"Rocky Linux\"\nID=\"rocky\"\nID_LIKE=\"rhel centos fedora\"\nVERSION_ID=\"9.3\"\n";
        assert_eq!(of_os_release(rocky).unwrap(), Distro { family: Family::Rhel, release: Some("9.3".into()), pgdg: false });
        let unknown = "ID=frob\nID_LIKE=arch\n";
        assert_eq!(of_os_release(unknown).unwrap().family, Family::Arch);
        assert!(of_os_release("ID=plan9\n").is_none());
    }
}
