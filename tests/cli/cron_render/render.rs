//! `render`: what the finished schedule says.

use super::{MISAGO, MISAGO_TWELVE, cron};
use harness::{scratch, tool};
use std::collections::BTreeSet;

const SITE: &str = "--name forum --dir /home/myforumorg/ --venv venv";

fn text(words: &str, template: &str) -> String {
    cron(&format!("render -o text {words}"), template)
        .expect_code(0)
        .out()
}

#[test]
fn misagos_guide_is_what_comes_out() {
    let text = text(SITE, MISAGO);
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(
        lines[..4],
        MISAGO.lines().collect::<Vec<_>>()[..4],
        "comments stay"
    );
    assert_eq!(
        lines[4],
        "15 0 * * * cd /home/myforumorg/ && venv/bin/python manage.py prunecategories"
    );
    assert_eq!(
        lines[9],
        "25 0 * * * cd /home/myforumorg/ && venv/bin/python manage.py invalidatebans"
    );
    assert_eq!(lines.len(), 10);
}

#[test]
fn json_says_where_each_line_came_from() {
    let report = cron(&format!("render {SITE} --spread 30m"), MISAGO)
        .expect_code(0)
        .json();
    assert_eq!(report["items"].as_array().unwrap().len(), 6);
    let first = &report["items"][0];
    assert_eq!(first["id"], "prunecategories");
    assert_eq!(first["line"], 5);
    assert_eq!(first["schedule"], "15 0 * * *");
    assert_eq!(first["kind"], "fixed");
    assert_eq!(first["moved_from"], serde_json::Value::Null);
    let rendered = report["rendered"].as_str().unwrap();
    for item in report["items"].as_array().unwrap() {
        assert!(rendered.contains(item["rendered"].as_str().unwrap()));
    }
}

#[test]
fn lock_log_and_limit_are_added_where_they_are_asked_for() {
    let all = format!("{SITE} --lock-dir /run/lock --log-dir /var/log/forum --job-timeout 5m");
    let text = text(&all, "0 3 * * * python3 manage.py clearsessions\n");
    assert_eq!(
        text,
        "0 3 * * * cd /home/myforumorg/ && flock -n /run/lock/forum-clearsessions.lock timeout 300 \
         venv/bin/python manage.py clearsessions >>/var/log/forum/forum-clearsessions.log 2>&1\n"
    );
}

#[test]
fn a_redirection_of_its_own_is_kept() {
    let line = "0 3 * * * python manage.py x >/dev/null 2>&1\n";
    let text = text(&format!("{SITE} --log-dir /var/log"), line);
    assert_eq!(
        text,
        "0 3 * * * cd /home/myforumorg/ && venv/bin/python manage.py x >/dev/null 2>&1\n"
    );
}

#[test]
fn what_is_compound_or_knows_its_directory_stays() {
    let own = "\
1 0 * * * cd /srv/a && venv/bin/python manage.py a
2 0 * * * python manage.py a; python manage.py b
3 0 * * *\t/usr/bin/true\t manage.py
";
    assert_eq!(text(SITE, own), own);
    let report = cron(&format!("render {SITE}"), own).json();
    let left: Vec<&serde_json::Value> = report["findings"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|f| f["code"] == "W21")
        .collect();
    assert_eq!(left.len(), 3, "{report}");
}

#[test]
fn settings_of_the_command_line_replace_the_templates() {
    let template = "PATH=/bin\nMAILTO=old@example.org\nA=b\n0 1 * * * /usr/bin/true\n";
    let text = text(
        "--path /usr/bin:/bin --mailto new@example.org --env X=1 --env Y=a#b",
        template,
    );
    assert_eq!(
        text,
        "PATH=/usr/bin:/bin\nMAILTO=new@example.org\nX=1\nY=a#b\nA=b\n0 1 * * * /usr/bin/true\n"
    );
    // In a block the variables would hold for other people's lines, too.
    let text = self::text("--name n --mailto new@example.org --env Y=a#b", template);
    assert_eq!(
        text,
        "MAILTO=new@example.org\n0 1 * * * export PATH=/bin A=b Y='a#b'; /usr/bin/true\n"
    );
}

#[test]
fn percent_in_a_fact_is_escaped_last() {
    let text = text(
        "--dir /srv/50% --venv /srv/v%",
        "0 1 * * * python manage.py x '\\%d'\n",
    );
    assert_eq!(
        text,
        "0 1 * * * cd /srv/50\\% && /srv/v\\%/bin/python manage.py x '\\%d'\n"
    );
}

