//! Which package of which distribution holds a command. A name that is not in the table is not
//! guessed.
//!
//! Sources: each of Debian's names was looked up in the package indexes of Debian 12 and 13 in
//! November 2026. The names of Ubuntu, Fedora, Alpine and Arch, and the exceptions by release, are
//! not verified: no index of theirs was asked.

use crate::{Distro, Family};

/// One command: the packages of Debian and Ubuntu, Fedora and RHEL, Alpine, Arch; empty where the
/// distribution has no package of its own for the command.
struct Row {
    command: &'static str,
    packages: [&'static str; 4],
}

const fn same(command: &'static str) -> Row {
    row(command, [command; 4])
}

const fn row(command: &'static str, packages: [&'static str; 4]) -> Row {
    Row { command, packages }
}

/// The commands that guides to Python sites ask for, in the order of their names.
const ROWS: &[Row] = &[
    row(
        "ab",
        ["apache2-utils", "httpd-tools", "apache2-utils", "apache"],
    ),
    row("apache2", ["apache2", "httpd", "apache2", "apache"]),
    row("apache2ctl", ["apache2", "httpd", "apache2-ctl", "apache"]),
    row("apachectl", ["apache2", "httpd", "apache2-ctl", "apache"]),
    same("bzip2"),
    same("caddy"),
    row("cc", ["gcc", "gcc", "gcc", "gcc"]),
    row("celery", ["python3-celery", "", "", ""]),
    same("certbot"),
    row(
        "convert",
        ["imagemagick", "ImageMagick", "imagemagick", "imagemagick"],
    ),
    row(
        "createdb",
        [
            "postgresql-client",
            "postgresql",
            "postgresql-client",
            "postgresql",
        ],
    ),
    row(
        "createuser",
        [
            "postgresql-client",
            "postgresql",
            "postgresql-client",
            "postgresql",
        ],
    ),
    row("cron", ["cron", "cronie", "cronie", "cronie"]),
    row("crontab", ["cron", "cronie", "cronie", "cronie"]),
    same("curl"),
    row(
        "dig",
        ["bind9-dnsutils", "bind-utils", "bind-tools", "bind"],
    ),
    row("docker", ["docker.io", "moby-engine", "docker", "docker"]),
    same("ffmpeg"),
    same("file"),
    row("g++", ["g++", "gcc-c++", "g++", "gcc"]),
    same("gcc"),
    row("getfacl", ["acl", "acl", "acl", "acl"]),
    same("git"),
    row("gpg", ["gnupg", "gnupg2", "gnupg", "gnupg"]),
    row(
        "gunicorn",
        ["gunicorn", "python3-gunicorn", "py3-gunicorn", "gunicorn"],
    ),
    same("gzip"),
    same("haproxy"),
    row("hg", ["mercurial", "mercurial", "mercurial", "mercurial"]),
    row("host", ["bind9-host", "bind-utils", "bind-tools", "bind"]),
    same("hostname"),
    row(
        "htpasswd",
        ["apache2-utils", "httpd-tools", "apache2-utils", "apache"],
    ),
    row("httpd", ["apache2", "httpd", "apache2", "apache"]),
    row("ip", ["iproute2", "iproute", "iproute2", "iproute2"]),
    same("jq"),
    row("killall", ["psmisc", "psmisc", "psmisc", "psmisc"]),
    same("less"),
    row("locale-gen", ["locales", "", "", "glibc"]),
    same("logrotate"),
    same("lsof"),
    same("make"),
    row(
        "mariadb",
        [
            "mariadb-client",
            "mariadb",
            "mariadb-client",
            "mariadb-clients",
        ],
    ),
    same("memcached"),
    row("msgfmt", ["gettext", "gettext", "gettext", "gettext"]),
    row(
        "mysql",
        [
            "default-mysql-client",
            "mysql",
            "mysql-client",
            "mariadb-clients",
        ],
    ),
    same("nano"),
    row(
        "nc",
        [
            "netcat-openbsd",
            "nmap-ncat",
            "netcat-openbsd",
            "openbsd-netcat",
        ],
    ),
    same("nginx"),
    row("node", ["nodejs", "nodejs", "nodejs", "nodejs"]),
    row("npm", ["npm", "nodejs-npm", "npm", "npm"]),
    row(
        "nslookup",
        ["bind9-dnsutils", "bind-utils", "bind-tools", "bind"],
    ),
    same("openssl"),
    same("pandoc"),
    row(
        "pdftotext",
        ["poppler-utils", "poppler-utils", "poppler-utils", "poppler"],
    ),
    row(
        "pg_config",
        ["libpq-dev", "libpq-devel", "libpq-dev", "postgresql-libs"],
    ),
    row(
        "pg_dump",
        [
            "postgresql-client",
            "postgresql",
            "postgresql-client",
            "postgresql",
        ],
    ),
    row(
        "pg_dumpall",
        [
            "postgresql-client",
            "postgresql",
            "postgresql-client",
            "postgresql",
        ],
    ),
    row(
        "pg_restore",
        [
            "postgresql-client",
            "postgresql",
            "postgresql-client",
            "postgresql",
        ],
    ),
    row(
        "ping",
        ["iputils-ping", "iputils", "iputils-ping", "iputils"],
    ),
    row(
        "pip",
        ["python3-pip", "python3-pip", "py3-pip", "python-pip"],
    ),
    row(
        "pip3",
        ["python3-pip", "python3-pip", "py3-pip", "python-pip"],
    ),
    row("pipx", ["pipx", "pipx", "pipx", "python-pipx"]),
    row(
        "pkg-config",
        ["pkgconf", "pkgconf-pkg-config", "pkgconf", "pkgconf"],
    ),
    same("postfix"),
    row(
        "postgres",
        [
            "postgresql",
            "postgresql-server",
            "postgresql",
            "postgresql",
        ],
    ),
    row("ps", ["procps", "procps-ng", "procps", "procps-ng"]),
    row(
        "psql",
        [
            "postgresql-client",
            "postgresql",
            "postgresql-client",
            "postgresql",
        ],
    ),
    row("python3", ["python3", "python3", "python3", "python"]),
    row(
        "redis-cli",
        ["redis-tools", "valkey-compat-redis", "redis", "valkey"],
    ),
    row(
        "redis-server",
        ["redis-server", "valkey-compat-redis", "redis", "valkey"],
    ),
    same("rsync"),
    row("rsyslogd", ["rsyslog", "rsyslog", "rsyslog", "rsyslog"]),
    row(
        "runuser",
        ["util-linux", "util-linux", "runuser", "util-linux"],
    ),
    row(
        "scp",
        [
            "openssh-client",
            "openssh-clients",
            "openssh-client-default",
            "openssh",
        ],
    ),
    same("screen"),
    row("sendmail", ["postfix", "postfix", "postfix", "postfix"]),
    row("setfacl", ["acl", "acl", "acl", "acl"]),
    row("sqlite3", ["sqlite3", "sqlite", "sqlite", "sqlite"]),
    row("ss", ["iproute2", "iproute", "iproute2", "iproute2"]),
    row(
        "ssh",
        [
            "openssh-client",
            "openssh-clients",
            "openssh-client-default",
            "openssh",
        ],
    ),
    row(
        "ssh-keygen",
        ["openssh-client", "openssh", "openssh-keygen", "openssh"],
    ),
    row(
        "sshd",
        [
            "openssh-server",
            "openssh-server",
            "openssh-server",
            "openssh",
        ],
    ),
    same("strace"),
    same("sudo"),
    row(
        "supervisorctl",
        ["supervisor", "supervisor", "supervisor", "supervisor"],
    ),
    row(
        "supervisord",
        ["supervisor", "supervisor", "supervisor", "supervisor"],
    ),
    row(
        "svn",
        ["subversion", "subversion", "subversion", "subversion"],
    ),
    same("tar"),
    row(
        "tesseract",
        ["tesseract-ocr", "tesseract", "tesseract-ocr", "tesseract"],
    ),
    same("tmux"),
    same("unzip"),
    row("update-rc.d", ["init-system-helpers", "", "", ""]),
    row("uv", ["", "uv", "uv", "uv"]),
    same("uwsgi"),
    row("varnishd", ["varnish", "varnish", "varnish", "varnish"]),
    row("vi", ["vim", "vim-minimal", "vim", "vim"]),
    row("vim", ["vim", "vim-enhanced", "vim", "vim"]),
    row(
        "virtualenv",
        [
            "virtualenv",
            "python3-virtualenv",
            "py3-virtualenv",
            "python-virtualenv",
        ],
    ),
    same("wget"),
    row(
        "xmllint",
        ["libxml2-utils", "libxml2", "libxml2-utils", "libxml2"],
    ),
    row("xz", ["xz-utils", "xz", "xz", "xz"]),
    same("zip"),
    same("zstd"),
];

