//! Free space, as the caller's programs may use it (what is kept back for root does not count), in
//! bytes, per cent or inodes.

use crate::document::Fields;
use crate::finding::Finding;
use crate::fix::Fix;
use crate::fix::shell;
use crate::kind::{Check, Type};
use crate::scene::Scene;
use crate::short::{self, Pairs, Short};
use crate::size::{parse_size, size};
use base::Result;
use base::clock::Deadline;
use nix::sys::statvfs::{Statvfs, statvfs};
use std::path::{Path, PathBuf};

/// `type = "disk"`.
pub const TYPE: Type = Type {
    name: "disk",
    about: "free space of the file system that holds a path",
    keys: &[
        (
            "path",
            "a path on the file system; the path need not exist yet",
        ),
        ("free", "the least free space, such as 2G or 10%"),
        (
            "inodes",
            "the least number of free inodes, such as 5000 or 5%",
        ),
    ],
    short: Short {
        words: &["disk"],
        colon: true,
        forms: &["disk:PATH:SIZE", "disk:PATH:10%", "disk:PATH:5000inodes"],
        example: "disk:/srv:2G",
        read: read_short,
    },
    read,
};

fn read_short(_: &str, rest: &str) -> Result<Pairs, String> {
    let (path, amount) = rest.rsplit_once(':').ok_or("the amount is missing")?;
    let amount = match amount.strip_suffix("inodes") {
        Some(count) => ("inodes", short::text(count)),
        None => ("free", short::text(amount)),
    };
    Ok(vec![("path", short::text(path)), amount])
}

/// An amount, or a share of the whole.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Least {
    Amount(u64),
    Percent(f64),
}

struct Disk {
    path: PathBuf,
    free: Option<Least>,
    inodes: Option<Least>,
}

fn read(fields: &mut Fields<'_>) -> Result<Box<dyn Check>> {
    let path = PathBuf::from(fields.required("path")?);
    let free = fields.parsed("free", |text| least(text, parse_size))?;
    let inodes = fields.parsed("inodes", |text| {
        least(text, |n| {
            n.parse()
                .map_err(|_| format!("'{n}' is not a number of inodes"))
        })
    })?;
    match free.or(inodes) {
        Some(_) => Ok(Box::new(Disk { path, free, inodes })),
        None => Err(fields.error(
            "path",
            "no amount is given: write free = \"2G\", free = \"10%\" or inodes = 5000",
        )),
    }
}

fn least(text: &str, amount: impl Fn(&str) -> Result<u64, String>) -> Result<Least, String> {
    match text.strip_suffix('%') {
        Some(number) => match number.trim().parse::<f64>() {
            Ok(percent) if (0.0..=100.0).contains(&percent) => Ok(Least::Percent(percent)),
            _ => Err(format!("'{text}' is not a share from 0% to 100%")),
        },
        None => amount(text).map(Least::Amount),
    }
}

/// One measure of a file system.
struct Measure {
    what: &'static str,
    have: u64,
    all: u64,
    show: fn(u64) -> String,
}

impl Measure {
    fn wanted(&self, least: Least) -> u64 {
        match least {
            Least::Amount(amount) => amount,
            Least::Percent(percent) => (self.all as f64 * percent / 100.0).ceil() as u64,
        }
    }

    fn percent(&self) -> f64 {
        if self.all == 0 {
            0.0
        } else {
            self.have as f64 * 100.0 / self.all as f64
        }
    }

    fn text(&self) -> String {
        format!(
            "{}{} ({:.0}%)",
            (self.show)(self.have),
            self.what,
            self.percent()
        )
    }
}

impl Check for Disk {
    fn subject(&self) -> String {
        self.path.display().to_string()
    }

    fn expected(&self) -> String {
        let show = |least: Least, show: fn(u64) -> String| match least {
            Least::Amount(amount) => show(amount),
            Least::Percent(percent) => format!("{percent}%"),
        };
        let free = self.free.map(|least| show(least, size));
        let inodes = self
            .inodes
            .map(|least| format!("{} inodes", show(least, |n| n.to_string())));
        format!(
            "{} free at {}",
            [free, inodes]
                .into_iter()
                .flatten()
                .collect::<Vec<_>>()
                .join(" and "),
            self.path.display()
        )
    }

    fn how(&self) -> String {
        "statvfs(3): what is available to others than root; of the nearest directory above, if the path does not exist yet".into()
    }

    fn look(&self, _: &Scene, _: Deadline) -> Finding {
        let (place, stat) = match nearest(&self.path) {
            Ok(found) => found,
            Err(errno) => return Finding::io(self.path.display(), &errno.into()),
        };
        let space = Measure {
            what: "",
            have: stat.blocks_available() * stat.fragment_size(),
            all: stat.blocks() * stat.fragment_size(),
            show: size,
        };
        let inodes = Measure {
            what: " inodes",
            have: stat.files_available(),
            all: stat.files(),
            show: |n| n.to_string(),
        };
        let mut seen = Vec::new();
        for (measure, least) in [(space, self.free), (inodes, self.inodes)] {
            let Some(least) = least else { continue };
            // btrfs and other file systems without a table of inodes say 0 of 0.
            if measure.all == 0 {
                seen.push(format!(
                    "no limit of{}",
                    if measure.what.is_empty() {
                        " space"
                    } else {
                        measure.what
                    }
                ));
                continue;
            }
            if measure.have < measure.wanted(least) {
                let lack = (measure.show)(measure.wanted(least) - measure.have) + measure.what;
                let place = place.display().to_string();
                let look = shell(&["du", "-xhd1", &place]);
                return Finding::unmet(
                    "too_little",
                    format!("{} has only {} free, {lack} too little", self.path.display(), measure.text()),
                )
                .found(measure.text())
                .fix(Fix::advice(format!("free {lack} on the file system of {place}; what takes most: {look} | sort -h | tail")));
            }
            seen.push(measure.text());
        }
        let seen = seen.join(", ");
        Finding::met(
            seen.clone(),
            format!("{} has {seen} free", self.path.display()),
        )
    }
}

/// The file system of a path, or of the nearest directory above that exists: a directory to come
/// will be there.
fn nearest(path: &Path) -> Result<(&Path, Statvfs), nix::Error> {
    let mut place = path;
    loop {
        match statvfs(place) {
            Ok(stat) => return Ok((place, stat)),
            Err(nix::Error::ENOENT) => match place.parent().filter(|up| !up.as_os_str().is_empty())
            {
                Some(up) => place = up,
                None => return Err(nix::Error::ENOENT),
            },
            Err(errno) => return Err(errno),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn amounts_and_shares() {
        assert_eq!(least("2G", parse_size).unwrap(), Least::Amount(2 << 30));
        assert_eq!(least("12.5%", parse_size).unwrap(), Least::Percent(12.5));
        for wrong in ["101%", "-1%", "x%", "2X", ""] {
            assert!(least(wrong, parse_size).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_directory_to_come_is_judged_by_the_one_above() {
        assert_eq!(
            nearest(Path::new("/tmp/no/such/dir")).unwrap().0,
            Path::new("/tmp")
        );
        assert!(nearest(Path::new("no/such")).is_err());
    }
}
