//! Case Conductor's guide, run for real: Apache with mod_wsgi, a vendor library by
//! `site.addsitedir`, compiled packages from the system, a mail server that takes the
//! confirmations, HTTPS by an authority of the site's own, static files collected, compressed and
//! copied to two asset hosts.

mod bad_nights;
mod good_night;

use crate::outside::Outside;
use crate::stage::{Init, Stage};
use harness::{Output, test_venv};
use serde_json::json;
use std::path::Path;
use std::process::Command;

/// What was there before: Debian's packages, names, a database, a certificate, mail, two asset
/// hosts with nothing on them.
const HOST: &str = r#"
printf '127.0.0.1 localhost cases.example.org\n127.0.2.1 assets1.example.org assets.example.org\n' >/etc/hosts
printf '127.0.2.2 assets2.example.org assets.example.org\n' >>/etc/hosts
version=$(ls /usr/lib/postgresql | sort -V | tail -n 1)
rm -rf "/etc/postgresql/$version/main" "/var/lib/postgresql/$version/main"
pg_createcluster "$version" main -- --no-sync >/dev/null
useradd --system --home-dir /srv/case-conductor --shell /usr/sbin/nologin cc
systemctl start "postgresql@$version-main"
runuser -u postgres -- psql -q -c 'CREATE ROLE cc LOGIN' -c 'CREATE DATABASE cases OWNER cc'

cd /root
openssl req -x509 -newkey rsa:2048 -nodes -days 90 -subj '/CN=An authority' -keyout ca.key -out ca.pem 2>/dev/null
openssl req -newkey rsa:2048 -nodes -subj /CN=cases.example.org -keyout /etc/ssl/private/example.org.key -out site.csr 2>/dev/null
printf 'subjectAltName=DNS:example.org,DNS:*.example.org\n' >names
openssl x509 -req -in site.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 60 -extfile names \
    -out /etc/ssl/certs/example.org.pem 2>/dev/null
cat ca.pem >>/etc/ssl/certs/ca-certificates.crt

