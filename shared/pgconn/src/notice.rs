//! Notices and warnings that a server sends beside its answers. libpq's programs print them; the
//! tools report them.

use std::sync::{Arc, Mutex, PoisonError};

use postgres::error::DbError;

/// One notice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// `NOTICE`, `WARNING`, `INFO`, untranslated.
    pub severity: String,
    /// The server's words.
    pub message: String,
    /// The server's detail.
    pub detail: Option<String>,
    /// The server's hint.
    pub hint: Option<String>,
}

/// The most notices that are kept for one session: a script may send thousands.
const KEPT: usize = 100;

/// The notices of one session, oldest first.
#[derive(Debug, Clone, Default)]
pub struct Notices {
    heard: Arc<Mutex<Vec<Notice>>>,
}

impl Notices {
    pub(crate) fn add(&self, notice: &DbError) {
        let severity = notice.parsed_severity();
        self.put(Notice {
            severity: severity.map_or_else(
                || notice.severity().to_owned(),
                |severity| severity.to_string(),
            ),
            message: notice.message().to_owned(),
            detail: notice.detail().map(str::to_owned),
            hint: notice.hint().map(str::to_owned),
        });
    }

    /// Adds a notice, such as one of another session.
    pub fn put(&self, notice: Notice) {
        let mut heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        if heard.len() < KEPT {
            heard.push(notice);
        }
    }

    /// Takes what was heard since the last time.
    pub fn take(&self) -> Vec<Notice> {
        std::mem::take(&mut self.heard.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl std::fmt::Display for Notice {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.severity, self.message)?;
        for more in self.detail.iter().chain(&self.hint) {
            write!(f, " ({more})")?;
        }
        Ok(())
    }
}
