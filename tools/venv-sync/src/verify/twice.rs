//! Files that two distributions say are theirs: one of them has lost, if the two differ.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use pydist::files;
use pydist::record;

use super::claims::Claims;
use super::look::{Look, Part, text};
use crate::findings::{Finding, Kind};
use crate::observe::Installed;

/// What is a hash already needs no second one.
#[derive(Default)]
struct Hashed(u64);

impl Hasher for Hashed {
    fn write(&mut self, _: &[u8]) {}

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

/// Files that two distributions installed with different content: one of them has lost. The same
/// content twice (an empty `__init__.py`) harms nobody.
pub fn claimed_twice(parts: &[Part<'_>], look: &Look<'_>) -> Vec<Finding> {
    let most = parts.iter().map(|part| part.claims.len()).sum();
    let mut seen: HashMap<u64, (u64, &Installed), BuildHasherDefault<Hashed>> =
        HashMap::with_capacity_and_hasher(most, BuildHasherDefault::default());
    let mut found = Vec::new();
    for part in parts {
        for claim in &part.claims {
            let Some(dist) = part.dists.get(claim.dist) else {
                continue;
            };
            match seen.get(&claim.path) {
                Some((hash, other)) if *hash != claim.hash && other.dist.key != dist.dist.key => {
                    found.extend(name_of_claim(claim.path, dist, other, look));
                }
                Some(_) => {}
                None => {
                    seen.insert(claim.path, (claim.hash, dist));
                }
            }
        }
    }
    found
}

/// The path itself was not kept, only its hash: read once more.
fn name_of_claim(
    path: u64,
    one: &Installed,
    other: &Installed,
    look: &Look<'_>,
) -> Option<Finding> {
    let (one, other) = if one.dist.key < other.dist.key {
        (one, other)
    } else {
        (other, one)
    };
    let bytes = files::read(&one.dist.path.join("RECORD"), files::RECORD_LIMIT).ok()?;
    let text = text(bytes);
    let site = look.site_of(one)?;
    let claims = Claims::below(&site.below);
    let places = record::entries(&text).filter_map(|entry| {
        let place = look.place(site, &entry.path)?;
        (claims.of(&place, &entry, 0, &look.root).path == path).then(|| look.shown(site, &place))
    });
    let path = { places }.next()?;
    let msg = format!(
        "{} was installed by {} and by {}, with different content",
        path.display(),
        one.dist.name,
        other.dist.name
    );
    let fix = look.policy.apply_with(
        "say that the conflict does not matter",
        "--allow",
        &other.dist.name,
    );
    Some(
        look.about(one, Kind::FileClaimedTwice, msg)
            .required(&other.dist.name)
            .path(&path)
            .fix(fix),
    )
}
