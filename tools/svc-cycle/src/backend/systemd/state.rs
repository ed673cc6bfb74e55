//! From systemd's description of a unit to a state: a process is what counts, not the word
//! "active".

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use base::{Error, Result};
use proc::Identity;

use super::show::Unit;
use crate::state::{Member, Run};

/// A restart that systemd has planned for later than this is no start to wait for.
const SOON: Duration = Duration::from_secs(20);

/// Whether the unit can be worked with at all.
///
/// # Errors
/// systemd does not know it, or it is masked, or its file is broken.
pub fn usable(name: &str, unit: &Unit) -> Result<()> {
    match unit.get("LoadState") {
        "not-found" => Err(Error::usage(format!(
            "'{name}': systemd knows no such unit"
        ))
        .hint("`systemctl list-unit-files` lists the units; a program of supervisord is called supervisor:NAME")),
        "masked" => Err(Error::usage(format!("'{name}': the unit is masked"))
            .hint(format!("systemctl unmask {name}"))),
        "loaded" | "" => Ok(()),
        other => Err(Error::failed(format!(
            "'{name}': {other}: {}",
            unit.get("LoadError")
        ))),
    }
}

/// Whether the unit stands for others and has no process of its own: a target, or a one-shot that
/// stays active.
pub fn is_umbrella(unit: &Unit) -> bool {
    unit.id().ends_with(".target")
        || unit.id().ends_with(".service")
            && unit.get("Type") == "oneshot"
            && unit.get("ActiveState") != "activating"
}

/// The unit as a member.
pub fn member(name: &str, unit: &Unit) -> Member {
    let (active, sub, result) = (
        unit.get("ActiveState"),
        unit.get("SubState"),
        unit.get("Result"),
    );
    let pid = unit
        .get("MainPID")
        .parse::<i32>()
        .ok()
        .filter(|pid| *pid > 0);
    let is_service = unit.id().ends_with(".service");
    let once = unit.get("Type") == "oneshot";
    let empty = active == "active" && is_service && !once && pid.is_none() && !has_process(unit);
    let run = match (active, sub) {
        ("active", _) if empty => Run::Failed,
        ("active" | "reloading" | "refreshing", _) => Run::Running,
        ("activating", _) => Run::Starting,
        ("deactivating", _) => Run::Stopping,
        ("failed", _) => Run::Failed,
        // A one-shot that has run in this boot (it has an invocation) and ended well. One that
        // remains active until somebody stops the unit (Debian's postgresql) was stopped.
        ("inactive", _)
            if once
                && result == "success"
                && unit.get("RemainAfterExit") != "yes"
                && !unit.get("InvocationID").is_empty() =>
        {
            Run::Finished
        }
        _ => Run::Stopped,
    };
    let start = pid
        .and_then(|pid| Identity::of(pid).ok())
        .map(|identity| identity.start)
        .unwrap_or_default();
    let restarts = unit.get("NRestarts").parse().unwrap_or(0);
    let generation = format!(
        "{}/{restarts}/{}@{start}",
        unit.get("InvocationID"),
        pid.unwrap_or_default()
    );
    let detail = if empty {
        Some("systemd calls it active, but no process of it is left".to_owned())
    } else {
        reason(name, run, unit)
    };
    let group = unit.get("ControlGroup");
    Member {
        name: name.to_owned(),
        run,
        word: format!("{active} ({sub})"),
        pid,
        generation,
        detail,
        restarts,
        cgroup: (!group.is_empty()).then(|| group.to_owned()),
        stop_time: stop_time(unit),
        dormant: sub == "auto-restart" && unit.span("RestartUSec").is_some_and(|time| time > SOON),
        refusal: refusal(unit),
    }
}

fn refusal(unit: &Unit) -> Option<String> {
    ["RefuseManualStart", "RefuseManualStop"]
        .iter()
        .find(|property| unit.get(property) == "yes")
        .map(|property| format!("the unit has {property}=yes"))
}

/// How long a stop of the unit can take: ExecStop, the wait after TERM, the wait after KILL and
/// ExecStopPost have the same time each.
fn stop_time(unit: &Unit) -> Option<Duration> {
    let time = unit.span("TimeoutStopUSec")?;
    Some(
        time.checked_mul(4)
            .and_then(|time| time.checked_add(Duration::from_secs(5)))
            .unwrap_or(Duration::MAX),
    )
}

