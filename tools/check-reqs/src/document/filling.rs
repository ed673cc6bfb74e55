//! What `${name}` stands for, filled in.

use std::collections::BTreeMap;

/// The values that `${name}` stands for: `[set]` of the file, and `--set name=value` over it. With
/// a site file there are also `site.name`, `site.user`, `site.dir`, `site.venv` and
/// `site.env_file`; `as.user` and `as.env_file` say as whom and with what the site's own code runs.
pub type Settings = BTreeMap<String, String>;

/// `text` with `${name}` replaced; `$${` stands for `${`.
pub fn fill(text: &str, settings: &Settings) -> Result<String, String> {
    fill_within(text, settings, 1 << 20)
}

/// As [`fill`], where the outcome has at most `most` bytes.
pub fn fill_within(text: &str, settings: &Settings, most: usize) -> Result<String, String> {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("${") {
        if rest[..at].ends_with('$') {
            out.push_str(&rest[..at]);
            out.push('{');
            rest = &rest[at + 2..];
            continue;
        }
        out.push_str(&rest[..at]);
        let end = rest[at..]
            .find('}')
            .ok_or_else(|| format!("'{}' has no closing brace", &rest[at..]))?;
        let name = &rest[at + 2..at + end];
        out.push_str(
            settings
                .get(name)
                .ok_or_else(|| format!("${{{name}}} is not set"))?,
        );
        rest = &rest[at + end + 1..];
        if out.len() > most {
            return Err("the value of ${NAME} is too long".into());
        }
    }
    out.push_str(rest);
    Ok(out)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_filled_in_and_a_missing_one_is_an_error() {
        let settings = Settings::from([("venv".to_string(), "/srv/venv".to_string())]);
        assert_eq!(fill("${venv}/bin", &settings).unwrap(), "/srv/venv/bin");
        assert_eq!(fill("$${venv}", &settings).unwrap(), "${venv}");
        assert_eq!(
            fill("${nope}", &settings).unwrap_err(),
            "${nope} is not set"
        );
        assert!(fill("${nope", &settings).is_err());
    }
}
