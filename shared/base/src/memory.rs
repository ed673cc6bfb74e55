//! The memory of a run has an end. Every input has a bound of its own; for an answer that grows
//! without one (a server that never ends its message), and for a limit of the host (`ulimit -v`),
//! this is where the run ends: with a message and exit status 3, which means that nothing was found
//! out. std would abort. What must not stay as it is then is the guardian's work
//! ([`crate::guardian`]).

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The most that a run may hold, in bytes.
const MOST: usize = 512 << 20;

/// What is held now.
static USED: AtomicUsize = AtomicUsize::new(0);

/// The program's name, once the program is one of the tools.
static NAME: OnceLock<&'static str> = OnceLock::new();

#[global_allocator]
static ALLOCATOR: Bounded = Bounded;

struct Bounded;

/// From now on this process is the tool of that name, and has a bound.
pub(crate) fn bound(name: &'static str) {
    let _ = NAME.set(name);
}

#[allow(unsafe_code)]
// SAFETY: every call is handed on to the system's allocator as it came; counting touches no memory
// of the caller's.
unsafe impl GlobalAlloc for Bounded {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        take(layout.size());
        // SAFETY: the caller keeps the contract of `alloc`.
        given(unsafe { System.alloc(layout) })
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        take(layout.size());
        // SAFETY: the caller keeps the contract of `alloc_zeroed`.
        given(unsafe { System.alloc_zeroed(layout) })
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        USED.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller keeps the contract of `dealloc`.
        unsafe { System.dealloc(place, layout) }
    }

    unsafe fn realloc(&self, place: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        take(size);
        USED.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller keeps the contract of `realloc`.
        given(unsafe { System.realloc(place, layout, size) })
    }
}

fn take(size: usize) {
    if USED.fetch_add(size, Ordering::Relaxed) > MOST.saturating_sub(size) && NAME.get().is_some() {
        end("the run would need more than 512 MiB of memory: an input or an answer is too large");
    }
}

fn given(place: *mut u8) -> *mut u8 {
    if place.is_null() && NAME.get().is_some() {
        end("the system has no memory to spare (ulimit -v, or a control group's limit)");
    }
    place
}

/// Ends the process without allocating.
#[allow(unsafe_code)]
fn end(why: &str) -> ! {
    let name = NAME.get().copied().unwrap_or_default();
    for part in [name, ": ", why, "\n"] {
        let _ = rustix::io::write(rustix::stdio::stderr(), part.as_bytes());
    }
    // SAFETY: _exit(2) returns to nobody and touches no memory.
    unsafe { nix::libc::_exit(3) }
}
