//! Findings about the five fields.

use base::Fix;

use crate::field::{Field, FieldError, Note, Refusal, Remark};
use crate::finding::{Code, Finding, column};
use crate::lint::{push, quote};
use crate::schedule::{NICKNAMES, Schedule, ScheduleError, WEEK};
use crate::site::Site;
use crate::spread::set_text;
use crate::template::{BadSchedule, Job, Template};

pub fn look(template: &Template, site: &Site, found: &mut Vec<Finding>) {
    for bad in &template.bad {
        refused(bad, found);
    }
    for job in &template.jobs {
        for note in &job.written.notes {
            remarked(job, note, site, found);
        }
        days(job, found);
        every_minute(job, found);
        if job.text.get(job.written.span.start) == Some(&b'-') {
            minus(job.place(job.written.span.start), found);
        }
    }
}

/// cronie alone knows a minus before the schedule.
fn minus(place: (usize, usize), found: &mut Vec<Finding>) {
    let message = "a minus (no log entry) is for cronie alone, and there for root alone: every other crontab is refused for it";
    push(found, Code::W16, place, message, "leave the minus out");
}

fn refused(bad: &BadSchedule, found: &mut Vec<Finding>) {
    let place = |at: usize| (bad.line, bad.shift + column(&bad.text, at));
    let start = bad
        .text
        .iter()
        .take_while(|b| matches!(b, b' ' | b'\t'))
        .count();
    let line = &bad.text[start..];
    if let Some(fix) =
        looks_like_setting(line).filter(|_| matches!(bad.error, ScheduleError::Field(_)))
    {
        push(
            found,
            Code::E01,
            place(start),
            "neither a job nor a setting: cron refuses the file",
            fix,
        );
    } else {
        let (at, message, fix) = refusal(bad);
        let out = matches!(&bad.error, ScheduleError::Field(e) if matches!(e.refusal, Refusal::OutOfRange(_)));
        let code = if out { Code::E02 } else { Code::E01 };
        push(found, code, place(at), message, fix);
    }
    if line.starts_with(b"export ") {
        push(
            found,
            Code::W17,
            place(start),
            "cron knows no export: a setting is NAME=VALUE alone",
            "leave 'export' out",
        );
    } else if line.starts_with(b"-") {
        minus(place(start), found);
    }
}

/// Why a schedule is refused: where, the words, and what to write.
pub fn refusal(bad: &BadSchedule) -> (usize, String, Fix) {
    let (at, message, fix) = match &bad.error {
        ScheduleError::Nickname(span) => {
            let word = quote(&bad.text, span.clone());
            let known = NICKNAMES.map(|n| format!("@{n}")).join(" ");
            let fix = if bad.text[span.clone()].starts_with(b"@every") {
                "*/N in the minute or hour field: */5 * * * * is every five minutes".to_owned()
            } else {
                format!("one of {known}")
            };
            (
                span.start,
                format!("'{word}' is not a schedule that cron knows"),
                fix,
            )
        }
        ScheduleError::Rest(span) => {
            let (message, fix) = rest_words(&bad.text, span);
            (span.start, message, fix)
        }
        ScheduleError::Field(error) => {
            let named = foreign(bad).map_or_else(|| refusal_words(bad, error), |(m, f)| (m, f));
            (error.span.start, named.0, named.1)
        }
    };
    (at, message, Fix::advice(fix))
}

