//! TLS as libpq does it: the levels of `sslmode`, whose certificate is trusted, which certificate
//! is shown. OpenSSL, because rustls refuses the usual self-signed root as a server certificate.
//!
//! The context is built only once the server has agreed to TLS: a connection without it (every
//! socket) costs nothing here, and a bad file fails at the point where libpq would notice it.

use std::future::Future;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};

use openssl::pkey::PKey;
use openssl::ssl::{
    ConnectConfiguration, SslConnector, SslConnectorBuilder, SslFiletype, SslMethod, SslVerifyMode,
    SslVersion,
};
use openssl::x509::store::{X509Lookup, X509StoreBuilder};
use openssl::x509::verify::X509VerifyFlags;
use postgres::Socket;
use postgres::tls::{MakeTlsConnect, TlsConnect};
use postgres_openssl::{TlsConnector, TlsStream};

use crate::environment::Environment;
use crate::error::{Error, Result};
use crate::names::certificate_is_for;
use crate::settings::Settings;

/// The levels of `sslmode`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mode {
    Disable,
    Allow,
    Prefer,
    Require,
    VerifyCa,
    VerifyFull,
}

/// Everything that decides whom to trust and what to show.
#[derive(Debug, Clone)]
pub struct Trust {
    pub mode: Mode,
    pub direct: bool,
    root: Root,
    crl: Option<Revoked>,
    crl_directory: Option<PathBuf>,
    certificate: Option<Own>,
    sni: bool,
    oldest: Option<SslVersion>,
    newest: Option<SslVersion>,
}

#[derive(Debug, Clone)]
enum Root {
    System,
    File(PathBuf),
    /// No home directory and no file given.
    Nowhere,
}

#[derive(Debug, Clone)]
struct Revoked {
    file: PathBuf,
    /// Named by the user, rather than the default that need not exist.
    named: bool,
}

/// The client's own certificate.
#[derive(Clone)]
struct Own {
    certificate: PathBuf,
    key: PathBuf,
    password: Option<String>,
    /// `sslcertmode=require`.
    required: bool,
}

impl std::fmt::Debug for Own {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Own").field(&self.certificate).finish()
    }
}

impl Trust {
    pub fn from_settings(settings: &Settings, environment: &Environment) -> Result<Self> {
        let home = environment.home().map(|home| home.join(".postgresql"));
        let at_home = |name: &str| home.as_ref().map(|home| home.join(name));
        let named = |name: &str| settings.filled(name).map(PathBuf::from);
        let root = match settings.filled("sslrootcert") {
            Some("system") => Root::System,
            Some(file) => Root::File(PathBuf::from(file)),
            None => at_home("root.crt").map_or(Root::Nowhere, Root::File),
        };
        let certificate = named("sslcert").or_else(|| at_home("postgresql.crt"));
        let key = named("sslkey").or_else(|| at_home("postgresql.key"));
        let (shown, required) = match settings.filled("sslcertmode") {
            None | Some("allow") => (true, false),
            Some("disable") => (false, false),
            Some("require") => (true, true),
            Some(other) => {
                return Err(Error::settings(format!(
                    "invalid sslcertmode value: \"{other}\""
                )));
            }
        };
        let crl = match (named("sslcrl"), settings.filled("sslcrldir")) {
            (Some(file), _) => Some(Revoked { file, named: true }),
            (None, Some(_)) => None,
            (None, None) => at_home("root.crl").map(|file| Revoked { file, named: false }),
        };
        let trust = Self {
            mode: mode(settings)?,
            direct: direct(settings)?,
            root,
            crl,
            crl_directory: named("sslcrldir"),
            certificate: certificate
                .zip(key)
                .filter(|_| shown)
                .map(|(certificate, key)| Own {
                    certificate,
                    key,
                    password: settings.filled("sslpassword").map(str::to_owned),
                    required,
                }),
            sni: settings.filled("sslsni").is_none_or(|value| value != "0"),
            oldest: version(settings, "ssl_min_protocol_version")?.or(Some(SslVersion::TLS1_2)),
            newest: version(settings, "ssl_max_protocol_version")?,
        };
        let range = ordinal(trust.oldest).zip(ordinal(trust.newest));
        if range.is_some_and(|(oldest, newest)| oldest > newest) {
            return Err(Error::settings("invalid SSL protocol version range"));
        }
        Ok(trust)
    }

