//! Units of systemd, asked with `systemctl show`, many at once.
//!
//! `systemctl start` says 0 for a Type=simple unit whose program dies at once, for one that dies
//! again and again, and `stop` says 0 when systemd had to kill. What counts here is what `show` has
//! afterwards: the state, the invocation, the number of restarts, the main process, the result;
//! that a process is there, and after a stop, that the control group is empty.

mod act;
mod finished;
mod names;
mod relations;
mod show;
mod state;

use std::path::Path;
use std::time::Duration;

use base::clock::Deadline;
use base::connect::Peer;
use base::{Error, Fix, Result};

use super::row::{Backend, Related, itself};
use crate::id::ServiceId;
use crate::service::{Role, Service};
use crate::state::{Remarks, Run, State};
use act::{reload, start, stop};
use names::{by_manager, check, id, manager, unit};
use show::{Manager, Unit, show, systemctl};

/// The system's units.
pub const BACKEND: Backend = Backend {
    name: "systemd",
    about: "A unit of the host's systemd, by its whole name: nginx.service, gunicorn@1.service, reef.target.",
    example: r#"
[service.web]
backend = "systemd"
name = "gunicorn.service"
"#,
    keeps: |_| Path::new("/run/systemd/system").is_dir(),
    unit: |_| None,
    refuses_others: |_| true,
    startable: |_| Ok(()),
    check,
    id,
    locks: |service| itself(id(service)),
    may_touch: |_, peer| may_manage(peer.pid),
    observe,
    start,
    stop,
    reload,
    processes,
    late: Duration::ZERO,
    settle: |_, _| {},
    vouches: |_, _| false,
    allowed,
    related: Some(related),
    reread: Some(reread),
    order: Some(order),
    everything: None,
    shows_stopping: true,
    log,
};

/// The units of a user's own manager.
pub const USER_BACKEND: Backend = Backend {
    name: "systemd-user",
    about: "A unit of a user's own systemd; user names the user (default: the caller).",
    example: r#"
[service.worker]
backend = "systemd-user"
name = "celery.service"
user = "reef"
"#,
    keeps: |_| false,
    // What a user may do with an own manager, the user's file may ask for.
    refuses_others: |service| service.runs_as_manager_of() != service.owner.map(|(uid, _)| uid),
    may_touch: |service, peer: Peer| service.runs_as_manager_of() == Some(peer.uid),
    ..BACKEND
};

fn observe(services: &[&Service]) -> Vec<Result<State>> {
    let mut states: Vec<Result<State>> = services
        .iter()
        .map(|_| Err(Error::failed("systemd gave no answer")))
        .collect();
    for (manager, places) in by_manager(services) {
        let names: Vec<String> = places.iter().map(|at| unit(services[*at])).collect();
        let shown = show(&manager, &names);
        for (number, at) in places.iter().enumerate() {
            states[*at] = match &shown {
                Ok(units) => state_of(services[*at], &manager, &names[number], &units[number]),
                Err(error) => Err(error.clone()),
            };
        }
    }
    states
}

fn look(service: &Service) -> Result<State> {
    observe(&[service])
        .pop()
        .unwrap_or_else(|| Err(Error::failed("systemd gave no answer")))
}

fn state_of(service: &Service, manager: &Manager, name: &str, unit: &Unit) -> Result<State> {
    state::usable(name, unit)?;
    let mut member = state::member(name, unit);
    let forgotten = member.run == Run::Stopped && unit.get("InvocationID").is_empty();
    if forgotten && service.spec.oneshot && finished::remembers(&id(service)) {
        member.run = Run::Finished;
    }
    let mut found = State::one(member);
    let unread = || *manager == Manager::System && names::has_unread_drop_in(name, unit);
    if unit.get("NeedDaemonReload") == "yes" || unread() {
        found.warnings.push(format!(
            "{name}: the unit file or a drop-in changed on disk and systemd has not read it (--reload-units does)"
        ));
        found.fix = Some(
            Fix::advice("have systemd read its unit files")
                .command("root", &manager.words("daemon-reload")),
        );
    }
    if state::is_umbrella(unit) {
        let members = relations::members(manager, unit)?;
        found.members.extend(
            members
                .iter()
                .map(|member| state::member(member.id(), member)),
        );
    }
    Ok(found)
}

fn processes(state: &State) -> Vec<i32> {
    let groups = state
        .members
        .iter()
        .filter_map(|member| member.cgroup.as_ref());
    let mut found: Vec<i32> = groups
        .flat_map(|group| state::processes_of(group))
        .collect();
    found.sort_unstable();
    found.dedup();
    found
}

