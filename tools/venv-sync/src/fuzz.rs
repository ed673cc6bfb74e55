//! The readers of venv-sync on random bytes: whatever a file contains, a reader ends and does not
//! panic.
//!
//! The corpus is made anew each time from the same numbers, so that a failure comes back.

use crate::requirements::Reader;
use pydist::marker::Marker;
use pydist::metadata::Metadata;
use pydist::requirement::Requirement;
use pydist::specifier::{InstalledVersion, Specifiers};
use pydist::{PythonVersion, PyvenvCfg, pth, record};
use std::time::{Duration, Instant};

/// Whether the long forms are asked for: `make fuzz`.
fn full_sweep() -> bool {
    std::env::var_os("RUNBOOK_SWEEP").is_some_and(|value| value == "full")
}

/// What the bytes are made of: pieces that mean something to one reader or another.
const PIECES: &[&str] = &[
    "a",
    "Django",
    "==",
    "===",
    ">=",
    "<",
    "~=",
    "!=",
    "1.0",
    "1!2.0rc1+x.1",
    ".*",
    "[x]",
    "[",
    "]",
    "(",
    ")",
    ";",
    " ; ",
    ",",
    " ",
    "\t",
    "\n",
    "\r\n",
    "\r",
    "\x0c",
    "\u{85}",
    "\u{2028}",
    "\\",
    "\\\n",
    "#",
    " #",
    "-r ",
    "-c ",
    "-e ",
    "--hash=sha256:",
    "--index-url ",
    "--",
    "-",
    "'",
    "\"",
    "${A}",
    "${",
    "}",
    "@",
    " @ ",
    "https://u:p@h/x-1.0-py3-none-any.whl",
    "git+ssh://git@h/r@v",
    "file:",
    "file://",
    "#egg=",
    "&subdirectory=",
    "%zz",
    "%4",
    "/",
    "./",
    "../",
    "python_version",
    "extra",
    " in ",
    " not in ",
    " and ",
    " or ",
    "os_name=='posix'",
    "\u{feff}",
    "\0",
    "\u{1f600}",
    "\u{130}",
    ".whl",
    ".zip",
    "..",
    "Name: ",
    "Version: ",
    "Requires-Dist: ",
    ",sha256=",
    ",,",
    "import os",
    "version = 3.",
    "99999999999999999999999",
];

struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % bound as u64).unwrap()
    }

    fn text(&mut self) -> Vec<u8> {
        let mut out = Vec::new();
        for _ in 0..self.below(14) {
            match self.below(12) {
                0 => out.push(u8::try_from(self.below(256)).unwrap()),
                _ => out.extend(PIECES[self.below(PIECES.len())].as_bytes()),
            }
        }
        out
    }
}

#[test]
fn every_reader_ends_on_anything() {
    let rounds = if full_sweep() { 400_000 } else { 15_000 };
    let dir = tempfile::tempdir().unwrap();
    let mut random = Random(0x5eed);
    let version = InstalledVersion::new("1.0");
    let file = dir.path().join("r.txt");
    let (mut read, mut refused) = (0, 0);
    for round in 0..rounds {
        let bytes = random.text();
        let began = Instant::now();
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let _ = Requirement::parse(&text).map(|r| r.to_string());
        let _ = Marker::parse(&text);
        let _ = Specifiers::parse(&text).map(|s| s.allow(&version));
        let _ = InstalledVersion::new(&text).same("1.0");
        let _ = PythonVersion::parse(&text);
        let _ = PyvenvCfg::parse(&text);
        let mut metadata = Metadata::parse(&bytes);
        metadata.add_requires_txt(&text);
        let _ = record::entries(&text).count();
        let _ = pth::lines(&bytes);
        if round % 8 == 0 {
            std::fs::write(&file, &bytes).unwrap();
            let reader = Reader {
                cwd: dir.path(),
                extras: &[],
                groups: &[],
                variable: &|_| Some("x".to_owned()),
            };
            for result in [
                reader.read(std::slice::from_ref(&file), &[]),
                reader.read(&[], std::slice::from_ref(&file)),
            ] {
                match result {
                    Ok(_) => read += 1,
                    Err(_) => refused += 1,
                }
            }
        }
        assert!(
            began.elapsed() < Duration::from_secs(2),
            "{text:?} took {:?}",
            began.elapsed()
        );
    }
    assert!(read > 100 && refused > 100, "{read} {refused}");
}

#[test]
fn what_is_read_back_is_the_same() {
    let mut random = Random(77);
    let mut parsed = 0;
    for _ in 0..30_000 {
        let text = String::from_utf8_lossy(&random.text()).into_owned();
        let Ok(requirement) = Requirement::parse(&text) else {
            continue;
        };
        parsed += 1;
        let shown = requirement.to_string();
        let again = Requirement::parse(&shown)
            .unwrap_or_else(|error| panic!("{text:?} is shown as {shown:?}: {error}"));
        assert_eq!(
            (again.key, again.extras, again.specifiers, again.url),
            (
                requirement.key,
                requirement.extras,
                requirement.specifiers,
                requirement.url
            )
        );
    }
    assert!(parsed > 300, "{parsed}");
}
