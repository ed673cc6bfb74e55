//! What supervisorctl's names mean: a process, a group, or all of a group.

use crate::xmlrpc::Value;

/// `web:web` is `web`, and `web:` is all of the group.
pub fn spelled(unit: &str) -> String {
    match unit.split_once(':') {
        Some((group, name)) if group == name => group.to_owned(),
        Some((group, "" | "*")) => format!("{group}:*"),
        _ => unit.to_owned(),
    }
}

pub fn namespec_of(group: &str, name: &str) -> String {
    if group == name {
        name.to_owned()
    } else {
        format!("{group}:{name}")
    }
}

/// The processes that a name means, as supervisorctl reads it: `NAME` is the process NAME of the
/// group NAME, and only where there is no such process all of the group.
pub fn selected(unit: &str, all: &[(String, String)]) -> Vec<(String, String)> {
    let unit = spelled(unit);
    let exact: Vec<(String, String)> = all
        .iter()
        .filter(|(group, name)| namespec_of(group, name) == unit)
        .cloned()
        .collect();
    if !exact.is_empty() {
        return exact;
    }
    let group = unit.strip_suffix(":*").unwrap_or(&unit);
    all.iter()
        .filter(|(each, _)| each == group)
        .cloned()
        .collect()
}

pub fn pair(info: &Value) -> Option<(String, String)> {
    let group = info.get("group")?.text()?;
    let name = info.get("name")?.text()?;
    Some((group.to_owned(), name.to_owned()))
}

pub fn namespec(info: &Value) -> Option<String> {
    pair(info).map(|(group, name)| namespec_of(&group, &name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_names_a_process_a_group_or_all_of_one() {
        let all = |pairs: &[(&str, &str)]| -> Vec<(String, String)> {
            pairs
                .iter()
                .map(|(group, name)| ((*group).to_owned(), (*name).to_owned()))
                .collect()
        };
        let workers = all(&[("web", "web_0"), ("web", "web_1"), ("db", "db")]);
        // A group whose first program has the group's name: supervisorctl means that program alone.
        let site = all(&[("site", "site"), ("site", "worker")]);
        for (unit, known, expected) in [
            ("db", &workers, 1),
            ("db:db", &workers, 1),
            ("web", &workers, 2),
            ("web:*", &workers, 2),
            ("web:", &workers, 2),
            ("web:web_0", &workers, 1),
            ("web:web_2", &workers, 0),
            ("we", &workers, 0),
            ("site", &site, 1),
            ("site:site", &site, 1),
            ("site:*", &site, 2),
        ] {
            assert_eq!(selected(unit, known).len(), expected, "{unit}");
        }
    }
}