    /// The OpenSSL side of one connection; `mismatch` takes the name on a certificate that is
    /// somebody else's.
    fn configure(
        &self,
        host: &str,
        mismatch: &Arc<Mutex<Option<String>>>,
    ) -> std::result::Result<ConnectConfiguration, String> {
        let failed = |error: openssl::error::ErrorStack| format!("could not set up TLS: {error}");
        let mut builder = SslConnector::builder(SslMethod::tls()).map_err(failed)?;
        builder.set_min_proto_version(self.oldest).map_err(failed)?;
        builder.set_max_proto_version(self.newest).map_err(failed)?;
        let verify = self.trust_root(&mut builder)?;
        if let Some(own) = &self.certificate {
            own.present(&mut builder)?;
        }
        let level = if verify {
            SslVerifyMode::PEER
        } else {
            SslVerifyMode::NONE
        };
        builder.set_verify(level);
        let mut configuration = builder.build().configure().map_err(failed)?;
        // The names are ours to check: libpq's rules are not OpenSSL's.
        configuration.set_verify_hostname(false);
        configuration.set_use_server_name_indication(self.sni && !host.is_empty());
        if self.mode == Mode::VerifyFull {
            if host.is_empty() {
                return Err("host name must be specified for a verified SSL connection".to_owned());
            }
            let (host, mismatch) = (host.to_owned(), Arc::clone(mismatch));
            configuration.set_verify_callback(level, move |trusted, context| {
                if !trusted || context.error_depth() != 0 {
                    return trusted;
                }
                let names = context
                    .current_cert()
                    .map(|found| certificate_is_for(found, &host));
                match names {
                    Some(Ok(())) => true,
                    Some(Err(name)) => {
                        *mismatch.lock().unwrap_or_else(PoisonError::into_inner) =
                            Some(name.unwrap_or_default());
                        false
                    }
                    None => false,
                }
            });
        }
        Ok(configuration)
    }

    /// Loads the root certificates; says whether the server's is to be verified. As in libpq a
    /// root file that exists is used at every level, not only at the verify ones.
    fn trust_root(&self, builder: &mut SslConnectorBuilder) -> std::result::Result<bool, String> {
        let file = match &self.root {
            Root::System => return Ok(true),
            Root::File(file) if file.exists() => file,
            Root::File(file) if self.mode >= Mode::VerifyCa => {
                return Err(format!(
                    "root certificate file \"{}\" does not exist, and sslmode asks for verification",
                    file.display()
                ));
            }
            Root::Nowhere if self.mode >= Mode::VerifyCa => {
                return Err(
                    "no home directory to look for .postgresql/root.crt in, and sslmode \
                            asks for verification"
                        .to_owned(),
                );
            }
            Root::File(_) | Root::Nowhere => return Ok(false),
        };
        let unread = |what: &Path, error: &dyn std::fmt::Display| {
            format!(
                "could not read certificate file \"{}\": {error}",
                what.display()
            )
        };
        let failed = |error: openssl::error::ErrorStack| unread(file, &error);
        // Only this file's certificates, none of the system's.
        let mut store = X509StoreBuilder::new().map_err(failed)?;
        if self.load_revoked(&mut store)? {
            store
                .set_flags(X509VerifyFlags::CRL_CHECK | X509VerifyFlags::CRL_CHECK_ALL)
                .map_err(failed)?;
        }
        builder.set_cert_store(store.build());
        builder.set_ca_file(file).map_err(failed)?;
        Ok(true)
    }

