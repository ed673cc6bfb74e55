//! A stop is over when every process that was there before is gone, not when somebody says so.

use std::thread::sleep;
use std::time::{Duration, Instant};

use base::clock::{Deadline, millis};
use base::{Error, Result};
use probe::Probe;
use proc::{Identity, Process, wait_any};
use rustix::process::Signal;

use super::Executor;
use crate::backend;
use crate::ready::{armed, named};
use crate::service::{KillPolicy, Service, Stopped};
use crate::state::{Done, State};
use crate::task::Task;

impl Executor<'_> {
    /// Stops these members of a service, and waits until everything of them is gone.
    pub fn stop(&self, service: &Service, task: &mut Task, members: &[String]) -> bool {
        let began = Instant::now();
        self.say(&format!("{}: stopping", service.name));
        task.touched = true;
        task.report.changed = true;
        self.note_stop(service);
        let outcome = self.stop_members(service, task, members);
        // A stop that succeeded has looked already.
        let seen = match &outcome {
            Ok((_, state)) => Ok(state.clone()),
            Err(_) => backend::observe_one(service),
        };
        let ok = task.keep("stop", began, outcome.map(|(done, _)| done));
        if let Ok(state) = seen {
            task.saw(&state);
        }
        task.up = false;
        task.down = ok;
        self.say(&format!(
            "{}: {} in {} ms",
            service.name,
            if ok { "stopped" } else { "not stopped" },
            millis(began.elapsed())
        ));
        ok
    }

    fn note_stop(&self, service: &Service) {
        if backend::of(service).shows_stopping {
            return;
        }
        if let Some(Ok(mut journal)) = self.journal.map(std::sync::Mutex::lock) {
            journal.note_stop(&backend::id(service));
        }
    }

    fn stop_members(
        &self,
        service: &Service,
        task: &mut Task,
        members: &[String],
    ) -> Result<(Done, State)> {
        let backend = backend::of(service);
        let state = task.before.only(members);
        let deadline = self.deadline.or_after(service.stop_timeout(&state));
        let mut old =
            proc::identities(&state.pids()).map_err(|error| Error::io("/proc", &error))?;
        // A process of another user below one of the service's is not the set file's to end.
        old.retain(|process| service.owner.is_none_or(|(uid, _)| process.uid == uid));
        old.extend(
            (backend.processes)(&state)
                .into_iter()
                .filter_map(|pid| Identity::of(pid).ok()),
        );
        old.sort();
        old.dedup();
        task.old.extend(old.iter().cloned());
        let asked = (backend.stop)(service, &state, members, deadline);
        // Whoever does not go in time is killed, where the set says so; what its backend says then
        // counts.
        let escalates = service.spec.kill == KillPolicy::Escalate;
        let done = match asked {
            Err(_) if escalates => {
                self.kill(service, task, &old);
                Done::default()
            }
            other => other?,
        };
        if service.checks_tree() && !gone(&old, deadline) && escalates {
            self.kill(service, task, &old);
        }
        let after = backend::observe_one(service)?;
        let now = after.only(members);
        let mut left: Vec<i32> = proc::leftovers(&old)
            .iter()
            .map(|identity| identity.pid)
            .collect();
        if now.is_down() {
            left.extend((backend.processes)(&state));
        }
        left.sort_unstable();
        left.dedup();
        if service.checks_tree() && !left.is_empty() {
            let words: Vec<String> = left.iter().map(|pid| named(*pid)).collect();
            task.leftovers = left;
            return Err(Error::failed(format!(
                "{}: stopped, but {} still run",
                service.name,
                words.join(", ")
            ))
            .hint("kill = \"escalate\" ends them, stopped = [{ tree = false }] lets them be"));
        }
        if now.is_down() {
            silent(service, deadline)?;
            return Ok((done, after));
        }
        if self.revival && !now.holds_one_of(&state.generation()) {
            return Ok((done, after));
        }
        let up: Vec<String> = now.names(|member| member.run.is_up());
        Err(Error::failed(format!(
            "{}: stopped, and is {} again: {}",
            service.name,
            after.word(),
            up.join(", ")
        ))
        .hint("another unit or a supervisor starts the service again, or a unit that the target wants is not PartOf= the target"))
    }

    fn kill(&self, service: &Service, task: &mut Task, old: &[Identity]) {
        let began = Instant::now();
        let held: Vec<Process> = old
            .iter()
            .filter_map(|identity| Process::reopen(identity).ok())
            .collect();
        held.iter().for_each(|process| {
            let _ = process.signal(Signal::KILL);
        });
        let words: Vec<String> = held
            .iter()
            .map(|process| process.identity.pid.to_string())
            .collect();
        let ended = gone(old, Deadline::after(Some(Duration::from_secs(5))));
        task.warnings.push(format!(
            "{}: killed {} process{}",
            service.name,
            words.len(),
            if words.len() == 1 { "" } else { "es" }
        ));
        let outcome = if ended {
            Ok(Done::saying(format!("KILL to {}", words.join(", "))))
        } else {
            Err(Error::failed("KILL did not end the process"))
        };
        task.keep("kill", began, outcome);
        // The backend has yet to notice.
        let until = Deadline::after(Some(Duration::from_secs(5)));
        while !until.passed() && backend::observe_one(service).is_ok_and(|state| !state.is_down()) {
            sleep(Duration::from_millis(10));
        }
    }
}

/// Whether all of these have ended by the deadline; woken by each exit.
pub fn gone(old: &[Identity], deadline: Deadline) -> bool {
    loop {
        if !old.iter().any(Identity::lives) {
            return true;
        }
        if deadline.passed() {
            return false;
        }
        let held: Vec<Process> = old
            .iter()
            .filter_map(|identity| Process::reopen(identity).ok())
            .collect();
        if held.is_empty() {
            sleep(deadline.slice(Duration::from_millis(5)));
            continue;
        }
        let _ = wait_any(
            &held.iter().collect::<Vec<_>>(),
            deadline.slice(Duration::from_secs(1)),
        );
    }
}

/// Waits until nothing answers any more where nothing should.
fn silent(service: &Service, deadline: Deadline) -> Result<()> {
    for stopped in &service.spec.stopped {
        let Stopped::Silent(probe) = stopped else {
            continue;
        };
        let armed = armed(probe, service);
        let wants_success = matches!(probe, Probe::Command(_));
        while armed.once(deadline.slice(Duration::from_secs(5))).is_ok() != wants_success {
            if deadline.passed() {
                let holders = probe
                    .local_port()
                    .and_then(|port| probe::port::holders(port).ok());
                let by = match holders {
                    Some(probe::port::Holders::Processes(pids)) => {
                        let words: Vec<String> = pids.iter().map(|pid| named(*pid)).collect();
                        format!(", by {}", words.join(", "))
                    }
                    _ => String::new(),
                };
                return Err(Error::failed(format!(
                    "{}: stopped, but {probe} still answers{by}",
                    service.name
                )));
            }
            sleep(deadline.slice(Duration::from_millis(10)));
        }
    }
    Ok(())
}
