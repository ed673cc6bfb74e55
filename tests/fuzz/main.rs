//! Programs and shared readers over a stable corpus: no panic, no hang. The readers inside of a
//! tool have the same in its fuzz.rs.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod cron_render;
mod maint_page;
mod pg_ext_ensure;
mod readers;
mod replay;
