//! The pipeline of every command that changes something: lock, observe, change the holds, plan,
//! act, observe again.

use crate::act;
use crate::bypass::Key;
use crate::change::{self, Event};
use crate::difference::difference;
use crate::hold::{Hold, State};
use crate::layout::{Layout, Place};
use crate::observe::{self, Found, Observed, Opened};
use crate::person::Run;
use crate::plan::{self, Plan};
use crate::report::{Did, FlagShown, HoldShown, Item, Maintenance};
use crate::standing::standing;
use crate::template::{self, Template};
use crate::when;
use base::bytes::{exact, lossy};
use base::child::Identity;
use base::lock::Lock;
use base::report::Diff;
use base::tool::Context;
use base::{Error, Result};
use jiff::Timestamp;
use std::time::Duration;

/// The lock is only ever held for some milliseconds, never while anything is waited for. Meeting
/// `tick` from cron in one of them is no reason to give up.
const MOMENT: Duration = Duration::from_secs(2);

/// How a command settles things.
#[derive(Debug)]
pub struct Settling<'a> {
    pub layout: &'a Layout,
    /// The template to copy first.
    pub template: Option<&'a Template>,
    /// The only hold the clock moves; every one if None.
    pub only: Option<&'a str>,
    /// Whether what is foreign is renamed aside.
    pub force: bool,
    /// Whether the layout's directory is to be made.
    pub makes: bool,
    /// Report the steps without taking them.
    pub dry_run: bool,
    /// How long to wait for the lock.
    pub lock_wait: Duration,
}

/// How things are afterwards.
#[derive(Debug)]
pub struct Settled {
    /// The instant it was done for.
    pub now: Timestamp,
    /// The holds there are now.
    pub holds: Vec<Hold>,
    /// What the clock had done.
    pub events: Vec<Event>,
    /// What was done, or would be.
    pub items: Vec<Item>,
    /// What a person should know.
    pub warnings: Vec<String>,
    /// What went wrong.
    pub error: Option<Error>,
    /// The flag as it is now.
    pub flag: Found,
    /// What changes for those outside.
    pub diff: Option<Diff>,
}

