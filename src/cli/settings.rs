//! Which models, and how to reach them: from arguments and environment to what the library is given, which itself reads no environment.

use std::{
    env,
    io::{self, Read},
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context, bail};
use hub_audit::{
    Error,
    cache::Cache,
    hub::{HubOptions, HuggingFaceCache, Proxy, RetryPolicy, Token},
    model::AuditError,
    serve::Replica,
    spec::{ModelSource, ModelSpec, Revision, parse_model_list},
};

use super::{environment, options::advised, render_error::folder_of_this_name, size::Size};

/// Where in the cache the embedded Hub's tensors are kept apart.
pub(crate) const DEMO: &str = "demo";

/// Lists longer than this are mistakes.
const TEXT_CAP: u64 = 16 * 1024 * 1024;

/// Which models.
#[derive(Debug, clap::Args)]
#[expect(clippy::struct_field_names, reason = "arguments are called by their fields")]
pub(crate) struct Models {
    /// Models: owner/name[@revision], or a folder as ./path, /path or `file:PATH`.
    #[arg(value_name = "MODEL")]
    pub(crate) models: Vec<String>,
    /// Read models from FILE, one per line, with optional group=NAME, label=NAME and layer=N; `-` is standard input.
    #[arg(long = "models", value_name = "FILE")]
    pub(crate) list: Option<PathBuf>,
    /// Branch, tag or commit of models that are given without `@REV`.
    ///
    /// Default: main.
    #[arg(long, value_name = "REV", value_parser = advised::<Revision>)]
    pub(crate) revision: Option<Revision>,
}

/// How to reach the Hub, and what is kept.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Hub and cache")]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
pub(crate) struct HubArgs {
    /// Base URL of the Hub.
    #[arg(long, value_name = "URL", env = "HF_ENDPOINT", default_value = "https://huggingface.co")]
    pub(crate) endpoint: String,
    /// Read the token from this file.
    ///
    /// Default: `HF_TOKEN`, else the file `HF_TOKEN_PATH`, else `$HF_HOME/token`.
    #[arg(long, value_name = "PATH")]
    pub(crate) token_file: Option<PathBuf>,
    /// Send no token.
    #[arg(long, conflicts_with = "token_file")]
    pub(crate) no_token: bool,
    /// Cache folder.
    ///
    /// Default: ./cache if that is one, else the user's cache folder (~/.cache/hub-audit on Linux).
    #[arg(long, value_name = "DIR", env = "HUB_AUDIT_CACHE")]
    pub(crate) cache_dir: Option<PathBuf>,
    /// Use no network, only the cache and local folders (also `HF_HUB_OFFLINE=1`).
    #[arg(long)]
    pub(crate) offline: bool,
    /// Do not read from the Hugging Face cache (it is never written).
    #[arg(long)]
    pub(crate) no_hf_cache: bool,
    /// Trust files of the Hugging Face cache without verifying them.
    ///
    /// By default each file is hashed once and must match the SHA-256 or git id that the Hub lists.
    #[arg(long, conflicts_with = "no_hf_cache")]
    pub(crate) no_verify: bool,
    /// Maximum bytes of headers, indexes, listings and small files, unpacked, over all models.
    #[arg(long, value_name = "SIZE", default_value = "256MB")]
    pub(crate) max_metadata: Size,
    /// Maximum concurrent requests.
    #[arg(long, value_name = "N", default_value_t = 32, value_parser = clap::value_parser!(u16).range(1..=512))]
    pub(crate) jobs: u16,
    /// Give up if the Hub asks to wait longer than this (seconds).
    #[arg(long, value_name = "SECONDS", default_value_t = 330)]
    pub(crate) max_wait: u64,
    /// Use the embedded Hub with nine synthetic models; without MODEL, commands take all or some of them.
    ///
    /// upstage/Solar-Open-100B, zai-org/GLM-4.5-Air, microsoft/Phi-3.5-MoE-instruct, mistralai/Mixtral-8x7B-Instruct-v0.1,
    /// mistralai/Mistral-7B-Instruct-v0.3, 01-ai/Yi-1.5-6B-Chat, 01-ai/Yi-1.5-9B-Chat, internlm/internlm2-chat-7b, Qwen/Qwen1.5-7B-Chat.
    #[arg(long)]
    pub(crate) demo: bool,
}

