//! What an environment is beyond its requirements, and whether a new release is it, too.

use harness::venvs::Venvs;
use serde_json::{Value, json};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::process::Command;

/// An environment as Python's own venv makes it, with `alpha` 1.0.
fn standard(more: &[&str]) -> Venvs {
    let venvs = Venvs::with_alpha();
    let run = |program: &str, arguments: &[&str]| {
        let done = venvs.command(program).args(arguments).output().unwrap();
        assert!(
            done.status.success(),
            "{program} {arguments:?}: {}",
            String::from_utf8_lossy(&done.stderr)
        );
    };
    run(
        "/usr/bin/python3",
        &[&["-m", "venv"], more, &["venv"]].concat(),
    );
    let install = ["install", "-q", "--no-index", "--find-links", "wheels"];
    run("venv/bin/pip", &[&install[..], &["alpha==1.0"]].concat());
    venvs.requirements("alpha==2.0\n");
    venvs
}

/// Applies with either installer, with what is on PATH as it is for users.
fn apply(venvs: &Venvs, more: &[&str]) -> Value {
    venvs
        .sync("apply", &["--wheelhouse", "wheels"])
        .args(more)
        .run()
        .expect_code(0)
        .json()
}

fn version(venvs: &Venvs) -> String {
    venvs.python("import alpha; print(alpha.version)")
}

fn strings(value: &Value) -> Vec<String> {
    let all = value.as_array().unwrap().iter();
    all.map(|one| one.as_str().unwrap().to_owned()).collect()
}

#[test]
fn uploads_in_the_environment_stop_apply_and_are_never_pruned() {
    let venvs = standard(&[]);
    venvs.write("venv/media/photo.jpg", "x\n");
    venvs.write("venv/db.sqlite3", "data\n");
    let refused = venvs
        .apply(&["--adopt"])
        .run()
        .expect_code(3)
        .expect_err("'db.sqlite3', 'media'")
        .json();
    assert_eq!(version(&venvs), "1.0", "{refused}");
    assert!(venvs.venv().join("media/photo.jpg").exists());

    // The hint, as printed: moved out, with a link in its place.
    let hint = refused["error"]["hint"].as_str().unwrap().to_owned();
    let commands = hint
        .strip_prefix("move the path out and leave a link: ")
        .and_then(|rest| rest.split("; or").next())
        .unwrap();
    let mut shell = venvs.command("sh");
    assert!(shell.args(["-ec", commands]).status().unwrap().success());
    for (name, kept) in [("media", "media/photo.jpg"), ("db.sqlite3", "db.sqlite3")] {
        assert!(venvs.venv().join(kept).exists(), "{name}: {hint}");
    }
    let done = apply(&venvs, &["--adopt", "--drop", "media"]);
    assert_eq!(version(&venvs), "2.0");
    assert!(!venvs.venv().join("media").exists());
    assert!(
        venvs.venv().join("db.sqlite3").is_symlink(),
        "a link is carried over"
    );
    assert_eq!(strings(&done["carried"]), ["db.sqlite3"]);

    // What was dropped stays in the first release, however many come after it.
    let mut warnings = String::new();
    for version in ["1.0", "2.0", "1.0", "2.0"] {
        venvs.requirements(&format!("alpha=={version}\n"));
        warnings = apply(&venvs, &["--keep", "1"])["warnings"].to_string();
    }
    assert!(warnings.contains("photo.jpg"), "{warnings}");
    let kept: Vec<_> = std::fs::read_dir(venvs.path().join("venv.d/releases"))
        .unwrap()
        .flatten()
        .filter(|entry| entry.path().join("media/photo.jpg").exists())
        .collect();
    assert_eq!(kept.len(), 1);
    let list = venvs.tool(&["list", "venv"]).run().expect_code(0).json();
    assert_eq!(list["items"].as_array().unwrap().len(), 2, "{list}");
}

