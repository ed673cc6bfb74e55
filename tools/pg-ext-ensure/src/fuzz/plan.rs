//! The plan, for catalogs of any shape: what control files say of versions and requirements need
//! not make sense.

use super::{Random, rounds};
use crate::catalog::{
    Available, Control, Database, Dependent, Depth, Installed, Role, Schema, Server,
};
use crate::plan;
use crate::report::Action;
use crate::request::Policy;
use crate::rights;
use crate::want::{State, Version, Want};
use std::collections::BTreeSet;
use std::time::Duration;

const NAMES: [&str; 6] = ["a", "b", "c", "d", "e", "f"];
const VERSIONS: [&str; 3] = ["1", "2", "2--3"];

fn control(random: &mut Random, requires: &[&str]) -> Control {
    let requires = (0..random.below(3))
        .map(|_| random.of(requires).to_owned())
        .collect();
    let schema = random.once_in(5).then(|| "fixed".to_owned());
    Control {
        superuser: random.once_in(2),
        trusted: random.once_in(2),
        relocatable: random.once_in(2),
        schema,
        requires,
    }
}

/// A server's whole knowledge, of any shape: versions without a default, requirements in circles,
/// of what is not there, of itself.
fn database(random: &mut Random) -> Database {
    let mut depth = Depth::default();
    let mut installed = std::collections::BTreeMap::new();
    for name in NAMES {
        if !random.once_in(5) {
            let versions = VERSIONS[..random.below(4)]
                .iter()
                .map(|version| {
                    (
                        (*version).to_owned(),
                        control(random, &["a", "b", "c", "d", "missing"]),
                    )
                })
                .collect();
            let default_version = random
                .once_in(4)
                .then_some("9")
                .or(Some("1"))
                .map(str::to_owned);
            depth.available.insert(
                name.to_owned(),
                Available {
                    default_version,
                    versions,
                },
            );
        }
        if random.once_in(3) {
            let (owned, relocatable, foreign_members) =
                (random.once_in(2), random.once_in(2), random.once_in(2));
            let found = Installed {
                version: "1".into(),
                schema: "public".into(),
                owner: "o".into(),
                owned,
                relocatable,
                foreign_members,
            };
            installed.insert(name.to_owned(), found);
            depth.reachable.insert(
                name.to_owned(),
                VERSIONS[..random.below(4)]
                    .iter()
                    .map(|version| (*version).to_owned())
                    .collect(),
            );
        }
    }
    let public = Schema {
        creates: random.once_in(2),
        owner: "o".into(),
    };
    depth.schemas.insert("public".into(), public);
    let there: Vec<String> = installed.keys().cloned().collect();
    for name in &there {
        let others = there.iter().filter(|other| *other != name);
        for other in others.filter(|_| random.once_in(3)).collect::<Vec<_>>() {
            let needs = depth.needs.entry(other.clone()).or_default();
            needs.insert(name.clone());
            let dependents = depth.dependents.entry(name.clone()).or_default();
            dependents.push(Dependent {
                object: format!("extension {other}"),
                extension: Some(other.clone()),
            });
        }
        if random.once_in(4) {
            let dependents = depth.dependents.entry(name.clone()).or_default();
            dependents.push(Dependent {
                object: "table column public.t.c".into(),
                extension: None,
            });
        }
    }
    let role = Role {
        name: "r".into(),
        superuser: random.once_in(3),
        creates: random.once_in(2),
    };
    let current_schema = (!random.once_in(4)).then(|| "public".to_owned());
    Database {
        name: "d".into(),
        role,
        read_only: random.once_in(8),
        current_schema,
        installed,
        depth: Some(depth),
    }
}

fn wants(random: &mut Random) -> Vec<Want> {
    let mut names: Vec<&str> = NAMES.to_vec();
    (0..1 + random.below(5))
        .map(|_| {
            let name = names.remove(random.below(names.len())).to_owned();
            let state = if random.once_in(4) {
                State::Absent
            } else {
                State::Present
            };
            let version = match random.below(4) {
                0 => Version::Latest,
                1 => Version::Exactly(random.of(&["1", "2", "7"]).to_owned()),
                _ => Version::Any,
            };
            let schema = random
                .once_in(3)
                .then(|| random.of(&["public", "fixed", "new"]).to_owned());
            if state == State::Absent {
                Want {
                    name,
                    state,
                    version: Version::Any,
                    schema: None,
                }
            } else {
                Want {
                    name,
                    state,
                    version,
                    schema,
                }
            }
        })
        .collect()
}

