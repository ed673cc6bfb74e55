//! The readers of what other users write or answer, by name. tests/libfuzzer leads bytes into them
//! by coverage; the bytes that it found worth keeping stand in tests/fuzz/corpus, and
//! tests/fuzz/replay.rs reads those again in every run of the tests.

use std::fs;
use std::path::Path;
use std::sync::OnceLock;

/// A reader, on bytes of any kind.
pub type Reader = fn(&[u8]);

/// A reader's name, and the reader: whatever the bytes are, it comes back, soon and without a
/// panic.
pub const READERS: &[(&str, Reader)] = &[
    ("mask", mask),
    ("requirements", requirements),
    ("metadata", metadata),
    ("nginx", |bytes| service("nginx", "nginx.conf", bytes)),
    ("caddy", |bytes| service("caddy", "Caddyfile", bytes)),
    ("apache", |bytes| service("apache", "apache2.conf", bytes)),
    ("supervisor", |bytes| {
        service("supervisor", "supervisord.conf", bytes);
    }),
    ("logrotate", |bytes| {
        log_paths::readers::rotation(file("rotate", bytes), "rotate").expect("the directory");
    }),
    ("crontab", |bytes| service("cron", "crontab", bytes)),
    ("xmlrpc", |bytes| {
        let _ = svc_cycle::readers::answer(bytes);
    }),
    ("conninfo", conninfo),
    ("environment", |bytes| {
        for comment_goes_on in [false, true] {
            drop(base::site::parse_environment(bytes, comment_goes_on));
        }
    }),
];

/// Writes the bytes where the readers of files find them; the directory is returned.
fn file(name: &str, bytes: &[u8]) -> &'static Path {
    static DIR: OnceLock<tempfile::TempDir> = OnceLock::new();
    let dir = DIR.get_or_init(|| {
        // In memory where the host has a place for that: a fuzzer writes ten thousand files a
        // second.
        tempfile::tempdir_in("/dev/shm")
            .or_else(|_| tempfile::tempdir())
            .expect("a directory")
    });
    fs::write(dir.path().join(name), bytes).expect("the file is written");
    dir.path()
}

fn service(service: &str, name: &str, bytes: &[u8]) {
    log_paths::readers::configuration(service, file(name, bytes), name).expect("a known service");
}

/// A byte that is no part of a letter stands for a registered secret. Whatever stands around, no
/// output holds the secret, nor the password of a line after any other text; and every output is
/// the given text, with nothing but the mask in the places that are left out.
fn mask(bytes: &[u8]) {
    const SECRET: &str = "q7Vx-cTn!k+W9";
    const PASSWORD: &str = "Zr4=hLp8uM";
    static ONCE: std::sync::Once = std::sync::Once::new();
    ONCE.call_once(|| base::mask::register(SECRET));
    // A star would look like the mask.
    let given = String::from_utf8_lossy(bytes).replace('\u{fffd}', SECRET);
    let given = given.replace('*', "+");
    let line = format!("{given}\npassword={PASSWORD}\n");
    let words: Vec<&str> = given.split(' ').collect();
    let argv = base::mask::argv(&words);
    assert_eq!(argv.len(), words.len());
    let json = base::mask::json(&given).expect("a text is JSON");
    let json: String = serde_json::from_str(&json).expect("what was written can be read");
    assert_eq!(json, base::mask::text(&given));
    let shown = base::mask::text(&line);
    let leaks = shown.contains(PASSWORD) && !given.contains(PASSWORD);
    assert!(!leaks, "{line:?}: {shown:?}");
    let outputs = [(line.as_str(), shown), (&given, json)];
    let outputs = outputs.iter().map(|(text, shown)| (*text, shown));
    for (text, shown) in outputs.chain(words.into_iter().zip(&argv)) {
        assert!(!shown.contains(SECRET), "{text:?}: {shown:?}");
        let mut rest = text;
        for kept in shown.split(base::mask::MASK) {
            let at = rest
                .find(kept)
                .unwrap_or_else(|| panic!("{text:?}: {shown:?}"));
            rest = &rest[at + kept.len()..];
        }
    }
}

fn requirements(bytes: &[u8]) {
    let dir = file("requirements.txt", bytes);
    let reader = venv_sync::requirements::Reader {
        cwd: dir,
        extras: &[],
        groups: &[],
        variable: &|_| Some("x".to_owned()),
    };
    drop(reader.read(&[dir.join("requirements.txt")], &[]));
}

fn metadata(bytes: &[u8]) {
    let mut metadata = pydist::metadata::Metadata::parse(bytes);
    metadata.add_requires_txt(&String::from_utf8_lossy(bytes));
}

fn conninfo(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    if let Ok(settings) = pgconn::conninfo::parse(text) {
        let shown = pgconn::conninfo::format(&settings);
        let again = pgconn::conninfo::parse(&shown).map(|again| pgconn::conninfo::format(&again));
        assert_eq!(again.ok(), Some(shown), "{text:?}");
    }
}
