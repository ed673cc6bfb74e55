//! What a type of check is: a table of keys that becomes an expectation, and a look at the host
//! that gives a finding. Each type is whole in its file below `check/`.

use crate::document::Fields;
use crate::finding::Finding;
use crate::scene::Scene;
use crate::short::Short;
use base::Result;
use base::clock::Deadline;
use std::time::Duration;

/// One requirement, ready to be looked at.
pub trait Check: Send + Sync {
    /// What it is about, for the id of a table that names none: `/srv`, `setuptools`.
    fn subject(&self) -> String;

    /// What is wanted, in a few words.
    fn expected(&self) -> String;

    /// How it is found out, for `--explain`.
    fn how(&self) -> String;

    /// How long one look may take where nobody says otherwise.
    fn patience(&self) -> Duration {
        Duration::from_secs(10)
    }

    /// Looks, and is back before the deadline.
    fn look(&self, scene: &Scene, deadline: Deadline) -> Finding;
}

/// A type of check.
pub struct Type {
    /// The name in `type = "…"`.
    pub name: &'static str,
    /// What the type checks, for manuals.
    pub about: &'static str,
    /// The type's own keys, each with its meaning.
    pub keys: &'static [(&'static str, &'static str)],
    /// The short form.
    pub short: Short,
    /// Reads the keys.
    pub read: fn(&mut Fields<'_>) -> Result<Box<dyn Check>>,
}
