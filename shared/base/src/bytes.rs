//! Names are bytes. JSON is text. A name that is not UTF-8 is given twice: lossily, to be read, and
//! exactly, in base64.

use base64::Engine as _;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

/// The name as text, with U+FFFD for what is not UTF-8.
pub fn lossy(name: &OsStr) -> String {
    // Nearly every name is text, and telling so at once is several times faster than going through
    // it chunk by chunk.
    match name.to_str() {
        Some(text) => text.to_owned(),
        None => String::from_utf8_lossy(name.as_bytes()).into_owned(),
    }
}

/// The exact bytes in base64 (RFC 4648, padded), where [`lossy`] had to change something; else
/// `None`.
pub fn exact(name: &OsStr) -> Option<String> {
    exact_bytes(name.as_bytes())
}

/// As [`exact`], of any bytes.
pub fn exact_bytes(bytes: &[u8]) -> Option<String> {
    match std::str::from_utf8(bytes) {
        Ok(_) => None,
        Err(_) => Some(base64::engine::general_purpose::STANDARD.encode(bytes)),
    }
}
