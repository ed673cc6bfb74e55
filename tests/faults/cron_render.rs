//! cron-render killed at each step of install and remove, and with each step failing.
//!
//! Whatever happens, the crontab is the old one or the new one, whole; nothing is called a success
//! that is none; and the next run brings it about.

use harness::{Person, bin, full_sweep, need};
use std::collections::BTreeMap;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};

const MINE: &[u8] = b"# mine \t \nA=b\n\n5 5 * * *\techo \xff \\r\n";
const TEMPLATE: &str = "15 0 * * * /bin/true a\n25 0 * * * /bin/true b\n";

/// What changes something, or waits for somebody who does; the rest only with `RUNBOOK_SWEEP=full`.
const STEPS: [&str; 13] = [
    "write",
    "fsync",
    "renameat2",
    "unlinkat",
    "fchmod",
    "fchown",
    "ftruncate",
    "flock",
    "clone",
    "wait4",
    "openat",
    "read",
    "utimensat",
];

/// What to inject: strace's words after the syscall's name.
const FAILURES: [&str; 4] = ["error=EIO", "error=ENOSPC", "error=EINTR", "error=EACCES"];

/// Calls whose failure says nothing of us: without memory or a first look at its descriptors the
/// loader and the runtime end the process before `main`; and a close that strace leaves out keeps a
/// pipe open, which Linux never does, whatever it returns.
const UNREAL: [&str; 12] = [
    "brk",
    "mmap",
    "mprotect",
    "munmap",
    "close",
    "poll",
    "sigaltstack",
    "rt_sigaction",
    "rt_sigprocmask",
    "arch_prctl",
    "set_tid_address",
    "rseq",
];

/// Where the schedule is.
#[derive(Clone, Copy)]
enum Place {
    Crontab,
    CronD,
}

struct Site {
    person: Person,
    place: Place,
    template: tempfile::NamedTempFile,
}

impl Site {
    fn new(place: Place) -> Option<Site> {
        let person = Person::new()?;
        let template = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(template.path(), TEMPLATE).unwrap();
        Some(Site {
            person,
            place,
            template,
        })
    }

    fn words(&self, verb: &str) -> Vec<String> {
        let mut words = vec![verb.to_string()];
        if verb == "install" {
            words.push(self.template.path().display().to_string());
        }
        let format = match self.place {
            Place::Crontab => "crontab",
            Place::CronD => "cron.d",
        };
        words.extend(
            [
                "--name",
                &self.person.name,
                "--user",
                &self.person.name,
                "--format",
                format,
                "--lock-wait",
                "20s",
            ]
            .map(str::to_string),
        );
        words
    }

    fn run(&self, verb: &str) -> i32 {
        let done = Command::new(bin("cron-render"))
            .args(self.words(verb))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .unwrap();
        done.code().unwrap()
    }

    /// Under strace, with one step tampered with; the exit code, 128+N for a signal.
    fn tampered(&self, verb: &str, children: bool, step: &str, what: &str, when: usize) -> i32 {
        use std::os::unix::process::ExitStatusExt;
        let mut strace = Command::new("strace");
        if children {
            strace.arg("-f");
        }
        strace.args([
            "-qq",
            "-o",
            "/dev/null",
            "-e",
            &format!("trace={step}"),
            "-e",
            &format!("inject={step}:{what}:when={when}"),
        ]);
        let done = strace
            .arg(bin("cron-render"))
            .args(self.words(verb))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .unwrap();
        done.code().unwrap_or_else(|| 128 + done.signal().unwrap())
    }

    fn now(&self) -> Option<Vec<u8>> {
        match self.place {
            Place::Crontab => self.person.crontab(),
            Place::CronD => std::fs::read(self.file()).ok(),
        }
    }

    fn file(&self) -> String {
        format!("/etc/cron.d/{}", self.person.name)
    }

    fn reset(&self, to: &Option<Vec<u8>>) {
        if self.now() == *to {
            return;
        }
        match (self.place, to) {
            (Place::Crontab, Some(bytes)) => self.person.set(bytes),
            (Place::Crontab, None) => assert!(
                Command::new("crontab")
                    .args(["-u", &self.person.name, "-r"])
                    .status()
                    .unwrap()
                    .success()
            ),
            (Place::CronD, Some(bytes)) => std::fs::write(self.file(), bytes).unwrap(),
            (Place::CronD, None) => std::fs::remove_file(self.file()).unwrap(),
        }
    }

