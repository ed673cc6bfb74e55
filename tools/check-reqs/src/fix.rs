//! How a gap is closed on this distribution: words for people, and commands that a script can run
//! (`check-reqs … | jq -r '.items[].fix.commands[]?' | sh -e`). Pure: nothing is run here, and no command is named that was not known to
//! be right for the distribution; a fix without commands is better than a wrong one.

use crate::shell::shell;
use distro::{Distro, Manager};
use schemars::JsonSchema;
use serde::Serialize;

/// A way to close a gap.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Fix {
    /// For people.
    pub text: String,
    /// For `sh`, in order; empty where only a person can do it.
    pub commands: Vec<String>,
    /// Whether the commands want root.
    pub needs_root: bool,
}

impl Fix {
    /// Words only.
    pub fn advice(text: impl Into<String>) -> Fix {
        Fix {
            text: text.into(),
            commands: Vec::new(),
            needs_root: false,
        }
    }

    /// Commands for root.
    pub fn root(text: impl Into<String>, commands: Vec<String>) -> Fix {
        Fix {
            text: text.into(),
            commands,
            needs_root: true,
        }
    }

    /// Commands that need no more rights than the caller has.
    pub fn plain(text: impl Into<String>, commands: Vec<String>) -> Fix {
        Fix {
            text: text.into(),
            commands,
            needs_root: false,
        }
    }
}

/// The command that installs packages without asking.
pub fn install_command(manager: Option<Manager>, packages: &[&str]) -> Option<String> {
    let manager = manager?;
    Some(shell(
        &[manager.install(), manager.unasked(), packages].concat(),
    ))
}

/// Installs packages.
pub fn install(distro: &Distro, packages: &[&str]) -> Fix {
    let text = format!("install the package {}", packages.join(" "));
    match install_command(distro.manager(), packages) {
        Some(command) => Fix::root(text, vec![command]),
        None => Fix::advice(text),
    }
}

/// Brings an installed package to the newest version the distribution has.
pub fn upgrade(distro: &Distro, package: &str, wanted: &str) -> Fix {
    let text = format!(
        "upgrade {package} to {wanted}; if the distribution's newest is older, add a repository that has it"
    );
    match distro.manager() {
        Some(manager) => Fix::root(text, vec![shell(&[manager.upgrade(), &[package]].concat())]),
        None => Fix::advice(text),
    }
}

/// What a command's package is called by apt, dnf, apk and pacman; empty where the distribution has none of its own.
struct Named {
    command: &'static str,
    packages: [&'static str; 4],
}

const fn same(command: &'static str) -> Named {
    Named {
        command,
        packages: [command; 4],
    }
}

const fn named(command: &'static str, packages: [&'static str; 4]) -> Named {
    Named { command, packages }
}

