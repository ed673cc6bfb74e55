//! A step of the plan: what is to be done for one extension, which rights that needs, and what
//! stops it.

use crate::catalog::Dependent;
use crate::cause::Cause;
use crate::report::Action;
use crate::sql::Statement;
use crate::want::Want;

/// What is to be done for one extension.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// What was asked for.
    pub want: Want,
    /// What is to be done.
    pub action: Action,
    pub statements: Vec<Statement>,
    /// The rights that the statements need, in the order in which the server asks for them.
    pub needs: Vec<Need>,
    /// Extensions that have to be created with this one.
    pub requires: Vec<String>,
    /// Whether the version is trusted.
    pub trusted: Option<bool>,
    /// The version that the extension will have.
    pub version: Option<String>,
    /// The schema that the extension will be in.
    pub schema: Option<String>,
    /// The extension is in another schema than the one asked for, and stays there.
    pub drifted: bool,
    /// What a drop takes along.
    pub lost: Vec<Dependent>,
    /// The library that the extension needs, and whether the server has loaded the library.
    pub library: Option<(String, Option<bool>)>,
    /// What stops the step, whoever takes it.
    pub cause: Option<Cause>,
}

/// A right that a statement needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Need {
    /// The right.
    pub right: Right,
    /// The extension whose script the right is for: a whitelist may waive the right then.
    pub script: Option<String>,
}

/// What a role may have to be allowed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Right {
    /// To run the script of an extension that is not trusted.
    Superuser,
    /// To create in the database: a schema, or a trusted extension.
    CreateOnDatabase,
    /// To create in a schema that exists.
    CreateOnSchema(String),
    /// The rights of the extension's owner.
    Own,
    /// The rights of the owners of all members.
    OwnMembers,
}

impl Step {
    /// A step that does nothing.
    pub fn nothing(want: &Want) -> Step {
        Step {
            want: want.clone(),
            action: Action::None,
            statements: Vec::new(),
            needs: Vec::new(),
            requires: Vec::new(),
            trusted: None,
            version: None,
            schema: None,
            drifted: false,
            lost: Vec::new(),
            library: None,
            cause: None,
        }
    }

    /// Something is to be done, or cannot be.
    pub fn is_work(&self) -> bool {
        self.action != Action::None
    }

    pub(super) fn need(&mut self, right: Right) {
        self.needs.push(Need {
            right,
            script: None,
        });
    }

    pub(super) fn need_for(&mut self, extension: &str, right: Right) {
        self.needs.push(Need {
            right,
            script: Some(extension.to_string()),
        });
    }

    /// Whether the extension is, or will be, unusable because the server has not loaded its
    /// library.
    pub fn is_unloaded(&self) -> bool {
        matches!(&self.library, Some((_, Some(false))))
    }
}
