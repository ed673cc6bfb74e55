//! A job as systemd starts its service: a unit in /run with the same text, which waits for nothing,
//! alerts nobody and is gone afterwards.
//!
//! The text is read by systemd itself, so that user, directory, environment and limits are those of
//! the installed service. Only `[Install]` and `OnFailure=` are left out, and the output goes to a
//! file that the report is made of.

use std::path::Path;
use std::time::Instant;

use base::atomic::{Access, Dir};
use base::child::{Ending, Run};
use base::error::{Error, Result};
use base::mask;

use super::activate;
use super::unbundle;
use crate::target;
use crate::trial::{Attempt, OUTPUT, Trial};

/// Units that last until the next boot.
const DIRECTORY: &str = "/run/systemd/system";

/// Runs the job's service.
///
/// # Errors
/// `Kind::Failed` where systemd does not run here, or cannot be asked.
pub fn run(trial: &Trial<'_>) -> Result<Attempt> {
    let service = String::from_utf8_lossy(trial.job).into_owned();
    let files = unbundle(trial.text);
    let text = files.get(&service).ok_or_else(|| {
        Error::failed(format!(
            "there is no unit '{service}' among those of the site"
        ))
    })?;
    let mut attempt = described(text);
    if trial.dry_run {
        return Ok(attempt);
    }
    if !activate::systemd_runs() {
        return Err(Error::failed("systemd does not run here")
            .hint("--format crontab tries the job as cron would run it"));
    }
    if !rustix::process::geteuid().is_root() {
        return Err(Error::usage("only root can try a system unit"));
    }
    let unit = Unit::new(trial, text)?;
    let began = Instant::now();
    let started = unit.systemctl(&["start", &unit.name]);
    let elapsed = began.elapsed();
    let output = unit.output();
    let state = unit.state();
    unit.clear();
    let done = started?;
    if done.interrupted.is_some() || done.timed_out {
        return Err(Error::deadline(
            "the job runs longer than --timeout allows, and was ended",
        ));
    }
    let (bytes, truncated) = output?;
    attempt.printed(&bytes, truncated);
    if done.success() {
        attempt.ended(Ending::Exit(0), elapsed);
        return Ok(attempt);
    }
    take_state(&state?, &done.last_words(), elapsed, &mut attempt);
    Ok(attempt)
}

/// What the unit says, for the report.
fn described(text: &str) -> Attempt {
    let value = |key: &str| {
        let found = text.lines().find_map(|line| line.strip_prefix(key));
        found.map(str::to_owned)
    };
    Attempt {
        user: value("User=").unwrap_or_else(|| "root".to_owned()),
        command: mask::text(&value("ExecStart=").unwrap_or_default()),
        directory: value("WorkingDirectory=").unwrap_or_default(),
        ..Attempt::default()
    }
}

/// `key=value` lines of `systemctl show`.
fn take_state(state: &str, said: &str, elapsed: std::time::Duration, attempt: &mut Attempt) {
    let value = |key: &str| {
        let found = state.lines().find_map(|line| line.strip_prefix(key));
        found.unwrap_or_default()
    };
    let status: i32 = value("ExecMainStatus=").parse().unwrap_or(0);
    let reason = |status| match status {
        200 => "200/CHDIR: its user cannot enter WorkingDirectory=",
        203 => "203/EXEC: the program of ExecStart= cannot be executed",
        216 => "216/GROUP: the group does not exist",
        217 => "217/USER: the user does not exist",
        202 | 204..=215 | 218..=243 => "systemd could not prepare the job",
        _ => "",
    };
    match value("ExecMainCode=") {
        "1" => {
            attempt.ended(Ending::Exit(status), elapsed);
            if !reason(status).is_empty() && attempt.output.is_empty() {
                attempt.started = false;
                attempt.refusal = Some(format!("{} ({status})", reason(status)));
            }
        }
        "2" | "3" => attempt.ended(Ending::Signal(status), elapsed),
        _ => {
            let result = value("Result=");
            attempt.refusal = Some(format!("{said} ({result})"));
        }
    }
}

/// The unit of one trial.
struct Unit<'a> {
    trial: &'a Trial<'a>,
    name: String,
    dir: Dir,
    room: Dir,
    log: String,
}

