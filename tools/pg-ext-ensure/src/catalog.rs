//! What was read from a server and its databases, as plain data: the planner sees nothing else.

use std::collections::BTreeMap;

use distro::Distro;

/// The server.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Server {
    /// `15.18`, without the packager's words.
    pub version: String,
    /// `server_version_num`: 150018.
    pub number: u32,
    /// It is a standby.
    pub recovery: bool,
    /// Which distribution it runs on, as far as can be told.
    pub distro: Option<Distro>,
    /// It runs on this machine.
    pub local: bool,
}

impl Server {
    /// The major version: 15.
    pub fn major(&self) -> u32 {
        self.number / 10000
    }

    /// How the version is written in paths and package names: `15`, `9.6`.
    pub fn series(&self) -> String {
        if self.number >= 100_000 {
            self.major().to_string()
        } else {
            format!("{}.{}", self.number / 10000, self.number / 100 % 100)
        }
    }
}

/// The role of a session, and what it may do in its database.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Role {
    /// Its name.
    pub name: String,
    /// It may do anything.
    pub superuser: bool,
    /// It has CREATE on the database.
    pub creates: bool,
}

/// One database, as one role sees it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Database {
    /// Its name.
    pub name: String,
    /// Who looked.
    pub role: Role,
    /// Transactions cannot write.
    pub read_only: bool,
    /// Where objects go that name no schema: the first of the role's search_path that exists.
    pub current_schema: Option<String>,
    /// The extensions that are there.
    pub installed: BTreeMap<String, Installed>,
    /// What was read only because something is to be done.
    pub depth: Option<Depth>,
}

/// An extension that is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Installed {
    /// Its version.
    pub version: String,
    /// Its schema.
    pub schema: String,
    /// Its owner.
    pub owner: String,
    /// The role that looked has the owner's rights.
    pub owned: bool,
    /// It may be moved to another schema.
    pub relocatable: bool,
    /// Some of its objects belong to somebody whose rights the role has not: a trusted extension's belong to the superuser.
    pub foreign_members: bool,
}

/// What the server could install, and where.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Depth {
    /// By name.
    pub available: BTreeMap<String, Available>,
    /// Schemas, and whether the role may create in them.
    pub schemas: BTreeMap<String, bool>,
    /// For extensions that are to go: what depends on them.
    pub dependents: BTreeMap<String, Vec<String>>,
    /// For extensions that are there: the versions an update can reach.
    pub reachable: BTreeMap<String, Vec<String>>,
    /// `shared_preload_libraries`, if the role may see it.
    pub preloaded: Option<String>,
}

/// An extension whose control file the server sees.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Available {
    /// What is created where no version is named.
    pub default_version: Option<String>,
    /// The versions that can be created, by name.
    pub versions: BTreeMap<String, Control>,
}

impl Available {
    /// The control data of a version, or of the default one.
    pub fn control(&self, version: Option<&str>) -> Option<&Control> {
        self.versions
            .get(version.or(self.default_version.as_deref())?)
    }
}

/// What a control file says of a version.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Control {
    /// Only a superuser may create it ...
    pub superuser: bool,
    /// ... or, if it is trusted, who has CREATE on the database (PostgreSQL 13).
    pub trusted: bool,
    /// It may be moved to another schema.
    pub relocatable: bool,
    /// The schema it insists on.
    pub schema: Option<String>,
    /// The extensions it needs.
    pub requires: Vec<String>,
}
