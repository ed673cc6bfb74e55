//! The daemon's own steps: a byte at a time, stopping where it stops.

use std::ops::Range;

use super::{CronField, Field, FieldError, Note, Refusal, Remark};
use crate::dialect::Dialect;
use crate::hashed::Seed;

/// A place in a line. Reading past the end yields a newline, as it would in the file.
pub struct Cursor<'a> {
    line: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    /// At `at` in `line`, which has no newline.
    pub fn new(line: &'a [u8], at: usize) -> Self {
        Cursor { line, at }
    }

    /// The byte here.
    #[inline]
    pub fn peek(&self) -> u8 {
        self.line.get(self.at).copied().unwrap_or(b'\n')
    }

    /// Where we are.
    pub fn at(&self) -> usize {
        self.at
    }

    #[inline]
    fn step(&mut self) {
        self.at += 1;
    }

    /// Skips blanks and tabs.
    pub fn skip_blanks(&mut self) {
        while matches!(self.peek(), b' ' | b'\t') {
            self.at += 1;
        }
    }

    fn skip_word(&mut self) {
        while !matches!(self.peek(), b' ' | b'\t' | b'\n') {
            self.at += 1;
        }
    }
}

/// How fields are read: whose rules, and what `H` stands for (nothing, outside a template).
#[derive(Clone, Copy)]
pub struct Reading<'a> {
    /// Whose rules.
    pub dialect: Dialect,
    /// The seed of `H`; without one, `H` is as wrong as for the daemon.
    pub seed: Option<Seed<'a>>,
}

struct Range32 {
    low: i32,
    high: i32,
    step: i32,
    /// True for a lone number, which the daemon checks by another rule than a range.
    single: bool,
    starred: bool,
    /// cronie's `a~b`: one value between these.
    random: Option<(i32, i32)>,
}

/// Reads one field and the blanks after it, leaving the cursor at the next.
pub fn read(
    cursor: &mut Cursor<'_>,
    field: Field,
    reading: Reading<'_>,
    notes: &mut Vec<Note>,
) -> Result<CronField, FieldError> {
    let start = cursor.at();
    let star = cursor.peek() == b'*';
    let mut set = 0u64;
    let mut hashed = false;
    let mut random = Vec::new();
    loop {
        let from = cursor.at();
        let fail = |refusal, to: usize| FieldError {
            field,
            refusal,
            span: from..to.max(from + 1),
        };
        if cursor.peek() == b'\n' {
            return Err(fail(Refusal::Missing, from));
        }
        if let (b'H', Some(seed)) = (cursor.peek(), reading.seed) {
            set |= crate::hashed::read(cursor, field, seed)
                .ok_or_else(|| fail(Refusal::BadHash, cursor.at()))?;
            hashed = true;
        } else {
            let range = match reading.dialect {
                Dialect::Debian | Dialect::Debian13 => {
                    debian_range(cursor, field, reading.dialect, notes)
                }
                Dialect::Cronie152 | Dialect::Cronie15 => {
                    cronie15_range(cursor, field, reading.dialect, notes)
                }
                Dialect::Cronie => cronie_range(cursor, field, reading.dialect, notes),
            }
            .map_err(|refusal| {
                let mut end = cursor.at();
                while !matches!(cursor.line.get(end), None | Some(b' ' | b'\t' | b',')) {
                    end += 1;
                }
                fail(refusal, end)
            })?;
            random.extend(range.random);
            set |=
                fill(field, &range, from..cursor.at(), notes).map_err(|r| fail(r, cursor.at()))?;
        }
        // The daemon keeps the next byte in a `char`: 0xff there is its own end-of-file mark.
        if !reading.dialect.is_cronie() && cursor.peek() == 0xff {
            return Err(fail(Refusal::NotANumber, cursor.at() + 1));
        }
        if cursor.peek() != b',' {
            break;
        }
        cursor.step();
    }
    let junk = cursor.at();
    cursor.skip_word();
    let end = cursor.at();
    if end > junk {
        notes.push(Note {
            field,
            remark: Remark::Junk,
            span: junk..end,
        });
    }
    cursor.skip_blanks();
    if field == Field::Weekday && !reading.dialect.is_cronie() && cursor.peek() == 0xff {
        return Err(FieldError {
            field,
            refusal: Refusal::NotANumber,
            span: cursor.at()..cursor.at() + 1,
        });
    }
    Ok(CronField {
        set,
        star,
        span: start..end,
        hashed,
        random,
    })
}

