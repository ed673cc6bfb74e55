//! What is asked for, on the command line and in a spec file; and the package that would hold it.

use super::{Random, rounds, write};
use crate::catalog::Server;
use crate::sql::Statement;
use crate::want::Want;
use crate::{package, packager, spec};

#[test]
fn what_is_asked_for_is_read_back_and_quoted() {
    let name = |text: &str| format!("\"{}\"", text.replace('"', "\"\""));
    let mut random = Random(0xa5c);
    let mut read = 0;
    for _ in 0..rounds(30_000, 1_000_000) {
        let text = random.text(
            &[
                "a",
                "hstore",
                "uuid-ossp",
                "@",
                ":",
                "\"",
                "\"\"",
                "latest",
                "1.8",
                " ",
                "é",
                "\0",
                "'",
                ";",
                "--",
                "\n",
                "\\",
            ],
            7,
        );
        let _ = Want::parse_absent(&text);
        let Ok(want) = Want::parse(&text) else {
            continue;
        };
        read += 1;
        let version = want
            .version
            .text()
            .map(|version| format!("@{}", name(version)))
            .unwrap_or_default();
        let schema = want
            .schema
            .as_ref()
            .map(|schema| format!(":{}", name(schema)))
            .unwrap_or_default();
        assert_eq!(
            Want::parse(&format!("{}{version}{schema}", name(&want.name))).as_ref(),
            Ok(&want),
            "{text:?}"
        );
        // Whatever it is called, it stays one identifier and one statement.
        let statement = Statement::Create {
            name: want.name.clone(),
            schema: want.schema.clone(),
            version: want.version.text().map(str::to_owned),
        };
        let statement = statement.text(None);
        let outside: String = statement.split('"').step_by(2).collect();
        assert!(
            !outside.contains([';', '\'', '\\', '\n', '@'])
                && statement.matches('"').count() % 2 == 0,
            "{text:?}: {statement}"
        );
    }
    assert!(read > 2_000, "{read}");
}

#[test]
fn a_spec_file_is_read_or_refused_with_its_name() {
    const TOKENS: &[&str] = &[
        "databases",
        "extensions",
        "absent",
        "[[database]]",
        "name",
        " = ",
        "[",
        "]",
        "{",
        "}",
        "\"a\"",
        "\"hstore@1.8\"",
        "\"a:b:c\"",
        ",",
        ":",
        "\n",
        "#",
        "1",
        "'x'",
        "\"",
        "\u{0}",
        "é",
    ];
    let dir = tempfile::tempdir().unwrap();
    let mut random = Random(0x59ec);
    let (mut read, mut refused) = (0, 0);
    for round in 0..rounds(3_000, 100_000) {
        let path = dir.path().join(random.of(&["spec.toml", "spec.json"]));
        let text = match random.below(3) {
            0 => random.text(TOKENS, 12),
            1 => format!(
                "extensions = [\"a{}\"]\n{}",
                random.text(&["b", "@1", ":s", "\\n"], 2),
                random.text(TOKENS, 3)
            ),
            _ => format!(
                "{{\"extensions\": [\"a\"{}]}}",
                random.text(&[", ", "\"b\"", "\"c@1\"", "1"], 3)
            ),
        };
        write(&path, text.as_bytes());
        match spec::read(&path, false) {
            Ok(_) => read += 1,
            Err(error) => {
                assert!(
                    error.message.contains("spec."),
                    "round {round}: {text:?}: {}",
                    error.message
                );
                refused += 1;
            }
        }
    }
    assert!(
        read > 100 && refused > 100,
        "{read} read, {refused} refused"
    );
}

#[test]
fn any_words_of_a_packager_and_any_name_end_in_a_package_or_a_question() {
    const WORDS: &[&str] = &[
        "15.18",
        " (",
        ")",
        "Debian ",
        "Ubuntu ",
        "15.18-0+deb12u1",
        ".pgdg120+1",
        "0ubuntu0.22.04.1",
        "gcc (Alpine 13.2)",
        "Red Hat ",
        "é",
        ".",
        "deb",
    ];
    let mut random = Random(0xd15);
    for _ in 0..rounds(20_000, 500_000) {
        let (words, version) = (random.text(WORDS, 6), random.text(WORDS, 6));
        let distro = packager::of_server(&version, &words, 15, false);
        let server = Server {
            number: 150_018,
            distro,
            ..Server::default()
        };
        let extension = random.text(
            &[
                "hstore",
                "plpython3",
                "u",
                "_",
                "'",
                " ",
                "postgis",
                "x",
                "\n",
                "$(x)",
                "jsonb_",
            ],
            3,
        );
        let fix = package::holding(&extension, &server);
        let package = package::name(&extension, &server);
        assert!(
            package.is_none_or(|package| package
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"-_.+".contains(&b))),
            "{words:?} {extension:?}"
        );
        assert!(fix.steps.is_empty(), "the server is elsewhere: {fix:?}");
        // A name never leaves its quotes.
        let said = fix.summary.replace("'\\''", "");
        let outside: String = said.split('\'').step_by(2).collect();
        assert!(!outside.contains(['$', '\n']), "{fix:?}");
    }
}
