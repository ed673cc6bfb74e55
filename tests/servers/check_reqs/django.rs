//! A real Django that tries to look better than it is.

use super::{check_file, item};
use harness::postgres::{Postgres, unique};
use harness::{Output, TempDir, free_port, scratch, test_venv};
use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::Command;

/// A small site that passes everything, in a directory of its own.
pub struct Site {
    dir: TempDir,
    pub path: PathBuf,
    venv: PathBuf,
}

const SETTINGS: &str = r#"
import os
BASE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
SECRET_KEY = "k" * 30 + "0123456789abcdefghijklmnopqrstuvwxyz"
DEBUG = False
ALLOWED_HOSTS = ["site.example"]
INSTALLED_APPS = ["django.contrib.contenttypes", "django.contrib.staticfiles", "shop"]
MIDDLEWARE = ["django.middleware.security.SecurityMiddleware", "django.middleware.clickjacking.XFrameOptionsMiddleware",
              "django.middleware.csrf.CsrfViewMiddleware"]
ROOT_URLCONF = "site_.urls"
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": os.path.join(BASE, "db.sqlite3")}}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
SECURE_HSTS_SECONDS = 31536000
SECURE_HSTS_INCLUDE_SUBDOMAINS = True
SECURE_HSTS_PRELOAD = True
SECURE_SSL_REDIRECT = True
SESSION_COOKIE_SECURE = True
CSRF_COOKIE_SECURE = True
STATIC_URL = "static/"
STATIC_ROOT = os.path.join(BASE, "collected")
STORAGES = {"default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
            "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.ManifestStaticFilesStorage"}}
"#;

const MANAGE: &str = r#"
import os, sys
def main():
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "site_.settings")
    from django.core.management import execute_from_command_line
    execute_from_command_line(sys.argv)
if __name__ == "__main__":
    main()
"#;

impl Site {
    pub fn new() -> Site {
        let dir = scratch();
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let site = Site {
            path: dir.path().join("site"),
            venv: test_venv(),
            dir,
        };
        for (name, text) in [
            ("manage.py", MANAGE),
            ("site_/__init__.py", ""),
            ("site_/settings.py", SETTINGS),
            ("site_/urls.py", "urlpatterns = []\n"),
            ("shop/__init__.py", ""),
            ("shop/migrations/__init__.py", ""),
            (
                "shop/models.py",
                "from django.db import models\nclass Item(models.Model):\n    name = models.CharField(max_length=10)\n",
            ),
            (
                "shop/static/shop/style.css",
                "body { background: url(\"tile.png\"); }\n",
            ),
            ("shop/static/shop/tile.png", "png\n"),
        ] {
            site.write(name, text);
        }
        site.manage("makemigrations");
        site.manage("migrate");
        site
    }

