//! How a program is started: by a process that runs, or by a unit, a supervisor or a crontab that
//! would start it. What a command line and an environment decide (gunicorn, celery, uwsgi) is read
//! from here, whoever starts the program and through whatever wrapper.

mod finder;
mod wrappers;

use crate::log::{Doubt, Sink};
use crate::process::Process;
use crate::site::{Site, normal};
use crate::start::{Language, Start};
use conf::{Source, shlex};
use finder::{Finder, Found, base, is_system, mentions};
use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

pub use finder::unresolved;

/// One way a program is started.
#[derive(Clone, Debug)]
pub struct Launch {
    /// The words after the program's name.
    pub arguments: Vec<Vec<u8>>,
    /// Where it starts.
    pub cwd: PathBuf,
    /// Its environment.
    pub env: BTreeMap<OsString, OsString>,
    /// Who runs it.
    pub user: Option<String>,
    /// Where it is said; `None` for a process.
    pub source: Option<Source>,
    /// The process, where it runs.
    pub pid: Option<u32>,
    /// The unit that starts it.
    pub unit: Option<String>,
    /// The command, where it names the program and is not understood.
    pub dynamic: Option<String>,
}

impl Launch {
    fn of(found: Found) -> Self {
        Self {
            arguments: found.arguments,
            cwd: found.cwd,
            env: found.env,
            user: found.user,
            source: None,
            pid: None,
            unit: None,
            dynamic: None,
        }
    }

    /// A variable of its environment.
    #[must_use]
    pub fn variable(&self, name: &str) -> Option<&OsStr> {
        self.env.get(OsStr::new(name)).map(OsString::as_os_str)
    }

    /// The file that a word names, or a template where a variable in it has no value.
    #[must_use]
    pub fn file(&self, cwd: &Path, word: &[u8]) -> (Sink, Option<Doubt>) {
        match unresolved(word) {
            Some(name) => (Sink::Template(word.to_vec()), Some(Doubt::Unresolved(name))),
            None => (Sink::File(normal(&cwd.join(OsStr::from_bytes(word)))), None),
        }
    }
}

/// Every way that programs of this name are started. A process whose title hides its command line
/// is left to whoever starts it.
#[must_use]
pub fn of(site: &Site, service: &'static str, names: &[&str]) -> Vec<Launch> {
    let running = site
        .masters(service)
        .filter_map(|process| of_process(site, process, names));
    let mut launches: Vec<Launch> = running.collect();
    for launch in site
        .starts()
        .iter()
        .flat_map(|start| of_start(site, start, names))
    {
        // The same program by the same words in the same place, seen running, needs no second
        // mention but keeps its place.
        match launches
            .iter_mut()
            .find(|known| known.arguments == launch.arguments && known.cwd == launch.cwd)
        {
            Some(known) => {
                known.source = known.source.take().or(launch.source);
                known.unit = known.unit.take().or(launch.unit);
            }
            None => launches.push(launch),
        }
    }
    launches
}

fn of_process(site: &Site, process: &Process, names: &[&str]) -> Option<Launch> {
    let mut finder = Finder::new(
        site,
        names,
        process.cwd().unwrap_or_else(|| PathBuf::from("/")),
    );
    finder.env = process.environment().unwrap_or_default();
    finder.argv(process.argv.clone(), 0);
    let found = Launch::of(finder.found.into_iter().next()?);
    Some(Launch {
        user: Some(site.users.user_name(process.uid)),
        pid: Some(process.pid),
        ..found
    })
}

