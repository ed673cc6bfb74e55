//! Which distribution this is, so that a fix names the command its administrator types.

use base::mask;
use std::collections::HashMap;
use std::fs;

/// The families of package managers that fixes are written for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// Debian, Ubuntu and their children.
    Apt,
    /// Fedora, RHEL, Alma, Rocky.
    Dnf,
    /// Alpine.
    Apk,
    /// Arch.
    Pacman,
    /// Anything else: fixes are words without a command.
    Other,
}

/// What `/etc/os-release` says.
#[derive(Clone, Debug)]
pub struct Platform {
    /// `debian`, `fedora`, `alpine`, `arch`, …
    pub id: String,
    /// `12`; empty where a distribution has no versions.
    pub version: String,
    /// `ID_LIKE`: the distributions it descends from.
    pub like: String,
    /// How packages are installed here.
    pub family: Family,
}

impl Platform {
    /// Of this host (os-release(5): `/etc` first, then `/usr/lib`).
    pub fn here() -> Platform {
        let text = fs::read_to_string("/etc/os-release").or_else(|_| fs::read_to_string("/usr/lib/os-release"));
        Platform::parse(&text.unwrap_or_default())
    }

    /// Reads an os-release file: shell assignments, quoted or not.
    pub fn parse(text: &str) -> Platform {
        let values: HashMap<&str, &str> = text
            .lines()
            .filter_map(|line| line.trim().split_once('='))
            .map(|(key, value)| (key, value.trim_matches(['"', '\''])))
            .collect();
        let value = |key: &str| values.get(key).copied().unwrap_or_default().to_string();
        let (id, like) = (value("ID"), value("ID_LIKE"));
        let family = std::iter::once(id.as_str()).chain(like.split_whitespace()).find_map(family).unwrap_or(Family::Other);
        Platform { version: value("VERSION_ID"), id, like, family }
    }
}

fn family(id: &str) -> Option<Family> {
    match id {
        "debian" | "ubuntu" | "raspbian" => Some(Family::Apt),
        "fedora" | "rhel" | "centos" | "almalinux" | "rocky" => Some(Family::Dnf),
        "alpine" => Some(Family::Apk),
        "arch" | "archlinux" => Some(Family::Pacman),
        _ => None,
    }
}

/// `words` as a line that a shell reads back as the same words, secrets masked.
pub fn shell(words: &[&str]) -> String {
    words.iter().map(|word| quoted(&mask::text(word))).collect::<Vec<_>>().join(" ")
}

/// One word as a shell reads it.
pub fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '/' | '.' | '_' | '-' | '+' | ':' | '=' | ',' | '@' | '%');
    match !word.is_empty() && word.chars().all(plain) {
        true => word.to_string(),
        false => format!("'{}'", word.replace('\'', "'\\''")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn families_are_found_through_their_parents() {
        for (text, family) in [
            ("ID=debian\nVERSION_ID=\"12\"\n", Family::Apt),
            ("ID=linuxmint\nID_LIKE=\"ubuntu debian\"\n", Family::Apt),
            ("ID=\"almalinux\"\nID_LIKE=\"rhel centos fedora\"\n", Family::Dnf),
            ("ID=ol\nID_LIKE=\"fedora\"\n", Family::Dnf),
            ("ID=alpine\nVERSION_ID=3.20.1\n", Family::Apk),
            ("ID=manjaro\nID_LIKE=arch\n", Family::Pacman),
            ("ID=nixos\n", Family::Other),
            ("", Family::Other),
        ] {
            assert_eq!(Platform::parse(text).family, family, "{text}");
        }
    }

    #[test]
    fn a_shell_reads_the_words_back() {
        assert_eq!(shell(&["install", "-d", "/srv/my media", "it's", ""]), "install -d '/srv/my media' 'it'\\''s' ''");
    }
}
