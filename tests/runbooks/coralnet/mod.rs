//! CoralNet's runbook.
