//! Whole requirements files, beside pip's own reader.

use super::readers::pip;
use harness::{scratch, test_venv};
use pydist::marker::MarkerValues;
use serde_json::{Value, json};
use std::path::Path;
use venv_sync::requirements::{Reader, Wanted};

/// Files as people write them, and as they go wrong. `%D` is their directory.
const FILES: &[(&str, &str)] = &[
    ("plain", "Django==4.2\ngunicorn>=20,<22\n"),
    ("no-newline", "a"),
    ("crlf", "a==1\r\nb==2\r\n"),
    ("old-mac", "a==1\rb==2\r"),
    ("form-feed", "a==1\x0cb==2\n"),
    ("separators", "a==1\u{2028}b==2\u{85}c==3\n"),
    (
        "comments",
        "# c\na==1 # c\n b==2\t# c\nc==3#not-a-comment\n",
    ),
    ("comment-hash", "a @ https://h/x.zip#egg=a\n"),
    ("continuation", "a\\\n==1\n"),
    (
        "continuation-hash",
        "a==1 \\\n    --hash=sha256:00 \\\n    --hash=sha256:11\n",
    ),
    (
        "continuation-comment",
        "a==1 \\\n# c\n--hash=sha256:00\nb\n",
    ),
    ("continuation-end", "a==1 \\"),
    ("continuation-blank", "a==1 \\\n\n--hash=sha256:00\n"),
    ("continuation-twice", "a\\\\\n==1\n"),
    ("comment-continuation", "# a \\\nb\n"),
    ("space-behind-backslash", "a==1 \\ \n--hash=sha256:00\n"),
    (
        "variables",
        "a @ https://${TOKEN}@h/x.zip\nb @ https://${UNSET}@h/y.zip\n${lower}\n",
    ),
    (
        "variables-two",
        "a @ https://${TOKEN}@h/x.zip\nb @ https://${UNSET}@h/y.zip\n",
    ),
    (
        "markers",
        "a; python_version > '3'\nb ; python_version < '3'\nc;\nd ;\n",
    ),
    ("marker-bad", "a; python_version > 3\n"),
    (
        "marker-in",
        "a; python_version in \"3.10,3.11,3.12,3.13\"\n",
    ),
    ("marker-dash", "a; sys_platform == 'linux' and '-' in '-'\n"),
    (
        "marker-dash-2",
        "a; platform_release != '-x'\nb; platform_release == '-x'\n",
    ),
    ("extras", "a[x,y]==1\nb[X_Y.z]\nc[ x ]\n"),
    (
        "hash-sha256",
        "a==1 --hash=sha256:aa --hash sha384:bb --hash 'sha512:cc'\n",
    ),
    ("hash-md5", "a==1 --hash=md5:aa\n"),
    ("hash-none", "a==1 --hash=sha256\n"),
    ("hash-alone", "--hash=sha256:aa\na\n"),
    ("nests", "-r nested/one.txt\nz\n"),
    (
        "nested-long",
        "--requirement nested/one.txt\n--requirement=nested/one.txt\n",
    ),
    ("nested-short", "-rnested/one.txt\n"),
    ("nested-abbreviated", "--requirem nested/one.txt\n"),
    ("nested-ambiguous", "--require nested/one.txt\n"),
    (
        "nested-quoted",
        "-r 'nested/one.txt'\n-r \"nested/one.txt\"\n",
    ),
    ("nested-missing", "-r nested/none.txt\n"),
    ("nested-two", "-r nested/one.txt -r nested/two.txt\n"),
    ("nested-file-url", "-r file://%D/nested/two.txt\n"),
    ("itself", "-r itself\n"),
    ("loop", "-r nested/loop.txt\n"),
    ("constraint", "-c nested/limit.txt\na\n"),
    ("constraint-nests-requirement", "-c nested/nests.txt\n"),
    ("constraint-extras", "-c nested/limit-extras.txt\n"),
    ("constraint-editable", "-c nested/limit-editable.txt\n"),
    ("constraint-url", "-c nested/limit-url.txt\n"),
    ("constraint-unnamed", "-c nested/limit-unnamed.txt\n"),
    (
        "editable-path",
        "-e ./app\n-e app\n-e %D/app\n--editable=./app\n",
    ),
    ("editable-extras", "-e ./app[x]\n-e app[x,y]\n"),
    (
        "editable-vcs",
        "-e git+https://h/r.git@v1#egg=r\n-e git+ssh://git@h/r.git#egg=s\n",
    ),
    ("editable-vcs-unnamed", "-e git+https://h/r.git\n"),
    ("editable-direct", "-e r @ git+https://h/r.git\n"),
    ("editable-name", "-e r\n"),
    ("editable-url", "-e https://h/r.zip#egg=r\n"),
    (
        "editable-file-url",
        "-e file://%D/app\n-e file://%D/app#egg=app\n",
    ),
    ("editable-missing", "-e ./none\n"),
    (
        "path",
        "./app\n%D/app\nwheels/w-1.0-py3-none-any.whl\n./wheels/s-1.0.tar.gz\n",
    ),
    ("path-extras", "./app[x]\n"),
    ("path-marker", "./app ; python_version < '3'\n"),
    ("path-missing", "./none\n"),
    ("path-missing-wheel", "./wheels/none-1.0-py3-none-any.whl\n"),
    ("path-not-installable", "./nested\n"),
    ("wheel-name", "w-1.0-py3-none-any.whl\n"),
    (
        "url",
        "https://h/x-1.0.zip\nhttps://h/w-1.0-py3-none-any.whl\nhttps://h/x.zip#egg=x\nhttps://h/x.zip#egg=x[y]\n",
    ),
    (
        "url-marker",
        "https://h/x.zip#egg=x ; python_version < '3'\nhttps://h/x.zip#egg=x; python_version < '3'\n",
    ),
    ("url-semicolon", "https://h/x;y.zip#egg=x\n"),
    (
        "url-named",
        "x @ https://h/x.zip\ny@https://h/y.zip\nz[e]@ https://h/z.zip ; python_version > '3'\n",
    ),
    (
        "url-vcs",
        "git+https://h/r.git\ngit+https://h/r.git@v1#egg=r&subdirectory=s\nr @ git+https://h/r.git@v1\n",
    ),
    ("url-bad-wheel", "https://h/w.whl\n"),
    ("unknown-scheme", "foo+https://h/x.zip\n"),
    (
        "index",
        "-i https://u:p@h/simple\n--extra-index-url https://h/\n--index-url=https://h/\na\n",
    ),
    ("index-inline", "a -i https://h/\n"),
    (
        "find-links",
        "-f ./wheels\n--find-links=https://h/\n--no-index\na\n",
    ),
    (
        "binary",
        "--no-binary :all:\n--only-binary=a\n--prefer-binary\n--pre\n--trusted-host h\na\n",
    ),
    (
        "require-hashes",
        "--require-hashes\na==1 --hash=sha256:aa\n",
    ),
    ("config-settings", "a --config-settings=x=y\nb -C x=y\n"),
    ("unknown-option", "a\n--nonsense\n"),
    ("unknown-letter", "-x\n"),
    ("no-value", "-r\n"),
    ("flag-with-value", "--no-index=1\na\n"),
    ("unbalanced", "-r 'nested/one.txt\n"),
    ("double-dash", "-- -r nested/one.txt\na\n"),
    ("single-equals", "a=1\n"),
    ("spaces", "  a == 1  \n\tb\t>= 2\t\n   \n"),
    ("two-words", "a b\n"),
    ("trailing-comma", "a>=1,\n"),
    ("triple", "a===1.0-weird\n"),
    ("parentheses", "a (>=1,<2)\n"),
    ("bom", "\u{feff}a==1\n"),
    ("latin-name", "caf\u{e9}\n"),
    ("capital-url", "HTTPS://h/x.zip#egg=x\n"),
    ("nbsp", "a\u{a0}==1\n"),
    ("null", "a\0b\n"),
    ("only-comments", "# nothing\n\n   # nothing\n"),
];

