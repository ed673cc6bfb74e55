//! The package that holds an extension's files on the server's distribution, and what to type there as root.

use crate::catalog::Server;

/// The package, if it is known, and the command.
pub fn holding(extension: &str, server: &Server) -> (Option<String>, Vec<String>) {
    let Some((distro, manager)) = server
        .distro
        .as_ref()
        .and_then(|distro| Some((distro, distro.manager()?)))
    else {
        return (None, Vec::new());
    };
    match distro::extension::package(extension, &server.series(), distro) {
        Some(package) => {
            let command = format!("{} {package}", manager.install().join(" "));
            (Some(package), vec![command])
        }
        None => (None, vec![distro::extension::ask(extension, manager)]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_package_of_a_server_where_its_distribution_is_known() {
        let server = |os_release: &str, number| Server {
            number,
            distro: Some(distro::Distro::parse(os_release)),
            ..Server::default()
        };
        let debian = server("ID=debian\nVERSION_ID=12\n", 150_018);
        let some =
            |package: &str, command: &str| (Some(package.to_owned()), vec![command.to_owned()]);
        assert_eq!(
            holding("btree_gin", &debian),
            some("postgresql-contrib", "apt-get install postgresql-contrib")
        );
        assert_eq!(
            holding("hstore", &server("ID=arch\n", 160_002)),
            some("postgresql", "pacman -S postgresql")
        );
        assert_eq!(
            holding("no'pe", &debian),
            (
                None,
                vec!["apt-file search '/no'\\''pe.control'".to_owned()]
            )
        );
        assert_eq!(
            holding("hstore", &server("ID=plan9\n", 160_002)),
            (None, Vec::new())
        );
        assert_eq!(holding("hstore", &Server::default()), (None, Vec::new()));
    }
}
