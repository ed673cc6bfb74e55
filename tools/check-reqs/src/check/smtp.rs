//! A mail server that says hello (RFC 5321), and speaks TLS where that is asked for (RFC 3207). No
//! mail is sent.
//!
//! A tarpit that sends one byte a second keeps a reader with a time-out per read for ever; here the
//! deadline is the whole check's.

use super::port;
use crate::document::Fields;
use crate::document::Value;
use crate::finding::Finding;
use crate::fix::{self, Fix};
use crate::kind::{Check, Type};
use crate::net::{self, Trouble};
use crate::scene::Scene;
use crate::short::{self, Pairs, Short};
use base::Result;
use base::clock::Deadline;
use openssl::ssl::{SslConnector, SslMethod, SslVerifyMode};
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

/// `type = "smtp"`.
pub const TYPE: Type = Type {
    name: "smtp",
    about: "a mail server that greets, and that speaks STARTTLS where the key starttls is given",
    keys: &[
        ("host", "the mail server (localhost)"),
        ("port", "the port (25)"),
        (
            "starttls",
            "true: the server has to speak TLS after STARTTLS",
        ),
        (
            "tls",
            "true: the connection begins with TLS, as on port 465",
        ),
        (
            "verify",
            "true: the certificate has to be valid for the host",
        ),
    ],
    short: Short {
        words: &["smtp"],
        colon: true,
        forms: &["smtp:HOST[:PORT][:starttls|:tls]"],
        example: "smtp:localhost:25",
        read: read_short,
    },
    read,
};

fn read_short(_: &str, rest: &str) -> Result<Pairs, String> {
    let (place, mode) = match rest.rsplit_once(':') {
        Some((place, mode @ ("starttls" | "tls"))) => (place, Some(mode)),
        _ => (rest, None),
    };
    let mut pairs = short::server(place);
    match mode {
        Some("tls") => pairs.push(("tls", Value::Flag(true))),
        Some(_) => pairs.push(("starttls", Value::Flag(true))),
        None => {}
    }
    Ok(pairs)
}

struct Smtp {
    host: String,
    port: u16,
    starttls: bool,
    tls: bool,
    verify: bool,
}

fn read(fields: &mut Fields<'_>) -> Result<Box<dyn Check>> {
    let port = fields.parsed("port", port::number)?;
    let (starttls, tls) = (fields.flag("starttls")?, fields.flag("tls")?);
    let verify = fields.flag("verify")?.unwrap_or(false);
    if starttls == Some(true) && tls == Some(true) {
        return Err(fields.error("tls", "either tls or starttls: not both"));
    }
    // RFC 8314: on port 465 a server says nothing before TLS.
    let tls = tls.unwrap_or(port == Some(465) && starttls != Some(true));
    // A certificate is only seen over TLS: verify asks for TLS, too.
    let starttls = starttls.unwrap_or(verify && !tls);
    if verify && !starttls && !tls {
        return Err(fields.error("verify", "verify needs TLS: starttls or tls is false"));
    }
    Ok(Box::new(Smtp {
        host: fields.text("host")?.unwrap_or_else(|| "localhost".into()),
        port: port.unwrap_or(if tls { 465 } else { 25 }),
        starttls,
        tls,
        verify,
    }))
}

/// A stream whose reads and writes all end by one deadline.
trait Timed: Read + Write {
    fn socket(&self) -> &TcpStream;
}

impl Timed for TcpStream {
    fn socket(&self) -> &TcpStream {
        self
    }
}

impl Timed for openssl::ssl::SslStream<TcpStream> {
    fn socket(&self) -> &TcpStream {
        self.get_ref()
    }
}

struct Dialogue<S> {
    stream: S,
    deadline: Deadline,
    kept: Vec<u8>,
}

/// The longest answer that is read: RFC 5321 allows lines of 512 bytes.
const LONGEST: usize = 16 << 10;

