//! The only hands: stopping, starting and waiting, service by service, wave by wave.
//!
//! Services of one wave are worked on at once, each in a thread of its own, because stopping takes as long as the
//! slowest worker's last request. A stop is over when every process that was there before is gone, not when somebody
//! says so.

use std::thread::sleep;
use std::time::{Duration, Instant};

use base::child::Run as Child;
use base::clock::{Deadline, millis};
use base::{Error, Kind, Result};
use probe::Probe;
use proc::{Identity, Process, wait_any};

use rustix::process::Signal;

use crate::backend::{self, Done, State};
use crate::expect;
use crate::interrupt::Interrupt;
use crate::plan::Intent;
use crate::ready::{self, Watchers, named};
use crate::report::{ServiceReport, StepReport};
use crate::set::{KillPolicy, Service, Set, Stopped};

/// One service in the course of a run.
#[derive(Debug)]
pub struct Task {
    /// What is to be done.
    pub intent: Intent,
    /// As it was when the run began.
    pub before: State,
    /// What is told of it.
    pub report: ServiceReport,
    /// What should be known although it worked.
    pub warnings: Vec<String>,
    /// The processes it had, written down before its stop.
    pub old: Vec<Identity>,
    /// Those of them that outlived it.
    pub leftovers: Vec<i32>,
    /// The first thing that went wrong.
    pub error: Option<Error>,
    /// A stop was begun: it has to be brought back.
    pub touched: bool,
    /// It was started and is ready, or was up all along.
    pub up: bool,
    /// Its last stop succeeded: nothing has to be looked at before a start.
    pub down: bool,
}

impl Task {
    /// A service as it was found.
    #[must_use]
    pub fn new(service: &Service, before: State, intent: Intent) -> Self {
        let report = ServiceReport {
            name: service.name.clone(),
            backend: service.backend.name.to_owned(),
            before: before.word().to_owned(),
            after: before.word().to_owned(),
            pids: before.pids(),
            ..ServiceReport::default()
        };
        let up = service.is_up(&before);
        let warnings = before.warnings.clone();
        Self {
            intent,
            before,
            report,
            warnings,
            old: Vec::new(),
            leftovers: Vec::new(),
            error: None,
            touched: false,
            up,
            down: false,
        }
    }

    fn step(&mut self, op: &str, began: Instant, outcome: &Result<Done>) {
        let (ok, detail) = match outcome {
            Ok(done) => (true, done.detail.clone()),
            Err(error) => (false, Some(error.message.clone())),
        };
        self.report.steps.push(StepReport {
            op: op.to_owned(),
            ms: millis(began.elapsed()),
            ok,
            detail,
        });
    }

    /// Keeps the outcome of a step: in the report, its warnings, its error. True if it succeeded.
    pub fn keep(&mut self, op: &str, began: Instant, outcome: Result<Done>) -> bool {
        self.step(op, began, &outcome);
        match outcome {
            Ok(done) => {
                self.warnings.extend(done.warnings);
                true
            }
            Err(error) => {
                self.error.get_or_insert(error);
                false
            }
        }
    }

    /// What is so in the end.
    pub fn saw(&mut self, state: &State) {
        self.report.after = state.word().to_owned();
        self.report.pids = state.pids();
    }
}

/// A run in the course of acting.
#[derive(Debug)]
pub struct Hands<'a> {
    /// The services.
    pub set: &'a Set,
    /// Signals that came.
    pub interrupt: &'a Interrupt,
    /// The end of the whole run; bringing back doesn't keep it.
    pub deadline: Deadline,
    /// Somebody watches.
    pub progress: bool,
}

