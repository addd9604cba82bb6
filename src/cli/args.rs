//! What can be typed. Help texts are sentences; names are a contract with scripts.

use std::path::PathBuf;

use clap::{Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use hub_audit::{
    family::RoleSelection,
    question::{critique::page::Language, embeddings::Sample, lineage::Groups},
    serve::XetOptions,
    spec::ModelSpec,
    table::Condition,
};

use super::{
    examples, hash_chunks,
    lineage::FailIf,
    options::{Choice, Limits, Matrices, Models, Output, Proof, Reach, Relate, StdoutFormat, advised},
    size::{Age, Size},
    version, words,
};

const TWO_MODELS: &str = "The two models: owner/name[@revision], or a folder as ./path, /path or `file:PATH`";

const TWO_LISTED: &str = "Read the two models, or the second, from FILE, one per line; `-` is standard input";

/// What `--role` is of commands that take every tensor where nothing else is said.
const ALL_ROLES: &str = "Roles, comma-separated, or `norms`, `matrices`, or `all`: every tensor, classified or not";

/// Audit open-weight models straight from the Hugging Face Hub, without downloading them.
///
/// Reads safetensors headers by HTTP range, fetches only the tensors a question needs into a local .npy cache, and compares
/// them. The cosine of a pair is printed beside its null: what unrelated models would give.
///
/// MODEL is owner/name[@revision], or a folder: ./path, /path or `file:PATH`.
#[derive(Debug, Parser)]
#[command(name = "hub-audit", bin_name = "hub-audit", version, long_version = version::long(), max_term_width = 100)]
#[command(after_help = "Examples and exit statuses: hub-audit --help", after_long_help = examples::PROGRAM)]
pub(crate) struct Args {
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Command,
    /// Suppress progress bars and the transfer summary.
    #[arg(short, long, global = true)]
    pub(crate) quiet: bool,
    /// Print more, such as all warnings about model files.
    #[arg(short, long, global = true)]
    pub(crate) verbose: bool,
    /// When to color messages. `auto`: on a terminal, unless `NO_COLOR` is set.
    #[arg(long, value_enum, default_value_t, value_name = "WHEN", global = true)]
    pub(crate) color: Color,
}

/// When messages are colored.
#[derive(Debug, Clone, Copy, Default, ValueEnum)]
pub(crate) enum Color {
    #[default]
    Auto,
    Always,
    Never,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Test whether models are linked, from sampled rows: exact statistics, distances, which layers match.
    #[command(after_long_help = examples::LINEAGE)]
    Lineage(LineageArgs),
    /// Show what each model contains (reads headers only); with several, which roles can be compared.
    #[command(after_long_help = examples::INSPECT)]
    Inspect(InspectArgs),
    /// Download tensors to the cache and print the path of each .npy file.
    #[command(after_long_help = examples::FETCH)]
    Fetch(FetchArgs),
    /// Compare the layers of each model with each other: layer 0, neighbours, by distance, layer × layer.
    #[command(after_long_help = examples::LAYERS)]
    Layers(LayersArgs),
    /// Compare every tensor of two checkpoints, by role and layer, with all metrics and coverage.
    #[command(after_long_help = examples::COMPARE)]
    Compare(CompareArgs),
    /// Print the SHA-256 of tensors; with --matches the groups of equal ones across names, layers and models.
    #[command(after_long_help = examples::HASH)]
    Hash(HashArgs),
    /// Compare models with each other: model × model matrices by role and layer.
    #[command(after_long_help = examples::SURVEY)]
    Survey(SurveyArgs),
    /// Run the nine-model study of norm weights, experiments 1 to 6, beside its published figures.
    #[command(after_long_help = examples::CRITIQUE)]
    Critique(CritiqueArgs),
    /// Compare the token embeddings of two models, rows matched by the text of their tokens.
    #[command(after_long_help = examples::EMBEDDINGS)]
    Embeddings(EmbeddingsArgs),
    /// Manage the cache: list, verify, remove, prune.
    #[command(after_long_help = examples::CACHE)]
    Cache(CacheArgs),
    /// Serve local checkpoints (DIR/owner/name) as a mock Hugging Face Hub.
    #[command(after_long_help = examples::SERVE)]
    Serve(ServeArgs),
    /// Print a completion script for a shell.
    #[command(after_long_help = examples::COMPLETIONS)]
    Completions(CompletionsArgs),
    /// Write the manual pages into a folder, one per command.
    #[command(after_long_help = examples::MAN)]
    Man(ManArgs),
}

/// `lineage`.
#[derive(Debug, clap::Args)]
#[command(mut_arg("metric", |metric| metric.hide(true)))]
pub(crate) struct LineageArgs {
    #[command(flatten)]
    pub(crate) models: Models,
    /// Groups to test, comma-separated.
    #[arg(long, value_name = "G,...", default_value = "all", value_parser = words::groups())]
    pub(crate) group: Groups,
    /// Match layers by their units also where both models have the same number; where they differ this is done anyway.
    #[arg(long)]
    pub(crate) layer_map: bool,
    /// Also match units by some hidden coordinates and coordinates by tokens, and test the matches on other data: finds
    /// copies whose units or coordinates are in another order.
    ///
    /// Reads 192 more rows of two matrices a model, and for each pair as many again, of the coordinates that tokens match.
    #[arg(long)]
    pub(crate) disguised: bool,
    /// A model from which others are thought to have changed: it is read with them, and how much of each other's change is in the change
    /// of each model that is linked with it is worked out.
    #[arg(long, value_name = "MODEL")]
    pub(crate) base: Option<String>,
    /// Leave out the rows that tell what kind of relation a link looks like.
    #[arg(long)]
    pub(crate) no_deep: bool,
    /// Blocks of eight rows to read of each layer.
    ///
    /// Default: at least 2, and 32 over all layers.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=4096))]
    pub(crate) blocks: Option<u16>,
    /// Tokens of each model to read.
    #[arg(long, value_name = "N", default_value_t = 256, value_parser = clap::value_parser!(u16).range(16..=16384))]
    pub(crate) tokens: u16,
    #[command(flatten)]
    pub(crate) proof: Proof,
    #[command(flatten)]
    pub(crate) output: Output,
    /// Exit with status 3 if a pair has this verdict.
    #[arg(long, value_enum)]
    pub(crate) fail_if: Option<FailIf>,
    #[command(flatten)]
    pub(crate) limits: Limits,
    #[command(flatten)]
    pub(crate) reach: Reach,
}

/// `inspect`.
#[derive(Debug, clap::Args)]
pub(crate) struct InspectArgs {
    #[command(flatten)]
    pub(crate) models: Models,
    /// List every tensor.
    #[arg(long)]
    pub(crate) tensors: bool,
    /// Output format.
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
    /// Form of what is printed.
    #[arg(long, value_enum, default_value = "text")]
    pub(crate) format: StdoutFormat,
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
    /// Exit with status 3 if a layer and the next meet this condition, such as pearson<0.1 or abs(pearson)>0.9.
    #[arg(long, value_name = "EXPR", value_parser = advised::<Condition>)]
    pub(crate) fail_if: Option<Condition>,
    #[command(flatten)]
    pub(crate) limits: Limits,
    #[command(flatten)]
    pub(crate) reach: Reach,
}

/// `compare`.
#[derive(Debug, clap::Args)]
#[command(
    override_usage = "hub-audit compare [OPTIONS] <A> <B>\n       hub-audit compare [OPTIONS] --models <FILE>",
    mut_arg("models", |models| models.value_names(["A", "B"]).help(TWO_MODELS)),
    mut_arg("list", |list| list.help(TWO_LISTED))
)]
#[command(mut_arg("role", |role| role.default_value("all").help(ALL_ROLES).long_help(words::roles_help(ALL_ROLES))), mut_arg("biases", |biases| biases.hide(true)), mut_arg("metric", |metric| metric.hide(true)))]
pub(crate) struct CompareArgs {
    #[command(flatten)]
    pub(crate) models: Models,
    /// Compare at most this many pairs, in the order of the layers.
    #[arg(long, value_name = "N")]
    pub(crate) max_tensors: Option<usize>,
    /// File of patterns and replacements that map tensor names of one model to the other: CSV, or TOML (*.toml).
    #[arg(long, value_name = "FILE")]
    pub(crate) map: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) choice: Choice,
    #[command(flatten)]
    pub(crate) proof: Proof,
    #[command(flatten)]
    pub(crate) output: Output,
    /// Exit with status 3 if a pair of tensors meets this condition, such as pearson>0.9 or abs(pearson)>0.5.
    #[arg(long, value_name = "EXPR", value_parser = advised::<Condition>)]
    pub(crate) fail_if: Option<Condition>,
    #[command(flatten)]
    pub(crate) limits: Limits,
    #[command(flatten)]
    pub(crate) reach: Reach,
}

