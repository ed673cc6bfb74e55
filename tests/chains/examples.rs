//! Every command of every manual's EXAMPLES, run as it is printed, by root, on one host where what
//! it names is so. What has to be done before it, how it ends and what is so afterwards stands in
//! [`ROWS`]; an example without a row fails. The lines for cron are run by cron.

use harness::machine::Machine;
use harness::venvs::Venvs;
use harness::{TOOLS, bin, venv_copied_to};

/// An example, by its beginning.
struct Row {
    example: &'static str,
    /// Done before it.
    before: &'static str,
    /// What it ends with.
    code: i32,
    /// What has to succeed after it; what the example printed is in $out.
    after: &'static str,
}

const fn row(example: &'static str, before: &'static str, code: i32, after: &'static str) -> Row {
    Row {
        example,
        before,
        code,
        after,
    }
}

/// In the order in which an administrator might come to them.
const ROWS: &[Row] = &[
    row(
        "check-reqs 'python>=3.9' 'postgres>=13'",
        "",
        0,
        "jq -e '.msg == \"6 met\"' $out",
    ),
    row(
        "check-reqs -f site.toml | jq",
        "printf '[[check]]\\ntype = \"service\"\\nname = \"uwsgi\"\\n' >site.toml; ! check-reqs -f site.toml",
        0,
        "check-reqs -f site.toml && systemctl is-active uwsgi",
    ),
    row(
        "check-reqs --wait 60s http:http://127.0.0.1:8000/",
        "systemctl start uwsgi",
        0,
        "jq -e '.items[0].status == \"met\"' $out",
    ),
    row(
        "venv-sync apply /srv/venv -r requirements.txt --post-check mysite.wsgi",
        "",
        0,
        "/srv/venv/bin/python -c 'import mysite.wsgi'",
    ),
    row(
        "venv-sync prepare /srv/venv -r requirements.txt --post-check mysite.wsgi",
        "echo mysite==2.0 >requirements.txt",
        0,
        "/srv/venv/bin/python -c 'import mysite; assert mysite.VERSION == 1' && jq -e .changed $out",
    ),
    row(
        "venv-sync apply /srv/venv -r requirements.txt --wheelhouse /srv/wheels",
        "",
        0,
        "/srv/venv/bin/python -c 'import mysite; assert mysite.VERSION == 2'",
    ),
    row(
        "venv-sync rollback /srv/venv",
        "",
        0,
        "/srv/venv/bin/python -c 'import mysite; assert mysite.VERSION == 1'",
    ),
    row(
        "venv-sync apply -q /srv/venv -r requirements.txt --upgrade",
        "echo 'mysite>=1.0' >requirements.txt",
        0,
        "/srv/venv/bin/python -c 'import mysite; assert mysite.VERSION == 2'",
    ),
    row(
        "check-reqs --snapshot site > reef.toml",
        "",
        0,
        "grep -q '^dir = \"/srv/site\"' reef.toml && svc-cycle status --site ./reef.toml | jq -e '.services[0].id.unit == \"uwsgi.service\"'",
    ),
    row(
        "check-reqs --snapshot python@/srv/venv",
        "",
        0,
        "check-reqs -f site.toml | jq -e '.rc == 0 and (.items | length) >= 3'",
    ),
    row(
        "pg-ext-ensure -n -d service=misago btree_gin hstore",
        "",
        1,
        "jq -e .changed $out",
    ),
    row(
        "pg-ext-ensure -d service=misago btree_gin hstore",
        "",
        0,
        "jq -e .changed $out",
    ),
    row(
        "pg-ext-ensure -d service=misago --admin service=admin hstore pg_stat_statements",
        "",
        0,
        "jq -e .changed $out",
    ),
    row(
        "pg-ext-ensure -d service=misago --from-migrations",
        "mkdir -p /srv/misago/site/users/migrations
        printf 'from django.contrib.postgres import operations\\nx = [operations.HStoreExtension()]\\n' >/srv/misago/site/users/migrations/0010.py",
        0,
        "jq -e '.migrations.creates | map(.name) == [\"hstore\"]' $out && jq -e '.items[0].after.version' $out",
    ),
    row(
        "pg-ext-ensure elevate --role misago",
        "rm -f db.sqlite3",
        0,
        "test -s db.sqlite3 && [ $(psql service=admin -Atc \"SELECT rolsuper FROM pg_roles WHERE rolname = 'misago'\") = f ]",
    ),
    row(
        "pg-ext-ensure --all-dbs --create-schema hstore@latest:extensions",
        "psql -q 'service=admin dbname=misago' -c 'DROP EXTENSION hstore'",
        0,
        "[ $(psql 'service=admin dbname=misago' -Atc \"SELECT extnamespace::regnamespace FROM pg_extension WHERE extname = 'hstore'\") = extensions ]",
    ),
    row(
        "pg-ext-ensure --db template1 citext",
        "",
        0,
        "psql -q service=admin -c 'CREATE DATABASE later' && psql 'service=admin dbname=later' -Atc \"SELECT 'x'::citext = 'X'\" | grep -x t",
    ),
    row(
        "cron-render try prunecategories cron.txt",
        "",
        0,
        "test -s $out",
    ),
    row(
        "cron-render render cron.txt --name forum",
        "",
        0,
        "grep 'cd /home/myforumorg && venv/bin/python manage.py' $out",
    ),
    row("cron-render lint cron.txt", "", 0, "grep W12 $out"),
    row(
        "cron-render install -n cron.txt --name forum",
        "",
        1,
        "! crontab -u myforumorg -l",
    ),
    row(
        "cron-render next cron.txt --tz Europe/Warsaw",
        "",
        0,
        "jq -e '[.items[].next[].dst] | any' $out",
    ),
    row(
        "maint-page snippet nginx --dir /srv/site/maintenance",
        "",
        0,
        "test -s /etc/nginx/snippets/maint-page.conf",
    ),
    row(
        "log-paths --config-only --create-dirs nginx",
        "rm -rf /var/log/site",
        0,
        "test -d /var/log/site/nginx && systemctl start nginx && curl -fsS https://www.example.org/",
    ),
    row(
        "maint-page on --dir /srv/site/maintenance --start 22:00",
        "",
        0,
        "[ $(curl -s -o /dev/null -w '%{http_code}' https://www.example.org/) = 503 ] && maint-page off --dir /srv/site/maintenance",
    ),
    row(
        "maint-page during --dir /srv/site/maintenance",
        "publish 2",
        0,
        "[ $(cat version) = 2 ] && curl -fsS https://www.example.org/",
    ),
    row(
        "maint-page on --page /srv/www/tmp/maintenance.html",
        "mkdir -p /srv/www/tmp",
        0,
        "grep '<html' /srv/www/tmp/maintenance.html",
    ),
    row(
        "svc-cycle cycle -f services.toml",
        "publish 3",
        0,
        "[ $(cat version) = 3 ] && systemctl is-active uwsgi",
    ),
    row(
        "svc-cycle restart uwsgi nginx",
        "",
        0,
        "jq -e '.changed and (.services | length) == 2' $out",
    ),
    row(
        "svc-cycle check -f services.toml uwsgi",
        "",
        0,
        "jq -e '.services[0].expect[0].ok' $out",
    ),
    row(
        "svc-cycle stop -c config/supervisor.conf",
        "supervisord -c config/supervisor.conf",
        0,
        "jq -e '.services | map(.after) == [\"stopped\", \"stopped\"]' $out",
    ),
    row(
        "svc-cycle snapshot -o text -c /etc/supervisor/supervisord.conf >services.toml",
        "mkdir -p /etc/supervisor; cp config/supervisor.conf /etc/supervisor/supervisord.conf
        svc-cycle start -c config/supervisor.conf supervisor:gunicorn supervisor:celeryworker",
        0,
        "svc-cycle check -f services.toml | jq -e '.services | map(.name) | sort == [\"celeryworker\", \"gunicorn\"]'",
    ),
    // It follows until somebody ends it: timeout(1) does.
    row(
        "log-paths -0 nginx | xargs -0r tail -F",
        "",
        124,
        "grep 'GET / HTTP' $out",
    ),
    row(
        "log-paths --open-only -o json | jq",
        "logger=/var/log/site/lost.log; (exec 3>>$logger; rm $logger; echo lost >&3; exec sleep 60 >/dev/null 2>&1) & sleep 0.2",
        0,
        "grep '/var/log/site/lost.log' $out",
    ),
    row(
        "log-paths --problems -o text",
        "",
        0,
        "grep '/var/log/site/lost.log' $out && grep 'fix: ' $out && ! grep -q '^✓' $out",
    ),
];

