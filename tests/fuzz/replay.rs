//! What the fuzzers of tests/libfuzzer found worth keeping, read again by each reader.

use crate::readers::READERS;
use std::fs;
use std::time::{Duration, Instant};

#[test]
fn every_reader_reads_its_corpus() {
    let top = harness::source_root().join("tests/fuzz/corpus");
    for (name, read) in READERS {
        let mut count = 0;
        for entry in fs::read_dir(top.join(name)).unwrap() {
            let path = entry.unwrap().path();
            let bytes = fs::read(&path).unwrap();
            let began = Instant::now();
            read(&bytes);
            let took = began.elapsed();
            assert!(
                took < Duration::from_secs(5),
                "{}: {took:?}",
                path.display()
            );
            count += 1;
        }
        assert!(count > 0, "{name} has no corpus");
    }
}
