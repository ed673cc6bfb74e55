//! The order of the steps: an update that frees what shall go, then drops, dependents first, then
//! the rest, requirements first.

use std::collections::BTreeSet;

use super::Planner;
use crate::want::{State, Want};

/// The wants in the order in which their steps are taken.
pub(super) fn of<'a>(wants: &'a [Want], planner: &Planner<'a>) -> Vec<&'a Want> {
    let mut order = Order {
        wants,
        planner,
        placed: BTreeSet::new(),
        order: Vec::new(),
    };
    for absent in order.all(State::Absent) {
        for present in order.all(State::Present) {
            if order.needs(&present.name, &absent.name) && planner.outgrows(present, &absent.name) {
                order.put(present);
            }
        }
    }
    for absent in order.all(State::Absent) {
        order.drop(absent);
    }
    for present in order.all(State::Present) {
        order.create(present);
    }
    order.order
}

struct Order<'a, 'b> {
    wants: &'a [Want],
    planner: &'b Planner<'a>,
    placed: BTreeSet<&'a str>,
    order: Vec<&'a Want>,
}

impl<'a> Order<'a, '_> {
    fn all(&self, state: State) -> Vec<&'a Want> {
        let wants = self.wants.iter();
        wants.filter(|want| want.state == state).collect()
    }

    /// Whether an installed extension needs another one.
    fn needs(&self, name: &str, other: &str) -> bool {
        let needs = self.planner.depth().and_then(|d| d.needs.get(name));
        needs.is_some_and(|needs| needs.contains(other))
    }

    fn put(&mut self, want: &'a Want) {
        if self.placed.insert(&want.name) {
            self.order.push(want);
        }
    }

    fn drop(&mut self, want: &'a Want) {
        if !self.placed.insert(&want.name) {
            return;
        }
        for other in self.all(State::Absent) {
            if self.needs(&other.name, &want.name) {
                self.drop(other);
            }
        }
        self.order.push(want);
    }

    fn create(&mut self, want: &'a Want) {
        if !self.placed.insert(&want.name) {
            return;
        }
        for name in self.planner.required_of(want) {
            if let Some(required) = self.planner.wanted(name, State::Present) {
                self.create(required);
            }
        }
        self.order.push(want);
    }
}
