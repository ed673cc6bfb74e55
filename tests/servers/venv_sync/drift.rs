//! Every kind of drift, produced for real: an environment is made by uv or by `python -m venv`,
//! then broken the way it happens.

use harness::venvs::Venvs;
use serde_json::Value;
use std::fs;
use std::os::unix::fs::symlink;
use std::process::Command;

fn found(venvs: &Venvs, more: &[&str]) -> Vec<(String, String)> {
    let report = venvs.sync("check", more).run().json();
    let text = |value: &Value| value.as_str().unwrap_or("-").to_owned();
    report["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| (text(&item["kind"]), text(&item["name"])))
        .collect()
}

#[track_caller]
fn expect(venvs: &Venvs, more: &[&str], expected: &[(&str, &str)]) {
    let expected: Vec<_> = expected
        .iter()
        .map(|(kind, name)| ((*kind).to_owned(), (*name).to_owned()))
        .collect();
    assert_eq!(found(venvs, more), expected);
}

/// alpha 1.0 and beta 1.0, as uv installs them, and a file that asks for alpha 1.0.
fn in_sync() -> Venvs {
    let venvs = Venvs::with_alpha();
    venvs.make_plain(&["alpha==1.0"]);
    venvs.requirements("alpha==1.0\n");
    expect(&venvs, &["--verify", "hash"], &[]);
    venvs
}

#[test]
fn what_is_asked_for_and_what_is_there() {
    let venvs = in_sync();
    venvs.requirements("alpha==2.0\ngamma\n");
    expect(
        &venvs,
        &[],
        &[("missing", "gamma"), ("wrong_version", "alpha")],
    );
    venvs.requirements("beta\n");
    expect(&venvs, &[], &[("extraneous", "alpha")]);
    expect(&venvs, &["--allow", "Alpha"], &[]);
    expect(&venvs, &["--extraneous", "ignore"], &[]);
    let warned = venvs
        .sync("check", &["--extraneous", "warn"])
        .run()
        .expect_code(0)
        .json();
    assert!(
        warned["warnings"][0]
            .as_str()
            .unwrap()
            .starts_with("alpha 1.0 is installed")
    );
    venvs.requirements("alpha\n");
    venvs.write("limit.txt", "alpha<1\n");
    expect(&venvs, &["-c", "limit.txt"], &[("wrong_version", "alpha")]);
}

#[test]
fn dependencies_extras_and_the_python_they_are_for() {
    let venvs = Venvs::with_alpha();
    venvs.wheel(
        "gamma",
        "1.0",
        "Provides-Extra: x\nRequires-Dist: delta; extra == 'x'\nRequires-Dist: beta<1",
        &["gamma.py="],
    );
    venvs.wheel("old", "1.0", "Requires-Python: <3", &["old.py="]);
    venvs.make_plain(&["alpha==1.0"]);
    let no_deps = [
        "pip",
        "install",
        "--python",
        "venv/bin/python",
        "--no-index",
        "--find-links",
        "wheels",
        "--no-deps",
        "gamma",
    ];
    assert!(
        venvs
            .command("uv")
            .args(no_deps)
            .status()
            .unwrap()
            .success()
    );
    venvs.requirements("alpha\ngamma[x]\n");
    expect(
        &venvs,
        &[],
        &[("dep_missing", "delta"), ("dep_conflict", "beta")],
    );
    let pip = venvs
        .command("/usr/bin/python3")
        .args(["-m", "venv", "other"])
        .status()
        .unwrap();
    assert!(pip.success());
    let old = [
        "-m",
        "pip",
        "install",
        "--no-index",
        "--ignore-requires-python",
        "--target",
    ];
    let done = venvs
        .command(venvs.path().join("other/bin/python"))
        .args(old)
        .arg(venvs.site())
        .arg("wheels/old-1.0-py3-none-any.whl")
        .status();
    assert!(done.unwrap().success());
    venvs.requirements("alpha\ngamma\nold @ file://wheels/old-1.0-py3-none-any.whl\n");
    let kinds: Vec<_> = found(&venvs, &[])
        .into_iter()
        .map(|(kind, name)| format!("{kind} {name}"))
        .collect();
    assert!(
        kinds.contains(&"requires_python old".to_owned()),
        "{kinds:?}"
    );
}

#[test]
fn where_it_came_from() {
    let venvs = in_sync();
    venvs.write(
        "app/pyproject.toml",
        "[project]\nname = 'app'\nversion = '1'\n",
    );
    let wheel = venvs.wheelhouse().join("alpha-1.0-py3-none-any.whl");
    venvs.requirements(&format!("alpha @ file://{}\n", wheel.display()));
    expect(&venvs, &[], &[("source_mismatch", "alpha")]);
    let from_file = [
        "pip",
        "install",
        "--python",
        "venv/bin/python",
        "--no-index",
        "--find-links",
        "wheels",
        "--reinstall",
    ];
    assert!(
        venvs
            .command("uv")
            .args(from_file)
            .arg(&wheel)
            .status()
            .unwrap()
            .success()
    );
    expect(&venvs, &[], &[]);
    // Somebody's working tree under the same version number.
    let json = r#"{"url": "https://host/alpha.git", "vcs_info": {"vcs": "git", "commit_id": "0123456789abcdef"}}"#;
    fs::write(
        venvs.site().join("alpha-1.0.dist-info/direct_url.json"),
        json,
    )
    .unwrap();
    venvs.requirements("alpha==1.0\n");
    expect(
        &venvs,
        &["--verify", "none"],
        &[("source_mismatch", "alpha")],
    );
    venvs.requirements("git+https://user:secret@host/alpha.git@0123456#egg=alpha\n");
    expect(&venvs, &["--verify", "none"], &[]);
    venvs.requirements("git+https://user:secret@host/alpha.git@fedcba9#egg=alpha\n");
    let report = venvs
        .sync("check", &["--verify", "none"])
        .run()
        .expect_code(1)
        .out();
    assert!(
        !report.contains("secret") && report.contains("source_mismatch"),
        "{report}"
    );
}

#[test]
fn the_remains_of_what_was_interrupted() {
    let venvs = in_sync();
    let site = venvs.site();
    fs::create_dir(site.join("alpha-0.9.dist-info")).unwrap();
    fs::write(
        site.join("alpha-0.9.dist-info/METADATA"),
        "Name: alpha\nVersion: 0.9\n",
    )
    .unwrap();
    fs::create_dir(site.join("~lpha-0.8.dist-info")).unwrap();
    let kinds: Vec<_> = found(&venvs, &[])
        .into_iter()
        .map(|(kind, _)| kind)
        .collect();
    assert_eq!(kinds, ["duplicate_dist", "ghost_dist", "record_missing"]);
    fs::remove_dir_all(site.join("alpha-0.9.dist-info")).unwrap();
    fs::remove_dir_all(site.join("~lpha-0.8.dist-info")).unwrap();
    // What `rm -r` of a package's directory leaves.
    fs::remove_dir_all(site.join("alpha")).unwrap();
    fs::remove_file(venvs.venv().join("bin/alpha")).unwrap();
    expect(&venvs, &[], &[("ghost_dist", "alpha")]);
}

#[test]
fn metadata_that_is_planted_or_wrong() {
    let venvs = in_sync();
    let metadata = venvs.site().join("alpha-1.0.dist-info/METADATA");
    fs::write(
        &metadata,
        "Name: alpha\nVersion: 1.1\nRequires-Dist: beta\n",
    )
    .unwrap();
    expect(
        &venvs,
        &["--verify", "none"],
        &[("metadata_version_mismatch", "alpha")],
    );
    for plant in ["fifo", "/dev/zero", "loop", "/proc/self/mem"] {
        let _ = fs::remove_file(&metadata);
        match plant {
            "fifo" => nix::unistd::mkfifo(&metadata, nix::sys::stat::Mode::S_IRUSR).unwrap(),
            "loop" => symlink("METADATA", &metadata).unwrap(),
            target => symlink(target, &metadata).unwrap(),
        }
        let began = std::time::Instant::now();
        let kinds = found(&venvs, &["--verify", "hash"]);
        assert!(
            kinds.contains(&("metadata_unreadable".to_owned(), "alpha".to_owned())),
            "{plant}: {kinds:?}"
        );
        assert!(began.elapsed().as_secs() < 5, "{plant}: it ends");
    }
}

#[test]
fn files_that_are_not_what_was_installed() {
    let venvs = in_sync();
    let site = venvs.site();
    fs::write(site.join("beta.py"), "value = 2\n").unwrap();
    expect(&venvs, &["--verify", "none"], &[]);
    expect(&venvs, &["--verify", "size"], &[]);
    expect(&venvs, &["--verify", "hash"], &[("file_modified", "beta")]);
    fs::write(site.join("beta.py"), "value = 'hot fix'\n").unwrap();
    expect(&venvs, &[], &[("file_modified", "beta")]);
    fs::remove_file(site.join("beta.py")).unwrap();
    fs::write(
        site.join("beta-1.0.dist-info/RECORD"),
        "beta.py,sha256=x,1\nbeta-1.0.dist-info/METADATA,,\n",
    )
    .unwrap();
    expect(&venvs, &[], &[("ghost_dist", "beta")]);
    fs::remove_file(site.join("alpha/__init__.py")).unwrap();
    fs::write(site.join("beta.py"), "x").unwrap();
    expect(&venvs, &[], &[("file_missing", "alpha")]);
    fs::write(site.join("beta-1.0.dist-info/RECORD"), "beta.py,md5=x,1\n").unwrap();
    expect(
        &venvs,
        &["--verify", "hash"],
        &[("file_missing", "alpha"), ("unverifiable_hash", "beta")],
    );
    fs::remove_file(site.join("beta-1.0.dist-info/RECORD")).unwrap();
    expect(
        &venvs,
        &[],
        &[("record_missing", "beta"), ("file_missing", "alpha")],
    );
}

#[test]
fn one_file_of_two_distributions() {
    let venvs = Venvs::new();
    venvs.wheel(
        "one",
        "1.0",
        "",
        &["tests/__init__.py=", "tests/data.py=1\n"],
    );
    venvs.wheel(
        "two",
        "1.0",
        "",
        &["tests/__init__.py=", "tests/data.py=2\n"],
    );
    venvs.make_plain(&["one", "two"]);
    venvs.requirements("one\ntwo\n");
    expect(
        &venvs,
        &["--verify", "hash"],
        &[("file_claimed_twice", "one")],
    );
    expect(&venvs, &["--verify", "hash", "--allow", "two"], &[]);
    // No release would be any better: that is a word to the administrator, not a reason to build
    // for ever.
    venvs.apply(&["--adopt"]).run().expect_code(0);
}

#[test]
fn a_record_that_leads_out_is_not_followed() {
    let venvs = in_sync();
    let record = venvs.site().join("beta-1.0.dist-info/RECORD");
    let outside = venvs.write("outside.py", "secret");
    let climbing = format!(
        "../../../../outside.py,sha256=x,1\n{},sha256=x,1\nbeta.py,,\nlink.py,sha256=x,6\n",
        outside.display()
    );
    fs::write(&record, climbing).unwrap();
    symlink(&outside, venvs.site().join("link.py")).unwrap();
    let report = venvs
        .sync("check", &["--verify", "hash"])
        .run()
        .expect_code(1)
        .json();
    assert_eq!(report["items"][0]["kind"], "unverifiable_hash", "{report}");
    assert_eq!(report["items"].as_array().unwrap().len(), 1);
    assert!(
        report["warnings"][0]
            .as_str()
            .unwrap()
            .contains("2 paths lead out"),
        "{report}"
    );
}

#[test]
fn an_interpreter_that_is_gone_or_another() {
    let venvs = in_sync();
    let python = venvs.venv().join("bin/python");
    fs::remove_file(&python).unwrap();
    // As an upgrade of the system leaves it: /usr/bin/python3 is another version now.
    let newer = venvs.write("python3.99", "");
    symlink(&newer, &python).unwrap();
    let kinds: Vec<_> = found(&venvs, &[])
        .into_iter()
        .map(|(kind, _)| kind)
        .collect();
    assert_eq!(
        kinds,
        ["interpreter_broken", "lib_version_mismatch"],
        "not executable, and not the one"
    );
    fs::remove_file(&newer).unwrap();
    expect(&venvs, &[], &[("interpreter_broken", "-")]);
    fs::remove_file(&python).unwrap();
    let _ = fs::remove_file(venvs.venv().join("bin/python3"));
    let _ = fs::remove_file(venvs.venv().join("bin").join(systems_python()));
    expect(&venvs, &[], &[("interpreter_broken", "-")]);
}

#[test]
fn leaks_and_what_runs_at_every_start() {
    let venvs = in_sync();
    let vendor = venvs.path().join("vendor/lib/python");
    fs::create_dir_all(&vendor).unwrap();
    let pth = venvs.site().join("vendor.pth");
    fs::write(&pth, format!("{}\n", vendor.display())).unwrap();
    expect(&venvs, &[], &[("leak_pth", "-")]);
    let declared = vendor.to_str().unwrap();
    expect(&venvs, &["--vendor", declared], &[]);
    fs::write(&pth, "import os; os.environ['X'] = '1'\n").unwrap();
    expect(&venvs, &[], &[("pth_executes", "-")]);
    fs::remove_file(&pth).unwrap();
    fs::write(venvs.site().join("sitecustomize.py"), "").unwrap();
    expect(&venvs, &[], &[("pth_executes", "-")]);
    fs::remove_file(venvs.site().join("sitecustomize.py")).unwrap();
    // What a vendor library has satisfies a requirement.
    let into = [
        "pip",
        "install",
        "--no-index",
        "--find-links",
        "wheels",
        "--no-deps",
        "--python",
        "venv/bin/python",
        "--target",
        declared,
        "gamma",
    ];
    venvs.wheel("gamma", "1.0", "", &["gamma.py="]);
    assert!(venvs.command("uv").args(into).status().unwrap().success());
    venvs.requirements("alpha==1.0\ngamma\n");
    expect(&venvs, &[], &[("missing", "gamma")]);
    expect(&venvs, &["--vendor", declared], &[]);
}

/// The name of the release's own Python, with its version: `python3.11`, `python3.13`.
fn systems_python() -> String {
    let real = fs::canonicalize("/usr/bin/python3").unwrap();
    real.file_name().unwrap().to_str().unwrap().to_owned()
}

/// Makes a Python prefix of the test's own, with beta in it, that environments can be made from.
fn base_python(venvs: &Venvs) -> std::path::PathBuf {
    let bin = venvs.path().join("opt/bin");
    fs::create_dir_all(&bin).unwrap();
    let python = systems_python();
    let site = venvs.path().join(format!("opt/lib/{python}/site-packages"));
    fs::create_dir_all(&site).unwrap();
    symlink(format!("/usr/bin/{python}"), bin.join(python)).unwrap();
    let wheel = venvs.wheelhouse().join("beta-1.0-py3-none-any.whl");
    let unzipped = Command::new("/usr/bin/python3")
        .args(["-m", "zipfile", "-e"])
        .arg(wheel)
        .arg(&site)
        .status()
        .unwrap();
    assert!(unzipped.success());
    bin
}

#[test]
fn the_systems_python_instead_and_the_systems_packages_besides() {
    let venvs = Venvs::with_alpha();
    let bin = base_python(&venvs);
    venvs.make_plain(&[]);
    let config = venvs.venv().join("pyvenv.cfg");
    let lines = fs::read_to_string(&config).unwrap();
    let lines: String = lines
        .lines()
        .filter(|line| !line.starts_with("home"))
        .map(|line| format!("{line}\n"))
        .collect();
    let lines = format!("home = {}\n{lines}", bin.display());
    fs::write(&config, &lines).unwrap();
    venvs.requirements("beta\n");
    expect(&venvs, &[], &[("wrong_python", "beta")]);
    fs::write(
        &config,
        lines.replace(
            "system-site-packages = false",
            "system-site-packages = true",
        ),
    )
    .unwrap();
    expect(
        &venvs,
        &[],
        &[("leak_system", "-"), ("leak_system", "beta")],
    );
    // On purpose, as where compiled parts come from the system's packages.
    let allowed = venvs
        .sync("check", &["--allow", "beta"])
        .run()
        .expect_code(0)
        .json();
    assert!(
        allowed["warnings"][0]
            .as_str()
            .unwrap()
            .contains("include-system-site-packages")
    );
}

#[test]
fn no_process_is_started_by_check() {
    let venvs = in_sync();
    let strace = Command::new("strace")
        .args(["-f", "-qq", "-e", "trace=execve,vfork,fork", "-o"])
        .arg(venvs.path().join("trace"))
        .arg(harness::bin("venv-sync"))
        .args([
            "check",
            "venv",
            "-r",
            "requirements.txt",
            "--verify",
            "hash",
        ])
        .current_dir(venvs.path())
        .output()
        .unwrap();
    assert!(
        strace.status.success(),
        "{}",
        String::from_utf8_lossy(&strace.stderr)
    );
    let trace = fs::read_to_string(venvs.path().join("trace")).unwrap();
    assert_eq!(
        trace.lines().count(),
        1,
        "its own execve and no other: {trace}"
    );
}
