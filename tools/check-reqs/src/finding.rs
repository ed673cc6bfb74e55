//! The answer of one look at the host. A check says unmet when it has seen that something is
//! missing, and unknown whenever it could not see: no permission, no service manager, no time left.

use base::Fix;

/// The verdict about one requirement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The host meets the requirement.
    Met,
    /// The host does not meet the requirement.
    Unmet,
    /// The tool could not find out.
    Unknown,
}

/// The answer of one look.
#[derive(Clone, Debug)]
pub struct Finding {
    /// The answer.
    pub verdict: Verdict,
    /// What is there.
    pub found: Option<String>,
    /// One word for programs: `missing`, `version`, `timeout`.
    pub reason: Option<&'static str>,
    /// A sentence for people.
    pub msg: String,
    /// How to close the gap.
    pub fix: Option<Fix>,
    /// What the answer rests on: a path, the end of a command's output.
    pub evidence: Option<String>,
}

impl Finding {
    /// The host meets the requirement.
    pub fn met(found: impl Into<String>, msg: impl Into<String>) -> Finding {
        Finding {
            verdict: Verdict::Met,
            found: Some(found.into()),
            reason: None,
            msg: msg.into(),
            fix: None,
            evidence: None,
        }
    }

    /// It is not so.
    pub fn unmet(reason: &'static str, msg: impl Into<String>) -> Finding {
        Finding {
            verdict: Verdict::Unmet,
            found: None,
            reason: Some(reason),
            msg: msg.into(),
            fix: None,
            evidence: None,
        }
    }

    /// It could not be seen.
    pub fn unknown(reason: &'static str, msg: impl Into<String>) -> Finding {
        Finding {
            verdict: Verdict::Unknown,
            found: None,
            reason: Some(reason),
            msg: msg.into(),
            fix: None,
            evidence: None,
        }
    }

    /// The time was up.
    pub fn timeout(what: impl std::fmt::Display) -> Finding {
        Finding::unknown("timeout", format!("{what}: no answer in time"))
    }

    /// Unmet where nothing is there, unknown where it could not be looked at.
    pub fn io(what: impl std::fmt::Display, error: &std::io::Error) -> Finding {
        let msg = format!("{what}: {}", base::error::plain(error));
        match error.kind() {
            std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory => {
                Finding::unmet("missing", msg)
            }
            std::io::ErrorKind::PermissionDenied => Finding::unknown("permission", msg),
            std::io::ErrorKind::TimedOut | std::io::ErrorKind::WouldBlock => {
                Finding::unknown("timeout", msg)
            }
            _ => Finding::unknown("error", msg),
        }
    }

    /// With what is there.
    #[must_use]
    pub fn found(mut self, found: impl Into<String>) -> Finding {
        self.found = Some(found.into());
        self
    }

    /// With a way to close the gap.
    #[must_use]
    pub fn fix(mut self, fix: Fix) -> Finding {
        self.fix = Some(fix);
        self
    }

    /// With what it rests on; an empty text says nothing.
    #[must_use]
    pub fn evidence(mut self, evidence: impl Into<String>) -> Finding {
        self.evidence = Some(evidence.into()).filter(|text| !text.is_empty());
        self
    }
}

/// The last lines of an output, as evidence: at most 2 KiB, cut where a character begins.
pub fn tail(text: &str) -> String {
    let text = text.trim_end();
    let mut start = text.len().saturating_sub(2048);
    while !text.is_char_boundary(start) {
        start += 1;
    }
    text[start..].to_string()
}
