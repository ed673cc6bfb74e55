//! A PostgreSQL server that can be logged in to, and its version. What the server says counts, not what is installed beside it.

use crate::finding::Finding;
use crate::short::{self, Short};
use crate::kind::{Check, Type};
use crate::document::Fields;
use crate::fix::{self, Fix};
use crate::secret::masked;
use crate::scene::Scene;
use crate::version::{Order, Wanted};
use base::Result;
use base::clock::Deadline;
use distro::Manager;
use std::fs;
use std::time::Duration;

/// `type = "postgres"`.
pub const TYPE: Type = Type {
    name: "postgres",
    about: "a PostgreSQL server that can be logged in to, and its version",
    keys: &[
        ("version", "\">=13,<18\""),
        (
            "connection",
            "a URI or keywords, as for psql; what it leaves out comes from PG* variables, the service file and ~/.pgpass",
        ),
        ("database", "the database, over what the connection says"),
        ("superuser", "true: the login has to be a superuser's"),
    ],
    short: Short {
        words: &["postgres", "postgresql"],
        colon: false,
        forms: &["postgres[>=13][@CONNECTION]"],
        example: "postgres>=13@service=site",
        read: |_, rest| short::version_and_place(rest, "connection"),
    },
    read,
};

/// How to reach a server.
pub struct Connection {
    dsn: Option<String>,
    database: Option<String>,
}

impl Connection {
    /// Reads the keys that `postgres` and `extension` share.
    pub fn read(fields: &mut Fields<'_>) -> Result<Connection> {
        Ok(Connection {
            dsn: fields.text("connection")?,
            database: fields.text("database")?,
        })
    }

    /// The server that a connection string, or the environment, names.
    pub fn to(dsn: Option<&str>) -> Connection {
        Connection {
            dsn: dsn.map(str::to_string),
            database: None,
        }
    }

    /// What to call the server, without secrets.
    pub fn shown(&self) -> String {
        self.dsn
            .as_deref()
            .map_or_else(|| "the default server".to_string(), base::mask::text)
    }

    /// As it was given; it may hold a password.
    pub fn dsn(&self) -> Option<&str> {
        self.dsn.as_deref()
    }

    /// Logs in.
    pub fn open(
        &self,
        scene: &Scene,
        deadline: Deadline,
    ) -> Result<pgconn::Connected, Box<Finding>> {
        let left = deadline.slice(Duration::from_secs(60));
        let mut request = pgconn::Request::new(self.dsn.as_deref())
            .application("check-reqs")
            .within(left);
        if let Some(database) = &self.database {
            request = request.database(database);
        }
        let mut connected =
            pgconn::connect(&request).map_err(|error| Box::new(self.refusal(scene, &error)))?;
        let limit = deadline.slice(Duration::from_secs(60)).as_millis().max(1);
        let set = connected.client.batch_execute(&format!(
            "SET statement_timeout = {limit}; SET default_transaction_read_only = on"
        ));
        set.map_err(|error| Box::new(query_failed(&error)))?;
        Ok(connected)
    }

    fn refusal(&self, scene: &Scene, error: &pgconn::Error) -> Finding {
        let msg = masked(&error.message);
        let hint = error.hint.clone().unwrap_or_default();
        match error.kind {
            pgconn::Kind::Unreachable => {
                // 57P03: it is there, and starting up or shutting down.
                if error.sqlstate.is_some() {
                    return Finding::unknown("starting", msg).evidence(hint);
                }
                Finding::unmet("unreachable", msg)
                    .evidence(hint)
                    .fix(server_fix(scene))
            }
            pgconn::Kind::Deadline => Finding::timeout(msg),
            pgconn::Kind::Settings => Finding::unknown("settings", msg).evidence(hint),
            pgconn::Kind::Refused => match error.sqlstate.as_deref() {
                Some("3D000") => Finding::unmet("no_database", msg)
                    .evidence(hint)
                    .fix(Fix::advice("create the database: createdb NAME")),
                _ => Finding::unknown("permission", msg).evidence(hint),
            },
        }
    }
}