/// The host, at /srv/site.
const HOST: &str = r#"
version=$(ls /usr/lib/postgresql | sort -V | tail -n 1)
rm -rf "/etc/postgresql/$version/main" "/var/lib/postgresql/$version/main"
pg_createcluster -o shared_preload_libraries=pg_stat_statements "$version" main -- --no-sync >/dev/null
systemctl start "postgresql@$version-main" cron
runuser -u postgres -- psql -qv ON_ERROR_STOP=1 <<SQL
CREATE ROLE root LOGIN SUPERUSER;
CREATE DATABASE root;
CREATE ROLE misago LOGIN PASSWORD 'a-forum';
CREATE DATABASE misago OWNER misago;
SQL
umask 077
printf '[misago]\nhost=127.0.0.1\ndbname=misago\nuser=misago\n[admin]\ndbname=root\nuser=root\n' >/root/.pg_service.conf
echo '127.0.0.1:5432:*:misago:a-forum' >/root/.pgpass
umask 022

useradd --create-home myforumorg
mkdir -p /home/myforumorg/venv/bin
touch /home/myforumorg/manage.py
ln -s /usr/bin/python3 /home/myforumorg/venv/bin/python
cd /srv/site
mkdir maintenance config
printf '15 0 * * * python manage.py prunecategories\n15 0 * * * python manage.py clearattachments\n30 2 * * * python manage.py invalidatebans\n' >cron.txt
printf 'mysite==1.0\n' >requirements.txt
printf '#!/usr/bin/env python3\nimport sys\nfrom django.conf import settings\nfrom django.core.management import execute_from_command_line\n' >manage.py
printf 'settings.configure(INSTALLED_APPS=["django.contrib.contenttypes"], DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": "db.sqlite3"}})\nexecute_from_command_line(sys.argv)\n' >>manage.py
printf 'def application(environ, start):\n    start("200 OK", [("Content-Type", "text/plain")])\n    return [b"the site"]\n' >app.py
cat >/etc/systemd/system/uwsgi.service <<UNIT
[Service]
Environment=PRODUCTION=1
ExecStart=/usr/bin/uwsgi --plugin python3 --master --die-on-term --http-socket 127.0.0.1:8000 --wsgi-file /srv/site/app.py
UNIT
systemctl daemon-reload
cat >services.toml <<TOML
[service.uwsgi]
backend = "systemd"
ready = [{ http = "http://127.0.0.1:8000/" }]
expect = { env = ["PRODUCTION=1"] }
stable = "500ms"
TOML
cat >config/supervisor.conf <<CONF
[unix_http_server]
file=/run/supervisor-site.sock
[supervisord]
logfile=/tmp/supervisord.log
pidfile=/run/supervisord-site.pid
[rpcinterface:supervisor]
supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface
[program:gunicorn]
command=/bin/sleep 3600
[program:celeryworker]
command=/bin/sleep 3600
CONF

