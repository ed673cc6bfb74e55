//! pip's configuration: its files and PIP_* variables, read as pip reads them, for an installer
//! that does not. Where a company's index stands in pip.conf, an installer that ignores the file
//! takes the package of the same name from the public index.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// What pip was told, besides requirements files.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PipConf {
    /// Values by name (`index-url`), the command's own section and variables over `[global]`.
    pub values: BTreeMap<String, String>,
    /// The files that were read.
    pub files: Vec<PathBuf>,
    /// A file that pip would refuse.
    pub broken: Option<String>,
}

/// How an installation's options are set where they do not matter to what is installed.
const HARMLESS: &[&str] = &[
    "disable-pip-version-check",
    "progress-bar",
    "quiet",
    "verbose",
    "log",
    "log-file",
    "no-color",
    "no-input",
    "break-system-packages",
    "cache-dir",
    "no-cache-dir",
    "require-virtualenv",
    "require-venv",
    "root-user-action",
    "no-warn-script-location",
    "warn-script-location",
    "no-warn-conflicts",
    "compile",
    "no-compile",
    "user",
    "use-pep517",
    "no-python-version-warning",
    "exists-action",
    "format",
    "timeout",
    "default-timeout",
    "retries",
    "resume-retries",
    "keyring-provider",
    "config-file",
    "use-feature",
    "use-deprecated",
    "upgrade",
    "upgrade-strategy",
    "src",
    "target",
    "prefix",
    "root",
    "python",
    "dry-run",
    "report",
    "debug",
    "ignore-installed",
    "force-reinstall",
    "download-cache",
    "build",
];

/// What an installer other than pip can be told.
const TRANSLATED: &[&str] = &[
    "index-url",
    "pypi-url",
    "extra-index-url",
    "find-links",
    "no-index",
    "trusted-host",
    "no-binary",
    "only-binary",
    "pre",
    "require-hashes",
    "cert",
    "client-cert",
    "proxy",
];

impl PipConf {
    /// Reads what pip reads in an environment, with these variables.
    pub fn read(prefix: &Path, variables: &[(OsString, OsString)]) -> PipConf {
        let variable = |name: &str| {
            let found = variables.iter().find(|(have, _)| have == name);
            found.map(|(_, value)| value.clone())
        };
        let mut out = PipConf::default();
        let named = variable("PIP_CONFIG_FILE").map(PathBuf::from);
        if named.as_deref() != Some(Path::new("/dev/null")) {
            for file in places(prefix, named.as_deref(), &variable) {
                out.file(&file);
            }
        }
        let mut settings: Vec<(String, String)> = variables
            .iter()
            .filter_map(|(name, value)| {
                let name = name.to_str()?.strip_prefix("PIP_")?;
                Some((normal(name), value.to_str()?.to_owned()))
            })
            .filter(|(name, _)| !["version", "help", "config-file"].contains(&name.as_str()))
            .collect();
        settings.sort();
        for (name, value) in settings {
            out.values.remove(&format!("install.{name}"));
            out.values.insert(name, value);
        }
        out.values.retain(|_, value| !value.trim().is_empty());
        out
    }

    /// One file: `[global]`, then `[install]`, over what earlier files say in the same section.
    fn file(&mut self, path: &Path) {
        let bytes = match pydist::files::read(path, pydist::files::METADATA_LIMIT) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return,
            // pip passes over a file that it may not read in a directory that it may not enter.
            Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => return,
            Err(error) => {
                self.broken = Some(format!(
                    "{}: {}",
                    path.display(),
                    base::error::plain(&error)
                ));
                return;
            }
        };
        self.files.push(path.to_owned());
        let text = String::from_utf8_lossy(&bytes).into_owned();
        match sections(&text) {
            Ok(sections) => {
                for (section, name, value) in sections {
                    // A section of another command means nothing here; the order of sections is
                    // pip's.
                    let key = match section.as_str() {
                        "global" => name,
                        "install" => format!("install.{name}"),
                        _ => continue,
                    };
                    self.values.insert(key, value);
                }
            }
            Err(what) => self.broken = Some(format!("{}: {what}", path.display())),
        }
    }

    /// The value of an option; the section of the command wins over `[global]`, a variable over
    /// both.
    pub fn get(&self, name: &str) -> Option<&str> {
        let own = self.values.get(&format!("install.{name}"));
        let value = own.or_else(|| self.values.get(name));
        value.map(String::as_str)
    }

    /// The words of an option that may stand several times.
    pub fn words(&self, name: &str) -> Vec<&str> {
        self.get(name)
            .map(|value| value.split_whitespace().collect())
            .unwrap_or_default()
    }

    /// Whether a switch is on, as pip reads truth.
    pub fn is_on(&self, name: &str) -> bool {
        let value = self
            .get(name)
            .unwrap_or_default()
            .trim()
            .to_ascii_lowercase();
        ["y", "yes", "t", "true", "on", "1"].contains(&value.as_str())
    }

    /// What only pip itself can do.
    pub fn only_pip(&self) -> Option<String> {
        if let Some(broken) = &self.broken {
            return Some(broken.clone());
        }
        let names = self
            .values
            .keys()
            .map(|key| key.strip_prefix("install.").unwrap_or(key));
        let unknown = names
            .into_iter()
            .find(|name| !HARMLESS.contains(name) && !TRANSLATED.contains(name))?;
        Some(format!("pip's configuration sets '{unknown}'"))
    }
}

