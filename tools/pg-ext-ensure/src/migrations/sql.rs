//! What SQL text does to extensions: `CREATE EXTENSION` and `DROP EXTENSION` as statements, also
//! within a dollar-quoted body. Comments, strings and other words that happen to stand side by side
//! are no statements.

/// What a statement does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// `CREATE EXTENSION`.
    Create {
        /// The extension.
        name: String,
        /// The schema, where the statement names one.
        schema: Option<String>,
    },
    /// `DROP EXTENSION`.
    Drop {
        /// The extension.
        name: String,
    },
    /// A statement about an extension whose name the text does not hold.
    Unclear,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Token {
    /// An identifier or keyword, folded to lower case.
    Word(String),
    /// A name in double quotes.
    Quoted(String),
    /// A string.
    Text(String),
    /// The inside of `$$ … $$`.
    Body(String),
    /// Any other character.
    Mark(char),
}

/// How deep bodies may stand within bodies.
const DEPTH: usize = 8;

/// What a text does, in the order of the text.
pub fn effects(sql: &str) -> Vec<Effect> {
    let mut found = Vec::new();
    collect(sql, DEPTH, &mut found);
    found
}

/// Whether a text that is only a part of some SQL speaks of extensions.
pub fn speaks_of_extensions(text: &str) -> bool {
    let words: Vec<String> = text
        .split(|c: char| !c.is_ascii_alphanumeric() && c != '_')
        .filter(|word| !word.is_empty())
        .map(str::to_ascii_lowercase)
        .collect();
    words
        .windows(2)
        .any(|pair| matches!(pair[0].as_str(), "create" | "drop") && pair[1] == "extension")
}

/// Whether a text begins as a statement does.
pub fn begins_a_statement(text: &str) -> bool {
    const FIRST: &[&str] = &[
        "alter", "analyze", "begin", "call", "cluster", "comment", "commit", "copy", "create",
        "delete", "do", "drop", "explain", "grant", "insert", "lock", "merge", "notify", "refresh",
        "reindex", "reset", "revoke", "select", "set", "show", "truncate", "update", "vacuum",
        "values", "with",
    ];
    let tokens = tokens(text);
    matches!(tokens.first(), Some(Token::Word(word)) if FIRST.contains(&word.as_str()) && tokens.len() > 1)
}

fn collect(sql: &str, depth: usize, found: &mut Vec<Effect>) {
    if depth == 0 {
        if speaks_of_extensions(sql) {
            found.push(Effect::Unclear);
        }
        return;
    }
    let tokens = tokens(sql);
    for (at, token) in tokens.iter().enumerate() {
        let rest = &tokens[at + 1..];
        match token {
            Token::Word(word) if starts(&tokens[..at]) && begins(rest, "extension") => {
                match word.as_str() {
                    "create" => found.push(create(&rest[1..])),
                    "drop" => drop(&rest[1..], found),
                    _ => {}
                }
            }
            Token::Body(body) => collect(body, depth - 1, found),
            Token::Text(text) if run_before(&tokens[..at]) => collect(text, depth - 1, found),
            // Whether something runs the string is not known: `format('CREATE EXTENSION %I',
            // name)`.
            Token::Text(text) => {
                let mut inner = Vec::new();
                collect(text, depth - 1, &mut inner);
                if !inner.is_empty() {
                    found.push(Effect::Unclear);
                }
            }
            _ => {}
        }
    }
}

/// Whether a statement begins after these tokens.
fn starts(before: &[Token]) -> bool {
    match before.last() {
        None | Some(Token::Mark(';') | Token::Body(_)) => true,
        Some(Token::Word(word)) => matches!(word.as_str(), "begin" | "then" | "else" | "loop"),
        _ => false,
    }
}

/// `EXECUTE '…'` of a body.
fn run_before(before: &[Token]) -> bool {
    let mut words = before
        .iter()
        .rev()
        .skip_while(|token| **token == Token::Mark('('));
    words.next() == Some(&Token::Word("execute".to_string()))
}

fn begins(tokens: &[Token], word: &str) -> bool {
    matches!(tokens.first(), Some(Token::Word(first)) if first == word)
}

fn skip<'a>(tokens: &'a [Token], words: &[&str]) -> &'a [Token] {
    let there = words
        .iter()
        .enumerate()
        .all(|(at, word)| begins(tokens.get(at..).unwrap_or_default(), word));
    if there {
        &tokens[words.len()..]
    } else {
        tokens
    }
}

fn name(token: Option<&Token>) -> Option<String> {
    match token {
        // `"%s"` and `"{}"` are places for a name.
        Some(Token::Word(name) | Token::Quoted(name))
            if !name.is_empty() && !name.contains(['%', '{']) =>
        {
            Some(name.clone())
        }
        _ => None,
    }
}

fn create(tokens: &[Token]) -> Effect {
    let tokens = skip(tokens, &["if", "not", "exists"]);
    let Some(extension) = name(tokens.first()) else {
        return Effect::Unclear;
    };
    let mut rest = skip(&tokens[1..], &["with"]);
    let mut schema = None;
    loop {
        match rest {
            [] | [Token::Mark(';'), ..] => break,
            [Token::Word(word), value, more @ ..] if word == "schema" => {
                match name(Some(value)) {
                    Some(name) => schema = Some(name),
                    None => return Effect::Unclear,
                }
                rest = more;
            }
            [Token::Word(word), _, more @ ..] if word == "version" || word == "from" => rest = more,
            [Token::Word(word), more @ ..] if word == "cascade" => rest = more,
            // `CREATE EXTENSION uuid-ossp` and `CREATE EXTENSION %s` name no extension.
            _ => return Effect::Unclear,
        }
    }
    Effect::Create {
        name: extension,
        schema,
    }
}

