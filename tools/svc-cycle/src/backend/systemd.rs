//! Units of systemd, asked with `systemctl show`, many at once.
//!
//! `systemctl start` says 0 for a Type=simple unit whose program dies at once, for one that dies again and again, and
//! `stop` says 0 when systemd had to kill. What counts here is what `show` has afterwards: the state, the invocation, the
//! number of restarts, the main process, the result; that a process is there, and after a stop, that the control group is empty.

mod relations;
mod show;
mod state;

use std::fs;
use std::path::Path;
use std::time::Duration;

use base::child::Identity as User;
use base::clock::Deadline;
use base::{Error, Fix, Result};

use super::row::{Backend, Related, itself};
use crate::id::ServiceId;
use crate::service::{Role, Service};
use crate::state::{Done, Remarks, Run, State};
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
    ..BACKEND
};

fn check(service: &Service) -> Result<()> {
    let unit = &service.unit;
    let fine = !unit.is_empty()
        && !unit.starts_with('-')
        && unit
            .chars()
            .all(|each| each.is_ascii_alphanumeric() || ":-_.\\@".contains(each));
    if !fine {
        return Err(Error::usage(format!("'{unit}' is not the name of a unit")));
    }
    match manager(service) {
        Manager::System => Ok(()),
        Manager::User(name) => User::of_name(&name).map(|_| ()),
    }
}

fn manager(service: &Service) -> Manager {
    if service.backend != USER_BACKEND.name {
        return Manager::System;
    }
    let own = || {
        let uid = rustix::process::geteuid().as_raw();
        User::of_uid(uid, uid)
            .ok()
            .and_then(|user| user.name)
            .unwrap_or_else(|| uid.to_string())
    };
    Manager::User(service.spec.user.clone().unwrap_or_else(own))
}

fn with_suffix(unit: &str) -> String {
    let suffixes = [
        ".service",
        ".socket",
        ".target",
        ".timer",
        ".path",
        ".mount",
        ".automount",
        ".slice",
        ".scope",
        ".swap",
        ".device",
    ];
    if suffixes.iter().any(|suffix| unit.ends_with(suffix)) {
        unit.to_owned()
    } else {
        format!("{unit}.service")
    }
}

/// The unit's name with its suffix; an alias is a link in one of systemd's directories, and the link's end is the name.
fn unit(service: &Service) -> String {
    let name = with_suffix(&service.unit);
    if manager(service) != Manager::System {
        return name;
    }
    let places = [
        "/etc/systemd/system",
        "/run/systemd/system",
        "/usr/lib/systemd/system",
        "/lib/systemd/system",
    ];
    for place in places {
        let path = Path::new(place).join(&name);
        let Ok(meta) = fs::symlink_metadata(&path) else {
            continue;
        };
        let end = meta
            .is_symlink()
            .then(|| fs::canonicalize(&path).ok())
            .flatten();
        let real = end
            .as_deref()
            .and_then(Path::file_name)
            .and_then(|name| name.to_str());
        return match real {
            // A template's link names the template, a mask leads to /dev/null.
            Some(real) if real != "null" && !real.contains("@.") => real.to_owned(),
            _ => name,
        };
    }
    name
}

fn id(service: &Service) -> ServiceId {
    let manager = match manager(service) {
        Manager::System => "system".to_owned(),
        Manager::User(name) => match User::of_name(&name) {
            Ok(user) => format!("user:{}", user.uid),
            Err(_) => format!("user:{name}"),
        },
    };
    ServiceId {
        manager,
        ..ServiceId::system(service.backend, unit(service))
    }
}

/// Managers in the order in which they come, each with the places of its services.
fn by_manager(services: &[&Service]) -> Vec<(Manager, Vec<usize>)> {
    let mut found: Vec<(Manager, Vec<usize>)> = Vec::new();
    for (at, service) in services.iter().enumerate() {
        let manager = manager(service);
        match found.iter_mut().find(|(each, _)| *each == manager) {
            Some((_, places)) => places.push(at),
            None => found.push((manager, vec![at])),
        }
    }
    found
}

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
                Ok(units) => state_of(&manager, &names[number], &units[number]),
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

