//! One lock for each service that is changed, so that two runs over different services do not wait for each other.

use std::path::PathBuf;
use std::time::Duration;

use base::Result;
use base::lock::{Lock, state_directory};

use crate::backend;
use crate::service::Service;

/// Takes the lock of every service, always in the same order, so that two runs cannot wait for each other in a ring.
///
/// # Errors
/// One is held (75).
pub fn acquire(services: &[Service], wait: Duration) -> Result<Vec<Lock>> {
    let directory = state_directory()?;
    let mut paths: Vec<PathBuf> = services
        .iter()
        .flat_map(|service| (backend::of(service).locks)(service))
        .map(|id| directory.join(format!("svc-cycle.{}.lock", id.file_name())))
        .collect();
    paths.sort();
    paths.dedup();
    paths.iter().map(|path| Lock::acquire(path, wait)).collect()
}