fn fill(
    field: Field,
    range: &Range32,
    span: Range<usize>,
    notes: &mut Vec<Note>,
) -> Result<u64, Refusal> {
    let mut set = 0u64;
    let mut value = range.low;
    while value <= range.high {
        if value < field.low() || value > field.high() {
            return Err(Refusal::OutOfRange(value));
        }
        set |= 1 << value;
        // As the daemon's int does at 2^31: below zero, and so out of range.
        value = value.wrapping_add(range.step);
    }
    let mut note = |remark| {
        notes.push(Note {
            field,
            remark,
            span: span.clone(),
        });
    };
    if set == 0 {
        note(Remark::EmptyRange);
    } else if !range.single && range.step > 1 {
        if range.step > range.high - range.low {
            note(Remark::StepBeyond);
        } else if range.starred {
            let whole = if field == Field::Weekday {
                7
            } else {
                range.high - range.low + 1
            };
            if field == Field::Day || whole % range.step != 0 {
                note(Remark::UnevenStep(range.step));
            }
        }
    }
    Ok(set)
}

fn debian_range(
    cursor: &mut Cursor<'_>,
    field: Field,
    dialect: Dialect,
    notes: &mut Vec<Note>,
) -> Result<Range32, Refusal> {
    let starred = cursor.peek() == b'*';
    let (low, high);
    if starred {
        cursor.step();
        (low, high) = (field.low(), field.high());
    } else {
        low = number(cursor, field, true, dialect, notes)?;
        if cursor.peek() != b'-' {
            if cursor.peek() == b'/' {
                return Err(Refusal::StepWithoutRange);
            }
            return Ok(Range32 {
                low,
                high: low,
                step: 1,
                single: true,
                starred,
                random: None,
            });
        }
        cursor.step();
        high = number(cursor, field, true, dialect, notes)?;
    }
    let mut step = 1;
    if cursor.peek() == b'/' {
        cursor.step();
        step = number(cursor, field, false, dialect, notes)?;
        if step <= 0 {
            return Err(Refusal::StepZero);
        }
    }
    for value in [low, high] {
        if value < field.low() || value > field.high() {
            return Err(Refusal::OutOfRange(value));
        }
    }
    Ok(Range32 {
        low,
        high,
        step,
        single: false,
        starred,
        random: None,
    })
}

fn cronie_range(
    cursor: &mut Cursor<'_>,
    field: Field,
    dialect: Dialect,
    notes: &mut Vec<Note>,
) -> Result<Range32, Refusal> {
    let from = cursor.at();
    let mut range = Range32 {
        low: field.low(),
        high: field.high(),
        step: 1,
        single: false,
        starred: false,
        random: None,
    };
    let mut random = false;
    match cursor.peek() {
        b'*' => {
            cursor.step();
            range.starred = true;
        }
        b'~' => random = true,
        _ => {
            range.low = number(cursor, field, true, dialect, notes)?;
            match cursor.peek() {
                b'-' => {
                    cursor.step();
                    range.high = number(cursor, field, true, dialect, notes)?;
                }
                b'~' => random = true,
                _ => {
                    range.high = range.low;
                    range.single = true;
                }
            }
        }
    }
    if random {
        cursor.step();
        if !separates(cursor.peek()) {
            range.high = number(cursor, field, true, dialect, notes)?;
        }
        if range.low > range.high {
            return Err(Refusal::RandomBackwards);
        }
        for value in [range.low, range.high] {
            if value < field.low() || value > field.high() {
                return Err(Refusal::OutOfRange(value));
            }
        }
        notes.push(Note {
            field,
            remark: Remark::Random,
            span: from..cursor.at(),
        });
        range.random = Some((range.low, range.high));
        (range.high, range.single) = (range.low, true);
    } else if cursor.peek() == b'/' {
        if range.single {
            return Err(Refusal::StepWithoutRange);
        }
        cursor.step();
        range.step = number(cursor, field, false, dialect, notes)?;
        // A number that wraps below zero is a step to it.
        if range.step == 0 {
            return Err(Refusal::StepZero);
        }
    }
    if separates(cursor.peek()) {
        Ok(range)
    } else {
        Err(Refusal::Trailing)
    }
}

/// cronie before 1.6: no random values, no range from high to low, and junk only after a `*`.
fn cronie15_range(
    cursor: &mut Cursor<'_>,
    field: Field,
    dialect: Dialect,
    notes: &mut Vec<Note>,
) -> Result<Range32, Refusal> {
    let mut range = Range32 {
        low: field.low(),
        high: field.high(),
        step: 1,
        single: false,
        starred: cursor.peek() == b'*',
        random: None,
    };
    if range.starred {
        cursor.step();
    } else {
        range.low = number(cursor, field, true, dialect, notes)?;
        range.high = range.low;
        range.single = cursor.peek() != b'-';
        if !range.single {
            cursor.step();
            range.high = number(cursor, field, true, dialect, notes)?;
        }
    }
    let stepped = cursor.peek() == b'/';
    if stepped {
        if range.single {
            return Err(Refusal::StepWithoutRange);
        }
        cursor.step();
        range.step = number(cursor, field, false, dialect, notes)?;
        if range.step <= 0 {
            return Err(Refusal::StepZero);
        }
    }
    if (stepped || !range.starred) && !separates(cursor.peek()) {
        return Err(Refusal::Trailing);
    }
    if range.low > range.high {
        return Err(Refusal::Backwards);
    }
    if !range.single && dialect.refuses_steps_beyond() {
        for value in [range.high, range.step] {
            if value > field.high() {
                return Err(Refusal::OutOfRange(value));
            }
        }
    }
    Ok(range)
}

