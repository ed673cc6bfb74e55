//! Where a requirement must come from: a URL, a repository or a path, in the words of a
//! requirements file; and whether an installed distribution's `direct_url.json` (PEP 610) says
//! that it came from there.

use std::path::{Component, Path, PathBuf};

use serde::Deserialize;

/// What pip takes for a URL: these schemes, and those with a version control's name and a plus.
const SCHEMES: [&str; 4] = ["http", "https", "file", "ftp"];
const VCS_SCHEMES: [&str; 18] = [
    "git",
    "git+http",
    "git+https",
    "git+ssh",
    "git+git",
    "git+file",
    "hg+file",
    "hg+http",
    "hg+https",
    "hg+ssh",
    "hg+static-http",
    "svn+ssh",
    "svn+http",
    "svn+https",
    "svn+svn",
    "svn+file",
    "bzr+http",
    "bzr+https",
];
const ARCHIVES: [&str; 11] = [
    ".whl", ".zip", ".tar.gz", ".tgz", ".tar", ".tar.bz2", ".tbz", ".tar.xz", ".txz", ".tlz",
    ".tar.lz",
];

/// A URL that a requirement names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// The whole, as written or made from a path.
    pub url: String,
}

impl Link {
    /// Takes `text` as a link if it is a URL as pip sees it.
    pub fn from_url(text: &str) -> Option<Link> {
        let (scheme, _) = text.split_once(':')?;
        let scheme = scheme.to_ascii_lowercase();
        let known = SCHEMES.contains(&scheme.as_str()) || VCS_SCHEMES.contains(&scheme.as_str());
        known.then(|| Link {
            url: text.to_owned(),
        })
    }

    /// The `file:` URL of a path, which is made absolute from `cwd`.
    pub fn from_path(path: &Path, cwd: &Path) -> Link {
        let path = absolute(path, cwd);
        let mut url = "file://".to_owned();
        for byte in path.as_os_str().as_encoded_bytes() {
            if byte.is_ascii_alphanumeric() || b"/-_.~".contains(byte) {
                url.push(char::from(*byte));
            } else {
                url.push_str(&format!("%{byte:02X}"));
            }
        }
        Link { url }
    }

    /// The version control of `git+https://…`.
    pub fn vcs(&self) -> Option<&str> {
        let scheme = self.url.split(':').next()?;
        match scheme.split_once('+') {
            Some((vcs, _)) => Some(vcs),
            None => (scheme == "git").then_some("git"),
        }
    }

    /// A part of the fragment: `egg`, `subdirectory`, `sha256`.
    pub fn fragment(&self, key: &str) -> Option<&str> {
        let (_, fragment) = self.url.split_once('#')?;
        let mut parts = fragment.split('&').filter_map(|part| part.split_once('='));
        parts.find(|(have, _)| *have == key).map(|(_, value)| value)
    }

    /// Whether it is a `file:` URL.
    pub fn is_file(&self) -> bool {
        self.url
            .get(..5)
            .is_some_and(|scheme| scheme.eq_ignore_ascii_case("file:"))
    }

    /// Whether it ends as a wheel does.
    pub fn is_wheel(&self) -> bool {
        self.url
            .split(['#', '?'])
            .next()
            .is_some_and(|path| path.ends_with(".whl"))
    }

    /// The name and version in the file name of a wheel.
    pub fn wheel(&self) -> Option<(String, String)> {
        let path = self.url.split(['#', '?']).next()?;
        let stem = path.rsplit('/').next()?.strip_suffix(".whl")?;
        let stem = decode_percent(stem);
        let parts: Vec<&str> = stem.split('-').collect();
        match parts[..] {
            [name, version, _, _, _] | [name, version, _, _, _, _] => {
                Some((name.to_owned(), version.replace('_', "-")))
            }
            _ => None,
        }
    }

    /// Whether a distribution with this `direct_url.json` came from here. `editable` is whether
    /// the requirement asks for that, `prefix` where an editable repository is checked out.
    pub fn matches(&self, have: &DirectUrl, editable: bool, prefix: &Path) -> bool {
        let is_editable = have.dir_info.as_ref().is_some_and(|dir| dir.editable);
        if editable != is_editable {
            return false;
        }
        let (wanted, revision) = self.without_decoration();
        let subdirectory = self.fragment("subdirectory");
        if let Some(vcs) = self.vcs() {
            if editable {
                return is_cloned(have, revision.as_deref(), prefix);
            }
            let Some(info) = &have.vcs_info else {
                return false;
            };
            return info.vcs == vcs
                && same_place(&wanted, &have.url)
                && subdirectory == have.subdirectory.as_deref()
                && revision.is_none_or(|revision| info.is_at(&revision));
        }
        same_place(&wanted, &have.url)
            && (have.dir_info.is_some() || subdirectory == have.subdirectory.as_deref())
            && self.hashes_agree(have)
    }

