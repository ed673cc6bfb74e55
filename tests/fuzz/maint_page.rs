//! maint-page given anything: every message is text on a whole page, every odd file is somebody
//! else's, and no command line breaks it.

use harness::{Tool, full_sweep, scratch, tool};
use serde_json::Value;
use std::fs;
use std::path::Path;

/// A small generator of its own (xorshift64*), so that a failing round can be replayed by its
/// number.
struct Dice(u64);

impl Dice {
    fn new(round: u64) -> Dice {
        Dice(round.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    fn throw(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize % sides
    }

    fn of<'a>(&mut self, list: &[&'a str]) -> &'a str {
        list[self.throw(list.len())]
    }
}

const PIECES: [&str; 28] = [
    "<",
    ">",
    "&",
    "\"",
    "'",
    "`",
    "</p>",
    "<script>",
    "-->",
    "<!--",
    "<!-- maint-page 1 ",
    "{{",
    "}}",
    "{{message}}",
    "{{ tokens }}",
    "\n",
    "\r\n",
    "\t",
    "\u{202e}",
    "\u{200b}",
    "\u{1b}[31m",
    "\u{7}",
    "&lt;",
    "é",
    "日本",
    "🛠",
    "word",
    " ",
];

const TIMES: [&str; 22] = [
    "22:00",
    "00:00",
    "23:59",
    "24:00",
    "7:5",
    "+0s",
    "+1s",
    "+15m",
    "+99999999999999y",
    "+",
    "-1h",
    "2026-11-21T22:00:00Z",
    "9999-12-31T23:59:59Z",
    "0000-01-01T00:00:00Z",
    "2026-02-30T00:00:00Z",
    "2026-03-29T02:30:00+01:00",
    "::",
    "1:",
    "",
    "now",
    "12:00:00",
    "+1 parsec",
];

fn rounds(short: u64, full: u64) -> std::ops::Range<u64> {
    0..if full_sweep() { full } else { short }
}

fn maint_page(command: &str, dir: &Path) -> Tool {
    tool("maint-page")
        .arg(command)
        .arg("--dir")
        .arg(dir)
        .env("TZ", "Europe/Berlin")
}

#[test]
fn any_message_is_text_on_a_whole_page() {
    let top = scratch();
    let dir = top.path().join("m");
    for round in rounds(60, 2000) {
        let mut dice = Dice::new(round);
        let message: String = (0..1 + dice.throw(30)).map(|_| dice.of(&PIECES)).collect();
        let done = maint_page("on", &dir).args(["--message", &message]).run();
        if done.code() == 2 {
            assert!(
                done.err().contains("nothing to read"),
                "round {round}: {message:?}: {}",
                done.err()
            );
            continue;
        }
        assert_eq!(done.code(), 0, "round {round}: {message:?}: {}", done.err());
        let page = fs::read_to_string(dir.join("page/page.html")).unwrap();
        let token = done.json()["holds"][0]["token"]
            .as_str()
            .unwrap()
            .to_owned();
        let body = page
            .split_once("<p class=\"message\" lang=\"en\" dir=\"ltr\">")
            .unwrap()
            .1
            .split_once("</p>")
            .unwrap()
            .0;
        assert!(
            !body
                .replace("<br>", "")
                .contains(['<', '>', '"', '\'', '\u{1b}', '\u{202e}']),
            "round {round}: {message:?} became {body:?}"
        );
        assert!(
            page.ends_with(&format!("\n<!-- maint-page 1 {token} -->\n")) && page.len() % 4096 == 0,
            "round {round}: {message:?}"
        );
        assert_eq!(page.matches("<script").count(), 0);
        for file in ["page/page.json", "maintenance.json"] {
            let value: Value = serde_json::from_slice(&fs::read(dir.join(file)).unwrap()).unwrap();
            assert!(value["message"].as_str().is_some(), "round {round}: {file}");
        }
        // What was written is known again.
        assert_eq!(
            maint_page("tick", &dir).run().expect_code(0).json()["changed"],
            false,
            "round {round}"
        );
    }
}

