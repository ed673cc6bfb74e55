//! The five sites' runbooks, run for real.
