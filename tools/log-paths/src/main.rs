//! The program `log-paths`.

fn main() -> std::process::ExitCode {
    base::tool::main::<log_paths::LogPaths>()
}
