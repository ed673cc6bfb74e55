//! Which package of which distribution holds an extension's files. A name that is not in the table
//! is not guessed: then the command that asks the package manager is given.

use crate::{Distro, Family, Manager};
use base::shell::quoted;

/// What comes with PostgreSQL's own sources, in `contrib/`.
const CONTRIB: &[&str] = &[
    "adminpack",
    "amcheck",
    "autoinc",
    "basebackup_to_shell",
    "bloom",
    "btree_gin",
    "btree_gist",
    "chkpass",
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
    "pg_logicalinspect",
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
    "timetravel",
    "tsearch2",
    "tsm_system_rows",
    "tsm_system_time",
    "unaccent",
    "uuid-ossp",
    "xml2",
];

/// Procedural languages, with what Debian (`postgresql-LANGUAGE-N`), the RPM families and Alpine
/// call them.
const LANGUAGES: &[(&str, &str)] = &[
    ("plperl", "plperl"),
    ("plpython3", "plpython3"),
    ("pltcl", "pltcl"),
];

/// Third parties' extensions: the stem of Debian's `postgresql-N-STEM`; the RPM families', Alpine's
/// and Arch's names where they have one.
struct Third {
    extension: &'static str,
    debian: &'static str,
    /// The first releases of Debian and Ubuntu that have the package, where not all do that are
    /// still supported.
    since: Option<(u32, Option<u32>)>,
    pgdg_rpm: Option<&'static str>,
    fedora: Option<&'static str>,
    alpine: Option<&'static str>,
    arch: Option<&'static str>,
}

const fn third(
    extension: &'static str,
    debian: &'static str,
    pgdg_rpm: Option<&'static str>,
) -> Third {
    Third {
        extension,
        debian,
        since: None,
        pgdg_rpm,
        fedora: None,
        alpine: None,
        arch: None,
    }
}

/// One that Debian has since release 13.
const fn recent(
    extension: &'static str,
    debian: &'static str,
    pgdg_rpm: Option<&'static str>,
) -> Third {
    Third {
        since: Some((13, None)),
        ..third(extension, debian, pgdg_rpm)
    }
}

const fn postgis(extension: &'static str) -> Third {
    Third {
        extension,
        debian: "postgis-3",
        since: None,
        pgdg_rpm: Some("postgis34"),
        fedora: Some("postgis"),
        alpine: Some("postgis"),
        arch: Some("postgis"),
    }
}

