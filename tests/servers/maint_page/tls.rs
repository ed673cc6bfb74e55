//! `verify` over https, by the site's own name at this machine's address.

use super::site::Site;
use harness::nginx::Nginx;
use harness::{free_port, need};
use std::path::{Path, PathBuf};
use std::process::Command;

/// A certificate for www.example.org that signs itself.
fn certificate(dir: &Path) -> (PathBuf, PathBuf) {
    let (cert, key) = (dir.join("cert.pem"), dir.join("key.pem"));
    let made = Command::new(need("openssl").expect("openssl"))
        .args([
            "req",
            "-x509",
            "-newkey",
            "rsa:2048",
            "-nodes",
            "-days",
            "2",
            "-subj",
            "/CN=www.example.org",
        ])
        .args(["-addext", "subjectAltName=DNS:www.example.org", "-keyout"])
        .arg(&key)
        .arg("-out")
        .arg(&cert)
        .output()
        .unwrap();
    assert!(made.status.success(), "{made:?}");
    std::fs::set_permissions(&key, std::os::unix::fs::PermissionsExt::from_mode(0o644)).unwrap();
    (cert, key)
}

#[test]
fn the_real_url_is_proven_at_another_address_and_a_bad_certificate_is_named() {
    let site = Site::new();
    let (cert, key) = certificate(site.top());
    let port = free_port();
    let _nginx = Nginx::serving(&format!(
        "listen 127.0.0.1:{port} ssl;\nserver_name www.example.org;\nssl_certificate {};\nssl_certificate_key {};\ninclude {};\nlocation / {{ return 200 'app'; }}",
        cert.display(),
        key.display(),
        site.snippet("nginx").display()
    ));
    site.tool("on").run().expect_code(0);
    let verify = || {
        site.tool("verify").args([
            "--on",
            "--within",
            "1s",
            "--connect",
            &format!("127.0.0.1:{port}"),
            "https://www.example.org/",
        ])
    };
    verify().env("SSL_CERT_FILE", &cert).run().expect_code(0);
    let refused = verify().run().expect_code(75).json();
    let why = refused["verified"][0]["why"]
        .as_str()
        .unwrap()
        .to_ascii_lowercase();
    assert!(
        why.contains("tls") && why.contains("certificate"),
        "{refused}"
    );
}
