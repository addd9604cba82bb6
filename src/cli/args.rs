//! What can be typed. Help texts are sentences; names are a contract with scripts.

use std::{fmt::Display, path::PathBuf, str::FromStr};

use clap::{Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use hub_audit::{
    Hint,
    audit::{Condition, Pairing, Sample},
    family::{LayerSelection, RoleSelection},
    metric::{Metric, align::Gauge},
    report::{Format, critique::Language},
};

use super::{
    relate::{ChosenLayer, NamedGroup, Normal},
    size::Size,
};

/// Reads a value, and gives the advice that its error has beside the message: clap prints the message alone.
fn advised<T: FromStr<Err: Display + Hint>>(text: &str) -> Result<T, String> {
    text.parse().map_err(|error: T::Err| match error.hint() {
        Some(hint) => format!("{error}; {hint}"),
        None => error.to_string(),
    })
}

/// Audit open-weight models straight from the Hugging Face Hub, without downloading them.
///
/// Reads safetensors headers by HTTP range, fetches only the tensors a question needs into a local .npy cache, and compares
/// them. Every cosine is printed beside the value it would have if the two models had nothing to do with each other.
///
/// MODEL is owner/name[@revision], or a folder: ./path, /path or <file:path>.
#[derive(Debug, Parser)]
#[command(name = "hub-audit", bin_name = "hub-audit", version, max_term_width = 100)]
#[command(
    after_help = "Exit status: 0 done; 1 done, and --fail-if holds or something asked for is missing; 2 could not do it."
)]
pub(crate) struct Args {
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Command,
    /// Print no progress and no summary of the traffic.
    #[arg(short, long, global = true)]
    pub(crate) quiet: bool,
    /// Print more: warnings about every model's files.
    #[arg(short, long, global = true)]
    pub(crate) verbose: bool,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Tell what is in each model, from its headers alone; with several, which roles can be compared.
    Inspect(InspectArgs),
    /// Bring tensors into the cache; prints one .npy path a line.
    Fetch(FetchArgs),
    /// Compare the layers of each model with each other: layer 0, neighbours, by distance, layer × layer.
    Layers(LayersArgs),
    /// Compare every tensor of two checkpoints, matrices apart from norms: all metrics, by role and layer, coverage.
    Compare(CompareArgs),
    /// Print the SHA-256 of tensors; with --matches the groups of equal ones across names, layers and models.
    Hash(HashArgs),
    /// Compare models with each other: model × model matrices by role and layer.
    Survey(SurveyArgs),
    /// Run the nine-model study of norm weights, experiments 1 to 6, beside its published figures.
    Critique(CritiqueArgs),
    /// Compare the token embeddings of two models, rows matched by the text of their tokens.
    Embeddings(EmbeddingsArgs),
    /// List, verify or prune what is kept.
    Cache(CacheArgs),
    /// Play the Hub on this machine for the checkpoints below DIR/owner/name.
    Serve(ServeArgs),
    /// Print a completion script for a shell.
    Completions(CompletionsArgs),
}

