//! One unit: its file and drop-ins, lists that an empty value clears, continued lines, and the
//! specifiers in names.

use super::NAME;
use crate::log::Configured;
use crate::site::Site;
use conf::Source;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A service unit, read.
pub struct Unit {
    /// `gunicorn@site.service`.
    pub name: String,
    settings: Vec<(String, Vec<u8>, Source)>,
}

impl Unit {
    /// Reads a unit and its drop-ins; a masked or empty one is none.
    pub fn read(
        site: &Site,
        places: &[&str],
        name: &str,
        file: &Path,
        out: &mut Configured,
    ) -> Option<Self> {
        if site
            .files
            .link(file)
            .is_some_and(|target| target == Path::new("/dev/null"))
        {
            return None;
        }
        let mut unit = Self {
            name: name.to_owned(),
            settings: Vec::new(),
        };
        match site.files.read(file) {
            Ok(bytes) => unit.lines(file, &bytes),
            // A link that leads nowhere is a unit that was removed.
            Err(error) if error.kind == conf::Kind::Missing && site.asked(NAME).is_empty() => {
                return None;
            }
            Err(error) => {
                out.fault(NAME, error);
                return None;
            }
        }
        for file in drop_ins(site, places, name) {
            match site.files.read(&file) {
                Ok(bytes) => unit.lines(&file, &bytes),
                Err(error) => out.fault(NAME, error),
            }
        }
        Some(unit)
    }

    fn lines(&mut self, path: &Path, bytes: &[u8]) {
        let file: Arc<Path> = Arc::from(path);
        let mut service = false;
        let mut pending: Option<(usize, Vec<u8>)> = None;
        for (index, line) in bytes.split(|byte| *byte == b'\n').enumerate() {
            let line = line.trim_ascii();
            let comment = line.starts_with(b"#") || line.starts_with(b";");
            if comment || pending.is_none() && line.is_empty() {
                continue;
            }
            let (start, mut text) = pending.take().unwrap_or((index + 1, Vec::new()));
            text.extend_from_slice(line.strip_suffix(b"\\").unwrap_or(line));
            if line.ends_with(b"\\") {
                text.push(b' ');
                pending = Some((start, text));
                continue;
            }
            if text.starts_with(b"[") {
                service = text == b"[Service]";
            } else if let (true, Some(at)) = (service, text.iter().position(|byte| *byte == b'=')) {
                let name = String::from_utf8_lossy(text[..at].trim_ascii()).into_owned();
                let value = text[at + 1..].trim_ascii().to_vec();
                if value.is_empty() {
                    self.settings.retain(|(known, _, _)| *known != name);
                } else {
                    self.settings.push((name, value, Source::new(&file, start)));
                }
            }
        }
    }

    /// The last value of a setting.
    pub fn last(&self, name: &str) -> Option<(String, Source)> {
        let (_, value, source) = self
            .settings
            .iter()
            .rev()
            .find(|(known, _, _)| known == name)?;
        Some((String::from_utf8_lossy(value).into_owned(), source.clone()))
    }

    /// The same, filled in, without its place.
    pub fn text(&self, name: &str) -> Option<String> {
        self.expand(&self.last(name)?.0).ok()
    }

    /// What it starts, without the marks before the program.
    pub fn commands(&self) -> Vec<(Vec<u8>, Source)> {
        let starts = self
            .settings
            .iter()
            .filter(|(name, _, _)| name == "ExecStart");
        starts
            .filter_map(|(_, value, source)| {
                let text = self.expand(&String::from_utf8_lossy(value)).ok()?;
                Some((
                    text.trim_start_matches(['-', '@', ':', '+', '!'])
                        .as_bytes()
                        .to_vec(),
                    source.clone(),
                ))
            })
            .collect()
    }

    /// `Environment=` and the files of `EnvironmentFile=`.
    pub fn environment(&self, site: &Site) -> BTreeMap<OsString, OsString> {
        let mut env = BTreeMap::new();
        if let Some(user) = self.text("User") {
            if let Some(home) = site.users.home(&user) {
                env.insert("HOME".into(), home.into());
            }
            env.insert("USER".into(), user.clone().into());
            env.insert("LOGNAME".into(), user.into());
        }
        for (name, value, _) in &self.settings {
            let pairs: Vec<Vec<u8>> = match name.as_str() {
                "Environment" => {
                    let text = self
                        .expand(&String::from_utf8_lossy(value))
                        .unwrap_or_default();
                    conf::shlex::split(text.as_bytes()).unwrap_or_default()
                }
                "EnvironmentFile" => {
                    let name = value.strip_prefix(b"-").unwrap_or(value);
                    let name = self
                        .expand(&String::from_utf8_lossy(name))
                        .unwrap_or_default();
                    let name = Path::new(&name);
                    let files = site.files.glob(name);
                    files
                        .iter()
                        .flat_map(|file| pairs(&site.files.read(file).unwrap_or_default()))
                        .collect()
                }
                _ => continue,
            };
            for pair in pairs {
                if let Some(at) = pair.iter().position(|byte| *byte == b'=') {
                    env.insert(
                        OsString::from_vec(pair[..at].to_vec()),
                        OsString::from_vec(pair[at + 1..].to_vec()),
                    );
                }
            }
        }
        env
    }

