//! A Python interpreter, the real one: links, virtual environments and pyenv's shims are seen
//! through, because `python3` on PATH may be a script that starts another Python in another
//! directory, and a virtual environment's link may lead to an interpreter that an upgrade of the
//! system has removed.

use crate::document::Fields;
use crate::finding::{Finding, tail};
use crate::fix::shell;
use crate::fix::{self, Fix};
use crate::kind::{Check, Type};
use crate::programs;
use crate::scene::Scene;
use crate::short::{self, Short};
use crate::version::{Order, Wanted};
use base::Result;
use base::child::Run;
use base::clock::Deadline;
use distro::Manager;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// `type = "python"`.
pub const TYPE: Type = Type {
    name: "python",
    about: "a Python interpreter, on PATH, at a path or in a virtual environment",
    keys: &[
        (
            "version",
            "\">=3.10,<4\"; alternatives in a list, or joined by ||",
        ),
        (
            "interpreter",
            "a name, a path or a virtual environment (python3)",
        ),
    ],
    short: Short {
        words: &["python"],
        colon: false,
        forms: &["python[>=3.10][@VENV or INTERPRETER]"],
        example: "python>=3.10@/srv/venv",
        read: |_, rest| short::version_and_place(rest, "interpreter"),
    },
    read,
};

struct Python {
    interpreter: String,
    wanted: Wanted,
}

fn read(fields: &mut Fields<'_>) -> Result<Box<dyn Check>> {
    let texts = fields.texts("version")?;
    let wanted =
        Wanted::new(&texts, Order::Python).map_err(|what| fields.error("version", what))?;
    Ok(Box::new(Python {
        interpreter: fields
            .text("interpreter")?
            .unwrap_or_else(|| "python3".into()),
        wanted,
    }))
}

/// Prints the version and the executable as Python itself knows them; every Python from 2.7 on
/// understands it.
const ASK: &str = "import sys; v = sys.version_info; \
    print('%d.%d.%d%s' % (v[0], v[1], v[2], '' if v[3] == 'final' else {'alpha': 'a', 'beta': 'b'}.get(v[3], 'rc') + str(v[4]))); \
    print(sys.executable)";

/// Where an interpreter is, and what is wrong with it if anything.
enum Found {
    /// The file to run.
    At(PathBuf),
    /// Nothing, or a link to nothing.
    Not(Finding),
}

impl Python {
    fn find(&self, scene: &Scene) -> Found {
        let place = Path::new(&self.interpreter);
        if !self.interpreter.contains('/') {
            return match programs::find(&self.interpreter) {
                Some(path) => Found::At(path),
                None => Found::Not(
                    Finding::unmet(
                        "missing",
                        format!("there is no {} on PATH", self.interpreter),
                    )
                    .fix(fix::install_of_command(scene, &self.interpreter)),
                ),
            };
        }
        let path = match place.is_dir() {
            true => ["bin/python", "bin/python3"]
                .map(|name| place.join(name))
                .into_iter()
                .find(|path| path.symlink_metadata().is_ok()),
            false => Some(place.to_path_buf()),
        };
        let Some(path) = path else {
            return Found::Not(
                Finding::unmet(
                    "no_interpreter",
                    format!(
                        "{} has no bin/python: it is not a virtual environment",
                        place.display()
                    ),
                )
                .fix(venv_fix(scene, place)),
            );
        };
        match (path.metadata(), fs::read_link(&path)) {
            (Ok(_), _) => Found::At(path),
            (Err(error), Ok(to)) if error.kind() == std::io::ErrorKind::NotFound => {
                let venv = path.parent().and_then(Path::parent).unwrap_or(place);
                Found::Not(
                    Finding::unmet(
                        "broken_link",
                        format!(
                            "{} is a link to {}, which is not there any more",
                            path.display(),
                            to.display()
                        ),
                    )
                    .fix(venv_fix(scene, venv)),
                )
            }
            (Err(error), _) => {
                let finding = Finding::io(path.display(), &error);
                Found::Not(match finding.verdict {
                    crate::finding::Verdict::Unmet => finding.fix(venv_fix(scene, place)),
                    _ => finding,
                })
            }
        }
    }