impl Models {
    /// The models that were named, list first read.
    pub(crate) fn specs(&self) -> anyhow::Result<Vec<ModelSpec>> {
        let mut specs = Vec::new();
        for text in &self.models {
            specs.push(self.spec(text).map_err(|error| match folder_of_this_name(text) {
                Some(hint) => anyhow::anyhow!("{error}; {hint}"),
                None => error.into(),
            })?);
        }
        if let Some(path) = &self.list {
            let text = read_list(path)?;
            specs.extend(parse_model_list(&text, &self.default_revision()).map_err(Error::from)?);
        }
        let is_folder = |spec: &ModelSpec| matches!(spec.source, ModelSource::Folder(_));
        if let Some(revision) = &self.revision
            && !specs.is_empty()
            && specs.iter().all(is_folder)
        {
            bail!("--revision {revision} applies to models of the Hub, and only folders are given");
        }
        Ok(specs)
    }

    /// One model, as it may be named here.
    pub(crate) fn spec(&self, text: &str) -> Result<ModelSpec, Error> {
        Ok(ModelSpec::parse(text, &self.default_revision())?)
    }

    fn default_revision(&self) -> Revision {
        self.revision.clone().unwrap_or_default()
    }

    /// The models that were named, or these of the embedded Hub where `--demo` stands alone.
    pub(crate) fn or_demo<'m>(
        &self,
        hub: &HubArgs,
        demo: impl IntoIterator<Item = &'m str>,
    ) -> anyhow::Result<Vec<ModelSpec>> {
        if !self.is_demo_alone(hub) {
            return self.specs();
        }
        if self.revision.is_some() {
            bail!("--revision applies to models that you give, and none are given");
        }
        Ok(demo.into_iter().map(str::parse).collect::<Result<_, _>>().map_err(Error::from)?)
    }

    /// The same with all nine of the embedded Hub; an error if there are no models.
    pub(crate) fn required(&self, hub: &HubArgs) -> anyhow::Result<Vec<ModelSpec>> {
        self.required_or_demo(hub, Replica::nine().ids())
    }

    /// As [`Models::or_demo`]; an error if there are no models.
    pub(crate) fn required_or_demo<'m>(
        &self,
        hub: &HubArgs,
        demo: impl IntoIterator<Item = &'m str>,
    ) -> anyhow::Result<Vec<ModelSpec>> {
        let specs = self.or_demo(hub, demo)?;
        if specs.is_empty() {
            return Err(Error::from(AuditError::NoModels).into());
        }
        Ok(specs)
    }

    /// Whether `--demo` is given and no model.
    pub(crate) fn is_demo_alone(&self, hub: &HubArgs) -> bool {
        hub.demo && self.models.is_empty() && self.list.is_none()
    }
}

fn read_list(path: &Path) -> anyhow::Result<String> {
    let mut text = String::new();
    let mut read = |source: &mut dyn Read| source.take(TEXT_CAP + 1).read_to_string(&mut text);
    if path == Path::new("-") {
        read(&mut io::stdin()).context("the model list cannot be read from standard input")?;
    } else {
        let mut file = fs_err::File::open(path).context("the model list cannot be read")?;
        read(&mut file).context("the model list cannot be read")?;
    }
    anyhow::ensure!(text.len() as u64 <= TEXT_CAP, "the model list has more than {TEXT_CAP} bytes");
    Ok(without_mark(&text).to_owned())
}

/// A text without the byte-order mark that some editors write before it.
pub(super) fn without_mark(text: &str) -> &str {
    text.trim_start_matches('\u{feff}')
}

impl HubArgs {
    /// Whether the network is switched off. The embedded Hub is no network.
    pub(crate) fn is_offline(&self) -> bool {
        let by_variable = || ["HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"].into_iter().any(environment::is_true);
        !self.demo && (self.offline || by_variable())
    }