/// Text after five fields that no daemon would see: what it looks like.
fn rest_words(text: &[u8], span: &std::ops::Range<usize>) -> (String, String) {
    let words: Vec<String> = String::from_utf8_lossy(text)
        .split_whitespace()
        .map(str::to_owned)
        .collect();
    let rest = quote(text, span.clone());
    if words.first().is_some_and(|w| w.starts_with('@')) {
        return (
            format!("{rest} after {} is not used", words[0]),
            format!("{} alone, or five fields", words[0]),
        );
    }
    let fieldlike = |w: &String| {
        w.bytes()
            .all(|b| b.is_ascii_digit() || b"*/,-?LW#".contains(&b))
            || w.len() == 3
            || w.contains('-')
    };
    if (words.len() == 6 || words.len() == 7) && words.iter().all(fieldlike) {
        return (
            format!(
                "{} fields, as in Quartz and other schedulers whose first field is the second: cron has five",
                words.len()
            ),
            words[1..6].join(" "),
        );
    }
    let zone = words
        .last()
        .is_some_and(|w| w.contains('/') || w == "UTC" || w == "GMT");
    if zone {
        return (
            format!("{rest} looks like a time zone, which is no part of a schedule"),
            "tz = \"ZONE\" in [site], or --tz ZONE".to_owned(),
        );
    }
    (
        format!("{rest} after the five fields is not used"),
        words.get(..5).map(|w| w.join(" ")).unwrap_or_default(),
    )
}

/// What other schedulers and editors write.
fn foreign(bad: &BadSchedule) -> Option<(String, String)> {
    let text = bad.text.trim_ascii();
    let begins = |with: &[u8]| text.starts_with(with);
    if begins(b"\xef\xbb\xbf") {
        return Some((
            "a byte order mark begins the file: cron takes it for part of the schedule".into(),
            "save the file as UTF-8 without a byte order mark".into(),
        ));
    }
    if [&b"<<<<<<<"[..], b"=======", b">>>>>>>"]
        .into_iter()
        .any(begins)
    {
        return Some((
            "a mark of a merge conflict".into(),
            "finish the merge".into(),
        ));
    }
    if text.windows(2).any(|w| w == b"{{" || w == b"{%") {
        return Some((
            "a placeholder of a template engine that was not filled in".into(),
            "render the file with its own engine first".into(),
        ));
    }
    if text.windows(2).any(|w| w == b"\xc2\xa0") {
        return Some((
            "a no-break space, which cron does not take for a blank".into(),
            "an ordinary space".into(),
        ));
    }
    if matches!(text.first(), Some(b'"' | b'\'')) {
        return Some((
            "quotes around a schedule: cron takes them for part of the minute".into(),
            "the schedule without quotes".into(),
        ));
    }
    let fields: Vec<&[u8]> = text
        .split(|b| b" \t".contains(b))
        .filter(|w| !w.is_empty())
        .take(7)
        .collect();
    if fields.iter().take(6).any(|w| *w == b"?") {
        return Some((
            "'?' is Quartz's word for any day".into(),
            "* in its place, and five fields".into(),
        ));
    }
    None
}

/// What a broken setting lacks.
fn looks_like_setting(line: &[u8]) -> Option<String> {
    let line = line
        .strip_prefix(b"export ")
        .map_or(line, <[u8]>::trim_ascii_start);
    let name = line
        .iter()
        .take_while(|b| b.is_ascii_alphanumeric() || **b == b'_')
        .count();
    let rest = line.get(name..)?.trim_ascii_start();
    if name == 0 || line[0].is_ascii_digit() || !rest.starts_with(b"=") {
        return None;
    }
    let name = String::from_utf8_lossy(&line[..name]).into_owned();
    let value = rest[1..].trim_ascii();
    Some(match value.first() {
        None => format!("an empty value is written {name}=\"\""),
        Some(b'"' | b'\'') => "nothing may follow the closing quote, not even a # note".to_owned(),
        Some(_) => format!("{name}={}", String::from_utf8_lossy(value)),
    })
}

