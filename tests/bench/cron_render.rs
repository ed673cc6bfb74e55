//! cron-render beside its peers, in one run: croniter and the croner crate for run times,
//! `crontab -n` for checking, python-crontab for parsing and writing, systemd-cron for units.
//!
//! Each program is started as a user starts it and does the same work; the best of some runs
//! counts.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// A hundred expressions that all of the three read alike.
fn expressions() -> Vec<String> {
    let mut all = Vec::new();
    for n in 0..20 {
        all.push(format!("{} {} * * *", n * 3, n));
        all.push(format!(
            "*/{} * * * *",
            [2, 3, 4, 5, 6, 10, 12, 15, 20, 30][n % 10]
        ));
        all.push(format!("{} 9-17 * * 1-5", n));
        all.push(format!("{} 0 {} * *", n, n + 1));
        all.push(format!("0 {} * {} *", n, n % 12 + 1));
    }
    all
}

/// Ten thousand lines such as sites have them.
fn large() -> String {
    let mut text = String::new();
    for n in 0..10_000u32 {
        let (minute, hour, day) = (n % 60, n / 60 % 24, n / 1440 % 28 + 1);
        text += &format!(
            "{minute} {hour} {day} * * /usr/bin/true --site {n} --quiet >/dev/null 2>&1\n"
        );
    }
    text
}

fn best(times: usize, mut run: impl FnMut()) -> Duration {
    let each = (0..times).map(|_| {
        let began = Instant::now();
        run();
        began.elapsed()
    });
    each.min().unwrap_or_default()
}

fn quiet(command: &mut Command) {
    let status = command.stdout(Stdio::null()).stderr(Stdio::null()).status();
    assert!(
        status.as_ref().is_ok_and(std::process::ExitStatus::success),
        "{command:?}: {status:?}"
    );
}

fn report(what: &str, ours: Duration, peer: &str, theirs: Duration, wanted: f64) {
    let ratio = theirs.as_secs_f64() / ours.as_secs_f64();
    let verdict = if ratio >= wanted { "reached" } else { "MISSED" };
    let ms = |d: Duration| d.as_secs_f64() * 1e3;
    println!(
        "{what:38} cron-render {:8.1} ms   {peer:24} {:9.1} ms   {ratio:7.1}x  (wanted {wanted}x: {verdict})",
        ms(ours),
        ms(theirs)
    );
}

/// The croner crate in a program of its own, built once; `None` without a registry.
fn croner(dir: &Path) -> Option<PathBuf> {
    std::fs::create_dir_all(dir.join("src")).ok()?;
    let manifest = "[package]\nname = \"croner-bench\"\nversion = \"0.0.0\"\nedition = \"2021\"\n[dependencies]\ncroner = \"3\"\nchrono = \"0.4\"\nchrono-tz = \"0.10\"\n[profile.release]\nlto = true\ncodegen-units = 1\n[workspace]\n";
    std::fs::write(dir.join("Cargo.toml"), manifest).ok()?;
    let program = r#"use std::io::Write;
use std::str::FromStr;
fn main() {
    let text = std::fs::read_to_string(std::env::args().nth(1).unwrap()).unwrap();
    let from: chrono::DateTime<chrono_tz::Tz> = chrono::DateTime::parse_from_rfc3339("2026-01-01T00:00:00+01:00").unwrap().with_timezone(&chrono_tz::Europe::Warsaw);
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    for line in text.lines() {
        let cron = croner::Cron::from_str(line).unwrap();
        for run in cron.iter_from(from, croner::Direction::Forward).take(1000) {
            writeln!(out, "{} {}", run.to_rfc3339(), run.to_utc().to_rfc3339()).unwrap();
        }
    }
}
"#;
    std::fs::write(dir.join("src/main.rs"), program).ok()?;
    let built = Command::new("cargo")
        .args(["build", "--release", "--quiet"])
        .current_dir(dir)
        .env_remove("CARGO_TARGET_DIR")
        .status()
        .ok()?;
    built
        .success()
        .then(|| dir.join("target/release/croner-bench"))
}