    /// How often an untouched run makes each call.
    fn calls(&self, verb: &str, children: bool) -> BTreeMap<String, usize> {
        let mut strace = Command::new("strace");
        if children {
            strace.arg("-f");
        }
        let log = tempfile::NamedTempFile::new().unwrap();
        strace
            .args(["-qq", "-o"])
            .arg(log.path())
            .arg(bin("cron-render"))
            .args(self.words(verb));
        strace
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .unwrap();
        let mut of: BTreeMap<(String, String), usize> = BTreeMap::new();
        for line in std::fs::read_to_string(log.path()).unwrap().lines() {
            let (pid, call) = if children {
                line.split_once(' ').unwrap()
            } else {
                ("", line)
            };
            let name: String = call
                .trim_start()
                .chars()
                .take_while(|c| c.is_ascii_alphanumeric() || *c == '_')
                .collect();
            if call.contains('(') && !name.is_empty() {
                *of.entry((pid.to_string(), name)).or_default() += 1;
            }
        }
        // strace counts each process by itself.
        let mut most = BTreeMap::new();
        for ((_, name), count) in of {
            let entry = most.entry(name).or_insert(0);
            *entry = count.max(*entry);
        }
        most
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(self.file());

        for file in std::fs::read_dir("/var/backups/runbook-tools")
            .into_iter()
            .flatten()
            .flatten()
        {
            if file
                .file_name()
                .to_string_lossy()
                .starts_with(&format!("cron.d-{}.", self.person.name))
            {
                let _ = std::fs::remove_file(file.path());
            }
        }
    }
}

/// Tampers with every call of `verb` in turn, from the state `before`, and holds what comes of it
/// against what has to.
fn sweep(
    place: Place,
    verb: &'static str,
    children: bool,
    what: &[&str],
    before: Option<Vec<u8>>,
    after: Option<Vec<u8>>,
) {
    let Some(first) = Site::new(place) else {
        return;
    };
    let name = first.person.name.clone();
    let named = |bytes: &Option<Vec<u8>>, name: &str| {
        bytes.as_ref().map(|b| {
            // Non-UTF-8 bytes are in it: replaced bytewise.
            let mut out = Vec::new();
            let mut rest = &b[..];
            while let Some(at) = rest.windows(4).position(|w| w == b"NAME") {
                out.extend_from_slice(&rest[..at]);
                out.extend_from_slice(name.as_bytes());
                rest = &rest[at + 4..];
            }
            out.extend_from_slice(rest);
            out
        })
    };
    first.reset(&named(&before, &name));
    let calls = first.calls(verb, children);
    first.reset(&named(&before, &name));
    let mut points = Vec::new();
    for (step, count) in calls {
        let matters = STEPS.contains(&step.as_str())
            || matches!(step.as_str(), "rename" | "unlink" | "chown" | "fchmodat");
        let unreal = UNREAL.contains(&step.as_str()) && !what.contains(&"signal=KILL");
        let never = unreal
            || [
                "execve",
                "exit_group",
                "exit",
                "rt_sigreturn",
                "futex",
                "vfork",
            ]
            .contains(&step.as_str());
        // Most opens and reads are the loader's and the libraries'; the short form takes one in
        // five of them, and of no call more than about twenty-four points, spread over the run.
        let stride = match (full_sweep(), step.as_str()) {
            (true, _) => 1,
            (false, "openat" | "read") => (count / 24).max(5),
            (false, _) => (count / 24).max(1),
        };
        if !never && (matters || full_sweep()) {
            for when in (1..=count).step_by(stride) {
                points.extend(
                    what.iter()
                        .map(|what| (step.clone(), when, (*what).to_string())),
                );
            }
        }
    }
    assert!(points.len() > 10, "{points:?}");
    drop(first);
    let next = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                let site = Site::new(place).unwrap();
                let (before, after) = (
                    named(&before, &site.person.name),
                    named(&after, &site.person.name),
                );
                while let Some((step, when, what)) =
                    points.get(next.fetch_add(1, Ordering::Relaxed))
                {
                    site.reset(&before);
                    let point = format!(
                        "{verb}: {what} at {step} number {when}{}",
                        if children { ", children too" } else { "" }
                    );
                    let code = site.tampered(verb, children, step, what, *when);
                    let now = site.now();
                    assert!(
                        now == before || now == after,
                        "{point}: {:?}",
                        now.map(|n| String::from_utf8_lossy(&n).into_owned())
                    );
                    assert!(code != 0 || now == after, "{point}: called a success");
                    assert!(
                        [0, 2, 3, 75, 127, 137].contains(&code),
                        "{point}: exit status {code}"
                    );
                    assert!(converges(&site, verb), "{point}: the next run");
                    assert!(site.now() == after, "{point}: the next run brings it about");
                }
            });
        }
    });
    sweep_spool();
}