fn refusal_words(bad: &BadSchedule, error: &FieldError) -> (String, String) {
    let field = error.field;
    let text = quote(&bad.text, error.span.clone());
    let (low, high) = (field.low(), field.high());
    let range = format!("{low} to {high}");
    let number = format!("a number from {range}, * , a range a-b or a step */n");
    match error.refusal {
        Refusal::Missing => (
            format!("the line ends before the {}", field.name()),
            "five fields, then the command".into(),
        ),
        Refusal::NotANumber => (format!("{text} is no {}", field.name()), number),
        Refusal::UnknownName => {
            let names = match field {
                Field::Month => format!("{number}, or a name: jan to dec, three letters"),
                Field::Weekday => format!("{number}, or a name: sun to sat, three letters"),
                _ => number,
            };
            (format!("{text} is no {}", field.name()), names)
        }
        Refusal::StepWithoutRange => {
            let text = text.trim_matches('`');
            let (value, step) = text.split_once('/').unwrap_or((text, ""));
            (
                format!("'{text}': cron wants a range before a step"),
                format!("{value}-{high}/{step}"),
            )
        }
        Refusal::StepZero => (
            format!("{text}: the step is 0"),
            "a step of 1 or more".into(),
        ),
        Refusal::OutOfRange(value) => (
            format!("{value} is no {}: {range}", field.name()),
            format!("a {} from {range}", field.name()),
        ),
        Refusal::Trailing => (
            format!("{text}: cronie wants a blank or a comma after each value"),
            number,
        ),
        Refusal::Backwards => (
            format!("{text}: a range from high to low, which this cronie refuses"),
            backwards_fix(field, text.trim_matches('`').as_bytes()),
        ),
        Refusal::RandomBackwards => (
            format!("{text}: a random range from high to low"),
            "the smaller number first".into(),
        ),
        Refusal::BadHash => (
            format!("{text} is no hashed value"),
            format!("H, H({low}-{high}) or H/n"),
        ),
    }
}

fn remarked(job: &Job, note: &Note, site: &Site, found: &mut Vec<Finding>) {
    let place = job.place(note.span.start);
    let text = quote(&job.text, note.span.clone());
    let name = note.field.name();
    match note.remark {
        Remark::Junk => push(
            found,
            Code::W03,
            place,
            format!(
                "{} ignores {text} after the {name}, and the {name} is what stands before it",
                site.dialect.name()
            ),
            format!("leave {text} out"),
        ),
        Remark::Wrapped(value) => {
            push(
                found,
                Code::W18,
                place,
                format!("{text} is beyond 32 bits: cron takes it for {value}"),
                value.to_string(),
            );
        }
        Remark::StepBeyond => {
            push(
                found,
                Code::W04,
                place,
                format!(
                    "{text}: the step is longer than the range, so only the first value is left"
                ),
                "one value, or a smaller step",
            );
        }
        Remark::UnevenStep(step) => uneven(job, note, step, found),
        Remark::EmptyRange => push(
            found,
            Code::E03,
            place,
            format!("{text} selects no {name}: the range runs from high to low"),
            backwards_fix(note.field, &job.text[note.span.clone()]),
        ),
        Remark::Random => {}
    }
}

/// `fri-sun` is written 5-7, `22-2` in two ranges.
fn backwards_fix(field: Field, text: &[u8]) -> String {
    let text = String::from_utf8_lossy(text).to_lowercase();
    match text.split_once('-') {
        Some((first, "sun" | "0")) if field == Field::Weekday => format!("{first}-7")
            .replace("fri-7", "5-7")
            .replace("sat-7", "6-7"),
        Some((first, last)) => format!("{first}-{},{}-{last}", field.high(), field.low()),
        None => "the smaller value first".to_owned(),
    }
}

fn uneven(job: &Job, note: &Note, step: i32, found: &mut Vec<Finding>) {
    let place = job.place(note.span.start);
    let text = quote(&job.text, note.span.clone());
    let message = match note.field {
        Field::Day => format!(
            "{text} begins again on the 1st: after a long month the last gap is not {step} days"
        ),
        field => {
            let count = if field == Field::Weekday {
                7
            } else {
                field.high() - field.low() + 1
            };
            let last = (count - 1) / step * step;
            format!(
                "{text} is uneven: from {} to the next {} it is {} and not {step}",
                field.low() + last,
                field.low(),
                count - last
            )
        }
    };
    let even = match note.field {
        Field::Minute => "a step that divides 60: 5, 6, 10, 12, 15, 20 or 30",
        Field::Hour => "a step that divides 24: 2, 3, 4, 6, 8 or 12",
        Field::Month => "a step that divides 12: 2, 3, 4 or 6",
        _ => "name the days",
    };
    push(found, Code::W19, place, message, even);
}

