//! A Django site that is ready: no warnings of `check --deploy`, no model without its migration, no
//! migration that was not applied, static files that can be collected.
//!
//! An exit status of 0 is not believed. With the database down `makemigrations --check` exits 0;
//! settings that end in `sys.exit(0)` make every command exit 0. So each command has to say its own
//! line, and `migrate` is asked for its plan, because `migrate --check` says nothing where all is
//! well. `collectstatic --dry-run` passes where the real one fails (a manifest that misses a file),
//! so files are collected for real, into a directory that is thrown away; where the storage is not
//! on this host, the dry run has to do.
//!
//! All of it runs as the service's user, with nothing of the caller's environment.

mod answer;
mod scratch;

use super::python;
use crate::document::Fields;
use crate::finding::{Finding, Verdict, tail};
use crate::fix::{self, Fix};
use crate::fix::{quoted, shell};
use crate::kind::{Check, Type};
use crate::programs;
use crate::scene::Scene;
use crate::secret::masked;
use crate::short::{self, Short};
use answer::Answer;
use base::child::{Identity, Run};
use base::clock::Deadline;
use base::site::Environment;
use base::{Kind, Result};
use std::fs;
use std::path::{Path, PathBuf};

/// `type = "django"`.
pub const TYPE: Type = Type {
    name: "django",
    about: "a Django site: the deployment check passes, migrations are made and applied, static files can be collected",
    keys: &[
        (
            "directory",
            "the directory of manage.py (dir of the site file)",
        ),
        ("venv", "the virtual environment (venv of the site file)"),
        ("settings", "DJANGO_SETTINGS_MODULE"),
        (
            "user",
            "the user that runs manage.py (the user of --as or --as-site; for root else the owner of the directory)",
        ),
        ("env", "a table of variables"),
        (
            "env_file",
            "a file of NAME=VALUE lines, as systemd's EnvironmentFile= reads them; every value is a secret",
        ),
        (
            "databases",
            "the aliases of DATABASES to check (all that the site migrates)",
        ),
        (
            "checks",
            "some of check, makemigrations, migrate, collectstatic, or other commands",
        ),
        ("manage", "the name of the file (manage.py)"),
        (
            "static",
            "scratch (collects the files into a directory that is removed) or dry-run",
        ),
    ],
    short: Short {
        words: &["django"],
        colon: true,
        forms: &["django:DIRECTORY[@VENV]", "django"],
        example: "django:/srv/site@/srv/venv",
        read: |_, rest| Ok(short::subject(rest, '@', "directory", "venv")),
    },
    read,
};

struct Django {
    directory: PathBuf,
    manage: String,
    venv: Option<PathBuf>,
    settings: Option<String>,
    user: Option<String>,
    env: Vec<(String, String)>,
    env_file: Option<PathBuf>,
    databases: Vec<String>,
    steps: Vec<String>,
    scratch: bool,
}

/// What is run where nothing else is asked for.
const STEPS: &[&str] = &["check", "makemigrations", "migrate", "collectstatic"];

fn read(fields: &mut Fields<'_>) -> Result<Box<dyn Check>> {
    let steps = fields.texts("checks")?;
    if let Some(step) = steps.iter().find(|step| {
        step.is_empty()
            || !step
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || "_-".contains(c))
    }) {
        return Err(fields.error("checks", format!("'{step}' is not a command of manage.py")));
    }
    let site = fields.setting("site.dir");
    let directory = match (
        fields.text("directory")?.filter(|dir| !dir.is_empty()),
        &site,
    ) {
        (Some(directory), _) => directory,
        (None, Some(site)) => site.clone(),
        (None, None) => fields.required("directory")?,
    };
    let venv_of_site = fields.setting("site.venv");
    let is_of_site = site.as_deref() == Some(directory.as_str());
    let of_site = || venv_of_site.filter(|_| is_of_site);
    let mut django = Django {
        manage: fields.text("manage")?.unwrap_or_else(|| "manage.py".into()),
        venv: fields.text("venv")?.or_else(of_site).map(PathBuf::from),
        settings: fields.text("settings")?,
        user: fields.text("user")?.or_else(|| fields.setting("as.user")),
        env: fields.map("env")?,
        env_file: fields
            .text("env_file")?
            .or_else(|| fields.setting("as.env_file"))
            .map(PathBuf::from),
        directory: directory.into(),
        databases: fields.texts("databases")?,
        steps: if steps.is_empty() {
            STEPS.iter().map(|step| (*step).to_string()).collect()
        } else {
            steps
        },
        scratch: fields.choice("static", &["scratch", "dry-run"])?.as_deref() != Some("dry-run"),
    };
    // manage.py may lie beside its directory: `directory` may name the file itself.
    if django
        .directory
        .extension()
        .is_some_and(|extension| extension == "py")
    {
        if let (Some(name), Some(up)) = (django.directory.file_name(), django.directory.parent()) {
            django.manage = name.to_string_lossy().into_owned();
            django.directory = up.to_path_buf();
        }
    }
    Ok(Box::new(django))
}

