//! The guardian of a run: once the run is no more, it brings back what the run has stopped, without
//! being asked.

use std::time::Duration;

use base::clock::Deadline;
use base::{Error, Exit, Result};
use proc::{Identity, Process};

use super::{LOCKS, bring_back, end_command, set, settle_accounts, tasks};
use crate::act;
use crate::interrupt::Interrupt;
use crate::journal::{Journal, Owed, Stop};
use crate::lock::Locks;

/// The longest that the guardian waits for a process that was told to stop.
const LEAVING: Duration = Duration::from_secs(24 * 3600);

/// The guardian's work: the journal it was given, once the run is no more.
#[must_use]
pub fn as_guardian(payload: &[u8]) -> Exit {
    let restored = std::str::from_utf8(payload)
        .map_err(|_| Error::failed("not a journal's name"))
        .and_then(restore);
    match restored {
        Ok(()) => Exit::Ok,
        Err(error) => {
            base::tool::complain("svc-cycle", &error.hint("svc-cycle recover tries again"));
            Exit::Failed
        }
    }
}

fn restore(name: &str) -> Result<()> {
    let interrupt = Interrupt::begin()?;
    let Some(journal) = Journal::named(name)? else {
        return Ok(());
    };
    // The pipe closes a moment before the process is gone, and its locks with it.
    if let Ok(process) = Process::reopen(&journal.entry().run) {
        let _ = process.wait(LOCKS);
    }
    // What takes its time holds up nothing else.
    let first = restore_some(name, &interrupt, |owed| owed.stop != Stop::Asked);
    wait_for_the_old(name)?;
    restore_some(name, &interrupt, |_| true).and(first)
}

fn restore_some(name: &str, interrupt: &Interrupt, which: impl Fn(&Owed) -> bool) -> Result<()> {
    let owed = |journal: &Journal| -> Vec<Owed> {
        let owed = journal.entry().owed.iter();
        owed.filter(|owed| which(owed)).cloned().collect()
    };
    let Some(journal) = Journal::named(name)? else {
        return Ok(());
    };
    let services = set(&journal, &owed(&journal))?;
    let mut locks = Locks::default();
    locks.acquire(&services.services, LOCKS)?;
    // Somebody else may have brought everything back, and the journal may be gone, while the locks
    // were waited for.
    let Some(mut journal) = Journal::named(name)? else {
        return Ok(());
    };
    end_command(&journal)?;
    let owed = owed(&journal);
    if owed.is_empty() {
        return Ok(());
    }
    let services = set(&journal, &owed)?;
    let mut tasks = tasks(&owed, &services, false);
    bring_back(&services, &owed, &mut tasks, interrupt, false);
    settle_accounts(&mut journal, &mut tasks);
    match tasks.into_iter().find_map(|task| task.error) {
        Some(error) => Err(error),
        None => Ok(()),
    }
}

/// Waits, without a lock, until everything that was told to stop is gone: somebody may make it go
/// sooner, or run svc-cycle meanwhile.
fn wait_for_the_old(name: &str) -> Result<()> {
    let until = Deadline::after(Some(LEAVING));
    while !until.passed() {
        let Some(journal) = Journal::named(name)? else {
            return Ok(());
        };
        let asked = journal
            .entry()
            .owed
            .iter()
            .filter(|owed| owed.stop == Stop::Asked);
        let old: Vec<Identity> = asked.flat_map(|owed| owed.old.clone()).collect();
        if act::gone(&old, until.or_after(Duration::from_secs(1))) {
            return Ok(());
        }
    }
    Ok(())
}
