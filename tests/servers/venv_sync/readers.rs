//! How requirements, versions, markers and whole files are read, beside pip's own code (and the
//! `packaging` that it carries).

use harness::test_venv;
use pydist::PythonVersion;
use pydist::marker::{Marker, MarkerValues};
use pydist::requirement::Requirement;
use pydist::specifier::{InstalledVersion, Specifiers};
use serde_json::{Value, json};
use std::io::Write;
use std::process::{Command, Stdio};

/// Answers each question as pip does; `null` where pip refuses it.
const PIP: &str = r"
import json, os, sys
from pip._vendor.packaging.markers import Marker
from pip._vendor.packaging.requirements import Requirement
from pip._vendor.packaging.specifiers import SpecifierSet
from pip._vendor.packaging.version import Version
from pip._vendor.packaging.utils import canonicalize_name

def allows(specifiers, version):
    try:
        return SpecifierSet(specifiers).contains(Version(version), prereleases=True)
    except Exception:
        return None

def holds(marker, environment):
    try:
        return Marker(marker).evaluate(environment)
    except Exception:
        return None

def requirement(text):
    try:
        r = Requirement(text)
    except Exception:
        return None
    return [canonicalize_name(r.name), sorted(canonicalize_name(e) for e in r.extras), r.url, r.marker is not None]

def whole_file(path, directory):
    from pip._internal.network.session import PipSession
    from pip._internal.req.req_file import parse_requirements
    from pip._internal.req.constructors import install_req_from_parsed_requirement
    os.chdir(directory)
    out = []
    try:
        for parsed in parse_requirements(path, PipSession()):
            r = install_req_from_parsed_requirement(parsed)
            if parsed.constraint and (r.editable or not r.name or r.extras):
                return None
            hashes = sorted(f'{a}:{d}' for a, ds in r.hash_options.items() for d in ds)
            name = canonicalize_name(r.name) if r.name else None
            line = int(parsed.line_source.split()[1])
            extras = sorted(canonicalize_name(e) for e in r.extras)
            out.append([name, extras, r.editable, parsed.constraint, hashes, line, r.match_markers(), r.link is not None])
    except (Exception, RecursionError):
        return None
    return out

questions = json.load(sys.stdin)
answers = {
    'allows': [allows(*q) for q in questions.get('allows', [])],
    'holds': [holds(*q) for q in questions.get('holds', [])],
    'requirement': [requirement(q) for q in questions.get('requirement', [])],
    'file': [whole_file(*q) for q in questions.get('file', [])],
}
json.dump(answers, sys.stdout)
";

/// Asks pip.
pub fn pip(questions: &Value) -> Value {
    let mut python = Command::new(test_venv().join("bin/python"));
    python
        .args(["-I", "-W", "ignore", "-c", PIP])
        .env("TOKEN", "s#cret")
        .env_remove("UNSET");
    let mut child = python
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(questions.to_string().as_bytes())
        .unwrap();
    let done = child.wait_with_output().unwrap();
    serde_json::from_slice(&done.stdout)
        .unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&done.stderr)))
}

const VERSIONS: &[&str] = &[
    "0",
    "1",
    "1.0",
    "1.0.0",
    "1.0.0.0",
    "1.0.1",
    "1.1",
    "1.7",
    "1.7.post1",
    "1.7.0.post2.dev3",
    "1.10",
    "2.0",
    "2.0rc1",
    "2.0a1",
    "2.0.dev1",
    "2.0a1.dev2",
    "2.0b2.post1",
    "2.0rc1+local",
    "2.0.post1",
    "2.0+local.1",
    "2.0+local.2",
    "2.0+1",
    "2.0+ubuntu1",
    "2.1.dev0",
    "2.2.0",
    "10.0",
    "1!1.0",
    "1!2.0rc1",
    "2023.10.1",
    "0.0.0.dev0",
    "1.0+abc.1.def",
    "3.11.2",
    "1.5.4",
    "1.4.5",
    "1.4.5.dev1",
    "1.4",
    "1.4.5a1",
];

