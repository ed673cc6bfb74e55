//! How a gap is closed on this distribution: words for people, and commands that a script can run
//! (`check-reqs … | jq -r '.items[].fix.commands[]?' | sh -e`). Pure: nothing is run here, and no command is named that was not known to
//! be right for the distribution; a fix without commands is better than a wrong one.

use crate::platform::{Family, Platform, shell};
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
        Fix { text: text.into(), commands: Vec::new(), needs_root: false }
    }

    /// Commands for root.
    pub fn root(text: impl Into<String>, commands: Vec<String>) -> Fix {
        Fix { text: text.into(), commands, needs_root: true }
    }

    /// Commands that need no more rights than the caller has.
    pub fn plain(text: impl Into<String>, commands: Vec<String>) -> Fix {
        Fix { text: text.into(), commands, needs_root: false }
    }
}

/// The command that installs packages without asking.
pub fn install_command(family: Family, packages: &[&str]) -> Option<String> {
    let before: &[&str] = match family {
        Family::Apt => &["apt-get", "install", "-y"],
        Family::Dnf => &["dnf", "install", "-y"],
        Family::Apk => &["apk", "add"],
        Family::Pacman => &["pacman", "-S", "--noconfirm", "--needed"],
        Family::Other => return None,
    };
    Some(shell(&[before, packages].concat()))
}

/// Installs packages.
pub fn install(platform: &Platform, packages: &[&str]) -> Fix {
    let text = format!("install the package {}", packages.join(" "));
    match install_command(platform.family, packages) {
        Some(command) => Fix::root(text, vec![command]),
        None => Fix::advice(text),
    }
}

/// Brings an installed package to the newest version the distribution has.
pub fn upgrade(platform: &Platform, package: &str, wanted: &str) -> Fix {
    let text = format!("upgrade {package} to {wanted}; if the distribution's newest is older, add a repository that has it");
    let words: &[&str] = match platform.family {
        Family::Apt => &["apt-get", "install", "-y", "--only-upgrade", package],
        Family::Dnf => &["dnf", "upgrade", "-y", package],
        Family::Apk => &["apk", "add", "--upgrade", package],
        Family::Pacman => &["pacman", "-Syu", "--noconfirm", package],
        Family::Other => return Fix::advice(text),
    };
    Fix::root(text, vec![shell(words)])
}

/// What a command's package is called by apt, dnf, apk and pacman; empty where the distribution has none of its own.
struct Named {
    command: &'static str,
    packages: [&'static str; 4],
}

const fn same(command: &'static str) -> Named {
    Named { command, packages: [command; 4] }
}

const fn named(command: &'static str, packages: [&'static str; 4]) -> Named {
    Named { command, packages }
}

