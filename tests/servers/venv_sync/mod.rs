//! venv-sync against real environments, real installers, and a real site.

mod drift;
mod files;
mod inputs;
mod kept;
mod live;
mod owner;
mod readers;
mod renewed;
mod sources;
mod verdicts;
