//! Work on all threads, its results in order.
//!
//! rayon compiles its adapters anew for every closure that they are given; here they are compiled once.

use parking_lot::Mutex;
use rayon::prelude::*;

/// Calls `task` with each number below `count`.
fn each(count: usize, task: &(dyn Fn(usize) + Sync)) {
    (0..count).into_par_iter().for_each(task);
}

/// What `make` makes of each number below `count`.
pub(crate) fn numbers<T: Send>(count: usize, make: impl Fn(usize) -> T + Sync) -> Vec<T> {
    let made: Vec<Mutex<Option<T>>> = (0..count).map(|_| Mutex::new(None)).collect();
    each(count, &|at| *made[at].lock() = Some(make(at)));
    made.into_iter().filter_map(Mutex::into_inner).collect()
}

/// What `make` makes of each item.
pub(crate) fn map<'i, I: Sync, T: Send>(items: &'i [I], make: impl Fn(&'i I) -> T + Sync) -> Vec<T> {
    numbers(items.len(), |at| make(&items[at]))
}

/// Calls `task` with the number of each item, and the item to change.
pub(crate) fn change<I: Send>(items: &mut [I], task: impl Fn(usize, &mut I) + Sync) {
    let items: Vec<Mutex<&mut I>> = items.iter_mut().map(Mutex::new).collect();
    each(items.len(), &|at| task(at, &mut items[at].lock()));
}

/// Calls `task` with the number of each run of `length` items, the last one shorter, and the run to change.
pub(crate) fn change_runs<I: Send>(items: &mut [I], length: usize, task: impl Fn(usize, &mut [I]) + Sync) {
    let mut runs: Vec<&mut [I]> = items.chunks_mut(length).collect();
    change(&mut runs, |at, run| task(at, run));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_keep_the_order_of_what_they_come_from() {
        assert_eq!(map(&["a", "bb", ""], |text| text.len()), [1, 2, 0]);
        assert_eq!(numbers(1000, |n| n * n), (0..1000).map(|n| n * n).collect::<Vec<_>>());
        assert!(numbers(0, |n| n).is_empty());
    }

    #[test]
    fn each_run_is_met_once_with_its_number() {
        let mut items = [0; 10];
        change_runs(&mut items, 4, |at, run| {
            let length = run.len();
            for item in run {
                *item += 10 * at + length;
            }
        });
        assert_eq!(items, [4, 4, 4, 4, 14, 14, 14, 14, 22, 22]);
        change(&mut items, |at, item| *item -= at);
        assert_eq!(items, [4, 3, 2, 1, 10, 9, 8, 7, 14, 13]);
    }
}
