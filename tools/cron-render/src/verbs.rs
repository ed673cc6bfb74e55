//! The commands that only read a template: render, lint, explain.

use base::error::{Error, Result};
use base::report::{Raw, Report, Status};
use base::tool::{Context, Format as Output};

use crate::explain;
use crate::field::Reading;
use crate::finding::Code;
use crate::hashed::Seed;
use crate::host;
use crate::lint;
use crate::report::{CronReport, Item, Voice};
use crate::request::Request;
use crate::schedule::{self, Written};
use crate::template::BadSchedule;
use crate::work::{Work, count};

impl Work {
    /// `render`.
    ///
    /// # Errors
    /// `Kind::Input` for a template with errors.
    pub fn render(self, context: &Context) -> Result<Report<CronReport>> {
        // Whether user and file exist is asked where it is installed.
        self.demand(|code| !matches!(code, Code::E10 | Code::E12 | Code::E14))?;
        let (jobs, text) = self.finished()?;
        if context.format == Output::Text {
            self.mention();
        }
        let moved = self
            .placed
            .iter()
            .filter(|p| p.moved_from.is_some())
            .count();
        let mut msg = format!("{} rendered", count(jobs.len(), "job"));
        if moved > 0 {
            msg += &format!(", {moved} moved");
        }
        let body = CronReport {
            items: self.items(Some(&jobs)),
            rendered: Some(String::from_utf8_lossy(&text).into_owned()),
            rendered_b64: base::bytes::exact_bytes(&text),
            findings: self.findings,
            ..CronReport::default()
        };
        Ok(Report::new(Status::Ok, msg, body)
            .warnings(self.warnings)
            .raw(Raw::AsText(text)))
    }

    /// Findings for a person who asked for the text alone: on standard error.
    fn mention(&self) {
        for f in &self.findings {
            let place = if f.line == 0 {
                "site".to_owned()
            } else {
                format!("{}:{}:{}", self.template.name, f.line, f.column)
            };
            base::tool::say(&base::terminal::escape_lines(&format!(
                "{place}: {} {}",
                f.code.name(),
                f.message
            )));
            base::tool::say("\n");
        }
    }

    /// `lint`.
    ///
    /// # Errors
    /// None so far.
    pub fn lint(self) -> Result<Report<CronReport>> {
        let errors = self.findings.iter().filter(|f| f.is_error()).count();
        let warnings = self.findings.len() - errors;
        let status = if errors > 0 { Status::No } else { Status::Ok };
        let msg = format!(
            "{}: {}, {}",
            count(self.template.jobs.len() + self.template.bad.len(), "job"),
            count(errors, "error"),
            count(warnings, "warning")
        );
        let body = CronReport {
            findings: self.findings,
            voice: Voice::Lint,
            ..CronReport::default()
        };
        Ok(Report::new(status, msg, body))
    }

    /// `explain`.
    ///
    /// # Errors
    /// `Kind::Input` for a schedule that is none.
    pub fn explain(self) -> Result<Report<CronReport>> {
        self.demand(|code| matches!(code, Code::E01 | Code::E02))?;
        let mut items = self.items(None);
        for ((item, placed), job) in items.iter_mut().zip(&self.placed).zip(&self.template.jobs) {
            item.explanation = Some(if job.written.is_random() {
                explain::written(&job.written)
            } else {
                explain::english(&placed.schedule)
            });
        }
        let msg = count(items.len(), "schedule");
        let body = CronReport {
            items,
            findings: self.findings,
            voice: Voice::Explain,
            ..CronReport::default()
        };
        Ok(Report::new(Status::Ok, msg, body))
    }
}

/// `explain -e EXPR`.
///
/// # Errors
/// `Kind::Input` for a schedule that is none.
pub fn explain_expressions(
    expressions: &[String],
    request: &Request,
    context: &Context,
) -> Result<Report<CronReport>> {
    let mut items = Vec::new();
    for (text, written) in expressions_of(expressions, request, context)? {
        items.push(Item {
            schedule: text,
            kind: written.schedule.kind(),
            explanation: Some(explain::written(&written)),
            ..Item::default()
        });
    }
    let msg = count(items.len(), "schedule");
    Ok(Report::new(
        Status::Ok,
        msg,
        CronReport {
            items,
            voice: Voice::Explain,
            ..CronReport::default()
        },
    ))
}

/// The schedules of `-e EXPR`.
///
/// # Errors
/// `Kind::Usage` for a schedule that is none.
pub fn expressions_of(
    expressions: &[String],
    request: &Request,
    context: &Context,
) -> Result<Vec<(String, Written)>> {
    let dialect = request
        .facts
        .dialect
        .unwrap_or_else(|| host::usual(context.deadline));
    let seed = Seed {
        site: request.facts.name.as_deref().unwrap_or("site"),
        job: "",
    };
    let reading = Reading {
        dialect,
        seed: Some(seed),
    };
    let each = expressions.iter().map(|text| {
        let text = text.trim();
        let written = schedule::read_alone(text.as_bytes(), reading).map_err(|error| {
            let bad = BadSchedule::alone(text, error);
            let (_, message, fix) = lint::refusal(&bad);
            Error::usage(format!("-e '{text}': {message}")).hint(fix.summary)
        })?;
        Ok((text.to_owned(), written))
    });
    each.collect()
}
