//! The description of the requirements file for the manual and `--help`, made of the types of check
//! and their keys.

use crate::check::TYPES;
use crate::requirement::{ANY_KEYS, COMMON_KEYS};
use base::document::{Document, Key, Table};

/// A requirements file, whole; a test reads it.
pub const EXAMPLE: &str = r#"[set]
site = "/srv/misago"

[[check]]
type = "python"
version = ">=3.10"

[[check]]
type = "disk"
path = "${site}/media"
free = "2G"
severity = "warn"

[[check]]
id = "contrib"
type = "extension"
name = "btree_gin"
connection = "service=misago"

[[any]]
id = "web-server"
of = [["cmd:nginx", "cmd:uwsgi"], ["cmd:apache2", "pkg:libapache2-mod-wsgi-py3"]]

[[check]]
type = "django"
directory = "${site}"
needs = ["contrib"]
tags = ["nightly"]
"#;

/// The description.
pub fn documents() -> Vec<Document> {
    let text = [
        "A requirements file is a list of requirements in TOML or JSON. Each requirement is a table [[check]] with a type, the keys of \
         that type, and the keys of every check. The value in brackets after a key is the default. An unknown key, a double id and an \
         empty list are errors, with line and column. Durations are written as 90s or 1h 30m, sizes as 128M or 2G.",
        "${NAME} in a value stands for the VALUE of --set NAME=VALUE, or else for the value of NAME in the table [set] of the file. $${ stands for ${.",
    ];
    let every = table("[[check]]", "The keys of every check.", COMMON_KEYS);
    let of_types = TYPES.iter().map(|type_| {
        table(
            &format!("type = \"{}\"", type_.name),
            &sentence(type_.about),
            type_.keys,
        )
    });
    let any = table(
        "[[any]]",
        "A requirement that one of several alternatives meets. The keys are those of every check except type, and:",
        ANY_KEYS,
    );
    let tables = [every, any].into_iter().chain(of_types).collect();
    vec![
        short_forms(),
        Document {
            title: "Requirements file",
            text: text.map(str::to_owned).to_vec(),
            tables,
            example: EXAMPLE,
        },
    ]
}

/// The short forms of every type, from the rows.
fn short_forms() -> Document {
    let keys = TYPES.iter().flat_map(|kind| {
        kind.short.forms.iter().map(move |form| Key {
            name: (*form).to_owned(),
            value: String::new(),
            text: format!("{} Example: {}", sentence(kind.about), kind.short.example),
        })
    });
    let words = TYPES.iter().filter(|kind| kind.short.words.len() > 1);
    let other: Vec<String> = words
        .map(|kind| kind.short.words.join(" or "))
        .filter(|words| !words.starts_with("file"))
        .collect();
    Document {
        title: "Short forms",
        text: vec![
            "These are the forms of a NEED on the command line, and of an alternative in a table [[any]]. The parts in brackets \
             are optional."
                .to_owned(),
            format!("These words have the same meaning: {}.", other.join(", ")),
        ],
        tables: vec![Table {
            heading: "NEED".to_owned(),
            text: String::new(),
            keys: keys.collect(),
        }],
        example: "",
    }
}

fn table(heading: &str, text: &str, keys: &[(&str, &str)]) -> Table {
    let key = |(name, text): &(&str, &str)| Key {
        name: (*name).to_owned(),
        value: String::new(),
        text: format!("{text}."),
    };
    Table {
        heading: heading.to_owned(),
        text: text.to_owned(),
        keys: keys.iter().map(key).collect(),
    }
}

fn sentence(text: &str) -> String {
    let mut chars = text.chars();
    chars
        .next()
        .into_iter()
        .flat_map(char::to_uppercase)
        .chain(chars)
        .chain(std::iter::once('.'))
        .collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::document::{Origin, Settings};
    use crate::requirement::List;

    #[test]
    fn the_example_is_a_requirements_file() {
        let mut list = List::default();
        list.add_file(
            &Origin::new("site.toml", EXAMPLE),
            &Settings::new(),
            &Default::default(),
        )
        .unwrap();
        assert_eq!(list.requirements.len(), 5);
    }

    #[test]
    fn every_type_and_key_is_described() {
        let document = &documents()[1];
        for type_ in TYPES {
            let table = document
                .tables
                .iter()
                .find(|t| t.heading == format!("type = \"{}\"", type_.name))
                .unwrap();
            assert!(
                table.keys.len() == type_.keys.len()
                    && table.keys.iter().all(|key| key.text.len() > 3),
                "{table:?}"
            );
        }
    }
}
