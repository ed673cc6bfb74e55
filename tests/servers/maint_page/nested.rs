//! maint-page around svc-cycle around a deploy, under a real supervisord: the page is up before
//! anything stops, and goes when all is back.

use super::site::Site;
use harness::supervisor::{Supervisor, available};
use harness::{Output, bin};
use std::fs;

/// The whole line, with `script` as the deploy.
fn deploy(site: &Site, supervisor: &Supervisor, script: &str) -> Output {
    site.tool("during")
        .args(["--id", "deploy", "--on-failure", "off", "--"])
        .arg(bin("svc-cycle"))
        .args(["cycle", "-c"])
        .arg(supervisor.config())
        .args(["supervisor:web", "--", "sh", "-ec", script])
        .run()
}

#[test]
fn during_around_cycle_around_a_deploy() {
    if !available() {
        return;
    }
    let site = Site::new();
    let supervisor = Supervisor::start("[program:web]\ncommand = /bin/sleep 600\nstartsecs = 0\n");
    let before = supervisor.pid_of("web").expect("web runs");
    let seen = site.top().join("seen");
    let script = format!(
        "test -f {dir}/on && echo up >> {seen}; kill -0 {before} 2>/dev/null || echo stopped >> {seen}",
        dir = site.dir().display(),
        seen = seen.display()
    );
    let done = deploy(&site, &supervisor, &script).expect_code(0);
    let report = done.json();
    assert_eq!(
        (&report["up"], &report["ran"]["code"]),
        (&false.into(), &0.into())
    );
    assert_eq!(fs::read_to_string(&seen).unwrap(), "up\nstopped\n");
    assert!(
        done.err().contains("\"tool\":\"svc-cycle\""),
        "the inner report is on standard error: {}",
        done.err()
    );
    assert!(
        supervisor.pid_of("web").is_some_and(|now| now != before),
        "web is back"
    );

    let failed = deploy(&site, &supervisor, "exit 7").expect_code(7).json();
    assert_eq!(
        (&failed["up"], &failed["ran"]["code"]),
        (&false.into(), &7.into())
    );
    assert!(
        supervisor.pid_of("web").is_some(),
        "web is back after a failure, too"
    );
}
