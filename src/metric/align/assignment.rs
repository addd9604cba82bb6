//! The assignment of units to units that costs least in all, exactly.
//!
//! R. Jonker, A. Volgenant, A shortest augmenting path algorithm for dense and sparse linear assignment problems, Computing 38
//! (1987): columns are reduced, free units push each other aside as long as that is cheap, and the rest find shortest augmenting
//! paths. Most of the time goes into the relaxation of a row against all columns, which is compiled for each instruction set.

use std::mem;

use super::{
    costs::Costs,
    relaxation::{Paths, doubled, lower, weigh},
};

/// Nothing: a unit without a partner.
const FREE: usize = usize::MAX;

/// Passes in which free units push others aside.
const PASSES: usize = 2;

/// For each unit of the first side its partner on the second; the sum of their costs is the least there is.
pub(super) fn assignment(costs: &Costs) -> Vec<usize> {
    let mut partial = Partial::reduced(costs);
    for _ in 0..PASSES {
        partial.push_aside();
    }
    partial.augment();
    partial.onto
}

/// A unit as the numbers beside it are, so that they share a vector.
#[expect(clippy::cast_possible_wrap, reason = "there are as many rows of costs in memory")]
fn number(unit: usize) -> i64 {
    unit as i64
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it was a `usize`")]
fn index(unit: i64) -> usize {
    unit as usize
}

/// Some units with partners, and prices for which no pair costs less than its column's price, and none of the partners more than
/// its unit's cheapest.
struct Partial<'c> {
    costs: &'c Costs,
    prices: Vec<i64>,
    /// Units of the first side to those of the second, and back.
    onto: Vec<usize>,
    from: Vec<usize>,
    free: Vec<usize>,
    /// A row's costs above the prices.
    above: Vec<i64>,
}

impl<'c> Partial<'c> {
    /// Every column goes to the unit that it is cheapest for, one to each unit; a unit that got one column alone lowers its
    /// price as far as it would still take it.
    fn reduced(costs: &'c Costs) -> Self {
        let units = costs.units;
        let (mut prices, mut cheapest) = (vec![i64::MAX; units], vec![0_i64; units]);
        for unit in 0..units {
            lower(costs.row(unit), number(unit), &mut prices, &mut cheapest);
        }
        let mut partial = Self {
            costs,
            prices,
            onto: vec![FREE; units],
            from: vec![FREE; units],
            free: Vec::new(),
            above: vec![0; units],
        };
        let mut wishes = vec![0_u32; units];
        for (column, &unit) in cheapest.iter().enumerate() {
            let unit = index(unit);
            wishes[unit] += 1;
            if partial.onto[unit] == FREE {
                partial.onto[unit] = column;
                partial.from[column] = unit;
            }
        }
        for (unit, wishes) in wishes.into_iter().enumerate() {
            match wishes {
                0 => partial.free.push(unit),
                1 if units > 1 => {
                    let own = partial.onto[unit];
                    partial.weigh(unit);
                    partial.above[own] = i64::MAX;
                    let least = partial.above.iter().copied().min().unwrap_or(0);
                    partial.prices[own] -= least;
                }
                _ => {}
            }
        }
        partial
    }

    /// Fills `above` with a unit's costs above the prices.
    fn weigh(&mut self, unit: usize) {
        weigh(self.costs.row(unit), &self.prices, &mut self.above);
    }

    /// Each free unit takes its cheapest column and lowers its price as far as it would still take it; who had it, is free.
    fn push_aside(&mut self) {
        let mut queue = mem::take(&mut self.free);
        // Prices may fall by one step at a time: what is not settled soon is left to the paths.
        let mut steps_left = 4 * self.costs.units;
        let mut next = 0;
        while let Some(&unit) = queue.get(next) {
            next += 1;
            self.weigh(unit);
            let [(least, mut column), (second, other)] = two_least(&self.above);
            let mut before = self.from[column];
            if least < second {
                self.prices[column] -= second - least;
            } else if before != FREE && other != FREE {
                column = other;
                before = self.from[column];
            }
            self.onto[unit] = column;
            self.from[column] = unit;
            if before != FREE {
                self.onto[before] = FREE;
                if least < second && steps_left > 0 {
                    steps_left -= 1;
                    next -= 1;
                    queue[next] = before;
                } else {
                    self.free.push(before);
                }
            }
        }
    }

