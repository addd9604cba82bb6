//! Names from a file, made safe to print.
//!
//! A tensor's name is any JSON string: it may hold line breaks, terminal escapes, or marks that turn the direction of the
//! text. All that shows such a name goes through [`Escaped`], so that a file cannot write to the terminal.

use std::fmt::{self, Write};

/// Longest name shown in full, in characters.
pub(crate) const SHOWN: usize = 200;

/// Displays a name with its control and direction characters escaped, and its end left off past 200 characters.
#[derive(Debug, Clone, Copy)]
pub struct Escaped<'a>(pub &'a str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, c) in self.0.chars().enumerate() {
            if index == SHOWN {
                return f.write_char('…');
            }
            if c.is_control() || is_invisible(c) {
                write!(f, "{}", c.escape_default())?;
            } else {
                f.write_char(c)?;
            }
        }
        Ok(())
    }
}

/// Characters that change how their neighbours are shown, without being shown themselves.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_cannot_write_to_the_terminal() {
        assert_eq!(Escaped("a\u{1b}[31m\nb").to_string(), "a\\u{1b}[31m\\nb");
        assert_eq!(Escaped("a\u{202e}b").to_string(), "a\\u{202e}b");
        assert_eq!(Escaped("层.0.weight").to_string(), "层.0.weight");
    }

    #[test]
    fn a_long_name_is_cut() {
        let shown = Escaped(&"x".repeat(1000)).to_string();
        assert_eq!(shown.chars().count(), SHOWN + 1);
    }
}
