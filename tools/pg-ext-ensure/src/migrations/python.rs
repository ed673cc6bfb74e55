//! One Python module: what its names stand for, the calls in it, and the values of expressions as far as they are written down.
//! Nothing is imported or run. A name that is bound more than once in its scope has no value here.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};

use pysource::{Line, Token};

use super::sql;

/// Some tokens of one logical line: an expression never leaves its line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span {
    /// The line's index.
    pub line: usize,
    /// The first token.
    pub from: usize,
    /// The token after the last one.
    pub to: usize,
}

/// A call, `a.b(…)`.
#[derive(Clone, Debug)]
pub struct Call {
    /// The words of the callee.
    pub callee: Vec<String>,
    /// The callee and its arguments.
    pub span: Span,
    /// The arguments.
    pub arguments: Vec<Argument>,
}

/// One argument.
#[derive(Clone, Debug)]
pub struct Argument {
    /// The keyword, if there is one.
    pub keyword: Option<String>,
    /// The value.
    pub value: Span,
}

impl Call {
    /// The argument at a place, or by its keyword.
    pub fn argument(&self, place: usize, keyword: &str) -> Option<Span> {
        let named = self
            .arguments
            .iter()
            .find(|argument| argument.keyword.as_deref() == Some(keyword));
        let placed = || {
            let mut plain = self.arguments.iter().filter(|a| a.keyword.is_none());
            plain.nth(place)
        };
        named.or_else(placed).map(|argument| argument.value)
    }
}

/// What an expression comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// A string.
    Text(String),
    /// A list, tuple or set.
    List(Vec<Value>),
    /// `None`, `RunSQL.noop`.
    Nothing,
    /// Something that only running the module would tell.
    Unknown(Hint),
}

/// What an expression that cannot be told still shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hint {
    /// Its strings speak of extensions.
    Extension,
    /// Its strings begin as SQL does, and speak of no extension.
    OtherSql,
    /// No operation that could create an extension.
    Nothing,
}

/// A function or class.
#[derive(Clone, Debug)]
pub struct Block {
    /// `class` or `def`.
    pub is_class: bool,
    pub name: String,
    /// The index of its first line.
    pub head: usize,
    /// The index after its last line.
    pub end: usize,
}

/// A module.
pub struct Module {
    /// Its logical lines.
    pub lines: Vec<Line>,
    /// Its functions and classes.
    pub blocks: Vec<Block>,
    imports: BTreeMap<String, Vec<String>>,
    stars: Vec<String>,
    /// The lines on which each name stands.
    names: BTreeMap<String, Vec<usize>>,
    /// The innermost function around each line.
    scopes: Vec<Option<usize>>,
    seen: RefCell<BTreeSet<(usize, usize)>>,
    budget: Cell<u64>,
}

/// How much work one module may cost, in names that are looked up and pieces of text.
const BUDGET: u64 = 500_000;

/// The longest text that is put together, in bytes.
const TEXT: usize = 1 << 20;

/// How often names may lead to names.
const DEPTH: usize = 16;

impl Module {
    /// Reads a source.
    ///
    /// # Errors
    /// The number of the line on which a string or a bracket begins that is never closed.
    pub fn read(source: &[u8]) -> Result<Module, usize> {
        let lines = pysource::lines(source)?;
        let blocks = blocks(&lines);
        let mut names: BTreeMap<String, Vec<usize>> = BTreeMap::new();
        for (at, line) in lines.iter().enumerate() {
            for token in &line.tokens {
                if let Token::Name(name) = token {
                    let places = names.entry(name.clone()).or_default();
                    if places.last() != Some(&at) {
                        places.push(at);
                    }
                }
            }
        }
        let mut scopes = vec![None; lines.len()];
        // Outer functions come before those within them.
        for (index, block) in blocks
            .iter()
            .enumerate()
            .filter(|(_, block)| !block.is_class)
        {
            scopes[block.head + 1..block.end].fill(Some(index));
        }
        let mut module = Module {
            blocks,
            names,
            scopes,
            budget: Cell::new(BUDGET),
            lines,
            imports: BTreeMap::new(),
            stars: Vec::new(),
            seen: RefCell::default(),
        };
        for at in 0..module.lines.len() {
            module.import(at);
        }
        Ok(module)
    }

