//! The guardian's work: the tool is gone, and the right may be there.

use base::clock::Deadline;
use base::exit::Exit;
use std::time::Duration;

use super::journal::Ward;
use super::take_back::take_back;
use crate::connect::resolved;

/// What guardians of this tool are for.
pub const KIND: &str = "revoke";

/// How long a guardian tries before it leaves the rest to `recover`.
const PATIENCE: Duration = Duration::from_secs(900);

/// How long one attempt may take.
const ATTEMPT: Duration = Duration::from_secs(10);

/// Takes the right back.
pub fn guard(payload: &[u8]) -> Exit {
    let Ok(ward) = serde_json::from_slice::<Ward>(payload) else {
        return Exit::Usage;
    };
    // Connection strings may name files relative to where the tool was called.
    let _ = std::env::set_current_dir(&ward.directory);
    let Ok(admin) = resolved(&ward.admin, Deadline::NEVER) else {
        return Exit::Failed;
    };
    // A later elevation that holds the lock has finished this one before it began.
    let place = ward.place(PATIENCE);
    match &place {
        Ok(place) if !place.has(&ward.journal) => return Exit::Ok,
        _ => {}
    }
    let until = Deadline::after(Some(PATIENCE));
    while !until.passed() {
        let grant = ward.journal.grant();
        let revocation = take_back(None, &admin, &grant, Deadline::after(Some(ATTEMPT)));
        if revocation.verified {
            if let Ok(place) = &place {
                place.forget();
            }
            return Exit::Ok;
        }
        // Whoever waits for the end of our standard error has waited long enough.
        quiet();
    }
    Exit::Failed
}

fn quiet() {
    if let Ok(null) = std::fs::OpenOptions::new().write(true).open("/dev/null") {
        let _ = nix::unistd::dup2_stderr(&null);
        let _ = nix::unistd::dup2_stdout(&null);
    }
}
