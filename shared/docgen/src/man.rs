//! Manual pages, set in man(7)'s macros.

use crate::sentence::sentence;
use crate::{Described, Page};
use base::cli::{
    COMMON, Command, CommandLine, ENVIRONMENT, Entry, Opt, Positional, Scope, Trailing,
};
use base::document::Document;
use roff::{Inline, Roff, bold, italic, roman};

/// A tool's page.
pub fn page(tool: &Described, date: &str) -> Page {
    let line = tool.line;
    let mut roff = Roff::new();
    let version = format!("runbook-tools {}", line.version);
    let section = line.section.to_string();
    let volume = if line.section == 8 {
        "System Administration"
    } else {
        "User Commands"
    };
    roff.control(
        "TH",
        [
            line.name.to_uppercase().as_str(),
            section.as_str(),
            date,
            version.as_str(),
            volume,
        ],
    );
    roff.control("SH", ["NAME"]);
    roff.text([roman(format!("{} - {}", line.name, line.about))]);
    roff.control("SH", ["SYNOPSIS"]);
    synopsis(&mut roff, line);
    roff.control("SH", ["DESCRIPTION"]);
    paragraphs(&mut roff, line.description);
    let root = Scope {
        line,
        command: None,
    }
    .or_default();
    let shared = Shared::of(line);
    let places: Vec<&Positional> = root
        .positionals()
        .iter()
        .chain(shared.places.iter().copied())
        .collect();
    if !places.is_empty() {
        roff.control("SH", ["ARGUMENTS"]);
        places
            .into_iter()
            .for_each(|place| positional(&mut roff, place));
    }
    commands(&mut roff, line, &shared);
    let own: Vec<&Opt> = root.own().collect();
    roff.control("SH", ["OPTIONS"]);
    own.iter().for_each(|opt| option(&mut roff, opt, ""));
    if !shared.options.is_empty() {
        roff.control("SS", ["Options of several commands"]);
        shared
            .options
            .iter()
            .for_each(|opt| option(&mut roff, opt, &shared.commands_with(opt)));
    }
    roff.control("SS", ["Common options"]);
    COMMON
        .iter()
        .filter(|c| !own.iter().any(|o| o.long == c.long))
        .for_each(|opt| option(&mut roff, opt, ""));
    (tool.documents)()
        .iter()
        .for_each(|d| document(&mut roff, d));
    crate::report::section(&mut roff, tool);
    exit_status(&mut roff, line);
    examples(&mut roff, line);
    entries(&mut roff, "FILES", line.files);
    entries(
        &mut roff,
        "ENVIRONMENT",
        &[line.environment, ENVIRONMENT].concat(),
    );
    if !line.security.is_empty() {
        roff.control("SH", ["SECURITY"]);
        paragraphs(&mut roff, line.security);
    }
    see_also(&mut roff, line);
    Page {
        path: format!("man/{}.{}", line.name, line.section),
        text: fold(&roff.to_roff()),
    }
}

/// Breaks text lines at 80 columns, as people who read the source expect; not those set as they are
/// (between nf and fi).
pub(crate) fn fold(source: &str) -> String {
    const WIDTH: usize = 78;
    let mut out = String::with_capacity(source.len() + 256);
    let mut as_is = false;
    for line in source.lines() {
        as_is = line.starts_with(".nf") || as_is && !line.starts_with(".fi");
        if as_is || line.starts_with('.') || width(line) <= WIDTH {
            out.push_str(line);
            out.push('\n');
            continue;
        }
        let mut column = 0;
        for word in line.split(' ') {
            if column > 0 && column + 1 + width(word) > WIDTH && !word.is_empty() {
                out.push('\n');
                column = 0;
                // troff takes a line that begins with a dot or an apostrophe for a macro.
                if word.starts_with(['.', '\'']) {
                    out.push_str("\\&");
                    column = 2;
                }
            } else if column > 0 {
                out.push(' ');
                column += 1;
            }
            out.push_str(word);
            column += width(word);
        }
        out.push('\n');
    }
    out
}

/// In bytes, as man's preprocessor sees it: what is not ASCII becomes `\[u00B7]`.
fn width(text: &str) -> usize {
    text.chars().map(|c| if c.is_ascii() { 1 } else { 8 }).sum()
}

fn synopsis(roff: &mut Roff, line: &'static CommandLine) {
    let mut scopes: Vec<Scope<'static>> = line
        .commands
        .iter()
        .map(|c| Scope {
            line,
            command: Some(c),
        })
        .collect();
    if scopes.is_empty() {
        scopes.push(Scope {
            line,
            command: None,
        });
    }
    for (i, scope) in scopes.into_iter().enumerate() {
        if i > 0 {
            roff.control("br", []);
        }
        // The whole synopsis of a subcommand stands in COMMANDS.
        let is_whole = scope.command.is_none_or(|c| c.default);
        roff.text(usage(scope, is_whole));
    }
}