    fn import(&mut self, at: usize) {
        let tokens = &self.lines[at].tokens;
        let is = |token: &Token, word: &str| matches!(token, Token::Name(name) if name == word);
        let Some(first) = tokens.first() else { return };
        let parts = |tokens: &[Token]| -> Vec<(Vec<String>, Option<String>)> {
            tokens
                .split(|token| *token == Token::Mark(b','))
                .map(|part| {
                    let part: Vec<Token> = part
                        .iter()
                        .filter(|t| !matches!(t, Token::Mark(b'(' | b')')))
                        .cloned()
                        .collect();
                    let alias = part.iter().position(|token| is(token, "as"));
                    let path = words(&part[..alias.unwrap_or(part.len())]);
                    (path, alias.and_then(|alias| words(&part[alias..]).pop()))
                })
                .filter(|(path, _)| !path.is_empty())
                .collect()
        };
        let mut found: Vec<(String, String)> = Vec::new();
        if is(first, "import") {
            for (path, alias) in parts(&tokens[1..]) {
                match alias {
                    Some(alias) => found.push((alias, path.join("."))),
                    None => found.push((path[0].clone(), path[0].clone())),
                }
            }
        } else if is(first, "from") {
            let Some(split) = tokens.iter().position(|token| is(token, "import")) else {
                return;
            };
            let module = dotted(&tokens[1..split]);
            if tokens[split + 1..].contains(&Token::Mark(b'*')) {
                self.stars.push(module);
                return;
            }
            for (path, alias) in parts(&tokens[split + 1..]) {
                let name = path[0].clone();
                let full = match module.ends_with('.') {
                    true => format!("{module}{name}"),
                    false => format!("{module}.{name}"),
                };
                found.push((alias.unwrap_or(name), full));
            }
        }
        for (name, full) in found {
            self.imports.entry(name).or_default().push(full);
        }
    }

    /// The tokens of a span.
    pub fn tokens(&self, span: Span) -> &[Token] {
        self.lines
            .get(span.line)
            .and_then(|line| line.tokens.get(span.from..span.to))
            .unwrap_or_default()
    }

    /// The number of the line on which a span begins.
    pub fn number(&self, span: Span) -> usize {
        let line = self.lines.get(span.line);
        line.map_or(0, |line| {
            line.numbers.get(span.from).copied().unwrap_or(line.number)
        })
    }

    /// Whether a line imports.
    pub fn is_import(&self, line: usize) -> bool {
        let keyword = self.lines.get(line).and_then(Line::keyword);
        matches!(keyword, Some("import" | "from"))
    }

    /// What is imported, by its full names.
    pub fn imported(&self) -> impl Iterator<Item = (&str, &str)> {
        self.imports
            .iter()
            .flat_map(|(name, full)| full.iter().map(move |full| (name.as_str(), full.as_str())))
    }

    /// The function or class of this name.
    pub fn block(&self, name: &str, is_class: bool) -> Option<&Block> {
        let mut blocks = self.blocks.iter().rev();
        blocks.find(|block| block.is_class == is_class && block.name == name)
    }

    /// The full names that the words of a callee or a reference may stand for.
    pub fn full_names(&self, path: &[String], at: usize) -> Vec<String> {
        self.full_names_within(path, at, DEPTH)
    }

    fn full_names_within(&self, path: &[String], at: usize, depth: usize) -> Vec<String> {
        let Some((first, rest)) = path.split_first() else {
            return Vec::new();
        };
        let join = |base: &str| {
            let mut full = base.to_string();
            for word in rest {
                full = format!("{full}.{word}");
            }
            full
        };
        if let Some(imported) = self.imports.get(first) {
            return imported.iter().map(|base| join(base)).collect();
        }
        if depth > 0 {
            if let Some(value) = self.binding(first, at) {
                let tokens = self.tokens(value);
                if is_dotted(tokens) {
                    let mut longer = words(tokens);
                    longer.extend(rest.iter().cloned());
                    return self.full_names_within(&longer, value.line, depth - 1);
                }
            }
        }
        match self.block(first, true) {
            Some(_) => vec![join(first)],
            None => {
                let starred = self
                    .stars
                    .iter()
                    .map(|module| format!("{module}.{}", join(first)));
                starred.chain([join(first)]).collect()
            }
        }
    }

