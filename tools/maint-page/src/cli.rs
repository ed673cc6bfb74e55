//! The one definition of this command line; what was typed becomes a typed request in
//! [`crate::request`].

use crate::snippet;
use base::cli::{Command, CommandLine, Entry, Example, Opt, Positional, RUN_AS, Trailing, Value};
use base::exit::Row;

const PLACE: &[Opt] = &[
    Opt::value("dir", Value::Dir("DIR"), "The directory the page and its flag live in")
        .more("The web server has to be configured for it once: see `maint-page snippet`."),
    Opt::value("page", Value::File("FILE"), "Single-file mode: this one file is page and flag")
        .more("For a web server that already tests for one file. The file is put there and removed by rename. Visitors who come in the moment between the server's test and its reading the file can get a wrong answer, which --dir avoids."),
];

const ID: Opt = Opt::value("id", Value::Text("ID"), "Whose hold it is")
    .more("The default is the name of whoever calls, as sudo or the system knows it; for `during` one of its own for each run. The page is up as long as any hold is. Two people can have one name, as two root shells have: without --id a command leaves a hold alone that was made in another login with a terminal that is still open, from another address or with another ssh key (where sshd has ExposeAuthInfo).");

const FORCE: Opt = Opt::flag(
    "force",
    "Rename a page or flag that maint-page did not put there aside",
)
.more("It is kept beside its old name, with .foreign and the time at its end.");

const WISH: &[Opt] = &[
    ID,
    Opt::value("start", Value::Text("TIME"), "When it begins; now unless told")
        .more("2026-11-21T22:00:00+01:00, or 22:00 for the next one, or +15m. A start to come announces the maintenance; the page goes up by --wait, `wait` or `tick`."),
    Opt::value("for", Value::Duration("DURATION"), "How long it is expected to last"),
    Opt::value("until", Value::Text("TIME"), "When it is expected to be over"),
    Opt::value("warn", Value::Duration("DURATION"), "How long before the start users are warned; from now unless told")
        .more("maintenance.json appears then."),
    Opt::value("message", Value::Text("TEXT"), "What visitors are told").more("Plain text; markup is shown as typed."),
    Opt::value("title", Value::Text("TEXT"), "The page's heading"),
    Opt::value("lang", Value::Text("TAG"), "The page's language, such as de or pt-BR; given again, the page repeats its own words in that language")
        .many()
        .more("The page's own words exist in English, German, French, Spanish, Portuguese, Italian, Dutch, Polish, Swedish, Czech, Turkish, Russian, Ukrainian, Japanese, Chinese, Arabic and Hebrew, in the direction of each. --message and --title are in the first language and are not translated."),
    Opt::value("tz", Value::Text("ZONE"), "The time zone of clock times, typed and shown; the system's unless told"),
    Opt::value("template", Value::Dir("DIR"), "A page of your own: DIR/page.html and what it needs")
        .more("The directory is copied whole. {{title}}, {{message}}, {{lang}}, {{dir}}, {{expected}}, {{again}}, {{more}}, {{starts}}, {{ends}}, {{retry_after}}, {{tokens}} and {{assets}} (the path its other files are served at) are filled in."),
    Opt::flag("auto-off", "Let tick and wait take the page away at its end"),
    FORCE,
];

const WAIT: &[Opt] = &[
    Opt::flag("wait", "Wait for the start, then put the page up").more(
        "Watches the clock, also when it is set, and ends when the hold is taken back meanwhile.",
    ),
];

const VERIFY: &[Opt] = &[Opt::value(
    "verify",
    Value::Url("URL"),
    "Prove it over HTTP at this URL",
)
.many()];

const PROOF: &[Opt] = &[
    Opt::value(
        "host",
        Value::Text("NAME"),
        "The Host to ask for, where the URL names an address",
    ),
    Opt::value(
        "connect",
        Value::Text("HOST:PORT"),
        "Ask at this address, whatever the URL's name resolves to",
    )
    .more("To ask one server of several, or the server behind a cache, for the site's real URL."),
    Opt::value(
        "within",
        Value::Duration("DURATION"),
        "How long it may take to become so; 10s unless told",
    ),
];

const PROOF_OFF: &[Opt] = &[
    Opt::value(
        "expect",
        Value::Count("STATUS"),
        "The status the site has to answer with when the page is off; any of 200 to 399 unless told",
    ),
    Opt::value(
        "count",
        Value::Count("N"),
        "How many answers in a row have to be right when the page is off; 3 unless told",
    ),
];

const SIDE: &[Opt] = &[
    Opt::flag("on", "It is to be on"),
    Opt::flag("off", "It is to be off"),
];

const SHOWN: &[Opt] = &[Opt::value(
    "id",
    Value::Text("ID"),
    "Only this hold; every one unless told",
)];

const CLOCK: &[Opt] = &[
    Opt::value(
        "id",
        Value::Text("ID"),
        "Only this hold; every one unless told",
    ),
    FORCE,
];

const OFF: &[Opt] = &[
    ID,
    Opt::flag("all", "Release every hold, whosesoever it is"),
    FORCE,
];

