//! Types that need no server: met, unmet and unknown, each brought about.

use super::{answer, ask, check, check_file, pair};
use harness::{free_port, scratch, tool};
use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn root() -> bool {
    harness::need_root()
}

/// A virtual environment as files show it, without a Python in it.
fn made_up_venv(dir: &Path, python: &str, dists: &[&str]) {
    let site = dir.join("lib/python3.11/site-packages");
    fs::create_dir_all(&site).unwrap();
    fs::create_dir_all(dir.join("bin")).unwrap();
    fs::write(
        dir.join("pyvenv.cfg"),
        "home = /usr/bin\nversion = 3.11.2\n",
    )
    .unwrap();
    symlink(python, dir.join("bin/python")).unwrap();
    for dist in dists {
        let info = site.join(format!("{dist}.dist-info"));
        fs::create_dir(&info).unwrap();
        let (name, version) = dist.split_once('-').unwrap();
        fs::write(
            info.join("METADATA"),
            format!("Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"),
        )
        .unwrap();
    }
}

#[test]
fn python_is_the_real_one() {
    let found = check(&["python>=3.8"]).expect_code(0).json();
    let real = found["items"][0]["evidence"].as_str().unwrap();
    assert!(real.contains("python3."), "{found}");
    assert_eq!(ask("python<3"), pair("unmet", "version"));
    assert_eq!(ask("python>=2.7,<2.8||>=3.4").0, "met");
    assert_eq!(ask("python@/no/such/venv"), pair("unmet", "missing"));

    let dir = scratch();
    let venv = dir.path().join("venv");
    made_up_venv(&venv, "/usr/bin/python3", &[]);
    assert_eq!(ask(&format!("python>=3.8@{}", text(&venv))).0, "met");
    let broken = dir.path().join("broken");
    made_up_venv(&broken, "/usr/bin/python2.99", &[]);
    let done = check(&[&format!("python@{}", text(&broken))]).expect_code(1);
    assert_eq!(answer(&done), pair("unmet", "broken_link"));
    let fix = done.json()["items"][0]["fix"].clone();
    assert!(fix["steps"].to_string().contains("broken.broken"), "{fix}");
}

#[test]
fn a_shim_is_seen_through() {
    let dir = scratch();
    let shim = dir.path().join("python3");
    fs::write(&shim, "#!/bin/sh\nexec /usr/bin/python3 \"$@\"\n").unwrap();
    fs::set_permissions(&shim, fs::Permissions::from_mode(0o755)).unwrap();
    let path = format!("{}:/usr/bin:/bin", text(dir.path()));
    let report = tool("check-reqs")
        .args(["python>=3.8", "no-such-dist"])
        .env("PATH", &path)
        .run()
        .expect_code(1)
        .json();
    let evidence = report["items"][0]["evidence"].as_str().unwrap();
    let real = fs::canonicalize("/usr/bin/python3").unwrap();
    assert_eq!(evidence, format!("{} is {}", text(&shim), text(&real)));
    // A distribution is looked for beside the real interpreter, not beside the shim.
    assert_eq!(report["items"][1]["reason"], "missing", "{report}");
}

#[test]
fn distributions_are_read_from_their_files() {
    let dir = scratch();
    let venv = dir.path().join("venv");
    made_up_venv(
        &venv,
        "/usr/bin/python3",
        &[
            "setuptools-7.0",
            "python_dateutil-2.9.0.post0",
            "Django-5.2rc1",
        ],
    );
    let at = |need: &str| ask(&format!("{need}@{}", text(&venv)));
    assert_eq!(at("setuptools>=8.0"), pair("unmet", "version"));
    assert_eq!(at("setuptools>=7").0, "met");
    assert_eq!(
        at("Python-DateUtil>=2.9").0,
        "met",
        "names are compared as PEP 503 has them"
    );
    assert_eq!(at("django>=5.2b1").0, "met");
    assert_eq!(at("django>=5.2"), pair("unmet", "version"));
    assert_eq!(at("celery[redis]"), pair("unmet", "missing"));
    assert_eq!(ask("setuptools@/no/such/venv"), pair("unmet", "missing"));
    // What is no environment is left alone: the fix would empty it.
    let other = dir.path().join("other");
    fs::create_dir(&other).unwrap();
    fs::write(other.join("precious"), "").unwrap();
    let done = check(&[&format!("setuptools@{}", text(&other))]).expect_code(1);
    assert_eq!(
        done.json()["items"][0]["fix"]["steps"],
        serde_json::json!([])
    );

    let broken = dir.path().join("broken");
    made_up_venv(&broken, "/usr/bin/python2.99", &["setuptools-70.0"]);
    assert_eq!(
        ask(&format!("setuptools>=8.0@{}", text(&broken))),
        pair("unmet", "broken_link")
    );
}

