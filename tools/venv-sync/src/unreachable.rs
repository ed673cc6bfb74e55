//! Whether an installer failed only because a server did not answer, which is worth another try, or
//! because what was asked for is not there, which is not.
//!
//! Neither installer says so by its exit status. uv names the address and the cause on standard
//! error. pip says "no matching distribution" of both, and the difference only in its log. What is
//! looked for here are the words of uv 0.4 to 0.13 and of pip 23 to 25 with its urllib3; a failure
//! in other words is an ordinary one.

/// Where an installer could not get an answer, and why.
#[derive(Debug, PartialEq, Eq)]
pub struct Silence {
    /// The address, as the installer shows it.
    pub url: Option<String>,
    /// The cause, in the installer's words.
    pub cause: String,
}

/// Words of a server that is not there, or is not well. A certificate that is refused, a password,
/// and a page that is not found are none of these: they will be the same the next time.
const TRANSIENT: [&str; 32] = [
    "connection refused",
    "connection reset",
    "connection aborted",
    "connection closed before",
    "tcp connect error",
    "timed out",
    "timeouterror",
    "newconnectionerror",
    "protocolerror",
    "proxyerror",
    "dns error",
    "name or service not known",
    "nameresolutionerror",
    "temporary failure in name resolution",
    "failed to lookup address",
    "no route to host",
    "network is unreachable",
    "too many 5",
    "server error",
    "too many requests",
    // git, of a host that it cannot reach.
    "could not resolve host",
    "failed to connect to",
    "couldn't connect to server",
    "could not connect to server",
    "the remote end hung up unexpectedly",
    "early eof",
    // A download that broke off.
    "incompleteread",
    "connection broken",
    "end of file before message length reached",
    "connection closed before message completed",
    "error decoding response body",
    "unexpected eof",
];

fn is_transient(text: &str) -> bool {
    let text = text.to_ascii_lowercase();
    // A TLS failure is reported through the same layers as a refused connection.
    !text.contains("sslerror")
        && !text.contains("certificate")
        && TRANSIENT.iter().any(|words| text.contains(words))
}

/// What uv says: the address, and below it what caused the failure, the root of it last.
pub fn uv(said: &str) -> Option<Silence> {
    let Some((_, after)) = said.rsplit_once("Failed to fetch: ") else {
        return git(said).or_else(|| broken_off(said));
    };
    let mut lines = after.lines();
    let url = lines
        .next()
        .map(|line| line.trim_matches(['`', ' ']).to_owned());
    let causes: Vec<&str> = lines
        .map_while(|line| {
            line.trim()
                .strip_prefix("cause: ")
                .or(line.trim().strip_prefix("Caused by: "))
        })
        .collect();
    let cause = causes.iter().rev().find(|cause| is_transient(cause))?;
    Some(Silence {
        url,
        cause: (*cause).to_owned(),
    })
}

/// A repository's host that git cannot reach: `fatal: unable to access 'URL': CAUSE`.
fn git(said: &str) -> Option<Silence> {
    said.lines().find_map(|line| {
        if let Some((_, rest)) = line.split_once("unable to access '") {
            let (url, cause) = rest.split_once("': ")?;
            let server = cause
                .split_once("returned error: ")
                .is_some_and(|(_, code)| code.starts_with('5'));
            return (server || is_transient(cause)).then(|| Silence {
                url: Some(url.to_owned()),
                cause: cause.trim().to_owned(),
            });
        }
        let ssh = line.trim().strip_prefix("ssh: ")?;
        is_transient(ssh).then(|| Silence {
            url: None,
            cause: ssh.to_owned(),
        })
    })
}

/// A download that ended before its end.
fn broken_off(said: &str) -> Option<Silence> {
    const WORDS: [&str; 6] = [
        "incompleteread",
        "connection broken",
        "end of file before message length reached",
        "connection closed before message completed",
        "error decoding response body",
        "early eof",
    ];
    let line = said.lines().rev().find(|line| {
        let line = line.to_ascii_lowercase();
        WORDS.iter().any(|words| line.contains(words))
    })?;
    Some(Silence {
        url: None,
        cause: line.trim().trim_start_matches("ERROR: ").to_owned(),
    })
}

/// What a failed build printed, where pip sent the output to its log and only says "See above for
/// output".
pub fn build_output(said: &str, log: &str) -> Option<String> {
    if !said.contains("See above for output") {
        return None;
    }
    let lines: Vec<&str> = log
        .lines()
        .map(|line| match line.split_once(' ') {
            // The time, as pip writes it: 2026-11-26T19:07:32,454.
            Some((time, rest)) if time.len() == 23 && time.contains('T') => rest,
            _ => line,
        })
        .collect();
    // The last is pip 24's and later: `ERROR: Getting requirements to build wheel exited with 1`.
    let end = lines.iter().position(|line| {
        line.contains("[present-rich]")
            || line.contains("error: subprocess-exited-with-error")
            || line.trim_start().starts_with("ERROR: ") && line.contains(" exited with ")
    })?;
    let start = lines[..end]
        .iter()
        .rposition(|line| line.trim_start().starts_with("Running command "))
        .map_or(end.saturating_sub(30), |at| at + 1);
    let start = start.max(end.saturating_sub(30));
    let text: Vec<&str> = lines[start..end]
        .iter()
        .map(|line| line.trim_end())
        .collect();
    (!text.is_empty()).then(|| format!("The build said:\n{}", text.join("\n")))
}

