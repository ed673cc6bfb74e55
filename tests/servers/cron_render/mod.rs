//! cron-render against the real crontab(1), in crontabs of users who exist for one test only.

mod acceptance;
mod clock;
mod crontab;
mod peers;
mod races;
mod system;

use harness::{Tool, tool};

/// The schedule of Misago's guide.
pub const MISAGO: &str = "\
# this is example crontab configuration
15 0 * * * python manage.py prunecategories
25 0 * * * python manage.py buildactivepostersranking
25 0 * * * python manage.py clearattachments
";

/// `cron-render COMMAND -` with the template on standard input.
pub fn with(command: &str, template: &str) -> Tool {
    tool("cron-render").args([command, "-"]).input(template)
}
