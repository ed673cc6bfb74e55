//! A template: an existing crontab, or TOML or JSON with `[site]` and `[[job]]`.
//!
//! Reading has two steps, because the facts that decide how schedules are read (whose rules, whose
//! hash) may stand in the template itself. Nothing is judged here; what cannot be read is kept with
//! its place, for the findings.

mod document;
mod places;

pub use document::documents;

use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;

use base::error::{Error, Result};
use base::source::tree::Step;
use base::source::{self, Source};
use base::trust::Rights;
use places::Places;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::around::Extras;
use crate::command::{self, Action, Place, Shape};
use crate::crontab::{self, Form, Line, What};
use crate::field::Reading;
use crate::format::Format;
use crate::hashed::Seed;
use crate::identity::{self, Names};
use crate::piece::Piece;
use crate::schedule::{self, ScheduleError, Written};
use crate::site::{Facts, Site};

/// The most lines of a template; no cron takes more than 10,000.
const MOST_LINES: usize = 20_000;

/// A template that was read but not yet understood.
#[derive(Debug)]
pub struct Draft {
    /// What messages call it.
    pub name: String,
    /// Where it is, unless it came by standard input.
    pub path: Option<PathBuf>,
    /// Whose rights it has.
    pub rights: Rights,
    content: Content,
}

#[derive(Debug)]
enum Content {
    Crontab(Vec<u8>),
    Jobs {
        text: String,
        jobs: Vec<GivenJob>,
        facts: Box<Facts>,
    },
}

/// A template in TOML or JSON.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Document {
    /// The facts of the site. The command line and the site file win over these keys.
    #[serde(default)]
    site: Facts,
    /// A job. A job has exactly one of manage, argv and shell.
    #[serde(default)]
    job: Vec<GivenJob>,
}

#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct GivenJob {
    /// The name of the job; the place and the lock of the job depend on the name (default: made of
    /// the command).
    id: Option<String>,
    /// The schedule: five fields, or a word such as @daily, as in a crontab. H stands for a value
    /// that cron-render computes for the job.
    schedule: String,
    /// The arguments of manage.py, such as clearsessions.
    manage: Option<String>,
    /// A program and its arguments; no shell reads the arguments.
    argv: Option<Vec<String>>,
    /// A command line for the shell of the jobs.
    shell: Option<String>,
    /// A lock that keeps the job from running twice at the same time: true for a file in lock_dir,
    /// or the path of the lock.
    lock: Option<Place>,
    /// A file that the output is appended to: true for a file in log_dir, or the path of the file.
    log: Option<Place>,
    /// The longest time that the job may take, in place of job_timeout.
    #[serde(default, deserialize_with = "crate::site::duration")]
    #[schemars(with = "Option<String>")]
    timeout: Option<Duration>,
    /// The time within which the job may be moved, in place of the spread of the site.
    #[serde(default, deserialize_with = "crate::site::duration")]
    #[schemars(with = "Option<String>")]
    spread: Option<Duration>,
}

/// One job of a template.
#[derive(Clone, Debug)]
pub struct Job {
    /// Its id: given, or made of what it runs.
    pub id: String,
    /// Its line in the template, from 1.
    pub line: usize,
    /// The column at which [`Job::text`] begins, less one.
    pub shift: usize,
    /// What the schedule was read from: the whole line, or the schedule alone.
    pub text: Piece,
    pub written: Written,
    /// Where the command begins in [`Job::text`]; beyond it in TOML.
    pub command_at: usize,
    pub action: Action,
    /// What a crontab's own command looks like.
    pub shape: Shape,
    /// Who, in a system table.
    pub user: Option<String>,
    /// Lock, log and limit of its own.
    pub extras: Extras,
    /// A window of its own.
    pub spread: Option<Duration>,
    /// Which of the template's lines it is; none in TOML.
    pub of_line: Option<usize>,
}

impl Job {
    /// Line and column of a byte of [`Job::text`].
    pub fn place(&self, at: usize) -> (usize, usize) {
        (
            self.line,
            self.shift + crate::finding::column(&self.text, at),
        )
    }

