//! Text from an operator becomes text on a page, and nothing but text.
//!
//! There is no way to pass markup through: what looks like a tag is shown as typed. Control
//! characters and the bidirectional controls that can make a sentence read backwards
//! (Unicode's "Trojan Source" set) are dropped before anything is stored.

/// The message without control, bidirectional and other invisible formatting characters.
/// Newlines stay, tabs become spaces, the ends are trimmed.
pub fn clean(text: &str) -> String {
    let kept: String = text
        .replace("\r\n", "\n")
        .chars()
        .map(|c| if c == '\t' || c == '\r' { ' ' } else { c })
        .filter(|&c| c == '\n' || !is_hidden(c))
        .collect();
    kept.trim().to_owned()
}

/// Characters that show nothing themselves but change what is shown around them. The marks U+061C,
/// U+200E and U+200F stay: Arabic and Hebrew need them, and they reorder nothing but themselves.
fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{202A}'..='\u{202E}'                   // embeddings, overrides
            | '\u{2066}'..='\u{2069}'                   // isolates
            | '\u{2028}' | '\u{2029}'                   // line and paragraph separators
            | '\u{FEFF}' | '\u{200B}' | '\u{2060}'      // zero width
            | '\u{FFF9}'..='\u{FFFB}'                   // interlinear
            | '\u{E0000}'..='\u{E007F}') // tags
}

/// For element content and for quoted attributes.
pub fn html(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            '`' => out.push_str("&#96;"),
            c => out.push(c),
        }
    }
    out
}

/// Element content that keeps its lines.
pub fn html_lines(text: &str) -> String {
    html(text).replace('\n', "<br>")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hidden_characters_go_and_words_stay() {
        assert_eq!(
            clean(" a\u{202E}b\u{0}\u{1b}[31mc\td\r\ne\u{200B} "),
            "ab[31mc d\ne"
        );
        assert_eq!(
            clean("Zażółć gęślą jaźń 日本語 🛠"),
            "Zażółć gęślą jaźń 日本語 🛠"
        );
        assert_eq!(clean("\u{200F}שלום\u{200E} x"), "\u{200F}שלום\u{200E} x");
    }

    #[test]
    fn markup_is_shown_not_obeyed() {
        assert_eq!(
            html_lines("<script>alert('x')</script>\n&\"`"),
            "&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;<br>&amp;&quot;&#96;"
        );
    }
}
