//! How many threads may work on one call? None but the caller's own, unless the caller says otherwise.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Threads that verifiers may use beside those that call them. Cheap to clone; clones share one number, so that several verifiers with one
/// pool never run more threads together than it says, however many calls go on.
///
/// A call takes what is free when it begins, waits for nobody, and gives it back when it ends. Nothing runs between calls.
#[derive(Debug, Clone, Default)]
pub struct Pool {
    free: Arc<AtomicUsize>,
}

impl Pool {
    /// A pool of so many threads beside the callers'. With none, which is the default, everything runs on the thread that calls.
    pub fn new(threads: usize) -> Pool {
        Pool { free: Arc::new(AtomicUsize::new(threads)) }
    }

    /// What `work` makes of each item, in their order.
    pub(crate) fn map<T: Sync, R: Send>(&self, items: &[T], work: impl Fn(usize, &T) -> R + Sync) -> Vec<R> {
        let taken = Taken::of(self, items.len().saturating_sub(1));
        if taken.count == 0 {
            return items.iter().enumerate().map(|(at, item)| work(at, item)).collect();
        }
        // Whoever is ready takes the next one: items may differ, and so do a phone's cores.
        let next = AtomicUsize::new(0);
        let share = || {
            let mut made = Vec::new();
            loop {
                let at = next.fetch_add(1, Ordering::Relaxed);
                let Some(item) = items.get(at) else { return made };
                made.push((at, work(at, item)));
            }
        };
        let mut made = std::thread::scope(|scope| {
            let helpers: Vec<_> = (0..taken.count).map(|_| scope.spawn(share)).collect();
            let mut made = share();
            for helper in helpers {
                match helper.join() {
                    Ok(more) => made.extend(more),
                    Err(panic) => std::panic::resume_unwind(panic),
                }
            }
            made
        });
        made.sort_by_key(|(at, _)| *at);
        made.into_iter().map(|(_, result)| result).collect()
    }
}

/// Threads that a call has taken.
struct Taken<'p> {
    pool: &'p Pool,
    count: usize,
}

impl Taken<'_> {
    fn of(pool: &Pool, most: usize) -> Taken<'_> {
        let take = |free: usize| Some(free - free.min(most));
        let before = pool.free.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take).unwrap_or(0);
        Taken { pool, count: before.min(most) }
    }
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        self.pool.free.fetch_add(self.count, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;
    use std::sync::{Barrier, Mutex};
    use std::thread::{ThreadId, current};

    #[test]
    fn results_come_in_order_and_without_a_pool_from_the_callers_thread() {
        let items: Vec<usize> = (0..100).collect();
        for threads in [0, 1, 3, 200] {
            let seen = Mutex::new(HashSet::<ThreadId>::new());
            let made = Pool::new(threads).map(&items, |at, item| {
                seen.lock().unwrap().insert(current().id());
                at * 1000 + item
            });
            assert_eq!(made, (0..100).map(|at| at * 1001).collect::<Vec<_>>());
            let seen = seen.into_inner().unwrap();
            assert!(seen.len() <= threads + 1 && (threads > 0 || seen.contains(&current().id())));
        }
        assert!(Pool::new(3).map(&[] as &[u8], |_, _| ()).is_empty());
    }

    #[test]
    fn two_calls_share_the_threads() {
        let pool = Pool::new(2);
        // Two items at once need the caller and one helper: a second call inside gets the one that is left, a third none.
        let barrier = Barrier::new(2);
        pool.map(&[(), ()], |at, ()| {
            barrier.wait();
            if at == 0 {
                let barrier = Barrier::new(2);
                pool.map(&[(), ()], |_, ()| {
                    barrier.wait();
                    assert_eq!(pool.free.load(Ordering::Relaxed), 0);
                });
            }
        });
        assert_eq!(pool.free.load(Ordering::Relaxed), 2);
    }
}
