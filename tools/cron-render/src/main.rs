//! cron-render: see the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    base::tool::main::<cron_render::CronRender>()
}
