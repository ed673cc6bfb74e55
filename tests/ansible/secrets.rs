//! Secrets in options stay on the way from the playbook to the tool: they are in no argument
//! vector, no system log, no file that is left behind, and in nothing that Ansible prints, with
//! `no_log` or without.

use crate::host::Ground;
use harness::need;
use serde_json::{Value, json};
use std::os::unix::net::UnixDatagram;

/// Each secret once, so that it is known which of them got out.
const SECRETS: [&str; 6] = [
    "hush-dsn-1",
    "hush-url-2",
    "hush-index-3",
    "hush-cron-4",
    "hush-need-5",
    "hush-argv-6",
];

/// Options with a secret in them, for each tool that may be told one; most of them fail, which is
/// when things are said.
fn calls(ground: &Ground) -> Vec<(&'static str, Value)> {
    let socket = ground.postgres.socket_dir().display().to_string();
    let port = ground.postgres.port();
    let dsn = format!(
        "host={socket} port={port} user=app dbname=app password={}",
        SECRETS[0]
    );
    let url = format!("postgresql://app:{}@127.0.0.1:1/app", SECRETS[1]);
    vec![
        ("pg_ext_ensure", json!({"dsn": dsn, "ext": ["citext"]})),
        (
            "pg_ext_ensure",
            json!({"dsn": url, "ext": ["hstore"], "timeout": "2s"}),
        ),
        (
            "pg_ext_ensure",
            json!({"dsn": {"password": SECRETS[0]}, "ext": ["hstore"]}),
        ),
        (
            "pg_ext_ensure",
            json!({"command": "elevate", "role": "app", "admin": dsn, "argv": ["true"]}),
        ),
        (
            "venv_sync",
            json!({"command": "apply", "venv": "/srv/secret-venv", "requirement": "/srv/secret.txt", "installer": "uv", "timeout": "3s"}),
        ),
        (
            "cron_render",
            json!({"command": "install", "template": "/srv/cron/secret.txt", "name": "secret"}),
        ),
        (
            "check_reqs",
            json!({"need": [format!("http:http://app:{}@127.0.0.1:1/", SECRETS[4])]}),
        ),
        (
            "maint_page",
            json!({"command": "during", "dir": "/srv/m", "on_failure": "off", "drain": "0s", "argv": ["false", format!("--password={}", SECRETS[5])]}),
        ),
        (
            "svc_cycle",
            json!({"command": "cycle", "file": "/srv/services.toml", "service": ["web"], "argv": ["false", format!("--password={}", SECRETS[5])]}),
        ),
    ]
}

#[test]
fn secrets_stay_secret() {
    if need("sshd").is_none() || need("nginx").is_none() || need("strace").is_none() {
        return;
    }
    let ground = Ground::bare();
    let srv = &ground.host().srv;
    let index = format!(
        "--index-url http://app:{}@127.0.0.1:1/simple\nalpha==1.0\n",
        SECRETS[2]
    );
    std::fs::write(srv.join("secret.txt"), index).unwrap();
    let job = format!("API_PASSWORD={}\n15 4 * * * /srv/site/work\n", SECRETS[3]);
    std::fs::write(srv.join("cron/secret.txt"), job).unwrap();
    let log = SystemLog::of(&ground);

    for (with, more) in [(true, "-vvv"), (false, "-vvv")] {
        printed(&ground, with, more);
    }
    assert!(
        log.said().contains("Invoked with"),
        "Ansible's own module is logged, so this log is the one that is used"
    );
    assert_eq!(
        told(&log.said()),
        Vec::<&str>::new(),
        "in the system log: {}",
        log.said()
    );

    argument_vectors(&ground);
    left_behind(&ground);
}

/// What Ansible prints, as loud as it may be, in check mode and not, with the difference.
fn printed(ground: &Ground, no_log: bool, loud: &str) {
    let mut tasks: Vec<Value> = vec![json!({"name": "logged", "ansible.builtin.command": "true"})];
    for (number, (module, args)) in calls(ground).into_iter().enumerate() {
        tasks.push(json!({"name": format!("{number} {module}"), "no_log": no_log, (format!("runbook.tools.{module}")): args}));
    }
    let modes: &[&[&str]] = if no_log {
        &[&["--diff"]]
    } else {
        &[&["--check", "--diff"], &["--diff"]]
    };
    for mode in modes {
        let played = ground
            .controller
            .play_quoted(&tasks, &[mode, &[loud][..]].concat());
        let text = played.text();
        assert!(
            text.contains("PLAY RECAP") && played.tasks.len() == tasks.len(),
            "{text}"
        );
        let without_origins = played.text();
        assert_eq!(
            told(&without_origins),
            Vec::<&str>::new(),
            "printed with no_log {no_log}, {mode:?}:\n{}",
            lines_of(&text)
        );
        let results: Vec<String> = played
            .tasks
            .iter()
            .map(|task| task.result.to_string())
            .collect();
        assert_eq!(
            told(&results.concat()),
            Vec::<&str>::new(),
            "told to callbacks with no_log {no_log}"
        );
    }
}