const FAILURE: &[Opt] = &[
    Opt::value("on-failure", Value::Choice("WHAT", &["keep", "off"]), "What happens to the page if COMMAND fails")
        .required()
        .more("keep leaves it up for somebody to look; off takes it away as after a success."),
    Opt::value("drain", Value::Duration("DURATION"), "How long requests under way get to finish before COMMAND begins; 1s unless told")
        .more("A request that came just before the page is still on its way to the site, which COMMAND may be about to stop."),
];

const KEYS: &[Opt] = &[Opt::value(
    "ttl",
    Value::Duration("DURATION"),
    "How long a new key is good for; 8h unless told",
)];

const ALLOW: &[Opt] = &[
    Opt::value("allow-path", Value::Text("PATH"), "Let requests for this path past the page; with a final slash for everything below it")
        .many()
        .more("For health checks and webhooks. `verify` on such a path says that the request is let past."),
    Opt::value("allow-from", Value::Text("NETWORK"), "Let requests from this address or network past the page")
        .many()
        .more("192.0.2.7, 192.0.2.0/24, 2001:db8::/32. nginx reads networks in its http block alone: `maint-page snippet nginx-http` with the same options prints that part. Behind a proxy the server has to know the client's address: ngx_http_realip_module, mod_remoteip, or for Caddy 2.8 and newer the options trusted_proxies and trusted_proxies_strict with `maint-page snippet caddy-proxied`. Caddy 2.6 compares the proxy's address."),
];

const fn command(
    name: &'static str,
    about: &'static str,
    description: &'static [&'static str],
    options: &'static [&'static [Opt]],
) -> Command {
    Command {
        name,
        about,
        description,
        options,
        positionals: &[],
        trailing: Trailing::None,
        default: false,
    }
}

