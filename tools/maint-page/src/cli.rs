//! The definition of the command line. [`crate::request`] makes a request of the arguments.

use crate::snippet;
use base::cli::{Command, CommandLine, Entry, Example, Opt, Positional, RUN_AS, Trailing, Value};
use base::exit::Row;

const PLACE: &[Opt] = &[
    Opt::value(
        "dir",
        Value::Dir("DIR"),
        "The directory that holds the page and its flag",
    )
    .more("The web server needs a configuration for DIR once: see `maint-page snippet`."),
    Opt::value(
        "page",
        Value::File("FILE"),
        "The one file that is the page and its flag",
    )
    .more(
        "For a web server that already tests whether one file exists. maint-page puts the file \
         there and removes the file by rename. A visitor whose request comes between the server's \
         test and the server's reading of the file can get a wrong answer, which --dir avoids.",
    ),
];

const ID: Opt = Opt::value("id", Value::Text("ID"), "The name of the hold").more(
    "The default is the user name of the caller, as sudo or the system knows it, with @NAME of \
     the site file where one is read; for `during` a new name for each run. The page is up as long as at least one hold exists. Two people can \
     have the same name, as two root shells have: without --id a command leaves a hold alone that \
     was made in another login with a terminal that is still open, from another address or with \
     another ssh key (where sshd has ExposeAuthInfo).",
);

const FORCE: Opt = Opt::flag(
    "force",
    "Move a page or flag aside that maint-page did not put there",
)
.more("The new name is the old name with .foreign and the time at the end.");

const WISH: &[Opt] = &[
    ID,
    Opt::value(
        "start",
        Value::Text("TIME"),
        "When the maintenance begins (default: now)",
    )
    .more(
        "2026-11-21T22:00:00+01:00, or 22:00 for the next one, or +15m. A TIME in the future \
         announces the maintenance; --wait, `wait` or `tick` then puts the page up.",
    ),
    Opt::value(
        "for",
        Value::Duration("DURATION"),
        "How long the maintenance will probably take",
    ),
    Opt::value(
        "until",
        Value::Text("TIME"),
        "When the maintenance will probably end",
    ),
    Opt::value(
        "warn",
        Value::Duration("DURATION"),
        "How long before the start users are warned (default: from now on)",
    )
    .more("maint-page writes maintenance.json at that time."),
    Opt::value("message", Value::Text("TEXT"), "The text on the page")
        .more("TEXT is plain text; the page shows markup as it was typed."),
    Opt::value("title", Value::Text("TEXT"), "The heading of the page"),
    Opt::value(
        "lang",
        Value::Text("TAG"),
        "The language of the page, such as de or pt-BR; with several languages the page repeats \
         its own words in each",
    )
    .many()
    .more(
        "maint-page has the page's own words in English, German, French, Spanish, Portuguese, \
         Italian, Dutch, Polish, Swedish, Czech, Turkish, Russian, Ukrainian, Japanese, Chinese, \
         Arabic and Hebrew, and sets each language in its direction. maint-page does not translate \
         --message and --title; they belong to the first language.",
    ),
    Opt::value(
        "tz",
        Value::Text("ZONE"),
        "The time zone of clock times, in arguments and on the page (default: the zone of the \
         system)",
    ),
    Opt::value(
        "template",
        Value::Dir("DIR"),
        "Use your own page: DIR/page.html and the files it needs",
    )
    .more(
        "maint-page copies the whole directory. {{title}}, {{message}}, {{lang}}, {{dir}}, \
         {{expected}}, {{again}}, {{more}}, {{starts}}, {{ends}}, {{retry_after}}, {{tokens}} and \
         {{assets}} (the path at which the web server serves the other files) are filled in.",
    ),
    Opt::flag(
        "auto-off",
        "Let tick and wait take the page away when the maintenance ends",
    ),
    FORCE,
];

const WAIT: &[Opt] = &[
    Opt::flag("wait", "Wait for the start, then put the page up").more(
        "The command notices when the clock is set, and ends when the hold is released before the \
         start.",
    ),
];

