//! `bypass`: keys made, listed and revoked.

use super::report;
use crate::bypass::{self, Key};
use crate::layout::Layout;
use crate::observe::{self, Opened};
use crate::report::{KeyShown, Maintenance};
use crate::request::{self, Action};
use crate::settle::Settling;
use crate::when;
use base::report::Report;
use base::tool::Context;
use base::{Error, Result};
use jiff::Timestamp;
use jiff::tz::TimeZone;

/// `maint-page bypass`.
pub fn run(layout: &Layout, action: &Action, context: &Context) -> Result<Report<Maintenance>> {
    if *action == Action::List {
        return list(layout, context);
    }
    let settling = Settling {
        makes: matches!(action, Action::Add(_)),
        ..Settling::new(layout, context)
    };
    let mut made = None;
    let mut shown = Vec::new();
    let mut revoked = 0;
    let settled = settling.run(|_, keys, now| {
        match action {
            Action::Add(ttl) => {
                let end = when::plus(now, *ttl).map_err(Error::usage)?;
                let key = Key::new(now, end, &request::caller())?;
                made = Some(key.name.clone());
                keys.push(key);
            }
            Action::Revoke(Some(start)) => {
                let gone = bypass::matching(keys, start)?;
                revoked = gone.len();
                keys.retain(|key| !gone.contains(&key.name));
            }
            Action::Revoke(None) => revoked = std::mem::take(keys).len(),
            Action::List => {}
        }
        shown = keys
            .iter()
            .map(|key| show(key, made.as_deref() == Some(&key.name)))
            .collect();
        Ok(())
    })?;
    let mut body = settled.body("bypass", layout);
    let msg = match (action, shown.last()) {
        (Action::Add(_), Some(key)) => format!(
            "key {} is good until {}; the first `maint-page tick` after that ends it",
            key.key, key.expires_at
        ),
        _ if revoked == 1 => "1 key revoked".to_owned(),
        _ => format!("{revoked} keys revoked"),
    };
    body.keys = Some(shown);
    let report = report(body, msg, settled.changed(), context)
        .warnings(settled.warnings)
        .private(made.into_iter().collect())
        .diff(settled.diff);
    Ok(match settled.error {
        Some(error) => report.error(error),
        None => report,
    })
}

/// The link that sets the cookie, with the seconds that a browser keeps it.
fn link(key: &Key) -> String {
    let times = key
        .kept
        .created_at
        .parse()
        .ok()
        .zip(key.kept.expires_at.parse().ok());
    let age = times.map_or(0, |(from, to): (Timestamp, Timestamp)| {
        to.duration_since(from).as_secs()
    });
    format!("/_maint-page/bypass/{}?age={}", key.name, age.max(0))
}

fn list(layout: &Layout, context: &Context) -> Result<Report<Maintenance>> {
    let observed = observe::observe(layout, &Opened::new(layout)?)?;
    let now = Timestamp::now();
    let mut body = crate::settle::body(
        "bypass",
        layout,
        &observed.holds,
        &observed.flag,
        now,
        Vec::new(),
    );
    let (good, ended): (Vec<&Key>, Vec<&Key>) =
        observed.keys.iter().partition(|key| key.is_good(now));
    body.keys = Some(good.iter().map(|key| show(key, false)).collect());
    let warnings = match ended.len() {
        0 => Vec::new(),
        n => vec![format!(
            "{n} ended keys still let somebody in, until the next `maint-page tick`"
        )],
    };
    Ok(report(body, format!("{} keys", good.len()), false, context).warnings(warnings))
}

fn show(key: &Key, new: bool) -> KeyShown {
    let expires = key
        .kept
        .expires_at
        .parse::<Timestamp>()
        .map(|end| when::rfc3339(end, &TimeZone::system()));
    KeyShown {
        key: key.short().to_owned(),
        expires_at: expires.unwrap_or_default(),
        created_by: key.kept.created_by.clone(),
        path: new.then(|| link(key)),
        cookie: new.then(|| format!("maint_bypass={}", key.name)),
    }
}