/// `hash`.
#[derive(Debug, clap::Args)]
#[command(mut_arg("role", |role| role.default_value("all").help(ALL_ROLES).long_help(words::roles_help(ALL_ROLES))))]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
pub(crate) struct HashArgs {
    #[command(flatten)]
    pub(crate) models: Models,
    /// Print groups of equal tensors instead: by bytes, then by values rounded to BF16; trivial ones last.
    #[arg(long)]
    pub(crate) matches: bool,
    /// Print groups of equal files instead, by the hashes that the Hub states.
    ///
    /// No weights are read.
    #[arg(long, conflicts_with = "matches")]
    pub(crate) files: bool,
    /// Print which bytes of which tensors are the same instead, by the chunks in which the Hub stores files.
    ///
    /// No weights are read. Of two models all tensors; of one those that it repeats; of more each model beside those before it that
    /// have its files or chunks first. What is not shown may be the same all the same. Every tensor is looked at, whatever its role.
    #[arg(long, conflicts_with_all = ["matches", "files", "role", "layers", "tensor", "skip", "experts", "biases"])]
    #[arg(conflicts_with = "dry_run")]
    pub(crate) chunks: bool,
    /// With --chunks: also ask for Merkle nodes between the borders of tensors, which show equal content wherever it is stored.
    ///
    /// Two requests a file more. This use of the Hub was not yet checked on the live Hub.
    #[arg(long, requires = "chunks")]
    pub(crate) fingerprints: bool,
    /// With --chunks: ask for at most N places of runs that lie within others, of one or two models; not with --fingerprints.
    #[arg(long, value_name = "N", requires = "chunks", default_value_t = hash_chunks::PROBES)]
    pub(crate) probes: u16,
    /// With --chunks: read the bytes in doubt of tensors of which at most 512 KiB are, from both models, and compare them.
    ///
    /// The only proof that tensors differ. --max-bytes limits it.
    #[arg(long, requires = "chunks")]
    pub(crate) close: bool,
    /// With --chunks: pairs of models only.
    #[arg(long, requires = "chunks")]
    pub(crate) pairs: bool,
    /// Output format.
    ///
    /// Default: `text` with --chunks, else `csv`.
    #[arg(long, value_enum)]
    pub(crate) format: Option<StdoutFormat>,
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
    /// Compute principal components of matrices too (reads them a second time).
    #[arg(long)]
    pub(crate) components: bool,
    /// Test every pair for a link as well, from about 16 MiB more a model: adds the section and the files of `lineage`.
    #[arg(long)]
    pub(crate) lineage: bool,
    #[command(flatten)]
    pub(crate) output: Output,
    /// Exit with status 3 if a pair of different models meets this condition, such as pearson>0.9 or abs(pearson)>0.5.
    #[arg(long, value_name = "EXPR", value_parser = advised::<Condition>)]
    pub(crate) fail_if: Option<Condition>,
    #[command(flatten)]
    pub(crate) limits: Limits,
    #[command(flatten)]
    pub(crate) reach: Reach,
}

