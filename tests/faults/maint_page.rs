//! maint-page.