#[test]
fn commands_and_their_versions() {
    assert_eq!(ask("cmd:sh").0, "met");
    assert_eq!(ask("cmd:no-such-program"), pair("unmet", "missing"));
    assert_eq!(ask("cmd:git>=1.0").0, "met");
    assert_eq!(ask("cmd:git>=99"), pair("unmet", "version"));
    let dir = scratch();
    let program = |name: &str, script: &str| {
        let path = dir.path().join(name);
        fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        path.display().to_string()
    };
    let on_stderr = program("errs", "echo 'errs version 2.5.1' >&2; exit 1");
    assert_eq!(
        ask(&format!("cmd:{on_stderr}>=2.5")).0,
        "met",
        "a version may stand on standard error"
    );
    let mute = program("mute", "exit 0");
    assert_eq!(
        ask(&format!("cmd:{mute}>=1")),
        pair("unknown", "no_version")
    );
    let broken = program("latin", "printf 'caf\\351 1.2.3\\n'");
    assert_eq!(
        ask(&format!("cmd:{broken}>=1.2")).0,
        "met",
        "invalid UTF-8 survives"
    );
    // cron's PATH has no sbin; an administrator's program is found all the same.
    tool("check-reqs")
        .args(["cmd:useradd", "cmd:cron"])
        .env("PATH", "/usr/bin:/bin")
        .run()
        .expect_code(0);
}

#[test]
fn packages_in_their_own_order() {
    assert_eq!(ask("pkg:coreutils").0, "met");
    assert_eq!(ask("pkg:coreutils>=5").0, "met");
    assert_eq!(ask("pkg:coreutils>=99:1"), pair("unmet", "version"));
    assert_eq!(ask("pkg:awk").0, "met", "what a package provides counts");
    for foreign in ["pkg:coreutils:i386", "pkg:coreutils:nonsense"] {
        assert_eq!(ask(foreign), pair("unmet", "missing"));
    }
    // What is provided without a version meets no version.
    assert_eq!(ask("pkg:awk>=0"), pair("unmet", "version"));
}

#[test]
fn memory_and_disk() {
    assert_eq!(ask("memory:1M").0, "met");
    assert_eq!(ask("memory:4000T"), pair("unmet", "too_little"));
    assert_eq!(ask("disk:/:1K").0, "met");
    assert_eq!(ask("disk:/:100000T"), pair("unmet", "too_little"));
    assert_eq!(ask("disk:/:0%").0, "met");
    assert_eq!(ask("disk:/:100%").0, "unmet");
    assert_eq!(
        ask("disk:/no/such/dir:1K").0,
        "met",
        "a directory to come is judged by the one above"
    );
    assert_eq!(ask("disk:/dev/shm:1inodes").0, "met");
    assert_eq!(ask("disk:/dev/shm:99999999999999inodes").0, "unmet");
}

