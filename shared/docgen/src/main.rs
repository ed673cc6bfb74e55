//! `runbook-docgen [--check]`: writes, or compares, everything that is made from the tools'
//! definitions.

use std::process::ExitCode;

fn main() -> ExitCode {
    let check = std::env::args_os()
        .nth(1)
        .is_some_and(|word| word == "--check");
    let top = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    match runbook_docgen::run(&top, check) {
        Ok(report) => {
            base::tool::say(&report);
            ExitCode::SUCCESS
        }
        Err(error) => {
            base::tool::complain("runbook-docgen", &error);
            base::Exit::No.into()
        }
    }
}
