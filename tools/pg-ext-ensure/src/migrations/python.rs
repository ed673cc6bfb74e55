//! One Python module: what its names stand for, the calls in it, and the values of expressions as
//! far as they are written down. Nothing is imported or run. A name that is bound more than once in
//! its scope has no value here.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};

use pysource::{Line, Token};

mod binding;
mod tokens;
mod value;

use tokens::{closing, dotted, is_dotted, split, words};
pub use value::{Hint, Value};

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
