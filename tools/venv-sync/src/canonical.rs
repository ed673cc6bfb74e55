//! What was read, written again in the one form that every installer understands: absolute paths,
//! markers already decided, indexes and hashes in place, as pip means them. And why an installer
//! other than pip cannot do it.

use pydist::marker::MarkerValues;

use crate::pipconf::PipConf;
use crate::requirements::link::Link;
use crate::requirements::options::Name;
use crate::requirements::{Requirements, Wanted};

/// One call of an installer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Batch {
    /// The requirements file.
    pub requirements: String,
    /// Whether every archive has to have a hash.
    pub hashes: bool,
}

/// The whole input of an installer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Canonical {
    /// The calls, in order.
    pub batches: Vec<Batch>,
    /// The constraints file.
    pub constraints: String,
    /// Whether several indexes are searched for the best version, as pip does.
    pub several_indexes: bool,
    /// Hosts whose certificates are not checked.
    pub trusted: Vec<String>,
    /// Whether pre-releases count.
    pub pre: bool,
}

/// What an installation adds to the files: `name==version` of distributions that are kept.
pub type Additions = [String];

/// Why uv cannot do what the files and pip's configuration ask for, as pip means it.
pub fn not_for_uv(
    requirements: &Requirements,
    values: &MarkerValues,
    conf: &PipConf,
) -> Option<String> {
    if let Some(why) = conf.only_pip() {
        return Some(why);
    }
    let option = |name: &Name| {
        matches!(
            name,
            Name::PreferBinary | Name::Feature | Name::GlobalOption | Name::ConfigSetting
        )
    };
    if let Some((name, _)) = requirements.options.iter().find(|(name, _)| option(name)) {
        return Some(format!("the files use {}", name.long()));
    }
    let counting = requirements
        .wanted
        .iter()
        .filter(|wanted| wanted.counts(values));
    counting.into_iter().find_map(of_requirement)
}

