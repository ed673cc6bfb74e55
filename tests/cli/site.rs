//! The site file, `--site`, and running as the site's user.

use harness::person::Person;
use harness::{TempDir, Tool, scratch, tool};
use serde_json::json;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::Path;

/// A directory that other users may enter, with a site file in it.
fn site(text: &str) -> TempDir {
    let dir = scratch();
    std::fs::set_permissions(dir.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    std::fs::write(dir.path().join("reef.toml"), text).unwrap();
    dir
}

fn with(name: &str, dir: &Path, args: &[&str]) -> Tool {
    let (command, rest) = args.split_first().unwrap();
    tool(name)
        .arg(command)
        .arg("--site")
        .arg(dir.join("reef.toml"))
        .args(rest.iter().copied())
}

#[test]
fn what_is_wrong_has_line_and_column() {
    let cases = [
        (
            "x = 1\n[site]\nname = \"reef\"\n",
            ":1:1: unknown key 'x'",
            "[site] and a table",
        ),
        (
            "[site]\nname = \"reef\"\nusr = \"x\"\n",
            ":3:1: unknown key 'usr'",
            "did you mean 'user'?",
        ),
        (
            "[site]\nname = \"Reef\"\n",
            ":2:8: 'Reef' is no name for a site",
            "lower-case",
        ),
        (
            "[site]\nuser = \"x\"\n",
            "the site has no name",
            "write name =",
        ),
        (
            "[site]\nname = \"reef\"\nurls = \"x\"\n",
            ":3:8: 'urls' is written urls = [\"URL\", ...]",
            "",
        ),
        (
            "[site]\nname = \"reef\"\n[maint-pge]\n",
            ":3:2: unknown key 'maint-pge'",
            "did you mean 'maint-page'?",
        ),
        (
            "[site]\nname = \"reef\"\n[maint-page]\ndirr = \"x\"\n",
            ":4:1: unknown key 'dirr'",
            "did you mean 'dir'?",
        ),
        // What a file may not say.
        (
            "[site]\nname = \"reef\"\n[maint-page]\ntrust = \"x\"\n",
            ":4:1: unknown key 'trust'",
            "",
        ),
        (
            "[site]\nname = \"reef\"\n[maint-page]\ndir = \"x\"\ntimeout = \"soon\"\n",
            ":5:11: ",
            "",
        ),
        (
            "[site]\nname = \"reef\"\n[maint-page]\ndir = \"x\"\nforce = \"perhaps\"\n",
            ":5:9: force: ",
            "",
        ),
        ("[site\n", ":1:6: ", ""),
    ];
    for (text, wanted, hint) in cases {
        let dir = site(text);
        let done = with("maint-page", dir.path(), &["on"])
            .run()
            .expect_code(2)
            .expect_silence();
        assert!(
            done.err().contains(wanted) && done.err().contains(hint),
            "{text}: {}",
            done.err()
        );
    }
}

#[test]
fn a_table_gives_what_is_not_typed_and_other_tables_are_skipped() {
    let dir = site(
        "[site]\nname = \"reef\"\n[maint-page]\ndir = \"page\"\nmessage = \"From the file\"\nfor = \"15m\"\n[cron-render]\nno_such = 1\n",
    );
    let shown = |done: harness::Output| done.expect_code(0).json()["holds"][0]["message"].clone();
    assert_eq!(
        shown(with("maint-page", dir.path(), &["on"]).run()),
        "From the file"
    );
    assert!(
        dir.path().join("page/on").exists(),
        "a relative path starts at the file"
    );
    let typed = with("maint-page", dir.path(), &["on", "--message", "Typed"]);
    assert_eq!(shown(typed.run()), "Typed");
    // The variable, and Ansible's option.
    let mut by_variable = tool("maint-page").arg("off");
    by_variable
        .command()
        .env("RUNBOOK_SITE", dir.path().join("reef.toml"));
    by_variable.run().expect_code(0);
    assert!(!dir.path().join("page/on").exists());
    let keys = json!({"command": "on", "site": dir.path().join("reef.toml")});
    std::fs::write(dir.path().join("args"), keys.to_string()).unwrap();
    let called = tool("maint-page")
        .arg("--ansible-args")
        .arg(dir.path().join("args"))
        .run();
    assert_eq!(shown(called), "From the file");
    // A bare name is looked for in one place.
    let done = tool("maint-page")
        .args(["status", "--site", "no-such-site"])
        .run()
        .expect_code(2);
    assert!(
        done.err()
            .contains("/etc/runbook-tools/sites/no-such-site.toml"),
        "{}",
        done.err()
    );
}

#[test]
fn facts_stand_for_options() {
    let dir = site("[site]\nname = \"reef\"\nvenv = \"v\"\nrequirements = [\"r.txt\"]\n");
    std::fs::write(dir.path().join("r.txt"), "").unwrap();
    let made = std::process::Command::new("/usr/bin/python3")
        .args(["-m", "venv", "--without-pip"])
        .arg(dir.path().join("v"))
        .status()
        .unwrap();
    assert!(made.success());
    with("venv-sync", dir.path(), &["check"])
        .run()
        .expect_code(0);
}

/// What COMMAND says of itself.
const LOOK: &str = "id -un; pwd; umask; echo $PATH; ls -l /proc/self/fd; env; \
    test $$ = $(ps -o sid= -p $$) && echo own session; touch made; exit 3";

#[test]
fn a_command_as_the_site_has_nothing_of_the_callers() {
    let Some(person) = Person::new() else { return };
    let dir = site(&format!(
        "[site]\nname = \"reef\"\nuser = \"{}\"\ndir = \"site\"\nvenv = \"venv\"\nenv_file = \"reef.env\"\n\
         [maint-page]\ndir = \"page\"\non_failure = \"off\"\n[svc-cycle]\nservice = [\"pidfile:{}\"]\n",
        person.name,
        dir_less("none.pid"),
    ));
    let top = dir.path();
    std::fs::write(
        top.join("reef.env"),
        "SECRET_KEY='hush hush'\nDB_PASS=frobnicate\nexport A=1\n",
    )
    .unwrap();
    std::fs::create_dir(top.join("site")).unwrap();
    let home = std::fs::metadata(&person.home).unwrap();
    chown(top.join("site"), Some(home.uid()), Some(home.gid())).unwrap();
    let mut call = with(
        "maint-page",
        top,
        &["during", "--as-site", "--", "sh", "-c", LOOK],
    );
    call.command().env("OF_ROOT", "a secret of root's");
    let done = call.run().expect_code(3);
    let tail = done.json()["ran"]["tail"].as_str().unwrap().to_owned();
    let venv = top.join("venv/bin");
    for line in [
        &person.name,
        top.join("site").to_str().unwrap(),
        "0022",
        &format!("{}:/usr/local/sbin:", venv.display()),
        &format!("HOME={}", person.home.display()),
        "own session",
        "SECRET_KEY=***",
        "DB_PASS=***",
    ] {
        assert!(tail.contains(line), "{line}: {tail}");
    }
    assert!(!tail.contains("OF_ROOT") && !tail.contains("A=1"), "{tail}");
    // Standard input, output and error, and the directory that ls reads.
    assert_eq!(
        tail.lines().filter(|line| line.contains(" -> ")).count(),
        4,
        "{tail}"
    );
    assert_eq!(
        std::fs::metadata(top.join("site/made")).unwrap().uid(),
        home.uid()
    );
    // --as alone, and what cannot be.
    with(
        "maint-page",
        top,
        &["during", "--as", "no-such-user", "--", "true"],
    )
    .run()
    .expect_code(2)
    .expect_err("there is no user 'no-such-user'");
    tool("maint-page")
        .args([
            "during",
            "--dir",
            "/tmp/x",
            "--on-failure",
            "off",
            "--as-site",
            "--",
            "true",
        ])
        .run()
        .expect_code(2)
        .expect_err("--as-site needs a site file");
}

/// COMMAND runs as the site on the administrator's terminal, and can neither open that terminal as
/// its own nor push a line into what the administrator's shell reads next (TIOCSTI).
#[test]
fn a_command_as_the_site_cannot_type_for_the_caller() {
    let Some(person) = Person::new() else { return };
    let dir = site(&format!(
        "[site]\nname = \"reef\"\nuser = \"{}\"\ndir = \"site\"\n[maint-page]\ndir = \"page\"\non_failure = \"off\"\n",
        person.name
    ));
    let top = dir.path();
    std::fs::create_dir(top.join("site")).unwrap();
    let home = std::fs::metadata(&person.home).unwrap();
    chown(top.join("site"), Some(home.uid()), Some(home.gid())).unwrap();
    let attack = top.join("attack.py");
    let script = "import fcntl, termios\n\
        def tries(what, do):\n    try:\n        do()\n        print(what, 'done')\n    except OSError:\n        print(what, 'refused')\n\
        tries('opening', lambda: open('/dev/tty', 'rb+', buffering=0))\n\
        for fd in range(3):\n    tries('typing', lambda: fcntl.ioctl(fd, termios.TIOCSTI, b'#'))\n    \
        tries('taking', lambda: fcntl.ioctl(fd, termios.TIOCSCTTY, 0))\n";
    std::fs::write(&attack, script).unwrap();
    let typed = |line: &str| {
        let mut script = std::process::Command::new("script");
        let done = script.args(["-q", "-e", "-c", line, "/dev/null"]).output();
        String::from_utf8_lossy(&done.unwrap().stdout).into_owned()
    };
    // The attack is one: the caller's own process does open the terminal.
    let own = typed(&format!("python3 {}", attack.display()));
    assert!(own.contains("opening done"), "{own}");
    let said = typed(&format!(
        "{} during --site {} --as-site -o text -- python3 {}",
        harness::bin("maint-page").display(),
        top.join("reef.toml").display(),
        attack.display()
    ));
    assert!(said.contains("opening refused"), "{said}");
    assert_eq!(said.matches("refused").count(), 7, "{said}");
}

fn dir_less(name: &str) -> String {
    format!("/run/{name}")
}

#[test]
fn files_of_others_have_no_rights_of_roots() {
    let Some(person) = Person::new() else { return };
    let dir = site("[site]\nname = \"reef\"\n[maint-page]\ndir = \"page\"\n");
    let file = dir.path().join("reef.toml");
    let uid = std::fs::metadata(&person.home).unwrap().uid();
    chown(&file, Some(uid), None).unwrap();
    let done = with("maint-page", dir.path(), &["on"])
        .run()
        .expect_code(2)
        .expect_silence();
    assert!(
        done.err().contains(&person.name) && done.err().contains("--trust"),
        "{}",
        done.err()
    );
    assert!(!dir.path().join("page").exists());
    with(
        "maint-page",
        dir.path(),
        &["on", "--trust", file.to_str().unwrap()],
    )
    .run()
    .expect_code(0);
    // Variables of another user are none for a program of root's.
    let env = dir.path().join("x.env");
    std::fs::write(&env, "LD_PRELOAD=/tmp/x.so\n").unwrap();
    chown(&env, Some(uid), None).unwrap();
    chown(&file, Some(0), None).unwrap();
    let during = |args: &[&str]| {
        with(
            "maint-page",
            dir.path(),
            &["during", "--on-failure", "off", "--env-file"],
        )
        .arg(&env)
        .args(args.iter().copied())
        .args(["--", "true"])
        // The clone may be in a directory that this user cannot enter.
        .dir("/")
        .run()
    };
    during(&[]).expect_code(2).expect_err(&person.name);
    during(&["--as", &person.name]).expect_code(0);
}

/// check-reqs' django and venv-sync's post-checks as the site: the user, the variables, and nothing
/// of the caller's.
#[test]
fn post_checks_run_as_the_site() {
    let Some(person) = Person::new() else { return };
    let dir = site(&format!(
        "[site]\nname = \"reef\"\nuser = \"{}\"\ndir = \"site\"\nvenv = \"v\"\nenv_file = \"reef.env\"\nrequirements = [\"r.txt\"]\n",
        person.name
    ));
    let top = dir.path();
    let home = std::fs::metadata(&person.home).unwrap();
    std::fs::write(top.join("r.txt"), "").unwrap();
    let secret = top.join("reef.env");
    std::fs::write(&secret, "SECRET_KEY='hush hush'\n").unwrap();
    std::fs::set_permissions(&secret, std::fs::Permissions::from_mode(0o600)).unwrap();
    std::fs::create_dir(top.join("site")).unwrap();
    let check = top.join("look");
    let script = "#!/bin/sh\n{ id -un; pwd; env; } >\"$SITE_OUT\"; exit 7\n";
    std::fs::write(&check, script).unwrap();
    std::fs::set_permissions(&check, std::fs::Permissions::from_mode(0o755)).unwrap();
    // The environment belongs to root, then to the site's user, as whom the whole work is done.
    for (round, owner) in [(0, 0), (1, home.uid())] {
        let place = top.join(format!("round{round}"));
        std::fs::create_dir(&place).unwrap();
        chown(&place, Some(owner), None).unwrap();
        let out = top.join("site").join(format!("out{round}"));
        std::fs::write(
            &secret,
            format!("SECRET_KEY='hush hush'\nSITE_OUT={}\n", out.display()),
        )
        .unwrap();
        chown(top.join("site"), Some(home.uid()), Some(home.gid())).unwrap();
        let mut call = tool("venv-sync").args(["apply", "--site"]);
        call = call.arg(top.join("reef.toml")).arg(place.join("v"));
        call = call.args([
            "--python",
            "/usr/bin/python3",
            "--installer",
            "pip",
            "--as-site",
        ]);
        call = call.arg("--post-check").arg(&check);
        call.command().env("ROOTS_OWN", "a secret of root's");
        let done = call.run().expect_code(3);
        let said = std::fs::read_to_string(&out).unwrap_or_else(|_| panic!("{}", done.err()));
        for line in [
            person.name.as_str(),
            top.join("site").to_str().unwrap(),
            "SECRET_KEY=hush hush",
        ] {
            assert!(said.lines().any(|found| found == line), "{line}: {said}");
        }
        assert!(!said.contains("ROOTS_OWN"), "{said}");
        assert_eq!(std::fs::metadata(&out).unwrap().uid(), home.uid());
        assert!(!done.err().contains("hush") && !done.out().contains("hush"));
        assert!(!place.join("v").exists(), "nothing went live");
    }
    // A user other than the owner cannot work on the owner's environment.
    let mut call = tool("venv-sync").args(["apply", "--as", "nobody"]);
    call = call
        .arg(top.join("round1/v"))
        .arg("-r")
        .arg(top.join("r.txt"));
    call.args(["--post-check", "os"])
        .run()
        .expect_code(2)
        .expect_err("post-checks cannot run as 'nobody'");
}

/// A site file of a site that runs, and what check-reqs says with it.
#[test]
fn a_first_site_file_is_written_from_a_site_that_runs() {
    let Some(person) = Person::new() else { return };
    let dir = site("");
    let top = dir.path().canonicalize().unwrap();
    let home = std::fs::metadata(&person.home).unwrap();
    let made = std::process::Command::new("/usr/bin/python3")
        .args(["-m", "venv", "--without-pip"])
        .arg(top.join("venv"))
        .status()
        .unwrap();
    assert!(made.success());
    std::fs::create_dir(top.join("kelp-2")).unwrap();
    for (name, text) in [
        ("kelp-2/manage.py", "import time\ntime.sleep(600)\n"),
        ("kelp-2/requirements.txt", ""),
    ] {
        std::fs::write(top.join(name), text).unwrap();
    }
    chown(top.join("kelp-2"), Some(home.uid()), None).unwrap();
    let mut running = std::process::Command::new("setpriv")
        .args([&format!("--reuid={}", home.uid()), "--clear-groups"])
        .arg(top.join("venv/bin/python"))
        .args(["manage.py", "runserver"])
        .current_dir(top.join("kelp-2"))
        .spawn()
        .unwrap();
    let place = format!("site@{}", top.join("kelp-2").display());
    harness::wait_until("the site is seen", || {
        tool("check-reqs").args(["--snapshot", &place]).run().code() == 0
    });
    let written = tool("check-reqs")
        .args(["--snapshot", &place])
        .run()
        .expect_code(0)
        .out();
    let as_json = tool("check-reqs")
        .args(["--snapshot", &place, "-o", "json"])
        .run()
        .expect_code(0)
        .out();
    let as_json: serde_json::Value = serde_json::from_str(&as_json).unwrap();
    let none = tool("check-reqs").args(["--snapshot", "site@/etc"]).run();
    running.kill().unwrap();
    running.wait().unwrap();
    let wanted = json!({
        "name": "kelp-2",
        "user": person.name,
        "dir": top.join("kelp-2"),
        "venv": top.join("venv"),
        "requirements": [top.join("kelp-2/requirements.txt")],
    });
    assert_eq!(as_json["site"], wanted, "{written}");
    none.expect_code(3)
        .expect_err("no process runs a Django site in '/etc'");
    // The other tools read the file.
    std::fs::write(dir.path().join("reef.toml"), &written).unwrap();
    with("venv-sync", dir.path(), &["check"])
        .run()
        .expect_code(0);
}
