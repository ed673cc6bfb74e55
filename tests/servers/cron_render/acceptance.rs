//! Whether cron would take a line: ours against Debian's own parser, `crontab -n`, on lines that a
//! small generator makes up, good and bad.

use harness::Person;
use harness::{full_sweep, scratch, tool};
use std::collections::HashSet;
use std::path::Path;
use std::process::Command;

/// A generator that gives the same lines on every run.
pub struct Dice(pub u64);

impl Dice {
    pub fn roll(&mut self, sides: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) as usize) % sides
    }

    pub fn pick<'a>(&mut self, from: &[&'a str]) -> &'a str {
        from[self.roll(from.len())]
    }

    fn number(&mut self) -> String {
        match self.roll(24) {
            0 => "99999999999999999999".to_string(),
            1 => "4294967301".to_string(),
            2 => "007".to_string(),
            3 => String::new(),
            4 => self
                .pick(&["-1", "60", "61", "24", "32", "13", "8", "100", "5x", "x5"])
                .to_string(),
            _ => self.roll(32).to_string(),
        }
    }

    fn name(&mut self) -> &'static str {
        self.pick(&[
            "mon", "TUE", "Wed", "sun", "sat", "jan", "DEC", "feb", "sunday", "janu", "ma", "fri",
        ])
    }

    fn element(&mut self) -> String {
        let step = |d: &mut Dice| match d.roll(4) {
            0 => format!("/{}", d.number()),
            1 => format!(
                "/{}",
                d.pick(&["0", "1", "2", "5", "7", "90", "2147483647", "x", ""])
            ),
            _ => String::new(),
        };
        match self.roll(14) {
            0..=3 => format!("*{}", step(self)),
            4..=6 => format!("{}-{}{}", self.number(), self.number(), step(self)),
            7 => format!("{}-{}{}", self.name(), self.name(), step(self)),
            8 => self.name().to_string(),
            9 => format!(
                "{}{}",
                self.number(),
                self.pick(&[
                    "#2", ".5", "~10", "L", "W", "?", "\u{00ff}", "/5", "-", "-x", "--5", "*"
                ])
            ),
            10 => self
                .pick(&["?", "L", "**", "*x", "*-5", "~", "%", "\\", "\"", "'"])
                .to_string(),
            _ => self.number(),
        }
    }

    fn field(&mut self) -> String {
        let mut text = self.element();
        while self.roll(5) == 0 {
            text.push(',');
            text += &self.element();
        }
        if self.roll(80) == 0 {
            text.push(',');
        }
        text
    }

    fn line(&mut self) -> Vec<u8> {
        let mut line = self.pick(&["", "", "", "", " ", "\t"]).to_string();
        match self.roll(30) {
            0 => return self.setting().into_bytes(),
            1 => {
                line += self.pick(&[
                    "@daily",
                    "@reboot",
                    "@yearly",
                    "@hourly",
                    "@Daily",
                    "@dailyx",
                    "@",
                    "@every 5m",
                    "@midnight",
                    "@weekly\t",
                ]);
            }
            2 => {
                return [
                    &b"5 0 * * \xff true"[..],
                    b"5\xff * * * * true",
                    b"5 0 * * * \xfftrue",
                    b"5 0 * * *\x0btrue",
                    b"\xc3\xa4 * * * * x",
                ][self.roll(5)]
                .to_vec();
            }
            _ => {
                let fields = [5, 5, 5, 5, 5, 5, 5, 5, 4, 6, 3][self.roll(11)];
                // Most fields plain, or no line would ever be good.
                let mut words = Vec::new();
                for _ in 0..fields {
                    words.push(if self.roll(3) == 0 {
                        self.field()
                    } else {
                        self.pick(&["*", "1", "*/2", "1-5", "3,4"]).to_string()
                    });
                }
                line += &words.join(self.pick(&[" ", " ", " ", "  ", "\t", " \t"]));
            }
        }
        line += self.pick(&[
            " true", " true", " true", " true %x", "  a=b c", "\ttrue", "", " ", " *", " * x",
        ]);
        if self.roll(60) == 0 {
            line += &format!(" {}", "y".repeat(985 + self.roll(30)));
        }
        line.into_bytes()
    }

    fn setting(&mut self) -> String {
        let name = self.pick(&[
            "A", "PATH", "'A'", "\"A B\"", "A B", "", "1", "A'", "'A", "5 *", "export A", "A=B",
            "@daily",
        ]);
        let equals = self.pick(&["=", " = ", "= ", "\t=\t", "==", ""]);
        let value = self.pick(&[
            "b", "'b'", "\"b c\"", "b c", "", "''", "'b", "b'", "'b' # c", "b # c", "\"'b'\"",
            "x=y",
        ]);
        format!("{name}{equals}{value}")
    }
}

fn refuses(dir: &Path, person: &Person, text: &[u8]) -> bool {
    let file = dir.join(format!("{:?}", std::thread::current().id()));
    std::fs::write(&file, text).unwrap();
    let done = Command::new("crontab")
        .args(["-u", &person.name, "-n"])
        .arg(&file)
        .env("LC_ALL", "C")
        .output()
        .unwrap();
    !done.status.success()
}

/// The lines that `cron-render lint` says a cron refuses: this host's, or that of a dialect.
fn refused_by_us(lines: &[Vec<u8>], dialect: Option<&str>) -> HashSet<usize> {
    let mut text = lines.join(&b'\n');
    text.push(b'\n');
    let named = dialect.into_iter().flat_map(|name| ["--dialect", name]);
    let out = tool("cron-render")
        .args(["lint", "-"])
        .args(named)
        .input(text)
        .run();
    let report = out.json();
    let refusing = |code: &str, message: &str| {
        matches!(code, "E01" | "E02" | "E07")
            || (code == "E05" && dialect.is_some_and(|name| name.starts_with("cronie")))
            || message.contains("refuses")
    };
    let findings = report["findings"].as_array().unwrap().iter();
    findings
        .filter(|f| refusing(f["code"].as_str().unwrap(), f["message"].as_str().unwrap()))
        .map(|f| f["line"].as_u64().unwrap() as usize - 1)
        .collect()
}