#[test]
fn spread_gives_each_job_its_own_minute_within_the_window() {
    let words = format!("render {SITE} --spread 30m");
    let report = cron(&words, MISAGO).json();
    let mut seen = BTreeSet::new();
    for item in report["items"].as_array().unwrap() {
        let fields: Vec<&str> = item["schedule"].as_str().unwrap().split(' ').collect();
        let minute: u32 = fields[0].parse().unwrap();
        assert_eq!(fields[1..], ["0", "*", "*", "*"]);
        assert!((15..=55).contains(&minute), "{item}");
        assert!(seen.insert(minute), "{item} shares its minute");
        if item["line"] == 5 {
            assert_eq!(minute, 15, "what collides with nothing stays");
        } else if minute != 25 {
            assert_eq!(item["moved_from"], "25 0 * * *");
        }
    }
    assert_eq!(
        cron(&words, MISAGO).json()["items"],
        report["items"],
        "and always the same"
    );
}

#[test]
fn a_new_job_moves_only_whom_it_displaces() {
    let words = format!("render {SITE} --spread 30m");
    let before = cron(&words, MISAGO).json();
    let one_more = format!(
        "{MISAGO}0 4 * * * python manage.py backupsite\n25 0 * * * python manage.py another\n"
    );
    let after = cron(&words, one_more).json();
    let moved = before["items"]
        .as_array()
        .unwrap()
        .iter()
        .zip(after["items"].as_array().unwrap())
        .filter(|(a, b)| a["schedule"] != b["schedule"]);
    assert!(moved.count() <= 1);
}

#[test]
fn nothing_is_moved_across_a_day_or_made_rarer() {
    let template = "\
59 23 * * * /usr/bin/true a
59 23 * * * /usr/bin/true b
58 * * * * /usr/bin/true c
58 * * * * /usr/bin/true d
*/5 * * * * /usr/bin/true e
*/5 * * * * /usr/bin/true f
10,40 3 * * * /usr/bin/true g
10,40 3 * * * /usr/bin/true h
@daily /usr/bin/true i
@daily /usr/bin/true j
";
    let report = cron("render --spread 45m --name n", template).json();
    for item in report["items"].as_array().unwrap() {
        let schedule = item["schedule"].as_str().unwrap();
        let line = item["line"].as_u64().unwrap();
        match line {
            1 | 2 => assert_eq!(schedule, "59 23 * * *"),
            3 | 4 => assert!(
                ["58 * * * *", "59 * * * *"].contains(&schedule),
                "{schedule}"
            ),
            5 | 6 => assert_eq!(schedule, "*/5 * * * *"),
            7 | 8 => {
                let (a, b) = schedule.split_once(' ').unwrap().0.split_once(',').unwrap();
                assert_eq!(b.parse::<u32>().unwrap() - a.parse::<u32>().unwrap(), 30);
                assert!(schedule.ends_with(" 3 * * *"));
            }
            _ => assert!(
                schedule.ends_with(" 0 * * *") || schedule == "@daily",
                "{schedule}"
            ),
        }
    }
}

#[test]
fn a_hashed_value_is_numbers_in_the_end() {
    let template = "H H(1-5) * * * python manage.py a\nH/15 * * * * python manage.py b\n";
    let report = cron("render --name forum --dir /srv/f", template)
        .expect_code(0)
        .json();
    let of = |i: usize| report["items"][i]["schedule"].as_str().unwrap().to_string();
    let fields: Vec<String> = of(0).split(' ').map(str::to_string).collect();
    assert!(fields[0].parse::<u32>().unwrap() < 60);
    assert!((1..=5).contains(&fields[1].parse::<u32>().unwrap()));
    let (range, step) = of(1)
        .split(' ')
        .next()
        .unwrap()
        .split_once('/')
        .map(|(a, b)| (a.to_string(), b.to_string()))
        .unwrap();
    assert_eq!(step, "15");
    assert!(range.split('-').next().unwrap().parse::<u32>().unwrap() < 15);
    let other = cron("render --name other --dir /srv/f", template).json();
    assert_ne!(
        report["rendered"], other["rendered"],
        "another site, other minutes"
    );
}

#[test]
fn a_template_in_toml_and_in_json() {
    let toml = r#"
[site]
name = "forum"
dir = "/srv/forum"
venv = "/srv/venv"
mailto = "ops@example.org"
env = { DJANGO_SETTINGS_MODULE = "forum.settings", B = "2" }

[[job]]
schedule = "25 0 * * *"
manage = "clearsessions --all"

[[job]]
id = "dump"
schedule = "@daily"
argv = ["/usr/bin/pg_dump", "--file=/var/backups/my forum %.sql"]
timeout = "1h"
lock = "/run/lock/dump"

[[job]]
id = "both"
schedule = "0 4 * * *"
shell = "date +%F > a && b"
"#;
    let expected = "\
MAILTO=ops@example.org
25 0 * * * cd /srv/forum && env DJANGO_SETTINGS_MODULE=forum.settings B=2 /srv/venv/bin/python manage.py clearsessions --all
@daily cd /srv/forum && env DJANGO_SETTINGS_MODULE=forum.settings B=2 flock -n /run/lock/dump timeout 3600 /usr/bin/pg_dump '--file=/var/backups/my forum \\%.sql'
0 4 * * * cd /srv/forum && export DJANGO_SETTINGS_MODULE=forum.settings B=2 && { date +\\%F > a && b; }
";
    assert_eq!(text("", toml), expected);
    let json = r#"{"site": {"name": "forum", "dir": "/srv/forum"}, "job": [{"schedule": "25 0 * * *", "manage": "clearsessions"}]}"#;
    assert_eq!(
        text("--venv v", json),
        "25 0 * * * cd /srv/forum && v/bin/python manage.py clearsessions\n"
    );
}

