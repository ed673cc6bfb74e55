//! One database, from the connection to the items of the report. What the application's role may not do is done by `--admin`, and only
//! that; who does it is decided before, from the catalogs, and once more where the server says no all the same.

use pgconn::{Connected, Resolved};
use postgres::Client;

use crate::act::{self, Ending, Refusal};
use crate::catalog::{Database, Server};
use crate::cli::Policy;
use crate::explain::{self, Cause, Scene};
use crate::observe;
use crate::plan::{self, Step};
use crate::report::{Action, Failure, Found, Item, Via, Wanted};
use crate::want::Want;

/// What is asked of one database.
#[derive(Clone, Debug)]
pub struct Task {
    /// The application's way in.
    pub app: Resolved,
    /// The administrator's.
    pub admin: Option<Resolved>,
    /// What it needs.
    pub wants: Vec<Want>,
    /// How far to go.
    pub policy: Policy,
    /// Only say.
    pub dry_run: bool,
}

/// What came of it.
#[derive(Debug, Default)]
pub struct Outcome {
    /// The server, if it was reached.
    pub server: Option<Server>,
    /// One for each want.
    pub items: Vec<Item>,
    /// For people.
    pub warnings: Vec<String>,
}

/// One session and what was seen through it.
struct Session {
    client: Client,
    local: bool,
    server: Server,
    database: Database,
}

/// A step and whose it is.
struct Assigned {
    step: Step,
    via: Via,
    refusal: Option<Refusal>,
    /// It is so, but somebody else was faster.
    raced: bool,
    /// It was taken, or somebody else's work: not to be taken again.
    over: bool,
}

