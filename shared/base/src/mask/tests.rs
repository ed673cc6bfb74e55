#![allow(clippy::unwrap_used)]

use super::*;

/// Texts and what is left of them.
const FORMS: &[(&str, &str)] = &[
    ("postgres://app:s3cret@db/x", "postgres://app:***@db/x"),
    (
        "postgres://app:s3/c@ret@db/x and more",
        "postgres://app:***@db/x and more",
    ),
    ("http://host:80/a@b", "http://host:80/a@b"),
    ("https://ghp_token@host/simple", "https://***@host/simple"),
    (
        "see http://x, ssh://joe@host/repo",
        "see http://x, ssh://joe@host/repo",
    ),
    (
        "host=x password='a b\\'c' user=y",
        "host=x password='***' user=y",
    ),
    ("password=\"\" user=y", "password=\"\" user=y"),
    ("?sslpassword=abc&x=1", "?sslpassword=***&x=1"),
    ("password=a&b,c;d next", "password=*** next"),
    ("PGPASSWORD = abc dbname=q", "PGPASSWORD = *** dbname=q"),
    (
        "PWD=/srv/site OLDPWD=/srv pwd=x",
        "PWD=/srv/site OLDPWD=/srv pwd=***",
    ),
    ("http://localhost:8000/a?b=c", "http://localhost:8000/a?b=c"),
    ("password: hunter2\nuser: joe", "password: ***\nuser: joe"),
    (
        "{\"password\": \"a\\\"b\", \"user\": \"joe\"}",
        "{\"password\": \"***\", \"user\": \"joe\"}",
    ),
    (
        "{\\\"password\\\":\\\"abc\\\",\\\"user\\\":1}",
        "{\\\"password\\\":\\\"***\\\",\\\"user\\\":1}",
    ),
    ("{'API_KEY': 'abc', 'x': 1}", "{'API_KEY': '***', 'x': 1}"),
    ("{\"password\":1234}", "{\"password\":***}"),
    (":password => \"abc\"", ":password => \"***\""),
    (
        "Authorization: Basic am9lOmE=\r\nHost: x",
        "Authorization: ***\r\nHost: x",
    ),
    (
        "-H 'authorization: Token abc' https://x",
        "-H 'authorization: ***' https://x",
    ),
    ("got Bearer abc.def-1 from x", "got Bearer *** from x"),
    ("the bearer token is missing", "the bearer token is missing"),
    ("Unexpected token: } at 3", "Unexpected token: } at 3"),
    ("token: a1b2c3d4e5", "token: ***"),
    ("some_token==1.2", "some_token==1.2"),
    ("+ curl -u joe:abc https://x", "+ curl -u joe:*** https://x"),
    ("sh -c 'curl -sujoe:abc x'", "sh -c 'curl -sujoe:abc x'"),
    (
        "run 'curl -ujoe:abc https://x'",
        "run 'curl -ujoe:*** https://x'",
    ),
    (
        "+ deploy --api-token abc --verbose",
        "+ deploy --api-token *** --verbose",
    ),
    (
        "the option --password needs a value",
        "the option --password needs a value",
    ),
    ("docker run -u 1000:1000 x", "docker run -u 1000:1000 x"),
    // A letter of several bytes before, inside and after.
    ("djängo==1", "djängo==1"),
    ("clé=valeur", "clé=valeur"),
    (
        "dd: unrecognized operand ‘foo=bar’",
        "dd: unrecognized operand ‘foo=bar’",
    ),
    ("‘password=bär’ é", "‘password=***’ é"),
    ("épassword=x", "épassword=***"),
];

#[test]
fn secrets_are_known_by_their_form() {
    for (given, wanted) in FORMS {
        assert_eq!(text(given), *wanted, "{given}");
        assert_eq!(text(wanted), *wanted, "masked twice");
    }
}

#[test]
fn argument_vectors_hide_the_word_after_an_option() {
    let cases: &[(&[&str], &[&str])] = &[
        (
            &["x", "--password", "abc", "--db", "y", "--token=zz"],
            &["x", "--password", "***", "--db", "y", "--token=***"],
        ),
        (
            &["/usr/bin/curl", "-u", "joe:abc", "u"],
            &["/usr/bin/curl", "-u", "joe:***", "u"],
        ),
        (&["curl", "--user=joe:abc"], &["curl", "--user=joe:***"]),
        (
            &["curl", "-H", "Authorization: Bearer x"],
            &["curl", "-H", "Authorization: ***"],
        ),
        (
            &["sshpass", "-p", "is", "ssh", "h"],
            &["sshpass", "-p", "***", "ssh", "h"],
        ),
        (
            &["mysql", "-pabc", "-p", "db"],
            &["mysql", "-p***", "-p", "db"],
        ),
        (
            &["sh", "-c", "curl -u joe:abc x"],
            &["sh", "-c", "curl -u joe:*** x"],
        ),
        (&["id", "-u", "joe:abc"], &["id", "-u", "joe:abc"]),
    ];
    for (given, wanted) in cases {
        assert_eq!(argv(given), *wanted);
    }
}