/// `critique`.
#[derive(Debug, clap::Args)]
#[command(mut_arg("models", |models| models.help(
    "Models to run the experiments on instead of the study's nine: owner/name[@revision] or a folder"
)))]
pub(crate) struct CritiqueArgs {
    #[command(flatten)]
    pub(crate) models: Models,
    /// Norms to run the experiments on: roles, comma-separated, or `norms`.
    #[arg(
        long,
        visible_alias = "role",
        value_name = "R,...",
        default_value = "input_layernorm",
        value_parser = words::norms(),
        hide_possible_values = true,
        long_help = words::norms_help("Norms to run the experiments on: roles, comma-separated, or `norms`.")
    )]
    pub(crate) roles: RoleSelection,
    /// Read also what published figures of other tensors rest on: `k_proj` and `v_proj` of the layers that they name (151 MB), the
    /// other norms, and numbers of parameters from the headers of all files.
    #[arg(long)]
    pub(crate) all_roles: bool,
    /// Read every layer of every model, not only those of the experiments.
    #[arg(long)]
    pub(crate) all_layers: bool,
    /// Test the first two models for a link as well, from about 16 MiB more of each: adds the section and the files of `lineage`.
    #[arg(long)]
    pub(crate) lineage: bool,
    /// Language of the report; text inside pictures stays English.
    #[arg(long, value_name = "LANG", default_value = "en", value_parser = words::languages())]
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
#[command(
    override_usage = "hub-audit embeddings [OPTIONS] <A> <B>\n       hub-audit embeddings [OPTIONS] --models <FILE>",
    mut_arg("models", |models| models.value_names(["A", "B"]).help(TWO_MODELS)),
    mut_arg("list", |list| list.help(TWO_LISTED))
)]
#[command(mut_arg("metric", |metric| metric.hide(true)))]
pub(crate) struct EmbeddingsArgs {
    #[command(flatten)]
    pub(crate) models: Models,
    /// Number of shared tokens to compare, drawn at random; or all.
    #[arg(long, value_name = "N|all", default_value = "2000", value_parser = advised::<Sample>)]
    pub(crate) tokens: Sample,
    /// Rows of the first table to compare instead of a random draw, such as 0,100,1000,10000; matched in the second table by
    /// token, or by number with --same-id.
    #[arg(long, value_name = "N,...", value_delimiter = ',', conflicts_with = "tokens")]
    pub(crate) ids: Vec<u64>,
    /// The table: `embed_tokens`, or `lm_head` for the output embeddings.
    #[arg(long, value_enum, default_value = "embed_tokens")]
    pub(crate) role: TableRole,
    /// Select the table by name instead, for names that no family knows.
    #[arg(long, value_name = "REGEX", conflicts_with = "role")]
    pub(crate) tensor: Option<String>,
    /// Match rows by number without reading tokenizers (only valid if both models share one vocabulary).
    #[arg(long)]
    pub(crate) same_id: bool,
    #[command(flatten)]
    pub(crate) output: Output,
    /// Exit with status 3 if the mean over compared tokens meets this condition, such as pearson>0.1 or abs(pearson)<0.5.
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

/// `cache`.
#[derive(Debug, clap::Args)]
pub(crate) struct CacheArgs {
    /// What to do with the cache.
    #[command(subcommand)]
    pub(crate) command: CacheCommand,
    /// Cache folder.
    ///
    /// Default: ./cache if that is one, else the user's cache folder (~/.cache/hub-audit on Linux).
    #[arg(long, value_name = "DIR", env = "HUB_AUDIT_CACHE", global = true)]
    pub(crate) cache_dir: Option<PathBuf>,
    /// Use the cache of the synthetic models of --demo.
    #[arg(long, global = true)]
    pub(crate) demo: bool,
}

/// What to do with the cache.
#[derive(Debug, Subcommand)]
pub(crate) enum CacheCommand {
    /// List cached models: commit, tensors, size, age.
    Ls {
        /// List every tensor instead: model@commit, name, bytes.
        #[arg(long)]
        tensors: bool,
        /// Form of what is printed.
        #[arg(long, value_enum, default_value = "text")]
        format: StdoutFormat,
    },
    /// Print the folder of the cache.
    Dir,
    /// Check every entry against its SHA-256; exit status 1 if one is broken.
    Verify,
    /// Delete cached models; exit status 1 if none is cached.
    Rm {
        /// Models as owner/name, or owner/name@COMMIT for one commit, which may be shortened.
        #[arg(value_name = "MODEL", required = true, value_parser = advised::<ModelSpec>)]
        models: Vec<ModelSpec>,
    },
    /// Delete old cache entries, oldest first.
    Prune {
        /// Delete entries older than this, such as 30d or 12h.
        #[arg(long, value_name = "AGE")]
        older_than: Option<Age>,
        /// Delete the oldest entries until the rest fits.
        #[arg(long, value_name = "SIZE")]
        max_size: Option<Size>,
        /// Print what would be deleted, without deleting.
        #[arg(long)]
        dry_run: bool,
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
    /// How large files are stored, in words with commas: off, v1, separate, token=SECONDS, fault=NAME, ...
    ///
    /// on, off, redacted or without=N: which files have a Xet hash, and whether listings hold it back; v1 or v2: which
    /// reconstructions are served; shared, indexed or separate: whether repositories share chunks; token=SECONDS: how long a read token is
    /// valid; fingerprints=on|off|short|odd; fault=expired-once|forbidden|unknown|too-many|unavailable|down|truncated|wrong-sum|conflict.
    #[arg(long, value_name = "WORD,...", default_value = "on", value_parser = advised::<XetOptions>)]
    pub(crate) xet: XetOptions,
}

/// `completions`.
#[derive(Debug, clap::Args)]
pub(crate) struct CompletionsArgs {
    /// The shell.
    pub(crate) shell: Shell,
}

/// `man`.
#[derive(Debug, clap::Args)]
pub(crate) struct ManArgs {
    /// The folder, which is created.
    #[arg(value_name = "DIR")]
    pub(crate) dir: PathBuf,
}
