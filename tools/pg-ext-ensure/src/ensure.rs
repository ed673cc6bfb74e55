//! One database, from the connection to the items of the report. The application's role tries every
//! step; the administrator takes those that the server refuses that role for want of a right, and
//! only those.

use std::collections::BTreeSet;

use pgconn::Resolved;

use crate::act::{self, Ending, Taken};
use crate::call::Call;
use crate::catalog::{Database, Role, Server};
use crate::diagnose::condition;
use crate::items::{self, Result as Tried, View};
use crate::observe;
use crate::plan::{self, Step};
use crate::report::{Failure, Item, Via};
use crate::request::Policy;
use crate::rights;
use crate::session::{Session, lost};
use crate::want::Want;

/// What is asked of one database.
#[derive(Clone, Debug)]
pub struct Task {
    /// The application's way in.
    pub app: Resolved,
    /// The administrator's.
    pub admin: Option<Resolved>,
    /// What the database needs.
    pub wants: Vec<Want>,
    /// How far to go.
    pub policy: Policy,
    /// The request, for fixes.
    pub call: Call,
    /// Nothing is changed.
    pub dry_run: bool,
}

/// The results of one database.
#[derive(Debug, Default)]
pub struct Outcome {
    /// The server, if it was reached.
    pub server: Option<Server>,
    /// One for each want.
    pub items: Vec<Item>,
    /// For people.
    pub warnings: Vec<String>,
}

/// Does what is asked of one database.
pub fn database(task: &Task) -> Outcome {
    let connected = match task.app.connect() {
        Ok(connected) => connected,
        Err(error) => return unreachable(task, &error),
    };
    let mut warnings = connected.warnings.clone();
    let result = Session::begin(&task.app, connected, &task.policy).and_then(|app| {
        let mut work = Work {
            task,
            app,
            admin: None,
            warnings: &mut warnings,
        };
        let items = work.settle()?;
        Ok((work.app.server, items))
    });
    match result {
        Ok((server, items)) => Outcome {
            server: Some(server),
            items,
            warnings,
        },
        Err(error) => Outcome {
            items: failed(task, &lost(&error)),
            warnings,
            server: None,
        },
    }
}

/// One database's work.
struct Work<'a> {
    task: &'a Task,
    app: Session,
    /// The administrator's session, once it is needed.
    admin: Option<Result<Session, pgconn::Error>>,
    warnings: &'a mut Vec<String>,
}

