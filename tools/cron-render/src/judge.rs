//! The rendered text as the daemon will read it. A template can be right and its result wrong: a
//! directory, a log and a limit make a line longer, and a fact of the site may say more than it
//! seems to. So what was rendered is parsed again, by the rules of the cron that will read it.

use crate::around;
use crate::crontab::{self, Form, What};
use crate::environment;
use crate::field::Reading;
use crate::finding::{Code, Finding};
use crate::format::Owner;
use crate::render::RenderedJob;
use crate::settings;
use crate::site::Site;
use crate::spread::Placed;
use crate::template::{Job, Template};

/// Findings about the rendered jobs and about the file they make.
pub fn result(
    template: &Template,
    site: &Site,
    placed: &[Placed],
    jobs: &[RenderedJob],
) -> Vec<Finding> {
    let mut found = Vec::new();
    for ((job, placed), rendered) in template.jobs.iter().zip(placed).zip(jobs) {
        line(job, site, placed, rendered, &mut found);
    }
    site_settings(site, &mut found);
    limits(template, site, &mut found);
    found
}

fn line(job: &Job, site: &Site, placed: &Placed, rendered: &RenderedJob, found: &mut Vec<Finding>) {
    let place = job.place(job.command_at);
    let (size, limit) = (rendered.command.len(), site.dialect.command_limit());
    if size > limit {
        let message = format!(
            "the finished command has {size} bytes, and {} takes {limit}",
            site.dialect.name()
        );
        let fix = "shorter paths, --env-file in place of --env, or a script that the job runs";
        found.push(Finding::at(Code::E07, place, message, fix));
        return;
    }
    // A command that was taken over as it stands was read as it stands.
    if job.raw() == Some(&rendered.command[..])
        && rendered.when == job.when()
        && rendered.user == job.user
    {
        return;
    }
    let text = rendered.line();
    let reading = Reading {
        dialect: site.dialect,
        seed: None,
    };
    let form = site.format.form.unwrap_or(Form::User);
    let differs = match crontab::line(&text, 0, form, reading) {
        What::Job(read) if !read.written.schedule.same_times(&placed.schedule) => {
            Some("at other times")
        }
        What::Job(read) if text[read.command.clone()] != rendered.command[..] => {
            Some("with another command")
        }
        What::Job(read) => {
            let user = read
                .user
                .map(|u| String::from_utf8_lossy(&text[u]).into_owned());
            (user != rendered.user).then_some("as another user")
        }
        What::Setting(_) => Some("as a setting"),
        _ if rendered.command.is_empty() => None,
        _ => Some("as no job"),
    };
    if let Some(how) = differs {
        found.push(Finding::at(
            Code::E15,
            place,
            format!(
                "{} reads the finished line {how}: {}",
                site.dialect.name(),
                String::from_utf8_lossy(&text)
            ),
            "--format systemd, or a script that the job runs",
        ));
    }
}

/// The lines that the site's facts give.
fn site_settings(site: &Site, found: &mut Vec<Finding>) {
    if !site.format.by_cron() {
        return;
    }
    let limit = site.dialect.environment_limit();
    for (name, value) in settings::of_site(site) {
        let carried = around::carries_environment(site) && !settings::is_daemons_own(name);
        let Some(text) = environment::write(name, value).filter(|_| !carried) else {
            continue;
        };
        let read = environment::read(text.as_bytes(), 0, site.dialect);
        if read.is_none_or(|read| read.value != value.as_bytes()) {
            found.push(Finding::of_site(
                Code::W11,
                format!(
                    "{} reads {limit} bytes of an environment line, and the line of {name} has {}",
                    site.dialect.name(),
                    text.len()
                ),
                "a shorter value, or --env-file",
            ));
        }
    }
}

/// How many jobs and settings crontab(1) installs.
fn limits(template: &Template, site: &Site, found: &mut Vec<Finding>) {
    if site.format.owner != Owner::User {
        return;
    }
    let settings = template
        .lines
        .iter()
        .filter(|line| matches!(line.what, What::Setting(_)))
        .count();
    let counted = [
        (template.jobs.len(), site.dialect.job_limit(), "jobs"),
        (settings, site.dialect.setting_limit(), "settings"),
    ];
    for (count, limit, what) in counted {
        if let Some(limit) = limit.filter(|limit| count > *limit) {
            found.push(Finding::of_site(
                Code::E08,
                format!("{count} {what}, and crontab(1) of cronie takes {limit}"),
                "--format cron.d, which has no such limit",
            ));
        }
    }
}