/// systemd-cron's generator from Debian's package, looking at our directory in place of
/// /etc/cron.d.
fn generator(dir: &Path, cron_d: &Path) -> Option<PathBuf> {
    let got = Command::new("sh")
        .args([
            "-ec",
            "apt-get download systemd-cron && dpkg -x systemd-cron_*.deb x",
        ])
        .current_dir(dir)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .ok()?;
    let source = std::fs::read_to_string(
        dir.join("x/lib/systemd/system-generators/systemd-crontab-generator"),
    )
    .ok()
    .filter(|_| got.success())?;
    let nowhere = dir.join("nowhere").display().to_string();
    let ours = source
        .replace("/etc/cron.d", &cron_d.display().to_string())
        .replace("/etc/crontab", &nowhere)
        .replace("/var/spool/cron", &nowhere)
        .replace(
            "/run/systemd/use_run_parts",
            &dir.join("flag").display().to_string(),
        );
    let path = dir.join("generator");
    std::fs::write(&path, ours).ok()?;
    Some(path)
}

fn main() {
    let dir = harness::scratch();
    let at = |name: &str| dir.path().join(name);
    let tool = harness::bin("cron-render");
    let python = harness::test_venv().join("bin/python");

    let hundred = expressions();
    std::fs::write(at("expressions"), hundred.join("\n")).unwrap();
    std::fs::write(
        at("hundred"),
        hundred
            .iter()
            .map(|e| format!("{e} true\n"))
            .collect::<String>(),
    )
    .unwrap();
    std::fs::write(at("large"), large()).unwrap();

    let next = best(5, || {
        quiet(
            Command::new(&tool)
                .args([
                    "next",
                    "-c",
                    "1000",
                    "--tz",
                    "Europe/Warsaw",
                    "--from",
                    "2026-01-01",
                ])
                .arg(at("hundred")),
        );
    });
    let script = "import sys, zoneinfo, datetime, croniter
zone = zoneinfo.ZoneInfo('Europe/Warsaw')
start = datetime.datetime(2026, 1, 1, tzinfo=zone)
for line in open(sys.argv[1]):
    runs = croniter.croniter(line.strip(), start)
    for _ in range(1000):
        run = runs.get_next(datetime.datetime)
        print(run.isoformat(), run.astimezone(datetime.timezone.utc).isoformat())
";
    let croniter = best(1, || {
        quiet(
            Command::new(&python)
                .args(["-c", script])
                .arg(at("expressions")),
        );
    });
    report(
        "100 expressions x 1000 next runs",
        next,
        "croniter",
        croniter,
        100.0,
    );
    match croner(&harness::source_root().join("target/bench/croner")) {
        Some(program) => {
            let theirs = best(5, || quiet(Command::new(&program).arg(at("expressions"))));
            report(
                "100 expressions x 1000 next runs",
                next,
                "croner crate",
                theirs,
                4.0,
            );
        }
        None => println!("the croner crate cannot be built here: no registry"),
    }

    let lint = best(7, || {
        quiet(
            Command::new(&tool)
                .args(["lint", "--tz", "Europe/Warsaw"])
                .arg(at("large")),
        );
    });
    let check = best(7, || {
        quiet(Command::new("crontab").arg("-n").arg(at("large")));
    });
    report("lint 10,000 lines", lint, "crontab -n", check, 1.0);

    let render = best(5, || {
        quiet(
            Command::new(&tool)
                .arg("render")
                .args(["-o", "text", "--tz", "UTC"])
                .arg(at("large")),
        );
    });
    let script = "import sys, crontab
tab = crontab.CronTab(tabfile=sys.argv[1], user=False)
sys.stdout.write(tab.render())
";
    let theirs = best(2, || {
        quiet(Command::new(&python).args(["-c", script]).arg(at("large")));
    });
    report(
        "parse and render 10,000 lines",
        render,
        "python-crontab",
        theirs,
        15.0,
    );

    let cron_d = at("cron.d");
    std::fs::create_dir(&cron_d).unwrap();
    std::fs::write(
        cron_d.join("site"),
        hundred
            .iter()
            .map(|e| format!("{e} root /usr/bin/true\n"))
            .collect::<String>(),
    )
    .unwrap();
    let units = best(7, || {
        quiet(
            Command::new(&tool)
                .args([
                    "render", "--format", "systemd", "--user", "root", "--name", "site", "-o",
                    "text",
                ])
                .arg(at("hundred")),
        );
    });
    match generator(dir.path(), &cron_d) {
        Some(program) => {
            let out = at("units");
            std::fs::create_dir(&out).unwrap();
            let theirs = best(5, || {
                quiet(Command::new("/usr/bin/python3").arg(&program).arg(&out));
            });
            let made = std::fs::read_dir(&out).unwrap().count();
            assert!(made >= 200, "systemd-cron made {made} files");
            report(
                "100 lines to units",
                units,
                "systemd-cron's generator",
                theirs,
                10.0,
            );
        }
        None => println!("systemd-cron cannot be fetched here"),
    }
}
