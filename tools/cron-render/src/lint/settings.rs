//! Findings about environment lines.

use crate::crontab::What;
use crate::environment::Setting;
use crate::finding::{Code, Finding, column};
use crate::lint::push;
use crate::site::{Site, control_name};
use crate::template::Template;

/// Names that cron itself reads, so that every job needs them.
const CRONS_OWN: [&[u8]; 6] = [
    b"PATH",
    b"SHELL",
    b"MAILTO",
    b"HOME",
    b"MAILFROM",
    b"CRON_TZ",
];

pub fn look(template: &Template, site: &Site, found: &mut Vec<Finding>) {
    if let Some(address) = site
        .facts
        .mailto
        .as_deref()
        .filter(|a| !site.dialect.mails_to(a))
    {
        mail("MAILTO", address, site, (0, 0), found);
    }
    lost(template, site, found);
    let mut before: Vec<&[u8]> = Vec::new();
    for line in &template.lines {
        let text = &template.bytes[line.span.clone()];
        let What::Setting(setting) = &line.what else {
            continue;
        };
        let place = |at: usize| (line.number, column(text, at));
        let name = String::from_utf8_lossy(&setting.name).into_owned();
        value(setting, text, &place, found);
        if text.len() - line.indent > site.dialect.environment_limit() {
            let message = format!(
                "{} reads {} bytes of an environment line; the rest of {name} is lost",
                site.dialect.name(),
                site.dialect.environment_limit()
            );
            push(
                found,
                Code::W11,
                place(line.indent + site.dialect.environment_limit()),
                message,
                "a shorter value, or set it in a script",
            );
        }
        if !site.dialect.has_zones() && matches!(&setting.name[..], b"CRON_TZ" | b"RANDOM_DELAY") {
            push(
                found,
                Code::W15,
                place(line.indent),
                format!(
                    "Debian's cron does not know {name}: jobs get it as a variable, and start when they did before"
                ),
                "leave it out",
            );
        }
        odd(setting, site, place(line.indent), found);
        if !before.contains(&&setting.name[..]) {
            late(template, line.number, setting, place(line.indent), found);
            before.push(&setting.name);
        }
    }
}

/// Settings that this place does not have.
fn lost(template: &Template, site: &Site, found: &mut Vec<Finding>) {
    if site.facts.on_failure.is_some() {
        return;
    }
    let written = template.lines.iter().filter_map(|line| match &line.what {
        What::Setting(setting) => Some((
            String::from_utf8_lossy(&setting.name).into_owned(),
            !setting.value.is_empty(),
            (line.number, 1),
        )),
        _ => None,
    });
    let given = site.facts.mailto.as_deref();
    let given = given.map(|address| ("MAILTO".to_owned(), !address.is_empty(), (0, 0)));
    for (name, matters, place) in written.chain(given) {
        if matters && (site.format.drops)(&name) {
            push(
                found,
                Code::W25,
                place,
                format!(
                    "{name} does nothing: systemd keeps the output in the journal and sends no mail"
                ),
                "--on-failure UNIT, a unit that sends a message",
            );
        }
    }
}

fn by_systemd(site: &Site) -> bool {
    !site.format.by_cron()
}

