//! For the length of one call, this thread asks the file system with another user's rights. The
//! kernel keeps these rights for each thread (setfsuid(2)); what the thread opens or makes
//! meanwhile is what that user could open or make, and belongs to that user. Programs that the
//! thread starts meanwhile run as that user, too ([`crate::child`]).

use crate::child::Identity;
use crate::error::{Error, Result};
use nix::unistd::{Gid, Uid, setfsgid, setfsuid};

/// Does `work` with the file rights of `user`. Where this process is not root, or is that user,
/// with its own. Where this thread has another user's rights already, those stay: what that user
/// wrote does not lead to a third user.
///
/// # Errors
/// `Kind::Io` where the kernel refuses the change.
pub fn with_rights_of<T>(user: &Identity, work: impl FnOnce() -> T) -> Result<T> {
    if !rustix::process::geteuid().is_root() || user.uid == 0 || Identity::assumed().is_some() {
        return Ok(work());
    }
    let before = rustix::process::getgroups()
        .map_err(|e| Error::io("cannot read this process's groups", &e.into()))?;
    let before: Vec<u32> = before.into_iter().map(|gid| gid.as_raw()).collect();
    let gid = rustix::process::getegid().as_raw();
    set_groups(&user.groups)?;
    setfsgid(Gid::from_raw(user.gid));
    setfsuid(Uid::from_raw(user.uid));
    // setfsuid(2) reports no error: an invalid number changes nothing and returns what is in force.
    let done_so = setfsuid(Uid::from_raw(u32::MAX)).as_raw() == user.uid;
    Identity::set_assumed(Some(user.clone()));
    let done = done_so.then(work);
    Identity::set_assumed(None);
    setfsuid(Uid::from_raw(0));
    setfsgid(Gid::from_raw(gid));
    let back = set_groups(&before);
    if back.is_err() || setfsuid(Uid::from_raw(u32::MAX)).as_raw() != 0 {
        // With another user's rights nothing that follows would mean what it says.
        std::process::abort();
    }
    done.ok_or_else(|| {
        Error::failed(format!(
            "cannot take the rights of uid {}: the kernel refuses",
            user.uid
        ))
    })
}

/// This thread's supplementary groups. The C library would change those of all threads.
#[allow(unsafe_code)]
fn set_groups(groups: &[u32]) -> Result<()> {
    // SAFETY: the kernel reads `groups.len()` numbers from a slice that lives until the call
    // returns.
    let done =
        unsafe { nix::libc::syscall(nix::libc::SYS_setgroups, groups.len(), groups.as_ptr()) };
    if done == 0 {
        Ok(())
    } else {
        let error = std::io::Error::last_os_error();
        Err(Error::io("cannot change this thread's groups", &error))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::disallowed_methods)]
mod tests {
    use super::*;
    use crate::child::Run;
    use std::os::unix::fs::MetadataExt;

    #[test]
    fn programs_and_threads_have_the_rights_that_were_assumed() {
        if !rustix::process::geteuid().is_root() {
            return;
        }
        let (user, other) = (
            Identity::bare(41_716, 41_716),
            Identity::bare(41_717, 41_717),
        );
        let id = || {
            Run::new("id")
                .arg("-u")
                .run()
                .unwrap()
                .out()
                .trim()
                .to_owned()
        };
        let dir = std::env::temp_dir().join(format!("assumed-{}", std::process::id()));
        std::fs::create_dir(&dir).unwrap();
        std::os::unix::fs::chown(&dir, Some(user.uid), Some(user.gid)).unwrap();
        let made = |name: &str| {
            let path = dir.join(name);
            std::fs::write(&path, "").map(|()| std::fs::metadata(&path).unwrap().uid())
        };
        with_rights_of(&user, || {
            assert_eq!(id(), "41716");
            assert_eq!(made("a").unwrap(), user.uid);
            // Neither a user that was named nor a second change leads anywhere else.
            let third = Run::new("id")
                .arg("-u")
                .user(Some(other.clone()))
                .run()
                .unwrap();
            assert_eq!(third.out().trim(), "41716");
            with_rights_of(&other, || assert_eq!(made("b").unwrap(), user.uid)).unwrap();
            assert_eq!(made("c").unwrap(), user.uid);
            std::thread::scope(|scope| {
                let thread =
                    std::thread::Builder::new().spawn_scoped(scope, || (id(), made("d").unwrap()));
                assert_eq!(
                    thread.unwrap().join().unwrap(),
                    ("41716".to_owned(), user.uid)
                );
            });
            // Where a command was built by hand, the start itself sees to the user.
            let mut command = std::process::Command::new("id");
            let child = crate::child::spawn(
                command.arg("-u").stdout(std::process::Stdio::piped()),
                crate::clock::Deadline::NEVER,
            );
            let done = child.unwrap().wait_with_output().unwrap();
            assert_eq!(String::from_utf8_lossy(&done.stdout).trim(), "41716");
        })
        .unwrap();
        assert!(Identity::assumed().is_none());
        assert_eq!(id(), "0");
        assert_eq!(made("e").unwrap(), 0);
        std::fs::remove_dir_all(&dir).unwrap();
    }
}
