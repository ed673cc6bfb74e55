//! The README's recipes, run as written.
