//! maint-page killed or failed at each system call: what visitors see is the old page or the new
//! one, whole, and the next call mends the rest. The short form goes through the calls that change
//! something; RUNBOOK_SWEEP=full through every one.

mod power;

use harness::{TempDir, Tool, bin, full_sweep, need, scratch, tool};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// What changes the disk, and what comes right before it.
const CHANGING: [&str; 14] = [
    "mkdirat",
    "flock",
    "ftruncate",
    "write",
    "fchmod",
    "fchown",
    "fsync",
    "renameat2",
    "renameat",
    "rename",
    "unlinkat",
    "unlink",
    "getrandom",
    "umask",
];

/// What can fail for reasons of the disk's or the directory's; an error elsewhere (of mmap, say) is
/// one of the machine's.
const FAILING: [&str; 11] = [
    "openat",
    "read",
    "newfstatat",
    "statx",
    "fstat",
    "getdents64",
    "close",
    "lseek",
    "fcntl",
    "readlink",
    "statfs",
];

/// A layout in which one command is to be hurt.
struct Ward {
    top: TempDir,
    single: bool,
}

impl Ward {
    fn new(single: bool) -> Ward {
        Ward {
            top: scratch(),
            single,
        }
    }

    fn place(&self) -> [String; 2] {
        match self.single {
            true => ["--page".to_owned(), self.flag().display().to_string()],
            false => [
                "--dir".to_owned(),
                self.top.path().join("m").display().to_string(),
            ],
        }
    }

    fn flag(&self) -> PathBuf {
        self.top.path().join(if self.single {
            "maintenance.html"
        } else {
            "m/on"
        })
    }

    fn state(&self) -> PathBuf {
        self.top.path().join(if self.single {
            ".maintenance.html.maint-page"
        } else {
            "m"
        })
    }

    fn tool(&self, command: &str) -> Tool {
        tool("maint-page")
            .arg(command)
            .args(self.place())
            .env("TZ", "UTC")
    }

    /// The command under strace, with its trace in a file or a fault injected.
    fn traced(&self, strace: &[&str], args: &[&str]) -> Output {
        let mut command = Command::new(need("strace").expect("strace"));
        command
            .args(["-f", "-qq"])
            .args(strace)
            .arg(bin("maint-page"))
            .args(&args[..1])
            .args(self.place())
            .args(&args[1..]);
        command
            .env("TZ", "UTC")
            .env_remove("SUDO_USER")
            .output()
            .unwrap()
    }

    /// How often the command makes each call.
    fn calls(&self, args: &[&str], inject: &str) -> BTreeMap<String, usize> {
        let trace = self.top.path().join("trace");
        let done = self.traced(&["-o", &trace.display().to_string()], args);
        assert!(done.status.success(), "{done:?}");
        let mut counted = BTreeMap::new();
        for line in fs::read_to_string(&trace).unwrap().lines() {
            let call = line
                .split_whitespace()
                .nth(1)
                .and_then(|rest| rest.split_once('('))
                .map(|(name, _)| name.to_owned());
            if let Some(call) =
                call.filter(|name| !matches!(name.as_str(), "execve" | "exit_group"))
            {
                *counted.entry(call).or_default() += 1;
            }
        }
        fs::remove_file(trace).unwrap();
        let every = inject.starts_with("signal=");
        counted.retain(|name, _| {
            CHANGING.contains(&name.as_str())
                || full_sweep() && (every || FAILING.contains(&name.as_str()))
        });
        counted
    }

