//! The Caddyfile: tokens, `{$ENV:default}`, snippets with arguments, imports, and the `log`
//! directives of it all.

mod heredoc;
mod lexer;

use crate::log::Kind;
use conf::files::{DEPTH, Files, MOST};
use conf::{Error, Kind as Trouble, Source};
use lexer::{Token, tokens};
use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::Arc;

/// One log.
#[derive(Clone, Debug)]
pub struct Log {
    /// Of a site, or of Caddy itself.
    pub kind: Kind,
    /// Where it goes.
    pub output: Output,
    /// Where that is said.
    pub source: Source,
}

/// `output …`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// stdout or stderr.
    Stream(&'static str),
    /// Nowhere.
    Discard,
    /// A file, which Caddy rolls unless it is told not to.
    File {
        /// Its name, placeholders and all.
        name: Vec<u8>,
        /// Does Caddy roll it?
        rolls: bool,
    },
    /// An address.
    Net(String),
    /// Another module's.
    Other(String),
}

/// What was read.
#[derive(Default)]
pub struct Read {
    pub logs: Vec<Log>,
    pub errors: Vec<Error>,
}

struct Reader<'a> {
    files: &'a Files,
    env: &'a BTreeMap<OsString, OsString>,
    snippets: BTreeMap<Vec<u8>, Vec<Token>>,
    read: Read,
    imports: usize,
    /// Where the logs of sites go that say nothing themselves.
    default: Option<Output>,
    /// Sites that leave it to the default.
    bare: Vec<Source>,
}

/// Reads a Caddyfile and what it imports.
pub fn read(files: &Files, path: &Path, bytes: &[u8], env: &BTreeMap<OsString, OsString>) -> Read {
    let mut reader = Reader {
        files,
        env,
        snippets: BTreeMap::new(),
        read: Read::default(),
        imports: 0,
        default: None,
        bare: Vec::new(),
    };
    let file: Arc<Path> = Arc::from(path);
    match tokens(&file, bytes, env) {
        Ok(tokens) => reader.top(&tokens, 0),
        Err(error) => reader.read.errors.push(error),
    }
    // A site's `log` without an output of its own goes where the default logger's does.
    let output = reader.default.unwrap_or(Output::Stream("stderr"));
    let bare = reader.bare.into_iter().map(|source| Log {
        kind: Kind::Access,
        output: output.clone(),
        source,
    });
    reader.read.logs.extend(bare.collect::<Vec<_>>());
    reader.read
}

