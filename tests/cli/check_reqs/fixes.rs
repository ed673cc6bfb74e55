//! A fix, run as it is written, makes the next run say met.

use super::{check, check_file};
use harness::{namespace, scratch};
use serde_json::Value;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::process::Command;

/// The fix of the only item, run by a shell; fails the test where there is none.
fn apply(report: &Value) {
    let fix = &report["items"][0]["fix"];
    assert_eq!(fix["destructive"], false, "{report}");
    harness::fix::apply(fix);
}

fn mended(file: &str) {
    apply(&check_file(file, &[]).expect_code(1).json());
    check_file(file, &[]).expect_code(0);
}

fn root() -> bool {
    harness::need_root()
}

#[test]
fn directories_owners_and_modes() {
    if !root() {
        return;
    }
    let dir = scratch();
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let path = dir.path().join("it's media");
    let table = format!(
        "[[check]]\ntype = \"file\"\npath = \"{}\"\nkind = \"directory\"\nowner = \"www-data\"\ngroup = \"adm\"\nmode = \"2775\"\n",
        path.display()
    );
    mended(&table);
    assert_eq!(fs::metadata(&path).unwrap().mode() & 0o7777, 0o2775);
    std::os::unix::fs::chown(&path, Some(0), Some(0)).unwrap();
    mended(&table);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o700)).unwrap();
    mended(&table);

    let writable = format!(
        "[[check]]\ntype = \"writable\"\npath = \"{}/up\"\nuser = \"nobody\"\n",
        dir.path().display()
    );
    mended(&writable);
    std::os::unix::fs::chown(dir.path().join("up"), Some(0), Some(0)).unwrap();
    mended(&writable);
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o700)).unwrap();
    mended(&writable);
    let link = dir.path().join("current");
    mended(&format!(
        "[[check]]\ntype = \"file\"\npath = \"{}\"\nkind = \"symlink\"\ntarget = \"/srv/site\"\n",
        link.display()
    ));
}

#[test]
fn a_broken_virtual_environment_is_made_again() {
    let dir = scratch();
    let venv = dir.path().join("venv");
    let need = format!("python>=3.8@{}", venv.display());
    let file = format!(
        "[[check]]\ntype = \"python\"\nversion = \">=3.8\"\ninterpreter = \"{}\"\n",
        venv.display()
    );
    // Installing python3-venv asks for root and a mirror; the tests have it.
    let run = |report: &Value| {
        let steps = report["items"][0]["fix"]["steps"].as_array().unwrap();
        let steps: Vec<&str> = steps
            .iter()
            .map(|step| step["text"].as_str().unwrap())
            .skip_while(|line| !line.contains("python3-venv"))
            .collect();
        assert!(steps[0].contains("apt-get install -y python3-venv"));
        let make = steps[1..]
            .join("\n")
            .replace("python3 -m venv", "/usr/bin/python3 -m venv --without-pip");
        assert!(
            Command::new("sh")
                .args(["-ec", &make])
                .status()
                .unwrap()
                .success(),
            "{make}"
        );
    };
    run(&check_file(&file, &[]).expect_code(1).json());
    check(&[&need]).expect_code(0);
    fs::remove_file(venv.join("bin/python3")).unwrap();
    std::os::unix::fs::symlink("/usr/bin/python2.99", venv.join("bin/python3")).unwrap();
    fs::write(venv.join("precious"), "").unwrap();
    run(&check_file(&file, &[]).expect_code(1).json());
    check(&[&need]).expect_code(0);
    assert!(
        dir.path().join("venv.broken/precious").exists(),
        "nothing of the old environment is lost"
    );
}

fn in_own_etc(script: &str) -> String {
    namespace::said(&["/etc"], script)
}

#[test]
fn crontabs_are_allowed_and_the_real_crontab_agrees() {
    if !root() || harness::need("crontab").is_none() {
        return;
    }
    let need =
        "printf '[[check]]\\nid=\"c\"\\ntype=\"crontab\"\\nuser=\"www-data\"\\ndaemon=false\\n'";
    for (prepare, reason) in [
        ("echo www-data > /etc/cron.deny", "denied"),
        ("echo root > /etc/cron.allow", "not_allowed"),
    ] {
        let script = format!(
            r#"{prepare}; chmod 644 /etc/cron.*[wy]
said=$({need} | $CHECK -f - || true)
echo "$said" | jq -r '.items[0].reason'
runuser -u www-data -- crontab -l 2>&1 | head -1
echo "$said" | jq -r '.items[].fix.steps[]?.text' | sh -e
{need} | $CHECK -f - | jq -r '.items[0].status'
runuser -u www-data -- crontab -l 2>&1 | head -1
"#
        );
        let said = in_own_etc(&script);
        let lines: Vec<&str> = said.lines().collect();
        assert_eq!((lines[0], lines[2]), (reason, "met"), "{said}");
        assert!(lines[1].contains("not allowed"), "{said}");
        assert!(!lines[3].contains("not allowed"), "{said}");
    }
}

