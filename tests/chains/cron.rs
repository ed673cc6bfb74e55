//! The lines that the manuals have for /etc/cron.d, run by the real cron: each as it stands, only
//! at every minute. One copy finds all well and sends no mail; one copy, its `site` renamed, finds
//! what is wrong, and one meets a lock that is held. All three come in one minute.

use harness::machine::Machine;
use harness::{TOOLS, bin, schema, wait_for};
use serde_json::Value;
use std::collections::BTreeMap;
use std::time::Duration;

/// The line of each tool's manual, its schedule taken off: `root check-reqs …`.
fn lines() -> BTreeMap<&'static str, String> {
    let crontab = |command: &str| command.starts_with(|c: char| c == '*' || c.is_ascii_digit());
    let line = |command: &str| command.split(' ').skip(5).collect::<Vec<_>>().join(" ");
    let all = runbook_docgen::TOOLS.iter().flat_map(|tool| {
        tool.line
            .examples
            .iter()
            .map(|example| (tool.line.name, example.command))
    });
    all.filter(|(_, command)| crontab(command))
        .map(|(name, command)| (name, line(command)))
        .collect()
}

/// A host where all of that is so: PostgreSQL with a service file, a virtual environment, a
/// maintenance page, a service, a crontab, a log that is rotated. And another site on it, called
/// `wrong`, of which none is; and a third, whose locks are held.
const HOST: &str = r#"
version=$(ls /usr/lib/postgresql | sort -V | tail -n 1)
rm -rf "/etc/postgresql/$version/main" "/var/lib/postgresql/$version/main"
pg_createcluster "$version" main -- --no-sync >/dev/null
pg_ctlcluster "$version" main start
runuser -u postgres -- psql -qv ON_ERROR_STOP=1 -c "CREATE ROLE site LOGIN PASSWORD 'a-site'" -c 'CREATE DATABASE site' -c 'CREATE DATABASE wrong'
runuser -u postgres -- psql -q -d site -c 'CREATE EXTENSION btree_gin' -c 'CREATE EXTENSION hstore'
umask 077
for site in site wrong; do
    printf '[%s]\nhost=127.0.0.1\nuser=site\ndbname=%s\n' $site $site >>/root/.pg_service.conf
done
echo '127.0.0.1:5432:*:site:a-site' >/root/.pgpass
umask 022

for site in site wrong held; do
    mkdir -p /etc/$site /srv/$site/maintenance /srv/$site/logs
    printf 'error_log /srv/%s/logs/error.log;\nevents {}\nhttp { access_log off; }\n' $site >/etc/$site/nginx.conf
    : >/srv/$site/logs/error.log
    printf '[[check]]\ntype = "command"\nname = "%s"\ntags = ["nightly"]\n' nginx >/etc/$site/requirements.toml
    cat >/srv/$site/cron.toml <<TOML
[site]
name = "$site"
dir = "/srv/$site"
venv = "/srv/$site/venv"
[[job]]
id = "clearsessions"
schedule = "15 0 * * *"
manage = "clearsessions"
TOML
    printf 'pip\n' >/srv/$site/requirements.txt
    cat >/etc/$site/services.toml <<TOML
[service.worker-$site]
backend = "pidfile"
pidfile = "/run/worker-$site.pid"
start = ["sh", "-c", "sleep 3600 & echo \$! >/run/worker-$site.pid"]
policy = "ensure"
stable = "100ms"
TOML
done
printf '/srv/site/logs/*.log {\n weekly\n rotate 8\n missingok\n postrotate\n  nginx -c /etc/site/nginx.conf -s reopen\n endscript\n}\n' >/etc/logrotate.d/site
/usr/bin/python3 -m venv /srv/site/venv
touch /srv/site/manage.py
mkdir -p /srv/held/venv.d
ln -s /srv/site/venv /srv/wrong/venv
sed -i 's/nginx/no-such-command/' /etc/wrong/requirements.toml
echo 'no-such-distribution==1.0' >>/srv/wrong/requirements.txt
maint-page on -q --dir /srv/wrong/maintenance --for 1s >/dev/null
svc-cycle start -q -f /etc/site/services.toml >/dev/null
svc-cycle start -q -f /etc/held/services.toml >/dev/null
cron-render install -q /srv/site/cron.toml >/dev/null