const BESIDE: &[(&str, &str)] = &[
    ("nested/one.txt", "one\n-r two.txt\n"),
    ("nested/two.txt", "two\n"),
    ("nested/loop.txt", "-r ../loop\n"),
    ("nested/limit.txt", "a<2\nb<3 ; python_version > '3'\n"),
    ("nested/nests.txt", "-r two.txt\na<2\n"),
    ("nested/limit-extras.txt", "a[x]<2\n"),
    (
        "nested/limit-editable.txt",
        "-e git+https://h/r.git#egg=r\n",
    ),
    ("nested/limit-url.txt", "a @ https://h/a.zip\n"),
    ("nested/limit-unnamed.txt", "https://h/a.zip\n"),
    (
        "app/pyproject.toml",
        "[project]\nname = 'app'\nversion = '1'\n",
    ),
    ("wheels/w-1.0-py3-none-any.whl", ""),
    ("wheels/s-1.0.tar.gz", ""),
];

fn ours(dir: &Path, name: &str) -> Option<Value> {
    let variable = |name: &str| (name == "TOKEN").then(|| "s#cret".to_owned());
    let reader = Reader {
        cwd: dir,
        extras: &[],
        groups: &[],
        variable: &variable,
    };
    let read = reader.read(&[dir.join(name)], &[]).ok()?;
    // The environment that asked is the one that answers.
    let python = pydist::Environment::open(test_venv())
        .unwrap()
        .python
        .unwrap();
    let values = MarkerValues::of_host(python, "CPython");
    let one = |wanted: &Wanted| {
        let mut extras = wanted.extras.clone();
        extras.sort();
        let mut hashes = wanted.hashes.clone();
        hashes.sort();
        json!([
            wanted.key,
            extras,
            wanted.editable,
            wanted.constraint,
            hashes,
            wanted.origin.line,
            wanted.counts(&values),
            wanted.link.is_some()
        ])
    };
    Some(Value::Array(read.wanted.iter().map(one).collect()))
}