    /// Gives each free unit a partner along the shortest path of exchanges.
    fn augment(&mut self) {
        let units = self.costs.units;
        let mut paths = Paths { lengths: vec![0; units], before: vec![0; units], barred: vec![0; units] };
        let mut scanned = Vec::with_capacity(units);
        for start in mem::take(&mut self.free) {
            for (barred, from) in paths.barred.iter_mut().zip(&self.from) {
                *barred = i64::from(*from != FREE);
            }
            paths.lengths.fill(i64::MAX);
            scanned.clear();
            let (mut unit, mut base) = (start, 0);
            let (last, length) = loop {
                let least = paths.relax(self.costs.row(unit), number(unit), base, &self.prices);
                let column = paths.find(least);
                let length = paths.lengths[column];
                if self.from[column] == FREE {
                    break (column, length);
                }
                scanned.push(column);
                paths.barred[column] = i64::MAX;
                unit = self.from[column];
                let (high, low) = self.costs.row(unit);
                base = doubled(high[column], low[column]) - self.prices[column] - length;
            };
            for &column in &scanned {
                self.prices[column] += paths.lengths[column] - length;
            }
            let mut column = last;
            loop {
                let unit = index(paths.before[column]);
                self.from[column] = unit;
                let next = mem::replace(&mut self.onto[unit], column);
                if unit == start {
                    break;
                }
                column = next;
            }
        }
    }
}

/// The least and the second least of some numbers, and where they stand.
fn two_least(numbers: &[i64]) -> [(i64, usize); 2] {
    let [mut least, mut second] = [(i64::MAX, FREE); 2];
    for (at, &number) in numbers.iter().enumerate() {
        if number < second.0 {
            second = (number, at);
            if number < least.0 {
                mem::swap(&mut least, &mut second);
            }
        }
    }
    [least, second]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn total(units: usize, costs: &[u64], onto: &[usize]) -> u64 {
        let mut seen = vec![false; units];
        for &column in onto {
            assert!(!mem::replace(&mut seen[column], true), "{onto:?} takes {column} twice");
        }
        onto.iter().enumerate().map(|(unit, column)| costs[unit * units + column]).sum()
    }

    /// As textbooks have it: units come in one by one, each along the cheapest path of changed partners (Kuhn and Munkres). Unit and
    /// column 0 are none.
    fn least(units: usize, costs: &[u64]) -> u64 {
        let cost = |unit: usize, column: usize| i64::try_from(costs[(unit - 1) * units + column - 1]).unwrap();
        let [mut of_unit, mut of_column] = [(); 2].map(|()| vec![0_i64; units + 1]);
        let mut partner = vec![0; units + 1];
        for unit in 1..=units {
            let (mut slack, mut before, mut seen) = (vec![i64::MAX; units + 1], vec![0; units + 1], vec![0]);
            let mut open: Vec<usize> = (1..=units).collect();
            partner[0] = unit;
            let mut column = 0;
            while partner[column] != 0 {
                let from = partner[column];
                for &to in &open {
                    let reduced = cost(from, to) - of_unit[from] - of_column[to];
                    if reduced < slack[to] {
                        (slack[to], before[to]) = (reduced, column);
                    }
                }
                let next = (0..open.len()).min_by_key(|&at| slack[open[at]]).unwrap();
                let step = slack[open[next]];
                for &column in &seen {
                    of_unit[partner[column]] += step;
                    of_column[column] -= step;
                }
                for &column in &open {
                    slack[column] -= step;
                }
                column = open.swap_remove(next);
                seen.push(column);
            }
            while column != 0 {
                partner[column] = partner[before[column]];
                column = before[column];
            }
        }
        let onto = (1..=units).map(|column| (partner[column], column));
        u64::try_from(onto.map(|(unit, column)| cost(unit, column)).sum::<i64>()).unwrap()
    }

    fn check(units: usize, costs: &[u64]) {
        let found = assignment(&Costs::given(units, costs));
        assert_eq!(total(units, costs, &found), least(units, costs), "{units} units, {costs:?}");
    }

    #[test]
    fn one_unit_and_units_that_are_all_alike_have_partners() {
        check(1, &[7]);
        check(1, &[0]);
        check(70, &vec![5; 4900]);
        check(3, &[(1 << 40) - 1; 9]);
    }

    #[test]
    fn a_renumbering_is_found_among_costs_that_differ_in_the_last_bit() {
        let units = 300;
        let onto = |unit: usize| (7 * unit + 11) % units;
        let costs: Vec<u64> =
            (0..units * units).map(|at| u64::from(onto(at / units) != at % units) + (1 << 39)).collect();
        let found = assignment(&Costs::given(units, &costs));
        assert!(found.iter().enumerate().all(|(unit, &column)| column == onto(unit)));
    }

    #[test]
    fn large_random_costs_meet_their_least_sum() {
        for (units, span) in [(400, 1 << 40), (400, 50), (333, 3)] {
            let mut state = 9_u64;
            let costs: Vec<u64> = (0..units * units)
                .map(|_| {
                    state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                    (state >> 20) % span
                })
                .collect();
            check(units, &costs);
        }
    }

    proptest! {
        #[test]
        fn any_costs_meet_their_least_sum(units in 1..24_usize, span in 1..400_u64, seed in any::<u64>()) {
            let mut state = seed;
            let costs: Vec<u64> = (0..units * units)
                .map(|_| {
                    state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                    (state >> 33) % span
                })
                .collect();
            check(units, &costs);
        }
    }
}
