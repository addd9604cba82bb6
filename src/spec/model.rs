//! A model as the user names it, alone or in a list.

use std::{
    fmt,
    path::{Path, PathBuf},
    str::FromStr,
};

use percent_encoding::percent_decode_str;

use super::{
    error::{SpecError, no_model},
    id::{RepoId, Revision},
};

/// Where a model's files are.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum ModelSource {
    /// A repository on the Hub.
    Hub {
        /// Its id.
        repo: RepoId,
        /// What was asked for; pinned to a commit before the first byte is read.
        revision: Revision,
    },
    /// A folder that holds a checkpoint as on the Hub.
    Folder(PathBuf),
}

impl fmt::Display for ModelSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Hub { repo, revision } if *revision == Revision::default() => write!(f, "{repo}"),
            Self::Hub { repo, revision } => write!(f, "{repo}@{revision}"),
            Self::Folder(path) => write!(f, "{}", path.display()),
        }
    }
}

/// One model that a question is about, as the user named it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelSpec {
    /// Where its files are.
    pub source: ModelSource,
    /// `label=` of a model list: the short name for rows and columns.
    pub label: Option<String>,
    /// `group=` of a model list.
    pub group: Option<String>,
    /// `layer=` of a model list: the layer that is compared where each model has one of its own.
    pub layer: Option<u32>,
}

impl fmt::Display for ModelSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.source.fmt(f)
    }
}

impl FromStr for ModelSpec {
    type Err = SpecError;

    /// As [`ModelSpec::parse`], at the branch `main` where no revision is written.
    fn from_str(text: &str) -> Result<Self, SpecError> {
        Self::parse(text, &Revision::default())
    }
}

impl ModelSpec {
    /// `owner/name[@revision]`, `name[@revision]`, `hf://owner/name[@revision]`, the address of a model's page, `./folder`,
    /// `/folder` or `file:PATH`; at the revision `default` where none is written.
    pub fn parse(text: &str, default: &Revision) -> Result<Self, SpecError> {
        let source = if let Some(path) = text.strip_prefix("file:") {
            folder(text, Path::new(path))?
        } else if text.starts_with(['.', '/']) {
            folder(text, Path::new(text))?
        } else if let Some(path) = WEB.iter().find_map(|start| text.strip_prefix(start)) {
            page(text, path, default)?
        } else {
            let addressed = text.strip_prefix("hf://");
            let named = addressed.map_or(text, |named| named.strip_suffix('/').unwrap_or(named));
            if addressed.is_some() {
                model_repository(text, named)?;
            }
            let (repo, revision) = match named.split_once('@') {
                Some((repo, revision)) => {
                    if revision.contains('@') {
                        return Err(no_model(text, "there is more than one `@`"));
                    }
                    (repo, revision.parse()?)
                }
                None => (named, default.clone()),
            };
            ModelSource::Hub { repo: repo.parse()?, revision }
        };
        Ok(Self { source, label: None, group: None, layer: None })
    }
}

/// Beginnings of the addresses of the Hub's pages.
const WEB: [&str; 6] = [
    "https://huggingface.co/",
    "http://huggingface.co/",
    "https://www.huggingface.co/",
    "https://hf.co/",
    "huggingface.co/",
    "hf.co/",
];

/// What does not begin the path of a model.
fn model_repository(text: &str, path: &str) -> Result<(), SpecError> {
    let reason = match path.split('/').next() {
        Some("datasets") => "it is a repository of data, and models are compared",
        Some("spaces") => "it is a Space, and models are compared",
        Some("buckets") => "it is a bucket, and models are compared",
        _ => return Ok(()),
    };
    Err(no_model(text, reason))
}

/// A model's page: `owner/name`, alone or followed by `/tree/REVISION`, `/blob/REVISION/FILE` or `/resolve/REVISION/FILE`.
fn page(text: &str, path: &str, default: &Revision) -> Result<ModelSource, SpecError> {
    model_repository(text, path)?;
    let path = path.split(['?', '#']).next().unwrap_or_default();
    let decoded = |segment: &str| percent_decode_str(segment).decode_utf8_lossy().into_owned();
    let segments: Vec<&str> = path.split('/').filter(|segment| !segment.is_empty()).collect();
    let (repo, revision) = match segments.as_slice() {
        [] => return Err(no_model(text, "the address names no model")),
        [name] => ((*name).to_owned(), default.clone()),
        [owner, name] => (format!("{owner}/{name}"), default.clone()),
        [owner, name, "tree" | "blob" | "resolve" | "commit", revision, ..] => {
            (format!("{owner}/{name}"), decoded(revision).parse()?)
        }
        _ => return Err(no_model(text, "the address is not that of a model's files")),
    };
    Ok(ModelSource::Hub { repo: repo.parse()?, revision })
}

