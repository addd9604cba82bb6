//! Groups of options that commands share: which models and tensors, how to reach them, what may move, what is written.

use std::{fmt::Display, path::PathBuf, str::FromStr};

use clap::ValueEnum;
use hub_audit::{
    Hint,
    family::{LayerSelection, RoleSelection},
    metric::{Metric, align::Gauge},
    model::Pairing,
    report::Format,
    spec::Revision,
};

use super::{
    pairing::{ChosenLayer, NamedGroup, Normal},
    size::Size,
    words,
};

/// Reads a value, and gives the advice that its error has beside the message: clap prints the message alone.
pub(super) fn advised<T: FromStr<Err: Display + Hint>>(text: &str) -> Result<T, String> {
    text.parse().map_err(|error: T::Err| match error.hint() {
        Some(hint) => format!("{error}; {hint}"),
        None => error.to_string(),
    })
}

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

/// Which tensors of each model.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Tensors")]
pub(crate) struct TensorArgs {
    /// Roles, comma-separated, or `norms`, `matrices`, `all`.
    #[arg(
        long,
        value_name = "R,...",
        default_value = "input_layernorm",
        value_parser = words::roles(),
        hide_possible_values = true,
        long_help = words::roles_help(
            "Roles, comma-separated, or `norms`, `matrices`, `all`. Tensors outside the layers are chosen by role alone."
        )
    )]
    pub(crate) role: RoleSelection,
    /// Layers: `all`, `last`, numbers and ranges such as 0,10,20 or 5-30:5.
    ///
    /// Default: `all`; 10 for `survey`, `fetch`, `hash` and `compare` with --demo and no model.
    #[arg(long, value_name = "SPEC", value_parser = advised::<LayerSelection>)]
    pub(crate) layers: Option<LayerSelection>,
    /// Select tensors by name instead of role; a group (?<layer>…) is the layer.
    #[arg(long, value_name = "REGEX")]
    pub(crate) tensor: Option<String>,
    /// Exclude names that match [default: names that contain `.experts.`].
    #[arg(long, value_name = "REGEX", conflicts_with = "experts")]
    pub(crate) skip: Option<String>,
    /// Include routed experts (implied when an expert role is named).
    #[arg(long)]
    pub(crate) experts: bool,
    /// Include biases.
    #[arg(long)]
    pub(crate) biases: bool,
}

/// What is asked before weights are read.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Limits")]
pub(crate) struct Proof {
    /// First find identical tensors by the Hub's hashes of chunks of files, without reading them.
    ///
    /// One request per file, and one token per model. `compare` then reads such a tensor from the first model only, with the same
    /// numbers; `lineage` counts such tensors. Tensors that are not shown to be identical may still be.
    #[arg(long)]
    pub(crate) chunks: bool,
    /// With --chunks: also request Merkle nodes within the bounds of tensors, which show equal content wherever it is stored.
    ///
    /// Two more requests per file. Not yet checked on the live Hub.
    #[arg(long, requires = "chunks")]
    pub(crate) fingerprints: bool,
}

/// What may move.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Limits")]
pub(crate) struct Limits {
    /// Maximum weight bytes to download; a larger plan is refused before the first byte.
    #[arg(long, value_name = "SIZE", default_value = "1GB")]
    pub(crate) max_bytes: Size,
    /// Print what would be downloaded, without downloading.
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Compute threads [default: all cores]; results are identical for any value.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(0..=4096))]
    pub(crate) threads: Option<u16>,
}

/// Output format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum StdoutFormat {
    /// Readable tables.
    Text,
    /// All tables as JSON.
    Json,
    /// The main table as CSV.
    Csv,
}

/// What is asked of weight matrices.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Matrices (used if a role is a matrix, or with any of these options)")]
pub(crate) struct Matrices {
    /// Only this block of layers, such as 10-25 (same as --layers).
    #[arg(long, value_name = "SPEC", conflicts_with = "layers", value_parser = advised::<LayerSelection>)]
    pub(crate) block: Option<LayerSelection>,
    /// Compare layer k with layer k + N.
    ///
    /// Default: 1.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=512))]
    pub(crate) stride: Option<u32>,
    /// Compute the effective rank of the difference of two layers.
    ///
    /// Uses all matrices if no role is one.
    #[arg(long)]
    pub(crate) effective_rank: bool,
    /// Align before comparing, to remove changes of basis.
    ///
    /// Downloads the additional tensors that this needs.
    #[arg(long, value_name = "G,...", value_delimiter = ',', value_parser = words::gauges())]
    pub(crate) align: Vec<Gauge>,
}

/// Which layers meet, and what is made of the pairs.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Pairs")]
pub(crate) struct PairingArgs {
    /// How layers are paired: same index, same relative depth, all × all (two models), or one chosen layer per model.
    ///
    /// Default: mixed if layers are chosen with --at or layer=N, else same.
    #[arg(long, value_name = "RULE", value_parser = words::pairings())]
    pub(crate) pairing: Option<Pairing>,
    /// Choose the layer of a model, by name or label (also layer=N in a model list).
    #[arg(long, value_name = "MODEL=N,...", value_delimiter = ',')]
    pub(crate) at: Vec<ChosenLayer>,
    /// Define a group of models; repeat for each group (also group=NAME in a model list).
    #[arg(long = "group", value_name = "NAME=MODEL,...")]
    pub(crate) groups: Vec<NamedGroup>,
    /// Random vector pairs to draw per pair of tensors, with their means and standard deviations.
    #[arg(long, value_name = "N")]
    pub(crate) trials: Option<u32>,
    /// Draw from this normal distribution instead, such as 1,0.1 (1000 trials unless --trials is given).
    #[arg(long, value_name = "MEAN,SD")]
    pub(crate) baseline_normal: Option<Normal>,
    /// Order of rows and columns in heatmaps: as given, or by clustering.
    #[arg(long, value_enum, default_value = "given")]
    pub(crate) order: Order,
}

/// Order of rows and columns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Order {
    /// As the models are given.
    Given,
    /// Similar models next to each other.
    Cluster,
}

/// What is written, and where.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Output")]
pub(crate) struct Output {
    /// Write the report to this folder: report.json, CSV tables, REPORT.md, report.html and pictures.
    #[arg(short = 'o', long = "output", value_name = "DIR")]
    pub(crate) dir: Option<PathBuf>,
    /// Formats to write under -o.
    #[arg(long, value_name = "F,...", value_delimiter = ',', default_value = "csv,json,md,html,svg,png", value_parser = words::formats())]
    pub(crate) formats: Vec<Format>,
    /// Omit title and subtitle from picture files (for figures that have a caption).
    #[arg(long)]
    pub(crate) no_title: bool,
    /// Output format.
    #[arg(long, value_enum, default_value = "text")]
    pub(crate) format: StdoutFormat,
    /// Metrics for matrices and pictures.
    #[arg(
        long,
        value_name = "M,...",
        value_delimiter = ',',
        default_value = "cos_sim,pearson",
        value_parser = words::metrics(),
        hide_possible_values = true,
        long_help = words::metrics_help("Metrics for matrices and pictures, comma-separated.")
    )]
    pub(crate) metric: Vec<Metric>,
    /// Random seed.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) seed: u64,
}
