//! Many databases: which ones, and several at a time. Also the deadline of the whole run: a
//! database that has not answered by then is reported as such, and left behind.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError, mpsc};

use base::clock::Deadline;
use base::error::{Error, Result};
use base::tool::Context;
use pgconn::Resolved;

use crate::call::Call;
use crate::connect::{refused, resolved};
use crate::diagnose::condition;
use crate::ensure::{self, Outcome, Task};
use crate::observe;
use crate::report::Failure;
use crate::request::{Connection, Databases, Ensure};
use crate::session::lost;
use crate::want::Want;

/// How many databases are worked on at a time: each is a server process of its own, and the server
/// has other guests.
const WORKERS: usize = 8;

/// Everything that was asked for.
///
/// # Errors
/// `Kind::Usage` for a wrong connection string; what a server says is in the outcomes, but where
/// the list of databases cannot be had.
pub fn run(request: &Ensure, context: &Context) -> Result<Vec<Outcome>> {
    let app = resolved(&request.app, context.deadline)?;
    let admin = request
        .admin
        .as_ref()
        .map(|admin| resolved(admin, context.deadline))
        .transpose()?;
    let call = Call::of(request);
    let mut warnings = Vec::new();
    let names = names(request, &app, &mut warnings)?;
    let mut tasks: VecDeque<Task> = VecDeque::new();
    for (name, wants) in names {
        // As for libpq's dbname: a name can be a whole connection string.
        let (app, call) = if pgconn::conninfo::is_conninfo(&name) {
            let connection = Connection {
                dsn: Some(name.clone()),
                service: None,
            };
            let own = resolved(&connection, context.deadline)?;
            (own, call.connecting(&name))
        } else {
            (app.with_database(&name), call.clone())
        };
        tasks.push_back(Task {
            app,
            admin: admin.clone(),
            wants,
            policy: request.policy.clone(),
            call,
            dry_run: context.dry_run,
        });
    }
    let mut outcomes = all(tasks, context.deadline);
    if let Some(first) = outcomes.first_mut() {
        first.warnings.splice(0..0, warnings);
    }
    Ok(outcomes)
}

/// The databases and what each needs.
fn names(
    request: &Ensure,
    app: &Resolved,
    warnings: &mut Vec<String>,
) -> Result<Vec<(String, Vec<Want>)>> {
    let common = match &request.databases {
        Databases::Own if !request.wants.is_empty() || request.own.is_empty() => {
            vec![app.database().to_string()]
        }
        Databases::Own => Vec::new(),
        Databases::Named(names) => names.clone(),
        Databases::All(excluded) => {
            let mut connected = app.connect().map_err(|error| refused(&error))?;
            warnings.append(&mut connected.warnings);
            let all = observe::databases(&mut connected.client)
                .map_err(|error| Error::failed(lost(&error).message))?;
            all.into_iter()
                .filter(|name| !excluded.iter().any(|glob| glob.matches(name)))
                .collect()
        }
    };
    let mut needs: BTreeMap<String, Vec<Want>> = BTreeMap::new();
    let mut order: Vec<String> = Vec::new();
    for name in common.iter().chain(request.own.keys()) {
        if !order.contains(name) {
            order.push(name.clone());
        }
    }
    for name in &common {
        needs
            .entry(name.clone())
            .or_default()
            .extend(request.wants.iter().cloned());
    }
    for (name, own) in &request.own {
        needs
            .entry(name.clone())
            .or_default()
            .extend(own.iter().cloned());
    }
    let unique = |wants: Vec<Want>| {
        wants
            .into_iter()
            .fold(Vec::new(), |mut kept: Vec<Want>, want| {
                if !kept.contains(&want) {
                    kept.push(want);
                }
                kept
            })
    };
    Ok(order
        .into_iter()
        .filter_map(|name| {
            let wants = unique(needs.remove(&name)?);
            Some((name, wants))
        })
        .collect())
}

/// Runs the tasks and gives their outcomes in their order.
fn all(tasks: VecDeque<Task>, deadline: Deadline) -> Vec<Outcome> {
    if tasks.len() <= 1 && deadline.left().is_none() {
        return tasks.iter().map(ensure::database).collect();
    }
    let order: Vec<Task> = tasks.iter().cloned().collect();
    let queue = Arc::new(Mutex::new(
        tasks.into_iter().enumerate().collect::<VecDeque<_>>(),
    ));
    let (sender, receiver) = mpsc::channel();
    for number in 0..WORKERS.min(order.len()) {
        let (queue, sender) = (Arc::clone(&queue), sender.clone());
        let work = move || {
            let next = || {
                queue
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .pop_front()
            };
            while let Some((index, task)) = next() {
                if sender.send((index, ensure::database(&task))).is_err() {
                    return;
                }
            }
        };
        let started = std::thread::Builder::new().spawn(work.clone());
        // Without a thread to spare the databases are done one after the other; the watchdog ends a
        // run that is late.
        if started.is_err() && number == 0 {
            work();
        }
    }
    drop(sender);
    let mut outcomes: Vec<Option<Outcome>> = order.iter().map(|_| None).collect();
    while outcomes.iter().any(Option::is_none) {
        let received = match deadline.left() {
            Some(left) => receiver.recv_timeout(left).ok(),
            None => receiver.recv().ok(),
        };
        let Some((index, outcome)) = received else {
            break;
        };
        if let Some(place) = outcomes.get_mut(index) {
            *place = Some(outcome);
        }
    }
    // Nothing more is begun once the time is up.
    queue.lock().unwrap_or_else(PoisonError::into_inner).clear();
    outcomes
        .into_iter()
        .zip(&order)
        .map(|(outcome, task)| outcome.unwrap_or_else(|| late(task)))
        .collect()
}

fn late(task: &Task) -> Outcome {
    let failure = Failure {
        sqlstate: "57014".to_string(),
        code: condition("57014").to_string(),
        message: "the run's time was up before this was done (--timeout)".to_string(),
        detail: None,
        hint: None,
        cause: None,
    };
    Outcome {
        items: ensure::failed(task, &failure),
        ..Outcome::default()
    }
}