#[test]
fn accounts_are_made() {
    if !root() {
        return;
    }
    let said = in_own_etc(
        r#"
for need in user:cr-deployer:adm,www-data group:cr-site:www-data; do
  $CHECK "$need" | jq -r '.items[].fix.steps[]?.text' | sed 's/--create-home/--no-create-home/' | sh -e
  $CHECK "$need" | jq -r '.items[0].status'
done
usermod -G adm cr-deployer
$CHECK user:cr-deployer:adm,www-data | jq -r '.items[].fix.steps[]?.text' | sh -e
$CHECK user:cr-deployer:adm,www-data | jq -r '.items[0].status'
"#,
    );
    assert_eq!(said, "met\nmet\nmet\n");
}

#[test]
fn each_distribution_gets_its_own_words() {
    if !root() {
        return;
    }
    for (id, command) in [
        ("fedora", "dnf install -y cronie </dev/null"),
        ("alpine", "apk add --update-cache cronie </dev/null"),
        ("arch", "pacman -S --noconfirm --needed cronie </dev/null"),
        (
            "ubuntu",
            "DEBIAN_FRONTEND=noninteractive apt-get install -y cron </dev/null",
        ),
    ] {
        let script = format!(
            "rm -f /etc/os-release; printf 'ID={id}\\n' > /etc/os-release; mount --bind /dev/null /usr/bin/crontab\n\
             $CHECK crontab | jq -r '.items[].fix.steps[]?.text'"
        );
        assert_eq!(
            in_own_etc(&script).trim().lines().last(),
            Some(command),
            "{id}"
        );
    }
}

#[test]
fn packages_are_installed_and_upgraded_by_apt() {
    if !root() || harness::need("dpkg-deb").is_none() {
        return;
    }
    // A repository of the test's own, so that no mirror is needed; apt and dpkg are the real ones.
    let script = r#"
cd /srv && mkdir -p repo && cd repo
for version in 1.2-1 1.10~rc1-1; do
  mkdir -p p/DEBIAN p/usr/share/cr-made-up
  printf 'Package: cr-made-up\nVersion: %s\nArchitecture: all\nMaintainer: x <x@example.org>\nProvides: cr-virtual\nDescription: made up\n' $version > p/DEBIAN/control
  dpkg-deb -b p cr-made-up_${version}_all.deb > /dev/null
done
index() {
  : > Packages
  for deb in "$@"; do
    dpkg-deb -f $deb >> Packages
    printf 'Filename: ./%s\nSize: %s\nSHA256: %s\n\n' $deb $(stat -c %s $deb) $(sha256sum < $deb | cut -d' ' -f1) >> Packages
  done
  apt-get update -qq -o Dir::Etc::sourcelist=/etc/apt/cr.list -o Dir::Etc::sourceparts=/dev/null >&2
}
echo 'deb [trusted=yes] file:/srv/repo ./' > /etc/apt/cr.list
printf 'Dir::Etc::sourcelist "/etc/apt/cr.list";\nDir::Etc::sourceparts "/dev/null";\nAPT::Sandbox::User "root";\n' > /etc/apt/apt.conf.d/99cr
mend() { $CHECK "$1" | jq -r '.items[].fix.steps[]?.text' | tee /dev/stderr | sh -e >&2; $CHECK "$1" | jq -r '.items[0] | "\(.status) \(.found)"'; }
index cr-made-up_1.2-1_all.deb
mend pkg:cr-made-up
$CHECK pkg:cr-virtual | jq -r '.items[0] | "\(.status) \(.found)"'
$CHECK 'pkg:cr-made-up>=1.10~' | jq -r '.items[0] | "\(.status) \(.reason) \(.found)"'
index cr-made-up_1.2-1_all.deb cr-made-up_1.10~rc1-1_all.deb
mend 'pkg:cr-made-up>=1.10~'
"#;
    let said = namespace::said(&["/etc", "/var", "/usr", "/srv"], script);
    assert_eq!(
        said,
        "met 1.2-1\nmet provided by cr-made-up\nunmet version 1.2-1\nmet 1.10~rc1-1\n"
    );
}