fn specifiers() -> Vec<String> {
    let versions = [
        "1",
        "1.0",
        "1.0.0",
        "1.7",
        "2.0",
        "2.0rc1",
        "2.0.dev1",
        "2.0.post1",
        "2.0+local.1",
        "1!1.0",
        "1.4.5",
        "1.4.5a1",
        "2.2",
        "v2.0",
        "2.0-1",
        "2.0RC1",
        "2.0.0-beta.2",
        "01.0",
        "1.*",
        "2.0.*",
        "1.4.*",
        "2.0rc1.*",
        "1!1.*",
        "2.0+local.*",
        "*",
        "",
        "abc",
        "1.0.",
        ".1",
        "1..0",
        "1 .0",
        "2.0 ",
        "1.0_1",
    ];
    let operators = [
        "==", "!=", "<", "<=", ">", ">=", "~=", "===", "=", "=>", "<>", "><", "",
    ];
    let mut all: Vec<String> = operators
        .iter()
        .flat_map(|op| versions.iter().map(move |version| format!("{op}{version}")))
        .collect();
    let sets = [
        ">=1,<2",
        ">= 1 , < 2",
        ">=1,",
        ",>=1",
        ">=1,,<2",
        "",
        " ",
        ">1.7,!=2.0",
        "~=1.4.5,!=1.4.5",
        "~=2.0rc1",
        "==1.0,==1.0.0",
        ">=1;<2",
        "===1.0,>=0",
        "=== 1.0",
        "~= 1.4",
        ">=1.0 <2",
        ">=1.0\t,<2",
    ];
    all.extend(sets.map(str::to_owned));
    all
}

#[test]
fn versions_as_pip_compares_them() {
    let specifiers = specifiers();
    let pairs: Vec<(&String, &&str)> = specifiers
        .iter()
        .flat_map(|s| VERSIONS.iter().map(move |v| (s, v)))
        .collect();
    let answers = pip(&json!({"allows": pairs}));
    let mut differ = Vec::new();
    for ((specifier, version), pip) in pairs.iter().zip(answers["allows"].as_array().unwrap()) {
        let ours = Specifiers::parse(specifier)
            .ok()
            .map(|s| s.allow(&InstalledVersion::new(version)));
        // pip cuts the text of `~=` at its dots without reading it first, and then nothing
        // satisfies it.
        let slip = specifier.starts_with("~=v") || specifier.starts_with("~=2.0.0-beta");
        if json!(ours) != *pip && !slip {
            differ.push(format!("{version} {specifier:?}: pip {pip}, here {ours:?}"));
        }
    }
    assert!(
        differ.is_empty(),
        "{} of {}:\n{}",
        differ.len(),
        pairs.len(),
        differ.join("\n")
    );
}

#[test]
fn markers_as_pip_evaluates_them() {
    let variables = [
        "python_version",
        "python_full_version",
        "os_name",
        "sys_platform",
        "platform_release",
        "platform_system",
        "platform_machine",
        "platform_python_implementation",
        "implementation_name",
        "implementation_version",
        "os.name",
        "sys.platform",
        "platform.machine",
        "python_implementation",
        "extra",
        "nonsense",
    ];
    let texts = [
        "3.11",
        "3.8",
        "3.10",
        "3.11.2",
        "posix",
        "linux",
        "Linux",
        "x86_64",
        "CPython",
        "cpython",
        "3.10,3.11",
        "nix",
        "",
        "4.19",
        "3.*",
        "A_b",
    ];
    let operators = [
        "==", "!=", "<", "<=", ">", ">=", "~=", "===", " in ", " not in ", "=", " is ",
    ];
    let mut markers = Vec::new();
    for variable in variables {
        for operator in operators {
            for text in texts {
                markers.push(format!("{variable}{operator}'{text}'"));
                markers.push(format!("\"{text}\"{operator}{variable}"));
            }
        }
    }
    markers.extend(
        [
            "python_version>'3' and os_name=='nt' or sys_platform=='linux'",
            "python_version>'3' and (os_name=='nt' or sys_platform=='linux')",
            "(python_version>'3')and(os_name=='posix')",
            "((python_version>'3'))",
            "os_name == 'posix' and",
            "os_name == 'posix' or or os_name == 'nt'",
            "os_name == 'posix'and os_name == 'posix'",
            "os_name == 'po\"six'",
            "os_name\t==\t'posix'",
            "os_name not  in 'x'",
            "os_name notin 'x'",
            "",
            "'a' == 'a'",
            "os_name == sys_platform",
            "extra == 'a' or python_version < '3'",
            "()",
        ]
        .map(str::to_owned),
    );
    let mut values = MarkerValues::of_host(PythonVersion::parse("3.11.2").unwrap(), "CPython");
    values.platform_machine = "x86_64".to_owned();
    values.platform_release = "4.19".to_owned();
    values.platform_version = "7".to_owned();
    let environment = json!({
        "python_version": "3.11", "python_full_version": "3.11.2", "os_name": "posix", "sys_platform": "linux", "platform_release": "4.19",
        "platform_system": "Linux", "platform_machine": "x86_64", "platform_python_implementation": "CPython", "implementation_name": "cpython",
        "implementation_version": "3.11.2", "platform_version": "7", "extra": "a-b",
    });
    let questions: Vec<Value> = markers
        .iter()
        .map(|marker| json!([marker, environment]))
        .collect();
    let answers = pip(&json!({"holds": questions}));
    let (mut differ, mut agree) = (Vec::new(), 0);
    for (marker, pip) in markers.iter().zip(answers["holds"].as_array().unwrap()) {
        let ours = Marker::parse(marker).ok().map(|m| m.holds(&values, "a-b"));
        match (pip.as_bool(), ours) {
            (pip, ours) if pip == ours => agree += 1,
            // pip ends with a traceback where it must order `posix` and a version; here it is
            // compared as text.
            (None, Some(_)) if Marker::parse(marker).is_ok() => {}
            (pip, ours) => differ.push(format!("{marker}: pip {pip:?}, here {ours:?}")),
        }
    }
    assert!(
        differ.is_empty() && agree > 4000,
        "{agree} agree, {} differ:\n{}",
        differ.len(),
        differ.join("\n")
    );
}

