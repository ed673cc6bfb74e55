//! venv-sync beside uv, pip and pip-sync, in one run: is this environment what its file asks for?
//! Then a rebuild, the memory, and how it grows to 1,000 distributions.
//!
//! The environment is made for this: 113 distributions with 22,900 files and METADATA of the usual
//! length, installed by uv. The programs take turns, and the median of their turns counts, so that
//! a busy machine is busy for all of them.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::exit
)]

use harness::test_venv;
use harness::venvs::Venvs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

const DISTRIBUTIONS: usize = 113;
const FILES_EACH: usize = 200;
const TURNS: usize = 21;

/// Makes many wheels: DIRECTORY COUNT FILES.
const MAKE_WHEELS: &str = r"
import base64, hashlib, random, sys, zipfile
directory, count, files = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
random.seed(1)
words = [''.join(random.choice('abcdefghijklmnopqrstuvwxyz') for _ in range(random.randint(2, 9))) for _ in range(2000)]
def text(size):
    out = []
    while size > 0:
        line = ' '.join(random.choice(words) for _ in range(10)) + '\n'
        out.append(line)
        size -= len(line)
    return ''.join(out)
pool = [text(int(random.lognormvariate(7.6, 1.1))).encode() for _ in range(300)]
digests = [base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b'=').decode() for data in pool]
description = text(9000)
for index in range(count):
    name = f'dist_{index:04}'
    info = f'{name}-1.{index % 7}.0.dist-info'
    requires = [f'Requires-Dist: dist-{other:04}>=1.0' for other in range(index + 1, min(index + 3, count))]
    requires += [f'Requires-Dist: tomli>=1.1; python_version < \'3.11\'', 'Requires-Dist: colorama; sys_platform == \'win32\'']
    requires += [f'Requires-Dist: extra-{extra}<9,>=1; extra == \'test\'' for extra in range(4)]
    metadata = f'Metadata-Version: 2.1\nName: {name}\nVersion: 1.{index % 7}.0\nRequires-Python: >=3.8\nProvides-Extra: test\n'
    metadata += ''.join(f'Classifier: Programming Language :: Python :: 3.{minor}\n' for minor in range(8, 14))
    metadata += '\n'.join(requires) + '\n\n' + description
    record = []
    with zipfile.ZipFile(f'{directory}/{name}-1.{index % 7}.0-py3-none-any.whl', 'w') as wheel:
        def add(path, data, digest):
            record.append(f'{path},sha256={digest},{len(data)}')
            wheel.writestr(path, data)
        for number in range(files):
            which = random.randrange(len(pool))
            add(f'{name}/part_{number // 20}/module_{number}.py', pool[which], digests[which])
        for path, data in [('METADATA', metadata), ('WHEEL', 'Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n')]:
            data = data.encode()
            add(f'{info}/{path}', data, base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b'=').decode())
        wheel.writestr(f'{info}/RECORD', '\n'.join(record + [f'{info}/RECORD,,']) + '\n')
";

/// Python's own hashlib over every file that RECORD lists.
const HASHLIB: &str = r"
import base64, hashlib, pathlib, sys
site = pathlib.Path(sys.argv[1])
bad = 0
for record in site.glob('*.dist-info/RECORD'):
    for line in record.read_text().splitlines():
        path, digest, _ = line.rsplit(',', 2)
        if digest:
            with open(site / path, 'rb') as file:
                found = base64.urlsafe_b64encode(hashlib.file_digest(file, 'sha256').digest()).rstrip(b'=').decode()
            bad += found != digest.split('=')[1]
sys.exit(bad != 0)
";

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["--floor", site] => floor(Path::new(site)),
        ["--lstat", list] => lstat(list),
        ["--memory", program, ..] => memory(program, &arguments[2..]),
        _ => bench(),
    }
}

/// The least that has to be done: every METADATA read once.
fn floor(site: &Path) {
    let mut buffer = vec![0; 1 << 20];
    for entry in std::fs::read_dir(site).unwrap().flatten() {
        if entry
            .file_name()
            .as_encoded_bytes()
            .ends_with(b".dist-info")
        {
            let mut file = std::fs::File::open(entry.path().join("METADATA")).unwrap();
            while std::io::Read::read(&mut file, &mut buffer).unwrap() > 0 {}
        }
    }
}

/// The least for sizes: every file looked at once.
fn lstat(list: &str) {
    let text = std::fs::read_to_string(list).unwrap();
    let total: u64 = text
        .lines()
        .map(|path| std::fs::symlink_metadata(path).unwrap().len())
        .sum();
    assert!(total > 0);
}

/// Runs a program and prints the most memory that it had, in KiB.
fn memory(program: &str, arguments: &[String]) {
    let _ = Command::new(program)
        .args(arguments)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .unwrap();
    let usage =
        nix::sys::resource::getrusage(nix::sys::resource::UsageWho::RUSAGE_CHILDREN).unwrap();
    println!("{}", usage.max_rss());
}

/// A program that takes part.
struct Runner<'a> {
    name: &'a str,
    argv: Vec<String>,
    times: Vec<Duration>,
}

