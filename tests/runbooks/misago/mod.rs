//! Misago's runbook.
