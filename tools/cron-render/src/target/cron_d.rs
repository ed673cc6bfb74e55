//! A file of our own in `/etc/cron.d`.
//!
//! Cron reads the directory by itself and is strict about what it finds there: root's, 0644, one
//! link, a name without dots. It tells a new file from an old one by whole seconds of its time.

use base::atomic::{Access, Dir};
use base::error::{Error, Result};
use base::lock::{self, Lock};
use std::path::Path;
use std::time::Duration;

use crate::attempt::by_cron;
use crate::crontab::Form;
use crate::dialect::Dialect;
use crate::finding::{Code, Finding};
use crate::format::{Format, Owner};
use crate::plan::{self, Plan};
use crate::render;
use crate::target::{self, Row, Target};

const DIRECTORY: &str = "/etc/cron.d";

/// The registry's row.
pub const ROW: Row = Row {
    format: &Format {
        name: "cron.d",
        noun: "a file in /etc/cron.d",
        form: Some(Form::System),
        owner: Owner::Host,
        refused,
        drops: |_| false,
    },
    example: "15 0 * * * www-data cd /srv/misago && venv/bin/python manage.py clearsessions\n",
    open: |site, _, _| Ok(Box::new(CronD::named(site.name())?)),
    finished: render::finished,
    marks: render::marks,
    listed: None,
    attempt: by_cron::run,
};

/// What cron does not read under this name.
fn refused(name: &str, dialect: Dialect) -> Option<Finding> {
    (!dialect.reads_file(name)).then(|| {
        Finding::of_site(
            Code::E11,
            format!(
                "cron ignores {DIRECTORY}/{name}: only letters, digits, _ and - may be in the name"
            ),
            format!("--name {}", name.replace('.', "-")),
        )
    })
}

/// One file in the directory.
#[derive(Debug)]
pub struct CronD {
    dir: Dir,
    name: String,
}

impl CronD {
    fn named(name: &str) -> Result<CronD> {
        Ok(CronD {
            dir: Dir::open(Path::new(DIRECTORY))?,
            name: name.to_owned(),
        })
    }

    /// A file written twice within one second would look unchanged to cron.
    fn newer_than(&self, old: Option<i64>) -> Result<()> {
        let (Some(old), Some(new)) = (old, self.dir.stat(&self.name)?.map(|s| s.st_mtime)) else {
            return Ok(());
        };
        if new > old {
            return Ok(());
        }
        let time = rustix::fs::Timespec {
            tv_sec: old + 1,
            tv_nsec: 0,
        };
        let times = rustix::fs::Timestamps {
            last_access: time,
            last_modification: time,
        };
        rustix::fs::utimensat(
            &self.dir,
            &self.name,
            &times,
            rustix::fs::AtFlags::SYMLINK_NOFOLLOW,
        )
        .map_err(|e| Error::io(format!("cannot set the time of {}", self.path()), &e.into()))
    }
}

impl Target for CronD {
    fn path(&self) -> String {
        format!("{DIRECTORY}/{}", self.name)
    }

    /// One lock for all sites: stale temporaries are swept from the directory, which they share.
    fn lock(&self, wait: Duration) -> Result<Vec<Lock>> {
        Ok(vec![Lock::acquire(
            &lock::state_directory()?.join("cron.d.lock"),
            wait,
        )?])
    }

    fn read(&self) -> Result<Option<Vec<u8>>> {
        self.dir.read(&self.name, 16 << 20)
    }

    fn plan(&self, before: Option<Vec<u8>>, body: &[u8], force: bool) -> Result<Plan> {
        plan::install_file(before, &self.name, body, force)
    }

    fn plan_removal(&self, before: Option<Vec<u8>>, force: bool) -> Result<Plan> {
        plan::remove_file(before, &self.name, force)
    }

    /// Owner, mode, links: cron ignores the file otherwise.
    fn sound(&self, plan: &Plan) -> Result<bool> {
        if plan.after.is_none() {
            return Ok(true);
        }
        let stat = self.dir.stat(&self.name)?;
        Ok(stat.is_none_or(|s| s.st_uid == 0 && s.st_mode & 0o7777 == 0o644 && s.st_nlink == 1))
    }

    /// No cron has a checker for files whose lines name a user: what is rendered was parsed again.
    fn check(&self, _: &Plan) -> Result<Vec<String>> {
        Ok(Vec::new())
    }

    fn back_up(&self, bytes: &[u8]) -> Result<String> {
        target::keep(&format!("cron.d-{}", self.name), bytes)
    }

    fn write(&self, plan: &Plan) -> Result<Vec<String>> {
        if self.read()? != plan.before {
            return Err(target::changed_meanwhile(&self.path()));
        }
        let old = self.dir.stat(&self.name)?.map(|s| s.st_mtime);
        self.dir.sweep()?;
        let Some(after) = plan.after.as_deref() else {
            self.dir.remove(&self.name)?;
            return Ok(Vec::new());
        };
        self.dir.write(
            &self.name,
            after,
            Access {
                mode: 0o644,
                owner: Some((0, 0)),
            },
        )?;
        self.newer_than(old)?;
        if self.read()?.as_deref() == Some(after) {
            Ok(Vec::new())
        } else {
            Err(target::not_as_written(&self.path()))
        }
    }
}
