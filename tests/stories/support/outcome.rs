//! How a run of the program ended, what it said, and what it wrote.

use std::{collections::BTreeMap, fmt, process::Output};

use regex::Regex;

/// Exit status and both streams, with all that differs from run to run replaced by words.
pub(crate) struct Outcome {
    pub(crate) status: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    /// Both streams as they came.
    pub(crate) raw: String,
}

impl Outcome {
    /// `names` replaces addresses and folders: (as it is, as it is shown).
    pub(super) fn new(output: &Output, names: &[(String, &str)]) -> Self {
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
        Self {
            // A run that was killed by a signal has none.
            status: output.status.code().unwrap_or(-1),
            raw: format!("{stdout}{stderr}"),
            stdout: filtered(stdout, names),
            stderr: filtered(stderr, names),
        }
    }

    /// The same outcome, once it is known to have this status; what was said is shown where it has not.
    #[track_caller]
    pub(crate) fn expect(self, status: i32) -> Self {
        assert_eq!(self.status, status, "{self}");
        self
    }

    /// Asserts that each of the texts was printed on stderr.
    #[track_caller]
    pub(crate) fn says(&self, texts: &[&str]) {
        for text in texts {
            assert!(self.stderr.contains(text), "`{text}` is not in:\n{self}");
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "exit status {}", self.status)?;
        for (name, text) in [("stdout", &self.stdout), ("stderr", &self.stderr)] {
            if !text.is_empty() {
                write!(f, "\n----- {name} -----\n{}", text.trim_end())?;
            }
        }
        Ok(())
    }
}

/// The rows of a `pairs.csv` as (column, cell).
pub(crate) fn rows(text: &str) -> Vec<BTreeMap<String, String>> {
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    reader.deserialize().map(Result::unwrap).collect()
}

fn filtered(mut text: String, names: &[(String, &str)]) -> String {
    for (name, shown) in names {
        text = text.replace(name.as_str(), shown);
    }
    let seconds = Regex::new(r", \d+\.\d s\b").unwrap();
    seconds.replace_all(&text, ", TIME").into_owned()
}