/// Whether the next run succeeds. A crontab(1) that the killed run had started goes on without it,
/// and what it installs just then stops the next run once: that is a change in between.
fn converges(site: &Site, verb: &str) -> bool {
    (0..3).any(|_| site.run(verb) == 0)
}

/// A crontab(1) that is killed leaves its temporary file in the spool, which nobody ever reads.
fn sweep_spool() {
    for file in std::fs::read_dir("/var/spool/cron/crontabs")
        .into_iter()
        .flatten()
        .flatten()
    {
        let old = file
            .metadata()
            .and_then(|m| m.modified())
            .is_ok_and(|t| t.elapsed().is_ok_and(|e| e.as_secs() > 5));
        if old && file.file_name().to_string_lossy().starts_with("tmp.") {
            let _ = std::fs::remove_file(file.path());
        }
    }
}

fn block() -> Vec<u8> {
    cron_render_block(TEMPLATE)
}

/// The block as it has to be, made here a second time.
fn cron_render_block(body: &str) -> Vec<u8> {
    let done = Command::new("sha256sum")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .map(|mut child| {
            std::io::Write::write_all(&mut child.stdin.take().unwrap(), body.as_bytes()).unwrap();
            child.wait_with_output().unwrap()
        });
    let hash = String::from_utf8(done.unwrap().stdout).unwrap();
    format!(
        "# BEGIN cron-render NAME sha256={}\n{body}# END cron-render NAME\n",
        &hash[..64]
    )
    .into_bytes()
}

fn with_block() -> Option<Vec<u8>> {
    Some([MINE, &block()].concat())
}

fn ready() -> bool {
    need("strace").is_some()
}

#[test]
fn install_killed_anywhere() {
    if ready() {
        sweep(
            Place::Crontab,
            "install",
            false,
            &["signal=KILL"],
            Some(MINE.to_vec()),
            with_block(),
        );
    }
}

#[test]
fn install_killed_anywhere_with_its_children() {
    if ready() {
        sweep(
            Place::Crontab,
            "install",
            true,
            &["signal=KILL"],
            Some(MINE.to_vec()),
            with_block(),
        );
    }
}

#[test]
fn install_with_each_step_failing() {
    if ready() {
        let what: &[&str] = if full_sweep() {
            &FAILURES
        } else {
            &FAILURES[..1]
        };
        sweep(
            Place::Crontab,
            "install",
            false,
            what,
            Some(MINE.to_vec()),
            with_block(),
        );
    }
}

#[test]
fn remove_killed_anywhere() {
    if ready() {
        sweep(
            Place::Crontab,
            "remove",
            false,
            &["signal=KILL"],
            with_block(),
            Some(MINE.to_vec()),
        );
    }
}

#[test]
fn remove_of_all_there_is_killed_anywhere() {
    if ready() {
        sweep(
            Place::Crontab,
            "remove",
            false,
            &["signal=KILL"],
            Some(block()),
            None,
        );
    }
}

#[test]
fn cron_d_killed_and_failing_anywhere() {
    if ready() {
        let body = "15 0 * * * NAME /bin/true a\n25 0 * * * NAME /bin/true b\n";
        // The hash is of the lines with the user's name in them, so the block is read off a first
        // run.
        let Some(site) = Site::new(Place::CronD) else {
            return;
        };
        assert_eq!(site.run("install"), 0);
        let text = String::from_utf8(site.now().unwrap()).unwrap();
        assert!(text.contains(&body.replace("NAME", &site.person.name)));
        drop(site);
        cron_d(&["signal=KILL", "error=EIO", "error=ENOSPC"]);
    }
}

fn cron_d(what: &[&str]) {
    let site = Site::new(Place::CronD).unwrap();
    let calls = site.calls("install", false);
    let after = site.now();
    for (step, count) in calls
        .into_iter()
        .filter(|(s, _)| STEPS.contains(&s.as_str()) && s != "read" && s != "openat")
    {
        for when in 1..=count {
            for what in what {
                site.reset(&None);
                let code = site.tampered("install", false, &step, what, when);
                let now = site.now();
                let point = format!("{what} at {step} number {when}");
                assert!(now.is_none() || now == after, "{point}: a torn file");
                assert!(code != 0 || now == after, "{point}: called a success");
                assert_eq!(site.run("install"), 0, "{point}: the next run");
                assert!(site.now() == after, "{point}");
                let stray = std::fs::read_dir("/etc/cron.d")
                    .unwrap()
                    .flatten()
                    .any(|e| e.file_name().to_string_lossy().starts_with(".rbt-"));
                assert!(!stray || now.is_some(), "{point}: a temporary file stays");
            }
        }
    }
}
