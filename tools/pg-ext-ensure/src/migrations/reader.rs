//! One migration: which extensions it creates and drops, and what in it only running it would tell.
//!
//! An extension that is created under a condition counts. Strings that hold `CREATE EXTENSION` and
//! that no operation of the migration is seen to run are unknown, as is everything whose SQL or
//! name is not written down.

use std::collections::BTreeSet;
use std::path::Path;

use pysource::Token;

use super::operations::{self, Operation};
use super::project::Project;
use super::python::{Call, Hint, Module, Span, Value};
use super::sql::{self, Effect};

/// One thing that a migration does, or may do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The line.
    pub line: usize,
    /// What was found.
    pub what: What,
}

/// What was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// The migration creates this extension.
    Creates {
        /// The extension.
        name: String,
        /// The schema, where the migration names one.
        schema: Option<String>,
        /// The operation: `TrigramExtension`, `RunSQL`.
        by: String,
    },
    /// The migration drops this extension.
    Drops(String),
    /// The migration may create an extension, and does not say which one.
    Unknown(String),
    /// The migration runs something that was not read and shows no sign of an extension.
    Unread(String),
}

/// Reads one migration.
pub fn read(source: &[u8], path: &Path, project: &Project) -> Vec<Finding> {
    let module = match Module::read(source) {
        Ok(module) => module,
        Err(line) => {
            let what = What::Unknown("a string or a bracket is never closed".to_string());
            return vec![Finding { line, what }];
        }
    };
    let mut reader = Reader {
        module: &module,
        path,
        project,
        never: Vec::new(),
        read_functions: BTreeSet::new(),
        found: Vec::new(),
    };
    reader.read();
    let mut found = reader.found;
    found.sort_by_key(|finding| finding.line);
    found.dedup();
    found
}

struct Reader<'a> {
    module: &'a Module,
    path: &'a Path,
    project: &'a Project,
    /// What a forward migration does not run.
    never: Vec<Span>,
    /// Functions whose SQL was read.
    read_functions: BTreeSet<String>,
    found: Vec<Finding>,
}

