//! Environment markers (PEP 508) as pip evaluates them.
//!
//! The crates made for this read markers for a resolver's algebra: a comparison they have no use
//! for is dropped, and then holds. pip evaluates every one, as text where a side is no version, so
//! `python_version in "3.10,3.11"` is a search for text. This is that reading, and nothing else.

use crate::name::normalize;
use crate::specifier::{InstalledVersion, Specifiers};

/// The variables of a marker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Variable {
    PythonVersion,
    PythonFullVersion,
    OsName,
    SysPlatform,
    PlatformRelease,
    PlatformSystem,
    PlatformVersion,
    PlatformMachine,
    PlatformPythonImplementation,
    ImplementationName,
    ImplementationVersion,
    Extra,
    Extras,
    DependencyGroups,
}

/// Every spelling, the old ones with a dot included.
const VARIABLES: [(&str, Variable); 20] = [
    ("python_version", Variable::PythonVersion),
    ("python_full_version", Variable::PythonFullVersion),
    ("os_name", Variable::OsName),
    ("os.name", Variable::OsName),
    ("sys_platform", Variable::SysPlatform),
    ("sys.platform", Variable::SysPlatform),
    ("platform_release", Variable::PlatformRelease),
    ("platform_system", Variable::PlatformSystem),
    ("platform_version", Variable::PlatformVersion),
    ("platform.version", Variable::PlatformVersion),
    ("platform_machine", Variable::PlatformMachine),
    ("platform.machine", Variable::PlatformMachine),
    (
        "platform_python_implementation",
        Variable::PlatformPythonImplementation,
    ),
    (
        "platform.python_implementation",
        Variable::PlatformPythonImplementation,
    ),
    (
        "python_implementation",
        Variable::PlatformPythonImplementation,
    ),
    ("implementation_name", Variable::ImplementationName),
    ("implementation_version", Variable::ImplementationVersion),
    ("extra", Variable::Extra),
    // Sets, in lock files only (PEP 751).
    ("extras", Variable::Extras),
    ("dependency_groups", Variable::DependencyGroups),
];

#[derive(Debug, Clone, PartialEq, Eq)]
enum Operand {
    Variable(Variable),
    Text(String),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operator {
    In,
    NotIn,
    Compare(&'static str),
}

/// Longest first: `===` begins with `==`.
const OPERATORS: [&str; 8] = ["===", "==", "~=", "!=", "<=", ">=", "<", ">"];

/// A parsed marker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Marker(Tree);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Tree {
    All(Vec<Tree>),
    Any(Vec<Tree>),
    Compare {
        left: Operand,
        operator: Operator,
        right: Operand,
        /// The whole comparison as a specifier, where its right side is a version.
        specifiers: Option<Specifiers>,
    },
}

/// What the variables are in one environment.
#[derive(Debug, Clone)]
#[allow(missing_docs)]
pub struct MarkerValues {
    pub python_version: String,
    pub python_full_version: String,
    pub implementation_name: String,
    pub platform_python_implementation: String,
    pub platform_machine: String,
    pub platform_release: String,
    pub platform_version: String,
    /// Extras of a lock file that are asked for, normalized.
    pub extras: Vec<String>,
    /// Dependency groups of a lock file that are asked for, normalized.
    pub dependency_groups: Vec<String>,
    versions: [InstalledVersion; 2],
}

impl MarkerValues {
    /// The values for this host and a Python of that version and implementation.
    #[must_use]
    pub fn of_host(python: crate::PythonVersion, implementation: &str) -> Self {
        let host = rustix::system::uname();
        let text = |value: &std::ffi::CStr| value.to_string_lossy().into_owned();
        let pypy = implementation.eq_ignore_ascii_case("pypy");
        let full = crate::PythonVersion {
            patch: Some(python.patch.unwrap_or(0)),
            ..python
        }
        .to_string();
        MarkerValues {
            versions: [
                InstalledVersion::new(&python.minor_text()),
                InstalledVersion::new(&full),
            ],
            python_version: python.minor_text(),
            python_full_version: full,
            implementation_name: if pypy { "pypy" } else { "cpython" }.to_owned(),
            platform_python_implementation: if pypy { "PyPy" } else { "CPython" }.to_owned(),
            platform_machine: text(host.machine()),
            platform_release: text(host.release()),
            platform_version: text(host.version()),
            extras: Vec::new(),
            dependency_groups: Vec::new(),
        }
    }

