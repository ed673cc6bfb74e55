//! XML-RPC as bytes: a call written, an answer read. A document type, an unknown entity, a value
//! nested beyond reason are errors.

use super::{Answer, Fault, Value};
use quick_xml::Reader;
use quick_xml::events::Event;

pub(super) fn encode(method: &str, parameters: &[Value]) -> String {
    let mut out = String::from("<?xml version=\"1.0\"?><methodCall><methodName>");
    out.push_str(&quick_xml::escape::escape(method));
    out.push_str("</methodName><params>");
    for each in parameters {
        out.push_str("<param>");
        put(each, &mut out);
        out.push_str("</param>");
    }
    out.push_str("</params></methodCall>");
    out
}

pub(super) fn put(value: &Value, out: &mut String) {
    out.push_str("<value>");
    match value {
        Value::Int(number) => out.push_str(&format!("<int>{number}</int>")),
        Value::Bool(truth) => out.push_str(&format!("<boolean>{}</boolean>", u8::from(*truth))),
        Value::Text(text) => out.push_str(&format!(
            "<string>{}</string>",
            quick_xml::escape::escape(text)
        )),
        Value::Array(values) => {
            out.push_str("<array><data>");
            values.iter().for_each(|each| put(each, out));
            out.push_str("</data></array>");
        }
        Value::Struct(members) => {
            out.push_str("<struct>");
            for (name, each) in members {
                out.push_str(&format!(
                    "<member><name>{}</name>",
                    quick_xml::escape::escape(name)
                ));
                put(each, out);
                out.push_str("</member>");
            }
            out.push_str("</struct>");
        }
    }
    out.push_str("</value>");
}

/// How deep values may be nested; supervisord's are three deep.
const DEEPEST: usize = 32;

/// What is wrong with an answer, in words.
type Wrong<T> = std::result::Result<T, String>;

/// Reads a `methodResponse`.
///
/// # Errors
/// What is not XML, or is not XML-RPC, in words.
pub fn decode(body: &[u8]) -> Wrong<Answer> {
    let text = std::str::from_utf8(body).map_err(|_| "the answer is not UTF-8".to_owned())?;
    let tokens = tokens(text)?;
    let mut cursor = Cursor { tokens: &tokens };
    cursor.open("methodResponse")?;
    if cursor.opens("params") {
        cursor.open("param")?;
        return cursor.value(0).map(Ok);
    }
    cursor.open("fault")?;
    let value = cursor.value(0)?;
    let code = value
        .get("faultCode")
        .and_then(Value::int)
        .ok_or("a fault without faultCode")?;
    let text = value
        .get("faultString")
        .and_then(Value::text)
        .unwrap_or_default()
        .to_owned();
    Ok(Err(Fault { code, text }))
}

#[derive(Debug, PartialEq)]
enum Token {
    Open(String),
    Close,
    Text(String),
}

/// The document as elements and texts, neighbouring texts joined.
fn tokens(text: &str) -> Wrong<Vec<Token>> {
    let mut reader = Reader::from_str(text);
    reader.config_mut().expand_empty_elements = true;
    let mut tokens = Vec::new();
    let mut open = 0usize;
    let say = |tokens: &mut Vec<Token>, part: &str| match tokens.last_mut() {
        Some(Token::Text(text)) => text.push_str(part),
        _ => tokens.push(Token::Text(part.to_owned())),
    };
    loop {
        let event = reader
            .read_event()
            .map_err(|error| format!("the answer is not XML: {error}"))?;
        match event {
            Event::Start(tag) => {
                open += 1;
                tokens.push(Token::Open(
                    String::from_utf8_lossy(tag.name().as_ref()).into_owned(),
                ));
            }
            Event::End(_) => {
                open = open.saturating_sub(1);
                tokens.push(Token::Close);
            }
            Event::Text(part) => say(
                &mut tokens,
                &part.decode().map_err(|error| error.to_string())?,
            ),
            Event::CData(part) => say(
                &mut tokens,
                &part.decode().map_err(|error| error.to_string())?,
            ),
            Event::GeneralRef(name) => {
                let one = match name.resolve_char_ref() {
                    Ok(Some(one)) => one.to_string(),
                    _ => entity(&name.decode().map_err(|error| error.to_string())?)?.to_owned(),
                };
                say(&mut tokens, &one);
            }
            Event::DocType(_) => return Err("a document type in the answer".to_owned()),
            Event::Decl(_) | Event::Comment(_) | Event::PI(_) | Event::Empty(_) => {}
            Event::Eof if open > 0 => return Err("the answer ends in the middle".to_owned()),
            Event::Eof => return Ok(tokens),
        }
    }
}

