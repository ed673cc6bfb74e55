//! Pieces of a logical line of Python: what stands between brackets, commas and dots.

use pysource::Token;

/// What stands left of the last `=` of an assignment with more than one target.
pub fn targets(tokens: &[Token]) -> Option<&[Token]> {
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
pub fn length(tokens: &[Token]) -> usize {
    let each = tokens.iter().map(|token| match token {
        Token::Text(bytes) => bytes.len(),
        Token::Formatted(text) => text.len(),
        _ => 0,
    });
    each.sum()
}

pub fn texts(tokens: &[Token]) -> String {
    let bytes: Vec<u8> = tokens
        .iter()
        .flat_map(|token| match token {
            Token::Text(bytes) => bytes.clone(),
            _ => Vec::new(),
        })
        .collect();
    String::from_utf8_lossy(&bytes).into_owned()
}

pub fn words(tokens: &[Token]) -> Vec<String> {
    tokens
        .iter()
        .filter_map(|token| match token {
            Token::Name(word) if word != "as" => Some(word.clone()),
            _ => None,
        })
        .collect()
}

pub fn dotted(tokens: &[Token]) -> String {
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
pub fn is_dotted(tokens: &[Token]) -> bool {
    let alternates = tokens.iter().enumerate().all(|(at, token)| match at % 2 {
        0 => matches!(token, Token::Name(_)),
        _ => *token == Token::Mark(b'.'),
    });
    alternates && tokens.len() % 2 == 1
}

/// The bracket that closes the one at `open`.
pub fn closing(tokens: &[Token], open: usize) -> Option<usize> {
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
pub fn split(tokens: &[Token], from: usize, to: usize, mark: u8) -> Vec<(usize, usize)> {
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
