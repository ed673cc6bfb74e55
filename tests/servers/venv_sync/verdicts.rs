//! Verdicts beside those of `uv pip sync --dry-run`, `uv pip check`, `pip check` and `pip install
//! --dry-run --report`, over generated environments. The environments are real to all of them:
//! directories with METADATA, which is what they read, too.

use harness::venvs::Venvs;
use harness::{full_sweep, test_venv};
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::process::Stdio;

/// pip's own check, for many site directories in one process.
const PIP_CHECK: &str = r"
import json, sys
from pip._internal.metadata import get_environment
from pip._internal.operations import check
out = []
for site in json.load(sys.stdin):
    check.get_default_environment = lambda: get_environment([site])
    packages, _ = check.create_package_set_from_installed()
    missing, conflicting = check.check_package_set(packages)
    found = [[str(by), 'missing', str(name)] for by, problems in missing.items() for name, _ in problems]
    found += [[str(by), 'conflict', str(name)] for by, problems in conflicting.items() for name, _, _ in problems]
    out.append(sorted(found))
json.dump(out, sys.stdout)
";

/// A small generator of numbers: the same every time, so that a failure can be looked at.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % bound
    }

    fn pick<'a>(&mut self, from: &[&'a str]) -> &'a str {
        from[self.below(from.len())]
    }
}

const NAMES: [&str; 9] = [
    "alpha", "Beta.x", "gamma_y", "delta", "eps-z", "zeta", "eta", "theta", "iota",
];
const VERSIONS: [&str; 9] = [
    "1.0",
    "1.0.post1",
    "1.1rc1",
    "1.2.dev3",
    "2.0",
    "2.0+local1",
    "2.5",
    "3.0a1",
    "1!1.0",
];
const WANTED: [&str; 14] = [
    "",
    ">=1",
    "<2",
    "==1.0",
    "==2.*",
    "!=2.0",
    "~=1.0",
    ">1.0",
    "<=2.0",
    ">=2.0rc1",
    "<3",
    "===1.0",
    ">=1,<2.5",
    "==2.0+local1",
];
const MARKERS: [&str; 8] = [
    "",
    "",
    "",
    "; python_version >= '3'",
    "; python_version < '3'",
    "; sys_platform == 'win32'",
    "; python_version in '3.11,3.12,3.13'",
    "; extra == 'more'",
];

/// A distribution's directory, as an installer leaves it.
fn plant(venvs: &Venvs, name: &str, version: &str, metadata: &str) {
    let dir = venvs.site().join(format!(
        "{}-{version}.dist-info",
        name.replace(['-', '.'], "_")
    ));
    fs::create_dir(&dir).unwrap();
    fs::write(
        dir.join("METADATA"),
        format!("Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{metadata}\n"),
    )
    .unwrap();
    fs::write(dir.join("RECORD"), "").unwrap();
    fs::write(dir.join("INSTALLER"), "uv\n").unwrap();
    fs::write(
        dir.join("WHEEL"),
        "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    )
    .unwrap();
}

fn clear(venvs: &Venvs) {
    for entry in fs::read_dir(venvs.site()).unwrap().flatten() {
        if entry.file_name().to_string_lossy().ends_with(".dist-info") {
            fs::remove_dir_all(entry.path()).unwrap();
        }
    }
}

fn normal(name: &str) -> String {
    name.to_lowercase().replace(['_', '.'], "-")
}

fn random_environment(venvs: &Venvs, random: &mut Random) {
    for name in NAMES {
        if random.below(4) == 0 {
            continue;
        }
        let requires = (0..random.below(4)).map(|_| {
            let (other, specifier, marker) = (
                random.pick(&NAMES),
                random.pick(&WANTED),
                random.pick(&MARKERS),
            );
            format!("Requires-Dist: {other}{specifier} {marker}\n")
        });
        let metadata = requires.collect::<String>() + "Provides-Extra: more";
        plant(venvs, name, random.pick(&VERSIONS), &metadata);
    }
}

/// What venv-sync finds, of these kinds, by name.
fn names(report: &Value, kinds: &[&str]) -> BTreeSet<String> {
    let items = report["items"].as_array().unwrap().iter();
    items
        .filter(|item| kinds.contains(&item["kind"].as_str().unwrap()))
        .map(|item| normal(item["name"].as_str().unwrap()))
        .collect()
}

#[test]
fn dependencies_as_pip_and_uv_check_them() {
    let rounds = if full_sweep() { 300 } else { 25 };
    let mut random = Random(20_261_121);
    let (mut sites, mut ours, mut dirs) = (Vec::new(), Vec::new(), Vec::new());
    let mut found_something = 0;
    for round in 0..rounds {
        let venvs = Venvs::new();
        venvs.make_plain(&[]);
        random_environment(&venvs, &mut random);
        venvs.requirements("");
        let report = venvs
            .sync("check", &["--verify", "none", "--extraneous", "ignore"])
            .run()
            .json();
        let uv = venvs
            .command("uv")
            .args(["pip", "check", "--python", "venv/bin/python"])
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&uv.stderr).into_owned();
        let drifted = !report["items"].as_array().unwrap().is_empty();
        assert_eq!(
            drifted,
            !uv.status.success(),
            "round {round}:\n{said}\n{report}"
        );
        found_something += usize::from(drifted);
        let items = report["items"].as_array().unwrap().iter().map(|item| {
            let by = item["msg"].as_str().unwrap().split(' ').next().unwrap();
            let what = if item["kind"] == "dep_missing" {
                "missing"
            } else {
                "conflict"
            };
            vec![
                normal(by),
                what.to_owned(),
                normal(item["name"].as_str().unwrap()),
            ]
        });
        let items: BTreeSet<Vec<String>> = items.collect();
        ours.push(items);
        sites.push(venvs.site());
        dirs.push(venvs);
    }
    assert!(
        found_something > rounds / 2 && found_something < rounds || rounds < 100,
        "the rounds are worth something: {found_something}"
    );
    let mut python = dirs[0].command(test_venv().join("bin/python"));
    let mut child = python
        .args(["-I", "-c", PIP_CHECK])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let question = serde_json::to_string(&sites).unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(question.as_bytes())
        .unwrap();
    let answer = child.wait_with_output().unwrap();
    let pip: Vec<BTreeSet<Vec<String>>> = serde_json::from_slice(&answer.stdout).unwrap();
    for (round, (pip, ours)) in pip.iter().zip(&ours).enumerate() {
        assert_eq!(pip, ours, "round {round}");
    }
}

