//! The readers of pg-ext-ensure on random input: extensions as they are asked for, spec files, and
//! the plan for catalogs of any shape, circles of requirements among them.
//!
//! The corpus is made anew each time from the same numbers, so that a failure comes back.

mod plan;
mod want;

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// Whether the long forms are asked for: `make fuzz`.
fn full_sweep() -> bool {
    std::env::var_os("RUNBOOK_SWEEP").is_some_and(|value| value == "full")
}

struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % bound as u64).unwrap()
    }

    fn of<'a>(&mut self, list: &[&'a str]) -> &'a str {
        list[self.below(list.len())]
    }

    fn once_in(&mut self, many: usize) -> bool {
        self.below(many) == 0
    }

    fn text(&mut self, pieces: &[&str], most: usize) -> String {
        (0..self.below(most + 1)).map(|_| self.of(pieces)).collect()
    }
}

fn rounds(short: usize, long: usize) -> usize {
    if full_sweep() { long } else { short }
}

fn write(path: &Path, bytes: &[u8]) {
    // Made anew: ext4 waits for the disk where a file is emptied and written again.
    let _ = std::fs::remove_file(path);
    std::fs::write(path, bytes).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).unwrap();
}