/// The commands that guides to Python sites ask for.
const COMMANDS: &[Named] = &[
    named("python3", ["python3", "python3", "python3", "python"]),
    named("pip3", ["python3-pip", "python3-pip", "py3-pip", "python-pip"]),
    named("pip", ["python3-pip", "python3-pip", "py3-pip", "python-pip"]),
    named("virtualenv", ["virtualenv", "python3-virtualenv", "py3-virtualenv", "python-virtualenv"]),
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
    named("gunicorn", ["gunicorn", "python3-gunicorn", "py3-gunicorn", "gunicorn"]),
    named("supervisorctl", ["supervisor", "supervisor", "supervisor", "supervisor"]),
    named("supervisord", ["supervisor", "supervisor", "supervisor", "supervisor"]),
    named("psql", ["postgresql-client", "postgresql", "postgresql-client", "postgresql"]),
    named("pg_dump", ["postgresql-client", "postgresql", "postgresql-client", "postgresql"]),
    named("createdb", ["postgresql-client", "postgresql", "postgresql-client", "postgresql"]),
    named("pg_config", ["libpq-dev", "libpq-devel", "libpq-dev", "postgresql-libs"]),
    named("postgres", ["postgresql", "postgresql-server", "postgresql", "postgresql"]),
    named("redis-server", ["redis-server", "valkey-compat-redis", "redis", "valkey"]),
    named("redis-cli", ["redis-tools", "valkey-compat-redis", "redis", "valkey"]),
    named("sqlite3", ["sqlite3", "sqlite", "sqlite", "sqlite"]),
    named("ssh", ["openssh-client", "openssh-clients", "openssh-client", "openssh"]),
    named("sshd", ["openssh-server", "openssh-server", "openssh-server", "openssh"]),
    named("gcc", ["gcc", "gcc", "gcc", "gcc"]),
    named("cc", ["gcc", "gcc", "gcc", "gcc"]),
    named("make", ["make", "make", "make", "make"]),
    named("node", ["nodejs", "nodejs", "nodejs", "nodejs"]),
    named("npm", ["npm", "nodejs-npm", "npm", "npm"]),
    named("ps", ["procps", "procps-ng", "procps", "procps-ng"]),
    named("ss", ["iproute2", "iproute", "iproute2", "iproute2"]),
    named("ip", ["iproute2", "iproute", "iproute2", "iproute2"]),
    named("dig", ["dnsutils", "bind-utils", "bind-tools", "bind"]),
    named("nc", ["netcat-openbsd", "nmap-ncat", "netcat-openbsd", "openbsd-netcat"]),
    named("docker", ["docker.io", "moby-engine", "docker", "docker"]),
    named("mysql", ["default-mysql-client", "mysql", "mysql-client", "mariadb-clients"]),
    named("gpg", ["gnupg", "gnupg2", "gnupg", "gnupg"]),
    named("sendmail", ["postfix", "postfix", "postfix", "postfix"]),
    named("msgfmt", ["gettext", "gettext", "gettext", "gettext"]),
    named("convert", ["imagemagick", "ImageMagick", "imagemagick", "imagemagick"]),
    named("svn", ["subversion", "subversion", "subversion", "subversion"]),
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

fn of_family(packages: &[&'static str; 4], family: Family) -> Option<&'static str> {
    let name = match family {
        Family::Apt => packages[0],
        Family::Dnf => packages[1],
        Family::Apk => packages[2],
        Family::Pacman => packages[3],
        Family::Other => return None,
    };
    (!name.is_empty()).then_some(name)
}

/// Installs the package that has a command. dnf and apk can be asked for the command itself.
pub fn install_of_command(platform: &Platform, command: &str) -> Fix {
    let name = command.rsplit('/').next().unwrap_or(command);
    if let Some(package) = COMMANDS.iter().find(|row| row.command == name).and_then(|row| of_family(&row.packages, platform.family)) {
        return install(platform, &[package]);
    }
    let text = format!("install the package that has {name}");
    match platform.family {
        Family::Dnf => Fix::root(text, vec![shell(&["dnf", "install", "-y", &format!("/usr/bin/{name}")])]),
        Family::Apk => Fix::root(text, vec![shell(&["apk", "add", &format!("cmd:{name}")])]),
        Family::Apt => Fix::advice(format!("{text} (`apt-file search -x 'bin/{name}$'` names it)")),
        Family::Pacman => Fix::advice(format!("{text} (`pacman -F {name}` names it)")),
        Family::Other => Fix::advice(text),
    }
}

/// The extensions of PostgreSQL's contrib, which most distributions keep in one package.
const CONTRIB: &[&str] = &[
    "adminpack",
    "amcheck",
    "autoinc",
    "bloom",
    "btree_gin",
    "btree_gist",
    "citext",
    "cube",
    "dblink",
    "dict_int",
    "dict_xsyn",
    "earthdistance",
    "file_fdw",
    "fuzzystrmatch",
    "hstore",
    "insert_username",
    "intagg",
    "intarray",
    "isn",
    "lo",
    "ltree",
    "moddatetime",
    "old_snapshot",
    "pageinspect",
    "pg_buffercache",
    "pg_freespacemap",
    "pg_prewarm",
    "pg_stat_statements",
    "pg_surgery",
    "pg_trgm",
    "pg_visibility",
    "pg_walinspect",
    "pgcrypto",
    "pgrowlocks",
    "pgstattuple",
    "postgres_fdw",
    "refint",
    "seg",
    "sslinfo",
    "tablefunc",
    "tcn",
    "tsm_system_rows",
    "tsm_system_time",
    "unaccent",
    "uuid-ossp",
    "xml2",
];

/// Installs the files of an extension for a server of major version `major`.
pub fn install_extension(platform: &Platform, extension: &str, major: &str) -> Fix {
    let apt = format!("postgresql-{major}");
    let pg = |suffix: &str| format!("postgresql-{major}-{suffix}");
    let name = match (extension, platform.family) {
        (_, Family::Other) => None,
        // From 10 on contrib is part of postgresql-N on Debian; its name is still a package there.
        (e, Family::Apt) if CONTRIB.contains(&e) => Some(if major.starts_with('9') { format!("postgresql-contrib-{major}") } else { apt }),
        (e, Family::Dnf | Family::Apk) if CONTRIB.contains(&e) => Some("postgresql-contrib".into()),
        (e, Family::Pacman) if CONTRIB.contains(&e) => Some("postgresql".into()),
        ("postgis" | "postgis_raster" | "postgis_topology" | "postgis_sfcgal" | "postgis_tiger_geocoder", Family::Apt) => {
            Some(pg("postgis-3"))
        }
        ("postgis" | "postgis_raster" | "postgis_topology", _) => Some("postgis".into()),
        ("vector", Family::Apt) => Some(pg("pgvector")),
        ("vector", Family::Dnf | Family::Pacman) => Some("pgvector".into()),
        ("vector", Family::Apk) => Some("postgresql-pgvector".into()),
        ("pg_cron", Family::Apt) => Some(pg("cron")),
        ("pg_repack", Family::Apt) => Some(pg("repack")),
        ("hypopg", Family::Apt) => Some(pg("hypopg")),
        ("pgaudit", Family::Apt) => Some(pg("pgaudit")),
        ("pg_partman", Family::Apt) => Some(pg("partman")),
        ("hll", Family::Apt) => Some(pg("hll")),
        ("plpython3u", Family::Apt) => Some(format!("postgresql-plpython3-{major}")),
        ("plperl" | "plperlu", Family::Apt) => Some(format!("postgresql-plperl-{major}")),
        _ => None,
    };
    match name {
        Some(name) => install(platform, &[&name]),
        None => Fix::advice(format!("install the files of the extension {extension} for PostgreSQL {major} on the server's host")),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn platform(id: &str) -> Platform {
        Platform::parse(&format!("ID={id}\n"))
    }

    #[test]
    fn each_distribution_has_its_own_command() {
        for (id, crontab, hstore) in [
            ("debian", "apt-get install -y cron", "apt-get install -y postgresql-15"),
            ("fedora", "dnf install -y cronie", "dnf install -y postgresql-contrib"),
            ("alpine", "apk add cronie", "apk add postgresql-contrib"),
            ("arch", "pacman -S --noconfirm --needed cronie", "pacman -S --noconfirm --needed postgresql"),
        ] {
            let platform = platform(id);
            let fix = install_of_command(&platform, "crontab");
            assert_eq!((fix.commands, fix.needs_root), (vec![crontab.to_string()], true));
            assert_eq!(install_extension(&platform, "hstore", "15").commands, [hstore]);
        }
    }

    #[test]
    fn an_unknown_command_is_asked_for_by_name_where_that_works() {
        assert_eq!(install_of_command(&platform("fedora"), "frobnicate").commands, ["dnf install -y /usr/bin/frobnicate"]);
        assert_eq!(install_of_command(&platform("alpine"), "frobnicate").commands, ["apk add cmd:frobnicate"]);
        assert!(install_of_command(&platform("debian"), "frobnicate").commands.is_empty());
        assert!(install_of_command(&platform("nixos"), "git").commands.is_empty());
    }
}