const VERIFY: &[Opt] = &[Opt::value(
    "verify",
    Value::Url("URL"),
    "Prove over HTTP at URL that visitors get the page, or the site",
)
.many()];

const PROOF: &[Opt] = &[
    Opt::value(
        "host",
        Value::Text("NAME"),
        "The Host header of requests, where the URL has an address in place of a name",
    ),
    Opt::value(
        "connect",
        Value::Text("HOST:PORT"),
        "Connect to this address in place of the URL's host",
    )
    .more(
        "Use this option to ask one server of several, or the server behind a cache, for the real \
         URL of the site.",
    ),
    Opt::value(
        "within",
        Value::Duration("DURATION"),
        "How long the web server may take to give the right answers (default 10s)",
    ),
];

const PROOF_OFF: &[Opt] = &[
    Opt::value(
        "expect",
        Value::Count("STATUS"),
        "The status that proves that the page is off (default: any of 200 to 399)",
    ),
    Opt::value(
        "count",
        Value::Count("N"),
        "How many right answers in a row prove that the page is off (default 3)",
    ),
];

const SIDE: &[Opt] = &[
    Opt::flag("on", "The page has to be on"),
    Opt::flag("off", "The page has to be off"),
];

const SHOWN: &[Opt] = &[Opt::value(
    "id",
    Value::Text("ID"),
    "Only this hold (default: every hold)",
)];

const CLOCK: &[Opt] = &[
    Opt::value(
        "id",
        Value::Text("ID"),
        "Only this hold (default: every hold)",
    ),
    FORCE,
];

const OFF: &[Opt] = &[
    ID,
    Opt::flag("all", "Release every hold, also those of other people"),
    FORCE,
];

const FAILURE: &[Opt] = &[
    Opt::value(
        "on-failure",
        Value::Choice("WHAT", &["keep", "off"]),
        "What to do with the page when COMMAND fails",
    )
    .required()
    .more(
        "keep leaves the page up until you take it away; off takes the page away as after a \
         success.",
    ),
    Opt::value(
        "drain",
        Value::Duration("DURATION"),
        "How long to wait between the page and COMMAND (default 1s)",
    )
    .more(
        "Requests that came just before the page still reach the site. The wait lets them finish \
         before COMMAND stops the site.",
    ),
];

const KEYS: &[Opt] = &[Opt::value(
    "ttl",
    Value::Duration("DURATION"),
    "How long a new key is valid (default 8h)",
)];

