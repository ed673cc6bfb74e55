//! The operations of migrations that create extensions, by their full names.

/// What an operation does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Operation {
    /// Creates this extension.
    Creates(&'static str),
    /// Creates the extension that its first argument names: `CreateExtension`.
    CreatesNamed,
    /// `RunSQL`.
    RunSql,
    /// `RunPython`.
    RunPython,
    /// `SeparateDatabaseAndState`: what only the state gets never runs.
    Separate,
}

/// Django's own subclasses of `CreateExtension`, and those of packages that bring one.
const CREATES: &[(&str, &str, &str)] = &[
    ("django.contrib.postgres", "BloomExtension", "bloom"),
    ("django.contrib.postgres", "BtreeGinExtension", "btree_gin"),
    (
        "django.contrib.postgres",
        "BtreeGistExtension",
        "btree_gist",
    ),
    ("django.contrib.postgres", "CITextExtension", "citext"),
    ("django.contrib.postgres", "CryptoExtension", "pgcrypto"),
    ("django.contrib.postgres", "HStoreExtension", "hstore"),
    ("django.contrib.postgres", "TrigramExtension", "pg_trgm"),
    ("django.contrib.postgres", "UnaccentExtension", "unaccent"),
    ("pgvector.django", "VectorExtension", "vector"),
];

/// The operation of a full name.
pub fn of(full: &str) -> Option<Operation> {
    let (module, name) = full.rsplit_once('.')?;
    let within = |package: &str| {
        module
            .strip_prefix(package)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    };
    if let Some((_, _, extension)) = CREATES
        .iter()
        .find(|(package, class, _)| *class == name && within(package))
    {
        return Some(Operation::Creates(extension));
    }
    match name {
        "CreateExtension" if within("django.contrib.postgres") => Some(Operation::CreatesNamed),
        "RunSQL" if within("django.db.migrations") => Some(Operation::RunSql),
        "RunPython" if within("django.db.migrations") => Some(Operation::RunPython),
        "SeparateDatabaseAndState" if within("django.db.migrations") => Some(Operation::Separate),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn full_names_decide() {
        assert_eq!(
            of("django.contrib.postgres.operations.TrigramExtension"),
            Some(Operation::Creates("pg_trgm"))
        );
        assert_eq!(
            of("django.db.migrations.operations.special.RunSQL"),
            Some(Operation::RunSql)
        );
        assert_eq!(of("django.db.migrations.RunSQL"), Some(Operation::RunSql));
        assert_eq!(of("project.operations.TrigramExtension"), None);
        assert_eq!(of("django.contrib.postgresql.TrigramExtension"), None);
    }
}
