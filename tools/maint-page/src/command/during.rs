//! `during`: up, COMMAND, down; and down, too, when this program is killed.

use super::on::On;
use super::{disproved, prove, remarks};
use crate::change;
use crate::hold::State;
use crate::layout::{Layout, Place};
use crate::observe::{self, Opened};
use crate::person::{self, Run};
use crate::report::{Item, Maintenance, Ran, Verified};
use crate::settle::{Settled, Settling};
use crate::wait::{self, Waited};
use base::child::{Ending, Foreground, Outcome};
use base::clock::millis;
use base::exit::Exit;
use base::guardian::{self, Guardian};
use base::report::{Report, Status};
use base::signals::Watch;
use base::tool::Context;
use base::{Error, Result, RunAs};
use nix::sys::signal::Signal;
use proc::Identity;
use rustix::event::{PollFd, PollFlags, Timespec};
use serde::{Deserialize, Serialize};
use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

/// How long the last act waits for the lock: the page must not stay for want of a moment.
const PATIENCE: Duration = Duration::from_secs(30);

/// The guardian's kind.
const RELEASE: &str = "release";

/// The orders for the guardian.
#[derive(Debug, Serialize, Deserialize)]
struct Charge {
    dir: PathBuf,
    page: Option<PathBuf>,
    id: String,
}

/// `maint-page during`.
pub fn run(
    on: &On,
    keep: bool,
    drain: Duration,
    argv: &[OsString],
    run_as: &RunAs,
    context: &Context,
) -> Result<Report<Maintenance>> {
    if context.dry_run {
        return super::on::run(
            &On {
                wait: false,
                ..copy(on)
            },
            context,
        );
    }
    let watch = Watch::begin()?;
    let guardian = if keep { None } else { Some(guard(on)?) };
    let story = Story {
        on,
        keep,
        drain,
        argv,
        run_as,
        context,
        watch: &watch,
    };
    let report = story.tell();
    if let Some(guardian) = guardian {
        guardian.disarm();
    }
    report
}

fn copy(on: &On) -> On {
    On {
        layout: on.layout.clone(),
        wish: on.wish.clone(),
        template: on.template.clone(),
        wait: on.wait,
        force: on.force,
        proof: on.proof.clone(),
    }
}

fn guard(on: &On) -> Result<Guardian> {
    let page = on.layout.one_file().map(|_| on.layout.flag_path());
    let charge = Charge {
        dir: on.layout.dir().to_path_buf(),
        page,
        id: on.wish.id.clone(),
    };
    guardian::start(RELEASE, &serde_json::to_vec(&charge).unwrap_or_default())
}

/// The guardian's work: the hold goes, as after a success.
pub fn guardian(kind: &str, payload: &[u8]) -> Exit {
    let Ok(charge) = serde_json::from_slice::<Charge>(payload) else {
        return Exit::Usage;
    };
    let layout = match &charge.page {
        Some(page) => Layout::single(page),
        None => Ok(Layout::flag(&charge.dir)),
    };
    match layout {
        Ok(layout) if kind == RELEASE => {
            match outlast(&layout, &charge.id).and_then(|()| release(&layout, &charge.id)) {
                Ok(settled) if settled.error.is_none() => Exit::Ok,
                _ => Exit::Failed,
            }
        }
        _ => Exit::Usage,
    }
}

/// How often the guardian looks whether COMMAND's group has ended: its first process is gone by
/// then, and of the others there is no event to wait for.
const LOOK: Duration = Duration::from_millis(200);

/// Waits until no process of COMMAND runs: the site is not the visitors' before. Ends, too, when
/// somebody else has released the hold.
fn outlast(layout: &Layout, id: &str) -> Result<()> {
    loop {
        let observed = observe::observe(layout, &Opened::new(layout)?)?;
        let run = observed
            .holds
            .iter()
            .find(|hold| hold.id == id)
            .and_then(|hold| hold.run.as_ref());
        match run {
            Some(run) if run.command_runs() => std::thread::sleep(LOOK),
            _ => return Ok(()),
        }
    }
}

fn release(layout: &Layout, id: &str) -> Result<Settled> {
    let settling = Settling {
        layout,
        template: None,
        only: None,
        force: false,
        makes: false,
        dry_run: false,
        lock_wait: PATIENCE,
    };
    settling.run(|holds, _, _| {
        change::release(holds, &[id.to_owned()]);
        Ok(())
    })
}

struct Story<'a> {
    on: &'a On,
    keep: bool,
    drain: Duration,
    argv: &'a [OsString],
    run_as: &'a RunAs,
    context: &'a Context,
    watch: &'a Watch,
}

/// How the page was brought up.
enum Raised {
    Up(Box<Settled>, Vec<Item>),
    Not(Box<Report<Maintenance>>),
}

