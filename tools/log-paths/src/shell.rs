//! Text of the shell: files of assignments, and command lines of units, crontabs, init scripts and
//! logrotate's scripts. Nothing is run.

mod assignments;
mod command;
mod lexer;

pub use assignments::{Variables, assignments};
pub use command::{Simple, commands};
pub use lexer::{Part, Word};
