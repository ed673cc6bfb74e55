//! A job as Debian's cron or cronie starts it.

use std::path::Path;

use base::child::{Identity, Run};
use base::error::{Error, Result};
use base::mask;
use rustix::process::geteuid;

use super::launch::{self, AsRead, Owner};
use super::{lacks, pam};
use crate::crontab::Form;
use crate::dialect::Dialect;
use crate::host;
use crate::look;
use crate::needs::{Need, Use};
use crate::trial::{Attempt, OUTPUT, Trial};

/// Where the daemon itself stands, and a job whose home directory does not exist.
const DAEMONS_DIRECTORY: &str = "/var/spool/cron";

/// The umask of daemons that systemd or an init script starts.
const UMASK: u32 = 0o022;

/// Runs the job.
///
/// # Errors
/// `Kind::Usage` where this user cannot be the job's; `Kind::Deadline` where the time is up.
pub fn run(trial: &Trial<'_>) -> Result<Attempt> {
    let form = trial.form;
    let dialect = trial.site.dialect;
    let read = launch::as_read(trial.text, trial.job, form, dialect).ok_or_else(|| {
        Error::failed(format!(
            "{} finds no such job: {}",
            dialect.name(),
            String::from_utf8_lossy(trial.job)
        ))
    })?;
    let identity = identity(read.user.as_deref().or(trial.site.facts.user.as_deref()))?;
    let owner = Owner {
        name: identity.name.clone().unwrap_or_default(),
        home: identity
            .home
            .as_deref()
            .map_or_else(|| "/".to_owned(), |home| home.display().to_string()),
    };
    let daemon = host::process(trial.cron);
    let session = session(dialect, form, &owner);
    let inherited = daemon.as_ref().map(variables).unwrap_or_default();
    let environment = launch::environment(
        &read.settings,
        &owner,
        dialect,
        &session.variables,
        &inherited,
    );
    let mut left_out = session.left_out;
    if dialect.is_cronie() && daemon.is_none() {
        left_out.push("the locale of the daemon, which does not run".to_owned());
    }
    let value = |name: &str| {
        let found = environment.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.clone()).unwrap_or_default()
    };
    let (shell, home) = (value("SHELL"), value("HOME"));
    let mut attempt = Attempt {
        user: owner.name.clone(),
        shell: Some(shell.clone()),
        command: mask::text(&String::from_utf8_lossy(&read.command)),
        directory: home.clone(),
        environment: environment
            .iter()
            .map(|(name, value)| mask::text(&format!("{name}={value}")))
            .collect(),
        left_out,
        ..Attempt::default()
    };
    if !can(&owner, Use::Execute, &shell, trial)? {
        attempt.refusal = Some(format!(
            "'{}' cannot execute the shell '{shell}'",
            owner.name
        ));
        return Ok(attempt);
    }
    if !can(&owner, Use::Enter, &home, trial)? {
        if !dialect.runs_without_home() {
            attempt.refusal = Some(format!("'{}' cannot enter HOME, '{home}'", owner.name));
            return Ok(attempt);
        }
        attempt.directory = DAEMONS_DIRECTORY.to_owned();
    }
    if trial.dry_run {
        return Ok(attempt);
    }
    let daemons = daemon.and_then(|view| view.umask().ok()).unwrap_or(UMASK);
    let umask = session.umask.map_or(daemons, |umask| {
        let group = nix::unistd::Group::from_gid(identity.gid.into())
            .ok()
            .flatten();
        let own_group =
            identity.uid != 0 && group.is_some_and(|group| Some(group.name) == identity.name);
        umask.of(daemons, own_group)
    });
    finish(trial, &read, &environment, identity, umask, &mut attempt)?;
    Ok(attempt)
}

fn finish(
    trial: &Trial<'_>,
    read: &AsRead,
    environment: &[(String, String)],
    identity: Identity,
    umask: u32,
    attempt: &mut Attempt,
) -> Result<()> {
    use std::os::unix::ffi::OsStrExt;
    let shell = attempt.shell.clone().unwrap_or_default();
    let mut run = Run::new(&shell)
        .arg("-c")
        .arg(std::ffi::OsStr::from_bytes(&read.command))
        .clean()
        .dir(&attempt.directory)
        .user(Some(identity))
        .input(read.input.clone().unwrap_or_default())
        .cap(OUTPUT)
        .deadline(trial.deadline)
        .watch(trial.watch.clone())
        .as_job(umask);
    for (name, value) in environment {
        run = run.env(name, value);
    }
    let done = run.run()?;
    if let Some(signal) = done.interrupted {
        return Err(Error::failed(format!("{signal} ended the run and the job")));
    }
    if done.timed_out {
        return Err(
            Error::deadline("the job runs longer than --timeout allows, and was ended")
                .hint("--timeout 0 waits without a limit"),
        );
    }
    attempt.ended(done.ending, done.elapsed);
    attempt.printed(&done.stdout, done.truncated);
    if !done.success() {
        attempt.lacked = lacks::of(&attempt.output, environment, &directory_of);
    }
    Ok(())
}

/// The user of the job, whom this process can be.
fn identity(user: Option<&str>) -> Result<Identity> {
    let me = geteuid();
    let identity = match user {
        Some(user) => Identity::of_name(user)?,
        None => Identity::of_uid(me.as_raw(), rustix::process::getegid().as_raw())?,
    };
    if identity.uid == me.as_raw() || me.is_root() {
        return Ok(identity);
    }
    let name = identity.name.as_deref().unwrap_or_default();
    Err(Error::usage(format!("only root can run a job of '{name}'"))
        .hint("run cron-render as root or as that user"))
}

fn session(dialect: Dialect, form: Form, owner: &Owner) -> pam::Session {
    let read = |path: &str| std::fs::read_to_string(path).ok();
    let services = dialect.pam_services(form == Form::System, &owner.name);
    let there = |name: &&&str| Path::new("/etc/pam.d").join(name).exists();
    match services.iter().find(there) {
        Some(service) => pam::session(service, &read),
        None => pam::Session::default(),
    }
}

fn variables(daemon: &proc::View) -> Vec<(String, String)> {
    let all = proc::environment(daemon.pid()).unwrap_or_default();
    let text = |word: std::ffi::OsString| word.into_string().ok();
    all.into_iter()
        .filter_map(|(name, value)| Some((text(name)?, text(value)?)))
        .collect()
}

/// Whether the user can use the path like that; what cannot be told is tried.
fn can(owner: &Owner, how: Use, path: &str, trial: &Trial<'_>) -> Result<bool> {
    let need = Need {
        how,
        path: path.to_owned(),
        search: String::new(),
        what: "",
        guessed: false,
    };
    let user = Some(owner.name.clone());
    let unmet = look::at([((user, need), Vec::new())].into(), trial.deadline)?;
    Ok(!unmet
        .iter()
        .any(|unmet| unmet.answer != look::Answer::Unknown))
}

/// A directory in which administrators have programs and cron does not look.
fn directory_of(name: &str) -> Option<String> {
    let places = [
        "/usr/local/bin",
        "/usr/local/sbin",
        "/usr/sbin",
        "/sbin",
        "/usr/bin",
        "/snap/bin",
        "/opt/bin",
    ];
    places
        .iter()
        .find(|dir| Path::new(dir).join(name).is_file())
        .map(|dir| (*dir).to_owned())
}
