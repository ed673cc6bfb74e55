//! What the reader makes of one small site, by the rules in `options.py`. The comparison with
//! supervisor itself is in tests/servers.
#![allow(clippy::unwrap_used, clippy::panic)]

use super::{Address, Log, Supervisor, Surroundings};
use crate::files::Files;
use std::path::{Path, PathBuf};

fn read(name: &str, main: &str, included: &str) -> Supervisor {
    let dir = std::env::temp_dir().join(format!("runbook-conf-{}-{name}", std::process::id()));
    std::fs::create_dir_all(dir.join("conf.d")).unwrap();
    std::fs::write(dir.join("supervisord.conf"), main).unwrap();
    std::fs::write(dir.join("conf.d/site.conf"), included).unwrap();
    let surroundings = Surroundings {
        env: [("STAGE".into(), "live".into())].into(),
        cwd: PathBuf::from("/run"),
        host: "box".to_owned(),
        tmp: PathBuf::from("/tmp"),
    };
    let supervisor =
        Supervisor::read(&Files::new(), &dir.join("supervisord.conf"), &surroundings).unwrap();
    std::fs::remove_dir_all(&dir).unwrap();
    supervisor
}

#[test]
fn a_site_in_two_files() {
    let main = "\
[unix_http_server]
file = %(here)s/run/../sock ; where
username = boss
password = s3cret
[supervisord]
logfile=log/%(ENV_STAGE)s.log
directory=/srv
environment=COLOUR=\"blue\"
[supervisorctl]
serverurl=unix://%(here)s/sock
[include]
files = conf.d/*.conf none/*.ini
";
    let site = "\
[program:web]
command=gunicorn
  -b :%(ENV_PORT)s
process_name=%(program_name)s_%(process_num)02d
numprocs=2
numprocs_start=1
environment=PORT=80%(process_num)02d
stdout_logfile=%(here)s/%(ENV_COLOUR)s-%%(process_num)d;x.log ;c
stdout_logfile_maxbytes=1KB
redirect_stderr=TRUE
stderr_logfile=/nowhere
[program:quiet]
command=true
stdout_logfile=NONE
stderr_logfile=Syslog
[group:all]
programs=web, quiet
";
    let got = read("two", main, site);
    assert_eq!(got.errors, []);
    assert_eq!(got.unmatched.len(), 1);
    let here = got.here.clone();
    assert_eq!(got.servers[0].address, Address::Unix(here.join("sock")));
    assert_eq!(
        got.servers[0]
            .password
            .as_ref()
            .map(|secret| secret.reveal()),
        Some("s3cret")
    );
    assert!(!format!("{got:?}").contains("s3cret"));
    assert_eq!(
        got.control
            .as_ref()
            .map(|control| control.serverurl.clone()),
        Some(format!("unix://{}/sock", here.display()))
    );
    assert_eq!(
        got.daemon.logfile,
        Log::File(PathBuf::from("/run/log/live.log"))
    );
    let [group] = got.groups.as_slice() else {
        panic!("{:?}", got.groups)
    };
    let names: Vec<String> = group
        .processes
        .iter()
        .map(super::Process::namespec)
        .collect();
    assert_eq!(names, ["all:web_01", "all:web_02", "all:quiet"]);
    let web = &group.processes[1];
    assert_eq!(web.command, "gunicorn\n-b :8002");
    assert_eq!(web.stdout.log, Log::File(here.join("conf.d/blue-2;x.log")));
    assert_eq!(
        (web.stdout.maxbytes, web.stderr.log.clone()),
        (1024, Log::None)
    );
    assert_eq!(web.stdout.source.line, 8);
    assert!(web.stdout.source.file.ends_with("conf.d/site.conf"));
    assert!(group.processes[2].stderr.syslog);
    assert_eq!(group.processes[2].stdout.log, Log::None);
}

#[test]
fn mistakes_are_named_and_the_rest_is_read() {
    let main = "\
[supervisord]
[program:a]
command=x
stdout_logfile=%(ENV_NONE)s.log
[program:b]
command=y
numprocs=2
[program:c]
command=z
stdout_logfile=c.log
what is this
";
    let got = read("mistakes", main, "");
    let messages: Vec<String> = got
        .errors
        .iter()
        .map(|error| format!("{}: {}", error.line, error.message))
        .collect();
    assert_eq!(
        messages,
        [
            "11: no `name = value`: what is this",
            "4: stdout_logfile: %(ENV_NONE)s has no value here",
            "5: process_name must hold %(process_num) when numprocs is more than 1",
        ]
    );
    let logs: Vec<&Log> = got
        .groups
        .iter()
        .flat_map(|group| &group.processes)
        .map(|process| &process.stdout.log)
        .collect();
    assert_eq!(logs, [&Log::File(Path::new("/run/c.log").to_path_buf())]);
}
