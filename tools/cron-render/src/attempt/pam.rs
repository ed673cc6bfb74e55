//! The variables that PAM gives to cron's jobs: pam_env in the session of cron's service file.
//!
//! Debian's cron and cronie open a PAM session for each job and put the session's variables under
//! those of the crontab, so that a crontab's own settings (and cron's own PATH) win.

/// What the session gives.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Session {
    /// Names and values, in order; a name stands once.
    pub variables: Vec<(String, String)>,
    /// What the session does besides, and `try` does not.
    pub left_out: Vec<String>,
    /// What pam_umask sets.
    pub umask: Option<Umask>,
}

/// The umask of a session (pam_umask(8); Debian 13 has the module in cron's sessions).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Umask {
    /// The mask, where one is configured; else the daemon's own stays.
    pub mask: Option<u32>,
    /// Whether users with a group of their own give the group the owner's bits.
    pub usergroups: bool,
}

impl Umask {
    /// The umask of a user's job. `own_group`: not root, and the primary group has the user's name.
    pub fn of(self, daemons: u32, own_group: bool) -> u32 {
        let mask = self.mask.unwrap_or(daemons);
        if self.usergroups && own_group {
            mask & !0o070 | mask >> 3 & 0o070
        } else {
            mask
        }
    }
}

/// Modules whose work in a session changes nothing that a job sees.
const SILENT: [&str; 11] = [
    "pam_unix.so",
    "pam_permit.so",
    "pam_deny.so",
    "pam_loginuid.so",
    "pam_env.so",
    "pam_access.so",
    "pam_succeed_if.so",
    "pam_keyinit.so",
    "pam_selinux.so",
    "pam_localuser.so",
    "pam_lastlog.so",
];

/// How deep service files may include each other.
const DEPTH: usize = 8;

/// The session of a service. `read` gives the text of a file, `None` where there is none.
pub fn session(service: &str, read: &dyn Fn(&str) -> Option<String>) -> Session {
    let mut session = Session::default();
    service_file(service, false, read, DEPTH, &mut session);
    session
}

fn service_file(
    name: &str,
    included: bool,
    read: &dyn Fn(&str) -> Option<String>,
    depth: usize,
    session: &mut Session,
) {
    if depth == 0 {
        return;
    }
    // Without a file of its own a service has that of `other`.
    let path = |name: &str| format!("/etc/pam.d/{name}");
    let text = read(&path(name)).or_else(|| (!included).then(|| read(&path("other")))?);
    for line in text.as_deref().unwrap_or_default().lines() {
        let line = line.split('#').next().unwrap_or_default();
        let words: Vec<&str> = words(line);
        match words[..] {
            ["@include", name, ..] => service_file(name, true, read, depth - 1, session),
            [kind, "include" | "substack", name, ..] if is_session(kind) => {
                service_file(name, true, read, depth - 1, session);
            }
            [kind, _, module, ref options @ ..] if is_session(kind) => {
                module_line(module, options, read, session);
            }
            _ => {}
        }
    }
}

/// The words of a line; what stands in brackets is one word.
fn words(line: &str) -> Vec<&str> {
    let mut words = Vec::new();
    let mut rest = line.trim_start();
    while !rest.is_empty() {
        let end = if rest.starts_with('[') {
            rest.find(']').map_or(rest.len(), |at| at + 1)
        } else {
            rest.find(char::is_whitespace).unwrap_or(rest.len())
        };
        words.push(&rest[..end]);
        rest = rest[end..].trim_start();
    }
    words
}

fn is_session(kind: &str) -> bool {
    kind.trim_start_matches('-') == "session"
}

fn module_line(
    module: &str,
    options: &[&str],
    read: &dyn Fn(&str) -> Option<String>,
    session: &mut Session,
) {
    let module = module.rsplit('/').next().unwrap_or(module);
    let has_lines = |path: &str| {
        read(path).is_some_and(|text| {
            let mut lines = text.lines().map(str::trim);
            lines.any(|line| !line.is_empty() && !line.starts_with('#'))
        })
    };
    if module == "pam_limits.so" {
        if has_lines("/etc/security/limits.conf") {
            session
                .left_out
                .push("the limits of '/etc/security/limits.conf'".to_owned());
        }
        return;
    }
    if module == "pam_umask.so" {
        session.umask = Some(umask(options, read));
        return;
    }
    if module != "pam_env.so" {
        if !SILENT.contains(&module) {
            session.left_out.push(format!("the PAM module {module}"));
        }
        return;
    }
    let option = |name: &str| {
        let value = |word: &&str| word.strip_prefix(name).map(str::to_owned);
        options.iter().find_map(value)
    };
    let conf = option("conffile=").unwrap_or_else(|| "/etc/security/pam_env.conf".to_owned());
    if has_lines(&conf) {
        session.left_out.push(format!("the variables of '{conf}'"));
    }
    if option("readenv=").as_deref() == Some("0") {
        return;
    }
    let file = option("envfile=").unwrap_or_else(|| "/etc/environment".to_owned());
    for line in read(&file).as_deref().unwrap_or_default().lines() {
        if let Some((name, value)) = assignment(line) {
            session.variables.retain(|(known, _)| *known != name);
            session.variables.push((name, value));
        }
    }
}