/// Every program that is executed, by the module or by anything below it, with its arguments.
/// COMMAND is given on, as it has to be.
fn argument_vectors(ground: &Ground) {
    for (module, args) in calls(ground) {
        let own_command = args.get("argv").is_some();
        let path = ground.fleet.dir().join("args.json");
        std::fs::write(&path, args.to_string()).unwrap();
        let file = ground.fleet.dir().join(format!(
            "collections/ansible_collections/runbook/tools/plugins/modules/{module}.sh"
        ));
        let trace = "strace -f -qq -s 9999 -e trace=execve,execveat -o /srv/trace sh";
        ground.host().sh(&format!(
            "{trace} {} {} >/srv/said || true",
            file.display(),
            path.display()
        ));
        let trace = std::fs::read_to_string(ground.host().srv.join("trace")).unwrap();
        let said = std::fs::read_to_string(ground.host().srv.join("said")).unwrap();
        assert!(trace.contains("--ansible-args"), "{trace}");
        assert_eq!(told(&said), Vec::<&str>::new(), "{module}: {said}");
        let lines: String = trace
            .lines()
            .filter(|line| !(own_command && line.contains("\"false\"")))
            .collect();
        assert_eq!(told(&lines), Vec::<&str>::new(), "{module}: {trace}");
    }
    ground.host().sh("rm /srv/trace /srv/said");
}

/// Every file of the host; the requirements, the template and the crontab made of it hold a secret
/// by right.
fn left_behind(ground: &Ground) {
    let dir = ground.fleet.dir().display();
    let by_right = "/srv/secret.txt\n/srv/cron/secret.txt\n/var/spool/cron/crontabs/root\n";
    let places = format!("{dir}/host1/over/*/up /root /run /srv /tmp /dev/shm");
    let found = ground.host().sh(&format!(
        "grep -rlsF --exclude-dir={} --exclude-dir='rbpg-*' --exclude-dir='runbook-test-*' --devices=skip hush- {places} || true",
        ground.fleet.dir().file_name().unwrap().to_string_lossy()
    ));
    let upper = format!("{dir}/host1/over/var/up/spool/cron/crontabs/root");
    let wrong: Vec<&str> = found
        .lines()
        .filter(|path| !by_right.lines().any(|right| right == *path) && *path != upper)
        .collect();
    assert_eq!(wrong, Vec::<&str>::new(), "left behind");
    assert!(
        found.contains("/srv/secret.txt"),
        "the search finds what is there: {found}"
    );
}

/// The secrets that are in a text.
fn told(text: &str) -> Vec<&'static str> {
    SECRETS
        .into_iter()
        .filter(|secret| text.contains(secret))
        .collect()
}

fn lines_of(text: &str) -> String {
    text.lines()
        .filter(|line| !told(line).is_empty())
        .map(|line| format!("{line}\n"))
        .collect()
}

/// The host's /dev/log, with everything that is sent there.
struct SystemLog {
    socket: UnixDatagram,
    said: std::cell::RefCell<String>,
}

impl SystemLog {
    fn of(ground: &Ground) -> SystemLog {
        let socket = UnixDatagram::bind(ground.host().path("/dev/log")).unwrap();
        socket.set_nonblocking(true).unwrap();
        ground.host().sh("chmod 666 /dev/log");
        SystemLog {
            socket,
            said: std::cell::RefCell::default(),
        }
    }

    fn said(&self) -> String {
        let mut buffer = vec![0; 64 << 10];
        while let Ok(length) = self.socket.recv(&mut buffer) {
            let line = String::from_utf8_lossy(&buffer[..length]).into_owned() + "\n";
            self.said.borrow_mut().push_str(&line);
        }
        self.said.borrow().clone()
    }
}
