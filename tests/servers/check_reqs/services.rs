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
    let command = item(&stopped)["fix"]["steps"][0]["text"]
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
fn init_scripts_are_asked_and_not_believed() {
    if !namespace::available() {
        return;
    }
    assert_eq!(
        answer(&check(&["service:no-such-service"])),
        "unmet missing"
    );
    // The script is made up; its program is a file of its own, so that no other process executes
    // it.
    let script = r#"
rm -rf /run/systemd/system
cp /bin/sleep /srv/made-upd
cat > /etc/init.d/made-up <<'END'
#!/bin/sh
NAME=made-up
DAEMON=/srv/${NAME}d
[ -z "$PRODUCTION" ] || exit 4
/srv/made-upd 0.2
exit $(cat /etc/made-up.state)
END
chmod 755 /etc/init.d/made-up
export PRODUCTION=1
look() { $CHECK "$@" | jq -r '.items[0] | "\(.status) \(.reason)"'; }
for state in 0 3 4; do
  echo $state > /etc/made-up.state
  look service:made-up
done
# An ordinary user's process of the same program is not the service.
runuser -u nobody -- true
setpriv --reuid 4242 --regid 4242 --clear-groups /srv/made-upd 60 & other=$!
sleep 0.2
echo 0 > /etc/made-up.state
look service:made-up
/srv/made-upd 60 & daemon=$!
sleep 0.2
look service:made-up
echo 3 > /etc/made-up.state
look service:made-up
echo 0 > /etc/made-up.state
printf '[[check]]\ntype = "service"\nname = "made-up"\nenabled = true\n' > /etc/reqs.toml
look -f /etc/reqs.toml
$CHECK -f /etc/reqs.toml | jq -r '.items[].fix.steps[]?.text'
ln -s ../init.d/made-up /etc/rc2.d/S01made-up
look -f /etc/reqs.toml
printf '[[check]]\ntype = "service"\nname = "made-up"\nuser = "www-data"\n' > /etc/reqs.toml
look -f /etc/reqs.toml
kill $other $daemon
wait
rm /srv/made-upd
look service:made-up
"#;
    let said = namespace::said(&["/etc", "/run", "/srv"], script);
    let wanted = "unmet stopped\nunmet stopped\nunknown unclear\nunknown other_user\nmet null\n\
                  unknown contradiction\nunmet not_enabled\nupdate-rc.d made-up defaults\nmet null\n\
                  unknown other_user\nunknown no_process\n";
    assert_eq!(said, wanted);
}

#[test]
fn what_debians_uwsgi_script_says_is_not_proof() {
    if !namespace::available() || need("uwsgi").is_none() {
        return;
    }
    // Debian's own script exits 0 with no process and no configuration.
    let script = r#"
rm -rf /run/systemd/system
/etc/init.d/uwsgi status > /dev/null 2>&1; echo $?
$CHECK service:uwsgi | jq -r '.items[0] | "\(.status) \(.reason)"'
"#;
    let said = namespace::said(&["/etc", "/run"], script);
    assert!(said.ends_with("unmet stopped\n"), "{said}");
}

#[test]
fn groups_and_several_processes_of_supervisor() {
    if !supervisor::available() {
        return;
    }
    let supervisor = Supervisor::start(
        "[program:many]\ncommand = /bin/sleep 600\nnumprocs = 2\nprocess_name = %(program_name)s_%(process_num)02d\nstartsecs = 0\n\n\
         [program:a]\ncommand = /bin/sleep 600\nstartsecs = 0\n\n[program:b]\ncommand = /bin/sleep 600\nautostart = false\n\n\
         [group:grp]\nprograms = a,b\n",
    );
    supervisor.wait_running(&["many:many_00", "many:many_01", "grp:a"]);
    let ask = |name: &str| {
        let conf = supervisor.config();
        check_file(&format!(
            "[[check]]\ntype = \"service\"\nname = \"{name}\"\nconf = \"{}\"\n",
            conf.display()
        ))
    };
    assert_eq!(answer(&ask("many")), "met");
    assert_eq!(answer(&ask("many:*")), "met");
    assert_eq!(answer(&ask("grp:a")), "met");
    // One of two is down, and stands on the second line.
    for group in ["grp", "grp:*"] {
        let down = ask(group);
        assert_eq!(answer(&down), "unmet stopped");
        let msg = item(&down)["msg"].as_str().unwrap().to_string();
        assert!(msg.contains("grp:b is STOPPED"), "{msg}");
        let step = item(&down)["fix"]["steps"][0]["text"]
            .as_str()
            .unwrap()
            .to_string();
        let done = Command::new("sh").args(["-ec", &step]).output().unwrap();
        assert!(done.status.success(), "{step}");
        assert_eq!(answer(&ask(group)), "met");
        supervisor.ctl(&["stop", "grp:b"]);
    }
}

