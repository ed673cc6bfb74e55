//! Every parser of check-reqs over mutations of a corpus that stays the same: no panic, no hang,
//! and for documents the same answer twice.

use crate::document::{self, Origin};
use crate::version::{Order, Wanted, alpine, dpkg, plain, postgres, rpm};
use crate::{need, package_db::PackageDb, when};
use base::shell::quoted;
use std::cmp::Ordering;
use std::time::{Duration, Instant};

/// xorshift64*: the corpus is the same in every run.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        usize::try_from(self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33).unwrap() % sides
    }

    fn one_of(&mut self, corpus: &[&str]) -> String {
        let chosen = self.roll(corpus.len());
        self.mutate(corpus[chosen])
    }

    fn mutate(&mut self, text: &str) -> String {
        let mut chars: Vec<char> = text.chars().collect();
        for _ in 0..=self.roll(4) {
            let at = self.roll(chars.len() + 1);
            let odd = [
                '"', '\\', '[', ']', '{', '}', '=', '.', '$', '\0', '\n', 'é', '\u{202e}', ':',
                '@', '%', '9', '~', '^', '\'', '|',
            ];
            match self.roll(5) {
                0 if at < chars.len() => drop(chars.remove(at)),
                1 if at < chars.len() => chars.truncate(at),
                2 if !chars.is_empty() => {
                    let from = self.roll(chars.len());
                    let part: Vec<char> =
                        chars[from..].iter().take(self.roll(20)).copied().collect();
                    chars.splice(at..at, part);
                }
                _ => chars.insert(at, odd[self.roll(odd.len())]),
            }
        }
        chars.into_iter().collect()
    }
}

fn rounds() -> usize {
    if std::env::var_os("RUNBOOK_SWEEP").is_some_and(|value| value == "full") {
        200_000
    } else {
        4_000
    }
}

/// Runs `parse` over mutations of each of the texts.
fn sweep(seed: u64, corpus: &[&str], parse: impl Fn(&str)) {
    let mut dice = Dice(seed);
    for _ in 0..rounds() {
        let text = dice.one_of(corpus);
        let began = Instant::now();
        parse(&text);
        assert!(
            began.elapsed() < Duration::from_secs(5),
            "{text:?} takes {:?}",
            began.elapsed()
        );
    }
}

#[test]
fn requirement_files() {
    let sites: Vec<String> = ["misago", "tracks", "coralnet", "wemake", "case-conductor"]
        .iter()
        .map(|site| {
            std::fs::read_to_string(
                std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
                    .join("../..")
                    .join(format!("tests/runbooks/{site}/requirements.toml")),
            )
            .unwrap()
        })
        .collect();
    let json = r#"{"check": [{"id": "a", "type": "disk", "path": "/é\u00e9", "free": "1G", "needs": ["b"]}, {"n": -1.5e3, "f": true}]}"#;
    let mut corpus: Vec<&str> = sites.iter().map(String::as_str).collect();
    corpus.extend([json, json, json, "[[check]]\ntype = 'x'\n", ""]);
    sweep(1, &corpus, |text| {
        let origin = Origin::new("fuzz", text);
        let (once, twice) = (document::read(&origin), document::read(&origin));
        assert_eq!(once.is_ok(), twice.is_ok());
        if let Err(error) = once {
            assert!(
                error.message.starts_with("fuzz:"),
                "every complaint has a place: {}",
                error.message
            );
        }
    });
}

#[test]
fn short_forms() {
    let corpus = [
        "python>=3.10@/srv/venv",
        "setuptools>=8.0,<9||==1.*@/x",
        "postgres>=13@postgres://u:p@h:5432/db?sslmode=require",
        "ext:hstore>=1.4@host=/run user=x",
        "disk:/srv:10%",
        "port:[::1]:80:listening",
        "smtp:mail.example.org:587:starttls",
        "tls:example.org:443:30d",
        "dir:/srv/media:deployer:2775",
        "http:https://127.0.0.1/old=301",
        "user:deployer:a,b,c",
        "env:uwsgi:PRODUCTION",
        "django:/srv/site@/srv/venv",
        "dns:example.org=192.0.2.1",
        "pkg:g++>=4:12",
    ];
    sweep(2, &corpus, |text| drop(need::read(text)));
}

