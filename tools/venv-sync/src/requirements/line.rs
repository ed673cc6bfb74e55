//! What one line asks for, beyond PEP 508: pip's own kinds of requirement.
//!
//! A URL, a path to a directory or an archive, a wheel's file name, an editable. Whether a word is
//! a path is a question to the file system, as it is for pip: `./foo` is one if it is there.

use std::path::Path;

use pydist::marker::Marker;
use pydist::name;
use pydist::requirement::Requirement;
use pydist::specifier::Specifiers;

use super::link::{self, Link};
use super::model::{Origin, Reader, Wanted};

impl Reader<'_> {
    /// Reads a requirement line without its options.
    pub(super) fn requirement(&self, line: &str) -> Result<Wanted, String> {
        // pip cuts at the first semicolon before it reads anything else; in a URL it must be
        // followed by a space.
        let separator = if Link::from_url(line).is_some() {
            "; "
        } else {
            ";"
        };
        let (text, marker) = line.split_once(separator).unwrap_or((line, ""));
        let marker = match marker.trim() {
            "" => None,
            marker => Some(Marker::parse(marker)?),
        };
        let text = text.trim();
        let mut wanted = if let Some(link) = Link::from_url(text) {
            linked(link, text, &[])?
        } else if let Some((link, extras)) = self.path(text)? {
            linked(link, text, &extras)?
        } else {
            named(text)?
        };
        if let Some(marker) = marker {
            wanted.marker = Some(marker);
        }
        self.settle(&mut wanted);
        Ok(wanted)
    }

    /// `file:.` and `file:sub/dir` count from the working directory, as pip-compile writes them.
    fn settle(&self, wanted: &mut Wanted) {
        let Some(link) = &mut wanted.link else {
            return;
        };
        if !link.is_file() || link.url["file:".len()..].starts_with('/') {
            return;
        }
        let (path, fragment) = match link.url["file:".len()..].split_once('#') {
            Some((path, fragment)) => (path, format!("#{fragment}")),
            None => (&link.url["file:".len()..], String::new()),
        };
        let path = link::decode_percent(path);
        let url = Link::from_path(Path::new(&path), self.cwd).url;
        link.url = format!("{url}{fragment}");
    }

    /// Reads what stands behind `-e`.
    pub(super) fn editable(&self, text: &str) -> Result<Wanted, String> {
        let direct = Requirement::parse(text).ok().filter(|r| r.url.is_some());
        let mut wanted = match direct {
            Some(requirement) => of_requirement(requirement, text),
            None => {
                let (path, extras) = without_extras(text);
                if Path::new(&self.cwd.join(path)).is_dir() {
                    let extras = extras_of(extras)?;
                    linked(Link::from_path(Path::new(path), self.cwd), text, &extras)?
                } else if text
                    .get(..5)
                    .is_some_and(|s| s.eq_ignore_ascii_case("file:"))
                {
                    let link = Link {
                        url: path.to_owned(),
                    };
                    linked(link, text, &extras_of(extras)?)?
                } else {
                    linked(
                        Link {
                            url: with_vcs(text),
                        },
                        text,
                        &[],
                    )?
                }
            }
        };
        let link = wanted.link.as_ref();
        if !link.is_some_and(|link| link.is_file() || link.vcs().is_some()) {
            return Err(format!(
                "'{text}' cannot be editable: neither a local directory nor a repository (git+https://…)"
            ));
        }
        if wanted.key.is_none() && !link.is_some_and(Link::is_file) {
            return Err(format!("'{text}' has no name; write NAME @ {text}"));
        }
        self.settle(&mut wanted);
        wanted.editable = true;
        Ok(wanted)
    }

    /// The link of a word that is a path here.
    fn path(&self, text: &str) -> Result<Option<(Link, Vec<String>)>, String> {
        let (word, extras) = without_extras(text);
        let path = link::absolute(Path::new(word), self.cwd);
        let looks = |text: &str| text.contains('/') || text.starts_with('.');
        if looks(text) && path.is_dir() {
            let installable = ["setup.py", "pyproject.toml"];
            if !installable.iter().any(|name| path.join(name).is_file()) {
                return Err(format!(
                    "{} cannot be installed: the directory has neither pyproject.toml nor setup.py",
                    path.display()
                ));
            }
        } else if !link::is_archive(&path) {
            return Ok(None);
        } else if !path.is_file() {
            let before = text.split_once('@').map(|(before, _)| before);
            if before.is_some_and(|before| !looks(before)) {
                return Ok(None);
            }
        }
        Ok(Some((Link::from_path(&path, self.cwd), extras_of(extras)?)))
    }
}

/// `-e git:…` is `git+git:…` to pip.
fn with_vcs(text: &str) -> String {
    let vcs = ["git", "hg", "svn", "bzr"];
    let bare = vcs.iter().find(|vcs| {
        let scheme = text.get(..vcs.len() + 1);
        scheme.is_some_and(|s| s.eq_ignore_ascii_case(&format!("{vcs}:")))
    });
    bare.map_or_else(|| text.to_owned(), |vcs| format!("{vcs}+{text}"))
}

/// `path[extra]` to its two parts.
fn without_extras(text: &str) -> (&str, &str) {
    let open = text.strip_suffix(']').and_then(|inner| inner.rfind('['));
    match open.filter(|at| *at > 0 && *at + 2 < text.len()) {
        Some(at) => (text[..at].trim_end(), &text[at..]),
        None => (text, ""),
    }
}

fn extras_of(list: &str) -> Result<Vec<String>, String> {
    Ok(Requirement::parse(&format!("x{list}"))?.extras)
}

/// A requirement that is a link: named by a wheel's file name or by `#egg=`.
fn linked(link: Link, text: &str, extras: &[String]) -> Result<Wanted, String> {
    if link.is_wheel() && link.wheel().is_none() {
        return Err(format!("'{text}' is not the name of a wheel"));
    }
    let mut wanted = match (link.wheel(), link.fragment("egg")) {
        (Some((name, version)), _) => {
            of_requirement(Requirement::parse(&format!("{name}=={version}"))?, text)
        }
        (None, Some(egg)) => of_requirement(Requirement::parse(egg)?, text),
        (None, None) => Wanted {
            key: None,
            text: text.to_owned(),
            extras: Vec::new(),
            specifiers: Specifiers::default(),
            link: None,
            editable: false,
            marker: None,
            hashes: Vec::new(),
            pip_only: Vec::new(),
            constraint: false,
            origin: Origin {
                file: Path::new("").to_owned(),
                line: 0,
            },
        },
    };
    if !extras.is_empty() {
        wanted.extras = extras.to_vec();
    }
    wanted.link = Some(link);
    Ok(wanted)
}

fn named(text: &str) -> Result<Wanted, String> {
    let requirement = Requirement::parse(text)?;
    let wheel = requirement
        .url
        .as_ref()
        .and_then(|url| Link { url: url.clone() }.wheel());
    let mut wanted = of_requirement(requirement, text);
    if let Some((_, version)) = wheel {
        wanted.specifiers = Specifiers::parse(&format!("=={version}"))?;
    }
    Ok(wanted)
}

fn of_requirement(requirement: Requirement, text: &str) -> Wanted {
    Wanted {
        key: Some(name::normalize(&requirement.name)),
        text: text.to_owned(),
        extras: requirement.extras,
        specifiers: requirement.specifiers,
        link: requirement.url.map(|url| Link { url }),
        editable: false,
        marker: requirement.marker,
        hashes: Vec::new(),
        pip_only: Vec::new(),
        constraint: false,
        origin: Origin {
            file: Path::new("").to_owned(),
            line: 0,
        },
    }
}
