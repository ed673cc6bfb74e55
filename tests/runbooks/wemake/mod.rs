//! wemake's runbook.