    fn judge(&self, scene: &Scene, version: &str, path: &Path, real: &str) -> Finding {
        let evidence = match path.as_os_str() == real {
            true => real.to_string(),
            false => format!("{} is {real}", path.display()),
        };
        let found = version.to_string();
        match self.wanted.admits(version, Order::Python) {
            None => Finding::unknown(
                "version",
                format!("{}: '{version}' is no version", path.display()),
            )
            .found(found)
            .evidence(evidence),
            Some(true) => {
                Finding::met(found, format!("Python {version} is {real}")).evidence(evidence)
            }
            Some(false) => Finding::unmet(
                "version",
                format!(
                    "{} is Python {version}, wanted is {}",
                    path.display(),
                    self.wanted.text()
                ),
            )
            .found(found)
            .evidence(evidence)
            .fix(self.version_fix(scene)),
        }
    }

    /// The distribution's own Python is installed only where it is new enough.
    fn version_fix(&self, scene: &Scene) -> Fix {
        let wanted = self.wanted.text();
        let place = Path::new(&self.interpreter);
        let in_venv = self.interpreter.contains('/');
        let Some(series) = distro::command::python_series(&scene.distro) else {
            return Fix::advice(format!("install a Python {wanted}"));
        };
        let fits = self.wanted.admits(&format!("{series}.99"), Order::Python) == Some(true);
        match (fits, in_venv && place.join("pyvenv.cfg").exists()) {
            (true, true) => venv_fix(scene, place),
            (true, false) if !in_venv => fix::install_of_command(scene, "python3"),
            _ => Fix::advice(format!(
                "install a Python {wanted} from elsewhere (uv python install, pyenv, or a newer \
                 release): Python {series} is the one of {}",
                scene.distro
            )),
        }
    }
}

/// Makes a virtual environment. One that is there is moved aside, never emptied; a directory that
/// is no virtual environment is left alone.
pub fn venv_fix(scene: &Scene, venv: &Path) -> Fix {
    let shown = venv.display().to_string();
    let broken = venv.join("pyvenv.cfg").exists();
    let empty = fs::read_dir(venv).map_or(venv.symlink_metadata().is_err(), |mut entries| {
        entries.next().is_none()
    });
    if !broken && !empty {
        return Fix::advice(format!(
            "{shown} is not a virtual environment: name one, or make one elsewhere (python3 -m venv DIRECTORY)"
        ));
    }
    let mut lines = match scene.distro.manager() {
        Some(Manager::Apt) => fix::install_lines(scene, &["python3-venv"]),
        Some(Manager::Dnf | Manager::Apk) => fix::install_lines(scene, &["python3"]),
        Some(Manager::Pacman) => fix::install_lines(scene, &["python"]),
        Some(Manager::Zypper) | None => None,
    }
    .unwrap_or_default();
    let owner = owner_of_new(venv);
    if broken {
        lines.push(shell(&["mv", "-T", "--", &shown, &unused(venv)]));
    }
    match (&owner, broken || venv.symlink_metadata().is_err()) {
        // The owner could not make the directory in another user's directory.
        (Some((owner, _)), true) => {
            lines.push(shell(&[
                "install",
                "-d",
                "-o",
                owner,
                "-g",
                &group_of(owner),
                &shown,
            ]));
            lines.push(fix::as_user(owner, &["python3", "-m", "venv", &shown]));
        }
        (Some((owner, _)), false) => {
            lines.push(fix::as_user(owner, &["python3", "-m", "venv", &shown]));
        }
        (None, _) => lines.push(shell(&["python3", "-m", "venv", &shown])),
    }
    let text = match broken {
        true => format!("move the broken virtual environment {shown} aside and make a new one"),
        false => format!("make the virtual environment {shown}"),
    };
    fix::root(text, lines)
}

/// The account that owns the environment, or the nearest directory above: whoever runs the site.
fn owner_of_new(venv: &Path) -> Option<(String, u32)> {
    let meta = venv.ancestors().find_map(|up| up.metadata().ok())?;
    let uid = meta.uid();
    (uid != 0).then(|| (crate::accounts::name_of(uid), uid))
}