/// `* 4 * * *` is sixty runs, where one is meant more often than not. A range of hours is not: the
/// working day is a usual thing.
fn every_minute(job: &Job, found: &mut Vec<Finding>) {
    let schedule = &job.written.schedule;
    let apart = schedule.hour & (schedule.hour << 1) == 0;
    let [minute, hour, ..] = job.written.fields() else {
        return;
    };
    if schedule.minute != Field::Minute.full() || schedule.hour == 0 || !apart {
        return;
    }
    let first = schedule.hour.trailing_zeros();
    push(
        found,
        Code::W24,
        job.place(minute.span.start),
        format!("60 runs in each of these hours, from {first:02}:00 to {first:02}:59"),
        format!(
            "0 {} for one run in each",
            quote(&job.text, hour.span.clone()).trim_matches('`')
        ),
    );
}

/// How the two day fields work together.
fn days(job: &Job, found: &mut Vec<Finding>) {
    let schedule = &job.written.schedule;
    let [_, _, day, _, weekday] = job.written.fields() else {
        return;
    };
    let empty = [schedule.minute, schedule.hour, schedule.month].contains(&0)
        || (schedule.day == 0 && schedule.weekday == 0);
    if !schedule.ever()
        && !empty
        && !(schedule.needs_both_days() && (schedule.weekday == 0 || schedule.day == 0))
    {
        let months = set_text(schedule.month);
        push(
            found,
            Code::E04,
            job.place(day.span.start),
            format!(
                "day {} never comes in month {months}",
                set_text(schedule.day)
            ),
            "a day that the month has",
        );
        return;
    }
    let (every_day, every_weekday) = (schedule.day == Field::Day.full(), schedule.weekday == WEEK);
    let text = |field: &crate::field::CronField| quote(&job.text, field.span.clone());
    if !schedule.needs_both_days() {
        either(job, schedule, (every_day, every_weekday), found);
    } else if schedule.day_star && !every_day && !every_weekday {
        let message = format!(
            "{} begins with *, so cron wants the day and the weekday {} both",
            text(day),
            text(weekday)
        );
        push(
            found,
            Code::W02,
            job.place(day.span.start),
            message,
            "write the days as numbers, unless you mean both",
        );
    } else if schedule.weekday_star && !every_weekday && !every_day {
        let message = format!(
            "{} begins with *, so cron wants the weekday and the day {} both",
            text(weekday),
            text(day)
        );
        push(
            found,
            Code::W02,
            job.place(weekday.span.start),
            message,
            "write the weekdays as numbers, unless you mean both",
        );
    }
}

fn either(
    job: &Job,
    schedule: &Schedule,
    (every_day, every_weekday): (bool, bool),
    found: &mut Vec<Finding>,
) {
    let [minute, hour, day, month, weekday] = job.written.fields() else {
        return;
    };
    let text = |field: &crate::field::CronField| quote(&job.text, field.span.clone());
    if every_day || every_weekday {
        let all = if every_day { day } else { weekday };
        let other = if every_day { weekday } else { day };
        let message = format!(
            "either day field is enough, and {} is every day: {} changes nothing",
            text(all),
            text(other)
        );
        push(
            found,
            Code::W01,
            job.place(all.span.start),
            message,
            format!("* in place of {}", text(all)),
        );
        return;
    }
    if schedule.day == 0 || schedule.weekday == 0 {
        return;
    }
    let message = format!(
        "cron runs this on day {} and also on every weekday {}, not only where both agree",
        text(day),
        text(weekday)
    );
    let bare = |field| text(field).trim_matches('`').to_owned();
    let when = [bare(minute), bare(hour), bare(day), bare(month)].join(" ");
    let fix = format!("for both: {when} * [ \"$(date +\\%u)\" = N ] && COMMAND");
    push(found, Code::W01, job.place(day.span.start), message, fix);
}