    pub fn write(&self, name: &str, text: &str) {
        let path = self.path.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    pub fn settings(&self, more: &str) {
        self.write("site_/settings.py", &format!("{SETTINGS}\n{more}\n"));
    }

    fn manage(&self, command: &str) {
        let done = Command::new(test_venv().join("bin/python"))
            .arg("manage.py")
            .arg(command)
            .current_dir(&self.path)
            .output()
            .unwrap();
        assert!(
            done.status.success(),
            "{command}: {}",
            String::from_utf8_lossy(&done.stderr)
        );
    }

    fn table(&self, more: &str) -> String {
        let (directory, venv) = (self.path.display(), self.venv.display());
        format!(
            "[[check]]\nid = \"site\"\ntype = \"django\"\ndirectory = \"{directory}\"\nvenv = \"{venv}\"\n{more}\n"
        )
    }

    fn check(&self, more: &str) -> Output {
        check_file(&self.table(more))
    }

    fn answer(&self, more: &str) -> String {
        super::answer(&self.check(more))
    }

    fn chown(&self, user: &str) {
        assert!(
            Command::new("chown")
                .args(["-R", user])
                .arg(&self.path)
                .status()
                .unwrap()
                .success()
        );
    }
}

#[test]
fn a_site_that_is_ready_passes_and_nothing_is_left_behind() {
    let site = Site::new();
    let before = listing(&site.path);
    let done = site.check("").expect_code(0);
    let msg = item(&done)["msg"].as_str().unwrap().to_string();
    for words in [
        "System check identified no issues",
        "No changes detected",
        "No planned migration operations.",
        "static files",
    ] {
        assert!(msg.contains(words), "{msg}");
    }
    assert_eq!(before, listing(&site.path), "a check writes nothing");
    assert!(!site.path.join("collected").exists());
    // The short form.
    let need = format!("django:{}@{}", site.path.display(), test_venv().display());
    super::check(&[&need]).expect_code(0);
}

fn listing(dir: &Path) -> Vec<String> {
    let done = Command::new("find")
        .arg(dir)
        .args(["-not", "-path", "*/__pycache__*", "-printf", "%P %s %T@\n"])
        .output()
        .unwrap();
    let mut lines: Vec<String> = String::from_utf8(done.stdout)
        .unwrap()
        .lines()
        .map(str::to_string)
        .collect();
    lines.sort();
    lines
}

#[test]
fn what_is_not_ready_is_said() {
    let site = Site::new();
    site.settings("SECURE_SSL_REDIRECT = False");
    let warned = site.check("checks = \"check\"").expect_code(1);
    assert_eq!(super::answer(&warned), "unmet warnings");
    assert!(
        item(&warned)["evidence"]
            .as_str()
            .unwrap()
            .contains("security.W008"),
        "{}",
        warned.out()
    );
    site.settings("");

    site.write("shop/models.py", "from django.db import models\nclass Item(models.Model):\n    name = models.CharField(max_length=20)\n");
    assert_eq!(
        site.answer("checks = \"makemigrations\""),
        "unmet missing_migration"
    );
    site.manage("makemigrations");
    assert_eq!(site.answer("checks = \"makemigrations\""), "met");
    let unapplied = site.check("checks = \"migrate\"").expect_code(1);
    assert_eq!(super::answer(&unapplied), "unmet unapplied");
    // The fix, as it is written, makes it so.
    let command = item(&unapplied)["fix"]["steps"][0]["text"]
        .as_str()
        .unwrap()
        .to_string();
    let done = Command::new("sh").args(["-ec", &command]).output().unwrap();
    assert!(
        done.status.success(),
        "{command}: {}",
        String::from_utf8_lossy(&done.stderr)
    );
    assert_eq!(site.answer("checks = \"migrate\""), "met");

    // Passes the dry run, fails when it is done: a stylesheet names a file that is not there.
    fs::remove_file(site.path.join("shop/static/shop/tile.png")).unwrap();
    assert_eq!(
        site.answer("checks = \"collectstatic\"\nstatic = \"dry-run\""),
        "met"
    );
    let broken = site.check("checks = \"collectstatic\"").expect_code(1);
    assert!(
        item(&broken)["msg"].as_str().unwrap().contains("tile.png"),
        "{}",
        broken.out()
    );

    site.write("site_/urls.py", "import no_such_module\nurlpatterns = []\n");
    assert_eq!(site.answer("checks = \"check\""), "unmet failed");
}

#[test]
fn it_is_not_fooled() {
    let site = Site::new();
    // Settings that end the program: every command exits 0 and says nothing.
    site.settings("import sys; sys.exit(0)");
    let silent = site.check("").expect_code(3);
    assert_eq!(super::answer(&silent), "unknown no_answer");
    assert!(
        item(&silent)["msg"].as_str().unwrap().contains("migrate"),
        "each of them: {}",
        silent.out()
    );
    site.settings("raise SystemExit('no')");
    assert_eq!(site.answer("checks = \"migrate\""), "unmet failed");

    // The database is down: `makemigrations --check` itself exits 0.
    site.settings(&format!(
        "DATABASES = {{'default': {{'ENGINE': 'django.db.backends.postgresql', 'NAME': 'x', 'HOST': '127.0.0.1', 'PORT': {}}}}}",
        free_port()
    ));
    assert_eq!(
        site.answer("checks = \"makemigrations\""),
        "unknown database"
    );
    assert_eq!(site.answer("checks = \"migrate\""), "unknown database");

    // What the caller has in the environment does not reach the site.
    site.settings("assert 'LEAK' not in os.environ, 'leak'\nif os.environ.get('PRODUCTION') is None: raise SystemExit(0)");
    let run = |more: &str| {
        harness::tool("check-reqs")
            .args(["-f", "-"])
            .env("LEAK", "1")
            .env("PRODUCTION", "1")
            .input(site.table(more))
            .run()
    };
    assert_eq!(
        super::answer(&run("checks = \"check\"")),
        "unknown no_answer",
        "the caller's PRODUCTION is not the service's"
    );
    assert_eq!(
        super::answer(&run("checks = \"check\"\nenv = { PRODUCTION = \"\" }")),
        "met"
    );
    site.write("site.env", "# the service's own\nPRODUCTION=\"1\"\n");
    let file = format!(
        "checks = \"check\"\nenv_file = \"{}/site.env\"",
        site.path.display()
    );
    assert_eq!(super::answer(&run(&file)), "met");
    // Another user's settings module.
    assert_eq!(
        site.answer("checks = \"check\"\nsettings = \"no.such.settings\""),
        "unmet failed"
    );
}

#[test]
fn root_runs_nobody_elses_code_as_root() {
    if !harness::need_root() {
        return;
    }
    let mut site = Site::new();
    site.venv = harness::venv_copied_to(site.dir.path(), &["django", "asgiref", "sqlparse"]);
    site.settings("assert os.geteuid() != 0, 'as root'\nassert os.getgroups() and 0 not in os.getgroups()\nassert os.environ['HOME'] == '/var/www', os.environ");
    site.chown("www-data:www-data");
    assert_eq!(site.answer(""), "met");
    // Named outright.
    chown(&site.path, Some(0), Some(0)).unwrap();
    assert_eq!(site.answer("user = \"www-data\""), "met");
    assert_eq!(site.answer("user = \"no-such-user\""), "unmet no_user");
}

#[test]
fn a_site_on_postgresql() {
    if harness::skip_servers() && !Path::new("/usr/lib/postgresql").exists() {
        return;
    }
    let site = Site::new();
    let server = Postgres::shared();
    let database = unique("django");
    server.psql("postgres", &format!("CREATE DATABASE {database}"));
    site.settings(&format!(
        "DATABASES = {{'default': {{'ENGINE': 'django.db.backends.postgresql', 'NAME': '{database}', 'USER': 'postgres', 'HOST': '127.0.0.1', 'PORT': {}}}}}",
        server.port()
    ));
    let unapplied = site.check("").expect_code(1);
    assert_eq!(super::answer(&unapplied), "unmet unapplied");
    site.manage("migrate");
    assert_eq!(site.answer(""), "met");
}