rm -f /etc/apache2/sites-enabled/*
for n in 1 2; do
    install -d "/srv/assets$n"
    printf '[assets]\npath=/srv/assets%s\nread only=no\nuid=root\ngid=root\nuse chroot=no\n' "$n" >"/etc/rsyncd-assets$n.conf"
    systemd-run -q --unit="rsync-assets$n" rsync --daemon --no-detach --address="127.0.2.$n" --config="/etc/rsyncd-assets$n.conf"
    cat >>/etc/apache2/sites-enabled/assets.conf <<CONF
<VirtualHost 127.0.2.$n:443>
    ServerName assets$n.example.org
    ServerAlias assets.example.org
    DocumentRoot /srv/assets$n
    SSLEngine on
    SSLCertificateFile /etc/ssl/certs/example.org.pem
    SSLCertificateKeyFile /etc/ssl/private/example.org.key
    <Directory /srv/assets$n>
        Require all granted
        Options None
    </Directory>
</VirtualHost>
CONF
done
a2enmod -q ssl
systemd-run -q --unit=mail -E PYTHONPATH=/srv/mail/lib \
    /usr/bin/python3 -m aiosmtpd -n -l 127.0.0.1:25 -c aiosmtpd.handlers.Mailbox /srv/mail/box
"#;

const UPSTREAM: &str = "/srv/upstream/case-conductor";

/// The vendor library as its authors make it, once, from the packages.
const VENDOR: &str = "/usr/bin/python3 -m pip --disable-pip-version-check -q install --no-index --no-deps --no-compile \
     --root-user-action ignore --target /srv/upstream/case-conductor/requirements/vendor/lib/python /srv/wheels/*.whl";

/// A host that is ready for the site, and version 1 of it in the repository. None where the site's
/// Django does not run, as on Debian 13: there the runbook has to stop at its first step.
fn host() -> Option<Stage> {
    let stage = Stage::set("case-conductor", Init::Systemd)?;
    mail_server(&stage);
    stage.sh(HOST);
    stage.copy("upstream/version-1", UPSTREAM);
    stage.sh(VENDOR);
    stage.commit(UPSTREAM, "upstream/version-1", "Version 1");
    let new = stage.must(&[
        "python3",
        "-c",
        "import sys; print(sys.version_info >= (3, 13))",
    ]);
    if new.trim() == "True" {
        let night = stage.runbook(&[]).expect_code(1);
        let report = &night.journal[0];
        assert_eq!(
            (&report["items"][0]["id"], &report["items"][0]["status"]),
            (&json!("python"), &json!("unmet")),
            "{report}"
        );
        assert!(!stage.machine.path("/srv/case-conductor").exists());
        return None;
    }
    Some(stage)
}

/// aiosmtpd, where the host's own Python finds it.
fn mail_server(stage: &Stage) {
    let lib = stage.machine.path("/srv/mail/lib");
    std::fs::create_dir_all(&lib).unwrap();
    let packages = glob_site_packages(&test_venv());
    let from = ["aiosmtpd", "public", "attr", "attrs"].map(|name| packages.join(name));
    let copied = Command::new("cp")
        .arg("-R")
        .args(from)
        .arg(&lib)
        .status()
        .unwrap();
    assert!(copied.success());
}

fn glob_site_packages(venv: &Path) -> std::path::PathBuf {
    let lib = std::fs::read_dir(venv.join("lib"))
        .unwrap()
        .flatten()
        .next()
        .unwrap();
    lib.path().join("site-packages")
}

/// The site as it was left last night, at version 1, with a few cases.
fn at_version_1(stage: &Stage) -> Outside<'_> {
    let outside = stage.outside();
    stage.runbook(&[]).expect_code(0);
    psql(
        stage,
        "INSERT INTO core_case (title) VALUES ('Log in'), ('Register'), ('Log out')",
    );
    outside
}

fn psql(stage: &Stage, sql: &str) -> String {
    stage
        .must(&[
            "runuser",
            "-u",
            "postgres",
            "--",
            "psql",
            "-d",
            "cases",
            "-v",
            "ON_ERROR_STOP=1",
            "-qAtc",
            sql,
        ])
        .trim()
        .to_owned()
}

/// One of the tools with the site's files at hand, in the environment of a fresh login.
fn tool(stage: &Stage, line: &str) -> Output {
    let shell = format!("cd /root/case-conductor && export RUNBOOK_SITE=$PWD/site.toml && {line}");
    Output::of(
        line.to_owned(),
        stage
            .machine
            .command(&[
                "env",
                "-i",
                "HOME=/root",
                "LANG=C.UTF-8",
                "PATH=/usr/sbin:/usr/bin:/sbin:/bin",
                "sh",
                "-c",
                &shell,
            ])
            .output()
            .unwrap(),
    )
}

const LOGIN: &str = "https://cases.example.org/accounts/login/";

/// The status and the body of the login page.
fn login_page(stage: &Stage) -> (String, String) {
    let said = stage.sh(&format!("curl -sS -w '\\n%{{http_code}}' {LOGIN}"));
    let (body, status) = said.rsplit_once('\n').unwrap();
    (status.to_owned(), body.to_owned())
}

/// What has to be so after a night that went well, or mended itself: this version, no page, and no
/// hold on it.
fn serves(stage: &Stage, version: u32) {
    let (status, body) = login_page(stage);
    assert_eq!(status, "200", "{body}");
    assert!(
        body.contains(&format!("Case Conductor, version {version}")),
        "{body}"
    );
    let page = tool(stage, "maint-page status").json();
    assert_eq!(
        (
            page["state"].as_str(),
            page["holds"].as_array().map(Vec::len)
        ),
        (Some("off"), Some(0)),
        "{page}"
    );
}