#[test]
fn every_property_of_an_environment_is_kept() {
    for installer in ["uv", "pip"] {
        let venvs = standard(&["--system-site-packages", "--prompt", "reef"]);
        let site = venvs.site();
        let python = site.parent().unwrap().file_name().unwrap();
        let python = python.to_str().unwrap().to_owned();
        venvs.write("vendor/vendored.py", "value = 'vendor'\n");
        venvs.write("outside/other.py", "value = 'outside'\n");
        let vendor = venvs.path().join("vendor");
        std::fs::write(site.join("vendor.pth"), format!("{}\n", vendor.display())).unwrap();
        std::fs::write(site.join("relative.pth"), "../../../../outside\n").unwrap();
        std::fs::write(site.join("copied.py"), "value = 'by hand'\n").unwrap();
        std::fs::create_dir(site.join("package")).unwrap();
        std::fs::write(site.join("package/__init__.py"), "value = 'package'\n").unwrap();
        venvs.write("venv/pip.conf", "[global]\nretries = 1\n");
        venvs.write("venv/.env", "A=1\n");
        venvs.write("venv/bin/hook", "#!/bin/sh\necho hook\n");
        std::fs::set_permissions(
            venvs.venv().join("bin/hook"),
            std::fs::Permissions::from_mode(0o755),
        )
        .unwrap();
        std::fs::create_dir(venvs.venv().join("run")).unwrap();
        std::fs::set_permissions(venvs.venv(), std::fs::Permissions::from_mode(0o750)).unwrap();
        std::os::unix::fs::lchown(venvs.venv(), None, Some(33)).unwrap();

        let outside = venvs.path().join("outside");
        let goal = [
            "--vendor",
            vendor.to_str().unwrap(),
            "--vendor",
            outside.to_str().unwrap(),
        ];
        let more = [&goal[..], &["--adopt", "--installer", installer]].concat();
        let done = apply(&venvs, &more);
        let carried = strings(&done["carried"]);
        let expected = [
            ".env".to_owned(),
            "bin/hook".to_owned(),
            format!("lib/{}/site-packages/copied.py", python),
            format!("lib/{}/site-packages/package/__init__.py", python),
            format!("lib/{}/site-packages/relative.pth", python),
            format!("lib/{}/site-packages/vendor.pth", python),
            "pip.conf".to_owned(),
        ];
        assert_eq!(carried, expected, "{installer}");
        assert_eq!(
            venvs.python(
                "import vendored, copied, package, other, pip, alpha, sys, importlib.metadata as m; \
                 sys.version_info >= (3, 12) or m.version('setuptools'); \
                 print(vendored.value, copied.value, package.value, other.value, alpha.version)"
            ),
            "vendor by hand package outside 2.0"
        );
        let cfg = std::fs::read_to_string(venvs.venv().join("pyvenv.cfg")).unwrap();
        assert!(cfg.contains("include-system-site-packages = true"), "{cfg}");
        assert!(cfg.contains("reef"), "{cfg}");
        let meta = std::fs::metadata(venvs.venv()).unwrap();
        assert_eq!((meta.mode() & 0o7777, meta.gid()), (0o750, 33));
        assert!(venvs.venv().join("run").is_dir());
        assert!(venvs.venv().join("bin/pip").exists());
        // And the next release is the same again, with nothing left to carry but the same.
        venvs.requirements("alpha==1.0\n");
        let again = apply(&venvs, &[&goal[..], &["--installer", installer]].concat());
        assert_eq!(strings(&again["carried"]), expected);
        assert_eq!(venvs.python("import other; print(other.value)"), "outside");
        let check = venvs.sync("check", &goal).run().json();
        let kinds: Vec<_> = check["items"]
            .as_array()
            .unwrap()
            .iter()
            .map(|item| item["kind"].clone())
            .collect();
        assert_eq!(kinds, [json!("leak_system")], "{check}");
        let dropped = apply(
            &venvs,
            &[
                &goal[..],
                &["--installer", installer, "--drop", "system-site-packages"],
            ]
            .concat(),
        );
        assert_eq!(dropped["changed"], true);
        venvs.sync("check", &goal).run().expect_code(0);
    }
}

