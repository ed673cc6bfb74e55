//! No secret leaves a tool: not in a report, not in a journal, not in an error.

use harness::{scratch, tool};

/// What a COMMAND may print, and what of that is secret.
const SAID: &str = "clé=valeur ‘foo=bar’\npassword: hunter2one\n{\"password\": \"hunter2two\"}\n\
    Authorization: Bearer hunter2three\n+ curl -u joe:hunter2four http://x\npostgres://u:hunter2five@h/d\n";

#[test]
fn a_command_that_fails_shows_its_last_words_without_secrets() {
    let dir = scratch();
    let journal = dir.path().join("journal");
    let page = dir.path().join("page");
    let script = format!("printf '%s' '{SAID}'; exit 7");
    let done = tool("maint-page")
        .args(["during", "--dir"])
        .arg(&page)
        .args(["--on-failure", "off", "--journal"])
        .arg(&journal)
        .args(["--", "sh", "-c", &script, "--password", "hunter2six"])
        .run()
        .expect_code(7);
    let report = done.json();
    let tail = report["ran"]["tail"].as_str().unwrap();
    assert!(
        tail.starts_with("clé=valeur ‘foo=bar’\npassword: ***\n"),
        "{tail}"
    );
    let written = std::fs::read_to_string(&journal).unwrap();
    for text in [report.to_string(), written] {
        assert!(!text.contains("hunter2"), "{text}");
        assert!(text.contains("clé=valeur"), "{text}");
    }
}

#[test]
fn an_argument_with_a_letter_of_several_bytes_is_an_argument() {
    for (name, args) in [
        ("check-reqs", &["cmd:é=1"] as &[&str]),
        ("venv-sync", &["check", "é=1", "-r", "clé=valeur"]),
        ("cron-render", &["lint", "é=1"]),
        ("log-paths", &["--conf", "é=1"]),
        ("svc-cycle", &["status", "é=1:é=2"]),
        ("pg-ext-ensure", &["--dsn", "é=1", "plpgsql"]),
    ] {
        let done = tool(name).args(args.iter().copied()).run();
        assert!(!done.err().contains("internal error"), "{}", done.err());
    }
}
