//! Units of systemd, asked with `systemctl show`, many at once.
//!
//! `systemctl start` says 0 for a Type=simple unit whose program dies at once, for one that dies again and again, and
//! `stop` says 0 when systemd had to kill. What counts here is what `show` has afterwards: the state, the
//! invocation, the number of restarts, the main process, the result; and after a stop, that the control group is empty.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use base::child::Run as Child;
use base::clock::Deadline;
use base::{Error, Kind, Result};
use proc::Identity;

use super::{Backend, Done, Member, Run, State};
use crate::set::Service;

/// Its line in the table.
pub const BACKEND: Backend = Backend {
    name: "systemd",
    check,
    observe,
    start,
    stop,
    reload,
    processes,
    late: Duration::ZERO,
    settle: |_, _| {},
    vouches,
};

/// What is asked of each unit.
const PROPERTIES: &str = "Id,LoadState,ActiveState,SubState,Result,Type,MainPID,ControlGroup,InvocationID,NRestarts,TriggeredBy,\
    CanReload,ExecMainCode,ExecMainStatus,LoadError,Job";

/// Types whose `active` means more than that a process was forked: the service itself, or its end, told systemd.
const VOUCHED: &[&str] = &["notify", "notify-reload", "forking", "dbus", "oneshot"];

fn check(service: &Service) -> Result<()> {
    let unit = &service.unit;
    let fine = !unit.is_empty()
        && !unit.starts_with('-')
        && unit
            .chars()
            .all(|each| each.is_ascii_alphanumeric() || ":-_.\\@".contains(each));
    if fine {
        Ok(())
    } else {
        Err(Error::usage(format!("{unit:?} is not the name of a unit")))
    }
}

fn unit(service: &Service) -> String {
    if service.unit.contains('.') {
        service.unit.clone()
    } else {
        format!("{}.service", service.unit)
    }
}

fn systemctl(arguments: &[&str], deadline: Deadline) -> Result<base::child::Finished> {
    Child::new("systemctl")
        .args(arguments)
        .env("SYSTEMD_PAGER", "")
        .env("LC_ALL", "C.UTF-8")
        .deadline(deadline)
        .run()
        .map_err(|error| match error.kind {
            Kind::CommandNotFound => Error::failed("systemctl is not installed")
                .hint("say who runs the service: supervisor:, sysv:, pidfile:, command:"),
            _ => error,
        })
}

type Properties = HashMap<String, String>;

fn show(units: &[String]) -> Result<Vec<Properties>> {
    let property = format!("--property={PROPERTIES}");
    let mut arguments = vec!["show", property.as_str(), "--"];
    arguments.extend(units.iter().map(String::as_str));
    let shown = systemctl(&arguments, Deadline::after(Some(Duration::from_secs(25))))?;
    if !shown.success() {
        let words = shown.last_words();
        return Err(Error::unreachable(format!(
            "systemd doesn't answer: {words}"
        )));
    }
    let blocks: Vec<Properties> = parse(&shown.out());
    if blocks.len() != units.len() {
        return Err(Error::failed(format!(
            "systemctl show told of {} units, {} were asked for",
            blocks.len(),
            units.len()
        )));
    }
    Ok(blocks)
}

/// One block for each unit, in the order asked, an empty line between them.
fn parse(text: &str) -> Vec<Properties> {
    text.split("\n\n")
        .map(|block| {
            block
                .lines()
                .filter_map(|line| line.split_once('='))
                .map(|(key, value)| (key.to_owned(), value.to_owned()))
                .collect()
        })
        .filter(|block: &Properties| !block.is_empty())
        .collect()
}

fn observe(services: &[&Service]) -> Vec<Result<State>> {
    let units: Vec<String> = services.iter().map(|service| unit(service)).collect();
    match show(&units) {
        Ok(blocks) => units
            .iter()
            .zip(&blocks)
            .map(|(unit, properties)| state(unit, properties))
            .collect(),
        Err(error) => services.iter().map(|_| Err(error.clone())).collect(),
    }
}

fn get<'a>(properties: &'a Properties, key: &str) -> &'a str {
    properties.get(key).map_or("", String::as_str)
}

