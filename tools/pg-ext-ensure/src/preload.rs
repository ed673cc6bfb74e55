//! Extensions whose library has to be in `shared_preload_libraries`, and whether a server has
//! loaded the library.

use crate::catalog::Settings;

/// An extension that needs a library from the server's start.
#[derive(Debug)]
pub struct Preloaded {
    /// The extension.
    pub extension: &'static str,
    /// The library.
    pub library: &'static str,
    /// `CREATE EXTENSION` fails without the library. Otherwise every use fails.
    pub to_create: bool,
    /// Every role sees the settings that the loaded library defines.
    pub open_settings: bool,
}

const fn row(
    extension: &'static str,
    library: &'static str,
    to_create: bool,
    open_settings: bool,
) -> Preloaded {
    Preloaded {
        extension,
        library,
        to_create,
        open_settings,
    }
}

/// Source: the documentation of each extension.
const TABLE: &[Preloaded] = &[
    row("citus", "citus", true, false),
    row("pg_cron", "pg_cron", true, false),
    row("pg_qualstats", "pg_qualstats", false, false),
    row("pg_squeeze", "pg_squeeze", false, false),
    row("pg_stat_kcache", "pg_stat_kcache", true, false),
    row("pg_stat_statements", "pg_stat_statements", false, true),
    row("pg_tle", "pg_tle", true, false),
    row("pg_wait_sampling", "pg_wait_sampling", true, false),
    row("pgaudit", "pgaudit", true, true),
    row("pglogical", "pglogical", true, false),
    row("timescaledb", "timescaledb", true, false),
];

/// The row of an extension.
pub fn of(extension: &str) -> Option<&'static Preloaded> {
    TABLE.iter().find(|row| row.extension == extension)
}

impl Preloaded {
    /// Whether the server has loaded the library; `None` where the role cannot see that.
    pub fn is_loaded(&self, settings: &Settings) -> Option<bool> {
        // Libraries name their settings after themselves; pg_cron's begin with `cron`.
        let prefix = match self.library {
            "pg_cron" => "cron",
            library => library,
        };
        if settings.prefixes.contains(prefix) {
            return Some(true);
        }
        match &settings.preload {
            Some(list) => Some(names(list).iter().any(|name| name == self.library)),
            None => self.open_settings.then_some(false),
        }
    }
}

/// The libraries of a list as the server reads it: separated by commas, in double quotes where a
/// name needs them. A directory before the name and `.so` after it do not change which library is
/// loaded.
pub fn names(list: &str) -> Vec<String> {
    elements(list)
        .iter()
        .map(|name| {
            let name = name.rsplit('/').next().unwrap_or(name);
            name.strip_suffix(".so").unwrap_or(name).to_string()
        })
        .collect()
}

/// The elements of a list, without their quotes.
pub fn elements(list: &str) -> Vec<String> {
    let mut found = Vec::new();
    let (mut word, mut quoted, mut chars) = (String::new(), false, list.chars().peekable());
    while let Some(c) = chars.next() {
        match c {
            '"' if quoted && chars.peek() == Some(&'"') => {
                chars.next();
                word.push('"');
            }
            '"' => quoted = !quoted,
            ',' if !quoted => found.push(std::mem::take(&mut word)),
            c if c.is_whitespace() && !quoted => {}
            c => word.push(c),
        }
    }
    found.push(word);
    found.retain(|word| !word.is_empty());
    found
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_read_as_the_server_reads_it() {
        assert_eq!(
            names("pg_cron, $libdir/pgaudit ,\"a,\"\"b\",timescaledb.so"),
            ["pg_cron", "pgaudit", "a,\"b", "timescaledb"]
        );
        assert_eq!(names(""), Vec::<String>::new());
    }

    #[test]
    fn what_a_role_cannot_see_is_not_known() {
        let cron = of("pg_cron").unwrap();
        let statements = of("pg_stat_statements").unwrap();
        let blind = Settings::default();
        assert_eq!(cron.is_loaded(&blind), None);
        assert_eq!(statements.is_loaded(&blind), Some(false));
        let list = Settings {
            preload: Some("pgaudit".into()),
            ..Settings::default()
        };
        assert_eq!(cron.is_loaded(&list), Some(false));
        let loaded = Settings {
            prefixes: ["cron".to_string()].into(),
            ..Settings::default()
        };
        assert_eq!(cron.is_loaded(&loaded), Some(true));
        assert!(TABLE.is_sorted_by_key(|row| row.extension));
    }
}
