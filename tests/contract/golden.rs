//! One whole report of each tool and each of its subcommands, beside the one that is kept in
//! golden/: every key, every word and every fix, with times, pids, paths and versions masked.

use harness::golden::{Mask, expect};
use harness::nginx::Nginx;
use harness::postgres::{Postgres, unique};
use harness::venvs::Venvs;
use harness::{Person, Tool, need, need_root, scratch, source_root, tool};
use serde_json::{Value, json};
use std::path::Path;

#[track_caller]
fn golden(name: &str, report: &Value, mask: &Mask) {
    expect(format!("tests/contract/golden/{name}.json"), report, mask);
}

/// The call as Ansible makes it, whose answer is the envelope where a person sees a text.
fn from_ansible(name: &str, dir: &Path, keys: &Value) -> Tool {
    let file = dir.join("args");
    std::fs::write(&file, keys.to_string()).unwrap();
    tool(name).arg("--ansible-args").arg(file)
}

#[test]
fn every_tool_and_every_subcommand_has_a_golden_report() {
    let mut wanted: Vec<String> = Vec::new();
    for tool in runbook_docgen::TOOLS {
        let line = tool.line;
        wanted.extend(
            line.commands
                .iter()
                .map(|command| format!("{}-{}", line.name, command.name)),
        );
        if line.commands.is_empty() {
            wanted.push(line.name.to_owned());
        }
    }
    let mut kept: Vec<String> = std::fs::read_dir(source_root().join("tests/contract/golden"))
        .unwrap()
        .map(|entry| {
            entry
                .unwrap()
                .path()
                .file_stem()
                .unwrap()
                .to_str()
                .unwrap()
                .to_owned()
        })
        .collect();
    // What a tool says besides has a name of its own after a dot: check-reqs.list.
    kept.retain(|name| !name.contains('.'));
    wanted.sort();
    kept.sort();
    assert_eq!(kept, wanted);
}

#[test]
fn check_reqs() {
    if !need_root() {
        return;
    }
    let dir = scratch();
    let path = dir.path().display();
    std::fs::write(dir.path().join("present"), "").unwrap();
    let needs = [
        format!("file:{path}/present"),
        format!("file:{path}/absent"),
        "user:no-such-user".to_owned(),
    ];
    let mask = Mask::new().path(dir.path(), "DIR");
    let call = || tool("check-reqs").args(&needs);
    golden("check-reqs", &call().run().expect_code(1).json(), &mask);
    golden(
        "check-reqs.list",
        &call().arg("--list").run().expect_code(0).json(),
        &mask,
    );
    let explained = call()
        .args(["--explain", &format!("file:{path}/absent")])
        .run();
    golden(
        "check-reqs.explain",
        &explained.expect_code(0).json(),
        &mask,
    );
}

#[test]
fn log_paths() {
    if !need_root() {
        return;
    }
    let dir = scratch();
    let path = dir.path().display();
    std::fs::write(dir.path().join("access.log"), "").unwrap();
    std::fs::create_dir(dir.path().join("rotate")).unwrap();
    let conf = dir.path().join("nginx.conf");
    let text = format!(
        "error_log {path}/none/error.log; events {{}} http {{ access_log {path}/access.log; server {{ access_log {path}/$host.log; }} }}\n"
    );
    std::fs::write(&conf, text).unwrap();
    let rotate = dir.path().join("rotate.conf");
    std::fs::write(&rotate, format!("{path}/none/error.log {{\n  weekly\n}}\n")).unwrap();
    let call = tool("log-paths")
        .args([
            "--config-only",
            "--check",
            "--conf",
            &format!("nginx={}", conf.display()),
        ])
        .args([
            "--conf",
            &format!("logrotate={}", rotate.display()),
            "nginx",
        ]);
    let mask = Mask::new().path(dir.path(), "DIR");
    golden("log-paths", &call.run().expect_code(1).json(), &mask);
}

