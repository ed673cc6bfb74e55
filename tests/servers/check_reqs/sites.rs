//! The requirements of the five sites, as they stand in tests/runbooks, on hosts that meet them and
//! on one that does not.

use super::django::Site;
use harness::nginx::Nginx;
use harness::postgres::{Postgres, unique};
use harness::supervisor::Supervisor;
use harness::{
    Output, Server, free_port, need, scratch, skip_servers, supervisor, test_venv, tool, wait_until,
};
use serde_json::Value;
use std::fs;
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

/// A site's list, with these settings.
fn list(site: &str, settings: &[(&str, &str)], more: &[&str]) -> Output {
    let file = harness::source_root()
        .join("tests/runbooks")
        .join(site)
        .join("requirements.toml");
    let mut tool = tool("check-reqs").arg("-f").arg(file);
    for (name, value) in settings {
        tool = tool.arg("--set").arg(format!("{name}={value}"));
    }
    tool.args(more).run()
}

/// `id status` of what is not met.
fn gaps(report: &Value) -> Vec<String> {
    let items = report["items"].as_array().unwrap().iter();
    items
        .filter(|item| item["status"] != "met")
        .map(|item| {
            format!(
                "{} {}",
                item["id"].as_str().unwrap(),
                item["status"].as_str().unwrap()
            )
        })
        .collect()
}

#[test]
fn every_list_can_be_read_and_says_what_a_bare_host_lacks() {
    for site in ["misago", "tracks", "coralnet", "wemake", "case-conductor"] {
        let listed = list(site, &[], &["--list"]).expect_code(0).json();
        assert!(listed["listed"].as_array().unwrap().len() >= 8, "{site}");
        let report = list(site, &[], &["--each", "3s"]).json();
        for item in report["items"].as_array().unwrap() {
            let gap = matches!(item["status"].as_str(), Some("unmet" | "warn"));
            assert_eq!(
                item["fix"].is_object(),
                gap,
                "{site}: every gap has a fix: {item}"
            );
        }
        assert_eq!(report["rc"], 1, "{site}");
    }
}

/// Since Python 3.12 a new environment has no setuptools; this one gets what pip writes of it.
fn with_setuptools(venv: &Path) {
    let lib = fs::read_dir(venv.join("lib")).unwrap().flatten().next();
    let site = lib.unwrap().path().join("site-packages");
    let there = fs::read_dir(&site).unwrap().flatten().any(|entry| {
        let name = entry.file_name();
        name.to_string_lossy().starts_with("setuptools-")
    });
    if !there {
        let info = site.join("setuptools-80.9.0.dist-info");
        fs::create_dir(&info).unwrap();
        let metadata = "Metadata-Version: 2.4\nName: setuptools\nVersion: 80.9.0\n";
        fs::write(info.join("METADATA"), metadata).unwrap();
    }
}

#[test]
fn misago_before_and_after() {
    if skip_servers() || need("nginx").is_none() || !harness::need_root() {
        return;
    }
    let server = Postgres::start();
    let database = unique("misago");
    server.psql("postgres", &format!("CREATE DATABASE {database}"));
    let dir = scratch();
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let site = dir.path().join("forum");
    let media = site.join("media");
    fs::create_dir_all(&media).unwrap();
    std::os::unix::fs::chown(&media, Some(33), Some(33)).unwrap();
    let venv = site.join("venv");
    assert!(
        Command::new("/usr/bin/python3")
            .args(["-m", "venv"])
            .arg(&venv)
            .status()
            .unwrap()
            .success()
    );
    with_setuptools(&venv);
    let nginx = Nginx::serving(&format!(
        "location / {{ return 200 forum; }} location /media/ {{ alias {}/; }}",
        media.display()
    ));
    let (ssh, url) = (TcpListener::bind("127.0.0.1:0").unwrap(), nginx.url(""));
    let (ssh_port, dsn) = (
        ssh.local_addr().unwrap().port().to_string(),
        server.dsn("postgres", &database),
    );
    let (site, venv) = (site.display().to_string(), venv.display().to_string());
    let settings = [
        ("site", site.as_str()),
        ("venv", &venv),
        ("user", "www-data"),
        ("python", ">=3.8"),
        ("database", &dsn),
        ("url", url.trim_end_matches('/')),
        ("ssh_port", &ssh_port),
    ];
    // No cron runs in the tests' container: that is said, and nothing else.
    let report = list("misago", &settings, &[]).json();
    let gaps = gaps(&report);
    assert!(gaps.is_empty() || gaps == ["crontab unmet"], "{report}");
    let _hidden = server.hide_extension("hstore");
    let report = list("misago", &settings, &["--tag", "before"])
        .expect_code(1)
        .json();
    assert!(
        super::sites::gaps(&report).contains(&"hstore unmet".to_string()),
        "{report}"
    );
}

