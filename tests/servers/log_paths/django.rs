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
    write(
        &at("proj/settings/base.py"),
        BASE.replace('@', &dir.path().display().to_string()),
    );
    write(
        &at("proj/settings/live.py"),
        "from .base import *  # noqa\nDEBUG = False\n",
    );
    write(&at("manage.py"), MANAGE);
    std::fs::create_dir(at("logs")).unwrap();
    let report = log_paths("django", &at("manage.py"), &["--config-only"])
        .expect_code(0)
        .json();
    assert_eq!(
        std::fs::read_dir(at("logs")).unwrap().count(),
        0,
        "nothing was run"
    );
    let said = Command::new(test_venv().join("bin/python"))
        .arg("manage.py")
        .current_dir(dir.path())
        .output()
        .unwrap();
    assert!(
        said.status.success(),
        "{}",
        String::from_utf8_lossy(&said.stderr)
    );
    let want: BTreeSet<PathBuf> = String::from_utf8_lossy(&said.stdout)
        .lines()
        .filter(|line| !line.is_empty())
        .map(PathBuf::from)
        .collect();
    assert_eq!(paths(&report), want, "{report:#}");
    assert_eq!(want.len(), 3);
    let rotating = super::item(&report, &at("logs/rotating.log"));
    assert_eq!(
        (
            rotating["rotated_by"]["tool"].as_str(),
            rotating["source"]["line"].as_u64(),
            rotating["kind"].as_str()
        ),
        (Some("django"), Some(7), Some("error"))
    );
}

