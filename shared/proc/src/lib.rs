//! One view of processes, for every tool that has to tell which program runs.
//!
//! Two readers of the same process give two answers: one tool met a variable that another called
//! missing. So the identity of a process, its executable, arguments, live environment, users,
//! namespaces, control group, files and children are read here and nowhere else.
//!
//! Rules that every reader keeps:
//! - A pid alone proves nothing: [`Identity`] holds the start time since boot, and [`Process`] a
//!   pidfd.
//! - A name is not evidence. Anybody can call a process "nginx: master process"; the executable and
//!   the user are read from the kernel.
//! - This process and its descendants are never evidence ([`Snapshot::ours`]).
//! - A fact that the kernel does not show to this user is an error or `None`, never "no".

#![cfg_attr(test, allow(clippy::disallowed_methods))]

mod descriptors;
pub mod live;
mod namespace;
mod process;
mod tree;
mod view;

pub use descriptors::{Descriptor, Descriptors};
pub use namespace::Namespace;
pub use process::{
    Identity, Process, Stat, arguments, environment, executable, is_of_this_machine, wait_any,
};
pub use tree::{Snapshot, identities, leftovers};
pub use view::{Exe, MappedFile, OpenFile, Uids, View};
