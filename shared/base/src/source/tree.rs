//! One tree of values for TOML and JSON; each value remembers where it stood.

/// What is wrong, and the byte at which it stands.
pub type Wrong = (usize, String);

/// One value and the byte at which it begins (`None` for values that came from the command line).
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// Byte offset in the document.
    pub at: Option<usize>,
    /// The value itself.
    pub value: Value,
}

/// What TOML and JSON have in common.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// A string.
    Text(String),
    /// An integer.
    Whole(i64),
    /// Any other number.
    Decimal(f64),
    /// true or false.
    Flag(bool),
    /// An array.
    List(Vec<Node>),
    /// A table or object, in the file's order.
    Table(Vec<(Key, Node)>),
}

/// The key of a table and where it stands.
#[derive(Clone, Debug, PartialEq)]
pub struct Key {
    /// Byte offset in the document.
    pub at: Option<usize>,
    /// The name of the key.
    pub name: String,
}

impl Value {
    /// The kind of value, for messages.
    pub fn kind(&self) -> &'static str {
        match self {
            Value::Text(_) => "a string",
            Value::Whole(_) | Value::Decimal(_) => "a number",
            Value::Flag(_) => "true or false",
            Value::List(_) => "a list",
            Value::Table(_) => "a table",
        }
    }
}

/// A step down the tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step<'a> {
    /// To the value of a key.
    Key(&'a str),
    /// To an element of a list, from 0.
    Index(usize),
}

impl Node {
    /// The value at the end of these steps.
    #[must_use]
    pub fn at(&self, steps: &[Step<'_>]) -> Option<&Node> {
        let Some((first, rest)) = steps.split_first() else {
            return Some(self);
        };
        let next = match (first, &self.value) {
            (Step::Key(name), Value::Table(pairs)) => pairs
                .iter()
                .find(|(key, _)| key.name == *name)
                .map(|(_, node)| node),
            (Step::Index(i), Value::List(list)) => list.get(*i),
            _ => None,
        };
        next.and_then(|node| node.at(rest))
    }
}
