//! The package that holds an extension's files on the server's distribution, and what to type there
//! as root. A command is a step only where the server runs on this machine: a script of fixes must
//! not install anything on the wrong one.

use base::Fix;
use base::shell::line;
use distro::Manager;
use distro::extension::{self, Packaged};

use crate::catalog::Server;
use crate::cause::quoted;

/// What makes the server see an extension.
pub fn holding(name: &str, server: &Server) -> Fix {
    let Some((distro, manager)) = known(server) else {
        return Fix::advice("install the package that holds the extension on the server's machine");
    };
    match extension::find(name, &server.series(), distro) {
        Packaged::Here(package) => {
            let words = [manager.install(), manager.unasked()].concat();
            on_the_server(
                format!("install the package {}", quoted(&package)),
                words,
                &package,
                server,
            )
        }
        Packaged::Server(package) => on_the_server(
            format!(
                "install the server's own package {} again: it holds the file",
                quoted(&package)
            ),
            manager.reinstall().to_vec(),
            &package,
            server,
        ),
        Packaged::Pgdg(package) => Fix::advice(format!(
            "{distro} has no package of {}; the PostgreSQL project's repository has {}: https://www.postgresql.org/download/linux/",
            quoted(name),
            quoted(&package)
        )),
        Packaged::Unknown => Fix::advice(format!(
            "find the package that holds the extension: {}",
            extension::ask(name, manager)
        )),
    }
}

/// What brings a file back that the extension's package should have.
pub fn again(name: &str, server: &Server) -> Fix {
    let found = known(server).and_then(|(distro, manager)| {
        match extension::find(name, &server.series(), distro) {
            Packaged::Here(package) | Packaged::Server(package) => Some((manager, package)),
            _ => None,
        }
    });
    match found {
        Some((manager, package)) => on_the_server(
            format!("install the package {} again", quoted(&package)),
            manager.reinstall().to_vec(),
            &package,
            server,
        ),
        None => Fix::advice("install the extension's package again on the server's machine"),
    }
}

/// The package's name, if it is known.
pub fn name(extension: &str, server: &Server) -> Option<String> {
    let (distro, _) = known(server)?;
    match extension::find(extension, &server.series(), distro) {
        Packaged::Here(package) | Packaged::Server(package) | Packaged::Pgdg(package) => {
            Some(package)
        }
        Packaged::Unknown => None,
    }
}

fn known(server: &Server) -> Option<(&distro::Distro, Manager)> {
    let distro = server.distro.as_ref()?;
    Some((distro, distro.manager()?))
}

fn on_the_server(summary: String, words: Vec<&str>, package: &str, server: &Server) -> Fix {
    let words = [words, vec![package]].concat();
    if server.local {
        Fix::advice(summary).command("root", &words)
    } else {
        Fix::advice(format!(
            "{summary} on the server's machine, as root: {}",
            line(&words)
        ))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn server(os_release: &str, number: u32, local: bool) -> Server {
        Server {
            number,
            distro: Some(distro::Distro::parse(os_release)),
            local,
            ..Server::default()
        }
    }

    #[test]
    fn a_command_is_a_step_only_on_the_servers_machine() {
        let debian = "ID=debian\nVERSION_ID=12\n";
        let here = holding("pg_cron", &server(debian, 150_018, true));
        assert_eq!(here.steps[0].text, "apt-get install -y postgresql-15-cron");
        assert_eq!(here.steps[0].actor, "root");
        let there = holding("pg_cron", &server(debian, 150_018, false));
        assert!(there.steps.is_empty());
        assert!(
            there
                .summary
                .ends_with("as root: apt-get install -y postgresql-15-cron"),
            "{}",
            there.summary
        );
    }

    #[test]
    fn what_a_release_does_not_have_is_not_its_package() {
        let vector = |release: &str, number| {
            let os_release = format!("ID=debian\nVERSION_ID={release}\n");
            holding("vector", &server(&os_release, number, true))
        };
        assert_eq!(
            vector("13", 170_000).steps[0].text,
            "apt-get install -y postgresql-17-pgvector"
        );
        let old = vector("12", 150_018);
        assert!(old.steps.is_empty() && old.summary.contains("postgresql-15-pgvector"));
        let unknown = holding(
            "no'pe",
            &server("ID=debian\nVERSION_ID=12\n", 150_018, true),
        );
        assert!(unknown.steps.is_empty(), "{unknown:?}");
        assert!(
            unknown
                .summary
                .ends_with("apt-file search '/no'\\''pe.control'")
        );
    }

    #[test]
    fn a_package_is_installed_again() {
        let debian = server("ID=debian\nVERSION_ID=12\n", 150_018, true);
        assert_eq!(
            again("hstore", &debian).steps[0].text,
            "apt-get install -y --reinstall postgresql-15"
        );
    }
}