/// Which models.
#[derive(Debug, clap::Args)]
pub(crate) struct Models {
    /// Models: owner/name[@revision], or a folder as ./path, /path or <file:path>.
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
    #[arg(
        long,
        value_name = "URL",
        env = "HF_ENDPOINT",
        default_value = "https://huggingface.co"
    )]
    pub(crate) endpoint: String,
    /// File that holds the token. Default: `HF_TOKEN`, else the file `HF_TOKEN_PATH`, else $`HF_HOME/token`.
    #[arg(long, value_name = "PATH")]
    pub(crate) token_file: Option<PathBuf>,
    /// Send no token.
    #[arg(long, conflicts_with = "token_file")]
    pub(crate) no_token: bool,
    /// Folder of the cache. Default: ./cache where that exists, else the user's cache folder.
    #[arg(long, value_name = "DIR", env = "HUB_AUDIT_CACHE")]
    pub(crate) cache_dir: Option<PathBuf>,
    /// Use no network: answer from the cache and from folders only (also `HF_HUB_OFFLINE=1`).
    #[arg(long)]
    pub(crate) offline: bool,
    /// Do not read files that the Hugging Face cache already has; they are never written either way.
    #[arg(long)]
    pub(crate) no_hf_cache: bool,
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
    /// Roles, comma-separated, or `norms`, `matrices`, `all`. Tensors outside the layers are chosen by role alone.
    #[arg(long, value_name = "R,...", default_value = "input_layernorm", value_parser = advised::<RoleSelection>)]
    pub(crate) role: RoleSelection,
    /// Layers: `all`, `last`, numbers and ranges such as 0,10,20 or 5-30:5.
    #[arg(long, value_name = "SPEC", value_parser = advised::<LayerSelection>)]
    pub(crate) layers: Option<LayerSelection>,
    /// Choose by name instead of role; a group (?<layer>…) tells the layer.
    #[arg(long, value_name = "REGEX")]
    pub(crate) tensor: Option<String>,
    /// Leave out names that match; by default names with `.experts.` in them.
    #[arg(long, value_name = "REGEX", conflicts_with = "experts")]
    pub(crate) skip: Option<String>,
    /// Leave out nothing: compare routed experts too. Not needed where their roles are named.
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
    /// Threads for computing. Default: one a core. The numbers do not depend on it.
    #[arg(long, value_name = "N")]
    pub(crate) threads: Option<usize>,
}

/// Form of what is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum StdoutFormat {
    /// Tables for people.
    Text,
    /// JSON for programs.
    Json,
}

/// `inspect`.
#[derive(Debug, clap::Args)]
pub(crate) struct InspectArgs {
    #[command(flatten)]
    pub(crate) models: Models,
    /// List every tensor.
    #[arg(long)]
    pub(crate) tensors: bool,
    /// Form of what is printed.
    #[arg(long, value_enum, default_value = "text")]
    pub(crate) format: StdoutFormat,
    #[command(flatten)]
    pub(crate) reach: Reach,
}

/// `fetch`.
#[derive(Debug, clap::Args)]
pub(crate) struct FetchArgs {
    #[command(flatten)]
    pub(crate) models: Models,
    #[command(flatten)]
    pub(crate) choice: Choice,
    #[command(flatten)]
    pub(crate) limits: Limits,
    #[command(flatten)]
    pub(crate) reach: Reach,
}

/// `layers`.
#[derive(Debug, clap::Args)]
pub(crate) struct LayersArgs {
    #[command(flatten)]
    pub(crate) models: Models,
    #[command(flatten)]
    pub(crate) choice: Choice,
    #[command(flatten)]
    pub(crate) matrices: Matrices,
    #[command(flatten)]
    pub(crate) output: Output,
    /// Exit with status 1 if a layer and the next meet this condition, such as pearson<0.1 or abs(pearson)>0.9.
    #[arg(long, value_name = "EXPR")]
    pub(crate) fail_if: Option<Condition>,
    #[command(flatten)]
    pub(crate) limits: Limits,
    #[command(flatten)]
    pub(crate) reach: Reach,
}

/// What is asked of weight matrices.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Matrices (with a matrix among the roles, or any of these options)")]
pub(crate) struct Matrices {
    /// Only this block of layers, such as 10-25; the same as --layers.
    #[arg(long, value_name = "SPEC", conflicts_with = "layers", value_parser = advised::<LayerSelection>)]
    pub(crate) block: Option<LayerSelection>,
    /// Compare layer k with layer k + N. Default: 1.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=512))]
    pub(crate) stride: Option<u32>,
    /// Work out over how many directions the difference of two layers spreads. Takes all matrices where no role is one.
    #[arg(long)]
    pub(crate) effective_rank: bool,
    /// Take off the freedom of the basis first: heads, attention, mlp-rotation, mlp-permutation. Fetches what it needs.
    #[arg(long, value_name = "G,...", value_delimiter = ',', value_parser = advised::<Gauge>)]
    pub(crate) align: Vec<Gauge>,
}