/// Values that do something else than they say.
fn odd(setting: &Setting, site: &Site, place: (usize, usize), found: &mut Vec<Finding>) {
    let value = String::from_utf8_lossy(&setting.value);
    match &setting.name[..] {
        name @ (b"MAILTO" | b"MAILFROM") => {
            let second = value.split_whitespace().nth(1);
            if let Some(more) = second.filter(|w| w.contains('=')) {
                push(
                    found,
                    Code::W28,
                    place,
                    format!("'{more}' is part of the address: a line holds one setting"),
                    "each setting on a line of its own",
                );
            } else if !site.dialect.mails_to(&value) {
                mail(&String::from_utf8_lossy(name), &value, site, place, found);
            }
        }
        name @ (b"LOGNAME" | b"USER")
            if name == b"LOGNAME" || site.dialect.is_cronie() || by_systemd(site) =>
        {
            push(
                found,
                Code::W28,
                place,
                format!(
                    "{} does nothing: the daemon sets it to the user of the job",
                    String::from_utf8_lossy(name)
                ),
                "leave it out",
            );
        }
        b"TZ" if !site.dialect.is_cronie() => push(
            found,
            Code::W28,
            place,
            "TZ is a variable of the jobs: when they start is decided by the zone of the host",
            "timedatectl set-timezone ZONE, or --format systemd with --tz",
        ),
        b"PATH" if value.split(':').any(|dir| dir.starts_with('~')) => push(
            found,
            Code::W09,
            place,
            "cron expands no ~ in a setting: the directory is looked for by that name",
            "the path from /",
        ),
        _ => {}
    }
}

fn mail(name: &str, value: &str, site: &Site, place: (usize, usize), found: &mut Vec<Finding>) {
    let cron = site.dialect.name();
    let (code, message) = if site.dialect.refuses_unsafe_mail() {
        (
            Code::E01,
            format!("{cron} refuses a crontab with this {name}"),
        )
    } else {
        (
            Code::W26,
            format!("{cron} logs UNSAFE MAIL for this {name} and sends nothing"),
        )
    };
    let fix = format!("{name}={}", value.replace([' ', '\t'], ""));
    push(found, code, place, message, fix);
}

fn value(
    setting: &Setting,
    text: &[u8],
    place: &dyn Fn(usize) -> (usize, usize),
    found: &mut Vec<Finding>,
) {
    let span = setting.value_span.clone();
    let written = &text[span.clone()];
    let name = String::from_utf8_lossy(&setting.name).into_owned();
    if let Some(at) = text.iter().position(|b| matches!(b, 0 | b'\r')) {
        push(
            found,
            Code::E09,
            place(at),
            format!("{} in the value of {name}", control_name(text[at])),
            "take it out",
        );
    }
    let dollar = setting
        .value
        .windows(2)
        .any(|w| w[0] == b'$' && (w[1].is_ascii_alphabetic() || b"_{(".contains(&w[1])))
        || setting.value.contains(&b'`');
    if dollar {
        let at = span.start
            + written
                .iter()
                .position(|b| matches!(b, b'$' | b'`'))
                .unwrap_or(0);
        push(
            found,
            Code::W09,
            place(at),
            format!("cron expands nothing in a setting: {name} holds the $ itself"),
            "write the value out",
        );
    }
    if !setting.quoted {
        if let Some(at) = written
            .windows(2)
            .position(|w| matches!(w[0], b' ' | b'\t') && w[1] == b'#')
        {
            push(
                found,
                Code::W10,
                place(span.start + at + 1),
                format!("the note becomes part of {name}"),
                "the note on a line of its own",
            );
        }
    }
}

/// A first setting of a name that jobs above would have needed.
fn late(
    template: &Template,
    number: usize,
    setting: &Setting,
    place: (usize, usize),
    found: &mut Vec<Finding>,
) {
    let mut above = template
        .jobs
        .iter()
        .take_while(|job| job.line < number)
        .peekable();
    if above.peek().is_none() {
        return;
    }
    let name = String::from_utf8_lossy(&setting.name).into_owned();
    let needs = |raw: &[u8]| {
        let text = String::from_utf8_lossy(raw);
        text.contains(&format!("${name}")) || text.contains(&format!("${{{name}"))
    };
    let own = CRONS_OWN.contains(&&setting.name[..]);
    if let Some(job) = above.find(|job| own || job.raw().is_some_and(needs)) {
        let message = format!(
            "{name} is set for the lines below it only: the job on line {} does not get it",
            job.line
        );
        push(
            found,
            Code::W17,
            place,
            message,
            "the setting above the jobs",
        );
    }
}
