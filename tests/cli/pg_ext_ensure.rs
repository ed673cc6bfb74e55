//! pg-ext-ensure's command line: what it refuses before it contacts any server.

use harness::{Tool, tool};

fn bare() -> Tool {
    tool("pg-ext-ensure")
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .env("HOME", "/nonexistent")
        .env("PGHOST", "/nonexistent")
}

#[test]
fn wrong_usage_is_2_and_says_what_would_be_right() {
    let cases: &[(&[&str], &str)] = &[
        (&[], "no extension is named"),
        (
            &["hstore", "hstore@1.4"],
            "'hstore' is asked for in two ways",
        ),
        (
            &["hstore", "--absent", "hstore"],
            "to be present and to be absent",
        ),
        (&["--absent", "hstore@1.4"], "has no version"),
        (&["hstore@"], "a name is empty"),
        (&["--db", "a", "--all-dbs", "hstore"], "--db and --all-dbs"),
        (
            &["--db-exclude", "a*", "hstore"],
            "--db-exclude needs --all-dbs",
        ),
        (
            &["--all-dbs", "--db-exclude", "[", "hstore"],
            "--db-exclude",
        ),
        (
            &["-d", "hots=x", "hstore"],
            "invalid connection option \"hots\"",
        ),
        (
            &["-d", "postgres://h:1,h:2/x?port=x", "hstore"],
            "invalid port number",
        ),
        (
            &["-d", "host=a,b port=1,2,3", "hstore"],
            "could not match 3 port numbers to 2 hosts",
        ),
        (
            &["--service", "nosuch", "hstore"],
            "definition of service \"nosuch\" not found",
        ),
        (
            &["-d", "sslmode=sometimes", "hstore"],
            "invalid sslmode value",
        ),
        (&["--lock-timeout", "soon", "hstore"], "--lock-timeout"),
    ];
    for (words, message) in cases {
        bare()
            .args(*words)
            .run()
            .expect_code(2)
            .expect_silence()
            .expect_err(message);
    }
}

#[test]
fn nothing_answers_is_75_with_a_report() {
    let report = bare().arg("hstore").run().expect_code(75).json();
    assert_eq!(report["status"], "retry");
    assert_eq!(report["error"]["kind"], "unreachable");
    assert_eq!(report["items"][0]["error"]["sqlstate"], "08001");
    assert_eq!(report["server"], serde_json::Value::Null);
}

#[test]
fn a_spec_file_is_read_strictly() {
    let read = |text: &str| bare().args(["--spec", "-"]).input(text).run();
    read("extensions = [\"hstore\"]\nextension = []\n")
        .expect_code(2)
        .expect_silence()
        .expect_err("2:1");
    read("extensions = [\"hstore@\"]\n")
        .expect_code(2)
        .expect_err("a name is empty");
    read("{\"extensions\": [1]}")
        .expect_code(2)
        .expect_err("1:");
    let report = read("databases = [\"a\", \"b\"]\nextensions = [\"hstore\"]\n[[database]]\nname = \"c\"\nabsent = [\"citext\"]\n")
        .expect_code(75)
        .json();
    let items: Vec<String> = report["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|i| format!("{}.{}.{}", i["db"], i["name"], i["want"]["state"]))
        .collect();
    assert_eq!(
        items,
        [
            "\"a\".\"hstore\".\"present\"",
            "\"b\".\"hstore\".\"present\"",
            "\"c\".\"citext\".\"absent\""
        ]
    );
}

#[test]
fn no_password_is_shown() {
    let dsn = "postgres://app:s3cret@127.0.0.1:1/x?sslpassword=s3cret";
    for words in [
        &["-d", dsn, "hstore"][..],
        &["-d", "password='s3cret' x", "hstore"],
        &["-d", dsn, "-v", "-o", "text", "hstore"],
    ] {
        let output = bare().args(words).run();
        assert!(
            !output.out().contains("s3cret") && !output.err().contains("s3cret"),
            "{}{}",
            output.out(),
            output.err()
        );
    }
}

/// Where a person reads both streams, an error stands in the report alone; whoever reads only one
/// of them finds the error in each.
#[test]
fn an_error_is_told_once_on_a_terminal() {
    use std::io::Read;
    let read = |all: bool| {
        let pty = nix::pty::openpty(None, None).unwrap();
        let mut tool = bare().arg("hstore");
        let command = tool.command().stdin(std::process::Stdio::null());
        command.stdout(pty.slave.try_clone().unwrap());
        if all {
            command.stderr(pty.slave);
        } else {
            drop(pty.slave);
            command.stderr(std::process::Stdio::piped());
        }
        let mut child = command.spawn().unwrap();
        drop(tool);
        let mut master = std::fs::File::from(pty.master);
        let (mut text, mut buffer) = (Vec::new(), [0u8; 4096]);
        while let Ok(n @ 1..) = master.read(&mut buffer) {
            text.extend_from_slice(&buffer[..n]);
        }
        let mut errors = String::new();
        if let Some(mut stderr) = child.stderr.take() {
            stderr.read_to_string(&mut errors).unwrap();
        }
        assert_eq!(child.wait().unwrap().code(), Some(75));
        (String::from_utf8(text).unwrap(), errors)
    };
    let words = "No such file or directory";
    let (both, _) = read(true);
    assert_eq!(both.matches(words).count(), 1, "{both}");
    assert!(!both.contains("pg-ext-ensure:"), "{both}");
    let (report, errors) = read(false);
    assert_eq!(
        (report.matches(words).count(), errors.matches(words).count()),
        (1, 1),
        "{report}{errors}"
    );
}
