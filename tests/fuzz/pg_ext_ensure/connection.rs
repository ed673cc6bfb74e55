//! How a server is found: connection strings, password files, service files.

use super::{Random, rounds, write};
use harness::{scratch, test_venv};
use pgconn::{Environment, KEYWORDS, Request, conninfo, passfile, resolve, service};
use serde_json::Value;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};

/// What connection strings are made of.
const PIECES: &[&str] = &[
    "host",
    "hostaddr",
    "port",
    "dbname",
    "user",
    "password",
    "sslmode",
    "service",
    "options",
    "nonsense",
    "requiressl",
    "ssl",
    "=",
    " = ",
    "'",
    "\\",
    "\\'",
    "\\\\",
    " ",
    "\t",
    "\n",
    "a",
    "b c",
    "5432",
    "true",
    "require",
    "postgresql://",
    "postgres://",
    "@",
    ":",
    "/",
    "?",
    "&",
    ",",
    "[",
    "]",
    "::1",
    "%20",
    "%2F",
    "%41",
    "%",
    "%0",
    "%zz",
    "%00",
    "é",
    "#",
    "=x",
    "'x y'",
    "connect_timeout=3",
    "application_name=z",
    "host=h",
    "dbname=d ",
];

/// A string that may well be one: keywords and values, or a URI.
fn connection_string(random: &mut Random) -> String {
    const VALUES: &[&str] = &[
        "a", "b c", "'", "\\", "é", "%41", "", ":", "@", "x", "/", "=", "5",
    ];
    match random.below(3) {
        0 => random.text(PIECES, 12),
        1 => {
            let mut text = String::new();
            for _ in 0..random.below(5) {
                let value = random.text(VALUES, 3);
                let value = if random.once_in(4) {
                    value
                } else {
                    quoted(&value)
                };
                text += &format!(
                    "{}{}={}{value} ",
                    random.of(&["", " "]),
                    random.of(PIECES),
                    random.of(&["", " "])
                );
            }
            text
        }
        _ => {
            const PART: &[&str] = &[
                "a", "b.c", "%20", "%2Ftmp", "[::1]", "1", ",", ":", "é", "%5B", "-", "*",
            ];
            let mut text = random.of(&["postgresql://", "postgres://"]).to_owned();
            if random.once_in(2) {
                text += &format!(
                    "{}{}{}@",
                    random.text(PART, 2),
                    random.of(&["", ":"]),
                    random.text(PART, 2)
                );
            }
            text += &random.text(PART, 4);
            if random.once_in(2) {
                text += &format!("/{}", random.text(PART, 2));
            }
            if random.once_in(2) {
                let pair =
                    |random: &mut Random| format!("{}={}", random.of(PIECES), random.text(PART, 2));
                text += &format!(
                    "?{}{}{}",
                    pair(random),
                    random.of(&["", "&", "&&", "&a"]),
                    if random.once_in(2) {
                        pair(random)
                    } else {
                        String::new()
                    }
                );
            }
            text
        }
    }
}

/// A value in quotes, as connection strings have them.
fn quoted(value: &str) -> String {
    format!("'{}'", value.replace('\\', "\\\\").replace('\'', "\\'"))
}

/// Asks the real libpq (by psycopg2, which carries one) about each string: null where it refuses.
const ASK_LIBPQ: &str = r"
import json, sys
from psycopg2.extensions import parse_dsn
def ask(text):
    try:
        return parse_dsn(text)
    except UnicodeDecodeError:
        return 'no text'
    except Exception:
        return None
json.dump([ask(text) for text in json.load(sys.stdin)], sys.stdout)
";

fn libpq(strings: &[String]) -> Vec<Value> {
    let mut python = Command::new(test_venv().join("bin/python"));
    let mut child = python
        .args(["-I", "-c", ASK_LIBPQ])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let asked = serde_json::to_vec(strings).unwrap();
    let writer = std::thread::spawn(move || stdin.write_all(&asked).unwrap());
    let done = child.wait_with_output().unwrap();
    writer.join().unwrap();
    serde_json::from_slice(&done.stdout).unwrap()
}

#[test]
fn connection_strings_are_read_as_libpq_reads_them() {
    let mut random = Random(0x11b);
    let all = (0..rounds(20_000, 600_000)).map(|_| connection_string(&mut random));
    // A lone word is a database's name to psql and to us; PQconninfoParse leaves that to its
    // caller.
    let is_one = |text: &String| {
        text.contains('=') || text.starts_with("postgresql://") || text.starts_with("postgres://")
    };
    let strings: Vec<String> = all
        .filter(|text| !text.contains('\0') && is_one(text))
        .collect();
    let (mut read, mut refused) = (0, 0);
    for (text, theirs) in strings.iter().zip(libpq(&strings)) {
        let ours = conninfo::parse(text);
        match (&ours, &theirs) {
            (_, Value::String(_)) => {}
            (Err(error), Value::Null) => {
                assert!(!error.message.is_empty());
                refused += 1;
            }
            (Ok(settings), Value::Object(theirs)) => {
                for keyword in KEYWORDS {
                    assert_eq!(
                        settings.get(keyword.name),
                        theirs.get(keyword.name).and_then(Value::as_str),
                        "{text:?}: {}",
                        keyword.name
                    );
                }
                assert!(
                    theirs.keys().all(|name| settings.get(name).is_some()),
                    "{text:?}: {theirs:?}"
                );
                read += 1;
            }
            _ => panic!(
                "{text:?}: libpq {theirs}, ours {:?}",
                ours.map_err(|error| error.message)
            ),
        }
    }
    assert!(
        read > strings.len() / 20 && refused > strings.len() / 20,
        "{read} read, {refused} refused: the strings test nothing"
    );
}

