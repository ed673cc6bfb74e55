//! With TLS: the levels of sslmode, whose certificate is trusted, and who shows one.

use super::*;

/// Certificates, made by openssl(1).
struct Certificates {
    directory: TempDir,
}

impl Certificates {
    fn make() -> Certificates {
        let certificates = Certificates {
            directory: scratch(),
        };
        fs::set_permissions(
            certificates.directory.path(),
            fs::Permissions::from_mode(0o755),
        )
        .unwrap();
        certificates.root("root");
        certificates.root("other");
        certificates.signed(
            "server",
            "/CN=ignored.test",
            "DNS:db.test,DNS:*.wild.test,IP:127.0.0.1",
        );
        certificates.signed("named", "/CN=cn.test", "");
        certificates.signed("client", "/CN=certu", "");
        certificates
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn openssl(&self, args: &str) {
        let run = Command::new("openssl")
            .args(args.split_whitespace())
            .current_dir(self.directory.path())
            .output()
            .unwrap();
        assert!(
            run.status.success(),
            "openssl {args}: {}",
            String::from_utf8_lossy(&run.stderr)
        );
    }

    fn root(&self, name: &str) {
        self.openssl(&format!("req -x509 -newkey rsa:2048 -nodes -days 30 -subj /CN={name} -keyout {name}.key -out {name}.crt"));
    }

    fn signed(&self, name: &str, subject: &str, names: &str) {
        self.openssl(&format!(
            "req -newkey rsa:2048 -nodes -subj {subject} -keyout {name}.key -out {name}.csr"
        ));
        let extensions = if names.is_empty() {
            String::new()
        } else {
            format!("subjectAltName={names}\n")
        };
        fs::write(
            self.path(&format!("{name}.ext")),
            format!("basicConstraints=CA:FALSE\n{extensions}"),
        )
        .unwrap();
        self.openssl(&format!(
            "x509 -req -in {name}.csr -CA root.crt -CAkey root.key -CAcreateserial -days 30 -out {name}.crt -extfile {name}.ext"
        ));
    }

    /// A revocation list of the root that has one certificate on it, or none.
    fn revoke(&self, list: &str, certificate: Option<&str>) {
        fs::write(self.path("index"), "").unwrap();
        fs::write(
            self.path("ca.conf"),
            "[ca]\ndefault_ca=d\n[d]\ndatabase=index\ndefault_md=sha256\ndefault_crl_days=30\n",
        )
        .unwrap();
        if let Some(name) = certificate {
            self.openssl(&format!(
                "ca -config ca.conf -cert root.crt -keyfile root.key -revoke {name}.crt"
            ));
        }
        self.openssl(&format!(
            "ca -config ca.conf -cert root.crt -keyfile root.key -gencrl -out {list}"
        ));
    }

    /// Gives a server a certificate that only it can read.
    fn install(&self, server: &Postgres, name: &str) {
        for (from, to) in [
            (format!("{name}.crt"), "server.crt"),
            (format!("{name}.key"), "server.key"),
            ("root.crt".into(), "root.crt"),
        ] {
            let target = server.data_dir().join(to);
            fs::copy(self.path(&from), &target).unwrap();
            fs::set_permissions(&target, fs::Permissions::from_mode(0o600)).unwrap();
            if let Some(user) = harness::postgres::account() {
                std::os::unix::fs::chown(&target, Some(user.uid.as_raw()), Some(user.gid.as_raw()))
                    .unwrap();
            }
        }
        server.set("ssl_ca_file", "root.crt");
        server.set("ssl", "on");
    }
}

#[test]
fn levels_of_sslmode_and_whose_certificate_is_trusted() {
    let certificates = Certificates::make();
    let hba = "local all all trust\nhostssl all certu 127.0.0.1/32 cert\nhostssl all onlyssl 127.0.0.1/32 trust\n\
         hostnossl all nossl 127.0.0.1/32 trust\nhost all anyway 127.0.0.1/32 trust\nhost all scram 127.0.0.1/32 scram-sha-256";
    let roles = "CREATE ROLE certu LOGIN; CREATE ROLE onlyssl LOGIN; CREATE ROLE nossl LOGIN; CREATE ROLE anyway LOGIN; \
         CREATE ROLE scram LOGIN PASSWORD 'pw';";
    let servers: Vec<Postgres> = ["server", "named", "other"]
        .iter()
        .map(|name| {
            let server = Postgres::builder().hba(hba).start();
            server.psql("postgres", roles);
            certificates.install(&server, name);
            server
        })
        .collect();
    let plain = Postgres::builder().hba(hba).start();
    plain.psql("postgres", roles);
    certificates.revoke("empty.crl", None);
    certificates.revoke("server.crl", Some("server"));
    let file = |name: &str| certificates.path(name).display().to_string();
    let mut cases = Vec::new();
    let mut add = |dsn: &str| {
        cases.push(case(
            dsn,
            &[("HOME", "/nonexistent")],
            Some(&format!("dbname=postgres hostaddr=127.0.0.1 {dsn}")),
        ));
    };
    let [server, named, other] = &servers[..] else {
        unreachable!()
    };
    let modes = [
        "disable",
        "allow",
        "prefer",
        "require",
        "verify-ca",
        "verify-full",
    ];
    for mode in modes {
        for user in ["onlyssl", "nossl", "anyway", "nobody"] {
            add(&format!(
                "port={} user={user} sslmode={mode} host=db.test",
                server.port()
            ));
            add(&format!(
                "port={} user={user} sslmode={mode} host=db.test",
                plain.port()
            ));
        }
        // A root's file that exists is used at every level, so three of them show all there is; the
        // long form tries all six.
        let telling = full_sweep() || ["prefer", "verify-ca", "verify-full"].contains(&mode);
        for root in ["root.crt", "other.crt", "nosuch.crt", "server.key"]
            .iter()
            .filter(|_| telling)
        {
            for host in [
                "db.test",
                "DB.test",
                "a.wild.test",
                "a.b.wild.test",
                "ignored.test",
                "127.0.0.1",
                "",
            ] {
                add(&format!(
                    "port={} user=anyway sslmode={mode} host='{host}' sslrootcert={}",
                    server.port(),
                    file(root)
                ));
            }
            // A common name counts where there is no alternative one; a self-signed root serves as
            // well as a server's certificate.
            add(&format!(
                "port={} user=anyway sslmode={mode} host=cn.test sslrootcert={}",
                named.port(),
                file(root)
            ));
            add(&format!(
                "port={} user=anyway sslmode={mode} host=other.test sslrootcert={}",
                named.port(),
                file(root)
            ));
            add(&format!(
                "port={} user=anyway sslmode={mode} host=other sslrootcert={}",
                other.port(),
                file(root)
            ));
        }
        for list in ["empty.crl", "server.crl"] {
            add(&format!(
                "port={} user=anyway sslmode={mode} host=db.test sslrootcert={} sslcrl={}",
                server.port(),
                file("root.crt"),
                file(list)
            ));
        }
        for binding in ["disable", "prefer", "require"] {
            for port in [server.port(), plain.port()] {
                add(&format!(
                    "port={port} user=scram password=pw sslmode={mode} host=db.test channel_binding={binding}"
                ));
                add(&format!(
                    "port={port} user=anyway sslmode={mode} host=db.test channel_binding={binding}"
                ));
            }
        }
        for version in ["TLSv1.2", "TLSv1.3"] {
            add(&format!(
                "port={} user=anyway sslmode={mode} host=db.test ssl_min_protocol_version={version}",
                server.port()
            ));
            add(&format!(
                "port={} user=anyway sslmode={mode} host=db.test ssl_max_protocol_version={version}",
                server.port()
            ));
        }
    }
    let socket = server.socket_dir().display().to_string();
    for mode in modes {
        cases.push(case(
            format!("socket {mode}"),
            &[("HOME", "/nonexistent")],
            Some(&format!(
                "host={socket} port={} user=anyway dbname=postgres sslmode={mode}",
                server.port()
            )),
        ));
    }
    client_certificates(&certificates, server, &mut cases);
    compare(&cases);
}

fn client_certificates(certificates: &Certificates, server: &Postgres, cases: &mut Vec<Case>) {
    let file = |name: &str| certificates.path(name).display().to_string();
    certificates.openssl("rsa -aes128 -passout pass:secret -in client.key -out locked.key");
    for (name, mode) in [("client.key", 0o600), ("locked.key", 0o600)] {
        fs::set_permissions(certificates.path(name), fs::Permissions::from_mode(mode)).unwrap();
    }
    for (name, mode) in [("open.key", 0o644), ("group.key", 0o640)] {
        fs::copy(certificates.path("client.key"), certificates.path(name)).unwrap();
        fs::set_permissions(certificates.path(name), fs::Permissions::from_mode(mode)).unwrap();
    }
    let base = format!(
        "dbname=postgres hostaddr=127.0.0.1 host=db.test port={} user=certu",
        server.port()
    );
    for key in [
        "client.key",
        "locked.key",
        "open.key",
        "group.key",
        "nosuch.key",
        "server.key",
    ] {
        for password in ["", " sslpassword=secret", " sslpassword=wrong"] {
            let dsn = format!(
                "{base} sslmode=require sslcert={} sslkey={}{password}",
                file("client.crt"),
                file(key)
            );
            cases.push(case(dsn.clone(), &[("HOME", "/nonexistent")], Some(&dsn)));
        }
    }
    let (directory, home) = home();
    let dot = directory.path().join(".postgresql");
    fs::create_dir(&dot).unwrap();
    for (from, to) in [
        ("client.crt", "postgresql.crt"),
        ("client.key", "postgresql.key"),
        ("root.crt", "root.crt"),
    ] {
        fs::copy(certificates.path(from), dot.join(to)).unwrap();
    }
    for mode in ["prefer", "require", "verify-ca", "verify-full"] {
        for host in ["db.test", "elsewhere.test"] {
            let dsn = format!("{base} sslmode={mode} host={host}").replacen("host=db.test ", "", 1);
            cases.push(case(format!("home {dsn}"), &[("HOME", &home)], Some(&dsn)));
        }
    }
    std::mem::forget(directory);
}
