//! What a program is: a command line, a report, and the function between them. The one `main` that
//! all seven share is here, and with it the one place that writes to standard output, appends to
//! journals and decides the exit code.

use crate::cli::{self, Asked, CommandLine, Parsed};
use crate::clock::Deadline;
use crate::document::Document;
use crate::envelope::{self, About, stop};
use crate::error::{Error, Kind, Result};
use crate::exit::Exit;
pub use crate::out::{complain, emit, say};
use crate::report::{Body, Raw, Report, Text};
use crate::terminal;
use std::ffi::OsString;
use std::fs::File;
use std::io::{IsTerminal, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant, SystemTime};

/// One of the programs. Each tool's library exports its own (`log_paths::LogPaths`), its `main.rs`
/// is one call of [`main`], and one line in `shared/docgen/src/tools.rs` gives it a manual,
/// completions and a schema (`cargo run -p runbook-docgen` writes them).
pub trait Tool {
    /// Its command line.
    const COMMAND_LINE: &'static CommandLine;

    /// Its own part of the report.
    type Body: Body + 'static;

    /// The files it reads, for the manual and `--help`.
    #[must_use]
    fn documents() -> Vec<Document> {
        Vec::new()
    }

    /// Reads the arguments. A tool with subcommands puts clap's reader here.
    ///
    /// # Errors
    /// `Kind::Usage`.
    fn parse(args: Vec<OsString>) -> Result<Asked> {
        cli::parse(Self::COMMAND_LINE, args)
    }

    /// Does the work.
    ///
    /// # Errors
    /// Only what happens before there is anything to report: wrong usage, a bad input file, a held
    /// lock. It is reported all the same, with no keys of the tool's own, unless it is the caller's
    /// mistake (exit status 2).
    fn run(parsed: &Parsed, context: &Context) -> Result<Report<Self::Body>>;

    /// What its guardian process does once the tool is gone ([`crate::guardian`]).
    fn guardian(kind: &str, payload: &[u8]) -> Exit {
        let _ = (kind, payload);
        Exit::Usage
    }
}

/// How the report is to be printed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Format {
    /// One object on one line.
    Json,
    /// For a person.
    Text,
    /// A format of the tool's own.
    Other(String),
}

/// What the common options mean.
#[derive(Clone, Debug)]
pub struct Context {
    /// Say, do not do.
    pub dry_run: bool,
    /// Report what changes, too.
    pub diff: bool,
    /// Say nothing where there is nothing to say.
    pub quiet: bool,
    /// Say more.
    pub verbose: bool,
    /// The end of the whole run.
    pub deadline: Deadline,
    /// How long to wait for a lock.
    pub lock_wait: Duration,
    /// How the report is printed.
    pub format: Format,
    /// Whether text on standard output is coloured.
    pub color: bool,
    /// Whether a person watches standard error: progress is welcome.
    pub progress: bool,
    /// What Ansible asks for.
    pub modes: cli::Modes,
    started: (SystemTime, Instant),
    journal: Option<PathBuf>,
}

impl Context {
    /// From the command line.
    pub fn new(parsed: &Parsed) -> Context {
        let modes = parsed.modes();
        let format = match parsed.text("output") {
            Some("json") => Format::Json,
            Some("text") => Format::Text,
            Some(other) => Format::Other(other.to_string()),
            None if !modes.ansible && terminal::stdout_is_for_a_person() => Format::Text,
            None => Format::Json,
        };
        let color = match parsed.text("color") {
            Some("always") => true,
            Some("never") => false,
            _ => terminal::color_wanted(terminal::stdout_is_terminal()),
        };
        Context {
            dry_run: parsed.flag("dry-run"),
            diff: parsed.flag("diff"),
            quiet: parsed.flag("quiet"),
            verbose: parsed.flag("verbose"),
            deadline: Deadline::after(parsed.duration("timeout")),
            lock_wait: parsed.duration("lock-wait").unwrap_or(Duration::ZERO),
            format,
            color,
            progress: !parsed.flag("quiet") && terminal::stderr_is_terminal(),
            modes,
            started: (SystemTime::now(), Instant::now()),
            // Ansible's check mode leaves the host as it is, the journal too.
            journal: parsed
                .path("journal")
                .filter(|_| !(modes.ansible && parsed.flag("dry-run")))
                .map(PathBuf::from),
        }
    }

    /// What the envelope says about this run.
    fn about(&self, line: &'static CommandLine) -> About {
        About {
            tool: line.name,
            version: line.version,
            dry_run: self.dry_run,
            diff: self.diff && !self.modes.no_log,
            ansible: self.modes.ansible,
            started: self.started,
        }
    }

