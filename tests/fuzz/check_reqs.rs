//! check-reqs.
