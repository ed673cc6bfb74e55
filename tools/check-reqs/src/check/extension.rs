//! A PostgreSQL extension: are its files on the server's host, and, where that is asked, is it
//! created in the database?

use super::postgres::{Connection, query_failed};
use crate::document::Fields;
use crate::finding::Finding;
use crate::fix::shell;
use crate::fix::{self, Fix};
use crate::kind::{Check, Type};
use crate::scene::Scene;
use crate::secret::masked;
use crate::short::{self, Short};
use crate::version::{Order, Wanted};
use base::Result;
use base::clock::Deadline;

/// `type = "extension"`.
pub const TYPE: Type = Type {
    name: "extension",
    about: "a PostgreSQL extension that is available on the server, or created in the database",
    keys: &[
        ("name", "the extension"),
        ("version", "\">=1.4\""),
        (
            "created",
            "true: the extension has to be in the database already",
        ),
        ("connection", "as for postgres"),
        ("database", "as for postgres"),
    ],
    short: Short {
        words: &["ext", "extension"],
        colon: true,
        forms: &["ext:NAME[>=1.0][@CONNECTION]"],
        example: "ext:hstore>=1.4@service=site",
        read: |_, rest| short::versioned(rest, Some("connection")),
    },
    read,
};

struct Extension {
    name: String,
    wanted: Wanted,
    created: bool,
    connection: Connection,
}

fn read(fields: &mut Fields<'_>) -> Result<Box<dyn Check>> {
    let name = fields.required("name")?;
    let texts = fields.texts("version")?;
    let wanted = Wanted::new(&texts, Order::Plain).map_err(|what| fields.error("version", what))?;
    Ok(Box::new(Extension {
        name,
        wanted,
        created: fields.flag("created")?.unwrap_or(false),
        connection: Connection::read(fields)?,
    }))
}

const ASK: &str = "SELECT current_setting('server_version_num')::int, a.default_version, a.installed_version \
    FROM (SELECT 1) AS one LEFT JOIN pg_catalog.pg_available_extensions a ON a.name = $1::text::name";

impl Check for Extension {
    fn subject(&self) -> String {
        self.name.clone()
    }

    fn expected(&self) -> String {
        let version = if self.wanted.is_any() {
            String::new()
        } else {
            format!(" {}", self.wanted.text())
        };
        format!(
            "extension {}{version} {}",
            self.name,
            if self.created { "created" } else { "available" }
        )
    }

    fn how(&self) -> String {
        format!("pg_available_extensions of {}", self.connection.shown())
    }

    fn look(&self, scene: &Scene, deadline: Deadline) -> Finding {
        let mut connected = match self.connection.open(scene, deadline) {
            Ok(connected) => connected,
            Err(finding) => return *finding,
        };
        let row = match connected.client.query_one(ASK, &[&self.name]) {
            Ok(row) => row,
            Err(error) => return query_failed(&error),
        };
        let (number, available, created): (i32, Option<String>, Option<String>) =
            (row.get(0), row.get(1), row.get(2));
        let name = &self.name;
        let database = connected.target.database.clone();
        let Some(available) = available else {
            let major = if number >= 100_000 {
                (number / 10_000).to_string()
            } else {
                format!("{}.{}", number / 10_000, number / 100 % 100)
            };
            let mut fix = fix::install_extension(scene, name, &major);
            if !connected.target.is_local() {
                // The steps are for the server's host, not for this one.
                fix = Fix::advice(format!(
                    "on the server's host {}: {}",
                    connected.target.host, fix.summary
                ));
            }
            return Finding::unmet(
                "missing",
                format!("the server has no files of the extension {name}"),
            )
            .fix(fix);
        };
        let ensure = self.ensure(&database);
        let found = match (&created, self.created) {
            (Some(version), _) => version.clone(),
            (None, false) => available,
            (None, true) => {
                return Finding::unmet(
                    "not_created",
                    format!("{name} {available} is available, but not created in {database}"),
                )
                .found("available")
                .fix(ensure);
            }
        };
        let what = if created.is_some() {
            format!("created in {database}")
        } else {
            "available".to_string()
        };
        match self.wanted.admits(&found, Order::Plain) {
            Some(true) => Finding::met(found.clone(), format!("{name} {found} is {what}")),
            Some(false) => Finding::unmet(
                "version",
                format!("{name} {found} is {what}, wanted is {}", self.wanted.text()),
            )
            .found(found)
            .fix(Fix::advice(format!(
                "bring {name} to {} (ALTER EXTENSION … UPDATE, or newer files)",
                self.wanted.text()
            ))),
            None => {
                Finding::unknown("version", format!("{name}: '{found}' is no version")).found(found)
            }
        }
    }
}

impl Extension {
    /// How the extension is created; a connection with a password in it is not written into a
    /// command.
    fn ensure(&self, database: &str) -> Fix {
        let text = format!("create the extension {} in {database}", self.name);
        match self.connection.dsn() {
            Some(dsn) if masked(dsn) != dsn => {
                Fix::advice(format!("{text}: pg-ext-ensure -d CONNECTION {}", self.name))
            }
            Some(dsn) => fix::root(
                text,
                vec![shell(&[
                    "pg-ext-ensure",
                    "-d",
                    dsn,
                    "--db",
                    database,
                    &self.name,
                ])],
            ),
            None => fix::root(
                text,
                vec![shell(&["pg-ext-ensure", "--db", database, &self.name])],
            ),
        }
    }
}