    /// How to reach the Hub.
    pub(crate) fn hub_options(&self) -> anyhow::Result<HubOptions> {
        let seconds = |name: &str| env::var(name).ok().and_then(|text| text.trim().parse::<u64>().ok());
        let defaults = HubOptions::default();
        let read_timeout = seconds("HF_HUB_DOWNLOAD_TIMEOUT").map_or(defaults.read_timeout, Duration::from_secs);
        Ok(HubOptions {
            endpoint: self.endpoint.clone(),
            token: self.token()?,
            jobs: usize::from(self.jobs),
            offline: self.is_offline(),
            max_metadata: self.max_metadata.0,
            read_timeout: read_timeout.max(Duration::from_secs(1)),
            retry: RetryPolicy { max_wait: Duration::from_secs(self.max_wait), ..RetryPolicy::default() },
            proxy: if self.demo { Proxy::None } else { environment::proxy() },
            ..defaults
        })
    }

    /// The token: the file named on the command line, else `HF_TOKEN`, else the file `HF_TOKEN_PATH` or `$HF_HOME/token`.
    fn token(&self) -> anyhow::Result<Option<Token>> {
        if self.no_token || self.demo {
            return Ok(None);
        }
        if let Some(path) = &self.token_file {
            let text = fs_err::read_to_string(path).context("the token file cannot be read")?;
            let holds_none = || format!("the token file `{}` holds no token", path.display());
            return token_of(&text, &path.display().to_string())?.with_context(holds_none).map(Some);
        }
        if environment::is_true("HF_HUB_DISABLE_IMPLICIT_TOKEN") {
            return Ok(None);
        }
        for name in ["HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"] {
            let text = env::var_os(name).unwrap_or_default();
            if let Some(token) = token_of(&text.to_string_lossy(), name)? {
                return Ok(Some(token));
            }
        }
        let path = env::var_os("HF_TOKEN_PATH").map(PathBuf::from).or_else(|| Some(hugging_face_home()?.join("token")));
        // No file is the usual case; one that cannot be read is none of our business unless it was asked for.
        let text = path.as_ref().and_then(|path| fs_err::read_to_string(path).ok()).unwrap_or_default();
        token_of(&text, &path.unwrap_or_default().display().to_string())
    }

    /// The Hugging Face cache, if it is there and may be read. The embedded Hub's models are not those that
    /// it has under their names.
    pub(crate) fn hugging_face_cache(&self) -> Option<HuggingFaceCache> {
        if self.no_hf_cache || self.demo {
            return None;
        }
        let named = ["HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"].iter().find_map(env::var_os);
        let folder = named.map(PathBuf::from).or_else(|| Some(hugging_face_home()?.join("hub")));
        let cache = HuggingFaceCache::open(&folder?)?;
        Some(if self.no_verify { cache.unverified() } else { cache })
    }

    /// The cache's folder. The embedded Hub's tensors are kept apart: they are not those of the models whose names they bear.
    pub(crate) fn cache_folder(&self) -> anyhow::Result<PathBuf> {
        let folder = cache_folder(self.cache_dir.as_deref())?;
        Ok(if self.demo { folder.join(DEMO) } else { folder })
    }
}

/// The token that `text`, found in `place`, is.
fn token_of(text: &str, place: &str) -> anyhow::Result<Option<Token>> {
    Token::new(without_mark(text))
        .map_err(Error::from)
        .with_context(|| format!("the token in `{place}` cannot be used"))
}

/// The cache's folder: the one that was named, `./cache` where it is one of ours, else the user's cache folder.
pub(crate) fn cache_folder(named: Option<&Path>) -> anyhow::Result<PathBuf> {
    if let Some(folder) = named {
        return Ok(folder.to_owned());
    }
    let here = Path::new("cache");
    if Cache::is_marked(here) {
        return Ok(here.to_owned());
    }
    user_cache()
        .map(|folder| folder.join("hub-audit"))
        .context("there is no home folder for the cache: choose one with --cache-dir")
}

fn user_cache() -> Option<PathBuf> {
    env::var_os("XDG_CACHE_HOME")
        .map(PathBuf::from)
        .filter(|path| path.is_absolute())
        .or_else(|| Some(env::home_dir()?.join(".cache")))
}

fn hugging_face_home() -> Option<PathBuf> {
    env::var_os("HF_HOME").map(PathBuf::from).or_else(|| Some(user_cache()?.join("huggingface")))
}
