//! Orders of versions beside the programs that define them, over thousands of generated pairs.

use check_reqs::version::{Order, Wanted, dpkg, rpm};
use harness::{full_sweep, need, test_venv};
use std::cmp::Ordering;
use std::io::Write;
use std::process::{Command, Stdio};

/// A small generator, so that a failure can be run again (xorshift64*, Vigna 2016).
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let high = self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33;
        usize::try_from(high).unwrap() % sides
    }

    fn pick<'w>(&mut self, words: &[&'w str]) -> &'w str {
        words[self.roll(words.len())]
    }

    fn word(&mut self, pieces: &[&str], most: usize) -> String {
        (0..=self.roll(most))
            .map(|_| self.pick(pieces).to_string())
            .collect()
    }

    /// A version, or one that differs from `other` in a single piece: neighbours find more than
    /// strangers.
    fn near(&mut self, other: &str, pieces: &[&str]) -> String {
        let at = self.roll(other.len() + 1);
        let (head, tail) = other.split_at(at);
        match self.roll(3) {
            0 => format!("{head}{}{tail}", self.pick(pieces)),
            1 if !tail.is_empty() => format!("{head}{}", &tail[1..]),
            _ => format!("{head}{}", self.pick(pieces)),
        }
    }
}

fn consumer(mut command: Command, input: String) -> Vec<String> {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut pipe = child.stdin.take().unwrap();
    let writer = std::thread::spawn(move || pipe.write_all(input.as_bytes()));
    let done = child.wait_with_output().unwrap();
    writer.join().unwrap().unwrap();
    assert!(
        done.status.success(),
        "{}",
        String::from_utf8_lossy(&done.stderr)
    );
    String::from_utf8(done.stdout)
        .unwrap()
        .lines()
        .map(str::to_string)
        .collect()
}

const PIECES: &[&str] = &[
    "0",
    "1",
    "2",
    "9",
    "10",
    "007",
    "00",
    "20240101",
    "a",
    "b",
    "rc",
    "beta",
    "dfsg",
    "A",
    "Z",
    ".",
    ".",
    ".",
    "+",
    "~",
    "~",
    "-",
    "99999999999999999999",
];

#[test]
fn dpkg_orders_packages_the_same() {
    if need("dpkg").is_none() {
        return;
    }
    let mut dice = Dice(0x9E37_79B9_7F4A_7C15);
    let wanted = if full_sweep() { 20_000 } else { 3_000 };
    let mut pairs = Vec::new();
    while pairs.len() < wanted {
        let epoch = if dice.roll(5) == 0 {
            format!("{}:", dice.roll(3))
        } else {
            String::new()
        };
        let a = format!("{epoch}{}{}", dice.roll(3), dice.word(PIECES, 5));
        let b = if dice.roll(2) == 0 {
            dice.near(&a, PIECES)
        } else {
            format!("{}{}", dice.roll(3), dice.word(PIECES, 5))
        };
        // deb-version(7): no empty revision, digits first.
        let fits = |v: &str| {
            let rest = v.split_once(':').map_or(v, |(_, rest)| rest);
            rest.starts_with(|c: char| c.is_ascii_digit())
                && !rest.ends_with('-')
                && !rest.contains(':')
        };
        if fits(&a) && fits(&b) {
            pairs.push((a, b));
        }
    }
    // One shell for all: dpkg says by its exit status what holds.
    let script = "while read -r a b; do answer=none
                  for op in lt eq gt; do dpkg --compare-versions \"$a\" $op \"$b\" 2>/dev/null && answer=$op; done
                  echo $answer; done";
    let threads = 4;
    let answers: Vec<String> = std::thread::scope(|scope| {
        let parts: Vec<_> = pairs
            .chunks(pairs.len().div_ceil(threads))
            .map(|part| {
                let input: String = part.iter().map(|(a, b)| format!("{a} {b}\n")).collect();
                scope.spawn(|| {
                    let mut shell = Command::new("sh");
                    shell.args(["-c", script]);
                    consumer(shell, input)
                })
            })
            .collect();
        parts
            .into_iter()
            .flat_map(|part| part.join().unwrap())
            .collect()
    });
    assert_eq!(answers.len(), pairs.len());
    // dpkg refuses an epoch that no integer holds: nothing to compare with.
    let refused = answers.iter().filter(|answer| *answer == "none").count();
    assert!(refused * 50 < pairs.len(), "{refused}");
    for ((a, b), answer) in pairs
        .iter()
        .zip(&answers)
        .filter(|(_, answer)| *answer != "none")
    {
        let ours = match dpkg::compare(a, b) {
            Ordering::Less => "lt",
            Ordering::Equal => "eq",
            Ordering::Greater => "gt",
        };
        assert_eq!(ours, answer, "{a} {b}");
    }
}

