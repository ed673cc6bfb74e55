//! Every command in the README, run as it stands there, output compared.
//!
//! `RUNBOOK_BLESS=1` writes the real output into the README instead of comparing.

use std::fs;
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
