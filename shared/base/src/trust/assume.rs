//! For the length of one call, this thread asks the file system with another user's rights. The kernel keeps these rights for each thread
//! (setfsuid(2)); what the thread opens or makes meanwhile is what that user could open or make, and belongs to that user.

use crate::child::Identity;
use crate::error::{Error, Result};
use nix::unistd::{Gid, Uid, setfsgid, setfsuid};

/// Does `work` with the file rights of `user`. Where this process is not root, or is that user, with its own.
///
/// # Errors
/// `Kind::Io` where the kernel refuses the change.
pub fn with_rights_of<T>(user: &Identity, work: impl FnOnce() -> T) -> Result<T> {
    if !rustix::process::geteuid().is_root() || user.uid == 0 {
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
    let assumed = setfsuid(Uid::from_raw(u32::MAX)).as_raw() == user.uid;
    let done = assumed.then(work);
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
    // SAFETY: the kernel reads `groups.len()` numbers from a slice that lives until the call returns.
    let done =
        unsafe { nix::libc::syscall(nix::libc::SYS_setgroups, groups.len(), groups.as_ptr()) };
    if done == 0 {
        Ok(())
    } else {
        let error = std::io::Error::last_os_error();
        Err(Error::io("cannot change this thread's groups", &error))
    }
}
