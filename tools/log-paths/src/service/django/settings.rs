//! Settings modules: which file a module is, what a name stands for in it and in those it imports
//! from, and what a path comes to.

use super::NAME;
use crate::log::Configured;
use crate::python::{Binding, Literal, Module, Names, Shape, Value, evaluate};
use crate::site::Site;
use conf::Error;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;

/// How many names and modules may lead from one to the next.
const DEPTH: usize = 16;

/// A project's modules, each read once.
pub struct Settings<'a> {
    site: &'a Site,
    /// Where modules are imported from.
    dir: PathBuf,
    modules: RefCell<BTreeMap<PathBuf, Option<Rc<Module>>>>,
    faults: RefCell<Vec<Error>>,
}

/// A place in a module, where names have their values.
#[derive(Clone)]
pub struct Place<'a> {
    settings: &'a Settings<'a>,
    /// The module's file.
    pub file: Arc<Path>,
    before: usize,
    depth: usize,
}

/// What a name stands for.
pub enum Found<'a> {
    /// This, written there.
    Said(Place<'a>, Literal),
    /// A part of the standard library.
    Known(String),
    /// More than one thing, or what nobody knows; the line's text.
    Unclear(Arc<Path>, String),
}

impl<'a> Settings<'a> {
    pub fn new(site: &'a Site, dir: PathBuf) -> Self {
        Self {
            site,
            dir,
            modules: RefCell::default(),
            faults: RefCell::default(),
        }
    }

    /// The file of a module.
    pub fn file(&self, module: &str) -> Option<PathBuf> {
        self.file_in(&self.dir, module)
    }

    fn file_in(&self, dir: &Path, module: &str) -> Option<PathBuf> {
        let path = dir.join(module.replace('.', "/"));
        [path.with_extension("py"), path.join("__init__.py")]
            .into_iter()
            .find(|file| self.site.files.stat(file).is_ok())
    }

    /// The end of a module, where all its names are bound.
    pub fn end(&'a self, file: &Path, depth: usize) -> Option<Place<'a>> {
        let before = self.module(file)?.end();
        Some(Place {
            settings: self,
            file: Arc::from(file),
            before,
            depth,
        })
    }

    fn module(&self, file: &Path) -> Option<Rc<Module>> {
        if let Some(known) = self.modules.borrow().get(file) {
            return known.clone();
        }
        let read = self.site.files.read(file).and_then(|bytes| {
            Module::read(&bytes).map_err(|line| {
                Error::new(
                    conf::Kind::Syntax,
                    file,
                    line,
                    "a text or a bracket is not closed",
                )
            })
        });
        let read = read
            .map(Rc::new)
            .map_err(|error| self.faults.borrow_mut().push(error))
            .ok();
        self.modules
            .borrow_mut()
            .insert(file.to_path_buf(), read.clone());
        read
    }

    /// Hands over what could not be read.
    pub fn tell(&self, out: &mut Configured) {
        for error in self.faults.take() {
            out.fault(NAME, error);
        }
    }
}

impl<'a> Place<'a> {
    /// What a name stands for here.
    pub fn look_up(&self, name: &str) -> Option<Found<'a>> {
        let module = self.settings.module(&self.file)?;
        let unclear = |text: String| Some(Found::Unclear(Arc::clone(&self.file), text));
        let mut before = self.before;
        if self.depth >= DEPTH {
            return unclear(format!("{name} leads through more than {DEPTH} names"));
        }
        loop {
            match module.binding(name, before)? {
                Binding::Value(at, literal) => {
                    return Some(Found::Said(
                        Place {
                            before: at,
                            depth: self.depth + 1,
                            ..self.clone()
                        },
                        literal,
                    ));
                }
                Binding::Unclear(_, text) => return unclear(text),
                Binding::Import(module) => return Some(Found::Known(library(&module))),
                Binding::From(module, name) if is_library(&module) => {
                    return Some(Found::Known(format!("{}.{name}", library(&module))));
                }
                Binding::From(module, name) => {
                    let end = self
                        .imported(&module)
                        .and_then(|file| self.settings.end(&file, self.depth + 1));
                    return end
                        .and_then(|end| end.look_up(&name))
                        .or_else(|| unclear(format!("from {module} import {name}")));
                }
                Binding::Star(at, module) => {
                    let file = self.imported(&module).filter(|file| **file != *self.file);
                    let found = file
                        .as_ref()
                        .and_then(|file| self.settings.end(file, self.depth + 1)?.look_up(name));
                    match found {
                        Some(found) => return Some(found),
                        // A package that is not the project's may bind anything; that it configures
                        // the project's logs is unheard of.
                        None if file.is_none() && !module.starts_with('.') && name != "LOGGING" => {
                            return unclear(format!("from {module} import *"));
                        }
                        None => before = at,
                    }
                }
            }
        }
    }

    /// The file of a module as this one names it, with leading dots or without.
    fn imported(&self, module: &str) -> Option<PathBuf> {
        let dots = module.chars().take_while(|char| *char == '.').count();
        if dots == 0 {
            return self.settings.file(module);
        }
        let base = (1..dots).try_fold(self.file.parent()?.to_path_buf(), |dir, _| {
            Some(dir.parent()?.to_path_buf())
        })?;
        self.settings.file_in(&base, &module[dots..])
    }

    /// A value that is only a name, followed to what it names.
    pub fn followed(&self, literal: &Literal) -> (Place<'a>, Literal) {
        match literal.name().and_then(|name| self.look_up(name)) {
            Some(Found::Said(place, literal)) => place.followed(&literal),
            _ => (self.clone(), literal.clone()),
        }
    }

    /// The path that a value comes to.
    pub fn path(&self, literal: &Literal) -> Option<Vec<u8>> {
        self.value_of(literal)?.bytes().map(<[u8]>::to_vec)
    }

    fn value_of(&self, literal: &Literal) -> Option<Value> {
        match &literal.shape {
            Shape::Text(text) => Some(Value::Text(text.clone())),
            Shape::Code(_) if !literal.tokens.is_empty() => evaluate(&literal.tokens, self),
            _ => None,
        }
    }
}

impl Names for Place<'_> {
    fn value(&self, name: &str) -> Option<Value> {
        match self.look_up(name) {
            Some(Found::Said(place, literal)) => place.value_of(&literal),
            Some(Found::Known(name)) => Some(Value::Known(name)),
            Some(Found::Unclear(..)) => None,
            // What no line binds is the module's own, or built in.
            None => match name {
                "__file__" => Some(Value::Text(self.file.as_os_str().as_bytes().to_vec())),
                "str" => Some(Value::Known(name.to_owned())),
                _ => None,
            },
        }
    }

    fn real(&self, path: &Path) -> Option<PathBuf> {
        self.settings.site.files.real(path)
    }
}

fn is_library(module: &str) -> bool {
    matches!(module, "os" | "os.path" | "posixpath" | "pathlib")
}

fn library(module: &str) -> String {
    if module == "posixpath" {
        "os.path".to_owned()
    } else {
        module.to_owned()
    }
}
