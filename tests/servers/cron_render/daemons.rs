//! When the daemons themselves start jobs, over generated schedules and both changes of time: the
//! real programs, under a clock that sleeping moves on.

use super::acceptance::Dice;
use super::crons;
use harness::{full_sweep, namespace, scratch, tool};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

const ZONE: &str = "America/New_York";

/// The nights of both changes of time, and the end of a month in a leap year.
const WINDOWS: [(&str, &str); 3] = [
    ("2026-03-07T22:30:00-05:00", "2026-03-08T05:00:00-04:00"),
    ("2026-10-31T22:30:00-04:00", "2026-11-01T04:00:00-05:00"),
    ("2028-02-28T22:30:00-05:00", "2028-03-01T00:30:00-05:00"),
];

fn minute(dice: &mut Dice) -> String {
    match dice.roll(9) {
        0 => "*".to_owned(),
        1 => format!("*/{}", [5, 7, 10, 15, 20, 30, 45][dice.roll(7)]),
        2 => format!("{},{}", dice.roll(30), 30 + dice.roll(30)),
        3 => format!("{}-{}", dice.roll(20), 20 + dice.roll(40)),
        4 => format!("{}-59/{}", dice.roll(30), 1 + dice.roll(20)),
        _ => dice.roll(60).to_string(),
    }
}

fn hour(dice: &mut Dice) -> String {
    match dice.roll(8) {
        0 => "*".to_owned(),
        1 => format!("*/{}", 1 + dice.roll(6)),
        2 => "22-23,0-4".to_owned(),
        3 => format!("{}-{}", dice.roll(2), 2 + dice.roll(3)),
        4 => format!("{},{}", dice.roll(3), 22 + dice.roll(2)),
        _ => dice.roll(5).to_string(),
    }
}

fn schedule(dice: &mut Dice) -> String {
    if dice.roll(25) == 0 {
        return dice
            .pick(&["@daily", "@hourly", "@weekly", "@monthly", "@midnight"])
            .to_owned();
    }
    let day = dice.pick(&[
        "*", "*", "*", "*", "1", "8", "*/2", "1,*", "29", "28-31", "1-7",
    ]);
    let month = dice.pick(&["*", "*", "*", "3", "nov", "2-11", "*/2"]);
    let weekday = dice.pick(&[
        "*", "*", "*", "*", "0", "7", "sun", "sat-sun", "5-7", "*/2", "1-5",
    ]);
    format!("{} {} {day} {month} {weekday}", minute(dice), hour(dice))
}

/// The library with the clock, built once for each test run.
fn library() -> PathBuf {
    let dir = scratch();
    let library = dir.path().join("virtual.so");
    let source = harness::source_root().join("tests/servers/cron_render/virtual.c");
    let built = Command::new("cc")
        .args(["-O1", "-shared", "-fPIC", "-o"])
        .args([&library, &source])
        .status()
        .expect("run cc");
    assert!(built.success());
    // The directory stays: the daemon of a namespace reads the file.
    std::mem::forget(dir);
    library
}

fn seconds(time: &str) -> i64 {
    let words = ["-d", time, "+%s"];
    let out = Command::new("date").args(words).output().expect("date");
    String::from_utf8_lossy(&out.stdout)
        .trim()
        .parse()
        .expect("seconds")
}

/// The starts of each line: minutes since 1970.
type Starts = BTreeMap<usize, Vec<i64>>;

fn of_daemon(daemon: &str, library: &Path, table: &Path, window: (i64, i64)) -> Starts {
    let (from, until) = (window.0.to_string(), window.1.to_string());
    let env = [
        ("LIBRARY", library),
        ("TABLE", table),
        ("DAEMON", Path::new(daemon)),
        ("TZ", Path::new(ZONE)),
        ("VIRTUAL_FROM", Path::new(&from)),
        ("VIRTUAL_UNTIL", Path::new(&until)),
    ];
    let dirs = ["/etc", "/var", "/root", "/run"];
    let done = namespace::run(&dirs, &[], &env, include_str!("virtual.sh"));
    let said = String::from_utf8_lossy(&done.stdout).into_owned();
    let mut starts = Starts::new();
    for line in said.lines() {
        let parts = line.split_once(' ').and_then(|(second, number)| {
            Some((second.parse::<i64>().ok()?, number.parse::<usize>().ok()?))
        });
        let Some((second, number)) = parts else {
            panic!(
                "{daemon}: {said}\n{}",
                String::from_utf8_lossy(&done.stderr)
            );
        };
        starts
            .entry(number)
            .or_default()
            .push(second.div_euclid(60));
    }
    starts.values_mut().for_each(|list| list.sort_unstable());
    starts
}

