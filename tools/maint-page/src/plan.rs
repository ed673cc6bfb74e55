//! What has to be done so that the disk says what the holds say. Pure.
//!
//! Every command ends here: it changes the holds, and this compares their consequences with
//! what was found. So whatever a killed run left half done, the next one finishes.
//!
//! The order is the point. Up: the hold, then the page whole and in place, then the flag. Down:
//! the hold, then the flag; the page stays where it is, because somebody may be reading it.

use crate::bypass::Key;
use crate::hold::Hold;
use crate::layout::{self, Layout, Place};
use crate::notice::{self, Notice};
use crate::observe::{Found, Observed};
use crate::page;
use crate::standing::{Standing, standing};
use jiff::Timestamp;

/// One thing to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Make the layout's directory.
    MakeRoot,
    /// Make a directory in it.
    Make(&'static str, u32),
    /// Put this there, whole.
    Write(Place, Vec<u8>),
    /// Take it away.
    Remove(Place),
    /// Rename what is foreign there.
    Aside(Place),
}

/// Something foreign that is in the way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InTheWay {
    pub place: Place,
    /// Why it is taken for foreign.
    pub why: &'static str,
}

/// What to do, in order, and what it leaves alone.
#[derive(Debug, Default)]
pub struct Plan {
    /// In this order.
    pub steps: Vec<Step>,
    /// What a person should know.
    pub warnings: Vec<String>,
    /// What keeps the page from going up, or down. Up, nothing is done then; down, the holds go.
    pub in_the_way: Option<InTheWay>,
}

/// Plans the way from what was `observed` to what `holds` and `keys` ask for at `now`.
pub fn plan(
    layout: &Layout,
    observed: &Observed,
    holds: &[Hold],
    keys: &[Key],
    now: Timestamp,
    force: bool,
) -> Plan {
    let standing = standing(holds, now);
    let up = standing.state.is_up();
    let mut plan = Plan::default();
    if observed.exists || !holds.is_empty() || !keys.is_empty() {
        plan.directories(observed);
    }
    plan.aside(Place::Flag, &observed.flag, force);
    plan.holds_written(observed, holds);
    if layout.one_file().is_none() {
        plan.page(observed, &standing, force);
    }
    if up {
        plan.raise(layout, observed, &standing);
    }
    plan.holds_removed(observed, holds);
    if !up && matches!(observed.flag, Found::Ours(_)) {
        plan.steps.push(Step::Remove(Place::Flag));
    }
    plan.retry_removed(observed, &standing, up);
    plan.notice(layout, observed, notice::notice(&standing, now));
    plan.keys(observed, keys);
    if plan.in_the_way.is_some() && (up || !holds.is_empty()) {
        plan.steps.clear();
    }
    // Directories are made for what goes into them: where nothing does, there is nothing to change.
    if plan
        .steps
        .iter()
        .all(|step| matches!(step, Step::MakeRoot | Step::Make(..)))
    {
        plan.steps.clear();
    }
    plan
}

impl Plan {
    fn directories(&mut self, observed: &Observed) {
        if !observed.exists {
            self.steps.push(Step::MakeRoot);
        }
        self.steps.extend(
            observed
                .missing
                .iter()
                .map(|&(name, mode)| Step::Make(name, mode)),
        );
    }

    fn holds_written(&mut self, observed: &Observed, holds: &[Hold]) {
        for hold in holds {
            if !observed.holds.contains(hold) {
                let mut bytes = serde_json::to_vec(hold).unwrap_or_default();
                bytes.push(b'\n');
                self.steps
                    .push(Step::Write(Place::Hold(hold.id.clone()), bytes));
            }
        }
    }

    /// Renames what is foreign there, if that was asked for; says so otherwise.
    fn aside(&mut self, place: Place, found: &Found, force: bool) {
        match found {
            Found::Foreign(_) if force => self.steps.push(Step::Aside(place)),
            Found::Foreign(why) if self.in_the_way.is_none() => {
                self.in_the_way = Some(InTheWay { place, why });
            }
            _ => {}
        }
    }

    fn page(&mut self, observed: &Observed, standing: &Standing, force: bool) {
        let template = standing.speaker.and_then(|hold| hold.template.as_ref());
        let own =
            template.and_then(|name| observed.templates.iter().find(|(copied, _)| copied == name));
        if let (Some(name), None) = (template, own) {
            self.warnings.push(format!(
                "the copied template page/{name} is gone; the built-in page is shown"
            ));
        }
        let html = page::html(standing, own.map(|(_, text)| text.as_str()));
        self.made(Place::Html, &observed.html, html, force);
        self.made(Place::Json, &observed.json, page::json(standing), force);
    }

