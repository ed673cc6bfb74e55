//! pg-ext-ensure.
