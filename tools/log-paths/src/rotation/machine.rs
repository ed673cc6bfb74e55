//! One file of logrotate's configuration, read byte by byte as logrotate's own reader does, with
//! the same blind spots: after an error a stanza is passed over up to a `}` at the very start of a
//! word, and some errors lose the rest of the file.

use super::cursor::Cursor;
use super::directive::{self, Done, Refused, Script};
use super::names;
use super::reader::Reader;
use super::stanza::{Mend, Refusal, Stanza};
use conf::Source;
use std::path::{Path, PathBuf};
use std::sync::Arc;

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Default,
    SkipLine,
    DefinitionEnd,
    Error,
    Script,
    ScriptLine,
    SkipConfig,
    SkipConfigLine,
    SkipConfigScript,
    SkipConfigScriptLine,
}

/// Reads a file; whether logrotate finds an error in it.
pub fn read(reader: &mut Reader<'_>, file: &Path, bytes: &[u8]) -> bool {
    Machine::new(reader, file, bytes).run()
}

struct Machine<'m, 'r, 'b> {
    reader: &'m mut Reader<'r>,
    file: Arc<Path>,
    cursor: Cursor<'b>,
    state: State,
    /// The stanza that is open, by its place in the list.
    stanza: Option<usize>,
    /// Whether a `}` would close it.
    in_config: bool,
    /// The script that is being read, and where its text begins.
    script: Option<(Script, usize)>,
    failed: bool,
}

/// Why the rest of a file is lost.
struct Lost(Refusal);

impl<'m, 'r, 'b> Machine<'m, 'r, 'b> {
    fn new(reader: &'m mut Reader<'r>, file: &Path, bytes: &'b [u8]) -> Self {
        Self {
            reader,
            file: Arc::from(file),
            cursor: Cursor { bytes, at: 0 },
            state: State::Default,
            stanza: None,
            in_config: false,
            script: None,
            failed: false,
        }
    }

    fn run(mut self) -> bool {
        while self.cursor.at < self.cursor.bytes.len() {
            if let Err(Lost(refusal)) = self.step() {
                self.drop_stanza(&refusal);
                self.lost(refusal);
                return true;
            }
            self.cursor.at += 1;
        }
        if let Some((_, start)) = self.script {
            let line = self.cursor.line_number(start);
            let message = "prerotate, postrotate or preremove without endscript".to_owned();
            let refusal = self.refusal(line, message, true, None);
            self.reader.error(&refusal);
            self.drop_stanza(&refusal);
            return true;
        }
        // A stanza that the end of the file cuts off stays in logrotate's list, whatever is wrong
        // with it.
        if let Some(stanza) = self
            .stanza
            .and_then(|at| self.reader.reading.stanzas.get_mut(at))
        {
            stanza.refused = None;
        }
        self.failed
    }

    fn step(&mut self) -> Result<(), Lost> {
        let Some(byte) = self.cursor.here() else {
            return Ok(());
        };
        let newline = byte == b'\n';
        match self.state {
            State::Default => return self.statement(byte),
            State::SkipLine if newline => self.state = State::Default,
            State::SkipConfigLine if newline => self.state = State::SkipConfig,
            State::ScriptLine if newline => self.state = State::Script,
            State::SkipConfigScriptLine if newline => self.state = State::SkipConfigScript,
            State::SkipLine
            | State::SkipConfigLine
            | State::ScriptLine
            | State::SkipConfigScriptLine => {}
            State::DefinitionEnd => match byte {
                b' ' | b'\t' => {}
                b'\n' => self.state = State::Default,
                _ => self.state = State::SkipLine,
            },
            State::Error => {
                self.failed = true;
                self.state = State::SkipConfig;
            }
            State::Script => self.script_line(false),
            State::SkipConfigScript => self.script_line(true),
            State::SkipConfig => self.skip_config(byte),
        }
        Ok(())
    }