/// Everything a command of manage.py is run with.
struct Stage {
    python: PathBuf,
    user: Option<Identity>,
    env: Vec<(String, String)>,
    /// The part of `env` that is not from the environment file, for commands that people type.
    own: Vec<(String, String)>,
}

/// The variables of an environment file, for a program of this user.
fn variables(file: &Path, user: Option<&Identity>) -> Result<Vec<(String, String)>, Box<Finding>> {
    fs::metadata(file).map_err(|error| Box::new(Finding::io(file.display(), &error)))?;
    let caller = || nix::unistd::geteuid().as_raw();
    Environment::read(file)
        .and_then(|read| {
            read.require_user(user.map_or_else(caller, |user| user.uid))?;
            Ok(read.variables)
        })
        .map_err(|error| {
            let reason = match error.kind {
                Kind::Permission => "permission",
                _ => "env_file",
            };
            Box::new(Finding::unknown(reason, error.message))
        })
}

impl Django {
    fn stage(&self, scene: &Scene) -> Result<Stage, Box<Finding>> {
        let manage = self.directory.join(&self.manage);
        fs::metadata(&manage).map_err(|error| {
            let finding = Finding::io(manage.display(), &error);
            Box::new(match finding.verdict {
                Verdict::Unmet => finding.fix(Fix::advice(format!(
                    "check out the site's code in {}",
                    self.directory.display()
                ))),
                _ => finding,
            })
        })?;
        let python = match &self.venv {
            Some(venv) if venv.is_file() => venv.clone(),
            Some(venv) => venv.join("bin/python"),
            None => ["venv", ".venv", "env"]
                .map(|name| self.directory.join(name).join("bin/python"))
                .into_iter()
                .find(|path| path.exists())
                .or_else(|| programs::find("python3"))
                .unwrap_or_else(|| PathBuf::from("python3")),
        };
        if python.is_absolute() && fs::metadata(&python).is_err() {
            let venv = python.parent().and_then(Path::parent).unwrap_or(&python);
            return Err(Box::new(
                Finding::unmet(
                    "no_interpreter",
                    format!("{} is not there, or leads nowhere", python.display()),
                )
                .fix(python::venv_fix(scene, venv)),
            ));
        }
        let user = match &self.user {
            Some(name) => {
                let identity = Identity::of_name(name).map_err(|error| {
                    Box::new(
                        Finding::unmet("no_user", error.message).fix(crate::fix::creation(
                            name,
                            &[],
                            None,
                        )),
                    )
                })?;
                if !scene.root && !identity.is_current() {
                    return Err(Box::new(Finding::unknown(
                        "permission",
                        format!("only root can run the site's commands as {name}"),
                    )));
                }
                Some(identity)
            }
            // Root runs nobody else's code as root: whoever can change manage.py or the interpreter
            // runs both.
            None => match programs::runner(&manage)? {
                Some(owner) => Some(owner),
                None => programs::runner_of_python(&python)?,
            },
        };
        let mut own = self.environment(user.as_ref());
        let mut env = own.clone();
        if let Some(file) = &self.env_file {
            env.extend(variables(file, user.as_ref())?);
        }
        // A check leaves no .pyc behind.
        env.push(("PYTHONDONTWRITEBYTECODE".into(), "1".into()));
        env.push(("PYTHONUNBUFFERED".into(), "1".into()));
        for (name, value) in &self.env {
            if base::mask::is_secret(name) {
                base::mask::register(value);
            }
        }
        env.extend(self.env.iter().cloned());
        own.extend(self.env.iter().cloned());
        Ok(Stage {
            python,
            user,
            env,
            own,
        })
    }

    /// What a service has that systemd starts, and the settings' name.
    fn environment(&self, user: Option<&Identity>) -> Vec<(String, String)> {
        let home = user
            .and_then(|user| user.home.clone())
            .or_else(|| std::env::var_os("HOME").map(PathBuf::from));
        let home = home.unwrap_or_else(|| "/".into()).display().to_string();
        let mut env = vec![
            ("PATH".to_string(), programs::SYSTEM_PATH.to_string()),
            ("HOME".into(), home),
            ("LANG".into(), "C.UTF-8".into()),
        ];
        if let Some(settings) = &self.settings {
            env.push(("DJANGO_SETTINGS_MODULE".into(), settings.clone()));
        }
        env
    }

