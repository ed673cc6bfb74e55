//! Modules to import and commands to run in a new release before it goes live.

use base::child::Run;
use base::error::Result;

use crate::environ;
use crate::installer::Job;

/// Runs them. Where the caller is the environment's owner they see the caller's own variables, since sites are configured by those.
pub fn run(job: &Job<'_>, checks: &[String], callers: bool) -> Result<()> {
    let bin = job.release.join("bin");
    let mut variables = match callers {
        true => environ::of_caller(),
        false => environ::passed(job.named),
    };
    variables.extend(job.variables.iter().cloned());
    let named = variables.iter().rfind(|(name, _)| name == "PATH");
    let path = named.map(|(_, path)| path.clone()).unwrap_or_default();
    let path =
        std::env::join_paths(std::iter::once(bin.clone()).chain(std::env::split_paths(&path)))
            .unwrap_or(path);
    for check in checks {
        let words: Vec<&str> = check.split_whitespace().collect();
        let is_module = words.len() == 1
            && check.split('.').all(|part| {
                !part.is_empty() && part.chars().all(|c| c.is_alphanumeric() || c == '_')
            });
        let run = match words[..] {
            _ if is_module && !bin.join(check).exists() => {
                Run::new(bin.join("python")).args(["-c", &format!("import {check}")])
            }
            [program, ..] if bin.join(program).exists() => {
                Run::new(bin.join(program)).args(&words[1..])
            }
            [program, ..] => Run::new(program).args(&words[1..]),
            [] => continue,
        };
        let run = run.env("VIRTUAL_ENV", job.release).env("PATH", &path);
        let done = job.run_with(variables.clone(), run)?;
        if !done.success() {
            return Err(job.failure(
                &format!("the post-check '{check}' failed in the new release"),
                &done,
            ));
        }
    }
    Ok(())
}
