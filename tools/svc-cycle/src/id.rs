//! What a service is, whatever a set calls it: the one identity in locks, journals, recovery and
//! reports.

use std::fmt;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The identity of a service. Two services with the same identity are the same service.
#[derive(
    Debug, Clone, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
pub struct ServiceId {
    /// Who runs the service.
    pub backend: String,
    /// What the backend calls the service: a whole unit name, GROUP:PROCESS, a canonical path.
    pub unit: String,
    /// The canonical path of the backend's configuration file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config: Option<PathBuf>,
    /// The service manager: system, or user:UID.
    pub manager: String,
    /// command: what tells several processes of one program apart.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub matching: Option<String>,
}

impl ServiceId {
    /// A service of the system that has no configuration file of its own.
    #[must_use]
    pub fn system(backend: &str, unit: impl Into<String>) -> Self {
        Self {
            backend: backend.to_owned(),
            unit: unit.into(),
            config: None,
            manager: "system".to_owned(),
            matching: None,
        }
    }

    /// A file name for this identity: readable, and different for different identities.
    #[must_use]
    pub fn file_name(&self) -> String {
        let readable: String = self
            .unit
            .chars()
            .map(|each| {
                if each.is_ascii_alphanumeric() || each == '-' {
                    each
                } else {
                    '_'
                }
            })
            .take(60)
            .collect();
        let config = self
            .config
            .as_deref()
            .map(|file| file.display().to_string());
        let whole = format!(
            "{}\0{}\0{}\0{}\0{}",
            self.backend,
            self.unit,
            config.unwrap_or_default(),
            self.manager,
            self.matching.as_deref().unwrap_or_default()
        );
        format!("{}.{readable}.{:016x}", self.backend, fnv(whole.as_bytes()))
    }
}

impl fmt::Display for ServiceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.backend, self.unit)
    }
}

/// FNV-1a: the same in every run, which a hasher of std does not promise.
fn fnv(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_reads_alike_has_another_file() {
        let a = ServiceId::system("systemd", "a_b.service");
        let b = ServiceId::system("systemd", "a-b.service");
        let c = ServiceId {
            manager: "user:1000".to_owned(),
            ..a.clone()
        };
        assert_ne!(a.file_name(), b.file_name());
        assert_ne!(a.file_name(), c.file_name());
        assert!(a.file_name().starts_with("systemd.a_b_service."));
    }
}
