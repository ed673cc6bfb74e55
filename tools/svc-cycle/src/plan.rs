//! The plan: from the request and the state of the services to the steps for each service. Pure:
//! nothing is read here.

use std::collections::BTreeMap;

use crate::id::ServiceId;
use crate::request::Action;
use crate::service::{Role, Service};
use crate::set::Set;
use crate::state::State;

/// What is to be done with one service, by its members' names.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Intent {
    /// To be stopped.
    pub stop: Vec<String>,
    /// To be started afterwards.
    pub start: Vec<String>,
    /// To be reloaded.
    pub reload: bool,
}

impl Intent {
    /// Nothing at all.
    #[must_use]
    pub fn is_nothing(&self) -> bool {
        self.stop.is_empty() && self.start.is_empty() && !self.reload
    }

    /// The steps by name, for a dry run.
    #[must_use]
    pub fn steps(&self) -> Vec<(&'static str, String)> {
        let mut steps = Vec::new();
        if !self.stop.is_empty() {
            steps.push(("stop", self.stop.join(", ")));
        }
        if !self.start.is_empty() {
            steps.push(("start", self.start.join(", ")));
        }
        if self.reload {
            steps.push(("reload", String::new()));
        }
        steps
    }
}

/// What an interrupted run left down: the members by the identity of their service.
pub type Owed = BTreeMap<ServiceId, Vec<String>>;

/// The intent for each service of the set, in its order. `owed` are members that an interrupted run
/// took down and nothing brought back: to a cycle they count as having been up.
#[must_use]
pub fn make(
    action: Action,
    set: &Set,
    ids: &[ServiceId],
    states: &[State],
    owed: &Owed,
) -> Vec<Intent> {
    set.services
        .iter()
        .zip(ids)
        .zip(states)
        .map(|((service, id), state)| {
            let owed = owed.get(id).map_or(&[][..], Vec::as_slice);
            match service.role {
                Role::Asked => asked(action, set.only_ensures(service), service, state, owed),
                Role::Dependent => dependent(action, state, owed),
                Role::Trigger => trigger(action, state, owed),
            }
        })
        .collect()
}

fn asked(
    action: Action,
    ensures: bool,
    service: &Service,
    state: &State,
    owed: &[String],
) -> Intent {
    let all = || state.names(|_| true);
    let missing = if service.is_up(state) {
        Vec::new()
    } else {
        state.names(|member| !member.run.is_up() || member.dormant)
    };
    match action {
        Action::Status | Action::Check | Action::Recover | Action::Snapshot => Intent::default(),
        Action::Start => Intent {
            start: missing,
            ..Intent::default()
        },
        Action::Stop if ensures => Intent::default(),
        Action::Stop => Intent {
            stop: state.up(),
            ..Intent::default()
        },
        Action::Restart | Action::Cycle if ensures => Intent {
            start: missing,
            ..Intent::default()
        },
        Action::Restart => Intent {
            stop: state.up(),
            start: all(),
            ..Intent::default()
        },
        Action::Reload if ensures => Intent::default(),
        Action::Reload => Intent {
            reload: true,
            ..Intent::default()
        },
        // What was down stays down.
        Action::Cycle => restored(state, owed),
    }
}

/// Stops a service that runs and starts the service again; starts what an interrupted run left
/// down, too.
fn restored(state: &State, owed: &[String]) -> Intent {
    let up = state.up();
    let known = state.names(|_| true);
    let back = owed
        .iter()
        .filter(|name| known.contains(name) && !up.contains(name));
    let mut start = up.clone();
    start.extend(back.cloned());
    Intent {
        stop: up,
        start,
        ..Intent::default()
    }
}

/// The manager stops it with the service that was asked for, so it has to come back with that one.
fn dependent(action: Action, state: &State, owed: &[String]) -> Intent {
    match action {
        Action::Stop => Intent {
            stop: state.up(),
            ..Intent::default()
        },
        Action::Restart | Action::Cycle => restored(state, owed),
        _ => Intent::default(),
    }
}

/// What starts the service by itself: in the way of a stop and of COMMAND, and wanted again
/// afterwards. A restart leaves it alone, so that no connection is refused.
fn trigger(action: Action, state: &State, owed: &[String]) -> Intent {
    match action {
        Action::Stop => Intent {
            stop: state.up(),
            ..Intent::default()
        },
        Action::Cycle => restored(state, owed),
        Action::Start => Intent {
            start: state.down(),
            ..Intent::default()
        },
        _ => Intent::default(),
    }
}