fn group_of(owner: &str) -> String {
    let user = crate::accounts::user(owner).ok().flatten();
    user.map_or_else(
        || owner.to_owned(),
        |user| crate::accounts::group_name_of(user.gid.as_raw()),
    )
}

/// A name beside the environment that nothing has yet.
fn unused(venv: &Path) -> String {
    let shown = venv.display().to_string();
    let shown = shown.trim_end_matches('/');
    (1..100)
        .map(|n| match n {
            1 => format!("{shown}.broken"),
            n => format!("{shown}.broken-{n}"),
        })
        .find(|name| Path::new(name).symlink_metadata().is_err())
        .unwrap_or_else(|| format!("{shown}.broken"))
}

/// The interpreter behind a script that starts another (pyenv's and asdf's shims), as that one
/// says; anything else is what it is.
pub fn behind_shim(path: &Path, deadline: Deadline) -> PathBuf {
    let script = fs::File::open(path).is_ok_and(|mut file| {
        let mut magic = [0u8; 2];
        std::io::Read::read_exact(&mut file, &mut magic).is_ok() && &magic == b"#!"
    });
    if !script {
        return path.to_path_buf();
    }
    let said = ask(path, deadline)
        .ok()
        .filter(base::child::Finished::success)
        .map(|finished| finished.out());
    said.and_then(|out| out.lines().nth(1).map(PathBuf::from))
        .unwrap_or_else(|| path.to_path_buf())
}

/// Asks an interpreter for its version and path. -I and -S: neither PYTHONPATH nor a sitecustomize
/// has a say. Python 2 knows no -I.
fn ask(path: &Path, deadline: Deadline) -> Result<base::child::Finished, Box<Finding>> {
    let user = programs::runner_of_python(path)?;
    let run = |isolated: &str| {
        programs::known(Run::new(path).args([isolated, "-S", "-c", ASK]))
            .dir("/")
            .user(user.clone())
            .deadline(deadline)
            .run()
    };
    let finished = match run("-I") {
        Ok(done) if done.ending == base::child::Ending::Exit(2) && done.stdout.is_empty() => {
            run("-E")
        }
        other => other,
    };
    finished.map_err(|error| {
        Box::new(match error.kind {
            base::Kind::CommandNotExecutable | base::Kind::CommandNotFound => {
                Finding::unmet("not_executable", error.message)
            }
            _ => Finding::unknown("error", error.whole()),
        })
    })
}

impl Check for Python {
    fn subject(&self) -> String {
        self.interpreter.clone()
    }

    fn expected(&self) -> String {
        match self.wanted.is_any() {
            true => format!("Python ({})", self.interpreter),
            false => format!("Python {} ({})", self.wanted.text(), self.interpreter),
        }
    }

    fn how(&self) -> String {
        "the interpreter says its version and its own path; another user's interpreter is run as that user".into()
    }

    fn look(&self, scene: &Scene, deadline: Deadline) -> Finding {
        let path = match self.find(scene) {
            Found::At(path) => path,
            Found::Not(finding) => return finding,
        };
        let finished = match ask(&path, deadline) {
            Ok(finished) => finished,
            Err(finding) if finding.verdict == crate::finding::Verdict::Unmet => {
                return finding.fix(fix::install_of_command(scene, "python3"));
            }
            Err(finding) => return *finding,
        };
        if finished.timed_out {
            return Finding::timeout(path.display());
        }
        let out = finished.out();
        let mut lines = out.lines();
        match (finished.success(), lines.next(), lines.next()) {
            (true, Some(version), Some(executable)) => {
                let real = fs::canonicalize(executable).map_or_else(
                    |_| executable.to_string(),
                    |real| real.display().to_string(),
                );
                self.judge(scene, version, &path, &real)
            }
            _ => Finding::unmet(
                "broken",
                format!("{} does not run: {}", path.display(), finished.last_words()),
            )
            .evidence(tail(&finished.err()))
            .fix(
                match path
                    .parent()
                    .and_then(Path::parent)
                    .filter(|prefix| prefix.join("pyvenv.cfg").exists())
                {
                    Some(venv) => venv_fix(scene, venv),
                    None => Fix::advice(format!("mend or replace {}", path.display())),
                },
            ),
        }
    }
}
