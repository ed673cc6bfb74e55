//! The plan of the house, looked for in the sources: no import circle in any crate, and nobody but
//! lib.rs and cli.rs imports cli.rs.

use harness::source_root;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// A crate's modules, each with the modules that its text refers to by `crate::` or `super::`.
type Imports = BTreeMap<String, BTreeSet<String>>;

fn crates() -> Vec<(String, Imports)> {
    let mut crates = Vec::new();
    for group in ["shared", "tools"] {
        for entry in std::fs::read_dir(source_root().join(group))
            .unwrap()
            .flatten()
        {
            let src = entry.path().join("src");
            if src.is_dir() {
                let name = entry.file_name().into_string().unwrap();
                crates.push((name, imports(&src)));
            }
        }
    }
    crates.sort_by(|one, other| one.0.cmp(&other.0));
    assert!(
        crates.len() > 14,
        "the crates are not where this test looks"
    );
    crates
}

fn imports(src: &Path) -> Imports {
    let mut texts = BTreeMap::new();
    collect(src, &mut Vec::new(), &mut texts);
    let names: BTreeSet<String> = texts.keys().cloned().collect();
    texts
        .iter()
        .map(|(name, text)| {
            let found = references(text)
                .into_iter()
                .filter_map(|path| target(name, &path, &names))
                .filter(|to| to != name)
                .collect();
            (name.clone(), found)
        })
        .collect()
}

/// Every module's name, such as `elevate::journal`, and its text.
fn collect(dir: &Path, above: &mut Vec<String>, texts: &mut BTreeMap<String, String>) {
    for entry in std::fs::read_dir(dir).unwrap().flatten() {
        let path = entry.path();
        let stem = path.file_stem().unwrap().to_str().unwrap().to_owned();
        if path.is_dir() {
            above.push(stem);
            collect(&path, above, texts);
            above.pop();
        } else if path.extension().is_some_and(|ext| ext == "rs") && stem != "tests" {
            let mut name = above.clone();
            name.extend((!matches!(stem.as_str(), "mod" | "lib" | "main")).then_some(stem));
            let text = std::fs::read_to_string(&path).unwrap();
            texts.insert(name.join("::"), without_tests(&text));
        }
    }
}

/// The text without comments and without its test module.
fn without_tests(text: &str) -> String {
    let end = text.find("\n#[cfg(test)]").unwrap_or(text.len());
    text[..end]
        .lines()
        .map(|line| line.split("//").next().unwrap_or(""))
        .collect::<Vec<_>>()
        .join("\n")
}

/// Every path that begins with `crate` or `super`, the braces of `use` lines written out.
fn references(text: &str) -> Vec<Vec<String>> {
    let mut all = Vec::new();
    for start in ["crate::", "super::"] {
        for (at, _) in text.match_indices(start) {
            let before = text[..at].chars().next_back();
            if before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == ':') {
                continue;
            }
            written_out(&text[at..], &mut Vec::new(), &mut all);
        }
    }
    all
}

/// Reads one path, or a tree of paths in braces; gives what follows.
fn written_out<'a>(text: &'a str, above: &mut Vec<String>, all: &mut Vec<Vec<String>>) -> &'a str {
    let depth = above.len();
    let mut rest = text.trim_start();
    loop {
        if let Some(inner) = rest.strip_prefix('{') {
            rest = inner.trim_start();
            while !rest.starts_with('}') && !rest.is_empty() {
                let before = rest.len();
                rest = written_out(rest, above, all).trim_start();
                rest = rest.trim_start_matches(',').trim_start();
                if rest.len() == before {
                    break;
                }
            }
            rest = rest.strip_prefix('}').unwrap_or(rest);
            break;
        }
        let end = rest
            .find(|c: char| !(c.is_alphanumeric() || c == '_'))
            .unwrap_or(rest.len());
        above.push(rest[..end].to_owned());
        rest = &rest[end..];
        match rest.strip_prefix("::") {
            Some(more) if !more.starts_with('<') => rest = more,
            _ => {
                all.push(above.clone());
                if let Some(renamed) = rest.strip_prefix(" as ") {
                    let end = renamed.find([',', '}', ';']).unwrap_or(renamed.len());
                    rest = &renamed[end..];
                }
                break;
            }
        }
    }
    above.truncate(depth);
    rest
}