#[test]
fn any_time_is_taken_or_refused_and_nothing_in_between() {
    let top = scratch();
    for round in rounds(80, 2000) {
        let dir = top.path().join(format!("m{round}"));
        let mut dice = Dice::new(round);
        let (start, until) = (dice.of(&TIMES), dice.of(&TIMES));
        let mut on = maint_page("on", &dir).args(["--id", "x", "--start", start]);
        on = match dice.throw(3) {
            0 => on.args(["--until", until]),
            1 => on.args(["--for", "15m", "--warn", dice.of(&["0s", "1h", "3000y"])]),
            _ => on,
        };
        let done = on.run();
        match done.code() {
            0 => {
                let report = done.json();
                assert!(
                    ["announced", "active"].contains(&report["state"].as_str().unwrap()),
                    "round {round}: {report}"
                );
                maint_page("status", &dir).run().expect_code(0);
            }
            2 => assert!(
                done.stdout.is_empty() && !dir.join("holds/x.json").exists(),
                "round {round}: {start} {until}"
            ),
            code => panic!(
                "round {round}: {start} {until}: exit {code}: {}",
                done.err()
            ),
        }
    }
}

#[test]
fn any_file_in_the_flags_place_is_left_alone() {
    let top = scratch();
    for round in rounds(40, 1000) {
        let dir = top.path().join(format!("m{round}"));
        maint_page("on", &dir).run().expect_code(0);
        let mut dice = Dice::new(round);
        let name = dice.of(&["on", "page/page.html", "page/page.json", "maintenance.json"]);
        let path = dir.join(name);
        let mut bytes = fs::read(&path).unwrap();
        match dice.throw(3) {
            0 => bytes.truncate(dice.throw(bytes.len())),
            1 => {
                let at = dice.throw(bytes.len());
                bytes[at] ^= 1 << dice.throw(7);
            }
            _ => {
                bytes = (0..dice.throw(400))
                    .map(|_| dice.throw(256) as u8)
                    .collect();
            }
        }
        fs::write(&path, &bytes).unwrap();
        let done = maint_page("off", &dir).run();
        assert!(
            [0, 3].contains(&done.code()),
            "round {round}: {name}: {}",
            done.err()
        );
        if done.code() == 3 {
            assert_eq!(
                fs::read(&path).unwrap(),
                bytes,
                "round {round}: a foreign {name} was touched"
            );
        }
        let again = maint_page("on", &dir).arg("--force").run();
        assert_eq!(again.code(), 0, "round {round}: {name}: {}", again.err());
        maint_page("status", &dir).arg("--on").run().expect_code(0);
    }
}

#[test]
fn any_hold_file_is_a_hold_or_stops_everything() {
    let top = scratch();
    let dir = top.path().join("m");
    maint_page("on", &dir)
        .args(["--id", "x", "--for", "1h"])
        .run()
        .expect_code(0);
    let good = fs::read(dir.join("holds/x.json")).unwrap();
    for round in rounds(60, 2000) {
        let mut dice = Dice::new(round);
        let mut bytes = good.clone();
        for _ in 0..1 + dice.throw(3) {
            let at = dice.throw(bytes.len());
            match dice.throw(3) {
                0 => drop(bytes.remove(at)),
                1 => bytes[at] = dice.throw(128) as u8,
                _ => bytes.insert(at, b"0\"{},:"[dice.throw(6)]),
            }
        }
        fs::write(dir.join("holds/x.json"), &bytes).unwrap();
        let done = maint_page("status", &dir).run();
        assert!(
            [0, 1, 3].contains(&done.code()),
            "round {round}: {}",
            done.err()
        );
        assert!(
            !done.err().contains("internal error"),
            "round {round}: {}",
            done.err()
        );
    }
}
