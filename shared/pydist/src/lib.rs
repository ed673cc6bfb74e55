//! What is installed in a Python environment, read from its files.
//!
//! An administrator asks "which Django is in /srv/venv?" on hosts where starting Python is slow,
//! forbidden (somebody else's environment) or broken. The answer stands in the names of the
//! `*.dist-info` directories, so it is read from there. This crate never starts an interpreter,
//! never imports anything, never follows a `.pth` line, and opens nothing but regular files of
//! bounded size.
//!
//! The short way in, for one distribution in an environment, a prefix or beside an interpreter:
//!
//! ```no_run
//! # fn main() -> Result<(), pydist::Error> {
//! let environment = pydist::Environment::open("/srv/venv")?;
//! if let Some(dist) = environment.find("setuptools")? {
//!     let text = format!("setuptools {} in {}", dist.version, dist.path.display());
//! #   let _ = text;
//! }
//! # Ok(())
//! # }
//! ```

#![cfg_attr(test, allow(clippy::disallowed_methods))]

mod dist;
mod environment;
mod error;
pub mod files;
pub mod marker;
pub mod metadata;
pub mod name;
pub mod pth;
pub mod record;
pub mod requirement;
pub mod site;
pub mod specifier;

pub use dist::{Dist, Form};
pub use environment::{Environment, Interpreter, Kind, PythonVersion, PyvenvCfg};
pub use error::Error;

/// The version of the distribution `name` in `environment` (a virtual environment, a prefix such
/// as `/usr`, or the path of an interpreter), or `None` when it is not installed there.
pub fn version(
    environment: impl AsRef<std::path::Path>,
    name: &str,
) -> Result<Option<String>, Error> {
    let environment = Environment::open(environment)?;
    Ok(environment.find(name)?.map(|dist| dist.version))
}
