//! Words as nginx cuts them.
#![allow(clippy::unwrap_used)]

use super::{End, Statements};
use std::path::Path;

fn read(text: &str) -> Result<Vec<String>, String> {
    let mut out = Vec::new();
    for statement in Statements::new(Path::new("n.conf"), text.as_bytes()) {
        let statement = statement.map_err(|error| error.to_string())?;
        let words: Vec<String> = std::iter::once(&statement.name)
            .filter(|name| !name.is_empty())
            .chain(&statement.arguments)
            .map(|word| String::from_utf8_lossy(word).into_owned())
            .collect();
        let end = match statement.end {
            End::Semicolon => ";",
            End::Open => "{",
            End::Lua => "lua",
            End::Close => "}",
        };
        out.push(format!("{}:{}{end}", statement.line, words.join("|")));
    }
    Ok(out)
}

#[test]
fn words_quotations_and_escapes() {
    assert_eq!(read("a b;c\td\r\n;").unwrap(), ["1:a|b;", "1:c|d;"]);
    assert_eq!(read("a 'x y' \"z;{\" '' ;").unwrap(), ["1:a|x y|z;{|;"]);
    assert_eq!(read("a \"x\ny\" b;\nc;").unwrap(), ["1:a|x\ny|b;", "3:c;"]);
    assert_eq!(
        read(r#"a \" x\ y \.z "\t\d";"#).unwrap(),
        ["1:a|\"|x\\ y|\\.z|\t\\d;"]
    );
    assert_eq!(read("a x'y\"z #c ; {\n b#c;").unwrap(), ["1:a|x'y\"z|b#c;"]);
    assert_eq!(
        read("a ${v}x $w{b;}").unwrap(),
        ["1:a|${v}x|$w{", "1:b;", "1:}"]
    );
    assert_eq!(read("if (a = 'b') {}").unwrap(), ["1:if|(a|=|b{", "1:}"]);
}

#[test]
fn blocks_and_lines() {
    assert_eq!(
        read("http{\n server {\n listen 80;}\n}").unwrap(),
        ["1:http{", "2:server{", "3:listen|80;", "3:}", "4:}"]
    );
}

#[test]
fn lua_is_skipped_whole() {
    let lua = "content_by_lua_block {\n -- it's { a comment\n local s = '}\\'' .. \"}\" .. [==[ }]] ]==] -- [[ x\n --[[ } \n ]]\n if a[b[1]] then { } end\n}\nx;";
    assert_eq!(read(lua).unwrap(), ["1:content_by_lua_blocklua", "8:x;"]);
    assert!(read("a_by_lua_block { '} }").is_err());
}

#[test]
fn what_nginx_refuses() {
    for text in ["a", "a b", ";", "{", "a }", "a 'x", "a 'x'y;", "a \\"] {
        assert!(read(text).is_err(), "{text}");
    }
}