impl Reader<'_> {
    fn read(&mut self) {
        let calls = self.module.calls(0, self.module.lines.len());
        for call in &calls {
            self.exclude(call);
        }
        for call in &calls {
            if !self.is_never(call.span) {
                self.call(call);
            }
        }
        self.fields_of_postgis();
        self.references();
        self.leftovers();
        if self.module.is_exhausted() {
            let what = "the file refers to itself too often to be read whole";
            self.add(1, What::Unknown(what.to_string()));
        }
    }

    fn add(&mut self, line: usize, what: What) {
        self.found.push(Finding { line, what });
    }

    fn is_never(&self, span: Span) -> bool {
        self.never
            .iter()
            .any(|never| never.line == span.line && never.from <= span.from && span.to <= never.to)
    }

    fn operations(&self, call: &Call) -> Vec<Operation> {
        let names = self.module.full_names(&call.callee, call.span.line);
        names
            .iter()
            .filter_map(|full| operations::of(full))
            .collect()
    }

    /// Reverse statements, and what only the state gets.
    fn exclude(&mut self, call: &Call) {
        for operation in self.operations(call) {
            let never = match operation {
                Operation::Separate => call.argument(1, "state_operations"),
                Operation::RunSql => call.argument(1, "reverse_sql"),
                Operation::RunPython => call.argument(1, "reverse_code"),
                _ => None,
            };
            let Some(span) = never else { continue };
            self.never.push(span);
            // Looked at, and not run.
            self.module.value(span);
            if operation == Operation::RunPython {
                self.see_function(span);
            }
        }
    }

    fn see_function(&self, span: Span) {
        let [Token::Name(name)] = self.module.tokens(span) else {
            return;
        };
        let Some(block) = self.module.block(name, false) else {
            return;
        };
        let names = |token: &Token| matches!(token, Token::Name(word) if word == name);
        let uses = self
            .module
            .lines
            .iter()
            .flat_map(|line| &line.tokens)
            .filter(|t| names(t))
            .count();
        // Its definition and this use: nothing else runs it.
        if uses == 2 {
            for line in block.head..block.end {
                let to = self.module.lines[line].tokens.len();
                self.module.see(Span { line, from: 0, to });
            }
        }
    }

    fn call(&mut self, call: &Call) {
        let line = self.module.number(call.span);
        for operation in self.operations(call) {
            match operation {
                Operation::Creates(name) => self.creates(line, name, call),
                Operation::CreatesNamed => self.creates_named(line, call),
                Operation::RunSql => self.run_sql(line, call),
                Operation::RunPython => self.run_python(line, call),
                Operation::Separate => {}
            }
        }
        self.own_class(line, call);
    }

    fn creates(&mut self, line: usize, name: &str, call: &Call) {
        let by = call.callee.last().cloned().unwrap_or_default();
        let what = What::Creates {
            name: name.to_string(),
            schema: None,
            by,
        };
        self.add(line, what);
    }

    fn creates_named(&mut self, line: usize, call: &Call) {
        let value = call.argument(0, "name").map(|span| self.module.value(span));
        match value {
            Some(Value::Text(name)) if !name.is_empty() => self.creates(line, &name, call),
            _ => {
                let callee = call.callee.join(".");
                self.add(
                    line,
                    What::Unknown(format!(
                        "{callee} with a name that is not written in the migration"
                    )),
                );
            }
        }
    }

    /// A subclass of `CreateExtension` in the migration itself, or in a module of the project.
    fn own_class(&mut self, line: usize, call: &Call) {
        let names = self.module.full_names(&call.callee, call.span.line);
        if names.iter().any(|full| operations::of(full).is_some()) {
            return;
        }
        for full in &names {
            match self.project.extension(self.module, full, self.path) {
                Some(Some(name)) => return self.creates(line, &name, call),
                Some(None) => return self.creates_named(line, call),
                None => {}
            }
        }
        let first = call.callee.first();
        let is_imported = self
            .module
            .imported()
            .any(|(name, _)| first.is_some_and(|first| first == name));
        let last = call.callee.last().map_or("", String::as_str);
        if is_imported && last.ends_with("Extension") {
            let module = names.first().map_or("", |full| module_of(full));
            let what = format!("{last} of the module '{module}', which was not read");
            self.add(line, What::Unknown(what));
        }
    }

    fn run_sql(&mut self, line: usize, call: &Call) {
        let Some(span) = call.argument(0, "sql") else {
            return self.add(line, What::Unknown("RunSQL without its SQL".to_string()));
        };
        let value = self.module.value(span);
        self.statements(self.module.number(span), &value, "RunSQL");
    }

    /// What SQL does: a text, a list of texts, or a list of texts with their parameters.
    fn statements(&mut self, line: usize, value: &Value, by: &str) {
        match value {
            Value::Text(text) => {
                for effect in sql::effects(text) {
                    self.effect(line, effect, by);
                }
            }
            Value::List(parts) => {
                for part in parts {
                    match part {
                        // A statement and its parameters.
                        Value::List(pair) => {
                            if let Some(statement) = pair.first() {
                                self.statements(line, statement, by);
                            }
                        }
                        part => self.statements(line, part, by),
                    }
                }
            }
            Value::Nothing => {}
            Value::Unknown(Hint::OtherSql) => {
                self.add(
                    line,
                    What::Unread(format!("{by} with SQL that is put together when it runs")),
                );
            }
            Value::Unknown(_) => {
                self.add(
                    line,
                    What::Unknown(format!(
                        "{by} with SQL that is not written in the migration"
                    )),
                );
            }
        }
    }

    fn effect(&mut self, line: usize, effect: Effect, by: &str) {
        let what = match effect {
            Effect::Create { name, schema } => What::Creates {
                name,
                schema,
                by: by.to_string(),
            },
            Effect::Drop { name } => What::Drops(name),
            Effect::Unclear => What::Unknown(format!(
                "{by} with a CREATE EXTENSION whose name is not written there"
            )),
        };
        self.add(line, what);
    }

    fn run_python(&mut self, line: usize, call: &Call) {
        let Some(span) = call.argument(0, "code") else {
            return;
        };
        let tokens = self.module.tokens(span);
        if matches!(tokens, [.., Token::Name(last)] if last == "noop") {
            return;
        }
        let name = match tokens {
            [Token::Name(name)] => Some(name.clone()),
            _ => None,
        };
        let shown = match &name {
            Some(name) => format!("RunPython of '{name}'"),
            None => "RunPython".to_string(),
        };
        if let Some(name) = &name {
            self.function(name);
        }
        self.add(line, What::Unread(shown));
    }

    /// The SQL that a function runs, and the functions that it calls.
    fn function(&mut self, name: &str) {
        let Some(block) = self.module.block(name, false) else {
            return;
        };
        if !self.read_functions.insert(name.to_string()) {
            return;
        }
        for call in self.module.calls(block.head, block.end) {
            match call.callee.as_slice() {
                [.., method] if method == "execute" || method == "executescript" => {
                    let Some(span) = call.argument(0, "sql") else {
                        continue;
                    };
                    let value = self.module.value(span);
                    // What no string of the migration shows is part of what RunPython does not
                    // tell.
                    if !matches!(value, Value::Unknown(Hint::Nothing | Hint::OtherSql)) {
                        self.statements(self.module.number(span), &value, "RunPython");
                    }
                }
                [other] => self.function(other),
                _ => {}
            }
        }
    }

    /// GeoDjango's backend creates PostGIS before the first migration.
    fn fields_of_postgis(&mut self) {
        let of_gis =
            |full: &str| full == "django.contrib.gis" || full.starts_with("django.contrib.gis.");
        let imported = self.module.imported().any(|(_, full)| of_gis(full));
        for (at, line) in self.module.lines.iter().enumerate() {
            let written = line.tokens.iter().filter_map(|token| match token {
                Token::Name(name) => Some(name.as_str()),
                _ => None,
            });
            let words: Vec<&str> = written.collect();
            let names_gis = words
                .windows(3)
                .any(|three| three == ["django", "contrib", "gis"]);
            if names_gis && (imported || self.module.is_import(at)) {
                let what = What::Creates {
                    name: "postgis".to_string(),
                    schema: None,
                    by: "django.contrib.gis".to_string(),
                };
                return self.add(line.number, what);
            }
        }
    }

    /// An operation that is named and not called where it is named: `[op() for op in (A, B)]`.
    fn references(&mut self) {
        for at in 0..self.module.lines.len() {
            let line = &self.module.lines[at];
            if self.module.is_import(at) || line.keyword() == Some("class") {
                continue;
            }
            for (token, name) in line.tokens.iter().enumerate() {
                let Token::Name(name) = name else { continue };
                let next = line.tokens.get(token + 1);
                let follows_dot = token > 0 && line.tokens[token - 1] == Token::Mark(b'.');
                if follows_dot || matches!(next, Some(Token::Mark(b'(' | b'.' | b'='))) {
                    continue;
                }
                let span = Span {
                    line: at,
                    from: token,
                    to: token + 1,
                };
                let alias =
                    token == 2 && line.tokens.len() == 3 && line.tokens[1] == Token::Mark(b'=');
                let names = self.module.full_names(std::slice::from_ref(name), at);
                let operation = names.iter().find_map(|full| operations::of(full));
                if alias || self.is_never(span) {
                    continue;
                }
                if let Some(Operation::Creates(_) | Operation::CreatesNamed | Operation::RunSql) =
                    operation
                {
                    let number = self.module.number(span);
                    self.add(
                        number,
                        What::Unknown(format!("'{name}' is used here without being called")),
                    );
                }
            }
        }
    }

    /// Strings that hold `CREATE EXTENSION` and that nothing is seen to run.
    fn leftovers(&mut self) {
        for at in 0..self.module.lines.len() {
            let line = &self.module.lines[at];
            // A string alone is a docstring.
            if line
                .tokens
                .iter()
                .all(|token| matches!(token, Token::Text(_)))
            {
                continue;
            }
            for (token, text) in line.tokens.iter().enumerate() {
                if self.module.is_seen(at, token) {
                    continue;
                }
                let holds = match text {
                    Token::Text(bytes) => !sql::effects(&String::from_utf8_lossy(bytes)).is_empty(),
                    Token::Formatted(text) => sql::speaks_of_extensions(text),
                    _ => false,
                };
                if holds {
                    let span = Span {
                        line: at,
                        from: token,
                        to: token + 1,
                    };
                    let what = "a string about an extension that no operation is seen to run";
                    let number = self.module.number(span);
                    self.add(number, What::Unknown(what.to_string()));
                }
            }
        }
    }
}

fn module_of(full: &str) -> &str {
    full.rsplit_once('.').map_or(full, |(module, _)| module)
}
