//! venv-sync against real environments, real installers, and a real site.

mod drift;
mod files;
mod live;
mod owner;
mod readers;
mod sources;
mod verdicts;
