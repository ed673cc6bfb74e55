//! The program; everything is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    base::tool::main::<maint_page::MaintPage>()
}
