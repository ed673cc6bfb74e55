//! A real mail server (aiosmtpd), with and without STARTTLS.

use super::{answer, check, check_file};
use harness::{Server, free_port, scratch, test_venv, wait_until};
use std::net::TcpStream;
use std::process::Command;

#[test]
fn mail_servers_greet_and_speak_tls() {
    let dir = scratch();
    let made = Command::new("openssl")
        .args([
            "req",
            "-x509",
            "-newkey",
            "rsa:2048",
            "-nodes",
            "-days",
            "30",
            "-subj",
            "/CN=localhost",
        ])
        .args([
            "-addext",
            "subjectAltName=DNS:localhost",
            "-keyout",
            "key.pem",
            "-out",
            "cert.pem",
        ])
        .current_dir(dir.path())
        .output()
        .unwrap();
    assert!(made.status.success());
    let (plain, tls) = (free_port(), free_port());
    let python = test_venv().join("bin/python");
    let serve = |port: u16, more: &[&str]| {
        let mut command = Command::new(&python);
        command
            .args([
                "-m",
                "aiosmtpd",
                "-n",
                "-c",
                "aiosmtpd.handlers.Sink",
                "-l",
                &format!("127.0.0.1:{port}"),
            ])
            .args(more);
        command.current_dir(dir.path());
        let server = Server::start(&mut command, &dir.path().join(format!("{port}.log")));
        wait_until("the mail server listens", || {
            TcpStream::connect(("127.0.0.1", port)).is_ok()
        });
        server
    };
    let _plain = serve(plain, &[]);
    let _tls = serve(tls, &["--tlscert", "cert.pem", "--tlskey", "key.pem"]);
    assert_eq!(answer(&check(&[&format!("smtp:127.0.0.1:{plain}")])), "met");
    assert_eq!(
        answer(&check(&[&format!("smtp:127.0.0.1:{plain}:starttls")])),
        "unmet no_starttls"
    );
    assert_eq!(
        answer(&check(&[&format!("smtp:127.0.0.1:{tls}:starttls")])),
        "met"
    );
    let verified = format!(
        "[[check]]\ntype = \"smtp\"\nhost = \"localhost\"\nport = {tls}\nstarttls = true\nverify = true\n"
    );
    assert_eq!(
        answer(&check_file(&verified)),
        "unmet tls",
        "a certificate of its own making is not trusted"
    );
    let trusted = harness::tool("check-reqs")
        .args(["-f", "-"])
        .env("SSL_CERT_FILE", dir.path().join("cert.pem"))
        .input(verified)
        .run();
    assert_eq!(answer(&trusted), "met", "{}", trusted.out());
    assert_eq!(
        answer(&check(&[&format!("smtp:127.0.0.1:{}", free_port())])),
        "unmet refused"
    );
}
