//! Fixes that several types of check print: packages, accounts, owners. Nothing is run here. A fix
//! without steps is better than a wrong step.
//!
//! Every step is for root's shell, so that `jq … | sh -e` runs the whole script; a step that
//! another account has to take goes through runuser(1). A step can be repeated: two requirements
//! that lack the same account print the same line.

pub use base::Fix;
pub use base::shell::{line as shell, quoted};

use crate::scene::Scene;
use distro::{Distro, Manager, command, extension};
use std::path::Path;

/// Command lines for root.
pub fn root(summary: impl Into<String>, lines: Vec<String>) -> Fix {
    lines
        .into_iter()
        .fold(Fix::advice(summary), |fix, line| fix.shell("root", line))
}

/// A line that another account runs, written for root's shell.
pub fn as_user(user: &str, words: &[&str]) -> String {
    match user {
        "root" => shell(words),
        user => shell(&[&["runuser", "-u", user, "--"], words].concat()),
    }
}

/// Installs packages whose names are known to be right.
pub fn install(scene: &Scene, packages: &[&str]) -> Fix {
    let text = format!("install the package {}", packages.join(" "));
    match install_lines(scene, packages) {
        Some(lines) => root(text, lines),
        None => Fix::advice(text),
    }
}

/// The lines that install packages; none where the package manager is not known.
pub fn install_lines(scene: &Scene, packages: &[&str]) -> Option<Vec<String>> {
    let manager = scene.distro.manager()?;
    let refresh = manager.refresh().filter(|_| scene.indexes_are_missing());
    let mut lines: Vec<String> = refresh.map(str::to_owned).into_iter().collect();
    lines.push(manager.script(packages));
    Some(lines)
}

/// Installs the package that holds a command. dnf and apk can be asked for the command itself.
pub fn install_of_command(scene: &Scene, command: &str) -> Fix {
    let name = command.rsplit('/').next().unwrap_or(command);
    match command::package(name, &scene.distro) {
        Some(package) => install(scene, &[package]),
        None => by_content(scene, name),
    }
}

/// Installs the package that holds a service.
pub fn install_of_service(scene: &Scene, service: &str) -> Fix {
    let text = format!("install the package of the service {service}");
    match command::package_of_service(service, &scene.distro) {
        Some(package) => install(scene, &[package]),
        None => Fix::advice(text),
    }
}

fn by_content(scene: &Scene, name: &str) -> Fix {
    let text = format!("install the package that holds the command {name}");
    let Some(manager) = scene.distro.manager() else {
        return Fix::advice(text);
    };
    let lines = |what: String| install_lines(scene, &[&what]).unwrap_or_default();
    match manager {
        Manager::Dnf => root(text, lines(format!("/usr/bin/{name}"))),
        Manager::Apk => root(text, lines(format!("cmd:{name}"))),
        Manager::Apt => Fix::advice(format!(
            "{text} (`apt-file search -x {}` names the package)",
            quoted(&format!("bin/{name}$"))
        )),
        Manager::Pacman => Fix::advice(format!(
            "{text} (`pacman -F {}` names the package)",
            quoted(name)
        )),
        Manager::Zypper => Fix::advice(format!(
            "{text} (`zypper search --provides {}` names the package)",
            quoted(&format!("/usr/bin/{name}"))
        )),
    }
}

/// Installs the files of an extension for a server of a release series (`16`, `9.6`) on this host.
pub fn install_extension(scene: &Scene, name: &str, series: &str) -> Fix {
    let distro: Distro = scene.distro.clone().with_server(series);
    match extension::package(name, series, &distro) {
        Some(package) => install(scene, &[&package]),
        None => {
            let text = format!(
                "install the files of the extension {name} for PostgreSQL {series} on the server's host"
            );
            let ask = distro
                .manager()
                .map(|manager| format!(" (`{}` names the package)", extension::ask(name, manager)));
            Fix::advice(text + &ask.unwrap_or_default())
        }
    }
}

/// Starts a service of this host with the service manager that is there.
pub fn start(scene: &Scene, service: &str) -> String {
    let booted = Path::new("/run/systemd/system").is_dir();
    match (booted, scene.distro.manager()) {
        (true, _) => shell(&["systemctl", "enable", "--now", service]),
        (false, Some(Manager::Apk)) => shell(&["rc-service", service, "start"]),
        (false, _) => shell(&["service", service, "start"]),
    }
}

/// The lines that make an account, where there is none: a system account, since services run under
/// it, and the groups that it has to be in.
pub fn account(name: &str, groups: &[String], home: Option<&str>) -> Vec<String> {
    let mut words = vec!["useradd", "--system", "--create-home", "--user-group"];
    if let Some(home) = home {
        words.extend(["--home-dir", home]);
    }
    words.extend(["--shell", "/usr/sbin/nologin", name]);
    let mut lines = vec![format!(
        "getent passwd {} >/dev/null || {}",
        quoted(name),
        shell(&words)
    )];
    if !groups.is_empty() {
        lines.extend(groups.iter().map(|group| group_line(group)));
        lines.push(shell(&["usermod", "-aG", &groups.join(","), name]));
    }
    lines
}

/// The line that makes a group, where there is none.
pub fn group_line(name: &str) -> String {
    format!(
        "getent group {} >/dev/null || {}",
        quoted(name),
        shell(&["groupadd", "--system", name])
    )
}

