//! Start, stop and reload: systemctl's own jobs, and what systemd refuses in its own words.

use base::clock::Deadline;
use base::{Error, Result};

use super::names::{id, manager, unit};
use super::show::{Manager, Unit, show, systemctl};
use super::{finished, state};
use crate::service::{Role, Service};
use crate::state::{Done, Run, State};

pub fn start(service: &Service, members: &[String], deadline: Deadline) -> Result<Done> {
    let (manager, unit) = (manager(service), unit(service));
    finished::forget(&id(service));
    let before = show(&manager, members)?;
    let first = before.first().cloned().unwrap_or_default();
    // systemd takes a unit without a process for started, and leaves one alone that it starts again
    // later.
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
        // The job of a one-shot ends with it and fails with it; afterwards systemd may forget that
        // it ever ran.
        let once =
            |unit: &Unit| unit.get("Type") == "oneshot" && unit.get("ActiveState") == "inactive";
        answer.finished = show(&manager, members)?.iter().all(once);
        if answer.finished {
            finished::remember(&id(service));
        }
        return Ok(answer);
    }
    let words = refusal(&done.err());
    let why = super::look(service).map_or_else(|error| error.message, |state| state.why());
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

pub fn stop(
    service: &Service,
    before: &State,
    members: &[String],
    deadline: Deadline,
) -> Result<Done> {
    let (manager, unit) = (manager(service), unit(service));
    finished::forget(&id(service));
    // An umbrella and the parts that it takes along, so that the job waits for them, too. What a
    // target only wants stays up when systemd stops the target, and is seen afterwards.
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

pub fn reload(service: &Service, _: &State, deadline: Deadline) -> Result<Done> {
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

#[cfg(test)]
mod tests {
    use super::*;

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