impl<'a> Unit<'a> {
    fn new(trial: &'a Trial<'a>, text: &str) -> Result<Unit<'a>> {
        std::fs::create_dir_all(DIRECTORY)
            .map_err(|e| Error::io(format!("cannot make {DIRECTORY}"), &e))?;
        let name = format!("cron-render-try-{}.service", std::process::id());
        let unit = Unit {
            trial,
            log: format!("{name}.log"),
            dir: Dir::open(Path::new(DIRECTORY))?,
            room: target::workroom()?,
            name,
        };
        let log = unit.room.path().join(&unit.log).display().to_string();
        let text = adapted(text, &log);
        unit.room.write(&unit.log, b"", Access::mode(0o600))?;
        let access = Access {
            mode: 0o644,
            owner: Some((0, 0)),
        };
        unit.dir.write(&unit.name, text.as_bytes(), access)?;
        let done = unit.systemctl(&["daemon-reload"])?;
        if done.success() {
            return Ok(unit);
        }
        unit.clear();
        Err(Error::failed(format!(
            "systemctl daemon-reload: {}",
            done.last_words()
        )))
    }

    fn systemctl(&self, words: &[&str]) -> Result<base::child::Finished> {
        let run = Run::new("systemctl")
            .args(words)
            .env("LC_ALL", "C")
            .deadline(self.trial.deadline)
            .watch(self.trial.watch.clone());
        target::run_to_its_end(&run)
    }

    fn state(&self) -> Result<String> {
        let keys = "--property=Result,ExecMainCode,ExecMainStatus";
        Ok(self.systemctl(&["show", keys, &self.name])?.out())
    }

    fn output(&self) -> Result<(Vec<u8>, bool)> {
        let bytes = self.room.read(&self.log, 64 << 20)?.unwrap_or_default();
        let kept = bytes.len().min(OUTPUT);
        Ok((bytes[..kept].to_vec(), bytes.len() > kept))
    }

    /// Ends what still runs and takes everything away. What fails here is gone at the next boot.
    fn clear(&self) {
        for words in [&["stop", &self.name][..], &["reset-failed", &self.name]] {
            let _ = Run::new("systemctl").args(words).env("LC_ALL", "C").run();
        }
        let _ = self.dir.remove(&self.name);
        let _ = self.room.remove(&self.log);
        let _ = Run::new("systemctl").arg("daemon-reload").run();
    }
}

/// The service's text for one run.
fn adapted(text: &str, log: &str) -> String {
    let mut out = String::new();
    let mut installs = false;
    for line in text.lines() {
        if line.starts_with('[') {
            installs = line == "[Install]";
        }
        if installs || line.starts_with("OnFailure=") || line.starts_with("# cron-render ") {
            continue;
        }
        out.push_str(line);
        out.push('\n');
        if line == "[Service]" {
            out.push_str(&format!(
                "StandardOutput=append:{log}\nStandardError=inherit\n"
            ));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_unit_of_a_trial() {
        let text = "# cron-render x sha256=1\n[Unit]\nDescription=x\nOnFailure=a@%n.service\n\n[Service]\nType=oneshot\nExecStart=/bin/true\n\n[Install]\nWantedBy=multi-user.target\n";
        assert_eq!(
            adapted(text, "/run/l"),
            "[Unit]\nDescription=x\n\n[Service]\nStandardOutput=append:/run/l\nStandardError=inherit\nType=oneshot\nExecStart=/bin/true\n\n"
        );
    }

    #[test]
    fn endings() {
        let of = |state: &str| {
            let mut attempt = Attempt::default();
            take_state(state, "no", std::time::Duration::ZERO, &mut attempt);
            (
                attempt.started,
                attempt.exit,
                attempt.signal,
                attempt.refusal.is_some(),
            )
        };
        assert_eq!(
            of("ExecMainCode=1\nExecMainStatus=3\n"),
            (true, Some(3), None, false)
        );
        assert_eq!(
            of("ExecMainCode=2\nExecMainStatus=9\n"),
            (true, None, Some(9), false)
        );
        assert_eq!(
            of("ExecMainCode=1\nExecMainStatus=203\n"),
            (false, Some(203), None, true)
        );
        assert_eq!(
            of("Result=resources\nExecMainCode=0\n"),
            (false, None, None, true)
        );
    }
}
