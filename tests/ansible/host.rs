//! One host with something for each tool to do: a database, an environment that is behind its
//! requirements, services up and down, pages whose time has come, a cron template, and what two
//! runs left that were killed in the middle.

use crate::controller::Controller;
use harness::fleet::{Fleet, Host};
use harness::postgres::Postgres;
use harness::venvs::Venvs;
use harness::{test_venv, wait_until};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use std::path::Path;

/// The host, and what it talks to.
pub struct Ground {
    pub controller: Controller,
    pub fleet: Fleet,
    pub postgres: Postgres,
    pub venvs: Venvs,
}

/// Three services: nginx and a redis that run, a redis that does not.
const SERVICES: &str = r#"
[service.web]
backend = "pidfile"
pidfile = "/srv/run/nginx.pid"
start = ["nginx", "-e", "/srv/run/nginx.log", "-c", "/srv/nginx.conf"]

[service.cache]
backend = "pidfile"
pidfile = "/srv/run/cache.pid"
start = ["redis-server", "/srv/cache.conf"]
ready = [{ socket = "/srv/run/cache.sock" }]

[service.queue]
backend = "pidfile"
pidfile = "/srv/run/queue.pid"
start = ["redis-server", "/srv/queue.conf"]
ready = [{ socket = "/srv/run/queue.sock" }]

[service.broken]
backend = "pidfile"
pidfile = "/srv/run/broken.pid"
start = ["/bin/false"]
"#;

const NGINX: &str = "error_log /srv/run/nginx.log; pid /srv/run/nginx.pid; events {} http { access_log off; server { listen 8000; } }\n";

impl Ground {
    /// Before any of the tools was ever run there.
    pub fn bare() -> Ground {
        let postgres = Postgres::start();
        let venvs = Venvs::with_alpha();
        let fleet = Fleet::sharing(1, &[postgres.socket_dir().parent().unwrap(), venvs.path()]);
        let controller = Controller::of(&fleet);
        let ground = Ground {
            controller,
            fleet,
            postgres,
            venvs,
        };
        ground.database();
        let host = ground.host();
        std::fs::copy(test_venv().join("bin/uv"), host.path("/usr/local/bin/uv")).unwrap();
        ground.files();
        ground
    }

    /// The environment at alpha 1.0, the requirements at 2.0; nginx and a cache up; a page whose
    /// time has come, twice; and what killed runs left.
    pub fn live_in(&self) {
        self.commands();
        self.killed();
    }

    /// A module run by hand on the host, as Ansible runs it: its one object, and its exit code.
    pub fn module(&self, name: &str, args: &Value) -> (Value, i32) {
        let path = self.fleet.dir().join("args.json");
        std::fs::write(&path, args.to_string()).unwrap();
        let module = self.fleet.dir().join(format!(
            "collections/ansible_collections/runbook/tools/plugins/modules/{name}.sh"
        ));
        let done = self
            .host()
            .command(&["sh", &text(&module), &text(&path)])
            .output()
            .unwrap();
        let said = String::from_utf8(done.stdout).unwrap();
        let object =
            serde_json::from_str(&said).unwrap_or_else(|e| panic!("{name} {args}: {e}: {said:?}"));
        (object, done.status.code().unwrap())
    }

    pub fn host(&self) -> &Host {
        &self.fleet.hosts()[0]
    }

    pub fn dsn(&self, role: &str) -> String {
        self.postgres.dsn(role, "app")
    }

    pub fn wheelhouse(&self) -> String {
        self.venvs.wheelhouse().display().to_string()
    }

    /// An application with its database and an extension that is behind, and a role for the run
    /// that is killed.
    fn database(&self) {
        self.postgres.create_app("app");
        self.postgres.add_extension(
            "behind",
            "default_version = '1.1'\n",
            &[("1.0", ""), ("1.0--1.1", "")],
        );
        self.postgres.psql("app", "CREATE EXTENSION behind VERSION '1.0'; CREATE ROLE left_over LOGIN; CREATE SCHEMA elsewhere;");
        self.postgres
            .psql("app", "CREATE EXTENSION btree_gin SCHEMA elsewhere;");
    }

