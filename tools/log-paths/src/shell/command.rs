//! Simple commands of a shell text, in order: their words, assignments, redirections, and whether
//! the one before is piped into them.
//!
//! Control flow is flattened: what stands in `if`, `while` and `{ … }` counts, and is marked as
//! conditional.

use super::lexer::{Token, Word, tokens};

/// Where a stream of a command goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Redirect {
    /// The file.
    pub target: Word,
    /// Whether the file is appended to.
    pub appends: bool,
    /// Whether the redirection holds for every command that follows (`exec >file`).
    pub descriptors: (bool, bool),
}

/// One simple command.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Simple {
    /// `NAME=value` before the words.
    pub assignments: Vec<(String, Word)>,
    /// The words; empty where there are only assignments or redirections.
    pub words: Vec<Word>,
    /// The files that its streams go to.
    pub redirects: Vec<Redirect>,
    /// Whether the command before writes into this one.
    pub piped: bool,
    /// Whether the command stands in an `if`, a loop, or behind `||` or `&&`.
    pub conditional: bool,
}

const OPENING: &[&[u8]] = &[
    b"if", b"then", b"else", b"elif", b"while", b"until", b"do", b"!", b"{", b"time",
];
const CLOSING: &[&[u8]] = &[b"fi", b"done", b"}", b"esac"];

/// Reads the commands of a text.
#[must_use]
pub fn commands(text: &[u8]) -> Vec<Simple> {
    let mut out = Vec::new();
    let mut now = Simple::default();
    let mut depth = 0usize;
    let mut tokens = tokens(text).into_iter().peekable();
    while let Some(token) = tokens.next() {
        match token {
            Token::Word(word) => take(word, &mut now, &mut depth),
            Token::Output(fd, appends) => {
                if let Some(Token::Word(target)) = tokens.next_if(|t| matches!(t, Token::Word(_))) {
                    now.redirects.push(Redirect {
                        target,
                        appends,
                        descriptors: (fd == 1, fd == 2),
                    });
                }
            }
            Token::Both(appends) => {
                if let Some(Token::Word(target)) = tokens.next_if(|t| matches!(t, Token::Word(_))) {
                    now.redirects.push(Redirect {
                        target,
                        appends,
                        descriptors: (true, true),
                    });
                }
            }
            Token::Joined(from, to) => join(&mut now, from, to),
            Token::Input => drop(tokens.next_if(|token| matches!(token, Token::Word(_)))),
            Token::Pipe => {
                finish(&mut now, &mut out, depth > 0);
                now.piped = true;
            }
            Token::End(mark) => {
                finish(&mut now, &mut out, depth > 0);
                if matches!(mark, b'|') {
                    now.conditional = true;
                }
            }
        }
    }
    finish(&mut now, &mut out, depth > 0);
    out
}

fn take(word: Word, now: &mut Simple, depth: &mut usize) {
    let source = word.source();
    if now.words.is_empty() && !word.quoted {
        if OPENING.contains(&source.as_slice()) {
            *depth += usize::from(matches!(source.as_slice(), b"if" | b"while" | b"until"));
            return;
        }
        if CLOSING.contains(&source.as_slice()) {
            *depth = depth.saturating_sub(usize::from(source != b"}"));
            return;
        }
    }
    if now.words.is_empty() {
        if let Some((name, value)) = assignment(&word) {
            now.assignments.push((name, value));
            return;
        }
    }
    now.words.push(word);
}

/// `NAME=value`, the value still a word.
fn assignment(word: &Word) -> Option<(String, Word)> {
    use super::lexer::Part;
    let [Part::Text(first), rest @ ..] = word.parts.as_slice() else {
        return None;
    };
    let at = first.iter().position(|byte| *byte == b'=')?;
    let name = &first[..at];
    let is_name = name.first().is_some_and(|byte| !byte.is_ascii_digit())
        && name
            .iter()
            .all(|byte| byte.is_ascii_alphanumeric() || *byte == b'_');
    if !is_name {
        return None;
    }
    let mut parts = vec![Part::Text(first[at + 1..].to_vec())];
    parts.extend_from_slice(rest);
    Some((
        String::from_utf8_lossy(name).into_owned(),
        Word {
            parts,
            quoted: word.quoted,
        },
    ))
}