/// What a release calls otherwise than the table: family, releases, command, package.
const BY_RELEASE: &[(Family, &[&str], &str, &str)] = &[
    // The client left docker.io in Debian 13.
    (Family::Debian, &["13"], "docker", "docker-cli"),
    // redis was replaced by valkey in Fedora 41 and RHEL 10.
    (Family::Fedora, &["39", "40"], "redis-server", "redis"),
    (Family::Fedora, &["39", "40"], "redis-cli", "redis"),
    (Family::Rhel, &["8", "9"], "redis-server", "redis"),
    (Family::Rhel, &["8", "9"], "redis-cli", "redis"),
    (Family::Debian, &["9", "10"], "dig", "dnsutils"),
    (Family::Debian, &["9", "10"], "nslookup", "dnsutils"),
    (
        Family::Debian,
        &["9", "10", "11"],
        "pkg-config",
        "pkg-config",
    ),
    // uv came with Fedora 41.
    (Family::Fedora, &["39", "40"], "uv", ""),
];

/// What a service is called, where that is not the command of the daemon.
const SERVICES: &[(&str, &str)] = &[
    ("ssh", "sshd"),
    ("httpd", "apache2"),
    ("apache", "apache2"),
    ("postgresql", "postgres"),
    ("redis", "redis-server"),
    ("valkey", "redis-server"),
    ("supervisor", "supervisord"),
    ("crond", "cron"),
    ("cronie", "cron"),
    ("rsyslog", "rsyslogd"),
    ("varnish", "varnishd"),
    ("exim4", "exim4"),
];

