//! maint-page against the web servers it prints configuration for.

mod apache;
mod caddy;
mod diagnosis;
mod nginx;
mod single_file;
mod site;
