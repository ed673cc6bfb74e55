//! A crontab's lines, and where their commands write.

use crate::shell::{self, Variables, Word};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// One job.
#[derive(Debug)]
pub struct Job {
    /// Its user, where the line names one.
    pub user: Option<String>,
    /// The command, as the shell gets it.
    pub command: Vec<u8>,
    /// What the table sets before the line.
    pub variables: Vec<(String, String)>,
}

/// Where output goes.
#[derive(Debug, PartialEq, Eq)]
pub enum Output {
    /// This file.
    File(PathBuf),
    /// A name that only the shell would know, and the part of it that has no value.
    Unknown(Vec<u8>, String),
    /// logger(1).
    Logger,
}

/// The jobs of a table; `system` tables name the user on each line.
pub fn jobs(bytes: &[u8], system: bool) -> Vec<(usize, Job)> {
    let mut jobs = Vec::new();
    let mut variables: Vec<(String, String)> = Vec::new();
    for (index, line) in bytes.split(|byte| *byte == b'\n').enumerate() {
        let line = line.trim_ascii_start();
        if line.is_empty() || line.starts_with(b"#") {
            continue;
        }
        if let Some((name, value)) = assignment(line) {
            variables.push((name, value));
            continue;
        }
        let times = if line.starts_with(b"@") { 1 } else { 5 };
        let Some(rest) = skip_fields(line, times) else {
            continue;
        };
        let (user, rest) = match system {
            false => (None, rest),
            true => {
                let end = rest
                    .iter()
                    .position(u8::is_ascii_whitespace)
                    .unwrap_or(rest.len());
                (
                    Some(String::from_utf8_lossy(&rest[..end]).into_owned()),
                    rest[end..].trim_ascii_start(),
                )
            }
        };
        let user = user.map(|user| user.split(':').next().unwrap_or_default().to_owned());
        jobs.push((
            index + 1,
            Job {
                user,
                command: unpercent(rest),
                variables: variables.clone(),
            },
        ));
    }
    jobs
}

fn assignment(line: &[u8]) -> Option<(String, String)> {
    let at = line.iter().position(|byte| *byte == b'=')?;
    let name = String::from_utf8_lossy(line[..at].trim_ascii())
        .trim_matches(['"', '\''])
        .to_owned();
    let is_name = !name.is_empty()
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        && !name.as_bytes()[0].is_ascii_digit();
    let value = String::from_utf8_lossy(line[at + 1..].trim_ascii())
        .trim_matches(['"', '\''])
        .to_owned();
    is_name.then_some((name, value))
}

fn skip_fields(line: &[u8], count: usize) -> Option<&[u8]> {
    let mut rest = line;
    for _ in 0..count {
        let end = rest.iter().position(u8::is_ascii_whitespace)?;
        rest = rest[end..].trim_ascii_start();
    }
    (!rest.is_empty()).then_some(rest)
}

/// A `%` ends the command, what follows is its input; `\%` is a percent sign.
fn unpercent(command: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut bytes = command.iter().peekable();
    while let Some(byte) = bytes.next() {
        match (byte, bytes.peek()) {
            (b'\\', Some(b'%')) => {
                out.push(b'%');
                bytes.next();
            }
            (b'%', _) => break,
            (byte, _) => out.push(*byte),
        }
    }
    out
}

