//! cron-render.
