//! What closes a gap: the one type that every tool reports under the key `fix`.
//!
//! A fix is applied by people and by scripts (`jq -r '.items[].fix.steps[]? |
//! select(.kind=="shell") | .text'`), so each step can be copied as it stands: every word is quoted
//! for the program that reads the step, and a step of one kind holds nothing of another kind. A fix
//! never widens rights beyond the request and never deletes anything; the rare fix that has to is
//! marked with [`Fix::destructive`] and names what is lost in its summary.

use crate::report::Text;
use crate::shell;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The program that reads a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum StepKind {
    /// A command line for sh.
    Shell,
    /// One SQL statement for psql, without the final semicolon.
    Sql,
    /// A change that a person makes in a file; the text names the file and the lines.
    Edit,
}

/// One step of a fix.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Step {
    /// The program that reads the step.
    pub kind: StepKind,
    /// The account that runs the step: root, another user's name, or a PostgreSQL role for SQL.
    #[serde(rename = "as")]
    pub actor: String,
    /// The step, to be copied as it stands.
    pub text: String,
}

/// A way to close a gap.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Fix {
    /// What the fix does, for a person.
    pub summary: String,
    /// The steps, in order; none where only a person can decide.
    pub steps: Vec<Step>,
    /// Whether data, rights or settings are lost: such a fix does not belong in a repair script.
    pub destructive: bool,
    /// Other ways to close the same gap.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub alternatives: Vec<Fix>,
}

impl Fix {
    /// Advice without steps.
    #[must_use]
    pub fn advice(summary: impl Into<String>) -> Fix {
        Fix {
            summary: summary.into(),
            steps: Vec::new(),
            destructive: false,
            alternatives: Vec::new(),
        }
    }

    /// Adds a command line that `actor` runs, given as words; each word is quoted for sh.
    #[must_use]
    pub fn command<S: AsRef<str>>(self, actor: &str, words: &[S]) -> Fix {
        self.step(StepKind::Shell, actor, shell::line(words))
    }

    /// Adds a command line that `actor` runs, already quoted for sh.
    #[must_use]
    pub fn shell(self, actor: &str, line: impl Into<String>) -> Fix {
        self.step(StepKind::Shell, actor, line)
    }

    /// Adds a statement that the PostgreSQL role `actor` runs.
    #[must_use]
    pub fn sql(self, actor: &str, statement: impl Into<String>) -> Fix {
        self.step(StepKind::Sql, actor, statement)
    }

    /// Adds a change that `actor` makes in a file.
    #[must_use]
    pub fn edit(self, actor: &str, change: impl Into<String>) -> Fix {
        self.step(StepKind::Edit, actor, change)
    }

    /// Adds a step.
    #[must_use]
    pub fn step(mut self, kind: StepKind, actor: &str, text: impl Into<String>) -> Fix {
        self.steps.push(Step {
            kind,
            actor: actor.to_owned(),
            text: text.into(),
        });
        self
    }

    /// Marks the fix as one that loses something; `summary` has to name what is lost.
    #[must_use]
    pub fn destructive(mut self) -> Fix {
        self.destructive = true;
        self
    }

    /// Adds another way to close the gap.
    #[must_use]
    pub fn or(mut self, other: Fix) -> Fix {
        self.alternatives.push(other);
        self
    }

    /// Prints the fix below a row: the summary, then each step with the account that runs it where
    /// that is not the reader.
    pub fn text(&self, out: &mut Text) {
        let mark = if self.destructive {
            "fix (destructive)"
        } else {
            "fix"
        };
        out.note(format!("{mark}: {}", self.summary));
        for step in &self.steps {
            out.step(step.shown());
        }
        for other in &self.alternatives {
            let mark = if other.destructive {
                "or (destructive)"
            } else {
                "or"
            };
            out.note(format!("{mark}: {}", other.summary));
            for step in &other.steps {
                out.step(step.shown());
            }
        }
    }
}

impl Step {
    /// The step for a person: `(as postgres, SQL) CREATE EXTENSION hstore`.
    #[must_use]
    pub fn shown(&self) -> String {
        match self.kind {
            StepKind::Shell => format!("(as {}) {}", self.actor, self.text),
            StepKind::Sql => format!("(as {}, SQL) {};", self.actor, self.text),
            StepKind::Edit => format!("(as {}, edit) {}", self.actor, self.text),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_quoted_for_their_reader() {
        let fix = Fix::advice("make the directory")
            .command("root", &["install", "-d", "/srv/my site"])
            .sql("postgres", "CREATE EXTENSION hstore")
            .or(Fix::advice("drop the column \"x\"").destructive());
        assert_eq!(fix.steps[0].text, "install -d '/srv/my site'");
        assert_eq!(
            fix.steps[1].shown(),
            "(as postgres, SQL) CREATE EXTENSION hstore;"
        );
        let json = serde_json::to_value(&fix).unwrap_or_default();
        assert_eq!(json["steps"][0]["as"], "root");
        assert_eq!(json["steps"][0]["kind"], "shell");
        assert_eq!(json["alternatives"][0]["destructive"], true);
    }
}