#[test]
fn a_supervisor_without_a_configuration_says_which_key_is_missing() {
    if !supervisor::available() || !namespace::available() {
        return;
    }
    let script = r#"
rm -rf /etc/supervisor /etc/supervisord.conf /run/systemd/system
printf '[[check]]\ntype = "service"\nname = "web"\nmanager = "supervisor"\n' > /etc/reqs.toml
cd / && $CHECK -f /etc/reqs.toml | jq -r '.items[0] | "\(.status) \(.msg)"'
"#;
    let said = namespace::said(&["/etc", "/run"], script);
    assert!(
        said.starts_with("unknown")
            && said.contains("conf = \"FILE\"")
            && !said.contains("For help"),
        "{said}"
    );
}

/// Checks that look at processes, side by side with checks that start some: no check sees another's
/// child, whichever runs first.
#[test]
fn checks_never_see_each_others_children() {
    if !namespace::available() || need("cron").is_none() {
        return;
    }
    let rounds = if harness::full_sweep() { 1000 } else { 40 };
    // Without cron: its init script runs programs that have its name in their arguments. A `uwsgi`
    // of this script's own is the only real one.
    let script = format!(
        r#"
rm -rf /run/systemd/system
mount -t tmpfs none /run
cat > /etc/init.d/cr-daemon <<'END'
#!/bin/sh
DAEMON=/srv/cr-daemon
/srv/cr-daemon 0.02
(/srv/cr-daemon 0.05 &)
exit 0
END
chmod 755 /etc/init.d/cr-daemon
cp /bin/sleep /srv/cr-daemon
for i in $(seq {rounds}); do
  $CHECK --jobs 8 service:cron crontab service:cr-daemon env:cr-daemon:PRODUCTION env:cron:PATH crontab:www-data |
    jq -r '[.items[] | "\(.status) \(.reason)"] | join(", ")'
done | sort | uniq -c
PRODUCTION=1 /srv/cr-daemon 600 & daemon=$!
sleep 0.2
for i in $(seq {rounds}); do
  $CHECK --jobs 8 service:cr-daemon env:cr-daemon:PRODUCTION |
    jq -r '[.items[] | "\(.status) \(.reason)"] | join(", ")'
done | sort | uniq -c
kill $daemon
"#
    );
    let done = namespace::run(&["/etc", "/srv"], &["-pf", "--mount-proc"], &[], &script);
    let said = String::from_utf8_lossy(&done.stdout).into_owned();
    let lines: Vec<&str> = said.lines().map(str::trim).collect();
    assert_eq!(
        lines,
        [
            format!(
                "{rounds} unmet stopped, unmet not_running, unmet stopped, unmet not_running, unmet not_running, unmet not_running"
            ),
            format!("{rounds} met null, met null"),
        ],
        "{}",
        String::from_utf8_lossy(&done.stderr)
    );
}

#[test]
fn a_users_process_called_crond_is_no_cron() {
    if !namespace::available() || need("cron").is_none() {
        return;
    }
    let script = r#"
mount -t tmpfs none /run
cp /bin/sleep /srv/crond && chmod 755 /srv/crond
setpriv --reuid 4242 --regid 4242 --clear-groups /srv/crond 60 & fake=$!
setpriv --reuid 4242 --regid 4242 --clear-groups bash -c 'exec -a /usr/sbin/cron sleep 60' & other=$!
sleep 0.3
$CHECK crontab | jq -r '.items[0] | "\(.status) \(.reason)"'
kill $fake $other
$CHECK crontab:no-such-user | jq -r '.items[0] | "\(.status) \(.reason)"'
"#;
    let done = namespace::run(&["/etc", "/srv"], &["-pf", "--mount-proc"], &[], script);
    assert_eq!(
        String::from_utf8_lossy(&done.stdout),
        "unmet not_running\nunmet no_user\n"
    );
}

#[test]
fn a_running_cron_is_seen() {
    if need("cron").is_none() || !harness::need_root() {
        return;
    }
    // In process, mount and network namespaces of its own, with a crontab directory of its own: no
    // other cron is touched or seen.
    let script = r#"
mount -t tmpfs none /var/spool/cron && mkdir -p /var/spool/cron/crontabs && mount -t tmpfs none /run
$CHECK crontab | jq -r '.items[0] | "\(.status) \(.reason) \(.fix.steps[0].text)"'
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
