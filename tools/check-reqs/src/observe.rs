//! Looking at the host, side by side: worker threads take what is ready, one thread keeps the
//! account. It alone decides what is ready (everything needed is met), what took too long, and when
//! the run is over, so a look that hangs in the kernel (a dead NFS server) costs its own answer and
//! nobody else's.

mod workers;

use crate::finding::{Finding, Verdict};
use crate::plan::Order;
use crate::request::Manner;
use crate::requirement::Requirement;
use crate::scene::Scene;
use base::signals::Watch;
use std::sync::Arc;
use std::sync::mpsc::RecvTimeoutError;
use std::time::{Duration, Instant};
use workers::{Event, Workers};

/// What a requirement came to.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// What was seen, or why it was not looked at.
    pub seen: Seen,
    /// How long the last look took.
    pub elapsed: Duration,
    /// How often it was looked at.
    pub attempts: u32,
}

/// What was seen.
#[derive(Clone, Debug)]
pub enum Seen {
    /// An answer.
    Found(Finding),
    /// Not looked at, and why.
    Skipped(&'static str, String),
}

impl Outcome {
    fn met(&self) -> bool {
        matches!(&self.seen, Seen::Found(finding) if finding.verdict == Verdict::Met)
    }

    /// Whether looking again could change it: what does not concern this host stays as it is.
    fn open(&self) -> bool {
        !self.met() && !matches!(self.seen, Seen::Skipped("when", _))
    }
}

/// Looks at everything, again and again where that is asked for, and gives one outcome each, in
/// order.
pub fn look_at(
    requirements: &Arc<Vec<Requirement>>,
    order: &Order,
    manner: Manner,
) -> Vec<Outcome> {
    // Held back, so that the programs a look has started are ended with us.
    let signals = Watch::begin().ok();
    // What a program of ours leaves behind stays our descendant, and so no evidence for other
    // checks.
    let _ = rustix::process::set_child_subreaper(Some(rustix::process::getpid()));
    let mut outcomes: Vec<Option<Outcome>> = vec![None; requirements.len()];
    let until = manner.wait.map(|(wait, _)| manner.deadline.or_after(wait));
    let mut manner = manner;
    if let Some(until) = until {
        // A look that hangs does not outlast the wait.
        manner.deadline = until;
    }
    loop {
        let mut pass = Pass::new(requirements, order, manner, &mut outcomes, signals.as_ref());
        let interrupted = pass.run();
        let open = outcomes.iter().flatten().any(Outcome::open);
        let (Some(until), Some((_, interval))) = (until, manner.wait) else {
            break;
        };
        if interrupted || !open || until.passed() || !pause(until.slice(interval), signals.as_ref())
        {
            break;
        }
    }
    outcomes
        .into_iter()
        .map(|outcome| outcome.unwrap_or_else(|| never("interrupted")))
        .collect()
}

/// Waits; false where a signal asks for the end.
fn pause(time: Duration, signals: Option<&Watch>) -> bool {
    let end = Instant::now() + time;
    loop {
        if signals.is_some_and(|signals| signals.next().is_some()) {
            return false;
        }
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return true;
        }
        std::thread::sleep(left.min(Duration::from_millis(50)));
    }
}

fn never(reason: &'static str) -> Outcome {
    let msg = match reason {
        "interrupted" => "not checked: the run was interrupted",
        _ => "not checked: the time for the whole run was up",
    };
    Outcome {
        seen: Seen::Found(Finding::unknown(reason, msg)),
        elapsed: Duration::ZERO,
        attempts: 0,
    }
}

/// How long a look may overrun its time before it is given up: its own time-outs come first and say
/// more.
const GRACE: Duration = Duration::from_millis(1500);

/// How often a signal is looked for.
const TICK: Duration = Duration::from_millis(100);

/// One look at everything that is still open.
struct Pass<'p> {
    requirements: &'p Arc<Vec<Requirement>>,
    order: &'p Order,
    manner: Manner,
    outcomes: &'p mut Vec<Option<Outcome>>,
    signals: Option<&'p Watch>,
    /// How many needs each one still waits for; `None` where it is done or not part of this pass.
    waiting: Vec<Option<usize>>,
    dependents: Vec<Vec<usize>>,
    /// Which run, since when, and when each is given up.
    running: Vec<(usize, Instant, Instant)>,
    left: usize,
}

