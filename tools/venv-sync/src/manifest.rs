//! What a release knows of itself: which things of the user's were carried into it, and whether it
//! was prepared for a later apply.

use std::collections::BTreeMap;
use std::path::Path;

use base::atomic::{Access, Dir};
use base::error::Result;
use serde::{Deserialize, Serialize};

/// The file at the top of a release.
pub const FILE: &str = ".venv-sync.json";

/// The content of the file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// Files that were carried over: the path below the release, and the content's fingerprint.
    #[serde(default)]
    pub carried: BTreeMap<String, String>,
    /// For a release that is not live yet: what it was prepared for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prepared: Option<Prepared>,
}

/// What a release was prepared for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Prepared {
    /// A fingerprint of the files, of the options that shape the release, and of the environment as
    /// it was.
    pub key: String,
    /// The post-checks that passed.
    pub post_checks: Vec<String>,
}

impl Manifest {
    /// Reads a release's manifest; a release of version 0.1 and an adopted directory have none.
    pub fn read(release: &Path) -> Manifest {
        let bytes = pydist::files::read(&release.join(FILE), pydist::files::RECORD_LIMIT);
        bytes
            .ok()
            .and_then(|bytes| serde_json::from_slice(&bytes).ok())
            .unwrap_or_default()
    }

    /// Writes it.
    pub fn write(&self, release: &Dir) -> Result<()> {
        let json = serde_json::to_vec_pretty(self).unwrap_or_default();
        release.write(FILE, &json, Access::mode(0o644))
    }
}

/// What stands for the content of a file or link; `None` for anything else.
pub fn fingerprint(path: &Path) -> Option<String> {
    use sha2::{Digest, Sha256};
    use std::io::Read;
    let meta = path.symlink_metadata().ok()?;
    if meta.is_symlink() {
        let target = std::fs::read_link(path).ok()?;
        return Some(format!("link:{}", target.display()));
    }
    if !meta.is_file() {
        return None;
    }
    let (fd, _) = pydist::files::open_at(rustix::fs::CWD, path).ok()?;
    let mut file = std::fs::File::from(fd);
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 64 << 10];
    loop {
        match file.read(&mut buffer) {
            Ok(0) => break,
            Ok(count) => hasher.update(&buffer[..count]),
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(_) => return None,
        }
    }
    Some(hex(&hasher.finalize()))
}

/// Bytes in hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