#[test]
fn rpm_orders_packages_the_same() {
    let Some(rpm_program) = need("rpm") else {
        return;
    };
    let mut dice = Dice(0xD1B5_4A32_D192_ED03);
    let pieces = &[
        "0",
        "1",
        "2",
        "9",
        "10",
        "007",
        "a",
        "b",
        "rc",
        "Z",
        ".",
        ".",
        "_",
        "+",
        "~",
        "^",
        "99999999999999999999",
    ];
    let wanted = if full_sweep() { 20_000 } else { 4_000 };
    let pairs: Vec<(String, String)> = (0..wanted)
        .map(|_| {
            let a = format!("{}{}", dice.roll(3), dice.word(pieces, 6));
            let b = if dice.roll(2) == 0 {
                dice.near(&a, pieces)
            } else {
                format!("{}{}", dice.roll(3), dice.word(pieces, 6))
            };
            (a, b)
        })
        .filter(|(_, b)| !b.is_empty())
        .collect();
    // rpm's own Lua: one process for all of them.
    let table: String = pairs
        .iter()
        .map(|(a, b)| format!("print(rpm.vercmp('{a}','{b}')..'\\n') "))
        .collect();
    let mut answers = Vec::new();
    for part in table.split_inclusive("') ").collect::<Vec<_>>().chunks(500) {
        let mut command = Command::new(&rpm_program);
        command.args(["--eval", &format!("%{{lua: {}}}", part.concat())]);
        answers.extend(
            consumer(command, String::new())
                .into_iter()
                .filter(|line| !line.is_empty()),
        );
    }
    assert_eq!(answers.len(), pairs.len(), "{:?}", answers.first());
    for ((a, b), answer) in pairs.iter().zip(&answers) {
        assert_eq!((rpm::part(a, b) as i8).to_string(), *answer, "{a} {b}");
    }
}

#[test]
fn packaging_admits_the_same_versions() {
    let mut dice = Dice(0xA076_1D64_78BD_642F);
    let versions: Vec<String> = (0..400)
        .map(|_| {
            let numbers = (0..=dice.roll(3))
                .map(|_| dice.pick(&["0", "1", "2", "3", "9", "10", "11"]))
                .collect::<Vec<_>>()
                .join(".");
            let stage = dice.pick(&[
                "",
                "",
                "",
                "a1",
                "rc1.post1",
                ".post1+local.2",
                "b2",
                "rc1",
                ".dev3",
                ".post1",
                ".post2.dev1",
                "+local.1",
                "a1.dev2",
            ]);
            let epoch = if dice.roll(20) == 0 { "1!" } else { "" };
            format!("{epoch}{numbers}{stage}")
        })
        .collect();
    let specifiers: Vec<String> = (0..if full_sweep() { 600 } else { 120 })
        .map(|_| {
            (0..=dice.roll(2))
                .map(|_| {
                    let op = dice.pick(&[">=", "<=", ">", "<", "==", "!=", "~="]);
                    let numbers = [
                        "1.0",
                        "2.1",
                        "3.10",
                        "3.9.1",
                        "10.0",
                        "2.0rc1",
                        "1.0.post1",
                        "1.0.dev3",
                        "2.0a1.dev2",
                        "1!1.0",
                        "1.0.0",
                    ];
                    let version = dice.pick(&numbers);
                    match dice.roll(6) {
                        0 if matches!(op, "==" | "!=") => {
                            format!("{op}{}.*", dice.pick(&["1", "2.1", "3.10"]))
                        }
                        _ => format!("{op}{version}"),
                    }
                })
                .collect::<Vec<_>>()
                .join(",")
        })
        .collect();
    let script = r#"
import sys
from packaging.specifiers import SpecifierSet
from packaging.version import Version
specifiers, versions = sys.stdin.read().split("\n\n")
versions = [Version(v) for v in versions.split()]
for line in specifiers.splitlines():
    s = SpecifierSet(line)
    print("".join("1" if s.contains(v, prereleases=True) else "0" for v in versions))
"#;
    let mut python = Command::new(test_venv().join("bin/python"));
    python.args(["-c", script]);
    let answers = consumer(
        python,
        format!("{}\n\n{}", specifiers.join("\n"), versions.join("\n")),
    );
    assert_eq!(answers.len(), specifiers.len());
    let mut wrong = Vec::new();
    for (specifier, answer) in specifiers.iter().zip(&answers) {
        let wanted = Wanted::new(std::slice::from_ref(specifier), Order::Python).unwrap();
        for (version, theirs) in versions.iter().zip(answer.chars()) {
            let ours = wanted.admits(version, Order::Python);
            if ours != Some(theirs == '1') {
                wrong.push(format!("{version} in {specifier}: {ours:?}"));
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "{} of {}: {:#?}",
        wrong.len(),
        specifiers.len() * versions.len(),
        wrong
    );
}