const THIRD: &[Third] = &[
    postgis("postgis"),
    postgis("postgis_raster"),
    postgis("postgis_sfcgal"),
    postgis("postgis_tiger_geocoder"),
    postgis("postgis_topology"),
    postgis("address_standardizer"),
    postgis("address_standardizer_data_us"),
    Third {
        extension: "vector",
        debian: "pgvector",
        since: Some((13, Some(24))),
        pgdg_rpm: Some("pgvector"),
        fedora: Some("pgvector"),
        alpine: Some("postgresql-pgvector"),
        arch: Some("pgvector"),
    },
    recent("age", "age", Some("apache-age")),
    recent("credcheck", "credcheck", Some("credcheck")),
    recent("h3", "h3", Some("h3-pg")),
    recent("http", "http", Some("pgsql_http")),
    recent("mobilitydb", "mobilitydb", Some("mobilitydb")),
    recent("pg_hint_plan", "pg-hint-plan", Some("pg_hint_plan")),
    recent("pg_squeeze", "squeeze", Some("pg_squeeze")),
    recent("pgtt", "pgtt", Some("pgtt")),
    recent("roaringbitmap", "roaringbitmap", Some("pg_roaringbitmap")),
    recent("timescaledb", "timescaledb", Some("timescaledb")),
    third("debversion", "debversion", None),
    third("first_last_agg", "first-last-agg", None),
    third("hll", "hll", Some("hll")),
    third("hypopg", "hypopg", Some("hypopg")),
    third("icu_ext", "icu-ext", Some("icu_ext")),
    third("ip4r", "ip4r", Some("ip4r")),
    third("jsquery", "jsquery", Some("jsquery")),
    third("mysql_fdw", "mysql-fdw", Some("mysql_fdw")),
    third("numeral", "numeral", Some("numeral")),
    third("ogr_fdw", "ogr-fdw", Some("ogr_fdw")),
    third("orafce", "orafce", Some("orafce")),
    third("periods", "periods", Some("periods")),
    third("pg_cron", "cron", Some("pg_cron")),
    third("pg_dirtyread", "dirtyread", Some("pg_dirtyread")),
    third("pg_partman", "partman", Some("pg_partman")),
    third("pg_qualstats", "pg-qualstats", Some("pg_qualstats")),
    third("pg_rational", "rational", None),
    third("pg_repack", "repack", Some("pg_repack")),
    third("pg_similarity", "similarity", None),
    third("pg_stat_kcache", "pg-stat-kcache", Some("pg_stat_kcache")),
    third(
        "pg_track_settings",
        "pg-track-settings",
        Some("pg_track_settings"),
    ),
    third(
        "pg_wait_sampling",
        "pg-wait-sampling",
        Some("pg_wait_sampling"),
    ),
    third("pgaudit", "pgaudit", Some("pgaudit")),
    third("pgfincore", "pgfincore", Some("pgfincore")),
    third("pgl_ddl_deploy", "pgl-ddl-deploy", None),
    third("pglogical", "pglogical", Some("pglogical")),
    third("pgmemcache", "pgmemcache", Some("pgmemcache")),
    third("pgmp", "pgmp", Some("pgmp")),
    third("pgq", "pgq3", Some("pgq")),
    third("pgrouting", "pgrouting", Some("pgrouting")),
    third("pgtap", "pgtap", Some("pgtap")),
    third("plpgsql_check", "plpgsql-check", Some("plpgsql_check")),
    third("plproxy", "plproxy", Some("plproxy")),
    third("plr", "plr", Some("plr")),
    third("plsh", "plsh", Some("plsh")),
    third("powa", "powa", Some("powa")),
    third("prefix", "prefix", Some("prefix")),
    third("prioritize", "prioritize", None),
    third("q3c", "q3c", Some("q3c")),
    third("rdkit", "rdkit", None),
    third("repmgr", "repmgr", Some("repmgr")),
    third("rum", "rum", Some("rum")),
    third("semver", "semver", Some("semver")),
    third("set_user", "set-user", Some("set_user")),
    third("tdigest", "tdigest", Some("tdigest")),
    third("tds_fdw", "tds-fdw", Some("tds_fdw")),
    third("unit", "unit", Some("postgresql-unit")),
];

/// Where an extension's files come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Packaged {
    /// A package of the distribution's release (or of the PostgreSQL project's repository, where
    /// the server is from there).
    Here(String),
    /// The server's own package: a server without the file has lost it.
    Server(String),
    /// The release has no such package; the PostgreSQL project's repository has one of this name.
    Pgdg(String),
    /// Not known.
    Unknown,
}

/// Where the files of an extension come from, for a server of a release series: `16`, `9.6`.
pub fn find(extension: &str, series: &str, distro: &Distro) -> Packaged {
    let here = |package: Option<String>| package.map_or(Packaged::Unknown, Packaged::Here);
    if CONTRIB.contains(&extension) {
        return match distro.family {
            // Since PostgreSQL 10 Debian's server package holds contrib/.
            Family::Debian | Family::Ubuntu if !series.contains('.') => {
                Packaged::Server(format!("postgresql-{series}"))
            }
            Family::Arch => Packaged::Server("postgresql".to_string()),
            _ => here(contrib(series, distro)),
        };
    }
    if let Some(language) = language(extension) {
        return here(language_package(language, series, distro));
    }
    let Some(known) = THIRD.iter().find(|third| third.extension == extension) else {
        return Packaged::Unknown;
    };
    match distro.family {
        Family::Debian | Family::Ubuntu => {
            let package = format!("postgresql-{series}-{}", known.debian);
            match known.is_in(distro) {
                Some(true) => Packaged::Here(package),
                Some(false) => Packaged::Pgdg(package),
                None => Packaged::Unknown,
            }
        }
        Family::Fedora | Family::Rhel if distro.pgdg => {
            here(known.pgdg_rpm.map(|stem| format!("{stem}_{series}")))
        }
        Family::Fedora => here(known.fedora.map(str::to_string)),
        // The release itself has none of them.
        Family::Rhel => known.pgdg_rpm.map_or(Packaged::Unknown, |stem| {
            Packaged::Pgdg(format!("{stem}_{series}"))
        }),
        Family::Alpine => here(known.alpine.map(str::to_string)),
        Family::Arch => here(known.arch.map(str::to_string)),
        Family::Suse | Family::Other => Packaged::Unknown,
    }
}