    /// How long the run has taken so far.
    pub fn elapsed(&self) -> Duration {
        self.started.1.elapsed()
    }
}

/// The `main` of every tool.
pub fn main<T: Tool>() -> ExitCode {
    crate::memory::bound(T::COMMAND_LINE.name);
    crate::signals::ignore_file_size_signal();
    let mut args: Vec<OsString> = std::env::args_os().skip(1).collect();
    if let Some(kind) = crate::guardian::asked(&args) {
        return crate::guardian::serve(&kind, T::guardian).into();
    }
    let name = T::COMMAND_LINE.name;
    if crate::module::is_outer(&args) {
        return crate::module::outer(T::COMMAND_LINE, &args).into();
    }
    std::panic::set_hook(Box::new(|_| {}));
    let outcome = catch_unwind(AssertUnwindSafe(|| whole::<T>(std::mem::take(&mut args))));
    let exit = match outcome {
        Ok(exit) => exit,
        Err(panic) => {
            let why = panic
                .downcast_ref::<String>()
                .map(String::as_str)
                .or_else(|| panic.downcast_ref::<&str>().copied());
            let error = Error::failed(format!(
                "internal error: {}",
                why.unwrap_or("no reason given")
            ));
            complain(name, &error.hint("please report it, with the command line"));
            Exit::Failed
        }
    };
    exit.into()
}

fn whole<T: Tool>(args: Vec<OsString>) -> Exit {
    let name = T::COMMAND_LINE.name;
    let ansible = crate::module::asked(&args);
    let asked = T::parse(args).and_then(|asked| match asked {
        Asked::Ansible(path) => {
            let text = crate::source::read_text(&path)?;
            cli::from_ansible(T::COMMAND_LINE, &text).map(|p| Asked::Run(Box::new(p)))
        }
        other => Ok(other),
    });
    match asked {
        Ok(Asked::Run(parsed)) => run::<T>(&parsed),
        Ok(Asked::Help(command, length)) => print(&cli::render_help(
            T::COMMAND_LINE,
            T::documents,
            command.as_deref(),
            length,
        )),
        Ok(Asked::Version) => print(&format!("{name} {}\n", T::COMMAND_LINE.version)),
        Ok(Asked::Ansible(_)) => Exit::Usage,
        Err(error) => refuse(T::COMMAND_LINE, &error, ansible),
    }
}

fn run<T: Tool>(parsed: &Parsed) -> Exit {
    let line = T::COMMAND_LINE;
    let context = Context::new(parsed);
    let trusted: Vec<PathBuf> = parsed.paths("trust").iter().map(PathBuf::from).collect();
    if let Err(error) = crate::trust::believe(&trusted) {
        return refuse(
            line,
            &Error {
                kind: Kind::Usage,
                ..error
            },
            context.modes.ansible,
        );
    }
    let journal = match context.journal.as_deref().map(open_journal).transpose() {
        Ok(journal) => journal,
        Err(error) => return stopped(line, &context, None, error),
    };
    let stuck = context.clone();
    crate::watchdog::begin(
        context.deadline,
        Box::new(move |why| stopped(line, &stuck, None, unended(why)).code()),
    );
    let worked = T::run(parsed, &context);
    while !crate::watchdog::reports() {
        // The watchdog reports, and ends this process.
        std::thread::park();
    }
    match worked {
        Ok(report) => {
            let exit = deliver(line, &context, journal, &report, Some(&report.body));
            // The process ends here: a report of a thousand items need not be taken apart first.
            std::mem::forget(report);
            exit
        }
        Err(error) => stopped(line, &context, journal, error),
    }
}

/// The error of a run that the watchdog ends.
fn unended(why: crate::watchdog::Why) -> Error {
    match why {
        crate::watchdog::Why::Deadline => Error::deadline(
            "the time was up, and the run waited for something that does not answer",
        ),
        crate::watchdog::Why::Signal => Error::deadline(
            "the run was asked to end while it waited for something that does not answer",
        ),
    }
    .hint("look for a file system, name server or device that hangs: cat /proc/PID/wchan")
}

/// An error before there was anything to report: a held lock, a file that cannot be written. The
/// report is the envelope alone; with exit status 2 standard output stays empty, and in the formats
/// for people only standard error speaks.
fn stopped(
    line: &'static CommandLine,
    context: &Context,
    journal: Option<File>,
    error: Error,
) -> Exit {
    if error.exit() == Exit::Usage {
        return refuse(line, &error, context.modes.ansible);
    }
    deliver(line, context, journal, &stop(error), None)
}