#[test]
fn whole_files_as_pip_reads_them() {
    let dir = scratch();
    for (name, text) in FILES.iter().chain(BESIDE) {
        let path = dir.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text.replace("%D", dir.path().to_str().unwrap())).unwrap();
    }
    let encoded: [(&str, &[u8]); 6] = [
        ("utf16", b"\xff\xfea\0=\0=\x001\0\n\0"),
        ("utf32", b"\xff\xfe\0\0a\0\0\0\n\0\0\0"),
        ("latin-1", b"# -*- coding: latin-1 -*-\na # \xe9\nb\n"),
        ("cp1252", b"# coding=cp1252\na # \x80\n"),
        ("third-line", b"#\n#\n# coding: latin-1\na\n"),
        ("unknown", b"# coding: nonsense\na\n"),
    ];
    for (name, bytes) in encoded {
        std::fs::write(dir.path().join(name), bytes).unwrap();
    }
    let names: Vec<&str> = FILES
        .iter()
        .map(|(name, _)| *name)
        .chain(encoded.map(|(name, _)| name))
        .collect();
    let questions: Vec<Value> = names
        .iter()
        .map(|name| json!([dir.path().join(name), dir.path()]))
        .collect();
    let answers = pip(&json!({"file": questions}));
    let mut differ = Vec::new();
    for (name, pip) in names.iter().zip(answers["file"].as_array().unwrap()) {
        let ours = ours(dir.path(), name).unwrap_or(Value::Null);
        if ours != *pip {
            differ.push(format!("{name}:\n  pip  {pip}\n  here {ours}"));
        }
    }
    assert!(
        differ.is_empty(),
        "{} of {}:\n{}",
        differ.len(),
        names.len(),
        differ.join("\n")
    );
}