fn state_of(manager: &Manager, name: &str, unit: &Unit) -> Result<State> {
    state::usable(name, unit)?;
    let mut found = State::one(state::member(name, unit));
    if unit.get("NeedDaemonReload") == "yes" {
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

fn start(service: &Service, members: &[String], deadline: Deadline) -> Result<Done> {
    let (manager, unit) = (manager(service), unit(service));
    let before = show(&manager, members)?;
    let first = before.first().cloned().unwrap_or_default();
    // systemd takes a unit without a process for started, and leaves one alone that it starts again later.
    let stuck = |unit: &Unit| {
        unit.get("SubState") == "auto-restart"
            || state::member(unit.id(), unit).run == Run::Failed && unit.is_active()
    };
    let verb = if before.iter().any(stuck) {
        "restart"
    } else {
        "start"
    };
    let mut arguments = vec![verb, "--no-ask-password"];
    if service.role == Role::Dependent && unit.ends_with(".target") {
        // What the target wants and nobody stopped stays as it is.
        arguments.push("--job-mode=ignore-dependencies");
    }
    arguments.push("--");
    arguments.extend(members.iter().map(String::as_str));
    let mut done = systemctl(&manager, &arguments, deadline)?;
    let mut answer = Done::default();
    if !done.success() && !done.timed_out && first.get("Result") == "success" {
        // It ended well before: only the starts by hand are too many, and nothing crashed.
        let limited = |unit: &Unit| unit.get("Result") == "start-limit-hit";
        if show(&manager, members)?.iter().any(limited) {
            let mut reset = vec!["reset-failed", "--"];
            reset.extend(members.iter().map(String::as_str));
            systemctl(&manager, &reset, deadline)?;
            done = systemctl(&manager, &arguments, deadline)?;
            answer.detail = Some("the start limit was reset first".to_owned());
        }
    }
    if done.timed_out {
        return Err(Error::failed(format!(
            "{unit}: its start job is not done in time"
        )));
    }
    if done.success() {
        // The job of a one-shot ends with it and fails with it; afterwards systemd may forget that it ever ran.
        let once =
            |unit: &Unit| unit.get("Type") == "oneshot" && unit.get("ActiveState") == "inactive";
        answer.finished = show(&manager, members)?.iter().all(once);
        return Ok(answer);
    }
    let words = refusal(&done.err());
    let why = look(service).map_or_else(|error| error.message, |state| state.why());
    Err(Error::failed(format!(
        "{unit}: systemd could not start the unit: {words}{why}"
    ))
    .hint(match &manager {
        Manager::System => format!("journalctl -u {unit} -n 20"),
        Manager::User(_) => format!("journalctl --user -u {unit} -n 20"),
    }))
}

/// What systemctl says of a refusal, without its advice where to read more.
fn refusal(text: &str) -> String {
    let lines: Vec<&str> = text
        .lines()
        .map(str::trim)
        .filter(|line| {
            !line.is_empty() && !line.starts_with("See ") && !line.starts_with("Warning:")
        })
        .map(|line| line.split(" See ").next().unwrap_or(line))
        .collect();
    if lines.is_empty() {
        String::new()
    } else {
        format!("{}; ", lines.join(" "))
    }
}

fn stop(service: &Service, before: &State, members: &[String], deadline: Deadline) -> Result<Done> {
    let (manager, unit) = (manager(service), unit(service));
    // An umbrella and the parts that it takes along, so that the job waits for them, too. What a target only wants stays up when systemd
    // stops the target, and is seen afterwards.
    let first = show(&manager, std::slice::from_ref(&unit))?;
    let parts = first.first().map(|unit| unit.list("ConsistsOf"));
    let parts = parts.unwrap_or_default();
    let whole = members.contains(&unit);
    let names: Vec<&str> = members
        .iter()
        .filter(|name| !whole || **name == unit || parts.contains(name))
        .map(String::as_str)
        .collect();
    let mut arguments = vec!["stop", "--no-ask-password", "--"];
    arguments.extend(&names);
    let done = systemctl(&manager, &arguments, deadline)?;
    if done.timed_out {
        return Err(
            Error::failed(format!("{unit}: its stop job is not done in time")).hint(
                "the stop goes on; stop_timeout here is shorter than TimeoutStopSec= of the unit",
            ),
        );
    }
    if !done.success() {
        return Err(Error::failed(format!(
            "{unit}: systemd could not stop the unit: {}",
            refusal(&done.err()).trim_end_matches("; ")
        )));
    }
    let mut answer = Done::default();
    let units: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    for after in show(&manager, &units)? {
        let result = after.get("Result");
        // CLD_KILLED and CLD_DUMPED, with SIGKILL: nobody asked politely, or it did not listen.
        let killed =
            matches!(after.get("ExecMainCode"), "2" | "3") && after.get("ExecMainStatus") == "9";
        let ran = before.members.iter().any(|member| member.pid.is_some());
        if ran && (result == "timeout" || killed) {
            answer.detail = Some(format!("systemd had to kill the unit (result {result})"));
            answer.warnings.push(format!(
                "{unit}: did not stop in time, and systemd killed the unit (result {result}): unfinished work is lost"
            ));
        }
    }
    Ok(answer)
}

fn reload(service: &Service, _: &State, deadline: Deadline) -> Result<Done> {
    let (manager, unit) = (manager(service), unit(service));
    let shown = show(&manager, std::slice::from_ref(&unit))?;
    if shown
        .first()
        .is_some_and(|unit| unit.get("CanReload") == "no")
    {
        return Err(
            Error::failed(format!("{unit}: the unit has no ExecReload="))
                .hint(format!("svc-cycle restart {unit}")),
        );
    }
    let done = systemctl(
        &manager,
        &["reload", "--no-ask-password", "--", &unit],
        deadline,
    )?;
    if done.success() {
        Ok(Done::default())
    } else {
        Err(Error::failed(format!(
            "{unit}: the reload failed: {}",
            refusal(&done.err()).trim_end_matches("; ")
        )))
    }
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
    let me = std::process::id().to_string();
    let asked = base::child::Run::new("pkcheck")
        .args([
            "--action-id",
            "org.freedesktop.systemd1.manage-units",
            "--process",
            &me,
        ])
        .timeout(Duration::from_secs(10))
        .run();
    match asked {
        Ok(done) if done.success() => Ok(Remarks::default()),
        _ => Err(Error::new(
            base::Kind::Permission,
            format!(
                "{}: only root may start and stop units of the system",
                service.name
            ),
        )
        .hint("run svc-cycle with sudo; your own units are written systemd-user:NAME")),
    }
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

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;

    #[test]
    fn a_name_without_a_suffix_is_a_service() {
        assert_eq!(with_suffix("aa"), "aa.service");
        assert_eq!(with_suffix("aa.service"), "aa.service");
        assert_eq!(with_suffix("a.b"), "a.b.service");
        assert_eq!(with_suffix("site.target"), "site.target");
    }

    #[test]
    fn a_refusal_is_passed_on_without_the_advice() {
        let text = "Job for a.service failed because the control process exited with error code.\nSee \"systemctl status a.service\" and \"journalctl -xeu a.service\" for details.\n";
        assert_eq!(
            refusal(text),
            "Job for a.service failed because the control process exited with error code.; "
        );
        assert_eq!(refusal(""), "");
    }
}