    fn hashes_agree(&self, have: &DirectUrl) -> bool {
        ["sha256", "sha384", "sha512"].iter().all(|algorithm| {
            match (self.fragment(algorithm), have.hash(algorithm)) {
                (Some(wanted), Some(have)) => wanted.eq_ignore_ascii_case(&have),
                _ => true,
            }
        })
    }

    /// The URL without `git+`, credentials and fragment, and the revision behind the last `@`.
    fn without_decoration(&self) -> (String, Option<String>) {
        let mut url = self.url.split('#').next().unwrap_or_default().to_owned();
        let mut revision = None;
        if self.vcs().is_some() {
            if let Some((_, rest)) = url.split_once('+') {
                url = rest.to_owned();
            }
            let path = url.find("://").map_or(0, |at| at + 3);
            let path = url[path..].find('/').map_or(url.len(), |at| path + at);
            if let Some(at) = url[path..].rfind('@') {
                revision = Some(url.split_off(path + at).split_off(1));
            }
        }
        (url, revision)
    }
}

/// Whether two URLs lead to the same place: credentials, a last slash and the ways to write a
/// `file:` URL do not count.
fn same_place(one: &str, other: &str) -> bool {
    let plain = |url: &str| {
        let url = without_password(url.split('#').next().unwrap_or_default());
        let url = match url.strip_prefix("file:") {
            Some(path) => {
                let path = path.strip_prefix("//localhost").or(path.strip_prefix("//"));
                let path = path.unwrap_or(&url["file:".len()..]);
                format!("file://{}", decode_percent(path))
            }
            None => url,
        };
        url.trim_end_matches('/').to_owned()
    };
    plain(one) == plain(other)
}

/// `url` without a password, or a token in its place; a bare login name of ssh stays.
pub fn without_password(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else {
        return url.to_owned();
    };
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    match authority.rsplit_once('@') {
        // What pip itself leaves alone: a name to be replaced, not a secret.
        Some((user, _))
            if user
                .split(':')
                .all(|part| part.starts_with("${") && part.ends_with('}')) =>
        {
            url.to_owned()
        }
        Some((user, host)) if user.contains(':') || !scheme.contains("ssh") => {
            format!("{scheme}://{host}{path}")
        }
        _ => url.to_owned(),
    }
}

