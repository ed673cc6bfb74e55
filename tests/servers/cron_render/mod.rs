//! cron-render against the real crontab(1), in crontabs of users who exist for one test only.

mod acceptance;
mod activation;
mod attempt;
mod clock;
mod crons;
mod crontab;
mod daemons;
mod foreign;
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

/// A site in the home directory of a person, so that its jobs could run; its path.
pub fn site_of(person: &harness::Person) -> String {
    use std::os::unix::fs::{PermissionsExt, symlink};
    let dir = person.home.join("forum");
    if !dir.exists() {
        std::fs::create_dir_all(dir.join("venv/bin")).unwrap();
        symlink("/bin/true", dir.join("venv/bin/python")).unwrap();
        std::fs::write(dir.join("manage.py"), "").unwrap();
        std::fs::set_permissions(&dir, std::fs::Permissions::from_mode(0o755)).unwrap();
    }
    format!("{}/", dir.display())
}

/// `cron-render COMMAND -` with the template on standard input.
pub fn with(command: &str, template: &str) -> Tool {
    tool("cron-render").args([command, "-"]).input(template)
}