/// What pip says: at the end on standard error, in more detail in its log.
pub fn pip(said: &str, log: &str) -> Option<Silence> {
    for line in said.lines().rev().filter(|line| is_transient(line)) {
        if let Some((_, url)) = line.split_once(" for url: ") {
            return Some(Silence {
                url: Some(url.trim().to_owned()),
                cause: line.trim_start_matches("ERROR: ").to_owned(),
            });
        }
        if let Some(at) = line
            .find("HTTPConnectionPool(")
            .or(line.find("HTTPSConnectionPool("))
        {
            return Some(Silence {
                url: pooled(&line[at..]),
                cause: caused_by(&line[at..]).to_owned(),
            });
        }
    }
    if let Some(silence) = git(said).or_else(|| git(log)).or_else(|| broken_off(said)) {
        return Some(silence);
    }
    // An index that did not answer matters only where something was not found.
    if !said.contains("No matching distribution found") {
        return None;
    }
    log.lines().find_map(|line| {
        let (_, rest) = line.split_once("Could not fetch URL ")?;
        let (url, cause) = rest.split_once(": ")?;
        let cause = caused_by(cause.strip_suffix(" - skipping").unwrap_or(cause));
        is_transient(cause).then(|| Silence {
            url: Some(url.to_owned()),
            cause: cause.to_owned(),
        })
    })
}

/// The innermost cause of urllib3's report, without the objects that it is about.
fn caused_by(text: &str) -> &str {
    let inner = text
        .split_once("(Caused by ")
        .map_or(text, |(_, inner)| inner.strip_suffix(')').unwrap_or(inner));
    let inner = inner
        .split_once(" object at 0x")
        .and_then(|(_, rest)| rest.split_once(">: "))
        .map_or(inner, |(_, rest)| rest);
    inner.trim_end_matches(['\'', '"', ')'])
}

/// The address in `HTTPSConnectionPool(host='h', port=1): Max retries exceeded with url: /path (…`.
fn pooled(text: &str) -> Option<String> {
    let scheme = if text.starts_with("HTTPS") {
        "https"
    } else {
        "http"
    };
    let (_, rest) = text.split_once("host='")?;
    let (host, rest) = rest.split_once("', port=")?;
    let (port, rest) = rest.split_once(')')?;
    let path = rest
        .split_once("with url: ")
        .and_then(|(_, rest)| rest.split_whitespace().next())
        .unwrap_or("/");
    Some(format!("{scheme}://{host}:{port}{path}"))
}