#[test]
fn requirements_as_pip_parses_them() {
    let names = [
        "a", "A.b-c_d", "a1", "1a", "-a", "a-", "a b", "", "\u{e9}", "a..b", "_a",
    ];
    let rests = [
        "",
        ">=1",
        " >= 1 , < 2",
        "[x]",
        "[x,Y_z] ==1.0",
        "[]",
        "[ x , y ]",
        "[x",
        "[x,]",
        "[,x]",
        "(>=1)",
        " ( >=1,<2 ) ",
        "(>=1",
        ">=1)",
        ";",
        "; os_name=='posix'",
        ">=1;os_name=='posix'",
        " @ https://h/x.zip",
        "@https://h/x.zip",
        " @ https://h/x.zip ; os_name=='posix'",
        " @ https://h/x.zip; os_name=='posix'",
        " @ ",
        " @",
        "[x] @ file:///x#egg=y",
        "==1.*",
        ">=1.*",
        "~=1",
        "~=1.0",
        "===foo",
        "=== foo bar",
        "=1",
        " 1.0",
        ">=1,",
        ",>=1",
        ">=1,,<2",
        "==1.0+x",
        ">=1.0+x",
        "#c",
        " # c",
        "==1.0 --hash=sha256:00",
        "\t>=1",
        ">=1 ; (os_name=='posix')",
        "; python_version>'3' and",
        "[x]>=1,<2;extra=='x'",
        "!",
        "==1.0.",
        "==v1.0",
        "== 1.0 RC1",
    ];
    let mut texts: Vec<String> = names
        .iter()
        .flat_map(|name| rests.iter().map(move |rest| format!("{name}{rest}")))
        .collect();
    // What real distributions say.
    let environment = pydist::Environment::open(test_venv()).unwrap();
    let real = environment.distributions().unwrap();
    texts.extend(
        real.iter()
            .filter_map(|dist| dist.metadata().ok())
            .flat_map(|metadata| metadata.requires_dist),
    );
    assert!(texts.len() > 500);
    let answers = pip(&json!({"requirement": texts}));
    let mut differ = Vec::new();
    for (text, pip) in texts.iter().zip(answers["requirement"].as_array().unwrap()) {
        let ours = Requirement::parse(text).ok().map(|r| {
            let mut extras = r.extras.clone();
            extras.sort();
            extras.dedup();
            json!([r.key, extras, r.url, r.marker.is_some()])
        });
        if ours.clone().unwrap_or(Value::Null) != *pip {
            differ.push(format!("{text:?}: pip {pip}, here {ours:?}"));
        }
    }
    assert!(
        differ.is_empty(),
        "{} of {}:\n{}",
        differ.len(),
        texts.len(),
        differ.join("\n")
    );
}
