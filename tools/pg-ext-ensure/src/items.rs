//! The items of a report, from steps and what became of them.

use base::Fix;
use pgconn::Notice;

use crate::act::Ending;
use crate::call::Call;
use crate::catalog::{Database, Server};
use crate::cause::{Cause, Scene};
use crate::diagnose::{self, Refusal};
use crate::fix::{self, Setting};
use crate::package;
use crate::plan::{self, Step};
use crate::report::{Action, Failure, Found, Item, Via, Wanted};
use crate::request::Policy;
use crate::rights::Assigned;
use crate::want::Want;

/// A database as one role saw it: what causes and fixes are about.
#[derive(Clone, Copy, Debug)]
pub struct View<'a> {
    /// The server.
    pub server: &'a Server,
    /// The database.
    pub database: &'a Database,
    /// The request.
    pub call: &'a Call,
}

impl<'a> View<'a> {
    fn setting(self, step: &'a Step) -> Setting<'a> {
        Setting {
            call: self.call,
            step,
            scene: Scene {
                server: self.server,
                database: self.database,
                name: &step.want.name,
                action: step.action,
            },
        }
    }
}

/// A step of a real run, and its result.
#[derive(Clone, Debug)]
pub struct Result {
    /// The step.
    pub step: Step,
    /// Whose rights.
    pub via: Via,
    /// What the application's role was foreseen to lack.
    pub denied: Option<Cause>,
    /// The result; `None` where the step was not tried.
    pub ending: Option<Ending>,
    /// What the server said meanwhile.
    pub notices: Vec<Notice>,
    /// Why the administrator could not be asked.
    pub admin: Option<pgconn::Error>,
}

/// An item of a dry run.
pub fn foreseen(assigned: &Assigned, before: &Database, view: View<'_>) -> Item {
    let step = &assigned.step;
    let mut item = item(step, assigned.via, before);
    item.after = match step.action {
        Action::None => item.before.clone(),
        Action::Drop => None,
        _ => Some(Found {
            version: step.version.clone(),
            schema: step.schema.clone(),
            owner: item
                .before
                .as_ref()
                .map_or_else(|| Some(owner(step, view)), |found| found.owner.clone()),
        }),
    };
    let setting = view.setting(step);
    match assigned.cause() {
        Some(cause) => {
            item.after.clone_from(&item.before);
            item.fail(diagnose::foreseen(cause, &setting.scene), cause, &setting);
        }
        None => item.advise(&setting),
    }
    item
}

/// Who will own what is created: the superuser where a whitelist runs the statement for the role.
fn owner(step: &Step, view: View<'_>) -> String {
    let role = &view.database.role;
    let depth = view.database.depth.as_ref();
    let listed = depth.and_then(|depth| depth.settings.whitelist.as_ref());
    let by_whitelist = listed.is_some_and(|list| list.contains(&step.want.name)) && !role.superuser;
    if by_whitelist {
        view.database.superuser().to_string()
    } else {
        role.name.clone()
    }
}

/// An item of a real run.
pub fn done(
    result: &Result,
    before: &Database,
    after: &Database,
    view: View<'_>,
    policy: &Policy,
) -> Item {
    let step = &result.step;
    let mut item = item(step, result.via, before);
    let found = after.installed.get(&step.want.name);
    item.after = found.map(Found::from);
    item.notices = diagnose::short(result.notices.iter().map(ToString::to_string).collect());
    let setting = view.setting(step);
    match (&result.ending, &step.cause) {
        (Some(Ending::Refused(refusal)), _) => {
            item.refused(refusal, result, &setting);
        }
        (None, Some(cause)) if step.is_work() => {
            item.fail(diagnose::foreseen(cause, &setting.scene), cause, &setting);
        }
        _ if !plan::is_so(&step.want, found, step, policy) => {
            item.error = Some(Failure {
                sqlstate: "XX000".to_string(),
                code: "other".to_string(),
                message: "the server reported success, but the catalog says otherwise".to_string(),
                detail: None,
                hint: None,
                cause: None,
            });
        }
        _ => item.advise(&setting),
    }
    let raced = matches!(result.ending, Some(Ending::Raced));
    if item.error.is_none() && (raced || item.before == item.after) {
        item.action = Action::None;
    }
    if item.error.is_none() && item.action != Action::Drop {
        item.lost.clear();
    }
    item
}

impl Item {
    fn fail(&mut self, failure: Failure, cause: &Cause, setting: &Setting<'_>) {
        if let Cause::Unavailable(missing) = cause {
            self.package = package::name(missing, setting.scene.server);
        }
        self.error = Some(failure);
        self.fix = Some(fix::of(cause, setting));
    }

