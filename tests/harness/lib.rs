//! placeholder
pub mod nginx;