fn state(unit: &str, properties: &Properties) -> Result<State> {
    match get(properties, "LoadState") {
        "not-found" => {
            return Err(Error::usage(format!("{unit}: systemd knows no such unit"))
                .hint("`systemctl list-unit-files` shows those it knows"));
        }
        "masked" => {
            return Err(Error::usage(format!("{unit}: the unit is masked"))
                .hint(format!("systemctl unmask {unit}")));
        }
        "loaded" | "" => {}
        other => {
            return Err(Error::failed(format!(
                "{unit}: {other}: {}",
                get(properties, "LoadError")
            )));
        }
    }
    let (active, sub, result) = (
        get(properties, "ActiveState"),
        get(properties, "SubState"),
        get(properties, "Result"),
    );
    let run = match (active, sub) {
        ("active" | "reloading", _) => Run::Running,
        ("activating", _) => Run::Starting,
        ("deactivating", _) => Run::Stopping,
        ("failed", _) => Run::Failed,
        // A one-shot that has run in this boot (it has an invocation) and ended well.
        ("inactive", _)
            if get(properties, "Type") == "oneshot"
                && result == "success"
                && !get(properties, "InvocationID").is_empty() =>
        {
            Run::Finished
        }
        _ => Run::Stopped,
    };
    let pid = get(properties, "MainPID")
        .parse::<i32>()
        .ok()
        .filter(|pid| *pid > 0);
    let start = pid
        .and_then(|pid| Identity::of(pid).ok())
        .map(|identity| identity.start)
        .unwrap_or_default();
    let restarts = get(properties, "NRestarts").parse().unwrap_or(0);
    let invocation = get(properties, "InvocationID");
    let generation = format!(
        "{invocation}/{restarts}/{}@{start}",
        pid.unwrap_or_default()
    );
    let group = get(properties, "ControlGroup");
    let detail = reason(unit, run, sub, result, properties);
    Ok(State::one(Member {
        name: unit.to_owned(),
        run,
        word: format!("{active} ({sub})"),
        pid,
        generation,
        detail,
        restarts,
        cgroup: (!group.is_empty()).then(|| group.to_owned()),
    }))
}

fn reason(
    unit: &str,
    run: Run,
    sub: &str,
    result: &str,
    properties: &Properties,
) -> Option<String> {
    if matches!(run, Run::Running | Run::Finished) || run == Run::Stopped && result == "success" {
        return None;
    }
    let status = get(properties, "ExecMainStatus");
    // After restarts the result stays that of the last end; that it is not restarted any more says the rest.
    let restarts: u32 = get(properties, "NRestarts").parse().unwrap_or(0);
    if run == Run::Failed && restarts > 0 && matches!(result, "exit-code" | "signal" | "core-dump")
    {
        return Some(format!(
            "it ended {} times ({result} {status}) and systemd gave up (start limit); systemctl reset-failed {unit}",
            restarts + 1
        ));
    }
    Some(match result {
        "start-limit-hit" => format!(
            "it was started too often and systemd gave up (start limit); systemctl reset-failed {unit}"
        ),
        "exit-code" => format!("its main process ended with status {status}"),
        "signal" | "core-dump" => format!("its main process was ended by signal {status}"),
        "timeout" => "it took too long and systemd killed it".to_owned(),
        "success" if sub == "auto-restart" => {
            "it ended, and systemd is about to start it again".to_owned()
        }
        "success" => return None,
        other => format!("result {other}"),
    })
}

fn start(service: &Service, _: &[String], deadline: Deadline) -> Result<Done> {
    let unit = unit(service);
    let done = systemctl(&["start", "--no-ask-password", "--", &unit], deadline)?;
    if done.timed_out {
        return Err(Error::failed(format!(
            "{unit}: its start job is not done in time"
        )));
    }
    if done.success() {
        // The job of a one-shot ends with it and fails with it; afterwards systemd may forget that it ever ran.
        let shown = show(std::slice::from_ref(&unit))?;
        let once = |properties: &Properties| {
            get(properties, "Type") == "oneshot" && get(properties, "ActiveState") == "inactive"
        };
        return Ok(Done {
            finished: shown.first().is_some_and(once),
            ..Done::default()
        });
    }
    // systemctl's words name the log to read; systemd's own state says why.
    let why = super::observe_one(service).map_or_else(|error| error.message, |state| state.why());
    Err(
        Error::failed(format!("{unit}: systemd could not start it: {why}"))
            .hint(format!("journalctl -u {unit} -n 20")),
    )
}

