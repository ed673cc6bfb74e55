//! The language of the house (CONTRIBUTING.md, "Words"): words and forms that do not come back,
//! looked for in the documents, the manuals, the help, the messages and the comments.

use harness::source_root;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Contractions, by their ends and as whole words.
const ENDS: &[&str] = &["n't", "'ll", "'re", "'ve"];
const CONTRACTIONS: &[&str] = &[
    "it's", "that's", "there's", "what's", "here's", "who's", "let's",
];

/// Phrases that a reader from outside had to read twice.
const PHRASES: &[&str] = &[
    "it is so",
    "what is so",
    "is so now",
    "so unless",
    "only said",
    "nobody minds",
    "nobody meant",
    "came of it",
    "became of it",
    "told of it",
    "unless told",
    "told otherwise",
    "unless given",
    "is told by",
    "record is told",
    "are told nothing",
    "whosesoever",
    "is owed",
    "nothing is owed",
    "built them otherwise",
    "begins no requirement",
    "be seen to be",
    "of so many",
    "lets go of it",
];

/// Comments that say nothing to a person who looks for a name.
const STUMPS: &[&str] = &[
    "where",
    "who",
    "when",
    "what",
    "which",
    "why",
    "how",
    "one",
    "both",
    "several",
    "nothing",
    "all",
    "all of them",
    "the same",
    "the first",
    "the rest",
    "the whole",
    "the whole of it",
    "its name",
];

/// How no sentence of a manual begins: the reader would have to look for the thing.
const BARE: &[&str] = &["It ", "It, ", "So ", "There ", "One is ", "None ", "Its "];

/// A text, and where it stands.
struct Text {
    place: String,
    text: String,
}

fn sources() -> Vec<PathBuf> {
    let mut files = Vec::new();
    for group in ["shared", "tools"] {
        for entry in std::fs::read_dir(source_root().join(group))
            .unwrap()
            .flatten()
        {
            collect(&entry.path().join("src"), &mut files);
        }
    }
    assert!(files.len() > 300, "{} sources", files.len());
    files
}

fn collect(dir: &Path, files: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(dir).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|ext| ext == "rs") {
            files.push(path);
        }
    }
}

/// The comments of the sources, one text for each block of lines, and the string literals outside
/// of tests.
fn of_sources() -> Vec<Text> {
    let mut texts = Vec::new();
    for path in sources() {
        let place = path
            .strip_prefix(source_root())
            .unwrap()
            .display()
            .to_string();
        let source = std::fs::read_to_string(&path).unwrap();
        texts.extend(comments(&place, &source));
        texts.extend(literals(&place, &source));
    }
    texts
}

fn comments(place: &str, source: &str) -> Vec<Text> {
    let mut texts = Vec::new();
    let mut block = String::new();
    for (number, line) in source.lines().chain([""]).enumerate() {
        match line.trim_start().strip_prefix("//") {
            Some(comment) => {
                block.push_str(comment.trim_start_matches(['/', '!']).trim());
                block.push(' ');
            }
            None if block.is_empty() => {}
            None => texts.push(Text {
                place: format!("{place}:{number}"),
                text: std::mem::take(&mut block),
            }),
        }
    }
    texts
}

/// The plain string literals before the test module; the words of other programs are not ours.
fn literals(place: &str, source: &str) -> Vec<Text> {
    const FOREIGN: &[&str] = &["venv-sync/src/unreachable.rs", "fuzz", "tests.rs"];
    if FOREIGN.iter().any(|foreign| place.contains(foreign)) {
        return Vec::new();
    }
    let end = source.find("\n#[cfg(test)]").unwrap_or(source.len());
    let mut texts = Vec::new();
    let mut rest = source[..end]
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"))
        .collect::<Vec<_>>()
        .join("\n");
    rest = rest.replace("'\"'", "").replace("'\\\"'", "");
    while let Some((before, raw)) = rest.split_once("r#\"") {
        let after = raw.split_once("\"#").map_or("", |(_, after)| after);
        rest = format!("{before}{after}");
    }
    let mut chars = rest.chars();
    while chars.by_ref().any(|c| c == '"') {
        let mut text = String::new();
        while let Some(c) = chars.next() {
            match c {
                '"' => break,
                '\\' => match chars.next() {
                    // A literal that goes on in the next line.
                    Some('\n') => chars = chars.as_str().trim_start().chars(),
                    Some('n') => text.push('\n'),
                    Some(other) => text.push(other),
                    None => {}
                },
                c => text.push(c),
            }
        }
        texts.push(Text {
            place: format!("{place}: \"{text:.60}\""),
            text,
        });
    }
    texts
}

