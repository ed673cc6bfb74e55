//! Work on a long list in several threads.

use std::thread;

/// Does the work in as many parts as there are processors, up to four; the parts' results in order.
/// A thread costs some 50 µs: lists shorter than `many` are not worth it.
pub fn in_parts<T: Sync, R: Send + Default>(
    list: &[T],
    many: usize,
    work: impl Fn(&[T]) -> R + Sync,
) -> Vec<R> {
    if list.len() < many {
        return vec![work(list)];
    }
    let threads = thread::available_parallelism()
        .map_or(1, usize::from)
        .min(4);
    thread::scope(|scope| {
        let parts: Vec<_> = list
            .chunks(list.len().div_ceil(threads))
            .map(|part| base::threads::help(scope, || work(part)))
            .collect();
        parts
            .into_iter()
            .map(|part| part.join().unwrap_or_default())
            .collect()
    })
}
