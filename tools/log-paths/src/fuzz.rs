//! Every configuration that log-paths reads, damaged at random from a stable corpus: nothing
//! panics, nothing hangs, and what is found still has a name and a place.

use crate::log::Sink;
use crate::rotation::{Fate, Rotation};
use crate::service::SERVICES;
use crate::site::Site;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

/// Whether the long forms are asked for: `make fuzz`.
fn full_sweep() -> bool {
    std::env::var_os("RUNBOOK_SWEEP").is_some_and(|value| value == "full")
}

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
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize % sides.max(1)
    }
}

/// Service, file name, text.
const CORPUS: &[(&str, &str, &str)] = &[
    (
        "nginx",
        "nginx.conf",
        "user x; error_log logs/e.log; include nginx*.conf; http { access_log \"/l/a b.log\" f if=$x; server { access_log /l/$h{x}.log; location ~ \"{\" { access_log off; } content_by_lua_block { '}' --[[ } ]] } } }\n",
    ),
    (
        "apache",
        "apache2.conf",
        "ServerRoot /r\nDefine A \"b c\"\nErrorLog ${A}/e.log\n<IfDefine A>\nCustomLog \"|x \\\" y\" \\\n f env=z\n</IfDefine>\n<VirtualHost *>\nTransferLog l/${NO}\n</VirtualHost>\n<Macro m $a @b>\nCustomLog $a$aa @b\n<Macro n>\nUse m 1 2\n</Macro>\n</Macro>\nUse m x \"y z\"\nUse n\nInclude *.conf\n",
    ),
    (
        "caddy",
        "Caddyfile",
        "{\n log default {\n  output file {$L:/l}/m.log {\n   roll_disabled\n  }\n }\n}\n(s) {\n log {\n  output file \"/l/{args[0]} {args.1}.log\"\n }\n}\na.org, b.org {\n import s 1 2\n respond `{`\n header X <<E\n  log {\n  E\n}\nimport *.c\n",
    ),
    (
        "caddy",
        "c.json",
        "{\"logging\":{\"logs\":{\"default\":{\"writer\":{\"output\":\"file\",\"filename\":\"/l/{env.X}\"},\"include\":[\"http.log.access.a\"]}}}}",
    ),
    (
        "uwsgi",
        "u.ini",
        "[uwsgi]\nlogto = %d%n-%x-%0.log\nini = :b\nset-ph = a=b\nif-env = PATH\nlogger = e file:/l/%(a)-$(PATH)-%(_).log\nendif =\n[b]\nemperor = .\ndaemonize = x:1 \\\n y\n",
    ),
    (
        "uwsgi",
        "u.xml",
        "<?xml version='1.0'?><uwsgi id='uwsgi'><logto>/l/a&amp;b</logto><master/><!-- c --></uwsgi>",
    ),
    (
        "uwsgi",
        "u.yaml",
        "uwsgi:\n  logto: \"/l/a: b\" # c\n  logger:\n  - file:/l/x\nother:\n  logto: n\n",
    ),
    (
        "uwsgi",
        "u.json",
        "{\"uwsgi\":{\"logto\":[\"/l/a\",\"/l/b\"],\"uid\":7}}",
    ),
    (
        "gunicorn",
        "gunicorn.conf.py",
        "'''x'''\nimport os\naccesslog = r\"/l/a\" '\\x41\\u00e9'\nerrorlog = ('a' if x else \"b\")\nlogconfig_dict = {'a': [1, (2,), {3}], **b}\nchdir: str = \"/c\"; user = None\n",
    ),
    (
        "supervisor",
        "supervisord.conf",
        "[unix_http_server]\nfile=%(here)s/s\n[supervisord]\nlogfile=l.log ;c\nenvironment=A=\"b,c\",D='e'\n[program:a]\ncommand=gunicorn x\nnumprocs=2\nprocess_name=%(program_name)s_%(process_num)02d\nstdout_logfile=/l/%%(process_num)d-%(ENV_A)s\n  x\n[group:g]\nprograms=a , b\n[include]\nfiles=*.conf %(here)s/n\n",
    ),
    (
        "celery",
        "celeryd",
        "CELERYD_NODES=\"a b@c 3\"\nexport CELERYD_LOG_FILE=\"$X/%n-%p%I.log\"\nCELERYBEAT_LOG_FILE='${X}/b'\n",
    ),
    (
        "postgresql",
        "postgresql.conf",
        "log_directory = 'it''s \\101\\n'\nlogging_collector on\nlog_destination='stderr,csvlog'\nlog_filename = x%Y.log # c\ninclude_dir '.'\ninclude 'postgresql.conf'\n",
    ),
    (
        "redis",
        "redis.conf",
        "dir /d\nlogfile \"a\\x41\\n'b\"\nlogfile 'c\\'d'\ninclude *.conf\nsyslog-enabled yes\n",
    ),
    (
        "cron",
        "crontab",
        "HOME=\"/h\"\nX = y\n*/5 * * * * a >> /l/\"b c\"$(d e)'f' 2>&1 | tee -a g | logger % x\n@daily `x` &>~/y\n",
    ),
    (
        "django",
        "settings.py",
        "from .settings import *\nfrom pathlib import Path as P\nimport os.path as p\nB = P(__file__).resolve().parents[1]\nC: str = f'{B}/{{x}}' + str(B)\nD, E = 1, 2\ntry:\n  from .a import (b as c, d)\nexcept E: pass\nLOGGING = {'version': 1, 'handlers': {'f': {'class': 'logging.FileHandler', 'filename': 'a' 'b'}, 'g': x, **y, 'h': {'class': 'a.RotatingFileHandler', 'filename': B / 'c'}, 'j': {'class': 'x', 'filename': p.join(C, '..', (p.dirname(C)),)}}}\n",
    ),
    (
        "systemd",
        "a@b.service",
        "[Unit]\nX=y\n[Service]\nStandardOutput=append:%L/%i-%%-%q\nStandardError=\\\n file:/l/%I\nExecStart=-/v/gunicorn \"a b\" ; c\n",
    ),
];

