//! JSON as RFC 8259 has it, with positions; a key given twice is refused, because the second would
//! silently win.

use super::tree::{Key, Node, Value, Wrong};

/// How deep lists and objects may nest.
const DEEPEST: usize = 64;

/// Reads one value and nothing after it.
pub fn read(text: &str) -> Result<Node, Wrong> {
    let mut reader = Reader {
        text,
        at: 0,
        depth: 0,
    };
    let node = reader.value()?;
    reader.space();
    match reader.peek() {
        None => Ok(node),
        Some(_) => Err(reader.wrong("something follows the end of the document")),
    }
}

struct Reader<'t> {
    text: &'t str,
    at: usize,
    depth: usize,
}

impl Reader<'_> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn wrong(&self, what: impl Into<String>) -> Wrong {
        (self.at, what.into())
    }

    fn space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn expect(&mut self, byte: u8) -> Result<(), Wrong> {
        self.space();
        match self.peek() {
            Some(found) if found == byte => {
                self.at += 1;
                Ok(())
            }
            Some(_) => Err(self.wrong(format!("'{}' was expected", char::from(byte)))),
            None => Err(self.wrong(format!(
                "the document ends where '{}' was expected",
                char::from(byte)
            ))),
        }
    }

    fn value(&mut self) -> Result<Node, Wrong> {
        self.space();
        let at = self.at;
        let value = match self.peek() {
            Some(b'"') => Value::Text(self.string()?),
            Some(b'{') => self.nested(Self::object)?,
            Some(b'[') => self.nested(Self::list)?,
            Some(b'-' | b'0'..=b'9') => self.number()?,
            Some(b't') => self.word("true", Value::Flag(true))?,
            Some(b'f') => self.word("false", Value::Flag(false))?,
            Some(b'n') => return Err(self.wrong("null is not a value: leave the key out")),
            Some(_) => return Err(self.wrong("a value was expected")),
            None => return Err(self.wrong("the document ends where a value was expected")),
        };
        Ok(Node {
            at: Some(at),
            value,
        })
    }

    fn nested(&mut self, read: fn(&mut Self) -> Result<Value, Wrong>) -> Result<Value, Wrong> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err(self.wrong("nested too deeply"));
        }
        let value = read(self)?;
        self.depth -= 1;
        Ok(value)
    }

    fn word(&mut self, word: &str, value: Value) -> Result<Value, Wrong> {
        if self.text[self.at..].starts_with(word) {
            self.at += word.len();
            Ok(value)
        } else {
            Err(self.wrong("a value was expected"))
        }
    }

    fn number(&mut self) -> Result<Value, Wrong> {
        let start = self.at;
        while matches!(
            self.peek(),
            Some(b'-' | b'+' | b'.' | b'e' | b'E' | b'0'..=b'9')
        ) {
            self.at += 1;
        }
        let text = &self.text[start..self.at];
        // serde_json knows the grammar of numbers; positions are ours.
        let number: serde_json::Number =
            serde_json::from_str(text).map_err(|_| (start, format!("{text} is not a number")))?;
        match (number.as_i64(), number.as_f64()) {
            (Some(whole), _) => Ok(Value::Whole(whole)),
            (None, Some(decimal)) if !number.is_u64() => Ok(Value::Decimal(decimal)),
            _ => Err((start, format!("{text} is too large"))),
        }
    }

    fn string(&mut self) -> Result<String, Wrong> {
        let start = self.at;
        self.at += 1;
        loop {
            match self.peek() {
                Some(b'"') => break,
                Some(b'\\') => self.at += 2,
                Some(0..=0x1f) => {
                    return Err(
                        self.wrong("a control character in a string must be written as an escape")
                    );
                }
                Some(_) => self.at += 1,
                None => return Err((start, "the string has no end".into())),
            }
        }
        self.at += 1;
        let raw = self
            .text
            .get(start..self.at)
            .ok_or((start, "the string has no end".to_string()))?;
        serde_json::from_str(raw).map_err(|_| (start, "the string has a wrong escape".to_string()))
    }

    fn list(&mut self) -> Result<Value, Wrong> {
        self.at += 1;
        let mut list = Vec::new();
        self.space();
        if self.peek() == Some(b']') {
            self.at += 1;
            return Ok(Value::List(list));
        }
        loop {
            list.push(self.value()?);
            self.space();
            match self.peek() {
                Some(b',') => self.at += 1,
                _ => {
                    self.expect(b']')?;
                    return Ok(Value::List(list));
                }
            }
        }
    }

    fn object(&mut self) -> Result<Value, Wrong> {
        self.at += 1;
        let mut pairs: Vec<(Key, Node)> = Vec::new();
        self.space();
        if self.peek() == Some(b'}') {
            self.at += 1;
            return Ok(Value::Table(pairs));
        }
        loop {
            self.space();
            let at = self.at;
            if self.peek() != Some(b'"') {
                return Err(self.wrong("a key in double quotes was expected"));
            }
            let name = self.string()?;
            if pairs.iter().any(|(key, _)| key.name == name) {
                return Err((at, format!("the key '{name}' is given twice")));
            }
            self.expect(b':')?;
            let node = self.value()?;
            pairs.push((Key { at: Some(at), name }, node));
            self.space();
            match self.peek() {
                Some(b',') => self.at += 1,
                _ => {
                    self.expect(b'}')?;
                    return Ok(Value::Table(pairs));
                }
            }
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_has_a_place() {
        for (text, at) in [
            (r#"{"a": 1,}"#, 8),
            (r#"{"a": 1, "a": 2}"#, 9),
            (r#"{"a": null}"#, 6),
            (r#"{"a": "x"#, 6),
            ("{\"a\": \"x\ny\"}", 8),
            (r#"{"a": 01}"#, 6),
            (r#"{"a": 1} x"#, 9),
            (r#"{"a": "\x"}"#, 6),
        ] {
            assert_eq!(read(text).unwrap_err().0, at, "{text}");
        }
        assert!(read(&"[".repeat(100_000)).is_err());
    }

    #[test]
    fn strings_and_numbers_mean_what_json_says() {
        let node = read(r#"["é\u00e9\n", -3, 2.5, true, {}]"#).unwrap();
        let Value::List(list) = node.value else {
            unreachable!()
        };
        assert_eq!(list[0].value, Value::Text("éé\n".into()));
        assert_eq!(list[1].value, Value::Whole(-3));
        assert_eq!(list[2].value, Value::Decimal(2.5));
    }
}
