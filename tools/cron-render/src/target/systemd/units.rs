//! The same schedule as systemd units: a timer and a service for each job.
//!
//! What cron decides by its fields has to be said in systemd's words: two `OnCalendar` lines where
//! either day field is enough, `%%` and `$$` where cron knows nothing of either, the shell named.
//! What has no counterpart (mail, running what a change of time left out) is not imitated.

use crate::around::{self, Around};
use crate::command::{Action, Place, Shape};
use crate::escape;
use crate::field::Field;
use crate::hashed::Seed;
use crate::render;
use crate::schedule::{Schedule, WEEK};
use crate::site::Site;
use crate::spread::Placed;
use crate::target::systemd::settings::{self, Told};
use crate::template::{Job, Template};

/// One unit file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unit {
    /// Its name, with the suffix.
    pub name: String,
    /// Its text.
    pub text: String,
}

/// The units of every job, in the jobs' order: a timer and its service, or for `@reboot` a service
/// alone that is enabled.
pub fn units(template: &Template, site: &Site, placed: &[Placed]) -> Vec<Vec<Unit>> {
    let settings = crate::settings::of_jobs(template, site);
    let each = template.jobs.iter().zip(placed).zip(&settings);
    each.map(|((job, placed), settings)| {
        let stem = format!("{}-{}", site.name(), job.id);
        let told = settings::tell(settings, site);
        let mut units = Vec::new();
        if !placed.schedule.reboot {
            units.push(Unit {
                name: format!("{stem}.timer"),
                text: timer(&stem, job, placed, &told, site),
            });
        }
        units.push(Unit {
            name: format!("{stem}.service"),
            text: service(&stem, job, placed, &told, site),
        });
        units
    })
    .collect()
}

fn title(stem: &str, placed: &Placed) -> String {
    format!("{stem} ({})", placed.when.replace('%', "%%"))
}

fn timer(stem: &str, job: &Job, placed: &Placed, told: &Told, site: &Site) -> String {
    let mut out = format!("[Unit]\nDescription={}\n\n[Timer]\n", title(stem, placed));
    let zone = told.zone.as_deref().or(site.facts.tz.as_deref());
    // Where cronie would pick a value whenever it loads the file, the timer has one for good.
    let seed = Seed {
        site: site.name(),
        job: &job.id,
    };
    let schedule = if job.written.is_random() {
        job.written.picked(|field, low, high| {
            low + (seed.number(field.name()) % (high - low + 1) as u64) as i32
        })
    } else {
        placed.schedule.clone()
    };
    for line in calendar(&schedule) {
        let zone = zone.map(|z| format!(" {z}")).unwrap_or_default();
        out += &format!("OnCalendar={line}{zone}\n");
    }
    for line in &told.timer {
        out += &format!("{line}\n");
    }
    // Cron starts a job within a second of its minute, and never makes up for what it slept
    // through.
    out + "AccuracySec=1s\nPersistent=false\n\n[Install]\nWantedBy=timers.target\n"
}

/// The schedule as `OnCalendar` values: none for `@reboot`, two where either day is enough.
pub fn calendar(schedule: &Schedule) -> Vec<String> {
    if schedule.reboot || !schedule.ever() {
        return Vec::new();
    }
    let time = format!(
        "{}:{}:00",
        set(schedule.hour, 0, 23),
        set(schedule.minute, 0, 59)
    );
    let month = set(schedule.month, 1, 12);
    let line = |day: u64, weekday: u64| {
        let weekday = if weekday == WEEK {
            String::new()
        } else {
            format!("{} ", weekdays(weekday))
        };
        format!("{weekday}*-{month}-{} {time}", set(day, 1, 31))
    };
    let (every_day, every_weekday) = (schedule.day == Field::Day.full(), schedule.weekday == WEEK);
    if schedule.needs_both_days() {
        return vec![line(schedule.day, schedule.weekday)];
    }
    if every_day || every_weekday {
        return vec![line(Field::Day.full(), WEEK)];
    }
    let mut lines = Vec::new();
    if schedule.day != 0 {
        lines.push(line(schedule.day, WEEK));
    }
    if schedule.weekday != 0 {
        lines.push(line(Field::Day.full(), schedule.weekday));
    }
    lines
}