/// Settings that put their paths together: what comes before LOGGING, and the file name in it; and
/// whether it can be known unrun.
const KNOWN: &[(&str, &str)] = &[
    (
        "from pathlib import Path\nBASE_DIR = Path(__file__).resolve().parent.parent\n",
        "BASE_DIR / 'logs' / 'a.log'",
    ),
    (
        "from pathlib import Path\nBASE_DIR = Path(__file__).resolve(strict=True).parents[1]\n",
        "BASE_DIR.joinpath('logs', 'a.log')",
    ),
    (
        "import os\nBASE_DIR = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))\n",
        "os.path.join(BASE_DIR, 'logs', 'a.log')",
    ),
    (
        "import os.path\nHERE = os.path.realpath(os.path.dirname(__file__))\n",
        "os.path.join(HERE, '..', 'logs/a.log')",
    ),
    (
        "from os.path import join, dirname as up, abspath\nROOT = up(up(abspath(__file__)))\nLOGS = join(ROOT, 'logs')\n",
        "join(LOGS, 'a.log',)",
    ),
    (
        "import os.path as p, pathlib\nD = pathlib.Path(p.dirname(__file__))\nN = 'a' '.log'\n",
        "str(D.parent / 'logs' / N)",
    ),
    (
        "from pathlib import Path as P\nB = P(__file__).absolute().parent\nL = B.parent / 'logs'\n",
        "f'{L}/{{a}}.log'",
    ),
    ("LOGS = '/tmp/l'\n", "LOGS + '/' + 'a.log'"),
    ("L = '/tmp/one'\nL = L + '/two'\n", "L + '.log'"),
    ("from .base import *\n", "BASE / 'a.log'"),
    ("from .base import BASE as B, NAME\n", "B / NAME"),
    (
        "from proj.base import BASE\ntry:\n    from .missing import *\nexcept ImportError:\n    pass\n",
        "BASE / 'a.log'",
    ),
    (
        "BASE = None\ntry:\n    from .base import *\nexcept ImportError:\n    pass\n",
        "BASE / 'a.log'",
    ),
    (
        "import os, posixpath\n",
        "os.path.join('/tmp/x', '/tmp/y/', posixpath.normpath('/tmp/a/../b'), 'c.log')",
    ),
    (
        "from pathlib import Path\n",
        "Path('/tmp/./a//b', '../c.log')",
    ),
    (
        "from pathlib import Path\n",
        "Path(__file__).parent.parent.parent / 'linked' / 'a.log'",
    ),
    (
        "import os\n",
        "os.path.join(os.path.realpath(os.path.dirname(__file__) + '/../link/..'), 'a.log')",
    ),
    ("NAME = 'x.log'\n", "NAME"),
];
const UNKNOWN: &[(&str, &str)] = &[
    (
        "import os\n",
        "os.path.join(os.environ.get('LOGS', '/tmp'), 'a.log')",
    ),
    ("import os\n", "os.path.join(os.getcwd(), 'a.log')"),
    ("import tempfile\n", "tempfile.gettempdir() + '/a.log'"),
    ("from pathlib import Path\n", "Path.cwd() / 'a.log'"),
    (
        "from pathlib import Path\n",
        "Path('~').expanduser() / 'a.log'",
    ),
    (
        "from pathlib import Path\n",
        "Path(__file__).with_name('a.log')",
    ),
    ("L = '/tmp/a'\nif L:\n    L = '/tmp/b'\n", "L + '.log'"),
    (
        "L = '/tmp/a'\nfor L in ['/tmp/b']:\n    pass\n",
        "L + '.log'",
    ),
    ("L = '/tmp/a'\nL, M = '/tmp/b', 1\n", "L + '.log'"),
    (
        "L = '/tmp/a'\nwith open(__file__) as F, open(__file__): L = '/tmp/b'\n",
        "L + '.log'",
    ),
    ("L = '/tmp/a'\nL += 'b'\n", "L + '.log'"),
    ("L = '/tmp/a'\n(L := '/tmp/b')\n", "L + '.log'"),
    (
        "import os\nL = '/tmp/a'\ndef L(): return 1\nL = str(L())\n",
        "'/tmp/' + L + '.log'",
    ),
    (
        "def join(*a): return '/tmp/other'\n",
        "join('/tmp', 'a.log')",
    ),
    (
        "from os.path import join\njoin = lambda *a: '/tmp/other'\n",
        "join('/tmp', 'a.log')",
    ),
    ("class Path(str): pass\n", "Path('/tmp/a.log')"),
    ("def str(x): return '/tmp/other'\n", "str('/tmp/a.log')"),
    ("L = '/tmp/%s' % 'a'\n", "L + '.log'"),
    ("L = '/tmp/a' if 1 else '/tmp/b'\n", "L + '.log'"),
    ("L = '/tmp/a' or '/tmp/b'\n", "L"),
    ("L = '/tmp/{}.log'.format('a')\n", "L"),
    ("L = ['/tmp/a.log']\n", "L[0]"),
    ("L = '/tmp/a'\n", "f'{L!s}-{1 + 1}.log'"),
    (
        "from django.utils.version import *\nL = '/tmp/a'\nfrom django.utils.version import *\n",
        "L + '.log'",
    ),
    (
        "L = '/tmp/a'\nimport os as L\nL = L.sep\n",
        "L + 'tmp/a.log'",
    ),
];

/// What Python makes of a file name is what is read, or it is said that it is not known; never
/// anything else.
#[test]
fn a_path_put_together_is_pythons_or_unknown() {
    let dir = site();
    let at = |name: &str| dir.path().join(name);
    for name in ["real/proj/__init__.py", "elsewhere/deep/x"] {
        write(&at(name), "");
    }
    write(
        &at("real/proj/base.py"),
        "from pathlib import Path\nBASE = Path(__file__).resolve().parent\nNAME = 'n.log'\nL = '/tmp/base'\n",
    );
    write(
        &at("real/manage.py"),
        "import os\nos.environ.setdefault('DJANGO_SETTINGS_MODULE', 'proj.live')\n",
    );
    std::os::unix::fs::symlink("real", at("site")).unwrap();
    std::os::unix::fs::symlink("../elsewhere/deep", at("real/link")).unwrap();
    let asked = "import sys, os; sys.path[0] = os.getcwd(); import proj.live as s, os; \
                 print(os.path.abspath(os.fspath(s.LOGGING['handlers']['a']['filename'])))";
    for (known, (before, name)) in KNOWN
        .iter()
        .map(|case| (true, case))
        .chain(UNKNOWN.iter().map(|case| (false, case)))
    {
        let handler = format!(
            "LOGGING = {{'handlers': {{'a': {{'class': 'logging.FileHandler', 'filename': {name}}}}}}}\n"
        );
        // What is bound afterwards counts for nothing.
        write(
            &at("real/proj/live.py"),
            format!("{before}{handler}L = BASE = NAME = '/tmp/later'\n"),
        );
        let python = Command::new(test_venv().join("bin/python"))
            .args(["-B", "-c", asked])
            .current_dir(at("site"))
            .output()
            .unwrap();
        let said = String::from_utf8(python.stdout).unwrap();
        assert!(
            python.status.success(),
            "{before}{name}\n{}",
            String::from_utf8_lossy(&python.stderr)
        );
        let report = log_paths("django", &at("site/manage.py"), &["--config-only"]).json();
        let found = items(&report).remove(0);
        if known {
            assert_eq!(
                (found["sink"].as_str(), found["path"].as_str()),
                (Some("file"), Some(said.trim())),
                "{before}{name}"
            );
        } else {
            assert_eq!(
                codes(&found),
                ["dynamic_config"],
                "{before}{name}\n{found:#}"
            );
        }
    }
}

