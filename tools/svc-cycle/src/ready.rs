//! Is it up, is it the service that answers, and does it stay?
//!
//! Three things in turn: the backend says that it runs; every probe is answered, by a process of
//! the service itself and by none of the old ones; and then for `stable` the same processes live
//! and the backend has restarted nothing. An exit ends every wait at once, because the wait is on
//! the processes' own descriptors.

use std::collections::BTreeSet;
use std::thread::sleep;
use std::time::{Duration, Instant};

use base::clock::{Deadline, millis};
use base::{Error, Kind, Result};
use probe::{Armed, Probe, port};
use proc::Snapshot;
use proc::{Identity, Process, wait_any};

use crate::backend;
use crate::interrupt::Interrupt;
use crate::report::ReadyReport;
use crate::service::Service;
use crate::state::{Run, State};

/// Between two questions at first, and at most.
const PAUSE: (Duration, Duration) = (Duration::from_millis(4), Duration::from_millis(100));

/// The longest that one question may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// Exits before it counts as a crash loop.
const DEATHS: u32 = 3;

/// What has to answer, armed before the start.
#[derive(Debug)]
pub struct Watchers {
    probes: Vec<(Armed, bool)>,
    reports: Vec<ReadyReport>,
}

impl Watchers {
    /// Arms the probes of a service: what a log already holds does not count.
    #[must_use]
    pub fn arm(service: &Service) -> Self {
        let probes: Vec<(Armed, bool)> = service
            .spec
            .ready
            .iter()
            .map(|ready| (armed(&ready.probe, service), ready.anybody))
            .collect();
        let reports = probes
            .iter()
            .map(|(armed, _)| ReadyReport {
                probe: armed.probe.to_string(),
                ok: false,
                ms: 0,
                attempts: 0,
                last_error: None,
            })
            .collect();
        Self { probes, reports }
    }

    /// The same for a service that has been up: what its log says now says nothing about it.
    #[must_use]
    pub fn look(service: &Service) -> Self {
        let mut watchers = Self::arm(service);
        let lasting: Vec<bool> = watchers
            .probes
            .iter()
            .map(|(armed, _)| !matches!(armed.probe, Probe::Log { .. }))
            .collect();
        let mut keep = lasting.iter();
        watchers
            .probes
            .retain(|_| keep.next().copied().unwrap_or(true));
        let mut keep = lasting.iter();
        watchers
            .reports
            .retain(|_| keep.next().copied().unwrap_or(true));
        watchers
    }

    /// What came of them.
    #[must_use]
    pub fn reports(self) -> Vec<ReadyReport> {
        self.reports
    }