    /// At the start of something: a directive, names, or a closing brace.
    fn statement(&mut self, byte: u8) -> Result<(), Lost> {
        match byte {
            b' ' | b'\t' | b'\n' => {}
            b'#' => self.state = State::SkipLine,
            byte if byte.is_ascii_alphabetic() => return self.keyword(),
            b'/' | b'"' | b'\'' | b'~' => return self.names(),
            b'}' => return self.close(),
            _ => {
                let message =
                    "lines must begin with a keyword or a filename (possibly in double quotes)";
                return self.refuse(self.cursor.at, message.to_owned(), None);
            }
        }
        Ok(())
    }

    fn keyword(&mut self) -> Result<(), Lost> {
        let start = self.cursor.at;
        let key = self.cursor.word();
        let after = self.cursor.here();
        if after.is_some_and(|byte| !byte.is_ascii_whitespace() && byte != 0x0b && byte != b'=') {
            let message = format!(
                "keyword '{}' not properly separated, found '{}'",
                String::from_utf8_lossy(&key),
                char::from(after.unwrap_or_default()).escape_default()
            );
            return self.refuse(start, message, None);
        }
        let inside = self.stanza.is_some();
        let reader = &mut *self.reader;
        let target = match self
            .stanza
            .and_then(|at| reader.reading.stanzas.get_mut(at))
        {
            Some(stanza) => stanza,
            None => &mut reader.global,
        };
        let (users, dialect) = (reader.users, reader.dialect);
        match directive::apply(&key, &mut self.cursor, target, inside, users, dialect) {
            Ok(Done::Applied) => {}
            Ok(Done::Script(script)) => {
                self.script = Some((script, self.cursor.at));
                self.state = State::Script;
            }
            Ok(Done::Include(path)) => {
                let line = self.cursor.line_number(start);
                self.failed |= self.reader.include(&self.file, line, &path, self.stanza);
            }
            Ok(Done::Taboo(endings, list)) => self.reader.set_taboo(endings, &list),
            Ok(Done::Unknown) => {
                if self.cursor.here().is_some_and(|byte| byte != b'\n') {
                    self.state = State::SkipLine;
                }
            }
            Err(Refused::Stanza(message, mend)) => return self.refuse(start, message, mend),
            Err(Refused::File(message, mend)) => {
                let line = self.cursor.line_number(start);
                return Err(Lost(self.refusal(line, message, true, mend)));
            }
            Err(Refused::Misplaced(message)) => {
                self.mark(start, message, None);
                self.state = State::Error;
            }
        }
        Ok(())
    }

    fn names(&mut self) -> Result<(), Lost> {
        let start = self.cursor.at;
        self.in_config = false;
        if self.stanza.is_some() {
            let message = "unexpected log filename".to_owned();
            let mend = Some(Mend::Before("}".to_owned()));
            self.mark(start, message.clone(), mend.clone());
            self.state = State::Error;
            self.swallowed(start, message, mend);
            return Ok(());
        }
        let line = self.cursor.line_number(start);
        let Some(text) = self.glob_text() else {
            let message = match self.cursor.here() {
                Some(_) => "unexpected } (missing previous '{')",
                None => "missing '{' after log files definition",
            };
            return Err(Lost(self.refusal(line, message.to_owned(), true, None)));
        };
        let words = names::words(&text).filter(|words| !words.is_empty());
        let Some(words) = words else {
            let message = "error parsing filename".to_owned();
            return Err(Lost(self.refusal(line, message, true, None)));
        };
        self.in_config = true;
        let opened = self.cursor.line_number(self.cursor.at);
        let source = Source::new(&self.file, line);
        let (index, duplicate) = self.reader.open(&words, source, opened);
        self.stanza = Some(index);
        self.failed |= duplicate;
        Ok(())
    }

