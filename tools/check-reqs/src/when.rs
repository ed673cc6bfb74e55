//! `when = "os.id == 'debian'"`: whether a check concerns this host at all. The language is
//! comparisons of known facts, joined by `and`, `or`, `not` and brackets; an unknown name is an
//! error, because a condition that is quietly false drops a requirement.

use crate::version::plain;
use std::cmp::Ordering;
use std::collections::BTreeMap;

/// What is known of a host, by name: `os.id`, `os.version`, `os.like`, `arch`, `hostname`, and
/// every setting as `set.NAME`.
pub type Facts = BTreeMap<String, String>;

/// A condition, ready to be asked.
#[derive(Clone, Debug, PartialEq)]
pub enum When {
    /// Both conditions hold.
    And(Box<When>, Box<When>),
    /// Either.
    Or(Box<When>, Box<When>),
    /// Not so.
    Not(Box<When>),
    /// A comparison of two terms.
    Is(Term, Compare, Term),
}

/// A side of a comparison.
#[derive(Clone, Debug, PartialEq)]
pub enum Term {
    /// A name of [`Facts`].
    Fact(String),
    /// A quoted text or a number.
    Text(String),
}

/// How two terms are compared.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Compare {
    /// `==`, `!=`, `<`, `<=`, `>`, `>=`; versions are compared as versions.
    Order(&'static str),
    /// `in`: one of the words of the right side.
    In,
}

/// Reads a condition; the error says what was expected.
pub fn parse(text: &str) -> Result<When, String> {
    let words = words(text)?;
    let mut reader = Reader {
        words,
        at: 0,
        depth: 0,
    };
    let when = reader.or()?;
    match reader.words.get(reader.at) {
        None => Ok(when),
        Some(word) => Err(format!(
            "'{}' was not expected in the condition",
            word.text()
        )),
    }
}

/// Asks it of a host.
pub fn holds(when: &When, facts: &Facts) -> Result<bool, String> {
    Ok(match when {
        When::And(a, b) => holds(a, facts)? && holds(b, facts)?,
        When::Or(a, b) => holds(a, facts)? || holds(b, facts)?,
        When::Not(a) => !holds(a, facts)?,
        When::Is(a, compare, b) => {
            let (a, b) = (value(a, facts)?, value(b, facts)?);
            match compare {
                Compare::In => b.split([' ', ',']).any(|word| word == a),
                Compare::Order(op) => ordered(&a, op, &b),
            }
        }
    })
}

/// Whether every name in it is known; asked when the file is read, so that a wrong name is an error
/// on every host.
pub fn names(when: &When, facts: &Facts) -> Result<(), String> {
    match when {
        When::And(a, b) | When::Or(a, b) => names(a, facts).and_then(|()| names(b, facts)),
        When::Not(a) => names(a, facts),
        When::Is(a, _, b) => value(a, facts).and_then(|_| value(b, facts)).map(drop),
    }
}

fn value(term: &Term, facts: &Facts) -> Result<String, String> {
    match term {
        Term::Text(text) => Ok(text.clone()),
        Term::Fact(name) => facts.get(name).cloned().ok_or_else(|| {
            let known: Vec<&str> = facts.keys().map(String::as_str).collect();
            format!("'{name}' is not known; there are {}", known.join(", "))
        }),
    }
}

fn ordered(a: &str, op: &str, b: &str) -> bool {
    let ordering = match (plain::version(a), plain::version(b)) {
        (Some(a), Some(b)) => a.cmp(&b),
        _ => a.cmp(b),
    };
    match op {
        "==" => ordering == Ordering::Equal,
        "!=" => ordering != Ordering::Equal,
        "<" => ordering == Ordering::Less,
        "<=" => ordering != Ordering::Greater,
        ">" => ordering == Ordering::Greater,
        _ => ordering != Ordering::Less,
    }
}

