//! One configuration file as a tree of what matters for logs; everything else is left out, so that
//! a file included by a thousand servers is read once and walked cheaply.

use conf::nginx::{End, Statement, Statements};
use conf::{Error, Source};
use std::path::Path;
use std::sync::Arc;

/// A block that logs can be configured in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Context {
    Http,
    Server,
    Location,
    If,
    LimitExcept,
    Stream,
    Mail,
}

/// What matters for logs.
#[derive(Debug)]
pub enum Node {
    /// `access_log`, with its arguments.
    Access(Vec<Vec<u8>>, usize),
    /// `error_log`, with its arguments.
    Error(Vec<Vec<u8>>, usize),
    /// `include`.
    Include(Vec<u8>, usize),
    /// `user`.
    User(Vec<u8>),
    /// `pid`.
    Pid(Vec<u8>),
    /// A block, with what is in it.
    Block(Context, Vec<Node>, usize),
}

/// A file read.
#[derive(Debug)]
pub struct Parsed {
    /// The name it has in reports.
    pub file: Arc<Path>,
    /// What matters in it.
    pub nodes: Vec<Node>,
    /// Why the rest could not be read.
    pub error: Option<Error>,
}

/// Reads a file's text.
pub fn parse(file: &Path, bytes: &[u8]) -> Parsed {
    let name: Arc<Path> = Arc::from(file);
    let mut blocks: Vec<(Option<Context>, Vec<Node>, usize)> = vec![(None, Vec::new(), 0)];
    let mut ignored = 0usize;
    let mut error = None;
    for statement in Statements::new(file, bytes).keeping(wanted) {
        let statement = match statement {
            Ok(statement) => statement,
            Err(why) => {
                error = Some(why);
                break;
            }
        };
        match statement.end {
            End::Open if ignored > 0 => ignored += 1,
            End::Close if ignored > 0 => ignored -= 1,
            _ if ignored > 0 => {}
            End::Open => match context(&statement.name) {
                Some(context) => blocks.push((Some(context), Vec::new(), statement.line)),
                None => ignored = 1,
            },
            End::Close => {
                if blocks.len() == 1 {
                    let message = "a } that closes nothing";
                    error = Some(Error::at(
                        conf::Kind::Syntax,
                        &Source::new(&name, statement.line),
                        message,
                    ));
                    break;
                }
                close(&mut blocks);
            }
            End::Semicolon => {
                if let (Some(node), Some((_, nodes, _))) = (node(&statement), blocks.last_mut()) {
                    nodes.push(node);
                }
            }
            End::Lua => {}
        }
    }
    if error.is_none() && (blocks.len() > 1 || ignored > 0) {
        let line = blocks.last().map_or(0, |(_, _, line)| *line);
        error = Some(Error::at(
            conf::Kind::Syntax,
            &Source::new(&name, line),
            "a block that is not closed",
        ));
    }
    while blocks.len() > 1 {
        close(&mut blocks);
    }
    Parsed {
        file: name,
        nodes: blocks.pop().map(|(_, nodes, _)| nodes).unwrap_or_default(),
        error,
    }
}

fn close(blocks: &mut Vec<(Option<Context>, Vec<Node>, usize)>) {
    let Some((Some(context), nodes, line)) = blocks.pop() else {
        return;
    };
    // An empty server still has the default log; other empty blocks say nothing.
    if let Some((_, parent, _)) = blocks.last_mut() {
        if !nodes.is_empty() || context == Context::Server {
            parent.push(Node::Block(context, nodes, line));
        }
    }
}

fn context(name: &[u8]) -> Option<Context> {
    Some(match name {
        b"http" => Context::Http,
        b"server" => Context::Server,
        b"location" => Context::Location,
        b"if" => Context::If,
        b"limit_except" => Context::LimitExcept,
        b"stream" => Context::Stream,
        b"mail" => Context::Mail,
        _ => return None,
    })
}

fn wanted(name: &[u8]) -> bool {
    matches!(
        name,
        b"access_log" | b"error_log" | b"include" | b"user" | b"pid"
    )
}

fn node(statement: &Statement<'_>) -> Option<Node> {
    let owned = || {
        statement
            .arguments
            .iter()
            .map(|word| word.to_vec())
            .collect::<Vec<_>>()
    };
    let first = || statement.arguments.first().map(|word| word.to_vec());
    Some(match &*statement.name {
        b"access_log" if !statement.arguments.is_empty() => Node::Access(owned(), statement.line),
        b"error_log" if !statement.arguments.is_empty() => Node::Error(owned(), statement.line),
        b"include" => Node::Include(first()?, statement.line),
        b"user" => Node::User(first()?),
        b"pid" => Node::Pid(first()?),
        _ => return None,
    })
}