    /// A page file for the holds there are; without any it stays as it is.
    fn made(&mut self, place: Place, found: &Found, wanted: Option<String>, force: bool) {
        let Some(wanted) = wanted else { return };
        if found.bytes() != Some(wanted.as_bytes()) {
            self.aside(place.clone(), found, force);
            self.steps.push(Step::Write(place, wanted.into_bytes()));
        }
    }

    /// The last things before visitors see the page: Retry-After, then the flag or the file.
    fn raise(&mut self, layout: &Layout, observed: &Observed, standing: &Standing) {
        if layout.one_file().is_some() {
            let wanted = page::html(standing, None).unwrap_or_default().into_bytes();
            if observed.flag.bytes() != Some(&wanted) {
                self.steps.push(Step::Write(Place::Flag, wanted));
            }
            return;
        }
        if !observed.retries.contains(&standing.retry_after) {
            self.steps.push(Step::Write(
                Place::Retry(standing.retry_after),
                layout::SIGNATURE.to_vec(),
            ));
        }
        if observed.flag.bytes().is_none() {
            self.steps
                .push(Step::Write(Place::Flag, layout::SIGNATURE.to_vec()));
        }
    }

    fn retry_removed(&mut self, observed: &Observed, standing: &Standing, up: bool) {
        for &seconds in &observed.retries {
            if !(up && seconds == standing.retry_after) {
                self.steps.push(Step::Remove(Place::Retry(seconds)));
            }
        }
    }

    fn holds_removed(&mut self, observed: &Observed, holds: &[Hold]) {
        for gone in &observed.holds {
            if !holds.iter().any(|hold| hold.id == gone.id) {
                self.steps.push(Step::Remove(Place::Hold(gone.id.clone())));
            }
        }
    }

    fn notice(&mut self, layout: &Layout, observed: &Observed, wanted: Option<Notice>) {
        let there = observed
            .notice
            .bytes()
            .and_then(|bytes| serde_json::from_slice::<Notice>(bytes).ok());
        match (&observed.notice, wanted) {
            (Found::Foreign(why), wanted) => {
                if wanted.is_some() {
                    let path = layout.notice_path();
                    self.warnings
                        .push(format!("{} is left alone: {why}", path.display()));
                }
            }
            (_, Some(wanted)) => {
                if !there.is_some_and(|there| notice::same(&wanted, &there)) {
                    let mut bytes = serde_json::to_vec(&wanted).unwrap_or_default();
                    bytes.push(b'\n');
                    self.steps.push(Step::Write(Place::Notice, bytes));
                }
            }
            (Found::Ours(_), None) => self.steps.push(Step::Remove(Place::Notice)),
            (Found::Absent, None) => {}
        }
    }

