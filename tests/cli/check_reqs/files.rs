//! Requirement files: what is wrong in them is said with its place, and nothing is looked at.

use super::check_file;
use harness::{scratch, tool};

#[test]
fn every_mistake_has_its_line_and_column() {
    for (text, place, says) in [
        (
            "[[check]]\ntype = \"disk\"\npath = \"/\"\nfre = \"1G\"\n",
            "4:1",
            "unknown key 'fre'",
        ),
        (
            "[[check]]\ntype = \"dsik\"\n",
            "2:8",
            "there is no check of type 'dsik'",
        ),
        ("[[check]]\nid = \"a\"\n", "2:1", "type is missing"),
        (
            "[[check]]\ntype = \"disk\"\npath = 3.5\nfree = \"1G\"\n",
            "3:8",
            "path must be a string",
        ),
        (
            "[[check]]\ntype = \"command\"\nname = \"a\"\nid = \"x\"\n\n[[check]]\ntype = \"command\"\nname = \"b\"\nid = \"x\"\n",
            "7:1",
            "already",
        ),
        (
            "[[check]]\ntype = \"command\"\nname = \"${no}\"\n",
            "3:8",
            "${no} is not set",
        ),
        (
            "[[check]]\ntype = \"command\"\nname = \"a\"\nwhen = \"os.nmae == 'x'\"\n",
            "4:8",
            "'os.nmae' is not known",
        ),
        (
            "[[check]]\ntype = \"command\"\nname = \"a\"\nseverity = \"bad\"\n",
            "4:12",
            "severity must be one of",
        ),
        (
            "[[chekc]]\ntype = \"command\"\n",
            "1:3",
            "unknown key 'chekc'",
        ),
        ("check = [\n", "1:10", ""),
        (
            "{\"check\": [{\"type\": \"command\", \"name\": \"a\", \"nam\": 1}]}",
            "1:45",
            "unknown key 'nam'",
        ),
        (
            "{\"check\": [{\"type\": \"command\" \"name\": \"a\"}]}",
            "1:31",
            "'}' was expected",
        ),
        ("check = []\n", "", "the list of requirements is empty"),
        ("", "1:1", "no [[check]] in it"),
        (
            "[[check]]\ntype = \"file\"\npath = \"/\"\nmode = 755\nkind = \"dir\"\n",
            "5:8",
            "kind must be one of",
        ),
        (
            "[[check]]\ntype = \"http\"\nurl = \"ftp://x/\"\n",
            "3:7",
            "is not a URL",
        ),
    ] {
        let done = check_file(text, &[]).expect_code(2).expect_silence();
        let place = if place.is_empty() {
            String::new()
        } else {
            format!("standard input:{place}: ")
        };
        assert!(
            done.err().contains(&place),
            "{text}\nnot at {place}\n{}",
            done.err()
        );
        assert!(done.err().contains(says), "{text}\n{}", done.err());
    }
}

#[test]
fn needs_that_lead_nowhere_or_in_a_circle_are_errors() {
    let one = |id: &str, needs: &str| {
        format!(
            "[[check]]\nid = \"{id}\"\ntype = \"command\"\nname = \"sh\"\nneeds = [\"{needs}\"]\n"
        )
    };
    check_file(&one("a", "bb"), &[])
        .expect_code(2)
        .expect_err("'a' needs 'bb', and there is no such id");
    let circle = one("a", "b") + &one("b", "c") + &one("c", "a");
    check_file(&circle, &[])
        .expect_code(2)
        .expect_err("circle: a -> b -> c -> a");
}

#[test]
fn several_sources_are_read_in_order_and_toml_and_json_mean_the_same() {
    let dir = scratch();
    let (toml, json) = (dir.path().join("a.toml"), dir.path().join("b.json"));
    std::fs::write(
        &toml,
        "[[check]]\nid = \"toml\"\ntype = \"command\"\nname = \"sh\"\n",
    )
    .unwrap();
    std::fs::write(
        &json,
        "\u{feff}{\"check\": [{\"id\": \"json\", \"type\": \"command\", \"name\": \"sh\"}]}",
    )
    .unwrap();
    let report = tool("check-reqs")
        .arg("-f")
        .arg(&toml)
        .arg("-f")
        .arg(&json)
        .arg("cmd:sh")
        .run()
        .expect_code(0)
        .json();
    let ids: Vec<_> = report["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| item["id"].as_str().unwrap())
        .collect();
    assert_eq!(ids, ["toml", "json", "cmd:sh"]);
    // The same file twice says everything twice.
    let twice = tool("check-reqs")
        .arg("-f")
        .arg(&toml)
        .arg("-f")
        .arg(&toml)
        .run()
        .expect_code(2);
    assert!(
        twice.err().contains("the id 'toml' is there already, at"),
        "{}",
        twice.err()
    );
}

#[test]
fn a_fix_of_the_file_goes_before_the_checks_own() {
    let file = |fix: &str| {
        format!(
            "[[check]]\nid = \"a\"\ntype = \"command\"\nname = \"no-such-program\"\nfix = {fix}\n"
        )
    };
    let fix =
        |text: &str| check_file(&file(text), &[]).expect_code(1).json()["items"][0]["fix"].clone();
    assert_eq!(fix("\"make it\"")["steps"][0]["text"], "make it");
    assert_eq!(fix("[\"one\", \"two\"]")["steps"][1]["text"], "two");
    let table = fix("{ text = \"ask Jenny\", commands = [\"mail jenny\"], needs_root = true }");
    assert_eq!(
        (table["summary"].as_str(), table["steps"][0]["as"].as_str()),
        (Some("ask Jenny"), Some("root"))
    );
    check_file(&file("{ txet = \"x\" }"), &[])
        .expect_code(2)
        .expect_err("unknown key 'txet'");
}
