//! `[[any]]`: a requirement that one of several alternatives meets. An alternative is one
//! requirement, or a list of requirements that hold together (nginx with uwsgi, or Apache with
//! mod_wsgi).

use crate::finding::{Finding, Verdict};
use crate::kind::Check;
use crate::scene::Scene;
use base::Fix;
use base::clock::Deadline;
use std::thread;
use std::time::Duration;

/// The name in `type`, in reports.
pub const NAME: &str = "any";

/// One requirement of an alternative.
pub struct Member {
    /// The requirement as it was written, or its type and subject.
    pub name: String,
    /// What to look at.
    pub check: Box<dyn Check>,
}

/// A requirement with alternatives.
pub struct Any {
    /// The alternatives, the preferred one first.
    pub alternatives: Vec<Vec<Member>>,
}

impl Any {
    fn said(&self, each: impl Fn(&Member) -> String) -> String {
        let together = |members: &Vec<Member>| {
            let words: Vec<String> = members.iter().map(&each).collect();
            words.join(" with ")
        };
        let alternatives: Vec<String> = self.alternatives.iter().map(together).collect();
        alternatives.join(" or ")
    }
}

/// What an alternative came to.
fn together(findings: &[Finding]) -> Verdict {
    let has = |verdict| findings.iter().any(|finding| finding.verdict == verdict);
    match (has(Verdict::Unmet), has(Verdict::Unknown)) {
        (true, _) => Verdict::Unmet,
        (false, true) => Verdict::Unknown,
        (false, false) => Verdict::Met,
    }
}

/// The fix of an alternative: what each of its unmet requirements lacks.
fn fix_of(findings: &[Finding]) -> Option<Fix> {
    let mut fixes = findings.iter().filter_map(|finding| finding.fix.clone());
    let mut whole = fixes.next()?;
    for fix in fixes {
        whole.summary = format!("{}; {}", whole.summary, fix.summary);
        whole.steps.extend(fix.steps);
        whole.destructive |= fix.destructive;
    }
    Some(whole)
}

/// The answer from what every alternative came to.
fn judge(alternatives: &[Vec<Finding>]) -> Finding {
    let messages = |verdict: Verdict| {
        let of = |finding: &Finding| finding.msg.clone();
        let wanted = |finding: &&Finding| finding.verdict == verdict;
        let all = alternatives.iter().flatten().filter(wanted).map(of);
        all.collect::<Vec<String>>().join("; ")
    };
    let first = |verdict| {
        let mut found = alternatives.iter().filter(|a| together(a) == verdict);
        found.next()
    };
    if let Some(met) = first(Verdict::Met) {
        let said: Vec<&str> = met.iter().map(|finding| finding.msg.as_str()).collect();
        let found = met.iter().filter_map(|finding| finding.found.as_deref());
        return Finding::met(found.collect::<Vec<_>>().join(", "), said.join("; "));
    }
    if first(Verdict::Unknown).is_some() {
        let reason = alternatives
            .iter()
            .flatten()
            .find(|finding| finding.verdict == Verdict::Unknown)
            .and_then(|finding| finding.reason);
        return Finding::unknown(reason.unwrap_or("unknown"), messages(Verdict::Unknown));
    }
    let finding = Finding::unmet("no_alternative", messages(Verdict::Unmet));
    let mut fixes = alternatives.iter().filter_map(|a| fix_of(a));
    match fixes.next() {
        Some(preferred) => finding.fix(fixes.fold(preferred, Fix::or)),
        None => finding,
    }
}

impl Check for Any {
    fn subject(&self) -> String {
        self.said(|member| member.name.clone())
    }

    fn expected(&self) -> String {
        self.said(|member| member.check.expected())
    }

    fn how(&self) -> String {
        self.said(|member| format!("{}: {}", member.name, member.check.how()))
    }

    fn patience(&self) -> Duration {
        let all = self.alternatives.iter().flatten();
        all.map(|member| member.check.patience())
            .max()
            .unwrap_or(Duration::from_secs(10))
    }

    fn look(&self, host: &Scene, deadline: Deadline) -> Finding {
        let found = thread::scope(|scope| {
            let looks: Vec<Vec<_>> = self
                .alternatives
                .iter()
                .map(|members| {
                    let members = members.iter();
                    members
                        .map(|member| {
                            base::threads::help(scope, move || member.check.look(host, deadline))
                        })
                        .collect()
                })
                .collect();
            let join = |look: base::threads::Helper<'_, Finding>| {
                look.join()
                    .unwrap_or_else(|| Finding::unknown("internal", "internal error"))
            };
            looks
                .into_iter()
                .map(|members| members.into_iter().map(join).collect())
                .collect::<Vec<Vec<Finding>>>()
        });
        judge(&found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn met(what: &str) -> Finding {
        Finding::met(what, format!("{what} is there"))
    }

    fn unmet(what: &str) -> Finding {
        Finding::unmet("missing", format!("no {what}"))
            .fix(Fix::advice(format!("install {what}")).shell("root", format!("install {what}")))
    }

    fn unknown(what: &str) -> Finding {
        Finding::unknown("timeout", format!("{what}: no answer"))
    }

    #[test]
    fn one_alternative_is_enough_and_doubt_is_no_answer() {
        for (alternatives, verdict) in [
            (vec![vec![unmet("a")], vec![met("b")]], Verdict::Met),
            (vec![vec![unknown("a")], vec![met("b")]], Verdict::Met),
            (vec![vec![unmet("a")], vec![unknown("b")]], Verdict::Unknown),
            (
                vec![vec![unmet("a"), met("b")], vec![unmet("c")]],
                Verdict::Unmet,
            ),
            (vec![vec![unmet("a"), unknown("b")]], Verdict::Unmet),
            (vec![vec![met("a"), met("b")]], Verdict::Met),
        ] {
            assert_eq!(judge(&alternatives).verdict, verdict, "{alternatives:?}");
        }
    }

    #[test]
    fn the_first_alternative_is_the_fix_and_the_others_stand_beside_it() {
        let finding = judge(&[vec![unmet("a"), unmet("b"), met("c")], vec![unmet("d")]]);
        let fix = finding.fix.unwrap_or_else(|| Fix::advice(""));
        let steps: Vec<&str> = fix.steps.iter().map(|step| step.text.as_str()).collect();
        assert_eq!(steps, ["install a", "install b"]);
        assert_eq!(fix.alternatives[0].steps[0].text, "install d");
    }
}