/// What fields of a password file are made of.
const FIELD: &[&str] = &["a", "b", ":", "\\", "*", "#", " ", "é", "x.y", "/tmp", "1"];

fn escaped(field: &str) -> String {
    field.replace('\\', "\\\\").replace(':', "\\:")
}

#[test]
fn a_password_is_found_in_whatever_file_it_stands() {
    let dir = scratch();
    let path = dir.path().join("pgpass");
    let mut random = Random(0x9a55);
    for round in 0..rounds(800, 100_000) {
        let fields: Vec<String> = (0..4)
            .map(|_| format!("f{}", random.text(FIELD, 3)))
            .collect();
        let password = random.text(FIELD, 4);
        // Lines that say nothing of this one: an asterisk fits only alone, so nothing before has
        // one there, or has the wrong user.
        let mut text = String::new();
        for _ in 0..random.below(4) {
            text += &format!(
                "{}\n",
                random.of(&[
                    "",
                    "#*:*:*:*:no",
                    "*:*:*:other:no",
                    "x",
                    "::::",
                    "*.b:*:*:*:no",
                    "*:*:*",
                    "\\",
                    "f:f"
                ])
            );
        }
        let shown: Vec<String> = fields
            .iter()
            .map(|field| {
                if random.once_in(4) {
                    "*".to_owned()
                } else {
                    escaped(field)
                }
            })
            .collect();
        text += &format!(
            "{}:{}{}",
            shown.join(":"),
            escaped(&password),
            random.of(&["", "\n", "\r\n", ":rest\n", "\n*:*:*:*:late"])
        );
        write(&path, text.as_bytes());
        let wanted = passfile::Wanted {
            host: &fields[0],
            port: &fields[1],
            database: &fields[2],
            user: &fields[3],
        };
        let (found, warning) = passfile::lookup(&path, wanted);
        assert_eq!(
            found.as_deref(),
            Some(password.as_bytes()),
            "round {round}: {fields:?} in {text:?}"
        );
        assert_eq!(warning, None);
        // And any bytes at all: it ends, and a file that others may read is none.
        let bytes: Vec<u8> = (0..random.below(60))
            .map(|_| *b":\\*#\nab\r\0\xff".get(random.below(10)).unwrap())
            .collect();
        write(&path, &bytes);
        let _ = passfile::lookup(&path, wanted);
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
        let (found, warning) = passfile::lookup(&path, wanted);
        assert!(found.is_none() && warning.unwrap().contains("others may read it"));
    }
}

#[test]
fn a_service_is_found_in_whatever_file_it_stands() {
    const LINES: &[&str] = &[
        "# [mine]",
        "",
        "  ",
        "[other]",
        "[other] tail",
        "[mine2]",
        "[ mine]",
        "dbname=no",
        "user = no",
        "\tport=1",
        "[unclosed",
        "é=1",
        "=",
        "nonsense",
    ];
    let dir = scratch();
    let path = dir.path().join("pg_service.conf");
    let variables = [
        ("PGSERVICEFILE", path.to_str().unwrap()),
        ("PGSYSCONFDIR", "/nonexistent"),
        ("HOME", "/nonexistent"),
        ("PGPASSWORD", "s3cret"),
    ];
    let environment = Environment::of(&variables);
    let mut random = Random(0x5e4);
    for round in 0..rounds(800, 100_000) {
        let value = |random: &mut Random| {
            format!(
                "v{}",
                random.text(&["a", "=", "'", "\\", "#", "é", " b", "%"], 3)
            )
        };
        let (database, user) = (value(&mut random), value(&mut random));
        // What stands before belongs to others, as long as it is well formed up to ours.
        let mut text = "[other]\n".to_owned();
        for _ in 0..random.below(4) {
            text += &format!("{}\n", random.of(&LINES[..10]));
        }
        text += &format!("[mine]{}\n", random.of(&["", " tail", "]"]));
        text += &format!(
            "{}dbname={database}{}\nuser={user}\n{}\n",
            random.of(&["", " ", "\t"]),
            random.of(&["", " ", "\r"]),
            random.of(&["", "dbname=late", "[mine]\ndbname=late", "[x"])
        );
        write(&path, text.as_bytes());
        let found = service::lookup("mine", &environment)
            .unwrap_or_else(|error| panic!("round {round}: {text:?}: {error}"));
        assert_eq!(
            (found.get("dbname"), found.get("user")),
            (Some(database.as_str()), Some(user.as_str())),
            "round {round}: {text:?}"
        );
        let resolved = resolve(&Request::new(Some("service=mine")), &environment).unwrap();
        assert_eq!(
            (resolved.database(), resolved.user()),
            (database.as_str(), user.as_str())
        );
        // Anything else ends with a place in the file, and without a secret.
        let lines: Vec<&str> = (0..random.below(8)).map(|_| random.of(LINES)).collect();
        write(&path, lines.join("\n").as_bytes());
        if let Err(error) = resolve(
            &Request::new(None).service(random.of(&["mine", "other", "", "]", "unclosed"])),
            &environment,
        ) {
            assert!(
                !error.message.is_empty() && !error.message.contains("s3cret"),
                "{lines:?}: {error}"
            );
        }
    }
}