    /// A port that another program already has is no place to start at: its answer would be taken
    /// for ours.
    ///
    /// # Errors
    /// Somebody listens there.
    pub fn places_are_free(&self, service: &Service) -> Result<()> {
        for (armed, anybody) in &self.probes {
            let (Probe::Port(_), false, Some(port)) =
                (&armed.probe, anybody, armed.probe.local_port())
            else {
                continue;
            };
            match port::holders(port) {
                // Process 1 holds it for a socket unit, and hands it over.
                Ok(port::Holders::Processes(pids)) if !pids.contains(&1) => {
                    let words: Vec<String> = pids.iter().map(|pid| named(*pid)).collect();
                    return Err(Error::failed(format!("{}: port {port} is held by {}", service.name, words.join(", ")))
                        .hint("stop that process first; holder = \"any\" in the probe accepts the answer of every process"));
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Asks each probe that has not answered yet, once. True when all have.
    fn ask(
        &mut self,
        service: &Service,
        state: &State,
        old: &[Identity],
        began: Instant,
        left: Duration,
    ) -> bool {
        for ((armed, anybody), report) in self.probes.iter().zip(&mut self.reports) {
            // A question that cannot be answered in what is left would only hide the last answer
            // that came.
            if report.ok || (report.attempts > 0 && left < Duration::from_millis(20)) {
                continue;
            }
            report.attempts += 1;
            let answer = armed.once(left.min(PATIENCE)).and_then(|()| {
                if *anybody {
                    Ok(())
                } else {
                    own(&armed.probe, service, state, old)
                }
            });
            report.ms = millis(began.elapsed());
            report.ok = answer.is_ok();
            report.last_error = answer.err().or(report.last_error.take());
        }
        self.reports.iter().all(|report| report.ok)
    }

    fn forget(&mut self) {
        self.reports.iter_mut().for_each(|report| report.ok = false);
    }

    fn unanswered(&self) -> Option<String> {
        self.reports.iter().find(|report| !report.ok).map(|report| {
            report
                .last_error
                .clone()
                .unwrap_or_else(|| report.probe.clone())
        })
    }
}

/// Whether the answer came from the service: one of its processes holds the port, and none of the
/// old ones does.
fn own(
    probe: &Probe,
    service: &Service,
    state: &State,
    old: &[Identity],
) -> std::result::Result<(), String> {
    let Some(port) = probe.local_port() else {
        return Ok(());
    };
    let pids = state.pids();
    // A container's port is held here by whatever forwards it.
    let elsewhere = |pid: &i32| proc::Namespace::Network.shared_with(*pid) == Some(false);
    if pids.is_empty() || pids.iter().all(elsewhere) {
        return Ok(());
    }
    let Ok(snapshot) = Snapshot::take() else {
        return Ok(());
    };
    let mut tree: BTreeSet<i32> = pids.iter().flat_map(|pid| snapshot.tree(*pid)).collect();
    tree.extend((backend::of(service).processes)(state));
    let stale: BTreeSet<i32> = old
        .iter()
        .filter(|identity| identity.lives())
        .map(|identity| identity.pid)
        .filter(|pid| !tree.contains(pid))
        .collect();
    if let Ok(port::Holders::Processes(pids)) = port::holders_among(port, &stale) {
        let words: Vec<String> = pids.iter().map(|pid| named(*pid)).collect();
        return Err(format!(
            "port {port} is answered by the old {}",
            words.join(", ")
        ));
    }
    match port::holders_among(port, &tree) {
        Ok(port::Holders::Processes(_) | port::Holders::Unknown) | Err(_) => Ok(()),
        Ok(port::Holders::Nobody) => match port::holders(port) {
            Ok(port::Holders::Processes(pids)) => {
                let words: Vec<String> = pids.iter().map(|pid| named(*pid)).collect();
                Err(format!(
                    "port {port} is answered by {}, not by {}; for a server in front of the service, give holder = \"any\"",
                    words.join(", "),
                    service.name
                ))
            }
            _ => Ok(()),
        },
    }
}

/// The probe, which asks with the rights of the set file.
#[must_use]
pub fn armed(probe: &Probe, service: &Service) -> Armed {
    probe.clone().arm_as(service.rights(), &service.directory)
}

/// A process as people know it.
#[must_use]
pub fn named(pid: i32) -> String {
    match proc::Stat::of(pid) {
        Ok(stat) => format!("process {pid} ({})", stat.comm),
        Err(_) => format!("process {pid}"),
    }
}

/// How a wait ended.
#[derive(Debug)]
pub struct Waited {
    /// The last state that was seen.
    pub state: State,
    /// Everything answered and was stable.
    pub result: Result<()>,
    /// What a person should know although it worked.
    pub warnings: Vec<String>,
}

impl Waited {
    fn over(state: State, result: Result<()>) -> Self {
        Self {
            state,
            result,
            warnings: Vec::new(),
        }
    }
}

/// What is waited for.
#[derive(Debug, Clone, Copy)]
pub struct Of<'a> {
    /// The members that have to be up.
    pub members: &'a [String],
    /// Processes of before the stop, whose answers do not count.
    pub old: &'a [Identity],
    /// Processes that the start left behind: all there is to go by where the backend cannot tell.
    pub left: &'a [Identity],
}

impl Of<'_> {
    fn observe(&self, service: &Service) -> Result<State> {
        let mut state = backend::observe_one(service)?.only(self.members);
        for member in state
            .members
            .iter_mut()
            .filter(|member| member.run == Run::Unknown)
        {
            if let Some(process) = self.left.iter().find(|identity| identity.lives()) {
                member.run = Run::Running;
                member.pid = Some(process.pid);
                member.generation = format!("{}@{}", process.pid, process.start);
            }
        }
        Ok(state)
    }
}

/// Waits until the members are up, answer, and stay. `interrupt` is None where nothing may
/// interrupt.
#[must_use]
pub fn wait(
    service: &Service,
    of: Of<'_>,
    watchers: &mut Watchers,
    deadline: Deadline,
    interrupt: Option<&Interrupt>,
) -> Waited {
    let began = Instant::now();
    let mut pause = PAUSE.0;
    let mut deaths = 0;
    let mut last = State::default();
    loop {
        match of.observe(service) {
            Err(error) if deadline.passed() || is_final(service, &error, began.elapsed()) => {
                return Waited::over(last, Err(error));
            }
            // supervisord restarts, a bus is busy: asked again until the time is up.
            Err(_) => {}
            Ok(state) => {
                let up = state.is_done_or_running();
                last = state;
                if up && watchers.ask(service, &last, of.old, began, deadline.slice(PATIENCE)) {
                    match stays(service, of, &last, deadline, interrupt) {
                        Ok((state, warnings)) => {
                            return Waited {
                                state,
                                result: Ok(()),
                                warnings,
                            };
                        }
                        Err(gone) => {
                            let (state, why) = *gone;
                            deaths += 1;
                            watchers.forget();
                            let over = state.is_down() || deaths >= DEATHS;
                            last = state;
                            if over {
                                let error = Error::failed(format!(
                                    "{}: was ready, and then {why}",
                                    service.name
                                ));
                                return Waited::over(last, Err(error));
                            }
                        }
                    }
                }
                if let Some(why) = given_up(service, &last, began.elapsed()) {
                    let error = Error::failed(format!("{}: {why}", service.name));
                    return Waited::over(last, Err(error));
                }
            }
        }
        if let Some(Err(error)) = interrupt.map(Interrupt::check) {
            return Waited::over(last, Err(error));
        }
        if deadline.passed() {
            let why = watchers
                .unanswered()
                .filter(|_| last.is_done_or_running())
                .unwrap_or_else(|| last.why());
            let error = Error::failed(format!(
                "{}: not ready in {:.0} s: {why}",
                service.name,
                began.elapsed().as_secs_f64()
            ));
            return Waited::over(last, Err(error));
        }
        rest(&last.pids(), deadline.slice(pause));
        pause = (pause * 3 / 2).min(PAUSE.1);
    }
}

/// Whether an answer of the backend stays what it is. A daemon that root starts writes its pid file
/// before it gives up root's rights: for a moment the file seems to name a process that its owner
/// may not signal.
fn is_final(service: &Service, error: &Error, waited: Duration) -> bool {
    match error.kind {
        Kind::Usage | Kind::Input => true,
        Kind::Permission => waited >= backend::of(service).late,
        _ => false,
    }
}

/// Why nothing more is to be expected of it; None while it may still come up.
fn given_up(service: &Service, state: &State, waited: Duration) -> Option<String> {
    let only = |run: Run| state.members.iter().find(|member| member.run == run);
    if let Some(member) = only(Run::Failed) {
        return Some(format!(
            "the service failed: {}",
            State::one(member.clone()).why()
        ));
    }
    if state.members.iter().any(|member| member.restarts >= DEATHS) {
        return Some(format!(
            "the service exits again and again: {}",
            state.why()
        ));
    }
    if let Some(member) = state.members.iter().find(|member| member.dormant) {
        return Some(format!(
            "the service exited, and the next start is not soon: {}",
            State::one(member.clone()).why()
        ));
    }
    let late = waited >= backend::of(service).late;
    if late && only(Run::Unknown).is_some() {
        return Some(format!(
            "neither a pid file nor a process shows that the service runs: {}",
            state.why()
        ));
    }
    (late && only(Run::Stopped).is_some())
        .then(|| format!("the service exited at once: {}", state.why()))
}

/// Sleeps, but not past the end of one of these processes.
fn rest(pids: &[i32], time: Duration) {
    let held: Vec<Process> = pids
        .iter()
        .filter_map(|pid| Process::open(*pid).ok())
        .collect();
    if held.is_empty() {
        sleep(time);
    } else {
        let _ = wait_any(&held.iter().collect::<Vec<_>>(), time);
    }
}

/// How long it has to stay: as the set says; else a moment where a probe spoke for it, and a second
/// where nothing did.
fn stable(service: &Service, state: &State) -> Duration {
    service.spec.stable.unwrap_or_else(|| {
        let vouched =
            !service.spec.ready.is_empty() || (backend::of(service).vouches)(service, state);
        if vouched {
            Duration::from_millis(50)
        } else {
            Duration::from_secs(1)
        }
    })
}

/// How often the watch over a service begins anew because a child of it ended, before the service
/// is believed all the same.
const CHILDREN: u32 = 4;

/// A service that did not stay up: the last state, and the reason.
type Gone = Box<(State, String)>;

/// Watches it for `stable`. A master that says it is ready and whose workers then die (gunicorn
/// with broken code under Type=notify) dies a moment after them: so the end of a child makes the
/// watch begin anew, a few times.
fn stays(
    service: &Service,
    of: Of<'_>,
    state: &State,
    deadline: Deadline,
    interrupt: Option<&Interrupt>,
) -> std::result::Result<(State, Vec<String>), Gone> {
    let time = stable(service, state);
    let pids = state.pids();
    let held: Vec<Process> = pids
        .iter()
        .filter_map(|pid| Process::open(*pid).ok())
        .collect();
    let began = Instant::now();
    let mut rounds = 0;
    let mut until = Deadline::after(Some(time));
    let mut children = workers(&pids);
    while held.len() == pids.len()
        && !until.passed()
        && interrupt.is_none_or(|interrupt| interrupt.seen().is_none())
    {
        let slice = until.slice(Duration::from_millis(100));
        if held.is_empty() {
            sleep(slice);
        } else if wait_any(&held.iter().collect::<Vec<_>>(), slice)
            .is_ok_and(|ended| !ended.is_empty())
        {
            break;
        }
        let now = workers(&pids);
        if children.iter().any(|child| !now.contains(child)) && rounds < CHILDREN {
            rounds += 1;
            until = deadline.or_after(time.max(Duration::from_millis(500)));
        }
        children = now;
    }
    let after = match of.observe(service) {
        Ok(after) => after,
        Err(error) => return Err(Box::new((state.clone(), error.message))),
    };
    if after.is_done_or_running() && after.generation() == state.generation() {
        let warnings = if rounds >= CHILDREN && service.spec.ready.is_empty() {
            vec![format!(
                "{}: its main process stays, but its children end again and again; a probe (ready = ...) shows whether it works",
                service.name
            )]
        } else {
            Vec::new()
        };
        return Ok((after, warnings));
    }
    let ms = millis(began.elapsed());
    let why = if after.is_done_or_running() {
        "and the service is another process now".to_owned()
    } else {
        after.why()
    };
    Err(Box::new((
        after,
        format!("the service exited within {ms} ms ({why})"),
    )))
}

fn workers(pids: &[i32]) -> BTreeSet<i32> {
    Snapshot::take().map_or_else(
        |_| BTreeSet::new(),
        |snapshot| {
            pids.iter()
                .flat_map(|pid| snapshot.children(*pid))
                .collect()
        },
    )
}

/// Asks everything once, of a service that should be up: `check`, and a start that found it
/// running.
pub fn once(service: &Service, state: &State, watchers: &mut Watchers) -> Result<()> {
    let answered = watchers.ask(service, state, &[], Instant::now(), PATIENCE);
    match watchers.unanswered() {
        Some(why) if !answered => Err(Error::failed(format!("{}: {why}", service.name))),
        _ => Ok(()),
    }
}
