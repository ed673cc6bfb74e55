//! Twenty-two secrets stand where sites keep secrets, and every verb of every tool runs over them.
//! No secret may stand in a report, on standard error, in a journal, in what the tools keep under
//! /var/lib, in the arguments of a process, or in the environment of a process of another user.
//! What COMMAND itself prints, and the schedule that `cron-render render -o text` is asked for, are
//! not the tools' words.

use harness::{bin, scratch};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};

struct Planted {
    dir: harness::TempDir,
    secrets: RefCell<BTreeMap<String, &'static str>>,
}

impl Planted {
    /// A new secret, which no word of any tool is part of.
    fn secret(&self, name: &'static str) -> String {
        let number = 104_729 + 7919 * self.secrets.borrow().len();
        let secret = format!("Zq{number:x}{}Wv9", name.replace([' ', '_'], ""));
        self.secrets.borrow_mut().insert(secret.clone(), name);
        secret
    }

    fn write(&self, name: &str, text: &str) -> String {
        let path = self.dir.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    }

    fn private(&self, name: &str, text: &str) -> String {
        let path = self.write(name, text);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        path
    }

    fn found_in(&self, text: &str) -> Vec<&'static str> {
        let secrets = self.secrets.borrow();
        secrets
            .iter()
            .filter(|(secret, _)| text.contains(secret.as_str()))
            .map(|(_, name)| *name)
            .collect()
    }
}

/// The processes below one, by the kernel's word.
fn descendants(root: u32) -> Vec<u32> {
    let mut children: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
    for entry in fs::read_dir("/proc").unwrap().flatten() {
        let Some(pid) = entry
            .file_name()
            .to_str()
            .and_then(|name| name.parse().ok())
        else {
            continue;
        };
        let stat = fs::read_to_string(entry.path().join("stat")).unwrap_or_default();
        let parent = stat
            .rsplit_once(')')
            .and_then(|(_, rest)| rest.split_whitespace().nth(1)?.parse().ok());
        if let Some(parent) = parent {
            children.entry(parent).or_default().push(pid);
        }
    }
    let (mut all, mut next) = (Vec::new(), vec![root]);
    while let Some(pid) = next.pop() {
        let below = children.remove(&pid).unwrap_or_default();
        all.extend(&below);
        next.extend(below);
    }
    all
}

/// What other users can read of the processes below `root`: arguments, and the environment of those
/// that are not root's.
fn watch(planted: &Planted, root: u32, callers: &[&'static str], seen: &mut Vec<String>) {
    for pid in descendants(root) {
        let dir = PathBuf::from(format!("/proc/{pid}"));
        let text = fs::read(dir.join("cmdline")).unwrap_or_default();
        let text = String::from_utf8_lossy(&text).replace('\0', " ");
        // pip hands a repository's whole URL to git, and git to its helper (SECURITY.md,
        // "Secrets").
        let by_git = text.starts_with("git ") || text.contains("/git-core/git");
        for name in planted.found_in(&text) {
            if !(by_git && name == "git_token") {
                seen.push(format!("{name} in the arguments: {text}"));
            }
        }
        // The directory belongs to the user from setuid(2) on; the file only from exec on, when it
        // holds the new environment (proc(5)).
        if fs::metadata(dir.join("environ")).is_ok_and(|meta| meta.uid() != 0) {
            let text = fs::read(dir.join("environ")).unwrap_or_default();
            for name in planted.found_in(&String::from_utf8_lossy(&text)) {
                if callers.contains(&name) {
                    seen.push(format!(
                        "{name} in the environment of another user's process"
                    ));
                }
            }
        }
    }
}

/// The journals and states that the tools keep.
fn kept(planted: &Planted, dir: &Path, leaks: &mut Vec<String>) {
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        let path = entry.path();
        match entry.file_type() {
            Ok(kind) if kind.is_dir() => kept(planted, &path, leaks),
            Ok(kind) if kind.is_file() => {
                let text = fs::read(&path).unwrap_or_default();
                for name in planted.found_in(&String::from_utf8_lossy(&text)) {
                    leaks.push(format!("{name} in {}", path.display()));
                }
            }
            _ => {}
        }
    }
}

