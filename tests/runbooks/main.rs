//! The five sites' runbooks, run for real.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