impl Third {
    /// Whether a release of Debian or Ubuntu has the package; `None` where that is not known.
    fn is_in(&self, distro: &Distro) -> Option<bool> {
        let Some((debian, ubuntu)) = self.since else {
            return Some(true);
        };
        if distro.pgdg {
            return Some(true);
        }
        let release: u32 = distro.release.as_deref()?.split('.').next()?.parse().ok()?;
        match distro.family {
            Family::Debian => Some(release >= debian),
            Family::Ubuntu => Some(release >= ubuntu?),
            _ => None,
        }
    }
}

/// The package to install where the server may not be installed yet, if the package is known.
pub fn package(extension: &str, series: &str, distro: &Distro) -> Option<String> {
    if CONTRIB.contains(&extension) {
        return contrib(series, distro);
    }
    match find(extension, series, distro) {
        Packaged::Here(package) | Packaged::Server(package) => Some(package),
        Packaged::Pgdg(_) | Packaged::Unknown => None,
    }
}

fn contrib(series: &str, distro: &Distro) -> Option<String> {
    let plain = series.replace('.', "");
    Some(match distro.family {
        // The plain package follows the release's own version: for any other server it would pull
        // in a second one.
        Family::Debian | Family::Ubuntu if own_version(distro) == Some(series) => {
            "postgresql-contrib".to_string()
        }
        Family::Debian | Family::Ubuntu => format!("postgresql-contrib-{series}"),
        Family::Fedora | Family::Rhel if distro.pgdg => format!("postgresql{plain}-contrib"),
        Family::Fedora | Family::Rhel => "postgresql-contrib".to_string(),
        Family::Alpine | Family::Suse => format!("postgresql{plain}-contrib"),
        // contrib/ is part of the server's package there.
        Family::Arch => "postgresql".to_string(),
        Family::Other => return None,
    })
}

/// The PostgreSQL that a release of Debian or Ubuntu comes with.
pub fn own_version(distro: &Distro) -> Option<&'static str> {
    Some(match (distro.family, distro.release.as_deref()?) {
        (Family::Debian, "8") => "9.4",
        (Family::Debian, "9") => "9.6",
        (Family::Debian, "10") => "11",
        (Family::Debian, "11") => "13",
        (Family::Debian, "12") => "15",
        (Family::Debian, "13") => "17",
        (Family::Ubuntu, "14.04") => "9.3",
        (Family::Ubuntu, "16.04") => "9.5",
        (Family::Ubuntu, "18.04") => "10",
        (Family::Ubuntu, "20.04") => "12",
        (Family::Ubuntu, "22.04") => "14",
        (Family::Ubuntu, "24.04" | "24.10") => "16",
        (Family::Ubuntu, "25.04" | "25.10") => "17",
        _ => return None,
    })
}

/// `plpython3u`, `jsonb_plperl`, `hstore_plpython3u` are all in the language's package.
fn language(extension: &str) -> Option<&'static str> {
    let stem = extension.strip_suffix('u').unwrap_or(extension);
    let stem = ["hstore_", "jsonb_", "ltree_", "bool_"]
        .iter()
        .find_map(|with| stem.strip_prefix(with))
        .unwrap_or(stem);
    LANGUAGES
        .iter()
        .find(|(name, _)| *name == stem)
        .map(|(_, package)| *package)
}

fn language_package(language: &str, series: &str, distro: &Distro) -> Option<String> {
    Some(match distro.family {
        Family::Debian | Family::Ubuntu => format!("postgresql-{language}-{series}"),
        Family::Fedora | Family::Rhel if !distro.pgdg => format!("postgresql-{language}"),
        Family::Arch => "postgresql".to_string(),
        Family::Fedora | Family::Rhel | Family::Alpine | Family::Suse => {
            format!("postgresql{}-{language}", series.replace('.', ""))
        }
        Family::Other => return None,
    })
}