/// The commands that guides to Python sites ask for.
const COMMANDS: &[Named] = &[
    named("python3", ["python3", "python3", "python3", "python"]),
    named(
        "pip3",
        ["python3-pip", "python3-pip", "py3-pip", "python-pip"],
    ),
    named(
        "pip",
        ["python3-pip", "python3-pip", "py3-pip", "python-pip"],
    ),
    named(
        "virtualenv",
        [
            "virtualenv",
            "python3-virtualenv",
            "py3-virtualenv",
            "python-virtualenv",
        ],
    ),
    named("uv", ["", "uv", "uv", "uv"]),
    named("crontab", ["cron", "cronie", "cronie", "cronie"]),
    named("cron", ["cron", "cronie", "cronie", "cronie"]),
    named("nginx", ["nginx", "nginx", "nginx", "nginx"]),
    named("apache2", ["apache2", "httpd", "apache2", "apache"]),
    named("apache2ctl", ["apache2", "httpd", "apache2-ctl", "apache"]),
    named("apachectl", ["apache2", "httpd", "apache2-ctl", "apache"]),
    named("httpd", ["apache2", "httpd", "apache2", "apache"]),
    named("caddy", ["caddy", "caddy", "caddy", "caddy"]),
    named("uwsgi", ["uwsgi", "uwsgi", "uwsgi", "uwsgi"]),
    named(
        "gunicorn",
        ["gunicorn", "python3-gunicorn", "py3-gunicorn", "gunicorn"],
    ),
    named(
        "supervisorctl",
        ["supervisor", "supervisor", "supervisor", "supervisor"],
    ),
    named(
        "supervisord",
        ["supervisor", "supervisor", "supervisor", "supervisor"],
    ),
    named(
        "psql",
        [
            "postgresql-client",
            "postgresql",
            "postgresql-client",
            "postgresql",
        ],
    ),
    named(
        "pg_dump",
        [
            "postgresql-client",
            "postgresql",
            "postgresql-client",
            "postgresql",
        ],
    ),
    named(
        "createdb",
        [
            "postgresql-client",
            "postgresql",
            "postgresql-client",
            "postgresql",
        ],
    ),
    named(
        "pg_config",
        ["libpq-dev", "libpq-devel", "libpq-dev", "postgresql-libs"],
    ),
    named(
        "postgres",
        [
            "postgresql",
            "postgresql-server",
            "postgresql",
            "postgresql",
        ],
    ),
    named(
        "redis-server",
        ["redis-server", "valkey-compat-redis", "redis", "valkey"],
    ),
    named(
        "redis-cli",
        ["redis-tools", "valkey-compat-redis", "redis", "valkey"],
    ),
    named("sqlite3", ["sqlite3", "sqlite", "sqlite", "sqlite"]),
    named(
        "ssh",
        [
            "openssh-client",
            "openssh-clients",
            "openssh-client",
            "openssh",
        ],
    ),
    named(
        "sshd",
        [
            "openssh-server",
            "openssh-server",
            "openssh-server",
            "openssh",
        ],
    ),
    named("gcc", ["gcc", "gcc", "gcc", "gcc"]),
    named("cc", ["gcc", "gcc", "gcc", "gcc"]),
    named("make", ["make", "make", "make", "make"]),
    named("node", ["nodejs", "nodejs", "nodejs", "nodejs"]),
    named("npm", ["npm", "nodejs-npm", "npm", "npm"]),
    named("ps", ["procps", "procps-ng", "procps", "procps-ng"]),
    named("ss", ["iproute2", "iproute", "iproute2", "iproute2"]),
    named("ip", ["iproute2", "iproute", "iproute2", "iproute2"]),
    named("dig", ["dnsutils", "bind-utils", "bind-tools", "bind"]),
    named(
        "nc",
        [
            "netcat-openbsd",
            "nmap-ncat",
            "netcat-openbsd",
            "openbsd-netcat",
        ],
    ),
    named("docker", ["docker.io", "moby-engine", "docker", "docker"]),
    named(
        "mysql",
        [
            "default-mysql-client",
            "mysql",
            "mysql-client",
            "mariadb-clients",
        ],
    ),
    named("gpg", ["gnupg", "gnupg2", "gnupg", "gnupg"]),
    named("sendmail", ["postfix", "postfix", "postfix", "postfix"]),
    named("msgfmt", ["gettext", "gettext", "gettext", "gettext"]),
    named(
        "convert",
        ["imagemagick", "ImageMagick", "imagemagick", "imagemagick"],
    ),
    named(
        "svn",
        ["subversion", "subversion", "subversion", "subversion"],
    ),
    named("hg", ["mercurial", "mercurial", "mercurial", "mercurial"]),
    same("git"),
    same("jq"),
    same("curl"),
    same("wget"),
    same("rsync"),
    same("logrotate"),
    same("openssl"),
    same("sudo"),
    same("tar"),
    same("unzip"),
    same("xz"),
    same("memcached"),
    same("certbot"),
    same("tmux"),
    same("screen"),
    same("vim"),
    same("nano"),
    same("lsof"),
    same("strace"),
    same("ffmpeg"),
    same("pandoc"),
    same("postfix"),
    same("hostname"),
];

