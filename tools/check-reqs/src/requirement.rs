//! A requirement as the report knows it: its id, how bad its failing is, what it waits for; and
//! reading lists of them from files and from the command line.

use crate::any::{self, Any, Member};
use crate::check::{self, TYPES};
use crate::document::{self, Fields, Node, Origin, Settings, Value};
use crate::kind::{Check, Type};
use crate::need;
use crate::secret::masked;
use crate::short;
use crate::when::{self, Facts};
use base::{Error, Fix, Result};
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
    /// Who can change the file, where that is not the caller.
    pub user: Option<base::child::Identity>,
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
        "the id of the requirement in the report (made of the type and its main key)",
    ),
    ("type", "the type of the check"),
    ("severity", "fail (the default) or warn"),
    (
        "needs",
        "the ids of requirements that have to be met first; otherwise the requirement is skipped",
    ),
    (
        "when",
        "a condition such as os.id == 'debian' and os.version >= 12; names: os.id, os.version, os.like, arch, hostname, set.NAME",
    ),
    ("tags", "words that --tag selects the requirement by"),
    (
        "timeout",
        "the longest time that one check may take, such as 30s",
    ),
    (
        "fix",
        "a command, a list of commands, or { text, commands, needs_root }, in place of the fix of the check",
    ),
];

/// The most requirements of a run.
const MOST: usize = 20_000;

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
        let mut found = false;
        for (key, is_any) in [("check", false), ("any", true)] {
            let Some(list) = top.take(key) else { continue };
            found = true;
            let Value::List(tables) = &list.value else {
                let what = format!("{key} must be a list of tables, not {}", list.value.kind());
                return Err(origin.error(list.at, what).hint(format!("write [[{key}]]")));
            };
            for node in tables {
                self.add(origin, &settings, &facts, node, is_any)?;
            }
        }
        top.finish()?;
        match found {
            true => Ok(()),
            false => Err(origin
                .error(root.at, "no [[check]] in it")
                .hint("a requirement is written as [[check]] with type = \"…\"")),
        }
    }

    /// Adds a NEED of the command line.
    pub fn add_need(&mut self, text: &str, settings: &Settings, facts: &Facts) -> Result<()> {
        let shown = masked(text);
        let origin = Origin::new(format!("'{shown}'"), "");
        let text = document::fill(text, settings)
            .map_err(|what| Error::usage(format!("'{shown}': {what}")))?;
        // What was filled in is not filled in again; what the site file says still counts.
        let none: Settings = settings
            .iter()
            .filter(|(name, _)| name.starts_with("site.") || name.starts_with("as."))
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect();
        let alternatives = need::alternatives(&text);
        if let [one] = alternatives.as_slice() {
            let node = table_of_need(one)?;
            return self.add(&origin, &none, facts, &node, false);
        }
        let of = alternatives.iter().map(|alternative| Node {
            at: None,
            value: short::text(alternative.replace("${", "$${")),
        });
        let pairs = vec![
            ("of", Value::List(of.collect())),
            ("id", short::text(text.replace("${", "$${"))),
        ];
        self.add(&origin, &none, facts, &short::table(pairs), true)
    }

    fn add(
        &mut self,
        origin: &Origin,
        settings: &Settings,
        facts: &Facts,
        node: &Node,
        is_any: bool,
    ) -> Result<()> {
        let mut fields = Fields::new(origin, settings, node)?;
        let (kind, check): (&'static str, Box<dyn Check>) = if is_any {
            let check = alternatives(&mut fields, origin, settings)?;
            (any::NAME, Box::new(check))
        } else {
            let row = row(&mut fields)?;
            fields.only(&keys_of(row.keys))?;
            (row.name, (row.read)(&mut fields)?)
        };
        let id = fields.text("id")?.filter(|id| !id.is_empty());
        let id = masked(&id.unwrap_or_else(|| format!("{kind}:{}", check.subject())));
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
        if self.requirements.len() >= MOST {
            return Err(origin.error(node.at, format!("more than {MOST} requirements")));
        }
        self.requirements.push(Requirement {
            id,
            kind,
            check,
            severity,
            needs,
            tags,
            skipped,
            timeout,
            fix,
            user: origin.user.clone(),
            origin: place,
        });
        Ok(())
    }
}