fn set(bits: u64, low: u32, high: u32) -> String {
    let values: Vec<u32> = (low..=high).filter(|n| bits >> n & 1 == 1).collect();
    if values.len() as u32 == high - low + 1 {
        return "*".to_owned();
    }
    if let [first, second, .., last] = values[..] {
        let step = second - first;
        if values.len() > 2 && values.windows(2).all(|p| p[1] - p[0] == step) {
            return if step == 1 {
                format!("{first:02}..{last:02}")
            } else {
                format!("{first:02}..{last:02}/{step}")
            };
        }
    }
    values
        .iter()
        .map(|n| format!("{n:02}"))
        .collect::<Vec<_>>()
        .join(",")
}

fn weekdays(bits: u64) -> String {
    const NAMES: [&str; 7] = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];
    // From Monday on, as systemd counts.
    let each = [1, 2, 3, 4, 5, 6, 0]
        .into_iter()
        .filter(|d| bits >> d & 1 == 1);
    each.filter_map(|d| NAMES.get(d).copied())
        .collect::<Vec<_>>()
        .join(",")
}

fn service(stem: &str, job: &Job, placed: &Placed, told: &Told, site: &Site) -> String {
    let mut out = format!("[Unit]\nDescription={}\n", title(stem, placed));
    if let Some(unit) = &site.facts.on_failure {
        out += &format!("OnFailure={unit}\n");
    }
    out += "\n[Service]\nType=oneshot\n";
    if let Some(user) = site.facts.user.as_deref().or(job.user.as_deref()) {
        out += &format!("User={user}\n");
    }
    let ours = render::is_ours(job, site);
    let around = Around::new(site, &job.id, &job.extras, Vec::new());
    let dir = around.dir.clone().filter(|_| ours);
    // Debian's cron goes on where the home directory is missing.
    let missing = if site.dialect.runs_without_home() {
        "-"
    } else {
        ""
    };
    out += &match (dir.as_deref(), told.home.as_deref()) {
        (Some(dir), _) => format!("WorkingDirectory={}\n", percent(dir)),
        (None, Some(home)) => format!("WorkingDirectory={missing}{}\n", percent(home)),
        (None, None) => format!("WorkingDirectory={missing}~\n"),
    };
    for (name, value) in &told.environment {
        out += &format!(
            "Environment={}\n",
            quoted(&format!("{name}={value}"), false)
        );
    }
    if let Some(file) = &around.env_file {
        out += &format!("EnvironmentFile={}\n", percent(file));
    }
    let (command, input) = command(job, site, ours, &around);
    out += &format!(
        "ExecStart={}\n",
        start(&command, &told.shell, dir.as_deref())
    );
    if let Some(input) = input {
        out += &format!(
            "StandardInput=data\nStandardInputText={}\n",
            input_text(&input)
        );
    }
    if let Some(seconds) = around.timeout.filter(|_| ours) {
        out += &format!("TimeoutStartSec={seconds}\n");
    }
    if placed.schedule.reboot {
        out += "\n[Install]\nWantedBy=multi-user.target\n";
    }
    out
}

/// What is run, and its standard input. systemd itself sees to directory, environment and limit,
/// and starts no service twice. A lock stays where other jobs or programs may hold it, and the log
/// is opened by the job's own shell: systemd would open it as root.
fn command(job: &Job, site: &Site, ours: bool, around: &Around) -> (String, Option<String>) {
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    let bare = Around {
        lock: around.lock.clone().filter(|_| is_path(&job.extras.lock)),
        turn: around.turn.clone(),
        log: around.log.clone(),
        ..Around::default()
    };
    let Action::Raw(raw) = &job.action else {
        return (bare.wrap(&render::inner(&job.action, site)), None);
    };
    let (command, input) = escape::decode(raw, site.dialect);
    let input = input.map(text);
    match job.shape {
        Shape::Manage { python_end } if ours => {
            let (head, body, tail, _) =
                bare.split(&command, python_end, &around::interpreter(site));
            (
                format!("{head}{}{tail}", String::from_utf8_lossy(body)),
                input,
            )
        }
        _ => (text(command), input),
    }
}

