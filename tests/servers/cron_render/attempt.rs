//! `try` against what the daemons themselves do, and every way in which an installed line cannot
//! run.

use harness::machine::Machine;
use harness::{bin, namespace};
use serde_json::Value;
use std::path::Path;

/// The mail that the daemon sent, and the reports of `try`: of the template, of what is installed.
fn trial(format: &str, daemon: &str, binaries: Option<&Path>) -> (String, Vec<(Value, i32)>) {
    let (tool, none) = (bin("cron-render"), Path::new("").to_owned());
    let env = [
        ("TOOL", tool.as_path()),
        ("FORMAT", Path::new(format)),
        ("DAEMON", Path::new(daemon)),
        ("BIN", binaries.unwrap_or(&none)),
    ];
    // The longer path comes first: what is laid over /var holds /var/spool, too.
    let dirs = [
        "/etc",
        "/var",
        "/usr/sbin",
        "/usr/bin",
        "/home",
        "/root",
        "/run",
    ];
    let done = namespace::run(&dirs, &[], &env, include_str!("trial.sh"));
    let said = String::from_utf8_lossy(&done.stdout).into_owned();
    let err = String::from_utf8_lossy(&done.stderr).into_owned();
    assert!(done.status.success(), "{daemon} {format}: {said}\n{err}");
    let (mail, tries) = said
        .strip_prefix("=== mail\n")
        .and_then(|rest| rest.split_once("=== try\n"))
        .unwrap_or_else(|| panic!("{daemon} {format}: no mail: {said}\n{err}"));
    let tries = tries.split("=== try\n").map(|part| {
        let (json, code) = part.split_once("=== exit ").expect("an exit status");
        let json = serde_json::from_str(json).unwrap_or_else(|e| panic!("{e}: {json}"));
        (json, code.trim().parse().expect("a number"))
    });
    (mail.to_owned(), tries.collect())
}

fn compare(daemon: &str, binaries: Option<&Path>) {
    for format in ["crontab", "cron.d"] {
        let (mail, tries) = trial(format, daemon, binaries);
        assert!(
            mail.contains("LAYER=crontab\n") && mail.contains("exit 7\n"),
            "{mail}"
        );
        assert!(
            !mail.contains("/cmdline"),
            "the secret stands in an argument: {mail}"
        );
        assert!(
            !mail.contains("/cron"),
            "the secret stands in the schedule: {mail}"
        );
        assert_eq!(tries.len(), 2);
        for (report, code) in tries {
            assert_eq!(code, 7, "{report}");
            assert_eq!(report["attempt"]["exit"], 7);
            assert_eq!(report["attempt"]["output"], mail, "{daemon} {format}");
            let lacked = &report["attempt"]["lacked"];
            assert_eq!(lacked[0]["name"], "nosuchprogram", "{lacked}");
            assert_eq!(report["warnings"], serde_json::json!([]), "{report}");
        }
    }
}

#[test]
fn try_gives_what_cron_gives() {
    if !namespace::available() || harness::need("cron").is_none() {
        return;
    }
    compare("cron -f", None);
}

/// The crons of other distributions, as programs.
#[test]
fn try_gives_what_other_crons_give() {
    for cron in super::crons::all() {
        let daemon = if cron.name.starts_with("debian") {
            "cron -f"
        } else {
            "crond -n"
        };
        compare(daemon, Some(&cron.dir));
    }
}

#[test]
fn every_way_in_which_a_line_cannot_run_is_named() {
    if !namespace::available() {
        return;
    }
    let tool = bin("cron-render");
    let env = [("TOOL", tool.as_path())];
    let dirs = ["/etc", "/var", "/home", "/srv", "/root", "/run"];
    let done = namespace::run(&dirs, &[], &env, include_str!("ways.sh"));
    let said = String::from_utf8_lossy(&done.stdout).into_owned();
    let err = String::from_utf8_lossy(&done.stderr).into_owned();
    assert_eq!(said, "ways: 47\n", "{err}");
}

/// A template whose settings are the rows of the table, and jobs that show what became of them.
const ROWS: &str = r#"SHELL=/bin/bash
HOME=/srv/rows
CRON_TZ=Asia/Tokyo
RANDOM_DELAY=7
MAILTO=a@example.org
MAILFROM=b@example.org
CONTENT_TYPE=text/plain
CONTENT_TRANSFER_ENCODING=8bit
LOGNAME=nobody
OWN=a  "b" $c 50% \d
5 5 * * * echo "${BASH_VERSION:+bash}"; env | grep -Ev '^(INVOCATION_ID|JOURNAL_STREAM|SYSTEMD_EXEC_PID|SHLVL|SECRET_KEY|MEMORY_PRESSURE_[A-Z]*|_)=' | sort; pwd; umask; id; tty; cat; echo $SECRET_KEY | md5sum; grep -al $SECRET_KEY /proc/[0-9]*/cmdline 2>/dev/null; echo err >&2; exit 9%in \% put
"#;