/// Whether the control group holds a process; true where that cannot be seen.
fn has_process(unit: &Unit) -> bool {
    let group = unit.get("ControlGroup");
    if group.is_empty() {
        return false;
    }
    let seen = ROOTS
        .iter()
        .any(|root| Path::new(root).join("cgroup.procs").exists());
    !seen || !processes_of(group).is_empty()
}

const ROOTS: &[&str] = &[
    "/sys/fs/cgroup",
    "/sys/fs/cgroup/systemd",
    "/sys/fs/cgroup/unified",
];

/// Everything in a control group and the groups below it (cgroups(7): `cgroup.procs`).
pub fn processes_of(group: &str) -> Vec<i32> {
    let mut found = Vec::new();
    for root in ROOTS {
        let path = Path::new(root).join(group.trim_start_matches('/'));
        if path.join("cgroup.procs").exists() {
            below(path, &mut found);
            break;
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

fn reason(name: &str, run: Run, unit: &Unit) -> Option<String> {
    let (sub, result) = (unit.get("SubState"), unit.get("Result"));
    if matches!(run, Run::Running | Run::Finished) || run == Run::Stopped && result == "success" {
        return conditions(run, unit);
    }
    let status = unit.get("ExecMainStatus");
    // After restarts the result stays that of the last end; that it is not restarted any more says
    // the rest.
    let restarts: u32 = unit.get("NRestarts").parse().unwrap_or(0);
    if run == Run::Failed && restarts > 0 && matches!(result, "exit-code" | "signal" | "core-dump")
    {
        return Some(format!(
            "it ended {} times ({result} {status}) and systemd gave up (start limit); systemctl reset-failed {name}",
            restarts + 1
        ));
    }
    Some(match result {
        "start-limit-hit" => format!(
            "it was started too often and systemd gave up (start limit); systemctl reset-failed {name}"
        ),
        // The main process never ran: an ExecStartPre= failed.
        "exit-code" if status == "0" || status.is_empty() => {
            "a command before or after its main process failed".to_owned()
        }
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

/// Why systemd skipped a start without calling it a failure.
fn conditions(run: Run, unit: &Unit) -> Option<String> {
    if run != Run::Stopped {
        return None;
    }
    match (unit.get("ConditionResult"), unit.get("AssertResult")) {
        // Both read "no" before the first start, too: only a unit that was tried has a result.
        (_, "no") if unit.get("Result") != "success" => {
            Some("an Assert...= of the unit is not fulfilled".to_owned())
        }
        _ => None,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::super::show::tests::units;
    use super::*;
    use base::Kind;

    #[test]
    fn states_translated() {
        let all = units(
            "Id=a.socket\nLoadState=loaded\nActiveState=active\nSubState=running\nMainPID=0\nNRestarts=2\nInvocationID=abc\n\n\
            Id=b.service\nLoadState=loaded\nActiveState=failed\nSubState=failed\nResult=start-limit-hit\n\n\
            Id=c.service\nLoadState=not-found\n\n\
            Id=d.service\nActiveState=active\nSubState=exited\nType=forking\nMainPID=0\n\n\
            Id=e.service\nActiveState=active\nSubState=exited\nType=oneshot\nMainPID=0\n\n\
            Id=g.service\nActiveState=inactive\nSubState=dead\nType=oneshot\nResult=success\nInvocationID=abc\nRemainAfterExit=yes\n\n\
            Id=h.service\nActiveState=inactive\nSubState=dead\nType=oneshot\nResult=success\nInvocationID=abc\nRemainAfterExit=no\n\n\
            Id=f.service\nActiveState=activating\nSubState=auto-restart\nResult=exit-code\nExecMainStatus=4\nRestartUSec=10min\n",
        );
        let a = member("a.socket", &all[0]);
        assert_eq!(
            (a.run, a.restarts, a.generation.as_str()),
            (Run::Running, 2, "abc/2/0@0")
        );
        let b = member("b.service", &all[1]);
        assert!(b.run == Run::Failed && b.detail.unwrap().contains("start limit"));
        assert_eq!(usable("c.service", &all[2]).unwrap_err().kind, Kind::Usage);
        // Debian's uwsgi after a kill: systemd remembers that its script said yes.
        assert_eq!(member("d.service", &all[3]).run, Run::Failed);
        assert_eq!(member("e.service", &all[4]).run, Run::Running);
        assert_eq!(member("g.service", &all[5]).run, Run::Stopped);
        assert_eq!(member("h.service", &all[6]).run, Run::Finished);
        assert!(member("f.service", &all[7]).dormant);
    }
}