    /// Loads revocation lists. Unlike libpq, which goes on without, a list that was named and
    /// cannot be read is an error.
    fn load_revoked(&self, store: &mut X509StoreBuilder) -> std::result::Result<bool, String> {
        let mut loaded = false;
        if let Some(crl) = &self.crl {
            if crl.file.exists() {
                let result = store
                    .add_lookup(X509Lookup::file())
                    .and_then(|lookup| lookup.load_crl_file(&crl.file, SslFiletype::PEM));
                result.map_err(|error| {
                    format!(
                        "could not read revocation list \"{}\": {error}",
                        crl.file.display()
                    )
                })?;
                loaded = true;
            } else if crl.named {
                return Err(format!(
                    "revocation list \"{}\" does not exist",
                    crl.file.display()
                ));
            }
        }
        if let Some(directory) = &self.crl_directory {
            let name = directory.to_string_lossy();
            store
                .add_lookup(X509Lookup::hash_dir())
                .and_then(|lookup| lookup.add_dir(&name, SslFiletype::PEM))
                .map_err(|error| format!("could not use sslcrldir \"{name}\": {error}"))?;
            loaded = true;
        }
        Ok(loaded)
    }
}

impl Own {
    fn present(&self, builder: &mut SslConnectorBuilder) -> std::result::Result<(), String> {
        if !self.certificate.exists() && self.required {
            return Err(format!(
                "sslcertmode=require, and there is no certificate file \"{}\"",
                self.certificate.display()
            ));
        }
        if !self.certificate.exists() {
            // Even one that was named: libpq goes on without, and the server says what it thinks.
            return Ok(());
        }
        builder
            .set_certificate_chain_file(&self.certificate)
            .map_err(|error| {
                format!(
                    "could not read certificate file \"{}\": {error}",
                    self.certificate.display()
                )
            })?;
        let shown = self.key.display();
        let metadata = std::fs::metadata(&self.key)
            .map_err(|_| format!("certificate present, but not private key file \"{shown}\""))?;
        if !metadata.is_file() {
            return Err(format!(
                "private key file \"{shown}\" is not a regular file"
            ));
        }
        let others = if metadata.uid() == 0 { 0o037 } else { 0o077 };
        if metadata.mode() & others != 0 {
            return Err(format!(
                "private key file \"{shown}\" may be read by others: chmod 0600 {shown} \
                 (0640 if root owns it)"
            ));
        }
        let failed = |error: &dyn std::fmt::Display| {
            format!("could not load private key file \"{shown}\": {error}")
        };
        let deadline = base::clock::Deadline::NEVER;
        let (pem, _) = base::trust::read_regular(&self.key, 1 << 20, deadline)
            .map_err(|error| failed(&error))?;
        let password = self.password.as_deref().unwrap_or_default().as_bytes();
        let key = PKey::private_key_from_pem_passphrase(&pem, password)
            .or_else(|error| PKey::private_key_from_der(&pem).map_err(|_| error))
            .map_err(|error| failed(&error))?;
        builder
            .set_private_key(&key)
            .map_err(|error| failed(&error))?;
        builder.check_private_key().map_err(|error| {
            format!("certificate does not match private key file \"{shown}\": {error}")
        })
    }
}

fn mode(settings: &Settings) -> Result<Mode> {
    let system = settings.filled("sslrootcert") == Some("system");
    let mode = match settings.get("sslmode") {
        None if system => Mode::VerifyFull,
        None => Mode::Prefer,
        Some("disable") => Mode::Disable,
        Some("allow") => Mode::Allow,
        Some("prefer") => Mode::Prefer,
        Some("require") => Mode::Require,
        Some("verify-ca") => Mode::VerifyCa,
        Some("verify-full") => Mode::VerifyFull,
        Some(other) => {
            return Err(Error::settings(format!(
                "invalid sslmode value: \"{other}\""
            )));
        }
    };
    if system && mode != Mode::VerifyFull {
        return Err(Error::settings(
            "a weak sslmode may not be used with sslrootcert=system (use \"verify-full\")",
        ));
    }
    Ok(mode)
}