#[test]
fn cron_render() {
    let Some(person) = Person::new() else { return };
    let site = person.home.join("site");
    std::fs::create_dir(&site).unwrap();
    let template = site.join("schedule");
    std::fs::write(
        &template,
        "MAILTO=root\n5 4 * * * /bin/true\n*/7 * 31 2 * /bin/true 50%\n",
    )
    .unwrap();
    let good = site.join("good");
    std::fs::write(&good, "MAILTO=root\n5 4 * * * /bin/true\n").unwrap();
    let mask = Mask::new()
        .path(&person.home, "HOME")
        .word(&person.name, "USER");
    let call = |command: &str| {
        let tool = tool("cron-render").args([command, "--user", &person.name]);
        match command {
            "render" | "lint" | "next" | "explain" => tool.args(["--dialect", "debian"]),
            // What touches the host goes by the host's own cron.
            _ => tool,
        }
    };
    let of = |command: &str| {
        call(command)
            .args([
                "--name",
                "site",
                "--dir",
                site.to_str().unwrap(),
                "--tz",
                "UTC",
            ])
            .arg(&good)
    };
    golden(
        "cron-render-render",
        &of("render")
            .args(["-o", "json"])
            .run()
            .expect_code(0)
            .json(),
        &mask,
    );
    golden(
        "cron-render-lint",
        &call("lint").arg(&template).run().json(),
        &mask,
    );
    let next = of("next").args(["--from", "2026-01-01T00:00:00Z", "--count", "2"]);
    golden("cron-render-next", &next.run().expect_code(0).json(), &mask);
    golden(
        "cron-render-explain",
        &of("explain").run().expect_code(0).json(),
        &mask,
    );
    // Whether cron runs on the host that tests is no part of it.
    let without_daemon = |mut report: Value| {
        let findings = report["findings"].as_array_mut().unwrap();
        findings.retain(|finding| finding["code"] != "W23");
        report
    };
    golden(
        "cron-render-diff",
        &without_daemon(of("diff").run().expect_code(1).json()),
        &mask,
    );
    golden(
        "cron-render-install",
        &without_daemon(of("install").run().expect_code(0).json()),
        &mask,
    );
    let tried = call("try")
        .args(["--name", "site", "--dir", site.to_str().unwrap()])
        .args(["--tz", "UTC", "2"])
        .arg(&good);
    golden("cron-render-try", &tried.run().expect_code(0).json(), &mask);
    let remove = call("remove").args(["--name", "site"]);
    golden(
        "cron-render-remove",
        &remove.run().expect_code(0).json(),
        &mask,
    );
}

#[test]
fn maint_page() {
    if !need_root() {
        return;
    }
    let dir = scratch();
    let page = dir.path().join("page");
    let nginx = Nginx::serving("location / { return 200; }");
    let mask = Mask::new()
        .path(dir.path(), "DIR")
        .word(format!(":{}", nginx.port()), ":PORT")
        .word(
            nix::unistd::gethostname().unwrap().to_string_lossy(),
            "HOST",
        );
    let call = |command: &str| tool("maint-page").arg(command).arg("--dir").arg(&page);
    let said = |name: &str, call: Tool| golden(name, &call.run().expect_code(0).json(), &mask);
    said(
        "maint-page-on",
        call("on").args(["--id", "update", "--for", "1h", "--message", "Back soon"]),
    );
    said("maint-page-status", call("status"));
    said("maint-page-tick", call("tick"));
    said("maint-page-wait", call("wait"));
    said(
        "maint-page-bypass",
        call("bypass").args(["add", "--ttl", "1h"]),
    );
    said("maint-page-off", call("off").args(["--id", "update"]));
    said(
        "maint-page-during",
        call("during").args(["--id", "run", "--on-failure", "off", "--", "true"]),
    );
    said(
        "maint-page-verify",
        call("verify").args(["--off", &nginx.url("/")]),
    );
    let keys = json!({"command": "snippet", "server": "nginx", "dir": page});
    said(
        "maint-page-snippet",
        from_ansible("maint-page", dir.path(), &keys),
    );
}