/// Does what is asked of one database.
pub fn database(task: &Task) -> Outcome {
    let connected = match task.app.connect() {
        Ok(connected) => connected,
        Err(error) => return unreachable(task, &error),
    };
    let mut warnings = connected.warnings.clone();
    let result = Session::begin(connected, &task.policy).and_then(|mut app| {
        let items = app.settle(task, &mut warnings)?;
        Ok((app.server, items))
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

impl Session {
    fn begin(connected: Connected, policy: &Policy) -> Result<Session, postgres::Error> {
        let local = connected.target.is_local();
        let mut client = connected.client;
        let (server, database) = observe::look(&mut client, local, policy)?;
        Ok(Session {
            client,
            local,
            server,
            database,
        })
    }

    /// From observed to done, for one database.
    fn settle(
        &mut self,
        task: &Task,
        warnings: &mut Vec<String>,
    ) -> Result<Vec<Item>, postgres::Error> {
        let settled = |want: &Want| plan::is_settled(want, &self.database, &task.policy);
        if !task.wants.iter().all(settled) {
            observe::deepen(
                &mut self.client,
                &self.server,
                &mut self.database,
                &task.wants,
                &task.policy,
            )?;
        }
        let before = self.database.clone();
        let steps = plan::steps(
            &self.server,
            &self.database,
            &task.wants,
            &task.policy,
            None,
        );
        let mut assigned: Vec<Assigned> = steps
            .into_iter()
            .map(|step| Assigned::to(Via::App, step))
            .collect();
        let mut admin = None;
        if assigned
            .iter()
            .any(|one| one.step.is_work() && one.step.beyond)
        {
            admin = self.call_admin(task, &mut assigned, warnings);
        }
        if task.dry_run {
            return Ok(assigned
                .iter()
                .map(|one| self.foreseen(one, &before, admin.as_ref()))
                .collect());
        }
        let after = self.act(task, &mut assigned, &mut admin, warnings)?;
        Ok(assigned
            .iter()
            .map(|one| self.done(one, &before, &after, admin.as_ref(), &task.policy))
            .collect())
    }

    /// Connects as the administrator, and gives over the steps that are beyond the application.
    fn call_admin(
        &mut self,
        task: &Task,
        assigned: &mut [Assigned],
        warnings: &mut Vec<String>,
    ) -> Option<Session> {
        let resolved = task.admin.as_ref()?.with_database(&self.database.name);
        let mut admin = match self.trusted_admin(&resolved, &task.policy, warnings) {
            Ok(admin) => admin,
            Err(why) => {
                warnings.push(format!("--admin: {why}"));
                return None;
            }
        };
        // What is created is to stand where the application would have put it.
        admin
            .database
            .current_schema
            .clone_from(&self.database.current_schema);
        if let Err(error) = observe::deepen(
            &mut admin.client,
            &admin.server,
            &mut admin.database,
            &task.wants,
            &task.policy,
        ) {
            warnings.push(format!("--admin: {}", lost(&error).message));
            return None;
        }
        let owner = Some(self.database.role.name.as_str());
        let steps = plan::steps(
            &admin.server,
            &admin.database,
            &task.wants,
            &task.policy,
            owner,
        );
        for one in assigned
            .iter_mut()
            .filter(|one| one.step.is_work() && one.step.beyond)
        {
            if let Some(step) = steps.iter().find(|step| step.want == one.step.want) {
                *one = Assigned::to(Via::Admin, step.clone());
            }
        }
        // What the administrator will have created stands in nobody's way.
        let created: Vec<String> = assigned
            .iter()
            .filter(|one| one.via == Via::Admin && one.step.cause.is_none())
            .map(|one| one.step.want.name.clone())
            .collect();
        for one in assigned.iter_mut() {
            if matches!(&one.step.cause, Some(Cause::Requires(missing)) if missing.iter().all(|name| created.contains(name)))
            {
                one.step.cause = None;
            }
        }
        Some(admin)
    }

    fn trusted_admin(
        &mut self,
        resolved: &Resolved,
        policy: &Policy,
        warnings: &mut Vec<String>,
    ) -> Result<Session, String> {
        let connected = resolved.connect().map_err(|error| error.message)?;
        warnings.extend(connected.warnings.clone());
        let mut admin = Session::begin(connected, policy).map_err(|error| lost(&error).message)?;
        let identity = |session: &mut Session| observe::instance(&mut session.client).ok();
        match (identity(self), identity(&mut admin)) {
            (Some(app), Some(own)) if app != own => {
                Err("it leads to another server than the application's connection".to_string())
            }
            _ => Ok(admin),
        }
    }

    /// Takes the steps: the application's, then the administrator's. Gives back how the database is then.
    fn act(
        &mut self,
        task: &Task,
        assigned: &mut [Assigned],
        admin: &mut Option<Session>,
        warnings: &mut Vec<String>,
    ) -> Result<Database, postgres::Error> {
        let mut after = self.database.clone();
        // What the administrator creates may be required by what the application creates, and the other way round.
        let first = assigned
            .iter()
            .find(|one| one.step.is_work())
            .map_or(Via::App, |one| one.via);
        for via in [first, other(first)] {
            if let Some(database) = self.act_as(via, task, assigned, admin)? {
                after = database;
            }
        }
        let refused = |one: &Assigned| {
            one.via == Via::App && one.refusal.as_ref().is_some_and(|r| r.sqlstate == "42501")
        };
        if assigned.iter().any(refused) && task.admin.is_some() {
            for one in assigned.iter_mut().filter(|one| refused(one)) {
                one.step.cause = Some(Cause::Superuser);
                one.step.beyond = true;
            }
            if let Some(called) = self.call_admin(task, assigned, warnings) {
                *admin = Some(called);
            }
            if let Some(database) = self.act_as(Via::Admin, task, assigned, admin)? {
                after = database;
            }
        }
        Ok(after)
    }

    fn act_as(
        &mut self,
        via: Via,
        task: &Task,
        assigned: &mut [Assigned],
        admin: &mut Option<Session>,
    ) -> Result<Option<Database>, postgres::Error> {
        let client = match (via, admin) {
            (Via::App, _) => &mut self.client,
            (Via::Admin, Some(admin)) => &mut admin.client,
            (Via::Admin, None) => return Ok(None),
        };
        let mut mine: Vec<&mut Assigned> = assigned
            .iter_mut()
            .filter(|one| {
                one.via == via && one.step.is_work() && one.refusal.is_none() && !one.over
            })
            .collect();
        if mine.is_empty() {
            return Ok(None);
        }
        let steps: Vec<&Step> = mine.iter().map(|one| &one.step).collect();
        let applied = act::apply(client, &steps, &task.policy)?;
        for (one, ending) in mine.iter_mut().zip(applied.endings) {
            one.over = true;
            match ending {
                Ending::Done => {}
                Ending::Raced => one.raced = true,
                Ending::Refused(refusal) => one.refusal = Some(refusal),
            }
        }
        // Always as the application sees it, whoever did it.
        observe::look(&mut self.client, self.local, &task.policy)
            .map(|(_, database)| Some(database))
    }

    fn view<'a>(&'a self, via: Via, admin: Option<&'a Session>) -> &'a Session {
        match (via, admin) {
            (Via::Admin, Some(admin)) => admin,
            _ => self,
        }
    }

    /// An item of a dry run.
    fn foreseen(&self, one: &Assigned, before: &Database, admin: Option<&Session>) -> Item {
        let view = self.view(one.via, admin);
        let step = &one.step;
        let mut item = item(one, before);
        let owner = item.before.as_ref().map_or_else(
            || Some(view.database.role.name.clone()),
            |found| found.owner.clone(),
        );
        item.after = match step.action {
            Action::None => item.before.clone(),
            Action::Drop => None,
            _ => Some(Found {
                version: step.version.clone(),
                schema: step.schema.clone(),
                owner,
            }),
        };
        if let Some(cause) = &step.cause {
            let scene = view.scene(step);
            item.after.clone_from(&item.before);
            item.error = Some(explain::foreseen(cause, &scene));
            item.fix = Some(cause.fix(&scene));
        } else if step.drifted {
            item.fix = Some(drift_fix(step));
        }
        item
    }

    /// An item of a real run.
    fn done(
        &self,
        one: &Assigned,
        before: &Database,
        after: &Database,
        admin: Option<&Session>,
        policy: &Policy,
    ) -> Item {
        let view = self.view(one.via, admin);
        let step = &one.step;
        let mut item = item(one, before);
        let found = after.installed.get(&step.want.name);
        item.after = found.map(Found::from);
        let scene = view.scene(step);
        if let Some(refusal) = &one.refusal {
            let cause = explain::diagnose(&refusal.sqlstate, step.cause.as_ref(), &scene);
            let hint = (cause != Cause::Other).then(|| cause.sentence(&scene));
            item.error = Some(Failure {
                sqlstate: refusal.sqlstate.clone(),
                code: explain::condition(&refusal.sqlstate).to_string(),
                message: refusal.message.clone(),
                detail: refusal.detail.clone(),
                hint,
            });
            item.fix = Some(cause.fix(&scene));
        } else if !plan::is_so(&step.want, found, step, policy) {
            item.error = Some(Failure {
                sqlstate: "XX000".to_string(),
                code: "other".to_string(),
                message: "the server reported success, but it is not so".to_string(),
                detail: None,
                hint: None,
            });
        } else if step.drifted {
            item.fix = Some(drift_fix(step));
        }
        if item.error.is_none() && (one.raced || item.before == item.after) {
            item.action = Action::None;
        }
        item
    }

    fn scene<'a>(&'a self, step: &'a Step) -> Scene<'a> {
        Scene {
            server: &self.server,
            database: &self.database,
            name: &step.want.name,
            action: step.action,
            sql: &step.sql,
        }
    }
}

impl Assigned {
    fn to(via: Via, step: Step) -> Assigned {
        Assigned {
            step,
            via,
            refusal: None,
            raced: false,
            over: false,
        }
    }
}

const fn other(via: Via) -> Via {
    match via {
        Via::App => Via::Admin,
        Via::Admin => Via::App,
    }
}

fn item(one: &Assigned, before: &Database) -> Item {
    let step = &one.step;
    Item {
        db: before.name.clone(),
        name: step.want.name.clone(),
        want: Wanted::from(&step.want),
        before: before.installed.get(&step.want.name).map(Found::from),
        after: None,
        action: step.action,
        via: one.via,
        trusted: step.trusted,
        requires: step.requires.clone(),
        sql: step.sql.clone(),
        error: None,
        fix: None,
    }
}

fn drift_fix(step: &Step) -> crate::report::Fix {
    let schema = step.want.schema.as_deref().unwrap_or_default();
    let command = crate::sql::set_schema(&step.want.name, schema);
    crate::report::Fix {
        package: None,
        commands: vec![
            "pg-ext-ensure --fix-schema …".to_string(),
            format!("{command};"),
        ],
    }
}

/// The items of a database that could not be reached.
fn unreachable(task: &Task, error: &pgconn::Error) -> Outcome {
    let sqlstate = error.sqlstate.clone().unwrap_or_else(|| match error.kind {
        pgconn::Kind::Refused => "28000".to_string(),
        _ => "08001".to_string(),
    });
    let failure = Failure {
        code: explain::condition(&sqlstate).to_string(),
        sqlstate,
        message: error.message.clone(),
        detail: None,
        hint: error.hint.clone(),
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
        ..Database::default()
    };
    let server = Server::default();
    let each = |want: &Want| {
        let scene = Scene {
            server: &server,
            database: &database,
            name: &want.name,
            action: Action::None,
            sql: &[],
        };
        let fix = (failure.sqlstate == "3D000").then(|| Cause::NoDatabase.fix(&scene));
        Item {
            db: database.name.clone(),
            name: want.name.clone(),
            want: Wanted::from(want),
            before: None,
            after: None,
            action: Action::None,
            via: Via::App,
            trusted: None,
            requires: Vec::new(),
            sql: Vec::new(),
            error: Some(failure.clone()),
            fix,
        }
    };
    task.wants.iter().map(each).collect()
}

/// A session that broke, or an answer that was an error where none was expected.
pub fn lost(error: &postgres::Error) -> Failure {
    let (sqlstate, message, detail) = match error.as_db_error() {
        Some(server) => (
            server.code().code().to_string(),
            server.message().to_string(),
            server.detail().map(str::to_string),
        ),
        None => {
            let cause = std::error::Error::source(error)
                .map(|cause| format!(": {cause}"))
                .unwrap_or_default();
            (
                "08006".to_string(),
                format!("the connection was lost: {error}{cause}"),
                None,
            )
        }
    };
    Failure {
        code: explain::condition(&sqlstate).to_string(),
        sqlstate,
        message,
        detail,
        hint: None,
    }
}