    /// The variables that are compared again and again, as versions.
    fn version(&self, operand: &Operand) -> Option<&InstalledVersion> {
        match operand {
            Operand::Variable(Variable::PythonVersion) => Some(&self.versions[0]),
            Operand::Variable(Variable::PythonFullVersion | Variable::ImplementationVersion) => {
                Some(&self.versions[1])
            }
            _ => None,
        }
    }

    fn get<'a>(&'a self, variable: Variable, extra: &'a str) -> &'a str {
        match variable {
            Variable::PythonVersion => &self.python_version,
            Variable::PythonFullVersion | Variable::ImplementationVersion => {
                &self.python_full_version
            }
            Variable::OsName => "posix",
            Variable::SysPlatform => "linux",
            Variable::PlatformSystem => "Linux",
            Variable::PlatformRelease => &self.platform_release,
            Variable::PlatformVersion => &self.platform_version,
            Variable::PlatformMachine => &self.platform_machine,
            Variable::PlatformPythonImplementation => &self.platform_python_implementation,
            Variable::ImplementationName => &self.implementation_name,
            Variable::Extra => extra,
            // A set is no text: no comparison of it holds but `in` and `not in`.
            Variable::Extras | Variable::DependencyGroups => "",
        }
    }
}

impl Marker {
    /// Reads a whole marker.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut parser = Parser { rest: text };
        let tree = parser.any(0)?;
        parser.space();
        if parser.rest.is_empty() {
            Ok(Marker(tree))
        } else {
            Err(format!("`{}` is not part of a marker", parser.rest))
        }
    }

    /// Both markers together.
    #[must_use]
    pub fn and(self, other: Marker) -> Marker {
        Marker(Tree::All(vec![self.0, other.0]))
    }

    /// Whether it holds, with `extra` (normalized, empty for none) asked for.
    #[must_use]
    pub fn holds(&self, values: &MarkerValues, extra: &str) -> bool {
        self.0.holds(values, extra)
    }
}

impl Tree {
    fn holds<'a>(&'a self, values: &'a MarkerValues, extra: &'a str) -> bool {
        match self {
            Tree::All(parts) => parts.iter().all(|part| part.holds(values, extra)),
            Tree::Any(parts) => parts.iter().any(|part| part.holds(values, extra)),
            Tree::Compare {
                left,
                operator,
                right,
                specifiers,
            } => {
                let set = match right {
                    Operand::Variable(Variable::Extras) => Some(&values.extras),
                    Operand::Variable(Variable::DependencyGroups) => {
                        Some(&values.dependency_groups)
                    }
                    _ => None,
                };
                if let (Some(set), Operand::Text(name)) = (set, left) {
                    let has = set.contains(&normalize(name));
                    return match operator {
                        Operator::In => has,
                        Operator::NotIn => !has,
                        Operator::Compare(_) => false,
                    };
                }
                let text = |operand: &'a Operand| match operand {
                    Operand::Variable(variable) => values.get(*variable, extra),
                    Operand::Text(text) => text,
                };
                let made = match (operator, right) {
                    (Operator::Compare(operator), Operand::Variable(variable))
                        if *variable != Variable::Extra =>
                    {
                        Specifiers::parse(&format!("{operator}{}", text(right))).ok()
                    }
                    _ => None,
                };
                let specifiers = specifiers.as_ref().or(made.as_ref());
                match (operator, specifiers, values.version(left)) {
                    (Operator::Compare(_), Some(specifiers), Some(version)) => {
                        specifiers.allow(version)
                    }
                    _ => compare(text(left), *operator, text(right), specifiers),
                }
            }
        }
    }
}

