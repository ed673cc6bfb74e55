//! What becomes of cron's settings in units: for each name a directive, or a finding that says what
//! is lost. [`ROWS`] is the whole table; a test on a booted systemd runs every row.

use crate::site::Site;

/// What a setting becomes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Becomes {
    /// The shell of `ExecStart=`.
    Shell,
    /// `WorkingDirectory=` and the variable.
    Home,
    /// The zone of `OnCalendar=`, where the daemon knows it; else a variable.
    Zone,
    /// `RandomizedDelaySec=`, where the daemon knows it; else a variable.
    Delay,
    /// Nothing: systemd sends no mail. `--on-failure UNIT` is the nearest.
    Lost,
    /// Nothing: the daemon sets the name itself.
    Ignored,
    /// `Environment=`.
    Variable,
}

/// The settings that are more than a variable.
pub const ROWS: &[(&str, Becomes)] = &[
    ("SHELL", Becomes::Shell),
    ("HOME", Becomes::Home),
    ("CRON_TZ", Becomes::Zone),
    ("RANDOM_DELAY", Becomes::Delay),
    ("MAILTO", Becomes::Lost),
    ("MAILFROM", Becomes::Lost),
    ("CONTENT_TYPE", Becomes::Lost),
    ("CONTENT_TRANSFER_ENCODING", Becomes::Lost),
    ("LOGNAME", Becomes::Ignored),
    ("USER", Becomes::Ignored),
];

/// The row of a name.
pub fn becomes(name: &str) -> Becomes {
    ROWS.iter()
        .find(|(known, _)| *known == name)
        .map_or(Becomes::Variable, |(_, what)| *what)
}

/// The settings of one job as units say them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Told {
    /// The shell.
    pub shell: String,
    /// The directory that HOME names.
    pub home: Option<String>,
    /// The zone of `OnCalendar=`.
    pub zone: Option<String>,
    /// Lines of `[Timer]`.
    pub timer: Vec<String>,
    /// Variables.
    pub environment: Vec<(String, String)>,
}

/// Says a job's settings as units do.
pub fn tell(settings: &[(String, String)], site: &Site) -> Told {
    let mut told = Told {
        shell: "/bin/sh".to_owned(),
        ..Told::default()
    };
    // Cron's own environment: systemd would give another PATH and the shell of the password
    // database.
    if crate::settings::value(settings, "PATH").is_none() {
        variable(&mut told, "PATH", site.dialect.path());
    }
    if crate::settings::value(settings, "SHELL").is_none() {
        variable(&mut told, "SHELL", "/bin/sh");
    }
    for (name, value) in settings {
        let known = site.dialect.has_zones();
        match becomes(name) {
            Becomes::Shell => {
                told.shell.clone_from(value);
                variable(&mut told, name, value);
            }
            Becomes::Home => {
                told.home = Some(value.clone());
                variable(&mut told, name, value);
            }
            Becomes::Zone if known => told.zone = Some(value.clone()),
            Becomes::Delay if known => {
                if let Ok(minutes @ 1..=1440) = value.trim().parse::<u32>() {
                    told.timer = vec![
                        format!("RandomizedDelaySec={minutes}min"),
                        "FixedRandomDelay=true".to_owned(),
                    ];
                }
            }
            Becomes::Lost | Becomes::Ignored => {}
            _ => variable(&mut told, name, value),
        }
    }
    told
}

fn variable(told: &mut Told, name: &str, value: &str) {
    told.environment.push((name.to_owned(), value.to_owned()));
}
