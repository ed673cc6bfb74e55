//! Which distribution the server runs on: on this machine `os-release` says it; of another, only
//! what the packager put into `version()`.

use distro::{Distro, Family};

/// The server's distribution: `version` is what `version()` gave, `words` what `server_version`
/// did, `major` its number.
pub fn of_server(version: &str, words: &str, major: u32, local: bool) -> Option<Distro> {
    let here = || {
        local
            .then(Distro::here)
            .filter(|distro| distro.family != Family::Other)
    };
    let distro = of_version(version, words).or_else(here)?;
    Some(if local {
        distro.with_server(&major.to_string())
    } else {
        distro
    })
}

/// From the packager's words: `(Debian 15.18-0+deb12u1)`, `(Ubuntu 14.11-0ubuntu0.22.04.1)`, `gcc
/// (Alpine 13.2.1) 13.2.1`, `gcc (GCC) 11.4.1 20230605 (Red Hat 11.4.1-2)`. Fedora and Red Hat are
/// told apart by `os-release` alone.
fn of_version(version: &str, words: &str) -> Option<Distro> {
    let packager = words.split_once('(').map_or("", |(_, rest)| rest);
    let pgdg = packager.contains(".pgdg");
    let release = |mark: &str| {
        let (_, rest) = packager.split_once(mark)?;
        let number: String = rest
            .chars()
            .take_while(|c| c.is_ascii_digit() || *c == '.')
            .collect();
        let number = number.trim_end_matches('.');
        // `.pgdg120` is Debian 12, `0ubuntu0.22.04.1` is Ubuntu 22.04.
        let number = number
            .strip_suffix('0')
            .filter(|n| n.len() == 2 && !n.contains('.'))
            .unwrap_or(number);
        let number: Vec<&str> = number.split('.').take(2).collect();
        (number != [""]).then(|| number.join("."))
    };
    if packager.starts_with("Debian") {
        return Some(Distro {
            family: Family::Debian,
            release: release(".pgdg").or_else(|| release("deb")),
            pgdg,
            ..Distro::default()
        });
    }
    if packager.starts_with("Ubuntu") {
        return Some(Distro {
            family: Family::Ubuntu,
            release: release(".pgdg").or_else(|| release("ubuntu0.")),
            pgdg,
            ..Distro::default()
        });
    }
    if version.contains("(Alpine ") {
        return Some(Distro {
            family: Family::Alpine,
            pgdg,
            ..Distro::default()
        });
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(words: &str, gcc: &str) -> Option<(Family, Option<String>)> {
        of_version(
            &format!("PostgreSQL {words} on x86_64, compiled by {gcc}, 64-bit"),
            words,
        )
        .map(|d| (d.family, d.release))
    }

    #[test]
    fn the_packagers_words() {
        assert_eq!(
            seen("15.18 (Debian 15.18-0+deb12u1)", "gcc"),
            Some((Family::Debian, Some("12".into())))
        );
        assert_eq!(
            seen("16.2 (Debian 16.2-1.pgdg120+2)", "gcc"),
            Some((Family::Debian, Some("12".into())))
        );
        assert_eq!(
            seen("14.11 (Ubuntu 14.11-0ubuntu0.22.04.1)", "gcc"),
            Some((Family::Ubuntu, Some("22.04".into())))
        );
        assert_eq!(
            seen("16.2", "gcc (Alpine 13.2.1_git20231014) 13.2.1"),
            Some((Family::Alpine, None))
        );
        assert_eq!(seen("16.2", "gcc (GCC) 13.2.1"), None);
    }
}