    fn keys(&mut self, observed: &Observed, keys: &[Key]) {
        for key in keys.iter().filter(|key| !observed.keys.contains(key)) {
            self.steps
                .push(Step::Write(Place::Key(key.name.clone()), key.bytes()));
        }
        for gone in &observed.keys {
            if !keys.iter().any(|key| key.name == gone.name) {
                self.steps.push(Step::Remove(Place::Key(gone.name.clone())));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::hold::tests::hold;
    use std::path::Path;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn active(id: &str) -> Hold {
        let mut hold = hold(id);
        hold.activated_at = Some(hold.starts_at);
        hold
    }

    fn words(plan: &Plan) -> Vec<String> {
        let word = |step: &Step| match step {
            Step::MakeRoot => "make root".to_owned(),
            Step::Make(name, _) => format!("make {name}"),
            Step::Write(place, _) => format!("write {}", place.word()),
            Step::Remove(place) => format!("remove {}", place.word()),
            Step::Aside(place) => format!("aside {}", place.word()),
        };
        plan.steps.iter().map(word).collect()
    }

    fn fresh() -> Observed {
        Observed {
            missing: vec![("holds", 0o755), ("page", 0o755)],
            ..Observed::default()
        }
    }

    /// What would be found after the plan was carried out.
    fn done(mut observed: Observed, plan: &Plan, holds: &[Hold]) -> Observed {
        observed.exists = true;
        observed.missing.clear();
        observed.holds = holds.to_vec();
        for step in &plan.steps {
            let (place, found) = match step {
                Step::Write(place, bytes) => (place, Found::Ours(bytes.clone())),
                Step::Remove(place) | Step::Aside(place) => (place, Found::Absent),
                _ => continue,
            };
            match place {
                Place::Flag => observed.flag = found,
                Place::Html => observed.html = found,
                Place::Json => observed.json = found,
                Place::Notice => observed.notice = found,
                Place::Retry(seconds) => {
                    observed.retries.retain(|there| there != seconds);
                    if found != Found::Absent {
                        observed.retries.push(*seconds);
                    }
                }
                _ => {}
            }
        }
        observed
    }

    const NOW: &str = "2026-11-21T22:10:00Z";

    #[test]
    fn up_the_page_is_in_place_before_the_flag_and_again_there_is_nothing_to_do() {
        let layout = Layout::flag(Path::new("/srv/m"));
        let holds = [active("a")];
        let up = plan(&layout, &fresh(), &holds, &[], at(NOW), false);
        assert_eq!(
            words(&up),
            [
                "make root",
                "make holds",
                "make page",
                "write hold",
                "write page",
                "write page_json",
                "write retry_after",
                "write flag",
                "write notice"
            ]
        );
        let there = done(fresh(), &up, &holds);
        assert_eq!(
            words(&plan(&layout, &there, &holds, &[], at(NOW), false)),
            [""; 0]
        );
    }

    #[test]
    fn down_the_hold_goes_first_then_the_flag_and_the_page_stays() {
        let layout = Layout::flag(Path::new("/srv/m"));
        let holds = [active("a")];
        let there = done(
            fresh(),
            &plan(&layout, &fresh(), &holds, &[], at(NOW), false),
            &holds,
        );
        let down = plan(&layout, &there, &[], &[], at(NOW), false);
        assert_eq!(
            words(&down),
            [
                "remove hold",
                "remove flag",
                "remove retry_after",
                "remove notice"
            ]
        );
        // Killed after the first step: the next call finds no hold and finishes.
        let killed = Observed {
            holds: Vec::new(),
            ..there
        };
        assert_eq!(
            words(&plan(&layout, &killed, &[], &[], at(NOW), false))[0],
            "remove flag"
        );
    }

    #[test]
    fn the_last_of_two_holds_takes_the_flag() {
        let layout = Layout::flag(Path::new("/srv/m"));
        let both = [active("a"), active("b")];
        let there = done(
            fresh(),
            &plan(&layout, &fresh(), &both, &[], at(NOW), false),
            &both,
        );
        let one = plan(&layout, &there, &both[..1], &[], at(NOW), false);
        assert!(words(&one).contains(&"remove hold".to_owned()));
        assert!(!words(&one).contains(&"remove flag".to_owned()));
    }

    #[test]
    fn what_is_foreign_stops_the_page_and_force_renames_it() {
        let layout = Layout::flag(Path::new("/srv/m"));
        let foreign = Observed {
            flag: Found::Foreign("a symbolic link"),
            exists: true,
            ..Observed::default()
        };
        let holds = [active("a")];
        let refused = plan(&layout, &foreign, &holds, &[], at(NOW), false);
        assert_eq!(refused.in_the_way.as_ref().unwrap().place, Place::Flag);
        assert!(refused.steps.is_empty());
        let forced = words(&plan(&layout, &foreign, &holds, &[], at(NOW), true));
        assert_eq!(
            (
                forced[0].as_str(),
                forced.contains(&"write flag".to_owned())
            ),
            ("aside flag", true)
        );
        let off = plan(
            &layout,
            &Observed {
                holds: holds.to_vec(),
                ..foreign
            },
            &[],
            &[],
            at(NOW),
            false,
        );
        assert!(off.in_the_way.is_some());
        assert_eq!(
            words(&off),
            ["remove hold"],
            "the hold is released, the foreign flag stays"
        );
    }

    #[test]
    fn one_file_is_page_and_flag() {
        let layout = Layout::single(Path::new("/srv/www/tmp/maintenance.html")).unwrap();
        let holds = [active("a")];
        let start = Observed {
            missing: vec![("holds", 0o755)],
            ..Observed::default()
        };
        let up = plan(&layout, &start, &holds, &[], at(NOW), false);
        assert_eq!(
            words(&up),
            [
                "make root",
                "make holds",
                "write hold",
                "write flag",
                "write notice"
            ]
        );
        let there = done(start, &up, &holds);
        assert_eq!(
            words(&plan(&layout, &there, &[], &[], at(NOW), false)),
            ["remove hold", "remove flag", "remove notice"]
        );
    }

    #[test]
    fn announced_is_prepared_and_not_shown() {
        let layout = Layout::flag(Path::new("/srv/m"));
        let announced = plan(
            &layout,
            &fresh(),
            &[hold("a")],
            &[],
            at("2026-11-21T22:00:00Z"),
            false,
        );
        let words = words(&announced);
        assert!(
            words.contains(&"write page".to_owned()) && words.contains(&"write notice".to_owned())
        );
        assert!(!words.contains(&"write flag".to_owned()));
    }
}
