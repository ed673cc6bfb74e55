//! A crontab's lines, and the redirections of a shell command.

/// One job.
#[derive(Debug)]
pub struct Job {
    /// Its user, where the line names one.
    pub user: Option<String>,
    /// The command, as the shell gets it.
    pub command: Vec<u8>,
    /// HOME, where the table sets it.
    pub home: Option<String>,
}

/// Where output goes.
#[derive(Debug, PartialEq, Eq)]
pub enum Word {
    /// This file.
    File(Vec<u8>),
    /// A name that only the shell would know.
    Unknown(Vec<u8>),
    /// logger(1).
    Logger,
}

/// The jobs of a table; `system` tables name the user on each line.
pub fn jobs(bytes: &[u8], system: bool) -> Vec<(usize, Job)> {
    let mut jobs = Vec::new();
    let mut home = None;
    for (index, line) in bytes.split(|byte| *byte == b'\n').enumerate() {
        let line = line.trim_ascii_start();
        if line.is_empty() || line.starts_with(b"#") {
            continue;
        }
        if let Some((name, value)) = assignment(line) {
            if name == "HOME" {
                home = Some(value);
            }
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
                home: home.clone(),
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

/// Where a command's output goes, each place once.
pub fn outputs(command: &[u8]) -> Vec<Word> {
    let mut found: Vec<Word> = Vec::new();
    let mut at = 0;
    let mut piped = false;
    while at < command.len() {
        let (word, next, operator) = next_word(command, at);
        let target = match operator {
            Some(Operator::Redirect) => {
                let (name, after, _) = next_word(command, next);
                at = after;
                name
            }
            Some(Operator::Pipe) => {
                piped = true;
                at = next;
                continue;
            }
            Some(Operator::Other) => {
                at = next;
                piped = false;
                continue;
            }
            None if piped => {
                piped = false;
                at = next;
                match word.as_ref().map(|word| word.text.as_slice()) {
                    Some(b"tee") => tee(command, &mut at),
                    Some(text) if text == b"logger" || text.ends_with(b"/logger") => {
                        add(&mut found, Word::Logger);
                        None
                    }
                    _ => None,
                }
            }
            None => {
                at = next.max(at + 1);
                None
            }
        };
        if let Some(target) = target.filter(|target| {
            target.text != b"/dev/null" && !target.text.starts_with(b"&") && !target.text.is_empty()
        }) {
            add(
                &mut found,
                if target.fixed {
                    Word::File(target.text)
                } else {
                    Word::Unknown(target.text)
                },
            );
        }
    }
    found
}

fn add(found: &mut Vec<Word>, word: Word) {
    if !found.contains(&word) {
        found.push(word);
    }
}

/// `tee [-a] FILE`.
fn tee(command: &[u8], at: &mut usize) -> Option<Shell> {
    loop {
        let (word, next, operator) = next_word(command, *at);
        if operator.is_some() {
            return None;
        }
        *at = next.max(*at + 1);
        match word {
            Some(word) if word.text.starts_with(b"-") => {}
            other => return other,
        }
    }
}

/// A word of shell.
struct Shell {
    text: Vec<u8>,
    /// Does it say what it is, without the shell filling anything in?
    fixed: bool,
}

enum Operator {
    Redirect,
    Pipe,
    Other,
}

/// The next word or operator from `at`, and where it ends.
fn next_word(command: &[u8], at: usize) -> (Option<Shell>, usize, Option<Operator>) {
    let mut at = at
        + command[at..]
            .iter()
            .take_while(|byte| byte.is_ascii_whitespace())
            .count();
    let rest = &command[at..];
    let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let after = &rest[digits..];
    let redirect: Option<usize> = [&b"&>>"[..], b"&>", b">>", b">|", b">"]
        .iter()
        .find(|operator| after.starts_with(operator))
        .map(|operator| operator.len());
    if let Some(width) = redirect {
        let end = at + digits + width;
        // `>&2` and `2>&1` join streams; they name no file.
        if command[end..].starts_with(b"&") {
            let number = command[end + 1..]
                .iter()
                .take_while(|byte| byte.is_ascii_digit() || **byte == b'-')
                .count();
            return (None, end + 1 + number, Some(Operator::Other));
        }
        return (None, end, Some(Operator::Redirect));
    }
    match rest.first() {
        Some(b'#') => return (None, command.len(), Some(Operator::Other)),
        Some(b'|') if rest.get(1) != Some(&b'|') => return (None, at + 1, Some(Operator::Pipe)),
        Some(b';' | b'|' | b'&' | b'(' | b')' | b'<' | b'\n') => {
            return (None, at + 1, Some(Operator::Other));
        }
        _ => {}
    }
    let mut word = Shell {
        text: Vec::new(),
        fixed: true,
    };
    let (mut single, mut double) = (false, false);
    while let Some(byte) = command.get(at) {
        match byte {
            b'\'' if !double => single = !single,
            b'"' if !single => double = !double,
            b'\\' if !single => {
                at += 1;
                word.text.extend(command.get(at));
            }
            b'$' | b'`' if !single => {
                word.fixed = false;
                word.text.push(*byte);
                if command.get(at + 1) == Some(&b'(') {
                    let end = command[at..]
                        .iter()
                        .position(|byte| *byte == b')')
                        .map_or(command.len(), |end| at + end + 1);
                    word.text.extend_from_slice(&command[at + 1..end]);
                    at = end;
                    continue;
                }
            }
            b'*' | b'?' | b'~' if !single && !double => {
                word.fixed = false;
                word.text.push(*byte);
            }
            b' ' | b'\t' | b'\n' | b';' | b'|' | b'&' | b'<' | b'>' | b'(' | b')'
                if !single && !double =>
            {
                break;
            }
            byte => word.text.push(*byte),
        }
        at += 1;
    }
    (Some(word), at, None)
}

#[cfg(test)]
mod tests {
    use super::{Word, jobs, outputs};

    #[test]
    fn redirections() {
        let file = |name: &str| Word::File(name.as_bytes().to_vec());
        assert_eq!(outputs(b"a >>/l/a.log 2>&1"), [file("/l/a.log")]);
        assert_eq!(
            outputs(b"cd /x && ./y > out.log 2>'e r.log'; z &>>/l/z >/dev/null"),
            [file("out.log"), file("e r.log"), file("/l/z")]
        );
        assert_eq!(
            outputs(b"a 2>&1 | tee -a /l/t | logger -t x"),
            [file("/l/t"), Word::Logger]
        );
        assert_eq!(
            outputs(b"a > /l/$(date +x).log; b >> ~/c.log"),
            [
                Word::Unknown(b"/l/$(date +x).log".to_vec()),
                Word::Unknown(b"~/c.log".to_vec())
            ]
        );
        assert_eq!(outputs(b"echo '> no' \">> no\" a\\>no 2>&1 <in"), []);
        assert_eq!(outputs(b"x 12> y"), [file("y")]);
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
        assert_eq!(found[0].1.home.as_deref(), Some("/h"));
        assert_eq!(found[1].1.command, b"x");
    }
}
