//! The readers of configuration by name, for the fuzzers of tests/: a file is read as a run reads
//! the file, and nothing else of the host.

use crate::rotation::Rotation;
use crate::service::{IDENTIFY, SERVICES};
use crate::site::Site;
use conf::files::Files;
use std::path::Path;

/// Reads the file `name` in the directory `dir` as a configuration of the service; how many logs
/// stand there. `None` where there is no such service or directory.
pub fn configuration(service: &str, dir: &Path, name: &str) -> Option<usize> {
    let service = SERVICES.iter().find(|known| known.name == service)?;
    let named = vec![(service.name.to_owned(), Path::new("/").join(name))];
    let site = Site::new(Files::below(dir).ok()?, named, IDENTIFY);
    Some((service.read)(&site).targets.len())
}

/// Reads the file `name` in the directory `dir` as logrotate's, and asks for what happens to one
/// log. `None` where there is no such directory.
pub fn rotation(dir: &Path, name: &str) -> Option<()> {
    let named = vec![("logrotate".to_owned(), Path::new("/").join(name))];
    let site = Site::new(Files::below(dir).ok()?, named, IDENTIFY);
    let _ = Rotation::read(&site).fate(&site.files, Path::new("/l/c"), None);
    Some(())
}
