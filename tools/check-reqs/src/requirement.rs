//! A requirement as the report knows it: its id, how bad its failing is, what it waits for; and reading lists of them from files and
//! from the command line.

use crate::check::{Check, TYPES};
use crate::document::{self, Fields, Node, Origin, Settings, Value};
use crate::fix::Fix;
use crate::need;
use crate::when::{self, Facts};
use base::{Error, Result};
use schemars::JsonSchema;
use serde::Serialize;
use std::collections::HashMap;
use std::time::Duration;

/// What an unmet requirement means for the whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// The answer is no.
    Fail,
    /// A warning.
    Warn,
}

/// One requirement.
pub struct Requirement {
    /// Its name in the report.
    pub id: String,
    /// The type's name.
    pub kind: &'static str,
    /// What to look at.
    pub check: Box<dyn Check>,
    /// What its failing means.
    pub severity: Severity,
    /// The ids it waits for.
    pub needs: Vec<String>,
    /// Words it can be chosen by.
    pub tags: Vec<String>,
    /// Why it does not concern this host, if it does not.
    pub skipped: Option<String>,
    /// How long one look may take.
    pub timeout: Option<Duration>,
    /// A fix that the file gives, in place of the check's own.
    pub fix: Option<Fix>,
    /// Where it was written: `site.toml:12`, or the argument.
    pub origin: String,
}

/// Everything that is asked for, read and checked.
#[derive(Default)]
pub struct List {
    /// In the order in which they were given.
    pub requirements: Vec<Requirement>,
    places: HashMap<String, String>,
}

/// The keys of `[[check]]` that every type has.
pub const COMMON_KEYS: &[(&str, &str)] = &[
    (
        "id",
        "its name in the report; the type and what it is about, where none is given",
    ),
    ("type", "which check it is"),
    ("severity", "fail (the default) or warn"),
    (
        "needs",
        "ids; it is looked at when these are met, and skipped when one is not",
    ),
    (
        "when",
        "a condition such as os.id == 'debian' and os.version >= 12; names: os.id, os.version, os.like, arch, hostname, set.NAME",
    ),
    ("tags", "words for --tag"),
    ("timeout", "how long one look may take, 30s"),
    (
        "fix",
        "a command, a list of commands, or { text, commands, needs_root }, in place of the check's own",
    ),
];

impl List {
    /// Adds a file's requirements.
    pub fn add_file(&mut self, origin: &Origin, given: &Settings, facts: &Facts) -> Result<()> {
        let root = document::read(origin)?;
        let settings = settings(origin, &root, given)?;
        let mut facts = facts.clone();
        facts.extend(
            settings
                .iter()
                .map(|(key, value)| (format!("set.{key}"), value.clone())),
        );
        let mut top = Fields::new(origin, &settings, &root)?;
        let _ = top.take("set");
        let Some(list) = top.take("check") else {
            return Err(match top.finish() {
                Err(error) => error,
                Ok(()) => origin
                    .error(root.at, "no [[check]] in it")
                    .hint("a requirement is written as [[check]] with type = \"…\""),
            });
        };
        let Value::List(checks) = &list.value else {
            return Err(origin
                .error(
                    list.at,
                    format!("check must be a list of tables, not {}", list.value.kind()),
                )
                .hint("write [[check]]"));
        };
        for node in checks {
            self.add(origin, &settings, &facts, node)?;
        }
        top.finish()
    }

    /// Adds a NEED of the command line.
    pub fn add_need(&mut self, text: &str, settings: &Settings, facts: &Facts) -> Result<()> {
        let shown = base::mask::text(text);
        let origin = Origin::new(format!("'{shown}'"), "");
        let text = document::fill(text, settings)
            .map_err(|what| Error::usage(format!("'{shown}': {what}")))?;
        let node = need::table(&text).map_err(|what| {
            Error::usage(base::mask::text(&what))
                .hint("check-reqs --help lists the forms, such as 'python>=3.10' disk:/srv:2G port:8000:free")
        })?;
        // What was filled in is not filled in again.
        let none = Settings::new();
        self.add(&origin, &none, facts, &escaped(node))
    }

