//! The plan: decides what to do from what was observed. Pure: nothing is read or written here.

use std::collections::{BTreeMap, BTreeSet};

use base::error::{Error, Result};
use pydist::Form;

use crate::describe::SEEDS;
use crate::findings::{Finding, Kind};
use crate::observe::{Installed, Observed, Place};
use crate::releases::State;
use crate::request::{Build, Level, Upgrade};
use crate::requirements::Requirements;
use crate::reuse::Kept;

/// What is known before anything is changed.
#[derive(Debug)]
pub struct Facts<'a> {
    /// What VENV is.
    pub state: &'a State,
    /// Whether a new release would be no better than the environment.
    pub in_sync: bool,
    /// Whether `--python` names another interpreter than the environment has.
    pub other_python: bool,
    /// Whether `--drop` names a property that the environment has.
    pub drops: bool,
    /// The prepared release that fits, if there is one.
    pub prepared: Option<&'a str>,
    /// Whether a release is only prepared.
    pub prepare: bool,
}

/// What has to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Plan {
    /// The environment needs no change.
    Nothing,
    /// The prepared release stays as it is.
    IsPrepared(String),
    /// The link has to lead to the prepared release.
    Flip(String),
    /// A release has to be built.
    Build,
}

/// Decides.
///
/// # Errors
/// VENV is something that may not be taken over.
pub fn decide(venv: &str, facts: &Facts<'_>, build: &Build) -> Result<Plan> {
    let needed = !facts.in_sync || build.is_forced() || facts.other_python || facts.drops;
    if let (Some(id), false) = (facts.prepared, build.is_forced()) {
        if facts.prepare {
            return Ok(Plan::IsPrepared(id.to_owned()));
        }
        may_take_over(venv, facts.state, build)?;
        return Ok(Plan::Flip(id.to_owned()));
    }
    if !needed {
        return Ok(Plan::Nothing);
    }
    // Preparing changes nothing at VENV.
    if !facts.prepare || *facts.state == State::Other {
        may_take_over(venv, facts.state, build)?;
    }
    Ok(Plan::Build)
}

/// What is no link of ours is taken over only if that was said.
///
/// # Errors
/// It was not said, or VENV is neither a directory nor a link.
pub fn may_take_over(venv: &str, state: &State, build: &Build) -> Result<()> {
    let refuse = |what: String, becomes: &str| {
        Err(Error::failed(format!("'{venv}' {what}")).hint(format!(
            "give --adopt to take the environment over; {becomes}"
        )))
    };
    match state {
        State::Absent | State::Release(_) => Ok(()),
        State::Other => Err(Error::failed(format!(
            "'{venv}' is neither a directory nor a link"
        ))),
        _ if build.adopt => Ok(()),
        State::Directory => refuse(
            "is a directory, not a link to a release".to_owned(),
            "the directory becomes the first release",
        ),
        State::ForeignLink(target) => refuse(
            format!("is a link to '{}', which is no release", target.display()),
            "rollback leads back to the link's target",
        ),
    }
}

/// Findings that a new release would have, too: what two distributions fight over, they fight over
/// in every release, and the system's packages stay visible until --drop says otherwise.
pub fn is_lasting(kind: Kind) -> bool {
    matches!(kind, Kind::FileClaimedTwice | Kind::LeakSystem)
}

/// Findings about a distribution that make it unfit to be taken over.
fn is_damage(kind: Kind) -> bool {
    !matches!(
        kind,
        Kind::Extraneous
            | Kind::DepMissing
            | Kind::Missing
            | Kind::NotReadable
            | Kind::LeakSystem
            | Kind::LeakPth
            | Kind::PthExecutes
            | Kind::ScriptBroken
            | Kind::NotExecutable
    )
}

/// What of the live environment a release takes over, and what it has to have besides.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reuse {
    /// Distributions that are taken over as they are.
    pub kept: Vec<Kept>,
    /// `name==version` of distributions that nothing asks for, that stay, and that cannot be taken
    /// over.
    pub additions: Vec<String>,
}

/// How distributions of the live environment are chosen.
#[derive(Debug)]
pub struct Choice<'a> {
    /// The files.
    pub requirements: &'a Requirements,
    /// The drift.
    pub findings: &'a [Finding],
    /// What the files ask for, directly or by a dependency.
    pub reached: &'a BTreeSet<String>,
    /// Distributions that may be there.
    pub allowed: &'a BTreeSet<String>,
    /// How a distribution that nothing asks for is reported.
    pub extraneous: Level,
    /// Whether the release has the seeds of the environment.
    pub seeds: bool,
    /// Whether everything that the files ask for is installed anew.
    pub rebuild: bool,
    /// What is replaced by newer versions.
    pub upgrade: &'a Upgrade,
    /// Whether the release has the same Python.
    pub same_python: bool,
}

