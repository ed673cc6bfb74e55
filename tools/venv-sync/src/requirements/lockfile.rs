//! Lock files. `pylock.toml` (PEP 751) is a second form of input, read into the same requirements;
//! of the others the error names the command that exports one of the two.

use std::collections::BTreeMap;
use std::path::Path;

use pydist::marker::Marker;
use pydist::name::normalize;
use pydist::specifier::Specifiers;
use serde::Deserialize;

use super::link::Link;
use super::model::{Origin, Problem, Reader, Requirements, Wanted, content, note_input};
use super::options::Name;

/// Whether a file's name says that it is a lock file by PEP 751: `pylock.toml`, `pylock.NAME.toml`.
pub fn is_pylock(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let Some(middle) = name
        .strip_prefix("pylock.")
        .and_then(|rest| rest.strip_suffix("toml"))
    else {
        return false;
    };
    middle.is_empty() || middle.ends_with('.') && !middle[..middle.len() - 1].contains('.')
}

/// What to do with a lock file or a project file of another tool.
pub fn other(path: &Path) -> Option<Problem> {
    const TABLE: [(&str, &str, &str); 8] = [
        (
            "uv.lock",
            "uv's lock file",
            "uv export --frozen --no-emit-project --format pylock.toml -o pylock.toml",
        ),
        (
            "poetry.lock",
            "Poetry's lock file",
            "poetry export --format requirements.txt --output requirements.txt (plug-in poetry-plugin-export)",
        ),
        (
            "Pipfile.lock",
            "Pipenv's lock file",
            "pipenv requirements --hash > requirements.txt",
        ),
        (
            "Pipfile",
            "Pipenv's project file",
            "pipenv lock && pipenv requirements --hash > requirements.txt",
        ),
        (
            "pdm.lock",
            "PDM's lock file",
            "pdm export --prod --format requirements --output requirements.txt",
        ),
        (
            "pyproject.toml",
            "a project file, which locks nothing",
            "uv pip compile --generate-hashes pyproject.toml -o requirements.txt, or pip-compile --generate-hashes -o requirements.txt pyproject.toml",
        ),
        (
            "environment.yml",
            "conda's environment file",
            "pip list --format freeze > requirements.txt, in the environment",
        ),
        (
            "conda-lock.yml",
            "conda's lock file",
            "pip list --format freeze > requirements.txt, in the environment",
        ),
    ];
    let name = path.file_name()?.to_str()?;
    let (_, what, command) = TABLE.iter().find(|(have, ..)| *have == name)?;
    let message = format!(
        "{}: is {what}, which venv-sync does not read",
        path.display()
    );
    Some(Problem::new(message).hint(format!("export the file and name the result: {command}")))
}