    fn run(&self, stage: &Stage, words: &[&str], deadline: Deadline) -> Run {
        let manage = self.directory.join(&self.manage).display().to_string();
        let mut run = Run::new(&stage.python)
            .clean()
            .dir(&self.directory)
            .user(stage.user.clone())
            .deadline(deadline)
            .cap(2 << 20);
        for (key, value) in &stage.env {
            run = run.env(key, value);
        }
        match words.first() {
            Some(&"-c") => run.args(words),
            _ => run.arg(manage).args(words),
        }
    }

    /// One command, and what its answer means. `migrate` is asked for every database.
    fn step(&self, stage: &Stage, step: &str, deadline: Deadline) -> Answer {
        if step != "migrate" {
            return self.command(stage, step, None, deadline);
        }
        let aliases = match self.databases.is_empty() {
            true => self.aliases(stage, deadline),
            false => self.databases.clone(),
        };
        match aliases.as_slice() {
            [] => self.command(stage, step, None, deadline),
            [one] if one == "default" => self.command(stage, step, None, deadline),
            many => {
                let each = many.iter().map(|alias| {
                    let answer = self.command(stage, step, Some(alias), deadline);
                    (alias.as_str(), answer)
                });
                answer::together(each.collect())
            }
        }
    }

    /// The aliases of DATABASES that the site migrates; none where the settings cannot be read,
    /// which `migrate` says better.
    fn aliases(&self, stage: &Stage, deadline: Deadline) -> Vec<String> {
        let words = ["-c", scratch::ALIASES, self.manage.as_str()];
        let run = self.run(stage, &words, deadline).run();
        let out = run
            .ok()
            .filter(base::child::Finished::success)
            .map(|finished| finished.out())
            .unwrap_or_default();
        let marked = out
            .lines()
            .filter_map(|line| line.strip_prefix("check-reqs-alias "));
        marked.map(str::to_owned).collect()
    }

    fn command(
        &self,
        stage: &Stage,
        step: &str,
        alias: Option<&str>,
        deadline: Deadline,
    ) -> Answer {
        let scratch = (step == "collectstatic" && self.scratch)
            .then(|| scratch::Directory::new(stage.user.as_ref()));
        let place = match &scratch {
            Some(Ok(directory)) => Some(directory.path().display().to_string()),
            Some(Err(why)) => return Answer::unknown("error", why.clone()),
            None => None,
        };
        let database = alias.map(|alias| format!("--database={alias}"));
        let mut words: Vec<&str> = match (step, &place) {
            ("check", _) => vec!["check", "--deploy", "--fail-level", "WARNING"],
            ("makemigrations", _) => vec!["makemigrations", "--check", "--dry-run", "--no-input"],
            ("migrate", _) => vec!["migrate", "--check", "--plan", "--no-input"],
            ("collectstatic", Some(place)) => vec!["-c", scratch::COLLECT, &self.manage, place],
            ("collectstatic", None) => vec!["collectstatic", "--no-input", "--dry-run"],
            (other, _) => vec![other],
        };
        words.extend(database.as_deref());
        match self.run(stage, &words, deadline).run() {
            Err(error) => Answer::unknown("not_executable", error.message),
            Ok(finished) if finished.timed_out => {
                Answer::unknown("timeout", format!("manage.py {step}: no answer in time"))
            }
            Ok(finished) => answer::of(step, &finished),
        }
    }

    /// The command that closes a gap: as the same user, with the same environment. None where the
    /// environment holds what cannot be typed without showing a secret.
    fn by_hand(&self, stage: &Stage, words: &[&str]) -> Option<String> {
        let own = stage
            .own
            .iter()
            .map(|(key, value)| format!("{key}={value}"));
        let env: Vec<String> = own.collect();
        let python = stage.python.display().to_string();
        let directory = self.directory.display().to_string();
        let mut line = vec!["env", "-i"];
        line.extend(env.iter().map(String::as_str));
        line.extend([python.as_str(), self.manage.as_str()]);
        line.extend(words);
        let user = stage.user.as_ref().and_then(|user| user.name.as_deref());
        match &self.env_file {
            None => {
                let inner = format!("cd {} && {}", quoted(&directory), shell(&line));
                Some(match user {
                    Some(user) => shell(&["runuser", "-u", user, "--", "sh", "-c", &inner]),
                    None => shell(&["sh", "-c", &inner]),
                })
            }
            // systemd reads the file as the service does; no shell evaluates the file.
            Some(file) if Path::new("/run/systemd/system").is_dir() => {
                let mut line = vec![
                    "systemd-run".to_owned(),
                    "--pipe".to_owned(),
                    "--wait".to_owned(),
                    "--collect".to_owned(),
                    "--quiet".to_owned(),
                    format!("--property=EnvironmentFile={}", file.display()),
                    format!("--working-directory={directory}"),
                ];
                line.extend(user.map(|user| format!("--uid={user}")));
                line.extend(env.iter().map(|pair| format!("--setenv={pair}")));
                line.extend([python.clone(), self.manage.clone()]);
                line.extend(words.iter().map(|word| (*word).to_owned()));
                Some(shell(&line.iter().map(String::as_str).collect::<Vec<_>>()))
            }
            Some(_) => None,
        }
    }

