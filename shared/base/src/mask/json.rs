//! JSON whose strings are masked while they are written, so that no key of any report can be
//! forgotten.

use serde::Serialize;
use serde::ser::Error as _;
use serde_json::ser::{CharEscape, CompactFormatter, Formatter};
use std::io::{self, Write};

/// Keys whose values are words of ours, never text from elsewhere: masking one would break the
/// report's schema.
const OWN_WORDS: &[&str] = &[
    "tool",
    "version",
    "status",
    "kind",
    "outcome",
    "started_at",
    "level",
    "state",
];

/// The value as compact JSON, every string in it masked.
///
/// # Errors
/// What serde has to say.
pub fn to_string(value: &impl Serialize) -> serde_json::Result<String> {
    let mut out = Vec::with_capacity(256);
    let masked = Masked::default();
    value.serialize(&mut serde_json::Serializer::with_formatter(
        &mut out, masked,
    ))?;
    String::from_utf8(out).map_err(serde_json::Error::custom)
}

/// Collects a string as it is written, and writes the string once its end is known.
#[derive(Default)]
struct Masked {
    text: String,
    key: String,
    in_key: bool,
}

impl Formatter for Masked {
    fn begin_object_key<W: ?Sized + Write>(&mut self, out: &mut W, first: bool) -> io::Result<()> {
        self.in_key = true;
        CompactFormatter.begin_object_key(out, first)
    }

    fn end_object_key<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.in_key = false;
        CompactFormatter.end_object_key(out)
    }

    fn begin_string<W: ?Sized + Write>(&mut self, _: &mut W) -> io::Result<()> {
        self.text.clear();
        Ok(())
    }

    fn write_string_fragment<W: ?Sized + Write>(
        &mut self,
        _: &mut W,
        fragment: &str,
    ) -> io::Result<()> {
        self.text.push_str(fragment);
        Ok(())
    }

    fn write_char_escape<W: ?Sized + Write>(
        &mut self,
        _: &mut W,
        escape: CharEscape,
    ) -> io::Result<()> {
        self.text.push(match escape {
            CharEscape::Quote => '"',
            CharEscape::ReverseSolidus => '\\',
            CharEscape::Solidus => '/',
            CharEscape::Backspace => '\u{8}',
            CharEscape::FormFeed => '\u{c}',
            CharEscape::LineFeed => '\n',
            CharEscape::CarriageReturn => '\r',
            CharEscape::Tab => '\t',
            CharEscape::AsciiControl(byte) => char::from(byte),
        });
        Ok(())
    }

    fn end_string<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        if self.in_key {
            self.key.clone_from(&self.text);
            return serde_json::to_writer(out, &self.text).map_err(io::Error::from);
        }
        if OWN_WORDS.contains(&self.key.as_str()) {
            return serde_json::to_writer(out, &self.text).map_err(io::Error::from);
        }
        serde_json::to_writer(out, super::shown(&self.text).as_ref()).map_err(io::Error::from)
    }
}
