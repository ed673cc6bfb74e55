//! One field of a cron line, read exactly as the daemon reads it: here what there is to know of it,
//! in `field/read.rs` the reading.
//!
//! The daemon reads a byte at a time and stops where it has seen enough, so `1#2` is 1 and `5.5` is
//! 5 on Debian. Reading fields by a grammar of our own would refuse what cron runs, or run what
//! cron refuses; so this follows its steps, keeps where everything stood, and notes what an
//! administrator would not expect. It judges nothing: notes become findings elsewhere.

mod read;

use std::ops::Range;

pub use read::{Cursor, Reading, read};

/// Which of the five.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field {
    /// 0 to 59.
    Minute,
    /// 0 to 23.
    Hour,
    /// Day of the month, 1 to 31.
    Day,
    /// 1 to 12, or a name.
    Month,
    /// Day of the week, 0 to 7, or a name; 0 and 7 are Sunday.
    Weekday,
}

/// Months as the daemon spells them.
pub const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];
/// Days of the week as the daemon spells them.
pub const WEEKDAYS: [&str; 7] = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];

impl Field {
    /// In the order of a line.
    pub const ALL: [Field; 5] = [
        Field::Minute,
        Field::Hour,
        Field::Day,
        Field::Month,
        Field::Weekday,
    ];

    /// The smallest value.
    pub fn low(self) -> i32 {
        match self {
            Field::Minute | Field::Hour | Field::Weekday => 0,
            Field::Day | Field::Month => 1,
        }
    }

    /// The largest value.
    pub fn high(self) -> i32 {
        match self {
            Field::Minute => 59,
            Field::Hour => 23,
            Field::Day => 31,
            Field::Month => 12,
            Field::Weekday => 7,
        }
    }

    /// The name in messages.
    pub fn name(self) -> &'static str {
        match self {
            Field::Minute => "minute",
            Field::Hour => "hour",
            Field::Day => "day of month",
            Field::Month => "month",
            Field::Weekday => "day of week",
        }
    }

    fn names(self) -> &'static [&'static str] {
        match self {
            Field::Month => &MONTHS,
            Field::Weekday => &WEEKDAYS,
            _ => &[],
        }
    }

    /// Every value of the field; 7 is kept apart from 0 until the whole line is read.
    pub fn full(self) -> u64 {
        ((1u64 << (self.high() + 1)) - 1) & !((1u64 << self.low()) - 1)
    }
}

/// Why a daemon refuses a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The line ends before this field.
    Missing,
    /// Neither a number, a name nor `*`.
    NotANumber,
    /// A name or word this field does not know.
    UnknownName,
    /// `5/10`: a step needs a range.
    StepWithoutRange,
    /// `*/0`.
    StepZero,
    /// A value outside low..=high.
    OutOfRange(i32),
    /// cronie only: something after the value.
    Trailing,
    /// cronie only: `50~10`.
    RandomBackwards,
    /// cronie before 1.6: `fri-sun`, `22-2`.
    Backwards,
    /// `H` used in a way that has no meaning.
    BadHash,
}

/// A refused field and where the daemon stopped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldError {
    /// Which field.
    pub field: Field,
    pub refusal: Refusal,
    /// The bytes at fault, from the beginning of the line.
    pub span: Range<usize>,
}

/// Something accepted that is probably not meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Remark {
    /// Bytes after a value which the daemon skips.
    Junk,
    /// A number beyond 2^31 that the daemon folds to this one.
    Wrapped(i32),
    /// The step is longer than the range: only its first value is left.
    StepBeyond,
    /// `*/7` of 60: the last gap is shorter.
    UnevenStep(i32),
    /// `fri-sun`, `22-2`: nothing at all.
    EmptyRange,
    /// cronie's `0~10`: one value, chosen whenever the file is read.
    Random,
}

/// A remark and its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// Which field.
    pub field: Field,
    pub remark: Remark,
    /// The bytes meant, from the beginning of the line.
    pub span: Range<usize>,
}

/// A field that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CronField {
    /// Bit n stands for value n.
    pub set: u64,
    /// Whether its first byte is `*`: the daemon's flag, not "every value".
    pub star: bool,
    /// Its bytes, from the beginning of the line.
    pub span: Range<usize>,
    /// Whether an `H` stood in it, so that its text is not what cron can read.
    pub hashed: bool,
    /// Ranges of which cronie picks one value each when it loads the file; [`CronField::set`] holds
    /// the lowest.
    pub random: Vec<(i32, i32)>,
}
