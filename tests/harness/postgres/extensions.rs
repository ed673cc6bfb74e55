//! The extensions that a test's server sees, which others and the system need not.

use super::Postgres;
use std::fs;
use std::path::PathBuf;

impl Postgres {
    /// Takes an extension's control file out of this server's sight until the guard is dropped.
    #[must_use]
    pub fn hide_extension(&self, name: &str) -> Hidden {
        let file = self.extension_dir().join(format!("{name}.control"));
        let aside = file.with_extension("hidden");
        fs::rename(&file, &aside).expect("the control file is there");
        Hidden { file, aside }
    }

    /// Makes an extension up for this server: its control file, and `(version, SQL)` scripts
    /// (`1.0` installs, `1.0--1.1` updates).
    pub fn add_extension(&self, name: &str, control: &str, scripts: &[(&str, &str)]) {
        let directory = self.extension_dir();
        fs::write(directory.join(format!("{name}.control")), control).expect("a control file");
        for (version, sql) in scripts {
            fs::write(directory.join(format!("{name}--{version}.sql")), sql).expect("a script");
        }
    }
}

/// An extension that the server cannot see just now.
pub struct Hidden {
    file: PathBuf,
    aside: PathBuf,
}

impl Drop for Hidden {
    fn drop(&mut self) {
        fs::rename(&self.aside, &self.file).ok();
    }
}