    /// The schedule as it stands in the template.
    pub fn when(&self) -> String {
        String::from_utf8_lossy(&self.text[self.written.span.clone()]).into_owned()
    }

    /// A crontab's own command.
    pub fn raw(&self) -> Option<&[u8]> {
        match &self.action {
            Action::Raw(text) => Some(text),
            _ => None,
        }
    }
}

/// A schedule that cannot be read.
#[derive(Clone, Debug)]
pub struct BadSchedule {
    /// Its line.
    pub line: usize,
    /// As in [`Job::shift`].
    pub shift: usize,
    /// As in [`Job::text`].
    pub text: Piece,
    pub error: ScheduleError,
}

impl BadSchedule {
    /// Of a schedule that stands by itself.
    pub fn alone(text: &str, error: ScheduleError) -> BadSchedule {
        BadSchedule {
            line: 1,
            shift: 0,
            text: Piece::from(text.as_bytes().to_vec()),
            error,
        }
    }
}

/// A template, understood.
#[derive(Debug)]
pub struct Template {
    /// What messages call it.
    pub name: String,
    /// Where it is.
    pub path: Option<PathBuf>,
    /// Whether lines name a user.
    pub form: Form,
    /// A crontab's bytes; empty for TOML.
    pub bytes: Rc<[u8]>,
    /// A crontab's lines; none for TOML.
    pub lines: Vec<Line>,
    /// Its jobs.
    pub jobs: Vec<Job>,
    /// What is no job but should be.
    pub bad: Vec<BadSchedule>,
    /// Ids that were given twice, with the line of the second.
    pub doubled: Vec<(String, usize)>,
}

impl Draft {
    /// Reads FILE, or standard input for `-`.
    ///
    /// # Errors
    /// `Kind::Input`.
    pub fn read(path: &Path) -> Result<Draft> {
        let (bytes, rights) = source::read_judged(path)?;
        let stdin = path == Path::new("-");
        let name = if stdin {
            "standard input".to_owned()
        } else {
            path.display().to_string()
        };
        let mut draft = Draft::new(name, bytes)?;
        draft.path = (!stdin).then(|| path.to_path_buf());
        draft.rights = rights;
        Ok(draft)
    }

    /// A crontab that was read by other means than a path.
    pub fn of_crontab(name: String, bytes: Vec<u8>) -> Draft {
        Draft {
            name,
            path: None,
            rights: Rights::caller(),
            content: Content::Crontab(bytes),
        }
    }

    /// From bytes that are there already.
    ///
    /// # Errors
    /// `Kind::Input` for TOML or JSON that is wrong.
    pub fn new(name: String, bytes: Vec<u8>) -> Result<Draft> {
        if bytes.iter().filter(|byte| **byte == b'\n').count() > MOST_LINES {
            return Err(Error::input(format!(
                "{name}: more than {MOST_LINES} lines"
            )));
        }
        if !is_document(&name, &bytes) {
            return Ok(Draft {
                name,
                path: None,
                rights: Rights::caller(),
                content: Content::Crontab(bytes),
            });
        }
        let text =
            String::from_utf8(bytes).map_err(|_| Error::input(format!("{name}: is not UTF-8")))?;
        let source = Source::new(name.clone(), text);
        let document: Document = source.parse()?;
        let places = Places::of(&source);
        for (index, job) in document.job.iter().enumerate() {
            let place = source::Position {
                line: places.line(index),
                column: 1,
            };
            if let Some(id) = job
                .id
                .as_deref()
                .filter(|id| identity::slug(id.as_bytes()) != *id)
            {
                let words = format!(
                    "'{id}' cannot be an id: an id has letters, digits, _ and -, at most 60, because files are called after it"
                );
                return Err(source.wrong(place, &words));
            }
            let ways = [
                job.manage.is_some(),
                job.argv.is_some(),
                job.shell.is_some(),
            ];
            if ways.iter().filter(|w| **w).count() > 1 {
                return Err(source.wrong(place, "a job has one of manage, argv and shell"));
            }
            if let Some(words) = job
                .manage
                .as_deref()
                .filter(|w| command::runs_manage(w.as_bytes()))
            {
                let rest = words.rsplit("manage.py").next().unwrap_or_default().trim();
                let words = format!("manage holds the words after manage.py: manage = {rest:?}");
                return Err(source.wrong(place, &words));
            }
        }
        let content = Content::Jobs {
            text: source.text,
            jobs: document.job,
            facts: Box::new(document.site),
        };
        Ok(Draft {
            name,
            path: None,
            rights: Rights::caller(),
            content,
        })
    }

