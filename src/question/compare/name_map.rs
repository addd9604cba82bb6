//! A table of regular expressions and replacements, by which names of one model become those of the other.

use std::collections::BTreeMap;

use regex::Regex;
use serde::Deserialize;

use crate::model::AuditError;

/// The table; of several patterns that match a name, the first counts.
#[derive(Debug, Clone, Default)]
pub struct NameMap {
    rules: Vec<Rule>,
}

#[derive(Debug, Clone)]
struct Rule {
    line: usize,
    pattern: Regex,
    replacement: String,
}

impl NameMap {
    /// Reads CSV: a pattern and its replacement a line, `#` before comments.
    pub fn from_csv(text: &str) -> Result<Self, AuditError> {
        let mut rules = Vec::new();
        for (line, text) in
            (1..).zip(text.lines()).filter(|(_, text)| !text.trim().is_empty() && !text.starts_with('#'))
        {
            let mut reader = csv::ReaderBuilder::new();
            let mut reader = reader.has_headers(false).trim(csv::Trim::All).from_reader(text.as_bytes());
            let record = reader.records().next().transpose();
            let record = record.map_err(|error| AuditError::NameMap { line, reason: error.to_string() })?;
            let [pattern, replacement] = record.iter().flatten().collect::<Vec<_>>()[..] else {
                let cells = record.as_ref().map_or(0, csv::StringRecord::len);
                let reason = format!("a pattern and a replacement are two cells, and it has {cells}");
                return Err(AuditError::NameMap { line, reason });
            };
            if rules.is_empty() && ["pattern", "regex"].contains(&pattern) && replacement == "replacement" {
                continue;
            }
            rules.push(Rule::new(line, pattern, replacement)?);
        }
        Ok(Self { rules })
    }

    /// Reads TOML: keys are patterns, and their values the replacements.
    pub fn from_toml(text: &str) -> Result<Self, AuditError> {
        #[derive(Deserialize)]
        struct Rules(BTreeMap<String, toml::Spanned<String>>);
        let line_of = |at: usize| 1 + text.bytes().take(at).filter(|&byte| byte == b'\n').count();
        let Rules(written) = toml::from_str(text).map_err(|error| AuditError::NameMap {
            line: error.span().map_or(0, |span| line_of(span.start)),
            reason: error.message().to_owned(),
        })?;
        let mut written: Vec<_> = written.into_iter().collect();
        written.sort_by_key(|(_, replacement)| replacement.span().start);
        let rule = |(pattern, replacement): (String, toml::Spanned<String>)| {
            Rule::new(line_of(replacement.span().start), &pattern, replacement.get_ref())
        };
        Ok(Self { rules: written.into_iter().map(rule).collect::<Result<_, _>>()? })
    }

    /// What a name becomes; `None` where no pattern matches.
    pub(super) fn apply(&self, name: &str) -> Option<String> {
        let rule = self.rules.iter().find(|rule| rule.pattern.is_match(name))?;
        Some(rule.pattern.replace(name, rule.replacement.as_str()).into_owned())
    }

    /// Lines of the rules that match none of these names.
    pub fn unused<'n>(&self, names: impl Iterator<Item = &'n str>) -> Vec<usize> {
        let mut unused: Vec<&Rule> = self.rules.iter().collect();
        for name in names {
            unused.retain(|rule| !rule.pattern.is_match(name));
        }
        unused.into_iter().map(|rule| rule.line).collect()
    }
}

impl Rule {
    fn new(line: usize, pattern: &str, replacement: &str) -> Result<Self, AuditError> {
        let wrong = |reason: String| AuditError::NameMap { line, reason };
        let pattern = Regex::new(pattern).map_err(|error| wrong(error.to_string()))?;
        if let Some(group) = groups(replacement).into_iter().find(|group| !has_group(&pattern, group)) {
            return Err(wrong(format!(
                "`${group}` in `{}` is no group of the pattern; ${{1}} keeps a number apart from what follows",
                replacement.escape_debug()
            )));
        }
        Ok(Self { line, pattern, replacement: replacement.to_owned() })
    }
}

/// The groups that a replacement asks for, as `regex` reads it.
fn groups(replacement: &str) -> Vec<&str> {
    let mut groups = Vec::new();
    let mut rest = replacement;
    while let Some(at) = rest.find('$') {
        rest = &rest[at + 1..];
        if let Some(after) = rest.strip_prefix('$') {
            rest = after;
        } else if let Some((group, after)) = rest.strip_prefix('{').and_then(|braced| braced.split_once('}')) {
            groups.push(group);
            rest = after;
        } else {
            let end = rest.find(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_').unwrap_or(rest.len());
            groups.extend((end > 0).then(|| &rest[..end]));
            rest = &rest[end..];
        }
    }
    groups
}

fn has_group(pattern: &Regex, group: &str) -> bool {
    let is_number = group.parse::<usize>().is_ok_and(|number| number < pattern.captures_len());
    is_number || pattern.capture_names().flatten().any(|name| name == group)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_give_the_same_names_in_the_order_of_the_file() {
        let csv = NameMap::from_csv("# names\nregex,replacement\n^blocks\\.(\\d+),layers.${1}\n^b,\"x,y\"\n").unwrap();
        let toml = NameMap::from_toml("# names\n'^blocks\\.(\\d+)' = 'layers.${1}'\n'^b' = 'x,y'\n").unwrap();
        for map in [csv, toml] {
            assert_eq!(map.apply("blocks.3.w").as_deref(), Some("layers.3.w"));
            assert_eq!(map.apply("bias").as_deref(), Some("x,yias"));
            assert_eq!(map.apply("a.blocks.3"), None);
            assert_eq!(map.unused(["blocks.0"].into_iter()).len(), 0);
            assert_eq!(map.unused(["c"].into_iter()).len(), 2);
        }
    }

    #[test]
    fn an_error_names_its_line() {
        let csv = |text: &str| NameMap::from_csv(text).unwrap_err().to_string();
        let toml = |text: &str| NameMap::from_toml(text).unwrap_err().to_string();
        assert!(csv("a,b\n\n(,b\n").starts_with("line 3 "));
        assert!(csv("a,b\na\n").starts_with("line 2 "));
        assert!(csv("a,b\n(a),$2x\n").starts_with("line 2 "));
        assert!(toml("a = 'b'\n'(' = 'x'\n").starts_with("line 2 "));
        assert!(toml("a = 'b'\n\nb = 3\n").starts_with("line 3 "));
        assert!(toml("a = 'b'\nb c\n").starts_with("line 2 "));
    }
}
