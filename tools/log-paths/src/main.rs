//! Where a site logs, and whether each log is healthy.

fn main() -> std::process::ExitCode {
    base::tool::main::<log_paths::LogPaths>()
}