#[test]
fn wemake_goes_to_production() {
    if skip_servers() || need("nginx").is_none() || need("caddy").is_none() || !harness::need_root()
    {
        return;
    }
    let server = Postgres::shared();
    let database = unique("wemake");
    server.psql("postgres", &format!("CREATE DATABASE {database}"));
    let site = Site::new();
    site.settings(&format!(
        "assert os.environ['DJANGO_ENV'] == 'production'\n\
         DATABASES = {{'default': {{'ENGINE': 'django.db.backends.postgresql', 'NAME': '{database}', 'USER': 'postgres', 'HOST': '127.0.0.1', 'PORT': {}}}}}",
        server.port()
    ));
    let files = scratch();
    fs::set_permissions(files.path(), fs::Permissions::from_mode(0o755)).unwrap();
    for name in ["media", "static"] {
        fs::create_dir(files.path().join(name)).unwrap();
        std::os::unix::fs::chown(files.path().join(name), Some(33), Some(33)).unwrap();
    }
    let nginx = Nginx::serving("location / { return 200 ok; }");
    let (path, venv, files) = (
        site.path.display().to_string(),
        test_venv().display().to_string(),
        files.path().display().to_string(),
    );
    let (dsn, url) = (server.dsn("postgres", &database), nginx.url(""));
    let settings = [
        ("site", path.as_str()),
        ("venv", &venv),
        ("user", "www-data"),
        ("files", &files),
        ("database", &dsn),
        ("url", url.trim_end_matches('/')),
        ("domain", "127.0.0.1"),
    ];
    let before = list("wemake", &settings, &[]).expect_code(1).json();
    assert_eq!(
        gaps(&before),
        ["no-unapplied-migration unmet", "certificate skipped"],
        "{before}"
    );
    // The repair script of the manual, run as it is.
    for item in before["items"].as_array().unwrap() {
        for step in item["fix"]["steps"].as_array().into_iter().flatten() {
            let command = &step["text"];
            let done = Command::new("sh")
                .args(["-ec", command.as_str().unwrap()])
                .output()
                .unwrap();
            assert!(
                done.status.success(),
                "{command}: {}",
                String::from_utf8_lossy(&done.stderr)
            );
        }
    }
    let after = list("wemake", &settings, &[]).expect_code(0).json();
    assert_eq!(gaps(&after), ["certificate skipped"], "{after}");
}

