//! What has to change, from what is wanted and what is there. Pure.

use base::error::{Error, Result};

use crate::block;
use crate::dialect::Dialect;
use crate::environment;
use crate::settings::is_daemons_own;

/// Whose crontab it is.
#[derive(Clone, Copy, Debug)]
pub struct Owner<'a> {
    /// The user.
    pub name: &'a str,
    /// The home directory.
    pub home: &'a str,
}

/// The file before and after.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// What is there; `None` for no file.
    pub before: Option<Vec<u8>>,
    /// What is to be there.
    pub after: Option<Vec<u8>>,
    /// What a person should know.
    pub warnings: Vec<String>,
}

impl Plan {
    /// Whether anything is to be done.
    pub fn changes(&self) -> bool {
        self.before.as_deref().unwrap_or_default() != self.after.as_deref().unwrap_or_default()
            || self.before.is_some() != self.after.is_some()
    }
}

/// Our block into a file that others write, too.
///
/// # Errors
/// `Kind::Failed` for broken markers, and for a block that was edited, unless `force`.
pub fn install_block(
    before: Option<Vec<u8>>,
    name: &str,
    body: &[u8],
    owner: &Owner<'_>,
    force: bool,
) -> Result<Plan> {
    refuse_markers(name, body)?;
    let file = before.as_deref().unwrap_or_default();
    let found = block::find(file, name)?;
    if let Some(block) = &found {
        refuse_edited(block.intact, name, force)?;
    }
    let head = found.as_ref().map_or(file, |b| &file[..b.whole.start]);
    let (lines, lost) = restored(head, body, owner);
    let body = [body, &lines].concat();
    let after = block::splice(file, found.as_ref(), &block::wrap(name, &body));
    let mut warnings = Vec::new();
    let follow = found
        .as_ref()
        .is_some_and(|b| jobs_follow(&file[b.whole.end..]));
    if follow && !lost.is_empty() {
        warnings.push(format!(
            "jobs stand after the block of {name}: they get its {}, too",
            lost.join(", ")
        ));
    }
    Ok(Plan {
        before,
        after: Some(after),
        warnings,
    })
}

/// Our block out of it again.
///
/// # Errors
/// As [`install_block`].
pub fn remove_block(before: Option<Vec<u8>>, name: &str, force: bool) -> Result<Plan> {
    let file = before.as_deref().unwrap_or_default();
    let Some(found) = block::find(file, name)? else {
        return Ok(Plan {
            after: before.clone(),
            before,
            warnings: Vec::new(),
        });
    };
    refuse_edited(found.intact, name, force)?;
    let rest = block::splice(file, Some(&found), b"");
    let after = (!rest.is_empty()).then_some(rest);
    Ok(Plan {
        before,
        after,
        warnings: Vec::new(),
    })
}

/// A file that is ours as a whole.
///
/// # Errors
/// `Kind::Failed` for a file that is not ours or was edited, unless `force`.
pub fn install_file(before: Option<Vec<u8>>, name: &str, body: &[u8], force: bool) -> Result<Plan> {
    refuse_markers(name, body)?;
    refuse_foreign(before.as_deref(), name, force)?;
    Ok(Plan {
        before,
        after: Some(block::wrap(name, body)),
        warnings: Vec::new(),
    })
}

/// And away with it.
///
/// # Errors
/// As [`install_file`].
pub fn remove_file(before: Option<Vec<u8>>, name: &str, force: bool) -> Result<Plan> {
    refuse_foreign(before.as_deref(), name, force)?;
    Ok(Plan {
        before,
        after: None,
        warnings: Vec::new(),
    })
}

/// A template that is what `crontab -l` says holds the block itself; a block within the block could
/// never be found again.
fn refuse_markers(name: &str, body: &[u8]) -> Result<()> {
    match block::find(body, name) {
        Ok(None) => Ok(()),
        _ => Err(
            Error::input(format!("the template holds the markers of {name} itself"))
                .hint("take the lines between them, without the markers"),
        ),
    }
}

fn refuse_edited(intact: bool, name: &str, force: bool) -> Result<()> {
    if intact || force {
        return Ok(());
    }
    Err(Error::failed(format!(
        "the block of {name} was edited by hand since it was installed"
    ))
    .hint("put the change into the template; `cron-render diff` shows it, and --force gives it up"))
}

fn refuse_foreign(before: Option<&[u8]>, name: &str, force: bool) -> Result<()> {
    let Some(file) = before.filter(|_| !force) else {
        return Ok(());
    };
    match block::find(file, name)? {
        Some(block) if block.whole == (0..file.len()) => refuse_edited(block.intact, name, force),
        Some(_) => refuse_edited(false, name, force),
        None => Err(Error::failed(format!(
            "the file {name} is there already, and cron-render did not write it"
        ))
        .hint("another --name, or --force to replace it")),
    }
}

