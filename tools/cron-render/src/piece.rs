//! Bytes of a file that is kept whole: a line or a command without a copy of its own.

use std::ops::{Deref, Range};
use std::rc::Rc;

/// Some of the bytes of something larger.
#[derive(Clone)]
pub struct Piece {
    whole: Rc<[u8]>,
    span: Range<usize>,
}

impl Piece {
    /// These bytes of `whole`; what lies beyond its end is left out.
    pub fn of(whole: &Rc<[u8]>, span: Range<usize>) -> Piece {
        let end = span.end.min(whole.len());
        Piece {
            whole: Rc::clone(whole),
            span: span.start.min(end)..end,
        }
    }

    /// These bytes of this piece.
    pub fn part(&self, span: Range<usize>) -> Piece {
        Piece::of(
            &self.whole,
            self.span.start + span.start..(self.span.start + span.end).min(self.span.end),
        )
    }
}

impl From<Vec<u8>> for Piece {
    fn from(bytes: Vec<u8>) -> Piece {
        Piece {
            span: 0..bytes.len(),
            whole: bytes.into(),
        }
    }
}

impl Deref for Piece {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.whole.get(self.span.clone()).unwrap_or_default()
    }
}

impl PartialEq for Piece {
    fn eq(&self, other: &Piece) -> bool {
        **self == **other
    }
}

impl Eq for Piece {}

impl std::fmt::Debug for Piece {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?}", String::from_utf8_lossy(self))
    }
}