fn is_path(place: &Option<Place>) -> bool {
    matches!(place, Some(Place::Path(_)))
}

/// A command without anything for a shell to do is started directly, by its full path.
fn start(command: &str, shell: &str, dir: Option<&str>) -> String {
    let plain = command
        .bytes()
        .all(|b| b.is_ascii_alphanumeric() || b" /.,_+-=:@".contains(&b));
    let (program, rest) = command.split_once(' ').unwrap_or((command, ""));
    let program = match dir {
        Some(dir) if program.contains('/') && !program.starts_with('/') => {
            format!("{}/{program}", dir.trim_end_matches('/'))
        }
        _ => program.to_owned(),
    };
    let named =
        program.starts_with('/') && !program.contains('=') && program.bytes().all(|b| b != b' ');
    if plain && named && !program.bytes().any(|b| b"\"'\\%$".contains(&b)) {
        return format!("{program} {rest}").trim_end().to_owned();
    }
    format!("{} -c {}", percent(shell), quoted(command, true))
}

/// In double quotes, as unit files want it; `$$` where systemd would look for a variable.
fn quoted(text: &str, dollars: bool) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            '%' => out.push_str("%%"),
            '$' if dollars => out.push_str("$$"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            c if c.is_ascii_control() => out.push_str(&format!("\\x{:02x}", c as u32)),
            c => out.push(c),
        }
    }
    out + "\""
}

fn percent(text: &str) -> String {
    text.replace('%', "%%")
}

/// systemd adds the last newline itself.
fn input_text(input: &str) -> String {
    let text = input.strip_suffix('\n').unwrap_or(input);
    text.replace('\\', "\\\\")
        .replace('%', "%%")
        .replace('\n', "\\n")
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;
    use crate::dialect::Dialect;
    use crate::field::Reading;

    fn of(text: &str) -> Vec<String> {
        let reading = Reading {
            dialect: Dialect::Debian,
            seed: None,
        };
        calendar(
            &crate::schedule::read(text.as_bytes(), 0, reading)
                .unwrap()
                .schedule,
        )
    }

    #[test]
    fn calendars() {
        assert_eq!(of("15 0 * * *"), ["*-*-* 00:15:00"]);
        assert_eq!(
            of("*/5 9-17 * * 1-5"),
            ["Mon,Tue,Wed,Thu,Fri *-*-* 09..17:00..55/5:00"]
        );
        assert_eq!(of("0 0 13 * 5"), ["*-*-13 00:00:00", "Fri *-*-* 00:00:00"]);
        assert_eq!(of("0 0 */2 * 1"), ["Mon *-*-01..31/2 00:00:00"]);
        assert_eq!(of("0 0 1,15 1,7 *"), ["*-01,07-01,15 00:00:00"]);
        assert_eq!(of("* * * * *"), ["*-*-* *:*:00"]);
        assert_eq!(of("@reboot"), [""; 0]);
        assert_eq!(of("0 0 1-31 * 1"), ["*-*-* 00:00:00"]);
    }

    #[test]
    fn quoting() {
        assert_eq!(
            start("/usr/bin/true a b", "/bin/sh", None),
            "/usr/bin/true a b"
        );
        assert_eq!(
            start("venv/bin/python manage.py x", "/bin/sh", Some("/srv/f/")),
            "/srv/f/venv/bin/python manage.py x"
        );
        assert_eq!(
            start("date +%F > \"$X\"", "/bin/sh", None),
            "/bin/sh -c \"date +%%F > \\\"$$X\\\"\""
        );
    }
}