/// Installs or starts a server on this host.
fn server_fix(scene: &Scene) -> Fix {
    let installed = fs::read_dir("/usr/lib/postgresql").is_ok_and(|mut dir| dir.next().is_some())
        || crate::programs::find("postgres").is_some();
    match (installed, scene.distro.manager()) {
        (false, _) => fix::install_of_command(scene, "postgres"),
        (true, Some(Manager::Apk)) => fix::root(
            "start PostgreSQL",
            vec!["rc-service postgresql start".into()],
        ),
        (true, _) => fix::root("start PostgreSQL", vec!["service postgresql start".into()]),
    }
}

/// A question that the server did not answer.
pub fn query_failed(error: &::postgres::Error) -> Finding {
    let msg = error
        .as_db_error()
        .map_or_else(|| error.to_string(), |error| error.message().to_string());
    match error.code() {
        Some(code) if *code == ::postgres::error::SqlState::QUERY_CANCELED => Finding::timeout(msg),
        Some(code) if *code == ::postgres::error::SqlState::INSUFFICIENT_PRIVILEGE => {
            Finding::unknown("permission", msg)
        }
        _ => Finding::unknown("error", msg),
    }
}

struct Postgres {
    wanted: Wanted,
    connection: Connection,
    superuser: bool,
}

fn read(fields: &mut Fields<'_>) -> Result<Box<dyn Check>> {
    let texts = fields.texts("version")?;
    let wanted =
        Wanted::new(&texts, Order::Postgres).map_err(|what| fields.error("version", what))?;
    Ok(Box::new(Postgres {
        wanted,
        connection: Connection::read(fields)?,
        superuser: fields.flag("superuser")?.unwrap_or(false),
    }))
}

impl Check for Postgres {
    fn subject(&self) -> String {
        self.connection.shown()
    }

    fn expected(&self) -> String {
        let superuser = if self.superuser {
            ", logged in as a superuser"
        } else {
            ""
        };
        match self.wanted.is_any() {
            true => format!("a PostgreSQL server{superuser}"),
            false => format!("PostgreSQL {}{superuser}", self.wanted.text()),
        }
    }

    fn how(&self) -> String {
        format!(
            "logs in to {} as libpq would, and asks it for server_version",
            self.connection.shown()
        )
    }

    fn look(&self, scene: &Scene, deadline: Deadline) -> Finding {
        let mut connected = match self.connection.open(scene, deadline) {
            Ok(connected) => connected,
            Err(finding) => return *finding,
        };
        let asked = connected
            .client
            .query_one("SELECT current_setting('server_version'), rolsuper FROM pg_catalog.pg_roles WHERE rolname = current_user", &[]);
        let (version, superuser): (String, bool) = match asked {
            Ok(row) => (row.get(0), row.get(1)),
            Err(error) => return query_failed(&error),
        };
        let target = &connected.target;
        let evidence = format!(
            "{}:{} as {}, database {}",
            target.host, target.port, target.user, target.database
        );
        match self.wanted.admits(&version, Order::Postgres) {
            None => {
                return Finding::unknown(
                    "version",
                    format!("'{version}' is not a version of PostgreSQL"),
                )
                .found(version)
                .evidence(evidence);
            }
            Some(false) => {
                let text = format!(
                    "bring PostgreSQL to {} (pg_upgrade, or dump and restore into a new server)",
                    self.wanted.text()
                );
                return Finding::unmet(
                    "version",
                    format!(
                        "the server is PostgreSQL {version}, wanted is {}",
                        self.wanted.text()
                    ),
                )
                .found(version)
                .evidence(evidence)
                .fix(Fix::advice(text));
            }
            Some(true) => {}
        }
        if self.superuser && !superuser {
            let text = format!(
                "log in as a superuser for the installation (`pg-ext-ensure` needs no lasting one), not as {}",
                target.user
            );
            return Finding::unmet(
                "not_superuser",
                format!("{} is not a superuser", target.user),
            )
            .found(version)
            .evidence(evidence)
            .fix(Fix::advice(text));
        }
        Finding::met(version.clone(), format!("PostgreSQL {version} answers")).evidence(evidence)
    }
}