/// The command line.
pub const COMMAND_LINE: CommandLine = CommandLine {
    name: "maint-page",
    version: env!("CARGO_PKG_VERSION"),
    section: 8,
    about: "put a site behind an honest maintenance page, and take it away again",
    description: &[
        "maint-page raises a maintenance page that the web server itself serves with status 503, for every method, to people as HTML and to programs as JSON, with Retry-After and without being cached. The page comes and goes with one file, and nothing is reloaded; `maint-page snippet` prints the configuration that nginx, Apache or Caddy needs once.",
        "Whoever asks for the page has a hold on it, and it stays up until the last hold is released. A hold can be announced: then maintenance.json tells the site's own code, so that it can warn its users, and the page goes up when its start has come.",
        "What maint-page did not put there it does not touch.",
    ],
    commands: &[
        command(
            "on",
            "Put the page up, or announce it",
            &[
                "With --start the maintenance is announced, and the page goes up when that time has come: --wait stays until then, `tick` from cron or `wait` do it later. The same request again changes nothing; another message or end changes the hold.",
            ],
            &[PLACE, WISH, WAIT, VERIFY, PROOF],
        ),
        command(
            "off",
            "Release the hold, and take the page away if it was the last",
            &[
                "Releases your own hold. If others still hold the page it stays up, and the report says whose they are.",
            ],
            &[PLACE, OFF, VERIFY, PROOF, PROOF_OFF],
        ),
        command(
            "status",
            "Say what state the page is in",
            &[
                "Exit status 1 means that it is overdue, that the files do not agree with the holds, or that it is not as --on or --off asks.",
            ],
            &[PLACE, SIDE, SHOWN],
        ),
        command(
            "wait",
            "Wait until an announced page goes up",
            &[
                "Puts it up when its start has come. Ends with exit status 1 if nothing is announced, or if it is taken back meanwhile.",
            ],
            &[PLACE, CLOCK, VERIFY, PROOF],
        ),
        command(
            "tick",
            "Do what the clock says is due; for cron and timers",
            &[
                "Puts up the page whose start has come, brings maintenance.json and Retry-After up to date, takes away what asked for --auto-off, removes bypass keys that have ended, and says once that a page is overdue.",
                "The packages have a timer for systemd that runs tick each minute for a site with a site file: `systemctl enable --now maint-page@NAME.timer` for /etc/runbook-tools/sites/NAME.toml. Its table [maint-page] has dir. Without systemd or a site file cron does the same: see EXAMPLES.",
            ],
            &[PLACE, CLOCK],
        ),
        Command {
            name: "during",
            about: "Put the page up, run COMMAND, and take it away",
            description: &[
                "TERM, INT, HUP and QUIT go to COMMAND's process group, and COMMAND is waited for, however long it takes to put things right. If maint-page itself is killed, a guardian process does what --on-failure says.",
            ],
            options: &[PLACE, WISH, WAIT, FAILURE, RUN_AS, VERIFY, PROOF, PROOF_OFF],
            positionals: &[],
            trailing: Trailing::Required,
            default: false,
        },
        Command {
            name: "verify",
            about: "Prove over HTTP that the page is on or off",
            description: &[
                "Asks on a new connection each time. On: GET, HEAD and POST answer 503 with Retry-After, no-store and the page itself; with --dir or --page it has to be the page of the holds there. Off: several answers in a row without the page. When it is not so, the report says why, as far as that can be told.",
            ],
            options: &[SIDE, PLACE, SHOWN, PROOF, PROOF_OFF],
            positionals: &[Positional::some("URL", Value::Url("URL"), "Where to ask")],
            trailing: Trailing::None,
            default: false,
        },
        Command {
            name: "snippet",
            about: "Print the configuration the web server needs",
            description: &[
                "Printed as it is, to be included in the site's own configuration once.",
            ],
            options: &[PLACE, ALLOW],
            positionals: &[Positional::one(
                "SERVER",
                Value::Choice("SERVER", &snippet::SERVERS),
                "Which web server: nginx, apache or caddy; nginx-http for the part of nginx's http block; caddy-proxied for Caddy 2.8 or newer behind a proxy",
            )],
            trailing: Trailing::None,
            default: false,
        },
        Command {
            name: "bypass",
            about: "Let somebody see the site behind the page",
            description: &[
                "`add` makes a key and prints the path that sets it as a cookie: follow that link once in a browser, which keeps the cookie until the key's end. The web server only looks whether the key's file exists: the key works until that file is removed. The first tick after the key's end removes the file, and so does an on, during or bypass command; status, verify and snippet change nothing. With tick each minute, from cron or the timer, a key ends within a minute after its end; without tick a key works on. `list` says which keys there are by their first eight digits, and `revoke` takes one by those, or all.",
            ],
            options: &[PLACE, KEYS],
            positionals: &[
                Positional::one(
                    "ACTION",
                    Value::Choice("ACTION", &["add", "revoke", "list"]),
                    "What to do: add, revoke or list",
                ),
                Positional::optional(
                    "KEY",
                    Value::Text("KEY"),
                    "The key to revoke, its first eight digits, or all",
                ),
            ],
            trailing: Trailing::None,
            default: false,
        },
    ],
    options: &[],
    positionals: &[],
    exit: &[
        Row {
            code: "1",
            meaning: "Also: for status and verify, the page is not in the state asked for, or overdue. For off: others hold it, and you do not. For wait: there is nothing to wait for.",
        },
        Row {
            code: "3",
            meaning: "Also: something stands in the page's place that maint-page did not put there.",
        },
    ],
    examples: &[
        Example {
            text: "Once, for nginx:",
            command: "maint-page snippet nginx --dir /srv/site/maintenance > /etc/nginx/snippets/maint-page.conf",
        },
        Example {
            text: "Announce tonight's maintenance, wait for it, and prove that it is up:",
            command: "maint-page on --dir /srv/site/maintenance --start 22:00 --for 30m --warn 2h \\\n  --message 'We are moving to a new server.' --wait --verify https://www.example.org/",
        },
        Example {
            text: "Around a deploy:",
            command: "maint-page during --dir /srv/site/maintenance --for 10m --on-failure keep -- \\\n  sh -ec 'git pull --ff-only && venv/bin/python manage.py migrate'",
        },
        Example {
            text: "From cron, as a line of /etc/cron.d: what has been announced goes up when its time has come.",
            command: "* * * * * root maint-page tick -q --dir /srv/site/maintenance --journal /var/log/site.jsonl",
        },
        Example {
            text: "Where nginx already tests for one file:",
            command: "maint-page on --page /srv/www/tmp/maintenance.html",
        },
    ],
    files: &[
        Entry {
            name: "DIR/on",
            text: "The flag: visitors see the page while it is there.",
        },
        Entry {
            name: "DIR/page/page.html, DIR/page/page.json",
            text: "The page, in place before the flag.",
        },
        Entry {
            name: "DIR/retry-N",
            text: "What Retry-After says: N seconds.",
        },
        Entry {
            name: "DIR/holds/ID.json",
            text: "One hold.",
        },
        Entry {
            name: "DIR/bypass/",
            text: "The keys that let somebody through; the web server can look for a name there, and not list them.",
        },
        Entry {
            name: "DIR/maintenance.json",
            text: "For the site's own code: schema, id, state, message, message_html, timestamp, starts_at, ends_at, warn_from, retry_after, updated_at. In single-file mode it stands beside FILE. Gone when nothing is planned.",
        },
        Entry {
            name: "/usr/lib/systemd/system/maint-page@.timer, maint-page@.service",
            text: "The units for tick: NAME in maint-page@NAME.timer is the name of a site file.",
        },
        Entry {
            name: ".FILE.maint-page/",
            text: "In single-file mode, beside FILE: the holds.",
        },
    ],
    environment: &[
        Entry {
            name: "SUDO_USER",
            text: "Whose hold it is when root calls.",
        },
        Entry {
            name: "TZ",
            text: "The time zone of clock times, unless --tz says.",
        },
    ],
    security: &[
        "Everything is written into directories opened once, never through symbolic links, with mode 0644 whatever the umask says. A directory that others can write without the sticky bit is refused.",
        "Messages are shown as text; there is no way to put markup or control characters on the page, except by a template of your own.",
        "A bypass key is 128 random bits. Standard output of `bypass add` shows the key once, and the key's file has the key for its name; lists show its first eight digits, and --journal has *** in its place.",
    ],
    see_also: &["svc-cycle", "nginx(8)"],
};
