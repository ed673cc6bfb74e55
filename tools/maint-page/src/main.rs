//! The program `maint-page`; the library has all of the code.

use std::process::ExitCode;

fn main() -> ExitCode {
    base::tool::main::<maint_page::MaintPage>()
}
