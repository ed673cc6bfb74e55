//! Timers and services in `/etc/systemd/system`.

use base::error::{Error, Result};
use base::lock::Lock;
use std::time::Duration;

use crate::plan::Plan;

/// The units of one site.
#[derive(Debug)]
pub struct Units {
    name: String,
}

impl Units {
    /// Of the site of that name.
    ///
    /// # Errors
    /// None so far.
    pub fn of(name: &str) -> Result<Units> {
        Ok(Units { name: name.to_owned() })
    }
    /// x
    pub fn path(&self) -> String {
        format!("/etc/systemd/system/{}-*", self.name)
    }
    /// x
    pub fn lock(&self, _wait: Duration) -> Result<Lock> {
        Err(Error::failed("not yet"))
    }
    /// x
    pub fn read(&self) -> Result<Option<Vec<u8>>> {
        Err(Error::failed("not yet"))
    }
    /// x
    pub fn back_up(&self, _bytes: &[u8]) -> Result<String> {
        Err(Error::failed("not yet"))
    }
    /// x
    pub fn write(&self, _before: Option<&[u8]>, _after: Option<&[u8]>) -> Result<Vec<String>> {
        Err(Error::failed("not yet"))
    }
    /// x
    pub fn plan(&self, _before: Option<Vec<u8>>, _body: &[u8], _force: bool) -> Result<Plan> {
        Err(Error::failed("not yet"))
    }
    /// x
    pub fn plan_removal(&self, _before: Option<Vec<u8>>, _force: bool) -> Result<Plan> {
        Err(Error::failed("not yet"))
    }
}