#[test]
fn coralnet_before_and_after_an_update() {
    if skip_servers() || need("nginx").is_none() || !supervisor::available() {
        return;
    }
    let dir = scratch();
    let redis = harness::redis::Redis::start();
    let program =
        |name: &str| format!("[program:{name}]\ncommand = /bin/sleep 600\nstartsecs = 0\n\n");
    let supervisor = Supervisor::start(
        &(program("gunicorn") + &program("celeryworker") + &program("celerybeat")),
    );
    supervisor.wait_running(&["gunicorn", "celeryworker", "celerybeat"]);
    let site = Site::new();
    let page = dir.path().join("maintenance.html");
    let nginx = Nginx::serving(&format!(
        "location / {{ if (-f {}) {{ return 503 'CoralNet is under maintenance'; }} return 200 corals; }}",
        page.display()
    ));
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let (home, project, venv) = (
        dir.path().display().to_string(),
        site.path.display().to_string(),
        test_venv().display().to_string(),
    );
    let (conf, url, port) = (
        supervisor.config().display().to_string(),
        nginx.url(""),
        redis.port().to_string(),
    );
    let settings = [
        ("home", home.as_str()),
        ("project", &project),
        ("venv", &venv),
        ("settings", "site_.settings"),
        ("supervisor", &conf),
        ("maintenance", &home),
        ("vision_log", &home),
        ("url", url.trim_end_matches('/')),
        ("redis_port", &port),
    ];
    let report = list("coralnet", &settings, &["--tag", "before"]).json();
    assert!(
        gaps(&report).iter().all(|gap| gap == "disk unmet"),
        "{report}"
    );
    list("coralnet", &settings, &["--tag", "after", "--tag", "open"]).expect_code(0);
    fs::write(&page, "").unwrap();
    supervisor.ctl(&["stop", "celerybeat"]);
    let report = list("coralnet", &settings, &["--tag", "after", "--tag", "open"])
        .expect_code(1)
        .json();
    assert_eq!(
        gaps(&report),
        ["celerybeat unmet", "index unmet"],
        "{report}"
    );
}

#[test]
fn case_conductor_is_served_over_https_only() {
    if skip_servers() || need("nginx").is_none() || need("openssl").is_none() {
        return;
    }
    let authority = super::web::Authority::new();
    authority.issue("site", 90, "localhost");
    authority.open_to_all();
    let (https, smtp) = (free_port(), free_port());
    let nginx = Nginx::new()
        .http(&format!(
            "server {{ listen 127.0.0.1:{https} ssl; ssl_certificate {}; ssl_certificate_key {}; location / {{ return 200 cases; }} }}",
            authority.path("site.pem"),
            authority.path("site.key")
        ))
        .server("location / { return 301 https://$host$request_uri; }")
        .start();
    let dir = scratch();
    let mut mail = Command::new(test_venv().join("bin/python"));
    mail.args([
        "-m",
        "aiosmtpd",
        "-n",
        "-c",
        "aiosmtpd.handlers.Sink",
        "-l",
        &format!("127.0.0.1:{smtp}"),
    ]);
    let _mail = Server::start(&mut mail, &dir.path().join("mail.log"));
    wait_until("the mail server listens", || {
        TcpStream::connect(("127.0.0.1", smtp)).is_ok()
    });
    let site = Site::new();
    site.write(
        "requirements/vendor/lib/python/Django-1.3.1.dist-info/METADATA",
        "Metadata-Version: 1.0\nName: Django\nVersion: 1.3.1\n",
    );
    site.write("collected-assets/x.css", "");
    let file = harness::source_root().join("tests/runbooks/case-conductor/requirements.toml");
    let me = nix::unistd::User::from_uid(nix::unistd::geteuid())
        .unwrap()
        .unwrap()
        .name;
    // The rest of the list is for a whole host; its runbook's test has one.
    let here = [
        "python",
        "mail",
        "vendor-library",
        "vendored",
        "certificate",
        "https",
        "only-https",
        "secure-settings",
        "assets",
    ];
    let run = |more: &[&str]| {
        let mut tool = tool("check-reqs")
            .arg("-f")
            .arg(&file)
            .env("SSL_CERT_FILE", authority.path("ca.pem"));
        tool = tool.args(here.iter().flat_map(|id| ["--only", id]));
        for set in [
            format!("site={}", site.path.display()),
            format!("venv={}", test_venv().display()),
            format!("mail_port={smtp}"),
            "mail=127.0.0.1".into(),
            "host=localhost".into(),
            "manage=manage.py".into(),
            format!("user={me}"),
            format!("https_port={https}"),
            format!("url=https://localhost:{https}"),
            format!("plain=http://127.0.0.1:{}", nginx.port()),
            format!("assets={}/collected-assets", site.path.display()),
        ] {
            tool = tool.args(["--set", &set]);
        }
        tool.args(more).run()
    };
    run(&[]).expect_code(0);
    site.settings(
        "INSTALLED_APPS += ['django.contrib.sessions']\nMIDDLEWARE += ['django.contrib.sessions.middleware.SessionMiddleware']\n\
         SESSION_COOKIE_SECURE = False",
    );
    let report = run(&[]).expect_code(1).json();
    assert_eq!(gaps(&report), ["secure-settings unmet"], "{report}");
}