/// `compare`.
#[derive(Debug, clap::Args)]
#[command(mut_arg("role", |role| role.default_value("all").help(
    "Roles, comma-separated, or `norms`, `matrices`, or `all`: every tensor, classified or not"
)), mut_arg("biases", |biases| biases.hide(true)))]
pub(crate) struct CompareArgs {
    #[command(flatten)]
    pub(crate) models: Models,
    /// Compare at most this many pairs, in the order of the layers.
    #[arg(long, value_name = "N")]
    pub(crate) max_tensors: Option<usize>,
    #[command(flatten)]
    pub(crate) choice: Choice,
    #[command(flatten)]
    pub(crate) output: Output,
    /// Exit with status 1 if a pair of tensors meets this condition, such as pearson>0.9 or abs(pearson)>0.5.
    #[arg(long, value_name = "EXPR", value_parser = advised::<Condition>)]
    pub(crate) fail_if: Option<Condition>,
    #[command(flatten)]
    pub(crate) limits: Limits,
    #[command(flatten)]
    pub(crate) reach: Reach,
}

/// `hash`.
#[derive(Debug, clap::Args)]
#[command(mut_arg("role", |role| role.default_value("all").help(
    "Roles, comma-separated, or `norms`, `matrices`, or `all`: every tensor, classified or not"
)))]
pub(crate) struct HashArgs {
    #[command(flatten)]
    pub(crate) models: Models,
    /// Print groups of equal tensors instead: by stored bytes, then by values rounded to BF16; trivial ones last.
    #[arg(long)]
    pub(crate) matches: bool,
    /// Print groups of equal files instead, by the hashes that the Hub states. No weights are read.
    #[arg(long, conflicts_with = "matches")]
    pub(crate) files: bool,
    #[command(flatten)]
    pub(crate) choice: Choice,
    #[command(flatten)]
    pub(crate) limits: Limits,
    #[command(flatten)]
    pub(crate) reach: Reach,
}

/// `survey`.
#[derive(Debug, clap::Args)]
pub(crate) struct SurveyArgs {
    #[command(flatten)]
    pub(crate) models: Models,
    #[command(flatten)]
    pub(crate) choice: Choice,
    #[command(flatten)]
    pub(crate) relate: Relate,
    #[command(flatten)]
    pub(crate) output: Output,
    /// Exit with status 1 if a pair of different models meets this condition, such as pearson>0.9 or abs(pearson)>0.5.
    #[arg(long, value_name = "EXPR", value_parser = advised::<Condition>)]
    pub(crate) fail_if: Option<Condition>,
    #[command(flatten)]
    pub(crate) limits: Limits,
    #[command(flatten)]
    pub(crate) reach: Reach,
}

/// `critique`.
#[derive(Debug, clap::Args)]
pub(crate) struct CritiqueArgs {
    #[command(flatten)]
    pub(crate) models: Models,
    /// Norms to run the experiments on: roles, comma-separated, or `norms`.
    #[arg(
        long,
        visible_alias = "role",
        value_name = "R,...",
        default_value = "input_layernorm"
    )]
    pub(crate) roles: RoleSelection,
    /// Read every layer of every model, not only those that the experiments compare.
    #[arg(long)]
    pub(crate) all_layers: bool,
    /// Language of the report's prose: en or ko.
    #[arg(long, value_name = "LANG", default_value = "en")]
    pub(crate) lang: Language,
    #[command(flatten)]
    pub(crate) output: Output,
    #[command(flatten)]
    pub(crate) limits: Limits,
    #[command(flatten)]
    pub(crate) reach: Reach,
}

/// `embeddings`.
#[derive(Debug, clap::Args)]
#[command(mut_arg("metric", |metric| metric.hide(true)))]
pub(crate) struct EmbeddingsArgs {
    #[command(flatten)]
    pub(crate) models: Models,
    /// Tokens to compare, drawn at random among those that both models have; or all.
    #[arg(long, value_name = "N|all", default_value = "2000", value_parser = advised::<Sample>)]
    pub(crate) tokens: Sample,
    /// The table: `embed_tokens`, or `lm_head` for the output embeddings.
    #[arg(long, value_enum, default_value = "embed_tokens")]
    pub(crate) role: TableRole,
    /// The table by name instead, for names that no family knows.
    #[arg(long, value_name = "REGEX", conflicts_with = "role")]
    pub(crate) tensor: Option<String>,
    /// Match rows by number alone and read no tokenizer: right only where both models use one vocabulary.
    #[arg(long)]
    pub(crate) same_id: bool,
    #[command(flatten)]
    pub(crate) output: Output,
    /// Exit with status 1 if the mean over compared tokens meets this condition, such as pearson>0.1 or abs(pearson)<0.5.
    #[arg(long, value_name = "EXPR", value_parser = advised::<Condition>)]
    pub(crate) fail_if: Option<Condition>,
    #[command(flatten)]
    pub(crate) limits: Limits,
    #[command(flatten)]
    pub(crate) reach: Reach,
}