/// The programs of these names that a unit, a supervisor's program or a crontab line starts.
#[must_use]
pub fn of_start(site: &Site, start: &Start, names: &[&str]) -> Vec<Launch> {
    if !mentions(&start.command, names) && !could_hide(&start.command) {
        return Vec::new();
    }
    let mut finder = Finder::new(site, names, start.cwd.clone());
    finder.env.clone_from(&start.env);
    match start.language {
        Language::Shell => finder.shell(&start.command, 0),
        Language::Words => match shlex::split(&start.command) {
            Ok(words) => finder.argv(words, 0),
            Err(_) => finder.argv(Vec::new(), 0),
        },
        Language::Systemd => match shlex::split(&start.command) {
            Ok(words) => {
                let words = finder.systemd(words);
                finder.argv(words, 0);
            }
            Err(_) => finder.argv(Vec::new(), 0),
        },
    }
    let mentioned = finder.mentioned;
    let mut found: Vec<Launch> = finder.found.into_iter().map(Launch::of).collect();
    if found.is_empty() && (mentions(&start.command, names) || mentioned) {
        found.push(Launch {
            arguments: Vec::new(),
            cwd: start.cwd.clone(),
            env: start.env.clone(),
            user: None,
            source: None,
            pid: None,
            unit: None,
            dynamic: Some(String::from_utf8_lossy(&start.command).into_owned()),
        });
    }
    for launch in &mut found {
        launch.user = launch.user.take().or_else(|| start.user.clone());
        launch.source = Some(start.source.clone());
        launch.unit.clone_from(&start.unit);
    }
    found
}

/// Could a script or a variable of this command start anything?
fn could_hide(text: &[u8]) -> bool {
    let first = text
        .split(u8::is_ascii_whitespace)
        .find(|word| !word.is_empty())
        .unwrap_or(text);
    text.contains(&b'$')
        || first.ends_with(b".sh")
        || matches!(base(first), b"sh" | b"bash" | b"dash" | b"env")
        || (first.starts_with(b"/") && !is_system(first))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use conf::files::Files;
    use std::sync::Arc;

    fn found(language: Language, command: &str) -> Vec<(String, String)> {
        let site = Site::new(Files::new(), Vec::new(), crate::service::IDENTIFY);
        let start = Start {
            command: command.as_bytes().to_vec(),
            language,
            cwd: "/srv".into(),
            env: [
                ("LOGDIR".into(), "/l".into()),
                ("ARGS".into(), "-w 2".into()),
            ]
            .into(),
            user: None,
            unit: None,
            source: Source::new(&Arc::from(Path::new("x")), 1),
        };
        let shown = |launch: Launch| match launch.dynamic {
            Some(_) => ("dynamic".to_owned(), String::new()),
            None => (
                launch.cwd.display().to_string(),
                String::from_utf8(launch.arguments.join(&b' ')).unwrap(),
            ),
        };
        of_start(&site, &start, &["gunicorn"])
            .into_iter()
            .map(shown)
            .collect()
    }

    #[test]
    fn whatever_stands_around_a_program() {
        for command in [
            "gunicorn A",
            "/venv/bin/gunicorn A",
            "/venv/bin/python3 -u /venv/bin/gunicorn A",
            "python -m gunicorn A",
            "env -i X=1 gunicorn A",
            "poetry run gunicorn A",
            "pipenv run gunicorn A",
            "newrelic-admin run-program gunicorn A",
            "dumb-init -- gunicorn A",
            "timeout -k 5 60 gunicorn A",
            "nice -n 5 ionice -c 3 gunicorn A",
            "sudo -u www-data -- gunicorn A",
            "chpst -u www-data gunicorn A",
            "uv run gunicorn A",
            "bash -c 'exec gunicorn A'",
            "bash -lc \"cd /srv && exec gunicorn A\"",
            "su www-data -c 'gunicorn A'",
        ] {
            assert_eq!(
                found(Language::Words, command),
                [("/srv".to_owned(), "A".to_owned())],
                "{command}"
            );
        }
    }

    #[test]
    fn variables_and_directories() {
        let one = |dir: &str, words: &str| vec![(dir.to_owned(), words.to_owned())];
        assert_eq!(
            found(
                Language::Systemd,
                "/v/gunicorn --log-file ${LOGDIR}/g.log $ARGS A"
            ),
            one("/srv", "--log-file /l/g.log -w 2 A")
        );
        assert_eq!(
            found(Language::Systemd, "/v/gunicorn --log-file ${NONE}/g.log A"),
            one("/srv", "--log-file ${NONE}/g.log A")
        );
        assert_eq!(
            found(
                Language::Shell,
                "cd /opt/app && D=$LOGDIR; ./env.sh; gunicorn --log-file $D/x A >> y"
            ),
            one("/opt/app", "--log-file /l/x A")
        );
        assert_eq!(
            found(Language::Words, "runit-thing gunicorn A"),
            one("dynamic", "")
        );
        assert_eq!(
            found(Language::Words, "caddy run --config /srv/gunicorn.d/x"),
            []
        );
    }
}