fn drop(tokens: &[Token], found: &mut Vec<Effect>) {
    let mut rest = skip(tokens, &["if", "exists"]);
    loop {
        match name(rest.first()) {
            Some(name) => found.push(Effect::Drop { name }),
            None => {
                found.push(Effect::Unclear);
                return;
            }
        }
        match rest.get(1) {
            Some(Token::Mark(',')) => rest = &rest[2..],
            _ => return,
        }
    }
}

fn tokens(sql: &str) -> Vec<Token> {
    let mut rest = sql;
    let mut tokens = Vec::new();
    while let Some(first) = rest.chars().next() {
        let (token, after) = match first {
            c if c.is_whitespace() => (None, &rest[c.len_utf8()..]),
            '-' if rest.starts_with("--") => {
                (None, rest.split_once('\n').map_or("", |(_, after)| after))
            }
            '/' if rest.starts_with("/*") => (None, comment(rest)),
            '"' => quoted(&rest[1..], '"', false, Token::Quoted),
            '\'' => quoted(&rest[1..], '\'', false, Token::Text),
            'e' | 'E' if rest[1..].starts_with('\'') => quoted(&rest[2..], '\'', true, Token::Text),
            '$' => dollar(rest),
            c if c.is_alphabetic() || c == '_' => {
                let end = rest
                    .find(|c: char| !c.is_alphanumeric() && c != '_' && c != '$')
                    .unwrap_or(rest.len());
                (Some(Token::Word(rest[..end].to_lowercase())), &rest[end..])
            }
            c => (Some(Token::Mark(c)), &rest[c.len_utf8()..]),
        };
        tokens.extend(token);
        rest = after;
    }
    tokens
}

/// What follows a comment; comments nest.
fn comment(text: &str) -> &str {
    let mut depth = 0usize;
    let mut rest = text;
    loop {
        if let Some(after) = rest.strip_prefix("/*") {
            depth += 1;
            rest = after;
        } else if let Some(after) = rest.strip_prefix("*/") {
            depth -= 1;
            rest = after;
            if depth == 0 {
                return rest;
            }
        } else {
            let mut chars = rest.chars();
            if chars.next().is_none() {
                return "";
            }
            rest = chars.as_str();
        }
    }
}

fn quoted(
    text: &str,
    mark: char,
    escapes: bool,
    token: fn(String) -> Token,
) -> (Option<Token>, &str) {
    let mut out = String::new();
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' if escapes => out.extend(chars.next()),
            c if c == mark => {
                let after = chars.as_str();
                match after.strip_prefix(mark) {
                    Some(more) => {
                        out.push(mark);
                        chars = more.chars();
                    }
                    None => return (Some(token(out)), after),
                }
            }
            c => out.push(c),
        }
    }
    (Some(token(out)), "")
}

/// `$$ … $$` and `$tag$ … $tag$`; a lone `$` is a mark.
fn dollar(text: &str) -> (Option<Token>, &str) {
    let end = text[1..]
        .find(|c: char| !c.is_alphanumeric() && c != '_')
        .map(|end| end + 1);
    let Some(end) = end.filter(|end| text[*end..].starts_with('$')) else {
        return (Some(Token::Mark('$')), &text[1..]);
    };
    let (tag, rest) = text.split_at(end + 1);
    match rest.split_once(tag) {
        Some((body, after)) => (Some(Token::Body(body.to_string())), after),
        None => (Some(Token::Body(rest.to_string())), ""),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn create(name: &str, schema: Option<&str>) -> Effect {
        Effect::Create {
            name: name.into(),
            schema: schema.map(str::to_string),
        }
    }

    #[test]
    fn statements_and_nothing_else() {
        let table: &[(&str, Vec<Effect>)] = &[
            ("CREATE EXTENSION hstore", vec![create("hstore", None)]),
            (
                "create  extension if not exists \"uuid-ossp\" ;",
                vec![create("uuid-ossp", None)],
            ),
            (
                "/* a /* b */ */ CREATE EXTENSION IF NOT EXISTS Citext -- c\nWITH SCHEMA \"Ext\" VERSION '1.0' CASCADE; SELECT 1",
                vec![create("citext", Some("Ext"))],
            ),
            (
                "DO $x$ BEGIN IF true THEN CREATE EXTENSION vector; END IF; EXECUTE 'CREATE EXTENSION cube'; END $x$;",
                vec![create("vector", None), create("cube", None)],
            ),
            (
                "SELECT format('CREATE EXTENSION %I', x)",
                vec![Effect::Unclear],
            ),
            (
                "DO $$ BEGIN RAISE NOTICE 'no create extension today'; END $$",
                vec![],
            ),
            ("CREATE EXTENSION %s", vec![Effect::Unclear]),
            (
                "CREATE EXTENSION IF NOT EXISTS \"%s\"",
                vec![Effect::Unclear],
            ),
            ("CREATE EXTENSION uuid-ossp", vec![Effect::Unclear]),
            (
                "DROP EXTENSION IF EXISTS a, \"B\" CASCADE",
                vec![
                    Effect::Drop { name: "a".into() },
                    Effect::Drop { name: "B".into() },
                ],
            ),
            (
                "-- CREATE EXTENSION a\n/* CREATE EXTENSION b */ SELECT 'it''s'",
                vec![],
            ),
            ("Users who can create extension points", vec![]),
            (
                "ALTER TABLE x ADD COLUMN \"create extension\" text; SELECT E'\\'create'",
                vec![],
            ),
        ];
        for (sql, expected) in table {
            assert_eq!(effects(sql), *expected, "{sql}");
        }
    }
}