/// The package that holds a command, on this release.
pub fn package(command: &str, distro: &Distro) -> Option<&'static str> {
    let release = major(distro);
    let exception = BY_RELEASE.iter().find(|(family, releases, name, _)| {
        *family == distro.family && *name == command && releases.contains(&release)
    });
    let name = match exception {
        Some((.., package)) => package,
        None => {
            let row = ROWS.iter().find(|row| row.command == command)?;
            let [debian, fedora, alpine, arch] = row.packages;
            match distro.family {
                Family::Debian | Family::Ubuntu => debian,
                Family::Fedora | Family::Rhel => fedora,
                Family::Alpine => alpine,
                Family::Arch => arch,
                Family::Suse | Family::Other => return None,
            }
        }
    };
    Some(name).filter(|name| !name.is_empty())
}

/// The package that holds a service: that of its daemon.
pub fn package_of_service(service: &str, distro: &Distro) -> Option<&'static str> {
    package(daemon_of(service), distro)
}

/// The command of a service's daemon.
pub fn daemon_of(service: &str) -> &str {
    let known = SERVICES.iter().find(|(name, _)| *name == service);
    known.map_or(service, |(_, daemon)| daemon)
}

/// The commands of the table, with the package on this release.
pub fn known(distro: &Distro) -> impl Iterator<Item = (&'static str, &'static str)> + '_ {
    ROWS.iter()
        .filter_map(|row| Some((row.command, package(row.command, distro)?)))
}