fn stop(service: &Service, before: &State, _: &[String], deadline: Deadline) -> Result<Done> {
    let unit = unit(service);
    let done = systemctl(&["stop", "--no-ask-password", "--", &unit], deadline)?;
    if done.timed_out {
        return Err(
            Error::failed(format!("{unit}: its stop job is not done in time"))
                .hint("TimeoutStopSec= of the unit, and stop_timeout here"),
        );
    }
    if !done.success() {
        return Err(Error::failed(format!(
            "{unit}: systemd could not stop it: {}",
            done.last_words()
        )));
    }
    let mut answer = Done::default();
    let after = show(std::slice::from_ref(&unit))?;
    if let Some(properties) = after.first() {
        let result = get(properties, "Result");
        // CLD_KILLED and CLD_DUMPED, with SIGKILL: nobody asked politely, or it didn't listen.
        let killed = matches!(get(properties, "ExecMainCode"), "2" | "3")
            && get(properties, "ExecMainStatus") == "9";
        if before.members.iter().any(|member| member.pid.is_some())
            && (result == "timeout" || killed)
        {
            answer.detail = Some(format!("systemd had to kill it (result {result})"));
            answer.warnings.push(format!("{unit}: didn't stop by itself, systemd killed it (result {result}): what it was doing is lost"));
        }
        answer
            .warnings
            .extend(revivers(&unit, get(properties, "TriggeredBy")));
    }
    Ok(answer)
}

/// Units that start it again whenever somebody connects, or the time comes.
fn revivers(unit: &str, triggered_by: &str) -> Vec<String> {
    let triggers: Vec<String> = triggered_by
        .split_ascii_whitespace()
        .map(str::to_owned)
        .collect();
    if triggers.is_empty() {
        return Vec::new();
    }
    let Ok(shown) = show(&triggers) else {
        return Vec::new();
    };
    triggers
        .iter()
        .zip(&shown)
        .filter(|(_, properties)| get(properties, "ActiveState") == "active")
        .map(|(trigger, _)| format!("{unit}: {trigger} is active and will start it again; systemctl stop {trigger} keeps it down"))
        .collect()
}

fn reload(service: &Service, _: &State, deadline: Deadline) -> Result<Done> {
    let unit = unit(service);
    let shown = show(std::slice::from_ref(&unit))?;
    if shown
        .first()
        .is_some_and(|properties| get(properties, "CanReload") == "no")
    {
        return Err(
            Error::failed(format!("{unit}: the unit has no ExecReload="))
                .hint("restart it instead"),
        );
    }
    let done = systemctl(&["reload", "--no-ask-password", "--", &unit], deadline)?;
    if done.success() {
        Ok(Done::default())
    } else {
        Err(Error::failed(format!(
            "{unit}: the reload failed: {}",
            done.last_words()
        )))
    }
}

fn vouches(_: &Service, state: &State) -> bool {
    let units: Vec<String> = state
        .members
        .iter()
        .map(|member| member.name.clone())
        .collect();
    show(&units).is_ok_and(|shown| {
        shown
            .iter()
            .all(|properties| VOUCHED.contains(&get(properties, "Type")))
    })
}

/// Everything in the unit's control group and the groups below it (cgroups(7): `cgroup.procs`).
fn processes(state: &State) -> Vec<i32> {
    let mut found = Vec::new();
    for group in state
        .members
        .iter()
        .filter_map(|member| member.cgroup.as_ref())
    {
        for root in [
            "/sys/fs/cgroup",
            "/sys/fs/cgroup/systemd",
            "/sys/fs/cgroup/unified",
        ] {
            let path = Path::new(root).join(group.trim_start_matches('/'));
            if path.join("cgroup.procs").exists() {
                below(path, &mut found);
                break;
            }
        }
    }
    found.sort_unstable();
    found.dedup();
    found
}

fn below(path: PathBuf, found: &mut Vec<i32>) {
    let text = fs::read_to_string(path.join("cgroup.procs")).unwrap_or_default();
    found.extend(
        text.lines()
            .filter_map(|line| line.trim().parse::<i32>().ok())
            .filter(|pid| *pid > 0),
    );
    for entry in fs::read_dir(&path).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            below(entry.path(), found);
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_told_apart_and_states_translated() {
        let text = "Id=a.service\nLoadState=loaded\nActiveState=active\nSubState=running\nMainPID=0\nNRestarts=2\nInvocationID=abc\n\n\
            Id=b.service\nLoadState=loaded\nActiveState=failed\nSubState=failed\nResult=start-limit-hit\n\n\
            Id=c.service\nLoadState=not-found\n";
        let blocks = parse(text);
        assert_eq!(blocks.len(), 3);
        let a = state("a.service", &blocks[0]).unwrap();
        assert_eq!(
            (
                a.members[0].run,
                a.members[0].restarts,
                a.members[0].generation.as_str()
            ),
            (Run::Running, 2, "abc/2/0@0")
        );
        let b = state("b.service", &blocks[1]).unwrap();
        assert!(
            b.is_down() && b.why().contains("start limit"),
            "{}",
            b.why()
        );
        assert_eq!(
            state("c.service", &blocks[2]).unwrap_err().kind,
            Kind::Usage
        );
    }
}
