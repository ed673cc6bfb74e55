//! For each tool one call that finds everything as it should be and changes nothing.

use harness::postgres::Postgres;
use harness::{Server, TempDir, Tool, need, scratch, tool};
use serde_json::{Value, json};
use std::path::Path;
use std::process::Command;

/// A call of a tool, and what it needs around it.
pub struct Sample {
    /// The tool's name.
    pub name: &'static str,
    args: Vec<String>,
    /// The same options as Ansible would hand them over.
    pub keys: Value,
    _dir: TempDir,
    _process: Option<Server>,
}

impl Sample {
    /// The tool, with its arguments.
    pub fn tool(&self) -> Tool {
        tool(self.name).args(&self.args)
    }

    /// The tool with options put in before what may be a COMMAND.
    pub fn with(&self, options: &[&str]) -> Tool {
        self.tool().args(options)
    }
}

/// All seven; without a PostgreSQL and `SKIP_SERVERS=1`, six.
pub fn all() -> Vec<Sample> {
    let makers = [
        check_reqs,
        venv_sync,
        maint_page,
        svc_cycle,
        cron_render,
        log_paths,
    ];
    makers
        .into_iter()
        .map(|make| make())
        .chain(pg_ext_ensure())
        .collect()
}

fn sample(name: &'static str, dir: TempDir, args: &[&str], keys: Value) -> Sample {
    let args = args.iter().map(|a| (*a).to_string()).collect();
    Sample {
        name,
        args,
        keys,
        _dir: dir,
        _process: None,
    }
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn check_reqs() -> Sample {
    sample(
        "check-reqs",
        scratch(),
        &["disk:/:1K", "cmd:sh"],
        json!({"need": ["disk:/:1K", "cmd:sh"]}),
    )
}

fn venv_sync() -> Sample {
    let dir = scratch();
    let (venv, file) = (dir.path().join("venv"), dir.path().join("requirements.txt"));
    let made = Command::new("/usr/bin/python3")
        .args(["-m", "venv", "--without-pip"])
        .arg(&venv)
        .status()
        .unwrap();
    assert!(made.success());
    std::fs::write(&file, "# nothing\n").unwrap();
    let (venv, file) = (text(&venv).to_string(), text(&file).to_string());
    sample(
        "venv-sync",
        dir,
        &["check", &venv, "-r", &file],
        json!({"command": "check", "venv": venv, "requirement": [file]}),
    )
}

fn maint_page() -> Sample {
    let dir = scratch();
    let page = text(dir.path()).to_string();
    sample(
        "maint-page",
        dir,
        &["status", "--dir", &page],
        json!({"command": "status", "dir": page}),
    )
}

fn svc_cycle() -> Sample {
    let dir = scratch();
    let process = Server::start(Command::new("sleep").arg("600"), &dir.path().join("log"));
    let pidfile = dir.path().join("sleep.pid");
    std::fs::write(&pidfile, format!("{}\n", process.pid())).unwrap();
    let service = format!("pidfile:{}", pidfile.display());
    let made = sample(
        "svc-cycle",
        dir,
        &["status", &service],
        json!({"command": "status", "service": [service]}),
    );
    Sample {
        _process: Some(process),
        ..made
    }
}

fn cron_render() -> Sample {
    let dir = scratch();
    let file = dir.path().join("crontab");
    std::fs::write(&file, "MAILTO=root\n5 4 * * * cd / && /bin/true\n").unwrap();
    let file = text(&file).to_string();
    sample(
        "cron-render",
        dir,
        &["lint", &file],
        json!({"command": "lint", "template": file}),
    )
}

fn log_paths() -> Sample {
    let dir = scratch();
    let (conf, log) = (dir.path().join("nginx.conf"), dir.path().join("access.log"));
    std::fs::write(&log, "").unwrap();
    std::fs::write(
        &conf,
        format!(
            "error_log {0}; events {{}} http {{ access_log {0}; }}\n",
            log.display()
        ),
    )
    .unwrap();
    let conf = format!("nginx={}", conf.display());
    let keys = json!({"config_only": true, "conf": [conf], "service": ["nginx"]});
    sample(
        "log-paths",
        dir,
        &["--config-only", "--conf", &conf, "nginx"],
        keys,
    )
}

fn pg_ext_ensure() -> Option<Sample> {
    need("pg_ctlcluster")?;
    let dsn = Postgres::shared().dsn("postgres", "postgres");
    // plpgsql is in every database from the start.
    Some(sample(
        "pg-ext-ensure",
        scratch(),
        &["-d", &dsn, "plpgsql"],
        json!({"dsn": dsn, "ext": ["plpgsql"]}),
    ))
}