#[test]
fn debians_parser_takes_the_same_lines() {
    let Some(person) = Person::new() else { return };
    let dir = scratch();
    let mut dice = Dice(20_261_121);
    let count = if full_sweep() { 40_000 } else { 6_000 };
    let lines: Vec<Vec<u8>> = (0..count).map(|_| dice.line()).collect();
    let mut refused = HashSet::new();
    for (chunk, part) in lines.chunks(6_000).enumerate() {
        refused.extend(
            refused_by_us(part, None)
                .into_iter()
                .map(|n| chunk * 6_000 + n),
        );
    }
    assert!(
        refused.len() > count / 20 && refused.len() < count * 19 / 20,
        "{} of {count} are bad: the generator is lopsided",
        refused.len()
    );

    // The good ones all in one file: Debian stops at the first that it does not take.
    let good: Vec<usize> = (0..count).filter(|n| !refused.contains(n)).collect();
    for part in good.chunks(5_000) {
        let text: Vec<u8> = part
            .iter()
            .flat_map(|n| [&lines[*n][..], b"\n"].concat())
            .collect();
        if refuses(dir.path(), &person, &text) {
            let culprit = part
                .iter()
                .find(|n| refuses(dir.path(), &person, &[&lines[**n][..], b"\n"].concat()));
            panic!(
                "we take what Debian refuses: {:?}",
                culprit.map(|n| String::from_utf8_lossy(&lines[*n]).into_owned())
            );
        }
    }
    // The bad ones each by itself.
    let bad: Vec<usize> = refused.into_iter().collect();
    let (dir, person, lines) = (dir.path(), &person, &lines);
    std::thread::scope(|scope| {
        for part in bad.chunks(bad.len().div_ceil(4)) {
            scope.spawn(move || {
                for n in part {
                    let taken = !refuses(dir, person, &[&lines[*n][..], b"\n"].concat());
                    assert!(
                        !taken,
                        "we refuse what Debian takes: {:?}",
                        String::from_utf8_lossy(&lines[*n])
                    );
                }
            });
        }
    });
}

/// Every line in a crontab of its own, before each other cron's crontab(1).
#[test]
fn other_crons_take_the_same_lines() {
    for cron in super::crons::all() {
        let mut dice = Dice(20_261_126);
        let lines: Vec<Vec<u8>> = (0..6_000).map(|_| dice.line()).collect();
        let refused = refused_by_us(&lines, Some(cron.dialect()));
        let dir = scratch();
        for (n, line) in lines.iter().enumerate() {
            std::fs::write(dir.path().join(n.to_string()), [&line[..], b"\n"].concat()).unwrap();
        }
        let crontab = cron.dir.join("crontab");
        let env = [("CRONTAB", crontab.as_path()), ("FILES", dir.path())];
        let dirs = ["/etc", "/var"];
        let done = harness::namespace::run(&dirs, &[], &env, include_str!("accept.sh"));
        let taken: HashSet<usize> = String::from_utf8_lossy(&done.stdout)
            .lines()
            .map(|line| line.parse().unwrap())
            .collect();
        let differ: Vec<String> = (0..lines.len())
            .filter(|n| taken.contains(n) == refused.contains(n))
            .map(|n| {
                let who = if taken.contains(&n) {
                    "takes"
                } else {
                    "refuses"
                };
                format!(
                    "{who} {:?}",
                    String::from_utf8_lossy(&lines[n])
                        .chars()
                        .take(80)
                        .collect::<String>()
                )
            })
            .collect();
        assert!(
            differ.is_empty() && taken.len() > 300,
            "{}: {} of {}, {} taken: {:#?}",
            cron.name,
            differ.len(),
            lines.len(),
            taken.len(),
            &differ[..differ.len().min(25)]
        );
    }
}

#[test]
fn what_concerns_the_whole_file() {
    let Some(person) = Person::new() else { return };
    let dir = scratch();
    let job = "0 0 * * * true\n";
    for (text, good) in [
        (job.to_string(), true),
        (job.trim_end().to_string(), false),
        (format!("{job}# end"), true),
        (format!("{job}   "), true),
        (format!("{job}A=b"), false),
        ("# x\n".repeat(10_000), true),
        ("# x\n".repeat(10_001), false),
        (format!("{}{job}", "\n".repeat(9_999)), true),
        (format!("{}{job}", "\n".repeat(10_000)), false),
        (format!("0 0 * * * {}\n", "x".repeat(998)), true),
        (format!("0 0 * * * {}\n", "x".repeat(999)), false),
        (format!("A={}\n", "x".repeat(2_000)), true),
        ("0 0 * * *\n".to_string(), true),
        ("@daily\n".to_string(), true),
        ("* * * * * * x\n".to_string(), false),
    ] {
        let shown: String = text.chars().take(40).collect();
        assert_eq!(
            !refuses(dir.path(), &person, text.as_bytes()),
            good,
            "Debian: {shown:?}"
        );
        let ours = tool("cron-render")
            .args(["lint", "-"])
            .input(text.clone())
            .run()
            .json();
        let stops = ours["findings"]
            .as_array()
            .unwrap()
            .iter()
            .any(|f| f["severity"] == "error" && f["code"] != "E05");
        assert_eq!(!stops, good, "ours: {shown:?} {}", ours["findings"]);
    }
}