/// Chooses.
pub fn reuse(observed: &Observed, choice: &Choice<'_>) -> Reuse {
    let own = || {
        let all = observed.installed.iter();
        all.filter(|installed| installed.place == Place::Own)
    };
    let mut count: BTreeMap<&str, usize> = BTreeMap::new();
    for installed in own() {
        *count.entry(&installed.dist.key).or_default() += 1;
    }
    let mut out = Reuse::default();
    for installed in own().filter(|installed| count[installed.dist.key.as_str()] == 1) {
        let key = &installed.dist.key;
        let is_asked = choice.reached.contains(key);
        let stays = stays(installed, choice);
        if !is_asked && !stays {
            continue;
        }
        let renewed = choice.rebuild || choice.upgrade.all || choice.upgrade.names.contains(key);
        let fits = choice.same_python
            && is_sound(installed, choice.findings)
            && !(is_asked && (renewed || is_moving(installed, choice.requirements)));
        if fits {
            out.kept.push(Kept {
                key: key.clone(),
                version: installed.dist.version.clone(),
                info: installed.dist.path.clone(),
            });
        } else if !is_asked {
            out.additions
                .push(format!("{key}=={}", installed.dist.version));
        }
    }
    out
}

/// Whether a distribution that nothing asks for stays in the environment.
fn stays(installed: &Installed, choice: &Choice<'_>) -> bool {
    let key = &installed.dist.key;
    if SEEDS.contains(&key.as_str()) {
        return choice.seeds;
    }
    choice.allowed.contains(key) || choice.extraneous != Level::Fail
}

/// Whether a distribution can be taken over as it is.
fn is_sound(installed: &Installed, findings: &[Finding]) -> bool {
    let key = &installed.dist.key;
    let names = |finding: &Finding| {
        let name = finding.name.as_deref().map(pydist::name::normalize);
        let other = finding.required.as_deref().map(pydist::name::normalize);
        name.as_ref() == Some(key)
            || finding.kind == Kind::FileClaimedTwice && other.as_ref() == Some(key)
    };
    let is_damaged = findings
        .iter()
        .any(|finding| is_damage(finding.kind) && names(finding));
    installed.dist.form == Form::DistInfo && installed.is_whole() && !is_damaged
}

/// Whether a new installation could bring something else under the same version: a directory, or a
/// branch of a repository.
fn is_moving(installed: &Installed, requirements: &Requirements) -> bool {
    let Some(origin) = &installed.direct_url else {
        return false;
    };
    if origin.dir_info.is_some() {
        return true;
    }
    let Some(info) = &origin.vcs_info else {
        return false;
    };
    let pins = |wanted: &crate::requirements::Wanted| {
        let link = wanted.link.as_ref();
        wanted.key.as_ref() == Some(&installed.dist.key)
            && link.is_some_and(|link| link.url.contains(&format!("@{}", info.commit_id)))
    };
    info.commit_id.len() < 40 || !requirements.wanted.iter().any(pins)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::{Facts, Plan, decide};
    use crate::releases::State;
    use crate::request::Build;

    #[test]
    fn every_state_has_one_plan() {
        let release = State::Release("a".to_owned());
        let adopt = Build {
            adopt: true,
            ..Build::default()
        };
        let rebuild = Build {
            rebuild: true,
            ..Build::default()
        };
        let plain = Build::default();
        let link = State::ForeignLink("/x".into());
        let facts = |state, in_sync, prepared| Facts {
            state,
            in_sync,
            other_python: false,
            drops: false,
            prepared,
            prepare: false,
        };
        let ok = |facts: &Facts<'_>, build: &Build| decide("v", facts, build).unwrap();
        assert_eq!(ok(&facts(&release, true, None), &plain), Plan::Nothing);
        assert_eq!(ok(&facts(&release, false, None), &plain), Plan::Build);
        assert_eq!(ok(&facts(&release, true, None), &rebuild), Plan::Build);
        let flip = Plan::Flip("b".to_owned());
        assert_eq!(ok(&facts(&release, false, Some("b")), &plain), flip);
        assert_eq!(ok(&facts(&release, true, Some("b")), &plain), flip);
        assert_eq!(ok(&facts(&release, true, Some("b")), &rebuild), Plan::Build);
        assert_eq!(
            ok(&facts(&State::Directory, true, None), &plain),
            Plan::Nothing
        );
        assert_eq!(
            ok(&facts(&State::Directory, false, None), &adopt),
            Plan::Build
        );
        assert_eq!(ok(&facts(&link, false, None), &adopt), Plan::Build);
        for state in [&State::Directory, &link, &State::Other] {
            assert!(decide("v", &facts(state, false, None), &plain).is_err());
        }
        assert!(decide("v", &facts(&State::Other, false, None), &adopt).is_err());
        // Preparing changes nothing at VENV, so nothing has to be taken over yet.
        let prepare = Facts {
            prepare: true,
            ..facts(&State::Directory, false, None)
        };
        assert_eq!(ok(&prepare, &plain), Plan::Build);
        let other_python = Facts {
            other_python: true,
            ..facts(&release, true, None)
        };
        assert_eq!(ok(&other_python, &plain), Plan::Build);
    }
}
