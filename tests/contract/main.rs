//! What all seven tools keep: envelope, exit codes, common options.
