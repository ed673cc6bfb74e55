//! Where a requirement was written, for messages with line and column.

use base::Error;
use base::child::Identity;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The most that `${NAME}` may add to a source, in bytes.
const MOST_FILLED: usize = 4 << 20;

/// The name and text of one source of requirements, for messages.
#[derive(Debug)]
pub struct Origin {
    /// What messages call it: a file's path, `standard input`, or the argument itself.
    pub name: String,
    /// The whole text.
    pub text: String,
    /// Where its lines begin; found once, since every requirement asks for its line.
    lines: OnceLock<Vec<usize>>,
    /// What `${NAME}` has added so far, in bytes.
    filled: AtomicUsize,
    /// Who can change the file, where that is not the caller: with this user's rights its
    /// requirements are looked at.
    pub user: Option<Identity>,
}

impl Clone for Origin {
    fn clone(&self) -> Origin {
        Origin::new(self.name.clone(), self.text.clone()).of(self.user.clone())
    }
}

impl Origin {
    /// A source of this name.
    pub fn new(name: impl Into<String>, text: impl Into<String>) -> Origin {
        Origin {
            name: name.into(),
            text: text.into(),
            lines: OnceLock::new(),
            filled: AtomicUsize::new(0),
            user: None,
        }
    }

    /// With the rights of this user.
    #[must_use]
    pub fn of(mut self, user: Option<Identity>) -> Origin {
        self.user = user;
        self
    }

    /// `text` with the settings filled in, within the bound that a whole source has.
    pub fn fill(&self, text: &str, settings: &super::filling::Settings) -> Result<String, String> {
        if !text.contains("${") {
            return super::filling::fill(text, settings);
        }
        let left = MOST_FILLED.saturating_sub(self.filled.load(Ordering::Relaxed));
        let filled = super::filling::fill_within(text, settings, left)?;
        self.filled.fetch_add(filled.len(), Ordering::Relaxed);
        Ok(filled)
    }

    /// Line and column of a byte, both from 1, columns in characters.
    fn line_column(&self, at: usize) -> (usize, usize) {
        let mut at = at.min(self.text.len());
        while !self.text.is_char_boundary(at) {
            at -= 1;
        }
        let lines = self.lines.get_or_init(|| {
            std::iter::once(0)
                .chain(self.text.match_indices('\n').map(|(i, _)| i + 1))
                .collect()
        });
        let line = lines.partition_point(|start| *start <= at);
        let start = lines.get(line - 1).copied().unwrap_or(0);
        (line, self.text[start..at].chars().count() + 1)
    }

    /// An error at a place in this source: `site.toml:3:7: what`.
    pub fn error(&self, at: Option<usize>, what: impl std::fmt::Display) -> Error {
        match at {
            Some(at) => {
                let (line, column) = self.line_column(at);
                Error::input(format!("{}:{line}:{column}: {what}", self.name))
            }
            None => Error::usage(format!("{}: {what}", self.name)),
        }
    }

    /// The line of a place, for `--explain`.
    pub fn line(&self, at: Option<usize>) -> Option<usize> {
        at.map(|at| self.line_column(at).0)
    }
}
