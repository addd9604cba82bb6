//! One number of a report, or the reason why there is none. NaN and infinity are not numbers here: they become reasons at
//! the door, so that no format needs to think of them.

use crate::metric::Undefined;

/// A finite number, or the reason why it is absent.
#[derive(Debug, Clone, PartialEq)]
pub struct Datum(Result<f64, String>);

impl Datum {
    /// `value`, or "not a finite number".
    pub fn new(value: f64) -> Self {
        Self(if value.is_finite() { Ok(value) } else { Err("not a finite number".to_owned()) })
    }

    /// Absent, because of `reason`.
    pub fn undefined(reason: impl Into<String>) -> Self {
        Self(Err(reason.into()))
    }

    /// The number, always finite; `None` where it is undefined.
    pub fn value(&self) -> Option<f64> {
        self.0.as_ref().ok().copied()
    }

    /// Why there is no number; `None` where there is one.
    pub fn reason(&self) -> Option<&str> {
        self.0.as_ref().err().map(String::as_str)
    }

    /// The number or the reason.
    pub fn get(&self) -> Result<f64, &str> {
        self.0.as_ref().copied().map_err(String::as_str)
    }
}

impl From<f64> for Datum {
    fn from(value: f64) -> Self {
        Self::new(value)
    }
}

impl From<Result<f64, Undefined>> for Datum {
    fn from(value: Result<f64, Undefined>) -> Self {
        Self::from(&value)
    }
}

impl From<&Result<f64, Undefined>> for Datum {
    fn from(value: &Result<f64, Undefined>) -> Self {
        match value {
            Ok(value) => Self::new(*value),
            Err(reason) => Self::undefined(reason.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nan_and_infinity_are_reasons_and_never_numbers() {
        for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            let datum = Datum::from(Ok::<_, Undefined>(value));
            assert_eq!(datum.get(), Err("not a finite number"));
        }
        assert_eq!(Datum::new(0.25).value(), Some(0.25));
    }
}
