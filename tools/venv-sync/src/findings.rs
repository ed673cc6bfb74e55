//! The findings, in the words of the report.

use std::path::Path;

use base::{Fix, bytes};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The kinds of drift.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// There is no environment.
    EnvironmentMissing,
    /// The interpreter is gone or cannot be executed.
    InterpreterBroken,
    /// A program of the environment starts an interpreter that is not the environment's own.
    ScriptBroken,
    /// A program of the environment lacks its x bit.
    NotExecutable,
    /// Files or directories that the users of the environment cannot read.
    NotReadable,
    /// Its interpreter and its library directory are for different Pythons.
    LibVersionMismatch,
    /// Asked for, and not there.
    Missing,
    /// Asked for, and found in the system's Python instead.
    WrongPython,
    /// There, but not in a version that was asked for.
    WrongVersion,
    /// There, but from another place than was asked for.
    SourceMismatch,
    /// There, and asked for by nobody.
    Extraneous,
    /// There twice.
    DuplicateDist,
    /// The remains of one that was removed.
    GhostDist,
    /// Its METADATA cannot be read.
    MetadataUnreadable,
    /// Its METADATA names another version than its directory does.
    MetadataVersionMismatch,
    /// A dependency is not there.
    DepMissing,
    /// A dependency is not there in a version that will do.
    DepConflict,
    /// Not made for this Python.
    RequiresPython,
    /// The system's packages are visible.
    LeakSystem,
    /// A `.pth` file leads out of the environment.
    LeakPth,
    /// A `.pth` file (or `sitecustomize.py`) that belongs to nothing runs code at every start.
    PthExecutes,
    /// There is no list of its files.
    RecordMissing,
    /// A file is not what was installed.
    FileModified,
    /// A file is gone.
    FileMissing,
    /// Two distributions installed the same file with different content.
    FileClaimedTwice,
    /// A file cannot be checked against its hash.
    UnverifiableHash,
}

/// One thing that is not as it should be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Finding {
    /// What kind of thing.
    pub kind: Kind,
    /// The distribution.
    pub name: Option<String>,
    /// What is there.
    pub installed: Option<String>,
    /// What should be.
    pub required: Option<String>,
    /// Who says so: `requirements.txt:3`, or a distribution's METADATA.
    pub origin: Option<String>,
    /// The path that the finding is about; null where the finding is about no path.
    pub path: Option<String>,
    /// The path's exact bytes in base64, where they are not UTF-8.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path_b64: Option<String>,
    /// In a sentence.
    pub msg: String,
    /// What closes the gap.
    pub fix: Option<Fix>,
}

impl Finding {
    /// A finding with nothing but its sentence.
    pub fn new(kind: Kind, msg: impl Into<String>) -> Self {
        Finding {
            kind,
            name: None,
            installed: None,
            required: None,
            origin: None,
            path: None,
            path_b64: None,
            msg: base::mask::text(&msg.into()),
            fix: None,
        }
    }

    /// About this distribution.
    #[must_use]
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// What is there; secrets in a URL are masked.
    #[must_use]
    pub fn installed(mut self, installed: impl AsRef<str>) -> Self {
        self.installed = Some(base::mask::text(installed.as_ref()));
        self
    }

    /// What should be; secrets in a URL are masked.
    #[must_use]
    pub fn required(mut self, required: impl AsRef<str>) -> Self {
        self.required = Some(base::mask::text(required.as_ref()));
        self
    }

    /// Who says so.
    #[must_use]
    pub fn origin(mut self, origin: impl ToString) -> Self {
        self.origin = Some(origin.to_string());
        self
    }

    /// Adds the path that the finding is about.
    #[must_use]
    pub fn path(mut self, path: &Path) -> Self {
        self.path = Some(bytes::lossy(path.as_os_str()));
        self.path_b64 = bytes::exact(path.as_os_str());
        self
    }

    /// What closes the gap.
    #[must_use]
    pub fn fix(mut self, fix: Fix) -> Self {
        self.fix = Some(fix);
        self
    }
}
