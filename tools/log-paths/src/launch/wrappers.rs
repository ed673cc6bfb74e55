//! Programs that start the program they are given: how many of the words after the name are their
//! own.

/// A program that starts another one. What follows a wrapper's name before the command: options
/// with a value of their own, and how many words that are no options.
pub struct Wrapper {
    pub name: &'static str,
    pub valued: &'static [&'static str],
    pub words: usize,
}

const fn wrapper(name: &'static str, valued: &'static [&'static str], words: usize) -> Wrapper {
    Wrapper {
        name,
        valued,
        words,
    }
}

/// The wrappers.
pub const WRAPPERS: &[Wrapper] = &[
    wrapper("exec", &["-a"], 0),
    wrapper("nice", &["-n", "--adjustment"], 0),
    wrapper("ionice", &["-c", "-n", "-p"], 0),
    wrapper("nohup", &[], 0),
    wrapper("setsid", &[], 0),
    wrapper("stdbuf", &["-i", "-o", "-e"], 0),
    wrapper("unbuffer", &[], 0),
    wrapper("time", &["-f", "-o"], 0),
    wrapper("timeout", &["-k", "-s", "--signal", "--kill-after"], 1),
    wrapper("chrt", &[], 1),
    wrapper("taskset", &["-c"], 1),
    wrapper("flock", &["-w", "-E", "--timeout"], 1),
    wrapper("authbind", &[], 0),
    wrapper("dumb-init", &["--rewrite", "-r"], 0),
    wrapper("tini", &["-p", "-e"], 0),
    wrapper("catatonit", &[], 0),
    wrapper("envdir", &[], 1),
    wrapper(
        "chpst",
        &[
            "-u", "-U", "-e", "-/", "-n", "-l", "-L", "-m", "-d", "-o", "-p", "-f", "-c",
        ],
        0,
    ),
    wrapper("setuidgid", &[], 1),
    wrapper("gosu", &[], 1),
    wrapper("su-exec", &[], 1),
    wrapper("ddtrace-run", &[], 0),
    wrapper("opentelemetry-instrument", &[], 0),
    wrapper("command", &[], 0),
    wrapper("eval", &[], 0),
    wrapper("xvfb-run", &["-n", "-s"], 0),
    wrapper("cronlock", &[], 0),
    wrapper("chronic", &[], 0),
];

/// `poetry run gunicorn`, `newrelic-admin run-program gunicorn`: the word that has to follow.
pub const RUNNERS: &[(&str, &str)] = &[
    ("poetry", "run"),
    ("pipenv", "run"),
    ("uv", "run"),
    ("pdm", "run"),
    ("hatch", "run"),
    ("conda", "run"),
    ("rye", "run"),
    ("newrelic-admin", "run-program"),
    ("dotenv", "run"),
    ("honcho", "run"),
    ("busybox", "nice"),
];
