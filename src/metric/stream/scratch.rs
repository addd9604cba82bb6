//! Tables that a stripe counts in. They are kept between pairs: to have the system map a megabyte anew for every stripe, a page
//! at a time, costs more than to compare a small tensor.

use std::{
    mem,
    ops::{Deref, DerefMut},
};

use parking_lot::Mutex;

/// Most tables that wait to be used again: 32 MB of the larger kind.
const MOST: usize = 64;

/// An entry of a table.
pub(super) trait Entry: Copy + Default + Send + 'static {
    /// Where tables wait.
    fn pool() -> &'static Mutex<Vec<Vec<Self>>>;
}

impl Entry for u32 {
    fn pool() -> &'static Mutex<Vec<Vec<Self>>> {
        static POOL: Mutex<Vec<Vec<u32>>> = Mutex::new(Vec::new());
        &POOL
    }
}

impl Entry for u64 {
    fn pool() -> &'static Mutex<Vec<Vec<Self>>> {
        static POOL: Mutex<Vec<Vec<u64>>> = Mutex::new(Vec::new());
        &POOL
    }
}

/// A table that goes back to its pool when it is dropped.
#[derive(Debug)]
pub(super) struct Scratch<T: Entry>(Vec<T>);

impl<T: Entry> Scratch<T> {
    /// A table of `length` zeros.
    pub(super) fn zeros(length: usize) -> Self {
        if length == 0 {
            return Self(Vec::new());
        }
        let waiting = T::pool().lock().pop();
        let mut table = waiting.unwrap_or_default();
        table.clear();
        table.resize(length, T::default());
        Self(table)
    }
}

impl<T: Entry> Drop for Scratch<T> {
    fn drop(&mut self) {
        let mut pool = T::pool().lock();
        if self.0.capacity() > 0 && pool.len() < MOST {
            pool.push(mem::take(&mut self.0));
        }
    }
}

impl<T: Entry> Deref for Scratch<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.0
    }
}

impl<T: Entry> DerefMut for Scratch<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        &mut self.0
    }
}

impl<T: Entry> AsRef<[T]> for Scratch<T> {
    fn as_ref(&self) -> &[T] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_all_zeros_whoever_had_it_before() {
        for length in [5, 9, 2, 0, 7] {
            let mut table = Scratch::<u32>::zeros(length);
            assert_eq!(table.iter().sum::<u32>(), 0);
            assert_eq!(table.len(), length);
            table.fill(3);
        }
    }
}
