//! Say whether a virtual environment is exactly what its requirements files ask for.

pub mod compare;
pub mod findings;
pub mod observe;
pub mod requirements;
