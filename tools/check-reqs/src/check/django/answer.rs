//! What a command of manage.py said, and what that means. Pure, so that every way of being fooled is a unit test.

use crate::finding::Verdict;
use base::child::{Ending, Finished};

/// One command's answer.
#[derive(Clone, Debug)]
pub struct Answer {
    /// Met, unmet or unknown.
    pub verdict: Verdict,
    /// One word.
    pub reason: Option<&'static str>,
    /// One line.
    pub msg: String,
    /// Everything it said.
    pub output: String,
}

impl Answer {
    /// It could not be told.
    pub fn unknown(reason: &'static str, msg: String) -> Answer {
        Answer {
            verdict: Verdict::Unknown,
            reason: Some(reason),
            msg,
            output: String::new(),
        }
    }
}

/// The words that each command says where all is well.
fn own_line<'o>(step: &str, out: &'o str, err: &'o str) -> Option<&'o str> {
    let line = |text: &'o str, holds: &dyn Fn(&str) -> bool| {
        text.lines().map(str::trim).find(|line| holds(line))
    };
    match step {
        "check" => line(out, &|l| l.starts_with("System check identified no issues"))
            .or_else(|| line(err, &|l| l.starts_with("System check identified no issues"))),
        "makemigrations" => line(out, &|l| l.starts_with("No changes detected")),
        "migrate" => line(out, &|l| l == "No planned migration operations."),
        "collectstatic" => line(out, &|l| {
            l.contains(" static file") && l.starts_with(|c: char| c.is_ascii_digit())
        }),
        // A command that is not known here says what it likes, but something.
        _ => line(out, &|l| !l.is_empty()).or_else(|| line(err, &|l| !l.is_empty())),
    }
}

/// Django's own words for a database that does not answer; `makemigrations` only warns about it, and exits 0.
fn database_down(err: &str) -> Option<&str> {
    let signs = [
        "OperationalError:",
        "Got an error checking a consistent migration history",
        "InterfaceError:",
    ];
    err.lines()
        .map(str::trim)
        .rfind(|line| signs.iter().any(|sign| line.contains(sign)))
}

/// Judges a command that ended by itself.
pub fn of(step: &str, finished: &Finished) -> Answer {
    let (out, err) = (finished.out(), finished.err());
    let answer = |verdict, reason, msg: String| Answer {
        verdict,
        reason,
        msg,
        output: format!("{}\n{}", out.trim_end(), err.trim()),
    };
    if let Some(line) = database_down(&err) {
        return answer(
            Verdict::Unknown,
            Some("database"),
            format!("the database does not answer: {line}"),
        );
    }
    if let Some(line) = err
        .lines()
        .rfind(|line| line.contains("[Errno 28]") || line.contains("[Errno 122]"))
    {
        return answer(
            Verdict::Unknown,
            Some("no_space"),
            format!("no room to collect files: {}", line.trim()),
        );
    }
    match (finished.ending, own_line(step, &out, &err)) {
        (Ending::Exit(0), Some(line)) => answer(Verdict::Met, None, line.to_string()),
        (Ending::Exit(0), None) => answer(
            Verdict::Unknown,
            Some("no_answer"),
            "exit status 0, but none of its own words: settings or manage.py may end the program"
                .into(),
        ),
        (Ending::Exit(code), _) => {
            let (reason, line) = refusal(step, &out, &err);
            let line = line.map_or_else(|| finished.last_words(), str::to_string);
            let line = if line.is_empty() {
                format!("exit status {code} without a word")
            } else {
                line
            };
            match reason {
                "usage" => answer(Verdict::Unknown, Some("usage"), line),
                _ => answer(Verdict::Unmet, Some(reason), line),
            }
        }
        (Ending::Signal(number), _) => answer(
            Verdict::Unknown,
            Some("signal"),
            format!("ended by signal {number}"),
        ),
    }
}