/// The first number of the release: `12`, `9` of `9.4`; Ubuntu's releases are whole: `24.04`.
fn major(distro: &Distro) -> &str {
    let release = distro.release.as_deref().unwrap_or("");
    match distro.family {
        Family::Ubuntu => release,
        _ => release.split('.').next().unwrap_or(""),
    }
}

/// The series of Python that `python3` of this release is: `3.11`.
///
/// Not verified against the releases' indexes.
pub fn python_series(distro: &Distro) -> Option<&'static str> {
    let whole = distro.release.as_deref().unwrap_or("");
    let release = match distro.family {
        // `3.22.1` is a patch of 3.22.
        Family::Alpine => match whole.rsplit_once('.') {
            Some((series, _)) if series.contains('.') => series,
            _ => whole,
        },
        _ => major(distro),
    };
    Some(match (distro.family, release) {
        (Family::Debian, "10") => "3.7",
        (Family::Debian, "11") => "3.9",
        (Family::Debian, "12") => "3.11",
        (Family::Debian, "13") => "3.13",
        (Family::Ubuntu, "20.04") => "3.8",
        (Family::Ubuntu, "22.04") => "3.10",
        (Family::Ubuntu, "24.04" | "24.10") => "3.12",
        (Family::Ubuntu, "25.04" | "25.10") => "3.13",
        (Family::Fedora, "39" | "40") => "3.12",
        (Family::Fedora, "41" | "42") => "3.13",
        (Family::Fedora, "43") => "3.14",
        (Family::Rhel, "8") => "3.6",
        (Family::Rhel, "9") => "3.9",
        (Family::Rhel, "10") => "3.12",
        (Family::Alpine, "3.18" | "3.19") => "3.11",
        (Family::Alpine, "3.20" | "3.21" | "3.22") => "3.12",
        _ => return None,
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn on(id: &str, release: &str) -> Distro {
        Distro::parse(&format!("ID={id}\nVERSION_ID={release}\n"))
    }

    #[test]
    fn the_table_is_in_order_and_names_each_command_once() {
        let names: Vec<&str> = ROWS.iter().map(|row| row.command).collect();
        assert!(names.windows(2).all(|pair| pair[0] < pair[1]), "{names:?}");
    }

    #[test]
    fn releases_differ() {
        for (id, release, command, name) in [
            ("debian", "12", "docker", Some("docker.io")),
            ("debian", "13", "docker", Some("docker-cli")),
            ("debian", "12", "xz", Some("xz-utils")),
            ("fedora", "40", "redis-server", Some("redis")),
            ("fedora", "42", "redis-server", Some("valkey-compat-redis")),
            ("rocky", "9.4", "redis-cli", Some("redis")),
            ("debian", "12", "uv", None),
            ("alpine", "3.22", "uv", Some("uv")),
            ("nixos", "", "git", None),
        ] {
            assert_eq!(package(command, &on(id, release)), name, "{id} {release}");
        }
        let debian = on("debian", "12");
        assert_eq!(package_of_service("ssh", &debian), Some("openssh-server"));
        assert_eq!(package_of_service("redis", &debian), Some("redis-server"));
    }

    #[test]
    fn the_series_of_python() {
        for (id, release, series) in [
            ("debian", "12", Some("3.11")),
            ("debian", "13", Some("3.13")),
            ("ubuntu", "24.04", Some("3.12")),
            ("alpine", "3.22.1", Some("3.12")),
            ("arch", "", None),
        ] {
            assert_eq!(python_series(&on(id, release)), series, "{id} {release}");
        }
    }
}
