//! Findings about the file as a whole, and about jobs together.

use crate::crontab::{Form, What};
use crate::finding::{Code, Finding};
use crate::lint::{Facts, push};
use crate::site::{Site, cron_d_reads};
use crate::template::Template;

pub fn look(template: &Template, site: &Site, facts: &Facts, found: &mut Vec<Finding>) {
    if let Some(last) = template.lines.last() {
        let matters = !matches!(last.what, What::Blank | What::Comment);
        if !last.ended && matters {
            let place = (last.number, 1 + last.span.len());
            push(
                found,
                Code::E06,
                place,
                "the last line has no newline: cron refuses the file",
                "a newline at the end",
            );
        }
        if let Some(limit) = site
            .dialect
            .line_limit()
            .filter(|limit| last.number > *limit)
        {
            let message = format!(
                "{} lines, and {} takes {limit}",
                last.number,
                site.dialect.name()
            );
            push(
                found,
                Code::E08,
                (limit + 1, 1),
                message,
                "two crontabs, or fewer comments",
            );
        }
    }
    for line in &template.lines {
        let text = &template.bytes[line.span.clone()];
        if matches!(line.what, What::Blank | What::Comment | What::Bad(_)) {
            if let Some(at) = text
                .iter()
                .position(|b| *b == 0 || (*b == b'\r' && matches!(line.what, What::Bad(_))))
            {
                let what = crate::site::control_name(text[at]);
                push(
                    found,
                    Code::E09,
                    (line.number, crate::finding::column(text, at)),
                    format!("{what} in the line"),
                    "take it out",
                );
            }
        }
    }
    for (id, line) in &template.doubled {
        push(
            found,
            Code::E13,
            (*line, 1),
            format!("a second job with the id {id}"),
            "an id of its own",
        );
    }
    users(template, site, facts, found);
    if let Some(file) = &facts.file {
        file_in_cron_d(file, found);
    }
}

fn users(template: &Template, site: &Site, facts: &Facts, found: &mut Vec<Finding>) {
    let unknown = |user: &str| facts.users.get(user) == Some(&false);
    if let Some(user) = site.facts.user.as_deref().filter(|u| unknown(u)) {
        found.push(Finding::of_site(
            Code::E10,
            format!("there is no user {user} here"),
            "--user, one that exists",
        ));
    }
    if template.form != Form::System {
        return;
    }
    for job in &template.jobs {
        let user = job.user.as_deref().unwrap_or_default();
        let at = job.written.rest;
        if user.is_empty() || unknown(user) {
            let message = format!("there is no user {user}: cron ignores the whole file");
            push(
                found,
                Code::E10,
                job.place(at),
                message,
                "a user that exists, before the command",
            );
        }
    }
}

fn file_in_cron_d(file: &crate::lint::FileFacts, found: &mut Vec<Finding>) {
    let name = &file.name;
    let path = format!("/etc/cron.d/{name}");
    if !cron_d_reads(name) {
        let message = format!(
            "cron ignores a file called {name}: only letters, digits, _ and - may be in the name"
        );
        found.push(Finding::of_site(
            Code::E11,
            message,
            format!(
                "mv {path} /etc/cron.d/{}",
                name.replace(|c: char| !(c.is_ascii_alphanumeric() || c == '_'), "-")
            ),
        ));
    }
    if file.mode & 0o022 != 0 {
        let message = format!(
            "{path} can be written by others (mode {:04o}): cron ignores it",
            file.mode & 0o7777
        );
        found.push(Finding::of_site(
            Code::E12,
            message,
            format!("chmod 0644 {path}"),
        ));
    }
    if file.uid != 0 {
        found.push(Finding::of_site(
            Code::E12,
            format!(
                "{path} belongs to uid {}, not to root: cron ignores it",
                file.uid
            ),
            format!("chown root {path}"),
        ));
    }
    if file.links != 1 {
        found.push(Finding::of_site(
            Code::E12,
            format!("{path} has {} hard links: cron ignores it", file.links),
            "a copy in place of the link",
        ));
    }
}
