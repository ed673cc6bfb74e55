//! `elevate`: a role is a superuser for as long as one COMMAND runs, and never longer. The better
//! way is not to need it: extensions can be created with `--admin` beforehand.
//!
//! The order makes it safe. The journal is claimed first, and what it says of an earlier run is
//! finished. The journal is on the disk and the guardian waits before the right is given. The
//! guardian goes only after the catalog says that the right is gone. Whatever dies in between,
//! something is left that takes the right back: the tool, its guardian, or the journal and
//! [`recover`].
//!
//! Every setting is local to its transaction, so that nothing stays in the sessions of a pooler.

mod aftermath;
pub mod guardian;
mod journal;
mod place;
pub mod recover;
mod right;
pub mod run;
mod take_back;
