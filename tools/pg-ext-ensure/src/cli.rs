//! The definition of the command line, and the reader that makes a request of the arguments.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use base::cli::{Command, CommandLine, Entry, Example, Opt, Parsed, Positional, Trailing, Value};
use base::error::{Error, Result};
use base::exit::Row;

use crate::migrations::{self, Migrations};
use crate::request::{
    Connection, Databases, Elevate, Ensure, LOCK_TIMEOUT, Policy, Request, STATEMENT_TIMEOUT,
};
use crate::spec;
use crate::want::Want;

pub const COMMAND_LINE: CommandLine = CommandLine {
    name: "pg-ext-ensure",
    version: env!("CARGO_PKG_VERSION"),
    section: 8,
    about: "ensure PostgreSQL extensions with the least privilege",
    description: &[
        "pg-ext-ensure makes sure that PostgreSQL extensions are installed in every database that \
         needs them. Where an extension cannot be installed, the report says why: which package \
         holds the missing control file, which right is missing and who can grant that right.",
        "The tool finds the server as libpq does: PG* variables, a service file, ~/.pgpass, host \
         lists, sslmode. The tool compares the wanted extensions with the installed ones and \
         changes only what differs. The application's own role tries first; --admin does what the \
         server refuses that role. The statements for one extension run in one transaction, under \
         an advisory lock. An update runs in a session of its own, because some libraries refuse \
         to be updated after they were used. The tool reads the catalog again afterwards.",
        "The tool does not try a step that more rights would not make possible: no schema to \
         create the extension in, a missing control file, a library that is not in \
         shared_preload_libraries, an object that depends on the extension.",
        "EXT is NAME, NAME@VERSION, NAME@latest or NAME:SCHEMA; a name may stand in double quotes. \
         Without a version any installed version is right. latest is the default version of the \
         extension that the server's packages have.",
    ],
    commands: &[ENSURE, ELEVATE, RECOVER],
    options: &[],
    positionals: &[],
    exit: &[
        Row {
            code: "75",
            meaning: "Also: another session held a lock for longer than --lock-timeout.",
        },
        Row {
            code: "125",
            meaning: "Also, and before all others: the catalog did not confirm that the role is no \
                longer a superuser.",
        },
    ],
    examples: &[
        Example {
            text: "Before the migrations of Misago run: create the extensions that they need:",
            command: "pg-ext-ensure -d service=misago btree_gin hstore",
        },
        Example {
            text: "Let an administrator's connection do what the application's role may not do:",
            command: "pg-ext-ensure -d service=misago --admin service=admin hstore \
                pg_stat_statements",
        },
        Example {
            text: "Show what would be created (exit status 1 means that an extension is missing):",
            command: "pg-ext-ensure -n -d service=misago btree_gin hstore",
        },
        Example {
            text: "Create the extensions that the site's migrations name:",
            command: "pg-ext-ensure -d service=misago --from-migrations /srv/misago/site",
        },
        Example {
            text: "Run a command that insists on a superuser:",
            command: "pg-ext-ensure elevate --role misago --admin service=admin -- venv/bin/python \
                manage.py migrate",
        },
        Example {
            text: "In /etc/cron.d: mail when an extension was missing:",
            command: "20 4 * * * root pg-ext-ensure -q -d service=site --journal \
                /var/log/site.jsonl btree_gin hstore",
        },
        Example {
            text: "Create an extension in every database, in the newest version and in a schema of \
                its own:",
            command: "pg-ext-ensure --all-dbs --create-schema hstore@latest:extensions",
        },
        Example {
            text: "Create an extension in template1, so that every new database has the extension:",
            command: "pg-ext-ensure --db template1 citext",
        },
    ],
    files: &[
        Entry {
            name: "~/.pgpass",
            text: "Passwords. A file that other users can read is ignored, with a warning.",
        },
        Entry {
            name: "~/.pg_service.conf, pg_service.conf",
            text: "Named connections.",
        },
        Entry {
            name: "/var/lib/runbook-tools/",
            text: "Journals of elevations by root. $STATE_DIRECTORY replaces the directory; other \
                users have ~/.local/state/runbook-tools/.",
        },
        Entry {
            name: "~/.postgresql/",
            text: "Root certificate, revocation list, client certificate and key.",
        },
    ],
    environment: &[Entry {
        name: "PGHOST, PGPORT, PGUSER, PGDATABASE, PGPASSFILE, PGSERVICE, PGSSLMODE, …",
        text: "The variables of libpq, as in the manual of PostgreSQL.",
    }],
    security: &[
        "Everybody who can list processes can see a password in -d or --admin. Use a password file \
         or a service file. The tool prints and writes no password.",
        "The tool quotes names in every statement, and sets search_path to pg_catalog.",
    ],
    see_also: &["check-reqs", "psql(1)"],
};

