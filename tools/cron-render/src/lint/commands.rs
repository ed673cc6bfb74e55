//! Findings about what the jobs run.

use std::collections::{HashMap, HashSet};

use crate::around::Around;
use crate::command::{self, Action, OwnWay, Place, Shape};
use crate::crontab::{What, command_option};
use crate::escape;
use crate::finding::{Code, Finding};
use crate::lint::{Facts, Lookup, push};
use crate::render;
use crate::settings;
use crate::site::{Site, control_name};
use crate::template::{Job, Template};

/// What a shell does itself.
const BUILTINS: [&str; 41] = [
    "getopts", "hash", "kill", "type", "ulimit", "unalias", "!", ".", ":", "[", "alias", "bg",
    "break", "case", "cd", "command", "continue", "echo", "eval", "exec", "exit", "export",
    "false", "for", "if", "printf", "pwd", "read", "return", "set", "shift", "test", "times",
    "trap", "true", "umask", "unset", "until", "wait", "while", "{",
];

/// What bash does besides.
const BASH: [&str; 11] = [
    "[[", "source", "declare", "typeset", "local", "let", "shopt", "pushd", "popd", "mapfile",
    "select",
];

pub fn look(template: &Template, site: &Site, facts: &Facts, found: &mut Vec<Finding>) {
    let mut first_of: HashMap<(&[u8], &[u8]), usize> = HashMap::with_capacity(template.jobs.len());
    for job in &template.jobs {
        bytes(job, found);
        empty(job, found);
        ours(job, site, found);
        if let Some(raw) = job.raw() {
            written(job, raw, site, found);
            let key = (&job.text[job.written.span.clone()], raw);
            if let Some(line) = first_of.get(&key).filter(|_| !raw.is_empty()) {
                push(
                    found,
                    Code::W13,
                    job.place(job.written.span.start),
                    format!("the same job as on line {line}"),
                    "leave one of them out",
                );
            } else {
                first_of.insert(key, job.line);
            }
        }
    }
    let missing: HashSet<(&[u8], &[u8])> = facts
        .missing
        .iter()
        .map(|(name, path)| (&name[..], &path[..]))
        .collect();
    let asked = if missing.is_empty() {
        Vec::new()
    } else {
        places(template, site)
    };
    for (job, lookup) in template.jobs.iter().zip(asked) {
        let Some((name, path)) = lookup.filter(|l| missing.contains(l)) else {
            continue;
        };
        let (name, path) = (String::from_utf8_lossy(name), String::from_utf8_lossy(path));
        let (message, fix) = if name.contains('/') {
            (
                format!("{name} is not there, or cannot be executed"),
                "the program's path".to_owned(),
            )
        } else {
            (
                format!("{name} is not on the PATH that cron gives the job: {path}"),
                format!("the full path of {name}, or a line PATH=… above"),
            )
        };
        push(found, Code::W08, job.place(job.command_at), message, fix);
    }
}

/// What our own writing of a command leaves open.
fn ours(job: &Job, site: &Site, found: &mut Vec<Finding>) {
    if !render::is_ours(job, site) {
        return;
    }
    let place = job.place(job.command_at);
    let manages = matches!(job.action, Action::Manage(_) | Action::Raw(_));
    if manages && site.facts.dir.is_none() {
        let message =
            "manage.py is looked for in the user's home directory, where cron starts jobs";
        push(
            found,
            Code::W07,
            place,
            message,
            "--dir DIR, the directory with manage.py",
        );
    }
    let around = Around::new(site, &job.id, &job.extras, Vec::new());
    let text = match &job.action {
        Action::Raw(raw) => raw.to_vec(),
        other => render::inner(other, site).into_bytes(),
    };
    let own = command::redirected(&text);
    if around.log.is_some() && !command::is_compound(&text) && (own.output || own.errors) {
        let what = match (own.output, own.errors) {
            (true, _) => "its output",
            _ => "its errors",
        };
        push(
            found,
            Code::W21,
            place,
            format!("the command sends {what} elsewhere itself: that does not reach the log"),
            "the command without its redirection",
        );
    }
}

fn bytes(job: &Job, found: &mut Vec<Finding>) {
    let texts: Vec<&[u8]> = match &job.action {
        Action::Raw(text) => vec![text],
        Action::Manage(text) | Action::Shell(text) => vec![text.as_bytes()],
        Action::Argv(argv) => argv.iter().map(String::as_bytes).collect(),
    };
    let given = [&job.extras.lock, &job.extras.log].into_iter().flatten();
    let paths = given.filter_map(|place| match place {
        Place::Path(path) => Some(path.as_bytes()),
        Place::Switch(_) => None,
    });
    for text in texts.into_iter().chain(paths) {
        if let Some(at) = text.iter().position(|b| matches!(b, 0 | b'\r' | b'\n')) {
            let fix = if text[at] == b'\r' {
                "save the file with Unix line ends"
            } else {
                "take it out"
            };
            push(
                found,
                Code::E09,
                job.place(job.command_at + at),
                format!("{} in the command", control_name(text[at])),
                fix,
            );
        }
    }
}

fn empty(job: &Job, found: &mut Vec<Finding>) {
    let place = job.place(job.command_at);
    let empty = match &job.action {
        Action::Raw(raw) => raw.is_empty(),
        Action::Argv(argv) => argv.first().is_none_or(String::is_empty),
        Action::Manage(text) | Action::Shell(text) => text.trim().is_empty(),
    };
    if empty {
        push(
            found,
            Code::E05,
            place,
            "there is no command",
            "what is to be run, after the schedule",
        );
    }
}