fn separates(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b',')
}

/// A run of letters and digits: a name where the field has names, else a number, folded to 32 bits
/// as `atoi` folds it.
fn number(
    cursor: &mut Cursor<'_>,
    field: Field,
    named: bool,
    dialect: Dialect,
    notes: &mut Vec<Note>,
) -> Result<i32, Refusal> {
    let start = cursor.at();
    while cursor.peek().is_ascii_alphanumeric() {
        cursor.step();
    }
    let token = &cursor.line[start..cursor.at()];
    if token.is_empty() || token.len() > dialect.token_limit() {
        return Err(Refusal::NotANumber);
    }
    if named && token[0].is_ascii_alphabetic() {
        if let Some(at) = field
            .names()
            .iter()
            .position(|n| n.as_bytes().eq_ignore_ascii_case(token))
        {
            return Ok(at as i32 + field.low());
        }
    }
    let mut value = 0i64;
    for byte in token {
        if !byte.is_ascii_digit() {
            return Err(Refusal::UnknownName);
        }
        value = value
            .saturating_mul(10)
            .saturating_add(i64::from(byte - b'0'));
    }
    let folded = value as i32;
    if i64::from(folded) != value {
        notes.push(Note {
            field,
            remark: Remark::Wrapped(folded),
            span: start..cursor.at(),
        });
    }
    Ok(folded)
}

/// What `H` needs of a cursor: its bytes are read one at a time there too.
impl Cursor<'_> {
    /// Takes `byte` if it is here.
    pub fn take(&mut self, byte: u8) -> bool {
        let here = self.peek() == byte;
        if here {
            self.step();
        }
        here
    }

    /// A plain decimal number below 1000.
    pub fn plain_number(&mut self) -> Option<i32> {
        let start = self.at;
        while self.peek().is_ascii_digit() {
            self.step();
        }
        let token = &self.line[start..self.at];
        if token.is_empty() || token.len() > 3 {
            return None;
        }
        Some(token.iter().fold(0, |n, b| n * 10 + i32::from(b - b'0')))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;

    fn values(text: &str, field: Field, dialect: Dialect) -> Result<Vec<i32>, Refusal> {
        let mut notes = Vec::new();
        let reading = Reading {
            dialect,
            seed: None,
        };
        let got = read(
            &mut Cursor::new(text.as_bytes(), 0),
            field,
            reading,
            &mut notes,
        );
        got.map(|f| (0..64).filter(|n| f.set >> n & 1 == 1).collect())
            .map_err(|e| e.refusal)
    }

    #[test]
    fn debian_stops_where_it_has_seen_enough() {
        let d = Dialect::Debian;
        assert_eq!(values("1#2", Field::Minute, d), Ok(vec![1]));
        assert_eq!(values("5.5", Field::Minute, d), Ok(vec![5]));
        assert_eq!(values("0~10", Field::Minute, d), Ok(vec![0]));
        assert_eq!(values("1-3-9", Field::Minute, d), Ok(vec![1, 2, 3]));
        assert_eq!(
            values("5/10", Field::Minute, d),
            Err(Refusal::StepWithoutRange)
        );
        assert_eq!(
            values("5-64/30", Field::Minute, d),
            Err(Refusal::OutOfRange(64))
        );
        assert_eq!(values("4294967301", Field::Minute, d), Ok(vec![5]));
        assert_eq!(values("fri-sun", Field::Weekday, d), Ok(vec![]));
        assert_eq!(values("Jan,mar", Field::Month, d), Ok(vec![1, 3]));
        assert_eq!(values("7", Field::Weekday, d), Ok(vec![7]));
        assert_eq!(values("1,", Field::Minute, d), Err(Refusal::Missing));
    }

    #[test]
    fn cronie_wants_a_separator_after_each_value() {
        let c = Dialect::Cronie;
        assert_eq!(values("1#2", Field::Minute, c), Err(Refusal::Trailing));
        assert_eq!(values("*x", Field::Minute, c), Err(Refusal::Trailing));
        assert_eq!(values("fri-sun", Field::Weekday, c), Ok(vec![]));
        assert_eq!(values("70-5", Field::Minute, c), Ok(vec![]));
        assert_eq!(
            values("50~10", Field::Minute, c),
            Err(Refusal::RandomBackwards)
        );
    }
}
