//! `--snapshot site`: a first site file (runbook-tools.site(5)), from the processes that run the
//! site's code: where manage.py is, which virtual environment and user they have, and which
//! environment file their systemd unit names.

use crate::accounts;
use crate::programs;
use crate::running::{self, Found};
use base::child::Run;
use base::clock::Deadline;
use base::{Error, Result};
use proc::{Namespace, live};
use serde_json::{Map, Value as Json, json};
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// How far above a process's working directory manage.py is looked for.
const LEVELS: usize = 3;

/// The file names that a site's requirements usually have, the likeliest first.
const REQUIREMENTS: &[&str] = &[
    "requirements.txt",
    "requirements/production.txt",
    "requirements/prod.txt",
    "pylock.toml",
];

/// Directories that say nothing about the site that is in them.
const PLAIN: &[&str] = &[
    "site", "app", "src", "code", "project", "web", "django", "www", "current",
];

/// What the processes of one site show.
#[derive(Debug, Default)]
struct Seen {
    users: BTreeMap<u32, usize>,
    venvs: BTreeSet<PathBuf>,
    units: BTreeSet<String>,
}

/// The site file, as TOML or JSON.
pub fn file(place: Option<&str>, as_json: bool, deadline: Deadline) -> Result<String> {
    let (dir, seen) = chosen(sites()?, place)?;
    let whole = Json::Object(tables(&dir, &seen, deadline));
    let wrong = |error: String| Error::failed(format!("cannot write the site file: {error}"));
    match as_json {
        true => serde_json::to_string_pretty(&whole)
            .map(|text| text + "\n")
            .map_err(|error| wrong(error.to_string())),
        false => toml::to_string(&whole).map_err(|error| wrong(error.to_string())),
    }
}

/// The sites whose code runs, by the directory of manage.py.
fn sites() -> Result<BTreeMap<PathBuf, Seen>> {
    let evidence = running::evidence().map_err(Error::failed)?;
    let mut sites: BTreeMap<PathBuf, Seen> = BTreeMap::new();
    for found in evidence.all() {
        let Some(dir) = directory(&found) else {
            continue;
        };
        let seen = sites.entry(dir).or_default();
        *seen.users.entry(found.view.identity.uid).or_default() += 1;
        seen.venvs.extend(venv(&found));
        seen.units.extend(unit(&found));
    }
    Ok(sites)
}

fn chosen(mut sites: BTreeMap<PathBuf, Seen>, place: Option<&str>) -> Result<(PathBuf, Seen)> {
    let names: Vec<String> = sites
        .keys()
        .map(|dir| format!("'{}'", dir.display()))
        .collect();
    let names = names.join(", ");
    if let Some(place) = place {
        let dir = Path::new(place)
            .canonicalize()
            .map_err(|error| Error::io(format!("'{place}'"), &error))?;
        return sites.remove_entry(&dir).ok_or_else(|| {
            let error = Error::failed(format!("no process runs a Django site in '{place}'"));
            match names.is_empty() {
                true => error.hint(START),
                false => error.hint(format!("sites run in {names}")),
            }
        });
    }
    if sites.len() > 1 {
        return Err(Error::failed(format!("several sites run here: {names}"))
            .hint("name one of them, such as --snapshot site@/srv/site"));
    }
    sites
        .pop_first()
        .ok_or_else(|| Error::failed("no process that runs a Django site can be seen").hint(START))
}

const START: &str = "start the site first, and run the tool as root: only root sees the directories of other users' processes. \
                     mod_wsgi's processes do not show the site's directory: write the site file by hand (runbook-tools.site(5))";

/// Where manage.py is for a process that runs Python or uwsgi: in its working directory, or above.
fn directory(found: &Found) -> Option<PathBuf> {
    if found.view.shares(Namespace::Mount) == Some(false) || !runs_python(found) {
        return None;
    }
    let words = found.view.argv().ok()?;
    let cwd = found.view.cwd().ok()?;
    let named = [
        option(&words, &["--chdir", "--pythonpath"]),
        option(&words, &["--wsgi-file", "--file"]),
    ];
    let named: Vec<PathBuf> = named
        .into_iter()
        .flatten()
        .map(|path| cwd.join(path))
        .collect();
    named
        .iter()
        .chain([&cwd])
        .flat_map(|start| start.ancestors().take(LEVELS))
        .find(|dir| dir.join("manage.py").is_file())
        .and_then(|dir| dir.canonicalize().ok())
}

fn runs_python(found: &Found) -> bool {
    let exe = found.view.exe().ok();
    let name = exe.and_then(|exe| {
        let name = exe.path.file_name()?;
        Some(name.to_string_lossy().into_owned())
    });
    name.is_some_and(|name| {
        ["python", "pypy", "uwsgi", "gunicorn"]
            .iter()
            .any(|start| name.starts_with(start))
    })
}

/// The value of an option: `--chdir DIR` or `--chdir=DIR`.
fn option(words: &[OsString], names: &[&str]) -> Option<PathBuf> {
    let mut words = words.iter().map(|word| word.to_string_lossy());
    while let Some(word) = words.next() {
        if names.contains(&word.as_ref()) {
            return words.next().map(|value| PathBuf::from(value.into_owned()));
        }
        let value = word
            .split_once('=')
            .filter(|(name, _)| names.contains(name))
            .map(|(_, value)| PathBuf::from(value));
        if value.is_some() {
            return value;
        }
    }
    None
}

