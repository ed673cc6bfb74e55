//! The pipes of a program whose output is wanted: never waited for, so that a program that says
//! nothing, or too much, holds nobody up.

use rustix::fs::OFlags;
use std::io::{Read, Write};
use std::os::fd::{AsFd, OwnedFd};

/// One of its outputs, read as it comes and kept up to a cap.
pub(super) struct Stream {
    pub(super) pipe: Option<std::fs::File>,
    pub(super) kept: Vec<u8>,
    cap: usize,
    pub(super) truncated: bool,
}

impl Stream {
    pub(super) fn of(pipe: Option<impl Into<OwnedFd>>, cap: usize) -> Stream {
        let pipe = pipe.map(|p| std::fs::File::from(p.into()));
        if let Some(pipe) = &pipe {
            nonblocking(pipe);
        }
        Stream {
            pipe,
            kept: Vec::new(),
            cap,
            truncated: false,
        }
    }

    pub(super) fn read(&mut self) {
        let mut buffer = [0u8; 16 << 10];
        // Bounded, so that a flood cannot keep us from looking at the clock.
        for _ in 0..16 {
            let Some(pipe) = &mut self.pipe else { return };
            match pipe.read(&mut buffer) {
                Ok(0) => self.pipe = None,
                Ok(n) => {
                    let room = self.cap.saturating_sub(self.kept.len()).min(n);
                    self.kept.extend_from_slice(&buffer[..room]);
                    self.truncated |= room < n;
                }
                Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
                Err(e) if e.kind() == std::io::ErrorKind::WouldBlock => return,
                Err(_) => self.pipe = None,
            }
        }
    }
}

/// Its standard input, written as it is taken.
pub(super) struct Input {
    pub(super) pipe: std::fs::File,
    rest: Vec<u8>,
}

impl Input {
    pub(super) fn of(pipe: Option<impl Into<OwnedFd>>, bytes: &[u8]) -> Option<Input> {
        let pipe = std::fs::File::from(pipe?.into());
        nonblocking(&pipe);
        Some(Input {
            pipe,
            rest: bytes.to_vec(),
        })
    }

    pub(super) fn write(mut self) -> Option<Input> {
        match self.pipe.write(&self.rest) {
            Ok(n) => {
                self.rest.drain(..n);
                (!self.rest.is_empty()).then_some(self)
            }
            Err(e)
                if matches!(
                    e.kind(),
                    std::io::ErrorKind::WouldBlock | std::io::ErrorKind::Interrupted
                ) =>
            {
                Some(self)
            }
            Err(_) => None,
        }
    }
}

pub(super) fn nonblocking(file: impl AsFd) {
    let _ = rustix::fs::fcntl_getfl(&file)
        .and_then(|flags| rustix::fs::fcntl_setfl(&file, flags | OFlags::NONBLOCK));
}
