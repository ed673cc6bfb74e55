//! Real service managers: supervisor, init scripts; and a real cron.

use super::{answer, check, check_file, item};
use harness::supervisor::Supervisor;
use harness::{namespace, need, supervisor};
use std::process::Command;

#[test]
fn programs_of_supervisor() {
    if !supervisor::available() {
        return;
    }
    let supervisor = Supervisor::start(
        "[program:web]\ncommand = /bin/sleep 600\nenvironment = PRODUCTION=\"1\"\nstartsecs = 0\n\n[program:idle]\ncommand = /bin/sleep 600\nautostart = false\n",
    );
    supervisor.wait_running(&["web"]);
    let ask = |name: &str| {
        let conf = supervisor.config();
        check_file(&format!(
            "[[check]]\ntype = \"service\"\nname = \"{name}\"\nconf = \"{}\"\n",
            conf.display()
        ))
    };
    assert_eq!(answer(&ask("web")), "met");
    assert_eq!(answer(&ask("nobody")), "unmet missing");
    let stopped = ask("idle");
    assert_eq!(answer(&stopped), "unmet stopped");
    let command = item(&stopped)["fix"]["commands"][0]
        .as_str()
        .unwrap()
        .to_string();
    let done = Command::new("sh").args(["-ec", &command]).output().unwrap();
    assert!(
        done.status.success(),
        "{command}: {}",
        String::from_utf8_lossy(&done.stdout)
    );
    assert_eq!(answer(&ask("idle")), "met");

    let pid_file = supervisor.dir().join("web.pid");
    std::fs::write(
        &pid_file,
        format!("{}\n", supervisor.pid_of("web").unwrap()),
    )
    .unwrap();
    let env = |variable: &str| {
        let file = format!(
            "[[check]]\ntype = \"service_env\"\npid_file = \"{}\"\nvariable = \"{variable}\"\n",
            pid_file.display()
        );
        answer(&check_file(&file))
    };
    assert_eq!(env("PRODUCTION"), "met");
    assert_eq!(env("DJANGO_SETTINGS_MODULE"), "unmet not_set");
    drop(supervisor);
    assert_eq!(
        answer(&check_file(
            "[[check]]\ntype = \"service\"\nname = \"web\"\nconf = \"/no/such/supervisord.conf\"\n"
        )),
        "unknown unclear"
    );
}

#[test]
fn init_scripts_are_asked_in_an_empty_environment() {
    if !namespace::available() {
        return;
    }
    assert_eq!(
        answer(&check(&["service:no-such-service"])),
        "unmet missing"
    );
    // The script itself is made up; what runs it is the real rule of codes (LSB), and nobody's environment.
    let script = r#"
rm -rf /run/systemd/system
cat > /etc/init.d/made-up <<'END'
#!/bin/sh
[ -z "$PRODUCTION" ] || exit 4
exit $(cat /etc/made-up.state)
END
chmod 755 /etc/init.d/made-up
export PRODUCTION=1
for state in 0 3 4; do
  echo $state > /etc/made-up.state
  $CHECK service:made-up | jq -r '.items[0] | "\(.status) \(.reason)"'
done
echo 0 > /etc/made-up.state
printf '[[check]]\ntype = "service"\nname = "made-up"\nenabled = true\n' > /etc/reqs.toml
$CHECK -f /etc/reqs.toml | jq -r '.items[0] | "\(.status) \(.reason)"'
$CHECK -f /etc/reqs.toml | jq -r '.items[].fix.commands[]?'
ln -s ../init.d/made-up /etc/rc2.d/S01made-up
$CHECK -f /etc/reqs.toml | jq -r '.items[0] | "\(.status) \(.reason)"'
"#;
    let said = namespace::said(&["/etc", "/run"], script);
    let wanted = "met null\nunmet stopped\nunknown unclear\nunmet not_enabled\nupdate-rc.d made-up defaults\nmet null\n";
    assert_eq!(said, wanted);
}

#[test]
fn a_running_cron_is_seen() {
    if need("cron").is_none() || !harness::need_root() {
        return;
    }
    // In process, mount and network namespaces of its own, with a crontab directory of its own: no other cron is touched or seen.
    let script = r#"
mount -t tmpfs none /var/spool/cron && mkdir -p /var/spool/cron/crontabs && mount -t tmpfs none /run
$CHECK crontab | jq -r '.items[0] | "\(.status) \(.reason) \(.fix.commands[0])"'
cron -f & pid=$!
for i in 1 2 3 4 5 6 7 8 9; do $CHECK -q crontab >/dev/null && break; sleep 0.1; done
$CHECK crontab crontab:www-data | jq -r '.items[] | .status'
kill $pid
"#;
    let done = namespace::run(&["/etc"], &["-pf", "--mount-proc"], &[], script);
    let said = String::from_utf8_lossy(&done.stdout).into_owned();
    assert_eq!(
        said,
        "unmet not_running service cron start\nmet\nmet\n",
        "{}",
        String::from_utf8_lossy(&done.stderr)
    );
}