fn of_manager(packages: &[&'static str; 4], manager: Manager) -> Option<&'static str> {
    let name = match manager {
        Manager::Apt => packages[0],
        Manager::Dnf => packages[1],
        Manager::Apk => packages[2],
        Manager::Pacman => packages[3],
        Manager::Zypper => return None,
    };
    (!name.is_empty()).then_some(name)
}

/// Installs the package that has a command. dnf and apk can be asked for the command itself.
pub fn install_of_command(distro: &Distro, command: &str) -> Fix {
    let name = command.rsplit('/').next().unwrap_or(command);
    let text = format!("install the package that has {name}");
    let Some(manager) = distro.manager() else {
        return Fix::advice(text);
    };
    if let Some(package) = COMMANDS
        .iter()
        .find(|row| row.command == name)
        .and_then(|row| of_manager(&row.packages, manager))
    {
        return install(distro, &[package]);
    }
    let by_name = |name: String| {
        install_command(Some(manager), &[&name])
            .into_iter()
            .collect()
    };
    match manager {
        Manager::Dnf => Fix::root(text, by_name(format!("/usr/bin/{name}"))),
        Manager::Apk => Fix::root(text, by_name(format!("cmd:{name}"))),
        Manager::Apt => Fix::advice(format!(
            "{text} (`apt-file search -x 'bin/{name}$'` names it)"
        )),
        Manager::Pacman => Fix::advice(format!("{text} (`pacman -F {name}` names it)")),
        Manager::Zypper => Fix::advice(format!(
            "{text} (`zypper search --provides /usr/bin/{name}` names it)"
        )),
    }
}

/// Installs the files of an extension for a server of a release series (`16`, `9.6`) on this host.
pub fn install_extension(distro: &Distro, extension: &str, series: &str) -> Fix {
    match distro::extension::package(extension, series, &distro.clone().with_server(series)) {
        Some(name) => install(distro, &[&name]),
        None => {
            let text = format!(
                "install the files of the extension {extension} for PostgreSQL {series} on the server's host"
            );
            let ask = distro.manager().map(|manager| {
                format!(
                    " (`{}` names the package)",
                    distro::extension::ask(extension, manager)
                )
            });
            Fix::advice(text + &ask.unwrap_or_default())
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn platform(id: &str) -> Distro {
        Distro::parse(&format!("ID={id}\n"))
    }

    #[test]
    fn each_distribution_has_its_own_command() {
        for (id, crontab, hstore) in [
            (
                "debian",
                "apt-get install -y cron",
                "apt-get install -y postgresql-contrib-15",
            ),
            (
                "fedora",
                "dnf install -y cronie",
                "dnf install -y postgresql-contrib",
            ),
            ("alpine", "apk add cronie", "apk add postgresql15-contrib"),
            (
                "arch",
                "pacman -S --noconfirm --needed cronie",
                "pacman -S --noconfirm --needed postgresql",
            ),
        ] {
            let platform = platform(id);
            let fix = install_of_command(&platform, "crontab");
            assert_eq!(
                (fix.commands, fix.needs_root),
                (vec![crontab.to_string()], true)
            );
            assert_eq!(
                install_extension(&platform, "hstore", "15").commands,
                [hstore]
            );
        }
    }

    #[test]
    fn an_unknown_command_is_asked_for_by_name_where_that_works() {
        assert_eq!(
            install_of_command(&platform("fedora"), "frobnicate").commands,
            ["dnf install -y /usr/bin/frobnicate"]
        );
        assert_eq!(
            install_of_command(&platform("alpine"), "frobnicate").commands,
            ["apk add cmd:frobnicate"]
        );
        assert!(
            install_of_command(&platform("debian"), "frobnicate")
                .commands
                .is_empty()
        );
        assert!(
            install_of_command(&platform("nixos"), "git")
                .commands
                .is_empty()
        );
        let unknown = install_extension(&platform("debian"), "frob", "15");
        assert!(
            unknown.commands.is_empty()
                && unknown
                    .text
                    .ends_with("(`apt-file search /frob.control` names the package)"),
            "{unknown:?}"
        );
    }
}
