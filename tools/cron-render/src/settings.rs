//! The environment settings that hold for each job: the template's lines above it, under the facts
//! of the site.

use std::rc::Rc;

use crate::crontab::What;
use crate::site::Site;
use crate::template::Template;

/// Names and values, in order.
pub type Settings = Rc<Vec<(String, String)>>;

/// Names that the daemon itself reads. They cannot be carried in a command.
pub const DAEMONS_OWN: [&str; 8] = [
    "SHELL",
    "MAILTO",
    "MAILFROM",
    "HOME",
    "CONTENT_TYPE",
    "CONTENT_TRANSFER_ENCODING",
    "CRON_TZ",
    "RANDOM_DELAY",
];

/// Whether the daemon itself reads this name.
pub fn is_daemons_own(name: &str) -> bool {
    DAEMONS_OWN.contains(&name)
}

/// The settings of every job, in the order of the jobs.
pub fn of_jobs(template: &Template, site: &Site) -> Vec<Settings> {
    let mut lines = template.lines.iter().peekable();
    let mut written: Vec<(String, String)> = Vec::new();
    let mut current = over(&written, site);
    let each = template.jobs.iter().map(|job| {
        let mut changed = false;
        while let Some(line) = lines.next_if(|line| line.number < job.line) {
            if let What::Setting(setting) = &line.what {
                let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
                put(&mut written, text(&setting.name), text(&setting.value));
                changed = true;
            }
        }
        if changed {
            current = over(&written, site);
        }
        Rc::clone(&current)
    });
    each.collect()
}

/// The facts of the site as settings.
pub fn of_site(site: &Site) -> impl Iterator<Item = (&str, &str)> {
    let named = [
        ("SHELL", &site.facts.shell),
        ("PATH", &site.facts.path),
        ("MAILTO", &site.facts.mailto),
    ];
    let env = site.facts.env.iter();
    named
        .into_iter()
        .filter_map(|(name, value)| Some((name, value.as_deref()?)))
        .chain(env.map(|(name, value)| (name.as_str(), value.as_str())))
}

/// The value of a name among settings.
pub fn value<'a>(settings: &'a [(String, String)], name: &str) -> Option<&'a str> {
    settings
        .iter()
        .rev()
        .find(|(n, _)| n == name)
        .map(|(_, value)| value.as_str())
}

fn over(written: &[(String, String)], site: &Site) -> Settings {
    let mut all = written.to_vec();
    for (name, value) in of_site(site) {
        put(&mut all, name.to_owned(), value.to_owned());
    }
    Rc::new(all)
}

fn put(all: &mut Vec<(String, String)>, name: String, value: String) {
    all.retain(|(n, _)| *n != name);
    all.push((name, value));
}
