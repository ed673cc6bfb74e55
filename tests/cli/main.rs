//! Flags, reports and exit codes of each tool, run as a user runs it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod check_reqs;
mod cron_render;
mod log_paths;
mod maint_page;
mod pg_ext_ensure;
mod site;
mod svc_cycle;
mod venv_sync;