/// What long sweeps have found: service, file name, text.
const FOUND: &[(&str, &str, &[u8])] = &[
    (
        "redis",
        "redis.conf",
        b"dir /d\x0c\nlogfile\r \x0c/l/a.log \x0b b\n",
    ),
    ("redis", "redis.conf", b"a \x0c b\0\0 c"),
];

const ROTATE: &str = "weekly\ncreate\ntabooext + .x,y\ninclude /d\n\"/l/a b.log\" /l/*.log\n{\n create 0640 u g\n su a b\n postrotate\n } x {\n endscript\n}\n/l/c { copytruncate }\n";

const SPECIAL: &[&[u8]] = &[
    b"{",
    b"}",
    b"\"",
    b"'",
    b"\\",
    b"\n",
    b"\r\n",
    b"\0",
    b"\xff",
    b"%(",
    b"${",
    b"$(",
    b"[",
    b"]",
    b"(",
    b")",
    b"#",
    b";",
    b"=",
    b"%",
    b"%%",
    b"`",
    b"<<",
    b"\x1b[2J",
    b"include *\n",
    b"[[",
    b"]]",
    b"--[==[",
    b"\xef\xbb\xbf",
    b"'''",
    b"99999999999999999999",
    b"../../..",
    b"/dev/stdout",
    b"\t",
    b"  ",
];