#[test]
fn a_startup_file_that_belongs_to_nothing_is_kept_or_dropped_as_the_caller_says() {
    let venvs = standard(&[]);
    let site = venvs.site();
    std::fs::write(site.join("start.pth"), "import sys; sys.started = 1\n").unwrap();
    let failed = venvs.apply(&["--adopt"]).run().expect_code(3).json();
    let item = failed["items"]
        .as_array()
        .unwrap()
        .iter()
        .find(|item| item["kind"] == "pth_executes")
        .unwrap()
        .clone();
    assert_eq!(version(&venvs), "1.0");
    let keep = item["fix"]["steps"][0]["text"].as_str().unwrap();
    assert!(keep.ends_with("--allow start.pth"), "{keep}");
    apply(&venvs, &["--adopt", "--allow", "start.pth"]);
    assert_eq!(venvs.python("import sys; print(sys.started)"), "1");
    venvs
        .sync("check", &["--allow", "start.pth"])
        .run()
        .expect_code(0);
    let drifted = venvs.sync("check", &[]).run().expect_code(1).json();
    let other = &drifted["items"][0]["fix"]["alternatives"][0]["steps"][0]["text"];
    let command = format!("{} --wheelhouse wheels", other.as_str().unwrap());
    let tool = harness::bin("venv-sync");
    let command = command.replacen("venv-sync", tool.to_str().unwrap(), 1);
    let mut shell = venvs.command("sh");
    assert!(shell.args(["-ec", &command]).status().unwrap().success());
    venvs.sync("check", &[]).run().expect_code(0);
}

#[test]
fn a_strict_umask_does_not_lock_the_service_out() {
    let venvs = Venvs::with_alpha();
    venvs.requirements("alpha==1.0\n");
    let tool = harness::bin("venv-sync");
    for installer in ["uv", "pip"] {
        let line = format!(
            "umask 077; exec {} apply venv -r requirements.txt --wheelhouse wheels \
             --python /usr/bin/python3 --installer {installer} --rebuild",
            tool.display()
        );
        let mut shell = venvs.command("sh");
        assert!(shell.args(["-c", &line]).output().unwrap().status.success());
        let mut closed = Vec::new();
        let mut stack = vec![venvs.venv().canonicalize().unwrap()];
        while let Some(dir) = stack.pop() {
            for entry in std::fs::read_dir(dir).unwrap().flatten() {
                let meta = entry.metadata().unwrap();
                let needed = if meta.is_dir() { 0o055 } else { 0o044 };
                if !meta.is_symlink() && meta.mode() & needed != needed {
                    closed.push(entry.path());
                }
                if meta.is_dir() {
                    stack.push(entry.path());
                }
            }
        }
        assert_eq!(closed, Vec::<std::path::PathBuf>::new(), "{installer}");
    }
}

#[test]
fn an_environment_that_cannot_run_is_not_in_sync() {
    let venvs = standard(&[]);
    venvs.requirements("alpha==1.0\n");
    let kinds = |path: &str| -> Vec<String> {
        let report = venvs
            .tool(&["check", path, "-r", "requirements.txt", "--verify", "hash"])
            .run()
            .json();
        let items = report["items"].as_array().unwrap().iter();
        let mut kinds: Vec<String> = items
            .map(|item| item["kind"].as_str().unwrap().to_owned())
            .collect();
        kinds.dedup();
        kinds
    };
    assert_eq!(kinds("venv"), Vec::<String>::new());
    let script = venvs.venv().join("bin/alpha");
    std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o644)).unwrap();
    assert_eq!(kinds("venv"), ["not_executable"]);
    std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o755)).unwrap();

    let copy = Command::new("cp")
        .args(["-a", "venv", "copy"])
        .current_dir(venvs.path())
        .status();
    assert!(copy.unwrap().success());
    assert_eq!(
        kinds("copy"),
        ["script_broken"],
        "it starts the other environment"
    );
    std::fs::rename(venvs.venv(), venvs.path().join("moved")).unwrap();
    assert_eq!(kinds("moved"), ["script_broken"]);
    let run = |path: &Path| venvs.command(path).output().map(|out| out.status.success());
    assert!(run(&venvs.path().join("moved/bin/alpha")).is_err());
    // apply repairs a moved environment, scripts of kept distributions included.
    venvs
        .tool(&[
            "apply",
            "moved",
            "-r",
            "requirements.txt",
            "--wheelhouse",
            "wheels",
            "--adopt",
        ])
        .run()
        .expect_code(0);
    assert_eq!(kinds("moved"), Vec::<String>::new());
    assert!(run(&venvs.path().join("moved/bin/alpha")).unwrap());

    let release = venvs.path().join("moved").canonicalize().unwrap();
    let lib = release.join("lib");
    let python = std::fs::read_dir(&lib)
        .unwrap()
        .flatten()
        .next()
        .unwrap()
        .path();
    let package = python.join("site-packages/alpha/__init__.py");
    std::fs::set_permissions(&package, std::fs::Permissions::from_mode(0o600)).unwrap();
    assert_eq!(kinds("moved"), ["not_readable"]);
    std::fs::set_permissions(&package, std::fs::Permissions::from_mode(0o644)).unwrap();
    std::fs::set_permissions(&lib, std::fs::Permissions::from_mode(0o700)).unwrap();
    assert_eq!(kinds("moved"), ["not_readable"]);
}

