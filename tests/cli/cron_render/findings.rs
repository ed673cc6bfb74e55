//! `lint`: each finding of the catalogue, at its line and column, with a fix.

use super::{MISAGO, cron};
use harness::{Output, scratch, tool};

fn findings(output: &Output) -> Vec<(String, u64, u64)> {
    let report = output.json();
    let all = report["findings"].as_array().unwrap();
    for f in all {
        assert!(
            !f["message"].as_str().unwrap().is_empty()
                && !f["fix"]["summary"].as_str().unwrap().is_empty(),
            "{f}"
        );
        let severity = if f["code"].as_str().unwrap().starts_with('E') {
            "error"
        } else {
            "warning"
        };
        assert_eq!(f["severity"], severity);
    }
    all.iter()
        .map(|f| {
            (
                f["code"].as_str().unwrap().to_string(),
                f["line"].as_u64().unwrap(),
                f["column"].as_u64().unwrap(),
            )
        })
        .collect()
}

/// What `lint` finds in the template; exit code 1 exactly where an error is among it.
fn lint(words: &str, template: impl Into<Vec<u8>>) -> Vec<(String, u64, u64)> {
    // Without a word of it the dialect is the host's, and Debian 13's is another.
    let dialect = if words.contains("--dialect") {
        ""
    } else {
        "--dialect debian "
    };
    let output = cron(&format!("lint {dialect}{words}"), template);
    let found = findings(&output);
    let errors = found.iter().any(|(code, ..)| code.starts_with('E'));
    assert_eq!(output.code(), i32::from(errors), "{}", output.out());
    found
}

#[track_caller]
fn finds(words: &str, template: &str, code: &str, line: u64, column: u64) {
    let found = lint(words, template);
    assert!(
        found.contains(&(code.to_string(), line, column)),
        "{code} at {line}:{column} is not in {found:?}"
    );
}

#[track_caller]
fn finds_no(words: &str, template: &str, code: &str) {
    let found = lint(words, template);
    assert!(
        !found.iter().any(|(c, ..)| c == code),
        "{code} is in {found:?}"
    );
}

#[test]
fn e01_syntax() {
    finds("", "# x\n5 x * * * true\n", "E01", 2, 3);
    finds("", "5/10 * * * * true\n", "E01", 1, 1);
    finds("", "*/0 * * * * true\n", "E01", 1, 1);
    finds("", "@fortnightly true\n", "E01", 1, 1);
    finds("", "* * * * * * true\n", "E01", 1, 11);
    finds("", "FOO=\n* * * * * true\n", "E01", 1, 1);
    finds("", "FOO='a' # b\n", "E01", 1, 1);
    finds("--dialect cronie", "5.5 * * * * true\n", "E01", 1, 1);
}

#[test]
fn e02_range() {
    finds("", "0 24 * * * true\n", "E02", 1, 3);
    finds("", "0 0 0 * * true\n", "E02", 1, 5);
    finds("", "0 0 1 13 * true\n", "E02", 1, 7);
    finds("", "\t0 0 * * 8 true\n", "E02", 1, 10);
}

#[test]
fn e03_empty() {
    finds("", "0 0 * * fri-sun true\n", "E03", 1, 9);
    finds("", "0 22-2 * * * true\n", "E03", 1, 3);
    finds("--dialect cronie", "0 22-2 * * * true\n", "E03", 1, 3);
}

#[test]
fn e04_impossible() {
    finds("", "0 0 31 2 * true\n", "E04", 1, 5);
    finds("", "0 0 31 4,6,9,11 * true\n", "E04", 1, 5);
    finds_no("", "0 0 29 2 * true\n", "E04");
    finds_no("", "0 0 31 2 1 true\n", "E04");
}

#[test]
fn e05_no_command() {
    finds("", "0 0 * * *\n", "E05", 1, 10);
    finds("", "@daily\n", "E05", 1, 7);
    finds("", "[[job]]\nschedule = '0 0 * * *'\n", "E05", 2, 22);
}

#[test]
fn e06_newline() {
    finds("", "0 0 * * * true", "E06", 1, 15);
    finds_no("", "0 0 * * * true\n# end", "E06");
}