fn of_requirement(wanted: &Wanted) -> Option<String> {
    let origin = &wanted.origin;
    if let Some(option) = wanted.pip_only.first() {
        return Some(format!("{origin} uses {option}"));
    }
    if wanted.specifiers.to_string().contains("===") {
        return Some(format!("{origin} compares with ==="));
    }
    let link = wanted.link.as_ref()?;
    match link.vcs() {
        Some("git") if wanted.editable => {
            return Some(format!("{origin} is an editable repository"));
        }
        Some("git") if !link.url.starts_with("git+") => {
            return Some(format!("{origin} is a git: address"));
        }
        Some("git") => return None,
        Some(other) => return Some(format!("{origin} is in {other}")),
        None => {}
    }
    const ARCHIVES: [&str; 6] = [".whl", ".zip", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz"];
    let path = link.url.split(['#', '?']).next().unwrap_or_default();
    let is_archive = crate::requirements::link::is_archive(std::path::Path::new(path));
    if is_archive && !ARCHIVES.iter().any(|end| path.ends_with(end)) {
        return Some(format!("{origin} is an archive that only pip unpacks"));
    }
    link.url
        .starts_with("ftp:")
        .then(|| format!("{origin} is an ftp address"))
}

/// Writes the files again. `conf` is pip's configuration, for an installer that does not read it.
pub fn write(
    requirements: &Requirements,
    values: &MarkerValues,
    conf: Option<&PipConf>,
    additions: &Additions,
) -> Canonical {
    let mut out = Canonical::default();
    let indexes = Indexes::of(requirements, conf);
    let head = indexes.head();
    out.several_indexes = !indexes.extra.is_empty();
    out.trusted = indexes.trusted;
    out.pre = requirements
        .options
        .iter()
        .any(|(name, _)| *name == Name::Pre)
        || conf.is_some_and(|conf| conf.is_on("pre"));
    let hashes =
        requirements.needs_hashes() || conf.is_some_and(|conf| conf.is_on("require-hashes"));
    let (mut hashed, mut plain) = (String::new(), String::new());
    for wanted in requirements
        .wanted
        .iter()
        .filter(|wanted| wanted.counts(values))
    {
        let text = line(wanted);
        if wanted.constraint {
            out.constraints.push_str(&text);
        } else if requirements.lock_file && wanted.hashes.is_empty() {
            // A lock file names a commit or a directory, which has no hash.
            plain.push_str(&text);
        } else {
            hashed.push_str(&text);
        }
    }
    // What is kept from the old environment has no hash in the files.
    for addition in additions {
        plain.push_str(addition);
        plain.push('\n');
    }
    if !hashes {
        hashed.push_str(&plain);
        plain.clear();
    }
    for (text, hashes) in [(hashed, hashes), (plain, false)] {
        if !text.is_empty() {
            out.batches.push(Batch {
                requirements: format!("{head}{text}"),
                hashes,
            });
        }
    }
    out
}

/// A requirement in one line.
fn line(wanted: &Wanted) -> String {
    let extras = match wanted.extras.is_empty() {
        true => String::new(),
        false => format!("[{}]", wanted.extras.join(",")),
    };
    let mut out = match (&wanted.link, &wanted.key) {
        (Some(link), _) if wanted.editable && link.vcs().is_none() => {
            format!("-e {}{extras}", without_egg(link))
        }
        (Some(link), _) if wanted.editable => format!("-e {}", link.url),
        (Some(link), Some(key)) => format!("{key}{extras} @ {}", without_egg(link)),
        (Some(link), None) => format!("{}{extras}", without_egg(link)),
        (None, Some(key)) => format!("{key}{extras}{}", wanted.specifiers),
        (None, None) => wanted.text.clone(),
    };
    for hash in &wanted.hashes {
        out.push_str(&format!(" --hash={hash}"));
    }
    out.push('\n');
    out
}

/// The address without `egg=`, which names what the line names already.
fn without_egg(link: &Link) -> String {
    let Some((url, fragment)) = link.url.split_once('#') else {
        return link.url.clone();
    };
    let parts: Vec<&str> = fragment
        .split('&')
        .filter(|part| !part.starts_with("egg=") && !part.is_empty())
        .collect();
    match parts.is_empty() {
        true => url.to_owned(),
        false => format!("{url}#{}", parts.join("&")),
    }
}

/// Where distributions are looked for, worked out as pip does: configuration first, then the files
/// line by line.
#[derive(Default)]
struct Indexes {
    /// The index, and whether anything named one.
    main: Option<String>,
    extra: Vec<String>,
    links: Vec<String>,
    none: bool,
    formats: Vec<(Name, String)>,
    trusted: Vec<String>,
}

impl Indexes {
    fn of(requirements: &Requirements, conf: Option<&PipConf>) -> Indexes {
        let mut out = Indexes::default();
        if let Some(conf) = conf {
            out.configured(conf);
        }
        for (name, value) in &requirements.options {
            match name {
                Name::Index => {
                    out.main = Some(value.clone());
                    out.extra.clear();
                    out.none = false;
                }
                Name::NoIndex => {
                    out.main = None;
                    out.extra.clear();
                    out.none = true;
                }
                Name::ExtraIndex if out.main.is_none() && out.none => {
                    out.main = Some(value.clone());
                    out.none = false;
                }
                Name::ExtraIndex => out.extra.push(value.clone()),
                Name::FindLinks => out.links.push(value.clone()),
                Name::TrustedHost => out.trusted.push(value.clone()),
                Name::NoBinary | Name::OnlyBinary => out.formats.push((*name, value.clone())),
                _ => {}
            }
        }
        out
    }

    fn configured(&mut self, conf: &PipConf) {
        let words = |name: &str| -> Vec<String> {
            conf.words(name).into_iter().map(str::to_owned).collect()
        };
        self.main = conf
            .get("index-url")
            .or(conf.get("pypi-url"))
            .map(|url| url.trim().to_owned());
        self.extra = words("extra-index-url");
        self.links = words("find-links");
        self.trusted = words("trusted-host");
        self.none = conf.is_on("no-index");
        if self.none {
            self.main = None;
            self.extra.clear();
        }
        for (name, key) in [
            (Name::NoBinary, "no-binary"),
            (Name::OnlyBinary, "only-binary"),
        ] {
            let values = conf.get(key).unwrap_or_default();
            let values = values.split(|c: char| c == ',' || c.is_whitespace());
            let given = values.filter(|value| !value.is_empty());
            self.formats
                .extend(given.map(|value| (name, value.to_owned())));
        }
    }

    fn head(&self) -> String {
        let mut out = String::new();
        let mut option = |name: Name, value: &str| {
            out.push_str(&format!("{} {value}\n", name.long()));
        };
        if let Some(main) = &self.main {
            option(Name::Index, main);
        }
        for extra in &self.extra {
            option(Name::ExtraIndex, extra);
        }
        for links in &self.links {
            option(Name::FindLinks, links);
        }
        for (name, value) in &self.formats {
            for value in value.split(',').filter(|value| !value.is_empty()) {
                option(*name, value);
            }
        }
        if self.none {
            out.push_str("--no-index\n");
        }
        out
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::{not_for_uv, write};
    use crate::pipconf::PipConf;
    use crate::requirements::{Reader, Requirements};
    use pydist::PythonVersion;
    use pydist::marker::MarkerValues;

    fn read(dir: &std::path::Path, text: &str) -> Requirements {
        let path = dir.join("r.txt");
        std::fs::write(&path, text).unwrap();
        let variable = |name: &str| (name == "NAME").then(|| "six".to_owned());
        let reader = Reader {
            cwd: dir,
            extras: &[],
            groups: &[],
            variable: &variable,
        };
        reader.read(&[path], &[]).unwrap()
    }

    fn values() -> MarkerValues {
        MarkerValues::of_host(PythonVersion::parse("3.11.2").unwrap(), "CPython")
    }

    #[test]
    fn what_only_pip_reads_is_written_for_everybody() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("app")).unwrap();
        std::fs::write(dir.path().join("app/setup.py"), "").unwrap();
        let app = format!(
            "file://{}/app",
            dir.path().canonicalize().unwrap().display()
        );
        let table = [
            ("a==1;\n", "a==1\n".to_owned()),
            ("${NAME}==1\n", "six==1\n".to_owned()),
            (
                "a==1 \\\r\n  --hash=sha256:aa\r\n",
                "a==1 --hash=sha256:aa\n".to_owned(),
            ),
            ("b>=1 ; python_version < '3'\nc\n", "c\n".to_owned()),
            ("-e./app\n", format!("-e {app}\n")),
            ("-e file:app\n", format!("-e {app}\n")),
            ("site @ file:app\n", format!("site @ {app}\n")),
            (
                "-i https://one/\n-i https://two/\na\n",
                "--index-url https://two/\na\n".to_owned(),
            ),
            (
                "git+https://h/c.git@v1#egg=C\n",
                "c @ git+https://h/c.git@v1\n".to_owned(),
            ),
            ("A[x,Y_z] >= 1, <2\n", "a[x,y-z]>=1,<2\n".to_owned()),
            (
                "--no-binary a,b\na\n",
                "--no-binary a\n--no-binary b\na\n".to_owned(),
            ),
        ];
        for (text, expected) in table {
            let requirements = read(dir.path(), text);
            let written = write(&requirements, &values(), Some(&PipConf::default()), &[]);
            let shown = written.batches[0].requirements.clone();
            assert_eq!(shown, expected, "{text:?}");
            assert_eq!(written.batches[0].hashes, text.contains("--hash"));
            let why = not_for_uv(&requirements, &values(), &PipConf::default());
            assert_eq!(why, None, "{text}");
        }
        for text in [
            "-e git+https://h/c.git#egg=c\n",
            "a===1\n",
            "a --global-option=x\n",
            "a -C x=y\n",
            "hg+https://h/c#egg=c\n",
            "--prefer-binary\na\n",
        ] {
            let requirements = read(dir.path(), text);
            let why = not_for_uv(&requirements, &values(), &PipConf::default());
            assert!(why.is_some(), "{text}");
        }
    }

    #[test]
    fn one_hash_means_that_everything_needs_a_hash() {
        let dir = tempfile::tempdir().unwrap();
        let requirements = read(dir.path(), "a==1 --hash=sha256:aa\nb==2\n");
        let additions = ["gunicorn==20".to_owned()];
        let written = write(&requirements, &values(), None, &additions);
        assert_eq!(written.batches.len(), 2);
        assert!(written.batches[0].hashes && written.batches[0].requirements.contains("b==2"));
        assert!(!written.batches[1].hashes);
    }
}