impl Reader<'_> {
    /// Sites, snippets, the global options, and imports of any of them.
    fn top(&mut self, tokens: &[Token], depth: usize) {
        let mut at = 0;
        while at < tokens.len() {
            let start = at;
            if tokens[at].is("{") && tokens[at].first_of_line(tokens, at) {
                let (body, next) = block(tokens, at);
                self.body(body, true, depth);
                at = next;
                continue;
            }
            if tokens[at].is("import") {
                let line = line_end(tokens, at);
                let imported = self.import(&tokens[at..line], depth);
                self.top(&imported, depth + 1);
                at = line;
                continue;
            }
            while at < tokens.len() && !tokens[at].opens(tokens, at) {
                at += 1;
                // An address list goes over the line's end only after a comma.
                let ended = tokens
                    .get(at)
                    .is_some_and(|token| token.first_of_line(tokens, at))
                    && !tokens[at - 1].text.ends_with(b",");
                if ended && !tokens[at].opens(tokens, at) {
                    break;
                }
            }
            let named = tokens[start].snippet();
            if !tokens.get(at).is_some_and(|token| token.opens(tokens, at)) {
                // A file of one site needs no braces.
                self.body(&tokens[at..], false, depth);
                return;
            }
            let (body, next) = block(tokens, at);
            match named {
                Some(name) => drop(self.snippets.insert(name, body.to_vec())),
                None => self.body(body, false, depth),
            }
            at = next;
        }
    }

    /// The directives of a site, or the global options.
    fn body(&mut self, tokens: &[Token], global: bool, depth: usize) {
        let mut at = 0;
        while at < tokens.len() {
            let line = line_end(tokens, at);
            let words = &tokens[at..line];
            let opens = words.last().is_some_and(|token| token.is("{"));
            let (inner, next) = if opens {
                block(tokens, line - 1)
            } else {
                (&tokens[line..line], line)
            };
            if words[0].is("import") {
                let imported = self.import(words, depth);
                self.body(&imported, global, depth + 1);
            } else if words[0].is("log") {
                self.log(words, inner, global, depth);
            }
            at = next;
        }
    }

    fn log(&mut self, words: &[Token], inner: &[Token], global: bool, depth: usize) {
        let inner = self.imported(inner, depth);
        let found = output(&inner);
        let source = found
            .as_ref()
            .map_or_else(|| words[0].source.clone(), |(_, source)| source.clone());
        let named = words.get(1).filter(|word| !word.is("{"));
        if !global {
            match found {
                Some((output, _)) => self.read.logs.push(Log {
                    kind: Kind::Access,
                    output,
                    source,
                }),
                None => self.bare.push(source),
            }
            return;
        }
        let output = found.map_or(Output::Stream("stderr"), |(output, _)| output);
        if named.is_none_or(|name| name.is("default")) {
            self.default = Some(output.clone());
        }
        self.read.logs.push(Log {
            kind: Kind::Error,
            output,
            source,
        });
    }

    /// A block with the imports in it put in.
    fn imported(&mut self, tokens: &[Token], depth: usize) -> Vec<Token> {
        let mut out = Vec::new();
        let mut at = 0;
        while at < tokens.len() {
            let line = line_end(tokens, at);
            if tokens[at].is("import") {
                let imported = self.import(&tokens[at..line], depth);
                out.extend(self.imported(&imported, depth + 1));
            } else {
                out.extend_from_slice(&tokens[at..line]);
            }
            at = line;
        }
        out
    }

    /// `import NAME ARGS…`: a snippet, or files.
    fn import(&mut self, words: &[Token], depth: usize) -> Vec<Token> {
        let Some(name) = words.get(1) else {
            return Vec::new();
        };
        let arguments: Vec<&[u8]> = words[2..]
            .iter()
            .take_while(|word| !word.is("{"))
            .map(|word| word.text.as_slice())
            .collect();
        self.imports += 1;
        if depth >= DEPTH || self.imports > MOST {
            let message = format!(
                "imports go in a circle or too deep: {}",
                String::from_utf8_lossy(&name.text)
            );
            self.read
                .errors
                .push(Error::at(Trouble::Loop, &name.source, message));
            return Vec::new();
        }
        if let Some(snippet) = self.snippets.get(&name.text) {
            return snippet.iter().map(|token| token.with(&arguments)).collect();
        }
        let pattern = name
            .source
            .file
            .parent()
            .unwrap_or(Path::new("/"))
            .join(OsStr::from_bytes(&name.text));
        let matched = self.files.glob(&pattern);
        if matched.is_empty() && !conf::pattern::is_pattern(&name.text) {
            let message = format!("imports {}: no such file or snippet", pattern.display());
            self.read
                .errors
                .push(Error::at(Trouble::Missing, &name.source, message));
        }
        let mut out = Vec::new();
        for path in matched {
            let file: Arc<Path> = Arc::from(path.as_path());
            let read = self
                .files
                .read(&path)
                .and_then(|bytes| tokens(&file, &bytes, self.env));
            match read {
                Ok(tokens) => out.extend(tokens.iter().map(|token| token.with(&arguments))),
                Err(error) => self.read.errors.push(Error::at(
                    error.kind,
                    &name.source,
                    format!("imports {error}"),
                )),
            }
        }
        out
    }
}

/// The last `output` of a log's block.
fn output(tokens: &[Token]) -> Option<(Output, Source)> {
    let mut found = None;
    let mut at = 0;
    while at < tokens.len() {
        let line = line_end(tokens, at);
        let words = &tokens[at..line];
        let opens = words.last().is_some_and(|token| token.is("{"));
        let (inner, next) = if opens {
            block(tokens, line - 1)
        } else {
            (&tokens[line..line], line)
        };
        if words[0].is("output") {
            let text = |index: usize| {
                words
                    .get(index)
                    .map(|word| String::from_utf8_lossy(&word.text).into_owned())
                    .unwrap_or_default()
            };
            let output = match text(1).as_str() {
                "stdout" => Output::Stream("stdout"),
                "stderr" => Output::Stream("stderr"),
                "discard" => Output::Discard,
                "net" => Output::Net(text(2)),
                "file" => {
                    let rolls = !inner.iter().any(|token| token.is("roll_disabled"));
                    Output::File {
                        name: words
                            .get(2)
                            .map(|word| word.text.clone())
                            .unwrap_or_default(),
                        rolls,
                    }
                }
                other => Output::Other(other.to_owned()),
            };
            found = Some((output, words[0].source.clone()));
        }
        at = next;
    }
    found
}

/// Where the tokens of a line end.
fn line_end(tokens: &[Token], at: usize) -> usize {
    (at + 1..tokens.len())
        .find(|index| tokens[*index].first_of_line(tokens, *index))
        .unwrap_or(tokens.len())
}

/// What stands between the brace at `at` and its partner, and where it goes on.
fn block(tokens: &[Token], at: usize) -> (&[Token], usize) {
    let mut depth = 1usize;
    for index in at + 1..tokens.len() {
        if tokens[index].opens(tokens, index) {
            depth += 1;
        } else if tokens[index].is("}") {
            depth -= 1;
            if depth == 0 {
                return (&tokens[at + 1..index], index + 1);
            }
        }
    }
    (&tokens[(at + 1).min(tokens.len())..], tokens.len())
}