    /// The one expression that a name is bound to where it is used.
    pub fn binding(&self, name: &str, at: usize) -> Option<Span> {
        let lines = self.names.get(name)?;
        let mut scope = self.scopes.get(at).copied().flatten();
        loop {
            if scope.is_some_and(|block| self.is_parameter(self.blocks[block].head, name)) {
                return None;
            }
            let mut found = None;
            for line in lines.iter().filter(|line| self.scopes[**line] == scope) {
                if !self.spend(0) {
                    return None;
                }
                match (self.assigned(*line, name), found) {
                    (Assigned::No, _) => {}
                    (Assigned::To(span), None) => found = Some(span),
                    _ => return None,
                }
            }
            match (found, scope) {
                (Some(span), _) => return Some(span),
                (None, None) => return None,
                // The definition stands in the scope around the function.
                (None, Some(block)) => scope = self.scopes[self.blocks[block].head],
            }
        }
    }

    /// Counts one step of work; `false` where the module has cost too much already.
    fn spend(&self, text: usize) -> bool {
        let left = self.budget.get();
        self.budget.set(left.saturating_sub(1 + text as u64 / 256));
        left > 0
    }

    /// Whether the module costs more work than a migration does: what was found is not all then.
    pub fn is_exhausted(&self) -> bool {
        self.budget.get() == 0
    }

    fn is_parameter(&self, line: usize, name: &str) -> bool {
        let tokens = &self.lines[line].tokens;
        let named = |token: &Token| matches!(token, Token::Name(word) if word == name);
        tokens.iter().skip(2).any(named)
    }

    fn assigned(&self, at: usize, name: &str) -> Assigned {
        let line = &self.lines[at];
        let tokens = &line.tokens;
        let named = |token: &Token| matches!(token, Token::Name(word) if word == name);
        let end = tokens.len();
        let from = |from: usize| Span {
            line: at,
            from,
            to: end,
        };
        match tokens.as_slice() {
            [first, Token::Mark(b'='), second, ..]
                if named(first) && *second != Token::Mark(b'=') =>
            {
                return Assigned::To(from(2));
            }
            [first, Token::Mark(b':'), rest @ ..] if named(first) => {
                return match rest.iter().position(|token| *token == Token::Mark(b'=')) {
                    Some(equals) => Assigned::To(from(equals + 3)),
                    None => Assigned::No,
                };
            }
            [
                first,
                Token::Mark(b'+' | b'%' | b'|'),
                Token::Mark(b'='),
                ..,
            ] if named(first) => {
                return Assigned::Otherwise;
            }
            [
                first,
                Token::Mark(b'.'),
                Token::Name(method),
                Token::Mark(b'('),
                ..,
            ] if named(first) && matches!(method.as_str(), "append" | "extend" | "insert") => {
                return Assigned::Otherwise;
            }
            _ => {}
        }
        let binds = match line.keyword() {
            Some("for" | "async") => tokens
                .iter()
                .take_while(|token| !matches!(token, Token::Name(word) if word == "in"))
                .any(named),
            Some("with" | "except") => tokens.windows(2).any(|pair| {
                matches!(&pair[0], Token::Name(word) if word == "as") && named(&pair[1])
            }),
            Some("global" | "nonlocal") => tokens.iter().any(named),
            // `a = b = c` and `a, b = …`
            _ => targets(tokens).is_some_and(|targets| targets.iter().any(named)),
        };
        if binds {
            Assigned::Otherwise
        } else {
            Assigned::No
        }
    }

