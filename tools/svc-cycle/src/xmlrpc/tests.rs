use super::wire::put;
use super::*;

#[test]
fn a_struct_as_supervisord_sends_it() {
    let body = b"<?xml version='1.0'?>\n<methodResponse>\n<params>\n<param>\n<value><array><data>\n<value><struct>\n\
        <member>\n<name>name</name>\n<value><string>a &amp; b&#33;</string></value>\n</member>\n\
        <member><name>pid</name><value><int>-42</int></value></member>\
        <member><name>spawnerr</name><value><string></string></value></member>\
        <member><name>bare</name><value> x </value></member>\
        <member><name>ok</name><value><boolean>1</boolean></value></member>\
        </struct></value>\n</data></array></value>\n</param>\n</params>\n</methodResponse>";
    let Ok(Value::Array(values)) = decode(body).unwrap() else {
        panic!("no array")
    };
    assert_eq!(values[0].get("name").unwrap().text(), Some("a & b!"));
    assert_eq!(values[0].get("pid").unwrap().int(), Some(-42));
    assert_eq!(values[0].get("spawnerr").unwrap().text(), Some(""));
    assert_eq!(values[0].get("bare").unwrap().text(), Some(" x "));
    assert_eq!(values[0].get("ok"), Some(&Value::Bool(true)));
}

#[test]
fn a_fault_has_a_name() {
    let body = b"<methodResponse><fault><value><struct><member><name>faultCode</name><value><int>70</int></value></member>\
        <member><name>faultString</name><value><string>NOT_RUNNING: web</string></value></member></struct></value></fault></methodResponse>";
    let fault = decode(body).unwrap().unwrap_err();
    assert_eq!(
        (fault.code, fault.name(), fault.text.as_str()),
        (70, "NOT_RUNNING", "NOT_RUNNING: web")
    );
}

#[test]
fn nonsense_is_an_error_and_never_a_panic() {
    let deep = "<value><array><data>".repeat(100);
    for body in [
        "",
        "<html>",
        "<methodResponse/>",
        "<methodResponse><params><param><value><int>x</int></value></param></params></methodResponse>",
        "<methodResponse><params><param><value><array><data>",
        "<!DOCTYPE x [<!ENTITY a \"b\">]><methodResponse>",
        "<methodResponse><params><param><value>&lol;</value></param></params></methodResponse>",
        &format!("<methodResponse><params><param>{deep}"),
    ] {
        assert!(decode(body.as_bytes()).is_err(), "{body}");
    }
    assert!(decode(b"\xff").is_err());
}

#[test]
fn what_is_sent_is_escaped_and_read_back_the_same() {
    let value = Value::Struct(vec![(
        "a<b".to_owned(),
        Value::Array(vec![
            Value::Text("x & <y>".into()),
            Value::Int(3),
            Value::Bool(false),
        ]),
    )]);
    let mut text = String::from("<methodResponse><params><param>");
    put(&value, &mut text);
    text.push_str("</param></params></methodResponse>");
    assert_eq!(decode(text.as_bytes()).unwrap().unwrap(), value);
    assert!(
        encode(
            "supervisor.startProcess",
            &[Value::Text("g:*".into()), Value::Bool(false)]
        )
        .contains("<boolean>0</boolean>")
    );
}

#[test]
fn base64_as_the_rfc_has_it() {
    for (plain, coded) in [
        ("", ""),
        ("f", "Zg=="),
        ("fo", "Zm8="),
        ("foo", "Zm9v"),
        ("user:pass", "dXNlcjpwYXNz"),
    ] {
        assert_eq!(base64(plain.as_bytes()), coded);
    }
}