    fn refused(&mut self, refusal: &Refusal, result: &Result, setting: &Setting<'_>) {
        if let Some(error) = &result.admin {
            let role = &setting.scene.database.role.name;
            let cause = Cause::Admin(error.message.clone());
            let unreachable = matches!(
                error.kind,
                pgconn::Kind::Unreachable | pgconn::Kind::Deadline
            );
            let sqlstate = match unreachable {
                true => "08001".to_string(),
                false => refusal.sqlstate.clone(),
            };
            let failure = Failure {
                code: diagnose::condition(&sqlstate).to_string(),
                sqlstate,
                message: cause.sentence(&setting.scene),
                detail: Some(diagnose::without_admin(refusal, role)),
                hint: error.hint.clone(),
                cause: None,
            };
            return self.fail(failure, &cause, setting);
        }
        let denied = result.denied.as_ref().filter(|_| result.via == Via::App);
        let cause = diagnose::cause(refusal, denied, setting.step, &setting.scene);
        let sentence = (cause != Cause::Other).then(|| cause.sentence(&setting.scene));
        self.fail(refusal.failure(sentence), &cause, setting);
        if cause == Cause::Other {
            self.fix = None;
        }
    }

    /// A difference that stays: another schema, or a library that is not loaded.
    fn advise(&mut self, setting: &Setting<'_>) {
        if let (true, Some((library, _))) = (setting.step.is_unloaded(), &setting.step.library) {
            self.fix = Some(fix::of(&Cause::Preload(library.clone()), setting));
        } else if setting.step.drifted {
            self.fix = Some(fix::drifted(setting));
        }
    }
}

fn item(step: &Step, via: Via, before: &Database) -> Item {
    Item {
        db: before.name.clone(),
        name: step.want.name.clone(),
        want: Wanted::from(&step.want),
        before: before.installed.get(&step.want.name).map(Found::from),
        after: None,
        action: step.action,
        via,
        trusted: step.trusted,
        loaded: step.library.as_ref().and_then(|(_, loaded)| *loaded),
        requires: step.requires.clone(),
        sql: step.statements.iter().map(|s| s.text(None)).collect(),
        lost: step.lost.iter().map(|lost| lost.object.clone()).collect(),
        notices: Vec::new(),
        package: None,
        error: None,
        fix: None,
    }
}

/// The items where one failure is everybody's.
pub fn failed(database: &Database, wants: &[Want], failure: &Failure, call: &Call) -> Vec<Item> {
    let server = Server::default();
    let each = |want: &Want| {
        let step = Step::nothing(want);
        let view = View {
            server: &server,
            database,
            call,
        };
        let mut item = item(&step, Via::App, database);
        item.error = Some(failure.clone());
        let known = (failure.sqlstate == "3D000").then_some(Cause::NoDatabase);
        item.fix = known.map(|cause| fix::of(&cause, &view.setting(&step)));
        item
    };
    wants.iter().map(each).collect()
}

/// Advice for the one error of a report: the fix, and the other ways that lose nothing.
pub fn hint(fix: &Fix) -> String {
    let one = |fix: &Fix| match fix.steps.as_slice() {
        [] => fix.summary.clone(),
        steps => {
            let shown: Vec<String> = steps.iter().map(base::fix::Step::shown).collect();
            format!("{}: {}", fix.summary, shown.join(" "))
        }
    };
    let others = fix.alternatives.iter().filter(|other| !other.destructive);
    others.fold(one(fix), |text, other| format!("{text}; or {}", one(other)))
}
