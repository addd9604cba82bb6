//! How an attention's rows divide into heads.

use faer::Mat;

use super::{aligned::cosine, blocks::cross};
use crate::metric::{Undefined, Weights};

/// Heads of an attention.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HeadLayout {
    /// Query heads.
    pub heads: usize,
    /// Key and value heads; each serves heads/groups query heads in turn.
    pub groups: usize,
    /// Rows of a head.
    pub width: usize,
}

/// The four matrices of an attention, each `[out, in]`.
#[derive(Debug, Clone, Copy)]
pub struct Projections<'a> {
    /// heads·width × hidden.
    pub q: &'a Weights,
    /// groups·width × hidden.
    pub k: &'a Weights,
    /// groups·width × hidden.
    pub v: &'a Weights,
    /// hidden × heads·width.
    pub o: &'a Weights,
}

/// A matrix of both layers that divides into heads, by rows or else by columns.
#[derive(Clone, Copy)]
pub(super) struct Divided<'a> {
    pub(super) sides: [&'a Weights; 2],
    in_rows: bool,
}

impl Divided<'_> {
    /// The product of both norms; undefined where the cosine is.
    pub(super) fn norms(&self) -> Result<f64, Undefined> {
        cosine(self.sides).map(|(_, norms)| norms)
    }

    /// The cross-product of a head of both sides.
    pub(super) fn cross(&self, head: usize, width: usize, scale: f64) -> Mat<f64> {
        cross(self.sides, self.in_rows, head * width, width, scale)
    }
}

impl HeadLayout {
    /// Query heads per key and value head; the reason where they do not divide.
    pub(super) fn shared_by(&self) -> Result<usize, Undefined> {
        if self.groups == 0 || self.heads == 0 || self.width == 0 || !self.heads.is_multiple_of(self.groups) {
            return Err(Undefined::NotComparable(format!(
                "{} query heads of {} rows cannot be shared among {} key and value heads",
                self.heads, self.width, self.groups
            )));
        }
        Ok(self.heads / self.groups)
    }

    /// q, k, v and o of two layers; the reason where they do not have these heads.
    pub(super) fn divide<'a>(&self, a: &Projections<'a>, b: &Projections<'a>) -> Result<[Divided<'a>; 4], Undefined> {
        self.check(a)?;
        self.check(b)?;
        let of = |a, b, in_rows| Divided { sides: [a, b], in_rows };
        Ok([of(a.q, b.q, true), of(a.k, b.k, true), of(a.v, b.v, true), of(a.o, b.o, false)])
    }

    /// Whether the matrices have these heads; the reason where they have not.
    fn check(&self, of: &Projections<'_>) -> Result<(), Undefined> {
        self.shared_by()?;
        let (queries, keys) = (self.heads * self.width, self.groups * self.width);
        let hidden = of.q.columns();
        let expected = [
            ("q_proj", of.q.shape(), (queries, hidden)),
            ("k_proj", of.k.shape(), (keys, hidden)),
            ("v_proj", of.v.shape(), (keys, hidden)),
            ("o_proj", of.o.shape(), (hidden, queries)),
        ];
        for (role, found, expected) in expected {
            if found != expected {
                return Err(Undefined::NotComparable(format!(
                    "{role} is {} × {}, and {} query heads and {} key and value heads of {} rows on a width of {hidden} make it {} × {}",
                    found.0, found.1, self.heads, self.groups, self.width, expected.0, expected.1
                )));
            }
        }
        Ok(())
    }
}
