//! A page of the operator's own, copied whole.
//!
//! The copy's name is its content's hash, so a page never refers to pictures that were
//! exchanged under it, and copying the same template again does nothing. The original may go
//! away, as a checkout does in the middle of a deploy.

use crate::page;
use base::atomic::{Access, Dir};
use base::{Error, Result};
use rustix::fs::FileType;
use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};

/// The most that is copied, in bytes.
pub const LIMIT: u64 = 8 << 20;

/// The most of its page, in bytes.
const PAGE_LIMIT: usize = 1 << 20;

/// How deep its directories may go.
const DEPTH: usize = 16;

/// The page in a template.
const PAGE: &str = "page.html";

/// A template that was read and found good.
#[derive(Debug, Clone)]
pub struct Template {
    /// Where it is.
    pub from: PathBuf,
    /// What its copy is called below `page/`.
    pub name: String,
    /// Its files, by their path in it.
    files: Vec<(PathBuf, Vec<u8>)>,
}

/// Reads a template's files, refusing what could not be copied faithfully. Root reads with the
/// rights of the user who can change the template: a file that the user cannot read does not become
/// a page.
pub fn read(dir: &Path) -> Result<Template> {
    let input = |e: Error| {
        Error {
            kind: base::Kind::Input,
            ..e
        }
        .hint("a template is a directory with a page.html")
    };
    let (opened, trust) = base::trust::open_dir(dir).map_err(input)?;
    let mut files = Vec::new();
    let mut left = LIMIT;
    match trust.executor()? {
        Some(user) => base::trust::with_rights_of(&user, || {
            list(&opened, Path::new(""), &mut files, &mut left)
        })?,
        None => list(&opened, Path::new(""), &mut files, &mut left),
    }
    .map_err(|e| Error {
        kind: base::Kind::Input,
        ..e
    })?;
    files.sort();
    let page = dir.join(PAGE);
    let Some(text) = text_of(&files) else {
        return Err(
            Error::input(format!("{}: No such file or directory", page.display()))
                .hint("a template is a directory with a page.html"),
        );
    };
    let text =
        text.map_err(|_| Error::input(format!("{}: the file is not UTF-8", page.display())))?;
    if text.len() > PAGE_LIMIT {
        let words = format!(
            "{}: the file is larger than {} MiB",
            page.display(),
            PAGE_LIMIT >> 20
        );
        return Err(Error::input(words).hint("let page.html refer to files beside it"));
    }
    if let Some((line, slot)) = page::unknown_slot(text) {
        return Err(Error::input(format!(
            "{}:{line}: {{{{{slot}}}}} is not a slot",
            page.display()
        ))
        .hint(format!("the slots are {}", page::SLOTS.join(", "))));
    }
    let mut hash = Sha256::new();
    for (name, bytes) in &files {
        hash.update(name.as_os_str().as_encoded_bytes());
        hash.update([0]);
        hash.update((bytes.len() as u64).to_le_bytes());
        hash.update(bytes);
    }
    let digest: String = hash
        .finalize()
        .iter()
        .take(8)
        .map(|byte| format!("{byte:02x}"))
        .collect();
    Ok(Template {
        from: dir.to_path_buf(),
        name: format!("assets-{digest}"),
        files,
    })
}

fn text_of(files: &[(PathBuf, Vec<u8>)]) -> Option<std::result::Result<&str, std::str::Utf8Error>> {
    let (_, bytes) = files.iter().find(|(name, _)| name == Path::new(PAGE))?;
    Some(std::str::from_utf8(bytes))
}

/// Reads a directory and those below, by their descriptors: nothing is followed, and nothing but
/// regular files is opened.
fn list(
    dir: &Dir,
    below: &Path,
    files: &mut Vec<(PathBuf, Vec<u8>)>,
    left: &mut u64,
) -> Result<()> {
    let large = || {
        Error::input(format!(
            "{} is too large for a maintenance page: over {} MiB, 1000 files or 16 levels",
            dir.path().display(),
            LIMIT >> 20
        ))
    };
    if below.components().count() > DEPTH {
        return Err(large());
    }
    for name in dir.names()? {
        let Some(stat) = dir.stat(&name)? else {
            continue;
        };
        let path = below.join(&name);
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::Directory => list(&dir.below(&name)?, &path, files, left)?,
            FileType::RegularFile => {
                if u64::try_from(stat.st_size).unwrap_or(u64::MAX) > *left {
                    return Err(large());
                }
                let bytes = dir.read(&name, *left)?.unwrap_or_default();
                *left -= bytes.len() as u64;
                files.push((path, bytes));
            }
            _ => {
                return Err(Error::input(format!(
                    "{} is neither a file nor a directory",
                    dir.path().join(&name).display()
                ))
                .hint("a template is copied whole, without links"));
            }
        }
        if files.len() > 1000 {
            return Err(large());
        }
    }
    Ok(())
}

/// The text of its page.
pub fn page(template: &Template) -> Result<String> {
    match text_of(&template.files) {
        Some(Ok(text)) => Ok(text.to_owned()),
        _ => Err(Error::input(format!(
            "{}: there is no page.html",
            template.from.display()
        ))),
    }
}

/// Copies it to `page/NAME`: beside, then by one rename. Nothing to do if it is there. The web
/// server reads the files as another user, whatever umask and original said.
pub fn copy(template: &Template, page: &Dir) -> Result<bool> {
    if page.stat(&template.name)?.is_some() {
        return Ok(false);
    }
    let beside = base::atomic::random_name()?;
    page.make(&beside, 0o755)?;
    let made = page.below(&beside)?;
    let copied = template
        .files
        .iter()
        .try_for_each(|(path, bytes)| place(&made, path, bytes));
    if let Err(error) = copied {
        let _ = fs_extra::dir::remove(page.path().join(&beside));
        return Err(Error {
            message: format!("cannot copy {}: {}", template.from.display(), error.message),
            ..error
        });
    }
    page.rename(&beside, &template.name, false)?;
    Ok(true)
}

fn place(dir: &Dir, path: &Path, bytes: &[u8]) -> Result<()> {
    let mut names = path.iter();
    match (names.next(), names.as_path()) {
        (Some(name), rest) if rest.as_os_str().is_empty() => {
            dir.create(name, bytes, Access::mode(0o644))
        }
        (Some(name), rest) => {
            dir.make(name, 0o755)?;
            place(&dir.below(name)?, rest, bytes)
        }
        (None, _) => Ok(()),
    }
}

/// The copies there are, with their pages.
pub fn copied(page: Option<&Dir>) -> Result<Vec<(String, String)>> {
    let Some(page) = page else {
        return Ok(Vec::new());
    };
    let mut found = Vec::new();
    for name in page.names()? {
        let Some(name) = name.to_str().filter(|name| name.starts_with("assets-")) else {
            continue;
        };
        let Ok(dir) = page.below(name) else { continue };
        if let Some(bytes) = dir.read(PAGE, LIMIT)? {
            found.push((
                name.to_owned(),
                String::from_utf8_lossy(&bytes).into_owned(),
            ));
        }
    }
    Ok(found)
}
