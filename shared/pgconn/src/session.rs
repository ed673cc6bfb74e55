//! `target_session_attrs`: which of the servers that let us in is the right one.

use postgres::{Client, SimpleQueryMessage};

use crate::error::{Error, Result};
use crate::settings::Settings;

/// What the session must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Attributes {
    Any,
    ReadWrite,
    ReadOnly,
    Primary,
    Standby,
    /// A standby if any host is one; otherwise anything.
    PreferStandby,
}

impl Attributes {
    pub fn from_settings(settings: &Settings) -> Result<Self> {
        Ok(match settings.get("target_session_attrs") {
            None | Some("any") => Self::Any,
            Some("read-write") => Self::ReadWrite,
            Some("read-only") => Self::ReadOnly,
            Some("primary") => Self::Primary,
            Some("standby") => Self::Standby,
            Some("prefer-standby") => Self::PreferStandby,
            Some(other) => {
                return Err(Error::settings(format!(
                    "invalid target_session_attrs value: \"{other}\""
                )));
            }
        })
    }

    /// Why this session will not do, in libpq's words, or nothing if it will.
    pub fn objection(
        self,
        client: &mut Client,
    ) -> std::result::Result<Option<&'static str>, postgres::Error> {
        if self == Self::Any {
            return Ok(None);
        }
        let (standby, read_only) = state(client)?;
        Ok(match self {
            Self::ReadWrite if standby || read_only => Some("session is read-only"),
            Self::ReadOnly if !(standby || read_only) => Some("session is not read-only"),
            Self::Primary if standby => Some("server is in hot standby mode"),
            Self::Standby | Self::PreferStandby if !standby => {
                Some("server is not in hot standby mode")
            }
            _ => None,
        })
    }
}

/// Whether the server is a standby, and whether sessions start read-only.
fn state(client: &mut Client) -> std::result::Result<(bool, bool), postgres::Error> {
    let rows = client.simple_query(
        "SELECT pg_catalog.pg_is_in_recovery(), \
         pg_catalog.current_setting('default_transaction_read_only')",
    )?;
    let row = rows.iter().find_map(|message| match message {
        SimpleQueryMessage::Row(row) => Some((row.get(0) == Some("t"), row.get(1) == Some("on"))),
        _ => None,
    });
    Ok(row.unwrap_or_default())
}