#[test]
fn conditions() {
    let corpus = [
        "os.id == 'debian' and not (arch != \"x86_64\" or os.version >= 12)",
        "set.role in 'web, db'",
        "((((a == b))))",
        "not not not x < 1",
    ];
    let facts = when::Facts::from([
        ("os.id".to_string(), "debian".to_string()),
        ("a".to_string(), "1".to_string()),
    ]);
    sweep(3, &corpus, |text| {
        if let Ok(when) = when::parse(text) {
            // A name that is known to be known never fails later.
            if when::names(&when, &facts).is_ok() {
                assert!(when::holds(&when, &facts).is_ok(), "{text}");
            }
        }
    });
    assert!(when::parse(&"not ".repeat(100_000)).is_err());
    assert!(when::parse(&"(".repeat(100_000)).is_err());
}

#[test]
fn versions_have_an_order() {
    let corpus = [
        "1:2.0~rc1-3+deb12u1",
        "2.0^git1",
        "16beta1 (Debian)",
        "1.2.3a_beta1-r2",
        "OpenSSH_9.2p1",
        "v2.6.2 h1:abc",
        "99999999999999999999.1",
        "1..2--~",
    ];
    let mut dice = Dice(4);
    for _ in 0..rounds() {
        let mut text = || dice.one_of(&corpus);
        let (a, b) = (text(), text());
        for compare in [dpkg::compare, rpm::compare, rpm::part, alpine::compare] {
            assert_eq!(compare(&a, &a), Ordering::Equal, "{a:?}");
            assert_eq!(compare(&a, &b), compare(&b, &a).reverse(), "{a:?} {b:?}");
        }
        let _ = (postgres(&a), plain::find(&a), plain::version(&b));
        for order in [
            Order::Python,
            Order::Postgres,
            Order::Plain,
            Order::Dpkg,
            Order::Rpm,
            Order::Alpine,
        ] {
            if let Ok(wanted) = Wanted::new(std::slice::from_ref(&format!(">={a}")), order) {
                let _ = wanted.admits(&b, order);
            }
        }
    }
}

#[test]
fn package_databases_and_os_release() {
    let corpus = [
        "Package: a\nStatus: install ok installed\nVersion: 1:2-3\nProvides: b (= 1), c\n\nPackage: d\nStatus: hold ok installed\n",
        "C:Q1\nP:nginx\nV:1.26-r0\np:cmd:nginx=1 so:x\n\nP:musl\nV:1\n",
        "ID=\"x\"\nID_LIKE='a b'\nVERSION_ID=1\n",
    ];
    sweep(5, &corpus, |text| {
        let _ = (
            PackageDb::dpkg(text).all().len(),
            PackageDb::apk(text).all().len(),
            distro::Distro::parse(text).to_string(),
        );
    });
}

#[test]
fn a_shell_reads_every_quoted_word_back() {
    let corpus = [
        "it's",
        "$(id)",
        "a b\tc",
        "`x`",
        "\\",
        "-n",
        "é*?[]{}~#!",
        "%s",
        ";|&<>",
    ];
    let mut dice = Dice(6);
    let words: Vec<String> = (0..300)
        .map(|_| dice.one_of(&corpus).replace(['\0', '\n'], ""))
        .collect();
    let script: String = words
        .iter()
        .map(|word| format!("printf '%s\\n' {}\n", quoted(word)))
        .collect();
    let done = std::process::Command::new("sh")
        .args(["-ec", &script])
        .output()
        .unwrap();
    assert!(
        done.status.success(),
        "{}",
        String::from_utf8_lossy(&done.stderr)
    );
    let said = String::from_utf8(done.stdout).unwrap();
    assert_eq!(said.lines().collect::<Vec<_>>(), words);
}
