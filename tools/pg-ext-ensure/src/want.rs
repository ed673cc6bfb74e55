//! What is asked for one extension: `EXT[@VERSION|@latest][:SCHEMA]`, where each name may stand in
//! SQL's double quotes. Names are taken as they are written, without SQL's folding to lower case:
//! `uuid-ossp` needs no quotes here.

use base::error::{Error, Result};
use schemars::JsonSchema;
use serde::Serialize;

/// One extension, as it shall be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Want {
    /// The extension.
    pub name: String,
    /// Whether it shall be there.
    pub state: State,
    /// Which version.
    pub version: Version,
    /// In which schema; any will do where none is named.
    pub schema: Option<String>,
}

/// There or not there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// It shall be installed.
    Present,
    /// It shall not be.
    Absent,
}

/// Which version will do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Version {
    /// Any that is installed; the default one where none is.
    Any,
    /// The default version of the control file that the server sees.
    Latest,
    /// This one.
    Exactly(String),
}

impl Version {
    /// As it was written, without the `@`.
    pub fn text(&self) -> Option<&str> {
        match self {
            Version::Any => None,
            Version::Latest => Some("latest"),
            Version::Exactly(version) => Some(version),
        }
    }
}

impl Want {
    /// Reads one from the command line or a spec file.
    ///
    /// # Errors
    /// `Kind::Usage`, showing what was read.
    pub fn parse(text: &str) -> Result<Want> {
        let wrong = |why: &str| {
            Error::usage(format!("'{}' is not an extension: {why}", base::terminal::escape(text)))
                .hint("extensions are written NAME, NAME@VERSION, NAME@latest, NAME:SCHEMA or NAME@VERSION:SCHEMA")
        };
        let (name, rest) = word(text, &['@', ':']).map_err(|why| wrong(&why))?;
        let (version, rest) = part(rest, '@', &[':']).map_err(|why| wrong(&why))?;
        let (schema, rest) = part(rest, ':', &[]).map_err(|why| wrong(&why))?;
        if !rest.is_empty() {
            return Err(wrong(&format!(
                "'{}' follows the end of the name",
                base::terminal::escape(rest)
            )));
        }
        let version = match version {
            None => Version::Any,
            Some(version) if version == "latest" => Version::Latest,
            Some(version) => Version::Exactly(version),
        };
        Ok(Want {
            name,
            state: State::Present,
            version,
            schema,
        })
    }

    /// Reads the name of one that shall be absent.
    ///
    /// # Errors
    /// `Kind::Usage` where more than a name was written.
    pub fn parse_absent(text: &str) -> Result<Want> {
        let want = Want::parse(text)?;
        if want.version != Version::Any || want.schema.is_some() {
            let shown = base::terminal::escape(text);
            return Err(Error::usage(format!(
                "'{shown}': an extension that shall be absent has no version and no schema"
            )));
        }
        Ok(Want {
            state: State::Absent,
            ..want
        })
    }
}

/// A part that begins with `sign`, if there is one.
fn part<'a>(
    text: &'a str,
    sign: char,
    stops: &[char],
) -> std::result::Result<(Option<String>, &'a str), String> {
    match text.strip_prefix(sign) {
        None => Ok((None, text)),
        Some(rest) => word(rest, stops).map(|(word, rest)| (Some(word), rest)),
    }
}

/// A name, quoted as in SQL or up to one of the stops.
fn word<'a>(text: &'a str, stops: &[char]) -> std::result::Result<(String, &'a str), String> {
    let (word, rest) = match text.strip_prefix('"') {
        Some(quoted) => quoted_word(quoted)?,
        None => {
            let end = text.find(stops).unwrap_or(text.len());
            (text[..end].to_string(), &text[end..])
        }
    };
    if word.is_empty() {
        return Err("a name is empty".to_string());
    }
    if word.contains('\0') {
        return Err("a name has a NUL in it".to_string());
    }
    Ok((word, rest))
}

fn quoted_word(text: &str) -> std::result::Result<(String, &str), String> {
    let mut word = String::new();
    let mut rest = text;
    loop {
        let Some((before, after)) = rest.split_once('"') else {
            return Err("a double quote is missing".to_string());
        };
        word.push_str(before);
        match after.strip_prefix('"') {
            Some(after) => {
                word.push('"');
                rest = after;
            }
            None => return Ok((word, after)),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> (String, Option<String>, Option<String>) {
        let want = Want::parse(text).unwrap();
        (
            want.name,
            want.version.text().map(str::to_string),
            want.schema,
        )
    }

    #[test]
    fn names_versions_and_schemas() {
        let some = |text: &str| Some(text.to_string());
        assert_eq!(parsed("hstore"), ("hstore".into(), None, None));
        assert_eq!(
            parsed("uuid-ossp@1.1"),
            ("uuid-ossp".into(), some("1.1"), None)
        );
        assert_eq!(
            parsed("hstore@latest:ext"),
            ("hstore".into(), some("latest"), some("ext"))
        );
        assert_eq!(
            parsed("hstore:my schema"),
            ("hstore".into(), None, some("my schema"))
        );
        assert_eq!(
            parsed(r#""a@b":"s""x""#),
            ("a@b".into(), None, some("s\"x"))
        );
    }

    #[test]
    fn nonsense_is_refused() {
        for bad in [
            "",
            "@1",
            "hstore@",
            "hstore:",
            "\"hstore",
            "\"a\"b",
            "hstore:\"s\"x",
        ] {
            assert!(Want::parse(bad).is_err(), "{bad}");
        }
        assert!(Want::parse_absent("hstore@1.0").is_err());
        assert_eq!(Want::parse_absent("hstore").unwrap().state, State::Absent);
    }
}