/// The process's virtual environment: the one that its interpreter or its script is in, or that
/// uwsgi was given.
fn venv(found: &Found) -> Option<PathBuf> {
    let words = found.view.argv().ok()?;
    let is_venv = |dir: &Path| dir.join("pyvenv.cfg").is_file();
    let of_word = |word: &OsString| -> Option<PathBuf> {
        let bin = Path::new(word).parent()?;
        let dir = bin.parent().filter(|dir| dir.is_absolute())?;
        (bin.ends_with("bin") && is_venv(dir)).then(|| dir.to_path_buf())
    };
    let given = || {
        option(
            &words,
            &["-H", "--home", "--virtualenv", "--venv", "--pyhome"],
        )
        .filter(|dir| is_venv(dir))
    };
    let of_variable = || {
        let all = live::environment(found.view.pid())?;
        let (_, value) = all.into_iter().find(|(name, _)| name == "VIRTUAL_ENV")?;
        Some(PathBuf::from(value)).filter(|dir| is_venv(dir))
    };
    words
        .iter()
        .take(2)
        .find_map(of_word)
        .or_else(given)
        .or_else(of_variable)
}

/// The unit of the system's systemd that the process belongs to.
fn unit(found: &Found) -> Option<String> {
    let group = found.view.cgroup().ok().flatten()?;
    let names = group.iter().map(|part| part.to_string_lossy().into_owned());
    let mut services = names.filter(|name| name.ends_with(".service"));
    let unit = services.next()?;
    let is_of_users = unit.starts_with("user@") || unit.starts_with("session-");
    (!is_of_users).then_some(unit)
}

fn tables(dir: &Path, seen: &Seen, deadline: Deadline) -> Map<String, Json> {
    let mut site = Map::new();
    site.insert("name".into(), json!(name(dir)));
    // A master may be root's; its workers are the site's own.
    let user = seen
        .users
        .iter()
        .max_by_key(|(uid, count)| (**uid != 0, **count));
    if let Some((uid, _)) = user {
        site.insert("user".into(), json!(accounts::name_of(*uid)));
    }
    site.insert("dir".into(), json!(dir.display().to_string()));
    if let (1, Some(venv)) = (seen.venvs.len(), seen.venvs.first()) {
        site.insert("venv".into(), json!(venv.display().to_string()));
    }
    let files: BTreeSet<String> = seen
        .units
        .iter()
        .filter_map(|unit| environment_file(unit, deadline))
        .collect();
    if let (1, Some(file)) = (files.len(), files.first()) {
        site.insert("env_file".into(), json!(file));
    }
    let requirements = REQUIREMENTS.iter().map(|name| dir.join(name));
    if let Some(file) = requirements.into_iter().find(|path| path.is_file()) {
        site.insert("requirements".into(), json!([file.display().to_string()]));
    }
    let mut whole = Map::from_iter([("site".to_owned(), Json::Object(site))]);
    if !seen.units.is_empty() {
        let services: Vec<String> = seen
            .units
            .iter()
            .map(|unit| format!("systemd:{unit}"))
            .collect();
        whole.insert("svc-cycle".into(), json!({ "service": services }));
    }
    whole
}

/// A name for the site: its directory's, or that of the first directory above whose name says more.
fn name(dir: &Path) -> String {
    let names = dir.iter().rev().map(|part| clean(&part.to_string_lossy()));
    let mut names = names.filter(|name| !name.is_empty());
    let first = names.next().unwrap_or_else(|| "site".to_owned());
    match PLAIN.contains(&first.as_str()) {
        true => names
            .find(|name| {
                !PLAIN.contains(&name.as_str())
                    && !["srv", "home", "opt", "var"].contains(&name.as_str())
            })
            .unwrap_or(first),
        false => first,
    }
}

/// `[a-z0-9][a-z0-9-]*`.
fn clean(text: &str) -> String {
    let letters = text.chars().map(|c| match c.to_ascii_lowercase() {
        c if c.is_ascii_alphanumeric() => c,
        _ => '-',
    });
    letters.collect::<String>().trim_matches('-').to_owned()
}

/// The one file that the unit reads its environment from, and has to have.
fn environment_file(unit: &str, deadline: Deadline) -> Option<String> {
    let run = Run::argv(&[
        "systemctl",
        "show",
        "--property=EnvironmentFiles",
        "--",
        unit,
    ])
    .clean()
    .env("PATH", programs::SYSTEM_PATH)
    .env("LC_ALL", "C")
    .deadline(deadline)
    .run()
    .ok()?;
    let text = run.success().then(|| run.out())?;
    let mut files = text.lines().filter_map(|line| {
        let value = line.strip_prefix("EnvironmentFiles=")?;
        value.strip_suffix(" (ignore_errors=no)")
    });
    let file = files.next()?.to_owned();
    files.next().is_none().then_some(file)
}

#[cfg(test)]
mod tests {
    use super::{name, option};
    use std::ffi::OsString;
    use std::path::{Path, PathBuf};

    #[test]
    fn a_site_is_called_as_its_directory() {
        for (dir, wanted) in [
            ("/srv/reef", "reef"),
            ("/srv/reef/site", "reef"),
            ("/home/deployer/Tracks_2", "tracks-2"),
            ("/srv/www/app", "app"),
            ("/opt/misago/current/src", "misago"),
        ] {
            assert_eq!(name(Path::new(dir)), wanted, "{dir}");
        }
    }

    #[test]
    fn options_are_read_in_both_forms() {
        let words: Vec<OsString> = ["gunicorn", "--chdir=/srv/a", "--home", "/v", "--chdir"]
            .map(OsString::from)
            .to_vec();
        assert_eq!(option(&words, &["--chdir"]), Some(PathBuf::from("/srv/a")));
        assert_eq!(option(&words, &["-H", "--home"]), Some(PathBuf::from("/v")));
        assert_eq!(option(&words, &["-b"]), None);
    }
}