#[test]
fn facts_from_a_file_count_less_than_the_command_line() {
    let dir = scratch();
    let facts = dir.path().join("facts.toml");
    std::fs::write(
        &facts,
        "[site]\nname = \"n\"\ndir = \"/from/file\"\nvenv = \"/ve\"\n[cron-render]\nmailto = \"a@example.org\"\n",
    )
    .unwrap();
    let out = tool("cron-render")
        .args(["render", "-", "-o", "text", "--dir", "/from/line", "--site"])
        .arg(&facts)
        .input("1 1 * * * python manage.py x\n")
        .run();
    assert_eq!(
        out.expect_code(0).out(),
        "MAILTO=a@example.org\n1 1 * * * cd /from/line && /ve/bin/python manage.py x\n"
    );
}

#[test]
fn cron_d_names_the_user() {
    let text = text(
        &format!("{SITE} --format cron.d --user myforumorg"),
        MISAGO_TWELVE,
    );
    assert!(text.contains(
        "0 1 * * * myforumorg cd /home/myforumorg/ && venv/bin/python manage.py deletemarkedusers\n"
    ));
    assert_eq!(text.lines().count(), 12);
}

#[test]
fn bytes_that_are_no_text_pass_through() {
    let template = b"0 1 * * * echo \xff\xfe\n# \xc0\n".to_vec();
    let out = cron("render -o text", template.clone()).expect_code(0);
    assert_eq!(out.stdout, template);
    let report = cron("render", template).json();
    assert!(report["rendered_b64"].is_string());
}

#[test]
fn a_template_with_errors_is_a_bad_input_file() {
    let out = cron("render", "61 * * * * true\n* * * * * *\n")
        .expect_code(2)
        .expect_silence();
    let said = out.err();
    assert!(said.contains("standard input:1:1: E02"), "{said}");
    assert!(said.contains("standard input:2:"), "{said}");
    assert!(said.contains("hint:"), "{said}");
}

#[test]
fn facts_that_cannot_be_are_refused() {
    for (words, part) in [
        ("--dir relative", "absolute"),
        ("--venv venv", "--dir"),
        ("--name a/b", "--name"),
        ("--name=-x", "--name"),
        ("--user=-x", "--user"),
        ("--env nothing", "="),
        ("--tz Mars/Olympus", "time zone"),
        ("--format nonsense", "format"),
    ] {
        let out = cron(&format!("render {words}"), "0 1 * * * true\n")
            .expect_code(2)
            .expect_silence();
        assert!(out.err().contains(part), "{words}: {}", out.err());
    }
    let unknown = "[site]\nname = \"x\"\ncolour = \"red\"\n";
    cron("render", unknown)
        .expect_code(2)
        .expect_silence()
        .expect_err("3:1");
}

#[test]
fn a_system_table_stays_one() {
    let dir = scratch();
    let cron_d = dir.path().join("cron.d");
    std::fs::create_dir(&cron_d).unwrap();
    let text = "A=b\n5 0 * * *  root\t/bin/true x\n6 0 * * * nobody python manage.py y\n";
    std::fs::write(cron_d.join("site"), text).unwrap();
    let run = |words: &[&str]| {
        tool("cron-render")
            .args(["render", "-o", "text"])
            .args(words)
            .arg(cron_d.join("site"))
            .run()
            .expect_code(0)
            .out()
    };
    assert_eq!(run(&[]), text);
    assert_eq!(
        run(&["--dir", "/srv/f"]).lines().last().unwrap(),
        "6 0 * * * nobody cd /srv/f && venv/bin/python manage.py y"
    );
    assert_eq!(
        run(&["--format", "crontab", "--user", "root"]),
        "A=b\n5 0 * * * /bin/true x\n",
        "the jobs of that user alone"
    );
    tool("cron-render")
        .args(["render", "--format", "crontab"])
        .arg(cron_d.join("site"))
        .run()
        .expect_code(2)
        .expect_err("name the users nobody, root");
}