fn of_ours(table: &str, dialect: &str, window: (&str, &str)) -> Starts {
    let report = tool("cron-render")
        .args(["next", "-", "--tz", ZONE, "--dialect", dialect])
        .args(["--from", window.0, "--until", window.1])
        .input(table)
        .run()
        .expect_code(0)
        .json();
    let mut starts = Starts::new();
    for item in report["items"].as_array().unwrap() {
        let line = item["line"].as_u64().unwrap() as usize;
        let list: Vec<i64> = item["next"]
            .as_array()
            .unwrap()
            .iter()
            .map(|next| seconds_of(next["utc"].as_str().unwrap()).div_euclid(60))
            .collect();
        if !list.is_empty() {
            starts.insert(line, list);
        }
    }
    starts
}

/// `2026-03-08T07:00:00Z`, without a process for each.
fn seconds_of(utc: &str) -> i64 {
    let number = |from: usize, to: usize| utc[from..to].parse::<i64>().unwrap();
    let (mut year, month, day) = (number(0, 4), number(5, 7), number(8, 10));
    year -= i64::from(month <= 2);
    let month = (month + 9) % 12;
    let days = 365 * year + year / 4 - year / 100 + year / 400 + (month * 306 + 5) / 10 + day - 1;
    (days - 719_468) * 86_400 + number(11, 13) * 3_600 + number(14, 16) * 60
}

fn agree(daemon: &str, dialect: &str, count: usize, windows: &[(&str, &str)]) {
    let library = library();
    let mut dice = Dice(20_260_308);
    // cronie before 1.6 refuses a range over the end of the week (other_crons_take_the_same_lines).
    let known =
        |schedule: &String| !dialect.starts_with("cronie-1.5") || !schedule.contains("sat-sun");
    let schedules: Vec<String> = (0..count)
        .map(|_| schedule(&mut dice))
        .filter(known)
        .collect();
    let dir = scratch();
    let path = dir.path().join("table");
    let table: String = schedules
        .iter()
        .enumerate()
        .map(|(at, text)| format!("{text} {}\n", at + 1))
        .collect();
    std::fs::write(&path, &table).unwrap();
    for window in windows {
        let bounds = (seconds(window.0), seconds(window.1));
        // A daemon begins with the first whole minute after it has started.
        let theirs = of_daemon(daemon, &library, &path, (bounds.0 - 30, bounds.1));
        let ours = of_ours(&table, dialect, *window);
        assert!(
            theirs.len() > count / 4,
            "{daemon}: {} of {count} ran",
            theirs.len()
        );
        for (at, text) in schedules.iter().enumerate() {
            let (a, b) = (ours.get(&(at + 1)), theirs.get(&(at + 1)));
            assert_eq!(a, b, "{daemon}, {window:?}: {text}");
        }
    }
}

#[test]
fn this_hosts_cron_starts_them_when_we_say() {
    if !namespace::available() || harness::need("cron").is_none() {
        return;
    }
    let count = if full_sweep() { 500 } else { 120 };
    let windows = if full_sweep() {
        &WINDOWS[..]
    } else {
        &WINDOWS[..2]
    };
    agree("cron -f", "debian", count, windows);
}

#[test]
fn other_crons_start_them_when_we_say() {
    for cron in crons::all() {
        let option = if cron.name.starts_with("debian") {
            "-f"
        } else {
            "-n"
        };
        let daemon = format!("{} {option}", cron.dir.join("daemon").display());
        agree(&daemon, cron.dialect(), 500, &WINDOWS);
    }
}
