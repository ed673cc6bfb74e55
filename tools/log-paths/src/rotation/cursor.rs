//! A place in a text of logrotate's configuration, and what can be read from there on.

/// A place in the text.
pub struct Cursor<'a> {
    pub bytes: &'a [u8],
    pub at: usize,
}

impl Cursor<'_> {
    /// The rest of the line, without blanks at its end; the cursor is on the last byte before the
    /// line's end then.
    pub fn line(&mut self) -> Vec<u8> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let width = rest.iter().take_while(|byte| **byte != b'\n').count();
        // Without a line's end logrotate does not trim.
        let whole = &rest[..width];
        let text = if self.at + width < self.bytes.len() {
            whole.trim_ascii_end()
        } else {
            whole
        };
        self.at = (self.at + width).saturating_sub(1);
        text.to_vec()
    }

    /// The value after a keyword, with or without `=`; `None` at the end of the line.
    pub fn value(&mut self) -> Option<Vec<u8>> {
        let mut at = self.at;
        let blanks = |at: &mut usize| {
            while matches!(self.bytes.get(*at), Some(b' ' | b'\t')) {
                *at += 1;
            }
        };
        blanks(&mut at);
        if self.bytes.get(at) == Some(&b'=') {
            at += 1;
            blanks(&mut at);
        }
        if self.bytes.get(at) == Some(&b'\n') {
            return None;
        }
        self.at = at;
        Some(self.line())
    }

    /// Letters after blanks.
    pub fn word(&mut self) -> Vec<u8> {
        while matches!(self.bytes.get(self.at), Some(b' ' | b'\t')) {
            self.at += 1;
        }
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let width = rest
            .iter()
            .take_while(|byte| byte.is_ascii_alphabetic())
            .count();
        self.at += width;
        rest[..width].to_vec()
    }

    /// The byte here.
    pub fn here(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    /// The number of the line that a place is in, from 1.
    pub fn line_number(&self, at: usize) -> usize {
        let before = self
            .bytes
            .get(..at.min(self.bytes.len()))
            .unwrap_or_default();
        1 + before.iter().filter(|byte| **byte == b'\n').count()
    }
}