/// By After=, where both ends are among these.
fn order(services: &[&Service]) -> Result<Vec<(usize, usize)>> {
    let mut pairs = Vec::new();
    for (manager, places) in by_manager(services) {
        let names: Vec<String> = places.iter().map(|at| unit(services[*at])).collect();
        let shown = show::after(&manager, &names)?;
        for (later, after) in places.iter().zip(&shown) {
            for (earlier, name) in places.iter().zip(&names) {
                if after.contains(name) {
                    pairs.push((*earlier, *later));
                }
            }
        }
    }
    Ok(pairs)
}

fn reread(services: &[&Service]) -> Result<()> {
    for (manager, _) in by_manager(services) {
        let time = Deadline::after(Some(Duration::from_secs(90)));
        let done = systemctl(&manager, &["daemon-reload", "--no-ask-password"], time)?;
        if !done.success() {
            return Err(Error::failed(format!(
                "systemctl daemon-reload: {}",
                done.last_words()
            )));
        }
    }
    Ok(())
}

/// Root may; others only where polkit says so.
fn allowed(service: &Service, state: &State) -> Result<Remarks> {
    let refused = state
        .members
        .iter()
        .find_map(|member| member.refusal.as_ref());
    if let Some(why) = refused {
        return Err(Error::failed(format!(
            "{}: systemd refuses: {why}",
            service.name
        )));
    }
    if manager(service) != Manager::System || rustix::process::geteuid().is_root() {
        return Ok(Remarks::default());
    }
    let me = rustix::process::getpid().as_raw_nonzero().get();
    if may_manage(me) {
        return Ok(Remarks::default());
    }
    Err(Error::new(
        base::Kind::Permission,
        format!(
            "{}: only root may start and stop units of the system",
            service.name
        ),
    )
    .hint("run svc-cycle with sudo; your own units are written systemd-user:NAME"))
}

/// Whether polkit lets the process start and stop units of the system.
fn may_manage(pid: i32) -> bool {
    let asked = base::child::Run::new("pkcheck")
        .args(["--action-id", "org.freedesktop.systemd1.manage-units"])
        .args(["--process", &pid.to_string()])
        .timeout(Duration::from_secs(10))
        .run();
    asked.is_ok_and(|done| done.success())
}

fn related(services: &[&Service]) -> Result<Vec<Related>> {
    let mut found = Vec::new();
    for (manager, places) in by_manager(services) {
        let asked: Vec<(String, String)> = places
            .iter()
            .map(|at| (unit(services[*at]), services[*at].name.clone()))
            .collect();
        let names: Vec<String> = asked.iter().map(|(unit, _)| unit.clone()).collect();
        let mut units = show(&manager, &names)?;
        let mut own = names.clone();
        for umbrella in units.clone().iter().filter(|unit| state::is_umbrella(unit)) {
            let members = relations::members(&manager, umbrella)?;
            own.extend(members.iter().map(|unit| unit.id().to_owned()));
            units.extend(members);
        }
        let dependents = relations::dependents(&manager, &units, &own)?;
        let mut all = units.clone();
        all.extend(dependents.iter().map(|each| each.unit.clone()));
        let triggers = relations::triggers(&manager, &all)?;
        let backend = services[places[0]].backend;
        let user = id(services[places[0]]).manager;
        let related = |each: &relations::Relative, role: Role| Related {
            id: ServiceId {
                manager: user.clone(),
                ..ServiceId::system(backend, each.unit.id())
            },
            role,
            of: asked.iter().map(|(_, name)| name.clone()).collect(),
            because: each.because.clone(),
            up: each.unit.is_active(),
            enabled: each.unit.get("UnitFileState").starts_with("enabled"),
        };
        found.extend(dependents.iter().map(|each| related(each, Role::Dependent)));
        let loaded = triggers
            .iter()
            .filter(|each| !own.contains(&each.unit.id().to_owned()));
        found.extend(loaded.map(|each| related(each, Role::Trigger)));
    }
    Ok(found)
}

/// The last lines that the unit wrote to systemd's journal.
fn log(service: &Service, _: &State) -> Vec<String> {
    let mut child = base::child::Run::new("journalctl").args([
        "--no-pager",
        "--quiet",
        "--output=cat",
        "--lines=10",
    ]);
    let unit = unit(service);
    child = match manager(service) {
        Manager::System => child.arg("--unit").arg(&unit),
        Manager::User(_) => child.arg("--user-unit").arg(&unit),
    };
    let done = child.timeout(Duration::from_secs(5)).run();
    done.map(|done| done.out().lines().map(str::to_owned).collect())
        .unwrap_or_default()
}
