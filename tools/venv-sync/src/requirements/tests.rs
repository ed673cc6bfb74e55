//! Whole files, read from a temporary directory.

#![allow(clippy::unwrap_used)]

use std::fs;

use super::{Problem, Reader, Requirements};

fn read(files: &[(&str, &str)]) -> Result<Requirements, Problem> {
    let dir = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = dir.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    let reader = Reader {
        cwd: dir.path(),
        extras: &[],
        groups: &[],
        variable: &|_| None,
    };
    reader.read(&[dir.path().join(files[0].0)], &[])
}

fn keys(found: &Requirements) -> Vec<String> {
    let show = |w: &super::Wanted| {
        let mark = if w.constraint { "-c " } else { "" };
        format!(
            "{mark}{}{}:{}",
            w.key.clone().unwrap_or_default(),
            w.specifiers,
            w.origin.line
        )
    };
    found.wanted.iter().map(show).collect()
}

fn problem(line: &str) -> String {
    let message = read(&[("r.txt", line)]).unwrap_err().message;
    message
        .split("r.txt:")
        .nth(1)
        .unwrap_or(&message)
        .to_owned()
}

#[test]
fn files_nest_and_a_requirement_inside_a_constraint_file_is_one() {
    let found = read(&[
        (
            "r.txt",
            "-r sub/b.txt\n-c c.txt\nDjango>=4 ; python_version > '3'\n",
        ),
        ("sub/b.txt", "-r d.txt\n"),
        ("sub/d.txt", "six\n"),
        ("c.txt", "-r e.txt\nsix<2\n"),
        ("e.txt", "toml\n"),
    ])
    .unwrap();
    assert_eq!(
        keys(&found),
        ["six:1", "toml:1", "-c six<2:2", "django>=4:3"]
    );
    assert_eq!(found.inputs.len(), 5);
    assert_eq!(found.inputs[0].sha256.len(), 64);
}

#[test]
fn a_file_that_includes_itself_is_an_error() {
    let error = read(&[("r.txt", "-r s/b.txt\n"), ("s/b.txt", "-r ../r.txt\n")]).unwrap_err();
    assert!(
        error.message.contains("includes itself"),
        "{}",
        error.message
    );
    // Twice is not a loop.
    assert!(read(&[("r.txt", "-r b.txt\n-r b.txt\n"), ("b.txt", "a\n")]).is_ok());
}

#[test]
fn every_kind_of_requirement_has_its_name_and_place() {
    let found = read(&[
        (
            "r.txt",
            "a[x,Y_z]==1.0 --hash=sha256:00 \\\n  --hash sha512:11\n\
             b @ https://h/b-2.0.tar.gz\n\
             git+https://h/c.git@v1#egg=C\n\
             -e git+ssh://git@h/d.git#egg=d\n\
             ./wheels/e_f-3.0-py3-none-any.whl\n\
             -e ./app[dev]\n\
             ./app\n\
             g===1.0.weird\n\
             h;\n",
        ),
        ("app/pyproject.toml", ""),
        ("wheels/e_f-3.0-py3-none-any.whl", ""),
    ])
    .unwrap();
    let names: Vec<_> = found.wanted.iter().map(|w| w.key.clone()).collect();
    let expected = ["a", "b", "c", "d", "e-f", "", "", "g", "h"];
    let expected = expected.map(|key| (!key.is_empty()).then(|| key.to_owned()));
    assert_eq!(names, expected);
    assert_eq!(found.wanted[0].hashes, ["sha256:00", "sha512:11"]);
    assert_eq!(found.wanted[0].extras, ["x", "y-z"]);
    assert_eq!(found.wanted[4].specifiers.to_string(), "==3.0");
    assert!(found.wanted[5].editable && found.wanted[5].extras == ["dev"]);
    assert!(found.wanted[6].link.as_ref().unwrap().url.ends_with("/app"));
}

#[test]
fn problems_name_the_line() {
    assert!(problem("a\n--nonsense\n").starts_with("2: no such option"));
    assert!(
        problem("a==1 --hash=md5:00").starts_with("1: --hash=md5:00 is not a hash that pip knows")
    );
    assert!(problem("a=1").starts_with("1: "));
    assert!(problem("-e a").contains("cannot be editable"));
    assert!(problem("-r https://h/r.txt").contains("from the network"));
    assert!(problem("-r missing.txt").ends_with("missing.txt: no such requirements file"));
    assert!(problem("./missing").starts_with("1: "));
}

#[test]
fn constraints_have_a_name_and_nothing_else() {
    for line in [
        "-e git+https://h/d.git#egg=d",
        "a[x]",
        "git+https://h/c.git",
    ] {
        let files = [("r.txt", "-c c.txt"), ("c.txt", line)];
        assert!(read(&files).is_err(), "{line}");
    }
    assert!(read(&[("r.txt", "-c c.txt"), ("c.txt", "a @ https://h/a.zip")]).is_ok());
}
