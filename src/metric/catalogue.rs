//! The metrics of a tensor pair: name, formula, range, symmetry, undefined cases.

use std::{fmt, str::FromStr};

use crate::hint::nearest;

macro_rules! metrics {
    ($($variant:ident $name:literal $symmetric:literal $range:literal $formula:literal $undefined:literal;)+) => {
        /// One metric of a pair of tensors, in the column order of `pairs.csv`.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        #[expect(clippy::doc_markdown, reason = "each variant's text is its formula")]
        pub enum Metric { $(#[doc = $formula] #[doc = concat!("Undefined: ", $undefined)] $variant,)+ }

        impl Metric {
            /// Every metric, in column order.
            pub const ALL: &'static [Metric] = &[$(Metric::$variant,)+];

            /// How many there are.
            pub const COUNT: usize = Metric::ALL.len();

            /// The column's name.
            pub fn name(self) -> &'static str {
                match self { $(Metric::$variant => $name,)+ }
            }

            /// Whether exchanging the two sides leaves the value as it is.
            pub fn is_symmetric(self) -> bool {
                match self { $(Metric::$variant => $symmetric,)+ }
            }

            #[cfg(test)]
            pub(super) fn range(self) -> &'static str {
                match self { $(Metric::$variant => $range,)+ }
            }
        }
    };
}

metrics! {
    CosSim "cos_sim" true "−1..1" "a·b / (‖a‖‖b‖)" "a norm is zero";
    CosNull "cos_null" true "−1..1" "μaμb / (rms_a rms_b): mean cosine when the channels of one side are permuted" "a norm is zero";
    CosNullSd "cos_null_sd" true "≥ 0" "σaσb / (rms_a rms_b √(n−1))" "a norm is zero, or n < 2";
    Pearson "pearson" true "−1..1" "(a−μa)·(b−μb) / (‖a−μa‖‖b−μb‖)" "a side is constant";
    ZPerm "z_perm" true "any" "r √(n−1) = (cos_sim − cos_null) / cos_null_sd" "a side is constant";
    Log10PPerm "log10_p_perm" true "≤ 0" "log10 of the two-sided normal tail at z_perm" "a side is constant";
    Spearman "spearman" true "−1..1" "Pearson of the midranks" "a side is constant";
    L2 "l2" true "≥ 0" "‖a−b‖" "";
    RelL2Err "rel_l2_err" false "≥ 0" "‖a−b‖ / ‖a‖" "‖a‖ is 0";
    RelL2ErrB "rel_l2_err_b" false "≥ 0" "‖a−b‖ / ‖b‖" "‖b‖ is 0";
    RelL2Sym "rel_l2_sym" true "≥ 0" "2‖a−b‖ / (‖a‖+‖b‖)" "both norms are 0";
    MeanAbsDiff "mean_abs_diff" true "≥ 0" "mean of |a−b|" "";
    MaxAbsDiff "max_abs_diff" true "≥ 0" "max of |a−b|" "";
    Q01AbsDiff "q01_abs_diff" true "≥ 0" "1 % quantile of |a−b|, linear interpolation" "";
    Q05AbsDiff "q05_abs_diff" true "≥ 0" "5 % quantile of |a−b|, linear interpolation" "";
    Q50AbsDiff "q50_abs_diff" true "≥ 0" "median of |a−b|" "";
    Q95AbsDiff "q95_abs_diff" true "≥ 0" "95 % quantile of |a−b|, linear interpolation" "";
    Q99AbsDiff "q99_abs_diff" true "≥ 0" "99 % quantile of |a−b|, linear interpolation" "";
    MeanRelDiff "mean_rel_diff" true "0..2" "mean of |a−b| / max(|a|,|b|) where not both are 0" "all elements are 0";
    MaxRelDiff "max_rel_diff" true "0..2" "max of |a−b| / max(|a|,|b|) where not both are 0" "all elements are 0";
    NormRatio "norm_ratio" false "≥ 0" "‖b‖ / ‖a‖" "‖a‖ is 0";
    MeanRatio "mean_ratio" false "any" "μb / μa" "a mean is near zero";
    StdRatio "std_ratio" false "≥ 0" "σb / σa" "σa is 0";
    ZeroFracA "zero_frac_a" false "0..1" "share of exact zeros in a" "";
    ZeroFracB "zero_frac_b" false "0..1" "share of exact zeros in b" "";
    ChangedFrac "changed_frac" true "0..1" "share of elements with a ≠ b" "";
    CvGap "cv_gap" true "≥ 0" "|σa/|μa| − σb/|μb||" "a mean is near zero";
    AbsValueQ99Gap "abs_value_q99_gap" true "≥ 0" "|Q.99(|a|) − Q.99(|b|)|" "";
    Residual "residual" true "0..2" "√max(2 − 2 cos, 0)" "a norm is zero";
    ResidualScaled "residual_scaled" true "0..1" "√max(1 − cos², 0)" "a norm is zero";
    SignAgreement "sign_agreement" true "0..1" "share of elements with sgn a = sgn b, where sgn 0 = 0" "";
}

impl fmt::Display for Metric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Metric {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let found = Self::ALL.iter().copied().find(|metric| metric.name() == name);
        found.ok_or_else(|| {
            let names: Vec<&str> = Self::ALL.iter().map(|metric| metric.name()).collect();
            let advice = match nearest(name, names.iter().copied()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("the metrics are {}", names.join(", ")),
            };
            format!("`{name}` is not a metric; {advice}")
        })
    }
}

/// Why a value is absent. A value that is undefined is never shown as a number.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Undefined {
    /// A norm that would be divided by is zero.
    ZeroNorm,
    /// A side does not vary: σ ≤ 4·ε·|μ|, with ε = [`f64::EPSILON`] whatever the elements are.
    Constant,
    /// The shapes differ.
    Shape,
    /// A side holds NaN or infinite elements.
    NonFinite {
        /// How many, over both sides.
        count: u64,
    },
    /// Too few elements.
    TooFew,
    /// A mean that would be divided by does not differ from zero: |μ| < 3σ/√n.
    MeanNearZero,
    /// A tensor is missing, unreadable, or of a type that is not decoded; the text says which.
    NotComparable(String),
}

impl Undefined {
    /// What such pairs are, after their number: `2 of differing shape`.
    pub fn of_pairs(&self) -> &'static str {
        match self {
            Self::ZeroNorm => "with a norm of zero",
            Self::Constant => "with a constant side",
            Self::Shape => "of differing shape",
            Self::NonFinite { .. } => "with NaN or infinite elements",
            Self::TooFew => "with too few elements",
            Self::MeanNearZero => "with a mean near zero",
            Self::NotComparable(_) => "with a side that is missing or cannot be compared",
        }
    }

    /// What is the matter with one tensor.
    pub fn of_tensor(&self) -> String {
        match self {
            Self::ZeroNorm => "all its elements are 0".to_owned(),
            Self::Constant => "all its elements are equal".to_owned(),
            Self::NonFinite { count: 1 } => "1 of its elements is not finite".to_owned(),
            Self::NonFinite { count } => format!("{count} of its elements are not finite"),
            other => other.to_string(),
        }
    }
}

impl fmt::Display for Undefined {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ZeroNorm => f.write_str("ZeroNorm"),
            Self::Constant => f.write_str("Constant"),
            Self::Shape => f.write_str("Shape"),
            Self::NonFinite { count } => write!(f, "NonFinite{{{count}}}"),
            Self::TooFew => f.write_str("TooFew"),
            Self::MeanNearZero => f.write_str("MeanNearZero"),
            Self::NotComparable(reason) => f.write_str(reason),
        }
    }
}