fn damaged(text: &[u8], dice: &mut Dice) -> Vec<u8> {
    let mut bytes = text.to_vec();
    for _ in 0..=dice.throw(4) {
        let at = dice.throw(bytes.len() + 1);
        let end = (at + dice.throw(12)).min(bytes.len());
        match dice.throw(6) {
            0 => drop(bytes.drain(at..end)),
            1 => drop(bytes.splice(at..at, SPECIAL[dice.throw(SPECIAL.len())].iter().copied())),
            2 => {
                let copy = bytes[at..end].to_vec();
                let to = dice.throw(bytes.len() + 1);
                drop(bytes.splice(to..to, copy));
            }
            3 => bytes.truncate(at),
            4 if at < bytes.len() => bytes[at] = dice.throw(256) as u8,
            _ => drop(bytes.splice(at..end, SPECIAL[dice.throw(SPECIAL.len())].iter().copied())),
        }
    }
    bytes
}

fn rounds() -> u64 {
    if full_sweep() { 20_000 } else { 150 }
}

#[test]
fn damaged_configurations_are_read_or_refused() {
    let dir = tempfile::tempdir().unwrap();
    for (service, name, text) in CORPUS {
        let path = dir.path().join(name);
        let service = SERVICES
            .iter()
            .find(|known| known.name == *service)
            .unwrap();
        for round in 0..rounds() {
            let bytes = if round == 0 {
                text.as_bytes().to_vec()
            } else {
                damaged(text.as_bytes(), &mut Dice::new(round))
            };
            fs::write(&path, &bytes).unwrap();
            let site = Site::new(
                conf::files::Files::below(dir.path()).unwrap(),
                vec![(service.name.to_owned(), Path::new("/").join(name))],
                crate::service::IDENTIFY,
            );
            let began = Instant::now();
            let configured = (service.read)(&site);
            assert!(
                began.elapsed() < Duration::from_secs(2),
                "{name} round {round} took {:?}",
                began.elapsed()
            );
            for target in &configured.targets {
                if let Sink::File(path) = &target.sink {
                    assert!(
                        path.is_absolute(),
                        "{name} round {round}: {}",
                        path.display()
                    );
                }
            }
            assert!(
                round > 0 || !configured.targets.is_empty(),
                "{name}: the corpus itself is read"
            );
        }
        fs::remove_file(&path).unwrap();
    }
}

#[test]
fn what_was_found_is_mended() {
    let dir = tempfile::tempdir().unwrap();
    for (service, name, text) in FOUND {
        let path = dir.path().join(name);
        fs::write(&path, text).unwrap();
        let service = SERVICES
            .iter()
            .find(|known| known.name == *service)
            .unwrap();
        let site = Site::new(
            conf::files::Files::below(dir.path()).unwrap(),
            vec![(service.name.to_owned(), Path::new("/").join(name))],
            crate::service::IDENTIFY,
        );
        let began = Instant::now();
        assert!(!(service.read)(&site).targets.is_empty());
        assert!(began.elapsed() < Duration::from_secs(2), "{name}: {text:?}");
        fs::remove_file(&path).unwrap();
    }
}

#[test]
fn damaged_rotations_are_read_or_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("rotate");
    let mut named_in = 0;
    for round in 0..rounds() * 4 {
        let bytes = if round == 0 {
            ROTATE.as_bytes().to_vec()
        } else {
            damaged(ROTATE.as_bytes(), &mut Dice::new(round))
        };
        fs::write(&path, &bytes).unwrap();
        let files = conf::files::Files::below(dir.path()).unwrap();
        let conf = vec![("logrotate".to_owned(), Path::new("/rotate").to_owned())];
        let site = Site::new(files, conf, crate::service::IDENTIFY);
        let began = Instant::now();
        let rotation = Rotation::read(&site);
        let fate = rotation.fate(&site.files, Path::new("/l/c"), None);
        assert!(
            began.elapsed() < Duration::from_secs(2),
            "round {round} took {:?}",
            began.elapsed()
        );
        let named = !matches!(fate, Fate::Unnamed);
        assert!(round > 0 || named, "the corpus itself is read");
        named_in += usize::from(named);
    }
    // Most damage is elsewhere: what stands after it is still read.
    assert!(named_in > 100, "{named_in}");
}
