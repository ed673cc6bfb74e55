//! `venv-sync`: see `venv_sync::cli`.

fn main() -> std::process::ExitCode {
    base::tool::main::<venv_sync::VenvSync>()
}
