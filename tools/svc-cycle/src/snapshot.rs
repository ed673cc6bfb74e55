//! A set file from what runs: who runs each service, in which order they start, what shows that
//! each is ready, and what each process is.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use base::report::{Raw, Report, Status};
use base::tool::{Context, Format};
use base::{Error, Result};
use nix::unistd::{Uid, User};
use proc::{Snapshot, View};

use crate::backend;
use crate::plan::Intent;
use crate::report::Cycle;
use crate::request::Request;
use crate::service::Service;
use crate::set::Set;
use crate::state::State;
use crate::task::Task;

/// Writes the set.
///
/// # Errors
/// A backend does not answer, or nothing of what was named runs.
pub fn run(request: &Request, set: &Set, context: &Context) -> Result<Report<Cycle>> {
    let services: Vec<&Service> = set.services.iter().collect();
    let mut cycle = Cycle {
        action: request.action.name().to_owned(),
        ..Cycle::default()
    };
    let mut warnings = Vec::new();
    let mut found: Vec<(&Service, State)> = Vec::new();
    for (service, state) in services.iter().zip(backend::observe(&services)) {
        let state = state?;
        if state.is_running() {
            found.push((service, state.clone()));
        } else {
            warnings.push(format!("{}: left out: {}", service.name, state.why()));
        }
        let task = Task::new(service, state, Intent::default());
        cycle.services.push(task.report);
    }
    if found.is_empty() {
        return Err(
            Error::failed("nothing of it runs, so there is nothing to write")
                .hint("start the services first: a snapshot is of what runs"),
        );
    }
    let running: Vec<&Service> = found.iter().map(|(service, _)| *service).collect();
    let order = backend::order(&running)?;
    let names: Vec<String> = running.iter().map(|service| short(service)).collect();
    let processes = Snapshot::take().map_err(|error| Error::io("/proc", &error))?;
    let mut text = String::new();
    for (at, (service, state)) in found.iter().enumerate() {
        let after: BTreeSet<&str> = order
            .iter()
            .filter(|(_, later)| *later == at)
            .map(|(earlier, _)| names[*earlier].as_str())
            .collect();
        table(&mut text, &names[at], service, state, &after, &processes)?;
    }
    if context.format == Format::Text {
        // The file alone is on standard output.
        for warning in &warnings {
            base::tool::say(&format!("{}\n", base::terminal::escape(warning)));
        }
    }
    cycle.set = Some(text.clone());
    let msg = format!("{} written", found.len());
    Ok(Report::new(Status::Ok, msg, cycle)
        .warnings(warnings)
        .raw(Raw::AsText(text.into_bytes())))
}

/// The service's name in the set: as short as its backend's own people call it.
fn short(service: &Service) -> String {
    let unit = service.unit.trim_end_matches(":*");
    let unit = unit.strip_suffix(".service").unwrap_or(unit);
    let last = unit.rsplit('/').next().unwrap_or(unit);
    last.to_owned()
}

fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

fn table(
    text: &mut String,
    name: &str,
    service: &Service,
    state: &State,
    after: &BTreeSet<&str>,
    processes: &Snapshot,
) -> Result<()> {
    let mut keys: Vec<(&str, String)> = vec![("backend", quoted(service.backend))];
    if name != service.unit {
        keys.push(("name", quoted(&service.unit)));
    }
    if let Some(config) = &backend::id(service).config {
        keys.push(("config", quoted(&config.display().to_string())));
    }
    if let Some(user) = &service.spec.user {
        keys.push(("user", quoted(user)));
    }
    if !after.is_empty() {
        let names: Vec<String> = after.iter().map(|name| quoted(name)).collect();
        keys.push(("after", format!("[{}]", names.join(", "))));
    }
    let mut tree: BTreeSet<i32> = BTreeSet::new();
    for pid in state.pids() {
        tree.extend(processes.tree(pid));
    }
    tree.extend((backend::of(service).processes)(state));
    let listening =
        probe::port::listening(&tree).map_err(|error| Error::io("/proc/net", &error))?;
    let mut ready: Vec<String> = listening
        .ports
        .iter()
        .take(2)
        .map(|port| format!("{{ port = {port} }}"))
        .collect();
    if ready.is_empty() {
        let sockets = listening.sockets.iter().filter(|path| !is_control(path));
        let sockets = sockets.take(1);
        ready.extend(sockets.map(|path| format!("{{ socket = {} }}", quoted(path))));
    }
    if !ready.is_empty() {
        keys.push(("ready", format!("[{}]", ready.join(", "))));
    }
    let expect = expectations(&state.pids());
    if !expect.is_empty() {
        let words: Vec<String> = expect
            .iter()
            .map(|(key, value)| format!("{key} = {}", quoted(value)))
            .collect();
        keys.push(("expect", format!("{{ {} }}", words.join(", "))));
    }
    let bare = name
        .chars()
        .all(|each| each.is_ascii_alphanumeric() || "-_".contains(each));
    let title = if bare { name.to_owned() } else { quoted(name) };
    let separator = if text.is_empty() { "" } else { "\n" };
    let _ = writeln!(text, "{separator}[service.{title}]");
    for (key, value) in keys {
        let _ = writeln!(text, "{key} = {value}");
    }
    Ok(())
}

/// Whether the socket takes commands for the server, as gunicorn's ~/.gunicorn/gunicorn.ctl does:
/// an answer there says nothing of requests.
fn is_control(path: &str) -> bool {
    path.ends_with(".ctl") || path.split('/').any(|part| part.starts_with('.'))
}

/// The user and the executable, where all main processes agree in them.
fn expectations(pids: &[i32]) -> BTreeMap<&'static str, String> {
    let views: Vec<View> = pids.iter().filter_map(|pid| View::of(*pid).ok()).collect();
    let mut found = BTreeMap::new();
    let Some(first) = views.first() else {
        return found;
    };
    if views
        .iter()
        .all(|view| view.identity.uid == first.identity.uid)
    {
        let uid = first.identity.uid;
        let user = User::from_uid(Uid::from_raw(uid)).ok().flatten();
        found.insert(
            "user",
            user.map_or_else(|| uid.to_string(), |user| user.name),
        );
    }
    if let Ok(exe) = first.exe() {
        let same = |view: &View| view.exe().is_ok_and(|other| other.path == exe.path);
        if !exe.deleted && views.iter().all(same) {
            found.insert(
                "exe",
                glob::Pattern::escape(&exe.path.display().to_string()),
            );
        }
    }
    found
}
