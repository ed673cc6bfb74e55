//! What was read from a server and its databases, as plain data: the planner sees nothing else.

use std::collections::{BTreeMap, BTreeSet};

use distro::Distro;

/// The server.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Server {
    /// `15.18`, without the packager's words.
    pub version: String,
    /// `server_version_num`: 150018.
    pub number: u32,
    /// The server is a standby.
    pub recovery: bool,
    /// The server's distribution, as far as known.
    pub distro: Option<Distro>,
    /// The server runs on this machine.
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

/// The role of a session, and what the role may do in its database.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Role {
    pub name: String,
    /// The role is a superuser.
    pub superuser: bool,
    /// The role has CREATE on the database.
    pub creates: bool,
}

/// One database, as one role sees it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Database {
    pub name: String,
    /// The role of the session that read this.
    pub role: Role,
    /// Transactions cannot write.
    pub read_only: bool,
    /// Where objects go that name no schema: the first of the role's search_path that exists.
    pub current_schema: Option<String>,
    /// The installed extensions.
    pub installed: BTreeMap<String, Installed>,
    /// What was read only because something is to be done.
    pub depth: Option<Depth>,
}

impl Database {
    /// The superuser that `initdb` made.
    pub fn superuser(&self) -> &str {
        let known = self.depth.as_ref().map(|depth| depth.superuser.as_str());
        known.filter(|name| !name.is_empty()).unwrap_or("postgres")
    }

    /// The database's owner, or the superuser where the owner was not read.
    pub fn owner(&self) -> &str {
        let known = self.depth.as_ref().map(|depth| depth.owner.as_str());
        known
            .filter(|name| !name.is_empty())
            .unwrap_or_else(|| self.superuser())
    }
}

/// An installed extension.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Installed {
    /// Its version.
    pub version: String,
    /// Its schema.
    pub schema: String,
    /// Its owner.
    pub owner: String,
    /// The role that looked has the owner's rights.
    pub owned: bool,
    /// `SET SCHEMA` may move the extension.
    pub relocatable: bool,
    /// Some members belong to a role whose rights this role does not have: a trusted extension's
    /// members belong to the superuser.
    pub foreign_members: bool,
}

/// What the server could install, and where.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Depth {
    /// By name.
    pub available: BTreeMap<String, Available>,
    /// Schemas.
    pub schemas: BTreeMap<String, Schema>,
    /// For extensions that shall be absent: what depends on them.
    pub dependents: BTreeMap<String, Vec<Dependent>>,
    /// Which installed extensions each installed extension needs.
    pub needs: BTreeMap<String, BTreeSet<String>>,
    /// For installed extensions: the versions that an update can reach.
    pub reachable: BTreeMap<String, Vec<String>>,
    /// For extensions that shall move: members outside the extension's schema, as `ALTER`
    /// statements that bring them back.
    pub scattered: BTreeMap<String, Vec<String>>,
    /// Roles that may log in.
    pub logins: BTreeSet<String>,
    /// The superuser that `initdb` made.
    pub superuser: String,
    /// The database's owner.
    pub owner: String,
    /// Settings that decide about extensions.
    pub settings: Settings,
}

/// A schema.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Schema {
    /// The role may create objects in the schema.
    pub creates: bool,
    /// The schema's owner.
    pub owner: String,
}

/// An object that depends on an extension.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dependent {
    /// `table column public.t.h`.
    pub object: String,
    /// The extension's name, if the object is an extension.
    pub extension: Option<String>,
}

/// Server settings that decide about extensions, as far as the role may see them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// `shared_preload_libraries`; `None` where the role may not see the list.
    pub preload: Option<String>,
    /// The list in the configuration files differs from the one the server started with.
    pub preload_pending: bool,
    /// The last list in the configuration files, if it could be read.
    pub preload_file: Option<String>,
    /// The prefixes of the settings that loaded libraries have defined: `pg_stat_statements`.
    pub prefixes: BTreeSet<String>,
    /// `cron.database_name`.
    pub cron_database: Option<String>,
    /// `extwlist.extensions`, where pgextwlist is loaded: what everybody may create.
    pub whitelist: Option<Vec<String>>,
    /// A role of a managed service that this role is a member of: the service decides what its
    /// members may do.
    pub provider: Option<String>,
}

/// An extension whose control file the server sees.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Available {
    /// The version that is created where no version is named.
    pub default_version: Option<String>,
    /// The versions that can be created, by name.
    pub versions: BTreeMap<String, Control>,
}

impl Available {
    /// The control data of a version, or of the default version.
    pub fn control(&self, version: Option<&str>) -> Option<&Control> {
        self.versions
            .get(version.or(self.default_version.as_deref())?)
    }
}

/// What a control file says of a version.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Control {
    /// Only a superuser may create the extension ...
    pub superuser: bool,
    /// ... or, if the extension is trusted, a role with CREATE on the database (PostgreSQL 13).
    pub trusted: bool,
    /// `SET SCHEMA` may move the extension.
    pub relocatable: bool,
    /// The schema that the extension insists on.
    pub schema: Option<String>,
    /// The extensions that the extension requires.
    pub requires: Vec<String>,
}