    /// The calls on the lines from `first` up to `end`, outer ones before inner ones.
    pub fn calls(&self, first: usize, end: usize) -> Vec<Call> {
        let mut calls = Vec::new();
        for line in first..end.min(self.lines.len()) {
            let tokens = &self.lines[line].tokens;
            let head = match self.lines[line].keyword() {
                Some("def" | "class") => 2,
                Some("async") => 3,
                _ => 0,
            };
            for open in head.max(1)..tokens.len() {
                if tokens[open] != Token::Mark(b'(') || !matches!(tokens[open - 1], Token::Name(_))
                {
                    continue;
                }
                if head > 0 && open == head {
                    continue;
                }
                let mut from = open - 1;
                while from >= 2
                    && tokens[from - 1] == Token::Mark(b'.')
                    && matches!(tokens[from - 2], Token::Name(_))
                {
                    from -= 2;
                }
                let close = closing(tokens, open).unwrap_or(tokens.len());
                let callee = words(&tokens[from..open]);
                calls.push(Call {
                    callee,
                    arguments: arguments(tokens, line, open + 1, close),
                    span: Span {
                        line,
                        from,
                        to: (close + 1).min(tokens.len()),
                    },
                });
            }
        }
        calls
    }

    /// What an expression comes to. Its strings count as seen from now on.
    pub fn value(&self, span: Span) -> Value {
        self.value_within(span, DEPTH)
    }

    fn value_within(&self, span: Span, depth: usize) -> Value {
        let unknown = || Value::Unknown(self.hint(span, depth));
        let tokens = self.tokens(span);
        if depth == 0 || tokens.is_empty() || !self.spend(length(tokens)) {
            return unknown();
        }
        self.see(span);
        if tokens.iter().all(|token| matches!(token, Token::Text(_))) {
            return Value::Text(texts(tokens));
        }
        let inner = |from: usize, to: usize| Span {
            line: span.line,
            from: span.from + from,
            to: span.from + to,
        };
        let last = tokens.len() - 1;
        if let Token::Mark(mark @ (b'(' | b'[' | b'{')) = tokens[0] {
            if closing(tokens, 0) == Some(last) {
                let parts = split(tokens, 1, last, b',');
                let comma = tokens.get(last - 1) == Some(&Token::Mark(b','));
                if mark == b'(' && parts.len() == 1 && !comma {
                    return self.value_within(inner(1, last), depth - 1);
                }
                let parts = parts
                    .into_iter()
                    .map(|(from, to)| self.value_within(inner(from, to), depth - 1));
                return Value::List(parts.collect());
            }
        }
        let sum = split(tokens, 0, tokens.len(), b'+');
        if sum.len() > 1 {
            let parts = sum
                .into_iter()
                .map(|(from, to)| self.value_within(inner(from, to), depth - 1));
            return joined(parts.collect()).unwrap_or_else(unknown);
        }
        if is_dotted(tokens) {
            return self
                .named(&words(tokens), span, depth)
                .unwrap_or_else(unknown);
        }
        self.trimmed(span, depth).unwrap_or_else(unknown)
    }

    fn named(&self, path: &[String], span: Span, depth: usize) -> Option<Value> {
        match path {
            [one] if one == "None" => Some(Value::Nothing),
            [.., last] if last == "noop" => Some(Value::Nothing),
            [one] => {
                let bound = self.binding(one, span.line)?;
                (bound != span).then(|| self.value_within(bound, depth - 1))
            }
            _ => None,
        }
    }

    /// `dedent(X)`, and `X.strip()`, which leave the statements as they are.
    fn trimmed(&self, span: Span, depth: usize) -> Option<Value> {
        let tokens = self.tokens(span);
        let last = tokens.len() - 1;
        let part = |from: usize, to: usize| Span {
            line: span.line,
            from: span.from + from,
            to: span.from + to,
        };
        if let Some(open) = tokens.iter().position(|token| *token == Token::Mark(b'(')) {
            let is_call =
                open > 0 && is_dotted(&tokens[..open]) && closing(tokens, open) == Some(last);
            let callee = words(&tokens[..open]);
            if is_call
                && matches!(
                    callee.last().map(String::as_str),
                    Some("dedent" | "cleandoc" | "str" | "SQL")
                )
            {
                return Some(self.value_within(part(open + 1, last), depth - 1));
            }
            if let ([function], true) = (callee.as_slice(), is_call) {
                return self.returned(function, depth);
            }
        }
        match tokens {
            [
                receiver @ ..,
                Token::Mark(b'.'),
                Token::Name(method),
                Token::Mark(b'('),
                Token::Mark(b')'),
            ] if matches!(method.as_str(), "strip" | "lstrip" | "rstrip")
                && !receiver.is_empty() =>
            {
                Some(self.value_within(part(0, receiver.len()), depth - 1))
            }
            _ => None,
        }
    }