const ADMIN: Opt = Opt::value(
    "admin",
    Value::Secret("DSN"),
    "The connection that does what the application's role may not do",
)
.more(
    "A connection string for a superuser or the extensions' owner, on the same server. The tool \
     connects there only when the server refuses the application's role.",
);

const ENSURE: Command = Command {
    name: "ensure",
    about: "Ensure extensions; the word ensure may be left out",
    description: &[],
    options: &[&[
        Opt::value(
            "dsn",
            Value::Secret("DSN"),
            "How to connect, as the application: a libpq connection string or URI",
        )
        .short('d')
        .more("The default is what libpq's environment variables say."),
        Opt::value(
            "service",
            Value::Text("SERVICE"),
            "A section of the service file",
        ),
        Opt::value(
            "db",
            Value::Secret("DATABASE"),
            "A database in place of the connection's own",
        )
        .many()
        .more("A connection string in place of the name, such as service=reef, is a connection of its own."),
        Opt::flag(
            "all-dbs",
            "All databases that take connections, without templates",
        ),
        Opt::value(
            "db-exclude",
            Value::Text("GLOB"),
            "Leave out the databases whose names match GLOB",
        )
        .many(),
        Opt::value(
            "spec",
            Value::File("FILE"),
            "Read the wanted extensions from FILE, TOML or JSON",
        )
        .more(
            "Keys: databases, extensions, absent, and tables [[database]] with name, extensions \
             and absent. Strings are written as on the command line.",
        ),
        Opt::value(
            "from-migrations",
            Value::Dir("DIR"),
            "Ensure the extensions that the Django migrations below DIR create",
        )
        .many()
        .more(
            "The tool reads the migrations and runs no Python: CreateExtension and its subclasses, \
             RunSQL, and the SQL that functions of RunPython execute. The word `site` means the \
             directory of the site file. What a migration does not say is reported as unknown, \
             with file and line, and the exit status is 3. Migrations below directories called \
             tests and in virtual environments are only named, because Python alone knows which \
             applications the site installs. With --admin, root reads only migrations that no \
             other user can change; --trust DIR lifts that.",
        ),
        ADMIN,
        Opt::flag(
            "create-cascade",
            "Also create the extensions that a wanted one requires",
        ),
        Opt::flag(
            "drop-cascade",
            "Drop the objects that depend on a dropped extension, too",
        )
        .more(
            "The report lists every object that is lost under `lost`; a dry run lists them before.",
        ),
        Opt::flag(
            "create-schema",
            "Create the named schema where the schema is missing",
        ),
        Opt::flag(
            "update",
            "Update installed extensions without a wanted version to the default version",
        ),
        Opt::flag(
            "fix-schema",
            "Move an extension that is in another schema than the named one",
        )
        .more(
            "Without this option the tool reports the schema, and the exit status is 1. The tool \
             never drops an extension to create the extension again.",
        ),
        Opt::value(
            "lock-timeout",
            Value::Duration("DURATION"),
            "How long to wait for locks in the database (default 5s)",
        ),
        Opt::value(
            "statement-timeout",
            Value::Duration("DURATION"),
            "The longest time that one statement may take (default 5m)",
        ),
        Opt::value(
            "absent",
            Value::Text("EXT"),
            "An extension that the databases shall not have",
        )
        .many(),
    ]],
    positionals: &[Positional::any(
        "EXT",
        Value::Text("EXT"),
        "An extension: NAME[@VERSION|@latest][:SCHEMA]",
    )],
    trailing: Trailing::None,
    default: true,
};

