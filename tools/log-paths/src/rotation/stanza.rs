//! One stanza of logrotate's configuration: what it names, what it sets, and why logrotate refuses
//! it.

use crate::users::Users;
use conf::Source;
use conf::pattern::Pattern;
use rustix::fs::Stat;
use std::path::PathBuf;
use std::sync::Arc;

/// `create [MODE [OWNER [GROUP]]]`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Create {
    /// The mode; `None` stands for that of the old file.
    pub mode: Option<u32>,
    /// The owner; `None` stands for that of the old file.
    pub owner: Option<String>,
    /// The group; `None` stands for that of the old file.
    pub group: Option<String>,
    /// As written.
    pub text: String,
}

/// The scripts of a stanza, as written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scripts {
    /// `firstaction`.
    pub first: Option<Vec<u8>>,
    /// `prerotate`.
    pub pre: Option<Vec<u8>>,
    /// `postrotate`.
    pub post: Option<Vec<u8>>,
    /// `lastaction`.
    pub last: Option<Vec<u8>>,
    /// `preremove`.
    pub remove: Option<Vec<u8>>,
}

/// What matters of one `patterns { … }`, the global directives before it included.
#[derive(Clone, Debug)]
pub struct Stanza {
    /// The patterns, in order.
    pub patterns: Vec<PathBuf>,
    /// The same, ready to match, a component each.
    pub compiled: Arc<[Vec<Pattern>]>,
    /// Where the names start.
    pub source: Source,
    /// The line of its `{`.
    pub opened: usize,
    /// The line of its `}`; `None` where the file ends before it.
    pub closed: Option<usize>,
    /// Whether logrotate makes a new file.
    pub creates: bool,
    /// How it makes the new file.
    pub create: Create,
    /// `su USER GROUP`.
    pub su: Option<(String, String)>,
    /// `copytruncate`.
    pub copy_truncate: bool,
    /// `copy`.
    pub copy: bool,
    /// `renamecopy`.
    pub rename_copy: bool,
    /// `allowhardlink`.
    pub allow_hard_links: bool,
    /// `ignoreduplicates`: stanzas after this one may name its files again.
    pub ignore_duplicates: bool,
    /// `missingok`.
    pub missing_ok: bool,
    /// `sharedscripts`.
    pub shared_scripts: bool,
    /// `olddir`.
    pub old_dir: Option<PathBuf>,
    /// `createolddir`.
    pub create_old_dir: bool,
    /// `minsize`, in bytes; 0 where there is none.
    pub min_size: u64,
    /// The scripts.
    pub scripts: Scripts,
    /// Why logrotate ignores the file it stands in.
    pub ignored: Option<String>,
    /// Why logrotate refuses the stanza.
    pub refused: Option<Refusal>,
}

/// Why logrotate drops a stanza, or the rest of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The line that logrotate stumbles over.
    pub source: Source,
    /// What logrotate says.
    pub message: String,
    /// Whether the rest of the file is lost, not only the stanza.
    pub whole_file: bool,
    /// What to write instead of the line, where that is plain.
    pub mend: Option<Mend>,
}

/// A change that makes logrotate accept a stanza.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mend {
    /// These lines in place of the line.
    Replace(Vec<String>),
    /// This line before the line.
    Before(String),
    /// This directory has to exist.
    Directory(PathBuf),
    /// `copytruncate` in the stanza: the old logs are on another device.
    CopyTruncate,
    /// The account of this directive has to be one that exists.
    Account(String),
}

impl Stanza {
    /// A stanza that sets nothing: logrotate's defaults.
    #[must_use]
    pub fn new(source: Source) -> Self {
        Self {
            patterns: Vec::new(),
            compiled: Arc::new([]),
            source,
            opened: 0,
            closed: None,
            creates: false,
            create: Create::default(),
            su: None,
            copy_truncate: false,
            copy: false,
            rename_copy: false,
            allow_hard_links: false,
            ignore_duplicates: false,
            missing_ok: false,
            shared_scripts: false,
            old_dir: None,
            create_old_dir: false,
            min_size: 0,
            scripts: Scripts::default(),
            ignored: None,
            refused: None,
        }
    }

    /// Does one of its patterns stand for this path, given in components? As glob(3) would find it.
    #[must_use]
    pub fn names(&self, parts: &[&[u8]]) -> bool {
        let matches = |pattern: &Vec<Pattern>| {
            pattern.len() == parts.len()
                && pattern
                    .iter()
                    .zip(parts)
                    .all(|(wanted, name)| wanted.matches(name))
        };
        self.compiled.iter().any(matches)
    }

    /// Whether the log itself gets another name, so that its writer has to open the new file.
    #[must_use]
    pub fn renames(&self) -> bool {
        !self.copy_truncate && !self.copy
    }

    /// `create`'s words, where logrotate makes a new file by them.
    #[must_use]
    pub fn creation(&self) -> Option<&Create> {
        (self.creates && self.renames()).then_some(&self.create)
    }

    /// Owner, group and mode of the file that logrotate makes in place of `old`; `None` where it
    /// makes none.
    #[must_use]
    pub fn created(&self, users: &Users, old: &Stat) -> Option<(u32, u32, u32)> {
        let create = self.creation()?;
        let su = self
            .su
            .as_ref()
            .and_then(|(user, group)| Some((users.account(user)?.uid, users.gid(group)?)));
        let uid = match &create.owner {
            Some(name) => users.account(name)?.uid,
            None => su.map_or(old.st_uid, |(uid, _)| uid),
        };
        let gid = match &create.group {
            Some(name) => users.gid(name)?,
            None => su.map_or(old.st_gid, |(_, gid)| gid),
        };
        Some((uid, gid, create.mode.unwrap_or(old.st_mode & 0o7777)))
    }
}
