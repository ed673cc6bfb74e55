//! The reader of supervisord's answers, for the fuzzers of tests/.

/// Reads an answer; whether the bytes are one.
#[must_use]
pub fn answer(bytes: &[u8]) -> bool {
    crate::xmlrpc::decode(bytes).is_ok()
}
