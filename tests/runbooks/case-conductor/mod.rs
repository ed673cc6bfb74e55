//! Case Conductor's runbook.