const ELEVATE: Command = Command {
    name: "elevate",
    about: "Make ROLE a superuser while COMMAND runs, and never longer",
    description: &[
        "`pg-ext-ensure --admin DSN EXT…` before COMMAND is the better way: the extensions are \
         created, and no role is elevated. For a COMMAND that insists, the tool writes a journal, \
         starts a guardian process, makes the role a superuser, runs COMMAND, takes the right back \
         and reads the catalog to confirm that. The guardian takes the right back if the tool is \
         killed. While COMMAND runs, every open session of the role is a superuser, too. Sessions \
         that began meanwhile are ended, because they could still become any other role.",
        "A role that already is a superuser is refused, and so is the administrator's own role. An \
         elevation that an earlier run did not finish is finished first. The report names what \
         COMMAND left behind: new superusers, new roles that may log in, new rights, passwords and \
         memberships, objects that belong to superusers, functions in untrusted languages.",
    ],
    options: &[&[
        Opt::value(
            "role",
            Value::Text("ROLE"),
            "The role that becomes a superuser",
        )
        .required(),
        Opt::value("admin", Value::Secret("DSN"), "A superuser's connection").required(),
        Opt::value(
            "max",
            Value::Duration("DURATION"),
            "The longest time that COMMAND may take",
        )
        .more("After that the tool takes the right back and ends COMMAND. The default is 10m."),
    ]],
    positionals: &[],
    trailing: Trailing::Required,
    default: false,
};

const RECOVER: Command = Command {
    name: "recover",
    about: "Take back the right that a killed `elevate` left",
    description: &[
        "Reads the journals on this machine and takes the superuser's right from every role that \
         an interrupted run left with that right.",
    ],
    options: &[&[Opt::value("admin", Value::Secret("DSN"), "A superuser's connection").required()]],
    positionals: &[],
    trailing: Trailing::None,
    default: false,
};

/// The request of the parsed arguments.
///
/// # Errors
/// `Kind::Usage` or `Kind::Input`.
pub fn request(parsed: &Parsed) -> Result<Request> {
    let admin = || Connection {
        dsn: parsed.text("admin").map(String::from),
        service: None,
    };
    match parsed.command() {
        Some("elevate") => Ok(Request::Elevate(Elevate {
            role: parsed.text("role").unwrap_or_default().to_string(),
            admin: admin(),
            max: parsed.duration("max").unwrap_or(Duration::from_secs(600)),
            command: parsed.trailing().unwrap_or_default().to_vec(),
        })),
        Some("recover") => Ok(Request::Recover(admin())),
        _ => ensure(parsed).map(|ensure| Request::Ensure(Box::new(ensure))),
    }
}

fn ensure(parsed: &Parsed) -> Result<Ensure> {
    let spec = match parsed.path("spec") {
        Some(path) => spec::read(path, parsed.text("admin").is_some())?,
        None => spec::Spec::default(),
    };
    let mut wants = spec.wants;
    for text in parsed.positional_texts() {
        wants.push(Want::parse(text)?);
    }
    for text in parsed.texts("absent") {
        wants.push(Want::parse_absent(text)?);
    }
    let mut own: BTreeMap<String, Vec<Want>> = BTreeMap::new();
    for (database, more) in spec.own {
        own.entry(database).or_default().extend(more);
    }
    let migrations = from_migrations(parsed)?;
    for want in migrations.iter().flat_map(Migrations::wants) {
        // What was typed says more: a version, a schema, absent.
        if !wants.iter().any(|typed| typed.name == want.name) {
            wants.push(want);
        }
    }
    if wants.is_empty() && own.values().all(Vec::is_empty) && migrations.is_none() {
        return Err(Error::usage("no extension is named")
            .hint("pg-ext-ensure -d DSN EXT…, for example: pg-ext-ensure hstore btree_gin"));
    }
    refuse_contradictions(&wants)?;
    for more in own.values() {
        refuse_contradictions(&wants.iter().chain(more).cloned().collect::<Vec<_>>())?;
    }
    Ok(Ensure {
        app: Connection {
            dsn: parsed.text("dsn").map(String::from),
            service: parsed.text("service").map(String::from),
        },
        admin: parsed.text("admin").map(|dsn| Connection {
            dsn: Some(dsn.to_string()),
            service: None,
        }),
        databases: databases(parsed, spec.databases)?,
        wants,
        own,
        policy: Policy {
            create_cascade: parsed.flag("create-cascade"),
            drop_cascade: parsed.flag("drop-cascade"),
            create_schema: parsed.flag("create-schema"),
            update: parsed.flag("update"),
            fix_schema: parsed.flag("fix-schema"),
            lock_timeout: parsed.duration("lock-timeout").unwrap_or(LOCK_TIMEOUT),
            statement_timeout: parsed
                .duration("statement-timeout")
                .unwrap_or(STATEMENT_TIMEOUT),
        },
        migrations,
    })
}

