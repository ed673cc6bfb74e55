//! A Python interpreter, the real one: links, virtual environments and pyenv's shims are seen through, because `python3` on PATH may be
//! a script that starts another Python in another directory, and a virtual environment's link may lead to an interpreter that an
//! upgrade of the system has removed.

use super::{Check, Finding, Type, tail};
use crate::document::Fields;
use crate::fix::{self, Fix};
use crate::programs;
use crate::scene::Scene;
use crate::shell::shell;
use crate::version::{Order, Wanted};
use base::Result;
use base::child::{Identity, Run};
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

/// Prints the version and the executable as Python itself knows them; every Python from 2.7 on understands it.
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
                    .fix(fix::install_of_command(&scene.distro, &self.interpreter)),
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
                .fix(venv_fix(scene.distro.manager(), place)),
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
                    .fix(venv_fix(scene.distro.manager(), venv)),
                )
            }
            (Err(error), _) => {
                let finding = Finding::io(path.display(), &error);
                Found::Not(match finding.verdict {
                    super::Verdict::Unmet => finding.fix(venv_fix(scene.distro.manager(), place)),
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

    fn version_fix(&self, scene: &Scene) -> Fix {
        let newest = fix::install_of_command(&scene.distro, "python3");
        let text = format!(
            "install a Python {} (the distribution's own: {}), then make the virtual environment again with it",
            self.wanted.text(),
            newest.commands.join("; ")
        );
        Fix::advice(text)
    }
}

/// Makes a virtual environment (again); on Debian the module for that is a package of its own. What is no virtual environment is left
/// alone: `--clear` empties whatever directory it is given.
pub fn venv_fix(manager: Option<Manager>, venv: &Path) -> Fix {
    let shown = venv.display().to_string();
    let again = venv.join("pyvenv.cfg").exists();
    if !again
        && fs::read_dir(venv).map_or(venv.symlink_metadata().is_ok(), |mut entries| {
            entries.next().is_some()
        })
    {
        return Fix::advice(format!(
            "{shown} is no virtual environment: name one, or make one elsewhere (python3 -m venv DIRECTORY)"
        ));
    }
    let mut commands = Vec::new();
    let package = match manager {
        Some(Manager::Apt) => Some("python3-venv"),
        Some(Manager::Dnf | Manager::Apk) => Some("python3"),
        Some(Manager::Pacman) => Some("python"),
        Some(Manager::Zypper) | None => None,
    };
    commands.extend(package.and_then(|package| fix::install_command(manager, &[package])));
    let make: &[&str] = if again {
        &["python3", "-m", "venv", "--clear", &shown]
    } else {
        &["python3", "-m", "venv", &shown]
    };
    let owner = venv
        .metadata()
        .ok()
        .filter(|meta| meta.uid() != 0)
        .map(|meta| super::file::user_name(meta.uid()));
    commands.push(match owner.filter(|_| nix::unistd::geteuid().is_root()) {
        Some(owner) => shell(&[&["runuser", "-u", &owner, "--"], make].concat()),
        None => shell(make),
    });
    let text = if again {
        "make the virtual environment again"
    } else {
        "make the virtual environment"
    };
    Fix::root(
        format!("{text} in {shown}, and install its requirements into it"),
        commands,
    )
}

/// The interpreter behind a script that starts another (pyenv's and asdf's shims), as that one says; anything else is what it is.
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

/// Asks an interpreter who it is. -E and -S: neither PYTHONPATH nor somebody's sitecustomize has a say in it, and it starts faster.
fn ask(path: &Path, deadline: Deadline) -> Result<base::child::Finished> {
    let run = programs::known(Run::new(path).args(["-E", "-S", "-c", ASK]));
    run.user(owner_of(path)).deadline(deadline).run()
}

/// The user that somebody else's interpreter runs as: root runs nothing that another user could have planted.
pub fn owner_of(path: &Path) -> Option<Identity> {
    if !nix::unistd::geteuid().is_root() {
        return None;
    }
    let shown = path.symlink_metadata().ok();
    let real = path.canonicalize().ok();
    let files = [
        shown,
        real.as_deref().and_then(|real| real.metadata().ok()),
        real.as_deref()
            .and_then(Path::parent)
            .and_then(|up| up.metadata().ok()),
    ];
    let other = files.into_iter().flatten().find(|meta| meta.uid() != 0)?;
    Identity::of_uid(other.uid(), other.gid()).ok()
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
            Err(error) => {
                return Finding::unmet("not_executable", error.message)
                    .fix(fix::install_of_command(&scene.distro, "python3"));
            }
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
                    Some(venv) => venv_fix(scene.distro.manager(), venv),
                    None => Fix::advice(format!("mend or replace {}", path.display())),
                },
            ),
        }
    }
}