    fn add(
        &mut self,
        origin: &Origin,
        settings: &Settings,
        facts: &Facts,
        node: &Node,
    ) -> Result<()> {
        let mut fields = Fields::new(origin, settings, node)?;
        let kind = fields.required("type")?;
        let Some(type_) = TYPES.iter().find(|type_| type_.name == kind) else {
            let names: Vec<&str> = TYPES.iter().map(|type_| type_.name).collect();
            let error = fields.error("type", format!("there is no check of type '{kind}'"));
            return Err(match base::spelling::nearest(&kind, &names) {
                Some(near) => error.hint(format!("did you mean '{near}'?")),
                None => error.hint(format!("the types are: {}", names.join(", "))),
            });
        };
        let known: Vec<&str> = type_
            .keys
            .iter()
            .chain(COMMON_KEYS)
            .map(|(key, _)| *key)
            .collect();
        fields.only(&known)?;
        let check = (type_.read)(&mut fields)?;
        let id = fields.text("id")?.filter(|id| !id.is_empty());
        let id = base::mask::text(&id.unwrap_or_else(|| format!("{kind}:{}", check.subject())));
        let severity = match fields.choice("severity", &["fail", "warn"])?.as_deref() {
            Some("warn") => Severity::Warn,
            _ => Severity::Fail,
        };
        let skipped = condition(&mut fields, facts)?;
        let timeout = fields.parsed("timeout", |text| {
            base::cli::parse_duration(text).map_err(|error| error.message)
        })?;
        let (needs, tags, fix) = (
            fields.texts("needs")?,
            fields.texts("tags")?,
            own_fix(&mut fields, origin, settings)?,
        );
        let at = fields.first_key();
        fields.finish()?;
        let place = match origin.line(at) {
            Some(line) => format!("{}:{line}", origin.name),
            None => origin.name.clone(),
        };
        if let Some(before) = self.places.insert(id.clone(), place.clone()) {
            let again = origin.error(at, format!("the id '{id}' is there already, at {before}"));
            return Err(again.hint("every id names one requirement: give one of them another id"));
        }
        self.requirements.push(Requirement {
            id,
            kind: type_.name,
            check,
            severity,
            needs,
            tags,
            skipped,
            timeout,
            fix,
            origin: place,
        });
        Ok(())
    }
}

/// NEEDs have no `${…}` left; what looks like one is meant as it stands.
fn escaped(mut node: Node) -> Node {
    if let Value::Table(pairs) = &mut node.value {
        for (_, value) in pairs {
            if let Value::Text(text) = &mut value.value {
                *text = text.replace("${", "$${");
            }
        }
    }
    node
}

fn settings(origin: &Origin, root: &Node, given: &Settings) -> Result<Settings> {
    let none = Settings::new();
    let mut fields = Fields::new(origin, &none, root)?;
    let mut settings: Settings = fields.map("set")?.into_iter().collect();
    settings.extend(given.clone());
    Ok(settings)
}

fn condition(fields: &mut Fields<'_>, facts: &Facts) -> Result<Option<String>> {
    let when = fields.parsed("when", |text| {
        let when = when::parse(text)?;
        when::names(&when, facts)?;
        Ok((when, text.to_string()))
    })?;
    match when {
        Some((when, text)) => match when::holds(&when, facts) {
            Ok(true) => Ok(None),
            Ok(false) => Ok(Some(format!("not on this host: {text}"))),
            Err(what) => Err(fields.error("when", what)),
        },
        None => Ok(None),
    }
}

fn own_fix(fields: &mut Fields<'_>, origin: &Origin, settings: &Settings) -> Result<Option<Fix>> {
    let table = fields
        .take("fix")
        .filter(|node| matches!(node.value, Value::Table(_)));
    if let Some(node) = table {
        let mut inner = Fields::new(origin, settings, node)?;
        let fix = Fix {
            text: inner.text("text")?.unwrap_or_default(),
            commands: inner.texts("commands")?,
            needs_root: inner.flag("needs_root")?.unwrap_or(false),
        };
        inner.finish()?;
        return Ok(Some(fix));
    }
    let commands = fields.texts("fix")?;
    Ok(match commands.is_empty() {
        true => None,
        false => Some(Fix {
            text: format!("run {}", commands.join("; ")),
            commands,
            needs_root: false,
        }),
    })
}
