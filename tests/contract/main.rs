//! What all seven tools keep: envelope, exit codes, common options.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
