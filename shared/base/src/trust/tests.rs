#![allow(clippy::unwrap_used)]

use super::*;
use crate::clock::Deadline;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};

const DEP: u32 = 41_234;
const OTHER: u32 = 41_235;

struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Scratch {
        let path = PathBuf::from(format!("/var/tmp/trust-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir(&path).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        Scratch(path)
    }

    fn dir(&self, name: &str, uid: u32, mode: u32) -> PathBuf {
        let path = self.0.join(name);
        fs::create_dir_all(&path).unwrap();
        self.own(path, uid, mode)
    }

    fn file(&self, name: &str, uid: u32, mode: u32) -> PathBuf {
        let path = self.0.join(name);
        fs::write(&path, name).unwrap();
        self.own(path, uid, mode)
    }

    fn own(&self, path: PathBuf, uid: u32, mode: u32) -> PathBuf {
        std::os::unix::fs::chown(&path, Some(uid), Some(uid)).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        path
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn root() -> bool {
    rustix::process::geteuid().is_root()
}

fn owner(path: &Path) -> Owner {
    inspect(path).unwrap().owner
}

#[test]
fn roots_own_programs_are_roots() {
    assert_eq!(owner(Path::new("/bin/sh")), Owner::Root);
    assert_eq!(owner(Path::new("/")), Owner::Root);
    assert_eq!(owner(Path::new("/usr/../bin/./sh")), Owner::Root);
    let tmp = inspect(Path::new("/tmp")).unwrap();
    assert!(tmp.owner == Owner::Root && tmp.is_shared());
}

#[test]
fn every_component_counts() {
    if !root() {
        return;
    }
    let at = Scratch::new("components");
    let site = at.dir("site", DEP, 0o755);
    let own = at.file("site/own", DEP, 0o644);
    let planted = at.file("site/roots", 0, 0o644);
    let deep = at.dir("site/deep", 0, 0o755);
    for path in [&site, &own, &planted, &deep] {
        assert_eq!(owner(path), Owner::Uid(DEP), "{}", path.display());
    }
    let because = inspect(&planted).unwrap().because.unwrap();
    assert_eq!((because.path, because.how), (site, How::Owns(DEP)));
    assert_eq!(owner(&at.file("roots", 0, 0o644)), Owner::Root);
    assert_eq!(owner(&at.file("world", 0, 0o666)), Owner::Anybody);
    let two = at.dir("site/two", OTHER, 0o755);
    assert_eq!(owner(&two), Owner::Anybody);
}

#[test]
fn a_link_is_judged_by_where_it_stands_and_by_where_it_leads() {
    if !root() {
        return;
    }
    let at = Scratch::new("links");
    at.dir("site", DEP, 0o755);
    let target = at.file("site/file", DEP, 0o644);
    let there = at.0.join("there");
    symlink(&target, &there).unwrap();
    assert_eq!(owner(&there), Owner::Uid(DEP));
    let away = at.0.join("site/away");
    symlink("/bin/sh", &away).unwrap();
    assert_eq!(owner(&away), Owner::Uid(DEP));
    assert_eq!(owner(&at.0.join("site/../site/file")), Owner::Uid(DEP));
    let up = at.0.join("up");
    symlink("site/..", &up).unwrap();
    assert_eq!(owner(&up), Owner::Uid(DEP));
    let looped = at.0.join("loop");
    symlink("loop", &looped).unwrap();
    assert!(inspect(&looped).unwrap_err().message.contains("symbolic"));
    assert_eq!(
        inspect_link(&looped).unwrap().file_type(),
        FileType::Symlink
    );
    // A link in /tmp is whoever's made it; one that root made in a directory of root's says no more
    // than its target.
    let sticky = at.dir("sticky", 0, 0o1777);
    let link = sticky.join("link");
    symlink("/bin/sh", &link).unwrap();
    assert_eq!(owner(&link), Owner::Root);
    std::os::unix::fs::lchown(&link, Some(DEP), Some(DEP)).unwrap();
    assert_eq!(owner(&link), Owner::Uid(DEP));
    let mine = at.file("sticky/mine", DEP, 0o644);
    assert_eq!(owner(&mine), Owner::Uid(DEP));
    let second = at.0.join("sticky/second");
    fs::hard_link(at.file("first", 0, 0o600), &second).unwrap();
    assert_eq!(owner(&second), Owner::Anybody);
}

#[test]
fn groups_count_by_their_members() {
    if !root() {
        return;
    }
    let at = Scratch::new("groups");
    // Group 0 has no member but root; a group without a name could be anybody's.
    assert_eq!(owner(&at.file("staff", 0, 0o664)), Owner::Root);
    let unknown = at.file("unknown", 0, 0o664);
    std::os::unix::fs::chown(&unknown, Some(0), Some(DEP)).unwrap();
    let trust = inspect(&unknown).unwrap();
    assert_eq!(trust.owner, Owner::Anybody);
    assert_eq!(trust.because.as_ref().unwrap().how, How::Group(DEP));
    let hint = trust.require(0).unwrap_err().hint.unwrap();
    assert_eq!(hint, format!("chmod g-w {}", unknown.display()));
    // Debian's games: a group that is the own group of one user.
    let games = nix::unistd::User::from_name("games").unwrap().unwrap();
    let shared = at.file("shared", 0, 0o664);
    std::os::unix::fs::chown(&shared, Some(0), Some(games.gid.as_raw())).unwrap();
    assert_eq!(owner(&shared), Owner::Uid(games.uid.as_raw()));
}

#[test]
fn an_input_has_the_rights_of_who_can_change_it() {
    use crate::source::Source;
    if !root() {
        return;
    }
    let at = Scratch::new("rights");
    at.dir("site", DEP, 0o755);
    let set = at.file("site/set.toml", 0, 0o644);
    let source = Source::read(&set).unwrap();
    assert_eq!(source.rights().owner(), Owner::Uid(DEP));
    source
        .require_user_for(DEP, "a job of the site's user")
        .unwrap();
    let error = source.require_root_for("user = \"root\"").unwrap_err();
    assert_eq!(error.kind, Kind::Input);
    assert_eq!(
        error.message,
        format!(
            "{0}: user = \"root\" is refused: uid {DEP} can change the file ('{1}' belongs to uid {DEP})",
            set.display(),
            at.0.join("site").display()
        )
    );
    let hint = error.hint.unwrap();
    assert!(
        hint.contains(&format!("--trust {}", set.display())),
        "{hint}"
    );
    assert_eq!(source.executor().unwrap().unwrap().uid, DEP);
    let own = Source::read(&at.file("own.toml", 0, 0o644)).unwrap();
    own.require_root_for("commands").unwrap();
    assert_eq!(own.executor().unwrap(), None);
    let anybody = Source::read(&at.file("any.toml", 0, 0o666)).unwrap();
    assert!(anybody.executor().is_err());
}

#[test]
fn what_is_no_regular_file_is_never_waited_for() {
    let at = Scratch::new("kinds");
    let fifo = at.0.join("fifo");
    nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRWXU).unwrap();
    let read = |path: &Path| read_regular(path, 10, Deadline::NEVER);
    let error = read(&fifo).unwrap_err();
    assert!(error.message.ends_with("it is a FIFO, not a regular file"));
    let error = read(Path::new("/dev/zero")).unwrap_err();
    assert!(error.message.contains("a device"), "{}", error.message);
    fs::write(at.0.join("ten"), "0123456789").unwrap();
    assert_eq!(read(&at.0.join("ten")).unwrap().0, b"0123456789");
    fs::write(at.0.join("more"), "01234567890").unwrap();
    let error = read(&at.0.join("more")).unwrap_err();
    assert!(error.message.ends_with("is larger than 10 bytes"));
    assert_eq!(read(&at.0.join("none")).unwrap_err().kind, Kind::NotFound);
    assert!(read(&at.0.join("ten/")).is_err());
    let (dir, _) = open_dir(&at.0).unwrap();
    assert_eq!(dir.names().unwrap(), ["fifo", "more", "ten"]);
}

#[test]
fn a_link_of_proc_leads_where_the_kernel_says() {
    let exe = inspect(Path::new("/proc/self/exe")).unwrap();
    let real = fs::metadata(std::env::current_exe().unwrap()).unwrap();
    use std::os::unix::fs::MetadataExt;
    assert_eq!(exe.identity(), (real.dev(), real.ino()));
    assert!(exe.reopen(rustix::fs::OFlags::RDONLY).is_ok());
}

#[test]
fn two_other_users_are_more_than_one() {
    let (a, b) = (Owner::Uid(DEP), Owner::Uid(OTHER));
    assert_eq!(a.and(a), a);
    assert_eq!(a.and(Owner::Root), a);
    assert_eq!(Owner::Root.and(b), b);
    assert_eq!(a.and(b), Owner::Anybody);
    assert_eq!(a.and(Owner::caller()), a);
    assert_eq!(Owner::Anybody.and(a), Owner::Anybody);
}

#[test]
fn a_log_is_opened_with_the_rights_of_who_can_change_its_path() {
    use std::io::Write;
    use std::os::unix::fs::MetadataExt;
    if !root() {
        return;
    }
    let at = Scratch::new("append");
    let site = at.dir("site", DEP, 0o755);
    let secret = at.file("secret", 0, 0o600);
    let append = |path: &Path| open_append(path, 0o640);

    let log = site.join("log");
    append(&log).unwrap().write_all(b"a").unwrap();
    append(&log).unwrap().write_all(b"b").unwrap();
    let meta = fs::metadata(&log).unwrap();
    assert_eq!((meta.uid(), meta.mode() & 0o777), (DEP, 0o640));
    assert_eq!(fs::read(&log).unwrap(), b"ab");
    // What root made there before stays root's.
    let old = at.file("site/old", 0, 0o600);
    append(&old).unwrap().write_all(b"!").unwrap();

    let link = site.join("link");
    symlink(&secret, &link).unwrap();
    assert_eq!(append(&link).unwrap_err().kind, Kind::Permission);
    let dangling = site.join("dangling");
    symlink(at.0.join("made"), &dangling).unwrap();
    assert!(append(&dangling).is_err() && !at.0.join("made").exists());
    let second = site.join("second");
    fs::hard_link(&secret, &second).unwrap();
    assert!(append(&second).unwrap_err().message.contains("hard link"));
    let away = site.join("away");
    symlink(&at.0, &away).unwrap();
    assert!(append(&away.join("new")).is_err() && !at.0.join("new").exists());
    assert!(append(&away.join("secret")).is_err());
    let fifo = site.join("fifo");
    nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRWXU).unwrap();
    assert!(append(&fifo).unwrap_err().message.contains("a FIFO"));
    assert_eq!(fs::read(&secret).unwrap(), b"secret");

    // Nor is anything read that way for a report.
    assert!(open_with_its_rights(&link).is_err());
    assert!(open_with_its_rights(&second).is_err());
    assert!(open_with_its_rights(&away.join("secret")).is_err());
    assert!(open_with_its_rights(&old).is_ok() && open_with_its_rights(&log).is_ok());

    // By a path of root's alone all of it is as ever.
    let roots = at.0.join("roots");
    symlink(&secret, &roots).unwrap();
    append(&roots).unwrap().write_all(b"!").unwrap();
    assert_eq!(fs::read(&secret).unwrap(), b"secret!");
    append(Path::new("/dev/null")).unwrap();
    assert_eq!(rustix::process::geteuid().as_raw(), 0);
    assert!(fs::read("/etc/shadow").is_ok());
}