/// The documents that people read, a text for each paragraph.
fn documents() -> Vec<Text> {
    let root = source_root();
    let mut files: Vec<PathBuf> = ["README.md", "CHANGELOG.md", "ARCHITECTURE.md", "Makefile"]
        .map(|name| root.join(name))
        .into();
    files.push(root.join("shared/ansible/README.md"));
    let modules = root.join("shared/ansible/plugins/modules");
    for entry in std::fs::read_dir(modules).unwrap().flatten() {
        files.push(entry.path());
    }
    let mut texts = Vec::new();
    for path in files {
        let place = path.strip_prefix(&root).unwrap().display().to_string();
        for paragraph in std::fs::read_to_string(&path).unwrap().split("\n\n") {
            texts.push(Text {
                place: format!("{place}: {paragraph:.40}"),
                text: paragraph.to_owned(),
            });
        }
    }
    texts
}

/// The prose of the manuals, a text for each paragraph: no examples, no macros.
fn manuals() -> Vec<Text> {
    let mut texts = Vec::new();
    for entry in std::fs::read_dir(source_root().join("man"))
        .unwrap()
        .flatten()
    {
        let page = std::fs::read_to_string(entry.path()).unwrap();
        let page = page.replace("\\-", "-").replace("\\&", "");
        let mut text = String::new();
        let mut is_example = false;
        for line in page.lines().chain(["."]) {
            is_example = line == ".nf" || is_example && line != ".fi";
            if !line.starts_with('.') && !is_example {
                let line = ["\\fB", "\\fI", "\\fR"]
                    .iter()
                    .fold(line.to_owned(), |line, font| line.replace(font, ""));
                text.push_str(&line);
                text.push(' ');
            } else if !text.is_empty() {
                let text = std::mem::take(&mut text);
                texts.push(Text {
                    place: format!("man/{}: {text:.40}", entry.file_name().to_string_lossy()),
                    text,
                });
            }
        }
    }
    assert!(texts.len() > 800, "{} paragraphs", texts.len());
    texts
}

/// `--help` of every tool and subcommand.
fn helps() -> Vec<Text> {
    let mut texts = Vec::new();
    for tool in runbook_docgen::TOOLS {
        let names = tool.line.commands.iter().map(|command| Some(command.name));
        for name in [None].into_iter().chain(names) {
            let text =
                base::cli::render_help(tool.line, tool.documents, name, base::cli::Length::Whole);
            for paragraph in text.split("\n\n") {
                texts.push(Text {
                    place: format!("{} --help: {paragraph:.40}", tool.line.name),
                    text: paragraph.to_owned(),
                });
            }
        }
    }
    texts
}

/// One line, one blank between words, lower case.
fn flat(text: &str) -> String {
    let words: Vec<String> = text.split_whitespace().map(str::to_lowercase).collect();
    words.join(" ")
}

/// The contraction in a text.
fn contraction(text: &str) -> Option<String> {
    text.split(|c: char| !(c.is_alphanumeric() || c == '\''))
        .map(|word| word.trim_matches('\'').to_lowercase())
        .find(|word| {
            CONTRACTIONS.contains(&word.as_str()) || ENDS.iter().any(|end| word.ends_with(end))
        })
}

/// The phrase in a text, from the beginning of a word to the end of a word.
fn phrase(text: &str) -> Option<&'static str> {
    let text = flat(text);
    let ends = |rest: &str| !rest.starts_with(char::is_alphanumeric);
    let begins = |before: &str| !before.ends_with(char::is_alphanumeric);
    PHRASES.iter().copied().find(|phrase| {
        text.match_indices(phrase)
            .any(|(at, found)| begins(&text[..at]) && ends(&text[at + found.len()..]))
    })
}