#[test]
fn e07_length() {
    finds(
        "",
        &format!("0 0 * * * {}\n", "x".repeat(999)),
        "E07",
        1,
        11,
    );
    finds_no("", &format!("0 0 * * * {}\n", "x".repeat(998)), "E07");
    finds_no(
        "--dialect cronie",
        &format!("0 0 * * * {}\n", "x".repeat(999)),
        "E07",
    );
    finds(
        "--dialect cronie",
        &format!("0 0 * * * {}\n", "x".repeat(131_072)),
        "E07",
        1,
        11,
    );
}

#[test]
fn e08_lines() {
    finds("", &"# x\n".repeat(10_001), "E08", 10_001, 1);
    finds_no("", &"# x\n".repeat(10_000), "E08");
    finds_no("--dialect cronie", &"# x\n".repeat(10_001), "E08");
}

#[test]
fn e09_control_bytes() {
    finds("", "0 0 * * * true\r\n", "E09", 1, 15);
    finds("", "A=b\r\n", "E09", 1, 4);
    finds("", "0 0 * * * tr\0ue\n", "E09", 1, 13);
    finds(
        "",
        "[[job]]\nschedule = '0 0 * * *'\nshell = \"a\\nb\"\n",
        "E09",
        2,
        22,
    );
    let out = tool("cron-render")
        .args(["lint", "-", "--mailto", "a\nb"])
        .input("0 0 * * * true\n")
        .run();
    assert!(findings(&out).contains(&("E09".into(), 0, 0)));
}

#[test]
fn e10_user() {
    finds("--user no-such-user-here", "0 0 * * * true\n", "E10", 0, 0);
    finds_no("--user root", "0 0 * * * true\n", "E10");
}

#[test]
fn e10_to_e12_in_a_cron_d_directory() {
    let dir = scratch();
    let cron_d = dir.path().join("cron.d");
    std::fs::create_dir(&cron_d).unwrap();
    let lint = |name: &str| {
        let out = tool("cron-render").arg("lint").arg(cron_d.join(name)).run();
        findings(&out)
    };
    std::fs::write(
        cron_d.join("my.site"),
        "0 0 * * * no-such-user-here /bin/true\n",
    )
    .unwrap();
    let found = lint("my.site");
    assert!(found.contains(&("E10".into(), 1, 11)), "{found:?}");
    assert!(found.contains(&("E11".into(), 0, 0)), "{found:?}");
    std::fs::write(cron_d.join("site"), "0 0 * * * root /bin/true\n").unwrap();
    let mode = |m| {
        std::fs::set_permissions(
            cron_d.join("site"),
            std::os::unix::fs::PermissionsExt::from_mode(m),
        )
        .unwrap();
    };
    mode(0o644);
    assert!(
        !lint("site")
            .iter()
            .any(|f| f.0 == "E12" && nix::unistd::getuid().is_root())
    );
    mode(0o664);
    assert!(lint("site").contains(&("E12".into(), 0, 0)));
    mode(0o644);
    std::fs::hard_link(cron_d.join("site"), cron_d.join("link")).unwrap();
    assert!(lint("site").contains(&("E12".into(), 0, 0)));
}

#[test]
fn e11_for_what_is_to_be_installed() {
    finds(
        "--name my.site --format cron.d --user root",
        "0 0 * * * true\n",
        "E11",
        0,
        0,
    );
    finds_no("--name my.site --user root", "0 0 * * * true\n", "E11");
}

#[test]
fn e13_ids() {
    let toml = "[[job]]\nid = 'a'\nschedule = '@daily'\nshell = 'x'\n[[job]]\nid = 'a'\nschedule = '@daily'\nshell = 'y'\n";
    finds("", toml, "E13", 7, 1);
}

#[test]
fn w01_either_day() {
    finds("", "0 0 13 * 5 true\n", "W01", 1, 5);
    finds("", "5 0 1,* * 1 true\n", "W01", 1, 5);
    finds_no("", "0 0 13 * * true\n", "W01");
    finds_no("", "@weekly true\n", "W01");
}