/// What is out of reach, as a person calls it: the index that the address lies below, or the
/// address.
pub fn named(url: Option<&str>, indexes: &[String]) -> String {
    let Some(url) = url else {
        return "the index".to_owned();
    };
    let bare = without_user(url);
    let is_above = |index: &str| {
        let index = without_user(index);
        bare.strip_prefix(index.trim_end_matches('/'))
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    match indexes
        .iter()
        .filter(|index| !index.is_empty() && is_above(index))
        .max_by_key(|index| index.len())
    {
        Some(index) => format!("the index {index}"),
        None => url.to_owned(),
    }
}

/// The indexes that the environment names, and the one that nobody has to name.
pub fn indexes_of(variables: impl Iterator<Item = (String, String)>) -> Vec<String> {
    let mut out = vec!["https://pypi.org/simple/".to_owned()];
    for (name, value) in variables {
        if name.starts_with("PIP_") || name.starts_with("UV_") {
            // UV_INDEX may name its indexes: `inside=https://…`.
            let addresses = value.split_whitespace().filter(|word| word.contains("://"));
            out.extend(addresses.map(|word| match word.split_once('=') {
                Some((name, address)) if !name.contains(':') => address.to_owned(),
                _ => word.to_owned(),
            }));
        }
    }
    out
}

fn without_user(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else {
        return url.to_owned();
    };
    let end = rest.find('/').unwrap_or(rest.len());
    let host = rest[..end].rfind('@').map_or(0, |at| at + 1);
    format!("{scheme}://{}", &rest[host..])
}

#[cfg(test)]
mod tests {
    use super::{Silence, indexes_of, named, pip, uv};

    const NONE: &str = "ERROR: No matching distribution found for alpha==1.0";

    fn silence(url: &str, cause: &str) -> Option<Silence> {
        Some(Silence {
            url: Some(url.to_owned()),
            cause: cause.to_owned(),
        })
    }

    #[test]
    fn uv_names_the_root_of_it() {
        let refused = "error: Request failed after 1 retry in 2.0s\n  cause: Failed to fetch: http://127.0.0.1:1/simple/alpha/\n  \
                       cause: error sending request for url (http://127.0.0.1:1/simple/alpha/)\n  cause: client error (Connect)\n  \
                       cause: tcp connect error\n  cause: Connection refused (os error 111)\n";
        assert_eq!(
            uv(refused),
            silence(
                "http://127.0.0.1:1/simple/alpha/",
                "Connection refused (os error 111)"
            )
        );
        let unwell = "error: Failed to fetch: `http://h/simple/alpha/`\n  Caused by: HTTP status server error (503 Service Unavailable) for url (…)\n";
        assert_eq!(
            uv(unwell),
            silence(
                "http://h/simple/alpha/",
                "HTTP status server error (503 Service Unavailable) for url (…)"
            )
        );
        assert_eq!(
            uv(
                "error: Failed to fetch: `http://h/`\n  Caused by: received corrupt message of type InvalidContentType\n"
            ),
            None
        );
        assert_eq!(
            uv(
                "error: No solution found\n  cause: Because alpha was not found in the package registry\n"
            ),
            None
        );
    }

    #[test]
    fn pip_says_it_in_its_log() {
        let log = |cause: &str| {
            format!(
                "2026-11-21T04:40:28,377 Could not fetch URL http://u:****@h:1/simple/alpha/: {cause} - skipping\n"
            )
        };
        let refused = "connection error: HTTPConnectionPool(host='h', port=1): Max retries exceeded with url: /simple/alpha/ (Caused by \
                       NewConnectionError('<pip._vendor.urllib3.connection.HTTPConnection object at 0x7f4e30a3dfd0>: Failed to establish \
                       a new connection: [Errno 111] Connection refused'))";
        let said = "Failed to establish a new connection: [Errno 111] Connection refused";
        assert_eq!(
            pip(NONE, &log(refused)),
            silence("http://u:****@h:1/simple/alpha/", said)
        );
        assert_eq!(
            pip(
                "ERROR: THESE PACKAGES DO NOT MATCH THE HASHES",
                &log(refused)
            ),
            None
        );
        assert!(
            pip(
                NONE,
                &log("504 Server Error: Gateway Timeout for url: http://h:1/simple/alpha/")
            )
            .is_some()
        );
        assert_eq!(
            pip(
                NONE,
                &log("404 Client Error: Not Found for url: http://h:1/simple/alpha/")
            ),
            None
        );
        assert_eq!(
            pip(
                NONE,
                &log(
                    "There was a problem confirming the ssl certificate: … (Caused by SSLError(SSLError(1, 'x')))"
                )
            ),
            None
        );
        let direct = format!(
            "ERROR: Could not install packages due to an OSError: {}\n",
            &refused["connection error: ".len()..]
        );
        assert_eq!(pip(&direct, ""), silence("http://h:1/simple/alpha/", said));
    }

    #[test]
    fn a_repository_s_host_and_a_broken_download_may_be_back() {
        let git = "  fatal: unable to access 'https://git.example.org/x/': Could not resolve host: git.example.org\n";
        let expected = silence(
            "https://git.example.org/x/",
            "Could not resolve host: git.example.org",
        );
        assert_eq!(uv(git), expected);
        assert_eq!(pip(git, ""), expected);
        let gone =
            "fatal: unable to access 'https://h/x/': The requested URL returned error: 404\n";
        assert_eq!(uv(gone), None);
        let broken =
            "ERROR: x: ('Connection broken: IncompleteRead(5 bytes read, 9 more expected)')\n";
        assert!(pip(broken, "").is_some());
    }

    #[test]
    fn the_reason_of_a_failed_build_comes_out_of_the_log() {
        let log = "2026-11-26T19:07:32,454   Running command python setup.py egg_info\n\
                   2026-11-26T19:07:32,454   mysql.h not found\n\
                   2026-11-26T19:07:32,454   ERROR: [present-rich] python setup.py egg_info exited with 1\n\
                   2026-11-26T19:07:32,454   Traceback\n";
        let said = super::build_output("╰─> See above for output.", log);
        assert_eq!(
            said.as_deref(),
            Some("The build said:\n  mysql.h not found")
        );
        // pip 24 and later.
        let newer = log.replace("[present-rich] ", "");
        assert_eq!(super::build_output("See above for output.", &newer), said);
        assert_eq!(super::build_output("No matching distribution", log), None);
    }

    #[test]
    fn an_index_is_called_by_its_address() {
        let variables = [
            ("PIP_INDEX_URL", "http://joe:pw@h:1/simple/"),
            ("UV_INDEX", "inside=http://i/x y=http://i/x/y"),
        ];
        let indexes = indexes_of(
            variables
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned())),
        );
        assert_eq!(
            named(Some("http://h:1/simple/alpha/"), &indexes),
            "the index http://joe:pw@h:1/simple/"
        );
        assert_eq!(
            named(Some("http://i/x/y/alpha/"), &indexes),
            "the index http://i/x/y"
        );
        assert_eq!(
            named(Some("https://pypi.org/simple/alpha/"), &indexes),
            "the index https://pypi.org/simple/"
        );
        assert_eq!(
            named(Some("http://h:1/other"), &indexes),
            "http://h:1/other"
        );
        assert_eq!(named(None, &indexes), "the index");
    }
}
