//! svc-cycle.

use std::process::ExitCode;

fn main() -> ExitCode {
    base::tool::main::<svc_cycle::SvcCycle>()
}