/// A setting holds to the end of the file. The lines that give what stands after the block its own
/// settings back, and the names for which no line can.
fn restored(head: &[u8], body: &[u8], owner: &Owner<'_>) -> (Vec<u8>, Vec<String>) {
    let before = daemons_settings(head);
    let (mut lines, mut lost) = (Vec::new(), Vec::new());
    for (name, value) in daemons_settings(body) {
        let old = before
            .iter()
            .rev()
            .find(|(n, _)| *n == name)
            .map(|(_, value)| value.as_str());
        let usual = match &name[..] {
            "SHELL" => Some("/bin/sh"),
            "MAILTO" => Some(owner.name),
            "HOME" => Some(owner.home),
            "RANDOM_DELAY" => Some("0"),
            _ => None,
        };
        match old.or(usual) {
            Some(old) if old == value => {}
            Some(old) => match environment::write(&name, old) {
                Some(line) => lines.extend_from_slice(format!("{line}\n").as_bytes()),
                None => lost.push(name),
            },
            None => lost.push(name),
        }
    }
    (lines, lost)
}

/// The last value of each name that the daemon reads itself.
fn daemons_settings(text: &[u8]) -> Vec<(String, String)> {
    let mut all: Vec<(String, String)> = Vec::new();
    for line in text.split(|b| *b == b'\n') {
        let start = line
            .iter()
            .take_while(|b| matches!(b, b' ' | b'\t'))
            .count();
        if !line.contains(&b'=') || line.get(start) == Some(&b'#') {
            continue;
        }
        let Some(setting) = environment::read(line, start, Dialect::Debian13) else {
            continue;
        };
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let name = text(&setting.name);
        if is_daemons_own(&name) {
            all.retain(|(n, _)| *n != name);
            all.push((name, text(&setting.value)));
        }
    }
    all
}

fn jobs_follow(rest: &[u8]) -> bool {
    let mut lines = rest.split(|b| *b == b'\n').map(<[u8]>::trim_ascii);
    lines.any(|line| !line.is_empty() && !line.starts_with(b"#"))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;

    const ME: Owner<'_> = Owner {
        name: "me",
        home: "/home/me",
    };

    #[test]
    fn a_block_gives_back_the_settings_that_it_changes() {
        let body = b"MAILTO=a@example.org\nSHELL=/bin/bash\n1 0 * * * y\n";
        let plan = install_block(None, "a", body, &ME, false).unwrap();
        let text = String::from_utf8(plan.after.unwrap()).unwrap();
        assert!(
            text.contains("y\nMAILTO=me\nSHELL=/bin/sh\n# END"),
            "{text}"
        );
        let before = b"MAILTO=\"\"\n5 0 * * * x\n".to_vec();
        let plan = install_block(Some(before), "a", body, &ME, false).unwrap();
        let text = String::from_utf8(plan.after.clone().unwrap()).unwrap();
        assert!(
            text.contains("y\nMAILTO=\"\"\nSHELL=/bin/sh\n# END"),
            "{text}"
        );
        let again = install_block(plan.after, "a", body, &ME, false).unwrap();
        assert!(!again.changes());
    }

    #[test]
    fn installing_twice_changes_nothing() {
        let first = install_block(
            Some(b"5 0 * * * x\n".to_vec()),
            "forum",
            b"1 0 * * * y\n",
            &ME,
            false,
        )
        .unwrap();
        assert!(first.changes());
        let second = install_block(first.after, "forum", b"1 0 * * * y\n", &ME, false).unwrap();
        assert!(!second.changes());
        let gone = remove_block(second.after, "forum", false).unwrap();
        assert_eq!(gone.after.as_deref(), Some(&b"5 0 * * * x\n"[..]));
    }

    #[test]
    fn a_block_within_the_block_is_refused() {
        let body = block::wrap("forum", b"1 0 * * * y\n");
        assert!(install_block(None, "forum", &body, &ME, true).is_err());
        assert!(install_block(None, "other", &body, &ME, true).is_ok());
    }

    #[test]
    fn a_file_of_somebody_elses_stays() {
        assert!(install_file(Some(b"* * * * * root x\n".to_vec()), "x", b"", false).is_err());
        assert!(install_file(Some(b"* * * * * root x\n".to_vec()), "x", b"", true).is_ok());
        assert!(remove_file(None, "x", false).is_ok_and(|p| !p.changes()));
    }
}