fn compare(left: &str, operator: Operator, right: &str, specifiers: Option<&Specifiers>) -> bool {
    let operator = match operator {
        Operator::In => return right.contains(left),
        Operator::NotIn => return !right.contains(left),
        Operator::Compare(operator) => operator,
    };
    if let Some(specifiers) = specifiers {
        let version = InstalledVersion::new(left);
        if version.is_valid() {
            return specifiers.allow(&version);
        }
    }
    match operator {
        "==" | "===" => left == right,
        "!=" => left != right,
        "<" => left < right,
        "<=" => left <= right,
        ">" => left > right,
        ">=" => left >= right,
        _ => false,
    }
}

/// Deeper nesting than any author writes; a bound so that a hostile file cannot exhaust the stack.
const DEEPEST: usize = 64;

struct Parser<'a> {
    rest: &'a str,
}

impl Parser<'_> {
    fn space(&mut self) {
        self.rest = self.rest.trim_start_matches([' ', '\t']);
    }

    fn any(&mut self, depth: usize) -> Result<Tree, String> {
        let mut parts = vec![self.all(depth)?];
        while self.word("or") {
            parts.push(self.all(depth)?);
        }
        Ok(one_or(parts, Tree::Any))
    }

    fn all(&mut self, depth: usize) -> Result<Tree, String> {
        let mut parts = vec![self.atom(depth)?];
        while self.word("and") {
            parts.push(self.atom(depth)?);
        }
        Ok(one_or(parts, Tree::All))
    }

    fn atom(&mut self, depth: usize) -> Result<Tree, String> {
        self.space();
        let Some(rest) = self.rest.strip_prefix('(') else {
            return self.comparison();
        };
        if depth == DEEPEST {
            return Err("the marker's parentheses nest too deeply".to_owned());
        }
        self.rest = rest;
        let tree = self.any(depth + 1)?;
        self.space();
        let closed = self.rest.strip_prefix(')');
        self.rest = closed.ok_or("a parenthesis of the marker is not closed")?;
        Ok(tree)
    }

    fn comparison(&mut self) -> Result<Tree, String> {
        let mut left = self.operand()?;
        let operator = self.operator()?;
        let mut right = self.operand()?;
        let extra = Operand::Variable(Variable::Extra);
        if let Operand::Text(_) = left {
            if let Operand::Text(_) = right {
                return Err("the marker compares a text with a text".to_owned());
            }
        } else if let Operand::Variable(variable) = right {
            // pip takes the second variable's name for a text.
            right = Operand::Text(spelling(variable).to_owned());
        }
        match (&mut left, &mut right) {
            (variable, Operand::Text(text)) | (Operand::Text(text), variable)
                if *variable == extra =>
            {
                *text = normalize(text);
            }
            _ => {}
        }
        let specifiers = match (&operator, &left, &right) {
            (_, left, right) if *left == extra || *right == extra => None,
            (Operator::Compare(operator), _, Operand::Text(text)) => {
                Specifiers::parse(&format!("{operator}{text}")).ok()
            }
            _ => None,
        };
        Ok(Tree::Compare {
            left,
            operator,
            right,
            specifiers,
        })
    }

    fn operand(&mut self) -> Result<Operand, String> {
        self.space();
        for quote in ['\'', '"'] {
            if let Some(rest) = self.rest.strip_prefix(quote) {
                let (text, rest) = rest
                    .split_once(quote)
                    .ok_or("a quotation mark of the marker is not closed")?;
                self.rest = rest;
                return Ok(Operand::Text(text.to_owned()));
            }
        }
        let end = self.rest.find(|c: char| !is_word(c) && c != '.');
        let (word, rest) = self.rest.split_at(end.unwrap_or(self.rest.len()));
        let found = VARIABLES.iter().find(|(name, _)| *name == word);
        let (_, variable) = found.ok_or_else(|| match word {
            "" => format!("a marker's variable or text is expected at `{}`", self.rest),
            word => format!("'{word}' is not a variable of a marker"),
        })?;
        self.rest = rest;
        Ok(Operand::Variable(*variable))
    }

    fn operator(&mut self) -> Result<Operator, String> {
        self.space();
        for operator in OPERATORS {
            if let Some(rest) = self.rest.strip_prefix(operator) {
                self.rest = rest;
                return Ok(Operator::Compare(operator));
            }
        }
        if self.word("in") {
            return Ok(Operator::In);
        }
        if self.word("not") && self.rest.starts_with([' ', '\t']) && self.word("in") {
            return Ok(Operator::NotIn);
        }
        Err(format!("an operator is expected at `{}`", self.rest))
    }

    fn word(&mut self, word: &str) -> bool {
        self.space();
        match self.rest.strip_prefix(word) {
            Some(rest) if !rest.starts_with(is_word) => {
                self.rest = rest;
                true
            }
            _ => false,
        }
    }
}

