//! What a command of manage.py said, and what that means. Pure, so that every way of being fooled
//! is a unit test.

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
    /// Everything that the command said.
    pub output: String,
    /// The database that the answer is about, where there are several.
    pub alias: Option<String>,
}

impl Answer {
    /// It could not be told.
    pub fn unknown(reason: &'static str, msg: String) -> Answer {
        Answer {
            verdict: Verdict::Unknown,
            reason: Some(reason),
            msg,
            output: String::new(),
            alias: None,
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

/// What a database said, in a traceback: one word, and the line. `makemigrations` only warns that
/// the history cannot be read, and exits 0.
fn database(err: &str) -> Option<(Verdict, &'static str, String)> {
    let signs = [
        "OperationalError:",
        "Got an error checking a consistent migration history",
        "InterfaceError:",
    ];
    let at = err
        .lines()
        .position(|line| signs.iter().any(|sign| line.contains(sign)))?;
    // psycopg writes the server's words on the lines below.
    let words: Vec<&str> = err.lines().skip(at).take(4).map(str::trim).collect();
    let all = words.join(" ");
    let line = words.first().copied().unwrap_or_default();
    let has = |signs: &[&str]| signs.iter().any(|sign| all.contains(sign));
    let (verdict, reason, what) = if has(REFUSALS) {
        (Verdict::Unmet, "login", "the database refuses the login")
    } else if has(&["does not exist", "Unknown database"]) && !has(TABLES) {
        (Verdict::Unmet, "no_database", "there is no such database")
    } else if has(TABLES) {
        (
            Verdict::Unmet,
            "schema",
            "the database lacks what the models need",
        )
    } else if has(&[
        "database is locked",
        "too many clients",
        "too many connections",
    ]) {
        (Verdict::Unknown, "busy", "the database is busy")
    } else {
        (Verdict::Unknown, "database", "the database does not answer")
    };
    Some((verdict, reason, format!("{what}: {line}")))
}

/// A server that answers, and says no.
const REFUSALS: &[&str] = &[
    "password authentication failed",
    "no password supplied",
    "authentication failed for user",
    "no pg_hba.conf entry",
    "Access denied for user",
    "role \"",
    "permission denied",
    "unable to open database file",
];

/// A database that answers, and is not what the models are.
const TABLES: &[&str] = &[
    "no such table",
    "no such column",
    "relation \"",
    "column ",
    "Unknown column",
];

/// The answer over several databases: the worst, and which database gave it.
pub fn together(answers: Vec<(&str, Answer)>) -> Answer {
    let rank = |answer: &Answer| match answer.verdict {
        Verdict::Unmet => 0,
        Verdict::Unknown => 1,
        Verdict::Met => 2,
    };
    let count = answers.len();
    let bad: Vec<String> = answers
        .iter()
        .filter(|(_, answer)| answer.verdict != Verdict::Met)
        .map(|(alias, answer)| format!("database '{alias}': {}", answer.msg))
        .collect();
    let worst = answers.into_iter().min_by_key(|(_, answer)| rank(answer));
    match worst {
        Some((alias, answer)) => Answer {
            msg: match bad.is_empty() {
                true => format!("{} ({count} databases)", answer.msg),
                false => bad.join(", "),
            },
            alias: Some(alias.to_owned()),
            ..answer
        },
        None => Answer::unknown("error", "there is no database to ask".into()),
    }
}

/// Judges a command that ended by itself.
pub fn of(step: &str, finished: &Finished) -> Answer {
    let (out, err) = (finished.out(), finished.err());
    let answer = |verdict, reason, msg: String| Answer {
        verdict,
        reason,
        msg,
        output: format!("{}\n{}", out.trim_end(), err.trim()),
        alias: None,
    };
    if let Some((verdict, reason, msg)) = database(&err) {
        return answer(verdict, Some(reason), msg);
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
            "exit status 0 without the usual output: settings or manage.py may end the program"
                .into(),
        ),
        (Ending::Exit(code), _) => {
            let (reason, line) = refusal(step, &out, &err);
            let line = line.unwrap_or_else(|| finished.last_words());
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
fn refusal(step: &str, out: &str, err: &str) -> (&'static str, Option<String>) {
    let lines: Vec<&str> = out.lines().chain(err.lines()).map(str::trim).collect();
    let first = |holds: &dyn Fn(&str) -> bool| {
        let mut found = lines.iter().copied();
        found.find(|line| holds(line)).map(str::to_string)
    };
    let last = |holds: &dyn Fn(&str) -> bool| {
        let mut found = lines.iter().rev().copied();
        found.find(|line| holds(line)).map(str::to_string)
    };
    let usage = last(&|line| {
        line.contains("error: unrecognized arguments") || line.starts_with("Unknown command:")
    });
    if usage.is_some() {
        return ("usage", usage);
    }
    let migrations = first(&|line| line.starts_with("Migrations for '"));
    let planned = lines
        .iter()
        .position(|line| line.starts_with("Planned operations"));
    match (step, planned) {
        ("makemigrations", _) if migrations.is_some() => ("missing_migration", migrations),
        ("migrate", Some(at)) => (
            "unapplied",
            lines.get(at + 1).map(|line| (*line).to_string()),
        ),
        ("check", _) if first(&|line| line.starts_with("System check identified ")).is_some() => {
            ("warnings", warnings(&lines))
        }
        _ => {
            let error = last(&|line| {
                line.contains("Error") && line.contains(':') && !line.starts_with("File ")
            });
            ("failed", error)
        }
    }
}

/// How many warnings there are, the id of each, and the text of the first:
/// `?: (security.W004) You have not set a value …`.
fn warnings(lines: &[&str]) -> Option<String> {
    let id = |line: &str| {
        let (_, rest) = line.split_once(": (")?;
        let (id, _) = rest.split_once(')')?;
        let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_');
        (id.contains('.') && id.chars().all(fits)).then(|| id.to_string())
    };
    let found: Vec<(String, &str)> = lines
        .iter()
        .filter_map(|line| Some((id(line)?, *line)))
        .collect();
    let (_, first) = found.first()?;
    let ids: Vec<&str> = found.iter().map(|(id, _)| id.as_str()).collect();
    Some(match found.len() {
        1 => (*first).to_string(),
        count => format!("{count} issues ({}), the first: {first}", ids.join(", ")),
    })
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
    fn every_warning_is_counted() {
        let lines = [
            "?: (security.W004) You",
            "app.A.x: (fields.W340) null",
            "System check",
        ];
        let text = warnings(&lines).unwrap_or_default();
        assert_eq!(
            text,
            "2 issues (security.W004, fields.W340), the first: ?: (security.W004) You"
        );
    }

    #[test]
    fn the_worst_database_decides() {
        let met = |msg: &str| Answer {
            verdict: Verdict::Met,
            reason: None,
            msg: msg.into(),
            output: String::new(),
            alias: None,
        };
        let unapplied = Answer {
            verdict: Verdict::Unmet,
            reason: Some("unapplied"),
            ..met("app.0001_initial")
        };
        let answer = together(vec![("default", met("ok")), ("other", unapplied)]);
        assert_eq!(answer.verdict, Verdict::Unmet);
        assert_eq!(answer.alias.as_deref(), Some("other"));
        assert_eq!(answer.msg, "database 'other': app.0001_initial");
        let answer = together(vec![("default", met("ok")), ("other", met("ok"))]);
        assert_eq!(answer.msg, "ok (2 databases)");
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
                1,
                "",
                "django.db.utils.OperationalError: connection to server at \"127.0.0.1\", port 5432 failed: FATAL:  password authentication failed for user \"app\"",
                (Verdict::Unmet, Some("login")),
            ),
            (
                "migrate",
                1,
                "",
                "django.db.utils.OperationalError: connection failed: FATAL:  database \"nope\" does not exist",
                (Verdict::Unmet, Some("no_database")),
            ),
            (
                "check",
                1,
                "",
                "django.db.utils.OperationalError: no such column: app_x.y",
                (Verdict::Unmet, Some("schema")),
            ),
            (
                "migrate",
                1,
                "",
                "django.db.utils.OperationalError: database is locked",
                (Verdict::Unknown, Some("busy")),
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
