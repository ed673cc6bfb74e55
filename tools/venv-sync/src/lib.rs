//! Say whether a virtual environment is exactly what its requirements files ask for.

pub mod requirements;
