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
            Manager::Apk => &["apk", "add"],
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
}