/// Makes an account. A number is no name that useradd(8) would take.
pub fn creation(name: &str, groups: &[String], home: Option<&str>) -> Fix {
    match is_number(name) {
        true => Fix::advice(format!(
            "name an account: {name} is a number without an account, and useradd takes names"
        )),
        false => root(
            format!("make the account {name}"),
            account(name, groups, home),
        ),
    }
}

/// Whether a user or group is written as a number.
pub fn is_number(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_digit())
}

/// Directories that belong to the system: their owner and rights are not changed by a fix, and
/// neither are those of anything below the second list.
const SYSTEM: &[&str] = &[
    "/",
    "/home",
    "/media",
    "/mnt",
    "/opt",
    "/run",
    "/srv",
    "/tmp",
    "/var",
    "/var/cache",
    "/var/lib",
    "/var/lock",
    "/var/log",
    "/var/mail",
    "/var/run",
    "/var/spool",
    "/var/tmp",
    "/var/www",
    "/usr/local",
];
const SYSTEM_TREES: &[&str] = &[
    "/bin",
    "/boot",
    "/dev",
    "/etc",
    "/lib",
    "/lib32",
    "/lib64",
    "/libx32",
    "/proc",
    "/root",
    "/sbin",
    "/sys",
    "/usr/bin",
    "/usr/include",
    "/usr/lib",
    "/usr/lib32",
    "/usr/lib64",
    "/usr/libexec",
    "/usr/sbin",
    "/usr/share",
    "/usr/src",
];

/// Whether a path belongs to the system, through all its links.
pub fn is_of_system(path: &Path) -> bool {
    let real = path.canonicalize();
    let candidates = [Some(path), real.as_deref().ok()];
    candidates.into_iter().flatten().any(|path| {
        SYSTEM.iter().any(|dir| path == Path::new(dir))
            || SYSTEM_TREES.iter().any(|tree| path.starts_with(tree))
            || path == Path::new("/usr")
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn on(id: &str) -> Scene {
        Scene::of(Distro::parse(&format!("ID={id}\n")))
    }

    fn lines(fix: &Fix) -> Vec<&str> {
        fix.steps.iter().map(|step| step.text.as_str()).collect()
    }

    #[test]
    fn each_distribution_has_its_own_command() {
        for (id, crontab, hstore) in [
            (
                "debian",
                "DEBIAN_FRONTEND=noninteractive apt-get install -y cron </dev/null",
                "DEBIAN_FRONTEND=noninteractive apt-get install -y postgresql-contrib-15 </dev/null",
            ),
            (
                "fedora",
                "dnf install -y cronie </dev/null",
                "dnf install -y postgresql-contrib </dev/null",
            ),
            (
                "alpine",
                "apk add --update-cache cronie </dev/null",
                "apk add --update-cache postgresql15-contrib </dev/null",
            ),
            (
                "arch",
                "pacman -S --noconfirm --needed cronie </dev/null",
                "pacman -S --noconfirm --needed postgresql </dev/null",
            ),
        ] {
            let scene = on(id);
            let fix = install_of_command(&scene, "crontab");
            assert_eq!(lines(&fix).last(), Some(&crontab));
            assert!(fix.steps.iter().all(|step| step.actor == "root"));
            let fix = install_extension(&scene, "hstore", "15");
            assert_eq!(lines(&fix).last(), Some(&hstore));
        }
    }

    #[test]
    fn an_unknown_command_is_asked_for_by_name_where_that_works() {
        assert_eq!(
            lines(&install_of_command(&on("fedora"), "frobnicate")),
            ["dnf install -y /usr/bin/frobnicate </dev/null"]
        );
        assert_eq!(
            lines(&install_of_command(&on("alpine"), "frobnicate")),
            ["apk add --update-cache cmd:frobnicate </dev/null"]
        );
        for (id, command) in [("debian", "frobnicate"), ("nixos", "git")] {
            assert!(install_of_command(&on(id), command).steps.is_empty());
        }
        let unknown = install_extension(&on("debian"), "frob", "15");
        assert!(
            unknown.steps.is_empty() && unknown.summary.contains("apt-file search /frob.control"),
            "{unknown:?}"
        );
    }

    #[test]
    fn accounts_are_made_once_and_numbers_are_none() {
        let steps = creation("deployer", &["adm".into()], Some("/srv/x y"));
        assert_eq!(
            lines(&steps),
            [
                "getent passwd deployer >/dev/null || useradd --system --create-home --user-group --home-dir '/srv/x y' --shell /usr/sbin/nologin deployer",
                "getent group adm >/dev/null || groupadd --system adm",
                "usermod -aG adm deployer"
            ]
        );
        assert!(creation("4242", &[], None).steps.is_empty());
    }

    #[test]
    fn paths_of_the_system() {
        for path in [
            "/",
            "/root",
            "/etc/passwd",
            "/srv",
            "/usr/bin/x",
            "/var/log",
        ] {
            assert!(is_of_system(Path::new(path)), "{path}");
        }
        for path in [
            "/srv/media",
            "/var/www/django",
            "/home/app/x",
            "/usr/local/site",
        ] {
            assert!(!is_of_system(Path::new(path)), "{path}");
        }
    }
}