impl Story<'_> {
    fn tell(&self) -> Result<Report<Maintenance>> {
        let (settled, items) = match self.raise()? {
            Raised::Up(settled, items) => (settled, items),
            Raised::Not(report) => return Ok(*report),
        };
        let mine = settled.holds.iter().find(|hold| hold.id == self.on.wish.id);
        let tokens = mine
            .map(|hold| hold.token.clone())
            .into_iter()
            .collect::<Vec<_>>();
        let verified = prove(
            &self.on.proof,
            true,
            &tokens,
            Some(&self.on.layout),
            self.context,
        );
        if let Some(error) = disproved(&verified, true) {
            return self.take_back(items, verified, error);
        }
        if let Some(signal) = self.wait_for_requests_under_way(&items)? {
            let error = Error::failed(format!("interrupted by {signal} before COMMAND was begun"));
            return Ok(self
                .take_back(items, verified, error)?
                .exit(signal_code(signal)));
        }
        let note = |pid| self.note_command(pid);
        match self
            .run_as
            .foreground(Foreground::new(self.argv))
            .patient()
            .started(&note)
            .env(person::MARK, self.mark())
            .deadline(self.context.deadline)
            .run(self.watch)
        {
            Ok(outcome) if self.keep && !good(&outcome) => Ok(self.kept(&settled, items, &outcome)),
            Ok(outcome) => Ok(self.afterwards(&settled, items, &outcome)),
            Err(error) => self.take_back(items, verified, error),
        }
    }

    fn mark(&self) -> String {
        self.on.wish.run.as_ref().map(Run::mark).unwrap_or_default()
    }

    /// Writes COMMAND's process into the hold: the guardian leaves the page up while it runs. Where
    /// that fails the guardian knows COMMAND by its mark alone.
    fn note_command(&self, pid: u32) {
        let Some(command) = i32::try_from(pid)
            .ok()
            .and_then(|pid| Identity::of(pid).ok())
        else {
            return;
        };
        let settling = Settling {
            lock_wait: PATIENCE,
            ..Settling::new(&self.on.layout, self.context)
        };
        let _ = settling.run(|holds, _, _| {
            let mine = holds.iter_mut().find(|hold| hold.id == self.on.wish.id);
            if let Some(run) = mine.and_then(|hold| hold.run.as_mut()) {
                run.command = Some(command);
            }
            Ok(())
        });
    }

    /// The hold is made, its start waited for.
    fn raise(&self) -> Result<Raised> {
        let mut settled = super::on::begin(self.on, self.context)?;
        let mut items = std::mem::take(&mut settled.items);
        let not = |report: Report<Maintenance>| Ok(Raised::Not(Box::new(report)));
        if let Some(error) = settled.error.take() {
            return not(self.take_back(items, Vec::new(), error)?);
        }
        let mine = settled.holds.iter().find(|hold| hold.id == self.on.wish.id);
        if mine.is_some_and(|hold| hold.state(settled.now) != State::Announced) {
            return Ok(Raised::Up(Box::new(settled), items));
        }
        match wait::until_up(
            &self.on.layout,
            Some(&self.on.wish.id),
            self.on.force,
            self.context,
            self.watch,
        )? {
            Waited::Up(mut later) => {
                items.append(&mut later.items);
                match later.error.take() {
                    Some(error) => not(self.take_back(items, Vec::new(), error)?),
                    None => Ok(Raised::Up(
                        Box::new(Settled {
                            warnings: settled.warnings,
                            ..*later
                        }),
                        items,
                    )),
                }
            }
            Waited::Interrupted(signal) => {
                let error =
                    Error::failed(format!("interrupted by {signal} before COMMAND was begun"));
                not(self
                    .take_back(items, Vec::new(), error)?
                    .exit(signal_code(signal)))
            }
            Waited::Late => not(self.take_back(
                items,
                Vec::new(),
                Error::deadline("the start has not come in the time given"),
            )?),
            Waited::Nothing | Waited::Gone => not(self.take_back(
                items,
                Vec::new(),
                Error::failed("the announcement was taken back meanwhile"),
            )?),
        }
    }

    /// A request that passed the flag just before it was there is still being answered by the
    /// site. Nothing tells when the last of them is done; a moment is given to them. Nobody has
    /// to wait when the page was up before.
    fn wait_for_requests_under_way(&self, items: &[Item]) -> Result<Option<Signal>> {
        if !items
            .iter()
            .any(|item| item.what == Place::Flag.word() && item.action == "write")
        {
            return Ok(None);
        }
        let until = self.context.deadline.or_after(self.drain);
        while let Some(left) = until.left().filter(|left| !left.is_zero()) {
            let left = Timespec {
                tv_sec: i64::try_from(left.as_secs()).unwrap_or(i64::MAX),
                tv_nsec: left.subsec_nanos().into(),
            };
            match rustix::event::poll(&mut [PollFd::new(self.watch, PollFlags::IN)], Some(&left)) {
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(e) => return Err(Error::io("cannot wait", &e.into())),
            }
            if let Some(signal) = self.watch.next() {
                return Ok(Some(signal));
            }
        }
        Ok(None)
    }

    /// COMMAND was never begun: whatever --on-failure says, there is nothing to keep the page for.
    fn take_back(
        &self,
        mut items: Vec<Item>,
        verified: Vec<Verified>,
        error: Error,
    ) -> Result<Report<Maintenance>> {
        let released = release(&self.on.layout, &self.on.wish.id)?;
        items.extend(released.items.iter().cloned());
        let mut body = released.body("during", &self.on.layout);
        body.verified = verified;
        Ok(self.failed(body, items, error))
    }

    fn failed(&self, mut body: Maintenance, items: Vec<Item>, error: Error) -> Report<Maintenance> {
        let changed = !items.is_empty();
        body.items = items;
        let exit = match error.exit() {
            special @ (Exit::NotFound | Exit::NotExecutable) => special,
            _ => Exit::AroundCommand,
        };
        Report::new(Status::Failed, error.message.clone(), body)
            .changed(changed)
            .error(error)
            .exit(exit)
    }

    /// COMMAND failed, and somebody is to look before visitors come back.
    fn kept(&self, settled: &Settled, items: Vec<Item>, outcome: &Outcome) -> Report<Maintenance> {
        let mut body = settled.body("during", &self.on.layout);
        body.items = items;
        body.ran = Some(ran(self.argv, outcome));
        let mut warnings = settled.warnings.clone();
        warnings.push(format!(
            "the page is kept up (--on-failure keep); maint-page off --id {} takes it away",
            self.on.wish.id
        ));
        let msg = format!("{}; the page is kept up", ended(outcome));
        let report = Report::new(Status::Failed, msg, body).diff(settled.diff.clone());
        report
            .changed(true)
            .warnings(warnings)
            .error(Error::failed(ended(outcome)))
            .exit(own_code(outcome))
    }

    /// COMMAND has run, and the page goes.
    fn afterwards(
        &self,
        settled: &Settled,
        mut items: Vec<Item>,
        outcome: &Outcome,
    ) -> Report<Maintenance> {
        let released = match release(&self.on.layout, &self.on.wish.id) {
            Ok(released) => released,
            Err(error) => {
                let mut body = settled.body("during", &self.on.layout);
                body.ran = Some(ran(self.argv, outcome));
                return self.failed(body, items, error);
            }
        };
        items.extend(released.items.iter().cloned());
        let mut body = released.body("during", &self.on.layout);
        body.ran = Some(ran(self.argv, outcome));
        let mut warnings = settled.warnings.clone();
        let mut error = released.error.clone();
        let mut page = "the page is off".to_owned();
        if released.state().is_up() {
            let up = released
                .holds
                .iter()
                .filter(|hold| hold.state(released.now).is_up());
            page = format!(
                "the page stays up for {}",
                up.map(|hold| hold.id.as_str())
                    .collect::<Vec<_>>()
                    .join(", ")
            );
            warnings.push(page.clone());
        } else if good(outcome) && error.is_none() {
            body.verified = prove(
                &self.on.proof,
                false,
                &[],
                Some(&self.on.layout),
                self.context,
            );
            error = disproved(&body.verified, false);
            warnings.extend(remarks(&body.verified));
        }
        if let Some(error) = error {
            return self.failed(body, items, error).warnings(warnings);
        }
        body.items = items;
        let report = Report::new(Status::Ok, format!("{}; {page}", ended(outcome)), body)
            .changed(true)
            .warnings(warnings);
        if good(outcome) {
            report.exit(own_code(outcome))
        } else {
            report
                .error(Error::failed(ended(outcome)))
                .exit(own_code(outcome))
        }
    }
}

