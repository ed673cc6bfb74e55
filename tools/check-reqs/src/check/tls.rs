//! A server's certificate: valid for the name, trusted by this host, and not about to expire. The handshake is finished whatever the
//! certificate is like, so that the answer says what is wrong and not only that something is.

use super::port;
use crate::document::Fields;
use crate::finding::Finding;
use crate::fix::Fix;
use crate::kind::{Check, Type};
use crate::net::{self, Trouble};
use crate::scene::Scene;
use crate::short::{self, Pairs, Short};
use base::Result;
use base::clock::Deadline;
use openssl::asn1::Asn1Time;
use openssl::error::ErrorStack;
use openssl::ssl::{Ssl, SslContext, SslMethod, SslVerifyMode};
use openssl::x509::{X509, X509VerifyResult};
use std::net::{IpAddr, TcpStream};
use std::time::Duration;

/// `type = "tls"`.
pub const TYPE: Type = Type {
    name: "tls",
    about: "a certificate: its name, its chain, and how long it is still valid",
    keys: &[
        ("host", "the server"),
        ("port", "its port (443)"),
        ("left", "the least time until it expires (14d)"),
        ("name", "what it has to be valid for (host)"),
        ("ca", "a file of trusted certificates (the system's)"),
    ],
    short: Short {
        words: &["tls"],
        colon: true,
        forms: &["tls:HOST[:PORT][:DURATION]"],
        example: "tls:example.org:443:30d",
        read: read_short,
    },
    read,
};

fn read_short(_: &str, rest: &str) -> Result<Pairs, String> {
    let is_duration = |word: &str| {
        word.starts_with(|c: char| c.is_ascii_digit())
            && word.ends_with(|c: char| c.is_ascii_alphabetic())
    };
    let (place, left) = match rest.rsplit_once(':') {
        Some((place, left)) if is_duration(left) => (place, Some(left)),
        _ => (rest, None),
    };
    let mut pairs = short::server(place);
    pairs.extend(left.map(|left| ("left", short::text(left))));
    Ok(pairs)
}

struct Tls {
    host: String,
    port: u16,
    left: Duration,
    name: String,
    ca: Option<String>,
}

fn read(fields: &mut Fields<'_>) -> Result<Box<dyn Check>> {
    let host = fields.required("host")?;
    let left = fields.parsed("left", |text| {
        base::cli::parse_duration(text).map_err(|error| error.message)
    })?;
    Ok(Box::new(Tls {
        port: fields.parsed("port", port::number)?.unwrap_or(443),
        left: left.unwrap_or(Duration::from_secs(14 * 86400)),
        name: fields.text("name")?.unwrap_or_else(|| host.clone()),
        ca: fields.text("ca")?,
        host,
    }))
}

/// What a handshake showed.
struct Seen {
    verify: X509VerifyResult,
    certificate: X509,
    seconds: i64,
}

impl Tls {
    fn ssl(&self) -> Result<Ssl, ErrorStack> {
        let mut context = SslContext::builder(SslMethod::tls_client())?;
        match &self.ca {
            Some(file) => context.set_ca_file(file)?,
            None => context.set_default_verify_paths()?,
        }
        context.set_verify(SslVerifyMode::NONE);
        let mut ssl = Ssl::new(&context.build())?;
        match self.name.parse::<IpAddr>() {
            Ok(address) => ssl.param_mut().set_ip(address)?,
            Err(_) => {
                ssl.set_hostname(&self.name)?;
                ssl.param_mut().set_host(&self.name)?;
            }
        }
        Ok(ssl)
    }

    fn shake(&self, stream: TcpStream) -> Result<Seen, String> {
        let ssl = self
            .ssl()
            .map_err(|error| format!("TLS cannot be set up: {error}"))?;
        let stream = ssl.connect(stream).map_err(|error| error.to_string())?;
        let certificate = stream
            .ssl()
            .peer_certificate()
            .ok_or("the server shows no certificate")?;
        let now = Asn1Time::days_from_now(0).map_err(|error| error.to_string())?;
        let left = now
            .diff(certificate.not_after())
            .map_err(|error| error.to_string())?;
        let seconds = i64::from(left.days) * 86400 + i64::from(left.secs);
        Ok(Seen {
            verify: stream.ssl().verify_result(),
            certificate,
            seconds,
        })
    }

    fn judge(&self, seen: &Seen) -> Finding {
        let place = net::place(&self.host, self.port);
        let until = seen.certificate.not_after().to_string();
        let issuer = seen
            .certificate
            .issuer_name()
            .entries()
            .filter_map(|entry| entry.data().to_string().ok());
        let evidence = format!(
            "issued by {}, valid until {until}",
            issuer.collect::<Vec<_>>().join(", ")
        );
        let found = format!("valid until {until}");
        let renew = Fix::advice(format!(
            "renew the certificate of {} (certbot renew) and reload the server",
            self.name
        ));
        if seen.seconds < 0 {
            return Finding::unmet(
                "expired",
                format!("the certificate of {place} expired on {until}"),
            )
            .found(found)
            .evidence(evidence)
            .fix(renew);
        }
        if seen.verify == X509VerifyResult::OK {
            let days = seen.seconds / 86400;
            return match u64::try_from(seen.seconds).is_ok_and(|left| left >= self.left.as_secs()) {
                true => Finding::met(
                    found,
                    format!(
                        "the certificate of {place} is valid for {} for {days} more days",
                        self.name
                    ),
                )
                .evidence(evidence),
                false => Finding::unmet(
                    "expires_soon",
                    format!("the certificate of {place} expires in {days} days, on {until}"),
                )
                .found(found)
                .evidence(evidence)
                .fix(renew),
            };
        }
        let why = seen.verify.error_string();
        // X509_V_ERR_HOSTNAME_MISMATCH and _IP_ADDRESS_MISMATCH of <openssl/x509_vfy.h>.
        let (reason, text) = match seen.verify.as_raw() {
            62 | 64 => (
                "name",
                format!("get a certificate whose names include {}", self.name),
            ),
            _ => (
                "untrusted",
                "serve the whole chain, by a certification authority that this host trusts"
                    .to_string(),
            ),
        };
        Finding::unmet(reason, format!("the certificate of {place}: {why}"))
            .found(found)
            .evidence(evidence)
            .fix(Fix::advice(text))
    }
}

impl Check for Tls {
    fn subject(&self) -> String {
        net::place(&self.host, self.port)
    }

    fn expected(&self) -> String {
        format!(
            "a certificate for {}, valid for {} more days",
            self.name,
            self.left.as_secs() / 86400
        )
    }

    fn how(&self) -> String {
        "a TLS handshake; chain and name as OpenSSL judges them with this host's certificates"
            .into()
    }

    fn look(&self, _: &Scene, deadline: Deadline) -> Finding {
        let place = net::place(&self.host, self.port);
        let stream = match net::connect(&self.host, self.port, deadline) {
            Ok((stream, _)) => stream,
            Err(trouble) => {
                return trouble.finding(Fix::advice(format!("start the server at {place}")));
            }
        };
        match self.shake(stream) {
            Ok(seen) => self.judge(&seen),
            Err(_) if deadline.passed() => Trouble::Timeout(place).finding(Fix::advice("")),
            Err(why) => Finding::unmet("no_tls", format!("{place}: {why}"))
                .fix(Fix::advice(format!("switch TLS on at {place}"))),
        }
    }
}
