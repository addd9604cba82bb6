//! Tensors whose equality with another is no evidence, told while their values pass by.

use super::pattern::{Pattern, TrivialClass};
use crate::{
    dtype::Dtype,
    values::{Values, for_any},
};

/// Fewer elements than this prove nothing by being equal.
const TINY: u64 = 16;

/// Looks at values piece by piece, and stops looking as soon as nothing trivial is left to be found.
#[derive(Debug)]
pub struct TrivialTest {
    seen: u64,
    numel: u64,
    /// The first element, and whether all others equal it.
    first: Option<f64>,
    constant: bool,
    second: f64,
    patterns: Vec<Pattern>,
}

impl TrivialTest {
    /// Of a tensor of this type and shape, none of whose values have come yet.
    pub fn new(dtype: &Dtype, shape: &[u64]) -> Self {
        Self {
            seen: 0,
            numel: shape.iter().product(),
            first: None,
            constant: true,
            second: f64::NAN,
            patterns: Pattern::candidates(dtype, shape),
        }
    }

    /// Whether more values could change the answer. They need not be decoded otherwise.
    pub fn is_open(&self) -> bool {
        self.constant || !self.patterns.is_empty()
    }

    /// Looks at the next values.
    pub fn update(&mut self, values: &Values) {
        for_any!(values, elements => self.look(elements));
    }

    /// The class, once all values have been seen; `None` where equality would be evidence, or where values are missing.
    pub fn finish(self) -> Option<TrivialClass> {
        if self.numel == 0 {
            return Some(TrivialClass::Tiny);
        }
        if self.seen != self.numel && self.is_open() {
            return None;
        }
        match (self.constant, self.patterns.first()) {
            (true, _) => Some(TrivialClass::Constant),
            (_, Some(pattern)) => Some(pattern.class),
            _ => (self.numel < TINY).then_some(TrivialClass::Tiny),
        }
    }

    fn look<T: Number>(&mut self, elements: &[T]) {
        let Some(&head) = elements.first() else { return };
        if self.constant {
            let first = *self.first.get_or_insert(head.approximate());
            // A tensor of nothing but NaN is not called constant: it is broken, and reported as that.
            #[expect(clippy::float_cmp, reason = "the same number or not")]
            let goes_on = head.approximate() == first && elements.windows(2).all(|pair| pair[0] == pair[1]);
            self.constant = goes_on;
        }
        if self.seen < 2 {
            let at = usize::from(self.seen == 0);
            if let Some(second) = elements.get(at) {
                self.second = second.approximate();
            }
        }
        let (start, second) = (self.seen, self.second);
        self.patterns.retain(|pattern| {
            let mut indexed = (start..).zip(elements);
            indexed.all(|(index, element)| pattern.agrees(second, index, element.approximate()))
        });
        self.seen += elements.len() as u64;
    }
}

/// An element as a number, good enough for a formula: beyond 2^53 integers are rounded.
trait Number: Copy + PartialEq {
    fn approximate(self) -> f64;
}

macro_rules! numbers {
    ($($type:ty)+) => {
        $(impl Number for $type {
            fn approximate(self) -> f64 {
                f64::from(self)
            }
        })+
    };
}

numbers!(f32 f64 i8 i16 i32 u8 u16 u32 bool);

impl Number for i64 {
    fn approximate(self) -> f64 {
        self as f64
    }
}

impl Number for u64 {
    fn approximate(self) -> f64 {
        self as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn class(values: &Values, shape: &[u64]) -> Option<TrivialClass> {
        {
            let mut test = TrivialTest::new(&Dtype::F32, shape);
            test.update(values);
            test.finish()
        }
    }

    fn floats(n: usize, f: impl Fn(usize) -> f64) -> Values {
        #[expect(clippy::cast_possible_truncation, reason = "as a model in f32 would hold it")]
        Values::F32((0..n).map(|i| f(i) as f32).collect())
    }

    #[test]
    fn tensors_that_prove_nothing_are_named() {
        assert_eq!(class(&Values::F32(vec![1.0; 4096]), &[4096]), Some(TrivialClass::Constant));
        assert_eq!(class(&Values::I8(vec![0]), &[1]), Some(TrivialClass::Constant));
        assert_eq!(class(&Values::F32(vec![]), &[0]), Some(TrivialClass::Tiny));
        assert_eq!(class(&floats(15, |i| (i as f64).sin()), &[15]), Some(TrivialClass::Tiny));
        assert_eq!(class(&floats(16, |i| (i as f64).sin()), &[16]), None);
        assert_eq!(class(&Values::F32(vec![f32::NAN; 16]), &[16]), None);
    }

    #[test]
    fn buffers_that_a_formula_fills_are_named() {
        let fixed = |values: Values, shape: &[u64]| class(&values, shape);
        let identity = |i: usize| f64::from(i / 22 == i % 22 + 1);
        let whisper = |i: usize| {
            let angle = (i / 384) as f64 * (-(10_000_f64.ln()) / 191.0 * (i % 384 % 192) as f64).exp();
            if i % 384 < 192 { angle.sin() } else { angle.cos() }
        };
        let rotary = |i: usize| 500_000_f64.powf(-(i as f64) / 64.0);
        let hann = |i: usize| (std::f64::consts::PI * i as f64 / 400.0).sin().powi(2);
        assert_eq!(fixed(Values::I64((0..512).collect()), &[1, 512]), Some(TrivialClass::Positions));
        assert_eq!(fixed(floats(23 * 22, identity), &[23, 22]), Some(TrivialClass::OneHot));
        assert_eq!(fixed(floats(400 * 384, whisper), &[400, 384]), Some(TrivialClass::Sinusoids));
        assert_eq!(fixed(floats(64, rotary), &[64]), Some(TrivialClass::Frequencies));
        assert_eq!(fixed(floats(400, hann), &[400]), Some(TrivialClass::Window));
        let mask = (0..64 * 64).map(|i| i % 64 <= i / 64).collect();
        assert_eq!(fixed(Values::Bool(mask), &[1, 1, 64, 64]), Some(TrivialClass::CausalMask));
    }

    #[test]
    fn one_element_that_is_off_makes_a_buffer_a_tensor() {
        for wrong in [0, 1, 200, 511] {
            let mut ids: Vec<i64> = (0..512).collect();
            ids[wrong] += 1;
            assert_eq!(class(&Values::I64(ids), &[1, 512]), None);
        }
    }

    #[test]
    fn pieces_are_judged_as_the_whole() {
        let whole: Vec<f32> = vec![0.5; 100];
        for cut in [0, 1, 50, 99] {
            let mut test = TrivialTest::new(&Dtype::F32, &[100]);
            test.update(&Values::F32(whole[..cut].to_vec()));
            test.update(&Values::F32(whole[cut..].to_vec()));
            assert_eq!(test.finish(), Some(TrivialClass::Constant));
            let mut test = TrivialTest::new(&Dtype::U8, &[100]);
            let ids: Vec<u8> = (0..100).collect();
            test.update(&Values::U8(ids[..cut].to_vec()));
            test.update(&Values::U8(ids[cut..].to_vec()));
            assert_eq!(test.finish(), Some(TrivialClass::Positions));
        }
        let mut half = TrivialTest::new(&Dtype::F32, &[100]);
        half.update(&Values::F32(whole[..50].to_vec()));
        assert_eq!(half.finish(), None);
    }
}
