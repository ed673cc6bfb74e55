//! The options of one requirements line, parsed as pip parses them: words split as a shell splits
//! them, then Python's optparse, whose abbreviations (`--requirem`) and clusters (`-rfile`) count.

/// The options that pip takes in a requirements file: what they are called here, their letter,
/// their long names, and whether a value follows.
const OPTIONS: [(Name, Option<char>, &[&str], bool); 17] = [
    (Name::Index, Some('i'), &["--index-url", "--pypi-url"], true),
    (Name::ExtraIndex, None, &["--extra-index-url"], true),
    (Name::NoIndex, None, &["--no-index"], false),
    (Name::Constraint, Some('c'), &["--constraint"], true),
    (Name::Requirement, Some('r'), &["--requirement"], true),
    (Name::Editable, Some('e'), &["--editable"], true),
    (Name::FindLinks, Some('f'), &["--find-links"], true),
    (Name::NoBinary, None, &["--no-binary"], true),
    (Name::OnlyBinary, None, &["--only-binary"], true),
    (Name::PreferBinary, None, &["--prefer-binary"], false),
    (Name::RequireHashes, None, &["--require-hashes"], false),
    (Name::Pre, None, &["--pre"], false),
    (Name::TrustedHost, None, &["--trusted-host"], true),
    (Name::Feature, None, &["--use-feature"], true),
    (Name::GlobalOption, None, &["--global-option"], true),
    (Name::Hash, None, &["--hash"], true),
    (
        Name::ConfigSetting,
        Some('C'),
        &["--config-setting", "--config-settings"],
        true,
    ),
];

/// An option of a requirements file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Name {
    Index,
    ExtraIndex,
    NoIndex,
    Constraint,
    Requirement,
    Editable,
    FindLinks,
    NoBinary,
    OnlyBinary,
    PreferBinary,
    RequireHashes,
    Pre,
    TrustedHost,
    Feature,
    GlobalOption,
    Hash,
    ConfigSetting,
}

impl Name {
    /// The option as pip's manual writes it.
    pub fn long(self) -> &'static str {
        let row = OPTIONS.iter().find(|(name, ..)| *name == self);
        row.map_or("", |(_, _, longs, _)| longs.first().copied().unwrap_or(""))
    }
}

/// The options of a line, in order.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Options(Vec<(Name, String)>);

impl Options {
    /// The first value of an option.
    pub fn first(&self, name: Name) -> Option<&str> {
        self.all(name).next()
    }

    /// Every value of an option.
    pub fn all(&self, name: Name) -> impl Iterator<Item = &str> {
        let found = self.0.iter().filter(move |(have, _)| *have == name);
        found.map(|(_, value)| value.as_str())
    }

    /// Every option with its value.
    pub fn iter(&self) -> impl Iterator<Item = (Name, &str)> {
        self.0.iter().map(|(name, value)| (*name, value.as_str()))
    }

    /// Whether an option is there.
    pub fn has(&self, name: Name) -> bool {
        self.first(name).is_some()
    }
}

/// Splits a line into what stands before its first option, and its options.
pub fn parse(line: &str) -> Result<(&str, Options), String> {
    let starts = |at: usize| line[at..].starts_with('-') && (at == 0 || line[..at].ends_with(' '));
    let at = line.char_indices().map(|(at, _)| at).find(|at| starts(*at));
    let (requirement, rest) = line.split_at(at.unwrap_or(line.len()));
    let mut options = Options::default();
    let mut words = words(rest)?.into_iter();
    while let Some(word) = words.next() {
        if word == "--" {
            break;
        } else if word.starts_with("--") {
            long(&word, &mut words, &mut options)?;
        } else if word.len() > 1 && word.starts_with('-') {
            short(&word, &mut words, &mut options)?;
        }
    }
    Ok((
        requirement.strip_suffix(' ').unwrap_or(requirement),
        options,
    ))
}

