//! What is installed is what pip would install, whichever installer does it: configuration, hashes,
//! every form of a requirement, lock files.

use super::sources::{PASSWORD, index, sha256};
use harness::venvs::Venvs;
use serde_json::{Value, json};
use std::path::Path;

const INSTALLERS: [&str; 2] = ["uv", "pip"];

fn versions(report: &Value) -> Vec<String> {
    let changes = report["changes"].as_array().unwrap().iter();
    changes
        .map(|change| {
            format!(
                "{}=={}",
                change["name"].as_str().unwrap(),
                change["after"].as_str().unwrap_or("-")
            )
        })
        .collect()
}

#[test]
fn an_index_of_pip_s_configuration_counts_for_both_installers() {
    for place in [
        "home/.config/pip/pip.conf",
        "home/.pip/pip.conf",
        "named.conf",
        "variable",
    ] {
        for installer in INSTALLERS {
            let venvs = Venvs::with_alpha();
            let port = index(&venvs);
            let url = format!("http://joe:{PASSWORD}@127.0.0.1:{port}/simple");
            venvs.requirements("alpha==1.0\n");
            if place != "variable" {
                venvs.write(place, &format!("[global]\nindex-url = {url}\n"));
            }
            let mut tool = venvs
                .sync(
                    "apply",
                    &["--python", "/usr/bin/python3", "--installer", installer],
                )
                .env_remove("UV_OFFLINE");
            let named = venvs.path().join("named.conf");
            tool = match place {
                "named.conf" => tool.env("PIP_CONFIG_FILE", &named),
                "variable" => tool.env("PIP_INDEX_URL", &url),
                _ => tool,
            };
            let done = tool.run().expect_code(0);
            assert!(!done.out().contains(PASSWORD), "{place} {installer}");
            assert_eq!(
                versions(&done.json())
                    .iter()
                    .filter(|one| one.contains("alpha"))
                    .count(),
                1,
                "{place} {installer}"
            );
        }
    }
}

#[test]
fn what_only_pip_can_do_is_done_by_pip_and_said() {
    let venvs = Venvs::with_alpha();
    venvs.requirements("--prefer-binary\nalpha==1.0\n");
    let done = venvs.apply(&[]).run().expect_code(0).json();
    assert_eq!(done["installer"], "pip (the files use --prefer-binary)");
    venvs.requirements("--prefer-binary\nalpha==2.0\n");
    venvs
        .apply(&["--installer", "uv"])
        .run()
        .expect_code(3)
        .expect_err("uv cannot do what is asked for")
        .expect_err("--installer pip");
}

#[test]
fn one_hash_means_that_everything_needs_a_hash() {
    for installer in INSTALLERS {
        let venvs = Venvs::with_alpha();
        let hash = sha256(&venvs.wheelhouse().join("alpha-1.0-py3-none-any.whl"));
        venvs.requirements(&format!("alpha==1.0 --hash=sha256:{hash}\nbeta==1.0\n"));
        venvs
            .apply(&["--installer", installer])
            .run()
            .expect_code(3);
        // A dependency that the file does not name has no hash either.
        venvs.requirements(&format!("alpha==1.0 --hash=sha256:{hash}\n"));
        venvs
            .apply(&["--installer", installer])
            .run()
            .expect_code(3);
        assert!(!venvs.venv().exists(), "{installer}");
    }
}

#[test]
fn every_form_of_a_requirement_installs_and_is_then_in_sync() {
    let venvs = Venvs::with_alpha();
    venvs.repack(&["setuptools", "wheel", "packaging"]);
    let app = "from setuptools import setup\nsetup(name='my-site', version='1', py_modules=['my_site'], extras_require={'x': ['beta']})\n";
    for dir in ["app", "site+2@x"] {
        venvs.write(&format!("{dir}/setup.py"), app);
        venvs.write(&format!("{dir}/my_site.py"), "");
    }
    let wheel = "wheels/beta-1.0-py3-none-any.whl";
    let forms = [
        "-e./app\n",
        "-e ./app[x]\n",
        "-e file:app\n",
        "-e 'site+2@x'\n",
        "my_site @ file:app\n",
        "./app\n",
        "./site+2@x\n",
        &format!("./{wheel}\n"),
        "beta==1;\n",
        "${NAME}==1.0\n",
        "beta \\\r\n  >=1\r\n",
        "beta===1.0\n",
        "Beta ; python_version >= '3'\nnothing ; python_version < '3'\n",
        "-i https://nowhere.invalid/\n-i https://nowhere.invalid/2/\nbeta\n",
        "--no-index\n--find-links wheels\nbeta\n",
        "beta (>=0.5)\n",
    ];
    for form in forms {
        venvs.requirements(form);
        let run =
            |command: &str, more: &[&str]| venvs.sync(command, more).env("NAME", "beta").run();
        let more = ["--wheelhouse", "wheels", "--python", "/usr/bin/python3"];
        let done = run("apply", &more).expect_code(0);
        assert_eq!(done.json()["in_sync"], true, "{form}");
        run("check", &["--verify", "hash"]).expect_code(0);
        let again = run("apply", &more).expect_code(0).json();
        assert_eq!(again["changed"], false, "{form}");
    }
}

