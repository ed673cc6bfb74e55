//! Secrets of this run, known by where they come from: every value of an environment file and of an
//! `env` table, and the password of every connection. What a check reports is masked by these before
//! the report is made, whatever the names of the variables are.

use base::Fix;
use base::fix::StepKind;
use base::mask;
use std::sync::{PoisonError, RwLock};

static SECRETS: RwLock<Vec<String>> = RwLock::new(Vec::new());

/// Marks a value as secret. A value of one or two bytes would mask parts of ordinary words.
pub fn remember(value: &str) {
    if value.len() < 3 {
        return;
    }
    let mut secrets = SECRETS.write().unwrap_or_else(PoisonError::into_inner);
    // What a traceback or a shell prints is the value as repr() or as a quoted word.
    let escaped = value.replace('\\', "\\\\").replace('\'', "\\'");
    for form in [value.to_owned(), escaped, value.replace('\'', "'\\''")] {
        if !secrets.contains(&form) {
            secrets.push(form);
        }
    }
    // The longest first: a secret may hold another one.
    secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
}

/// `text` without secrets.
pub fn masked(text: &str) -> String {
    let secrets = SECRETS.read().unwrap_or_else(PoisonError::into_inner);
    let text = secrets
        .iter()
        .filter(|secret| text.contains(secret.as_str()))
        .fold(text.to_owned(), |text, secret| {
            text.replace(secret.as_str(), mask::MASK)
        });
    mask::text(&text)
}

/// A fix without secrets. A step that would hold one cannot be run as printed, so the step becomes one
/// for a person.
pub fn fix(mut fix: Fix) -> Fix {
    fix.summary = masked(&fix.summary);
    for step in &mut fix.steps {
        let text = masked(&step.text);
        if text != step.text {
            step.kind = StepKind::Edit;
            step.text = format!("with the secret in the place of {}: {text}", mask::MASK);
        }
    }
    fix.alternatives = fix.alternatives.into_iter().map(self::fix).collect();
    fix
}