impl Work<'_> {
    /// Observe, plan, act, report.
    fn settle(&mut self) -> Result<Vec<Item>, postgres::Error> {
        let task = self.task;
        let settled = |want: &Want| plan::is_settled(want, &self.app.database, &task.policy);
        if !task.wants.iter().all(settled) {
            self.app.deepen(&task.wants, &task.policy)?;
        }
        let before = self.app.database.clone();
        let steps = plan::steps(&self.app.server, &before, &task.wants, &task.policy);
        if task.dry_run {
            return Ok(self.foresee(steps, &before));
        }
        let (tried, after) = self.act(steps, &before)?;
        Ok(tried
            .iter()
            .map(|one| items::done(one, &before, &after, self.view(one.via), &task.policy))
            .collect())
    }

    /// What a real run would do, as far as the catalogs tell.
    fn foresee(&mut self, mut steps: Vec<Step>, before: &Database) -> Vec<Item> {
        let beyond = |step: &Step| step.cause.is_none() && rights::denied(step, before).is_some();
        if steps.iter().any(beyond) && self.task.admin.is_some() {
            self.call_admin();
        }
        if let Some(Err(error)) = &self.admin {
            self.warnings.push(format!("--admin: {}", error.message));
        }
        let admin = match &self.admin {
            Some(Ok(session)) => {
                for step in steps.iter_mut().filter(|step| beyond(step)) {
                    plan::see_library(step, &session.server, &session.database, &self.task.policy);
                }
                Some(&session.database)
            }
            _ => None,
        };
        rights::assign(steps, before, admin)
            .iter()
            .map(|one| items::foreseen(one, before, self.view(one.via)))
            .collect()
    }

    /// Takes the steps: together where the role may take them all, else one after the other.
    fn act(
        &mut self,
        steps: Vec<Step>,
        before: &Database,
    ) -> Result<(Vec<Tried>, Database), postgres::Error> {
        let work: Vec<&Step> = steps.iter().filter(|step| step.is_work()).collect();
        let easy = |step: &&Step| {
            step.cause.is_none()
                && rights::denied(step, before).is_none()
                && !step.statements.iter().any(|s| s.is_update())
        };
        if work.is_empty() {
            let idle = steps.into_iter().map(idle).collect();
            return Ok((idle, before.clone()));
        }
        if work.iter().all(easy) {
            if let Some(taken) = act::together(&mut self.app, &work, &self.task.policy)? {
                return Ok((self.all_done(steps, &taken), taken.database));
            }
        }
        self.one_by_one(steps, before)
    }

    /// What one transaction has done. Whose notices are whose is known only where one step was
    /// taken.
    fn all_done(&mut self, steps: Vec<Step>, taken: &Taken) -> Vec<Tried> {
        let single = steps.iter().filter(|step| step.is_work()).count() == 1;
        if !single {
            let loud = taken.notices.iter().filter(|n| n.severity == "WARNING");
            self.warnings.extend(loud.map(ToString::to_string));
        }
        let each = |step: Step| {
            let mut tried = idle(step);
            if tried.step.is_work() {
                tried.ending = Some(taken.ending.clone());
                if single {
                    tried.notices.clone_from(&taken.notices);
                }
            }
            tried
        };
        steps.into_iter().map(each).collect()
    }

    fn one_by_one(
        &mut self,
        steps: Vec<Step>,
        before: &Database,
    ) -> Result<(Vec<Tried>, Database), postgres::Error> {
        let mut gone: BTreeSet<String> = BTreeSet::new();
        let mut tried = Vec::with_capacity(steps.len());
        for mut step in steps {
            rights::stop_after_lost(&mut step, before, &gone);
            let one = if step.is_work() && step.cause.is_none() {
                self.try_step(step, before)?
            } else {
                idle(step)
            };
            let failed = match &one.ending {
                Some(ending) => matches!(ending, Ending::Refused(_)),
                None => one.step.is_work(),
            };
            if failed {
                gone.insert(one.step.want.name.clone());
            }
            tried.push(one);
        }
        let after = self.app.look_again(&self.task.policy)?;
        Ok((tried, after))
    }

    /// The application first; the administrator where a right is missing.
    fn try_step(&mut self, step: Step, before: &Database) -> Result<Tried, postgres::Error> {
        let denied = rights::denied(&step, before);
        let taken = act::single(&mut self.app, &step, None, &self.task.policy)?;
        let mut one = Tried {
            denied,
            ending: Some(taken.ending),
            notices: taken.notices,
            ..idle(step)
        };
        let refused = matches!(&one.ending, Some(Ending::Refused(r)) if r.sqlstate == "42501");
        if !refused || self.task.admin.is_none() {
            return Ok(one);
        }
        self.call_admin();
        match &mut self.admin {
            Some(Ok(admin)) => {
                plan::see_library(
                    &mut one.step,
                    &admin.server,
                    &admin.database,
                    &self.task.policy,
                );
                if one.step.cause.is_some() {
                    // No right removes that cause: nothing more is sent.
                    one.denied = None;
                    one.ending = None;
                    return Ok(one);
                }
                let owner = Some(before.role.name.as_str());
                let taken = act::single(admin, &one.step, owner, &self.task.policy)?;
                one.via = Via::Admin;
                one.ending = Some(taken.ending);
                one.notices = taken.notices;
            }
            Some(Err(error)) => one.admin = Some(error.clone()),
            None => {}
        }
        Ok(one)
    }

    /// Connects as the administrator, once.
    fn call_admin(&mut self) {
        if self.admin.is_none() {
            let resolved = self.task.admin.as_ref();
            let resolved = resolved.map(|admin| admin.with_database(&self.app.database.name));
            self.admin = resolved.map(|resolved| self.connect_admin(&resolved));
        }
    }

    fn connect_admin(&mut self, resolved: &Resolved) -> Result<Session, pgconn::Error> {
        let refused = |error: postgres::Error| pgconn::Error {
            kind: pgconn::Kind::Refused,
            message: lost(&error).message,
            hint: None,
            sqlstate: error.code().map(|code| code.code().to_string()),
        };
        let connected = resolved.connect()?;
        self.warnings.extend(connected.warnings.clone());
        let policy = &self.task.policy;
        let mut admin = Session::begin(resolved, connected, policy).map_err(refused)?;
        let identity = |session: &mut Session| observe::instance(&mut session.client).ok();
        match (identity(&mut self.app), identity(&mut admin)) {
            (Some(app), Some(own)) if app != own => {
                return Err(pgconn::Error {
                    kind: pgconn::Kind::Refused,
                    message: "the connection leads to another server than the application's"
                        .to_string(),
                    hint: None,
                    sqlstate: None,
                });
            }
            _ => {}
        }
        // What is created is to stand where the application would have put it.
        admin
            .database
            .current_schema
            .clone_from(&self.app.database.current_schema);
        admin.deepen(&self.task.wants, policy).map_err(refused)?;
        Ok(admin)
    }

    fn view(&self, via: Via) -> View<'_> {
        let session = match (via, &self.admin) {
            (Via::Admin, Some(Ok(admin))) => admin,
            _ => &self.app,
        };
        View {
            server: &session.server,
            database: &session.database,
            call: &self.task.call,
        }
    }
}

/// A step that was not tried.
fn idle(step: Step) -> Tried {
    Tried {
        step,
        via: Via::App,
        denied: None,
        ending: None,
        notices: Vec::new(),
        admin: None,
    }
}

/// The items of a database that could not be reached.
fn unreachable(task: &Task, error: &pgconn::Error) -> Outcome {
    let sqlstate = error.sqlstate.clone().unwrap_or_else(|| match error.kind {
        pgconn::Kind::Refused => "28000".to_string(),
        _ => "08001".to_string(),
    });
    let failure = Failure {
        code: condition(&sqlstate).to_string(),
        sqlstate,
        message: error.message.clone(),
        detail: None,
        hint: error.hint.clone(),
        cause: None,
    };
    Outcome {
        items: failed(task, &failure),
        ..Outcome::default()
    }
}

/// The items where one failure is everybody's.
pub fn failed(task: &Task, failure: &Failure) -> Vec<Item> {
    let database = Database {
        name: task.app.database().to_string(),
        role: Role {
            name: task.app.user().to_string(),
            ..Role::default()
        },
        ..Database::default()
    };
    items::failed(&database, &task.wants, failure, &task.call)
}
