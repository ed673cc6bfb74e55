//! Is it up, is it the service that answers, and does it stay?
//!
//! Three things in turn: the backend says that it runs; every probe is answered, by a process of the service itself
//! and by none of the old ones; and then for `stable` the same processes live and the backend has restarted nothing.
//! An exit ends every wait at once, because the wait is on the processes' own descriptors.

use std::collections::BTreeSet;
use std::thread::sleep;
use std::time::{Duration, Instant};

use base::clock::{Deadline, millis};
use base::{Error, Kind, Result};
use probe::{Armed, Probe, port};
use proc::Snapshot;
use proc::{Identity, Process, wait_any};

use crate::backend::{self, Run, State};
use crate::interrupt::Interrupt;
use crate::report::ReadyReport;
use crate::set::Service;

/// Between two questions at first, and at most.
const PAUSE: (Duration, Duration) = (Duration::from_millis(4), Duration::from_millis(100));

/// The longest that one question may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// So many ends within one wait are a crash loop.
const DEATHS: u32 = 3;

/// What has to answer, armed before the start.
#[derive(Debug)]
pub struct Watchers {
    probes: Vec<(Armed, bool)>,
    reports: Vec<ReadyReport>,
}

impl Watchers {
    /// Arms the probes of a service: what a log already holds doesn't count.
    #[must_use]
    pub fn arm(service: &Service) -> Self {
        let probes: Vec<(Armed, bool)> = service
            .spec
            .ready
            .iter()
            .map(|ready| (ready.probe.clone().arm(), ready.anybody))
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

    /// A port that another program already has is no place to start at: its answer would be taken for ours.
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
                        .hint("stop that first; holder = \"any\" in the probe takes its answer for the service's"));
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Asks each probe that hasn't answered yet, once. True when all have.
    fn ask(
        &mut self,
        service: &Service,
        state: &State,
        old: &[Identity],
        began: Instant,
        left: Duration,
    ) -> bool {
        for ((armed, anybody), report) in self.probes.iter().zip(&mut self.reports) {
            // A question that can't be answered in what is left would only hide the last answer that came.
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

/// Whether the answer came from the service: one of its processes holds the port, and none of the old ones does.
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
    if pids.is_empty() {
        return Ok(());
    }
    let Ok(snapshot) = Snapshot::take() else {
        return Ok(());
    };
    let mut tree: BTreeSet<i32> = pids.iter().flat_map(|pid| snapshot.tree(*pid)).collect();
    tree.extend((service.backend.processes)(state));
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
                    "port {port} is answered by {}, not by {}; if that stands in front of it, say holder = \"any\"",
                    words.join(", "),
                    service.name
                ))
            }
            _ => Ok(()),
        },
    }
}

/// A process as people know it.
#[must_use]
pub fn named(pid: i32) -> String {
    match proc::Stat::of(pid) {
        Ok(stat) => format!("process {pid} ({})", stat.comm),
        Err(_) => format!("process {pid}"),
    }
}

/// How it went.
#[derive(Debug)]
pub struct Waited {
    /// The last state that was seen.
    pub state: State,
    /// When everything answered and had been stable.
    pub result: Result<()>,
}

