//! A command on PATH, and the version it prints, on standard output or standard error.

use crate::document::Fields;
use crate::finding::{Finding, tail};
use crate::fix::{self, Fix};
use crate::kind::{Check, Type};
use crate::programs;
use crate::scene::Scene;
use crate::short::{self, Short};
use crate::version::{Order, Wanted, plain};
use base::Result;
use base::child::Run;
use base::clock::Deadline;

/// `type = "command"`.
pub const TYPE: Type = Type {
    name: "command",
    about: "a command on PATH (or in an sbin directory), and the version it prints",
    keys: &[
        ("name", "the name or the path of the command"),
        ("version", "\">=2.30\"; alternatives in a list"),
        (
            "args",
            "the arguments that make the command print its version (--version)",
        ),
        (
            "package",
            "the package of this distribution that has the command",
        ),
    ],
    short: Short {
        words: &["cmd", "command"],
        colon: true,
        forms: &["cmd:NAME[>=2.30]"],
        example: "cmd:git>=2.30",
        read: |_, rest| short::versioned(rest, None),
    },
    read,
};

struct Command {
    name: String,
    wanted: Wanted,
    args: Vec<String>,
    package: Option<String>,
}

fn read(fields: &mut Fields<'_>) -> Result<Box<dyn Check>> {
    let name = fields.required("name")?;
    let texts = fields.texts("version")?;
    let wanted = Wanted::new(&texts, Order::Plain).map_err(|what| fields.error("version", what))?;
    Ok(Box::new(Command {
        args: fields.texts("args")?,
        package: fields.text("package")?,
        name,
        wanted,
    }))
}

/// Commands that know their version by another word. nginx, sshd and others take `-V` for more than
/// they should print.
const ASKED: &[(&str, &[&str])] = &[
    ("nginx", &["-v"]),
    ("ssh", &["-V"]),
    ("sshd", &["-V"]),
    ("openssl", &["version"]),
    ("caddy", &["version"]),
    ("apache2", &["-v"]),
    ("apache2ctl", &["-v"]),
    ("apachectl", &["-v"]),
    ("httpd", &["-v"]),
    ("crontab", &["-V"]),
    ("go", &["version"]),
    ("unzip", &["-v"]),
    ("supervisorctl", &["version"]),
];

impl Command {
    fn args(&self) -> Vec<&str> {
        if !self.args.is_empty() {
            return self.args.iter().map(String::as_str).collect();
        }
        let name = self.name.rsplit('/').next().unwrap_or(&self.name);
        match ASKED.iter().find(|(asked, _)| *asked == name) {
            // `supervisorctl version` asks the running supervisord; its own is supervisord's.
            Some((_, args)) => args.to_vec(),
            None => vec!["--version"],
        }
    }

    fn installation(&self, scene: &Scene) -> Fix {
        match &self.package {
            Some(package) => fix::install(scene, &[package]),
            None => fix::install_of_command(scene, &self.name),
        }
    }
}

impl Check for Command {
    fn subject(&self) -> String {
        self.name.clone()
    }

    fn expected(&self) -> String {
        match self.wanted.is_any() {
            true => self.name.clone(),
            false => format!("{} {}", self.name, self.wanted.text()),
        }
    }

    fn how(&self) -> String {
        match self.wanted.is_any() {
            true => format!(
                "{} is looked for along PATH and the system's own directories",
                self.name
            ),
            false => format!(
                "the first version in what `{} {}` prints",
                self.name,
                self.args().join(" ")
            ),
        }
    }

    fn look(&self, scene: &Scene, deadline: Deadline) -> Finding {
        let Some(path) = programs::find(&self.name) else {
            return Finding::unmet("missing", format!("there is no command {}", self.name))
                .fix(self.installation(scene));
        };
        let shown = path.display().to_string();
        if self.wanted.is_any() {
            return Finding::met(shown.clone(), format!("{} is {shown}", self.name));
        }
        let user = match programs::runner(&path) {
            Ok(user) => user,
            Err(finding) => return *finding,
        };
        let run = programs::known(Run::new(&path).args(self.args()))
            .dir("/")
            .user(user)
            .deadline(deadline);
        let finished = match run.run() {
            Ok(finished) => finished,
            Err(error) if error.kind == base::Kind::CommandNotExecutable => {
                return Finding::unmet("not_executable", error.message)
                    .fix(self.installation(scene));
            }
            Err(error) => return Finding::unknown("error", error.whole()),
        };
        if finished.timed_out {
            return Finding::timeout(format!("{shown} {}", self.args().join(" ")));
        }
        let (out, err) = (finished.out(), finished.err());
        let Some(version) = plain::find(&out).or_else(|| plain::find(&err)) else {
            return Finding::unknown(
                "no_version",
                format!("{shown} {} prints no version", self.args().join(" ")),
            )
            .evidence(tail(&(out + &err)));
        };
        match self.wanted.admits(version, Order::Plain) {
            Some(true) => {
                Finding::met(version, format!("{} {version} is {shown}", self.name)).evidence(shown)
            }
            Some(false) => Finding::unmet(
                "version",
                format!("{shown} is {version}, wanted is {}", self.wanted.text()),
            )
            .found(version)
            .evidence(shown)
            .fix(self.newer(scene)),
            None => Finding::unknown("version", format!("{shown}: '{version}' is no version"))
                .found(version)
                .evidence(shown),
        }
    }
}

impl Command {
    /// Whether the distribution has a newer version only the package manager can tell.
    fn newer(&self, scene: &Scene) -> Fix {
        let text = format!("install {} {}", self.name, self.wanted.text());
        let package = self
            .package
            .as_deref()
            .or_else(|| distro::command::package(&self.name, &scene.distro));
        match (package, scene.distro.manager()) {
            (Some(package), Some(manager)) => Fix::advice(format!(
                "{text}; `{}` brings the newest of the distribution",
                manager.upgrade_script(package)
            )),
            _ => Fix::advice(text),
        }
    }
}