/// The sentence that begins with a bare word.
fn bare(text: &str) -> Option<String> {
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut starts = vec![0];
    for end in [". ", ": ", "; ", "? "] {
        starts.extend(text.match_indices(end).map(|(at, end)| at + end.len()));
    }
    starts.into_iter().find_map(|at| {
        let sentence = &text[at..];
        let is_bare = BARE.iter().any(|word| sentence.starts_with(word));
        is_bare.then(|| format!("{sentence:.60}"))
    })
}

fn none_of(found: BTreeSet<String>) {
    let list: Vec<String> = found.into_iter().collect();
    assert!(
        list.is_empty(),
        "CONTRIBUTING.md, \"Words\", says how to write these:\n{}",
        list.join("\n")
    );
}

#[test]
fn no_text_has_a_contraction_or_a_phrase_that_was_given_up() {
    let texts = of_sources()
        .into_iter()
        .chain(documents())
        .chain(manuals())
        .chain(helps());
    none_of(
        texts
            .filter_map(|text| {
                let found = contraction(&text.text).or(phrase(&text.text).map(str::to_owned))?;
                Some(format!("{}: {found}", text.place))
            })
            .collect(),
    );
}

#[test]
fn a_sentence_of_a_manual_or_of_help_names_its_subject() {
    let texts = manuals().into_iter().chain(helps());
    none_of(
        texts
            .filter_map(|text| Some(format!("{}: {}", text.place, bare(&text.text)?)))
            .collect(),
    );
}

#[test]
fn a_comment_says_more_than_a_question_word() {
    let mut found = BTreeSet::new();
    for path in sources() {
        let place = path
            .strip_prefix(source_root())
            .unwrap()
            .display()
            .to_string();
        for text in comments(&place, &std::fs::read_to_string(&path).unwrap()) {
            let comment = flat(&text.text);
            if STUMPS.contains(&comment.trim_end_matches('.')) {
                found.insert(format!("{}: {comment}", text.place));
            }
        }
    }
    none_of(found);
}

/// A name or a value in a message stands in single quotes. The words of libpq (pgconn) and files
/// that are written keep their own.
#[test]
fn values_in_messages_stand_in_single_quotes() {
    const CODE: &[&str] = &[
        "shared/pgconn/",
        "shared/docgen/",
        "/snippet",
        "/format/",
        "/sql.rs",
        "/finding.rs",
        "/document.rs",
        "/manual.rs",
        "/page.rs",
        "/units.rs",
        "advice.rs",
        "syntax.rs",
        "caddy.rs",
        "literal.rs",
        "/lint.rs",
        "shared/base/src/fix.rs",
    ];
    let mut found = BTreeSet::new();
    for text in of_sources() {
        let is_code = CODE.iter().any(|code| text.place.contains(code));
        let is_message = text.place.contains('"') && text.text.contains(' ');
        if is_code || !is_message {
            continue;
        }
        for quoted in ["\"{", "`{text}`", "`{word}`", "`{name}`", "`{rest}`"] {
            // A key and its value, as they are written into a file.
            let is_written = text.text.contains(&format!("= {quoted}"));
            if text.text.contains(quoted) && !is_written {
                found.insert(text.place.clone());
            }
        }
    }
    none_of(found);
}

#[test]
fn the_readers_of_words_find_them() {
    assert_eq!(contraction("that isn't there"), Some("isn't".to_owned()));
    assert_eq!(contraction("the user's file, 'x'"), None);
    assert_eq!(phrase("The host:\n  It is\n  so now."), Some("it is so"));
    assert_eq!(phrase("whether it is somebody else's"), None);
    assert_eq!(
        bare("Reads FILE. It is kept.").as_deref(),
        Some("It is kept.")
    );
    assert_eq!(bare("Reads FILE. Its: x. Item two."), None);
    let source =
        "/// Where.\nfn f() { g(\"a \\\"b\\\" \\\n   c\") }\n#[cfg(test)]\nmod t { \"x\" }\n";
    let texts: Vec<String> = literals("x", source).into_iter().map(|t| t.text).collect();
    assert_eq!(texts, ["a \"b\" c"]);
    assert_eq!(comments("x", source)[0].text, "Where. ");
}
