//! What differs, as diff(1) -u shows it.

use base::report::Diff;

/// Lines around a change that are shown with it.
const CONTEXT: usize = 3;
/// Above this many cells the lines between the common ends are taken as all changed.
const LARGEST: usize = 4_000_000;

/// One line: in both (position in the old), only in the old, only in the new.
#[derive(Clone, Copy, PartialEq)]
enum Edit {
    Keep(usize),
    Old(usize),
    New(usize),
}

/// The difference as text; only the two headers where there is none.
pub fn unified(diff: &Diff) -> String {
    let (old, new): (Vec<&str>, Vec<&str>) =
        (diff.before.lines().collect(), diff.after.lines().collect());
    let edits = edits(&old, &new);
    let changed: Vec<usize> = (0..edits.len())
        .filter(|i| !matches!(edits[*i], Edit::Keep(_)))
        .collect();
    let mut out = format!("--- {}\n+++ {}\n", diff.before_header, diff.after_header);
    let mut rest = &changed[..];
    while let Some(first) = rest.first() {
        let length = rest
            .windows(2)
            .take_while(|pair| pair[1] - pair[0] <= 2 * CONTEXT + 1)
            .count()
            + 1;
        let last = rest[length - 1];
        hunk(
            &edits,
            first.saturating_sub(CONTEXT)..(last + CONTEXT + 1).min(edits.len()),
            &old,
            &new,
            &mut out,
        );
        rest = &rest[length..];
    }
    out
}

fn hunk(
    edits: &[Edit],
    range: std::ops::Range<usize>,
    old: &[&str],
    new: &[&str],
    out: &mut String,
) {
    let count = |edits: &[Edit], old: bool| {
        edits
            .iter()
            .filter(|e| {
                matches!(
                    (e, old),
                    (Edit::Keep(_), _) | (Edit::Old(_), true) | (Edit::New(_), false)
                )
            })
            .count()
    };
    let place = |old: bool| {
        let (before, lines) = (
            count(&edits[..range.start], old),
            count(&edits[range.clone()], old),
        );
        format!("{},{lines}", if lines == 0 { before } else { before + 1 })
    };
    out.push_str(&format!("@@ -{} +{} @@\n", place(true), place(false)));
    for edit in &edits[range] {
        let (sign, line) = match edit {
            Edit::Keep(i) => (' ', old[*i]),
            Edit::Old(i) => ('-', old[*i]),
            Edit::New(i) => ('+', new[*i]),
        };
        out.push_str(&format!("{sign}{line}\n"));
    }
}

/// The shortest way from one to the other, by the longest common subsequence of what lies between
/// the common ends.
fn edits(old: &[&str], new: &[&str]) -> Vec<Edit> {
    let head = old.iter().zip(new).take_while(|(a, b)| a == b).count();
    let most = old.len().min(new.len()) - head;
    let tail = old
        .iter()
        .rev()
        .zip(new.iter().rev())
        .take(most)
        .take_while(|(a, b)| a == b)
        .count();
    let (a, b) = (&old[head..old.len() - tail], &new[head..new.len() - tail]);
    let mut out: Vec<Edit> = (0..head).map(Edit::Keep).collect();
    if a.len().saturating_mul(b.len()) > LARGEST {
        out.extend((0..a.len()).map(|i| Edit::Old(head + i)));
        out.extend((0..b.len()).map(|j| Edit::New(head + j)));
    } else {
        let width = b.len() + 1;
        let mut longest = vec![0u32; (a.len() + 1) * width];
        for i in (0..a.len()).rev() {
            for j in (0..b.len()).rev() {
                let (right, down) = (longest[i * width + j + 1], longest[(i + 1) * width + j]);
                longest[i * width + j] = if a[i] == b[j] {
                    longest[(i + 1) * width + j + 1] + 1
                } else {
                    right.max(down)
                };
            }
        }
        let (mut i, mut j) = (0, 0);
        while i < a.len() || j < b.len() {
            if i < a.len() && j < b.len() && a[i] == b[j] {
                out.push(Edit::Keep(head + i));
                (i, j) = (i + 1, j + 1);
            } else if j == b.len()
                || (i < a.len() && longest[(i + 1) * width + j] >= longest[i * width + j + 1])
            {
                out.push(Edit::Old(head + i));
                i += 1;
            } else {
                out.push(Edit::New(head + j));
                j += 1;
            }
        }
    }
    out.extend((old.len() - tail..old.len()).map(Edit::Keep));
    out
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;

    #[test]
    fn as_diff_shows_it() {
        let diff = |before: &str, after: &str| {
            let text = |s: &str| s.split(' ').map(|w| format!("{w}\n")).collect::<String>();
            unified(&Diff {
                before_header: "a".into(),
                before: text(before),
                after_header: "b".into(),
                after: text(after),
            })
        };
        assert_eq!(
            diff("1 2 3 4 5 6", "1 2 3 x 5 6"),
            "--- a\n+++ b\n@@ -1,6 +1,6 @@\n 1\n 2\n 3\n-4\n+x\n 5\n 6\n"
        );
        assert_eq!(diff("1 2", "1 2"), "--- a\n+++ b\n");
        let far = diff("a 1 2 3 4 5 6 7 8 9 b", "A 1 2 3 4 5 6 7 8 9 B");
        assert_eq!(far.matches("@@ -").count(), 2, "{far}");
        assert!(far.contains("@@ -8,4 +8,4 @@"), "{far}");
    }
}