#[derive(Clone, Debug, PartialEq)]
enum Word {
    Name(String),
    Text(String),
    Sign(&'static str),
}

impl Word {
    fn text(&self) -> &str {
        match self {
            Word::Name(text) | Word::Text(text) => text,
            Word::Sign(sign) => sign,
        }
    }
}

fn words(text: &str) -> Result<Vec<Word>, String> {
    let mut words = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let length = if let Some(sign) = ["==", "!=", "<=", ">=", "<", ">", "(", ")"]
            .into_iter()
            .find(|sign| rest.starts_with(sign))
        {
            words.push(Word::Sign(sign));
            sign.len()
        } else if matches!(first, '\'' | '"') {
            let end = rest[1..]
                .find(first)
                .ok_or("a quote is not closed in the condition")?;
            words.push(Word::Text(rest[1..=end].to_string()));
            end + 2
        } else {
            let end = rest
                .find(|c: char| !(c.is_alphanumeric() || matches!(c, '.' | '_' | '-')))
                .unwrap_or(rest.len());
            if end == 0 {
                return Err(format!("'{first}' was not expected in the condition"));
            }
            words.push(match first.is_ascii_digit() {
                true => Word::Text(rest[..end].to_string()),
                false => Word::Name(rest[..end].to_string()),
            });
            end
        };
        rest = rest[length..].trim_start();
    }
    Ok(words)
}

struct Reader {
    words: Vec<Word>,
    at: usize,
    depth: usize,
}

impl Reader {
    fn takes(&mut self, word: &Word) -> bool {
        let fits = self.words.get(self.at) == Some(word);
        self.at += usize::from(fits);
        fits
    }

    fn or(&mut self) -> Result<When, String> {
        let mut left = self.and()?;
        while self.takes(&Word::Name("or".into())) {
            left = When::Or(Box::new(left), Box::new(self.and()?));
        }
        Ok(left)
    }

    fn and(&mut self) -> Result<When, String> {
        let mut left = self.not()?;
        while self.takes(&Word::Name("and".into())) {
            left = When::And(Box::new(left), Box::new(self.not()?));
        }
        Ok(left)
    }

    fn not(&mut self) -> Result<When, String> {
        self.depth += 1;
        if self.depth > 64 {
            return Err("the condition is nested too deeply".into());
        }
        let when = if self.takes(&Word::Name("not".into())) {
            When::Not(Box::new(self.not()?))
        } else if self.takes(&Word::Sign("(")) {
            let when = self.or()?;
            if !self.takes(&Word::Sign(")")) {
                return Err("a bracket is not closed in the condition".into());
            }
            when
        } else {
            self.comparison()?
        };
        self.depth -= 1;
        Ok(when)
    }

    fn comparison(&mut self) -> Result<When, String> {
        let left = self.term()?;
        let compare = match self.words.get(self.at) {
            Some(Word::Sign(op)) if !matches!(*op, "(" | ")") => Compare::Order(op),
            Some(Word::Name(word)) if word == "in" => Compare::In,
            _ => return Err("a comparison was expected, such as os.id == 'debian'".into()),
        };
        self.at += 1;
        Ok(When::Is(left, compare, self.term()?))
    }

    fn term(&mut self) -> Result<Term, String> {
        let term = match self.words.get(self.at) {
            Some(Word::Name(name)) if !matches!(name.as_str(), "and" | "or" | "not" | "in") => {
                Term::Fact(name.clone())
            }
            Some(Word::Text(text)) => Term::Text(text.clone()),
            Some(word) => {
                return Err(format!(
                    "'{}' stands where a name or a text was expected",
                    word.text()
                ));
            }
            None => return Err("the condition ends where a name or a text was expected".into()),
        };
        self.at += 1;
        Ok(term)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn conditions_mean_what_they_say() {
        let facts = Facts::from(
            [
                ("os.id", "debian"),
                ("os.version", "12"),
                ("os.like", ""),
                ("arch", "x86_64"),
                ("set.role", "web"),
            ]
            .map(|(k, v)| (k.to_string(), v.to_string())),
        );
        for (text, answer) in [
            ("os.id == 'debian'", true),
            ("os.id != \"debian\"", false),
            ("os.version >= 9", true),
            ("os.version >= '12' and os.id == 'fedora'", false),
            (
                "os.id == 'fedora' or set.role == 'web' and arch == 'x86_64'",
                true,
            ),
            ("not (os.id in 'debian ubuntu')", false),
            ("os.id in 'alpine, debian'", true),
        ] {
            assert_eq!(
                holds(&parse(text).unwrap(), &facts).unwrap(),
                answer,
                "{text}"
            );
        }
        for text in [
            "os.id",
            "os.id ==",
            "== 'x'",
            "(os.id == 'a'",
            "os.id == 'a",
            "os.id = 'x'",
            "os.id == 'a' 'b'",
            "",
            "and == or",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
        assert!(names(&parse("os.nmae == 'x'").unwrap(), &facts).is_err());
    }
}
