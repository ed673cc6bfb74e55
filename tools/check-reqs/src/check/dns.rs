//! A name that resolves, as this host's programs resolve it (hosts file, DNS, whatever
//! nsswitch.conf says).

use crate::document::Fields;
use crate::finding::Finding;
use crate::fix::Fix;
use crate::kind::{Check, Type};
use crate::net;
use crate::scene::Scene;
use crate::short::{self, Short};
use base::Result;
use base::clock::Deadline;
use std::collections::BTreeSet;
use std::net::IpAddr;

/// `type = "dns"`.
pub const TYPE: Type = Type {
    name: "dns",
    about: "a name that resolves, to the given addresses where an address is given",
    keys: &[
        ("name", "the name"),
        ("address", "an address that the name has to have, or a list"),
    ],
    short: Short {
        words: &["dns"],
        colon: true,
        forms: &["dns:NAME[=ADDRESS]"],
        example: "dns:example.org",
        read: |_, rest| Ok(short::subject(rest, '=', "name", "address")),
    },
    read,
};

struct Name {
    name: String,
    addresses: Vec<IpAddr>,
}

fn read(fields: &mut Fields<'_>) -> Result<Box<dyn Check>> {
    let name = fields.required("name")?;
    let addresses = fields
        .texts("address")?
        .iter()
        .map(|text| text.parse())
        .collect::<Result<_, _>>();
    let addresses =
        addresses.map_err(|_| fields.error("address", "address must be IP addresses"))?;
    Ok(Box::new(Name { name, addresses }))
}

fn list(addresses: impl IntoIterator<Item = IpAddr>) -> String {
    addresses
        .into_iter()
        .map(|address| address.to_string())
        .collect::<Vec<_>>()
        .join(", ")
}

impl Check for Name {
    fn subject(&self) -> String {
        self.name.clone()
    }

    fn expected(&self) -> String {
        match self.addresses.is_empty() {
            true => format!("{} resolves", self.name),
            false => format!(
                "{} resolves to {}",
                self.name,
                list(self.addresses.iter().copied())
            ),
        }
    }

    fn how(&self) -> String {
        "getaddrinfo(3), as this host's programs ask".into()
    }

    fn look(&self, _: &Scene, deadline: Deadline) -> Finding {
        let name = &self.name;
        let point = Fix::advice(format!(
            "give {name} an A or AAAA record (or a line in /etc/hosts)"
        ));
        let found: BTreeSet<IpAddr> = match net::resolve(name, 0, deadline) {
            Ok(found) => found.into_iter().map(|address| address.ip()).collect(),
            Err(trouble) => return trouble.finding(point),
        };
        let shown = list(found.iter().copied());
        let missing: Vec<IpAddr> = self
            .addresses
            .iter()
            .filter(|wanted| !found.contains(wanted))
            .copied()
            .collect();
        match missing.is_empty() {
            true => Finding::met(shown.clone(), format!("{name} resolves to {shown}")),
            false => Finding::unmet(
                "address",
                format!("{name} resolves to {shown}, not to {}", list(missing)),
            )
            .found(shown)
            .fix(Fix::advice(format!(
                "point {name} to {}",
                list(self.addresses.iter().copied())
            ))),
        }
    }
}
