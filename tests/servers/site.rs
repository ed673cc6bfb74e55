//! The environment file is read as systemd reads `EnvironmentFile=`: each of these files is given
//! to a real unit and to our reader, and both have to come to the same variables, or refuse the
//! file. And two sites on one host leave each other alone.

use base::site::parse_environment;
use harness::machine::Machine;
use harness::person::Person;
use harness::{scratch, wait_until};
use std::fs;
use std::os::unix::fs::PermissionsExt;

const FILES: &[&[u8]] = &[
    b"A=b\nC = d e \n",
    b"# A=1\n; B=2\n C=3#4 ;5\n",
    b"A='b c'\"d\"e\nB=x'y'\"z\"\n",
    b"A=\"a\\\"b\\$c\\`d\\\\e\\fg\\\nh\"\n",
    b"A=a\\\nb\\ c\\'d \nB=\\\n  x\n",
    b"A=x\\ \nB='y' \nC=\"\" z  \n",
    b"A='two\nlines'\nB=\"two\nlines\"\n",
    b"export A=1\nB=2\n1C=3\nD-E=4\n=5\nF\nG=6\n",
    b"A=1\nB=2\nA=3\n",
    b"A=\nB=  \nC=''\n",
    b"A=1\r\nB=2 \r\nC='3'\r\n",
    b"A=1\n\n\n   \nB=2",
    b"A='open\nB=2\n",
    b"A=\"open\\",
    b"A=x\\",
    b"A=$HOME ${B} `id` %n\n",
    "A=é ‘x’\nÜ=1\n".as_bytes(),
    b"\xef\xbb\xbfA=1\nB=2\n",
    b"A=1\nB=\xff\n",
    b"A=1\n# a comment \\\nB=2\nC=3\n",
    b"# a comment \\ \nB=2\n",
    b"A=\tx\ty\t\nB\t=\tz\n",
    b"A = 'x' = y\nB==c\n",
    b"A=\"x\\ty\\n\"\nB='x\\ty'\nC=x\\ty\n",
    b"A=1\0B=2\n",
];

/// The variables of a file, sorted; `None` where it is refused.
type Variables = Option<Vec<String>>;

fn ours(bytes: &[u8], comment_goes_on: bool) -> Variables {
    let (variables, _) = parse_environment(bytes, comment_goes_on).ok()?;
    let mut all: Vec<String> = variables
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    all.sort();
    Some(all)
}

/// What the unit's own program found in its environment, but for what systemd sets by itself.
fn systemds(machine: &Machine, number: usize) -> Variables {
    let name = format!("env{number}");
    let done = machine.run(&["systemctl", "start", &name]);
    if !done.status.success() {
        return None;
    }
    let bytes = std::fs::read(machine.path(&format!("/var/tmp/{name}.out"))).unwrap();
    let set_by_systemd = [
        "PATH=",
        "LANG=",
        "USER=",
        "LOGNAME=",
        "HOME=",
        "SHELL=",
        "INVOCATION_ID=",
        "JOURNAL_STREAM=",
        "SYSTEMD_EXEC_PID=",
        "MEMORY_PRESSURE_WATCH=",
        "MEMORY_PRESSURE_WRITE=",
    ];
    let mut all: Vec<String> = bytes
        .split(|byte| *byte == 0)
        .map(|line| String::from_utf8(line.to_vec()).unwrap())
        .filter(|line| !line.is_empty() && !set_by_systemd.iter().any(|own| line.starts_with(own)))
        .collect();
    all.sort();
    Some(all)
}