    /// The specifiers of systemd.unit(5) that do not depend on what runs.
    pub fn expand(&self, text: &str) -> Result<String, String> {
        let stem = self.name.strip_suffix(".service").unwrap_or(&self.name);
        let (prefix, instance) = stem.split_once('@').unwrap_or((stem, ""));
        let host = rustix::system::uname()
            .nodename()
            .to_string_lossy()
            .into_owned();
        let mut out = String::new();
        let mut chars = text.chars();
        while let Some(char) = chars.next() {
            if char != '%' {
                out.push(char);
                continue;
            }
            match chars.next() {
                Some('%') => out.push('%'),
                Some('n') => out.push_str(&self.name),
                Some('N') => out.push_str(stem),
                Some('p') => out.push_str(prefix),
                Some('P') => out.push_str(&unescape(prefix)),
                Some('i') => out.push_str(instance),
                Some('I') => out.push_str(&unescape(instance)),
                Some('j') => out.push_str(prefix.rsplit('-').next().unwrap_or(prefix)),
                Some('H') => out.push_str(&host),
                Some('l') => out.push_str(host.split('.').next().unwrap_or(&host)),
                Some('L') => out.push_str("/var/log"),
                Some('S') => out.push_str("/var/lib"),
                Some('C') => out.push_str("/var/cache"),
                Some('t') => out.push_str("/run"),
                Some('E') => out.push_str("/etc"),
                Some('T') => out.push_str("/tmp"),
                Some('V') => out.push_str("/var/tmp"),
                Some('h') => out.push_str("/root"),
                Some('u' | 'g') => out.push_str("root"),
                Some('U' | 'G') => out.push('0'),
                Some(other) => return Err(format!("%{other}")),
                None => out.push('%'),
            }
        }
        Ok(out)
    }
}

/// The lines of an EnvironmentFile=: no variables are filled in, comments begin lines, quotations
/// go (systemd.exec(5)).
fn pairs(text: &[u8]) -> Vec<Vec<u8>> {
    let mut found = Vec::new();
    for line in text.split(|byte| *byte == b'\n') {
        let line = line.trim_ascii();
        let Some(at) = line.iter().position(|byte| *byte == b'=') else {
            continue;
        };
        if line.starts_with(b"#") || line.starts_with(b";") {
            continue;
        }
        let value = line[at + 1..].trim_ascii();
        let value = match value {
            [mark @ (b'"' | b'\''), inner @ .., last] if mark == last => inner,
            other => other,
        };
        found.push([line[..at].trim_ascii(), b"=", value].concat());
    }
    found
}

/// `NAME.service.d/*.conf` and those of every shorter `PREFIX-.service.d`, by file name; the
/// strongest place has each.
fn drop_ins(site: &Site, places: &[&str], name: &str) -> Vec<PathBuf> {
    let mut dirs = vec!["service.d".to_owned()];
    let stem = name.strip_suffix(".service").unwrap_or(name);
    dirs.extend(
        stem.match_indices('-')
            .map(|(at, _)| format!("{}.service.d", &stem[..=at])),
    );
    if let Some((prefix, _)) = stem.split_once('@') {
        dirs.push(format!("{prefix}@.service.d"));
    }
    dirs.push(format!("{name}.d"));
    let mut found: BTreeMap<OsString, PathBuf> = BTreeMap::new();
    for place in places.iter().rev() {
        for dir in &dirs {
            let dir = Path::new(place).join(dir);
            for file in site.files.list(&dir).unwrap_or_default() {
                if file.to_string_lossy().ends_with(".conf") {
                    found.insert(file.clone(), dir.join(file));
                }
            }
        }
    }
    found.into_values().collect()
}

/// systemd-escape's `-` for `/` and `\xNN`, undone.
fn unescape(text: &str) -> String {
    let mut out = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let hex = after
            .strip_prefix(b"x")
            .and_then(|hex| hex.get(..2))
            .and_then(|hex| u8::from_str_radix(std::str::from_utf8(hex).ok()?, 16).ok());
        match (first, hex) {
            (b'-', _) => out.push(b'/'),
            (b'\\', Some(byte)) => {
                out.push(byte);
                rest = &after[3..];
                continue;
            }
            (byte, _) => out.push(*byte),
        }
        rest = after;
    }
    String::from_utf8_lossy(&out).into_owned()
}
