//! One name of a family with its numbers left open, compiled to a key that can be looked up.
//!
//! An index may hold half a million names and a family some sixty templates, so nothing is matched by trying: a name's
//! numbers are replaced by `#` (see [`super::name`]), the rest is a key in a hash map, and only the handful of
//! templates with that key look at the numbers.

use super::name::number;

/// What a number in a template stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Number {
    Layer,
    Expert,
    Any,
    Exactly(u32),
}

/// A compiled template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Template {
    pub(super) key: String,
    numbers: Vec<Number>,
}

impl Template {
    /// Compiles a template; the error says what is wrong with it.
    pub(super) fn parse(text: &str) -> Result<Self, &'static str> {
        let mut template = Self { key: String::with_capacity(text.len()), numbers: Vec::new() };
        for segment in text.split('.') {
            let open = match segment {
                "" => return Err("a segment is empty"),
                "{layer}" => Some(Number::Layer),
                "{expert}" => Some(Number::Expert),
                "{any}" => Some(Number::Any),
                _ if segment.contains(['{', '}', '@', '#']) => {
                    return Err("a placeholder is unknown or part of a segment");
                }
                _ => number(segment).map(Number::Exactly),
            };
            if let Some(open @ (Number::Layer | Number::Expert)) = open
                && template.numbers.contains(&open)
            {
                return Err("a placeholder stands twice");
            }
            if !template.key.is_empty() {
                template.key.push('.');
            }
            template.key.push_str(if open.is_some() { "#" } else { segment });
            template.numbers.extend(open);
        }
        Ok(template)
    }

    /// Reads layer and expert from the numbers of a name whose key is this template's.
    pub(super) fn capture(&self, numbers: &[u32]) -> Option<[Option<u32>; 2]> {
        let [mut layer, mut expert] = [None; 2];
        if numbers.len() != self.numbers.len() {
            return None;
        }
        for (open, &number) in self.numbers.iter().zip(numbers) {
            match open {
                Number::Layer => layer = Some(number),
                Number::Expert => expert = Some(number),
                Number::Any => {}
                Number::Exactly(exact) if *exact == number => {}
                Number::Exactly(_) => return None,
            }
        }
        Some([layer, expert])
    }

    /// Whether some name matches both.
    pub(super) fn overlaps(&self, other: &Self) -> bool {
        self.key == other.key
            && self.numbers.iter().zip(&other.numbers).all(|pair| match pair {
                (Number::Exactly(a), Number::Exactly(b)) => a == b,
                _ => true,
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn template(text: &str) -> Template {
        Template::parse(text).unwrap()
    }

    #[test]
    fn a_template_reads_layer_and_expert() {
        let expert = template("layers.{layer}.mlp.experts.{expert}.up_proj");
        assert_eq!(expert.key, "layers.#.mlp.experts.#.up_proj");
        assert_eq!(expert.capture(&[3, 17]), Some([Some(3), Some(17)]));
        assert_eq!(expert.capture(&[3]), None);
    }

    #[test]
    fn a_written_number_must_be_that_number() {
        let norm = template("block.{layer}.layer.1.layer_norm");
        assert!(norm.capture(&[5, 1]).is_some());
        assert!(norm.capture(&[5, 2]).is_none());
    }

    #[test]
    fn templates_overlap_where_one_name_matches_both() {
        let norm = template("block.{layer}.layer.1.layer_norm");
        assert!(!norm.overlaps(&template("block.{layer}.layer.2.layer_norm")));
        assert!(norm.overlaps(&template("block.{layer}.layer.{any}.layer_norm")));
        assert!(!norm.overlaps(&template("block.{layer}.layer.1.norm")));
    }

    #[test]
    fn a_faulty_template_is_refused() {
        for text in ["", "a..b", "layers.{layer", "l{layer}", "{layer}.{layer}", "a.{head}", "@.a"] {
            assert!(Template::parse(text).is_err(), "{text}");
        }
    }
}