    fn files(&self) {
        let redis = |name: &str| {
            format!(
                "port 0\nunixsocket /srv/run/{name}.sock\npidfile /srv/run/{name}.pid\ndaemonize yes\nsave \"\"\nlogfile /srv/run/{name}.log\n\
                 dir /srv/run\n"
            )
        };
        let host = self.host();
        // What a login writes is none of the tools' changes, and what the machine's own runs left
        // is none of this host's.
        host.sh(
            "mkdir -p /root/.ansible/tmp; touch /var/log/wtmp /var/log/lastlog; \
             ln -sf /root/.ansible/wtmp.db /var/log/wtmp.db; rm -rf /var/lib/runbook-tools",
        );
        for dir in ["run", "foreign", "cron"] {
            std::fs::create_dir(host.srv.join(dir)).unwrap();
        }
        let lost = SERVICES
            .split("\n\n")
            .find(|service| service.contains("queue"))
            .unwrap()
            .replace("queue", "lost");
        for (name, text) in [
            ("services.toml", SERVICES.to_owned()),
            ("lost.toml", lost),
            ("cache.conf", redis("cache")),
            ("queue.conf", redis("queue")),
            ("lost.conf", redis("lost")),
            ("nginx.conf", NGINX.to_owned()),
            (
                "logs.conf",
                "events {} http { error_log /srv/log/web/error.log; access_log off; }\n".to_owned(),
            ),
            ("requirements.txt", "alpha==1.0\n".to_owned()),
            (
                "cron/site.txt",
                "# The site's work.\n15 4 * * * cd /srv/site && ./manage.py clearsessions\n"
                    .to_owned(),
            ),
            (
                "cron/wrong.txt",
                "61 4 * * * /srv/site/manage.py clearsessions\n".to_owned(),
            ),
            ("foreign/on", "not ours\n".to_owned()),
        ] {
            std::fs::write(host.srv.join(name), text).unwrap();
        }
    }

    fn commands(&self) {
        let host = self.host();
        host.sh(&format!(
            "venv-sync apply /srv/venv -r /srv/requirements.txt --installer uv --wheelhouse {} >/dev/null\n\
             echo alpha==2.0 >/srv/requirements.txt\n\
             svc-cycle start -f /srv/services.toml --only web >/dev/null\nsvc-cycle start -f /srv/services.toml --only cache >/dev/null\n\
             for dir in tick wait; do maint-page on --dir /srv/$dir --id nightly --start +1s >/dev/null; done\n\
             maint-page bypass add --dir /srv/page >/dev/null\n",
            self.wheelhouse()
        ));
    }

    /// A role that is still a superuser and a service that is still down, because their runs were
    /// killed with their guardians.
    fn killed(&self) {
        let elevate = format!(
            "exec pg-ext-ensure elevate --role left_over --admin \"{}\" -- sleep 1000",
            self.dsn("postgres")
        );
        self.kill_within(&elevate, "1000");
        self.host()
            .sh("svc-cycle start -f /srv/lost.toml >/dev/null");
        self.kill_within(
            "exec svc-cycle cycle -f /srv/lost.toml -- sleep 2000",
            "2000",
        );
        let superuser = self.postgres.psql(
            "app",
            "SELECT rolsuper FROM pg_roles WHERE rolname = 'left_over'",
        );
        assert_eq!(superuser, "t");
    }

    /// Runs a line, and kills the tool and its guardian when its COMMAND, `sleep SECONDS`, is
    /// there. The sleep stays.
    fn kill_within(&self, line: &str, seconds: &str) {
        let before: Vec<i32> = self
            .host()
            .processes()
            .into_iter()
            .map(|(pid, _)| pid)
            .collect();
        let mut run = self.host().command(&["sh", "-ec", line]);
        let mut run = run
            .stdin(std::process::Stdio::null())
            .stdout(std::process::Stdio::null())
            .spawn()
            .unwrap();
        let sleeps = || {
            self.host().processes().iter().any(|(_, argv)| {
                argv.get(1).is_some_and(|word| word == seconds) && argv[0] == "sleep"
            })
        };
        wait_until("COMMAND runs", sleeps);
        let ours = |(pid, argv): &(i32, Vec<String>)| {
            !before.contains(pid) && argv[0] != "sleep" && is_tool(*pid)
        };
        // Held first, so that the guardian does not see the tool go and set to work before its own
        // turn comes.
        let both: Vec<i32> = self
            .host()
            .processes()
            .iter()
            .filter(|each| ours(each))
            .map(|(pid, _)| *pid)
            .collect();
        for signal in [Signal::SIGSTOP, Signal::SIGKILL] {
            for pid in &both {
                let _ = kill(Pid::from_raw(*pid), signal);
            }
        }
        // nsenter stops itself when it sees its child stopped, and has to be woken to see it gone.
        let outer = Pid::from_raw(i32::try_from(run.id()).unwrap());
        wait_until("the tool is gone", || {
            let _ = kill(outer, Signal::SIGCONT);
            run.try_wait().unwrap().is_some()
        });
    }

