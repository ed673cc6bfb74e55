//! A group and the users that have to be its members.

use crate::accounts;
use crate::document::Fields;
use crate::finding::Finding;
use crate::fix;
use crate::fix::shell;
use crate::kind::{Check, Type};
use crate::scene::Scene;
use crate::short::{self, Short};
use base::Result;
use base::clock::Deadline;
use nix::unistd::{User, getgrouplist};
use std::ffi::CString;

/// `type = "group"`.
pub const TYPE: Type = Type {
    name: "group",
    about: "a group and its members",
    keys: &[
        ("name", "the group"),
        ("members", "the users that have to be in the group"),
    ],
    short: Short {
        words: &["group"],
        colon: true,
        forms: &["group:NAME[:MEMBER,MEMBER]"],
        example: "group:www-data:deployer",
        read: |_, rest| Ok(short::members(rest, "members")),
    },
    read,
};

struct Members {
    name: String,
    members: Vec<String>,
}

fn read(fields: &mut Fields<'_>) -> Result<Box<dyn Check>> {
    Ok(Box::new(Members {
        name: fields.required("name")?,
        members: fields.texts("members")?,
    }))
}

impl Check for Members {
    fn subject(&self) -> String {
        self.name.clone()
    }

    fn expected(&self) -> String {
        match self.members.is_empty() {
            true => format!("group {}", self.name),
            false => format!("group {} with {}", self.name, self.members.join(", ")),
        }
    }

    fn how(&self) -> String {
        "getgrnam(3), and getgrouplist(3) for each member".into()
    }

    fn look(&self, _: &Scene, _: Deadline) -> Finding {
        let name = &self.name;
        let group = match accounts::group(name) {
            Ok(Some(group)) => group,
            Ok(None) => {
                let mut commands = vec![fix::group_line(name)];
                commands.extend(
                    self.members
                        .iter()
                        .map(|member| shell(&["usermod", "-aG", name, member])),
                );
                return Finding::unmet("missing", format!("there is no group {name}"))
                    .fix(fix::root(format!("make the group {name}"), commands));
            }
            Err(why) => return Finding::unknown("error", why),
        };
        let is_member = |member: &String| {
            let user = User::from_name(member).ok().flatten();
            let groups =
                user.and_then(|user| getgrouplist(&CString::new(user.name).ok()?, user.gid).ok());
            groups.is_some_and(|groups| groups.contains(&group.gid))
        };
        let missing: Vec<&str> = self
            .members
            .iter()
            .filter(|member| !is_member(member))
            .map(String::as_str)
            .collect();
        let found = format!("gid {}", group.gid);
        if missing.is_empty() {
            return Finding::met(found.clone(), format!("{name}: {found}"));
        }
        let commands = missing
            .iter()
            .map(|member| shell(&["usermod", "-aG", name, member]))
            .collect();
        Finding::unmet("members", format!("{} not in {name}", missing.join(", ")))
            .found(found)
            .fix(fix::root(
                format!("put {} into {name}", missing.join(", ")),
                commands,
            ))
    }
}
