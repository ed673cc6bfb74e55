//! The rights of an input file: those of the least trusted user who can change the file, and no
//! more. `--trust FILE` lends a file the caller's rights.

use super::{Because, Owner, Trust};
use crate::child::Identity;
use crate::error::{Error, Result};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

/// Whose rights an input file has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rights {
    owner: Owner,
    because: Option<Because>,
    gid: u32,
}

static BELIEVED: OnceLock<Vec<(u64, u64)>> = OnceLock::new();

/// Lends the files that `--trust` names the caller's rights. Once, before any input is read.
///
/// # Errors
/// As [`super::inspect`]: a file that is not there cannot be trusted.
pub(crate) fn believe(files: &[PathBuf]) -> Result<()> {
    let mut all = Vec::new();
    for file in files {
        all.push(super::inspect(file)?.identity());
    }
    let _ = BELIEVED.set(all);
    Ok(())
}

/// The rights of a file that was judged.
pub(crate) fn rights_of(trust: &Trust) -> Rights {
    let believed = BELIEVED
        .get()
        .is_some_and(|all| all.contains(&trust.identity()));
    if believed || !rustix::process::geteuid().is_root() {
        return Rights::caller();
    }
    let gid = match trust.owner {
        Owner::Uid(uid) => trust.gid_of(uid),
        _ => 0,
    };
    Rights {
        owner: trust.owner,
        because: trust.because.clone(),
        gid,
    }
}

impl Rights {
    /// The rights of what stands at a path: a file to be read, a program to be run.
    ///
    /// # Errors
    /// As [`super::inspect`].
    pub fn of(path: &Path) -> Result<Rights> {
        super::inspect(path).map(|trust| rights_of(&trust))
    }

    /// All that the caller has: of what was typed, of standard input, and of every input of a
    /// caller who is not root.
    pub fn caller() -> Rights {
        Rights {
            owner: Owner::caller(),
            because: None,
            gid: rustix::process::getegid().as_raw(),
        }
    }

    /// The user.
    pub fn owner(&self) -> Owner {
        self.owner
    }

    /// The component that this user can change, where the user is not the caller.
    pub fn because(&self) -> Option<&Because> {
        self.because.as_ref()
    }

    /// Whether all that the caller may do may be done.
    pub fn are_callers(&self) -> bool {
        self.owner == Owner::caller() || self.owner == Owner::Root
    }

    /// Whether something may be done as this user.
    pub fn allow(&self, uid: u32) -> bool {
        self.are_callers() || self.owner == Owner::Uid(uid)
    }

    /// As whom to run what the file asks for: `None` means as the caller.
    ///
    /// # Errors
    /// `Kind::Input` where more than one user can change the file.
    pub fn executor(&self, file: &str) -> Result<Option<Identity>> {
        match self.owner {
            _ if self.are_callers() => Ok(None),
            Owner::Uid(uid) => Identity::of_uid(uid, self.gid).map(Some),
            _ => Err(self.refusal(file, "commands")),
        }
    }

    /// The error for `what`, which only root (or another user) may ask for.
    pub fn refusal(&self, file: &str, what: &str) -> Error {
        let shown = crate::terminal::escape(file);
        let why = self
            .because
            .as_ref()
            .map_or(String::new(), |because| format!(" ({because})"));
        Error::input(format!(
            "{shown}: {what} is refused: {} can change the file{why}",
            self.owner
        ))
        .hint(format!(
            "read the file, then give --trust {}, or make root the owner of the file and of the directories above it",
            crate::shell::quoted(file)
        ))
    }
}