fn spelling(variable: Variable) -> &'static str {
    VARIABLES
        .iter()
        .find(|(_, have)| *have == variable)
        .map_or("", |(name, _)| name)
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

fn one_or(mut parts: Vec<Tree>, many: fn(Vec<Tree>) -> Tree) -> Tree {
    match parts.pop() {
        Some(only) if parts.is_empty() => only,
        Some(last) => {
            parts.push(last);
            many(parts)
        }
        None => many(parts),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::{Marker, MarkerValues};
    use crate::PythonVersion;

    fn holds(marker: &str, extra: &str) -> bool {
        let python = PythonVersion::parse("3.11.2").unwrap();
        let mut values = MarkerValues::of_host(python, "CPython");
        values.platform_machine = "x86_64".to_owned();
        Marker::parse(marker).unwrap().holds(&values, extra)
    }

    #[test]
    fn versions_compare_as_versions_and_the_rest_as_text() {
        assert!(holds("python_version >= '3.8'", ""));
        assert!(holds("python_version in \"3.10,3.11\"", ""));
        assert!(!holds("python_version not in \"3.10,3.11\"", ""));
        assert!(holds(
            "python_full_version < '3.11.3' and os_name == 'posix'",
            ""
        ));
        assert!(holds(
            "'linux' in sys_platform or sys_platform == 'win32'",
            ""
        ));
        assert!(holds(
            "platform_machine == 'x86_64' and (python_version<'3' or python_version>'3')",
            ""
        ));
        assert!(!holds("sys.platform == 'win32'", ""));
        assert!(holds("extra == 'Foo_Bar'", "foo-bar"));
        assert!(!holds("extra == 'Foo_Bar'", ""));
        assert!(holds("platform_python_implementation != 'PyPy'", ""));
    }

    #[test]
    fn extras_and_groups_of_a_lock_file_are_sets() {
        let mut values = MarkerValues::of_host(PythonVersion::parse("3.11").unwrap(), "CPython");
        values.extras = vec!["big-data".to_owned()];
        let holds = |marker: &str| Marker::parse(marker).unwrap().holds(&values, "");
        assert!(holds(
            "'Big_Data' in extras and 'dev' not in dependency_groups"
        ));
        assert!(!holds("'data' in extras or 'dev' in dependency_groups"));
    }

    #[test]
    fn what_is_no_marker_is_refused() {
        for text in [
            "",
            "python_version",
            "python_version > 3",
            "'a' == 'b'",
            "pythonversion > '3'",
            "(os_name == 'posix'",
            "os_name == 'posix' os_name == 'nt'",
            "os_name == 'posix",
            "os_name notin 'x'",
            "os_name = 'posix'",
        ] {
            assert!(Marker::parse(text).is_err(), "{text}");
        }
        assert!(Marker::parse(&"(".repeat(100_000)).is_err());
    }
}