impl<S: Timed> Dialogue<S> {
    fn limit(&self) -> io::Result<()> {
        let left = self.deadline.slice(Duration::from_secs(60));
        if left.is_zero() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        self.stream.socket().set_read_timeout(Some(left))?;
        self.stream.socket().set_write_timeout(Some(left))
    }

    fn line(&mut self) -> io::Result<String> {
        loop {
            if let Some(at) = self.kept.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.kept.drain(..=at).collect();
                return Ok(String::from_utf8_lossy(&line).trim_end().to_string());
            }
            if self.kept.len() > LONGEST {
                return Err(io::Error::new(
                    io::ErrorKind::InvalidData,
                    "a line without an end",
                ));
            }
            self.limit()?;
            let mut buffer = [0; 2048];
            match self.stream.read(&mut buffer)? {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                n => self.kept.extend_from_slice(&buffer[..n]),
            }
        }
    }

    /// A reply: lines of `250-text`, the last with a space.
    fn reply(&mut self) -> io::Result<(u16, Vec<String>)> {
        let mut lines = Vec::new();
        let mut length = 0;
        loop {
            let line = self.line()?;
            length += line.len();
            let code = line.get(..3).and_then(|code| code.parse::<u16>().ok());
            let code = code.ok_or_else(|| {
                io::Error::new(
                    io::ErrorKind::InvalidData,
                    format!("'{}' is no reply", short(&line)),
                )
            })?;
            if length > LONGEST {
                return Err(io::Error::new(
                    io::ErrorKind::InvalidData,
                    "a reply without an end",
                ));
            }
            let more = line.as_bytes().get(3) == Some(&b'-');
            lines.push(line.get(4..).unwrap_or("").to_string());
            if !more {
                return Ok((code, lines));
            }
        }
    }

    fn say(&mut self, words: &str) -> io::Result<(u16, Vec<String>)> {
        self.limit()?;
        self.stream.write_all(format!("{words}\r\n").as_bytes())?;
        self.reply()
    }

    /// EHLO, or HELO where that is all the server knows; gives the extensions.
    fn hello(&mut self) -> io::Result<Result<Vec<String>, String>> {
        let (code, lines) = self.say("EHLO localhost")?;
        if code == 250 {
            return Ok(Ok(lines));
        }
        let (code, lines) = self.say("HELO localhost")?;
        Ok(if code == 250 {
            Ok(Vec::new())
        } else {
            Err(format!("{code} {}", lines.join(" ")))
        })
    }
}

fn short(line: &str) -> String {
    line.chars().take(80).collect()
}

impl Smtp {
    fn place(&self) -> String {
        net::place(&self.host, self.port)
    }

    fn refused(&self, what: String) -> Finding {
        Finding::unmet("refused", format!("{} says {what}", self.place()))
            .found(what)
            .fix(Fix::advice(
                "let this host relay: for Postfix, mynetworks and smtpd_client_restrictions",
            ))
    }

    fn converse(&self, stream: TcpStream, deadline: Deadline) -> io::Result<Finding> {
        if self.tls {
            return self.secured(stream, deadline, None);
        }
        let mut talk = Dialogue {
            stream,
            deadline,
            kept: Vec::new(),
        };
        let (code, lines) = talk.reply()?;
        let greeting = short(lines.last().map_or("", String::as_str));
        if code != 220 {
            return Ok(self.refused(format!("{code} {greeting}")));
        }
        let extensions = match talk.hello()? {
            Ok(extensions) => extensions,
            Err(what) => return Ok(self.refused(what)),
        };
        let offers = extensions
            .iter()
            .any(|line| line.eq_ignore_ascii_case("STARTTLS"));
        if !self.starttls {
            let _ = talk.say("QUIT");
            let tls = if offers { ", offers STARTTLS" } else { "" };
            return Ok(Finding::met(
                greeting.clone(),
                format!("{} greets: {greeting}{tls}", self.place()),
            ));
        }
        if !offers {
            return Ok(Finding::unmet("no_starttls", format!("{} does not offer STARTTLS", self.place()))
                .found(greeting)
                .fix(Fix::advice("give the mail server a certificate and switch TLS on (Postfix: smtpd_tls_security_level = may)")));
        }
        let (code, lines) = talk.say("STARTTLS")?;
        if code != 220 {
            return Ok(self.refused(format!("{code} {}", lines.join(" "))));
        }
        // What came with the reply in clear was not said over TLS (CVE-2011-0411).
        talk.kept.clear();
        talk.limit()?;
        self.secured(talk.stream, deadline, Some(&greeting))
    }

