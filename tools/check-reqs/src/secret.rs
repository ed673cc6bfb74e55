//! A fix without secrets. [`base::mask`] knows the secrets by where they come from; what a check
//! reports is masked before the report is made.

use base::Fix;
use base::fix::StepKind;
use base::mask;

pub use base::mask::text as masked;

/// A fix without secrets. A step that would hold one cannot be run as printed, so the step becomes
/// one for a person.
pub fn fix(mut fix: Fix) -> Fix {
    fix.summary = masked(&fix.summary);
    for step in &mut fix.steps {
        let text = masked(&step.text);
        if text != step.text {
            step.kind = StepKind::Edit;
            step.text = format!("with the secret in the place of {}: {text}", mask::MASK);
        }
    }
    fix.alternatives = fix.alternatives.into_iter().map(self::fix).collect();
    fix
}