#[test]
fn no_secret_leaves_a_tool() {
    if !harness::need_root() {
        return;
    }
    let planted = Planted {
        dir: scratch(),
        secrets: RefCell::default(),
    };
    let root = planted.dir.path().to_path_buf();
    fs::set_permissions(&root, fs::Permissions::from_mode(0o755)).unwrap();
    let at = |name: &str| root.join(name).to_str().unwrap().to_owned();
    let s = |name| planted.secret(name);
    let env_file = planted.private(
        "site.env",
        &format!(
            "SECRET_KEY={}\nDATABASE_URL=postgres://reef:{}@127.0.0.1:1/reef\n\
             SENTRY_DSN=https://{}@sentry.invalid/7\nREDIS_URL=redis://:{}@localhost:6379/0\n\
             AWS_SECRET_ACCESS_KEY={}\nEMAIL_HOST_PASSWORD=\"{} x\"\nSTRIPE_LIVE={}\nSALT={}\n",
            s("django_key"),
            s("database_url"),
            s("sentry"),
            s("redis"),
            s("aws"),
            s("mail"),
            s("stripe"),
            s("salt")
        ),
    );
    planted.private(".pgpass", &format!("127.0.0.1:*:*:*:{}\n", s("pgpass")));
    planted.private(
        ".pg_service.conf",
        &format!(
            "[reef]\nhost=127.0.0.1\nport=1\nuser=reef\npassword={}\n",
            s("service")
        ),
    );
    planted.private(
        ".config/pip/pip.conf",
        &format!(
            "[global]\nindex-url = http://joe:{}@127.0.0.1:1/simple\nretries = 0\n",
            s("pip_conf")
        ),
    );
    let requirements = planted.write(
        "requirements.txt",
        &format!(
            "--extra-index-url http://joe:{}@127.0.0.1:1/simple\nnosuchthing==1.0\n\
             other @ git+https://{}@127.0.0.1:1/x.git\n",
            s("extra_index"),
            s("git_token")
        ),
    );
    let empty = planted.write("empty.txt", "# nothing\n");
    planted.write(
        "site/manage.py",
        "import os, sys\nprint('boom', dict(os.environ), file=sys.stderr)\nraise SystemExit(3)\n",
    );
    let supervisor = planted.write(
        "supervisord.conf",
        &format!(
            "[unix_http_server]\nfile={0}\nusername=joe\npassword={1}\n[supervisord]\n\
             environment=TOKEN=\"{2}\"\n[supervisorctl]\nserverurl=unix://{0}\nusername=joe\npassword={1}\n\
             [program:app]\ncommand=/bin/cat\nstdout_logfile={3}\nenvironment=PW=\"{4}\"\n",
            at("sup.sock"),
            s("supervisor"),
            s("supervisor_env"),
            at("app.log"),
            s("program_env")
        ),
    );
    let set = planted.write(
        "set.toml",
        &format!(
            "[service.app]\nbackend = \"pidfile\"\npidfile = \"app.pid\"\nlog = \"app.log\"\n\
             start = [\"/bin/sh\", \"-c\", \"echo $API; exit 3\"]\nenvironment = {{ API = \"{}\" }}\n\
             [[service.app.ready]]\nhttp = \"http://joe:{}@127.0.0.1:1/\"\n",
            s("set_env"),
            s("probe_url")
        ),
    );
    let cron = planted.write(
        "cron.txt",
        &format!(
            "API_TOKEN={}\n* * * * * curl -u joe:{} http://x/\n*/70 * * * * curl -H 'Authorization: Bearer {}' http://x\n",
            s("cron_env"),
            s("cron_curl"),
            s("cron_bearer")
        ),
    );
    // Without what a lint refuses, for root's own crontab, which may read the environment file.
    let fine = planted.write(
        "fine.txt",
        &format!(
            "API_TOKEN={}\n* * * * * curl -u joe:{} http://x/\n",
            s("fine_env"),
            s("fine_curl")
        ),
    );
    let nginx = planted.write(
        "nginx.conf",
        &format!(
            "events {{}}\nhttp {{ access_log {}; server {{ location / {{ proxy_set_header Authorization \"Basic {}\"; bogus }} }} }}\n",
            at("access.log"),
            s("nginx")
        ),
    );
    let uwsgi = planted.write(
        "uwsgi.ini",
        &format!(
            "[uwsgi]\nenv = SECRET={}\nlogto = {}\nmodule = x\n",
            s("uwsgi"),
            at("u.log")
        ),
    );
    let venv = at("venv");
    crate::peers::venv(Path::new(&venv));
    let url = format!("http://joe:{}@127.0.0.1:1/", s("check_url"));
    let needs = planted.write(
        "needs.toml",
        &format!(
            "[[check]]\ntype = \"django\"\ndirectory = \"{}\"\nvenv = \"{venv}\"\nenv_file = \"{env_file}\"\n\
             [[check]]\ntype = \"postgres\"\nconnection = \"postgres://u:{}@127.0.0.1:1/x\"\n\
             [[check]]\ntype = \"http\"\nurl = \"{url}\"\nsend = {{ Authorization = \"Bearer {}\" }}\n\
             [[check]]\ntype = \"extension\"\nname = \"hstore\"\nconnection = \"service=reef\"\n\
             [[check]]\ntype = \"service\"\nname = \"app\"\nmanager = \"supervisor\"\nconf = \"{supervisor}\"\n",
            at("site"),
            s("check_dsn"),
            s("check_send")
        ),
    );
    let site = planted.private(
        "reef.toml",
        &format!(
            "[site]\nname = \"reef\"\nuser = \"nobody\"\ndir = \"{}\"\nvenv = \"{venv}\"\nenv_file = \"{env_file}\"\n\
             urls = [\"{url}\"]\n[svc-cycle]\nfile = \"{set}\"\n[maint-page]\ndir = \"{}\"\n\
             [pg-ext-ensure]\ndsn = \"postgres://u:{}@127.0.0.1:1/x\"\next = [\"hstore\"]\n",
            at("site"),
            at("maintenance"),
            s("site_dsn")
        ),
    );
    let environment = [
        ("DJANGO_TOKEN", s("caller_token")),
        ("DB_PASSWORD", s("caller_password")),
        (
            "UV_INDEX",
            format!("x=http://joe:{}@127.0.0.1:1/simple", s("uv_index")),
        ),
    ];
    let callers = ["caller_token", "caller_password", "uv_index"];
    let page = at("page");
    let command = ["sh", "-c", "exec 2>/dev/null; env; cat site.env; exit 7"];
    // COMMAND's own words go to standard error, which is not looked at where a COMMAND is.
    let mut runs: Vec<(&str, Vec<&str>)> = Vec::new();
    for output in ["json", "text", "junit", "ndjson", "prometheus", "tap"] {
        runs.push(("check-reqs", vec!["-f", &needs, "-v", "-o", output]));
    }
    runs.push(("check-reqs", vec!["-f", &needs, "--list"]));
    runs.push((
        "check-reqs",
        vec![
            "ext:hstore@service=reef",
            "postgres@host=127.0.0.1 port=1 user=u dbname=x",
        ],
    ));
    runs.push((
        "check-reqs",
        vec![
            "--snapshot",
            "postgres@service=reef",
            "extension@service=reef",
        ],
    ));
    let dsn = "host=127.0.0.1 port=1 user=u dbname=x";
    runs.push(("pg-ext-ensure", vec!["--dsn", dsn, "hstore", "-v"]));
    runs.push((
        "pg-ext-ensure",
        vec!["--service", "reef", "hstore", "-o", "text"],
    ));
    runs.push(("pg-ext-ensure", vec!["--site", &site]));
    runs.push(("pg-ext-ensure", vec!["recover", "--admin", dsn]));
    runs.push((
        "pg-ext-ensure",
        [
            vec!["elevate", "--role", "u", "--admin", dsn, "--"],
            command.to_vec(),
        ]
        .concat(),
    ));
    runs.push(("venv-sync", vec!["check", "-r", &requirements, "-v", &venv]));
    runs.push((
        "venv-sync",
        vec!["prepare", "-r", &requirements, "-v", &venv],
    ));
    runs.push((
        "venv-sync",
        vec!["apply", "-r", &requirements, "-v", "--adopt", &venv],
    ));
    runs.push((
        "venv-sync",
        vec![
            "apply",
            "-r",
            &empty,
            "--adopt",
            "--rebuild",
            "--extraneous",
            "ignore",
            "--env-file",
            &env_file,
            "--post-check",
            "sh -c 'env; exit 1'",
            &venv,
        ],
    ));
    runs.push(("venv-sync", vec!["rollback", &venv]));
    runs.push(("venv-sync", vec!["list", &venv]));
    for how in [
        vec!["--env-file", &env_file],
        vec!["--env-file", &env_file, "--as", "nobody"],
        vec!["--site", &site, "--as-site"],
    ] {
        let during = ["during", "--dir", &page, "--on-failure", "off"];
        runs.push((
            "maint-page",
            [during.to_vec(), how.clone(), vec!["--"], command.to_vec()].concat(),
        ));
        let cycle = ["cycle", "-f", &set];
        runs.push((
            "svc-cycle",
            [cycle.to_vec(), how, vec!["--"], command.to_vec()].concat(),
        ));
    }
    for args in [
        vec!["on"],
        vec!["status"],
        vec!["verify", "--on", "--within", "1s", &url],
        vec!["tick"],
        vec!["off"],
    ] {
        runs.push(("maint-page", [args, vec!["--dir", &page]].concat()));
    }
    for verb in [
        "start", "stop", "restart", "reload", "status", "check", "recover",
    ] {
        runs.push(("svc-cycle", vec![verb, "-f", &set, "-v"]));
    }
    runs.push(("svc-cycle", vec!["start", "-f", &set, "-o", "text", "-v"]));
    runs.push((
        "svc-cycle",
        vec!["snapshot", "--config", &supervisor, "supervisor:app"],
    ));
    runs.push((
        "svc-cycle",
        vec!["status", "--config", &supervisor, "supervisor:app"],
    ));
    for verb in ["render", "lint", "next", "explain", "diff"] {
        runs.push((
            "cron-render",
            vec![
                verb, &cron, "--name", "reef", "--user", "nobody", "-o", "json",
            ],
        ));
    }
    runs.push((
        "cron-render",
        vec![
            "install",
            "-n",
            "--diff",
            &fine,
            "--name",
            "reef",
            "--user",
            "root",
            "--env-file",
            &env_file,
        ],
    ));
    let (nginx, uwsgi, supervisor) = (
        format!("nginx={nginx}"),
        format!("uwsgi={uwsgi}"),
        format!("supervisor={supervisor}"),
    );
    for (conf, name) in [
        (&nginx, "nginx"),
        (&uwsgi, "uwsgi"),
        (&supervisor, "supervisor"),
    ] {
        runs.push(("log-paths", vec!["--conf", conf, name, "-v"]));
    }
    let journal = at("journal");
    let mut leaks = Vec::new();
    for (name, args) in &runs {
        let around = args.iter().position(|word| *word == "--");
        let (own, rest) = args.split_at(around.unwrap_or(args.len()));
        let mut child = Command::new(bin(name))
            .args(own)
            .args(["--journal", &journal, "--timeout", "6s"])
            .args(rest)
            .env("HOME", &root)
            .envs(
                environment
                    .iter()
                    .map(|(key, value)| (*key, value.as_str())),
            )
            .current_dir(&root)
            .stdin(Stdio::null())
            .stdout(Stdio::from(fs::File::create(root.join("out")).unwrap()))
            .stderr(Stdio::from(fs::File::create(root.join("err")).unwrap()))
            .spawn()
            .unwrap();
        let (pid, ended) = (child.id(), AtomicBool::new(false));
        let mut seen = Vec::new();
        std::thread::scope(|scope| {
            let waiter = scope.spawn(|| {
                let status = child.wait().unwrap();
                ended.store(true, Ordering::SeqCst);
                status
            });
            while !ended.load(Ordering::SeqCst) {
                watch(&planted, pid, &callers, &mut seen);
            }
            let status = waiter.join().unwrap();
            assert!(
                status.code().is_some_and(|code| code != 2),
                "{name} {args:?}: {status}: {}",
                fs::read_to_string(root.join("err")).unwrap_or_default()
            );
        });
        seen.dedup();
        leaks.extend(
            seen.into_iter()
                .map(|what| format!("{name} {args:?}: {what}")),
        );
        let files = if around.is_some() {
            vec!["out"]
        } else {
            vec!["out", "err"]
        };
        for file in files {
            let text = fs::read(root.join(file)).unwrap();
            for secret in planted.found_in(&String::from_utf8_lossy(&text)) {
                leaks.push(format!("{name} {args:?}: {secret} in std{file}"));
            }
        }
    }
    let text = fs::read_to_string(&journal).unwrap();
    assert!(text.lines().count() > 40, "the journal was not written");
    leaks.extend(
        planted
            .found_in(&text)
            .into_iter()
            .map(|name| format!("{name} in the journal")),
    );
    for dir in [
        "/var/lib/runbook-tools",
        "/run/runbook-tools",
        "/var/backups/runbook-tools",
    ] {
        kept(&planted, Path::new(dir), &mut leaks);
    }
    assert!(planted.secrets.borrow().len() >= 20);
    assert!(leaks.is_empty(), "{}", leaks.join("\n"));
}