    /// Names that logrotate passes over with the stanza before them, for the report.
    fn swallowed(&mut self, start: usize, message: String, mend: Option<Mend>) {
        let line = self.cursor.line_number(start);
        let text = self.glob_text();
        self.cursor.at = start;
        let Some(words) = text.and_then(|text| names::words(&text)) else {
            return;
        };
        let mut stanza = Stanza::new(Source::new(&self.file, line));
        stanza.patterns = words.iter().map(|name| names::path_of(name)).collect();
        stanza.compiled = names::compile(&stanza.patterns);
        stanza.refused = Some(self.refusal(line, message, false, mend));
        self.reader.reading.stanzas.push(stanza);
    }

    /// The text up to `{`, comment lines left out; `None` where a `}` or the end comes first.
    fn glob_text(&mut self) -> Option<Vec<u8>> {
        let mut out = Vec::new();
        let (mut start, mut comment) = (true, false);
        while let Some(byte) = self.cursor.here() {
            if start {
                comment = byte == b'#';
                start = !comment && byte.is_ascii_whitespace();
            } else if byte == b'\n' {
                (start, comment) = (true, false);
            }
            if !comment {
                match byte {
                    b'}' => return None,
                    b'{' => return Some(out),
                    _ => out.push(byte),
                }
            }
            self.cursor.at += 1;
        }
        None
    }

    fn close(&mut self) -> Result<(), Lost> {
        let line = self.cursor.line_number(self.cursor.at);
        let Some(index) = self.stanza.filter(|_| self.in_config) else {
            let message = match self.stanza {
                None => "unexpected }",
                Some(_) => "unexpected } (missing previous '{')",
            };
            return Err(Lost(self.refusal(line, message.to_owned(), true, None)));
        };
        if let Some((message, mend)) = self.reader.old_dir(index) {
            let at = self.directive_line(index, b"olddir").unwrap_or(line);
            return Err(Lost(self.refusal(at, message, true, Some(mend))));
        }
        if let Some(stanza) = self.reader.reading.stanzas.get_mut(index) {
            stanza.closed = Some(line);
        }
        self.in_config = false;
        self.stanza = None;
        self.state = State::DefinitionEnd;
        Ok(())
    }

    /// The line of the open stanza that begins with this directive.
    fn directive_line(&self, index: usize, name: &[u8]) -> Option<usize> {
        let first = self.reader.reading.stanzas.get(index)?.opened;
        let lines = self.cursor.bytes.split(|byte| *byte == b'\n').enumerate();
        lines
            .skip(first.saturating_sub(1))
            .find(|(_, line)| line.trim_ascii_start().starts_with(name))
            .map(|(at, _)| at + 1)
    }

    fn script_line(&mut self, skipping: bool) {
        let line = self.cursor.at;
        let key = self.cursor.word();
        if key == b"endscript" {
            if skipping {
                self.state = State::SkipConfig;
                return;
            }
            self.state = State::Default;
            if let Some((script, start)) = self.script.take() {
                let text = self
                    .cursor
                    .bytes
                    .get(start..line)
                    .unwrap_or_default()
                    .to_vec();
                self.keep(script, text);
            }
            return;
        }
        let ends = self.cursor.here() == Some(b'\n');
        self.state = match (ends, skipping) {
            (true, false) => State::Script,
            (true, true) => State::SkipConfigScript,
            (false, false) => State::ScriptLine,
            (false, true) => State::SkipConfigScriptLine,
        };
    }

    fn keep(&mut self, script: Script, text: Vec<u8>) {
        let reader = &mut *self.reader;
        let target = match self
            .stanza
            .and_then(|at| reader.reading.stanzas.get_mut(at))
        {
            Some(stanza) => stanza,
            None => &mut reader.global,
        };
        let scripts = &mut target.scripts;
        let place = match script {
            Script::First => &mut scripts.first,
            Script::Pre => &mut scripts.pre,
            Script::Post => &mut scripts.post,
            Script::Last => &mut scripts.last,
            Script::Remove => &mut scripts.remove,
        };
        *place = Some(text);
    }

