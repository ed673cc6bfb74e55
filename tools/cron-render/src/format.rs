//! What a schedule is made into, as plain data: each place in `target/` has a constant of this
//! type, and every other module asks for a property, never for a place.

use crate::crontab::Form;
use crate::dialect::Dialect;
use crate::finding::Finding;

/// Who an installed schedule belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Owner {
    /// One user, whose crontab holds lines of other people, too: ours are a block, crontab(1) puts
    /// them there.
    User,
    /// The host: root installs the schedule, and each job names its user.
    Host,
}

/// The properties of a place.
#[derive(Debug)]
pub struct Format {
    /// The name that `--format` takes.
    pub name: &'static str,
    /// What is installed, in messages.
    pub noun: &'static str,
    /// Whether the lines name a user; `None` where there are no lines and cron reads nothing.
    pub form: Option<Form>,
    /// Who it belongs to.
    pub owner: Owner,
    /// The finding where the daemon does not read a schedule of this name.
    pub refused: fn(&str, Dialect) -> Option<Finding>,
    /// Whether a setting of this name has no effect.
    pub drops: fn(&str) -> bool,
}

impl Format {
    /// Whether the daemon of crontabs reads it.
    pub fn by_cron(&self) -> bool {
        self.form.is_some()
    }

    /// Whether its lines name a user.
    pub fn names_users(&self) -> bool {
        self.form == Some(Form::System)
    }

    /// What is installed for this user, in messages.
    pub fn of(&self, user: Option<&str>) -> String {
        match self.owner {
            Owner::User => format!("the crontab of '{}'", user.unwrap_or("root")),
            Owner::Host => self.noun.to_owned(),
        }
    }
}
