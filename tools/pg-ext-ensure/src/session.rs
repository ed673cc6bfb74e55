//! One session with a database, and what was read through it.

use pgconn::{Connected, Notices, Resolved};
use postgres::Client;

use crate::catalog::{Database, Server};
use crate::diagnose::condition;
use crate::observe;
use crate::report::Failure;
use crate::request::Policy;
use crate::want::Want;

/// A session.
pub struct Session {
    /// How to open another one like this.
    pub resolved: Resolved,
    /// The connection.
    pub client: Client,
    /// What the server says beside its answers.
    pub notices: Notices,
    /// The server runs on this machine.
    pub local: bool,
    /// The server.
    pub server: Server,
    /// The database, as this session's role sees it.
    pub database: Database,
}

impl Session {
    /// Takes the first look.
    ///
    /// # Errors
    /// The server's.
    pub fn begin(
        resolved: &Resolved,
        connected: Connected,
        policy: &Policy,
    ) -> Result<Session, postgres::Error> {
        let local = connected.target.is_local();
        let mut client = connected.client;
        let (server, database) = observe::look(&mut client, local, policy)?;
        Ok(Session {
            resolved: resolved.clone(),
            client,
            notices: connected.notices,
            local,
            server,
            database,
        })
    }

    /// Takes the deep look.
    ///
    /// # Errors
    /// The server's.
    pub fn deepen(&mut self, wants: &[Want], policy: &Policy) -> Result<(), postgres::Error> {
        observe::deep::look(
            &mut self.client,
            &self.server,
            &mut self.database,
            wants,
            policy,
        )
    }

    /// Reads the database again.
    ///
    /// # Errors
    /// The server's.
    pub fn look_again(&mut self, policy: &Policy) -> Result<Database, postgres::Error> {
        observe::look(&mut self.client, self.local, policy).map(|(_, database)| database)
    }
}

/// A session that broke, or an answer that was an error where none was expected.
pub fn lost(error: &postgres::Error) -> Failure {
    if let Some(refusal) = crate::diagnose::Refusal::of(error) {
        return refusal.failure(None);
    }
    let cause = std::error::Error::source(error)
        .map(|cause| format!(": {cause}"))
        .unwrap_or_default();
    Failure {
        sqlstate: "08006".to_string(),
        code: condition("08006").to_string(),
        message: format!("the connection was lost: {error}{cause}"),
        detail: None,
        hint: None,
        cause: None,
    }
}
