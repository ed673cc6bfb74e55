//! A start is over when the service is ready and stays, not when somebody says so.

use std::thread::sleep;
use std::time::{Duration, Instant};

use base::clock::Deadline;
use base::{Error, Kind, Result};

use super::Executor;
use crate::backend;
use crate::expect;
use crate::preflight;
use crate::ready::{self, Watchers};
use crate::service::Service;
use crate::state::{Done, Run, State};
use crate::task::Task;

impl Executor<'_> {
    /// Starts these members and waits until they are ready. With `always`, no signal and no overall
    /// deadline cuts it short.
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
        task.ready = false;
        let mut watchers = Watchers::arm(service);
        let ok = self.start_and_wait(service, task, members, &mut watchers, deadline, always);
        task.report.ready = watchers.reports();
        task.up = ok;
        if !ok {
            let state = backend::observe_one(service).unwrap_or_default();
            task.log((backend::of(service).log)(service, &state));
        }
        self.say(&format!(
            "{}: {}",
            service.name,
            if ok { "ready" } else { "not ready" }
        ));
        ok
    }

    /// Waits for a service that something else has begun to start, such as a supervisord that has
    /// just come up: it is no more ready than one that was started here.
    pub fn await_start(&self, service: &Service, task: &mut Task) {
        let began = Instant::now();
        let deadline = self.deadline.or_after(service.start_timeout());
        let members = task.before.up();
        let mut watchers = Watchers::look(service);
        let waited = ready::wait(
            service,
            ready::Of {
                members: &members,
                old: &task.old,
                left: &[],
            },
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
        if service
            .spec
            .preflight
            .as_ref()
            .is_some_and(|argv| !argv.is_empty())
        {
            let began = Instant::now();
            let outcome = preflight::own(service, deadline);
            if !task.keep("preflight", began, outcome) {
                return false;
            }
        }
        task.report.changed = true;
        let began = Instant::now();
        let whole = task.before.members.len() == members.len();
        let free = if whole && !task.revived {
            watchers.places_are_free(service)
        } else {
            Ok(())
        };
        let asked = free.and_then(|()| ask_to_start(service, members, deadline, always));
        let (finished, left) = match &asked {
            Ok(done) => (done.finished, done.left.clone()),
            Err(_) => (false, Vec::new()),
        };
        if !task.keep("start", began, asked) {
            if let Ok(state) = backend::observe_one(service) {
                task.saw(&state);
            }
            return false;
        }
        if finished {
            task.report.after = Run::Finished.word().to_owned();
            task.report.pids.clear();
            task.ready = true;
            return true;
        }
        let began = Instant::now();
        let interrupt = (!always).then_some(self.interrupt);
        let of = ready::Of {
            members,
            old: &task.old,
            left: &left,
        };
        let waited = ready::wait(service, of, watchers, deadline, interrupt);
        task.saw(&waited.state);
        task.warnings.extend(waited.warnings);
        let ready = task.keep("ready", began, waited.result.map(|()| Done::default()));
        task.ready = ready;
        ready && self.expect(service, task, &waited.state)
    }

    /// Compares the running processes with what is expected of them.
    pub fn expect(&self, service: &Service, task: &mut Task, state: &State) -> bool {
        if service.spec.expect.is_empty() {
            return true;
        }
        let began = Instant::now();
        task.report.expect = expect::compare(&service.spec.expect, &state.pids());
        let outcome = expect::verdict(&service.name, &task.report.expect);
        task.keep("expect", began, outcome.map(|()| Done::default()))
    }
}

/// The state once no stop is under way any more: what is still going down cannot be started, and is
/// not up either.
///
/// # Errors
/// The backend does not answer.
pub fn settled(service: &Service) -> Result<State> {
    let mut until = None;
    loop {
        let state = backend::observe_one(service)?;
        // The backend's own time, too: its stop goes on whatever the set's time is.
        let until = *until.get_or_insert_with(|| {
            let time = service.stop_timeout(&state);
            Deadline::after(Some(state.stop_time().map_or(time, |own| own.max(time))))
        });
        let stopping = state
            .members
            .iter()
            .any(|member| member.run == Run::Stopping);
        if !stopping || until.passed() {
            return Ok(state);
        }
        sleep(until.slice(Duration::from_millis(10)));
    }
}

/// Asks for the start. A supervisord that is just being started again does not answer yet; and
/// where the start has to come whatever happens, a system without a free process or descriptor is
/// asked again, too.
fn ask_to_start(
    service: &Service,
    members: &[String],
    deadline: Deadline,
    always: bool,
) -> Result<Done> {
    loop {
        match (backend::of(service).start)(service, members, deadline) {
            Err(error)
                if !deadline.passed()
                    && (error.kind == Kind::Unreachable || always && is_shortage(&error)) =>
            {
                sleep(deadline.slice(Duration::from_millis(100)));
            }
            other => return other,
        }
    }
}

/// EAGAIN, ENOMEM, EMFILE or ENFILE: it passes.
#[must_use]
pub fn is_shortage(error: &Error) -> bool {
    [
        "Resource temporarily unavailable",
        "Cannot allocate memory",
        "Too many open files",
    ]
    .iter()
    .any(|words| error.message.contains(words))
}