    /// What visitors and the site's code would meet this moment is whole.
    fn is_whole(&self, at: &str) {
        if self.flag().exists() {
            let flag = fs::read_to_string(self.flag()).unwrap();
            if self.single {
                assert!(whole(&flag), "{at}: the page is not whole");
            } else {
                assert_eq!(flag, "maint-page 1\n", "{at}: the flag");
                assert!(
                    whole(&fs::read_to_string(self.state().join("page/page.html")).unwrap()),
                    "{at}: the flag is up and the page is not whole"
                );
                let json = fs::read_to_string(self.state().join("page/page.json")).unwrap();
                serde_json::from_str::<Value>(&json)
                    .unwrap_or_else(|e| panic!("{at}: page.json: {e}"));
            }
        }
        let notice = self.flag().with_file_name("maintenance.json");
        if notice.exists() {
            let text = fs::read_to_string(&notice).unwrap();
            serde_json::from_str::<Value>(&text)
                .unwrap_or_else(|e| panic!("{at}: maintenance.json: {e}: {text:?}"));
        }
    }

    /// Nothing of a killed run lies about, here or below.
    fn is_clean(&self, at: &str) {
        let mut dirs = vec![self.top.path().to_path_buf()];
        while let Some(dir) = dirs.pop() {
            for entry in fs::read_dir(dir).unwrap() {
                let path = entry.unwrap().path();
                assert!(
                    !path
                        .file_name()
                        .unwrap()
                        .to_string_lossy()
                        .starts_with(".rbt-"),
                    "{at}: {} was left",
                    path.display()
                );
                if path.is_dir() {
                    dirs.push(path);
                }
            }
        }
    }
}

fn whole(page: &str) -> bool {
    page.starts_with("<!doctype html>")
        && page.trim_end().ends_with("-->")
        && page.contains("<!-- maint-page 1 ")
}

/// One command to be hurt, from one state to another.
struct Change {
    name: &'static str,
    /// Brings the ward into the state before.
    before: &'static [&'static [&'static str]],
    args: &'static [&'static str],
    /// What `status` is asked afterwards.
    side: &'static str,
}

const CHANGES: [Change; 4] = [
    Change {
        name: "the first on",
        before: &[],
        args: &["on", "--id", "mine", "--for", "1h"],
        side: "--on",
    },
    Change {
        name: "another message",
        before: &[&["on", "--id", "mine"]],
        args: &["on", "--id", "mine", "--message", "Otherwise."],
        side: "--on",
    },
    Change {
        name: "off",
        before: &[&["on", "--id", "mine"]],
        args: &["off", "--id", "mine"],
        side: "--off",
    },
    Change {
        name: "off beside another",
        before: &[&["on", "--id", "mine"], &["on", "--id", "other"]],
        args: &["off", "--id", "mine"],
        side: "--on",
    },
];

/// Hurts every call of every change and looks at what is left.
fn sweep(single: bool, inject: &str, judge: &dyn Fn(&Ward, &Change, &Output, &str)) {
    sweep_of(&CHANGES, single, inject, judge);
}

fn sweep_of(
    changes: &[Change],
    single: bool,
    inject: &str,
    judge: &dyn Fn(&Ward, &Change, &Output, &str),
) {
    for change in changes {
        let prepared = |change: &Change| {
            let ward = Ward::new(single);
            for args in change.before {
                ward.tool(args[0]).args(&args[1..]).run().expect_code(0);
            }
            ward
        };
        let calls = prepared(change).calls(change.args, inject);
        assert!(
            calls.values().sum::<usize>() > 5,
            "{}: too few calls were seen: {calls:?}",
            change.name
        );
        for (call, times) in calls {
            for n in 1..=times {
                let at = format!("{}, {inject} at {call} {n} of {times}", change.name);
                let ward = prepared(change);
                let fault = format!("inject={call}:{inject}:when={n}");
                let done = ward.traced(
                    &[
                        "-o",
                        "/dev/null",
                        "-e",
                        &format!("trace={call}"),
                        "-e",
                        &fault,
                    ],
                    change.args,
                );
                ward.is_whole(&at);
                judge(&ward, change, &done, &at);
                // The next call mends it.
                ward.tool(change.args[0])
                    .args(&change.args[1..])
                    .run()
                    .expect_code(0);
                ward.tool("status").arg(change.side).run().expect_code(0);
                ward.is_whole(&at);
                ward.is_clean(&at);
            }
        }
    }
}

