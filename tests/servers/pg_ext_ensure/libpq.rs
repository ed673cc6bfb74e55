//! The connection module beside the real psql: the same variables, files and connection strings,
//! the same server reached as the same role with or without TLS, or both refused.

mod tls;

use harness::postgres::{Postgres, program, quoted};
use harness::{TempDir, full_sweep, scratch};
use pgconn::{Environment, Request, resolve};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

const WHO: &str = "SELECT pg_catalog.concat_ws('|', current_user, current_database(), \
     (SELECT ssl FROM pg_catalog.pg_stat_ssl WHERE pid = pg_catalog.pg_backend_pid()), \
     pg_catalog.current_setting('port'), pg_catalog.current_setting('application_name'))";

/// One set of variables and perhaps a connection string.
struct Case {
    name: String,
    variables: Vec<(String, String)>,
    dsn: Option<String>,
}

fn case(name: impl Into<String>, variables: &[(&str, &str)], dsn: Option<&str>) -> Case {
    let own = |(name, value): &(&str, &str)| ((*name).to_string(), (*value).to_string());
    Case {
        name: name.into(),
        variables: variables.iter().map(own).collect(),
        dsn: dsn.map(str::to_string),
    }
}

/// What psql comes to.
fn psql(case: &Case) -> Result<String, String> {
    let mut command = Command::new(program("psql"));
    command
        .args(["-X", "-w", "-A", "-t", "-c", WHO])
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .env("LC_ALL", "C");
    command.envs(case.variables.iter().map(|(name, value)| (name, value)));
    if let Some(dsn) = &case.dsn {
        command.arg("-d").arg(dsn);
    }
    let output = command.output().unwrap();
    if output.status.success() {
        Ok(String::from_utf8(output.stdout).unwrap().trim().to_string())
    } else {
        Err(String::from_utf8_lossy(&output.stderr).trim().to_string())
    }
}

/// What we come to. psql gives its own name to the server, so we do, too.
fn ours(case: &Case) -> Result<String, String> {
    let variables: Vec<(&str, &str)> = case
        .variables
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    let request = Request::new(case.dsn.as_deref()).application("psql");
    let connected =
        resolve(&request, &Environment::of(&variables)).and_then(|resolved| resolved.connect());
    let mut connected = connected.map_err(|error| error.message)?;
    Ok(connected.client.query_one(WHO, &[]).unwrap().get(0))
}

#[track_caller]
fn compare(cases: &[Case]) {
    // Each case is a connection or two: several at a time.
    let each = |case: &Case| (case.name.clone(), psql(case), ours(case));
    let outcomes: Vec<_> = std::thread::scope(|scope| {
        let parts = cases.chunks(cases.len().div_ceil(8));
        let running: Vec<_> = parts
            .map(|part| scope.spawn(move || part.iter().map(each).collect::<Vec<_>>()))
            .collect();
        running
            .into_iter()
            .flat_map(|part| part.join().unwrap())
            .collect()
    });
    let mut wrong = Vec::new();
    let (mut reached, mut refused) = (0, 0);
    for (name, theirs, ours) in outcomes {
        match (&theirs, &ours) {
            (Ok(theirs), Ok(ours)) if theirs == ours => reached += 1,
            (Err(_), Err(_)) => refused += 1,
            _ => wrong.push(format!("{name}: psql {theirs:?}, ours {ours:?}")),
        }
    }
    assert!(
        wrong.is_empty(),
        "{} of {} differ:\n{}",
        wrong.len(),
        cases.len(),
        wrong.join("\n")
    );
    assert!(
        reached > 0 && refused > 0,
        "{reached} reached, {refused} refused: the table tests nothing"
    );
}

