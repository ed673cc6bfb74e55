//! A Django site that is ready: no warnings of `check --deploy`, no model without its migration, no migration that was not applied,
//! static files that can be collected.
//!
//! An exit status of 0 is not believed. With the database down `makemigrations --check` exits 0; settings that end in `sys.exit(0)` make
//! every command exit 0. So each command has to say its own line, and `migrate` is asked for its plan, because `migrate --check` says
//! nothing where all is well. `collectstatic --dry-run` passes where the real one fails (a manifest that misses a file), so files are
//! collected for real, into a directory that is thrown away; where the storage is not on this host, the dry run has to do.
//!
//! All of it runs as the service's user, with nothing of the caller's environment.

mod answer;
mod scratch;

use super::python;
use crate::finding::{Finding, Verdict, tail};
use crate::short::{self, Short};
use crate::kind::{Check, Type};
use crate::document::Fields;
use crate::fix::{self, Fix};
use crate::programs;
use crate::secret::masked;
use crate::scene::Scene;
use crate::fix::{quoted, shell};
use answer::Answer;
use base::Result;
use base::child::{Identity, Run};
use base::clock::Deadline;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// `type = "django"`.
pub const TYPE: Type = Type {
    name: "django",
    about: "a Django site: deployment check, migrations made and applied, static files collect",
    keys: &[
        ("directory", "where manage.py is"),
        ("venv", "its virtual environment"),
        ("settings", "DJANGO_SETTINGS_MODULE"),
        ("user", "who runs it (the directory's owner, if root asks)"),
        ("env", "a table of variables"),
        ("env_file", "a file of NAME=VALUE lines"),
        (
            "checks",
            "some of check, makemigrations, migrate, collectstatic, or other commands",
        ),
        ("manage", "the file's name (manage.py)"),
        (
            "static",
            "scratch (collected for real and thrown away) or dry-run",
        ),
    ],
    short: Short {
        words: &["django"],
        colon: true,
        forms: &["django:DIRECTORY[@VENV]"],
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
    let mut django = Django {
        directory: fields.required("directory")?.into(),
        manage: fields.text("manage")?.unwrap_or_else(|| "manage.py".into()),
        venv: fields.text("venv")?.map(PathBuf::from),
        settings: fields.text("settings")?,
        user: fields.text("user")?,
        env: fields.map("env")?,
        env_file: fields.text("env_file")?.map(PathBuf::from),
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
}

impl Django {
    fn stage(&self, scene: &Scene) -> Result<Stage, Box<Finding>> {
        let manage = self.directory.join(&self.manage);
        let meta = fs::metadata(&manage).map_err(|error| {
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
            // Root runs nobody else's code as root.
            None if scene.root && meta.uid() != 0 => Identity::of_uid(meta.uid(), meta.gid()).ok(),
            None => python::owner_of(&python).filter(|_| scene.root),
        };
        Ok(Stage {
            python,
            env: self.environment(user.as_ref())?,
            user,
        })
    }

    fn environment(&self, user: Option<&Identity>) -> Result<Vec<(String, String)>, Box<Finding>> {
        let home = user
            .and_then(|user| user.home.clone())
            .or_else(|| std::env::var_os("HOME").map(PathBuf::from));
        let mut env = vec![
            ("PATH".to_string(), programs::SYSTEM_PATH.to_string()),
            (
                "HOME".into(),
                home.unwrap_or_else(|| "/".into()).display().to_string(),
            ),
            ("LANG".into(), "C.UTF-8".into()),
            // A check leaves no .pyc behind.
            ("PYTHONDONTWRITEBYTECODE".into(), "1".into()),
            ("PYTHONUNBUFFERED".into(), "1".into()),
        ];
        if let Some(settings) = &self.settings {
            env.push(("DJANGO_SETTINGS_MODULE".into(), settings.clone()));
        }
        if let Some(file) = &self.env_file {
            let text = fs::read_to_string(file)
                .map_err(|error| Box::new(Finding::io(file.display(), &error)))?;
            for line in text
                .lines()
                .map(str::trim)
                .filter(|line| !line.starts_with(['#', ';']))
            {
                if let Some((key, value)) =
                    line.strip_prefix("export ").unwrap_or(line).split_once('=')
                {
                    env.push((
                        key.trim().to_string(),
                        value.trim().trim_matches(['"', '\'']).to_string(),
                    ));
                }
            }
        }
        env.extend(self.env.iter().cloned());
        Ok(env)
    }

    fn run(&self, stage: &Stage, words: &[&str], deadline: Deadline) -> Run {
        let manage = self.directory.join(&self.manage).display().to_string();
        let mut run = Run::new(&stage.python)
            .clean()
            .dir(&self.directory)
            .user(stage.user.clone())
            .deadline(deadline)
            .cap(8 << 20);
        for (key, value) in &stage.env {
            run = run.env(key, value);
        }
        match words.first() {
            Some(&"-c") => run.args(words),
            _ => run.arg(manage).args(words),
        }
    }

    /// One command, and what its answer means.
    fn step(&self, stage: &Stage, step: &str, deadline: Deadline) -> Answer {
        let scratch = (step == "collectstatic" && self.scratch)
            .then(|| scratch::Directory::new(stage.user.as_ref()));
        let place = match &scratch {
            Some(Ok(directory)) => Some(directory.path().display().to_string()),
            Some(Err(why)) => return Answer::unknown("error", why.clone()),
            None => None,
        };
        let words: Vec<&str> = match (step, &place) {
            ("check", _) => vec!["check", "--deploy", "--fail-level", "WARNING"],
            ("makemigrations", _) => vec!["makemigrations", "--check", "--dry-run", "--no-input"],
            ("migrate", _) => vec!["migrate", "--check", "--plan", "--no-input"],
            ("collectstatic", Some(place)) => vec!["-c", scratch::COLLECT, &self.manage, place],
            ("collectstatic", None) => vec!["collectstatic", "--no-input", "--dry-run"],
            (other, _) => vec![other],
        };
        match self.run(stage, &words, deadline).run() {
            Err(error) => Answer::unknown("not_executable", error.message),
            Ok(finished) if finished.timed_out => {
                Answer::unknown("timeout", format!("manage.py {step}: no answer in time"))
            }
            Ok(finished) => answer::of(step, &finished),
        }
    }

    /// The command that a person types to close a gap: as the same user, with the same environment.
    fn by_hand(&self, stage: &Stage, words: &[&str]) -> String {
        let mut line = vec!["env".to_string(), "-i".to_string()];
        line.extend(
            stage
                .env
                .iter()
                .filter(|(key, _)| !key.starts_with("PYTHON"))
                .map(|(key, value)| {
                    let value = if base::mask::is_secret(key) {
                        format!("${key}")
                    } else {
                        masked(value)
                    };
                    quoted(&format!("{key}={value}"))
                }),
        );
        line.push(quoted(&stage.python.display().to_string()));
        line.push(quoted(&self.manage));
        line.extend(words.iter().map(|word| quoted(word)));
        let inner = format!(
            "cd {} && {}",
            quoted(&self.directory.display().to_string()),
            line.join(" ")
        );
        match stage.user.as_ref().and_then(|user| user.name.as_deref()) {
            Some(user) => shell(&["runuser", "-u", user, "--", "sh", "-c", &inner]),
            None => shell(&["sh", "-c", &inner]),
        }
    }

    fn fix(&self, stage: &Stage, step: &str, reason: &'static str) -> Fix {
        match (step, reason) {
            ("migrate", "unapplied") => {
                let command = self.by_hand(stage, &["migrate", "--no-input"]);
                let text = "apply the migrations, once and on one node";
                if stage.user.is_some() {
                    fix::root(text, vec![command])
                } else {
                    fix::root(text, vec![command])
                }
            }
            ("makemigrations", "missing_migration") => Fix::advice(
                "make the migration where the site is developed (manage.py makemigrations), commit it and deploy it",
            ),
            ("check", "warnings") => Fix::advice(
                "change the settings that `check --deploy` names; https://docs.djangoproject.com/en/stable/howto/deployment/checklist/",
            ),
            ("collectstatic", _) => Fix::advice(
                "mend what the collection stumbles over: a file that a stylesheet or template names and that is not there",
            ),
            _ => Fix::advice(format!(
                "see what it says: {}",
                self.by_hand(stage, &[step])
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
                .map(|step| (step, scope.spawn(|| self.step(&stage, step, deadline))))
                .collect();
            running
                .into_iter()
                .map(|(step, thread)| {
                    (
                        step.as_str(),
                        thread
                            .join()
                            .unwrap_or_else(|_| Answer::unknown("error", "internal error".into())),
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
                .map(|(step, answer)| format!("{step}: {}", masked(&answer.msg)))
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
                Finding::unmet(reason, said(Verdict::Unmet)).fix(self.fix(&stage, step, reason))
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