#[test]
fn w02_both_days() {
    finds("", "0 0 */2 * 1 true\n", "W02", 1, 5);
    finds("", "0 0 1 * */2 true\n", "W02", 1, 9);
    finds_no("", "0 0 */2 * * true\n", "W02");
    finds_no("", "0 0 * * 1 true\n", "W02");
}

#[test]
fn w03_ignored_bytes() {
    finds("", "1#2 * * * * true\n", "W03", 1, 2);
    finds("", "5.5 * * * * true\n", "W03", 1, 2);
    finds("", "0 0~10 * * * true\n", "W03", 1, 4);
}

#[test]
fn w04_step() {
    finds("", "*/90 * * * * true\n", "W04", 1, 1);
    finds("", "0 9-17/12 * * * true\n", "W04", 1, 3);
    finds_no("", "*/30 * * * * true\n", "W04");
}

#[test]
fn w05_percent() {
    finds("", "0 0 * * * date +%F\n", "W05", 1, 17);
    finds_no("", "0 0 * * * date +\\%F\n", "W05");
}

#[test]
fn w06_backslashes() {
    finds("", "0 0 * * * echo 'a\\\\b'\n", "W06", 1, 18);
    finds(
        "--dialect cronie",
        "0 0 * * * echo 'a\\\\b'\n",
        "W06",
        1,
        18,
    );
}

#[test]
fn w07_relative() {
    finds("", MISAGO, "W07", 5, 12);
    finds("", "0 0 * * * bin/backup\n", "W07", 1, 11);
    finds_no("", "0 0 * * * cd /srv && bin/backup\n", "W07");
    finds_no("--dir /nowhere", MISAGO, "W07");
}

#[test]
fn w08_not_found() {
    finds("", "0 0 * * * no-such-program-here x\n", "W08", 1, 11);
    finds("", "0 0 * * * /no/such/program\n", "W08", 1, 11);
    finds_no("", "0 0 * * * X=1 ls /\n", "W08");
    finds_no("", "0 0 * * * test -d / && echo x\n", "W08");
    finds("", "PATH=/nowhere\n0 0 * * * ls\n", "W08", 2, 11);
    finds("--path /nowhere", "0 0 * * * ls\n", "W08", 1, 11);
    finds(
        "--dir /usr --venv nothing",
        "0 0 * * * python manage.py x\n",
        "E14",
        1,
        11,
    );
}

#[test]
fn w09_to_w11_settings() {
    finds("", "PATH=$HOME/bin:/bin\n", "W09", 1, 6);
    finds("", "A=b # note\n", "W10", 1, 5);
    finds_no("", "A=b#c\n", "W10");
    finds("", &format!("A={}\n", "x".repeat(1000)), "W11", 1, 999);
}

#[test]
fn w12_together_and_w13_twice() {
    finds("", MISAGO, "W12", 7, 1);
    finds_no("--spread 30m", MISAGO, "W12");
    finds(
        "",
        "0 0 1 * * /bin/true a\n0 0 * * 1 /bin/true b\n",
        "W12",
        2,
        1,
    );
    finds_no("", "0 0 1 1 * /bin/true a\n0 0 1 2 * /bin/true b\n", "W12");
    finds(
        "",
        "0 0 * * * /bin/true a\n# x\n0 0 * * * /bin/true a\n",
        "W13",
        3,
        1,
    );
}

#[test]
fn w14_change_of_time() {
    finds("--tz America/New_York", "30 2 * * * true\n", "W14", 1, 1);
    finds("--tz America/New_York", "*/10 2 * * * true\n", "W14", 1, 1);
    finds("--tz America/New_York", "*/10 1 * * * true\n", "W14", 1, 1);
    finds_no("--tz America/New_York", "30 1 * * * true\n", "W14");
    finds_no("--tz America/New_York", "*/10 * * * * true\n", "W14");
    finds_no("--tz UTC", "30 2 * * * true\n", "W14");
}

#[test]
fn w15_unknown_settings() {
    finds("", "CRON_TZ=Europe/Warsaw\n0 0 * * * true\n", "W15", 1, 1);
    finds("", "RANDOM_DELAY=5\n", "W15", 1, 1);
    finds_no(
        "--dialect cronie",
        "CRON_TZ=Europe/Warsaw\n0 0 * * * true\n",
        "W15",
    );
}