/// Whether COMMAND did its work: one that ended well because it was asked to end did not.
fn good(outcome: &Outcome) -> bool {
    outcome.ending.success() && outcome.interrupted.is_none() && !outcome.timed_out
}

fn ended(outcome: &Outcome) -> String {
    match (good(outcome), outcome.timed_out) {
        (true, _) => "COMMAND succeeded".to_owned(),
        (false, true) => format!(
            "COMMAND was ended when the time was up ({})",
            outcome.ending
        ),
        (false, false) => format!("COMMAND failed ({})", outcome.ending),
    }
}

/// COMMAND's own code; never 0 for one that did not do its work.
fn own_code(outcome: &Outcome) -> Exit {
    match (outcome.ending.success(), outcome.interrupted) {
        (true, Some(signal)) => signal_code(signal),
        (true, None) if outcome.timed_out => Exit::Retry,
        _ => outcome.exit(),
    }
}

fn signal_code(signal: Signal) -> Exit {
    Exit::Command(u8::try_from(128 + signal as i32).unwrap_or(u8::MAX))
}

fn ran(argv: &[OsString], outcome: &Outcome) -> Ran {
    let words: Vec<_> = argv.iter().map(|word| word.to_string_lossy()).collect();
    let (exit, signal) = match outcome.ending {
        Ending::Exit(code) => (Some(code), None),
        Ending::Signal(signal) => (None, Some(signal)),
    };
    Ran {
        argv: base::mask::argv(&words),
        exit,
        signal,
        ms: millis(outcome.elapsed),
        ending: outcome.ending.to_string(),
        code: outcome.ending.shell_code(),
        interrupted: outcome.interrupted.map(|signal| signal.to_string()),
        tail: (!outcome.ending.success()).then(|| base::mask::text(&outcome.tail)),
    }
}