    /// The format of these facts; a name that no place has is an error of this template, since a
    /// command line has only known ones.
    ///
    /// # Errors
    /// `Kind::Input`, with the place.
    pub fn format(
        &self,
        facts: &Facts,
        known: impl Fn(Option<&str>) -> Result<&'static Format>,
    ) -> Result<&'static Format> {
        known(facts.format.as_deref()).map_err(|error| match &self.content {
            Content::Jobs {
                text, facts: own, ..
            } if own.format == facts.format => {
                let source = Source::new(self.name.clone(), text.clone());
                source.wrong_at(&[Step::Key("site"), Step::Key("format")], &error.message)
            }
            _ => error,
        })
    }

    /// The facts that stand in it.
    pub fn facts(&self) -> Facts {
        match &self.content {
            Content::Crontab(_) => Facts::default(),
            Content::Jobs { facts, .. } => Facts::clone(facts),
        }
    }

    /// Whether its lines name a user: by where it lies, else by what stands there.
    pub fn form(&self, is_user: impl Fn(&str) -> bool) -> Form {
        match (&self.content, self.path.as_deref().and_then(form_of)) {
            (_, Some(form)) => form,
            (Content::Crontab(bytes), None) => form_of_lines(bytes, is_user),
            _ => Form::User,
        }
    }

    /// Reads its schedules by the site's rules.
    pub fn resolve(self, form: Form, site: &Site) -> Template {
        let mut template = Template {
            name: self.name,
            path: self.path,
            form,
            bytes: Rc::from([]),
            lines: Vec::new(),
            jobs: Vec::new(),
            bad: Vec::new(),
            doubled: Vec::new(),
        };
        match self.content {
            Content::Crontab(bytes) => template.read_crontab(bytes, site),
            Content::Jobs { text, jobs, .. } => {
                let places = Places::of(&Source::new(template.name.clone(), text));
                template.read_jobs(jobs, &places, site);
            }
        }
        template
    }
}

impl Template {
    fn read_crontab(&mut self, bytes: Vec<u8>, site: &Site) {
        let bytes: Rc<[u8]> = bytes.into();
        let mut names = Names::default();
        let seed = Seed {
            site: site.name(),
            job: "",
        };
        let reading = Reading {
            dialect: site.dialect,
            seed: Some(seed),
        };
        for mut line in crontab::lines(&bytes, self.form, reading) {
            match std::mem::replace(&mut line.what, What::Listed) {
                What::Job(job) => {
                    let text = Piece::of(&bytes, line.span.clone());
                    let command = text.part(job.command.clone());
                    let shape = command::shape(&command);
                    let id = names.unique(&identity::of_command(&command));
                    let hashed = job.written.is_hashed();
                    let written = if hashed {
                        reread(&text, line.indent, job.written, site, &id)
                    } else {
                        job.written
                    };
                    self.jobs.push(Job {
                        id,
                        line: line.number,
                        shift: 0,
                        written,
                        command_at: job.command.start,
                        action: Action::Raw(command),
                        shape,
                        user: job
                            .user
                            .map(|u| String::from_utf8_lossy(&text[u]).into_owned()),
                        text,
                        extras: Extras::default(),
                        spread: None,
                        of_line: Some(self.lines.len()),
                    });
                }
                What::Bad(error) => {
                    let text = Piece::of(&bytes, line.span.clone());
                    self.bad.push(BadSchedule {
                        line: line.number,
                        shift: 0,
                        text,
                        error,
                    });
                }
                other => line.what = other,
            }
            self.lines.push(line);
        }
        self.bytes = bytes;
    }