/// How to ask the package manager who has the control file.
pub fn ask(extension: &str, manager: Manager) -> String {
    let file = format!("{extension}.control");
    match manager {
        Manager::Apt => format!("apt-file search {}", quoted(&format!("/{file}"))),
        Manager::Dnf => format!("dnf provides {}", quoted(&format!("*/extension/{file}"))),
        Manager::Apk => format!(
            "apk search {}",
            quoted(&format!("*{}*", extension.replace('_', "*")))
        ),
        Manager::Pacman => format!("pacman -F {}", quoted(&file)),
        Manager::Zypper => format!("zypper search --provides {}", quoted(&format!("*/{file}"))),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn of(extension: &str, family: Family, release: &str, series: &str) -> Option<String> {
        let release = Some(release.to_string()).filter(|r| !r.is_empty());
        package(
            extension,
            series,
            &Distro {
                family,
                pgdg: release.as_deref() == Some("pgdg"),
                release,
                ..Distro::default()
            },
        )
    }

    #[test]
    fn contrib_of_the_releases_own_server_and_of_another() {
        let contrib =
            |family, release, series| of("btree_gin", family, release, series).unwrap_or_default();
        assert_eq!(contrib(Family::Debian, "12", "15"), "postgresql-contrib");
        assert_eq!(contrib(Family::Debian, "12", "16"), "postgresql-contrib-16");
        assert_eq!(contrib(Family::Debian, "", "9.4"), "postgresql-contrib-9.4");
        assert_eq!(contrib(Family::Ubuntu, "22.04", "14"), "postgresql-contrib");
        assert_eq!(contrib(Family::Fedora, "40", "16"), "postgresql-contrib");
        assert_eq!(contrib(Family::Rhel, "pgdg", "16"), "postgresql16-contrib");
        assert_eq!(
            contrib(Family::Alpine, "3.20", "16"),
            "postgresql16-contrib"
        );
        assert_eq!(contrib(Family::Arch, "", "16"), "postgresql");
        assert_eq!(of("btree_gin", Family::Other, "", "16"), None);
    }

    #[test]
    fn third_parties_and_languages() {
        let some = |text: &str| Some(text.to_string());
        assert_eq!(
            of("postgis", Family::Debian, "12", "15"),
            some("postgresql-15-postgis-3")
        );
        assert_eq!(
            of("postgis_topology", Family::Fedora, "40", "16"),
            some("postgis")
        );
        assert_eq!(of("vector", Family::Debian, "12", "15"), None);
        assert_eq!(
            of("vector", Family::Debian, "13", "17"),
            some("postgresql-17-pgvector")
        );
        assert_eq!(
            of("vector", Family::Ubuntu, "24.04", "16"),
            some("postgresql-16-pgvector")
        );
        assert_eq!(of("timescaledb", Family::Ubuntu, "24.04", "16"), None);
        assert_eq!(of("postgis", Family::Rhel, "9.4", "16"), None);
        assert_eq!(
            of("vector", Family::Rhel, "pgdg", "16"),
            some("pgvector_16")
        );
        assert_eq!(
            of("hstore_plpython3u", Family::Ubuntu, "24.04", "16"),
            some("postgresql-plpython3-16")
        );
        assert_eq!(
            of("plperl", Family::Alpine, "", "16"),
            some("postgresql16-plperl")
        );
        assert_eq!(of("pg_cron", Family::Alpine, "", "16"), None);
    }

    #[test]
    fn what_the_servers_own_package_holds_and_what_the_release_does_not_have() {
        let debian = |release: &str| Distro {
            family: Family::Debian,
            release: Some(release.to_string()),
            ..Distro::default()
        };
        let server = |package: &str| Packaged::Server(package.to_string());
        assert_eq!(find("hstore", "15", &debian("12")), server("postgresql-15"));
        assert_eq!(
            find("hstore", "9.6", &debian("9")),
            Packaged::Here("postgresql-contrib".to_string())
        );
        assert_eq!(
            find("vector", "15", &debian("12")),
            Packaged::Pgdg("postgresql-15-pgvector".to_string())
        );
        let ours = Distro {
            pgdg: true,
            ..debian("12")
        };
        assert_eq!(
            find("vector", "15", &ours),
            Packaged::Here("postgresql-15-pgvector".to_string())
        );
        assert_eq!(find("no such", "15", &ours), Packaged::Unknown);
    }

    #[test]
    fn an_unknown_one_is_asked_for_and_quoted() {
        assert_eq!(
            ask("no'pe", Manager::Apt),
            "apt-file search '/no'\\''pe.control'"
        );
    }

    #[test]
    fn the_tables_are_in_order_and_name_each_once() {
        assert!(CONTRIB.is_sorted());
        let mut third: Vec<&str> = THIRD.iter().map(|third| third.extension).collect();
        third.sort_unstable();
        assert!(
            third.windows(2).all(|pair| pair[0] != pair[1])
                && third.iter().all(|name| !CONTRIB.contains(name))
        );
    }
}