fn long(
    word: &str,
    rest: &mut impl Iterator<Item = String>,
    options: &mut Options,
) -> Result<(), String> {
    let (given, value) = match word.split_once('=') {
        Some((given, value)) => (given, Some(value.to_owned())),
        None => (word, None),
    };
    let all = || {
        OPTIONS.iter().flat_map(|(name, _, longs, takes)| {
            longs.iter().map(move |long| (*long, *name, *takes))
        })
    };
    let exact = all().find(|(long, ..)| *long == given);
    let mut near = all().filter(|(long, ..)| long.starts_with(given));
    let (long, name, takes) = match (exact, near.next(), near.next()) {
        (Some(found), ..) | (None, Some(found), None) => found,
        (None, None, _) => return Err(format!("no such option: {given}")),
        (None, Some((first, ..)), Some((second, ..))) => {
            return Err(format!("ambiguous option: {given} ({first}, {second}?)"));
        }
    };
    let value = match (takes, value) {
        (true, Some(value)) => value,
        (true, None) => rest
            .next()
            .ok_or_else(|| format!("{long} option requires 1 argument"))?,
        (false, None) => String::new(),
        (false, Some(_)) => return Err(format!("{long} option does not take a value")),
    };
    options.0.push((name, value));
    Ok(())
}

fn short(
    word: &str,
    rest: &mut impl Iterator<Item = String>,
    options: &mut Options,
) -> Result<(), String> {
    // No letter stands for an option without a value, so whatever follows the letter is the value.
    let mut letters = word.chars();
    let letter = letters.nth(1);
    let known = OPTIONS
        .iter()
        .find(|(_, have, ..)| have.is_some() && *have == letter);
    let name = known.map(|(name, ..)| *name);
    let name = name.ok_or_else(|| {
        format!(
            "no such option: {}",
            &word[..1 + letter.map_or(0, char::len_utf8)]
        )
    })?;
    let attached = letters.as_str();
    let value = match attached {
        "" => rest
            .next()
            .ok_or_else(|| format!("{word} option requires 1 argument"))?,
        attached => attached.to_owned(),
    };
    options.0.push((name, value));
    Ok(())
}

/// Python's `shlex.split`.
fn words(text: &str) -> Result<Vec<String>, String> {
    let unclosed = || format!("a quotation mark in '{text}' is not closed");
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            ' ' | '\t' | '\r' | '\n' => words.extend(word.take()),
            '\'' => {
                let word = word.get_or_insert_default();
                loop {
                    match chars.next().ok_or_else(unclosed)? {
                        '\'' => break,
                        c => word.push(c),
                    }
                }
            }
            '"' => {
                let word = word.get_or_insert_default();
                loop {
                    match chars.next().ok_or_else(unclosed)? {
                        '"' => break,
                        '\\' => {
                            let c = chars.next().ok_or_else(unclosed)?;
                            if !matches!(c, '"' | '\\') {
                                word.push('\\');
                            }
                            word.push(c);
                        }
                        c => word.push(c),
                    }
                }
            }
            '\\' => {
                let c = chars.next();
                let c = c.ok_or_else(|| format!("'{text}' ends in a backslash"))?;
                word.get_or_insert_default().push(c);
            }
            c => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    Ok(words)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::{Name, parse, words};

    #[test]
    fn every_way_to_write_an_option() {
        for line in [
            "-r a.txt",
            "-ra.txt",
            "--requirement=a.txt",
            "--requirem a.txt",
            "-r 'a.txt' b",
        ] {
            let (requirement, options) = parse(line).unwrap();
            assert_eq!(
                (requirement, options.first(Name::Requirement)),
                ("", Some("a.txt")),
                "{line}"
            );
        }
        let (requirement, options) = parse("a>=1; x=='-' --hash=sha256:0 --hash sha256:1").unwrap();
        assert_eq!(requirement, "a>=1; x=='-'");
        assert_eq!(
            options.all(Name::Hash).collect::<Vec<_>>(),
            ["sha256:0", "sha256:1"]
        );
        assert!(parse("--no-index").unwrap().1.has(Name::NoIndex));
    }

    #[test]
    fn what_optparse_refuses_is_refused() {
        for line in [
            "--nonsense",
            "-x",
            "-r",
            "--hash",
            "--no-index=1",
            "--no",
            "-e 'a",
        ] {
            assert!(parse(line).is_err(), "{line}");
        }
    }

    #[test]
    fn words_are_a_shells() {
        assert_eq!(
            words(r#"a\ b 'c d'e "f\"g\h" ''"#).unwrap(),
            ["a b", "c de", r#"f"g\h"#, ""]
        );
    }
}
