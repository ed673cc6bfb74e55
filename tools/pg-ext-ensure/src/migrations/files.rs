//! The files of migrations below a directory. Directories of virtual environments and of tests are
//! told apart: whether their applications are installed in the site stands in settings that only
//! Python reads.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use base::error::{Error, Kind, Result};
use base::trust::{self, Trust};

/// The largest file that is read, in bytes.
const LIMIT: u64 = 16 << 20;

/// How deep directories may stand.
const DEPTH: usize = 40;

/// What was found below a directory.
#[derive(Debug, Default)]
pub struct Found {
    /// The migrations, in order.
    pub files: Vec<Migration>,
    /// What could not be looked into, and why.
    pub skipped: Vec<(PathBuf, String)>,
}

/// A file with a migration.
#[derive(Debug)]
pub struct Migration {
    /// The file.
    pub path: PathBuf,
    /// Its source, or why the source was not read.
    pub source: Result<Vec<u8>>,
    /// The migration belongs to the site itself, and not to a library or a test.
    pub own: bool,
    /// A user other than the caller can change the file.
    pub foreign: bool,
}

/// The migrations below a directory, or the one in a file.
///
/// # Errors
/// Where the path leads to nothing.
pub fn below(top: &Path) -> Result<Found> {
    let mut found = Found::default();
    let shown = || base::terminal::escape_bytes(top.as_os_str().as_encoded_bytes());
    let metadata = std::fs::metadata(top)
        .map_err(|error| Error::io(format!("cannot read '{}'", shown()), &error))?;
    if metadata.is_file() {
        found.file(top, true, true);
    } else {
        found.directory(top, true, DEPTH);
    }
    found.files.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(found)
}

impl Found {
    fn directory(&mut self, path: &Path, own: bool, depth: usize) {
        if depth == 0 {
            let why = "directories stand too deep in each other".to_string();
            self.skipped.push((path.to_path_buf(), why));
            return;
        }
        let entries = match std::fs::read_dir(path) {
            Ok(entries) => entries,
            Err(error) => {
                self.skipped.push((path.to_path_buf(), error.to_string()));
                return;
            }
        };
        let own = own && !path.join("pyvenv.cfg").exists();
        let is_migrations = path.file_name().is_some_and(|name| name == "migrations");
        for entry in entries.flatten() {
            let (name, path) = (entry.file_name(), entry.path());
            let name = name.to_string_lossy().into_owned();
            let Ok(kind) = entry.file_type() else {
                continue;
            };
            if kind.is_dir() {
                let passed = name.starts_with('.') && !path.join("pyvenv.cfg").exists();
                if !passed && name != "__pycache__" && name != "node_modules" {
                    let test = matches!(
                        name.as_str(),
                        "test" | "tests" | "site-packages" | "dist-packages"
                    );
                    self.directory(&path, own && !test, depth - 1);
                }
            } else if kind.is_symlink() && path.is_dir() {
                let why = "a symbolic link to a directory is not followed".to_string();
                self.skipped.push((path, why));
            } else if name.ends_with(".py")
                && !name.starts_with(['_', '~'])
                && (own || is_migrations)
            {
                self.file(&path, own, is_migrations);
            }
        }
    }

    /// Adds a file; outside of a directory that is called migrations only where the file defines
    /// one.
    fn file(&mut self, path: &Path, own: bool, sure: bool) {
        let (source, foreign) = match read(path) {
            Ok((bytes, trust)) => {
                let me = nix::unistd::geteuid();
                let defines = bytes
                    .windows(16)
                    .any(|window| window == b"class Migration(");
                if !sure && !defines {
                    return;
                }
                (Ok(bytes), me.is_root() && !trust.trusted_by(0))
            }
            Err(_) if !sure => return,
            Err(error) => (Err(error), false),
        };
        self.files.push(Migration {
            path: path.to_path_buf(),
            source,
            own,
            foreign,
        });
    }
}

/// The bytes of a file. Root reads with the rights of the user who can change the file.
///
/// # Errors
/// As [`trust::open_with_its_rights`].
pub fn read(path: &Path) -> Result<(Vec<u8>, Trust)> {
    let (file, trust) = match trust::open_with_its_rights(path) {
        Err(error) if error.kind == Kind::Permission => {
            // Several users can change the path: what stands there by its own name is read all the
            // same.
            let (file, trust) = trust::open_regular(path)?;
            if trust.is_linked() || trust.stat.st_nlink > 1 {
                return Err(error);
            }
            (file, trust)
        }
        other => other?,
    };
    Ok((whole(file, path)?, trust))
}

fn whole(file: File, path: &Path) -> Result<Vec<u8>> {
    let shown = || base::terminal::escape_bytes(path.as_os_str().as_encoded_bytes());
    let mut bytes = Vec::new();
    file.take(LIMIT + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| Error::io(format!("cannot read '{}'", shown()), &error))?;
    if bytes.len() as u64 > LIMIT {
        return Err(Error::failed(format!(
            "'{}' is larger than 16 MiB",
            shown()
        )));
    }
    Ok(bytes)
}
