//! `next`: when jobs start.

use super::cron;

fn starts(words: &str, schedule: &str) -> Vec<(String, String, Option<String>)> {
    let report = cron(&format!("next {words}"), format!("{schedule} true\n"))
        .expect_code(0)
        .json();
    let next = report["items"][0]["next"].as_array().unwrap().clone();
    let text = |v: &serde_json::Value| v.as_str().map(str::to_string);
    next.iter()
        .map(|n| {
            (
                text(&n["local"]).unwrap(),
                text(&n["utc"]).unwrap(),
                text(&n["dst"]),
            )
        })
        .collect()
}

#[test]
fn local_time_and_utc() {
    let got = starts("-c 2 --tz Europe/Warsaw --from 2026-01-01", "30 2 * * *");
    assert_eq!(
        got[0],
        (
            "2026-01-01T02:30:00+01:00".into(),
            "2026-01-01T01:30:00Z".into(),
            None
        )
    );
    assert_eq!(got[1].0, "2026-01-02T02:30:00+01:00");
    assert_eq!(got.len(), 2);
}

#[test]
fn a_gap_is_made_up_for_and_an_overlap_not_repeated() {
    let spring = starts(
        "--tz America/New_York --from 2026-03-08 --until 2026-03-09",
        "30 2 * * *",
    );
    assert_eq!(spring.len(), 1);
    assert_eq!(spring[0].0, "2026-03-08T03:00:00-04:00");
    assert!(
        spring[0]
            .2
            .as_deref()
            .unwrap()
            .contains("02:30 does not exist")
    );
    let autumn = starts(
        "--tz America/New_York --from 2026-11-01 --until 2026-11-02",
        "30 1 * * *",
    );
    assert_eq!(autumn.len(), 1);
    assert_eq!(autumn[0].0, "2026-11-01T01:30:00-04:00");
    let wild = starts(
        "--tz America/New_York --from 2026-11-01 --until 2026-11-02",
        "*/30 1 * * *",
    );
    let locals: Vec<&str> = wild.iter().map(|w| w.0.as_str()).collect();
    assert_eq!(
        locals,
        [
            "2026-11-01T01:00:00-04:00",
            "2026-11-01T01:30:00-04:00",
            "2026-11-01T01:00:00-05:00",
            "2026-11-01T01:30:00-05:00"
        ]
    );
}

#[test]
fn sixty_at_three() {
    let burst = starts(
        "-c 60 --tz America/New_York --from 2026-03-08T07:00:00Z",
        "0-59 2 * * *",
    );
    assert!(burst.iter().all(|b| b.0 == "2026-03-08T03:00:00-04:00"));
    assert_eq!(burst.len(), 60);
}

#[test]
fn until_bounds_and_reboot_has_none() {
    assert_eq!(
        starts("--tz UTC --from 2026-01-01 --until 2026-02-01", "@daily").len(),
        31
    );
    assert_eq!(starts("", "@reboot").len(), 0);
    assert_eq!(
        starts("--tz UTC --from 2026-03-01 -c 2", "0 0 29 2 *")[1].0,
        "2032-02-29T00:00:00+00:00"
    );
    assert_eq!(starts("", "0 0 31 2 *").len(), 0);
    assert_eq!(
        starts("--tz UTC --from 9999-12-29 -c 9", "@daily").len(),
        2,
        "RFC 3339 has four digits for a year"
    );
}

#[test]
fn times_that_are_none() {
    cron("next --from yesterday", "* * * * * true\n")
        .expect_code(2)
        .expect_silence()
        .expect_err("--from yesterday");
    cron("next", "61 * * * * true\n")
        .expect_code(2)
        .expect_silence();
}

#[test]
fn cronies_cron_tz_gives_the_jobs_below_it_a_zone_that_they_follow() {
    let template =
        "30 2 * * * true a\nCRON_TZ=America/New_York\n30 2 * * * true b\n30 1 * * * true c\n";
    let next = |words: &str| {
        cron(&format!("next --tz UTC {words}"), template)
            .expect_code(0)
            .json()
    };
    let utc = |report: &serde_json::Value, job: usize| -> Vec<String> {
        report["items"][job]["next"]
            .as_array()
            .unwrap()
            .iter()
            .map(|n| n["utc"].as_str().unwrap().to_string())
            .collect()
    };
    let spring = next("--dialect cronie --from 2026-03-08 --until 2026-03-10");
    assert_eq!(
        utc(&spring, 0),
        ["2026-03-08T02:30:00Z", "2026-03-09T02:30:00Z"]
    );
    assert_eq!(
        utc(&spring, 1),
        ["2026-03-09T06:30:00Z"],
        "nothing is made up for"
    );
    let autumn = next("--dialect cronie --from 2026-11-01 --until 2026-11-02");
    assert_eq!(
        utc(&autumn, 2),
        ["2026-11-01T05:30:00Z", "2026-11-01T06:30:00Z"],
        "and nothing held back"
    );
    let debian = next("--from 2026-03-08 --until 2026-03-10");
    assert_eq!(
        utc(&debian, 1),
        ["2026-03-08T02:30:00Z", "2026-03-09T02:30:00Z"],
        "Debian's cron knows no CRON_TZ"
    );
}