fn entity(name: &str) -> Wrong<&'static str> {
    quick_xml::escape::resolve_xml_entity(name).ok_or_else(|| format!("unknown entity &{name};"))
}

struct Cursor<'a> {
    tokens: &'a [Token],
}

impl Cursor<'_> {
    /// Skips the whitespace between elements.
    fn rest(&mut self) -> &[Token] {
        while let Some((Token::Text(text), rest)) = self.tokens.split_first() {
            if !text.trim().is_empty() {
                break;
            }
            self.tokens = rest;
        }
        self.tokens
    }

    fn step(&mut self) {
        self.tokens = self.tokens.get(1..).unwrap_or_default();
    }

    /// Whether the next element is this one; steps into it if so.
    fn opens(&mut self, name: &str) -> bool {
        let found = matches!(self.rest().first(), Some(Token::Open(each)) if each == name);
        if found {
            self.step();
        }
        found
    }

    fn open(&mut self, name: &str) -> Wrong<()> {
        if self.opens(name) {
            Ok(())
        } else {
            Err(format!("the answer is not XML-RPC: <{name}> is missing"))
        }
    }

    fn close(&mut self) -> Wrong<()> {
        match self.rest().first() {
            Some(Token::Close) => {
                self.step();
                Ok(())
            }
            _ => Err("the answer is not XML-RPC: something follows a value".to_owned()),
        }
    }

    /// The text up to the end of the element, which is left.
    fn text(&mut self) -> Wrong<String> {
        let text = match self.tokens.first() {
            Some(Token::Text(text)) => text.clone(),
            _ => String::new(),
        };
        if !text.is_empty() {
            self.step();
        }
        self.close().map(|()| text)
    }

    fn value(&mut self, depth: usize) -> Wrong<Value> {
        if depth > DEEPEST {
            return Err("the answer is nested too deep".to_owned());
        }
        self.open("value")?;
        // A value without a type is a string, spaces and all.
        let typed = match self.tokens {
            [Token::Text(text), Token::Open(_), ..] => text.trim().is_empty(),
            [Token::Open(_), ..] => true,
            _ => false,
        };
        if !typed {
            return self.text().map(Value::Text);
        }
        let value = self.typed(depth)?;
        self.close().map(|()| value)
    }

    fn typed(&mut self, depth: usize) -> Wrong<Value> {
        let kind = match self.rest().first() {
            Some(Token::Open(name)) => name.clone(),
            _ => return Err("the answer is not XML-RPC: an empty value".to_owned()),
        };
        self.step();
        match kind.as_str() {
            "int" | "i4" | "i8" => {
                let text = self.text()?;
                text.trim()
                    .parse()
                    .map(Value::Int)
                    .map_err(|_| format!("'{text}' is not a number"))
            }
            "boolean" => match self.text()?.trim() {
                "0" => Ok(Value::Bool(false)),
                "1" => Ok(Value::Bool(true)),
                other => Err(format!("'{other}' is not a boolean")),
            },
            "string" | "double" | "dateTime.iso8601" | "base64" => self.text().map(Value::Text),
            "nil" => self.text().map(Value::Text),
            "array" => self.array(depth),
            "struct" => self.members(depth),
            other => Err(format!("the answer has a value of unknown type {other}")),
        }
    }

    fn array(&mut self, depth: usize) -> Wrong<Value> {
        self.open("data")?;
        let mut values = Vec::new();
        while matches!(self.rest().first(), Some(Token::Open(_))) {
            values.push(self.value(depth + 1)?);
        }
        self.close()?;
        self.close().map(|()| Value::Array(values))
    }

    fn members(&mut self, depth: usize) -> Wrong<Value> {
        let mut members = Vec::new();
        while self.opens("member") {
            self.open("name")?;
            let name = self.text()?;
            members.push((name, self.value(depth + 1)?));
            self.close()?;
        }
        self.close().map(|()| Value::Struct(members))
    }
}

/// RFC 4648, for the Authorization header alone.
pub(super) fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::new();
    for chunk in bytes.chunks(3) {
        let three = [
            chunk[0],
            chunk.get(1).copied().unwrap_or(0),
            chunk.get(2).copied().unwrap_or(0),
        ];
        let all = u32::from(three[0]) << 16 | u32::from(three[1]) << 8 | u32::from(three[2]);
        for place in 0..4 {
            let letter = LETTERS[(all >> (18 - 6 * place) & 63) as usize];
            out.push(if place <= chunk.len() {
                char::from(letter)
            } else {
                '='
            });
        }
    }
    out
}