impl<'a> Settling<'a> {
    /// With nothing special.
    pub fn new(layout: &'a Layout, context: &Context) -> Settling<'a> {
        Settling {
            layout,
            template: None,
            only: None,
            force: false,
            makes: false,
            dry_run: context.dry_run,
            lock_wait: context.lock_wait.max(MOMENT),
        }
    }

    /// Does it: `alter` changes the holds and keys, after the clock has.
    pub fn run(
        &self,
        alter: impl FnOnce(&mut Vec<Hold>, &mut Vec<Key>, Timestamp) -> Result<()>,
    ) -> Result<Settled> {
        self.run_if(|holds, keys, now| alter(holds, keys, now).map(|()| true))
    }

    /// The same, where `alter` may find that nothing is to be done: then everything stays as it was
    /// found, down to what the clock would have brought up to date.
    pub fn run_if(
        &self,
        alter: impl FnOnce(&mut Vec<Hold>, &mut Vec<Key>, Timestamp) -> Result<bool>,
    ) -> Result<Settled> {
        let Some(user) = self.layout.worker()? else {
            return self.settle(alter);
        };
        let settled = base::trust::with_rights_of(&user, || self.settle(alter))?;
        settled.map_err(|error| self.explained(error, &user))
    }

    /// What the directory's user may not do, root does not do for that user.
    fn explained(&self, error: Error, user: &Identity) -> Error {
        if error.kind != base::Kind::Permission || error.hint.is_some() {
            return error;
        }
        let who = user.name.clone().unwrap_or_else(|| user.uid.to_string());
        let dir = self.layout.dir().to_string_lossy();
        error.hint(format!(
            "the work in '{dir}' is done as user '{who}', who can change that path: chown -R {who} {}",
            base::shell::quoted(&dir)
        ))
    }

    fn settle(
        &self,
        alter: impl FnOnce(&mut Vec<Hold>, &mut Vec<Key>, Timestamp) -> Result<bool>,
    ) -> Result<Settled> {
        let _lock = self.lock()?;
        let copied = self.copy_template()?;
        let mut observed = observe::observe(self.layout, &Opened::new(self.layout)?)?;
        observed.templates.extend(copied);
        let now = Timestamp::now();
        let mut holds = observed.holds.clone();
        let mut keys: Vec<Key> = observed
            .keys
            .iter()
            .filter(|key| key.is_good(now))
            .cloned()
            .collect();
        let mut events = change::end_runs(&mut holds, &self.over(&observed));
        events.extend(change::tick(&mut holds, self.only, now));
        let foreign = matches!(observed.flag, Found::Foreign(_)) && !self.force;
        if !alter(&mut holds, &mut keys, now)? && !foreign {
            let holds = observed.holds.clone();
            return self.carry_out(Plan::default(), observed, holds, Vec::new(), now);
        }
        let plan = plan::plan(self.layout, &observed, &holds, &keys, now, self.force);
        self.carry_out(plan, observed, holds, events, now)
    }

    /// The holds whose run is over; only the one that the clock moves, where it is one.
    fn over(&self, observed: &Observed) -> Vec<String> {
        let over = |hold: &&Hold| hold.run.as_ref().is_some_and(Run::is_over);
        let counts = |hold: &&Hold| self.only.is_none_or(|id| id == hold.id);
        let holds = observed.holds.iter().filter(counts).filter(over);
        holds.map(|hold| hold.id.clone()).collect()
    }

    /// A command that only releases or ticks has nothing to do where there is no directory: that is
    /// a mistyped path, and the page elsewhere is still up.
    ///
    /// # Errors
    /// `Kind::NotFound`.
    pub fn must_exist(&self) -> Result<()> {
        // In single-file mode the directory of the holds comes with the first of them.
        let dir = match self.layout.one_file() {
            Some(_) => self
                .layout
                .flag_path()
                .parent()
                .map(std::path::Path::to_path_buf),
            None => Some(self.layout.dir().to_path_buf()),
        };
        match dir.filter(|dir| !dir.is_dir()) {
            Some(dir) => Err(Error::new(
                base::Kind::NotFound,
                format!("'{}': there is no such directory", dir.display()),
            )
            .hint("give the directory of the maintenance page; `maint-page on` makes it")),
            None => Ok(()),
        }
    }

    fn lock(&self) -> Result<Option<Lock>> {
        let there = self.layout.dir().is_dir();
        if self.dry_run || !(there || self.makes) {
            return Ok(None);
        }
        act::lock(self.layout, self.lock_wait).map(Some)
    }

    /// The copy is made before anything refers to it; in a dry run its page is only read.
    fn copy_template(&self) -> Result<Option<(String, String)>> {
        let Some(template) = self.template else {
            return Ok(None);
        };
        if !self.dry_run {
            act::copy_template(self.layout, template)?;
        }
        Ok(self.dry_run.then(|| {
            (
                template.name.clone(),
                template::page(template).unwrap_or_default(),
            )
        }))
    }

    fn carry_out(
        &self,
        plan: Plan,
        observed: Observed,
        holds: Vec<Hold>,
        events: Vec<Event>,
        now: Timestamp,
    ) -> Result<Settled> {
        let refused = plan
            .in_the_way
            .as_ref()
            .map(|thing| foreign(self.layout, &thing.place, thing.why));
        let mut settled = Settled {
            now,
            holds,
            events,
            items: Vec::new(),
            error: None,
            flag: observed.flag.clone(),
            diff: difference(self.layout, &observed, &plan.steps),
            warnings: plan.warnings,
        };
        if self.dry_run {
            settled.items = act::intended(self.layout, &plan.steps);
        } else if !plan.steps.is_empty() {
            let (items, error) = act::act(self.layout, &plan.steps);
            (settled.items, settled.error) = (items, error);
            match Opened::new(self.layout).and_then(|opened| observe::observe(self.layout, &opened))
            {
                Ok(after) => (settled.flag, settled.holds) = (after.flag, after.holds),
                // The report keeps what was done; the state afterwards is unknown.
                Err(error) => settled.error = settled.error.or(Some(error)),
            }
        }
        if refused.is_some() && !self.dry_run && plan.steps.is_empty() {
            settled.holds = observed.holds;
        }
        settled.error = settled.error.or(refused);
        Ok(settled)
    }
}

fn foreign(layout: &Layout, place: &Place, why: &str) -> Error {
    let path = place.path(layout);
    Error::failed(format!("{} is foreign: {why}", path.display()))
        .hint("find out who needs the file; --force moves the file aside")
}

impl Settled {
    /// What was done, or would be, is something.
    pub fn changed(&self) -> bool {
        self.items.iter().any(|item| item.did != Did::Failed)
    }

    /// The state of all holds together.
    pub fn state(&self) -> State {
        standing(&self.holds, self.now).state
    }

    /// The report's body.
    pub fn body(&self, command: &str, layout: &Layout) -> Maintenance {
        body(
            command,
            layout,
            &self.holds,
            &self.flag,
            self.now,
            self.items.clone(),
        )
    }
}

/// The report's body for these findings.
pub fn body(
    command: &str,
    layout: &Layout,
    holds: &[Hold],
    flag: &Found,
    now: Timestamp,
    items: Vec<Item>,
) -> Maintenance {
    let standing = standing(holds, now);
    let up = matches!(flag, Found::Ours(_));
    let shown = |instant: Timestamp| {
        standing
            .speaker
            .map(|hold| when::rfc3339(instant, &hold.zone()))
    };
    Maintenance {
        command: command.to_owned(),
        state: standing.state,
        up,
        flag: match flag {
            Found::Absent => FlagShown::Absent,
            Found::Ours(_) => FlagShown::Ours,
            Found::Foreign(_) => FlagShown::Foreign,
        },
        dir: layout
            .one_file()
            .is_none()
            .then(|| lossy(layout.dir().as_os_str())),
        dir_b64: if layout.one_file().is_none() {
            exact(layout.dir().as_os_str())
        } else {
            None
        },
        page: layout
            .one_file()
            .map(|_| lossy(layout.flag_path().as_os_str())),
        page_b64: layout
            .one_file()
            .and_then(|_| exact(layout.flag_path().as_os_str())),
        starts_at: standing.speaker.and_then(|hold| shown(hold.starts_at)),
        ends_at: standing
            .speaker
            .and_then(|hold| hold.ends_at)
            .and_then(shown),
        retry_after: (up && layout.one_file().is_none()).then_some(standing.retry_after),
        holds: holds.iter().map(|hold| HoldShown::new(hold, now)).collect(),
        items,
        ..Maintenance::default()
    }
}