/// `2>&1` sends the one stream where the other goes.
fn join(now: &mut Simple, from: u32, to: u32) {
    let (one, other) = match (from, to) {
        (2, 1) => (true, false),
        (1, 2) => (false, true),
        _ => return,
    };
    let found = now.redirects.iter_mut().rev().find(|redirect| {
        let (stdout, stderr) = redirect.descriptors;
        one && stdout || other && stderr
    });
    if let Some(redirect) = found {
        redirect.descriptors = (true, true);
    }
}

fn finish(now: &mut Simple, out: &mut Vec<Simple>, conditional: bool) {
    let mut done = std::mem::take(now);
    done.conditional |= conditional;
    let empty = done.words.is_empty() && done.redirects.is_empty() && done.assignments.is_empty();
    if !empty {
        out.push(done);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::super::Variables;
    use super::*;

    fn shown(text: &str) -> Vec<String> {
        let line = |command: &Simple| {
            let words: Vec<String> = command
                .words
                .iter()
                .map(|word| String::from_utf8(word.source()).unwrap())
                .collect();
            let files: Vec<String> = command
                .redirects
                .iter()
                .map(|redirect| {
                    let mark = if redirect.appends { ">>" } else { ">" };
                    format!(
                        "{mark}{}",
                        String::from_utf8(redirect.target.source()).unwrap()
                    )
                })
                .collect();
            [words, files].concat().join(" ")
        };
        commands(text.as_bytes()).iter().map(line).collect()
    }

    #[test]
    fn commands_and_their_files() {
        assert_eq!(
            shown("cd /x && ./y >> out.log 2>'e r.log'; z &>>/l/z >/dev/null"),
            ["cd /x", "./y >>out.log >e r.log", "z >>/l/z >/dev/null"]
        );
        assert_eq!(
            shown("if [ -f /run/n.pid ]; then\n kill -USR1 `cat /run/n.pid`\nfi"),
            [
                "$(x) [ -f /run/n.pid ]".replace("$(x) ", ""),
                "kill -USR1 $(cat /run/n.pid)".into()
            ]
        );
        assert_eq!(
            shown("echo '> no' \">> no\" a\\>no 2>&1 <in # > no"),
            ["echo > no >> no a>no"]
        );
        assert_eq!(shown("x 12> y"), ["x >y"]);
        let both = commands(b"a >>/l 2>&1");
        assert_eq!(both[0].redirects[0].descriptors, (true, true));
    }

    #[test]
    fn words_with_variables() {
        let variables: Variables = [(b"DIR".to_vec(), b"/l".to_vec())].into();
        let value = |text: &str| {
            commands(text.as_bytes())[0].words[0]
                .expand(&variables)
                .map(|bytes| String::from_utf8(bytes).unwrap())
        };
        assert_eq!(value("$DIR/a.log"), Ok("/l/a.log".into()));
        assert_eq!(value("\"${DIR}/b\"'$DIR'"), Ok("/l/b$DIR".into()));
        assert_eq!(value("${NONE:-/d}/c"), Ok("/d/c".into()));
        assert_eq!(value("/x/$NONE"), Err("${NONE}".into()));
        assert_eq!(value("/x/$(date +%F)"), Err("$(date +%F)".into()));
        assert_eq!(value("~/c.log"), Err("~".into()));
        let assigned = commands(b"A=1 B=\"$DIR\" run x=y");
        assert_eq!(assigned[0].assignments.len(), 2);
        assert_eq!(assigned[0].words.len(), 2);
    }
}