/// The extensions that the migrations of `--from-migrations` create.
fn from_migrations(parsed: &Parsed) -> Result<Option<Migrations>> {
    let named = parsed.paths("from-migrations");
    if named.is_empty() {
        return Ok(None);
    }
    let mut tops: Vec<PathBuf> = Vec::new();
    for path in named {
        if path != Path::new("site") {
            tops.push(path.to_path_buf());
            continue;
        }
        let dir = parsed.site().and_then(base::site::Site::dir);
        tops.push(dir.ok_or_else(|| {
            Error::usage("--from-migrations site: no site file names a directory").hint(
                "give --site FILE whose table [site] has dir = \"DIR\"; a directory called site is \
                 ./site",
            )
        })?);
    }
    let tops: Vec<&Path> = tops.iter().map(PathBuf::as_path).collect();
    let found = migrations::read(&tops)?;
    let trusted = |file: &PathBuf| {
        parsed
            .paths("trust")
            .iter()
            .any(|dir| file.starts_with(dir))
    };
    let foreign = found.foreign.iter().find(|file| !trusted(file));
    if let (Some(file), Some(_)) = (foreign, parsed.text("admin")) {
        let shown = base::terminal::escape_bytes(file.as_os_str().as_encoded_bytes());
        let dir = tops
            .first()
            .map(|top| base::shell::quoted(&top.to_string_lossy()));
        return Err(Error::input(format!(
            "{shown}: another user can change this migration, and the rights of --admin would do \
             what the migration asks"
        ))
        .hint(format!(
            "read the migrations and give --trust {}, or leave --admin out",
            dir.unwrap_or_default()
        )));
    }
    Ok(Some(found))
}

/// The same extension twice, in two ways, is a mistake; the same one twice in the same way is one.
fn refuse_contradictions(wants: &[Want]) -> Result<()> {
    for (i, want) in wants.iter().enumerate() {
        if let Some(other) = wants[..i]
            .iter()
            .find(|other| other.name == want.name && *other != want)
        {
            let how = if want.state == other.state {
                "in two ways"
            } else {
                "to be present and to be absent"
            };
            return Err(Error::usage(format!(
                "'{}' is asked for {how}",
                base::terminal::escape(&want.name)
            )));
        }
    }
    Ok(())
}

fn databases(parsed: &Parsed, from_spec: Vec<String>) -> Result<Databases> {
    let mut named: Vec<String> = parsed.texts("db").into_iter().map(String::from).collect();
    let excluded = parsed.texts("db-exclude");
    if parsed.flag("all-dbs") {
        if !named.is_empty() {
            return Err(Error::usage("--db and --all-dbs are both given")
                .hint("name the databases, or take them all"));
        }
        let pattern = |text: &str| {
            glob::Pattern::new(text).map_err(|e| {
                Error::usage(format!(
                    "--db-exclude: '{}': {e}",
                    base::terminal::escape(text)
                ))
            })
        };
        return Ok(Databases::All(
            excluded.into_iter().map(pattern).collect::<Result<_>>()?,
        ));
    }
    if !excluded.is_empty() {
        return Err(Error::usage("--db-exclude needs --all-dbs"));
    }
    if named.is_empty() {
        named = from_spec;
    }
    let mut seen = std::collections::BTreeSet::new();
    named.retain(|name| seen.insert(name.clone()));
    Ok(if named.is_empty() {
        Databases::Own
    } else {
        Databases::Named(named)
    })
}