/// Where a command's output goes, each place once. `cd` and assignments hold for what follows them.
pub fn outputs(command: &[u8], mut variables: Variables) -> Vec<Output> {
    let mut found: Vec<Output> = Vec::new();
    let home = variables.get(&b"HOME"[..]).cloned().unwrap_or_default();
    // The directory; what has no value in its name where that is not known.
    let mut cwd: Result<PathBuf, String> = Ok(Path::new("/").join(OsStr::from_bytes(&home)));
    for command in shell::commands(command) {
        for (name, value) in &command.assignments {
            match value.expand(&variables) {
                Ok(value) if command.words.is_empty() => {
                    variables.insert(name.clone().into_bytes(), value);
                }
                Err(_) if command.words.is_empty() => {
                    variables.remove(name.as_bytes());
                }
                _ => {}
            }
        }
        let mut files: Vec<&Word> = command.redirects.iter().map(|to| &to.target).collect();
        let program = command
            .words
            .first()
            .and_then(|word| word.expand(&variables).ok());
        match program
            .as_deref()
            .map(|name| name.rsplit(|b| *b == b'/').next().unwrap_or(name))
        {
            Some(b"cd") => match command.words.get(1).map(|word| word.expand(&variables)) {
                Some(Ok(dir)) => {
                    cwd = cwd.map(|cwd| cwd.join(OsStr::from_bytes(&dir)));
                    if dir.starts_with(b"/") {
                        cwd = Ok(PathBuf::from(OsStr::from_bytes(&dir)));
                    }
                }
                Some(Err(why)) => cwd = Err(why),
                None => {}
            },
            Some(b"tee") if command.piped => {
                let plain = command.words.iter().skip(1);
                files.extend(plain.filter(|word| !word.source().starts_with(b"-")));
            }
            Some(b"logger") if command.piped => add(&mut found, Output::Logger),
            _ => {}
        }
        for word in files {
            match (word.expand(&variables), &cwd) {
                (Ok(name), _) if name == b"/dev/null" || name.is_empty() => {}
                (Ok(name), _) if name.starts_with(b"/") => {
                    add(
                        &mut found,
                        Output::File(PathBuf::from(OsStr::from_bytes(&name))),
                    );
                }
                (Ok(name), Ok(cwd)) => {
                    add(&mut found, Output::File(cwd.join(OsStr::from_bytes(&name))));
                }
                (Ok(name), Err(why)) => add(&mut found, Output::Unknown(name, why.clone())),
                (Err(why), _) => add(&mut found, Output::Unknown(word.source(), why)),
            }
        }
    }
    found
}

fn add(found: &mut Vec<Output>, output: Output) {
    if !found.contains(&output) {
        found.push(output);
    }
}

#[cfg(test)]
mod tests {
    use super::{Output, jobs, outputs};
    use crate::shell::Variables;

    fn of(command: &[u8]) -> Vec<Output> {
        let variables: Variables = [
            (b"HOME".to_vec(), b"/root".to_vec()),
            (b"LOG".to_vec(), b"/l".to_vec()),
        ]
        .into();
        outputs(command, variables)
    }

    #[test]
    fn redirections() {
        let file = |name: &str| Output::File(name.into());
        assert_eq!(of(b"a >>/l/a.log 2>&1"), [file("/l/a.log")]);
        assert_eq!(
            of(b"cd /x && ./y > out.log 2>'e r.log'; z &>>/l/z >/dev/null"),
            [file("/x/out.log"), file("/x/e r.log"), file("/l/z")]
        );
        assert_eq!(of(b"./y >> log/rel.log"), [file("/root/log/rel.log")]);
        assert_eq!(
            of(b"a >> $LOG/a.log; b >> \"$HOME/b.log\""),
            [file("/l/a.log"), file("/root/b.log")]
        );
        assert_eq!(
            of(b"D=/d; a >> $D/a; b >> ~/c.log"),
            [file("/d/a"), file("/root/c.log")]
        );
        assert_eq!(
            of(b"a 2>&1 | tee -a /l/t | logger -t x"),
            [file("/l/t"), Output::Logger]
        );
        assert_eq!(
            of(b"a > /l/$(date +x).log; cd $NONE; b >> c"),
            [
                Output::Unknown(b"/l/$(date +x).log".to_vec(), "$(date +x)".to_owned()),
                Output::Unknown(b"c".to_vec(), "${NONE}".to_owned()),
            ]
        );
        assert_eq!(of(b"echo '> no' \">> no\" a\\>no 2>&1 <in"), []);
        assert_eq!(of(b"x 12> /y"), [file("/y")]);
    }

    #[test]
    fn lines_of_a_table() {
        let found = jobs(
            b"HOME=/h\n# c\n*/5 * * * * www-data a \\% b % c\n@daily root x\n",
            true,
        );
        assert_eq!(found.len(), 2);
        assert_eq!(
            (
                found[0].0,
                found[0].1.user.as_deref(),
                found[0].1.command.as_slice()
            ),
            (3, Some("www-data"), &b"a % b "[..])
        );
        assert_eq!(found[0].1.variables, [("HOME".to_owned(), "/h".to_owned())]);
        assert_eq!(found[1].1.command, b"x");
    }
}
