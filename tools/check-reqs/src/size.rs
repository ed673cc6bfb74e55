//! Sizes as requirements write them and as reports print them.

/// Bytes for people, powers of 1024: `128M`, `1.5G`.
pub fn size(bytes: u64) -> String {
    for (unit, shift) in [("T", 40), ("G", 30), ("M", 20), ("K", 10)] {
        if bytes >> shift > 0 {
            let whole = bytes >> shift;
            let tenth = ((u128::from(bytes) * 10) >> shift) % 10;
            return match tenth > 0 && whole < 100 {
                true => format!("{whole}.{tenth}{unit}"),
                false => format!("{whole}{unit}"),
            };
        }
    }
    format!("{bytes}B")
}

/// A size as a key has it.
pub fn parse_size(text: &str) -> Result<u64, String> {
    base::cli::parse_size(text).map_err(|error| error.message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_for_people() {
        for (bytes, text) in [
            (0, "0B"),
            (1023, "1023B"),
            (1536, "1.5K"),
            (128 << 20, "128M"),
            (5 << 30, "5G"),
            (u64::MAX, "16777215T"),
        ] {
            assert_eq!(size(bytes), text);
        }
    }
}