#[test]
fn w16_minus_and_w17_export() {
    finds("", "-*/5 * * * * true\n", "W16", 1, 1);
    finds("", "export A=b\n", "W17", 1, 1);
    finds("", "0 0 * * * /bin/true\nMAILTO=x\n", "W17", 2, 1);
    finds("", "0 0 * * * echo $A\nA=b\n", "W17", 2, 1);
    finds_no("", "A=b\n0 0 * * * echo $A\nA=c\n", "W17");
}

#[test]
fn w18_wrap_and_w19_uneven() {
    finds("", "4294967301 * * * * true\n", "W18", 1, 1);
    finds("", "*/7 * * * * true\n", "W19", 1, 1);
    finds("", "0 */5 * * * true\n", "W19", 1, 3);
    finds("", "0 0 */2 * * true\n", "W19", 1, 5);
    finds_no("", "*/15 */6 * */3 * true\n", "W19");
}

#[test]
fn w20_systemd() {
    finds(
        "--format systemd --tz America/New_York",
        "30 2 * * * true\n",
        "W20",
        1,
        1,
    );
    finds(
        "--format systemd --tz America/New_York",
        "*/30 * * * * true\n",
        "W20",
        1,
        1,
    );
    finds_no(
        "--format systemd --tz America/New_York",
        "30 1 * * * true\n",
        "W20",
    );
    finds_no("--tz America/New_York", "30 2 * * * true\n", "W20");
}

#[test]
fn columns_count_characters_and_text_is_for_people() {
    finds("", "0 0 * * * echo zażółć %\n", "W05", 1, 23);
    let out = cron("lint -o text", "0 24 * * * true\n").expect_code(1);
    assert!(
        out.out().contains("E02") && out.out().contains("1:3") && out.out().contains("fix:"),
        "{}",
        out.out()
    );
}

#[test]
fn a_good_crontab_has_nothing() {
    assert_eq!(
        lint(
            "--tz UTC",
            "MAILTO=root\n# x\n\n17 * * * * ls\n25 6 * * * /bin/true >/dev/null\n"
        ),
        []
    );
}

#[test]
fn ids_and_paths_of_a_job_cannot_break_out_of_their_line() {
    let toml = |key: &str| format!("[[job]]\nschedule = '@daily'\nshell = 'true'\n{key}\n");
    finds("", &toml("lock = \"/run/a\\nb\""), "E09", 2, 19);
    finds("", &toml("log = \"/run/a\\rb\""), "E09", 2, 19);
    for id in ["../x", "a b", "-a", "", "a\\nb"] {
        cron("lint", toml(&format!("id = \"{id}\"")))
            .expect_code(2)
            .expect_silence()
            .expect_err("cannot be an id");
    }
}

/// Crontabs of the kinds that distributions and projects ship, by all rules: nothing is wrong with
/// any, but for programs and users that this host lacks.
#[test]
fn crontabs_as_they_are_in_the_world_have_no_findings() {
    let all = include_str!("real.txt");
    let parts: Vec<&str> = all.split("==== ").filter(|part| !part.is_empty()).collect();
    assert!(parts.len() >= 40);
    for dialect in [
        "debian",
        "debian-13",
        "cronie-1.5.2",
        "cronie-1.5",
        "cronie",
    ] {
        for part in &parts {
            let (head, text) = part.split_once('\n').unwrap();
            let (name, form) = head.split_once('|').unwrap();
            let form = form.trim().trim_end_matches(" |");
            let report = harness::tool("cron-render")
                .args(["lint", "-", "--tz", "UTC", "--dialect", dialect])
                .args(["--form", form])
                .input(text)
                .run()
                .json();
            let of_this_host = |finding: &&serde_json::Value| {
                ["W08", "E10"].contains(&finding["code"].as_str().unwrap())
            };
            let all = report["findings"].as_array().unwrap();
            let wrong: Vec<_> = all.iter().filter(|f| !of_this_host(f)).collect();
            assert!(wrong.is_empty(), "{dialect}, {name}: {wrong:?}");
        }
    }
}
