//! `pg-ext-ensure`, the program.

fn main() -> std::process::ExitCode {
    base::tool::main::<pg_ext_ensure::PgExtEnsure>()
}