    fn read_jobs(&mut self, jobs: Vec<GivenJob>, places: &Places, site: &Site) {
        let mut names = Names::default();
        for (index, given) in jobs.into_iter().enumerate() {
            let (line, shift) = places.schedule(index);
            let action = match (given.manage, given.argv, given.shell) {
                (Some(words), ..) => Action::Manage(words),
                (_, Some(argv), _) => Action::Argv(argv),
                (_, _, shell) => Action::Shell(shell.unwrap_or_default()),
            };
            let id = match given.id {
                Some(id) => {
                    if !names.claim(&id) {
                        self.doubled.push((id.clone(), line));
                    }
                    id
                }
                None => names.unique(&match &action {
                    Action::Manage(words) => identity::of_manage(words),
                    Action::Argv(argv) => identity::of_argv(argv),
                    Action::Shell(text) => identity::of_command(text.as_bytes()),
                    Action::Raw(text) => identity::of_command(text),
                }),
            };
            let text = Piece::from(given.schedule.into_bytes());
            let reading = Reading {
                dialect: site.dialect,
                seed: Some(Seed {
                    site: site.name(),
                    job: &id,
                }),
            };
            match schedule::read_alone(&text, reading) {
                Ok(written) => self.jobs.push(Job {
                    id,
                    line,
                    shift,
                    command_at: text.len(),
                    text,
                    written,
                    action,
                    shape: Shape::Other,
                    user: None,
                    extras: Extras {
                        lock: given.lock,
                        log: given.log,
                        timeout: given.timeout,
                    },
                    spread: given.spread,
                    of_line: None,
                }),
                Err(error) => self.bad.push(BadSchedule {
                    line,
                    shift,
                    text,
                    error,
                }),
            }
        }
    }
}

/// `H` depends on the id, and the id on the command, which stands behind it.
fn reread(text: &[u8], indent: usize, written: Written, site: &Site, id: &str) -> Written {
    let reading = Reading {
        dialect: site.dialect,
        seed: Some(Seed {
            site: site.name(),
            job: id,
        }),
    };
    schedule::read(text, indent, reading).unwrap_or(written)
}

/// Files in a directory `cron.d`, files called `NAME.cron.d` (as packages keep them) and
/// `/etc/crontab` name a user in each line; `crontab` files of a user's do not.
fn form_of(path: &Path) -> Option<Form> {
    let name = path.file_name()?.to_str()?;
    let in_cron_d = path.parent().is_some_and(|dir| dir.ends_with("cron.d"));
    let packaged = name.ends_with(".cron.d") || name.contains(".cron.d.");
    (in_cron_d || packaged || path == Path::new("/etc/crontab")).then_some(Form::System)
}

/// Lines that each begin with the name of a user, where a program's name would stand, name a user.
fn form_of_lines(bytes: &[u8], is_user: impl Fn(&str) -> bool) -> Form {
    let reading = Reading {
        dialect: crate::dialect::Dialect::default(),
        seed: Some(Seed { site: "", job: "" }),
    };
    let mut jobs = 0;
    for line in crontab::lines(bytes, Form::System, reading) {
        let What::Job(job) = &line.what else { continue };
        let text = &bytes[line.span.clone()];
        let name = job
            .user
            .clone()
            .and_then(|u| std::str::from_utf8(&text[u]).ok());
        if job.command.is_empty() || !name.is_some_and(&is_user) {
            return Form::User;
        }
        jobs += 1;
    }
    if jobs > 0 { Form::System } else { Form::User }
}

/// TOML or JSON rather than a crontab: by its name, else by what its first line of sense looks
/// like.
fn is_document(name: &str, bytes: &[u8]) -> bool {
    let ends = |with: &[&str]| {
        let end = Path::new(name).extension().and_then(|e| e.to_str());
        end.is_some_and(|end| with.contains(&end))
    };
    if ends(&["toml", "json"]) {
        return true;
    }
    if ends(&["txt", "cron", "crontab", "tab"]) {
        return false;
    }
    let mut lines = bytes.split(|b| *b == b'\n').map(<[u8]>::trim_ascii);
    let first = lines.find(|line| !line.is_empty() && !line.starts_with(b"#"));
    first.is_some_and(|line| line.starts_with(b"{") || line.starts_with(b"["))
}