fn direct(settings: &Settings) -> Result<bool> {
    match settings.filled("sslnegotiation") {
        None | Some("postgres") => Ok(false),
        Some("direct") if mode(settings)? >= Mode::Require => Ok(true),
        Some("direct") => Err(Error::settings(
            "a weak sslmode may not be used with sslnegotiation=direct (use \"require\")",
        )),
        Some(other) => Err(Error::settings(format!(
            "invalid sslnegotiation value: \"{other}\""
        ))),
    }
}

fn version(settings: &Settings, name: &str) -> Result<Option<SslVersion>> {
    let Some(value) = settings.filled(name) else {
        return Ok(None);
    };
    match value.to_ascii_lowercase().as_str() {
        "tlsv1" => Ok(Some(SslVersion::TLS1)),
        "tlsv1.1" => Ok(Some(SslVersion::TLS1_1)),
        "tlsv1.2" => Ok(Some(SslVersion::TLS1_2)),
        "tlsv1.3" => Ok(Some(SslVersion::TLS1_3)),
        _ => Err(Error::settings(format!(
            "invalid {name} value: \"{value}\""
        ))),
    }
}

/// Versions have no order of their own.
fn ordinal(version: Option<SslVersion>) -> Option<usize> {
    [
        SslVersion::TLS1,
        SslVersion::TLS1_1,
        SslVersion::TLS1_2,
        SslVersion::TLS1_3,
    ]
    .iter()
    .position(|known| Some(*known) == version)
}

/// What became of TLS in one attempt, told apart from the crate's own error.
#[derive(Debug, Default)]
pub struct Outcome {
    /// The server agreed to TLS and the handshake began.
    pub begun: bool,
    /// The session is encrypted.
    pub encrypted: bool,
    /// Why the handshake failed.
    pub failure: Option<String>,
}

/// One attempt's handshake.
#[derive(Clone)]
pub struct Handshake {
    trust: Arc<Trust>,
    host: String,
    outcome: Arc<Mutex<Outcome>>,
}

impl Handshake {
    pub fn new(trust: &Trust, host: &str) -> Self {
        Self {
            trust: Arc::new(trust.clone()),
            host: host.to_owned(),
            outcome: Arc::default(),
        }
    }

    /// The result of the handshake.
    pub fn outcome(&self) -> std::sync::MutexGuard<'_, Outcome> {
        self.outcome.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

type Failure = Box<dyn std::error::Error + Send + Sync>;

impl MakeTlsConnect<Socket> for Handshake {
    type Stream = TlsStream<Socket>;
    type TlsConnect = Self;
    type Error = std::convert::Infallible;

    fn make_tls_connect(&mut self, _domain: &str) -> std::result::Result<Self, Self::Error> {
        Ok(self.clone())
    }
}

impl TlsConnect<Socket> for Handshake {
    type Stream = TlsStream<Socket>;
    type Error = Failure;
    type Future =
        Pin<Box<dyn Future<Output = std::result::Result<TlsStream<Socket>, Failure>> + Send>>;

    fn connect(self, stream: Socket) -> Self::Future {
        self.outcome().begun = true;
        let mismatch = Arc::default();
        let connecting = self
            .trust
            .configure(&self.host, &mismatch)
            .map(|configuration| {
                TlsConnect::<Socket>::connect(TlsConnector::new(configuration, &self.host), stream)
            });
        Box::pin(async move {
            let connected = match connecting {
                Ok(connecting) => connecting
                    .await
                    .map_err(|error| self.explain(&mismatch, &error)),
                Err(message) => Err(message),
            };
            match connected {
                Ok(stream) => {
                    self.outcome().encrypted = true;
                    Ok(stream)
                }
                Err(message) => {
                    self.outcome().failure = Some(message.clone());
                    Err(message.into())
                }
            }
        })
    }
}

impl Handshake {
    fn explain(&self, mismatch: &Mutex<Option<String>>, error: &Failure) -> String {
        match &*mismatch.lock().unwrap_or_else(PoisonError::into_inner) {
            Some(name) if name.is_empty() => "the server's certificate names no host".to_owned(),
            Some(name) => format!(
                "server certificate for \"{name}\" does not match host name \"{}\"",
                self.host
            ),
            None => format!("SSL error: {error}"),
        }
    }
}
