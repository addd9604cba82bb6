//! Groups of options that commands share: which models and tensors, how to reach them, what may move, what is written.

use std::{fmt::Display, path::PathBuf, str::FromStr};

use clap::ValueEnum;
use hub_audit::{
    Hint,
    family::{LayerSelection, RoleSelection},
    metric::{Metric, align::Gauge},
    model::Pairing,
    report::Format,
};

use super::{
    relate::{ChosenLayer, NamedGroup, Normal},
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
pub(crate) struct Models {
    /// Models: owner/name[@revision], or a folder as ./path, /path or `file:PATH`.
    #[arg(value_name = "MODEL")]
    pub(crate) models: Vec<String>,
    /// A list of models, one a line, with optional group=NAME, label=NAME and layer=N after it; `-` is standard input.
    #[arg(long = "models", value_name = "FILE")]
    pub(crate) list: Option<PathBuf>,
}

/// How to reach the Hub, and what is kept.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Hub and cache")]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
pub(crate) struct Reach {
    /// The Hub's base URL.
    #[arg(long, value_name = "URL", env = "HF_ENDPOINT", default_value = "https://huggingface.co")]
    pub(crate) endpoint: String,
    /// File that holds the token.
    ///
    /// Default: `HF_TOKEN`, else the file `HF_TOKEN_PATH`, else `$HF_HOME/token`.
    #[arg(long, value_name = "PATH")]
    pub(crate) token_file: Option<PathBuf>,
    /// Send no token.
    #[arg(long, conflicts_with = "token_file")]
    pub(crate) no_token: bool,
    /// Folder of the cache.
    ///
    /// Default: ./cache where that is one, else the user's cache folder.
    #[arg(long, value_name = "DIR", env = "HUB_AUDIT_CACHE")]
    pub(crate) cache_dir: Option<PathBuf>,
    /// Use no network: answer from the cache and from folders only (also `HF_HUB_OFFLINE=1`).
    #[arg(long)]
    pub(crate) offline: bool,
    /// Do not read files that the Hugging Face cache already has; they are never written either way.
    #[arg(long)]
    pub(crate) no_hf_cache: bool,
    /// Believe files of the Hugging Face cache unread.
    ///
    /// By default each must have the SHA-256 or git id that the Hub lists; it is read once for that.
    #[arg(long, conflicts_with = "no_hf_cache")]
    pub(crate) no_verify: bool,
    /// Most bytes of headers, indexes, listings and small files that may come over the network, over all models together.
    #[arg(long, value_name = "SIZE", default_value = "256MB")]
    pub(crate) max_metadata: Size,
    /// Requests at once, over all models together.
    #[arg(long, value_name = "N", default_value_t = 32, value_parser = clap::value_parser!(u16).range(1..=512))]
    pub(crate) jobs: u16,
    /// Longest wait in seconds that the Hub may ask for when its rate limit is reached.
    #[arg(long, value_name = "SECONDS", default_value_t = 330)]
    pub(crate) max_wait: u64,
    /// Use the embedded Hub with nine synthetic models instead of the real one.
    #[arg(long)]
    pub(crate) demo: bool,
}

/// Which tensors of each model.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Tensors")]
pub(crate) struct Choice {
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
    /// Default: `all`.
    #[arg(long, value_name = "SPEC", value_parser = advised::<LayerSelection>)]
    pub(crate) layers: Option<LayerSelection>,
    /// Choose by name instead of role; a group (?<layer>…) tells the layer.
    #[arg(long, value_name = "REGEX")]
    pub(crate) tensor: Option<String>,
    /// Leave out names that match; by default names with `.experts.` in them.
    #[arg(long, value_name = "REGEX", conflicts_with = "experts")]
    pub(crate) skip: Option<String>,
    /// Leave out nothing: compare routed experts too.
    ///
    /// Not needed where their roles are named.
    #[arg(long)]
    pub(crate) experts: bool,
    /// Take biases beside weights.
    #[arg(long)]
    pub(crate) biases: bool,
}

/// What may move.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Limits")]
pub(crate) struct Limits {
    /// Most bytes of weights that may come over the network; a plan above it is refused before the first byte.
    #[arg(long, value_name = "SIZE", default_value = "1GB")]
    pub(crate) max_bytes: Size,
    /// Print what would be fetched, and fetch nothing.
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Threads for computing.
    ///
    /// Default, and most: one a core. The numbers do not depend on it.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(0..=4096))]
    pub(crate) threads: Option<u16>,
}

/// Form of what is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum StdoutFormat {
    /// Tables for people.
    Text,
    /// All tables as JSON.
    Json,
    /// The main table as CSV.
    Csv,
}

