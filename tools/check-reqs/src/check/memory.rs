//! Free memory, as a new process would find it: the lesser of the kernel's MemAvailable and what
//! the control groups above this process leave (a container's limit is not the host's, and `free`
//! does not know it).

use crate::document::Fields;
use crate::finding::Finding;
use crate::fix::Fix;
use crate::kind::{Check, Type};
use crate::scene::Scene;
use crate::short::{self, Short};
use crate::size::{parse_size, size};
use base::Result;
use base::clock::Deadline;
use std::fs;
use std::path::{Path, PathBuf};

/// `type = "memory"`.
pub const TYPE: Type = Type {
    name: "memory",
    about: "free memory: the lesser of MemAvailable and the control group's headroom",
    keys: &[("free", "the least free memory, such as 128M")],
    short: Short {
        words: &["memory", "mem"],
        colon: true,
        forms: &["memory:SIZE"],
        example: "memory:128M",
        read: |_, rest| short::whole("free", rest),
    },
    read,
};

struct Memory {
    free: u64,
}

fn read(fields: &mut Fields<'_>) -> Result<Box<dyn Check>> {
    let free = fields.parsed("free", parse_size)?;
    let free = free.ok_or_else(|| {
        fields.error("type", "free is missing: how much memory, such as \"128M\"")
    })?;
    Ok(Box::new(Memory { free }))
}

impl Check for Memory {
    fn subject(&self) -> String {
        size(self.free)
    }

    fn expected(&self) -> String {
        format!("{} of free memory", size(self.free))
    }

    fn how(&self) -> String {
        "MemAvailable of /proc/meminfo, and memory.max or memory.high less memory.current of each control group above this process".into()
    }

    fn look(&self, _: &Scene, _: Deadline) -> Finding {
        let mut system = sysinfo::System::new();
        system.refresh_memory_specifics(sysinfo::MemoryRefreshKind::nothing().with_ram());
        let host = system.available_memory();
        if host == 0 {
            return Finding::unknown(
                "error",
                "/proc/meminfo does not say how much memory is available",
            );
        }
        let group = headroom();
        let (free, limit) = match &group {
            Some((left, path)) if *left < host => {
                (*left, format!("the control group {}", path.display()))
            }
            _ => (host, "the host".to_string()),
        };
        let evidence = match &group {
            Some((left, path)) => format!(
                "MemAvailable {}; control group {} leaves {}",
                size(host),
                path.display(),
                size(*left)
            ),
            None => format!("MemAvailable {}; no limit of a control group", size(host)),
        };
        if free >= self.free {
            return Finding::met(size(free), format!("{} of memory is free", size(free)))
                .evidence(evidence);
        }
        let text = format!(
            "free or add at least {} of memory; what takes most: ps -eo rss,pid,args --sort=-rss | head",
            size(self.free - free)
        );
        Finding::unmet(
            "too_little",
            format!("{limit} has only {} of memory free", size(free)),
        )
        .found(size(free))
        .evidence(evidence)
        .fix(Fix::advice(text))
    }
}

/// The smallest headroom of the control groups this process is in, and the group that has it.
fn headroom() -> Option<(u64, PathBuf)> {
    let groups = fs::read_to_string("/proc/self/cgroup").ok()?;
    let mut least: Option<(u64, PathBuf)> = None;
    for (root, group, v2) in controllers(&groups) {
        let mut dir = root.join(group.trim_start_matches('/'));
        // In a container the path may name a group that is not mounted here: its own top is what
        // is.
        while dir.starts_with(&root) {
            let left = if v2 { left_v2(&dir) } else { left_v1(&dir) };
            if let Some(left) =
                left.filter(|left| least.as_ref().is_none_or(|(least, _)| left < least))
            {
                least = Some((left, dir.clone()));
            }
            if !dir.pop() {
                break;
            }
        }
    }
    least
}

/// The memory controller's lines of `/proc/self/cgroup`: where it is mounted, the group, and
/// whether it is version 2.
fn controllers(text: &str) -> Vec<(PathBuf, String, bool)> {
    text.lines()
        .filter_map(|line| {
            let mut parts = line.splitn(3, ':');
            let (number, names, path) = (parts.next()?, parts.next()?, parts.next()?);
            if number == "0" && names.is_empty() {
                let root = ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"]
                    .iter()
                    .find(|root| Path::new(root).join("cgroup.controllers").exists());
                return root.map(|root| (PathBuf::from(root), path.to_string(), true));
            }
            names.split(',').any(|name| name == "memory").then(|| {
                (
                    PathBuf::from("/sys/fs/cgroup/memory"),
                    path.to_string(),
                    false,
                )
            })
        })
        .collect()
}

fn number(path: &Path) -> Option<u64> {
    fs::read_to_string(path).ok()?.trim().parse().ok()
}

/// Page cache that is given back on demand counts as free, as MemAvailable counts it.
fn reclaimable(dir: &Path, key: &str) -> u64 {
    let stat = fs::read_to_string(dir.join("memory.stat")).unwrap_or_default();
    stat.lines()
        .find_map(|line| line.strip_prefix(key)?.trim().parse().ok())
        .unwrap_or(0)
}

fn left_v2(dir: &Path) -> Option<u64> {
    // Above memory.high a group is throttled and reclaimed from: that is its limit in practice.
    let limits = ["memory.max", "memory.high"].map(|name| number(&dir.join(name)));
    let max = limits.into_iter().flatten().min()?;
    let used =
        number(&dir.join("memory.current"))?.saturating_sub(reclaimable(dir, "inactive_file "));
    Some(max.saturating_sub(used))
}

fn left_v1(dir: &Path) -> Option<u64> {
    // "No limit" is written as a number near 2^63.
    let max = number(&dir.join("memory.limit_in_bytes")).filter(|max| *max < 1 << 60)?;
    let used = number(&dir.join("memory.usage_in_bytes"))?
        .saturating_sub(reclaimable(dir, "total_inactive_file "));
    Some(max.saturating_sub(used))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_group_leaves_its_limit_less_what_cannot_be_given_back() {
        let dir = std::env::temp_dir().join(format!("check-reqs-cgroup-{}", std::process::id()));
        fs::create_dir_all(&dir).unwrap();
        fs::write(dir.join("memory.max"), "1000000\n").unwrap();
        fs::write(dir.join("memory.current"), "900000\n").unwrap();
        fs::write(dir.join("memory.stat"), "anon 1\ninactive_file 300000\n").unwrap();
        assert_eq!(left_v2(&dir), Some(400_000));
        fs::write(dir.join("memory.high"), "700000\n").unwrap();
        assert_eq!(left_v2(&dir), Some(100_000));
        fs::write(dir.join("memory.max"), "max\n").unwrap();
        fs::write(dir.join("memory.high"), "max\n").unwrap();
        assert_eq!(left_v2(&dir), None);
        fs::write(dir.join("memory.limit_in_bytes"), "9223372036854771712\n").unwrap();
        assert_eq!(left_v1(&dir), None);
        fs::remove_dir_all(&dir).unwrap();
    }

    #[test]
    fn version_one_and_version_two_lines() {
        let lines = controllers("5:cpu,memory:/a/b\n1:name=systemd:/x\n");
        assert_eq!(
            lines,
            [(
                PathBuf::from("/sys/fs/cgroup/memory"),
                "/a/b".to_string(),
                false
            )]
        );
    }
}