/// The module that a path inside `from` leads to.
fn target(from: &str, path: &[String], names: &BTreeSet<String>) -> Option<String> {
    let mut base: Vec<&str> = from.split("::").filter(|part| !part.is_empty()).collect();
    let mut rest = path;
    if path[0] == "crate" {
        base.clear();
        rest = &path[1..];
    }
    while rest.first().is_some_and(|part| part == "super") {
        base.pop();
        rest = &rest[1..];
    }
    let whole: Vec<&str> = base
        .into_iter()
        .chain(rest.iter().map(String::as_str))
        .collect();
    (1..=whole.len())
        .rev()
        .map(|len| whole[..len].join("::"))
        .find(|name| names.contains(name))
}

/// The sets of modules that reach each other.
fn circles(imports: &Imports) -> BTreeSet<Vec<String>> {
    let reach: BTreeMap<&String, BTreeSet<&String>> = imports
        .keys()
        .map(|name| {
            let mut seen = BTreeSet::new();
            let mut next: Vec<&String> = imports[name].iter().collect();
            while let Some(one) = next.pop() {
                if seen.insert(one) {
                    next.extend(imports.get(one).into_iter().flatten());
                }
            }
            (name, seen)
        })
        .collect();
    imports
        .keys()
        .filter(|name| reach[name].contains(name))
        .map(|name| {
            let back = reach[name]
                .iter()
                .filter(|other| reach[**other].contains(name));
            back.map(|other| (*other).clone()).collect()
        })
        .collect()
}

#[test]
fn no_crate_has_an_import_circle() {
    for (name, imports) in crates() {
        let circles = circles(&imports);
        assert!(
            circles.is_empty(),
            "{name}: modules import each other in circles: let each import only what stands below it: {circles:?}"
        );
    }
}

#[test]
fn only_lib_and_cli_import_the_command_line() {
    let found: BTreeSet<(String, String)> = crates()
        .into_iter()
        .filter(|(_, imports)| imports.contains_key("request"))
        .flat_map(|(name, imports)| {
            imports
                .into_iter()
                .filter(|(module, to)| {
                    to.contains("cli") && !module.is_empty() && !module.starts_with("cli")
                })
                .map(move |(module, _)| (name.clone(), module))
        })
        .collect();
    assert_eq!(
        found,
        BTreeSet::new(),
        "a module takes what was asked for from request.rs, not from cli.rs"
    );
}

/// The compiler finds what is dead only where nothing outside could use it.
#[test]
fn a_tool_shows_only_the_modules_that_others_use() {
    let users: Vec<String> = ["tests", "shared"]
        .iter()
        .flat_map(|group| sources(&source_root().join(group)))
        .collect();
    for tool in harness::TOOLS {
        let lib = source_root().join(format!("tools/{tool}/src/lib.rs"));
        let text = std::fs::read_to_string(&lib).unwrap();
        for module in text
            .lines()
            .filter_map(|line| line.strip_prefix("pub mod "))
        {
            let path = format!(
                "{}::{}",
                tool.replace('-', "_"),
                module.trim_end_matches(';')
            );
            assert!(
                users.iter().any(|text| text.contains(&path)),
                "{tool}: nothing outside of the tool uses {path}: make the module private"
            );
        }
        // A request is plain data in a file of its own, in every tool.
        assert!(
            lib.with_file_name("request.rs").is_file(),
            "{tool}: no request.rs"
        );
    }
}

/// Plug-ins, by tool: the directory of their files, a row with a name in each.
const PLUG_INS: [(&str, &str); 4] = [
    ("check-reqs", "check"),
    ("svc-cycle", "backend"),
    ("log-paths", "service"),
    ("cron-render", "target"),
];