impl Hands<'_> {
    fn say(&self, text: &str) {
        if self.progress {
            base::tool::say(&format!("{}\n", base::terminal::escape(text)));
        }
    }

    /// Works on the tasks of each wave at once, wave after wave; between waves `go_on` is asked.
    pub fn waves(
        &self,
        tasks: &mut [Task],
        backwards: bool,
        go_on: impl Fn(&[Task]) -> bool,
        work: impl Fn(&Self, &Service, &mut Task) + Sync,
    ) {
        let mut waves = self.set.waves.clone();
        if backwards {
            waves.reverse();
        }
        for wave in waves {
            if !go_on(tasks) {
                return;
            }
            std::thread::scope(|scope| {
                for (at, task) in tasks
                    .iter_mut()
                    .enumerate()
                    .filter(|(at, _)| wave.contains(at))
                {
                    let (service, work) = (&self.set.services[at], &work);
                    if wave.len() == 1 {
                        work(self, service, task);
                    } else {
                        scope.spawn(move || work(self, service, task));
                    }
                }
            });
        }
    }

    /// Stops these members of a service, and waits until everything of them is gone.
    pub fn stop(&self, service: &Service, task: &mut Task, members: &[String]) -> bool {
        let began = Instant::now();
        self.say(&format!("{}: stopping", service.name));
        task.touched = true;
        task.report.changed = true;
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

    fn stop_members(
        &self,
        service: &Service,
        task: &mut Task,
        members: &[String],
    ) -> Result<(Done, State)> {
        let deadline = self.deadline.or_after(service.stop_timeout());
        let state = task.before.only(members);
        let mut old =
            proc::identities(&state.pids()).map_err(|error| Error::io("/proc", &error))?;
        old.extend(
            (service.backend.processes)(&state)
                .into_iter()
                .filter_map(|pid| Identity::of(pid).ok()),
        );
        old.sort();
        old.dedup();
        task.old.extend(old.iter().cloned());
        let asked = (service.backend.stop)(service, &state, members, deadline);
        // Whoever doesn't go in time is killed, where the set says so; what its backend says then counts.
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
        let mut left: Vec<i32> = proc::leftovers(&old)
            .iter()
            .map(|identity| identity.pid)
            .collect();
        left.extend((service.backend.processes)(&state));
        left.sort_unstable();
        left.dedup();
        if service.checks_tree() && !left.is_empty() {
            let words: Vec<String> = left.iter().map(|pid| named(*pid)).collect();
            task.leftovers = left;
            return Err(Error::failed(format!(
                "{}: stopped, but {} outlived it",
                service.name,
                words.join(", ")
            ))
            .hint("kill = \"escalate\" ends them, stopped = [{ tree = false }] lets them be"));
        }
        silent(service, deadline)?;
        let after = backend::observe_one(service)?;
        if after.only(members).is_down() {
            return Ok((done, after));
        }
        Err(Error::failed(format!(
            "{}: it is {} again",
            service.name,
            after.word()
        )))
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
            Ok(Done {
                detail: Some(format!("KILL to {}", words.join(", "))),
                ..Done::default()
            })
        } else {
            Err(Error::failed("even KILL didn't end it"))
        };
        task.keep("kill", began, outcome);
        // The backend has yet to notice.
        let until = Deadline::after(Some(Duration::from_secs(5)));
        while !until.passed() && backend::observe_one(service).is_ok_and(|state| !state.is_down()) {
            sleep(Duration::from_millis(10));
        }
    }

    /// Starts these members and waits until they are ready. With `always`, no signal and no overall deadline cuts it short.
    pub fn start(
        &self,
        service: &Service,
        task: &mut Task,
        members: &[String],
        always: bool,
    ) -> bool {
        let deadline = if always {
            Deadline::NEVER
        } else {
            self.deadline
        }
        .or_after(service.start_timeout());
        self.say(&format!("{}: starting", service.name));
        let mut watchers = Watchers::arm(service);
        let ok = self.start_and_wait(service, task, members, &mut watchers, deadline, always);
        task.report.ready = watchers.reports();
        task.up = ok;
        self.say(&format!(
            "{}: {}",
            service.name,
            if ok { "ready" } else { "not ready" }
        ));
        ok
    }

    /// Waits for a service that somebody else has begun to start, such as a supervisord that has just come up: it is no more ready
    /// than one that was started here.
    pub fn await_start(&self, service: &Service, task: &mut Task) {
        let began = Instant::now();
        let deadline = self.deadline.or_after(service.start_timeout());
        let members = task.before.up();
        let mut watchers = Watchers::look(service);
        let waited = ready::wait(
            service,
            &members,
            &task.old,
            &mut watchers,
            deadline,
            Some(self.interrupt),
        );
        task.report.ready = watchers.reports();
        task.saw(&waited.state);
        task.up = task.keep("ready", began, waited.result.map(|()| Done::default()))
            && self.expect(service, task, &waited.state);
    }

    fn start_and_wait(
        &self,
        service: &Service,
        task: &mut Task,
        members: &[String],
        watchers: &mut Watchers,
        deadline: Deadline,
        always: bool,
    ) -> bool {
        if !self.preflight(service, task, deadline) {
            return false;
        }
        task.report.changed = true;
        let began = Instant::now();
        let whole = task.before.members.len() == members.len();
        let free = if whole {
            watchers.places_are_free(service)
        } else {
            Ok(())
        };
        let asked = free.and_then(|()| ask_to_start(service, members, deadline));
        let finished = asked.as_ref().is_ok_and(|done| done.finished);
        if !task.keep("start", began, asked) {
            if let Ok(state) = backend::observe_one(service) {
                task.saw(&state);
            }
            return false;
        }
        if finished {
            task.report.after = backend::Run::Finished.word().to_owned();
            task.report.pids.clear();
            return true;
        }
        let began = Instant::now();
        let interrupt = (!always).then_some(self.interrupt);
        let waited = ready::wait(service, members, &task.old, watchers, deadline, interrupt);
        task.saw(&waited.state);
        let ready = task.keep("ready", began, waited.result.map(|()| Done::default()));
        ready && self.expect(service, task, &waited.state)
    }

    /// The command that has to agree before a start or a reload.
    pub fn preflight(&self, service: &Service, task: &mut Task, deadline: Deadline) -> bool {
        let Some(argv) = &service.spec.preflight else {
            return true;
        };
        let began = Instant::now();
        let outcome = Child::argv(argv)
            .dir(&service.directory)
            .deadline(deadline)
            .run()
            .and_then(|done| {
                if done.success() {
                    return Ok(Done {
                        detail: Some(argv.join(" ")),
                        ..Done::default()
                    });
                }
                Err(Error::failed(format!(
                    "{}: {}: {}: {}",
                    service.name,
                    argv.join(" "),
                    done.ending,
                    done.last_words()
                )))
            });
        // Whatever kept it from running: it did not agree.
        task.keep(
            "preflight",
            began,
            outcome.map_err(|error| Error {
                kind: Kind::Failed,
                ..error
            }),
        )
    }

    /// Compares the running processes with what is expected of them.
    pub fn expect(&self, service: &Service, task: &mut Task, state: &State) -> bool {
        if service.spec.expect.is_empty() {
            return true;
        }
        let began = Instant::now();
        task.report.expect = expect::compare(&service.spec.expect, &state.pids());
        let wrong: Vec<&str> = task
            .report
            .expect
            .iter()
            .filter(|each| !each.ok)
            .map(|each| each.key.as_str())
            .collect();
        let outcome = if wrong.is_empty() {
            Ok(Done::default())
        } else {
            Err(Error::failed(format!(
                "{}: the running process is not what was expected: {}",
                service.name,
                wrong.join(", ")
            ))
            .hint(
                "what is set in a shell doesn't reach a daemon: set it where the daemon is started",
            ))
        };
        task.keep("expect", began, outcome)
    }
}

