//! Names of distributions, as PEP 503 compares them.

/// `name` in the form in which two names are compared: lower case, every run of `-`, `_` and `.`
/// one `-`.
#[must_use]
pub fn normalize(name: &str) -> String {
    if name
        .bytes()
        .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
    {
        return name.to_owned();
    }
    let mut out = String::with_capacity(name.len());
    let mut separator = false;
    for c in name.chars() {
        if matches!(c, '-' | '_' | '.') {
            separator = true;
            continue;
        }
        if separator {
            out.push('-');
            separator = false;
        }
        if c.is_ascii() {
            out.push(c.to_ascii_lowercase());
        } else {
            out.extend(c.to_lowercase());
        }
    }
    if separator {
        out.push('-');
    }
    out
}

/// Whether `name` is a name that a distribution can have: letters, digits, `-`, `_`, `.`, and a
/// letter or digit at both ends.
#[must_use]
pub fn is_valid(name: &str) -> bool {
    let bytes = name.as_bytes();
    let ends = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
    ends(bytes.first())
        && ends(bytes.last())
        && bytes
            .iter()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
}

#[cfg(test)]
mod tests {
    use super::{is_valid, normalize};

    #[test]
    fn runs_of_separators_are_one_dash() {
        assert_eq!(normalize("Zope.Interface"), "zope-interface");
        assert_eq!(normalize("a-_.b"), "a-b");
        assert_eq!(normalize("ruamel.yaml"), "ruamel-yaml");
    }

    #[test]
    fn ends_are_letters_or_digits() {
        assert!(is_valid("A") && is_valid("zope.interface") && is_valid("2to3"));
        assert!(!is_valid("-ip") && !is_valid("a.") && !is_valid("") && !is_valid("a b"));
    }
}