/// A plug-in is whole in its file: nobody else asks for it by its name, so that a new one needs a
/// file and a row.
#[test]
fn nobody_asks_for_a_plug_in_by_its_name() {
    for (tool, dir) in PLUG_INS {
        let src = source_root().join(format!("tools/{tool}/src"));
        let mut texts = BTreeMap::new();
        collect(&src, &mut Vec::new(), &mut texts);
        let own = |module: &String| module.starts_with(&format!("{dir}::"));
        let names: BTreeSet<&str> = texts
            .iter()
            .filter(|(module, _)| own(module))
            .flat_map(|(_, text)| text.lines())
            .filter_map(|line| {
                let line = line.trim();
                let name = line
                    .strip_prefix("name: \"")
                    .or(line.strip_prefix("const NAME: &str = \""));
                name?.trim_end_matches([',', ';']).strip_suffix('"')
            })
            .collect();
        assert!(
            names.len() > 2,
            "{tool}: the rows are not where this test looks: {names:?}"
        );
        for (module, text) in &texts {
            // The fuzz targets name the reader that they feed.
            if own(module) || module == "fuzz" {
                continue;
            }
            for name in &names {
                for form in [
                    format!("== \"{name}\""),
                    format!("!= \"{name}\""),
                    format!("\"{name}\" =>"),
                    format!("\"{name}\" |"),
                    format!("| \"{name}\""),
                    format!("running(\"{name}\")"),
                    format!("named(\"{name}\")"),
                ] {
                    assert!(
                        !text.contains(&form),
                        "{tool}: {module} asks for {form}: put what it decides into the row of '{name}'"
                    );
                }
            }
        }
    }
}

/// What the site file says for one subcommand's option holds for the same option of the others: a `remove` that looks elsewhere than
/// `install` says that nothing is there.
#[test]
fn an_option_means_one_fact_of_the_site() {
    for tool in runbook_docgen::TOOLS {
        let mut facts: BTreeMap<&str, &str> = BTreeMap::new();
        let all = || {
            let commands = tool.line.commands.iter();
            let own = commands.flat_map(|command| command.options.iter().copied().flatten());
            own.chain(tool.line.options)
        };
        for opt in all().filter(|opt| !opt.fact.is_empty()) {
            facts.insert(opt.long, opt.fact);
        }
        for opt in all() {
            let fact = facts.get(opt.long).copied().unwrap_or_default();
            assert_eq!(opt.fact, fact, "{}: --{}", tool.line.name, opt.long);
        }
    }
}

/// What the kernel shows of a process is read by the crate `proc` alone: two readers give two
/// answers.
#[test]
fn only_proc_reads_the_processes() {
    for tool in harness::TOOLS {
        for text in sources(&source_root().join(format!("tools/{tool}/src"))) {
            for fact in [
                "stat", "status", "cmdline", "environ", "cgroup", "maps", "fd", "ns/",
            ] {
                let path = format!("/proc/{{pid}}/{fact}");
                assert!(!text.contains(&path), "{tool}: {path}: use the crate proc");
            }
        }
    }
}

/// The texts of all sources below a directory, without comments and tests.
fn sources(dir: &Path) -> Vec<String> {
    let mut texts = Vec::new();
    for entry in std::fs::read_dir(dir).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() {
            texts.extend(sources(&path));
        } else if path.extension().is_some_and(|ext| ext == "rs") {
            texts.push(without_tests(&std::fs::read_to_string(&path).unwrap()));
        }
    }
    texts
}

#[test]
fn the_reader_of_imports_reads_them() {
    let text =
        "use crate::{a::{b, c as d}, e};\nfn f() { super::g::h(); my_crate::x(); }\n// crate::no\n";
    let read: Vec<String> = references(&without_tests(text))
        .iter()
        .map(|path| path.join("::"))
        .collect();
    assert_eq!(
        read,
        ["crate::a::b", "crate::a::c", "crate::e", "super::g::h"]
    );
    let imports: Imports = [("a", "b"), ("b", "c"), ("c", "a"), ("d", "a")]
        .map(|(from, to)| (from.to_owned(), BTreeSet::from([to.to_owned()])))
        .into();
    assert_eq!(
        circles(&imports),
        BTreeSet::from([vec!["a".to_owned(), "b".to_owned(), "c".to_owned()]])
    );
}