/// The module's own option before login.defs and /etc/default/login, as pam_umask(8) lists them.
fn umask(options: &[&str], read: &dyn Fn(&str) -> Option<String>) -> Umask {
    let key = |path: &str, name: &str| {
        let text = read(path)?;
        let lines = text
            .lines()
            .map(str::trim)
            .filter(|line| !line.starts_with('#'));
        let mut values = lines.filter_map(|line| {
            let rest = line.strip_prefix(name)?;
            let value = rest.trim_start_matches([' ', '\t', '=']);
            (value.len() < rest.len()).then(|| {
                value
                    .split_whitespace()
                    .next()
                    .unwrap_or_default()
                    .to_owned()
            })
        });
        values.next()
    };
    let own = options
        .iter()
        .find_map(|word| word.strip_prefix("umask=").map(str::to_owned));
    let mask = own
        .or_else(|| key("/etc/login.defs", "UMASK"))
        .or_else(|| key("/etc/default/login", "UMASK"));
    let usergroups = !options.contains(&"nousergroups")
        && (options.contains(&"usergroups")
            || key("/etc/login.defs", "USERGROUPS_ENAB")
                .is_some_and(|value| value.eq_ignore_ascii_case("yes")));
    Umask {
        mask: mask.and_then(|mask| u32::from_str_radix(&mask, 8).ok()),
        usergroups,
    }
}

/// A line of /etc/environment as pam_env reads it: a `#` ends the line wherever it stands, one pair
/// of quotes around the value goes, nothing is expanded.
fn assignment(line: &str) -> Option<(String, String)> {
    let line = line.trim_start();
    let line = line.split('#').next()?;
    let line = line.strip_prefix("export ").unwrap_or(line);
    let (name, value) = line.split_once('=')?;
    let good = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    if name.is_empty() || !name.bytes().all(good) {
        return None;
    }
    let value = match value.strip_prefix(['"', '\'']) {
        Some(inner) => inner.strip_suffix(['"', '\'']).unwrap_or(inner),
        None => value,
    };
    Some((name.to_owned(), value.to_owned()))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn files(path: &str) -> Option<String> {
        let text = match path {
            "/etc/pam.d/cron" => {
                "@include common-auth\nsession required pam_env.so # x\n\
                 session required pam_env.so envfile=/etc/default/locale\n\
                 @include common-session\nsession [success=ok default=ignore] pam_limits.so\n"
            }
            "/etc/pam.d/common-session" => {
                "-session optional pam_systemd.so\nauth required pam_mount.so\n"
            }
            "/etc/environment" => {
                "PATH=/x:/y\nexport Q=\"a b\"\nFOO=bar baz # note\nBAD KEY=1\nA=1\nA=2\n"
            }
            "/etc/default/locale" => "LANG=de_DE.UTF-8\n",
            "/etc/security/limits.conf" => "# nothing\n",
            _ => return None,
        };
        Some(text.to_owned())
    }

    #[test]
    fn variables_of_a_session() {
        let session = session("cron", &files);
        let pairs: Vec<(&str, &str)> = session
            .variables
            .iter()
            .map(|(n, v)| (n.as_str(), v.as_str()))
            .collect();
        assert_eq!(
            pairs,
            [
                ("PATH", "/x:/y"),
                ("Q", "a b"),
                ("FOO", "bar baz "),
                ("A", "2"),
                ("LANG", "de_DE.UTF-8"),
            ]
        );
        assert_eq!(session.left_out, ["the PAM module pam_systemd.so"]);
    }

    #[test]
    fn the_umask_of_a_session() {
        let with = |line: &'static str, defs: &'static str| {
            let read = move |path: &str| match path {
                "/etc/pam.d/cron" => Some(line.to_owned()),
                "/etc/login.defs" => Some(defs.to_owned()),
                _ => None,
            };
            session("cron", &read).umask
        };
        let defs = "# UMASK 077\nUMASK\t\t022\nUSERGROUPS_ENAB yes\n";
        assert_eq!(with("session required pam_unix.so", defs), None);
        for (line, defs, root, user) in [
            ("session optional pam_umask.so", defs, 0o022, 0o002),
            (
                "session optional pam_umask.so nousergroups",
                defs,
                0o022,
                0o022,
            ),
            (
                "session optional pam_umask.so umask=077",
                defs,
                0o077,
                0o007,
            ),
            (
                "session optional pam_umask.so",
                "USERGROUPS_ENAB no\n",
                0o027,
                0o027,
            ),
        ] {
            let umask = with(line, defs).unwrap();
            assert_eq!(
                (umask.of(0o027, false), umask.of(0o027, true)),
                (root, user),
                "{line}"
            );
        }
    }

    #[test]
    fn files_that_include_each_other_end() {
        let read = |_: &str| Some("@include cron\n".to_owned());
        assert_eq!(session("cron", &read), Session::default());
    }
}