#[test]
fn ports_are_listened_on_or_free() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    assert_eq!(ask(&format!("port:{port}")).0, "met");
    assert_eq!(ask(&format!("port:127.0.0.1:{port}:listening")).0, "met");
    let taken = check(&[&format!("port:{port}:free")]).expect_code(1);
    assert_eq!(answer(&taken), pair("unmet", "taken"));
    let holder = taken.json()["items"][0]["evidence"].to_string();
    assert!(
        holder.contains(&format!("(pid {})", std::process::id())),
        "{holder}"
    );
    assert_eq!(
        ask(&format!("port:127.0.0.2:{port}:free")).0,
        "met",
        "another address is another port"
    );
    let free = free_port();
    assert_eq!(ask(&format!("port:{free}:free")).0, "met");
    assert_eq!(ask(&format!("port:{free}")), pair("unmet", "not_listening"));
    assert_eq!(ask(&format!("tcp:127.0.0.1:{port}")).0, "met");
    assert_eq!(
        ask(&format!("tcp:127.0.0.1:{free}")),
        pair("unmet", "refused")
    );
}

#[test]
fn files_directories_links_and_sockets() {
    let dir = scratch();
    let file = dir.path().join("file");
    fs::write(&file, "").unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();
    let me = nix::unistd::User::from_uid(nix::unistd::geteuid())
        .unwrap()
        .unwrap()
        .name;
    let of = |keys: &str| {
        answer(&check_file(
            &format!(
                "[[check]]\ntype = \"file\"\npath = \"{}\"\n{keys}\n",
                text(&file)
            ),
            &[],
        ))
    };
    assert_eq!(of("").0, "met");
    assert_eq!(
        of(&format!(
            "kind = \"file\"\nowner = \"{me}\"\nmode = \"0640\""
        ))
        .0,
        "met"
    );
    assert_eq!(of("kind = \"directory\""), pair("unmet", "kind"));
    assert_eq!(of("mode = \"0600\""), pair("unmet", "mode"));
    assert_eq!(of("owner = \"daemon\""), pair("unmet", "owner"));
    assert_eq!(of("group = \"no-such-group\""), pair("unmet", "group"));
    assert_eq!(of("absent = true"), pair("unmet", "present"));
    let link = dir.path().join("link");
    symlink("/no/such/target", &link).unwrap();
    assert_eq!(
        ask(&format!("file:{}", text(&link))),
        pair("unmet", "broken_link")
    );
    let link = format!(
        "[[check]]\ntype = \"file\"\npath = \"{}\"\nkind = \"symlink\"\ntarget = \"/elsewhere\"\n",
        text(&link)
    );
    assert_eq!(answer(&check_file(&link, &[])), pair("unmet", "target"));
    assert_eq!(ask("file:/no/such/file"), pair("unmet", "missing"));
    let socket = dir.path().join("socket");
    let listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    assert_eq!(ask(&format!("tcp:{}", text(&socket))).0, "met");
    drop(listener);
    assert_eq!(
        ask(&format!("tcp:{}", text(&socket))),
        pair("unmet", "refused")
    );
}

#[test]
fn accounts_and_groups() {
    assert_eq!(ask("user:root").0, "met");
    assert_eq!(ask("user:www-data:www-data").0, "met");
    assert_eq!(ask("user:www-data:sudo"), pair("unmet", "groups"));
    let missing = check(&["user:no-such-user"]).expect_code(1);
    assert!(
        missing.json()["items"][0]["fix"]["steps"][0]["text"]
            .as_str()
            .unwrap()
            .starts_with("getent passwd no-such-user >/dev/null || useradd ")
    );
    assert_eq!(ask("group:www-data").0, "met");
    assert_eq!(ask("group:adm:www-data"), pair("unmet", "members"));
    assert_eq!(ask("group:no-such-group"), pair("unmet", "missing"));
}

#[test]
fn names_that_resolve() {
    assert_eq!(ask("dns:localhost").0, "met");
    assert_eq!(ask("dns:localhost=127.0.0.1").0, "met");
    assert_eq!(ask("dns:localhost=192.0.2.1"), pair("unmet", "address"));
    // In a network namespace of its own no name server can be reached: that is not the name's
    // fault.
    if root() {
        let bin = harness::bin("check-reqs");
        let done = std::process::Command::new("unshare")
            .arg("-n")
            .arg(bin)
            .args(["--each", "3s", "dns:example.org"])
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&done.stdout).into_owned();
        assert!(
            said.contains("\"status\":\"unknown\""),
            "{said}{}",
            String::from_utf8_lossy(&done.stderr)
        );
    }
}

