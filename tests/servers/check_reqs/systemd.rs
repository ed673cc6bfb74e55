//! A real systemd, booted in a machine of the test's own.

use harness::machine::Machine;
use serde_json::Value;

const UNIT: &str = "[Service]\nExecStart=/bin/sleep infinity\nEnvironment=PRODUCTION=1\n[Install]\nWantedBy=multi-user.target\n";

fn answers(machine: &Machine, args: &[&str]) -> (Vec<String>, Value) {
    let report = machine.tool("check-reqs").args(args).run().json();
    let items = report["items"].as_array().unwrap().iter();
    let words = items.map(|item| {
        format!(
            "{} {}",
            item["status"].as_str().unwrap(),
            item["reason"].as_str().unwrap_or("")
        )
        .trim()
        .to_string()
    });
    (words.collect(), report)
}

fn mend(machine: &Machine, report: &Value) {
    for item in report["items"].as_array().unwrap() {
        for step in item["fix"]["steps"].as_array().into_iter().flatten() {
            let command = &step["text"];
            machine.must(&["sh", "-ec", command.as_str().unwrap()]);
        }
    }
}

#[test]
fn services_crontabs_and_environments() {
    let Some(machine) = Machine::with_systemd() else {
        return;
    };
    machine.unit("site.service", UNIT);
    machine.unit("broken.service", "[Service]\nExecStart=/bin/false\n");
    machine.must(&["systemctl", "daemon-reload"]);
    let (words, report) = answers(&machine, &["service:site", "service:no-such-service"]);
    assert_eq!(words, ["unmet stopped", "unmet missing"], "{report}");
    assert_eq!(
        report["items"][0]["fix"]["steps"][0]["text"],
        "systemctl start site"
    );

    // Started, and not yet at boot: the file asks for both, and its fix does both.
    let file = "/etc/reqs.toml";
    machine.write(
        file,
        "[[check]]\nid = \"site\"\ntype = \"service\"\nname = \"site\"\nenabled = true\n",
    );
    let (words, report) = answers(&machine, &["-f", file]);
    assert_eq!(words, ["unmet stopped"], "{report}");
    mend(&machine, &report);
    assert_eq!(answers(&machine, &["-f", file]).0, ["met"]);
    machine.must(&["systemctl", "disable", "site"]);
    let (words, report) = answers(&machine, &["-f", file]);
    assert_eq!(words, ["unmet not_enabled"], "{report}");
    mend(&machine, &report);
    assert_eq!(answers(&machine, &["-f", file]).0, ["met"]);

    machine.run(&["systemctl", "start", "broken"]);
    harness::wait_until("it has failed", || {
        machine
            .run(&["systemctl", "is-failed", "-q", "broken"])
            .status
            .success()
    });
    assert_eq!(answers(&machine, &["service:broken"]).0, ["unmet stopped"]);
    let pid = machine.must(&["systemctl", "show", "-P", "MainPID", "site"]);
    machine.write("/run/site.pid", &pid);
    let env = |variable: &str| {
        machine.write(file, &format!("[[check]]\ntype = \"service_env\"\npid_file = \"/run/site.pid\"\nvariable = \"{variable}\"\n"));
        answers(&machine, &["-f", file]).0
    };
    assert_eq!(env("PRODUCTION"), ["met"]);
    assert_eq!(env("DJANGO_SETTINGS_MODULE"), ["unmet not_set"]);

    machine.run(&["systemctl", "stop", "cron"]);
    let (words, report) = answers(&machine, &["crontab"]);
    assert_eq!(words, ["unmet not_running"], "{report}");
    mend(&machine, &report);
    // systemctl returns when the process is there, which is not cron's program before its execve.
    harness::wait_until("cron runs", || answers(&machine, &["crontab"]).0 == ["met"]);

    // The site's service is in a snapshot, and the snapshot passes.
    let said = machine
        .tool("check-reqs")
        .args(["--snapshot", "service", "crontab"])
        .run()
        .expect_code(0)
        .out();
    assert!(said.contains("name = \"site\""), "{said}");
    machine.write(file, &said);
    let (words, report) = answers(&machine, &["-f", file]);
    assert!(words.iter().all(|word| word == "met"), "{report}");
}

#[test]
fn without_a_service_manager_nobody_can_tell() {
    let Some(machine) = Machine::with_plain_init() else {
        return;
    };
    machine.must(&["mv", "/etc/init.d", "/etc/init.d.away"]);
    assert_eq!(
        answers(&machine, &["service:nginx"]).0,
        ["unknown no_service_manager"]
    );
}