#[test]
fn tracks_knows_whether_production_reached_the_daemon() {
    if skip_servers() || need("uwsgi").is_none() || !harness::need_root() {
        return;
    }
    let dir = scratch();
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let app = dir.path().join("wsgi.py");
    fs::write(
        &app,
        "def application(env, start):\n    start('200 OK', [])\n    return [b'tracks']\n",
    )
    .unwrap();
    let port = free_port();
    let pid_file = dir.path().join("uwsgi.pid");
    let written =
        || fs::read_to_string(&pid_file).is_ok_and(|text| text.trim().parse::<u32>().is_ok());
    let start = |more: &[&str]| {
        let _ = fs::remove_file(&pid_file);
        let mut command = Command::new("uwsgi");
        command
            .args([
                "--plugin",
                "python3",
                "--http-socket",
                &format!("127.0.0.1:{port}"),
                "--wsgi-file",
            ])
            .arg(&app);
        command
            .args([
                "--master",
                "--die-on-term",
                "--uid",
                "www-data",
                "--pidfile",
            ])
            .arg(&pid_file)
            .args(more)
            .env_clear()
            .env("PATH", "/usr/bin:/bin");
        let server = Server::start(&mut command, &dir.path().join("uwsgi.log"));
        wait_until("uwsgi answers", || {
            TcpStream::connect(("127.0.0.1", port)).is_ok() && written()
        });
        server
    };
    let file = |variable: &str| {
        format!(
            "[[check]]\ntype = \"service_env\"\npid_file = \"{}\"\nvariable = \"{variable}\"\n",
            pid_file.display()
        )
    };
    let ask = |variable: &str| super::answer(&super::check_file(&file(variable)));
    // The mistake of the guide: PRODUCTION in a shell, and a daemon that was started in an empty
    // environment.
    let server = start(&[]);
    assert_eq!(ask("PRODUCTION"), "unmet not_set");
    drop(server);
    // Its mending: the daemon sets it by itself, after it was started. Empty is set, too.
    let server = start(&["--env", "PRODUCTION=1", "--env", "EMPTY="]);
    assert_eq!(ask("PRODUCTION"), "met");
    assert_eq!(ask("EMPTY"), "met");
    drop(server);
    fs::remove_file(&pid_file).unwrap_or_default();
    let mut command = Command::new("uwsgi");
    command
        .args([
            "--plugin",
            "python3",
            "--http-socket",
            &format!("127.0.0.1:{port}"),
            "--wsgi-file",
        ])
        .arg(&app);
    command
        .args(["--master", "--die-on-term", "--pidfile"])
        .arg(&pid_file)
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .env("PRODUCTION", "1");
    let _server = Server::start(&mut command, &dir.path().join("uwsgi2.log"));
    wait_until("uwsgi answers", || {
        TcpStream::connect(("127.0.0.1", port)).is_ok() && written()
    });
    assert_eq!(ask("PRODUCTION"), "met");
    // By the name of the process, master and workers together.
    assert_eq!(
        super::answer(&super::check(&["env:no-such-uwsgi:PRODUCTION"])),
        "unmet not_running"
    );
}
