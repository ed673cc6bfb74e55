//! One reader under libFuzzer: RUNBOOK_READER names the reader, the arguments are libFuzzer's
//! (directories of corpora, `-max_total_time=600`).

#![no_main]

#[path = "../fuzz/readers.rs"]
mod readers;

use std::sync::LazyLock;

static READER: LazyLock<fn(&[u8])> = LazyLock::new(|| {
    let name = std::env::var("RUNBOOK_READER").unwrap_or_default();
    let found = readers::READERS.iter().find(|(known, _)| *known == name);
    found.unwrap_or_else(|| panic!("RUNBOOK_READER={name:?} names no reader")).1
});

libfuzzer_sys::fuzz_target!(|data: &[u8]| READER(data));
