//! What is literal, what is code, and that a text's contents are never taken for either.
#![allow(clippy::unwrap_used)]

use super::{Shape, assignments};

fn value(source: &str, name: &str) -> Shape {
    let all = assignments(source.as_bytes()).unwrap();
    all.into_iter()
        .find(|found| found.name == name)
        .map_or(Shape::None, |found| found.value.shape)
}

fn text(bytes: &str) -> Shape {
    Shape::Text(bytes.as_bytes().to_vec())
}

#[test]
fn literals() {
    let source = "\
\"\"\"errorlog = 'no'
\"\"\"
a = 'x' \"y\"  # errorlog = 1
b = r'\\n'; c = (\"p\"
  '/q')
d: str = '\\x41\\u00e9'
e = f = None
g = {'h': ['i', 2, True], \"j\": {'k': os.path.join(A, 'b')}, **more}
l = 'a\\
b'
";
    assert_eq!(value(source, "errorlog"), Shape::None);
    assert_eq!(value(source, "a"), text("xy"));
    assert_eq!(value(source, "b"), text("\\n"));
    assert_eq!(value(source, "c"), text("p/q"));
    assert_eq!(value(source, "d"), text("Aé"));
    assert_eq!(value(source, "e"), Shape::None);
    assert_eq!(value(source, "l"), text("ab"));
    let g = assignments(source.as_bytes())
        .unwrap()
        .into_iter()
        .find(|found| found.name == "g")
        .unwrap();
    assert_eq!(g.value.line, 8);
    let k = g.value.get("j").and_then(|j| j.get("k")).unwrap();
    assert_eq!(k.shape, Shape::Code("os.path.join(A,\"b\")".to_owned()));
    let h = g.value.get("h").unwrap();
    assert!(matches!(&h.shape, Shape::List(items) if items.len() == 3));
}

#[test]
fn code_stays_code() {
    let is_code = |source: &str| matches!(value(source, "a"), Shape::Code(_));
    for source in [
        "a = b",
        "a = 'x' + y",
        "a = f'{x}'",
        "a = 'x'\na += 'y'",
        "a = {}\na['x'] = 1",
        "a = 'x'\nif y:\n    a = 'z'\n",
        "a = 'x'.format()",
    ] {
        assert!(is_code(source), "{source}");
    }
    assert_eq!(value("a = 'x'\ndef f():\n    a = 'y'\n", "a"), text("x"));
    assert_eq!(value("if y:\n  a = 'x'\na = 'z'", "a"), text("z"));
    assert_eq!(value("a == 'x'", "a"), Shape::None);
}

#[test]
fn what_is_not_closed_is_named() {
    assert_eq!(assignments(b"a = 1\nb = 'x\n").unwrap_err(), 2);
    assert_eq!(assignments(b"a = [\n1,\n").unwrap_err(), 1);
}