const ALLOW: &[Opt] = &[
    Opt::value(
        "allow-path",
        Value::Text("PATH"),
        "Let requests for PATH past the page; with a final slash: requests for every path below",
    )
    .many()
    .more("For health checks and webhooks. `verify` reports that such a path is let past."),
    Opt::value(
        "allow-from",
        Value::Text("NETWORK"),
        "Let requests from this address or network past the page",
    )
    .many()
    .more(
        "192.0.2.7, 192.0.2.0/24, 2001:db8::/32. nginx accepts networks only in its http block: \
         `maint-page snippet nginx-http` with the same options prints that part. Behind a proxy \
         the web server has to know the address of the client: ngx_http_realip_module, \
         mod_remoteip, or for Caddy 2.8 and newer the options trusted_proxies and \
         trusted_proxies_strict with `maint-page snippet caddy-proxied`. Caddy 2.6 compares the \
         address of the proxy.",
    ),
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

pub const COMMAND_LINE: CommandLine = CommandLine {
    name: "maint-page",
    version: env!("CARGO_PKG_VERSION"),
    section: 8,
    about: "put a site behind an honest maintenance page, and take it away again",
    description: &[
        "maint-page raises a maintenance page that the web server itself serves with status 503, \
         for every method, to people as HTML and to programs as JSON, with Retry-After and without \
         being cached. The page comes and goes with one file, without a reload of the web server; \
         `maint-page snippet` prints the configuration that nginx, Apache or Caddy needs once.",
        "Each person or run that puts the page up has a hold. The page stays up until the last \
         hold is released. A hold can be announced: maint-page then writes maintenance.json, from \
         which the site's own code can warn its users, and the page goes up at the start.",
        "maint-page does not touch a file that it did not put there.",
    ],
    commands: &[
        command(
            "on",
            "Put the page up, or announce it",
            &[
                "With --start the command announces the maintenance. The page goes up at that \
                 time: --wait waits for the time; without --wait a later `wait`, or `tick` from \
                 cron, puts the page up. The same command again changes nothing; with another \
                 message or end the command changes the hold.",
            ],
            &[PLACE, WISH, WAIT, VERIFY, PROOF],
        ),
        command(
            "off",
            "Release the hold, and take the page away if it was the last",
            &[
                "The command releases your own hold. While other people hold the page, the page \
                 stays up, and the report names them.",
            ],
            &[PLACE, OFF, VERIFY, PROOF, PROOF_OFF],
        ),
        command(
            "status",
            "Report the state of the page",
            &[
                "Exit status 1 means that the page is overdue, that the files do not agree with \
                 the holds, or that the page is not in the state that --on or --off asks for.",
            ],
            &[PLACE, SIDE, SHOWN],
        ),
        command(
            "wait",
            "Wait until an announced page goes up",
            &[
                "The command waits for the start and puts the page up. The exit status is 1 if no \
                 maintenance is announced, or if its hold is released before the start.",
            ],
            &[PLACE, CLOCK, VERIFY, PROOF],
        ),
        command(
            "tick",
            "Do what is due at this time; for cron and timers",
            &[
                "tick puts up the page whose start has come, updates maintenance.json and \
                 Retry-After, takes away a page with --auto-off whose end has come, removes bypass \
                 keys that have expired, and reports once that a page is overdue.",
                "The packages have a timer for systemd that runs tick each minute for a site with \
                 a site file: `systemctl enable --now maint-page@NAME.timer` for \
                 /etc/runbook-tools/sites/NAME.toml. The table [maint-page] of the site file has \
                 dir. Without systemd or a site file run tick from cron: see EXAMPLES.",
            ],
            &[PLACE, CLOCK],
        ),
        Command {
            name: "during",
            about: "Put the page up, run COMMAND, and take it away",
            description: &[
                "maint-page passes TERM, INT, HUP and QUIT on to the process group of COMMAND, and \
                 waits for COMMAND as long as COMMAND takes to clean up. If maint-page itself is \
                 killed, a guardian process does what --on-failure says.",
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
                "verify sends each request on a new connection. The page is on if GET, HEAD and \
                 POST are answered with 503, Retry-After, no-store and the page itself; with --dir \
                 or --page the answer has to be the page of the holds there. The page is off if \
                 several answers in a row come from the site. Otherwise the report gives the \
                 cause, where verify finds the cause.",
            ],
            options: &[SIDE, PLACE, SHOWN, PROOF, PROOF_OFF],
            positionals: &[Positional::some(
                "URL",
                Value::Url("URL"),
                "A URL of the site",
            )],
            trailing: Trailing::None,
            default: false,
        },
        Command {
            name: "snippet",
            about: "Print the configuration that the web server needs",
            description: &[
                "Include the printed configuration in the configuration of the site once.",
            ],
            options: &[PLACE, ALLOW],
            positionals: &[Positional::one(
                "SERVER",
                Value::Choice("SERVER", &snippet::SERVERS),
                "The web server: nginx, apache or caddy; nginx-http for the part of nginx's http \
                 block; caddy-proxied for Caddy 2.8 or newer behind a proxy",
            )],
            trailing: Trailing::None,
            default: false,
        },
        Command {
            name: "bypass",
            about: "Let a person see the site behind the page",
            description: &[
                "`add` creates a key and prints the path that sets the key as a cookie: open that \
                 path once in a browser, which keeps the cookie until the key expires. The web \
                 server only looks whether the file of the key exists, so the key works until that \
                 file is removed. The first tick after the key has expired removes the file; on, \
                 during and bypass remove the file, too; status, verify and snippet change \
                 nothing. With tick each minute, from cron or the timer, a key stops working \
                 within a minute after it has expired; without tick an expired key still works. \
                 `list` shows the first eight digits of each key; `revoke` takes those digits, or \
                 all.",
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
            meaning: "Also: for status and verify, the page is not in the requested state, or is \
                overdue. For off: other people hold the page, and you do not. For wait: no \
                maintenance is announced.",
        },
        Row {
            code: "3",
            meaning: "Also: a page or a flag exists that maint-page did not put there.",
        },
    ],
    examples: &[
        Example {
            text: "Once, for nginx: print the configuration that serves the page:",
            command: "maint-page snippet nginx --dir /srv/site/maintenance > \
                /etc/nginx/snippets/maint-page.conf",
        },
        Example {
            text: "Announce tonight's maintenance, wait for the start, and prove that visitors get \
                the page:",
            command: "maint-page on --dir /srv/site/maintenance --start 22:00 --for 30m --warn 2h \
                \\\n  --message 'We are moving to a new server.' --wait --verify \
                https://www.example.org/",
        },
        Example {
            text: "Show the page while a new version is deployed:",
            command: "maint-page during --dir /srv/site/maintenance --for 10m --on-failure keep -- \
                \\\n  sh -ec 'git pull --ff-only && venv/bin/python manage.py migrate'",
        },
        Example {
            text: "In /etc/cron.d: put an announced page up when its start has come:",
            command: "* * * * * root maint-page tick -q --dir /srv/site/maintenance --journal \
                /var/log/site.jsonl",
        },
        Example {
            text: "Put the page up where nginx already tests for one file:",
            command: "maint-page on --page /srv/www/tmp/maintenance.html",
        },
    ],
    files: &[
        Entry {
            name: "DIR/on",
            text: "The flag: visitors get the page while this file exists.",
        },
        Entry {
            name: "DIR/page/page.html, DIR/page/page.json",
            text: "The page; maint-page writes these files before the flag.",
        },
        Entry {
            name: "DIR/retry-N",
            text: "The value of Retry-After: N seconds.",
        },
        Entry {
            name: "DIR/holds/ID.json",
            text: "A hold.",
        },
        Entry {
            name: "DIR/bypass/",
            text: "The bypass keys. The web server can look for a name in this directory and \
                cannot list the names.",
        },
        Entry {
            name: "DIR/maintenance.json",
            text: "The maintenance, for the site's own code: schema, id, state, message, \
                message_html, timestamp, starts_at, ends_at, warn_from, retry_after, updated_at. \
                With --page FILE the file is beside FILE. The file does not exist while no \
                maintenance is planned.",
        },
        Entry {
            name: "/usr/lib/systemd/system/maint-page@.timer, maint-page@.service",
            text: "The units for tick: NAME in maint-page@NAME.timer is the name of a site file.",
        },
        Entry {
            name: ".FILE.maint-page/",
            text: "With --page FILE, beside FILE: the holds.",
        },
    ],
    environment: &[
        Entry {
            name: "SUDO_USER",
            text: "The name of the hold when root calls.",
        },
        Entry {
            name: "TZ",
            text: "The time zone of clock times without --tz.",
        },
    ],
    security: &[
        "maint-page opens each directory once, follows no symbolic link, and writes files with \
         mode 0644 whatever the umask is. A directory that other users can write to, without the \
         sticky bit, is refused.",
        "The page shows a message as text: markup and control characters reach the page only \
         through your own template.",
        "A bypass key is 128 random bits. Standard output of `bypass add` shows the key once, and \
         the key's file has the key for its name; lists show its first eight digits, and --journal \
         has *** in its place.",
    ],
    see_also: &["svc-cycle", "nginx(8)"],
};
