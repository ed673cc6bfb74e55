//! Does what a fix says, as a person would: each step in order, by the account or role that the
//! step names.

use serde_json::Value;
use std::process::{Command, Output};

/// Applies a fix whose steps are all for the shell, as root.
#[track_caller]
pub fn apply(fix: &Value) {
    apply_with(fix, |_, text| panic!("no database is here for: {text}"));
}

/// Applies a fix; `sql` runs a statement as a role. A step that a person has to edit fails the
/// test.
#[track_caller]
pub fn apply_with(fix: &Value, sql: impl Fn(&str, &str) -> Output) {
    let steps = fix["steps"]
        .as_array()
        .unwrap_or_else(|| panic!("no fix: {fix}"));
    assert!(!steps.is_empty(), "nothing to type: {fix:#}");
    for step in steps {
        let word = |key: &str| {
            step[key]
                .as_str()
                .unwrap_or_else(|| panic!("no {key}: {step}"))
        };
        let text = word("text");
        let output = match word("kind") {
            "sql" => sql(word("as"), text),
            "shell" => shell(text),
            other => panic!("a step of kind {other} is for people: {fix:#}"),
        };
        assert!(
            output.status.success(),
            "{text}\n{}{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
    }
}

/// Looks, applies the fix that `choose` finds in the report, and looks again: gives the second
/// report.
#[track_caller]
pub fn mended(look: impl Fn() -> Value, choose: impl Fn(&Value) -> Value) -> Value {
    let before = look();
    apply(&choose(&before));
    let after = look();
    assert_ne!(
        before["msg"], after["msg"],
        "the fix changed nothing: {after:#}"
    );
    after
}

/// A command line as somebody would paste it: the tools are on the PATH, and nothing else of the
/// tests' environment is there.
fn shell(line: &str) -> Output {
    let path = format!("{}:/usr/sbin:/usr/bin:/sbin:/bin", crate::tools().display());
    Command::new("/bin/sh")
        .args(["-ec", line])
        .env_clear()
        .envs([("PATH", path.as_str()), ("HOME", "/nonexistent")])
        .output()
        .expect("sh")
}