fn written(job: &Job, raw: &[u8], site: &Site, found: &mut Vec<Finding>) {
    let place = |at: usize| job.place(job.command_at + at);
    if raw.first() == Some(&b'*') {
        let message = "a sixth field: the command begins with *, which cron refuses";
        push(
            found,
            Code::E01,
            place(0),
            message,
            "five fields: minute, hour, day, month, weekday",
        );
    }
    if site.dialect.has_command_options()
        && raw.first() == Some(&b'-')
        && command_option(raw).is_none()
    {
        push(
            found,
            Code::E01,
            place(0),
            "cronie takes a minus for an option of its own, and knows -n alone: the file is refused",
            "-n COMMAND, which sends mail only when COMMAND fails",
        );
    }
    if let Some(at) = escape::bare_percent(raw) {
        let message = "an unescaped % ends the command: what follows becomes its standard input";
        push(
            found,
            Code::W05,
            place(at),
            message,
            "\\%, unless input is meant",
        );
    }
    if let Some(at) = escape::doubled_backslash(raw) {
        let message = if site.dialect.folds_backslashes() {
            "Debian's cron makes one backslash of two; cronie keeps both"
        } else {
            "cronie keeps both backslashes; Debian's cron makes one of them"
        };
        push(
            found,
            Code::W06,
            place(at),
            message,
            "a script, where nothing is folded",
        );
    }
    let shape = job.shape;
    let rewritten = render::rewrites(site);
    match shape {
        Shape::Manage { .. } if rewritten => return,
        Shape::OwnWay(way) if rewritten => {
            push(
                found,
                Code::W21,
                place(0),
                format!("left as it is: {}", way.reason()),
                "a job of its own with `python manage.py …` alone",
            );
        }
        _ => {}
    }
    if let Some(path) = relative(raw, shape) {
        let message =
            format!("{path} is looked for in the user's home directory, where cron starts jobs");
        push(
            found,
            Code::W07,
            place(0),
            message,
            "`cd DIR && ` before it, or the path from /; cron-render render --dir DIR writes that",
        );
    }
}

/// A path that depends on the directory a job starts in.
fn relative(raw: &[u8], shape: Shape) -> Option<String> {
    if matches!(shape, Shape::OwnWay(OwnWay::Cd)) {
        return None;
    }
    let text = |word: &[u8]| String::from_utf8_lossy(word).into_owned();
    let program = command::program(raw)?;
    if program.contains(&b'/') && !program.starts_with(b"/") && !b"~$\"'`".contains(&program[0]) {
        return Some(text(program));
    }
    if program == b"cd" {
        return None;
    }
    let words = raw.split(|b| b" \t".contains(b)).filter(|w| !w.is_empty());
    let mut words = words.skip_while(|w| *w != program).skip(1);
    let interpreter = [
        &b"python"[..],
        b"python2",
        b"python3",
        b"sh",
        b"bash",
        b"perl",
        b"ruby",
        b"php",
        b"node",
    ];
    let named = program.rsplit(|b| *b == b'/').next().unwrap_or(program);
    if !interpreter.contains(&named) && !named.starts_with(b"python3.") {
        return None;
    }
    let script = words.next()?;
    let plain = script[0].is_ascii_alphanumeric() || script[0] == b'.' || script[0] == b'_';
    (plain && script.contains(&b'.')).then(|| text(script))
}

/// What has to be looked up for [`look`], each once.
pub fn lookups(template: &Template, site: &Site) -> Vec<Lookup> {
    let each: HashSet<(&[u8], &[u8])> = places(template, site).into_iter().flatten().collect();
    each.into_iter()
        .map(|(name, path)| (name.to_vec(), path.to_vec()))
        .collect()
}

/// The program of each job and the PATH it gets, for jobs whose program can be told.
fn places<'a>(template: &'a Template, site: &'a Site) -> Vec<Option<(&'a [u8], &'a [u8])>> {
    let given = site.facts.path.as_deref().map(str::as_bytes);
    let lines = template.lines.iter().filter(|_| given.is_none());
    let mut later = lines
        .filter_map(|line| match &line.what {
            What::Setting(setting) if setting.name == b"PATH" => {
                Some((line.number, &setting.value[..]))
            }
            _ => None,
        })
        .peekable();
    let mut path = given.unwrap_or(site.dialect.path().as_bytes());
    let settings = settings::of_jobs(template, site);
    let each = template.jobs.iter().zip(settings).map(|(job, settings)| {
        while let Some((_, value)) = later.next_if(|(number, _)| *number < job.line) {
            path = value;
        }
        let name = match &job.action {
            Action::Raw(_)
                if render::rewrites(site) && matches!(job.shape, Shape::Manage { .. }) =>
            {
                None
            }
            Action::Raw(raw) if site.dialect.has_command_options() => {
                command::program(command_option(raw).unwrap_or(raw))
            }
            Action::Raw(raw) => command::program(raw),
            Action::Argv(argv) if site.facts.dir.is_none() => argv.first().map(String::as_bytes),
            _ => None,
        }?;
        let plain = name
            .iter()
            .all(|b| b.is_ascii_alphanumeric() || b"/._+-[:{".contains(b));
        let relative = name.contains(&b'/') && !name.starts_with(b"/");
        let bash = settings::value(&settings, "SHELL")
            .is_some_and(|s| s.ends_with("/bash") || s.ends_with("/zsh") || s.ends_with("/ksh"));
        let more: &[&str] = if bash { &BASH } else { &[] };
        let mut builtins = BUILTINS.iter().chain(more);
        let builtin = builtins.any(|builtin| builtin.as_bytes() == name);
        (plain && !relative && !builtin).then_some((name, path))
    });
    each.collect()
}