/// pip's order: for the whole host, of the user, of the environment, and the one that is named.
fn places(
    prefix: &Path,
    named: Option<&Path>,
    variable: &dyn Fn(&str) -> Option<OsString>,
) -> Vec<PathBuf> {
    let dirs = variable("XDG_CONFIG_DIRS").filter(|dirs| !dirs.is_empty());
    let dirs = dirs.unwrap_or_else(|| "/etc/xdg".into());
    let mut out: Vec<PathBuf> = std::env::split_paths(&dirs)
        .map(|dir| dir.join("pip/pip.conf"))
        .collect();
    out.push("/etc/pip.conf".into());
    if !named.is_some_and(Path::exists) {
        if let Some(home) = variable("HOME").map(PathBuf::from) {
            out.push(home.join(".pip/pip.conf"));
            let config = variable("XDG_CONFIG_HOME").filter(|dir| !dir.is_empty());
            let config = config.map_or_else(|| home.join(".config"), PathBuf::from);
            out.push(config.join("pip/pip.conf"));
        }
    }
    out.push(prefix.join("pip.conf"));
    out.extend(named.map(Path::to_owned));
    out
}

/// `PIP_EXTRA_INDEX_URL`, `extra_index_url` and `--extra-index-url` are one name.
fn normal(name: &str) -> String {
    let name = name.to_ascii_lowercase().replace('_', "-");
    name.strip_prefix("--").unwrap_or(&name).to_owned()
}

/// Python's RawConfigParser: sections, `=` or `:`, whole-line comments, values that go on in lines
/// that begin with space.
fn sections(text: &str) -> Result<Vec<(String, String, String)>, String> {
    let mut out: Vec<(String, String, String)> = Vec::new();
    let mut section: Option<String> = None;
    let mut open = false;
    for (index, line) in text.lines().enumerate() {
        let bare = line.trim();
        if bare.starts_with(['#', ';']) {
            continue;
        }
        if bare.is_empty() {
            // An empty line belongs to the value that it stands in.
            continue;
        }
        if line.starts_with([' ', '\t']) && open {
            if let Some((_, _, value)) = out.last_mut() {
                value.push('\n');
                value.push_str(bare);
                continue;
            }
        }
        if let Some(name) = bare
            .strip_prefix('[')
            .and_then(|rest| rest.strip_suffix(']'))
        {
            section = Some(name.to_owned());
            open = false;
            continue;
        }
        let Some(section) = &section else {
            return Err(format!("line {}: no section before it", index + 1));
        };
        let Some(at) = bare.find(['=', ':']) else {
            return Err(format!(
                "line {}: neither a section nor a setting",
                index + 1
            ));
        };
        let name = normal(bare[..at].trim());
        out.push((section.clone(), name, bare[at + 1..].trim().to_owned()));
        open = true;
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::PipConf;
    use std::ffi::OsString;
    use std::path::Path;

    fn read(dir: &Path, variables: &[(&str, &str)]) -> PipConf {
        let home = dir.join("home").to_string_lossy().into_owned();
        let mut all: Vec<(OsString, OsString)> = vec![
            ("HOME".into(), home.into()),
            ("XDG_CONFIG_DIRS".into(), dir.join("xdg").into()),
        ];
        all.extend(variables.iter().map(|(n, v)| ((*n).into(), (*v).into())));
        PipConf::read(&dir.join("venv"), &all)
    }

    #[test]
    fn files_and_variables_win_in_pip_s_order() {
        let dir = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let path = dir.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        write(
            "xdg/pip/pip.conf",
            "[global]\nindex-url = https://global/\npre = true\n",
        );
        write(
            "home/.config/pip/pip.conf",
            "[global]\nindex_url: https://user/\nextra-index-url =\n    https://a/\n    https://b/\n",
        );
        let conf = read(dir.path(), &[]);
        assert_eq!(conf.get("index-url"), Some("https://user/"));
        assert_eq!(conf.words("extra-index-url"), ["https://a/", "https://b/"]);
        assert!(conf.is_on("pre") && conf.only_pip().is_none());
        write(
            "venv/pip.conf",
            "[install]\n# c\nindex-url = https://venv/\n[list]\nformat = x\n",
        );
        assert_eq!(
            read(dir.path(), &[]).get("index-url"),
            Some("https://venv/")
        );
        let named = dir.path().join("named.conf");
        write("named.conf", "[install]\nindex-url = https://named/\n");
        let conf = read(dir.path(), &[("PIP_CONFIG_FILE", named.to_str().unwrap())]);
        assert_eq!(conf.get("index-url"), Some("https://named/"));
        assert_eq!(conf.get("extra-index-url"), None);
        assert!(
            read(dir.path(), &[("PIP_CONFIG_FILE", "/dev/null")])
                .values
                .is_empty()
        );
        let conf = read(
            dir.path(),
            &[("PIP_PROXY", "http://p"), ("PIP_GLOBAL_OPTION", "x")],
        );
        assert_eq!(conf.get("proxy"), Some("http://p"));
        assert!(conf.only_pip().unwrap().contains("global-option"));
        let conf = read(dir.path(), &[("PIP_INDEX_URL", "https://variable/")]);
        assert_eq!(conf.get("index-url"), Some("https://variable/"));
        write("venv/pip.conf", "index-url = https://venv/\n");
        assert!(read(dir.path(), &[]).only_pip().unwrap().contains("line 1"));
    }
}
