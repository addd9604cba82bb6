//! Sizes and ages as people write them: `1GB`, `500MB`, `30d`.

use std::{fmt, str::FromStr, time::Duration};

/// A number of bytes. `kB`, `MB`, `GB`, `TB` are powers of 1000; `KiB`, `MiB`, `GiB`, `TiB` of 1024.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Size(pub(crate) u64);

impl FromStr for Size {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (number, unit) = split(text);
        let factor: u64 = match unit.to_ascii_lowercase().as_str() {
            "" | "b" => 1,
            "k" | "kb" => 1_000,
            "m" | "mb" => 1_000_000,
            "g" | "gb" => 1_000_000_000,
            "t" | "tb" => 1_000_000_000_000,
            "kib" => 1 << 10,
            "mib" => 1 << 20,
            "gib" => 1 << 30,
            "tib" => 1 << 40,
            _ => return Err(format!("`{unit}` is not a unit of size; write 500MB, 1GB or 2GiB")),
        };
        let refuse = || "write a size as 500MB, 1GB or 2GiB".to_owned();
        if let Ok(whole) = number.parse::<u64>() {
            return whole.checked_mul(factor).map(Self).ok_or_else(refuse);
        }
        let value: f64 = number.parse().map_err(|_| refuse())?;
        let bytes = value * factor as f64;
        // 2^63 keeps the conversion exact in range; nobody asks for more.
        if !(0.0..9.2e18).contains(&bytes) {
            return Err(refuse());
        }
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked just above")]
        Ok(Self(bytes as u64))
    }
}

impl fmt::Display for Size {
    /// At most three digits before the unit: `73.7 kB`, `5.9 MB`, `600 GB`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut value = self.0 as f64;
        let mut unit = "bytes";
        for next in ["kB", "MB", "GB", "TB"] {
            if value < 999.5 {
                break;
            }
            value /= 1000.0;
            unit = next;
        }
        if unit == "bytes" || value >= 99.95 { write!(f, "{value:.0} {unit}") } else { write!(f, "{value:.1} {unit}") }
    }
}

/// A count for people, from a million on in short: `987654`, `7.25 B`, `102.7 B`.
pub(crate) fn short_count(count: u64) -> String {
    let units = [(1e12, "T"), (1e9, "B"), (1e6, "M")];
    // What would be rounded up to a thousand has the next unit.
    let fits = |&&(unit, _): &&(f64, &str)| count as f64 >= unit * 0.999_95;
    match units.iter().find(fits).filter(|_| count >= 1_000_000) {
        None => count.to_string(),
        Some((unit, name)) => {
            let value = count as f64 / unit;
            let digits = if value < 9.995 { 2 } else { 1 };
            format!("{value:.digits$} {name}")
        }
    }
}

/// A span of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Age(pub(crate) Duration);

impl FromStr for Age {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (number, unit) = split(text);
        let seconds: u64 = match unit {
            "s" => 1,
            "m" => 60,
            "h" => 3_600,
            "d" => 86_400,
            "w" => 604_800,
            _ => return Err("write an age as 30d, 12h or 2w".to_owned()),
        };
        let count: u64 = number.parse().map_err(|_| "write an age as 30d, 12h or 2w".to_owned())?;
        let total = count.checked_mul(seconds).ok_or_else(|| "the age is too long".to_owned())?;
        Ok(Self(Duration::from_secs(total)))
    }
}

impl fmt::Display for Age {
    /// In whole units, rounded down: `45 s`, `3 min`, `47 h`, `30 d`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.as_secs();
        match seconds {
            0..60 => write!(f, "{seconds} s"),
            60..3_600 => write!(f, "{} min", seconds / 60),
            3_600..172_800 => write!(f, "{} h", seconds / 3_600),
            _ => write!(f, "{} d", seconds / 86_400),
        }
    }
}

fn split(text: &str) -> (&str, &str) {
    let text = text.trim();
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    (&text[..end], text[end..].trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_as_people_write_them() {
        let size = |text: &str| text.parse::<Size>().map(|size| size.0);
        assert_eq!(size("1GB"), Ok(1_000_000_000));
        assert_eq!(size("1.5 MiB"), Ok(1_572_864));
        assert_eq!(size("42"), Ok(42));
        assert!(size("1 furlong").is_err());
        assert!(size("-1GB").is_err());
        assert!(size("99999999999TB").is_err());
    }

    #[test]
    fn sizes_are_short() {
        let shown: Vec<_> =
            [0, 999, 1000, 73_728, 5_900_000, 999_600, 600_000_000_000].map(|bytes| Size(bytes).to_string()).into();
        assert_eq!(shown, ["0 bytes", "999 bytes", "1.0 kB", "73.7 kB", "5.9 MB", "1.0 MB", "600 GB"]);
    }

    #[test]
    fn counts_are_short_from_a_million_on() {
        let shown =
            [0, 999_999, 1_000_000, 7_248_023_552, 9_994_000_000, 9_996_000_000, 102_651_799_552, 999_960_000_000]
                .map(short_count);
        assert_eq!(shown, ["0", "999999", "1.00 M", "7.25 B", "9.99 B", "10.0 B", "102.7 B", "1.00 T"]);
    }

    #[test]
    fn ages_have_units() {
        assert_eq!("30d".parse::<Age>(), Ok(Age(Duration::from_hours(30 * 24))));
        assert!("30".parse::<Age>().is_err());
        let shown =
            [59, 60, 3_599, 3_600, 172_799, 172_800].map(|seconds| Age(Duration::from_secs(seconds)).to_string());
        assert_eq!(shown, ["59 s", "1 min", "59 min", "1 h", "47 h", "2 d"]);
    }
}
