//! A PostgreSQL server that can be logged in to, and its version. What the server says counts, not
//! what is installed beside it.

use crate::document::Fields;
use crate::finding::Finding;
use crate::fix::{self, Fix};
use crate::kind::{Check, Type};
use crate::scene::Scene;
use crate::secret::masked;
use crate::short::{self, Short};
use crate::version::{Order, Wanted};
use base::Result;
use base::clock::Deadline;
use pgconn::{Place, Resolved};
use std::fs;
use std::time::Duration;

/// `type = "postgres"`.
pub const TYPE: Type = Type {
    name: "postgres",
    about: "a PostgreSQL server that lets the role log in, and its version",
    keys: &[
        ("version", "\">=13,<18\""),
        (
            "connection",
            "a URI or keywords, as for psql; the rest comes from PG* variables, the service file and ~/.pgpass",
        ),
        (
            "database",
            "the database, in place of the one in connection",
        ),
        ("superuser", "true: the role has to be a superuser"),
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
        if let Some(dsn) = &self.dsn {
            base::mask::register_in(dsn);
        }
        let place = pgconn::resolve(&request, &pgconn::Environment::process())
            .map_err(|error| Box::new(refusal(scene, &error, None)))?;
        let mut connected = place
            .connect()
            .map_err(|error| Box::new(refusal(scene, &error, Some(&place))))?;
        let limit = deadline.slice(Duration::from_secs(60)).as_millis().max(1);
        let set = connected.client.batch_execute(&format!(
            "SET statement_timeout = {limit}; SET default_transaction_read_only = on"
        ));
        set.map_err(|error| Box::new(query_failed(&error)))?;
        Ok(connected)
    }
}

/// What a refused connection means. A server that answers and says no is no server that can be
/// logged in to; only where nothing could be asked the answer is unknown.
fn refusal(scene: &Scene, error: &pgconn::Error, place: Option<&Resolved>) -> Finding {
    let msg = masked(&error.message);
    let hint = error.hint.clone().unwrap_or_default();
    let finding = match error.kind {
        // 57P03: the server is there, and starting up or shutting down.
        pgconn::Kind::Unreachable if error.sqlstate.is_some() => Finding::unknown("starting", msg),
        pgconn::Kind::Unreachable => {
            Finding::unmet("unreachable", msg).fix(server_fix(scene, place))
        }
        pgconn::Kind::Deadline => Finding::timeout(msg),
        pgconn::Kind::Settings => Finding::unknown("settings", msg),
        pgconn::Kind::Refused => match (error.sqlstate.as_deref(), place) {
            (Some("3D000"), Some(place)) => {
                Finding::unmet("no_database", msg).fix(new_database(place))
            }
            // The authentication was passed: only then the server looks for the role.
            (Some("28000"), Some(place)) if error.message.contains("role \"") => {
                Finding::unmet("no_role", msg).fix(new_role(place))
            }
            (Some("28000" | "28P01"), _) => Finding::unmet("login", msg).fix(Fix::advice(
                "correct the role and the password of the connection, or allow the login in pg_hba.conf",
            )),
            (Some("42501"), _) => Finding::unmet("login", msg).fix(Fix::advice(
                "grant the role CONNECT on the database",
            )),
            (Some("53300"), _) => Finding::unknown("busy", msg),
            _ => Finding::unknown("permission", msg),
        },
    };
    finding.evidence(hint)
}

/// Whether the server is on this host, as far as its address says.
fn is_local(place: &Resolved) -> bool {
    place.hosts().iter().all(|host| match &host.place {
        Place::Socket(_) => true,
        Place::Address(address) => address.is_loopback(),
        Place::Name(name) => name == "localhost",
    })
}

/// Runs one of PostgreSQL's own programs as the account postgres, at the server of the connection.
fn as_postgres(place: &Resolved, words: &[&str]) -> Option<String> {
    let host = place.hosts().first().filter(|_| is_local(place))?;
    let (program, rest) = words.split_first()?;
    let (port, dir) = (
        host.port.to_string(),
        match &host.place {
            Place::Socket(dir) => Some(dir.display().to_string()),
            Place::Name(_) | Place::Address(_) => None,
        },
    );
    let mut line = vec![program, "-p", port.as_str()];
    if let Some(dir) = &dir {
        line.extend(["-h", dir.as_str()]);
    }
    line.extend(rest);
    Some(fix::as_user("postgres", &line))
}

fn new_database(place: &Resolved) -> Fix {
    let (name, owner) = (place.database(), place.user());
    let text = format!("create the database {name} for the role {owner}");
    match as_postgres(place, &["createdb", "-O", owner, "--", name]) {
        Some(line) => fix::root(text, vec![line]),
        None => Fix::advice(text),
    }
}

fn new_role(place: &Resolved) -> Fix {
    let text = format!("create the role {}, without further rights", place.user());
    match as_postgres(
        place,
        &[
            "createuser",
            "--no-createdb",
            "--no-createrole",
            "--no-superuser",
            "--",
            place.user(),
        ],
    ) {
        Some(line) => fix::root(text, vec![line]),
        None => Fix::advice(text),
    }
}

/// Installs or starts a server on this host, if the connection leads to this host.
fn server_fix(scene: &Scene, place: Option<&Resolved>) -> Fix {
    if let Some(place) = place.filter(|place| !is_local(place)) {
        let names: Vec<&str> = place
            .hosts()
            .iter()
            .map(|host| host.name.as_str())
            .collect();
        return Fix::advice(format!(
            "start the server on {}, or let this host through its firewall",
            names.join(", ")
        ));
    }
    let installed = fs::read_dir("/usr/lib/postgresql").is_ok_and(|mut dir| dir.next().is_some())
        || crate::programs::find("postgres").is_some();
    match installed {
        false => fix::install_of_command(scene, "postgres"),
        true => fix::root("start PostgreSQL", vec![fix::start(scene, "postgresql")]),
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
