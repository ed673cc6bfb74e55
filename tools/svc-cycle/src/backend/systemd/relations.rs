//! What systemd does to other units when one stops: dependents stop with it, sockets, paths and
//! timers start it again.

use std::collections::BTreeMap;

use base::Result;

use super::show::{Manager, Unit, show};

/// Properties that name the units which a stop job takes along (systemd.unit(5), the mapping of
/// properties to their inverses).
const TAKEN_ALONG: &[(&str, &str)] = &[
    ("RequiredBy", "requires"),
    ("RequisiteOf", "needs (Requisite=)"),
    ("BoundBy", "is bound to"),
    ("ConsistsOf", "is part of"),
    ("PropagatesStopTo", "is stopped with"),
];

/// A unit that belongs to another one.
#[derive(Debug, Clone)]
pub struct Relative {
    /// Its description.
    pub unit: Unit,
    /// In words: `requires db.service`.
    pub because: String,
}

/// The active units that a stop of `units` stops, too, in the order in which they are found; `own`
/// are not among them.
///
/// # Errors
/// systemd does not answer.
pub fn dependents(manager: &Manager, units: &[Unit], own: &[String]) -> Result<Vec<Relative>> {
    let mut found: Vec<Relative> = Vec::new();
    let mut level: Vec<Unit> = units.to_vec();
    while !level.is_empty() {
        let mut reasons: BTreeMap<String, String> = BTreeMap::new();
        for unit in &level {
            for (property, words) in TAKEN_ALONG {
                for name in unit.list(property) {
                    let known = own.contains(&name)
                        || units.iter().any(|each| each.id() == name)
                        || found.iter().any(|each| each.unit.id() == name);
                    if !known {
                        reasons
                            .entry(name)
                            .or_insert_with(|| format!("{words} {}", unit.id()));
                    }
                }
            }
        }
        let names: Vec<String> = reasons.keys().cloned().collect();
        let shown = show(manager, &names)?;
        level = shown.into_iter().filter(Unit::is_active).collect();
        for unit in &level {
            let because = reasons.get(unit.id()).cloned().unwrap_or_default();
            found.push(Relative {
                unit: unit.clone(),
                because,
            });
        }
    }
    Ok(found)
}

/// The sockets, paths and timers that start these units.
///
/// # Errors
/// systemd does not answer.
pub fn triggers(manager: &Manager, units: &[Unit]) -> Result<Vec<Relative>> {
    let mut reasons: BTreeMap<String, String> = BTreeMap::new();
    for unit in units {
        for name in unit.list("TriggeredBy") {
            reasons
                .entry(name)
                .or_insert_with(|| format!("starts {}", unit.id()));
        }
    }
    let names: Vec<String> = reasons.keys().cloned().collect();
    let shown = show(manager, &names)?;
    let relatives = shown.into_iter().map(|unit| Relative {
        because: reasons.get(unit.id()).cloned().unwrap_or_default(),
        unit,
    });
    Ok(relatives.collect())
}

/// The units that an umbrella stands for: those that are part of it, and those that it pulls in at
/// its start.
///
/// # Errors
/// systemd does not answer.
pub fn members(manager: &Manager, umbrella: &Unit) -> Result<Vec<Unit>> {
    let parts = umbrella.list("ConsistsOf");
    let mut names = parts;
    // A one-shot service that wants others (a clean-up after boot) does not stand for them; it does
    // for its parts.
    let is_target = umbrella.id().ends_with(".target");
    let mut pulled: Vec<String> = Vec::new();
    for property in ["Requires", "BindsTo", "Wants"] {
        pulled.extend(umbrella.list(property));
    }
    pulled.retain(|name| name.ends_with(".service"));
    if is_target {
        names.extend(pulled.iter().cloned());
    }
    names.sort();
    names.dedup();
    let shown = show(manager, &names)?;
    // A part that nothing pulls in and that is down is down on purpose. One whose conditions are
    // not met is not wanted here, and a one-shot has nothing to keep up.
    let counts = |unit: &Unit| {
        let skipped = unit.get("ConditionResult") == "no"
            && !matches!(unit.get("ConditionTimestampMonotonic"), "" | "0");
        let ended = unit.get("Type") == "oneshot" && unit.get("ActiveState") == "inactive";
        unit.get("LoadState") == "loaded"
            && (unit.is_active()
                || pulled.iter().any(|name| name == unit.id()) && !skipped && !ended)
    };
    Ok(shown.into_iter().filter(counts).collect())
}
