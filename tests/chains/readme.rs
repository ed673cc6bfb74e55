//! Every command in the README, run as it stands there, output compared.
//!
//! `RUNBOOK_BLESS=1` writes the real output into the README instead of comparing.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};

use harness::site::Site;

use crate::recipe::{self, Place, Recipe};

#[test]
fn the_readme_is_true() {
    let repository = harness::source_root();
    let text = fs::read_to_string(repository.join("README.md")).unwrap();
    let recipes = recipe::recipes(&text).unwrap_or_else(|e| panic!("README.md: {e}"));
    let bless = std::env::var_os("RUNBOOK_BLESS").is_some();
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    let site = recipes
        .iter()
        .any(|recipe| recipe.place == Place::Site)
        .then(Site::up);

    // From the last to the first, blessed output would shift lines; so they are kept.
    let mut replacements = Vec::new();
    for recipe in &recipes {
        let (printed, home) = match (recipe.place, &site) {
            (Place::Site, Some(site)) => (in_site(recipe, site), site.home.display().to_string()),
            (Place::Site, None) => unreachable!("a site is up where one is asked for"),
            (Place::Anywhere, _) => anywhere(recipe),
            (Place::Make, _) => (make(recipe, &repository), String::from("/nowhere")),
        };
        let Some((expected, range)) = &recipe.output else {
            continue;
        };
        if bless {
            replacements.push((
                range.clone(),
                printed.trim_end().replace(&home, "/srv/reef"),
            ));
        } else {
            assert_eq!(
                recipe::masked(&printed, &home),
                recipe::masked(expected, &home),
                "README.md, line {}: prints something else now (RUNBOOK_BLESS=1 rewrites it)",
                recipe.line
            );
        }
    }
    if bless {
        for (range, printed) in replacements.into_iter().rev() {
            lines.splice(range, printed.lines().map(str::to_owned));
        }
        fs::write(repository.join("README.md"), lines.join("\n") + "\n").unwrap();
    }
}

/// Root types the README's runbook for a site of another user: the update is made, and nothing of
/// the site is root's afterwards.
#[test]
fn the_readme_s_runbook_runs_as_root_over_another_user_s_site() {
    if !nix::unistd::geteuid().is_root() {
        assert!(harness::skip_servers(), "root runs this test");
        return;
    }
    let text = fs::read_to_string(harness::source_root().join("README.md")).unwrap();
    let section = text.find("## A runbook\n").expect("the section");
    let before = text[..section].lines().count();
    let recipes = recipe::recipes(&text).unwrap();
    let runbook = recipes
        .iter()
        .find(|recipe| recipe.line > before)
        .expect("the runbook");
    assert!(runbook.script.contains("--as-site"), "{}", runbook.script);

    let site = Site::up();
    let etc = harness::scratch();
    fs::set_permissions(etc.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let file = etc.path().join("reef.toml");
    let facts = fs::read_to_string(site.home.join("etc/reef.toml")).unwrap();
    let services = site.home.join("etc/services.toml");
    let facts = facts.replace("\"services.toml\"", &format!("\"{}\"", services.display()));
    fs::write(&file, facts).unwrap();
    let done = site
        // On a host of its own the tools are where packages put them: COMMAND has the system's
        // PATH.
        .root_command(&format!(
            "mount --bind '{}/bin' /usr/local/sbin\ncd /\n{}",
            site.home.display(),
            runbook.script
        ))
        .env("RUNBOOK_SITE", &file)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&done.stderr).into_owned();
    assert_eq!(done.status.code(), Some(0), "{said}");
    let version = site.run("curl -fsS \"$web/healthz\" | jq .version");
    assert_eq!(version.out().trim(), "2", "{said}");
    let of_root = site.run("find . -user root");
    assert_eq!(of_root.out(), "", "{said}");
}

fn in_site(recipe: &Recipe, site: &Site) -> String {
    let said = site.run(&recipe.script);
    expect_exit(recipe, said.code(), &said.out(), &said.err());
    said.out()
}

fn anywhere(recipe: &Recipe) -> (String, String) {
    let directory = tempfile::tempdir().unwrap();
    let path = std::env::var("PATH").unwrap_or_default();
    let done = Command::new("sh")
        .args(["-ec", &recipe.script])
        .current_dir(directory.path())
        .env("HOME", directory.path())
        .env("PATH", format!("{}:{path}", harness::tools().display()))
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let stdout = String::from_utf8_lossy(&done.stdout).into_owned();
    let stderr = String::from_utf8_lossy(&done.stderr);
    expect_exit(recipe, done.status.code().unwrap_or(-1), &stdout, &stderr);
    (stdout, directory.path().display().to_string())
}

/// Targets that build, install and package are run by other tests; here they must exist.
fn make(recipe: &Recipe, repository: &Path) -> String {
    for line in recipe.script.lines() {
        let words: Vec<&str> = line
            .split('#')
            .next()
            .unwrap_or_default()
            .split_whitespace()
            .skip_while(|word| *word == "sudo")
            .collect();
        let Some((first, rest)) = words.split_first() else {
            continue;
        };
        assert_eq!(
            *first, "make",
            "README.md, line {}: {line}: only make here",
            recipe.line
        );
        let done = Command::new("make")
            .arg("-n")
            .args(rest)
            .current_dir(repository)
            .output()
            .unwrap();
        assert!(
            done.status.success(),
            "README.md, line {}: {line}: {}",
            recipe.line,
            String::from_utf8_lossy(&done.stderr)
        );
    }
    String::new()
}

fn expect_exit(recipe: &Recipe, code: i32, stdout: &str, stderr: &str) {
    assert_eq!(
        code, recipe.exit,
        "README.md, line {}:\n{}\nstdout: {stdout}\nstderr: {stderr}",
        recipe.line, recipe.script
    );
}