/// The parts of a `pylock.toml` that an installation needs. Keys that it does not know are left
/// alone, as the standard asks.
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Lock {
    lock_version: String,
    #[serde(default)]
    environments: Vec<String>,
    requires_python: Option<String>,
    #[serde(default)]
    extras: Vec<String>,
    #[serde(default)]
    dependency_groups: Vec<String>,
    #[serde(default)]
    default_groups: Vec<String>,
    #[serde(default)]
    packages: Vec<Package>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Package {
    name: toml::Spanned<String>,
    version: Option<String>,
    marker: Option<String>,
    requires_python: Option<String>,
    index: Option<String>,
    vcs: Option<Vcs>,
    directory: Option<Directory>,
    archive: Option<File>,
    sdist: Option<File>,
    #[serde(default)]
    wheels: Vec<File>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Vcs {
    #[serde(rename = "type")]
    kind: String,
    url: Option<String>,
    path: Option<String>,
    commit_id: String,
    subdirectory: Option<String>,
}

#[derive(Deserialize)]
struct Directory {
    path: String,
    #[serde(default)]
    editable: bool,
    subdirectory: Option<String>,
}

#[derive(Deserialize)]
struct File {
    url: Option<String>,
    path: Option<String>,
    subdirectory: Option<String>,
    #[serde(default)]
    hashes: BTreeMap<String, String>,
}

/// Reads a lock file.
pub(super) fn read(
    reader: &Reader<'_>,
    path: &Path,
    out: &mut Requirements,
) -> Result<(), Problem> {
    let bytes = content(path)?;
    note_input(out, path, &bytes);
    let wrong = |what: String| Problem::new(format!("{}: {what}", path.display()));
    let text = String::from_utf8(bytes).map_err(|_| wrong("is not valid UTF-8".to_owned()))?;
    base::source::bounded(&text).map_err(&wrong)?;
    let lock: Lock = toml::from_str(&text).map_err(|error| {
        let line = error
            .span()
            .map_or(1, |span| text[..span.start].matches('\n').count() + 1);
        wrong(format!("line {line}: {}", error.message()))
    })?;
    if lock.lock_version.split('.').next() != Some("1") {
        let message = format!("lock-version '{}' is not 1.x", lock.lock_version);
        return Err(wrong(message).hint("export the lock file again with a tool of this year"));
    }
    asked(&lock, reader, path, out)?;
    out.lock_file = true;
    let dir = super::link::absolute(path.parent().unwrap_or(Path::new("")), reader.cwd);
    for package in &lock.packages {
        let line = text[..package.name.span().start].matches('\n').count() + 1;
        let origin = Origin {
            file: path.to_owned(),
            line,
        };
        let wanted = package
            .wanted(&dir, origin.clone(), out)
            .map_err(|what| Problem::at(&origin, what))?;
        out.addresses
            .extend(wanted.link.iter().map(|link| link.url.clone()));
        out.wanted.push(wanted);
    }
    environment(&lock, path, out)
}

/// Extras and groups: those that the caller names must be in the file; the file's default groups
/// count.
fn asked(
    lock: &Lock,
    reader: &Reader<'_>,
    path: &Path,
    out: &mut Requirements,
) -> Result<(), Problem> {
    let check = |what: &str, asked: &[String], known: &[String]| {
        let known: Vec<String> = known.iter().map(|name| normalize(name)).collect();
        match asked.iter().find(|name| !known.contains(&normalize(name))) {
            None => Ok(()),
            Some(name) => Err(
                Problem::new(format!("{}: has no {what} '{name}'", path.display())).hint(
                    match known.len() {
                        0 => format!("the file has no {what} at all"),
                        _ => format!("it has: {}", known.join(", ")),
                    },
                ),
            ),
        }
    };
    check("extra", reader.extras, &lock.extras)?;
    check("dependency group", reader.groups, &lock.dependency_groups)?;
    out.extras = reader.extras.iter().map(|name| normalize(name)).collect();
    let groups = reader.groups.iter().chain(&lock.default_groups);
    out.groups = groups.map(|name| normalize(name)).collect();
    Ok(())
}

/// The Pythons and systems that the file is for, checked when the environment is known.
fn environment(lock: &Lock, path: &Path, out: &mut Requirements) -> Result<(), Problem> {
    let wrong = |what: String| Problem::new(format!("{}: {what}", path.display()));
    if let Some(required) = &lock.requires_python {
        out.requires_python = Some(Specifiers::parse(required).map_err(wrong)?);
    }
    for marker in &lock.environments {
        let marker = Marker::parse(marker).map_err(wrong)?;
        out.environments.push(marker);
    }
    Ok(())
}

impl Package {
    fn wanted(&self, dir: &Path, origin: Origin, out: &mut Requirements) -> Result<Wanted, String> {
        let name = self.name.get_ref();
        if !pydist::name::is_valid(name) {
            return Err(format!("'{name}' is not the name of a distribution"));
        }
        let sources = [
            self.vcs.is_some(),
            self.directory.is_some(),
            self.archive.is_some(),
            self.sdist.is_some() || !self.wheels.is_empty(),
        ];
        if sources.iter().filter(|there| **there).count() != 1 {
            return Err(format!(
                "{name}: exactly one of vcs, directory, archive, or sdist and wheels is needed"
            ));
        }
        let mut wanted = Wanted {
            key: Some(normalize(name)),
            text: match &self.version {
                Some(version) => format!("{name}=={version}"),
                None => name.clone(),
            },
            extras: Vec::new(),
            specifiers: Specifiers::default(),
            link: None,
            editable: false,
            marker: self.marker.as_deref().map(Marker::parse).transpose()?,
            hashes: Vec::new(),
            pip_only: Vec::new(),
            constraint: false,
            origin,
        };
        if let Some(required) = &self.requires_python {
            wanted.requires_python(required)?;
        }
        if let Some(vcs) = &self.vcs {
            wanted.link = Some(vcs.link(dir)?);
        } else if let Some(directory) = &self.directory {
            wanted.editable = directory.editable;
            let mut link = Link::from_path(Path::new(&directory.path), dir);
            if let Some(subdirectory) = &directory.subdirectory {
                link = Link::from_path(&Path::new(&directory.path).join(subdirectory), dir);
            }
            wanted.link = Some(link);
        } else if let Some(archive) = &self.archive {
            let mut link = archive.link(dir)?;
            let mut parts: Vec<String> = archive
                .strong_hashes()?
                .iter()
                .take(1)
                .map(|hash| hash.replacen(':', "=", 1))
                .collect();
            if let Some(subdirectory) = &archive.subdirectory {
                parts.push(format!("subdirectory={subdirectory}"));
            }
            link.url.push('#');
            link.url.push_str(&parts.join("&"));
            wanted.link = Some(link);
            wanted.hashes = archive.strong_hashes()?;
        } else {
            self.add_archives(&mut wanted, dir, out)?;
        }
        Ok(wanted)
    }

    /// A version from an index: the hashes say which archives will do.
    fn add_archives(
        &self,
        wanted: &mut Wanted,
        dir: &Path,
        out: &mut Requirements,
    ) -> Result<(), String> {
        let name = self.name.get_ref();
        let version = self
            .version
            .as_ref()
            .ok_or_else(|| format!("{name}: sdist and wheels need a version"))?;
        wanted.specifiers = Specifiers::parse(&format!("=={version}"))?;
        for file in self.wheels.iter().chain(&self.sdist) {
            wanted.hashes.extend(file.strong_hashes()?);
            if let Some(path) = &file.path {
                let place = super::link::absolute(Path::new(path), dir);
                let place = place.parent().unwrap_or(dir).to_string_lossy().into_owned();
                let option = (Name::FindLinks, place);
                if !out.options.contains(&option) {
                    out.options.push(option);
                }
            }
        }
        if let Some(index) = &self.index {
            let option = (Name::ExtraIndex, index.clone());
            if !out.options.contains(&option) && !index.starts_with("https://pypi.org/simple") {
                out.options.push(option);
                out.addresses.push(index.clone());
            }
        }
        Ok(())
    }
}

impl Vcs {
    fn link(&self, dir: &Path) -> Result<Link, String> {
        let place = match (&self.url, &self.path) {
            (Some(url), _) => url.clone(),
            (None, Some(path)) => Link::from_path(Path::new(path), dir).url,
            (None, None) => return Err("vcs: url or path is needed".to_owned()),
        };
        let mut url = format!("{}+{place}@{}", self.kind, self.commit_id);
        if let Some(subdirectory) = &self.subdirectory {
            url.push_str(&format!("#subdirectory={subdirectory}"));
        }
        Link::from_url(&url).ok_or_else(|| format!("'{place}' is not the address of a repository"))
    }
}

impl File {
    fn link(&self, dir: &Path) -> Result<Link, String> {
        match (&self.url, &self.path) {
            (Some(url), _) => Link::from_url(url).ok_or_else(|| format!("'{url}' is not a URL")),
            (None, Some(path)) => Ok(Link::from_path(Path::new(path), dir)),
            (None, None) => Err("url or path is needed".to_owned()),
        }
    }

    /// `sha256:…`; a lock file without strong hashes locks nothing.
    fn strong_hashes(&self) -> Result<Vec<String>, String> {
        let strong = |algorithm: &str| ["sha256", "sha384", "sha512"].contains(&algorithm);
        let hashes: Vec<String> = self
            .hashes
            .iter()
            .filter(|(algorithm, _)| strong(algorithm))
            .map(|(algorithm, digest)| format!("{algorithm}:{digest}"))
            .collect();
        match hashes.is_empty() {
            true => Err("an archive has no sha256, sha384 or sha512 hash".to_owned()),
            false => Ok(hashes),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{is_pylock, other};
    use std::path::Path;

    #[test]
    fn a_file_is_known_by_its_name() {
        for (name, is) in [
            ("pylock.toml", true),
            ("deploy/pylock.prod.toml", true),
            ("pylock.a.b.toml", false),
            ("mypylock.toml", false),
            ("pylocktoml", false),
        ] {
            assert_eq!(is_pylock(Path::new(name)), is, "{name}");
        }
        let hint = |name: &str| other(Path::new(name)).and_then(|problem| problem.hint);
        assert!(hint("/srv/uv.lock").is_some_and(|hint| hint.contains("uv export")));
        assert!(hint("poetry.lock").is_some_and(|hint| hint.contains("poetry export")));
        assert!(hint("requirements.txt").is_none());
    }
}
