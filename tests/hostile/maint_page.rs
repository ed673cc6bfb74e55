//! maint-page in a directory of another user.

use crate::user::{DEP, Host, Racer, as_user, everything, rounds};
use harness::tool;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};

/// The user puts a link in the place of each temporary directory that appears, which leads to a
/// directory of root's.
const SWAPPER: &str = "
victim = sys.argv[1] if len(sys.argv) > 1 else open('victim').read()
while True:
    try:
        for name in os.listdir('maintenance/page'):
            if name.startswith('.rbt-') and not name.endswith('x'):
                path = 'maintenance/page/' + name
                os.rename(path, path + 'x')
                os.symlink(victim, path)
    except OSError:
        pass
";

#[test]
fn a_template_is_not_copied_through_a_link_put_in_its_way() {
    if !harness::need_root() {
        return;
    }
    let host = Host::new();
    host.secret("page.html", "root's own page");
    host.secret("other", "root's own file");
    let before = everything(&host.roots());
    let template = host.site().join("template");
    fs::create_dir(&template).unwrap();
    fs::write(template.join("page.html"), "<p>{{message}}</p>").unwrap();
    fs::write(template.join("style.css"), "p {}").unwrap();
    let dir = host.site().join("maintenance");
    fs::create_dir_all(dir.join("page")).unwrap();
    for path in [&dir, &dir.join("page"), &template] {
        host.give(path);
    }
    let victim = host.site().join("victim");
    fs::write(&victim, host.roots().to_str().unwrap()).unwrap();
    let racer = Racer::start(&host.site(), SWAPPER);
    for round in 0..rounds() {
        // Another content, so that there is something to copy in each round.
        fs::write(template.join("style.css"), format!("p {{ /* {round} */ }}")).unwrap();
        let done = tool("maint-page")
            .args(["on", "--dir", dir.to_str().unwrap()])
            .args(["--template", template.to_str().unwrap(), "--for", "10m"])
            .run();
        assert!([0, 1, 3, 75].contains(&done.code()), "{}", done.err());
        assert_eq!(everything(&host.roots()), before, "round {round}");
    }
    drop(racer);
    // What was made is the user's.
    for (path, uid, ..) in everything(&dir) {
        assert_eq!(uid, DEP, "{}", path.display());
    }
}

#[test]
fn a_directory_of_roots_is_not_given_away() {
    if !harness::need_root() {
        return;
    }
    let host = Host::new();
    let dir = host.site().join("maintenance");
    fs::create_dir(&dir).unwrap();
    host.give(&dir);
    let closed = dir.join("backup");
    fs::create_dir(&closed).unwrap();
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o700)).unwrap();
    as_user(&dir, "import os; os.rename('backup', 'bypass')");
    let done = tool("maint-page")
        .args(["bypass", "add", "--dir", dir.to_str().unwrap()])
        .run();
    let meta = fs::metadata(dir.join("bypass")).unwrap();
    assert_eq!(
        (meta.uid(), meta.mode() & 0o777),
        (0, 0o700),
        "{}",
        done.err()
    );
    let done = done.expect_code(3);
    assert!(done.err().contains("chown -R"), "{}", done.err());
}

#[test]
fn a_template_shows_nothing_that_its_user_cannot_read() {
    if !harness::need_root() {
        return;
    }
    let host = Host::new();
    let secret = host.secret("key", "root's own secret");
    let template = host.site().join("template");
    fs::create_dir(&template).unwrap();
    host.give(&template);
    fs::write(template.join("page.html"), "<p></p>").unwrap();
    let dir = host.roots().join("maintenance");
    let on = || {
        tool("maint-page")
            .args(["on", "--dir", dir.to_str().unwrap()])
            .args(["--template", template.to_str().unwrap()])
            .run()
    };
    std::os::unix::fs::symlink(&secret, template.join("key")).unwrap();
    on().expect_code(2)
        .expect_err("neither a file nor a directory");
    fs::remove_file(template.join("key")).unwrap();
    // A second name of the file: root could read it, the template's user cannot.
    fs::hard_link(&secret, template.join("key")).unwrap();
    on().expect_code(2).expect_err("Permission denied");
    assert!(!dir.exists());
}
