//! Hosts that are not like this one: other distributions' databases, limits, read-only file
//! systems; and a snapshot of this one.

use super::{ask, check, pair};
use harness::{namespace, need, scratch, tool};

#[test]
fn rpm_apk_and_pacman_have_their_own_databases() {
    if !namespace::available() || need("rpmbuild").is_none() {
        return;
    }
    let script = r#"
is() { rm -f /etc/os-release; printf 'ID=%s\n' $1 > /etc/os-release; }
look() { $CHECK "$@" | jq -r '.items[] | "\(.status) \(.found) \(.fix.steps[0].text // "")"'; }
is fedora
mkdir -p /srv/rpm && cd /srv/rpm
printf 'Name: cr-made-up\nVersion: 1.10~rc1\nRelease: 2\nEpoch: 1\nSummary: x\nLicense: x\nBuildArch: noarch\nProvides: cr-virtual\n%%description\nx\n%%files\n' > x.spec
rpmbuild -bb --quiet --define "_topdir /srv/rpm" x.spec >&2
rpm -i --nodeps RPMS/noarch/cr-made-up-*.rpm >&2
look pkg:cr-made-up 'pkg:cr-made-up>=1:1.9' 'pkg:cr-made-up>=1:1.10' 'pkg:cr-made-up=1:1.10~rc1' pkg:cr-virtual pkg:cr-absent
is alpine
mkdir -p /usr/lib/apk/db /lib/apk/db
printf 'P:nginx\nV:1.26.1-r2\np:cmd:nginx=1.26.1-r2\n\n' > /lib/apk/db/installed
look 'pkg:nginx>=1.26.1-r1' 'pkg:nginx>=1.26.1_p1' pkg:redis
is arch
mkdir -p /var/lib/pacman/local/nginx-1.26.1-1
printf '%%NAME%%\nnginx\n\n%%VERSION%%\n1.26.1-1\n\n' > /var/lib/pacman/local/nginx-1.26.1-1/desc
look 'pkg:nginx>=1.26' 'pkg:nginx>=1:1' pkg:redis
is plan9
$CHECK pkg:nginx | jq -r '.items[0] | "\(.status) \(.reason)"'
"#;
    let said = namespace::said(&["/etc", "/var", "/usr", "/srv", "/root"], script);
    let wanted = "met 1:1.10~rc1-2 \n\
                  met 1:1.10~rc1-2 \n\
                  unmet 1:1.10~rc1-2 dnf upgrade -y cr-made-up </dev/null\n\
                  met 1:1.10~rc1-2 \n\
                  met provided by cr-made-up \n\
                  unmet null dnf install -y cr-absent </dev/null\n\
                  met 1.26.1-r2 \n\
                  unmet 1.26.1-r2 apk add --upgrade nginx </dev/null\n\
                  unmet null apk add --update-cache redis </dev/null\n\
                  met 1.26.1-1 \n\
                  unmet 1.26.1-1 pacman -Syu --noconfirm nginx </dev/null\n\
                  unmet null pacman -S --noconfirm --needed redis </dev/null\n\
                  unknown no_package_manager\n";
    assert_eq!(said, wanted);
}

#[test]
fn a_file_system_that_is_mounted_read_only_is_writable_for_nobody() {
    if !namespace::available() {
        return;
    }
    let script = "mount -t tmpfs none /srv && mkdir /srv/media && chmod 777 /srv/media && mount -o remount,ro /srv\n\
                  $CHECK writable:/srv/media:www-data writable:/srv/media | jq -r '.items[] | \"\\(.status) \\(.reason)\"'";
    assert_eq!(
        namespace::said(&["/etc"], script),
        "unmet read_only\nunmet read_only\n"
    );
}