    fn fix(&self, stage: &Stage, step: &str, answer: &Answer) -> Fix {
        match (step, answer.reason.unwrap_or("error")) {
            ("migrate", "unapplied") => {
                let database = answer
                    .alias
                    .as_ref()
                    .map(|alias| format!("--database={alias}"));
                let mut words = vec!["migrate", "--no-input"];
                words.extend(database.as_deref());
                let text = "apply the migrations, once and on one node";
                match self.by_hand(stage, &words) {
                    Some(command) => fix::root(text, vec![command]),
                    None => Fix::advice(format!(
                        "{text}: manage.py {} in {}, with the variables of the environment file",
                        words.join(" "),
                        self.directory.display()
                    )),
                }
            }
            ("migrate", "login" | "no_database") => Fix::advice(
                "correct the name, role or password of the database in the settings, or create what the settings name",
            ),
            ("makemigrations", "missing_migration") => Fix::advice(
                "make the migration where the site is developed (manage.py makemigrations), commit it and deploy it",
            ),
            ("check", "warnings") => Fix::advice(
                "change the settings that `check --deploy` names; https://docs.djangoproject.com/en/stable/howto/deployment/checklist/",
            ),
            ("collectstatic", _) => Fix::advice(
                "provide the file that a stylesheet or template names and that is not there",
            ),
            _ => Fix::advice(format!(
                "read what manage.py {step} says in {}",
                self.directory.display()
            )),
        }
    }
}

impl Check for Django {
    fn subject(&self) -> String {
        self.directory.display().to_string()
    }

    fn expected(&self) -> String {
        format!(
            "the site in {} passes {}",
            self.directory.display(),
            self.steps.join(", ")
        )
    }

    fn how(&self) -> String {
        "manage.py check --deploy, makemigrations --check, migrate --check --plan and collectstatic, as the service's user, in an empty environment; \
         each has to say its own line"
            .into()
    }

    fn patience(&self) -> std::time::Duration {
        std::time::Duration::from_secs(120)
    }

    fn look(&self, scene: &Scene, deadline: Deadline) -> Finding {
        let stage = match self.stage(scene) {
            Ok(stage) => stage,
            Err(finding) => return *finding,
        };
        let answers: Vec<(&str, Answer)> = std::thread::scope(|scope| {
            let running: Vec<_> = self
                .steps
                .iter()
                .map(|step| {
                    let work = || self.step(&stage, step, deadline);
                    (step, base::threads::help(scope, work))
                })
                .collect();
            running
                .into_iter()
                .map(|(step, thread)| {
                    (
                        step.as_str(),
                        thread
                            .join()
                            .unwrap_or_else(|| Answer::unknown("error", "internal error".into())),
                    )
                })
                .collect()
        });
        let worst = |verdict| {
            answers
                .iter()
                .filter(move |(_, answer)| answer.verdict == verdict)
        };
        let said = |verdict| {
            worst(verdict)
                .map(|(step, answer)| format!("{step}: {}", answer.msg))
                .collect::<Vec<_>>()
                .join("; ")
        };
        let (verdict, first) = match (worst(Verdict::Unmet).next(), worst(Verdict::Unknown).next())
        {
            (Some(first), _) => (Verdict::Unmet, first),
            (None, Some(first)) => (Verdict::Unknown, first),
            (None, None) => {
                let all = answers
                    .iter()
                    .map(|(step, answer)| format!("{step}: {}", answer.msg))
                    .collect::<Vec<_>>();
                return Finding::met(
                    format!("{} of {} pass", answers.len(), answers.len()),
                    all.join("; "),
                );
            }
        };
        let (step, answer) = first;
        let reason = answer.reason.unwrap_or("error");
        let evidence = tail(&masked(&answer.output));
        match verdict {
            Verdict::Unmet => {
                let unknown = said(Verdict::Unknown);
                let msg = match unknown.is_empty() {
                    true => said(Verdict::Unmet),
                    false => format!("{}; not known: {unknown}", said(Verdict::Unmet)),
                };
                Finding::unmet(reason, msg).fix(self.fix(&stage, step, answer))
            }
            _ => Finding::unknown(reason, said(Verdict::Unknown)),
        }
        .found(format!(
            "{} of {} pass",
            worst(Verdict::Met).count(),
            answers.len()
        ))
        .evidence(evidence)
    }
}