#[test]
fn killed_at_each_call_the_old_or_the_new_page_is_there_and_the_next_call_mends() {
    sweep(false, "signal=KILL", &|ward, change, _, at| {
        // Whatever was asked, every other command still works on what is left.
        let status = ward.tool("status").run();
        assert!([0, 1].contains(&status.code()), "{at}: {status:?}");
        let _ = change;
    });
}

#[test]
fn killed_at_each_call_in_single_file_mode() {
    sweep(true, "signal=KILL", &|_, _, _, _| ());
}

/// A success that is reported is one.
fn honest(ward: &Ward, change: &Change, done: &Output, at: &str) {
    if done.status.code() == Some(127)
        && String::from_utf8_lossy(&done.stderr).contains("loading shared libraries")
    {
        return;
    }
    if done.status.success() {
        assert_eq!(
            ward.tool("status").arg(change.side).run().code(),
            0,
            "{at}: a success that is none"
        );
    } else {
        assert!(matches!(done.status.code(), Some(3 | 75)), "{at}: {done:?}");
        assert!(!done.stderr.is_empty(), "{at}: it failed and said nothing");
    }
}

#[test]
fn a_full_disk_at_each_call_is_an_honest_failure() {
    sweep(false, "error=ENOSPC", &honest);
}

#[test]
fn a_disk_error_at_each_call_is_an_honest_failure() {
    sweep(false, "error=EIO", &honest);
}

#[test]
fn permission_denied_and_interruptions_are_survived() {
    // The short form hurts another change with each error.
    let kinds = [
        (false, "error=EACCES"),
        (false, "error=EINTR"),
        (true, "error=ENOSPC"),
        (true, "error=EIO"),
    ];
    for (n, (single, inject)) in kinds.into_iter().enumerate() {
        let changes = if full_sweep() {
            &CHANGES[..]
        } else {
            &CHANGES[n..=n]
        };
        sweep_of(changes, single, inject, &honest);
    }
}

#[test]
fn a_file_size_limit_keeps_the_old_page_whole() {
    let ward = Ward::new(false);
    ward.tool("on").run().expect_code(0);
    let page = fs::read(ward.state().join("page/page.html")).unwrap();
    let line = format!(
        "ulimit -f 1; exec {} on --dir {} --message {}",
        bin("maint-page").display(),
        ward.state().display(),
        "x".repeat(3000)
    );
    let done = Command::new("sh").args(["-c", &line]).output().unwrap();
    assert_eq!(done.status.code(), Some(3), "{done:?}");
    assert_eq!(fs::read(ward.state().join("page/page.html")).unwrap(), page);
    ward.is_clean("a file size limit");
    ward.tool("off").run().expect_code(0);
}

/// The directory is exchanged for a link at each moment of a run: nothing is ever written through
/// it.
#[test]
fn a_directory_swapped_for_a_link_leads_nowhere() {
    let ward = Ward::new(false);
    let (state, away) = (ward.state(), ward.top.path().join("away"));
    let target = ward.top.path().join("target");
    fs::create_dir_all(target.join("page")).unwrap();
    fs::create_dir_all(target.join("holds")).unwrap();
    for round in 0..30 {
        let _ = fs::remove_dir_all(&state);
        let mut on = ward.tool("on");
        let mut child = on
            .command()
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(std::time::Duration::from_micros(300 * round));
        if fs::rename(&state, &away).is_ok() {
            let _ = std::os::unix::fs::symlink(&target, &state);
        }
        child.wait().unwrap();
        assert_eq!(
            files(&target),
            Vec::<PathBuf>::new(),
            "round {round}: something was written through the link"
        );
        let _ = fs::remove_file(&state);
        let _ = fs::remove_dir_all(&away);
    }
}

fn files(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.push(path);
        }
    }
    found
}