/// The command line of a scope: with every option of its own, or only with those that are required.
fn usage(scope: Scope<'_>, is_whole: bool) -> Vec<Inline> {
    let mut words = vec![bold(scope.title())];
    for opt in scope.own().filter(|o| o.required) {
        words.extend([roman(" "), bold(format!("--{}", opt.long)), roman(" ")]);
        words.extend(opt.value.map(|v| italic(v.name())));
    }
    for opt in scope.own().filter(|o| !o.required && is_whole) {
        words.extend([roman(" ["), bold(format!("--{}", opt.long))]);
        words.extend(opt.value.map(|_| roman(" ")));
        words.extend(opt.value.map(|v| italic(v.name())));
        words.push(roman(if opt.many { "]..." } else { "]" }));
    }
    let rest = if is_whole { "COMMON-OPTION" } else { "OPTION" };
    words.extend([roman(" ["), italic(rest), roman("...]")]);
    for place in scope.positionals() {
        let dots = if place.many { "..." } else { "" };
        let (open, close) = if place.required {
            (" ", "")
        } else {
            (" [", "]")
        };
        words.extend([
            roman(open),
            italic(place.name),
            roman(format!("{dots}{close}")),
        ]);
    }
    if scope.trailing() == Trailing::Required {
        words.extend([
            roman(" "),
            bold("--"),
            roman(" "),
            italic("COMMAND"),
            roman("..."),
        ]);
    }
    words
}

pub(crate) fn paragraphs(roff: &mut Roff, texts: &[&str]) {
    for (i, text) in texts.iter().enumerate() {
        if i > 0 {
            roff.control("PP", []);
        }
        roff.text([roman(*text)]);
    }
}

/// What several commands take alike, which is said once.
struct Shared {
    commands: Vec<&'static Command>,
    options: Vec<&'static Opt>,
    places: Vec<&'static Positional>,
}

impl Shared {
    fn of(line: &'static CommandLine) -> Shared {
        let commands: Vec<&Command> = line.commands.iter().filter(|c| !c.default).collect();
        let mut shared = Shared {
            commands,
            options: Vec::new(),
            places: Vec::new(),
        };
        for (i, command) in shared.commands.iter().enumerate() {
            let later = &shared.commands[i + 1..];
            for opt in own(command) {
                let again = later.iter().any(|c| own(c).any(|o| same(o, opt)));
                if again && !shared.options.iter().any(|o| same(o, opt)) {
                    shared.options.push(opt);
                }
            }
            for place in command.positionals {
                let again = later
                    .iter()
                    .any(|c| c.positionals.iter().any(|p| alike(p, place)));
                if again && !shared.places.iter().any(|p| alike(p, place)) {
                    shared.places.push(place);
                }
            }
        }
        shared
    }

    fn has(&self, opt: &Opt) -> bool {
        self.options.iter().any(|o| same(o, opt))
    }

    /// Which commands take the option: those that do, or all but those that do not, whichever is
    /// shorter.
    fn commands_with(&self, opt: &Opt) -> String {
        let (with, without): (Vec<&Command>, Vec<&Command>) = self
            .commands
            .iter()
            .partition(|c| own(c).any(|o| same(o, opt)));
        let names = |list: &[&Command]| list.iter().map(|c| c.name).collect::<Vec<_>>().join(", ");
        match without.len() {
            0 => "For every command.".to_owned(),
            1 | 2 if with.len() > 2 => format!(
                "For every command but {}.",
                names(&without).replace(", ", " and ")
            ),
            _ => format!("For {}.", names(&with)),
        }
    }
}