#[test]
fn a_plan_for_any_catalog_ends_and_is_in_order() {
    let mut random = Random(0x91a4);
    let (mut created, mut dropped) = (0, 0);
    for round in 0..rounds(20_000, 1_000_000) {
        let (database, wants) = (database(&mut random), wants(&mut random));
        let flag = |random: &mut Random| random.once_in(2);
        let policy = Policy {
            create_cascade: flag(&mut random),
            drop_cascade: flag(&mut random),
            create_schema: flag(&mut random),
            update: flag(&mut random),
            fix_schema: flag(&mut random),
            lock_timeout: Duration::ZERO,
            statement_timeout: Duration::ZERO,
        };
        let steps = plan::steps(
            &Server {
                number: 150_000,
                ..Server::default()
            },
            &database,
            &wants,
            &policy,
        );
        let at = format!("round {round}: {wants:?} in {database:?}: {steps:?}");
        let assigned = rights::assign(steps.clone(), &database, None);
        assert_eq!(assigned.len(), steps.len(), "{at}");
        let planned: BTreeSet<&str> = steps.iter().map(|step| step.want.name.as_str()).collect();
        assert_eq!(
            (steps.len(), planned.len()),
            (wants.len(), wants.len()),
            "each once: {at}"
        );
        for (index, step) in steps.iter().enumerate() {
            let is_there = database.installed.contains_key(&step.want.name);
            match step.action {
                Action::Create => assert!(!is_there && step.want.state == State::Present, "{at}"),
                Action::Drop => assert!(is_there && step.want.state == State::Absent, "{at}"),
                Action::None => assert!(step.statements.is_empty() && step.cause.is_none(), "{at}"),
                _ => assert!(is_there, "{at}"),
            }
            assert!(
                step.action == Action::None || !step.statements.is_empty(),
                "{at}"
            );
            if step.action == Action::Drop && step.cause.is_none() {
                dropped += 1;
                let stays = |other: &Dependent| {
                    let kept = other.extension.as_ref();
                    wants
                        .iter()
                        .any(|want| Some(&want.name) == kept && want.state == State::Present)
                };
                assert!(!step.lost.iter().any(stays), "drops what shall stay: {at}");
                assert!(step.lost.is_empty() || policy.drop_cascade, "{at}");
            }
            // What stands in the way of nothing has all that it requires: there, created before it,
            // or created with it.
            if step.action == Action::Create && step.cause.is_none() {
                created += 1;
                let version = match &step.want.version {
                    Version::Exactly(version) => Some(version.as_str()),
                    _ => None,
                };
                let depth = database.depth.as_ref().unwrap();
                for name in &depth.available[&step.want.name]
                    .control(version)
                    .unwrap()
                    .requires
                {
                    let place = steps.iter().position(|other| {
                        other.want.name == *name && other.want.state == State::Present
                    });
                    let in_a_circle = place.is_some_and(|place| place >= index);
                    assert!(
                        database.installed.contains_key(name)
                            || place.is_some()
                            || step.requires.contains(name),
                        "{name}: {at}"
                    );
                    assert!(
                        !in_a_circle || reaches(depth, name, &step.want.name),
                        "{name} after {}: {at}",
                        step.want.name
                    );
                }
                assert!(step.requires.is_empty() || policy.create_cascade, "{at}");
            }
        }
    }
    assert!(created > 1_000 && dropped > 500, "{created} {dropped}");
}

/// Whether one requires the other in any version, over however many steps.
fn reaches(depth: &Depth, from: &str, to: &str) -> bool {
    let (mut seen, mut open) = (BTreeSet::new(), vec![from]);
    while let Some(name) = open.pop() {
        if name == to {
            return true;
        }
        if seen.insert(name) {
            let versions = depth
                .available
                .get(name)
                .into_iter()
                .flat_map(|available| available.versions.values());
            open.extend(versions.flat_map(|control| control.requires.iter().map(String::as_str)));
        }
    }
    false
}
