//! Run times beside croniter's and systemd's: equal where those are right, and every case where
//! they are not is listed with the reason.

use harness::{need, test_venv, tool};
use std::collections::BTreeMap;
use std::process::Command;

/// Read alike by everybody.
const PLAIN: [&str; 36] = [
    "* * * * *",
    "*/5 * * * *",
    "0 * * * *",
    "15 0 * * *",
    "30 2 * * *",
    "0-59 2 * * *",
    "0 9-17 * * 1-5",
    "0 0 * * 0",
    "0 0 * * 7",
    "0 0 * * sun",
    "0 0 * * 0-7",
    "0 0 * * 5-7",
    "0 0 * * 1-7",
    "0 0 * * */2",
    "0 0 13 * 5",
    "0 0 1,15 * mon",
    "0 0 1-31 * 1",
    "0 0 29 2 *",
    "0 0 31 * *",
    "*/90 * * * *",
    "0 0 1 jan,jul *",
    "0 0 * dec mon",
    "@yearly",
    "@monthly",
    "@weekly",
    "@daily",
    "@midnight",
    "@hourly",
    "@annually",
    "0-59/7 * * * *",
    "59 23 31 12 *",
    "0 0 1 */3 *",
    "10-20/5 3 * * *",
    "0 0 2-31/2 * *",
    "0,30 9,17 * * 2,4",
    "00 01 * * *",
];

/// Where croniter 7 differs from Debian's cron, in UTC.
const CRONITER_WRONG: [(&str, &str); 12] = [
    (
        "0 0 * * fri-sun",
        "wraps a range around the week; to cron it is empty",
    ),
    (
        "0 22-2 * * *",
        "wraps a range around midnight; to cron it is empty",
    ),
    (
        "0 0 */2 * 1",
        "takes either day; a field that begins with * makes cron want both",
    ),
    (
        "0 0 1-7 * */7",
        "takes either day; a field that begins with * makes cron want both",
    ),
    (
        "0 0 1 * */2",
        "takes either day; a field that begins with * makes cron want both",
    ),
    (
        "0 0 15 6 */1",
        "takes either day; a field that begins with * makes cron want both",
    ),
    (
        "5 0 1,* * 1",
        "takes a star anywhere for every day; cron looks at the first byte only",
    ),
    ("1#2 * * * *", "refuses what cron reads as 1"),
    ("5.5 * * * *", "refuses what cron reads as 5"),
    ("0~10 * * * *", "refuses what cron reads as 0"),
    (
        "0 0 * * 1#2",
        "knows the second Monday; cron ignores #2 and runs every Monday",
    ),
    ("4294967301 * * * *", "refuses what cron folds to 5"),
];

/// Where croniter accepts what Debian's cron refuses.
const CRONITER_TOO_KIND: [(&str, &str); 2] = [
    ("5/10 * * * *", "cron wants a range before a step"),
    ("0 0 L * *", "cron knows no L"),
];

/// Around the changes of time in New York, where croniter differs.
const CRONITER_WRONG_AT_CHANGES: [(&str, &str, &str); 3] = [
    (
        "2026-03-07",
        "*/10 2 * * *",
        "moves a wildcard job to 03:00; cron leaves it out that day",
    ),
    (
        "2026-10-31",
        "30 1 * * *",
        "runs a fixed job in both passes of the hour; cron in the first only",
    ),
    (
        "2026-10-31",
        "00 01 * * *",
        "runs a fixed job in both passes of the hour; cron in the first only",
    ),
];

type Runs = BTreeMap<String, Vec<String>>;

fn ours(expressions: &[&str], zone: &str, from: &str, count: usize) -> Runs {
    let template: String = expressions.iter().map(|e| format!("{e} true\n")).collect();
    let words = [
        "next",
        "-",
        "--tz",
        zone,
        "--from",
        from,
        "-c",
        &count.to_string(),
    ];
    let report = tool("cron-render")
        .args(words)
        .input(template)
        .run()
        .expect_code(0)
        .json();
    let items = report["items"].as_array().unwrap().iter();
    let runs = items.map(|i| {
        i["next"]
            .as_array()
            .unwrap()
            .iter()
            .map(|n| n["utc"].as_str().unwrap().to_string())
            .collect()
    });
    expressions
        .iter()
        .map(|e| e.to_string())
        .zip(runs)
        .collect()
}

fn croniters(expressions: &[&str], zone: &str, from: &str, count: usize) -> Runs {
    let script = "import sys, json, datetime, zoneinfo, croniter
zone, start, count = zoneinfo.ZoneInfo(sys.argv[1]), sys.argv[2], int(sys.argv[3])
start = datetime.datetime.fromisoformat(start).replace(tzinfo=zone) - datetime.timedelta(seconds=1)
out = {}
for e in sys.argv[4:]:
    try:
        c = croniter.croniter(e, start)
        runs = [c.get_next(datetime.datetime).astimezone(datetime.timezone.utc) for _ in range(count)]
        out[e] = [r.strftime('%Y-%m-%dT%H:%M:%SZ') for r in runs]
    except Exception as e2:
        out[e] = [type(e2).__name__]
print(json.dumps(out))
";
    let python = test_venv().join("bin/python");
    let out = Command::new(python)
        .args(["-c", script, zone, from, &count.to_string()])
        .args(expressions)
        .output()
        .unwrap();
    serde_json::from_slice(&out.stdout)
        .unwrap_or_else(|e| panic!("{e}: {}", String::from_utf8_lossy(&out.stderr)))
}