#[test]
fn work_in_a_repository_of_an_editable_requirement_is_not_lost() {
    let venvs = standard(&[]);
    venvs.repack(&["setuptools", "wheel", "packaging"]);
    let git = |dir: &Path, arguments: &[&str]| {
        let mut command = venvs.command("git");
        command
            .current_dir(dir)
            .args(["-c", "user.name=a", "-c", "user.email=a@b"]);
        assert!(
            command.args(arguments).output().unwrap().status.success(),
            "{arguments:?}"
        );
    };
    venvs.write(
        "origin/setup.py",
        "from setuptools import setup\nsetup(name='gamma', version='1', py_modules=['gamma'])\n",
    );
    venvs.write("origin/gamma.py", "value = 1\n");
    let origin = venvs.path().join("origin");
    git(&origin, &["init", "-q", "-b", "main"]);
    git(&origin, &["add", "."]);
    git(&origin, &["commit", "-qm", "one"]);
    venvs.requirements(&format!(
        "alpha==1.0\n-e git+file://{}#egg=gamma\n",
        origin.display()
    ));
    let done = apply(&venvs, &["--adopt"]);
    assert!(
        done["installer"].as_str().unwrap().contains("editable"),
        "{done}"
    );
    venvs.sync("check", &[]).run().expect_code(0);
    // Nothing has drifted: a second apply has nothing to do.
    assert_eq!(apply(&venvs, &[])["changed"], false);
    venvs.requirements(&format!(
        "alpha==2.0\n-e git+file://{}#egg=gamma\n",
        origin.display()
    ));
    let source = venvs
        .venv()
        .canonicalize()
        .unwrap()
        .join("src/gamma/gamma.py");
    std::fs::write(&source, "value = 'mine'\n").unwrap();
    venvs
        .apply(&[])
        .run()
        .expect_code(3)
        .expect_err("'src/gamma'")
        .expect_err("commit and push");
    for keep in ["alpha==2.0", "alpha==1.0", "alpha==2.0"] {
        venvs.requirements(&format!(
            "{keep}\n-e git+file://{}#egg=gamma\n",
            origin.display()
        ));
        apply(&venvs, &["--drop", "src/gamma", "--keep", "1"]);
    }
    assert_eq!(
        std::fs::read_to_string(&source).unwrap(),
        "value = 'mine'\n"
    );
}

#[test]
fn somebodys_own_link_is_adopted_and_rollback_leads_back_to_its_target() {
    let venvs = standard(&[]);
    std::fs::rename(venvs.venv(), venvs.path().join("venv-1")).unwrap();
    std::os::unix::fs::symlink("venv-1", venvs.venv()).unwrap();
    venvs
        .apply(&[])
        .run()
        .expect_code(3)
        .expect_err("is a link to 'venv-1', which is no release");
    let done = apply(&venvs, &["--adopt"]);
    assert_eq!(done["previous"], "venv-1");
    assert_eq!(version(&venvs), "2.0");
    let back = venvs
        .tool(&["rollback", "venv"])
        .run()
        .expect_code(0)
        .json();
    assert_eq!(
        back["live"],
        venvs
            .path()
            .canonicalize()
            .unwrap()
            .join("venv-1")
            .to_str()
            .unwrap()
    );
    assert_eq!(
        std::fs::read_link(venvs.venv()).unwrap(),
        Path::new("venv-1")
    );
    assert_eq!(version(&venvs), "1.0");
}
