//! Logs that only processes know of: files that no configuration names, standard streams that
//! somebody redirected, the journal.

use super::join::Loose;
use super::{blank, describe, holder, holding, rotate, rotator};
use crate::log::{Evidence, Kind, Sink, Target};
use crate::observed::Observed;
use crate::report::Item;
use base::bytes::exact_bytes;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// A file.
pub fn file(observed: &Observed, group: &Loose<'_>) -> Item {
    let Some(open) = group.opens.first() else {
        return blank(&Target::new("process", "", Kind::App, Sink::Discard));
    };
    let mut target = Target::new(
        group.service,
        group.instance.clone(),
        kind_of(&open.path),
        Sink::File(open.path.clone()),
    );
    target.user = observed
        .processes
        .get(&open.pid)
        .map(|process| observed.names.user(process.uid));
    let mut item = of(group, target);
    item.exists = Some(open.in_place);
    describe(&mut item, &open.stat, observed);
    item.path_b64 = exact_bytes(open.path.as_os_str().as_bytes());
    item.open_by = group.opens.iter().map(|open| holder(open)).collect();
    item.unit = group.unit.clone().or(item.unit);
    item.problems = holding::loose(observed, &group.opens);
    if let Some(rotation) = &open.rotation {
        item.rotated_by = rotator(rotation, None, None);
        item.problems
            .extend(rotate::loose(observed, open, rotation));
    }
    item
}

/// A service's journal.
pub fn journal(group: &Loose<'_>) -> Item {
    let target = Target::new(
        group.service,
        group.instance.clone(),
        Kind::App,
        Sink::Journal,
    );
    let mut item = of(group, target);
    item.unit = group.unit.clone().or(item.unit);
    item.target = item
        .unit
        .as_ref()
        .map(|unit| format!("journalctl -u {unit}"));
    item
}

/// With what the configuration says of the template or the stream that it comes from.
fn of(group: &Loose<'_>, mut target: Target) -> Item {
    target.evidence = Evidence::Open;
    let Some(template) = group.template.map(|seen| &seen.target) else {
        return blank(&target);
    };
    let sink = std::mem::replace(&mut target.sink, Sink::Discard);
    let mut item = blank(&Target {
        sink,
        ..template.clone()
    });
    item.evidence.push(Evidence::Open);
    item
}

/// By its name, where nothing else tells.
fn kind_of(path: &Path) -> Kind {
    let name = path
        .file_name()
        .map(|name| name.to_string_lossy().to_lowercase())
        .unwrap_or_default();
    match name {
        name if name.contains("access") => Kind::Access,
        name if name.contains("error") => Kind::Error,
        _ => Kind::App,
    }
}