/// What the manager stops along with another service of the set must come back, too, whatever the
/// set says of it.
pub fn bring_along(intents: &mut [Intent], states: &[State], along: &[usize]) {
    for at in along {
        let (intent, state) = (&mut intents[*at], &states[*at]);
        if intent.stop.is_empty() && !state.up().is_empty() {
            intent.stop = state.up();
            intent.start = state.up();
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;
    use crate::state::{Member, Run};
    use base::source::Source;
    use std::path::Path;

    fn set(policy: &str, names: &[&str]) -> Set {
        let text = format!("[service.web]\nbackend = \"systemd\"\npolicy = \"{policy}\"\n");
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        Set::read(
            None,
            Some(&Source::new("set.toml", text)),
            Path::new("/"),
            None,
            &names,
            None,
        )
        .unwrap()
    }

    fn state(runs: &[(&str, Run)]) -> State {
        let members = runs
            .iter()
            .map(|(name, run)| Member {
                run: *run,
                ..Member::of_process(name, None)
            })
            .collect();
        State {
            members,
            warnings: Vec::new(),
            fix: None,
        }
    }

    fn plan(action: Action, set: &Set, state: &State, owed: &[&str]) -> (Vec<String>, Vec<String>) {
        let id = ServiceId::system("systemd", "web.service");
        let owed = names(owed);
        let owed = BTreeMap::from([(id.clone(), owed)]);
        let intent = make(action, set, &[id], std::slice::from_ref(state), &owed)
            .pop()
            .unwrap();
        (intent.stop, intent.start)
    }

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn a_cycle_restores_what_was_and_no_more() {
        let half = state(&[("a", Run::Running), ("b", Run::Stopped)]);
        let all = set("cycle", &[]);
        assert_eq!(
            plan(Action::Cycle, &all, &half, &[]),
            (names(&["a"]), names(&["a"]))
        );
        assert_eq!(
            plan(Action::Cycle, &all, &half, &["b", "gone"]),
            (names(&["a"]), names(&["a", "b"]))
        );
        assert_eq!(
            plan(Action::Restart, &all, &half, &[]),
            (names(&["a"]), names(&["a", "b"]))
        );
        assert_eq!(
            plan(Action::Start, &all, &half, &[]),
            (names(&[]), names(&["b"]))
        );
        assert_eq!(
            plan(Action::Stop, &all, &half, &[]),
            (names(&["a"]), names(&[]))
        );
    }

    #[test]
    fn what_comes_along_comes_back_and_a_socket_stays_through_a_restart() {
        let mut set = set("cycle", &[]);
        let up = state(&[("a", Run::Running)]);
        for (role, action, expected) in [
            (
                Role::Dependent,
                Action::Restart,
                (names(&["a"]), names(&["a"])),
            ),
            (Role::Dependent, Action::Stop, (names(&["a"]), names(&[]))),
            (Role::Dependent, Action::Start, (names(&[]), names(&[]))),
            (Role::Trigger, Action::Cycle, (names(&["a"]), names(&["a"]))),
            (Role::Trigger, Action::Restart, (names(&[]), names(&[]))),
            (Role::Trigger, Action::Stop, (names(&["a"]), names(&[]))),
        ] {
            set.services[0].role = role;
            assert_eq!(
                plan(action, &set, &up, &[]),
                expected,
                "{role:?} {action:?}"
            );
        }
        // A service that the set only ensures, and that systemd stops all the same.
        let mut intents = vec![Intent::default()];
        bring_along(&mut intents, &[up], &[0]);
        assert_eq!(intents[0].start, names(&["a"]));
    }

    #[test]
    fn nobody_knows_is_tried() {
        let unknown = state(&[("a", Run::Unknown)]);
        let all = set("cycle", &[]);
        assert_eq!(
            plan(Action::Start, &all, &unknown, &[]),
            (names(&[]), names(&["a"]))
        );
        assert_eq!(
            plan(Action::Stop, &all, &unknown, &[]),
            (names(&["a"]), names(&[]))
        );
        assert_eq!(
            plan(Action::Cycle, &all, &unknown, &[]),
            (names(&["a"]), names(&["a"]))
        );
    }

    #[test]
    fn ensure_starts_what_is_missing_and_stops_only_by_name() {
        let (up, down) = (state(&[("a", Run::Running)]), state(&[("a", Run::Failed)]));
        for action in [Action::Cycle, Action::Restart, Action::Start] {
            assert_eq!(
                plan(action, &set("ensure", &[]), &up, &[]),
                (names(&[]), names(&[]))
            );
            assert_eq!(
                plan(action, &set("ensure", &[]), &down, &[]),
                (names(&[]), names(&["a"]))
            );
        }
        assert_eq!(
            plan(Action::Stop, &set("ensure", &[]), &up, &[]),
            (names(&[]), names(&[]))
        );
        assert_eq!(
            plan(Action::Stop, &set("ensure", &["web"]), &up, &[]),
            (names(&["a"]), names(&[]))
        );
    }
}
