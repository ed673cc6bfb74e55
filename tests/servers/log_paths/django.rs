//! Django: the files of LOGGING are those that Django's own set-up opens; code is said to be code.

use super::{codes, items, log_paths, paths, site, write};
use harness::test_venv;
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::Command;

const BASE: &str = r#"
SECRET_KEY = "x"
LOGGING = {
    "version": 1,
    "handlers": {
        "plain": {"class": "logging.FileHandler", "filename": "logs/plain.log", "level": "INFO"},
        "errors": {"class": "logging.handlers.RotatingFileHandler", "filename": ("@/logs/"
                   "rotating.log"), "maxBytes": 10},
        'watched': {'class': 'logging.handlers.WatchedFileHandler', 'filename': '@/logs/watched.log'},
        "console": {"class": "logging.StreamHandler"},
        "nothing": {"class": "logging.NullHandler"},
    },
    "root": {"handlers": ["plain", "errors", "watched", "console"]},
}
"#;
const MANAGE: &str = "import os, sys\nif __name__ == '__main__':\n    os.environ.setdefault(\"DJANGO_SETTINGS_MODULE\", \"proj.settings.live\")\n    import django\n    django.setup()\n    import logging\n    for handler in logging.getLogger().handlers:\n        print(getattr(handler, 'baseFilename', ''))\n";

#[test]
fn the_files_are_those_that_django_opens() {
    let dir = site();
    let at = |name: &str| dir.path().join(name);
    write(&at("proj/__init__.py"), "");
    write(&at("proj/settings/__init__.py"), "");
    write(&at("proj/settings/base.py"), BASE.replace('@', &dir.path().display().to_string()));
    write(&at("proj/settings/live.py"), "from .base import *  # noqa\nDEBUG = False\n");
    write(&at("manage.py"), MANAGE);
    std::fs::create_dir(at("logs")).unwrap();
    let report = log_paths("django", &at("manage.py"), &["--config-only"]).expect_code(0).json();
    assert_eq!(std::fs::read_dir(at("logs")).unwrap().count(), 0, "nothing was run");
    let said = Command::new(test_venv().join("bin/python")).arg("manage.py").current_dir(dir.path()).output().unwrap();
    assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
    let want: BTreeSet<PathBuf> =
        String::from_utf8_lossy(&said.stdout).lines().filter(|line| !line.is_empty()).map(PathBuf::from).collect();
    assert_eq!(paths(&report), want, "{report:#}");
    assert_eq!(want.len(), 3);
    let rotating = super::item(&report, &at("logs/rotating.log"));
    assert_eq!(
        (rotating["rotated_by"]["tool"].as_str(), rotating["source"]["line"].as_u64(), rotating["kind"].as_str()),
        (Some("django"), Some(7), Some("error"))
    );
}

#[test]
fn code_is_said_to_be_code() {
    let dir = site();
    let ran = dir.path().join("ran");
    write(
        &dir.path().join("settings.py"),
        format!(
            "open({:?}, 'w')\nLOGGING = {{'handlers': {{'a': {{'class': 'logging.FileHandler', 'filename': BASE_DIR / 'a.log'}}}}}}\n",
            ran.display().to_string()
        ),
    );
    let report = log_paths("django", &dir.path().join("settings.py"), &["--config-only", "--check"]).expect_code(1).json();
    assert!(!ran.exists());
    let found = &items(&report)[0];
    assert_eq!((found["path"].as_str(), found["sink"].as_str()), (Some("BASE_DIR/\"a.log\""), Some("template")));
    assert_eq!(codes(found), ["dynamic_config"]);
    write(&dir.path().join("settings.py"), "LOGGING = build()\n");
    let report = log_paths("django", &dir.path().join("settings.py"), &["--config-only", "--check"]).expect_code(1).json();
    assert_eq!(codes(&items(&report)[0]), ["dynamic_config"]);
}
