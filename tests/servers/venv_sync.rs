//! venv-sync.
