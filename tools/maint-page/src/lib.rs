//! Put a site behind an honest maintenance page, and take it away again.
mod change;
mod hold;
mod notice;
mod page;
mod plain;
mod snippet;
mod standing;
mod when;
