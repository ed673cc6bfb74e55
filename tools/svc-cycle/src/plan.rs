//! From what is asked for and what is so, to what is to be done with each service. Pure: nothing is read here.

use std::collections::BTreeMap;

use crate::backend::State;
use crate::cli::Action;
use crate::set::{Service, Set};

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

/// The intent for each service of the set, in its order. `owed` are members that a killed run took down and nobody
/// brought back: to a cycle they count as having been up.
#[must_use]
pub fn make(
    action: Action,
    set: &Set,
    states: &[State],
    owed: &BTreeMap<String, Vec<String>>,
) -> Vec<Intent> {
    set.services
        .iter()
        .zip(states)
        .map(|(service, state)| intent(action, set, service, state, owed))
        .collect()
}

fn intent(
    action: Action,
    set: &Set,
    service: &Service,
    state: &State,
    owed: &BTreeMap<String, Vec<String>>,
) -> Intent {
    let all = || {
        state
            .members
            .iter()
            .map(|member| member.name.clone())
            .collect::<Vec<_>>()
    };
    let ensures = set.only_ensures(service);
    let missing = if service.is_up(state) {
        Vec::new()
    } else {
        state.down()
    };
    match action {
        Action::Status | Action::Check | Action::Recover => Intent::default(),
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
        Action::Cycle => {
            let mut start = state.up();
            let back = owed.get(&service.name).into_iter().flatten();
            start.extend(
                back.filter(|name| all().contains(name) && !state.up().contains(name))
                    .cloned(),
            );
            Intent {
                stop: state.up(),
                start,
                ..Intent::default()
            }
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;
    use crate::backend::{Member, Run};
    use base::source::Source;
    use std::path::Path;

    fn set(policy: &str, names: &[&str]) -> Set {
        let text = format!("[service.web]\nbackend = \"systemd\"\npolicy = \"{policy}\"\n");
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        Set::read(
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
        }
    }

    fn plan(action: Action, set: &Set, state: &State, owed: &[&str]) -> (Vec<String>, Vec<String>) {
        let owed = BTreeMap::from([(
            "web".to_owned(),
            owed.iter().map(|name| (*name).to_owned()).collect(),
        )]);
        let intent = make(action, set, std::slice::from_ref(state), &owed)
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
