//! Collecting static files for real into a directory that is thrown away.

use base::child::Identity;
use std::fs;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

/// Runs `collectstatic` of the site's own manage.py with STATIC_ROOT in a scratch directory,
/// through the site's own storage and its post-processing. Where the storage is not one of files
/// (an object store, a CDN), collecting would upload: a dry run then. Arguments: manage.py's name,
/// the directory.
pub const COLLECT: &str = r#"
import os, runpy, sys
manage, place = sys.argv[1], sys.argv[2]
sys.path.insert(0, os.getcwd())
import django.conf
settings_init = django.conf.Settings.__init__
def init(self, *args, **kwargs):
    settings_init(self, *args, **kwargs)
    self.STATIC_ROOT = place
    storages = getattr(self, "STORAGES", None)
    options = storages.get("staticfiles", {}).get("OPTIONS", {}) if isinstance(storages, dict) else {}
    if "location" in options:
        options["location"] = place
django.conf.Settings.__init__ = init
from django.core.management import call_command as call, execute_from_command_line
import django.core.management
def run(argv=None):
    import django
    django.setup()
    from django.contrib.staticfiles import storage
    files = isinstance(storage.staticfiles_storage, storage.StaticFilesStorage)
    execute_from_command_line([manage, "collectstatic", "--no-input"] + ([] if files else ["--dry-run"]))
django.core.management.execute_from_command_line = run
sys.argv = [manage, "collectstatic"]
runpy.run_path(manage, run_name="__main__")
"#;

/// Prints the aliases of DATABASES for which the routers allow any model. Argument: manage.py's
/// name.
pub const ALIASES: &str = r#"
import os, runpy, sys
manage = sys.argv[1]
sys.path.insert(0, os.getcwd())
import django.core.management
def run(argv=None):
    import django
    django.setup()
    from django.apps import apps
    from django.db import connections, router
    for alias in connections:
        # A replica that the tests mirror is written by its primary.
        if (connections[alias].settings_dict.get("TEST") or {}).get("MIRROR"):
            continue
        if any(router.allow_migrate_model(alias, model) for model in apps.get_models(include_auto_created=True)):
            print("check-reqs-alias " + alias)
django.core.management.execute_from_command_line = run
sys.argv = [manage, "check"]
runpy.run_path(manage, run_name="__main__")
"#;

/// A directory of the user's own, removed with all that is in it.
pub struct Directory {
    path: PathBuf,
}

impl Directory {
    /// Makes it, with a name that cannot be foreseen.
    pub fn new(user: Option<&Identity>) -> Result<Directory, String> {
        // The caller's TMPDIR may be one that the other user cannot enter (pam_tmpdir gives
        // everybody a closed one).
        let top = match user.is_some_and(|user| !user.is_current()) {
            true => PathBuf::from("/tmp"),
            false => std::env::temp_dir(),
        };
        for _ in 0..16 {
            let mut random = [0u8; 12];
            rustix::rand::getrandom(&mut random, rustix::rand::GetRandomFlags::empty())
                .map_err(|errno| errno.to_string())?;
            let name: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
            let path = top.join(format!("check-reqs-static-{name}"));
            match fs::DirBuilder::new().mode(0o700).create(&path) {
                Ok(()) => {
                    let directory = Directory { path };
                    if let Some(user) = user.filter(|user| !user.is_current()) {
                        let (uid, gid) = (
                            rustix::fs::Uid::from_raw(user.uid),
                            rustix::fs::Gid::from_raw(user.gid),
                        );
                        rustix::fs::chownat(
                            rustix::fs::CWD,
                            &directory.path,
                            Some(uid),
                            Some(gid),
                            rustix::fs::AtFlags::SYMLINK_NOFOLLOW,
                        )
                        .map_err(|errno| base::error::plain(&errno.into()))?;
                    }
                    return Ok(directory);
                }
                Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
                Err(error) => {
                    return Err(format!(
                        "{}: {}",
                        path.display(),
                        base::error::plain(&error)
                    ));
                }
            }
        }
        Err(format!(
            "no scratch directory can be made in {}",
            top.display()
        ))
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        // The standard library removes through descriptors and follows no link (CVE-2022-21658 is
        // why).
        let _ = fs::remove_dir_all(&self.path);
    }
}
