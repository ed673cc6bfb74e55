//! A page of the operator's own, copied whole.
//!
//! The copy's name is its content's hash, so a page never refers to pictures that were
//! exchanged under it, and copying the same template again does nothing. The original may go
//! away, as a checkout does in the middle of a deploy.

use crate::page;
use base::atomic::Dir;
use base::{Error, Result};
use sha2::{Digest, Sha256};
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

/// The most that is copied, in bytes.
pub const LIMIT: u64 = 20 << 20;

/// The page in a template.
const PAGE: &str = "page.html";

/// A template that was read and found good.
#[derive(Debug, Clone)]
pub struct Template {
    /// Where it is.
    pub from: PathBuf,
    /// What its copy is called below `page/`.
    pub name: String,
}

/// Reads a template's files, refusing what could not be copied faithfully.
pub fn read(dir: &Path) -> Result<Template> {
    let page = dir.join(PAGE);
    let text = fs::read_to_string(&page).map_err(|e| {
        Error::input(format!("{}: {}", page.display(), base::error::plain(&e)))
            .hint("a template is a directory with a page.html")
    })?;
    if let Some((line, slot)) = page::unknown_slot(&text) {
        return Err(Error::input(format!(
            "{}:{line}: {{{{{slot}}}}} is not a slot",
            page.display()
        ))
        .hint(format!("the slots are {}", page::SLOTS.join(", "))));
    }
    let mut files = Vec::new();
    let mut size = 0;
    list(dir, dir, &mut files, &mut size)?;
    files.sort();
    let mut hash = Sha256::new();
    for path in &files {
        let name = path.strip_prefix(dir).unwrap_or(path);
        hash.update(name.as_os_str().as_encoded_bytes());
        hash.update([0]);
        let bytes = read_file(path)?;
        hash.update((bytes.len() as u64).to_le_bytes());
        hash.update(&bytes);
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
    })
}

fn read_file(path: &Path) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    fs::File::open(path)
        .and_then(|file| file.take(LIMIT + 1).read_to_end(&mut bytes))
        .map_err(|e| Error::input(format!("{}: {}", path.display(), base::error::plain(&e))))?;
    Ok(bytes)
}

fn list(top: &Path, dir: &Path, files: &mut Vec<PathBuf>, size: &mut u64) -> Result<()> {
    let named =
        |e: &std::io::Error| Error::input(format!("{}: {}", dir.display(), base::error::plain(e)));
    for entry in fs::read_dir(dir).map_err(|e| named(&e))? {
        let entry = entry.map_err(|e| named(&e))?;
        let kind = entry.file_type().map_err(|e| named(&e))?;
        let path = entry.path();
        if kind.is_dir() {
            list(top, &path, files, size)?;
        } else if kind.is_file() {
            *size += entry.metadata().map_err(|e| named(&e))?.len();
            files.push(path);
        } else {
            return Err(Error::input(format!(
                "{} is neither a file nor a directory",
                path.display()
            ))
            .hint("a template is copied whole, without links"));
        }
        if *size > LIMIT || files.len() > 1000 {
            return Err(Error::input(format!(
                "{} is too large for a maintenance page: over {} MiB or 1000 files",
                top.display(),
                LIMIT >> 20
            )));
        }
    }
    Ok(())
}

/// The text of its page.
pub fn page(template: &Template) -> Result<String> {
    let path = template.from.join(PAGE);
    fs::read_to_string(&path)
        .map_err(|e| Error::input(format!("{}: {}", path.display(), base::error::plain(&e))))
}

/// Copies it to `page/NAME`: beside, then by one rename. Nothing to do if it is there.
pub fn copy(template: &Template, page: &Dir) -> Result<bool> {
    if page.stat(&template.name)?.is_some() {
        return Ok(false);
    }
    let beside = base::atomic::random_name()?;
    page.make(&beside, 0o755)?;
    let to = page.path().join(&beside);
    let failed = |e: String| {
        let _ = fs_extra::dir::remove(&to);
        Error::failed(format!("cannot copy {}: {e}", template.from.display()))
    };
    let options = fs_extra::dir::CopyOptions::new().content_only(true);
    fs_extra::dir::copy(&template.from, &to, &options).map_err(|e| failed(e.to_string()))?;
    open_to_readers(&to).map_err(|e| failed(base::error::plain(&e)))?;
    page.rename(&beside, &template.name, false)?;
    Ok(true)
}

/// The web server reads them as another user, whatever umask and original said; on disk before
/// they are named.
fn open_to_readers(dir: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        if path.is_dir() {
            open_to_readers(&path)?;
        } else {
            fs::set_permissions(&path, fs::Permissions::from_mode(0o644))?;
            fs::File::open(&path)?.sync_all()?;
        }
    }
    fs::set_permissions(dir, fs::Permissions::from_mode(0o755))?;
    fs::File::open(dir)?.sync_all()
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