fn folder(text: &str, path: &Path) -> Result<ModelSource, SpecError> {
    if path.as_os_str().is_empty() {
        return Err(no_model(text, "the folder has no name"));
    }
    Ok(ModelSource::Folder(path.to_owned()))
}

/// Reads a `--models` list: one MODEL a line, `#` comments, optional `group=NAME`, `label=NAME` and `layer=N` after it. `default` is the revision of
/// a model that is written without one.
pub fn parse_model_list(text: &str, default: &Revision) -> Result<Vec<ModelSpec>, SpecError> {
    let mut models = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let line = line.split('#').next().unwrap_or_default().trim();
        if line.is_empty() {
            continue;
        }
        let on_line = |source: SpecError| SpecError::Line { line: number + 1, source: Box::new(source) };
        let mut words = line.split_whitespace();
        let first = words.next().unwrap_or_default();
        let mut model = ModelSpec::parse(first, default).map_err(on_line)?;
        for word in words {
            match word.split_once('=') {
                Some(("group", name)) if !name.is_empty() => model.group = Some(name.to_owned()),
                Some(("label", name)) if !name.is_empty() => model.label = Some(name.to_owned()),
                Some(("layer", number)) if number.parse::<u32>().is_ok() => model.layer = number.parse().ok(),
                _ => return Err(on_line(SpecError::ListWord { word: word.to_owned() })),
            }
        }
        models.push(model);
    }
    Ok(models)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_that_people_paste_name_models() {
        for (text, named) in [
            ("hf://o/a", "o/a"),
            ("hf://o/a@v1", "o/a@v1"),
            ("https://huggingface.co/o/a", "o/a"),
            ("https://huggingface.co/o/a/tree/main", "o/a"),
            ("https://huggingface.co/o/a/tree/v1/sub", "o/a@v1"),
            ("https://huggingface.co/o/a/blob/refs%2Fpr%2F1/model.safetensors?download=true", "o/a@refs/pr/1"),
            ("hf.co/gpt2/", "gpt2"),
        ] {
            assert_eq!(text.parse::<ModelSpec>().unwrap().to_string(), named, "{text}");
        }
        for text in [
            "hf://datasets/o/a",
            "https://huggingface.co/spaces/o/a",
            "https://huggingface.co/",
            "hf.co/o/a/discussions/1",
        ] {
            assert!(text.parse::<ModelSpec>().is_err(), "{text}");
        }
    }

    fn hub(text: &str) -> (String, String) {
        match text.parse::<ModelSpec>().unwrap().source {
            ModelSource::Hub { repo, revision } => (repo.to_string(), revision.to_string()),
            ModelSource::Folder(path) => panic!("a folder: {}", path.display()),
        }
    }

    #[test]
    fn a_model_is_a_repository_at_a_revision() {
        assert_eq!(hub("a/b"), ("a/b".into(), "main".into()));
        assert_eq!(hub("gpt2"), ("gpt2".into(), "main".into()));
        assert_eq!(hub("a/b@refs/pr/1"), ("a/b".into(), "refs/pr/1".into()));
    }

    #[test]
    fn a_model_is_a_folder_when_it_looks_like_a_path() {
        for text in ["./a", "../a", "/a/b", "file:a"] {
            let spec: ModelSpec = text.parse().unwrap();
            assert!(matches!(spec.source, ModelSource::Folder(_)), "{text}");
        }
    }

    #[test]
    fn nonsense_is_refused_with_a_reason() {
        for text in ["", "a/b/c", "a b", "a/", "/..", "a@b@c", "a/..", "a@", "-a/b", "a/b?x=1", "file:"] {
            let folder = text.starts_with('/');
            assert_eq!(text.parse::<ModelSpec>().is_err(), !folder, "{text}");
        }
    }

    #[test]
    fn a_list_has_groups_labels_and_comments() {
        let parse_model_list = |text: &str| parse_model_list(text, &"v2".parse().unwrap());
        let list = parse_model_list("# nine\na/b group=moe label=B layer=7 # x\n\n./c\n").unwrap();
        assert_eq!(list.len(), 2);
        assert_eq!(list[0].group.as_deref(), Some("moe"));
        assert_eq!(list[0].label.as_deref(), Some("B"));
        assert_eq!((list[0].layer, list[1].layer), (Some(7), None));
        let named = |text: &str| parse_model_list(text).unwrap()[0].to_string();
        assert_eq!(
            (list[0].to_string(), named("a/b@main"), named("hf.co/a/b")),
            ("a/b@v2".to_owned(), "a/b".to_owned(), "a/b@v2".to_owned())
        );
        assert!(parse_model_list("a/b layer=seven").is_err());
        let error = parse_model_list("a/b\na/b colour=red").unwrap_err();
        assert!(error.to_string().contains("line 2"));
    }
}