    /// All that a function of the module may return.
    fn returned(&self, function: &str, depth: usize) -> Option<Value> {
        let block = self.block(function, false)?;
        let mut values = Vec::new();
        for line in block.head + 1..block.end {
            if self.lines[line].keyword() == Some("return") {
                let to = self.lines[line].tokens.len();
                values.push(self.value_within(Span { line, from: 1, to }, depth - 1));
            }
        }
        match values.len() {
            0 => None,
            1 => values.pop(),
            _ => Some(Value::List(values)),
        }
    }

    /// What the strings of an expression show, and those of the names in it.
    fn hint(&self, span: Span, depth: usize) -> Hint {
        self.see(span);
        if !self.spend(length(self.tokens(span))) {
            return Hint::Extension;
        }
        let mut hint = Hint::Nothing;
        for (at, token) in self.tokens(span).iter().enumerate() {
            let text = match token {
                Token::Text(bytes) => String::from_utf8_lossy(bytes).into_owned(),
                Token::Formatted(text) => text.clone(),
                Token::Name(name) if depth > 0 => {
                    let attribute = at > 0 && self.tokens(span)[at - 1] == Token::Mark(b'.');
                    let bound = self
                        .binding(name, span.line)
                        .filter(|bound| !attribute && *bound != span);
                    match bound.map(|bound| self.hint(bound, depth - 1)) {
                        Some(Hint::Extension) => return Hint::Extension,
                        Some(Hint::OtherSql) => hint = Hint::OtherSql,
                        _ => {}
                    }
                    continue;
                }
                _ => continue,
            };
            if sql::speaks_of_extensions(&text) {
                return Hint::Extension;
            }
            if sql::begins_a_statement(&text) {
                hint = Hint::OtherSql;
            }
        }
        hint
    }

    /// Remembers that the strings of a span were looked at.
    pub fn see(&self, span: Span) {
        let mut seen = self.seen.borrow_mut();
        seen.extend((span.from..span.to).map(|at| (span.line, at)));
    }

    /// Whether a token was looked at.
    pub fn is_seen(&self, line: usize, token: usize) -> bool {
        self.seen.borrow().contains(&(line, token))
    }
}

enum Assigned {
    No,
    To(Span),
    Otherwise,
}

fn joined(parts: Vec<Value>) -> Option<Value> {
    let mut text = String::new();
    let mut list = Vec::new();
    for part in &parts {
        match part {
            Value::Text(more) if text.len() + more.len() <= TEXT => text += more,
            Value::List(more) => list.extend(more.iter().cloned()),
            _ => return None,
        }
    }
    match (text.is_empty(), list.is_empty()) {
        (_, true) => Some(Value::Text(text)),
        (true, false) => Some(Value::List(list)),
        (false, false) => None,
    }
}

/// What stands left of the last `=` of an assignment with more than one target.
fn targets(tokens: &[Token]) -> Option<&[Token]> {
    let mut depth = 0usize;
    let mut last = None;
    for (at, token) in tokens.iter().enumerate() {
        match token {
            Token::Mark(b'(' | b'[' | b'{') => depth += 1,
            Token::Mark(b')' | b']' | b'}') => depth = depth.saturating_sub(1),
            Token::Mark(b'=') => {
                let compares = tokens.get(at + 1) == Some(&Token::Mark(b'='))
                    || at > 0 && matches!(tokens[at - 1], Token::Mark(b'=' | b'!' | b'<' | b'>'));
                if depth == 0 && !compares {
                    last = Some(at);
                }
            }
            _ => {}
        }
    }
    last.map(|at| &tokens[..at])
}

