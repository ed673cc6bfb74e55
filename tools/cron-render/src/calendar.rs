//! Days and minutes as numbers, and back.
//!
//! `next` asks for a hundred thousand dates in a few milliseconds; a proleptic Gregorian calendar
//! on plain integers is all it needs. Zones are not here (see `zone`).

/// Minutes in a day.
pub const DAY: i64 = 1440;

/// The day number (0 is 1970-01-01) of a date.
#[cfg(test)]
pub fn day_number(year: i64, month: u32, day: u32) -> i64 {
    // Years begin in March, so that the leap day is the last of its year.
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let of_year = i64::from((153 * ((month + 9) % 12) + 2) / 5 + day - 1);
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

/// The date of a day number.
pub fn date(day_number: i64) -> (i64, u32, u32) {
    let shifted = day_number + 719_468;
    let era = shifted.div_euclid(146_097);
    let of_era = shifted.rem_euclid(146_097);
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = (of_year - (153 * month + 2) / 5 + 1) as u32;
    let month = if month < 10 { month + 3 } else { month - 9 } as u32;
    (year + era * 400 + i64::from(month <= 2), month, day)
}

/// 0 is Sunday.
pub fn weekday(day_number: i64) -> u32 {
    (day_number + 4).rem_euclid(7) as u32
}

/// How many days a month has.
pub fn month_length(year: i64, month: u32) -> u32 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Writes a local minute as RFC 3339, `offset` seconds east of UTC, `Z` without one; how many
/// bytes.
pub fn write_minute(out: &mut [u8; 25], minute: i64, offset: Option<i32>) -> u8 {
    let (year, month, day) = date(minute.div_euclid(DAY));
    let of_day = minute.rem_euclid(DAY) as u32;
    out[..19].copy_from_slice(b"0000-00-00T00:00:00");
    let mut two = |at: usize, number: u32| {
        out[at] = b'0' + (number / 10 % 10) as u8;
        out[at + 1] = b'0' + (number % 10) as u8;
    };
    two(0, (year / 100) as u32);
    two(2, (year % 100) as u32);
    two(5, month);
    two(8, day);
    two(11, of_day / 60);
    two(14, of_day % 60);
    let Some(seconds) = offset else {
        out[19] = b'Z';
        return 20;
    };
    let minutes = seconds.unsigned_abs() / 60;
    two(20, minutes / 60);
    two(23, minutes % 60);
    out[19] = if seconds < 0 { b'-' } else { b'+' };
    out[22] = b':';
    25
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;

    #[test]
    fn there_and_back() {
        for n in (-800_000..800_000).step_by(37) {
            let (y, m, d) = date(n);
            assert_eq!(day_number(y, m, d), n);
        }
        assert_eq!(date(0), (1970, 1, 1));
        assert_eq!(weekday(0), 4);
        assert_eq!(date(day_number(2024, 2, 29)), (2024, 2, 29));
    }

    #[test]
    fn minutes_as_text() {
        let text = |offset| {
            let mut out = [0; 25];
            let length = write_minute(&mut out, day_number(2026, 11, 1) * DAY + 125, offset);
            String::from_utf8(out[..length.into()].to_vec()).unwrap()
        };
        assert_eq!(text(Some(-5 * 3600)), "2026-11-01T02:05:00-05:00");
        assert_eq!(text(Some(37_800)), "2026-11-01T02:05:00+10:30");
        assert_eq!(text(None), "2026-11-01T02:05:00Z");
    }
}