    /// A stanza with an error is passed over; only a `}` that no blank of its line precedes ends
    /// it.
    fn skip_config(&mut self, byte: u8) {
        if byte == b'}' {
            self.state = State::Default;
            self.stanza = None;
            self.reader.drop_last(None);
            return;
        }
        let key = self.cursor.word();
        let scripts: &[&[u8]] = &[
            b"postrotate",
            b"prerotate",
            b"firstaction",
            b"lastaction",
            b"preremove",
        ];
        if scripts.contains(&key.as_slice()) {
            self.state = State::SkipConfigScript;
        } else if self.cursor.here().is_some_and(|byte| byte != b'\n') {
            self.state = State::SkipConfigLine;
        }
    }

    fn refusal(
        &self,
        line: usize,
        message: String,
        whole_file: bool,
        mend: Option<Mend>,
    ) -> Refusal {
        let text = self
            .cursor
            .bytes
            .split(|byte| *byte == b'\n')
            .nth(line.saturating_sub(1));
        let lines = text.and_then(|text| directive::one_a_line(std::str::from_utf8(text).ok()?));
        Refusal {
            source: Source::new(&self.file, line),
            message,
            whole_file,
            mend: mend.or(lines.map(Mend::Replace)),
        }
    }

    /// What RAISE_ERROR does: the stanza is passed over; outside of one the rest of the file is
    /// lost.
    fn refuse(&mut self, start: usize, message: String, mend: Option<Mend>) -> Result<(), Lost> {
        if self.stanza.is_none() {
            let line = self.cursor.line_number(start);
            return Err(Lost(self.refusal(line, message, true, mend)));
        }
        self.mark(start, message, mend);
        self.state = State::Error;
        Ok(())
    }

    fn mark(&mut self, start: usize, message: String, mend: Option<Mend>) {
        let line = self.cursor.line_number(start);
        let refusal = self.refusal(line, message, false, mend);
        self.reader.error(&refusal);
        if let Some(stanza) = self
            .stanza
            .and_then(|at| self.reader.reading.stanzas.get_mut(at))
        {
            stanza.refused.get_or_insert(refusal);
        }
    }

    fn drop_stanza(&mut self, refusal: &Refusal) {
        if self.stanza.take().is_some() {
            self.reader.drop_last(Some(refusal));
        }
    }

    /// The stanzas that logrotate does not get to see, for the report: names up to a `{`, until a
    /// line that begins with `}`.
    fn lost(&mut self, refusal: Refusal) {
        self.reader.error(&refusal);
        let bytes = self.cursor.bytes;
        let line_end = |at: usize| {
            let rest = bytes.get(at..).unwrap_or_default();
            at + rest.iter().take_while(|byte| **byte != b'\n').count()
        };
        let mut at = line_end(self.cursor.at);
        let mut open = false;
        while at < bytes.len() {
            let end = line_end(at + 1);
            let line = bytes.get(at + 1..end).unwrap_or_default().trim_ascii();
            let named = matches!(line.first(), Some(b'/' | b'"' | b'\''));
            if open {
                open = !line.starts_with(b"}");
            } else if let (true, Some(brace)) = (named, line.iter().position(|b| *b == b'{')) {
                let names: Vec<PathBuf> = names::words(&line[..brace])
                    .unwrap_or_default()
                    .iter()
                    .map(|name| names::path_of(name))
                    .collect();
                let number = self.cursor.line_number(at + 1);
                let mut stanza = Stanza::new(Source::new(&self.file, number));
                stanza.compiled = names::compile(&names);
                stanza.patterns = names;
                stanza.refused = Some(refusal.clone());
                self.reader.reading.stanzas.push(stanza);
                open = !line.contains(&b'}');
            }
            at = end;
        }
    }
}
