//! The project around a migration: subclasses of `CreateExtension` that stand in a module of the
//! project's own.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use pysource::Token;

use super::operations::{self, Operation};
use super::python::{Module, Span, Value};
use super::sql::{self, Effect};

/// How long a chain of imports and base classes may be.
const DEPTH: usize = 8;

/// How many directories above a migration a module is looked for.
const ABOVE: usize = 12;

/// Modules that were read, by their files.
#[derive(Default)]
pub struct Project {
    modules: RefCell<BTreeMap<PathBuf, Option<Rc<Module>>>>,
    /// The file of each module as a directory's migrations import the module.
    files: RefCell<BTreeMap<(PathBuf, String), Option<PathBuf>>>,
}

/// A subclass of `CreateExtension`: the extension, or nothing where the argument of the call names
/// one.
type Extension = Option<String>;

impl Project {
    /// The extension that a class of a module creates; `Some(None)` where the call's first argument
    /// names the extension.
    pub fn extension(&self, module: &Module, full: &str, path: &Path) -> Option<Extension> {
        match full.split_once('.') {
            None => self.of_class(module, full, path, DEPTH),
            Some(_) => self.of_import(full, path, DEPTH),
        }
    }

    fn of_class(
        &self,
        module: &Module,
        name: &str,
        path: &Path,
        depth: usize,
    ) -> Option<Extension> {
        let depth = depth.checked_sub(1)?;
        let block = module.block(name, true)?;
        let head = &module.lines[block.head].tokens;
        let bases = head.split(|token| matches!(token, Token::Mark(b',' | b'(' | b')' | b':')));
        for base in bases.skip(1) {
            let words: Vec<String> = base
                .iter()
                .filter_map(|token| match token {
                    Token::Name(word) => Some(word.clone()),
                    _ => None,
                })
                .collect();
            for full in module.full_names(&words, block.head) {
                let of_base = match operations::of(&full) {
                    Some(Operation::Creates(extension)) => Some(Some(extension.to_string())),
                    Some(Operation::CreatesNamed) => Some(None),
                    Some(_) => None,
                    None if full == name => None,
                    None if full.contains('.') => self.of_import(&full, path, depth),
                    None => self.of_class(module, &full, path, depth),
                };
                if let Some(extension) = of_base {
                    let own = own_name(module, block.head + 1, block.end);
                    return Some(own.or(extension));
                }
            }
        }
        let own = own_name(module, block.head + 1, block.end);
        let executed = executed(module, block.head + 1, block.end)?;
        Some(executed.or(own))
    }

    /// A class that is imported: in the file of its module, found from the migration's directory
    /// upwards.
    fn of_import(&self, full: &str, path: &Path, depth: usize) -> Option<Extension> {
        let depth = depth.checked_sub(1)?;
        let (module, name) = full.rsplit_once('.')?;
        let file = self.file(module, path)?;
        let read = self.module(&file)?;
        if read.block(name, true).is_some() {
            return self.of_class(&read, name, &file, depth);
        }
        // The module passes the class on.
        let names: Vec<String> = read
            .imported()
            .filter(|(bound, _)| *bound == name)
            .map(|(_, full)| full.to_string())
            .collect();
        names
            .into_iter()
            .find_map(|full| match operations::of(&full) {
                Some(Operation::Creates(extension)) => Some(Some(extension.to_string())),
                Some(Operation::CreatesNamed) => Some(None),
                Some(_) => None,
                None => self.of_import(&full, &file, depth),
            })
    }

    fn file(&self, module: &str, path: &Path) -> Option<PathBuf> {
        // Django is no part of the project.
        if module == "django" || module.starts_with("django.") {
            return None;
        }
        let directory = path.parent()?;
        let key = (directory.to_path_buf(), module.to_string());
        let mut files = self.files.borrow_mut();
        files
            .entry(key)
            .or_insert_with(|| find(module, directory))
            .clone()
    }

    fn module(&self, file: &Path) -> Option<Rc<Module>> {
        let read = || {
            let (bytes, _) = super::files::read(file).ok()?;
            Module::read(&bytes).ok().map(Rc::new)
        };
        let mut modules = self.modules.borrow_mut();
        modules
            .entry(file.to_path_buf())
            .or_insert_with(read)
            .clone()
    }
}

/// The file of a module: an absolute name is looked for in the directories above, a relative one
/// where its dots lead.
fn find(module: &str, directory: &Path) -> Option<PathBuf> {
    let dots = module.bytes().take_while(|byte| *byte == b'.').count();
    let parts: Vec<&str> = module[dots..]
        .split('.')
        .filter(|part| !part.is_empty())
        .collect();
    let below = |root: &Path| {
        let place = parts
            .iter()
            .fold(root.to_path_buf(), |place, part| place.join(part));
        [place.with_extension("py"), place.join("__init__.py")]
            .into_iter()
            .find(|file| file.is_file())
    };
    match dots {
        0 => directory.ancestors().take(ABOVE).find_map(below),
        _ => directory.ancestors().nth(dots - 1).and_then(below),
    }
}

/// An operation of the project's own that executes `CREATE EXTENSION`: the name in the statement,
/// or nothing where the statement has a place for a name.
fn executed(module: &Module, first: usize, end: usize) -> Option<Extension> {
    for at in first..end {
        let tokens = &module.lines[at].tokens;
        // A string alone is a docstring.
        if tokens.iter().all(|token| matches!(token, Token::Text(_))) {
            continue;
        }
        for (place, token) in tokens.iter().enumerate() {
            let (text, formatted) = match token {
                Token::Text(bytes) => (String::from_utf8_lossy(bytes).into_owned(), false),
                Token::Formatted(text) => (text.clone(), true),
                _ => continue,
            };
            for effect in sql::effects(&text) {
                module.see(Span {
                    line: at,
                    from: place,
                    to: place + 1,
                });
                match effect {
                    Effect::Create { name, .. } if !formatted => return Some(Some(name)),
                    Effect::Create { .. } | Effect::Unclear => return Some(None),
                    Effect::Drop { .. } => {}
                }
            }
        }
    }
    None
}

/// `self.name = "x"`, `name = "x"` or `super().__init__("x")` in the body of a class.
fn own_name(module: &Module, first: usize, end: usize) -> Option<String> {
    for at in first..end {
        let tokens = &module.lines[at].tokens;
        let is = |token: &Token, word: &str| matches!(token, Token::Name(name) if name == word);
        let from = match tokens.as_slice() {
            [owner, Token::Mark(b'.'), name, Token::Mark(b'='), ..]
                if is(owner, "self") && is(name, "name") =>
            {
                4
            }
            [name, Token::Mark(b'='), ..] if is(name, "name") => 2,
            _ => continue,
        };
        let span = Span {
            line: at,
            from,
            to: tokens.len(),
        };
        if let Value::Text(name) = module.value(span) {
            return Some(name);
        }
    }
    let calls = module.calls(first, end);
    let mut inits = calls
        .iter()
        .filter(|call| call.callee.last().is_some_and(|last| last == "__init__"));
    inits.find_map(|call| match module.value(call.argument(0, "name")?) {
        Value::Text(name) => Some(name),
        _ => None,
    })
}
