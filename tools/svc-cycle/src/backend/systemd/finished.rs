//! One-shots that ended well in this boot. systemd forgets an inactive unit that nothing refers to,
//! and with the unit the fact that the work was done, so svc-cycle keeps a note of each one-shot
//! that a run of svc-cycle started.

use base::Result;
use base::atomic::{Access, Dir};
use base::lock::{existing_state_directory, state_directory};

use crate::id::ServiceId;

fn name(id: &ServiceId) -> String {
    format!("svc-cycle.{}.finished", id.file_name())
}

fn boot() -> String {
    let text = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    text.trim().to_owned()
}

/// Failing that, the next start runs the one-shot once more.
pub fn remember(id: &ServiceId) {
    let write = || -> Result<()> {
        let directory = Dir::open(&state_directory()?)?;
        directory.write(name(id), boot().as_bytes(), Access::mode(0o600))
    };
    let _ = write();
}

pub fn forget(id: &ServiceId) {
    if let Ok(Some(path)) = existing_state_directory() {
        let _ = Dir::open(&path).and_then(|directory| directory.remove(name(id)));
    }
}

pub fn remembers(id: &ServiceId) -> bool {
    let read = || -> Result<Option<Vec<u8>>> {
        match existing_state_directory()? {
            Some(path) => Dir::open(&path)?.read(name(id), 100),
            None => Ok(None),
        }
    };
    let boot = boot();
    !boot.is_empty() && read().is_ok_and(|text| text.is_some_and(|text| text == boot.as_bytes()))
}
