//! cron-render: render, lint, next, explain. Nothing here touches a crontab.

mod english;
mod explain;
mod findings;
mod next;
mod render;

use harness::{Output, tool};

/// The schedule that Misago's guide shows: six jobs, five of them at the same minute.
pub const MISAGO: &str = "\
# this is example crontab configuration
# you'll likely need to change it to use
# valid python version or paths to manage.py

15 0 * * * python manage.py prunecategories
25 0 * * * python manage.py buildactivepostersranking
25 0 * * * python manage.py clearattachments
25 0 * * * python manage.py clearreadtracker
25 0 * * * python manage.py clearsessions
25 0 * * * python manage.py invalidatebans
";

/// The one that a newer Misago ships: twelve jobs, five minutes apart.
pub const MISAGO_TWELVE: &str = "\
0 1 * * * python manage.py deletemarkedusers
5 1 * * * python manage.py deleteinactiveusers
10 1 * * * python manage.py clearattachments
15 1 * * * python manage.py clearnotifications
20 1 * * * python manage.py clearreadtracker
25 1 * * * python manage.py clearsessions
30 1 * * * python manage.py expireuserdatadownloads
35 1 * * * python manage.py prepareuserdatadownloads
40 1 * * * python manage.py prunecategories
45 1 * * * python manage.py removeoldips
50 1 * * * python manage.py invalidatebans
55 1 * * * python manage.py buildactivepostersranking
";

/// `cron-render WORDS -`, with the template on standard input.
pub fn cron(words: &str, template: impl Into<Vec<u8>>) -> Output {
    let mut words = words.split_whitespace();
    let command = words.next().unwrap();
    tool("cron-render")
        .arg(command)
        .arg("-")
        .args(words)
        .input(template)
        .run()
}
