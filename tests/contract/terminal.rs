//! On a terminal the report is text, in colour only where colour is wanted; -o decides otherwise.

use crate::sample;
use harness::Tool;
use std::io::Read;

/// Runs the tool with standard output on a terminal; what it printed, and its exit code.
fn on_a_terminal(mut tool: Tool) -> (String, Option<i32>) {
    let pty = nix::pty::openpty(None, None).unwrap();
    let mut child = tool
        .command()
        .stdin(std::process::Stdio::null())
        .stdout(pty.slave)
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    // The tool holds the last slave: the master reads an error once it has gone.
    drop(tool);
    let mut text = Vec::new();
    let mut master = std::fs::File::from(pty.master);
    let mut buffer = [0u8; 4096];
    while let Ok(n @ 1..) = master.read(&mut buffer) {
        text.extend_from_slice(&buffer[..n]);
    }
    (
        String::from_utf8(text).unwrap().replace("\r\n", "\n"),
        child.wait().unwrap().code(),
    )
}

#[test]
fn a_terminal_gets_text_with_the_summary_last() {
    for sample in sample::all() {
        let msg = sample.tool().run().json()["msg"]
            .as_str()
            .unwrap()
            .to_string();
        let (text, code) = on_a_terminal(sample.tool().env("TERM", "xterm").env_remove("NO_COLOR"));
        assert_eq!(code, Some(0), "{}: {text}", sample.name);
        assert!(
            serde_json::from_str::<serde_json::Value>(&text).is_err(),
            "{}: {text}",
            sample.name
        );
        assert!(
            text.lines().last().is_some_and(|l| !l.is_empty()),
            "{}: {text:?}",
            sample.name
        );
        let words = |s: &str| s.split_whitespace().count();
        assert_eq!(
            words(text.lines().last().unwrap()),
            words(&msg),
            "{}: {text}",
            sample.name
        );
    }
}

#[test]
fn colour_is_left_out_where_it_is_not_wanted() {
    for sample in sample::all() {
        let plain = [
            sample.tool().env("TERM", "xterm").env("NO_COLOR", "1"),
            sample.tool().env("TERM", "dumb").env_remove("NO_COLOR"),
            sample
                .with(&["--color", "never"])
                .env("TERM", "xterm")
                .env_remove("NO_COLOR"),
        ];
        for tool in plain {
            let (text, _) = on_a_terminal(tool);
            assert!(!text.contains('\x1b'), "{}: {text:?}", sample.name);
        }
        let piped = sample
            .with(&["-o", "text"])
            .env("TERM", "xterm")
            .run()
            .expect_code(0)
            .out();
        assert!(!piped.contains('\x1b'), "{}: {piped:?}", sample.name);
    }
}

#[test]
fn json_is_given_on_a_terminal_where_it_is_asked_for() {
    for sample in sample::all() {
        let (text, _) = on_a_terminal(sample.with(&["-o", "json"]));
        let report: serde_json::Value =
            serde_json::from_str(&text).unwrap_or_else(|e| panic!("{}: {e}: {text}", sample.name));
        assert_eq!(report["tool"], sample.name);
    }
}
