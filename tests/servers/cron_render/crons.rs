//! The crons of other distributions, as programs: what tests/crons.sh makes. The long sweeps run
//! them.

use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

/// One cron: a directory with `daemon` and `crontab`, and `version` of Debian's package.
#[derive(Clone, Debug)]
pub struct Cron {
    /// debian-11, cronie-1.7.2.
    pub name: String,
    /// Where it is.
    pub dir: PathBuf,
}

impl Cron {
    /// The dialect that its lines are read by.
    pub fn dialect(&self) -> &'static str {
        match self.name.as_str() {
            "debian-11" => "debian",
            "debian-13" => "debian-13",
            "cronie-1.5.2" => "cronie-1.5.2",
            "cronie-1.5.7" => "cronie-1.5",
            _ => "cronie",
        }
    }
}

/// Those whose rules are known, with RUNBOOK_SWEEP=full, else none. RUNBOOK_CRONS names a directory
/// where they are.
pub fn all() -> Vec<Cron> {
    named(&[
        "debian-11",
        "debian-13",
        "cronie-1.5.2",
        "cronie-1.5.7",
        "cronie-1.7.2",
    ])
}

/// These, with RUNBOOK_SWEEP=full.
pub fn named(names: &[&str]) -> Vec<Cron> {
    static MADE: OnceLock<PathBuf> = OnceLock::new();
    if !harness::full_sweep() {
        return Vec::new();
    }
    let dir = MADE.get_or_init(|| {
        let dir = std::env::var_os("RUNBOOK_CRONS").map_or_else(
            || harness::source_root().join("target/crons"),
            PathBuf::from,
        );
        let made = Command::new("sh")
            .arg(harness::source_root().join("tests/crons.sh"))
            .arg(&dir)
            .status()
            .expect("run sh");
        assert!(
            made.success(),
            "tests/crons.sh cannot make the crons of other distributions"
        );
        dir
    });
    let each = names.iter().map(|name| Cron {
        name: (*name).to_owned(),
        dir: dir.join(name),
    });
    each.collect()
}