    fn secured(
        &self,
        stream: TcpStream,
        deadline: Deadline,
        greeting: Option<&str>,
    ) -> io::Result<Finding> {
        let mut connector =
            SslConnector::builder(SslMethod::tls_client()).map_err(io::Error::other)?;
        if !self.verify {
            connector.set_verify(SslVerifyMode::NONE);
        }
        let mut settings = connector.build().configure().map_err(io::Error::other)?;
        settings.set_verify_hostname(self.verify);
        match settings.connect(&self.host, stream) {
            Ok(stream) => {
                let version = stream.ssl().version_str().to_string();
                let mut talk = Dialogue {
                    stream,
                    deadline,
                    kept: Vec::new(),
                };
                let greeting = match greeting {
                    Some(greeting) => greeting.to_owned(),
                    // With TLS from the beginning the greeting comes now.
                    None => {
                        let (code, lines) = talk.reply()?;
                        let text = short(lines.last().map_or("", String::as_str));
                        if code != 220 {
                            return Ok(self.refused(format!("{code} {text}")));
                        }
                        text
                    }
                };
                let how = if self.tls {
                    "from the beginning"
                } else {
                    "after STARTTLS"
                };
                match talk.hello()? {
                    Ok(_) => {
                        let _ = talk.say("QUIT");
                        Ok(Finding::met(
                            greeting,
                            format!("{} speaks {version} {how}", self.place()),
                        ))
                    }
                    Err(what) => Ok(self.refused(what)),
                }
            }
            Err(openssl::ssl::HandshakeError::SetupFailure(error)) => Err(io::Error::other(error)),
            Err(error) => Ok(Finding::unmet(
                "tls",
                format!("{}: TLS fails: {error}", self.place()),
            )
            .fix(Fix::advice(
                "give the mail server a certificate that is valid for its name",
            ))),
        }
    }
}

/// Installs a mail server, or starts the one that is here.
fn mail_server(scene: &Scene) -> Fix {
    match crate::programs::find("postfix") {
        Some(_) => fix::root("start the mail server", vec![fix::start(scene, "postfix")]),
        None => fix::install_of_command(scene, "sendmail"),
    }
}

impl Check for Smtp {
    fn subject(&self) -> String {
        self.place()
    }

    fn expected(&self) -> String {
        format!(
            "a mail server at {}{}",
            self.place(),
            match (self.tls, self.starttls) {
                (true, _) => " with TLS",
                (_, true) => " with STARTTLS",
                _ => "",
            }
        )
    }

    fn how(&self) -> String {
        "greeting, EHLO, STARTTLS if asked, QUIT; no mail is sent".into()
    }

    fn look(&self, scene: &Scene, deadline: Deadline) -> Finding {
        let place = self.place();
        let local = matches!(self.host.as_str(), "localhost" | "127.0.0.1" | "::1");
        let start = || match local {
            true => mail_server(scene),
            false => Fix::advice(format!(
                "start the mail server at {place}, or let this host through the firewall"
            )),
        };
        let stream = match net::connect(&self.host, self.port, deadline) {
            Ok((stream, _)) => stream,
            Err(trouble) => return trouble.finding(start()),
        };
        match self.converse(stream, deadline) {
            Ok(finding) => finding,
            Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                Finding::unmet("not_smtp", format!("{place} does not speak SMTP: {error}"))
                    .fix(start())
            }
            Err(error) => Trouble::of(&place, &error).finding(start()),
        }
    }
}