#[test]
fn croniter_where_it_is_right_and_where_not() {
    assert_eq!(
        ours(&PLAIN, "UTC", "2026-01-01", 40),
        croniters(&PLAIN, "UTC", "2026-01-01", 40)
    );
    let wrong: Vec<&str> = CRONITER_WRONG.iter().map(|w| w.0).collect();
    let (a, b) = (
        ours(&wrong, "UTC", "2026-01-01", 40),
        croniters(&wrong, "UTC", "2026-01-01", 40),
    );
    for (expression, why) in CRONITER_WRONG {
        assert_ne!(
            a[expression], b[expression],
            "{expression}: croniter no longer {why}"
        );
    }
    for (expression, why) in CRONITER_TOO_KIND {
        tool("cron-render")
            .args(["next", "-"])
            .input(format!("{expression} true\n"))
            .run()
            .expect_code(2);
        assert_eq!(
            croniters(&[expression], "UTC", "2026-01-01", 3)[expression].len(),
            3,
            "{why}"
        );
    }
}

#[test]
fn croniter_at_the_changes_of_time() {
    for from in ["2026-03-07", "2026-10-31"] {
        let same: Vec<&str> = PLAIN
            .iter()
            .copied()
            .filter(|e| !CRONITER_WRONG_AT_CHANGES.contains(&(from, e, why(from, e))))
            .collect();
        // Sixty runs at one moment are one to croniter.
        let same: Vec<&str> = same.into_iter().filter(|e| *e != "0-59 2 * * *").collect();
        assert_eq!(
            ours(&same, "America/New_York", from, 12),
            croniters(&same, "America/New_York", from, 12)
        );
    }
    for (from, expression, why) in CRONITER_WRONG_AT_CHANGES {
        let of = [expression];
        assert_ne!(
            ours(&of, "America/New_York", from, 12),
            croniters(&of, "America/New_York", from, 12),
            "{expression}: croniter no longer {why}"
        );
    }
}

fn why(from: &str, expression: &str) -> &'static str {
    CRONITER_WRONG_AT_CHANGES
        .iter()
        .find(|w| w.0 == from && w.1 == expression)
        .map_or("", |w| w.2)
}

/// When systemd would start what we render for it.
fn systemds(expression: &str, base: &str, zone: &str, count: usize) -> Vec<String> {
    let words = [
        "render", "-", "--format", "systemd", "--user", "root", "--name", "x", "--tz", zone,
    ];
    let report = tool("cron-render")
        .args(words)
        .input(format!("{expression} /bin/true\n"))
        .run()
        .expect_code(0)
        .json();
    let units = report["items"][0]["rendered"].as_str().unwrap().to_string();
    let mut all = Vec::new();
    for calendar in units.lines().filter_map(|l| l.strip_prefix("OnCalendar=")) {
        let count = format!("--iterations={count}");
        let base = format!("--base-time={base} UTC");
        let mut analyze = Command::new("systemd-analyze");
        let out = analyze
            .args(["calendar", &count, &base, calendar])
            .env("TZ", "UTC")
            .env("LC_ALL", "C")
            .output()
            .unwrap();
        assert!(
            out.status.success(),
            "{calendar}: {}",
            String::from_utf8_lossy(&out.stderr)
        );
        for line in String::from_utf8(out.stdout).unwrap().lines() {
            let line = line.trim();
            if line.ends_with(" UTC")
                && (line.starts_with("Next elapse:")
                    || line.starts_with("Iter")
                    || line.starts_with("(in UTC):"))
            {
                let words: Vec<&str> = line.split_whitespace().collect();
                all.push(format!(
                    "{}T{}Z",
                    words[words.len() - 3],
                    words[words.len() - 2]
                ));
            }
        }
    }
    all.sort();
    all.dedup();
    all
}

#[test]
fn systemd_starts_them_at_the_same_times() {
    if need("systemd-analyze").is_none() {
        return;
    }
    let more = [
        "0 0 */2 * 1",
        "0 0 1-7 * */7",
        "5 0 1,* * 1",
        "0 0 1 * */2",
        "*/7 3-5,22 1-10/3 2,5,11 mon-wed,sat",
        "1#2 3 * * *",
    ];
    for expression in PLAIN.into_iter().chain(more) {
        let count = 12;
        let ours = &ours(&[expression], "UTC", "2026-01-01", count)[expression];
        let theirs: Vec<String> = systemds(expression, "2025-12-31 23:59:59", "UTC", count)
            .into_iter()
            .take(ours.len())
            .collect();
        assert_eq!(*ours, theirs, "{expression}");
    }
}

/// What W20 says, seen in systemd itself: no start in a gap, none in the second pass.
#[test]
fn systemd_passes_over_what_w20_says() {
    if need("systemd-analyze").is_none() {
        return;
    }
    let zone = "America/New_York";
    let gap = systemds("30 2 * * *", "2026-03-08 00:00:00", zone, 1);
    assert_eq!(gap, ["2026-03-09T06:30:00Z"]);
    assert_eq!(
        ours(&["30 2 * * *"], zone, "2026-03-08", 1)["30 2 * * *"],
        ["2026-03-08T07:00:00Z"]
    );
    let twice = systemds("*/30 * * * *", "2026-11-01 05:10:00", zone, 2);
    assert_eq!(twice, ["2026-11-01T05:30:00Z", "2026-11-01T07:00:00Z"]);
    let cron = &ours(&["*/30 * * * *"], zone, "2026-11-01T05:10:00Z", 3)["*/30 * * * *"];
    assert_eq!(
        *cron,
        [
            "2026-11-01T05:30:00Z",
            "2026-11-01T06:00:00Z",
            "2026-11-01T06:30:00Z"
        ]
    );
}