fn property(machine: &Machine, unit: &str, name: &str) -> String {
    let words = ["systemctl", "show", "--value", "-p", name, unit];
    machine.must(&words).trim().to_owned()
}

#[test]
fn systemd_gives_each_setting_what_the_table_says_and_try_gives_the_same() {
    let Some(machine) = Machine::with_systemd() else {
        return;
    };
    machine.must(&["useradd", "--create-home", "rows"]);
    machine.must(&["mkdir", "-p", "/srv/rows"]);
    machine.write("/etc/rows.env", "SECRET_KEY=open-sesame-4711\n");
    machine.write("/root/rows.txt", ROWS);
    for dialect in ["debian", "cronie"] {
        let words = format!(
            "--name rows --user rows --format systemd --env-file /etc/rows.env --dialect {dialect}"
        );
        let run = |verb: &str, rest: &[&str]| {
            machine
                .tool("cron-render")
                .args([verb])
                .args(rest)
                .args(words.split_whitespace())
                .run()
        };
        let report = run("install", &["/root/rows.txt"]).expect_code(0).json();
        let findings = report["findings"].as_array().unwrap();
        let lost = |name: &str| {
            findings.iter().any(|f| {
                ["W25", "W28", "W15"].contains(&f["code"].as_str().unwrap())
                    && f["message"].as_str().unwrap().contains(name)
            })
        };
        for name in [
            "MAILTO",
            "MAILFROM",
            "CONTENT_TYPE",
            "CONTENT_TRANSFER_ENCODING",
            "LOGNAME",
        ] {
            assert!(
                lost(name),
                "{dialect}: nothing is said of {name}: {findings:?}"
            );
        }
        let id = report["items"][0]["id"].as_str().unwrap();
        let (timer, service) = (format!("rows-{id}.timer"), format!("rows-{id}.service"));
        let calendar = property(&machine, &timer, "TimersCalendar");
        let delay = property(&machine, &timer, "RandomizedDelayUSec");
        match dialect {
            "debian" => {
                assert!(
                    !calendar.contains("Tokyo") && delay == "0",
                    "{calendar} {delay}"
                );
                assert!(lost("CRON_TZ") && lost("RANDOM_DELAY"), "{findings:?}");
            }
            _ => assert!(
                calendar.contains("Asia/Tokyo") && delay == "7min",
                "{calendar} {delay}"
            ),
        }

        // The service itself, as its timer starts it.
        assert_eq!(
            machine.run(&["systemctl", "start", &service]).status.code(),
            Some(1)
        );
        assert_eq!(property(&machine, &service, "ExecMainStatus"), "9");
        let invocation = property(&machine, &service, "InvocationID");
        machine.must(&["journalctl", "--sync"]);
        let journal = machine.must(&[
            "journalctl",
            "-o",
            "cat",
            "_TRANSPORT=stdout",
            &format!("_SYSTEMD_INVOCATION_ID={invocation}"),
        ]);
        for line in [
            "bash",
            "HOME=/srv/rows",
            "SHELL=/bin/bash",
            "LOGNAME=rows",
            "OWN=a  \"b\" $c 50% \\d",
            "/srv/rows",
            "0022",
            "not a tty",
            "in % put",
            "err",
        ] {
            assert!(
                journal.lines().any(|said| said == line),
                "{dialect} {line}: {journal}"
            );
        }
        assert!(!journal.contains("MAILTO"), "{journal}");
        assert!(
            !journal.contains("/cmdline"),
            "the secret stands in an argument: {journal}"
        );
        for template in [&["/root/rows.txt"][..], &[]] {
            let rest = [&["echo"][..], template].concat();
            let tried = run("try", &rest).expect_code(9).json();
            assert_eq!(tried["attempt"]["output"], journal, "{tried}");
        }
        let left = machine.must(&["sh", "-c", "ls /run/systemd/system /run/runbook-tools"]);
        assert!(!left.contains("cron-render-try"), "{left}");
        run("remove", &[]);
    }

    // What systemd does not start at all.
    machine.write("/root/none.txt", "5 5 * * * true\n");
    machine.must(&["chmod", "000", "/etc/rows.env"]);
    machine.must(&["rm", "/etc/rows.env"]);
    let tried = machine
        .tool("cron-render")
        .args([
            "try",
            "true",
            "/root/none.txt",
            "--name",
            "rows",
            "--user",
            "rows",
        ])
        .args(["--format", "systemd", "--env-file", "/etc/rows.env"])
        .run()
        .expect_code(125)
        .json();
    assert_eq!(tried["attempt"]["started"], false, "{tried}");
    assert!(
        tried["findings"]
            .to_string()
            .contains("/etc/rows.env' does not exist"),
        "{tried}"
    );
}
