//! maint-page against the web servers it prints configuration for.

mod apache;
mod caddy;
mod crowd;
mod diagnosis;
mod django;
mod looks;
mod nested;
mod nginx;
mod people;
mod png;
mod promises;
mod single_file;
mod site;
mod tls;
mod unchanged;
mod visitors;
