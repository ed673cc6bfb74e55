//! svc-cycle.