/// The state once no stop is under way any more: what is still going down can't be started, and isn't up either.
pub fn settled(service: &Service) -> Result<State> {
    let until = Deadline::after(Some(service.stop_timeout()));
    loop {
        let state = backend::observe_one(service)?;
        let stopping = state
            .members
            .iter()
            .any(|member| member.run == backend::Run::Stopping);
        if !stopping || until.passed() {
            return Ok(state);
        }
        sleep(until.slice(Duration::from_millis(10)));
    }
}

/// A supervisord that is just being started again doesn't answer yet.
fn ask_to_start(service: &Service, members: &[String], deadline: Deadline) -> Result<Done> {
    loop {
        match (service.backend.start)(service, members, deadline) {
            Err(error) if error.kind == Kind::Unreachable && !deadline.passed() => {
                sleep(deadline.slice(Duration::from_millis(100)));
            }
            other => return other,
        }
    }
}

/// Whether all of these have ended by the deadline; woken by each exit.
fn gone(old: &[Identity], deadline: Deadline) -> bool {
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
        let armed = probe.clone().arm();
        let wants_success = matches!(probe, Probe::Command(_));
        while armed.once(deadline.slice(Duration::from_secs(5))).is_ok() != wants_success {
            if deadline.passed() {
                let holders = probe
                    .local_port()
                    .and_then(|port| probe::port::holders(port).ok());
                let by = match holders {
                    Some(probe::port::Holders::Processes(pids)) => {
                        format!(
                            ", by {}",
                            pids.iter()
                                .map(|pid| named(*pid))
                                .collect::<Vec<_>>()
                                .join(", ")
                        )
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