/// A table whose rows are tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum TableRole {
    /// Input embeddings.
    #[value(name = "embed_tokens")]
    EmbedTokens,
    /// Output embeddings.
    #[value(name = "lm_head")]
    LmHead,
}

/// Which layers meet, and what is made of the pairs.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Pairs")]
pub(crate) struct Relate {
    /// Which layers meet: same index; same relative depth; all with all, of two models; mixed, one chosen layer a model.
    /// Default: mixed where layers are chosen by --at or layer=N, else same.
    #[arg(long, value_name = "same|depth|all|mixed")]
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
    /// Folder for the report: report.json, pairs.csv, matrices, REPORT.md and pictures.
    #[arg(short = 'o', long = "output", value_name = "DIR")]
    pub(crate) dir: Option<PathBuf>,
    /// Formats to write under -o.
    #[arg(
        long,
        value_name = "F,...",
        value_delimiter = ',',
        default_value = "csv,json,md,html,svg,png"
    )]
    pub(crate) formats: Vec<Format>,
    /// Form of what is printed.
    #[arg(long, value_enum, default_value = "text")]
    pub(crate) format: StdoutFormat,
    /// Metrics for matrices and pictures.
    #[arg(long, value_name = "M,...", value_delimiter = ',', default_value = "cos_sim,pearson")]
    pub(crate) metric: Vec<Metric>,
    /// Seed of whatever is drawn at random.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) seed: u64,
}

/// `cache`.
#[derive(Debug, clap::Args)]
pub(crate) struct CacheArgs {
    /// What to do with the cache.
    #[command(subcommand)]
    pub(crate) command: CacheCommand,
    /// Folder of the cache. Default: ./cache where that exists, else the user's cache folder.
    #[arg(long, value_name = "DIR", env = "HUB_AUDIT_CACHE", global = true)]
    pub(crate) cache_dir: Option<PathBuf>,
    /// The part that holds the synthetic models of --demo.
    #[arg(long, global = true)]
    pub(crate) demo: bool,
}

/// What to do with the cache.
#[derive(Debug, Subcommand)]
pub(crate) enum CacheCommand {
    /// List what is kept: model, commit, tensor, bytes.
    Ls,
    /// Check every entry against its SHA-256; exit status 1 if one is broken.
    Verify,
    /// Make room: remove old entries, oldest first.
    Prune {
        /// Remove what was written longer ago than this, such as 30d, 12h.
        #[arg(long, value_name = "AGE")]
        older_than: Option<super::size::Age>,
        /// Remove the oldest entries until the rest fits.
        #[arg(long, value_name = "SIZE")]
        max_size: Option<Size>,
    },
}

/// `serve`.
#[derive(Debug, clap::Args)]
pub(crate) struct ServeArgs {
    /// Folder that holds checkpoints as owner/name.
    #[arg(value_name = "DIR", required_unless_present = "demo", conflicts_with = "demo")]
    pub(crate) dir: Option<PathBuf>,
    /// Serve the nine synthetic models instead of a folder.
    #[arg(long)]
    pub(crate) demo: bool,
    /// Port; 0 takes a free one.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) port: u16,
    /// Delay added to each request, in milliseconds.
    #[arg(long, value_name = "MS", default_value_t = 0)]
    pub(crate) latency: u64,
}

/// `completions`.
#[derive(Debug, clap::Args)]
pub(crate) struct CompletionsArgs {
    /// The shell.
    pub(crate) shell: Shell,
}
