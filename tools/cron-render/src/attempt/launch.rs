//! What the daemon starts for one line of a crontab: command, standard input, shell, directory and
//! environment. Pure.

use crate::crontab::{self, Form, What};
use crate::dialect::{Dialect, Family};
use crate::escape;
use crate::field::Reading;

/// The user of a job, as the password database has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owner {
    /// The name.
    pub name: String,
    /// The home directory.
    pub home: String,
}

/// One line as the daemon takes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AsRead {
    /// Whom the line names, where lines name a user.
    pub user: Option<String>,
    /// What the shell gets.
    pub command: Vec<u8>,
    /// Standard input, where an unescaped `%` gives one.
    pub input: Option<Vec<u8>>,
    /// The settings above it.
    pub settings: Vec<(String, String)>,
}

/// The last line of `file` that is `line`, with the settings above it.
pub fn as_read(file: &[u8], line: &[u8], form: Form, dialect: Dialect) -> Option<AsRead> {
    let reading = Reading {
        dialect,
        seed: None,
    };
    let mut settings: Vec<(String, String)> = Vec::new();
    let mut found = None;
    for each in crontab::lines(file, form, reading) {
        let text = &file[each.span.clone()];
        match each.what {
            What::Setting(setting) => {
                let lossy = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
                let name = lossy(&setting.name);
                settings.retain(|(known, _)| *known != name);
                settings.push((name, lossy(&setting.value)));
            }
            What::Job(job) if text == line => {
                let user = job.user.clone();
                let user = user.map(|at| String::from_utf8_lossy(&text[at]).into_owned());
                let written = &text[job.command.clone()];
                let (command, input) = escape::decode(written, dialect);
                found = Some(AsRead {
                    user,
                    command,
                    input,
                    settings: settings.clone(),
                });
            }
            _ => {}
        }
    }
    found
}

/// The environment of a job: `session` is what PAM gives, `daemon` the variables of the daemon.
pub fn environment(
    settings: &[(String, String)],
    owner: &Owner,
    dialect: Dialect,
    session: &[(String, String)],
    daemon: &[(String, String)],
) -> Vec<(String, String)> {
    let mut all = Vec::new();
    let mut put = |name: &str, value: &str| {
        all.retain(|(known, _): &(String, String)| known != name);
        all.push((name.to_owned(), value.to_owned()));
    };
    for (name, value) in session {
        put(name, value);
    }
    for (name, value) in daemon.iter().filter(|(name, _)| dialect.hands_on(name)) {
        put(name, value);
    }
    put("SHELL", "/bin/sh");
    put("HOME", &owner.home);
    put("PATH", dialect.path());
    for (name, value) in settings {
        put(name, value);
    }
    put("LOGNAME", &owner.name);
    if dialect.family() == Family::Cronie {
        put("USER", &owner.name);
        // `~` in HOME is the home directory of the password database.
        let home = settings.iter().find(|(name, _)| name == "HOME");
        if let Some(rest) = home.and_then(|(_, value)| value.strip_prefix('~')) {
            put("HOME", &format!("{}{rest}", owner.home));
        }
    }
    all
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_line_with_its_settings() {
        let file = b"A=1\n5 * * * * cat%x\nPATH=/p\nA=2\n5 * * * * cat%x\nA=3\n";
        let read = as_read(file, b"5 * * * * cat%x", Form::User, Dialect::Debian).unwrap();
        assert_eq!(read.command, b"cat");
        assert_eq!(read.input.as_deref(), Some(&b"x\n"[..]));
        let pairs = [("PATH", "/p"), ("A", "2")].map(|(n, v)| (n.to_owned(), v.to_owned()));
        assert_eq!(read.settings, pairs);
    }

    #[test]
    fn environments() {
        let owner = Owner {
            name: "u".to_owned(),
            home: "/home/u".to_owned(),
        };
        let pair = |n: &str, v: &str| (n.to_owned(), v.to_owned());
        let of = |dialect, settings: &[(String, String)]| {
            let session = [pair("PATH", "/etc"), pair("LANG", "de"), pair("A", "pam")];
            let daemon = [pair("LC_ALL", "fr"), pair("SECRET", "x")];
            let mut all = environment(settings, &owner, dialect, &session, &daemon);
            all.sort();
            all.into_iter()
                .map(|(n, v)| format!("{n}={v}"))
                .collect::<Vec<_>>()
                .join(" ")
        };
        assert_eq!(
            of(Dialect::Debian, &[pair("A", "own"), pair("LOGNAME", "no")]),
            "A=own HOME=/home/u LANG=de LOGNAME=u PATH=/usr/bin:/bin SHELL=/bin/sh"
        );
        assert_eq!(
            of(Dialect::Cronie, &[pair("HOME", "~/x")]),
            "A=pam HOME=/home/u/x LANG=de LC_ALL=fr LOGNAME=u PATH=/usr/bin:/bin:/usr/sbin:/sbin SHELL=/bin/sh USER=u"
        );
    }
}