#[test]
fn registered_secrets_are_replaced_in_every_form() {
    register("xq'7 é\"plugh/Zz");
    let forms = [
        "a xq'7 é\"plugh/Zz b".to_owned(),
        format!("{:?}", "xq'7 é\"plugh/Zz"),
        crate::shell::quoted("xq'7 é\"plugh/Zz"),
        "https://h/?a=xq%277%20%C3%A9%22plugh%2FZz".to_owned(),
    ];
    for form in forms {
        let masked = text(&form);
        assert!(
            masked.contains(MASK) && !masked.contains("plugh"),
            "{masked}"
        );
    }
    // A short one, only as a word.
    register("wxyzz");
    assert_eq!(
        text("wxyzz awxyzz wxyzzb 'wxyzz'"),
        "*** awxyzz wxyzzb '***'"
    );
    register_in("postgres://u:frotz%40ozmoo@h/d");
    assert_eq!(
        text("tried frotz@ozmoo and frotz%40ozmoo"),
        "tried *** and ***"
    );
}

#[test]
fn what_cannot_be_a_secret_stays_readable() {
    public("reefnine");
    for (name, value) in [
        ("DB_NAME", "reefnine"),
        ("PORT", "58231"),
        ("DEBUG", "True"),
        ("MEDIA", "/usr/bin"),
        ("LANG", "xx_YY.UTF-8"),
        ("X", "a"),
    ] {
        register_variable(name, value);
        assert_eq!(text(value), value, "{name}");
    }
    register_variable("DB_PASS", "58232");
    assert_eq!(text("58232"), MASK);
    register_variable("WHATEVER", "nithing");
    assert_eq!(text("nithing"), MASK);
    register_variable("DATABASE_URL", "postgres://reefnine:qwfpgjlu@/reefnine");
    assert_eq!(text("reefnine qwfpgjlu"), "reefnine ***");
}

#[test]
fn json_is_masked_but_for_keys_and_our_own_words() {
    register("vorpalblade");
    let value = serde_json::json!({
        "vorpalblade": ["a vorpalblade\n", {"status": "vorpalblade"}],
        "msg": "é \"password\": \"x\" \u{1}", "n": 1,
    });
    let whole: serde_json::Value = serde_json::from_str(&json(&value).unwrap()).unwrap();
    assert_eq!(
        whole,
        serde_json::json!({
            "vorpalblade": ["a ***\n", {"status": "vorpalblade"}],
            "msg": "é \"password\": \"***\" \u{1}", "n": 1,
        })
    );
}

struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % sides as u64) as usize
    }
}

/// Pieces that mean something to the mask, and letters of one to four bytes.
const PIECES: &[&str] = &[
    "password",
    "token",
    "=",
    "==",
    ":",
    "://",
    "@",
    "/",
    "'",
    "\"",
    "\\",
    "\\\"",
    " ",
    "\n",
    "\t",
    "é",
    "‘",
    "’",
    "😀",
    "\u{301}",
    "a",
    "Z9",
    "-",
    "--password",
    "-u",
    "curl",
    "Bearer",
    "bearer ",
    "Authorization",
    "{",
    "}",
    ",",
    ";",
    "&",
    "https",
    "%40",
    "\0",
    "***",
    ">",
    "PWD",
    "ſ",
    "İ",
    "K",
];

#[test]
fn any_text_is_masked_without_a_panic() {
    let mut dice = Dice(0x9e37_79b9_7f4a_7c15);
    let rounds = match std::env::var("RUNBOOK_SWEEP").as_deref() {
        Ok("full") => 2_000_000,
        _ => 60_000,
    };
    for _ in 0..rounds {
        let given: String = (0..dice.roll(14))
            .map(|_| PIECES[dice.roll(PIECES.len())])
            .collect();
        let once = text(&given);
        let _ = text(&once);
        if !given.contains(['=', ':', '-']) && !given.to_lowercase().contains("bearer") {
            assert_eq!(once, given);
        }
        let words: Vec<&str> = given.split(' ').collect();
        assert_eq!(argv(&words).len(), words.len());
        assert!(json(&given).is_ok());
    }
}

#[test]
fn a_secret_never_survives_its_form() {
    let mut dice = Dice(0x2545_f491_4f6c_dd1d);
    const LETTERS: &[char] = &['q', 'Z', '7', 'é', '😀', '$', '!', '=', ':', '+', '~'];
    for _ in 0..20_000 {
        let secret: String = std::iter::once('Q')
            .chain((0..6 + dice.roll(9)).map(|_| LETTERS[dice.roll(LETTERS.len())]))
            .chain(['Q', '7', 'x'])
            .collect();
        let around: Vec<&str> = (0..2)
            .map(|_| ["", "é ", "a: ", "x=1 ", "{", "‘"][dice.roll(6)])
            .collect();
        let forms = [
            format!("password={secret}"),
            format!("password: {secret}"),
            format!("\"DB_PASSWORD\": \"{secret}\""),
            format!("--api-key {secret}"),
            format!("Authorization: Basic {secret}"),
            format!("postgres://u:{secret}@h/d"),
            format!("curl -u joe:{secret} x"),
        ];
        let form = &forms[dice.roll(forms.len())];
        let given = format!("{}{form}{}", around[0], [" ", "\n", " é"][dice.roll(3)]);
        let masked = text(&given);
        assert!(!masked.contains(&secret), "{given:?}: {masked:?}");
    }
}
