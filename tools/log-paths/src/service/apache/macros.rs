//! mod_macro: sections that are written once and used with different arguments, by Apache 2.4's
//! rules.
//!
//! A body is text: parameters are put in wherever their names stand, the leftmost first and of two
//! at one place the longer, and what comes out is read as if it stood where it is used. A value for
//! an `@parameter` comes in quotation marks.

use conf::Source;

/// A line of a body, and where it stands.
pub type Line = (Source, Vec<u8>);

/// A macro, or one whose body is still being read.
#[derive(Clone, Debug)]
pub struct Macro {
    /// Where it is defined.
    pub source: Source,
    parameters: Vec<Vec<u8>>,
    body: Vec<Line>,
    /// Definitions in the body that are open.
    open: usize,
}

impl Macro {
    /// Begins one, from the words after its name; `/IgnoreEmptyArgs` and the like are no
    /// parameters.
    pub fn new(source: Source, words: &[Vec<u8>]) -> Self {
        let parameters = words
            .iter()
            .skip_while(|word| word.starts_with(b"/"))
            .filter(|word| !word.is_empty())
            .cloned()
            .collect();
        Self {
            source,
            parameters,
            body: Vec::new(),
            open: 1,
        }
    }

    /// Takes a line of the body; says whether the macro ends with it.
    pub fn ends_with(&mut self, line: &[u8], source: Source) -> bool {
        let first = line
            .split(|byte| byte.is_ascii_whitespace())
            .next()
            .unwrap_or_default();
        if first.eq_ignore_ascii_case(b"</macro>") {
            self.open -= 1;
        } else if first.eq_ignore_ascii_case(b"<macro") {
            self.open += 1;
        }
        if self.open > 0 {
            self.body.push((source, line.to_vec()));
        }
        self.open == 0
    }

    /// The body with these values; `None` where there are more or fewer than there are parameters.
    pub fn with(&self, values: &[Vec<u8>]) -> Option<Vec<Line>> {
        let fits = values.len() == self.parameters.len();
        fits.then(|| {
            self.body
                .iter()
                .map(|(source, line)| (source.clone(), self.filled(line, values)))
                .collect()
        })
    }

    fn filled(&self, line: &[u8], values: &[Vec<u8>]) -> Vec<u8> {
        let mut out = Vec::with_capacity(line.len());
        let mut rest = line;
        while let Some((at, parameter, value)) = self.next(rest, values) {
            out.extend_from_slice(&rest[..at]);
            if parameter.starts_with(b"@") {
                out.push(b'"');
                let escaped = value.iter().flat_map(|byte| {
                    [b'\\', *byte]
                        .into_iter()
                        .skip(usize::from(!matches!(byte, b'"' | b'\\')))
                });
                out.extend(escaped);
                out.push(b'"');
            } else {
                out.extend_from_slice(value);
            }
            rest = &rest[at + parameter.len()..];
        }
        out.extend_from_slice(rest);
        out
    }

    /// The next parameter in a text: where, which, and its value.
    fn next<'a>(
        &'a self,
        text: &[u8],
        values: &'a [Vec<u8>],
    ) -> Option<(usize, &'a [u8], &'a [u8])> {
        let place = |parameter: &[u8]| {
            text.windows(parameter.len())
                .position(|part| part == parameter)
        };
        let found = self
            .parameters
            .iter()
            .zip(values)
            .filter_map(|(parameter, value)| Some((place(parameter)?, parameter, value)));
        let first = found.min_by_key(|(at, parameter, _)| (*at, usize::MAX - parameter.len()));
        first.map(|(at, parameter, value)| (at, parameter.as_slice(), value.as_slice()))
    }
}
