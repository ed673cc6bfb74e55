//! `explain`: English.

use super::cron;
use harness::tool;

#[test]
fn the_usual_schedules_read_well() {
    let table: Vec<(&str, &str)> = include_str!("english.txt")
        .lines()
        .map(|l| l.split_once('|').unwrap())
        .collect();
    assert!(table.len() >= 100);
    let mut run = tool("cron-render").arg("explain");
    for (schedule, _) in &table {
        run = run.args(["-e", schedule]);
    }
    let report = run.run().expect_code(0).json();
    for (item, (schedule, english)) in report["items"].as_array().unwrap().iter().zip(&table) {
        assert_eq!(item["explanation"], *english, "{schedule}");
    }
}

#[test]
fn of_a_template() {
    let report = cron("explain", super::MISAGO).expect_code(0).json();
    assert_eq!(report["items"][0]["explanation"], "Every day at 00:15");
    assert_eq!(report["items"][0]["id"], "prunecategories");
}

#[test]
fn nonsense_is_refused() {
    tool("cron-render")
        .args(["explain", "-e", "61 * * * *"])
        .run()
        .expect_code(2)
        .expect_silence();
    tool("cron-render")
        .args(["explain", "-e", "* * * *"])
        .run()
        .expect_code(2);
    tool("cron-render")
        .arg("explain")
        .run()
        .expect_code(2)
        .expect_err("-e");
}
