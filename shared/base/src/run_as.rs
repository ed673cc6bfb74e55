//! The user and the variables with which a COMMAND or a check of the site's own code runs: `--as`,
//! `--env-file` and `--as-site`.

use crate::child::{Foreground, Identity, Run};
use crate::cli::Parsed;
use crate::error::{Error, Kind, Result};
use crate::site::{Environment, Site, VARIABLE};
use std::ffi::OsString;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// A user, an environment and a place for a program. Without any of the options: as the caller, as
/// before.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RunAs {
    user: Option<Identity>,
    env: Vec<(OsString, OsString)>,
    dir: Option<PathBuf>,
}

impl RunAs {
    /// What the options say. Everything is looked up and checked here, before the tool changes
    /// anything.
    ///
    /// # Errors
    /// `Kind::Usage` where `--as-site` has no site, or the caller cannot become the user;
    /// `Kind::Input` for an environment file that systemd would refuse or that is less trusted than
    /// the user.
    pub fn read(parsed: &Parsed) -> Result<RunAs> {
        let site = parsed.site();
        let as_site = parsed.flag("as-site");
        let mut run_as = RunAs::default();
        if as_site && site.is_none() {
            return Err(Error::usage("--as-site needs a site file")
                .hint("give --site FILE, or set RUNBOOK_SITE"));
        }
        let site_user = site.filter(|_| as_site).and_then(Site::user);
        if let Some(name) = parsed.text("as").or(site_user) {
            run_as.user = Some(identity(name)?);
        } else if as_site {
            return Err(Error::usage("--as-site: the site file names no user")
                .hint("write user = \"USER\" in the table [site], or give --as USER"));
        }
        let named = parsed.path("env-file").map(PathBuf::from);
        let of_site = site.filter(|_| as_site).and_then(Site::env_file);
        if let Some(file) = named.or(of_site) {
            let environment = Environment::read(&file)?;
            let caller = rustix::process::geteuid().as_raw();
            environment.require_user(run_as.user.as_ref().map_or(caller, |user| user.uid))?;
            let variables = environment.variables.into_iter();
            run_as.env = variables
                .map(|(name, value)| (name.into(), value.into()))
                .collect();
        }
        run_as.place(site.filter(|_| as_site));
        run_as.hand_on(site);
        Ok(run_as)
    }

    /// The directory and the PATH.
    fn place(&mut self, site: Option<&Site>) {
        self.dir = site.and_then(Site::dir);
        if self.dir.is_none() && self.user.is_some() {
            self.dir = std::env::current_dir().ok();
        }
        let Some(venv) = site.and_then(Site::venv) else {
            return;
        };
        let known = self.env.iter().rposition(|(name, _)| name == "PATH");
        let before = match known {
            Some(at) => self.env.remove(at).1,
            None => self.path(),
        };
        let mut path = venv.join("bin").into_os_string();
        path.push(":");
        path.push(before);
        self.env.push(("PATH".into(), path));
    }

    /// The PATH that the program would have.
    fn path(&self) -> OsString {
        let other = self.user.as_ref().filter(|user| !user.is_current());
        let own = other.map(Identity::environment);
        own.and_then(|all| all.into_iter().find(|(name, _)| name == "PATH"))
            .map(|(_, path)| path)
            .or_else(|| std::env::var_os("PATH"))
            .unwrap_or_default()
    }

    /// A tool that runs inside COMMAND knows the site, too, where the user may read the file.
    fn hand_on(&mut self, site: Option<&Site>) {
        let other = self.user.as_ref().filter(|user| !user.is_current());
        let reads = |site: &&Site| other.is_none_or(|user| can_read(user, site.path()));
        if let Some(site) = site.filter(reads) {
            self.env.push((VARIABLE.into(), site.path().into()));
        }
    }

    /// The same for a program that this program starts anew as the user: the variables and the
    /// directory, which only the caller may have been able to read.
    #[must_use]
    pub fn of_parts(env: Vec<(OsString, OsString)>, dir: Option<PathBuf>) -> RunAs {
        RunAs {
            user: None,
            env,
            dir,
        }
    }

    /// The variables beyond those that the user always has.
    #[must_use]
    pub fn variables(&self) -> &[(OsString, OsString)] {
        &self.env
    }

    /// The directory, where it is not the caller's.
    #[must_use]
    pub fn dir(&self) -> Option<&Path> {
        self.dir.as_deref()
    }

    /// The user, where the program does not run as the caller.
    pub fn user(&self) -> Option<&Identity> {
        self.user.as_ref()
    }

    /// For a COMMAND in the foreground.
    #[must_use]
    pub fn foreground<'a>(&self, mut command: Foreground<'a>) -> Foreground<'a> {
        command = command.user(self.user.clone());
        if let Some(dir) = &self.dir {
            command = command.dir(dir);
        }
        for (name, value) in &self.env {
            command = command.env(name, value);
        }
        command
    }

    /// For a program whose output is wanted.
    #[must_use]
    pub fn run(&self, mut run: Run) -> Run {
        run = run.user(self.user.clone());
        if let Some(dir) = &self.dir {
            run = run.dir(dir);
        }
        for (name, value) in &self.env {
            run = run.env(name, value);
        }
        run
    }
}

/// Whether the mode bits let the user read the file: read permission on the file, search permission
/// on each directory above it.
fn can_read(user: &Identity, path: &Path) -> bool {
    let allows = |path: &Path, bit: u32| {
        std::fs::metadata(path).is_ok_and(|meta| {
            let of_group = meta.gid() == user.gid || user.groups.contains(&meta.gid());
            let shift = match (meta.uid() == user.uid, of_group) {
                (true, _) => 6,
                (false, true) => 3,
                (false, false) => 0,
            };
            meta.mode() >> shift & bit != 0
        })
    };
    allows(path, 0o4) && path.ancestors().skip(1).all(|dir| allows(dir, 0o1))
}

/// The user of that name, whom the caller can become.
fn identity(name: &str) -> Result<Identity> {
    let user = Identity::of_name(name).map_err(|error| Error {
        kind: Kind::Usage,
        ..error
    })?;
    if user.is_current() || rustix::process::geteuid().is_root() {
        return Ok(user);
    }
    let shown = crate::terminal::escape(name);
    Err(
        Error::usage(format!("only root can run a program as user '{shown}'"))
            .hint("run the tool as root, or as that user without --as"),
    )
}