#[test]
fn a_lock_file_is_installed_as_uv_installs_it() {
    let venvs = Venvs::with_alpha();
    venvs.repack(&["setuptools", "wheel", "packaging"]);
    venvs.wheel("gamma", "1.0", "", &["gamma.py="]);
    venvs.wheel("delta", "1.0", "", &["delta.py="]);
    venvs.write("local/pyproject.toml", "[build-system]\nrequires = ['setuptools']\nbuild-backend = 'setuptools.build_meta'\n[project]\nname = 'local'\nversion = '3'\n[tool.setuptools]\npy-modules = []\n");
    let package = |name: &str, version: &str, marker: &str| {
        let file = format!("{name}-{version}-py3-none-any.whl");
        let hash = sha256(&venvs.wheelhouse().join(&file));
        format!(
            "[[packages]]\nname = '{name}'\nversion = '{version}'\n{marker}wheels = [{{ path = 'wheels/{file}', hashes = {{ sha256 = '{hash}' }} }}]\n\n"
        )
    };
    let lock = [
        "lock-version = '1.0'\ncreated-by = 'a test'\nextras = ['big']\ndependency-groups = ['dev', 'main']\ndefault-groups = ['main']\nrequires-python = '>=3.8'\n\n".to_owned(),
        package("alpha", "1.0", ""),
        package("beta", "1.0", "marker = \"sys_platform == 'linux'\"\n"),
        package("gamma", "1.0", "marker = \"'big' in extras\"\n"),
        package("delta", "1.0", "marker = \"'dev' in dependency_groups\"\n"),
        "[[packages]]\nname = 'local'\n[packages.directory]\npath = 'local'\n".to_owned(),
    ]
    .concat();
    venvs.write("pylock.toml", &lock);
    let names = |venv: &Path| -> Vec<String> {
        let done = venvs
            .command("uv")
            .args(["pip", "freeze", "--exclude-editable", "--python"])
            .arg(venv.join("bin/python"))
            .output()
            .unwrap();
        let text = String::from_utf8(done.stdout).unwrap();
        let lines = text
            .lines()
            .map(|line| line.split(['=', ' ']).next().unwrap().to_owned());
        lines
            .filter(|name| !["pip", "setuptools", "wheel"].contains(&name.as_str()))
            .collect()
    };
    for (index, options) in [vec![], vec!["--extra", "big"], vec!["--group", "dev"]]
        .iter()
        .enumerate()
    {
        let peer = format!("peer{index}");
        let mut uv = venvs.command("uv");
        uv.args(["venv", "-q", "--python", "/usr/bin/python3", &peer]);
        assert!(uv.status().unwrap().success());
        let mut uv = venvs.command("uv");
        uv.args([
            "pip",
            "install",
            "-q",
            "--preview",
            "--no-index",
            "--find-links",
            "wheels",
            "--python",
            &format!("{peer}/bin/python"),
            "-r",
            "pylock.toml",
        ]);
        let done = uv.args(options).output().unwrap();
        assert!(
            done.status.success(),
            "{}",
            String::from_utf8_lossy(&done.stderr)
        );
        for installer in INSTALLERS {
            let venv = format!("venv-{installer}");
            let goal = [&["venv-sync-goes-here"][..], options].concat();
            let run = |command: &str, more: &[&str]| {
                let base = [command, &venv, "-r", "pylock.toml"];
                venvs.tool(&[&base[..], &goal[1..], more].concat()).run()
            };
            run(
                "apply",
                &[
                    "--installer",
                    installer,
                    "--wheelhouse",
                    "wheels",
                    "--python",
                    "/usr/bin/python3",
                ],
            )
            .expect_code(0);
            run("check", &[]).expect_code(0);
            assert_eq!(
                names(&venvs.path().join(&venv)),
                names(&venvs.path().join(&peer))
            );
        }
    }
    let broken = lock.replacen("sha256 = '", "sha256 = '0", 1);
    venvs.write("pylock.bad.toml", &broken);
    venvs
        .tool(&[
            "apply",
            "new",
            "-r",
            "pylock.bad.toml",
            "--wheelhouse",
            "wheels",
            "--python",
            "/usr/bin/python3",
        ])
        .run()
        .expect_code(3);
    venvs.write("pylock.old.toml", "lock-version = '2.0'\n");
    for (name, complaint) in [
        ("pylock.old.toml", "lock-version '2.0'"),
        ("uv.lock", "uv export"),
        ("poetry.lock", "poetry export"),
        ("Pipfile.lock", "pipenv requirements"),
        ("pyproject.toml", "uv pip compile"),
    ] {
        venvs
            .tool(&["check", "venv-uv", "-r", name])
            .run()
            .expect_code(2)
            .expect_err(complaint);
    }
    venvs
        .tool(&[
            "check",
            "venv-uv",
            "-r",
            "pylock.toml",
            "--extra",
            "nonsense",
        ])
        .run()
        .expect_code(2)
        .expect_err("it has: big");
}