#[test]
fn only_root_can_ask_for_others() {
    let dir = scratch();
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
    if !root() {
        return;
    }
    assert_eq!(
        ask(&format!("writable:{}:www-data", text(dir.path()))),
        pair("unmet", "not_writable")
    );
    assert_eq!(ask("writable:/tmp:www-data").0, "met");
    assert_eq!(ask(&format!("writable:{}", text(dir.path()))).0, "met");
    assert_eq!(ask("writable:/no/such:www-data"), pair("unmet", "missing"));
    assert_eq!(ask("writable:/tmp:no-such-user"), pair("unmet", "no_user"));

    // A group, and a list of groups, count as they do for the user's own programs.
    let shared = dir.path().join("shared");
    fs::create_dir(&shared).unwrap();
    std::os::unix::fs::chown(&shared, Some(0), Some(33)).unwrap();
    fs::set_permissions(&shared, fs::Permissions::from_mode(0o770)).unwrap();
    assert_eq!(
        ask(&format!("writable:{}:www-data", text(&shared))).0,
        "met"
    );
    assert_eq!(
        ask(&format!("writable:{}:nobody", text(&shared))),
        pair("unmet", "not_writable")
    );
    // A directory above that cannot be passed through is named.
    let (above, inner) = (dir.path().join("above"), dir.path().join("above/inner"));
    fs::create_dir_all(&inner).unwrap();
    fs::set_permissions(&inner, fs::Permissions::from_mode(0o777)).unwrap();
    fs::set_permissions(&above, fs::Permissions::from_mode(0o700)).unwrap();
    assert_eq!(
        ask(&format!("writable:{}:www-data", text(&inner))),
        pair("unmet", "not_reachable")
    );

    // As somebody else: not to be told, rather than wrong.
    let bin = dir.path().join("check-reqs");
    fs::copy(harness::bin("check-reqs"), &bin).unwrap();
    let as_nobody = |need: &str| {
        let done = std::process::Command::new("setpriv")
            .args(["--reuid=65534", "--regid=65534", "--clear-groups"])
            .arg(&bin)
            .arg(need)
            .output()
            .unwrap();
        String::from_utf8_lossy(&done.stdout).into_owned()
    };
    let unknown = as_nobody("writable:/tmp:www-data");
    assert!(
        unknown.contains("\"reason\":\"permission\"") && unknown.contains("\"status\":\"unknown\""),
        "{unknown}"
    );
    let closed = as_nobody(&format!("file:{}/inner/x", text(&above)));
    assert!(closed.contains("\"reason\":\"permission\""), "{closed}");
}

#[test]
fn a_process_has_the_environment_it_was_started_with() {
    let dir = scratch();
    let program = dir.path().join("envholder");
    fs::copy("/bin/sleep", &program).unwrap();
    let mut command = std::process::Command::new(&program);
    command
        .arg("60")
        .env("PRODUCTION", "")
        .env("SECRET_KEY", "hunter2");
    let _server = harness::Server::start(&mut command, &dir.path().join("log"));
    harness::wait_until("it runs", || ask("env:envholder:PRODUCTION").0 == "met");
    let report = check(&[
        "env:envholder:SECRET_KEY",
        "env:envholder:DEBUG",
        "env:no-such-process:X",
    ])
    .expect_code(1);
    assert!(!report.out().contains("hunter2"), "{}", report.out());
    let json = report.json();
    assert_eq!(json["items"][0]["found"], "set, 7 bytes");
    assert_eq!(json["items"][1]["reason"], "not_set");
    assert_eq!(json["items"][2]["reason"], "not_running");
    let empty = "[[check]]\ntype = \"service_env\"\nprocess = \"envholder\"\nvariable = \"PRODUCTION\"\nfilled = true\n";
    assert_eq!(answer(&check_file(empty, &[])), pair("unmet", "empty"));
}
