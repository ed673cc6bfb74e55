//! What is typed to install a package.

/// A package manager.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manager {
    /// Debian, Ubuntu and their children.
    Apt,
    /// Fedora, RHEL, Alma, Rocky.
    Dnf,
    /// Alpine.
    Apk,
    /// Arch.
    Pacman,
    /// openSUSE and SLES.
    Zypper,
}

impl Manager {
    /// The words before the packages, for a person who will be asked.
    pub const fn install(self) -> &'static [&'static str] {
        match self {
            Manager::Apt => &["apt-get", "install"],
            Manager::Dnf => &["dnf", "install"],
            Manager::Apk => &["apk", "add", "--update-cache"],
            Manager::Pacman => &["pacman", "-S"],
            Manager::Zypper => &["zypper", "install"],
        }
    }

    /// The options that keep it from asking, for a script.
    pub const fn unasked(self) -> &'static [&'static str] {
        match self {
            Manager::Apt | Manager::Dnf | Manager::Zypper => &["-y"],
            Manager::Apk => &[],
            Manager::Pacman => &["--noconfirm", "--needed"],
        }
    }

    /// The words before a package whose files are to be put back, without asking.
    pub const fn reinstall(self) -> &'static [&'static str] {
        match self {
            Manager::Apt => &["apt-get", "install", "-y", "--reinstall"],
            Manager::Dnf => &["dnf", "reinstall", "-y"],
            Manager::Apk => &["apk", "fix", "--reinstall"],
            Manager::Pacman => &["pacman", "-S", "--noconfirm"],
            Manager::Zypper => &["zypper", "install", "-y", "--force"],
        }
    }

    /// The words before an installed package that is to become the newest there is, without asking.
    pub const fn upgrade(self) -> &'static [&'static str] {
        match self {
            Manager::Apt => &["apt-get", "install", "-y", "--only-upgrade"],
            Manager::Dnf => &["dnf", "upgrade", "-y"],
            Manager::Apk => &["apk", "add", "--upgrade"],
            Manager::Pacman => &["pacman", "-Syu", "--noconfirm"],
            Manager::Zypper => &["zypper", "update", "-y"],
        }
    }

    /// The line that fetches the indexes, where installing does not do that itself.
    pub const fn refresh(self) -> Option<&'static str> {
        match self {
            Manager::Apt => Some("apt-get update"),
            Manager::Dnf | Manager::Apk | Manager::Pacman | Manager::Zypper => None,
        }
    }

    /// The line for a script that installs packages: nothing asks, and nothing reads the script,
    /// which may be standard input.
    pub fn script(self, packages: &[&str]) -> String {
        self.unattended(&[self.install(), self.unasked(), packages].concat())
    }

    /// The line for a script that brings an installed package to the newest version there is.
    pub fn upgrade_script(self, package: &str) -> String {
        self.unattended(&[self.upgrade(), &[package]].concat())
    }

    fn unattended(self, words: &[&str]) -> String {
        let line = base::shell::line(words);
        match self {
            Manager::Apt => format!("DEBIAN_FRONTEND=noninteractive {line} </dev/null"),
            _ => format!("{line} </dev/null"),
        }
    }
}