    /// The host as it is, in lines that can be compared: every file that is its own, with inode,
    /// owner, mode, times and content; the database's catalog; the processes; the crontabs.
    pub fn snapshot(&self) -> Vec<String> {
        // The server's own files change by themselves: its catalog is what counts.
        let data = self.postgres.socket_dir();
        let walk = format!(
            "python3 - {} {} <<'END'\n{WALK}\nEND\n",
            self.fleet.dir().display(),
            data.parent().unwrap().display()
        );
        let mut lines: Vec<String> = self.host().sh(&walk).lines().map(str::to_owned).collect();
        for sql in [
            "SELECT 'extension', extname, extversion, nspname, pg_get_userbyid(extowner), e.xmin FROM pg_extension e JOIN pg_namespace n ON n.oid = extnamespace",
            "SELECT 'role', r.* FROM pg_roles r",
            "SELECT 'class', oid, relname, relnamespace, xmin FROM pg_class WHERE oid >= 16384",
            "SELECT 'namespace', oid, nspname, nspowner, xmin FROM pg_namespace",
            "SELECT 'database', oid, datname, datdba, datacl FROM pg_database",
        ] {
            lines.extend(self.postgres.psql("app", sql).lines().map(str::to_owned));
        }
        lines.sort();
        lines
    }
}

fn is_tool(pid: i32) -> bool {
    let exe = std::fs::read_link(format!("/proc/{pid}/exe")).unwrap_or_default();
    exe.file_name()
        .and_then(|name| name.to_str())
        .is_some_and(|name| harness::TOOLS.contains(&name))
}

/// Walks what is the host's own. Ansible's own temporary directory, and what it and sshd run
/// meanwhile, are no part of it.
const WALK: &str = r#"
import hashlib, os, sys
fleet, database = sys.argv[1:]
over = [f"{fleet}/host1/over/{laid}/up" for laid in ("etc", "usr", "var")]
left_out = {fleet, database, "/root/.ansible", "/dev/pts", "/dev/fd"} | {f"{over[2]}/log/{log}" for log in ("wtmp", "lastlog")}
def show(path):
    at = os.lstat(path)
    what = ""
    if os.path.islink(path):
        what = os.readlink(path)
    elif os.path.isfile(path):
        with open(path, "rb") as file:
            what = hashlib.sha256(file.read()).hexdigest()
    print("file", path, at.st_ino, oct(at.st_mode), at.st_uid, at.st_gid, at.st_size, at.st_mtime_ns, at.st_ctime_ns, what)
def walk(top):
    show(top)
    for entry in os.scandir(top):
        if entry.path in left_out:
            continue
        if entry.is_dir(follow_symlinks=False):
            walk(entry.path)
        else:
            show(entry.path)
for top in over + ["/root", "/run", "/srv", "/tmp", "/dev"]:
    walk(top)
for pid in filter(str.isdigit, os.listdir("/proc")):
    try:
        argv = open(f"/proc/{pid}/cmdline").read().split("\0")
        stat = open(f"/proc/{pid}/stat").read().rsplit(")", 1)[1].split()
    except OSError:
        continue
    if any(name in argv[0] for name in ("nginx", "redis", "sleep")):
        print("process", pid, stat[19], argv)
"#;

/// What differs, a line each.
pub fn difference(before: &[String], after: &[String]) -> String {
    let gone = before
        .iter()
        .filter(|line| !after.contains(line))
        .map(|line| format!("- {line}\n"));
    gone.chain(
        after
            .iter()
            .filter(|line| !before.contains(line))
            .map(|line| format!("+ {line}\n")),
    )
    .collect()
}

/// A directory's path as an argument.
pub fn text(path: &Path) -> String {
    path.display().to_string()
}
