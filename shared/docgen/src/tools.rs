//! The one list of everything that is documented.

use base::cli::CommandLine;
use base::document::Document;
use base::envelope::Envelope;
use base::tool::Tool;
use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema};

/// A tool, as far as documents need it.
#[derive(Debug)]
pub struct Described {
    /// Its command line.
    pub line: &'static CommandLine,
    /// The schema of its whole report.
    pub schema: fn() -> Schema,
    /// The schema of its own part of it.
    pub body: fn() -> Schema,
    /// The files it reads.
    pub documents: fn() -> Vec<Document>,
}

const fn of<T: Tool>() -> Described {
    Described {
        line: T::COMMAND_LINE,
        schema: schema::<Envelope<'static, T::Body>>,
        body: schema::<T::Body>,
        documents: T::documents,
    }
}

/// Reports are written, not read: the schema says what will be there.
fn schema<T: JsonSchema>() -> Schema {
    SchemaSettings::draft2020_12()
        .for_serialize()
        .into_generator()
        .into_root_schema_for::<T>()
}

/// All of them, a line each.
#[rustfmt::skip]
pub const TOOLS: &[Described] = &[
    of::<check_reqs::CheckReqs>(),
    of::<pg_ext_ensure::PgExtEnsure>(),
    of::<venv_sync::VenvSync>(),
    of::<maint_page::MaintPage>(),
    of::<svc_cycle::SvcCycle>(),
    of::<cron_render::CronRender>(),
    of::<log_paths::LogPaths>(),
];