/// How long the strings are.
fn length(tokens: &[Token]) -> usize {
    let each = tokens.iter().map(|token| match token {
        Token::Text(bytes) => bytes.len(),
        Token::Formatted(text) => text.len(),
        _ => 0,
    });
    each.sum()
}

fn texts(tokens: &[Token]) -> String {
    let bytes: Vec<u8> = tokens
        .iter()
        .flat_map(|token| match token {
            Token::Text(bytes) => bytes.clone(),
            _ => Vec::new(),
        })
        .collect();
    String::from_utf8_lossy(&bytes).into_owned()
}

fn words(tokens: &[Token]) -> Vec<String> {
    tokens
        .iter()
        .filter_map(|token| match token {
            Token::Name(word) if word != "as" => Some(word.clone()),
            _ => None,
        })
        .collect()
}

fn dotted(tokens: &[Token]) -> String {
    tokens
        .iter()
        .map(|token| match token {
            Token::Name(word) => word.clone(),
            Token::Mark(mark) => char::from(*mark).to_string(),
            _ => String::new(),
        })
        .collect()
}

/// `a`, `a.b`, `a.b.c`.
fn is_dotted(tokens: &[Token]) -> bool {
    let alternates = tokens.iter().enumerate().all(|(at, token)| match at % 2 {
        0 => matches!(token, Token::Name(_)),
        _ => *token == Token::Mark(b'.'),
    });
    alternates && tokens.len() % 2 == 1
}

/// The bracket that closes the one at `open`.
fn closing(tokens: &[Token], open: usize) -> Option<usize> {
    let mut depth = 0usize;
    for (at, token) in tokens.iter().enumerate().skip(open) {
        match token {
            Token::Mark(b'(' | b'[' | b'{') => depth += 1,
            Token::Mark(b')' | b']' | b'}') => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    return Some(at);
                }
            }
            _ => {}
        }
    }
    None
}

/// The parts between marks that stand in no bracket; empty ones are left out.
fn split(tokens: &[Token], from: usize, to: usize, mark: u8) -> Vec<(usize, usize)> {
    let (mut depth, mut start) = (0usize, from);
    let mut parts = Vec::new();
    for (at, token) in tokens.iter().enumerate().take(to).skip(from) {
        match token {
            Token::Mark(b'(' | b'[' | b'{') => depth += 1,
            Token::Mark(b')' | b']' | b'}') => depth = depth.saturating_sub(1),
            Token::Mark(found) if depth == 0 && *found == mark => {
                parts.push((start, at));
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push((start, to));
    parts.retain(|(start, end)| start < end);
    parts
}

fn arguments(tokens: &[Token], line: usize, from: usize, to: usize) -> Vec<Argument> {
    split(tokens, from, to, b',')
        .into_iter()
        .map(|(start, end)| match &tokens[start..end] {
            [Token::Name(keyword), Token::Mark(b'='), second, ..]
                if *second != Token::Mark(b'=') =>
            {
                Argument {
                    keyword: Some(keyword.clone()),
                    value: Span {
                        line,
                        from: start + 2,
                        to: end,
                    },
                }
            }
            // `*a` and `**a` have no place.
            [Token::Mark(b'*'), ..] => Argument {
                keyword: Some("*".to_string()),
                value: Span {
                    line,
                    from: start,
                    to: end,
                },
            },
            _ => Argument {
                keyword: None,
                value: Span {
                    line,
                    from: start,
                    to: end,
                },
            },
        })
        .collect()
}

fn blocks(lines: &[Line]) -> Vec<Block> {
    let mut blocks = Vec::new();
    for (head, line) in lines.iter().enumerate() {
        let at = match line.keyword() {
            Some("def" | "class") => 1,
            Some("async") => 2,
            _ => continue,
        };
        let Some(Token::Name(name)) = line.tokens.get(at) else {
            continue;
        };
        let inside = lines[head + 1..]
            .iter()
            .take_while(|inner| inner.indent > line.indent);
        blocks.push(Block {
            is_class: line.keyword() == Some("class"),
            name: name.clone(),
            head,
            end: head + 1 + inside.count(),
        });
    }
    blocks
}
