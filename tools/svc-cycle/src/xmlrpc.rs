//! supervisord's XML-RPC, spoken straight to its socket.
//!
//! `supervisorctl` takes 200 to 300 ms to start its Python; the socket answers in one or two. The protocol is the
//! little of XML-RPC that supervisord uses (xmlrpc.com/spec: int, boolean, string, array, struct), read with
//! quick-xml without DTDs or entities beyond XML's five. Anything else in an answer is an error, not a guess.

use std::path::PathBuf;
use std::time::Duration;

use base::{Error, Kind, Result};
use probe::http::{Failure, Method, Request};
use quick_xml::Reader;
use quick_xml::events::Event;

/// A value of the protocol.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// `int`, `i4`.
    Int(i64),
    /// `boolean`.
    Bool(bool),
    /// `string`, or text without a type.
    Text(String),
    /// `array`.
    Array(Vec<Value>),
    /// `struct`, in its order.
    Struct(Vec<(String, Value)>),
}

impl Value {
    /// A member of a struct.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Value> {
        match self {
            Self::Struct(members) => members.iter().find(|(each, _)| each == name).map(|(_, value)| value),
            _ => None,
        }
    }

    /// The number, if it is one.
    #[must_use]
    pub fn int(&self) -> Option<i64> {
        match self {
            Self::Int(number) => Some(*number),
            _ => None,
        }
    }

    /// The text, if it is one.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }
}

/// What the server said no with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// supervisord's number: 10 is BAD_NAME, 60 ALREADY_STARTED, 70 NOT_RUNNING.
    pub code: i64,
    /// Its words.
    pub text: String,
}

impl Fault {
    /// The number's name, from supervisor/xmlrpc.py.
    #[must_use]
    pub fn name(&self) -> &'static str {
        FAULTS.iter().find(|(code, _)| *code == self.code).map_or("UNKNOWN", |(_, name)| name)
    }
}

/// The process is up already.
pub const ALREADY_STARTED: i64 = 60;
/// The process is not up.
pub const NOT_RUNNING: i64 = 70;
/// There is no such process.
pub const BAD_NAME: i64 = 10;

const FAULTS: &[(i64, &str)] = &[
    (1, "UNKNOWN_METHOD"),
    (2, "INCORRECT_PARAMETERS"),
    (3, "BAD_ARGUMENTS"),
    (4, "SIGNATURE_UNSUPPORTED"),
    (6, "SHUTDOWN_STATE"),
    (10, "BAD_NAME"),
    (11, "BAD_SIGNAL"),
    (20, "NO_FILE"),
    (21, "NOT_EXECUTABLE"),
    (30, "FAILED"),
    (40, "ABNORMAL_TERMINATION"),
    (50, "SPAWN_ERROR"),
    (60, "ALREADY_STARTED"),
    (70, "NOT_RUNNING"),
    (80, "SUCCESS"),
    (90, "ALREADY_ADDED"),
    (91, "STILL_RUNNING"),
    (92, "CANT_REREAD"),
];

/// Where a supervisord is spoken to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Client {
    /// Its unix socket…
    pub socket: Option<PathBuf>,
    /// …or its address, `http://host:port`.
    pub url: Option<String>,
    /// User and password, where it asks for them.
    pub login: Option<(String, String)>,
}

/// How a call ended: an answer, or the server's no.
pub type Answer = std::result::Result<Value, Fault>;

impl Client {
    /// Where it is, for messages.
    #[must_use]
    pub fn place(&self) -> String {
        match (&self.socket, &self.url) {
            (Some(path), _) => path.display().to_string(),
            (None, Some(url)) => url.clone(),
            (None, None) => "nowhere".to_owned(),
        }
    }

    /// One call.
    ///
    /// # Errors
    /// Unreachable: nobody listens, or no answer in time; failed: not XML-RPC, or the login is refused.
    pub fn call(&self, method: &str, parameters: &[Value], timeout: Duration) -> Result<Answer> {
        let mut headers = Vec::new();
        if let Some((user, password)) = &self.login {
            headers.push(("authorization".to_owned(), format!("Basic {}", base64(format!("{user}:{password}").as_bytes()))));
        }
        let url = format!("{}/RPC2", self.url.as_deref().unwrap_or("http://127.0.0.1"));
        let request = Request {
            socket: self.socket.clone(),
            method: Method::Post("text/xml".to_owned(), encode(method, parameters).into_bytes()),
            headers,
            timeout,
            body_limit: 64 << 20,
            ..Request::get(&url)
        };
        let answer = request.send().map_err(|failure| self.unreachable(&failure))?;
        match answer.status {
            200 => decode(&answer.body).map_err(|why| Error::failed(format!("supervisord at {}: {why}", self.place()))),
            401 => Err(Error::new(Kind::Permission, format!("supervisord at {}: the user name or password is wrong", self.place()))
                .hint("they stand in [supervisorctl] of the configuration")),
            other => Err(Error::failed(format!("supervisord at {}: status {other}", self.place()))),
        }
    }