#[test]
fn locked_files_as_uv_syncs_them() {
    let rounds = if full_sweep() { 300 } else { 20 };
    let venvs = Venvs::new();
    venvs.make_plain(&[]);
    for name in NAMES {
        for version in ["1.0", "2.0"] {
            venvs.wheel(&name.replace(['-', '.'], "_"), version, "", &[]);
        }
    }
    let mut random = Random(7);
    for round in 0..rounds {
        clear(&venvs);
        let mut wanted = String::new();
        for name in NAMES {
            if random.below(3) > 0 {
                plant(&venvs, name, random.pick(&["1.0", "2.0", "2.0+local1"]), "");
            }
            if random.below(3) > 0 {
                let spelled = if random.below(2) == 0 {
                    name.to_uppercase()
                } else {
                    normal(name)
                };
                wanted.push_str(&format!(
                    "{spelled}=={} {}\n",
                    random.pick(&["1.0", "2.0"]),
                    random.pick(&["", "", "; python_version < '3'"])
                ));
            }
        }
        venvs.requirements(&wanted);
        let report = venvs.sync("check", &["--verify", "none"]).run().json();
        let arguments = [
            "pip",
            "sync",
            "--dry-run",
            "--allow-empty-requirements",
            "--python",
            "venv/bin/python",
            "--no-index",
        ];
        let uv = venvs
            .command("uv")
            .args(arguments)
            .args(["--find-links", "wheels", "requirements.txt"])
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&uv.stderr).into_owned();
        assert!(uv.status.success(), "{said}");
        let lines = |sign: &str| -> BTreeSet<String> {
            let names = said.lines().filter_map(|line| {
                line.trim_start()
                    .strip_prefix(sign)?
                    .trim_start()
                    .split("==")
                    .next()
            });
            names.map(normal).collect()
        };
        let (plus, minus) = (lines("+ "), lines("- "));
        let new: BTreeSet<String> = plus.difference(&minus).cloned().collect();
        let other: BTreeSet<String> = plus.intersection(&minus).cloned().collect();
        let gone: BTreeSet<String> = minus.difference(&plus).cloned().collect();
        assert_eq!(
            names(&report, &["missing"]),
            new,
            "round {round}: {said}\n{wanted}"
        );
        assert_eq!(
            names(&report, &["wrong_version"]),
            other,
            "round {round}: {said}\n{wanted}"
        );
        assert_eq!(
            names(&report, &["extraneous"]),
            gone,
            "round {round}: {said}\n{wanted}"
        );
    }
}

