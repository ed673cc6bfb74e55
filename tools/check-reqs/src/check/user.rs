//! A user account: there, in the groups it needs, with the home and shell it should have.

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
use nix::unistd::{Group, getgrouplist};
use std::ffi::CString;

/// `type = "user"`.
pub const TYPE: Type = Type {
    name: "user",
    about: "a user account and its groups",
    keys: &[
        ("name", "the account"),
        ("groups", "the groups that the account has to be in"),
        ("home", "the home directory"),
        ("shell", "the login shell"),
    ],
    short: Short {
        words: &["user"],
        colon: true,
        forms: &["user:NAME[:GROUP,GROUP]"],
        example: "user:deployer:www-data",
        read: |_, rest| Ok(short::members(rest, "groups")),
    },
    read,
};

struct Account {
    name: String,
    groups: Vec<String>,
    home: Option<String>,
    shell: Option<String>,
}

fn read(fields: &mut Fields<'_>) -> Result<Box<dyn Check>> {
    Ok(Box::new(Account {
        name: fields.required("name")?,
        groups: fields.texts("groups")?,
        home: fields.text("home")?,
        shell: fields.text("shell")?,
    }))
}

/// Makes the groups that are missing, and puts the account into all of them.
fn groups_lines(groups: &[&String], name: &str) -> Vec<String> {
    let mut lines: Vec<String> = groups
        .iter()
        .filter(|group| matches!(accounts::group(group), Ok(None)))
        .map(|group| fix::group_line(group))
        .collect();
    let list: Vec<&str> = groups.iter().map(|group| group.as_str()).collect();
    lines.push(shell(&["usermod", "-aG", &list.join(","), name]));
    lines
}

impl Check for Account {
    fn subject(&self) -> String {
        self.name.clone()
    }

    fn expected(&self) -> String {
        match self.groups.is_empty() {
            true => format!("user {}", self.name),
            false => format!("user {} in {}", self.name, self.groups.join(", ")),
        }
    }

    fn how(&self) -> String {
        "getpwnam(3) and getgrouplist(3), so LDAP and the like count".into()
    }

    fn look(&self, _: &Scene, _: Deadline) -> Finding {
        let name = &self.name;
        let user = match accounts::user(name) {
            Ok(Some(user)) => user,
            Ok(None) => {
                return Finding::unmet("missing", format!("there is no user {name}"))
                    .fix(fix::creation(name, &self.groups, self.home.as_deref()));
            }
            Err(why) => return Finding::unknown("error", why),
        };
        let member = CString::new(name.as_str())
            .ok()
            .and_then(|name| getgrouplist(&name, user.gid).ok())
            .unwrap_or_default();
        let missing: Vec<&String> = self
            .groups
            .iter()
            .filter(|group| {
                Group::from_name(group)
                    .ok()
                    .flatten()
                    .is_none_or(|group| !member.contains(&group.gid))
            })
            .collect();
        let names: Vec<String> = member
            .iter()
            .map(|gid| accounts::group_name_of(gid.as_raw()))
            .collect();
        let found = format!("uid {}, groups {}", user.uid, names.join(", "));
        if !missing.is_empty() {
            let list = missing
                .iter()
                .map(|group| group.as_str())
                .collect::<Vec<_>>()
                .join(",");
            return Finding::unmet("groups", format!("{name} is not in {list}"))
                .found(found)
                .fix(fix::root(
                    format!("put {name} into {list}"),
                    groups_lines(&missing, name),
                ));
        }
        for (what, option, wanted, is) in [
            ("home", "--home", &self.home, &user.dir),
            ("shell", "--shell", &self.shell, &user.shell),
        ] {
            if let Some(wanted) = wanted.as_deref().filter(|wanted| is.as_os_str() != *wanted) {
                let fix = fix::root(
                    format!("set the {what} of {name}"),
                    vec![shell(&["usermod", option, wanted, name])],
                );
                return Finding::unmet(
                    "account",
                    format!("the {what} of {name} is {}, not {wanted}", is.display()),
                )
                .found(found)
                .fix(fix);
            }
        }
        Finding::met(found.clone(), format!("{name}: {found}"))
    }
}
