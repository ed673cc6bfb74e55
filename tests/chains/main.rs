//! The README's recipes, run as written.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
