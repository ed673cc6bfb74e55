//! Running processes by name, as an administrator would name them: `uwsgi`, `cron`, `gunicorn`.

use std::fs;
use std::path::Path;

/// A running process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Process {
    /// Its number.
    pub pid: i32,
}

/// The processes of a name: the kernel's (15 bytes at most), the executable's, or the first argument's.
pub fn named(name: &str) -> Vec<Process> {
    let mut found: Vec<Process> = pids()
        .into_iter()
        .filter(|pid| is_named(*pid, name))
        .map(|pid| Process { pid })
        .collect();
    found.sort_by_key(|process| process.pid);
    found
}

/// The process of a number, if it runs.
pub fn of_pid(pid: i32) -> Option<Process> {
    let stat = proc::Stat::of(pid).ok()?;
    (!stat.is_dead()).then_some(Process { pid })
}

fn pids() -> Vec<i32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .collect()
}

fn is_named(pid: i32, name: &str) -> bool {
    let Ok(comm) = fs::read_to_string(format!("/proc/{pid}/comm")) else {
        return false;
    };
    let same_comm = comm.trim_end().as_bytes() == &name.as_bytes()[..name.len().min(15)];
    let same = same_comm || {
        let base = |path: &Path| path.file_name().is_some_and(|file| file == name);
        proc::executable(pid).is_some_and(|exe| base(&exe))
            || proc::arguments(pid)
                .is_ok_and(|args| args.first().is_some_and(|arg| base(Path::new(arg))))
    };
    same && of_pid(pid).is_some()
}
