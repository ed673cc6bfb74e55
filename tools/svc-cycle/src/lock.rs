//! One lock for each service that is changed, so that two runs over different services don't wait for each other.

use std::path::{Path, PathBuf};
use std::time::Duration;

use base::Result;
use base::lock::{Lock, state_directory};

use crate::set::Service;

/// Where locks and journals are: `/run/runbook-tools`, or the caller's own directory.
///
/// # Errors
/// It can't be made, or isn't the caller's alone.
pub fn directory() -> Result<PathBuf> {
    state_directory()
}

/// Takes the lock of every service, always in the same order, so that two runs can't wait for each other in a ring.
///
/// # Errors
/// One is held (75).
pub fn acquire(services: &[Service], wait: Duration) -> Result<Vec<Lock>> {
    let directory = directory()?;
    let mut paths: Vec<PathBuf> = services
        .iter()
        .map(|service| directory.join(name(service)))
        .collect();
    paths.sort();
    paths.dedup();
    paths.iter().map(|path| Lock::acquire(path, wait)).collect()
}

/// A readable name, and a number that tells apart what reads the same.
fn name(service: &Service) -> String {
    let config = service
        .spec
        .config
        .as_deref()
        .map(|file| service.path(file))
        .unwrap_or_default();
    let unit = if service.backend.name == "pidfile" {
        service.path(Path::new(&service.unit))
    } else {
        PathBuf::from(&service.unit)
    };
    let start = service.spec.matching.clone().unwrap_or_default();
    let whole = format!(
        "{}\0{}\0{}\0{start}",
        service.backend.name,
        unit.display(),
        config.display()
    );
    let readable: String = service
        .unit
        .chars()
        .map(|each| {
            if each.is_ascii_alphanumeric() || each == '-' {
                each
            } else {
                '_'
            }
        })
        .take(60)
        .collect();
    format!(
        "svc-cycle.{}.{readable}.{:016x}.lock",
        service.backend.name,
        fnv(whole.as_bytes())
    )
}

/// FNV-1a: only has to be the same in two runs at a time.
fn fnv(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}