/// Why a command says no.
fn refusal<'o>(step: &str, out: &'o str, err: &'o str) -> (&'static str, Option<&'o str>) {
    let all = || out.lines().chain(err.lines()).map(str::trim);
    if let Some(line) = all().rfind(|line| {
        line.contains("error: unrecognized arguments") || line.starts_with("Unknown command:")
    }) {
        return ("usage", Some(line));
    }
    match step {
        "makemigrations" if all().any(|line| line.starts_with("Migrations for '")) => (
            "missing_migration",
            all().find(|line| line.starts_with("Migrations for '")),
        ),
        "migrate" if all().any(|line| line.starts_with("Planned operations")) => {
            let next = all()
                .skip_while(|line| !line.starts_with("Planned operations"))
                .nth(1);
            ("unapplied", next)
        }
        "check" if all().any(|line| line.starts_with("System check identified ")) => (
            "warnings",
            all().find(|line| {
                line.starts_with("?: (") || (line.contains(": (") && line.contains('.'))
            }),
        ),
        _ => (
            "failed",
            all().rfind(|line| {
                line.contains("Error") && line.contains(':') && !line.starts_with("File ")
            }),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn judged(step: &str, code: i32, out: &str, err: &str) -> (Verdict, Option<&'static str>) {
        let finished = Finished {
            ending: Ending::Exit(code),
            timed_out: false,
            interrupted: None,
            stdout: out.into(),
            stderr: err.into(),
            truncated: false,
            elapsed: Duration::ZERO,
        };
        let answer = of(step, &finished);
        (answer.verdict, answer.reason)
    }

    #[test]
    fn an_exit_status_alone_is_not_believed() {
        let down = "RuntimeWarning: Got an error checking a consistent migration history performed for database connection 'default': x";
        for (step, code, out, err, answer) in [
            (
                "check",
                0,
                "System check identified no issues (0 silenced).\n",
                "",
                (Verdict::Met, None),
            ),
            ("check", 0, "", "", (Verdict::Unknown, Some("no_answer"))),
            (
                "check",
                1,
                "",
                "SystemCheckError: System check identified some issues:\n\nWARNINGS:\n?: (security.W004) x\n\nSystem check identified 1 issue",
                (Verdict::Unmet, Some("warnings")),
            ),
            (
                "check",
                1,
                "",
                "ModuleNotFoundError: No module named 'site'",
                (Verdict::Unmet, Some("failed")),
            ),
            (
                "makemigrations",
                0,
                "No changes detected\n",
                "",
                (Verdict::Met, None),
            ),
            (
                "makemigrations",
                0,
                "No changes detected\n",
                down,
                (Verdict::Unknown, Some("database")),
            ),
            (
                "makemigrations",
                1,
                "Migrations for 'app':\n  app/migrations/0002_x.py\n",
                "",
                (Verdict::Unmet, Some("missing_migration")),
            ),
            ("migrate", 0, "", "", (Verdict::Unknown, Some("no_answer"))),
            (
                "migrate",
                0,
                "Planned operations:\n  No planned migration operations.\n",
                "",
                (Verdict::Met, None),
            ),
            (
                "migrate",
                1,
                "Planned operations:\napp.0001_initial\n    Create model X\n",
                "",
                (Verdict::Unmet, Some("unapplied")),
            ),
            (
                "migrate",
                1,
                "",
                "django.db.utils.OperationalError: connection refused",
                (Verdict::Unknown, Some("database")),
            ),
            (
                "migrate",
                2,
                "",
                "manage.py migrate: error: unrecognized arguments: --check",
                (Verdict::Unknown, Some("usage")),
            ),
            (
                "collectstatic",
                0,
                "\n120 static files copied to '/x'.\n",
                "",
                (Verdict::Met, None),
            ),
            (
                "collectstatic",
                0,
                "hello\n",
                "",
                (Verdict::Unknown, Some("no_answer")),
            ),
            (
                "collectstatic",
                1,
                "",
                "ValueError: The file 'x.png' could not be found with <S>.",
                (Verdict::Unmet, Some("failed")),
            ),
        ] {
            assert_eq!(judged(step, code, out, err), answer, "{step}: {out}{err}");
        }
    }
}