#[test]
fn environment_files_are_read_as_systemd_reads_them() {
    let Some(machine) = Machine::with_systemd() else {
        return;
    };
    let said = machine.must(&["systemctl", "--version"]);
    let version: u32 = said.split_whitespace().nth(1).unwrap().parse().unwrap();
    for (number, bytes) in FILES.iter().enumerate() {
        std::fs::write(machine.path(&format!("/var/tmp/env{number}")), bytes).unwrap();
        machine.unit(
            &format!("env{number}.service"),
            &format!(
                "[Service]\nType=oneshot\nEnvironmentFile=/var/tmp/env{number}\n\
                 ExecStart=/usr/bin/env -0\nStandardOutput=file:/var/tmp/env{number}.out\n"
            ),
        );
    }
    machine.must(&["systemctl", "daemon-reload"]);
    let mut wrong = Vec::new();
    for (number, bytes) in FILES.iter().enumerate() {
        let (ours, theirs) = (ours(bytes, version < 254), systemds(&machine, number));
        if ours != theirs {
            wrong.push(format!(
                "{:?}\n  ours:    {ours:?}\n  systemd: {theirs:?}",
                String::from_utf8_lossy(bytes)
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Two sites of one user, with one directory for their pages: a hold, a block of the crontab, an
/// environment and a lock of one are never the other's. (Services and recover: svc_cycle::recovery.)
#[test]
fn two_sites_on_one_host() {
    let Some(person) = Person::new() else { return };
    let top = scratch();
    let top = top.path();
    fs::set_permissions(top, fs::Permissions::from_mode(0o755)).unwrap();
    let file = |name: &str| top.join(format!("{name}.toml"));
    for name in ["reef", "atoll"] {
        let dir = top.join(name);
        fs::create_dir(&dir).unwrap();
        for (path, text) in [
            ("manage.py", ""),
            ("requirements.txt", ""),
            ("cron.txt", "15 0 * * * python manage.py clearsessions\n"),
        ] {
            fs::write(dir.join(path), text).unwrap();
        }
        let text = format!(
            "[site]\nname = \"{name}\"\nuser = \"{}\"\ndir = \"{name}\"\nvenv = \"{name}/venv\"\n\
             requirements = [\"{name}/requirements.txt\"]\n\
             [maint-page]\ndir = \"page\"\n\
             [venv-sync]\npython = \"/usr/bin/python3\"\ninstaller = \"pip\"\n\
             [cron-render]\ntemplate = \"{name}/cron.txt\"\n",
            person.name
        );
        fs::write(file(name), text).unwrap();
    }
    let run = |tool: &str, verb: &str, name: &str, more: &[&str]| {
        let call = harness::tool(tool).arg(verb).arg("--site").arg(file(name));
        call.args(more.iter().copied()).run()
    };

    // An environment: the second is built while the first one's run holds its lock.
    let script = top.join("wait");
    let text = format!(
        "#!/bin/sh\ntouch {0}/began\nuntil [ -e {0}/go ]; do sleep 0.05; done\n",
        top.display()
    );
    fs::write(&script, text).unwrap();
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
    std::thread::scope(|scope| {
        let held = scope.spawn(|| {
            let check = script.to_str().unwrap();
            run("venv-sync", "apply", "reef", &["--post-check", check]).expect_code(0);
        });
        wait_until("the first site's run", || top.join("began").exists());
        run("venv-sync", "apply", "reef", &[]).expect_code(75);
        let done = run("venv-sync", "apply", "atoll", &[]);
        fs::write(top.join("go"), "").unwrap();
        done.expect_code(0);
        held.join().unwrap();
    });
    for name in ["reef", "atoll"] {
        run("venv-sync", "check", name, &[]).expect_code(0);
    }

    // A hold: the page is up until both are gone.
    for name in ["reef", "atoll"] {
        run("maint-page", "on", name, &["--for", "10m"]).expect_code(0);
    }
    let after = run("maint-page", "off", "atoll", &[]).json();
    let holds = after["holds"].as_array().map(Vec::len);
    assert_eq!(
        (after["state"].as_str(), holds),
        (Some("active"), Some(1)),
        "{after}"
    );
    run("maint-page", "off", "atoll", &[]);
    let after = run("maint-page", "status", "reef", &[]).json();
    assert_eq!(after["state"], "active", "{after}");
    let after = run("maint-page", "off", "reef", &[]).expect_code(0).json();
    assert_eq!(after["state"], "off", "{after}");

    // A block of the one crontab.
    run("cron-render", "install", "reef", &[]).expect_code(0);
    let table = || String::from_utf8(person.crontab().unwrap()).unwrap();
    let alone = table();
    run("cron-render", "install", "atoll", &[]).expect_code(0);
    assert_ne!(table(), alone);
    run("cron-render", "remove", "atoll", &[]).expect_code(0);
    assert_eq!(table(), alone);
    let again = run("cron-render", "install", "reef", &[])
        .expect_code(0)
        .json();
    assert_eq!(again["changed"], false, "{again}");
}