/// The table that a NEED stands for.
fn table_of_need(text: &str) -> Result<Node> {
    let node = need::read(text).map_err(|what| {
        Error::usage(masked(&what)).hint(
            "check-reqs --help lists the forms, such as 'python>=3.10' disk:/srv:2G port:8000:free",
        )
    })?;
    Ok(escaped(node))
}

/// The type of check that a table names.
fn row(fields: &mut Fields<'_>) -> Result<&'static Type> {
    let kind = fields.required("type")?;
    check::of_name(&kind).ok_or_else(|| {
        let names: Vec<&str> = TYPES.iter().map(|row| row.name).collect();
        let error = fields.error("type", format!("there is no check of type '{kind}'"));
        match base::spelling::nearest(&kind, &names) {
            Some(near) => error.hint(format!("did you mean '{near}'?")),
            None => error.hint(format!("the types are: {}", names.join(", "))),
        }
    })
}

fn keys_of(own: &[(&'static str, &'static str)]) -> Vec<&'static str> {
    own.iter().chain(COMMON_KEYS).map(|(key, _)| *key).collect()
}

/// The keys of `[[any]]` that `[[check]]` does not have.
pub const ANY_KEYS: &[(&str, &str)] = &[(
    "of",
    "the alternatives, the preferred one first; each is a requirement in short form, a table with \
     type = \"…\", or a list of these that have to be met together",
)];

/// The alternatives of an `[[any]]` table.
fn alternatives(fields: &mut Fields<'_>, origin: &Origin, settings: &Settings) -> Result<Any> {
    let mut known = keys_of(ANY_KEYS);
    known.retain(|key| *key != "type");
    fields.only(&known)?;
    let Some(of) = fields.take("of") else {
        return Err(origin
            .error(fields.first_key(), "of is missing")
            .hint("write of = [\"cmd:nginx\", \"cmd:apache2\"]"));
    };
    let list = match &of.value {
        Value::List(list) if list.len() > 1 => list,
        _ => {
            return Err(origin
                .error(of.at, "of must be a list of two alternatives or more")
                .hint("a requirement without alternatives is written as [[check]]"));
        }
    };
    let members = |node: &Node| match &node.value {
        Value::List(together) if together.is_empty() => {
            Err(origin.error(node.at, "an alternative is empty"))
        }
        Value::List(together) => together
            .iter()
            .map(|node| member(node, origin, settings))
            .collect(),
        _ => Ok(vec![member(node, origin, settings)?]),
    };
    let alternatives = list.iter().map(members).collect::<Result<Vec<_>>>()?;
    Ok(Any { alternatives })
}

fn member(node: &Node, origin: &Origin, settings: &Settings) -> Result<Member> {
    match &node.value {
        Value::Text(text) => {
            let text = origin
                .fill(text, settings)
                .map_err(|what| origin.error(node.at, what))?;
            let table = need::read(&text).map_err(|what| origin.error(node.at, masked(&what)))?;
            let mut member = member(&escaped(table), origin, &Settings::new())?;
            member.name = text;
            Ok(member)
        }
        Value::Table(_) => {
            let mut fields = Fields::new(origin, settings, node)?;
            let row = row(&mut fields)?;
            // A NEED's table has an id; alternatives have none of their own.
            let _ = fields.take("id");
            let check = (row.read)(&mut fields)?;
            fields.finish()?;
            let name = format!("{}:{}", row.name, check.subject());
            Ok(Member { name, check })
        }
        other => Err(origin.error(
            node.at,
            format!(
                "an alternative is a requirement in short form or a table, not {}",
                other.kind()
            ),
        )),
    }
}

/// NEEDs have no `${…}` left: what looks like such a name is meant literally.
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
        let summary = inner.text("text")?;
        let commands = inner.texts("commands")?;
        let needs_root = inner.flag("needs_root")?.unwrap_or(false);
        inner.finish()?;
        return Ok(Some(given_fix(summary, commands, needs_root)));
    }
    let commands = fields.texts("fix")?;
    Ok((!commands.is_empty()).then(|| given_fix(None, commands, false)))
}

fn given_fix(summary: Option<String>, commands: Vec<String>, needs_root: bool) -> Fix {
    let summary = summary.unwrap_or_else(|| format!("run {}", commands.join("; ")));
    let actor = match needs_root {
        true => "root".to_owned(),
        false => crate::accounts::name_of(nix::unistd::geteuid().as_raw()),
    };
    commands
        .into_iter()
        .fold(Fix::advice(summary), |fix, line| fix.shell(&actor, line))
}
