//! The same schedule as systemd units: a timer and a service for each job.
//!
//! What cron decides by its fields has to be said in systemd's words: two `OnCalendar` lines where
//! either day field is enough, `%%` and `$$` where cron knows nothing of either, the shell named.
//! What has no counterpart (mail, running what a change of time left out) is not imitated.

use crate::command::{self, Action, Around, Shape};
use crate::crontab::What;
use crate::escape;
use crate::field::Field;
use crate::render;
use crate::schedule::{Schedule, WEEK};
use crate::site::Site;
use crate::spread::Placed;
use crate::template::{Job, Template};

/// One unit file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unit {
    /// Its name, with the suffix.
    pub name: String,
    /// Its text.
    pub text: String,
}

/// Both units of every job, in the jobs' order: timer, then service.
pub fn units(template: &Template, site: &Site, placed: &[Placed]) -> Vec<Unit> {
    let each = template.jobs.iter().zip(placed).flat_map(|(job, placed)| {
        let stem = format!("{}-{}", site.name(), job.id);
        let zone = site.facts.tz.as_deref();
        [
            Unit {
                name: format!("{stem}.timer"),
                text: timer(&stem, placed, zone),
            },
            Unit {
                name: format!("{stem}.service"),
                text: service(&stem, template, job, placed, site),
            },
        ]
    });
    each.collect()
}

fn title(stem: &str, placed: &Placed) -> String {
    format!("{stem} ({})", placed.when.replace('%', "%%"))
}

fn timer(stem: &str, placed: &Placed, zone: Option<&str>) -> String {
    let mut out = format!("[Unit]\nDescription={}\n\n[Timer]\n", title(stem, placed));
    if placed.schedule.reboot {
        out += "OnBootSec=0\n";
    }
    for line in calendar(&placed.schedule) {
        let zone = zone.map(|z| format!(" {z}")).unwrap_or_default();
        out += &format!("OnCalendar={line}{zone}\n");
    }
    // Cron starts a job within a second of its minute, and never makes up for what it slept through.
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

fn service(stem: &str, template: &Template, job: &Job, placed: &Placed, site: &Site) -> String {
    let mut out = format!(
        "[Unit]\nDescription={}\n\n[Service]\nType=oneshot\n",
        title(stem, placed)
    );
    if let Some(user) = site.facts.user.as_deref().or(job.user.as_deref()) {
        out += &format!("User={user}\n");
    }
    let around = Around::new(site, &job.id, &job.extras);
    let ours = !matches!(job.action, Action::Raw(_)) || is_rewritten(job, site);
    let dir = around.dir.clone().filter(|_| ours);
    out += &format!(
        "WorkingDirectory={}\n",
        dir.as_deref().map_or_else(|| "~".to_owned(), percent)
    );
    let settings = settings(template, job, site);
    for (name, value) in &settings {
        if name != "SHELL" && name != "MAILTO" {
            out += &format!(
                "Environment={}\n",
                quoted(&format!("{name}={value}"), false)
            );
        }
    }
    let shell = settings
        .iter()
        .rev()
        .find(|(name, _)| name == "SHELL")
        .map_or("/bin/sh", |(_, value)| value);
    let (command, input) = command(job, site, ours);
    out += &format!("ExecStart={}\n", start(&command, shell, dir.as_deref()));
    if let Some(input) = input {
        out += &format!(
            "StandardInput=data\nStandardInputText={}\n",
            input_text(&input)
        );
    }
    if let Some(seconds) = around.timeout.filter(|_| ours) {
        out += &format!("TimeoutStartSec={seconds}\n");
    }
    if let Some(log) = around
        .log
        .filter(|_| ours && !command::is_redirected(command.as_bytes()))
    {
        let log = percent(&log);
        out += &format!("StandardOutput=append:{log}\nStandardError=append:{log}\n");
    }
    out
}

fn is_rewritten(job: &Job, site: &Site) -> bool {
    matches!(job.shape, Shape::Manage { .. }) && render::rewrites(site)
}

/// The settings that hold for a job: the site's, and the template's above it.
fn settings(template: &Template, job: &Job, site: &Site) -> Vec<(String, String)> {
    let mut all: Vec<(String, String)> = Vec::new();
    for line in template
        .lines
        .iter()
        .take_while(|line| line.number < job.line)
    {
        if let What::Setting(setting) = &line.what {
            let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
            put(&mut all, text(&setting.name), text(&setting.value));
        }
    }
    let site_named = [("SHELL", &site.facts.shell), ("PATH", &site.facts.path)];
    for (name, value) in site_named {
        if let Some(value) = value {
            put(&mut all, name.to_owned(), value.clone());
        }
    }
    for (name, value) in &site.facts.env {
        put(&mut all, name.clone(), value.clone());
    }
    all
}

fn put(all: &mut Vec<(String, String)>, name: String, value: String) {
    all.retain(|(n, _)| *n != name);
    all.push((name, value));
}

/// What is run, and its standard input. systemd itself sees to directory, limit and log, and never
/// starts a service twice, so no lock is needed either.
fn command(job: &Job, site: &Site, ours: bool) -> (String, Option<String>) {
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    match &job.action {
        Action::Raw(raw) => {
            let (command, input) = escape::decode(raw, site.dialect);
            let command = text(command);
            match job.shape {
                Shape::Manage { python_end } if ours => {
                    let rest = command.get(python_end..).unwrap_or_default();
                    (
                        format!("{}{rest}", escape::shell_word(&command::interpreter(site))),
                        input.map(text),
                    )
                }
                _ => (command, input.map(text)),
            }
        }
        Action::Manage(words) => (
            format!(
                "{} manage.py {words}",
                escape::shell_word(&command::interpreter(site))
            ),
            None,
        ),
        Action::Argv(argv) => (render::words(argv), None),
        Action::Shell(shell) => (shell.clone(), None),
    }
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