fn runner<'a>(name: &'a str, argv: &[&str]) -> Runner<'a> {
    Runner {
        name,
        argv: argv.iter().map(|word| (*word).to_owned()).collect(),
        times: Vec::new(),
    }
}

impl Runner<'_> {
    fn turn(&mut self, venvs: &Venvs) {
        let mut command = venvs.command(&self.argv[0]);
        command
            .args(&self.argv[1..])
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        let began = Instant::now();
        let done = command.output().unwrap();
        self.times.push(began.elapsed());
        // pip-sync says 1 where it would change something, and it would: its own environment is
        // compared with an empty file.
        let is_good = done.status.success()
            || self.name.starts_with("pip-sync") && done.status.code() == Some(1);
        assert!(
            is_good,
            "{}: {}",
            self.name,
            String::from_utf8_lossy(&done.stderr)
        );
    }

    fn median(&self) -> Duration {
        let mut times = self.times.clone();
        times.sort_unstable();
        times[times.len() / 2]
    }
}

/// Everybody takes turns; the medians are printed and returned.
fn race(venvs: &Venvs, turns: usize, runners: &mut [Runner<'_>]) -> Vec<Duration> {
    for turn in 0..=turns {
        for runner in runners.iter_mut() {
            runner.turn(venvs);
            if turn == 0 {
                runner.times.clear();
            }
        }
    }
    for runner in runners.iter() {
        println!(
            "{:<44} {:>9.2} ms",
            runner.name,
            runner.median().as_secs_f64() * 1e3
        );
    }
    runners.iter().map(Runner::median).collect()
}

fn ratio(what: &str, one: f64, other: f64, most: f64) {
    let found = one / other;
    let verdict = if found <= most { "reached" } else { "MISSED" };
    println!("  {what:<56} {found:>7.3}x  at most {most}x: {verdict}");
}

fn between(what: &str, medians: &[Duration], one: usize, other: usize, most: f64) {
    ratio(
        what,
        medians[one].as_secs_f64(),
        medians[other].as_secs_f64(),
        most,
    );
}

/// An environment of so many distributions, managed by venv-sync, and the file that locks it.
fn environment(count: usize, files: usize) -> Venvs {
    let venvs = Venvs::new();
    let made = Command::new("/usr/bin/python3")
        .args(["-c", MAKE_WHEELS])
        .arg(venvs.wheelhouse())
        .args([count.to_string(), files.to_string()])
        .status();
    assert!(made.unwrap().success());
    let lock: String = (0..count)
        .map(|index| format!("dist-{index:04}==1.{}.0\n", index % 7))
        .collect();
    venvs.requirements(&lock);
    venvs.apply(&["--installer", "uv"]).run().expect_code(0);
    venvs
}

fn bench() {
    let venvs = environment(DISTRIBUTIONS, FILES_EACH);
    let text = |path: PathBuf| path.to_str().unwrap().to_owned();
    let own = text(std::env::current_exe().unwrap());
    let tool = text(harness::bin("venv-sync"));
    let (python, site) = (text(venvs.venv().join("bin/python")), text(venvs.site()));
    let peers = test_venv().join("bin");
    let peer = |name: &str| text(peers.join(name));
    println!(
        "{DISTRIBUTIONS} distributions, {} files; {TURNS} turns, medians",
        DISTRIBUTIONS * (FILES_EACH + 3)
    );

    println!("\nIs it what the file asks for?");
    let check = |depth: &'static str| {
        vec![
            tool.clone(),
            "check".into(),
            "venv".into(),
            "-r".into(),
            "requirements.txt".into(),
            "--verify".into(),
            depth.into(),
        ]
    };
    let named = |name, argv: Vec<String>| Runner {
        name,
        argv,
        times: Vec::new(),
    };
    let uv = peer("uv");
    let mut runners = [
        named("venv-sync check --verify none", check("none")),
        runner("the floor: every METADATA read", &[&own, "--floor", &site]),
        runner(
            "uv pip sync --check",
            &[
                &uv,
                "pip",
                "sync",
                "--check",
                "--python",
                &python,
                "--no-index",
                "--find-links",
                "wheels",
                "requirements.txt",
            ],
        ),
        runner("uv pip check", &[&uv, "pip", "check", "--python", &python]),
        runner(
            "venv-sync apply, nothing to do",
            &[
                &tool,
                "apply",
                "venv",
                "-r",
                "requirements.txt",
                "--verify",
                "none",
            ],
        ),
    ];
    let medians = race(&venvs, TURNS, &mut runners);
    let pip = peer("python");
    venvs.write("empty.txt", "");
    let slow = race(
        &venvs,
        3,
        &mut [
            runner(
                "pip check",
                &[&pip, "-m", "pip", "--python", &python, "check"],
            ),
            // pip-sync wants pip in the environment that it looks at, and uv makes none: so it
            // looks at its own, which is smaller.
            runner(
                "pip-sync --dry-run (of the test environment)",
                &[&peer("pip-sync"), "--dry-run", "--no-index", "empty.txt"],
            ),
        ],
    );
    between("check : uv pip sync --check", &medians, 0, 2, 0.12);
    ratio(
        "check : pip check",
        medians[0].as_secs_f64(),
        slow[0].as_secs_f64(),
        0.006,
    );
    between("check : the floor", &medians, 0, 1, 3.0);
    between("apply with nothing to do : check", &medians, 4, 0, 1.2);

    println!("\nAre the files what was installed?");
    let list: String = walk(&venvs.site())
        .iter()
        .map(|path| format!("{path}\n"))
        .collect();
    let list = text(venvs.write("files.txt", &list));
    let mut runners = [
        named("venv-sync check --verify size", check("size")),
        runner("lstat of every file", &[&own, "--lstat", &list]),
        named("venv-sync check --verify hash", check("hash")),
        runner(
            "Python's hashlib over every file",
            &["/usr/bin/python3", "-c", HASHLIB, &site],
        ),
    ];
    let medians = race(&venvs, TURNS / 3, &mut runners);
    between("--verify size : lstat", &medians, 0, 1, 1.1);
    between("--verify hash : hashlib", &medians, 2, 3, 0.35);

    println!("\nA whole rebuild");
    rebuild(&venvs, &tool, &uv);

    println!("\nMemory");
    let most = |argv: &[&str]| {
        let done = venvs
            .command(&own)
            .arg("--memory")
            .args(argv)
            .output()
            .unwrap();
        let kib: f64 = String::from_utf8_lossy(&done.stdout)
            .trim()
            .parse()
            .unwrap();
        println!(
            "{:<44} {:>9.1} MB",
            argv.iter()
                .take(3)
                .map(|word| word.rsplit('/').next().unwrap())
                .collect::<Vec<_>>()
                .join(" "),
            kib / 1024.0
        );
        kib
    };
    let ours = most(&[
        &tool,
        "check",
        "venv",
        "-r",
        "requirements.txt",
        "--verify",
        "size",
    ]);
    let uvs = most(&[
        &uv,
        "pip",
        "sync",
        "--check",
        "--python",
        &python,
        "--no-index",
        "--find-links",
        "wheels",
        "requirements.txt",
    ]);
    ratio("check : uv pip sync --check", ours, uvs, 0.3);

    println!("\nGrowth, --verify none");
    for (count, name) in [
        (125, "125 distributions"),
        (250, "250"),
        (500, "500"),
        (1000, "1,000"),
    ] {
        let venvs = environment(count, 5);
        race(&venvs, 9, &mut [named(name, check("none"))]);
    }
}

