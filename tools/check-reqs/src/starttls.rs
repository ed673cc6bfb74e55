//! Asking a server for TLS on a connection that begins in clear: SMTP (RFC 3207), PostgreSQL's
//! SSLRequest, LDAP's StartTLS (RFC 4511). Every read is short, and the deadline is the whole
//! check's.

use base::clock::Deadline;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

/// What a server speaks before TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// Mail.
    Smtp,
    /// PostgreSQL.
    Postgres,
    /// LDAP.
    Ldap,
}

/// PostgreSQL's SSLRequest: the length 8, the code 80877103.
const SSL_REQUEST: [u8; 8] = [0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f];

/// An ExtendedRequest with message number 1 and the name 1.3.6.1.4.1.1466.20037, in BER.
const LDAP_REQUEST: &[u8] = b"\x30\x1d\x02\x01\x01\x77\x18\x80\x161.3.6.1.4.1.1466.20037";

impl Protocol {
    /// The usual port.
    pub fn port(self) -> u16 {
        match self {
            Protocol::Smtp => 25,
            Protocol::Postgres => 5432,
            Protocol::Ldap => 389,
        }
    }

    /// Asks for TLS; the handshake comes next on the same connection.
    ///
    /// # Errors
    /// `InvalidData` where the server answers, and not with TLS.
    pub fn begin(self, stream: TcpStream, deadline: Deadline) -> io::Result<TcpStream> {
        let mut talk = Talk { stream, deadline };
        match self {
            Protocol::Smtp => {
                talk.reply("220")?;
                talk.send(b"EHLO localhost\r\n")?;
                talk.reply("250")?;
                talk.send(b"STARTTLS\r\n")?;
                talk.reply("220")?;
            }
            Protocol::Postgres => {
                talk.send(&SSL_REQUEST)?;
                if talk.byte()? != b'S' {
                    return Err(refused("the server does not offer TLS"));
                }
            }
            Protocol::Ldap => {
                talk.send(LDAP_REQUEST)?;
                talk.ldap()?;
            }
        }
        Ok(talk.stream)
    }
}

fn refused(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what.to_owned())
}

struct Talk {
    stream: TcpStream,
    deadline: Deadline,
}

impl Talk {
    fn limit(&self) -> io::Result<()> {
        let left = self.deadline.slice(Duration::from_secs(60));
        if left.is_zero() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        self.stream.set_read_timeout(Some(left))?;
        self.stream.set_write_timeout(Some(left))
    }

    fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.limit()?;
        self.stream.write_all(bytes)
    }

    /// One byte at a time: nothing of the handshake is read away.
    fn byte(&mut self) -> io::Result<u8> {
        self.limit()?;
        let mut byte = [0];
        self.stream.read_exact(&mut byte)?;
        Ok(byte[0])
    }

    /// A reply of SMTP: lines of `250-text`, the last with a space.
    fn reply(&mut self, wanted: &str) -> io::Result<()> {
        for _ in 0..128 {
            let mut line = Vec::new();
            while line.last() != Some(&b'\n') {
                if line.len() > 2048 {
                    return Err(refused("a line without an end"));
                }
                line.push(self.byte()?);
            }
            let text = String::from_utf8_lossy(&line).trim_end().to_owned();
            if !text.starts_with(wanted) {
                let shown: String = text.chars().take(80).collect();
                return Err(refused(&format!("the server says '{shown}'")));
            }
            if text.as_bytes().get(3) != Some(&b'-') {
                return Ok(());
            }
        }
        Err(refused("a reply without an end"))
    }

    /// The ExtendedResponse: its resultCode is 0 where TLS may begin.
    fn ldap(&mut self) -> io::Result<()> {
        if self.byte()? != 0x30 {
            return Err(refused("the server does not speak LDAP"));
        }
        let length = match self.byte()? {
            short @ 0..=0x7f => usize::from(short),
            0x81 => usize::from(self.byte()?),
            0x82 => usize::from(self.byte()?) << 8 | usize::from(self.byte()?),
            _ => return Err(refused("an answer without an end")),
        };
        let body = (0..length)
            .map(|_| self.byte())
            .collect::<io::Result<Vec<u8>>>()?;
        // messageID, then [APPLICATION 24] with an ENUMERATED resultCode: 0a 01 CODE.
        let code = body
            .windows(3)
            .find(|part| part[0] == 0x0a && part[1] == 1)
            .map(|part| part[2]);
        match code {
            Some(0) => Ok(()),
            Some(code) => Err(refused(&format!(
                "the server refuses StartTLS (result {code})"
            ))),
            None => Err(refused("the server does not speak LDAP")),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    /// A server that says its lines in turn, each after something was read, the first at once if it
    /// begins the talk.
    fn served(
        protocol: Protocol,
        answers: &'static [&'static [u8]],
        greets: bool,
    ) -> io::Result<()> {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let server = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            for (i, answer) in answers.iter().enumerate() {
                if i > 0 || !greets {
                    let _ = stream.read(&mut [0; 512]);
                }
                let _ = stream.write_all(answer);
            }
        });
        let stream = TcpStream::connect(address).unwrap();
        let begun = protocol.begin(stream, Deadline::after(Some(Duration::from_secs(5))));
        server.join().unwrap();
        begun.map(drop)
    }

    #[test]
    fn each_protocol_asks_in_its_own_words() {
        let mail: &[&[u8]] = &[
            b"220-a\r\n220 b\r\n",
            b"250-x\r\n250 STARTTLS\r\n",
            b"220 go\r\n",
        ];
        served(Protocol::Smtp, mail, true).unwrap();
        served(Protocol::Postgres, &[b"S"], false).unwrap();
        let yes: &[&[u8]] = &[b"\x30\x0c\x02\x01\x01\x78\x07\x0a\x01\x00\x04\x00\x04\x00"];
        served(Protocol::Ldap, yes, false).unwrap();
    }

    #[test]
    fn a_no_is_told_from_silence() {
        for (protocol, answers, greets) in [
            (
                Protocol::Smtp,
                &[b"554 no\r\n" as &[u8]] as &'static [&'static [u8]],
                true,
            ),
            (Protocol::Postgres, &[b"N"], false),
            (
                Protocol::Ldap,
                &[b"\x30\x0c\x02\x01\x01\x78\x07\x0a\x01\x02\x04\x00\x04\x00"],
                false,
            ),
        ] {
            let error = served(protocol, answers, greets).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::InvalidData, "{protocol:?}");
        }
    }
}
