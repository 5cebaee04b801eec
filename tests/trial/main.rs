//! Sites as a whole, without the platform: what no single room can promise, since it takes configuration, snapshot, decision, receipt,
//! counting, learning and measuring together. Each room's own tests stand in that room.
//!
//! | promise | where |
//! |---|---|
//! | Arms are chosen as often as receipts say, whatever a slot is configured with | `propensity`, a row of `cases` each |
//! | What the status page and the log say of a site that learns holds the truth as often as it claims | `coverage` |

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod cases;
mod coverage;
mod propensity;
mod site;
mod tally;

/// Runs a function for each of some numbers, on as many threads as there are processors, and collects what it gives, in order.
fn for_each<T: Send>(n: usize, run: impl Fn(usize) -> T + Sync) -> Vec<T> {
    let next = std::sync::atomic::AtomicUsize::new(0);
    let worker = || {
        let mut done = Vec::new();
        loop {
            let at = next.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            if at >= n {
                return done;
            }
            done.push((at, run(at)));
        }
    };
    let n_threads = std::thread::available_parallelism().map_or(1, usize::from);
    let mut all: Vec<(usize, T)> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..n_threads).map(|_| scope.spawn(worker)).collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    all.sort_by_key(|(at, _)| *at);
    all.into_iter().map(|(_, found)| found).collect()
}
