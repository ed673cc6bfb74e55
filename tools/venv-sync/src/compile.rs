//! Compiles the sources of a release before it goes live: the service that runs from it usually may
//! not write there, and would compile everything anew at each start.

use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use base::child::Run;
use base::error::Result;
use pydist::{Environment, Form, files, record};

use crate::installer::Job;
use crate::reuse::{cached, is_valid};

/// `cpython-311`, the part of a compiled file's name that says for which Python it is.
pub fn tag(environment: &Environment) -> Option<String> {
    let implementation = environment.config.implementation.as_deref();
    let python = environment.python?;
    implementation
        .unwrap_or("CPython")
        .eq_ignore_ascii_case("cpython")
        .then(|| format!("cpython-{}{}", python.major, python.minor))
}

/// The sources of a release that have no valid compiled form.
pub fn sources(environment: &Environment) -> Vec<PathBuf> {
    let tag = tag(environment);
    let mut out = Vec::new();
    for dist in environment.distributions().unwrap_or_default() {
        if dist.form != Form::DistInfo {
            continue;
        }
        let Ok(bytes) = files::read(&dist.path.join("RECORD"), files::RECORD_LIMIT) else {
            continue;
        };
        let Some(site) = dist.path.parent() else {
            continue;
        };
        let text = String::from_utf8_lossy(&bytes).into_owned();
        for entry in record::entries(&text) {
            let is_source = entry.path.ends_with(".py") && !entry.path.starts_with("..");
            if !is_source {
                continue;
            }
            let source = site.join(&*entry.path);
            let compiled = tag.as_deref().and_then(|tag| cached(&source, tag));
            if !compiled.is_some_and(|compiled| is_valid(&compiled, &source)) {
                out.push(source);
            }
        }
    }
    out
}

/// Compiles them. The names in tracebacks are those that the sources have by way of `link`, so that
/// every release has the same. What is no valid source for this Python (templates, tests of errors)
/// is left alone.
pub fn compile(job: &Job<'_>, sources: &[PathBuf], link: &Path, minor: u32) -> Result<()> {
    let mut list = Vec::new();
    for source in sources {
        let bytes = source.as_os_str().as_bytes();
        // A line is a name, without the spaces at its ends.
        if bytes.contains(&b'\n') || bytes.trim_ascii() != bytes {
            continue;
        }
        list.extend_from_slice(bytes);
        list.push(b'\n');
    }
    if list.is_empty() {
        return Ok(());
    }
    let mut run = Run::new(job.release.join("bin/python")).args(["-I", "-m", "compileall", "-q"]);
    // Starting workers costs more than a few files.
    if sources.len() > 200 {
        run = run.args(["-j", "0"]);
    }
    if minor >= 9 {
        run = run.arg("-s").arg(job.release).arg("-p").arg(link);
    }
    let done = job.run(run.args(["-i", "-"]).input(list))?;
    // A status of 1 says that some source is not valid: nobody can mend that here.
    let _ = done;
    Ok(())
}
