//! What the files on this machine tell about a wrong answer.
//!
//! The web server is another user, and which one is not asked: what *others* may not do is
//! named. That is a clue, given only when the server's answer was wrong already.

use crate::layout::{self, Layout};
use crate::verdict::{Cause, Clues};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// Looks at everything on the way to flag and page.
pub fn gather(layout: &Layout) -> Clues {
    let flag = layout.flag_path();
    let html = layout.html_path();
    let mut clues = Clues {
        flag: Some(fs::symlink_metadata(&flag).is_ok()),
        link: link_on_the_way(&flag),
        ..Clues::default()
    };
    let mut ways: Vec<PathBuf> = html.ancestors().skip(1).map(Path::to_path_buf).collect();
    ways.reverse();
    for dir in &ways {
        match fs::metadata(dir) {
            Ok(meta) if meta.permissions().mode() & 0o001 == 0 => clues.deny(dir, &meta),
            Ok(_) => {}
            Err(_) if fs::symlink_metadata(dir).is_ok() => clues.hang(dir),
            Err(_) => {}
        }
    }
    for file in [&html, &flag] {
        match (fs::symlink_metadata(file), fs::metadata(file)) {
            (Ok(_), Err(_)) => clues.hang(file),
            (_, Ok(meta)) if *file == html && meta.permissions().mode() & 0o004 == 0 => {
                clues.deny(file, &meta);
            }
            (Err(_), _) if *file == html => clues.missing = Some(shown(file)),
            _ => {}
        }
    }
    clues
}

impl Clues {
    fn deny(&mut self, path: &Path, meta: &fs::Metadata) {
        self.unreadable
            .get_or_insert_with(|| (shown(path), meta.permissions().mode() & 0o7777));
    }

    fn hang(&mut self, path: &Path) {
        self.dangling.get_or_insert_with(|| shown(path));
    }
}

/// The first symbolic link on the way to `path`: a release link, say, that the next release
/// turns elsewhere.
pub fn link_on_the_way(path: &Path) -> Option<String> {
    let mut ways: Vec<&Path> = path.ancestors().skip(1).collect();
    ways.reverse();
    ways.into_iter().find(|dir| dir.is_symlink()).map(shown)
}

/// A page that is still there although its flag is gone is somebody's copy.
pub fn explain_off(mut cause: Cause, clues: &Clues) -> Cause {
    if cause.word == "still_on" {
        cause.why.push_str(match clues.flag {
            Some(true) => ": the flag is still in place",
            Some(false) => ": the flag is gone, and the server has not seen that: open_file_cache, a cache, or another directory",
            None => "",
        });
    }
    cause
}

/// Whether others can get at the layout at all; said as a warning when the page goes up.
pub fn closed_to_the_server(layout: &Layout) -> Option<String> {
    let clues = gather(layout);
    clues.unreadable.map(|(path, mode)| {
        format!(
            "{path} has mode {mode:04o}: a web server that runs as another user cannot see the page"
        )
    })
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}

/// Whether the single file's page could be read in the moment it is taken away.
pub fn single_file_warning(layout: &Layout) -> Option<String> {
    layout.one_file().map(|_| {
        format!(
            "single-file mode: a visitor who comes between the server's test and its reading of {} can get a 404; --dir with `maint-page snippet` avoids that (directory {} holds the state)",
            layout.flag_path().display(),
            layout.dir().join(layout::HOLDS).display()
        )
    })
}