fn own(command: &'static Command) -> impl Iterator<Item = &'static Opt> {
    command.options.iter().copied().flatten()
}

fn same(one: &Opt, other: &Opt) -> bool {
    (one.long, one.help, one.more, one.required)
        == (other.long, other.help, other.more, other.required)
}

fn alike(one: &Positional, other: &Positional) -> bool {
    (one.name, one.help) == (other.name, other.help)
}

fn commands(roff: &mut Roff, line: &'static CommandLine, shared: &Shared) {
    if shared.commands.is_empty() {
        return;
    }
    roff.control("SH", ["COMMANDS"]);
    for command in &shared.commands {
        roff.control("SS", [command.name]);
        let scope = Scope {
            line,
            command: Some(command),
        };
        roff.text(usage(scope, true));
        roff.control("PP", []);
        roff.text([roman(sentence(command.about))]);
        for text in command.description {
            roff.control("PP", []);
            roff.text([roman(*text)]);
        }
        command
            .positionals
            .iter()
            .filter(|p| !shared.places.iter().any(|s| alike(s, p)))
            .for_each(|p| positional(roff, p));
        own(command)
            .filter(|opt| !shared.has(opt))
            .for_each(|opt| option(roff, opt, ""));
        if own(command).any(|opt| shared.has(opt)) {
            roff.control("PP", []);
            roff.text([roman("OPTIONS describes the other options.")]);
        }
    }
}

fn positional(roff: &mut Roff, place: &Positional) {
    item(roff, vec![italic(place.name)], place.help);
}

/// A file that the tool reads.
fn document(roff: &mut Roff, document: &Document) {
    roff.control("SH", [document.title.to_uppercase().as_str()]);
    paragraphs(
        roff,
        &document.text.iter().map(String::as_str).collect::<Vec<_>>(),
    );
    for table in &document.tables {
        if !table.heading.is_empty() {
            // On a line of its own: a quotation mark in an argument would end it.
            roff.control("SS", []);
            roff.text([roman(table.heading.as_str())]);
        }
        if !table.text.is_empty() {
            roff.text([roman(sentence(&table.text))]);
        }
        for key in &table.keys {
            let value = if key.value.is_empty() {
                String::new()
            } else {
                format!(" = {}", key.value)
            };
            roff.control("TP", []);
            roff.text([bold(key.name.as_str()), roman(value)]);
            roff.text([roman(key.text.as_str())]);
        }
    }
    if !document.example.is_empty() {
        roff.control("SS", ["Example"]);
        as_is(roff, document.example);
    }
}

/// Lines that are shown as they are.
pub(crate) fn as_is(roff: &mut Roff, text: &str) {
    roff.control("RS", ["4"]);
    roff.control("nf", []);
    for line in text.lines() {
        roff.text([roman(line)]);
    }
    roff.control("fi", []);
    roff.control("RE", []);
}

/// An option, and at the end of its text whose it is.
fn option(roff: &mut Roff, opt: &Opt, whose: &str) {
    let mut tag = Vec::new();
    if let Some(letter) = opt.short {
        tag.extend([bold(format!("-{letter}")), roman(", ")]);
    }
    tag.push(bold(format!("--{}", opt.long)));
    if let Some(value) = opt.value {
        tag.push(roman(" "));
        match value {
            base::cli::Value::Choice(_, words) => tag.push(roman(words.join("|"))),
            other => tag.push(italic(other.name())),
        }
    }
    let mut text = sentence(opt.help);
    if !opt.more.is_empty() {
        text = format!("{text} {}", opt.more);
    }
    if opt.many {
        text.push_str(" May be given more than once.");
    }
    if !whose.is_empty() {
        text = format!("{} {whose}", sentence(&text));
    }
    item(roff, tag, &text);
}

pub(crate) fn item(roff: &mut Roff, tag: Vec<Inline>, text: &str) {
    roff.control("TP", []);
    roff.text(tag);
    roff.text([roman(sentence(text))]);
}

fn exit_status(roff: &mut Roff, line: &CommandLine) {
    roff.control("SH", ["EXIT STATUS"]);
    let around = line
        .commands
        .iter()
        .any(|c| c.trailing == Trailing::Required);
    for (code, meaning) in base::exit::table(line.exit, around) {
        item(roff, vec![bold(code)], &meaning);
    }
    if around {
        roff.control("PP", []);
        roff.text([
            roman("The last rows hold where a "),
            italic("COMMAND"),
            roman(" is run."),
        ]);
    }
}

fn examples(roff: &mut Roff, line: &CommandLine) {
    if line.examples.is_empty() {
        return;
    }
    roff.control("SH", ["EXAMPLES"]);
    for (i, example) in line.examples.iter().enumerate() {
        if i > 0 {
            roff.control("PP", []);
        }
        roff.text([roman(sentence(example.text))]);
        roff.control("PP", []);
        as_is(roff, example.command);
    }
}

fn entries(roff: &mut Roff, title: &str, entries: &[Entry]) {
    if entries.is_empty() {
        return;
    }
    roff.control("SH", [title]);
    for entry in entries {
        let tag = if title == "FILES" {
            italic(entry.name)
        } else {
            bold(entry.name)
        };
        item(roff, vec![tag], entry.text);
    }
}

fn see_also(roff: &mut Roff, line: &CommandLine) {
    roff.control("SH", ["SEE ALSO"]);
    let mut pages: Vec<String> = line
        .see_also
        .iter()
        .map(|page| with_section(page))
        .collect();
    pages.push("runbook-tools(7)".to_owned());
    let mut words = Vec::new();
    for (i, page) in pages.iter().enumerate() {
        let (name, section) = page.split_once('(').unwrap_or((page, ")"));
        if i > 0 {
            words.push(roman(", "));
        }
        words.extend([bold(name), roman(format!("({section}"))]);
    }
    roff.text(words);
}

/// One of the tools is referred to by its name alone.
fn with_section(page: &str) -> String {
    match crate::TOOLS.iter().find(|tool| tool.line.name == page) {
        Some(tool) => format!("{page}({})", tool.line.section),
        None => page.to_owned(),
    }
}