/// Waits until the members are up, answer, and stay. `interrupt` is None where nothing may interrupt.
#[must_use]
pub fn wait(
    service: &Service,
    members: &[String],
    old: &[Identity],
    watchers: &mut Watchers,
    deadline: Deadline,
    interrupt: Option<&Interrupt>,
) -> Waited {
    let began = Instant::now();
    let mut pause = PAUSE.0;
    let mut deaths = 0;
    let mut last = State::default();
    loop {
        match backend::observe_one(service).map(|state| state.only(members)) {
            Err(error)
                if deadline.passed()
                    || matches!(error.kind, Kind::Permission | Kind::Usage | Kind::Input) =>
            {
                return Waited {
                    state: last,
                    result: Err(error),
                };
            }
            // supervisord restarts, a bus is busy: asked again until the time is up.
            Err(_) => {}
            Ok(state) => {
                let up = state.is_done_or_running();
                last = state;
                if up && watchers.ask(service, &last, old, began, deadline.slice(PATIENCE)) {
                    match stays(service, members, &last, interrupt) {
                        Ok(state) => {
                            return Waited {
                                state,
                                result: Ok(()),
                            };
                        }
                        Err((state, why)) => {
                            deaths += 1;
                            watchers.forget();
                            let over = state.is_down() || deaths >= DEATHS;
                            last = state;
                            if over {
                                return Waited {
                                    result: Err(Error::failed(format!(
                                        "{}: it was ready, and then {why}",
                                        service.name
                                    ))),
                                    state: last,
                                };
                            }
                        }
                    }
                }
                if let Some(why) = given_up(service, &last, began.elapsed()) {
                    return Waited {
                        result: Err(Error::failed(format!("{}: {why}", service.name))),
                        state: last,
                    };
                }
            }
        }
        if let Some(Err(error)) = interrupt.map(Interrupt::check) {
            return Waited {
                state: last,
                result: Err(error),
            };
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
            return Waited {
                state: last,
                result: Err(error),
            };
        }
        rest(&last.pids(), deadline.slice(pause));
        pause = (pause * 3 / 2).min(PAUSE.1);
    }
}

/// Why nothing more is to be expected of it; None while it may still come up.
fn given_up(service: &Service, state: &State, waited: Duration) -> Option<String> {
    if let Some(member) = state
        .members
        .iter()
        .find(|member| member.run == Run::Failed)
    {
        return Some(format!(
            "it failed: {}",
            State {
                members: vec![member.clone()],
                warnings: Vec::new()
            }
            .why()
        ));
    }
    if state.members.iter().any(|member| member.restarts >= DEATHS) {
        return Some(format!("it ends again and again: {}", state.why()));
    }
    let down = state
        .members
        .iter()
        .any(|member| member.run == Run::Stopped);
    (down && waited >= service.backend.late)
        .then(|| format!("it ended as soon as it was started: {}", state.why()))
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

/// How long it has to stay: as the set says; else a moment where something spoke for it, and a second where nothing did.
fn stable(service: &Service, state: &State) -> Duration {
    service.spec.stable.unwrap_or_else(|| {
        let vouched = !service.spec.ready.is_empty() || (service.backend.vouches)(service, state);
        if vouched {
            Duration::from_millis(50)
        } else {
            Duration::from_secs(1)
        }
    })
}

fn stays(
    service: &Service,
    members: &[String],
    state: &State,
    interrupt: Option<&Interrupt>,
) -> std::result::Result<State, (State, String)> {
    let until = Deadline::after(Some(stable(service, state)));
    let pids = state.pids();
    let held: Vec<Process> = pids
        .iter()
        .filter_map(|pid| Process::open(*pid).ok())
        .collect();
    let began = Instant::now();
    while held.len() == pids.len()
        && !until.passed()
        && interrupt.is_none_or(|interrupt| interrupt.seen().is_none())
    {
        let slice = until.slice(Duration::from_millis(250));
        if held.is_empty() {
            sleep(slice);
        } else if wait_any(&held.iter().collect::<Vec<_>>(), slice)
            .is_ok_and(|ended| !ended.is_empty())
        {
            break;
        }
    }
    let after = match backend::observe_one(service) {
        Ok(after) => after.only(members),
        Err(error) => return Err((state.clone(), error.message)),
    };
    if after.is_done_or_running() && after.generation() == state.generation() {
        return Ok(after);
    }
    let ms = millis(began.elapsed());
    let why = if after.is_done_or_running() {
        "and it is another process now".to_owned()
    } else {
        after.why()
    };
    Err((after, format!("it ended within {ms} ms ({why})")))
}

/// Asks everything once, of a service that should be up: `check`, and a start that found it running.
pub fn once(service: &Service, state: &State, watchers: &mut Watchers) -> Result<()> {
    let answered = watchers.ask(service, state, &[], Instant::now(), PATIENCE);
    match watchers.unanswered() {
        Some(why) if !answered => Err(Error::failed(format!("{}: {why}", service.name))),
        _ => Ok(()),
    }
}