/// An error before there is a report: standard output stays empty, but for Ansible, which needs one
/// object.
fn refuse(line: &'static CommandLine, error: &Error, ansible: bool) -> Exit {
    if ansible {
        return match emit(&envelope::refusal(line, error, error.exit())) {
            Ok(()) => error.exit(),
            Err(_) => Exit::Failed,
        };
    }
    complain(line.name, error);
    error.exit()
}

/// The report goes where it belongs, and the exit code comes out.
fn deliver<B: Body>(
    line: &'static CommandLine,
    context: &Context,
    journal: Option<File>,
    report: &Report<B>,
    body: Option<&B>,
) -> Exit {
    let rc = report.rc();
    let json = match context.about(line).dress(report, body) {
        Ok(json) => json,
        Err(error) => {
            complain(line.name, &error);
            return Exit::Failed;
        }
    };
    let mut written = journal.map_or(Ok(()), |file| {
        let kept = report
            .private
            .iter()
            .filter(|secret| !secret.is_empty())
            .fold(json.clone(), |kept, secret| kept.replace(secret, "***"));
        append(file, kept.as_bytes(), context.deadline)
    });
    let told = context.modes.ansible || is_shown_once(context, report, body);
    if let Some(error) = report.error.as_ref().filter(|_| !told) {
        complain(line.name, error);
    }
    let nothing_to_say =
        report.error.is_none() && report.warnings.is_empty() && !report.changed && rc == Exit::Ok;
    if !(context.quiet && nothing_to_say) {
        let out = printed(context, report, body, json);
        written = written.and(emit(&out));
    }
    match written {
        Ok(()) => rc,
        Err(error) => {
            complain(line.name, &error);
            if matches!(rc, Exit::AroundCommand | Exit::Failed) {
                rc
            } else {
                Exit::Failed
            }
        }
    }
}

/// Whether the person who reads the errors reads the report as well, and finds the error there.
fn is_shown_once<B: Body>(context: &Context, report: &Report<B>, body: Option<&B>) -> bool {
    let one_reader = std::io::stdout().is_terminal() && std::io::stderr().is_terminal();
    let is_text = matches!(context.format, Format::Text) && report.raw.is_none();
    one_reader && is_text && body.is_some_and(Body::shows_error)
}

fn printed<B: Body>(
    context: &Context,
    report: &Report<B>,
    body: Option<&B>,
    json: String,
) -> Vec<u8> {
    match (&report.raw, &context.format) {
        _ if context.modes.ansible => json.into_bytes(),
        (_, Format::Text | Format::Other(_)) if body.is_none() => Vec::new(),
        (Some(Raw::Always(bytes)), _) | (Some(Raw::AsText(bytes)), Format::Text) => {
            match std::str::from_utf8(bytes) {
                Ok(text) => crate::mask::registered(text).into_owned().into_bytes(),
                Err(_) => bytes.clone(),
            }
        }
        (_, Format::Json | Format::Other(_)) => json.into_bytes(),
        (_, Format::Text) => {
            let mut text =
                Text::new(context.color, context.verbose).within(crate::terminal::columns());
            report.body.text(&mut text);
            for warning in &report.warnings {
                text.row(crate::report::Mark::Warn, &[warning]);
            }
            text.line(&report.msg);
            text.finish().into_bytes()
        }
    }
}

fn print(text: &str) -> Exit {
    match emit(text.as_bytes()) {
        Ok(()) => Exit::Ok,
        Err(error) => {
            complain("standard output", &error);
            Exit::Failed
        }
    }
}

/// How long a run waits at its end for others who write the journal, within its own deadline.
const JOURNAL_WAIT: Duration = Duration::from_secs(10);

fn open_journal(path: &std::path::Path) -> Result<File> {
    crate::trust::open_append(path, 0o640).map_err(|e| {
        let message = e
            .message
            .replacen("cannot open", "cannot open the journal", 1);
        let hint = "nothing was done; give --journal a file that you can write";
        Error { message, ..e }.hint(hint)
    })
}

/// One line, whole, however many write at once: under a lock, in one write; a line that did not fit
/// is taken back.
fn append(file: File, line: &[u8], deadline: Deadline) -> Result<()> {
    let named = |e: std::io::Error| Error::io("cannot write the journal", &e);
    crate::lock::wait_for(&file, deadline.or_after(JOURNAL_WAIT)).map_err(|e| match e {
        rustix::io::Errno::WOULDBLOCK => {
            Error::locked("cannot write the journal: another process holds its lock")
        }
        e => named(e.into()),
    })?;
    let before = file.metadata().map_err(named)?.len();
    let mut writer = &file;
    writer
        .write_all(line)
        .and_then(|()| writer.flush())
        .map_err(|e| {
            let _ = file.set_len(before);
            named(e)
        })
}
