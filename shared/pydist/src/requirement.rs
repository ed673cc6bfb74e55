//! One requirement (PEP 508): `name[extra] >=1.0 ; marker` or `name @ URL ; marker`.

use std::fmt;

use crate::marker::{Marker, MarkerValues};
use crate::name;
use crate::specifier::Specifiers;

/// What may stand between the parts.
const SPACE: [char; 2] = [' ', '\t'];

/// A parsed requirement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Requirement {
    /// The name, as written.
    pub name: String,
    /// The name in the form in which names are compared.
    pub key: String,
    /// The extras, in the form in which they are compared.
    pub extras: Vec<String>,
    /// The versions that will do.
    pub specifiers: Specifiers,
    /// Where to get it, for `name @ URL`.
    pub url: Option<String>,
    /// When it counts.
    pub marker: Option<Marker>,
}

impl Requirement {
    /// Reads a requirement.
    pub fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let end = text.find(|c: char| !c.is_ascii_alphanumeric() && !matches!(c, '-' | '_' | '.'));
        let (name, rest) = text.split_at(end.unwrap_or(text.len()));
        if !name::is_valid(name) {
            return Err(format!(
                "'{text}' does not begin with a distribution's name"
            ));
        }
        let (extras, rest) = extras(rest.trim_start_matches(SPACE))?;
        let rest = rest.trim_start_matches(SPACE);
        let (url, specifiers, marker) = match rest.strip_prefix('@') {
            Some(rest) => {
                let (url, marker) = url(rest.trim_start_matches(SPACE))?;
                (Some(url), Specifiers::default(), marker)
            }
            None => {
                let (versions, marker) = versions(rest)?;
                (None, Specifiers::parse(versions)?, marker)
            }
        };
        Ok(Requirement {
            name: name.to_owned(),
            key: name::normalize(name),
            extras,
            specifiers,
            url,
            marker: marker.map(Marker::parse).transpose()?,
        })
    }

    /// Whether it counts, with any of `extras` (normalized) asked of the distribution whose
    /// requirement it is.
    pub fn counts<'a>(
        &self,
        values: &MarkerValues,
        extras: impl IntoIterator<Item = &'a str>,
    ) -> bool {
        match &self.marker {
            None => true,
            Some(marker) => {
                marker.holds(values, "")
                    || extras.into_iter().any(|extra| marker.holds(values, extra))
            }
        }
    }
}

impl fmt::Display for Requirement {
    /// The requirement without its marker: `name[extra]>=1.0`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)?;
        if !self.extras.is_empty() {
            write!(f, "[{}]", self.extras.join(","))?;
        }
        match &self.url {
            Some(url) => write!(f, " @ {url}"),
            None => write!(f, "{}", self.specifiers),
        }
    }
}

fn extras(rest: &str) -> Result<(Vec<String>, &str), String> {
    let Some(inner) = rest.strip_prefix('[') else {
        return Ok((Vec::new(), rest));
    };
    let (list, rest) = inner
        .split_once(']')
        .ok_or_else(|| format!("the list of extras in '{rest}' is not closed"))?;
    let mut extras = Vec::new();
    for extra in list.split(',').map(str::trim) {
        if extra.is_empty() && list.trim().is_empty() {
            break;
        }
        if !name::is_valid(extra) {
            return Err(format!("`{extra}` is not the name of an extra"));
        }
        extras.push(name::normalize(extra));
    }
    Ok((extras, rest))
}

/// A URL ends at a space; a marker behind it needs one before its semicolon.
fn url(rest: &str) -> Result<(String, Option<&str>), String> {
    let end = rest.find([' ', '\t']).unwrap_or(rest.len());
    let (url, rest) = rest.split_at(end);
    if url.is_empty() {
        return Err("there is no URL behind the @".to_owned());
    }
    let marker = match rest.trim_start_matches(SPACE) {
        "" => None,
        rest => Some(
            rest.strip_prefix(';')
                .ok_or_else(|| format!("'{rest}' after the URL is not a marker"))?,
        ),
    };
    Ok((url.to_owned(), marker))
}

fn versions(rest: &str) -> Result<(&str, Option<&str>), String> {
    let (versions, marker) = match rest.split_once(';') {
        Some((versions, marker)) => (versions.trim_matches(SPACE), Some(marker)),
        None => (rest.trim_matches(SPACE), None),
    };
    let versions = match versions.strip_prefix('(') {
        Some(inner) => inner
            .strip_suffix(')')
            .ok_or_else(|| format!("a parenthesis of '{versions}' is not closed"))?
            .trim(),
        None => versions,
    };
    if !versions.is_empty() && !versions.starts_with(['=', '<', '>', '!', '~', ',']) {
        return Err(format!(
            "`{versions}` is neither a version specifier nor a marker"
        ));
    }
    let empty = |clause: &str| clause.trim().is_empty();
    if versions.starts_with(',') || versions.split(',').rev().skip(1).any(empty) {
        return Err(format!("`{versions}` has a comma too many"));
    }
    Ok((versions, marker))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::Requirement;

    #[test]
    fn every_part_is_read() {
        let requirement =
            Requirement::parse("Zope.Interface[Test_x, a] (>=5.0,<6) ; python_version > '3'")
                .unwrap();
        assert_eq!(requirement.key, "zope-interface");
        assert_eq!(requirement.extras, ["test-x", "a"]);
        assert_eq!(requirement.to_string(), "Zope.Interface[test-x,a]>=5.0,<6");
        assert!(requirement.marker.is_some());
        let url = Requirement::parse("pip @ https://host/p.whl#sha256=ab ; os_name=='posix'");
        let url = url.unwrap();
        assert_eq!(url.url.as_deref(), Some("https://host/p.whl#sha256=ab"));
        assert!(url.marker.is_some());
        assert!(Requirement::parse("a>=1,").is_ok());
        assert!(Requirement::parse("a[]").unwrap().extras.is_empty());
    }

    #[test]
    fn what_is_no_requirement_is_refused() {
        for text in [
            "",
            "-a",
            "a b",
            "a=1",
            "a>=1 <2",
            "a>=1,,<2",
            "a,>=1",
            "a[b",
            "a[b,]",
            "a @",
            "a;",
            "a @ https://x; os_name=='posix' x",
            "a (>=1",
            "a==1.0.",
            "a!",
            "./a",
            "a/b",
        ] {
            assert!(Requirement::parse(text).is_err(), "{text}");
        }
    }
}
