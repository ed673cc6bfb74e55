//! Lines and columns for what TOML and JSON leave without.

use base::source::Source;

/// Where each job's schedule stands, which the parsers of TOML and JSON do not say afterwards.
pub struct Places {
    found: Vec<(usize, usize)>,
}

impl Places {
    /// Looks for them in the text.
    pub fn of(source: &Source) -> Places {
        let mut found = Vec::new();
        for (number, line) in source.text.lines().enumerate() {
            let mut from = 0;
            while let Some(at) = line[from..].find("schedule") {
                let key = from + at;
                from = key + "schedule".len();
                let before = line[..key].trim_end_matches(['"', '\'']).trim_end();
                let starts = before.is_empty() || before.ends_with(['{', ',']);
                let after = line[from..].trim_start_matches(['"', '\'']).trim_start();
                if !starts || !after.starts_with(['=', ':']) {
                    continue;
                }
                let value = line.len() - after.len() + 1;
                let quote = line[value..]
                    .find(['"', '\''])
                    .map_or(value, |q| value + q + 1);
                found.push((number + 1, line[..quote].chars().count()));
            }
        }
        Places { found }
    }

    /// Line, and columns before it, of the schedule of the job of that number.
    pub fn schedule(&self, index: usize) -> (usize, usize) {
        self.found.get(index).copied().unwrap_or((1, 0))
    }

    /// Its line.
    pub fn line(&self, index: usize) -> usize {
        self.schedule(index).0
    }
}
