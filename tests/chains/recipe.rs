//! The README's fenced blocks: what is to be run where, and what it has to print.
//!
//! The convention, invisible to a reader:
//!
//! ```text
//! <!-- run: site -->            the next ```sh block is run in the demo's site
//! <!-- run: anywhere, exit 1 --> in an empty directory, and has to end with 1
//! <!-- run: make -->            each line is a `make` that `make -n` must understand
//! <!-- output -->               the next block is what the last one has to print
//! ```
//!
//! A ```sh block without such a line is an error: nothing stands in the README
//! that no test has run.

/// Where a recipe runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// An empty directory, the tools on PATH.
    Anywhere,
    /// The home directory of the demo's site.
    Site,
    /// The repository, with `make -n`.
    Make,
}

/// One ```sh block and what is said of it.
#[derive(Debug, PartialEq, Eq)]
pub struct Recipe {
    /// Line of the fence, from 1.
    pub line: usize,
    /// Where it runs.
    pub place: Place,
    /// The exit code it has to end with.
    pub exit: i32,
    /// The script.
    pub script: String,
    /// What it has to print, and on which lines (from 0, without the fences) that stands.
    pub output: Option<(String, std::ops::Range<usize>)>,
}

/// All recipes in order, or the first thing that breaks the convention.
pub fn recipes(text: &str) -> Result<Vec<Recipe>, String> {
    let lines: Vec<&str> = text.lines().collect();
    let mut found: Vec<Recipe> = Vec::new();
    let mut mark: Option<(usize, &str)> = None;
    let mut at = 0;
    while at < lines.len() {
        let line = lines[at];
        if let Some(said) = comment(line) {
            mark = Some((at + 1, said));
        } else if let Some(language) = line.strip_prefix("```") {
            let end = (at + 1..lines.len())
                .find(|&i| lines[i].trim_end() == "```")
                .ok_or_else(|| format!("line {}: the block never ends", at + 1))?;
            let body = lines[at + 1..end].join("\n");
            match (mark.take(), language.trim()) {
                (Some((_, "output")), _) => {
                    let recipe = found
                        .last_mut()
                        .ok_or_else(|| format!("line {}: output of what?", at + 1))?;
                    recipe.output = Some((body, at + 1..end));
                }
                (Some((at, said)), "sh") => found.push(marked(at + 1, said, body)?),
                (None, "sh") => return Err(format!("line {}: no test runs this block", at + 1)),
                (Some((at, said)), other) => {
                    return Err(format!("line {at}: `{said}` before a block of {other:?}"));
                }
                (None, _) => {}
            }
            at = end;
        } else if !line.trim().is_empty() {
            if let Some((at, said)) = mark {
                return Err(format!("line {at}: `{said}`, but no block follows"));
            }
        }
        at += 1;
    }
    Ok(found)
}

fn comment(line: &str) -> Option<&str> {
    let said = line
        .trim()
        .strip_prefix("<!--")?
        .strip_suffix("-->")?
        .trim();
    (said == "output" || said.starts_with("run:")).then_some(said)
}

fn marked(line: usize, said: &str, script: String) -> Result<Recipe, String> {
    let wrong = || format!("line {line}: `{said}`: not `run: site|anywhere|make[, exit N]`");
    let mut words = said.strip_prefix("run:").ok_or_else(wrong)?.split(',');
    let place = match words.next().map(str::trim) {
        Some("anywhere") => Place::Anywhere,
        Some("site") => Place::Site,
        Some("make") => Place::Make,
        _ => return Err(wrong()),
    };
    let exit = match words.next().map(str::trim) {
        None => 0,
        Some(word) => word
            .strip_prefix("exit ")
            .and_then(|n| n.parse().ok())
            .ok_or_else(wrong)?,
    };
    Ok(Recipe {
        line,
        place,
        exit,
        script,
        output: None,
    })
}

/// Output with what differs from run to run taken out: the site's directory reads
/// `/srv/reef`, every number is `0`, every long hexadecimal word `#`, blanks that only
/// keep columns apart are one.
pub fn masked(text: &str, home: &str) -> String {
    let text = text.replace(home, "/srv/reef");
    let mut lines = Vec::new();
    for line in text.lines() {
        let mut out = String::new();
        for word in line.split(' ').filter(|word| !word.is_empty()) {
            if !out.is_empty() {
                out.push(' ');
            }
            mask_word(word, &mut out);
        }
        lines.push(out);
    }
    while lines.last().is_some_and(String::is_empty) {
        lines.pop();
    }
    lines.join("\n")
}

fn mask_word(word: &str, out: &mut String) {
    let mut rest = word;
    while let Some(first) = rest.chars().next() {
        let run = |ok: fn(char) -> bool| rest.find(|c| !ok(c)).unwrap_or(rest.len());
        let hex = run(|c| c.is_ascii_hexdigit());
        if hex >= 8 && rest[..hex].contains(|c: char| c.is_ascii_digit()) {
            out.push('#');
            rest = &rest[hex..];
        } else if first.is_ascii_digit() {
            out.push('0');
            rest = after_number(rest);
        } else {
            out.push(first);
            rest = &rest[first.len_utf8()..];
        }
    }
}

/// What follows a number, a version or a size: `42.3G` is as good as `38G`, or `900M`.
fn after_number(word: &str) -> &str {
    let end = word
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(word.len());
    let (number, rest) = word.split_at(end);
    let rest = &word[number.trim_end_matches('.').len()..end + rest.len()];
    match rest.strip_prefix(['B', 'K', 'M', 'G', 'T']) {
        Some(after) if !after.starts_with(|c: char| c.is_ascii_alphanumeric()) => after,
        _ => rest,
    }
}

#[test]
fn a_block_that_nothing_runs_is_an_error() {
    let error = recipes("text\n\n```sh\nrm -rf /\n```\n").unwrap_err();
    assert_eq!(error, "line 3: no test runs this block");
}

#[test]
fn a_mark_without_a_block_is_an_error() {
    let error = recipes("<!-- run: site -->\nwords\n").unwrap_err();
    assert_eq!(error, "line 1: `run: site`, but no block follows");
}

#[test]
fn place_exit_and_output_are_read() {
    let text = "<!-- run: anywhere, exit 1 -->\n```sh\nfalse\n```\n\n<!-- output -->\n```json\n{}\n```\n\n```text\nfree\n```\n";
    let found = recipes(text).unwrap();
    assert_eq!(
        found,
        [Recipe {
            line: 2,
            place: Place::Anywhere,
            exit: 1,
            script: "false".to_owned(),
            output: Some(("{}".to_owned(), 7..8))
        }]
    );
}

#[test]
fn what_changes_from_run_to_run_is_masked() {
    let text = "15.18 at /tmp/reef.x/log  and 3f2a9c01deadbeef\n";
    assert_eq!(masked(text, "/tmp/reef.x"), "0 at /srv/reef/log and #");
    assert_eq!(
        masked("42.3G (17%) free", "/h"),
        masked("900M (3%) free", "/h")
    );
    assert_eq!(
        masked("since 2026-11-21T02:00:24+00:00.", "/h"),
        "since 0-0-0T0:0:0+0:0."
    );
}
