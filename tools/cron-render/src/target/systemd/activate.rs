//! Activating units without a run that is not due, and without leaving out one that is.

use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base::child::Run;
use base::clock::Deadline;
use base::error::Result;

use crate::target;

/// Timers are due at the full minute and fire within a second of it; an activation takes less than
/// a second. Nothing is activated in the seconds around it.
const QUIET_FROM: u64 = 2;
const QUIET_UNTIL: u64 = 55;

/// systemctl(1).
#[derive(Debug)]
pub struct Systemctl {
    /// The end of the whole run.
    pub deadline: Deadline,
}

impl Systemctl {
    /// Runs a verb; the words of systemctl if it failed.
    ///
    /// # Errors
    /// `Kind::Failed` where there is no systemctl.
    pub fn run(&self, verb: &str, options: &[&str], units: &[&str]) -> Result<Option<String>> {
        let run = Run::new("systemctl")
            .arg(verb)
            .args(options)
            .args(units)
            .env("LC_ALL", "C")
            .deadline(self.deadline);
        let done = target::run(&run, &format!("systemctl {verb}"))?;
        Ok((!done.success()).then(|| format!("systemctl {verb}: {}", done.last_words())))
    }

    /// Makes systemd forget when these timers ran and started.
    ///
    /// A timer counts from its last run, or else from its previous start. With a new calendar a
    /// time between then and now is overdue, and the job would run at once. A timer that is stopped
    /// and disabled leaves the memory of systemd, and a fresh one counts from its start.
    ///
    /// # Errors
    /// `Kind::Failed` where systemctl cannot do it.
    pub fn forget(&self, timers: &[&str]) -> Result<()> {
        for verb in ["stop", "disable"] {
            if let Some(why) = self.run(verb, &[], timers)? {
                return Err(base::error::Error::failed(why).hint("run it again"));
            }
        }
        Ok(())
    }
}

/// Whether systemd is what runs this machine (sd_booted(3)).
pub fn systemd_runs() -> bool {
    Path::new("/run/systemd/system").is_dir()
}

/// Waits, for seven seconds at the most, until no timer is due.
pub fn keep_clear_of_the_minute() {
    let Ok(now) = SystemTime::now().duration_since(UNIX_EPOCH) else {
        return;
    };
    let second = now.as_secs() % 60;
    let wait = match second {
        s if s < QUIET_FROM => QUIET_FROM - s,
        s if s >= QUIET_UNTIL => 60 - s + QUIET_FROM,
        _ => return,
    };
    std::thread::sleep(Duration::from_secs(wait));
}
