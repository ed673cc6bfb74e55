//! Configurations of logrotate put together at random: for each log what `logrotate -d` would do is what is reported.

use super::{Site, can};
use crate::log_paths::{codes, items};
use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::path::Path;

/// The logs; `gw` can be written by another group, `ow` by everybody.
const LOGS: &[&str] = &[
    "l/a.log",
    "l/b.log",
    "l/c.log",
    "l/a b.log",
    "l/.d.log",
    "l/e",
    "l/[x].log",
    "gw/g.log",
    "ow/o.log",
    "l/link.log",
    "l/hard.log",
    "l/none.log",
];

const PATTERNS: &[&str] = &[
    "@/l/a.log",
    "@/l/b.log",
    "@/l/c.log",
    "\"@/l/a b.log\"",
    "'@/l/a b.log'",
    "@/l/a\\ b.log",
    "@/l/*.log",
    "@/l/[ab].log",
    "@/l/[!a]*.log",
    "@/l/?.log",
    "@/l/.*.log",
    "@/l/*",
    "@/*/?.log",
    "@/l/e",
    "@/l/\\[x\\].log",
    "@/gw/*.log",
    "@/ow/o.log",
    "@/[go]w/*",
    "@/l/link.log",
    "@/l/hard.log",
    "@/l/none.log",
    "@/l/nothing*.log",
];

const DIRECTIVES: &[&str] = &[
    "daily",
    "rotate 3",
    "missingok",
    "create",
    "create 0640 www-data adm",
    "nocreate",
    "copytruncate",
    "su root adm",
    "allowhardlink",
    "ignoreduplicates",
    "notifempty # create }",
    "postrotate\n  echo } {\n  # endscript not\n endscript",
    "prerotate\n\ttrue\n\tendscript",
    "size=10M",
    "dateext",
];

const FILES: &[&str] = &[
    "conf.d/01",
    "conf.d/.02",
    "conf.d/03.dpkg-old",
    "conf.d/04.conf",
    "conf.d/05~",
    "conf.d/zz.mine",
];

/// xorshift64*, so that a round can be run again by its number.
struct Dice(u64);

impl Dice {
    fn throw(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize % sides
    }

    fn pick<'a>(&mut self, list: &[&'a str]) -> &'a str {
        list[self.throw(list.len())]
    }

    fn one_in(&mut self, sides: usize) -> bool {
        self.throw(sides) == 0
    }
}

fn stanzas(dice: &mut Dice) -> String {
    let mut text = String::new();
    for _ in 0..dice.throw(4) {
        if dice.one_in(4) {
            writeln!(
                text,
                "{}",
                dice.pick(&[
                    "# @/l/a.log {",
                    "weekly",
                    "create 0600 root root",
                    "copytruncate",
                    "su root root",
                    "  "
                ])
            )
            .unwrap();
        }
        let patterns: Vec<&str> = (0..=dice.throw(3)).map(|_| dice.pick(PATTERNS)).collect();
        text += &patterns.join(dice.pick(&[" ", "\n", "  "]));
        text += dice.pick(&[" {\n", "\n{\n", "{\n", " {  \n"]);
        for _ in 0..dice.throw(4) {
            writeln!(
                text,
                "{}{}",
                dice.pick(&["", "\t", "  "]),
                dice.pick(DIRECTIVES)
            )
            .unwrap();
        }
        text += dice.pick(&["}\n", "  }\n\n", "}\n# end\n"]);
    }
    text
}

fn made(round: u64) -> Site {
    let mut dice = Dice(round.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    let site = Site::new(LOGS, "root");
    fs::remove_file(site.at("l/none.log")).unwrap();
    fs::remove_file(site.at("l/link.log")).unwrap();
    symlink("e", site.at("l/link.log")).unwrap();
    fs::hard_link(site.at("l/hard.log"), site.at("l/other-name")).unwrap();
    chown(site.at("gw"), Some(0), Some(33)).unwrap();
    fs::set_permissions(site.at("gw"), fs::Permissions::from_mode(0o775)).unwrap();
    fs::set_permissions(site.at("ow"), fs::Permissions::from_mode(0o777)).unwrap();
    let head = dice.pick(&[
        "",
        "weekly\ncreate\n",
        "tabooext + .mine\n",
        "tabooext .mine\n",
        "taboopat *.conf,01\n",
        "copytruncate\n",
        "su root adm\n",
    ]);
    let include = dice.pick(&[
        "include @/conf.d\n",
        "include @/conf.d\n",
        "include conf.d\n",
        "include @/conf.d/04.conf\n",
    ]);
    let (before, after) = (stanzas(&mut dice), stanzas(&mut dice));
    site.conf("main.conf", &format!("{head}{before}{include}{after}"));
    for file in FILES {
        let text = if dice.one_in(3) {
            String::new()
        } else {
            stanzas(&mut dice)
        };
        site.conf(file, &text);
        if dice.one_in(8) {
            fs::set_permissions(site.at(file), fs::Permissions::from_mode(0o664)).unwrap();
        }
        if dice.one_in(8) {
            chown(site.at(file), Some(33), None).unwrap();
        }
    }
    site
}

/// What logrotate says of a log: rotated, passed over, or nothing.
fn foretold(said: &str, path: &Path) -> &'static str {
    let name = path.display().to_string();
    let refusals = [
        format!("log {name} is symbolic link"),
        format!("log {name} has multiple"),
        format!("skipping \"{name}\" because"),
    ];
    match said.contains(&format!("considering log {name}\n")) {
        true if refusals.iter().any(|refusal| said.contains(refusal)) => "passed over",
        true => "rotated",
        false => "nothing",
    }
}

#[test]
fn the_same_fate_for_every_log() {
    if !can() {
        return;
    }
    let rounds = if harness::full_sweep() { 3000 } else { 60 };
    let mut rotated = 0;
    for round in 0..rounds {
        let site = made(round);
        let said = site.debug();
        let report = site.run(&[]).json();
        let logs: Vec<_> = items(&report)
            .into_iter()
            .filter(|log| log["path"].is_string())
            .collect();
        assert_eq!(logs.len(), LOGS.len());
        for (log, name) in logs.iter().zip(LOGS) {
            let reported = match (
                log["rotated_by"]["tool"] == "logrotate",
                codes(log).contains(&"rotation_skipped".to_owned()),
            ) {
                (true, _) => "rotated",
                (_, true) => "passed over",
                _ => "nothing",
            };
            let truth = foretold(&said, &site.at(name));
            rotated += usize::from(truth == "rotated");
            // A file that is not there yet is the pattern's once it is; logrotate only tells of what is there.
            let to_come = truth == "nothing" && *name == "l/none.log";
            if reported != truth && !to_come {
                let files: Vec<String> = std::iter::once(&"main.conf")
                    .chain(FILES)
                    .map(|file| {
                        format!(
                            "--- {file} {:o}\n{}",
                            fs::metadata(site.at(file)).unwrap().permissions().mode(),
                            fs::read_to_string(site.at(file)).unwrap()
                        )
                    })
                    .collect();
                panic!(
                    "round {round}, {name}: logrotate says {truth}, reported {reported}\n{}\n{said}\n{log:#}",
                    files.join("\n")
                );
            }
        }
    }
    assert!(rotated > rounds as usize, "{rotated} of {rounds} rounds");
}
