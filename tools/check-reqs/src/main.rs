//! The program `check-reqs`.

fn main() -> std::process::ExitCode {
    base::tool::main::<check_reqs::CheckReqs>()
}