#[test]
fn svc_cycle() {
    let dir = scratch();
    let file = dir.path().join("services.toml");
    // A daemon that ignores USR1 from before its exec on.
    let daemon = format!("600.75 {}", std::process::id());
    let text = format!(
        "[service.idle]\nbackend = \"command\"\nname = \"sleep\"\nmatch = \"{daemon}\"\nreload_signal = \"USR1\"\nstable = \"1s\"\n\
         start = [\"/bin/sh\", \"-c\", \"trap '' USR1; exec sleep {daemon}\"]\n"
    );
    std::fs::write(&file, text).unwrap();
    let mask = Mask::new()
        .path(dir.path(), "DIR")
        .word(&daemon, "600.75 NUMBER");
    let call = |command: &str| tool("svc-cycle").arg(command).arg("-f").arg(&file);
    let said = |command: &str, call: Tool| {
        golden(
            &format!("svc-cycle-{command}"),
            &call.run().expect_code(0).json(),
            &mask,
        );
    };
    for command in ["start", "status", "check", "restart", "reload"] {
        said(command, call(command));
    }
    said("cycle", call("cycle").args(["--", "true"]));
    let keys = json!({"command": "snapshot", "file": file});
    said("snapshot", from_ansible("svc-cycle", dir.path(), &keys));
    said("recover", call("recover"));
    said("stop", call("stop"));
}

#[test]
fn venv_sync() {
    let venvs = Venvs::with_alpha();
    let python = std::process::Command::new("/usr/bin/python3")
        .args([
            "-c",
            "import sys; print('%d.%d.%d %d.%d' % (sys.version_info[:3] + sys.version_info[:2]))",
        ])
        .output()
        .unwrap();
    let python = String::from_utf8(python.stdout).unwrap();
    let (whole, minor) = python.trim().split_once(' ').unwrap();
    let mask = Mask::new()
        .path(venvs.path(), "DIR")
        .word(whole, "PYTHON")
        .word(format!("python{minor}"), "pythonX.Y");
    let made = ["--wheelhouse", "wheels", "--python", "/usr/bin/python3"];
    venvs.requirements("alpha==1.0\n");
    let prepared = venvs.sync("prepare", &made).run().expect_code(0).json();
    golden("venv-sync-prepare", &prepared, &mask);
    golden(
        "venv-sync-apply",
        &venvs.apply(&[]).run().expect_code(0).json(),
        &mask,
    );
    venvs.requirements("alpha==2.0\ngamma\n");
    golden(
        "venv-sync-check",
        &venvs.sync("check", &[]).run().expect_code(1).json(),
        &mask,
    );
    venvs.requirements("alpha==2.0\n");
    venvs.apply(&[]).run().expect_code(0);
    golden(
        "venv-sync-list",
        &venvs.tool(&["list", "venv"]).run().expect_code(0).json(),
        &mask,
    );
    let back = venvs
        .tool(&["rollback", "venv"])
        .run()
        .expect_code(0)
        .json();
    golden("venv-sync-rollback", &back, &mask);
}

#[test]
fn pg_ext_ensure() {
    if need("pg_ctlcluster").is_none() || !need_root() {
        return;
    }
    let server = Postgres::shared();
    let state = scratch();
    let role = unique("golden");
    server.create_app(&role);
    let version = server.psql("postgres", "SHOW server_version");
    let version = version.split_whitespace().next().unwrap();
    let hstore = "SELECT default_version FROM pg_available_extensions WHERE name = 'hstore'";
    let hstore = server.psql("postgres", hstore);
    let mask = Mask::new()
        .path(server.socket_dir(), "SOCKETS")
        .path(server.data_dir(), "DATA")
        .path(state.path(), "STATE")
        .word(server.port().to_string(), "PORT")
        .word(&role, "ROLE")
        .word(version, "SERVER")
        .word(hstore.trim(), "HSTORE");
    let admin = server.dsn("postgres", "postgres");
    let dsn = server.dsn("postgres", &role);
    let call = || tool("pg-ext-ensure").env("STATE_DIRECTORY", state.path());
    let ensured = call()
        .args(["-d", &dsn, "hstore", "plpgsql", "no_such_extension"])
        .run();
    golden("pg-ext-ensure-ensure", &ensured.json(), &mask);
    let elevated = call()
        .args(["elevate", "--role", &role, "--admin", &admin, "--", "true"])
        .run();
    golden(
        "pg-ext-ensure-elevate",
        &elevated.expect_code(0).json(),
        &mask,
    );
    let recovered = call().args(["recover", "--admin", &admin]).run();
    golden(
        "pg-ext-ensure-recover",
        &recovered.expect_code(0).json(),
        &mask,
    );
}