echo '127.0.0.1 localhost www.example.org' >/etc/hosts
openssl req -x509 -newkey rsa:2048 -nodes -days 9 -subj /CN=www.example.org -addext subjectAltName=DNS:www.example.org \
    -keyout /etc/ssl/private/site.key -out /etc/ssl/certs/site.pem 2>/dev/null
cat /etc/ssl/certs/site.pem >>/etc/ssl/certs/ca-certificates.crt
mkdir -p /etc/nginx/snippets
cat >/etc/nginx/nginx.conf <<CONF
pid /run/nginx.pid;
error_log /var/log/site/nginx/error.log;
events {}
http {
    access_log /var/log/site/nginx/access.log;
    server {
        listen 443 ssl;
        server_name www.example.org;
        ssl_certificate /etc/ssl/certs/site.pem;
        ssl_certificate_key /etc/ssl/private/site.key;
        include /etc/nginx/snippets/maint-page.conf;
        location / { proxy_pass http://127.0.0.1:8000; }
    }
}
CONF

git config --system user.name site
git config --system user.email site@example.org
git config --system --replace-all safe.directory '*'
printf 'venv\ndb.sqlite3\n' >.gitignore
echo 1 >version
git init -q -b main /srv/upstream
git -C /srv/upstream config receive.denyCurrentBranch ignore
git init -q -b main
git add version .gitignore
git commit -qm 'Version 1'
git remote add origin /srv/upstream
git push -q -u origin main
"#;

/// What `before` may use.
const PUBLISH: &str = r#"
publish() {
    rm -rf /tmp/clone && git clone -q -b main /srv/upstream /tmp/clone
    echo "$1" >/tmp/clone/version
    git -C /tmp/clone commit -qam "Version $1" && git -C /tmp/clone push -q
}
"#;

fn host() -> Option<Machine> {
    let binds: Vec<String> = TOOLS
        .iter()
        .map(|tool| format!("--bind-ro={}:/usr/bin/{tool}", bin(tool).display()))
        .collect();
    let wheels = Venvs::new();
    for version in ["1", "2"] {
        wheels.wheel(
            "mysite",
            &format!("{version}.0"),
            "",
            &[
                &format!("mysite/__init__.py=VERSION = {version}\n"),
                "mysite/wsgi.py=\n",
            ],
        );
    }
    let options: Vec<&str> = binds.iter().map(String::as_str).collect();
    let machine = Machine::with_systemd_and(&options)?;
    let site = machine.path("/srv/site");
    std::fs::create_dir_all(&site).unwrap();
    venv_copied_to(&site, &["django", "asgiref", "sqlparse"]);
    let copied = std::process::Command::new("cp")
        .arg("-R")
        .arg(wheels.wheelhouse())
        .arg(machine.path("/srv/wheels"))
        .status();
    assert!(copied.unwrap().success());
    machine.must(&["sh", "-ec", HOST]);
    Some(machine)
}

/// Runs a line of shell in /srv/site; nothing is fetched from a network that is not there.
fn shell(machine: &Machine, program: &[&str], line: &str) -> std::process::Output {
    let set = [
        "env",
        "-i",
        "-C",
        "/srv/site",
        "HOME=/root",
        "USER=root",
        "LANG=C.UTF-8",
        "PATH=/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    ];
    let offline = ["PIP_NO_INDEX=1", "PIP_FIND_LINKS=/srv/wheels"];
    machine
        .command(&[&set[..], &offline, program, &["sh", "-c", line]].concat())
        .output()
        .unwrap()
}

#[test]
fn the_manuals_examples_do_what_they_say() {
    let cron = |command: &str| command.starts_with(|c: char| c == '*' || c.is_ascii_digit());
    let examples: Vec<&str> = runbook_docgen::TOOLS
        .iter()
        .flat_map(|tool| tool.line.examples.iter().map(|e| e.command))
        .collect();
    let here: Vec<&str> = examples
        .into_iter()
        .filter(|command| !cron(command))
        .collect();
    for example in &here {
        assert_eq!(
            ROWS.iter()
                .filter(|row| example.starts_with(row.example))
                .count(),
            1,
            "one row for: {example}"
        );
    }
    let Some(machine) = host() else { return };
    let mut wrong = Vec::new();
    for row in ROWS {
        let example = here
            .iter()
            .find(|example| example.starts_with(row.example))
            .unwrap_or_else(|| panic!("no such example: {}", row.example));
        let before = shell(&machine, &[], &format!("set -e\n{PUBLISH}{}", row.before));
        // These two go on for longer than a test: one has an end, the other waits for the evening.
        let around: &[&str] = if example.contains("tail -F") {
            &["timeout", "2"]
        } else {
            &[]
        };
        let done = shell(&machine, around, &example.replace("22:00", "+1s"));
        std::fs::write(machine.path("/tmp/out"), &done.stdout).unwrap();
        let after = shell(&machine, &[], &format!("out=/tmp/out\n{}", row.after));
        if !before.status.success()
            || done.status.code() != Some(row.code)
            || !after.status.success()
        {
            let text = |bytes: &[u8]| {
                String::from_utf8_lossy(bytes)
                    .chars()
                    .take(1500)
                    .collect::<String>()
            };
            let said = [&before, &done, &after]
                .map(|o| format!("{}: {}{}", o.status, text(&o.stdout), text(&o.stderr)));
            wrong.push(format!(
                "{example}\n  before {}\n  itself {}\n  after {}",
                said[0], said[1], said[2]
            ));
        }
    }
    assert!(
        wrong.is_empty(),
        "{} of {}:\n{}",
        wrong.len(),
        ROWS.len(),
        wrong.join("\n\n")
    );
}
