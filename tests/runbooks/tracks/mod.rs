//! Tracks's runbook.