impl<'p> Pass<'p> {
    fn new(
        requirements: &'p Arc<Vec<Requirement>>,
        order: &'p Order,
        manner: Manner,
        outcomes: &'p mut Vec<Option<Outcome>>,
        signals: Option<&'p Watch>,
    ) -> Pass<'p> {
        let part: Vec<bool> = outcomes
            .iter()
            .map(|outcome| outcome.as_ref().is_none_or(Outcome::open))
            .collect();
        let mut dependents = vec![Vec::new(); part.len()];
        let waiting = (0..part.len())
            .map(|i| {
                let needs = order.needs[i].iter().filter(|need| part[**need]);
                needs.clone().for_each(|need| dependents[*need].push(i));
                part[i].then(|| needs.count())
            })
            .collect();
        let left = part.iter().filter(|part| **part).count();
        Pass {
            requirements,
            order,
            manner,
            outcomes,
            signals,
            waiting,
            dependents,
            running: Vec::new(),
            left,
        }
    }

    /// Runs it to its end; true where a signal ended it.
    fn run(&mut self) -> bool {
        let scene = Arc::new(Scene::here());
        let mut workers = Workers::new(Arc::clone(self.requirements), scene, self.manner);
        let ready: Vec<usize> = (0..self.waiting.len())
            .filter(|i| self.waiting[*i] == Some(0))
            .collect();
        for i in ready {
            self.begin(i, &mut workers);
        }
        workers.start(self.manner.jobs.min(self.left));
        while self.left > 0 {
            if self.signals.is_some_and(|signals| signals.next().is_some()) {
                self.interrupt();
                return true;
            }
            match workers.event(self.patience()) {
                Ok(Event::Started(i, at, time)) => self.running.push((i, at, at + time + GRACE)),
                Ok(Event::Done(i, finding, elapsed)) => {
                    // One that was given up before is not done twice.
                    if self.waiting[i].is_some() {
                        self.finish(i, Seen::Found(*finding), elapsed, &mut workers);
                    }
                }
                Err(RecvTimeoutError::Timeout) => self.give_up_overdue(&mut workers),
                Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        false
    }

    /// How long to wait for the next event: until the first of those that run is overdue, or a
    /// signal should be looked for.
    fn patience(&self) -> Duration {
        let first = self
            .running
            .iter()
            .map(|(_, _, end)| end.saturating_duration_since(Instant::now()))
            .min();
        first.map_or(TICK, |left| left.min(TICK))
    }

    fn begin(&mut self, i: usize, workers: &mut Workers) {
        let requirement = &self.requirements[i];
        if let Some(why) = &requirement.skipped {
            return self.finish(
                i,
                Seen::Skipped("when", why.clone()),
                Duration::ZERO,
                workers,
            );
        }
        let failed = self.order.needs[i].iter().find(|need| {
            let outcome = self.outcomes[**need].as_ref();
            outcome.is_none_or(|outcome| !holds(outcome, self.requirements[**need].severity))
        });
        match failed {
            Some(need) => {
                let why = format!(
                    "not checked: needs {}, which is not met",
                    self.requirements[*need].id
                );
                self.finish(i, Seen::Skipped("needs", why), Duration::ZERO, workers);
            }
            None if self.manner.deadline.passed() => {
                if self.outcomes[i].is_none() {
                    self.outcomes[i] = Some(never("timeout"));
                }
                self.release(i, workers);
            }
            None => workers.push(i),
        }
    }

    fn finish(&mut self, i: usize, seen: Seen, elapsed: Duration, workers: &mut Workers) {
        self.running.retain(|(running, ..)| *running != i);
        let before = self.outcomes[i]
            .as_ref()
            .map_or(0, |outcome| outcome.attempts);
        let looked = u32::from(matches!(seen, Seen::Found(_)));
        let late = matches!(&seen, Seen::Found(finding) if finding.reason == Some("timeout"));
        let seen = match (late, self.outcomes[i].take()) {
            // What an earlier look saw says more than that the wait is over.
            (true, Some(earlier)) if matches!(earlier.seen, Seen::Found(_)) => earlier.seen,
            _ => seen,
        };
        self.outcomes[i] = Some(Outcome {
            seen,
            elapsed,
            attempts: before + looked,
        });
        self.release(i, workers);
    }

    /// What waited for `i` may be ready now.
    fn release(&mut self, i: usize, workers: &mut Workers) {
        if self.waiting[i].take().is_none() {
            return;
        }
        self.left -= 1;
        for next in std::mem::take(&mut self.dependents[i]) {
            if let Some(needs) = self.waiting[next].as_mut() {
                *needs -= 1;
                if *needs == 0 {
                    self.begin(next, workers);
                }
            }
        }
    }

    /// A look that is past its time and the grace is left behind, and its thread with it.
    fn give_up_overdue(&mut self, workers: &mut Workers) {
        let overdue: Vec<(usize, Duration)> = self
            .running
            .iter()
            .filter(|(_, _, end)| *end <= Instant::now())
            .map(|(i, at, _)| (*i, at.elapsed()))
            .collect();
        for (i, elapsed) in overdue {
            let finding = Finding::timeout(self.requirements[i].check.expected());
            workers.start(1);
            self.finish(i, Seen::Found(finding), elapsed, workers);
        }
    }

    /// The programs that looks have started are in process groups of their own: no terminal ends
    /// them.
    fn interrupt(&mut self) {
        if let (Ok(me), Ok(tree)) = (i32::try_from(std::process::id()), proc::Snapshot::take()) {
            for child in tree.children(me) {
                base::child::signal_group(
                    u32::try_from(child).unwrap_or(0),
                    rustix::process::Signal::KILL,
                );
            }
        }
        for outcome in self.outcomes.iter_mut().filter(|outcome| outcome.is_none()) {
            *outcome = Some(never("interrupted"));
        }
    }
}

/// Whether what needs this may be looked at: it is met, or its failing is only a warning.
fn holds(outcome: &Outcome, severity: crate::requirement::Severity) -> bool {
    match &outcome.seen {
        Seen::Found(finding) => match finding.verdict {
            Verdict::Met => true,
            Verdict::Unmet => severity == crate::requirement::Severity::Warn,
            Verdict::Unknown => false,
        },
        // What does not concern this host keeps nobody waiting.
        Seen::Skipped(reason, _) => *reason == "when",
    }
}
