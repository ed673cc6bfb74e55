//! Modules to import and commands to run in a new release before it goes live.

use base::child::{Identity, Run};
use base::error::Result;

use crate::environ;
use crate::installer::Job;
use crate::request::Build;

/// Runs the post-checks. Where the caller is the environment's owner they see the caller's own
/// variables, since sites are configured by those; with `--as` or `--as-site` they see the user's
/// and the site's.
pub fn run(job: &Job<'_>, build: &Build, callers: bool) -> Result<()> {
    let bin = job.release.join("bin");
    let user = build.run_as.as_ref().and_then(|run_as| run_as.user());
    let other = user.filter(|user| !user.is_current());
    let mut variables = match (other, callers) {
        (Some(user), _) => Identity::environment(user),
        (None, true) => environ::of_caller(),
        (None, false) => environ::passed(job.named),
    };
    variables.extend(job.variables.iter().cloned());
    if let Some(run_as) = &build.run_as {
        variables.extend(run_as.variables().iter().cloned());
    }
    let named = variables.iter().rfind(|(name, _)| name == "PATH");
    let path = named.map(|(_, path)| path.clone()).unwrap_or_default();
    let path =
        std::env::join_paths(std::iter::once(bin.clone()).chain(std::env::split_paths(&path)))
            .unwrap_or(path);
    for check in &build.post_checks {
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
        let mut run = run.env("VIRTUAL_ENV", job.release).env("PATH", &path);
        run = run.user(other.cloned());
        if let Some(dir) = build.run_as.as_ref().and_then(|run_as| run_as.dir()) {
            run = run.dir(dir);
        }
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
