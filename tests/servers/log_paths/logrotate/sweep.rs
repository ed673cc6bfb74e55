//! Configurations of logrotate put together at random: for each log what `logrotate -d` would do is
//! what is reported.

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
    "weekly",
    "weekly 3",
    "renamecopy",
    "sharedscripts",
    "nomissingok",
    "compresscmd /bin/xz",
    "olddir old",
    "olddir @/old",
];

/// Directives that logrotate refuses, and a few that only look so.
const DOUBTFUL: &[&str] = &[
    "weekly rotate 8",
    "weekly 8",
    "weekly 7",
    "daily rotate 4",
    "rotate",
    "rotate x",
    "rotate 5 # five",
    "rotate -1",
    "rotate -2",
    "rotate 08",
    "rotate 0x5",
    "rotate=3",
    "rotate = 3",
    "start x",
    "start 2",
    "maxage ten",
    "minage 1d",
    "shredcycles x",
    "size 20mb",
    "size 20M",
    "size 1 M",
    "size",
    "minsize k",
    "maxsize -1",
    "create 0640 nobody-here adm",
    "create 0640 root nogroup-here",
    "create root adm",
    "create 0640 root adm extra",
    "create 999 root adm",
    "create 9 root",
    "create \t0600",
    "create 0640root adm",
    "su root",
    "su nobody-here adm",
    "su root adm extra",
    "su",
    "olddir @/none",
    "olddir none",
    "olddir a b",
    "olddir",
    "createolddir 0750 root adm",
    "noolddir",
    "mail",
    "mail root@example.org",
    "mail a b",
    "extension",
    "extension .log",
    "addextension",
    "dateformat",
    "dateformat -%Y",
    "tabooext + .x",
    "include @/nothing",
    "include @/empty.inc",
    "frobnicate",
    "frobnicate yes",
    "daily}",
    "daily,",
    "- dash",
    "=",
    "7",
    "@/l/a.log",
    "}",
    "{",
    "compressoptions -9",
    "compresscmd",
    "compressext",
    "monthly 3",
    "monthly",
    "hourly",
    "yearly",
    "errors root",
    "postrotate\n  true\n  endscript now",
    "postrotate true endscript",
    "prerotate\n  rotate x\n endscript",
    "include",
    "missingok\r",
    "missingok \x0b",
    "WEEKLY",
    "copy",
    "nocopy",
    "copytruncate nocopytruncate",
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

fn stanzas(dice: &mut Dice, doubt: usize) -> String {
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
            let list = if doubt > 0 && dice.one_in(doubt) {
                DOUBTFUL
            } else {
                DIRECTIVES
            };
            writeln!(text, "{}{}", dice.pick(&["", "\t", "  "]), dice.pick(list)).unwrap();
        }
        if doubt > 0 && dice.one_in(20) {
            continue;
        }
        text += dice.pick(&["}\n", "  }\n\n", "}\n# end\n"]);
        if doubt > 0 && dice.one_in(20) {
            text.truncate(text.trim_end().len());
            text += dice.pick(&[" more\n", " }\n", "\n}\n", " # done\n"]);
        }
    }
    text
}

/// A site; `doubt`: one in so many directives is one that logrotate may refuse, none for 0.
fn made(round: u64, doubt: usize) -> Site {
    let mut dice = Dice(round.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    let site = Site::new(LOGS, "root");
    fs::remove_file(site.at("l/none.log")).unwrap();
    fs::remove_file(site.at("l/link.log")).unwrap();
    symlink("e", site.at("l/link.log")).unwrap();
    fs::hard_link(site.at("l/hard.log"), site.at("l/other-name")).unwrap();
    chown(site.at("gw"), Some(0), Some(33)).unwrap();
    fs::set_permissions(site.at("gw"), fs::Permissions::from_mode(0o775)).unwrap();
    fs::set_permissions(site.at("ow"), fs::Permissions::from_mode(0o777)).unwrap();
    fs::create_dir_all(site.at("old")).unwrap();
    fs::create_dir_all(site.at("l/old")).unwrap();
    fs::write(site.at("empty.inc"), "").unwrap();
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
    let (mut before, after) = (stanzas(&mut dice, doubt), stanzas(&mut dice, doubt));
    // A directory that is included within a stanza, with an error in it, damages logrotate's own
    // list: nothing is foretold then.
    if before.matches('{').count() != before.matches('}').count() {
        before.clear();
    }
    site.conf("main.conf", &format!("{head}{before}{include}{after}"));
    for file in FILES {
        let text = if dice.one_in(3) {
            String::new()
        } else {
            stanzas(&mut dice, doubt)
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
    let done = [
        format!("renaming {name} to "),
        format!("copying {name} to "),
    ];
    match said.contains(&format!("considering log {name}\n")) {
        true if refusals.iter().any(|refusal| said.contains(refusal)) => "passed over",
        // An error of another file of a stanza with sharedscripts.
        true if !done.iter().any(|done| said.contains(done)) => "passed over",
        true => "rotated",
        false => "nothing",
    }
}

fn compare(rounds: u64, doubt: usize) -> usize {
    let mut rotated = 0;
    for round in 0..rounds {
        let site = made(round, doubt);
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
            // A file that is not there yet is the pattern's once it is; logrotate only tells of
            // what is there.
            let to_come = *name == "l/none.log";
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
                    "round {round}, doubt {doubt}, {name}: logrotate says {truth}, reported {reported}\n{}\n{said}\n{log:#}",
                    files.join("\n")
                );
            }
        }
    }
    rotated
}

#[test]
fn the_same_fate_for_every_log() {
    if !can() {
        return;
    }
    let rounds = if harness::full_sweep() { 3000 } else { 60 };
    let rotated = compare(rounds, 0);
    assert!(rotated > rounds as usize, "{rotated} of {rounds} rounds");
}

/// Stanzas with errors: what logrotate refuses is not reported as rotated, and what it takes is.
#[test]
fn the_same_refusals() {
    if !can() {
        return;
    }
    let rounds = if harness::full_sweep() { 1000 } else { 75 };
    let rotated = compare(rounds, 3) + compare(rounds, 12);
    assert!(rotated > rounds as usize, "{rotated} of {rounds} rounds");
}
