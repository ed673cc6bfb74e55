//! The order: a service starts once everything in its `after` is ready, and stops before any of
//! that does.
//!
//! Services that do not wait for each other form a wave and are worked on at once. An `after` that
//! was not selected does not hold anything up: what is not in the run is not in the order either.

use base::{Error, Result};

use crate::service::Service;

/// The waves, in starting order, as indices; within a wave by name.
///
/// # Errors
/// Input: a circle, naming its members.
pub fn waves(services: &[Service]) -> Result<Vec<Vec<usize>>> {
    let at = |name: &str| services.iter().position(|service| service.name == name);
    let mut waiting: Vec<usize> = (0..services.len()).collect();
    let mut done: Vec<usize> = Vec::new();
    let mut waves = Vec::new();
    while !waiting.is_empty() {
        let (mut wave, rest): (Vec<usize>, Vec<usize>) = waiting.iter().partition(|each| {
            let after = &services[**each].spec.after;
            after
                .iter()
                .filter_map(|name| at(name))
                .all(|before| done.contains(&before))
        });
        if wave.is_empty() {
            let names: Vec<&str> = rest
                .iter()
                .map(|each| services[*each].name.as_str())
                .collect();
            return Err(
                Error::input(format!("after goes in a circle: {}", names.join(", ")))
                    .hint("remove one of these after keys: one service has to start first"),
            );
        }
        wave.sort_by(|a, b| services[*a].name.cmp(&services[*b].name));
        done.extend(&wave);
        waves.push(wave);
        waiting = rest;
    }
    Ok(waves)
}