    /// Several calls in one exchange (`system.multicall`); an answer for each.
    ///
    /// # Errors
    /// As [`Client::call`].
    pub fn call_all(&self, calls: &[(&str, Vec<Value>)], timeout: Duration) -> Result<Vec<Answer>> {
        let calls: Vec<Value> = calls
            .iter()
            .map(|(method, parameters)| {
                Value::Struct(vec![
                    ("methodName".to_owned(), Value::Text((*method).to_owned())),
                    ("params".to_owned(), Value::Array(parameters.clone())),
                ])
            })
            .collect();
        let count = calls.len();
        let answer = self.call("system.multicall", &[Value::Array(calls)], timeout)?;
        match answer {
            Ok(Value::Array(values)) if values.len() == count => Ok(values.into_iter().map(of_multicall).collect()),
            Ok(_) => Err(Error::failed(format!("supervisord at {}: system.multicall answered something else", self.place()))),
            Err(fault) => Err(Error::failed(format!("supervisord at {}: {}", self.place(), fault.text))),
        }
    }

    fn unreachable(&self, failure: &Failure) -> Error {
        match failure {
            Failure::Refused(_) | Failure::Timeout(_) | Failure::Broken(_) => {
                Error::unreachable(format!("supervisord at {} doesn't answer: {failure}", self.place())).hint("is supervisord running?")
            }
            _ => Error::failed(format!("supervisord at {}: {failure}", self.place())),
        }
    }
}

/// supervisord gives the bare value where xmlrpc.com's multicall wraps it into an array of one.
fn of_multicall(value: Value) -> Answer {
    match (value.get("faultCode").and_then(Value::int), value.get("faultString").and_then(Value::text)) {
        (Some(code), text) => Err(Fault { code, text: text.unwrap_or_default().to_owned() }),
        _ => Ok(value),
    }
}

fn encode(method: &str, parameters: &[Value]) -> String {
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

fn put(value: &Value, out: &mut String) {
    out.push_str("<value>");
    match value {
        Value::Int(number) => out.push_str(&format!("<int>{number}</int>")),
        Value::Bool(truth) => out.push_str(&format!("<boolean>{}</boolean>", u8::from(*truth))),
        Value::Text(text) => out.push_str(&format!("<string>{}</string>", quick_xml::escape::escape(text))),
        Value::Array(values) => {
            out.push_str("<array><data>");
            values.iter().for_each(|each| put(each, out));
            out.push_str("</data></array>");
        }
        Value::Struct(members) => {
            out.push_str("<struct>");
            for (name, each) in members {
                out.push_str(&format!("<member><name>{}</name>", quick_xml::escape::escape(name)));
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
/// What isn't XML, or isn't XML-RPC, in words.
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
    let code = value.get("faultCode").and_then(Value::int).ok_or("a fault without faultCode")?;
    let text = value.get("faultString").and_then(Value::text).unwrap_or_default().to_owned();
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
        let event = reader.read_event().map_err(|error| format!("the answer is not XML: {error}"))?;
        match event {
            Event::Start(tag) => {
                open += 1;
                tokens.push(Token::Open(String::from_utf8_lossy(tag.name().as_ref()).into_owned()));
            }
            Event::End(_) => {
                open = open.saturating_sub(1);
                tokens.push(Token::Close);
            }
            Event::Text(part) => say(&mut tokens, &part.decode().map_err(|error| error.to_string())?),
            Event::CData(part) => say(&mut tokens, &part.decode().map_err(|error| error.to_string())?),
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
        if self.opens(name) { Ok(()) } else { Err(format!("the answer is not XML-RPC: <{name}> is missing")) }
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
                text.trim().parse().map(Value::Int).map_err(|_| format!("{text:?} is not a number"))
            }
            "boolean" => match self.text()?.trim() {
                "0" => Ok(Value::Bool(false)),
                "1" => Ok(Value::Bool(true)),
                other => Err(format!("{other:?} is not a boolean")),
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
fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::new();
    for chunk in bytes.chunks(3) {
        let three = [chunk[0], chunk.get(1).copied().unwrap_or(0), chunk.get(2).copied().unwrap_or(0)];
        let all = u32::from(three[0]) << 16 | u32::from(three[1]) << 8 | u32::from(three[2]);
        for place in 0..4 {
            let letter = LETTERS[(all >> (18 - 6 * place) & 63) as usize];
            out.push(if place <= chunk.len() { char::from(letter) } else { '=' });
        }
    }
    out
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests;