#[test]
fn several_wrong_lines_are_named_in_one_run_and_bombs_end() {
    let venvs = Venvs::with_alpha();
    venvs.requirements("a=1\nb\n--nonsense\nc @\n");
    venvs
        .sync("check", &[])
        .run()
        .expect_code(2)
        .expect_err("requirements.txt:1")
        .expect_err("requirements.txt:3")
        .expect_err("requirements.txt:4");
    for index in 0..60 {
        let next = format!("bomb{}.txt", index + 1);
        venvs.write(
            &format!("bomb{index}.txt"),
            &format!("-r {next}\n-r {next}\n"),
        );
    }
    venvs.write("bomb60.txt", "a\n");
    let began = std::time::Instant::now();
    venvs
        .tool(&["check", "venv", "-r", "bomb0.txt"])
        .run()
        .expect_code(2)
        .expect_err("nest deeper");
    venvs.requirements(&"${HOME}".repeat(160_000));
    venvs.sync("check", &[]).run().expect_code(2);
    let fifo = venvs.path().join("fifo.txt");
    nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRWXU).unwrap();
    venvs
        .tool(&["check", "venv", "-r", "fifo.txt"])
        .run()
        .expect_code(2)
        .expect_err("is a FIFO");
    assert!(began.elapsed().as_secs() < 10, "{:?}", began.elapsed());
}

#[test]
fn builds_and_post_checks_see_the_caller_s_variables() {
    let venvs = Venvs::with_alpha();
    venvs.repack(&["setuptools", "wheel", "packaging"]);
    venvs.write("app/setup.py", "import os\nfrom setuptools import setup\nassert os.environ['MYSQLCLIENT_CFLAGS'] == '-I/x'\nassert 'PYTHONPATH' not in os.environ or True\nsetup(name='app', version='1', py_modules=[])\n");
    venvs.requirements("./app\nalpha==1.0\n");
    venvs.write("check_env.py", "import os, shutil\nassert os.environ['SITE_SETTING'] == 'x' and os.environ['FROM_FILE'] == 'a b'\nassert '/releases/' in shutil.which('alpha')\n");
    venvs.write("site.env", "FROM_FILE=\"a b\"\n");
    let run = |name: &str| {
        venvs
            .apply(&[
                "--post-check",
                "python check_env.py",
                "--env-file",
                "site.env",
            ])
            .env("MYSQLCLIENT_CFLAGS", "-I/x")
            .env(name, "x")
            .run()
    };
    run("OTHER").expect_code(3).expect_err("SITE_SETTING");
    let done = run("SITE_SETTING").expect_code(0).json();
    assert_eq!(done["in_sync"], json!(true));
}

#[test]
fn a_failed_build_says_why_with_both_installers() {
    for installer in INSTALLERS {
        let venvs = Venvs::new();
        venvs.repack(&["setuptools", "wheel", "packaging"]);
        venvs.write("bad/setup.py", "import sys\nprint('mysql.h: not found', file=sys.stderr)\nraise SystemExit('fatal: no libmysqlclient')\n");
        venvs.requirements("./bad\n");
        let failed = venvs
            .apply(&["--installer", installer])
            .run()
            .expect_code(3)
            .json();
        let message = failed["error"]["message"].as_str().unwrap();
        assert!(
            message.contains("no libmysqlclient"),
            "{installer}: {message}"
        );
    }
}