/// What is asked of weight matrices.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Matrices (with a matrix among the roles, or any of these options)")]
pub(crate) struct Matrices {
    /// Only this block of layers, such as 10-25; the same as --layers.
    #[arg(long, value_name = "SPEC", conflicts_with = "layers", value_parser = advised::<LayerSelection>)]
    pub(crate) block: Option<LayerSelection>,
    /// Compare layer k with layer k + N.
    ///
    /// Default: 1.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=512))]
    pub(crate) stride: Option<u32>,
    /// Work out over how many directions the difference of two layers spreads.
    ///
    /// Takes all matrices where no role is one.
    #[arg(long)]
    pub(crate) effective_rank: bool,
    /// Take off the freedom of the basis first.
    ///
    /// Fetches what it needs.
    #[arg(long, value_name = "G,...", value_delimiter = ',', value_parser = words::gauges())]
    pub(crate) align: Vec<Gauge>,
}

/// Which layers meet, and what is made of the pairs.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Pairs")]
pub(crate) struct Relate {
    /// Which layers meet: same index; same relative depth; all with all, of two models; mixed, one chosen layer a
    /// model.
    ///
    /// Default: mixed where layers are chosen by --at or layer=N, else same.
    #[arg(long, value_name = "RULE", value_parser = words::pairings())]
    pub(crate) pairing: Option<Pairing>,
    /// The chosen layer of models, by name or label; layer=N in a model list does the same.
    #[arg(long, value_name = "MODEL=N,...", value_delimiter = ',')]
    pub(crate) at: Vec<ChosenLayer>,
    /// A group of models, to be given once a group; group=NAME in a model list does the same.
    #[arg(long = "group", value_name = "NAME=MODEL,...")]
    pub(crate) groups: Vec<NamedGroup>,
    /// Pairs of random vectors to draw for each pair of tensors, with their means and deviations; 0 draws none.
    #[arg(long, value_name = "N")]
    pub(crate) trials: Option<u32>,
    /// Draw from this normal distribution instead, such as 1,0.1; 1000 trials unless --trials says otherwise.
    #[arg(long, value_name = "MEAN,SD")]
    pub(crate) baseline_normal: Option<Normal>,
    /// Order of rows and columns in heatmaps: as given, or as the clustering gives it.
    #[arg(long, value_enum, default_value = "given")]
    pub(crate) order: Order,
}

/// Order of rows and columns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Order {
    /// As the models were named.
    Given,
    /// Relatives next to each other.
    Cluster,
}

/// What is written, and where.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Output")]
pub(crate) struct Output {
    /// Folder for the report: report.json, tables as CSV, REPORT.md, report.html and pictures.
    #[arg(short = 'o', long = "output", value_name = "DIR")]
    pub(crate) dir: Option<PathBuf>,
    /// Formats to write under -o.
    #[arg(long, value_name = "F,...", value_delimiter = ',', default_value = "csv,json,md,html,svg,png", value_parser = words::formats())]
    pub(crate) formats: Vec<Format>,
    /// Form of what is printed.
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
    /// Seed of whatever is drawn at random.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) seed: u64,
}