/// Name, version, METADATA.
type Planted = (&'static str, &'static str, &'static str);

#[test]
fn files_as_pip_would_install_them() {
    let venvs = Venvs::new();
    venvs.make_plain(&[]);
    for (name, version, metadata) in [
        ("alpha", "1.0", "Requires-Dist: beta>=1"),
        (
            "alpha",
            "2.0",
            "Requires-Dist: beta>=2\nProvides-Extra: x\nRequires-Dist: gamma; extra == 'x'",
        ),
        ("beta", "1.0", ""),
        ("beta", "2.0", ""),
        ("gamma", "1.0", ""),
    ] {
        venvs.wheel(name, version, metadata, &[]);
    }
    let sets: [(&[Planted], &str); 8] = [
        (&[], "alpha\n"),
        (
            &[
                ("alpha", "1.0", "Requires-Dist: beta>=1"),
                ("beta", "1.0", ""),
            ],
            "alpha\n",
        ),
        (&[("alpha", "1.0", "Requires-Dist: beta>=1")], "alpha\n"),
        (
            &[
                ("alpha", "1.0", "Requires-Dist: beta>=1"),
                ("beta", "1.0", ""),
            ],
            "alpha>1\n",
        ),
        (
            &[
                (
                    "alpha",
                    "2.0",
                    "Requires-Dist: beta>=2\nProvides-Extra: x\nRequires-Dist: gamma; extra == 'x'",
                ),
                ("beta", "2.0", ""),
            ],
            "alpha[x]\n",
        ),
        (
            &[
                ("alpha", "2.0", "Requires-Dist: beta>=2"),
                ("beta", "1.0", ""),
            ],
            "alpha==2.0\n",
        ),
        (&[("beta", "2.0", "")], "beta\n-c limit.txt\n"),
        (
            &[("beta", "1.0", "")],
            "beta\nalpha; sys_platform == 'win32'\n-c limit.txt\n",
        ),
    ];
    venvs.write("limit.txt", "beta<2\n");
    for (installed, wanted) in sets {
        clear(&venvs);
        for (name, version, metadata) in installed {
            plant(&venvs, name, version, metadata);
        }
        venvs.requirements(wanted);
        let report = venvs
            .sync("check", &["--verify", "none", "--extraneous", "ignore"])
            .run()
            .json();
        let python = venvs.venv().join("bin/python");
        let arguments = ["-m", "pip", "--python"];
        let pip = venvs
            .command(test_venv().join("bin/python"))
            .args(arguments)
            .arg(python)
            .args([
                "install",
                "-q",
                "--dry-run",
                "--report",
                "-",
                "--no-index",
                "--find-links",
                "wheels",
                "-r",
                "requirements.txt",
            ])
            .output()
            .unwrap();
        assert!(
            pip.status.success(),
            "{}",
            String::from_utf8_lossy(&pip.stderr)
        );
        let plan: Value = serde_json::from_slice(&pip.stdout).unwrap();
        let would: BTreeSet<String> = plan["install"]
            .as_array()
            .unwrap()
            .iter()
            .map(|item| item["metadata"]["name"].as_str().unwrap().to_owned())
            .collect();
        let ours = names(
            &report,
            &["missing", "wrong_version", "dep_missing", "dep_conflict"],
        );
        assert_eq!(
            ours.is_empty(),
            would.is_empty(),
            "{wanted}: pip would install {would:?}, here {ours:?}"
        );
        assert!(
            ours.is_subset(&would),
            "{wanted}: pip would install {would:?}, here {ours:?}"
        );
    }
}

#[test]
fn a_real_environment_is_what_its_own_list_says() {
    let venvs = Venvs::new();
    let environment = test_venv();
    let python = environment.join("bin/python");
    let freeze = venvs
        .command(&python)
        .args(["-I", "-m", "pip", "freeze", "--all"])
        .output()
        .unwrap();
    let list = String::from_utf8_lossy(&freeze.stdout).into_owned();
    assert!(list.lines().count() > 20, "{list}");
    venvs.requirements(&list);
    let venv = environment.to_str().unwrap();
    let report = venvs
        .tool(&["check", venv, "-r", "requirements.txt", "--verify", "hash"])
        .run()
        .expect_code(0)
        .json();
    assert_eq!(report["counts"]["installed"], list.lines().count());
    // Without its first line, the first distribution is one too many, to uv as to us.
    let (first, rest) = list.split_once('\n').unwrap();
    venvs.requirements(rest);
    let report = venvs
        .tool(&["check", venv, "-r", "requirements.txt", "--verify", "none"])
        .run()
        .json();
    let extraneous = names(&report, &["extraneous"]);
    let uv = venvs
        .command("uv")
        .args(["pip", "sync", "--dry-run", "--no-index", "--python"])
        .arg(&python)
        .arg("requirements.txt")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&uv.stderr).into_owned();
    let one_too_many = normal(first.split("==").next().unwrap());
    let needed = !extraneous.contains(&one_too_many);
    assert!(
        needed || said.contains(&format!("- {one_too_many}==")),
        "{extraneous:?}: {said}"
    );
}
