//! The known word that is nearest to a misspelled one.

/// The word most like `word`, if one is near: at most a third of its letters changed.
pub fn nearest<'w>(word: &str, words: &[&'w str]) -> Option<&'w str> {
    let (distance, near) = words.iter().map(|w| (distance(word, w), *w)).min()?;
    (distance <= 1 + word.chars().count() / 3).then_some(near)
}

/// Damerau-Levenshtein distance: adjacent swaps count once.
pub fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) =
        (a.chars().take(64).collect(), b.chars().take(64).collect());
    let mut rows = vec![vec![0usize; b.len() + 1]; a.len() + 1];
    for (i, row) in rows.iter_mut().enumerate() {
        row[0] = i;
    }
    for (j, cell) in rows[0].iter_mut().enumerate() {
        *cell = j;
    }
    for i in 1..=a.len() {
        for j in 1..=b.len() {
            let swap = usize::from(a[i - 1] != b[j - 1]);
            let mut best = (rows[i - 1][j] + 1)
                .min(rows[i][j - 1] + 1)
                .min(rows[i - 1][j - 1] + swap);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                best = best.min(rows[i - 2][j - 2] + 1);
            }
            rows[i][j] = best;
        }
    }
    rows[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_hand_is_seen_through() {
        let keys = ["start_timeout", "stop_timeout", "stable"];
        assert_eq!(nearest("stop_timout", &keys), Some("stop_timeout"));
        assert_eq!(nearest("satble", &keys), Some("stable"));
        assert_eq!(nearest("colour", &keys), None);
    }
}