/// LOGGING itself, its handlers and what is in them may have names of their own, or come from
/// another module.
#[test]
fn names_are_followed() {
    let dir = site();
    let write_settings = |text: &str| write(&dir.path().join("settings.py"), text);
    write(
        &dir.path().join("local.py"),
        "LOGGING = {'handlers': {'l': {'class': 'logging.FileHandler', 'filename': '/l/local.log'}}}\n",
    );
    let run = || {
        let report = log_paths(
            "django",
            &dir.path().join("settings.py"),
            &["--config-only"],
        )
        .json();
        items(&report)
            .iter()
            .map(|item| item["path"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    write_settings(
        "A = {'class': 'logging.FileHandler', 'filename': '/l/a.log'}\nH = {'a': A}\nL = {'handlers': H}\nLOGGING = L\n",
    );
    assert_eq!(run(), ["/l/a.log"]);
    write_settings(
        "LOGGING = {'handlers': {'a': {'class': 'logging.FileHandler', 'filename': '/l/a.log'}}}\ntry:\n    from local import *\nexcept ImportError:\n    pass\n",
    );
    assert_eq!(run(), ["/l/local.log"]);
    write_settings(
        "LOGGING = {'handlers': {'a': {'class': 'logging.FileHandler', 'filename': '/l/a.log'}}}\nif DEBUG:\n    from local import *\n",
    );
    assert_eq!(run(), ["from local import *"]);
    write_settings(
        "LOGGING = {'handlers': {'a': {'class': 'logging.FileHandler', 'filename': '/l/a.log'}}}\nif DEBUG:\n    LOGGING = {}\n",
    );
    assert_eq!(run(), ["LOGGING = {}"]);
    write_settings("LOGGING = LOGGING\n");
    assert_eq!(run(), ["LOGGING"]);
}

#[test]
fn code_is_said_to_be_code() {
    let dir = site();
    let ran = dir.path().join("ran");
    write(
        &dir.path().join("settings.py"),
        format!(
            "open({:?}, 'w')\nLOGGING = {{'handlers': {{'a': {{'class': 'logging.FileHandler', 'filename': env('L') / 'a.log'}}}}}}\n",
            ran.display().to_string()
        ),
    );
    let report = log_paths(
        "django",
        &dir.path().join("settings.py"),
        &["--config-only", "--check"],
    )
    .expect_code(1)
    .json();
    assert!(!ran.exists());
    let found = &items(&report)[0];
    assert_eq!(
        (found["path"].as_str(), found["sink"].as_str()),
        (Some("env(\"L\")/\"a.log\""), Some("template"))
    );
    assert_eq!(codes(found), ["dynamic_config"]);
    write(&dir.path().join("settings.py"), "LOGGING = build()\n");
    let report = log_paths(
        "django",
        &dir.path().join("settings.py"),
        &["--config-only", "--check"],
    )
    .expect_code(1)
    .json();
    assert_eq!(codes(&items(&report)[0]), ["dynamic_config"]);
}