# Where mail goes that cron hands to sendmail.
mkdir /var/mail/cron
printf '#!/bin/sh\ncat >"/var/mail/cron/$$.part"\nmv "/var/mail/cron/$$.part" "/var/mail/cron/$$.mail"\n' >/usr/sbin/sendmail
chmod 755 /usr/sbin/sendmail
rm -f /etc/cron.d/*
"#;

/// A machine with the tools where a package puts them: cron's own PATH has nothing else.
fn machine() -> Option<Machine> {
    let binds: Vec<String> = TOOLS
        .iter()
        .map(|tool| format!("--bind-ro={}:/usr/bin/{tool}", bin(tool).display()))
        .collect();
    let options: Vec<&str> = binds.iter().map(String::as_str).collect();
    Machine::with_plain_init_and(&options)
}

/// The mails that have come, by the line that caused them.
fn mails(machine: &Machine) -> BTreeMap<String, String> {
    let all = std::fs::read_dir(machine.path("/var/mail/cron"))
        .unwrap()
        .flatten()
        .map(|entry| entry.path());
    let texts = all
        .filter(|path| path.extension().is_some_and(|e| e == "mail"))
        .map(|path| std::fs::read_to_string(path).unwrap());
    texts
        .map(|text| {
            let subject = text
                .lines()
                .find(|line| line.starts_with("Subject: "))
                .unwrap_or_else(|| panic!("no subject: {text}"));
            let line = subject
                .split_once("> ")
                .unwrap_or_else(|| panic!("{subject}"))
                .1;
            (line.split("; echo").next().unwrap().to_owned(), body(&text))
        })
        .collect()
}

/// The text of a mail. Debian 13's cron writes long lines as quoted-printable (RFC 2045 6.7).
fn body(mail: &str) -> String {
    let (head, body) = mail.split_once("\n\n").unwrap();
    if head.to_ascii_lowercase().contains("quoted-printable") {
        body.replace("=\n", "").replace("=3D", "=")
    } else {
        body.to_owned()
    }
}

#[test]
fn from_cron_there_is_mail_only_when_something_is_wrong_or_was_changed() {
    let lines = lines();
    assert_eq!(
        lines.len(),
        TOOLS.len(),
        "a line for cron in every manual: {lines:?}"
    );
    let Some(machine) = machine() else { return };
    machine.must(&["sh", "-ec", HOST]);
    let mut holder = machine
        .command(&[
            "svc-cycle",
            "cycle",
            "-f",
            "/etc/held/services.toml",
            "--",
            "sleep",
            "600",
        ])
        .spawn()
        .unwrap();
    wait_for(Duration::from_secs(20), "the services are held", || {
        machine.run(&["pgrep", "-f", "^sleep 600"]).status.success()
    });

    let mut crontab = String::new();
    let mut wanted = Vec::new();
    for (name, line) in &lines {
        assert!(line.starts_with(&format!("root {name} ")), "{line}");
        let mut add = |site: &str| {
            let line = line.replace("site", site);
            // Only this is not in the manual: cron tells nobody the exit status.
            crontab += &format!("* * * * * {line}; echo $? >/run/{name}-{site}.code\n");
            wanted.push((
                *name,
                site.to_owned(),
                line.trim_start_matches("root ").to_owned(),
            ));
        };
        add("site");
        add("wrong");
        if *name == "svc-cycle" {
            add("held");
        }
    }
    crontab += "* * * * * root env >/run/environment; tty >/run/tty\n";
    machine.write("/etc/cron.d/runbook-tools", &crontab);
    // As init starts it: with nothing of ours in its environment.
    machine.must(&["env", "-i", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "cron"]);
    let code = |name: &str, site: &str| -> Option<i32> {
        std::fs::read_to_string(machine.path(&format!("/run/{name}-{site}.code")))
            .ok()?
            .trim()
            .parse()
            .ok()
    };
    wait_for(Duration::from_secs(120), "cron has run every line", || {
        wanted
            .iter()
            .all(|(name, site, _)| code(name, site).is_some())
    });
    wait_for(Duration::from_secs(10), "the mails have come", || {
        mails(&machine).len() > lines.len()
    });
    machine.must(&["sh", "-c", "kill $(cat /run/crond.pid)"]);

    let environment = std::fs::read_to_string(machine.path("/run/environment")).unwrap();
    let mut names: Vec<&str> = environment
        .lines()
        .map(|line| line.split('=').next().unwrap())
        .collect();
    names.sort_unstable();
    assert_eq!(
        names,
        ["HOME", "LOGNAME", "PATH", "PWD", "SHELL"],
        "{environment}"
    );
    assert!(
        environment.contains("PATH=/usr/bin:/bin\n") && environment.contains("SHELL=/bin/sh\n"),
        "{environment}"
    );

    let mails = mails(&machine);
    for (name, site, line) in &wanted {
        let mail = mails.get(line);
        let code = code(name, site).unwrap();
        let told = format!("{line}: {code}\n{mail:?}");
        match (site.as_str(), *name) {
            ("site", _) => assert!(code == 0 && mail.is_none(), "{told}"),
            // It was not running, and now it is: no failure, and still worth a mail.
            ("wrong", "svc-cycle") => assert!(
                code == 0 && mail.is_some_and(|text| text.contains("\"changed\":true")),
                "{told}"
            ),
            ("held", _) => assert!(
                code == 75
                    && mail.is_some_and(|text| text.contains("held") && text.lines().count() <= 3),
                "{told}"
            ),
            // The end that was announced has passed; visitors see the page, which is what was asked
            // for.
            ("wrong", "maint-page") => assert!(
                code == 0 && mail.is_some_and(|text| text.contains("overdue")),
                "{told}"
            ),
            // It would have made them, and may not.
            ("wrong", "pg-ext-ensure") => assert!(
                code == 3 && mail.is_some_and(|text| text.contains("GRANT CREATE")),
                "{told}"
            ),
            _ => assert!(code == 1 && mail.is_some(), "{told}"),
        }
        // Who met a lock says so there, too.
        journal(&machine, name, site, code);
    }
    machine.must(&["sh", "-c", "kill $(pgrep -f '^sleep 600')"]);
    holder.wait().unwrap();
}

/// The journal has the report as one line, whatever was printed.
fn journal(machine: &Machine, name: &str, site: &str, code: i32) {
    let path = machine.path(&format!("/var/log/{site}.jsonl"));
    let reports: Vec<Value> = std::fs::read_to_string(path)
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let mine: Vec<&Value> = reports
        .iter()
        .filter(|report| report["tool"] == name)
        .collect();
    assert_eq!(mine.len(), 1, "{name} of {site}: {reports:?}");
    for report in mine {
        schema::check(name, report, site);
        assert_eq!(report["rc"], code, "{report}");
    }
}