#[test]
fn an_access_list_counts_where_mode_bits_say_no() {
    if !namespace::available() || need("setfacl").is_none() {
        return;
    }
    let dir = scratch();
    let path = dir.path().display().to_string();
    std::fs::set_permissions(
        dir.path(),
        std::os::unix::fs::PermissionsExt::from_mode(0o700),
    )
    .unwrap();
    assert_eq!(
        ask(&format!("writable:{path}:www-data")),
        pair("unmet", "not_writable")
    );
    let set = std::process::Command::new("setfacl")
        .args(["-m", "u:www-data:rwx", &path])
        .output()
        .unwrap();
    assert!(
        set.status.success(),
        "TMPDIR has to be on a file system with access lists: {set:?}"
    );
    assert_eq!(ask(&format!("writable:{path}:www-data")).0, "met");
}

#[test]
fn a_control_groups_limit_is_the_memory_there_is() {
    let (v1, v2) = (
        std::path::Path::new("/sys/fs/cgroup/memory"),
        std::path::Path::new("/sys/fs/cgroup/cgroup.controllers"),
    );
    if !namespace::available() {
        return;
    }
    let name = format!("check-reqs-test-{}", std::process::id());
    let (dir, limit) = match v1.is_dir() {
        true => (v1.join(&name), "memory.limit_in_bytes"),
        false => (v2.with_file_name(&name), "memory.max"),
    };
    // In a container control groups may be read-only.
    let limited =
        std::fs::create_dir(&dir).and_then(|()| std::fs::write(dir.join(limit), "67108864"));
    if let Err(why) = limited {
        let _ = std::fs::remove_dir(&dir);
        assert!(
            harness::skip_servers(),
            "cannot limit the memory of {}: {why}; SKIP_SERVERS=1 leaves this out",
            dir.display()
        );
        return;
    }
    let bin = harness::bin("check-reqs");
    let script = format!(
        "echo $$ > {}/cgroup.procs && {} memory:32M memory:128M",
        dir.display(),
        bin.display()
    );
    let done = std::process::Command::new("sh")
        .args(["-c", &script])
        .output()
        .unwrap();
    let _ = std::fs::remove_dir(&dir);
    let said: serde_json::Value = serde_json::from_slice(&done.stdout).unwrap();
    assert_eq!(super::statuses(&said), ["met", "unmet"], "{said}");
    assert!(
        said["items"][1]["msg"].as_str().unwrap().contains(&name),
        "{said}"
    );
}

#[test]
fn a_snapshot_passes_on_its_own_host() {
    let dir = scratch();
    let venv = harness::test_venv().display().to_string();
    let python = format!("python@{venv}");
    let dists = format!("dist@{venv}");
    let kinds = [
        "python",
        &python,
        &dists,
        "package",
        "command:git",
        "user:www-data",
        "user",
        "group:www-data",
        "directory:/tmp",
        "memory:16M",
        "service",
    ];
    for (format, name) in [(None, "site.toml"), (Some("json"), "site.json")] {
        let mut args = vec!["--snapshot"];
        if let Some(format) = format {
            args.extend(["-o", format]);
        }
        args.extend(kinds);
        let text = check(&args).expect_code(0).out();
        let file = dir.path().join(name);
        std::fs::write(&file, &text).unwrap();
        let report = tool("check-reqs")
            .arg("-f")
            .arg(&file)
            .run()
            .expect_code(0)
            .json();
        let items = report["items"].as_array().unwrap();
        assert!(items.len() > 50, "{}", items.len());
        let django = items
            .iter()
            .find(|item| item["type"] == "dist" && item["id"] == "dist:django")
            .unwrap();
        assert!(
            django["expected"]
                .as_str()
                .unwrap()
                .starts_with("django =="),
            "{django}"
        );
    }
    check(&["--snapshot", "command:no-such-program"])
        .expect_code(3)
        .expect_err("there is no command no-such-program");
    check(&["--snapshot", "pyhton"])
        .expect_code(2)
        .expect_err("did you mean 'python'?");
    check(&["--snapshot"])
        .expect_code(2)
        .expect_err("--snapshot needs a kind");
}
