//! venv-sync against real environments, real installers, and a real site.

mod drift;
mod readers;
mod verdicts;
