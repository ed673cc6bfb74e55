//! Real servers and real tools for the tests, each ended when it is dropped.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

pub mod supervisor;