/// `%40` is `@`.
pub fn decode_percent(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((byte, tail)) = rest.split_first() {
        let digits = tail.get(..2).and_then(|two| std::str::from_utf8(two).ok());
        let decoded = digits.and_then(|two| u8::from_str_radix(two, 16).ok());
        match decoded.filter(|_| *byte == b'%') {
            Some(decoded) => {
                bytes.push(decoded);
                rest = &tail[2..];
            }
            None => {
                bytes.push(*byte);
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// `path` from `cwd`, with `.` and `..` worked out in the text, as `os.path.abspath` does.
pub fn absolute(path: &Path, cwd: &Path) -> PathBuf {
    let mut out = PathBuf::new();
    for part in cwd.join(path).components() {
        match part {
            Component::ParentDir => {
                out.pop();
            }
            Component::CurDir => {}
            part => out.push(part),
        }
    }
    out
}

/// Whether `path` has the ending of an archive that can be installed.
pub fn is_archive(path: &Path) -> bool {
    let name = path
        .file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .to_lowercase();
    ARCHIVES.iter().any(|ending| name.ends_with(ending))
}

/// `direct_url.json`: where a distribution was installed from, if not from an index.
#[derive(Debug, Clone, Deserialize)]
pub struct DirectUrl {
    /// Without credentials, if the installer kept to the rules.
    pub url: String,
    /// For a subdirectory of the archive or repository.
    #[serde(default)]
    pub subdirectory: Option<String>,
    /// For a repository.
    #[serde(default)]
    pub vcs_info: Option<VcsInfo>,
    /// For a local directory.
    #[serde(default)]
    pub dir_info: Option<DirInfo>,
    /// For an archive.
    #[serde(default)]
    pub archive_info: Option<ArchiveInfo>,
}

/// From which commit.
#[derive(Debug, Clone, Deserialize)]
pub struct VcsInfo {
    /// `git`, `hg`, `svn`, `bzr`.
    pub vcs: String,
    /// What was asked for.
    #[serde(default)]
    pub requested_revision: Option<String>,
    /// What it was then.
    #[serde(default)]
    pub commit_id: String,
}

impl VcsInfo {
    fn is_at(&self, revision: &str) -> bool {
        let hex = revision.len() >= 7 && revision.bytes().all(|b| b.is_ascii_hexdigit());
        self.requested_revision.as_deref() == Some(revision)
            || self.commit_id == revision
            || hex && self.commit_id.starts_with(&revision.to_ascii_lowercase())
    }
}

/// About a local directory.
#[derive(Debug, Clone, Deserialize)]
pub struct DirInfo {
    /// Whether it is used where it is.
    #[serde(default)]
    pub editable: bool,
}

/// About an archive.
#[derive(Debug, Clone, Deserialize)]
pub struct ArchiveInfo {
    /// The old form: `sha256=…`.
    #[serde(default)]
    pub hash: Option<String>,
    /// The new form.
    #[serde(default)]
    pub hashes: std::collections::BTreeMap<String, String>,
}

/// Whether an editable distribution is a repository below `src` of the environment, at the revision
/// that was asked for.
fn is_cloned(have: &DirectUrl, revision: Option<&str>, prefix: &Path) -> bool {
    let Some(path) = have.local_path() else {
        return false;
    };
    let real = path.canonicalize().unwrap_or(path);
    if !real.starts_with(prefix.join("src")) {
        return false;
    }
    let (Some(revision), Some(head)) = (revision, crate::checkout::head(&real)) else {
        return true;
    };
    let hex = revision.len() >= 7 && revision.bytes().all(|b| b.is_ascii_hexdigit());
    if hex && head.starts_with(&revision.to_ascii_lowercase()) {
        return true;
    }
    match crate::checkout::commit(&real, revision) {
        Some(commit) => commit == head,
        // A revision that the clone does not know by name is no proof of drift, but another commit
        // is.
        None => !hex,
    }
}

impl DirectUrl {
    /// The directory, for a `file:` URL.
    pub fn local_path(&self) -> Option<PathBuf> {
        let rest = self.url.strip_prefix("file:")?;
        let path = rest
            .strip_prefix("//localhost")
            .or(rest.strip_prefix("//"))
            .unwrap_or(rest);
        let path = decode_percent(path.split(['#', '?']).next().unwrap_or_default());
        Some(PathBuf::from(path.trim_end_matches('/')))
    }

    /// The archive's hash, where it was recorded.
    pub fn hash(&self, algorithm: &str) -> Option<String> {
        let info = self.archive_info.as_ref()?;
        let old = || {
            let (have, value) = info.hash.as_deref()?.split_once('=')?;
            (have == algorithm).then(|| value.to_owned())
        };
        info.hashes.get(algorithm).cloned().or_else(old)
    }

    /// What it is, in a few words: `an editable install of file:///srv/foo`.
    pub fn describe(&self) -> String {
        let url = without_password(&self.url);
        match (&self.vcs_info, &self.dir_info) {
            (Some(info), _) => {
                let commit = info.commit_id.get(..12).unwrap_or(&info.commit_id);
                format!("{}+{url}@{commit}", info.vcs)
            }
            (None, Some(dir)) if dir.editable => format!("{url} (editable)"),
            _ => url,
        }
    }

    /// Whether it is from a place whose content can change under the same version.
    pub fn is_mutable(&self) -> bool {
        self.vcs_info.is_some() || self.dir_info.is_some()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::{DirectUrl, Link};
    use std::path::Path;

    fn matches(link: &str, editable: bool, json: &str) -> bool {
        let have: DirectUrl = serde_json::from_str(json).unwrap();
        Link::from_url(link)
            .unwrap()
            .matches(&have, editable, Path::new("/srv/venv"))
    }

    #[test]
    fn repositories_are_compared_by_place_and_revision() {
        let have = r#"{"url": "https://h/r.git", "vcs_info": {"vcs": "git",
            "requested_revision": "v1", "commit_id": "0123456789abcdef"}}"#;
        assert!(matches("git+https://h/r.git@v1", false, have));
        assert!(matches("git+https://user:pw@h/r.git@0123456", false, have));
        assert!(matches("git+https://h/r.git#egg=r", false, have));
        assert!(!matches("git+https://h/r.git@v2", false, have));
        assert!(!matches(
            "git+https://h/r.git@v1#subdirectory=a",
            false,
            have
        ));
        assert!(!matches("git+https://h/s.git@v1", false, have));
        let ssh = r#"{"url": "ssh://git@h/r.git", "vcs_info": {"vcs": "git", "commit_id": "01"}}"#;
        assert!(matches("git+ssh://git@h/r.git", false, ssh));
    }

    #[test]
    fn paths_and_archives_are_compared_by_url_and_hash() {
        let dir = r#"{"url": "file:///srv/my%20app", "dir_info": {"editable": true}}"#;
        let link = Link::from_path(Path::new("./my app/"), Path::new("/srv")).url;
        assert_eq!(link, "file:///srv/my%20app");
        assert!(matches(&link, true, dir));
        assert!(!matches(&link, false, dir));
        let archive = r#"{"url": "https://h/a.whl", "archive_info": {"hash": "sha256=AB"}}"#;
        assert!(matches("https://h/a.whl#sha256=ab", false, archive));
        assert!(!matches("https://h/a.whl#sha256=cd", false, archive));
    }

    #[test]
    fn a_wheel_names_what_it_holds() {
        let link = Link::from_url("https://h/d/Foo_Bar-1.0%2Bl-py3-none-any.whl#x=1").unwrap();
        assert_eq!(link.wheel(), Some(("Foo_Bar".into(), "1.0+l".into())));
        assert!(Link::from_url("C:/x").is_none() && Link::from_url("a==1").is_none());
    }
}