fn write(path: &Path, mode: u32, text: &str) {
    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

fn home() -> (TempDir, String) {
    let home = scratch();
    let path = home.path().to_str().unwrap().to_string();
    (home, path)
}

const ROLES: &str = "CREATE ROLE plain LOGIN PASSWORD 'pw'; CREATE ROLE scram LOGIN PASSWORD 'p:w\\x'; \
     SET password_encryption = 'md5'; CREATE ROLE md5u LOGIN PASSWORD 'pw'; CREATE ROLE free LOGIN; CREATE ROLE \"o'br ien\" LOGIN; \
     CREATE DATABASE \"d=b\"; CREATE DATABASE \"a:b\"; CREATE DATABASE free; CREATE DATABASE scram;";

const HBA: &str = "local all free trust\nlocal all \"o'br ien\" trust\nlocal all plain password\nlocal all scram scram-sha-256\n\
     local all md5u md5\nhost all free 127.0.0.1/32 trust\nhost all scram 127.0.0.1/32 scram-sha-256\nhost all md5u 127.0.0.1/32 md5";

#[test]
fn strings_variables_and_services() {
    let server = Postgres::builder().hba(HBA).start();
    server.psql("postgres", ROLES);
    let (socket, port) = (
        server.socket_dir().display().to_string(),
        server.port().to_string(),
    );
    let (_home, home) = home();
    let at = |more: &[(&'static str, &str)]| -> Vec<(String, String)> {
        let base = [
            ("PGHOST", socket.as_str()),
            ("PGPORT", port.as_str()),
            ("PGUSER", "free"),
            ("HOME", home.as_str()),
        ];
        let mut all: Vec<(String, String)> = base
            .iter()
            .map(|(k, v)| ((*k).to_string(), (*v).to_string()))
            .collect();
        for (name, value) in more {
            all.retain(|(other, _)| other != name);
            all.push(((*name).to_string(), (*value).to_string()));
        }
        all
    };
    write(
        &Path::new(&home).join(".pg_service.conf"),
        0o644,
        "# mine\n[one]\ndbname=postgres\nuser=free\n\n[ two ]\nuser=x\n[bad]\nhost\n[spaced]\nuser = free\n[nested]\nservice=one\n\
         [first]\n  dbname=free  \ndbname=postgres\n[tail] rest\ndbname=postgres\n",
    );
    let other = Path::new(&home).join("other.conf");
    write(&other, 0o644, "[theirs]\ndbname=postgres\n");
    let system = Path::new(&home).join("etc");
    fs::create_dir(&system).unwrap();
    write(
        &system.join("pg_service.conf"),
        0o644,
        "[system]\ndbname=postgres\n[one]\ndbname=free\n",
    );
    let (other, system) = (other.to_str().unwrap(), system.to_str().unwrap());
    let sockets = socket.replace('/', "%2F");
    let mut cases: Vec<Case> = Vec::new();
    let mut add = |name: &str, more: &[(&'static str, &str)], dsn: Option<&str>| {
        cases.push(Case {
            name: format!("{name} {dsn:?}"),
            variables: at(more),
            dsn: dsn.map(str::to_string),
        });
    };
    add("variables", &[], None);
    add("database", &[("PGDATABASE", "postgres")], None);
    add(
        "empty variables are defaults",
        &[("PGDATABASE", ""), ("PGUSER", "free")],
        None,
    );
    add("no such database", &[("PGDATABASE", "nowhere")], None);
    add("dead port", &[("PGPORT", "1")], None);
    for port in ["0", "65536", "x", "5432x", "-1", ""] {
        add("port", &[("PGPORT", port)], None);
    }
    for name in [
        "one", " two ", "two", "bad", "spaced", "nested", "first", "tail", "system", "nosuch", "",
    ] {
        add("service", &[("PGSERVICE", name)], None);
        add(
            "service and etc",
            &[("PGSERVICE", name), ("PGSYSCONFDIR", system)],
            None,
        );
        add(
            "service by string",
            &[],
            Some(&format!("service={}", quoted(name))),
        );
    }
    add(
        "service file",
        &[("PGSERVICEFILE", other), ("PGSERVICE", "theirs")],
        None,
    );
    add(
        "service file replaces",
        &[("PGSERVICEFILE", other), ("PGSERVICE", "one")],
        None,
    );
    add(
        "string over service",
        &[("PGSERVICE", "one")],
        Some("dbname=free"),
    );
    add(
        "service over variables",
        &[("PGSERVICE", "one"), ("PGDATABASE", "free")],
        None,
    );
    let owner = harness::postgres::account().map_or_else(
        || std::env::var("USER").unwrap_or_default(),
        |user| user.name,
    );
    for peer in [owner.as_str(), "daemon", "no such user", ""] {
        add("requirepeer", &[("PGREQUIREPEER", peer)], None);
    }
    add(
        "requirepeer of nobody there",
        &[("PGREQUIREPEER", owner.as_str()), ("PGPORT", "1")],
        None,
    );
    add("application", &[("PGAPPNAME", "mine")], None);
    add(
        "options",
        &[("PGOPTIONS", "-c application_name=other")],
        None,
    );
    for dsn in [
        "postgres",
        "dbname=postgres",
        "dbname = postgres",
        "dbname='d=b'",
        "dbname=d\\=b",
        "dbname=d=b",
        "user=\"free\"",
        "user='o\\'br ien' dbname=free",
        "user=o\\'br\\ ien dbname=free",
        "dbname=",
        "dbname=''",
        "dbname",
        "dbname='free",
        "dbname=free x",
        "=free",
        "dbname==free",
        "frob=1",
        "",
        " ",
        "a:b",
        "connect_timeout=5",
        "connect_timeout=x",
        "connect_timeout=",
        "connect_timeout=-1",
        "connect_timeout=0",
        "keepalives=0",
        "keepalives=x",
        "keepalives_idle=1 keepalives_interval=1 keepalives_count=3",
        "tcp_user_timeout=1000",
        "sslmode=",
        "sslmode=sometimes",
        "channel_binding=maybe",
        "target_session_attrs=whatever",
        "gssencmode=disable",
        "gssencmode=sure",
        "application_name=x",
        "fallback_application_name=y",
        "client_encoding=LATIN1",
        "dbname=free dbname=postgres",
        "dbname=free\tuser=free\nport=",
        "password=x",
        "passfile=/nonexistent",
        "krbsrvname=x",
        "ssl_min_protocol_version=TLSv9",
        "ssl_min_protocol_version=TLSv1.3 ssl_max_protocol_version=TLSv1.2",
        "dbname='free' user='free'",
        "dbname='free'user='free'",
    ] {
        add("string", &[], Some(dsn));
    }
    for dsn in [
        "postgresql://".to_string(),
        "postgres:///postgres".into(),
        "postgresql://free@/postgres".into(),
        "postgresql://free:pw@/postgres".into(),
        format!("postgresql://free@{sockets}:{port}/postgres"),
        format!("postgresql://free@127.0.0.1:{port}/a%3Ab"),
        format!(
            "postgresql://free@127.0.0.1:{port}/postgres?application_name=u%20v&sslmode=disable"
        ),
        format!("postgresql://free@127.0.0.1:1,127.0.0.1:{port}/postgres"),
        format!("postgresql:///postgres?host={socket}&port={port}&user=free"),
        format!("postgresql:///postgres?host={sockets}"),
        "postgresql:///?dbname=postgres".into(),
        "postgresql://o%27br%20ien@/free".into(),
        "postgresql://free@/postgres?".into(),
        "postgresql://free@/postgres?x".into(),
        "postgresql://free@/postgres?x=1".into(),
        "postgresql://free@/postgres?user=a=b".into(),
        "postgresql://free@/%zz".into(),
        "postgresql://free@/%00".into(),
        "postgresql://[::1".into(),
        "postgresql://[]/x".into(),
        "postgresql://[::1]x/y".into(),
        format!("postgresql://free@/postgres?ssl=true&host={socket}"),
        "postgresql://free@?dbname=postgres".into(),
        format!("postgres://free@localhost:{port}/postgres?hostaddr=127.0.0.1"),
        "postgresql://free@/postgres?&application_name=x".into(),
        "postgresql://free@/postgres?application_name=x&".into(),
        format!("postgresql://free@:{port}/postgres"),
        "postgresql:/free".into(),
        "POSTGRES://free@/postgres".into(),
    ] {
        add("uri", &[], Some(&dsn));
    }
    compare(&cases);
}

#[test]
fn password_files() {
    let server = Postgres::builder().hba(HBA).start();
    server.psql("postgres", ROLES);
    let (socket, port) = (server.socket_dir().display().to_string(), server.port());
    let good = r"p\:w\\x";
    let files: Vec<(&str, u32, String)> = vec![
        ("plain wildcard", 0o600, format!("*:*:*:*:{good}\n")),
        ("no newline", 0o600, format!("*:*:*:*:{good}")),
        ("windows", 0o600, format!("*:*:*:*:{good}\r\n")),
        ("read only", 0o400, format!("*:*:*:*:{good}\n")),
        ("group may read", 0o640, format!("*:*:*:*:{good}\n")),
        ("all may read", 0o644, format!("*:*:*:*:{good}\n")),
        ("others may execute", 0o601, format!("*:*:*:*:{good}\n")),
        (
            "exact",
            0o600,
            format!("{socket}:{port}:scram:scram:{good}\n"),
        ),
        (
            "localhost is the default directory only",
            0o600,
            format!("localhost:*:*:*:{good}\n"),
        ),
        ("address", 0o600, format!("127.0.0.1:{port}:*:*:{good}\n")),
        ("other port", 0o600, format!("*:1:*:*:{good}\n")),
        ("other database", 0o600, format!("*:*:postgres:*:{good}\n")),
        ("other user", 0o600, format!("*:*:*:free:{good}\n")),
        (
            "the first counts",
            0o600,
            format!("*:*:*:*:wrong\n*:*:*:*:{good}\n"),
        ),
        (
            "later",
            0o600,
            format!("x:*:*:*:wrong\n\n# c\n*:*:*:scram:{good}\n"),
        ),
        ("commented", 0o600, format!("#*:*:*:*:{good}\n")),
        ("escapes", 0o600, format!("*:*:\\s\\cram:scr\\am:{good}\n")),
        ("a star inside", 0o600, format!("*:*:*:scr*:{good}\n")),
        ("unescaped password", 0o600, "*:*:*:*:p:w\\x\n".to_string()),
        (
            "rest after password",
            0o600,
            format!("*:*:*:*:{good}:more\n"),
        ),
        ("spaces", 0o600, format!("*:*:*: scram:{good}\n")),
        ("too few fields", 0o600, format!("*:*:*:{good}\n")),
        ("empty", 0o600, String::new()),
    ];
    let mut cases = Vec::new();
    let mut homes = Vec::new();
    for (name, mode, text) in &files {
        let (directory, home) = home();
        write(&directory.path().join(".pgpass"), *mode, text);
        for dsn in [
            format!("host={socket} port={port} user=scram"),
            format!("host=127.0.0.1 port={port} user=scram sslmode=disable"),
            format!("host=localhost hostaddr=127.0.0.1 port={port} user=scram sslmode=disable"),
            format!("hostaddr=127.0.0.1 port={port} user=scram"),
            format!("host=/nonexistent,{socket} port={port} user=scram"),
        ] {
            cases.push(case(
                format!("{name}: {dsn}"),
                &[("HOME", &home)],
                Some(&dsn),
            ));
        }
        let file = directory.path().join(".pgpass");
        let dsn = format!("host={socket} port={port} user=scram");
        cases.push(case(
            format!("{name}: PGPASSFILE"),
            &[
                ("HOME", "/nonexistent"),
                ("PGPASSFILE", file.to_str().unwrap()),
            ],
            Some(&dsn),
        ));
        homes.push(directory);
    }
    let at = format!("host={socket} port={port}");
    for (user, password) in [
        ("scram", "p:w\\x"),
        ("scram", "wrong"),
        ("md5u", "pw"),
        ("md5u", "wrong"),
        ("plain", "pw"),
        ("plain", ""),
        ("free", "any"),
    ] {
        let dsn = format!("{at} dbname=postgres user={user}");
        cases.push(case(
            format!("PGPASSWORD {user} {password}"),
            &[("PGPASSWORD", password), ("HOME", "/nonexistent")],
            Some(&dsn),
        ));
        let dsn = format!("{dsn} password={}", quoted(password));
        cases.push(case(
            format!("password= {user} {password}"),
            &[("HOME", "/nonexistent")],
            Some(&dsn),
        ));
    }
    let (directory, home) = home();
    fs::create_dir(directory.path().join(".pgpass")).unwrap();
    cases.push(case(
        "a directory",
        &[("HOME", &home)],
        Some(&format!("{at} user=scram")),
    ));
    cases.push(case(
        "none is needed",
        &[("HOME", &home)],
        Some(&format!("{at} user=free")),
    ));
    compare(&cases);
}

#[test]
fn host_lists_and_what_a_session_must_be() {
    let writable = Postgres::builder().hba(HBA).start();
    let read_only = Postgres::builder()
        .hba(HBA)
        .set("default_transaction_read_only", "on")
        .start();
    for server in [&writable, &read_only] {
        server.psql(
            "postgres",
            &format!("SET default_transaction_read_only = off; {ROLES}"),
        );
    }
    let (w, r) = (writable.port(), read_only.port());
    let (ws, rs) = (
        writable.socket_dir().display().to_string(),
        read_only.socket_dir().display().to_string(),
    );
    let mut cases = Vec::new();
    let mut add = |dsn: String| {
        cases.push(case(
            dsn.clone(),
            &[("HOME", "/nonexistent")],
            Some(&format!("user=free dbname=postgres {dsn}")),
        ));
    };
    for attributes in [
        "any",
        "read-write",
        "read-only",
        "primary",
        "standby",
        "prefer-standby",
    ] {
        for ports in [
            format!("{w},{r}"),
            format!("{r},{w}"),
            format!("1,{w}"),
            format!("{w}"),
            format!("{r}"),
        ] {
            let hosts = vec!["127.0.0.1"; ports.split(',').count()].join(",");
            add(format!(
                "host={hosts} port={ports} target_session_attrs={attributes}"
            ));
        }
    }
    add(format!("host=127.0.0.1,{ws} port={w}"));
    add(format!("host={rs},{ws} port={r},{w}"));
    add(format!("host=/nonexistent,{ws} port=1,{w}"));
    add(format!("host=no.such.host.invalid,127.0.0.1 port={w}"));
    add(format!("host=a,b,c port={w},{w}"));
    add(format!("host=a,b hostaddr=127.0.0.1 port={w}"));
    add(format!("host=a hostaddr=127.0.0.1 port={w}"));
    add(format!("host=a,b hostaddr=127.0.0.1,127.0.0.1 port=1,{w}"));
    add(format!("host=, hostaddr=,127.0.0.1 port=1,{w}"));
    add(format!("hostaddr=localhost port={w}"));
    add(format!("hostaddr=127.0.0.1,127.0.0.1 port=1,{w}"));
    add(format!("host=127.0.0.1 port={w} connect_timeout=2"));
    // A refused role does not go on to the next host.
    cases.push(case(
        "refused",
        &[("HOME", "/nonexistent")],
        Some(&format!(
            "user=scram host={ws},127.0.0.1 port={w} dbname=postgres"
        )),
    ));
    cases.push(case(
        "no such database",
        &[("HOME", "/nonexistent")],
        Some(&format!(
            "user=free host={ws},{rs} port={w},{r} dbname=nowhere"
        )),
    ));
    compare(&cases);
}
