//! Findings about the file as a whole, and about jobs together.

use base::Fix;

use crate::crontab::{Form, What};
use crate::dialect::Dialect;
use crate::finding::{Code, Finding};
use crate::lint::{Facts, push};
use crate::site::Site;
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
        file_in_cron_d(file, site.dialect, found);
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

fn file_in_cron_d(file: &crate::lint::FileFacts, dialect: Dialect, found: &mut Vec<Finding>) {
    let (name, path) = (&file.name, &file.path);
    let mut ignored = |code, why: String, fix: Fix| {
        found.push(Finding::of_site(
            code,
            format!("{} ignores '{path}': {why}", dialect.name()),
            fix,
        ));
    };
    if !dialect.reads_file(name) {
        let good = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
        let better = path[..path.len() - name.len()].to_owned() + &name.replace(|c| !good(c), "-");
        let why = if dialect.is_cronie() {
            "the name is that of a file put aside"
        } else {
            "only letters, digits, _ and - may be in the name"
        };
        ignored(
            Code::E11,
            why.to_owned(),
            Fix::advice("another name").command("root", &["mv", "-n", path, &better]),
        );
    }
    let refused = if dialect.is_cronie() {
        file.mode & 0o7533 != 0o400
    } else {
        file.mode & 0o022 != 0
    };
    if refused {
        ignored(
            Code::E12,
            format!("of its mode, {:04o}", file.mode & 0o7777),
            Fix::advice("mode 0644").command("root", &["chmod", "0644", path]),
        );
    }
    if file.uid != 0 {
        ignored(
            Code::E12,
            format!("uid {} owns it, not root", file.uid),
            Fix::advice("root as the owner").command("root", &["chown", "root:root", path]),
        );
    }
    if file.links != 1 && !dialect.is_cronie() {
        let copy = format!("{path}.copy");
        ignored(
            Code::E12,
            format!("it has {} hard links", file.links),
            Fix::advice("a copy in place of the link")
                .command("root", &["cp", "-p", path, &copy])
                .command("root", &["mv", &copy, path]),
        );
    }
}
