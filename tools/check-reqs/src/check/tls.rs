//! A server's certificate: valid for the name, trusted by this host, and not about to expire. The
//! handshake is finished whatever the certificate is like, so that the answer says what is wrong
//! and not only that something is.

use super::port;
use crate::document::Fields;
use crate::finding::Finding;
use crate::fix::Fix;
use crate::kind::{Check, Type};
use crate::net::{self, Trouble};
use crate::scene::Scene;
use crate::short::{self, Pairs, Short};
use crate::starttls::Protocol;
use base::Result;
use base::clock::Deadline;
use openssl::asn1::{Asn1Time, Asn1TimeRef};
use openssl::error::ErrorStack;
use openssl::ssl::{Ssl, SslContext, SslMethod, SslVerifyMode};
use openssl::x509::verify::X509CheckFlags;
use openssl::x509::{X509, X509VerifyResult};
use std::net::{IpAddr, TcpStream};
use std::time::Duration;

/// `type = "tls"`.
pub const TYPE: Type = Type {
    name: "tls",
    about: "a certificate: its name, its chain, and the time until it expires",
    keys: &[
        ("host", "the server"),
        ("port", "the port (443)"),
        ("left", "the least time until the certificate expires (14d)"),
        (
            "name",
            "the name that the certificate has to be valid for (host)",
        ),
        ("ca", "a file of trusted certificates (the system's)"),
        (
            "starttls",
            "smtp, postgres or ldap: the protocol that turns a plain connection into TLS",
        ),
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
    starttls: Option<Protocol>,
}

fn read(fields: &mut Fields<'_>) -> Result<Box<dyn Check>> {
    let host = fields.required("host")?;
    let left = fields.parsed("left", |text| {
        base::cli::parse_duration(text).map_err(|error| error.message)
    })?;
    let starttls = fields
        .choice("starttls", &["smtp", "postgres", "ldap"])?
        .map(|word| match word.as_str() {
            "smtp" => Protocol::Smtp,
            "postgres" => Protocol::Postgres,
            _ => Protocol::Ldap,
        });
    let usual = starttls.map_or(443, Protocol::port);
    Ok(Box::new(Tls {
        starttls,
        port: fields.parsed("port", port::number)?.unwrap_or(usual),
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
    /// The certificate that ends first, and in how many seconds.
    first: (String, String, i64),
    /// Whether the certificate is valid only later.
    early: bool,
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
                // Browsers and Python look at the alternative names only (RFC 9525).
                ssl.param_mut()
                    .set_hostflags(X509CheckFlags::NEVER_CHECK_SUBJECT);
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
        let verify = stream.ssl().verify_result();
        // A server may send more than it needs; what counts is the chain that was verified.
        let chain: Vec<X509> = match (
            verify == X509VerifyResult::OK,
            stream.ssl().verified_chain(),
        ) {
            (true, Some(chain)) => chain.iter().map(ToOwned::to_owned).collect(),
            _ => vec![certificate.clone()],
        };
        let first = first_end(&chain).map_err(|error| error.to_string())?;
        let early = seconds_until(certificate.not_before()).is_ok_and(|seconds| seconds > 0);
        Ok(Seen {
            verify,
            certificate,
            first,
            early,
        })
    }

    fn judge(&self, seen: &Seen) -> Finding {
        let place = net::place(&self.host, self.port);
        let (subject, until, seconds) = &seen.first;
        let (until, seconds) = (until.clone(), *seconds);
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
        if seen.early {
            let from = seen.certificate.not_before();
            return Finding::unmet(
                "not_yet_valid",
                format!("the certificate of {place} is valid only from {from} on"),
            )
            .found(format!("valid from {from}"))
            .evidence(evidence)
            .fix(Fix::advice(format!(
                "correct the clock of this host or of the authority; otherwise wait until {from}"
            )));
        }
        if seconds < 0 {
            return Finding::unmet(
                "expired",
                format!("the certificate of {place} expired on {until}"),
            )
            .found(found)
            .evidence(evidence)
            .fix(renew);
        }
        if seen.verify == X509VerifyResult::OK {
            let days = seconds / 86400;
            let of_chain = match *subject == name_of(&seen.certificate) {
                true => String::new(),
                false => format!(" (its chain: {subject})"),
            };
            return match u64::try_from(seconds).is_ok_and(|left| left >= self.left.as_secs()) {
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
                    format!(
                        "the certificate of {place}{of_chain} expires in {days} days, on {until}"
                    ),
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

fn seconds_until(time: &Asn1TimeRef) -> Result<i64, ErrorStack> {
    let left = Asn1Time::days_from_now(0)?.diff(time)?;
    Ok(i64::from(left.days) * 86400 + i64::from(left.secs))
}

/// The certificate of a chain that ends first: its name, the end, and the seconds until then.
fn first_end(chain: &[X509]) -> Result<(String, String, i64), ErrorStack> {
    let mut first: Option<(String, String, i64)> = None;
    for certificate in chain {
        let seconds = seconds_until(certificate.not_after())?;
        if first.as_ref().is_none_or(|(.., least)| seconds < *least) {
            let until = certificate.not_after().to_string();
            first = Some((name_of(certificate), until, seconds));
        }
    }
    Ok(first.unwrap_or_default())
}

fn name_of(certificate: &X509) -> String {
    let entries = certificate.subject_name().entries();
    let words = entries.filter_map(|entry| entry.data().to_string().ok());
    words.collect::<Vec<_>>().join(", ")
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
        let stream = match self.starttls {
            Some(protocol) => match protocol.begin(stream, deadline) {
                Ok(stream) => stream,
                Err(error) if error.kind() == std::io::ErrorKind::InvalidData => {
                    return Finding::unmet("no_tls", format!("{place}: {error}"))
                        .fix(Fix::advice(format!("switch TLS on at {place}")));
                }
                Err(error) => {
                    return Trouble::of(&place, &error)
                        .finding(Fix::advice(format!("start the server at {place}")));
                }
            },
            None => stream,
        };
        match self.shake(stream) {
            Ok(seen) => self.judge(&seen),
            Err(_) if deadline.passed() => Trouble::Timeout(place).finding(Fix::advice("")),
            Err(why) => Finding::unmet("no_tls", format!("{place}: {why}"))
                .fix(Fix::advice(format!("switch TLS on at {place}"))),
        }
    }
}
