//! log-paths.