fn walk(dir: &Path) -> Vec<String> {
    let find = Command::new("find")
        .arg(dir)
        .args(["-type", "f"])
        .output()
        .unwrap();
    String::from_utf8_lossy(&find.stdout)
        .lines()
        .map(str::to_owned)
        .collect()
}

/// Each time from nothing: a new environment by venv-sync, and the two commands of uv that make
/// one.
fn rebuild(venvs: &Venvs, tool: &str, uv: &str) {
    let (mut ours, mut uvs) = (Vec::new(), Vec::new());
    for turn in 0..4 {
        let name = format!("new-{turn}");
        let began = Instant::now();
        let apply = [
            "apply",
            &name,
            "-r",
            "requirements.txt",
            "--wheelhouse",
            "wheels",
            "--installer",
            "uv",
            "--python",
            "/usr/bin/python3",
        ];
        assert!(
            venvs
                .command(tool)
                .args(apply)
                .stdout(Stdio::null())
                .status()
                .unwrap()
                .success()
        );
        ours.push(began.elapsed());
        let name = format!("peer-{turn}");
        let began = Instant::now();
        let quiet = |argv: &[&str]| {
            assert!(
                venvs
                    .command(uv)
                    .args(argv)
                    .stderr(Stdio::null())
                    .status()
                    .unwrap()
                    .success()
            );
        };
        quiet(&["venv", "--python", "/usr/bin/python3", &name]);
        let python = format!("{name}/bin/python");
        quiet(&[
            "pip",
            "sync",
            "--python",
            &python,
            "--link-mode",
            "copy",
            "--no-index",
            "--find-links",
            "wheels",
            "requirements.txt",
        ]);
        uvs.push(began.elapsed());
        for dir in [format!("new-{turn}.d"), name] {
            let _ = std::fs::remove_dir_all(venvs.path().join(dir));
        }
        let _ = std::fs::remove_file(venvs.path().join(format!("new-{turn}")));
    }
    ours.sort_unstable();
    uvs.sort_unstable();
    println!(
        "{:<44} {:>9.0} ms",
        "venv-sync apply",
        ours[1].as_secs_f64() * 1e3
    );
    println!(
        "{:<44} {:>9.0} ms",
        "uv venv + uv pip sync --link-mode copy",
        uvs[1].as_secs_f64() * 1e3
    );
    ratio(
        "apply : uv",
        ours[1].as_secs_f64(),
        uvs[1].as_secs_f64(),
        1.25,
    );
}
