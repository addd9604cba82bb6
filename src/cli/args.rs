//! What can be typed. Help texts are sentences; names are a contract with scripts.

use std::path::PathBuf;

use clap::{Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use hub_audit::{serve::XetOptions, spec::ModelSpec};

use super::{
    examples,
    model_args::{
        CompareArgs, CritiqueArgs, EmbeddingsArgs, FetchArgs, HashArgs, InspectArgs, LayersArgs, LineageArgs,
        SurveyArgs,
    },
    options::{StdoutFormat, advised},
    size::{Age, Size},
    version,
};

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
    /// Compare the layers of each model with each other: with layer 0, adjacent, by distance, layer × layer.
    #[command(after_long_help = examples::LAYERS)]
    Layers(LayersArgs),
    /// Compare every tensor of two checkpoints, by role and layer, with all metrics and coverage.
    #[command(after_long_help = examples::COMPARE)]
    Compare(CompareArgs),
    /// Print the SHA-256 of tensors, or with --matches the equal ones across names, layers and models.
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
        /// Output format.
        #[arg(long, value_enum, default_value = "text")]
        format: StdoutFormat,
    },
    /// Print the path of the cache folder.
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
    /// How the mock stores large files, comma-separated: off, v1, separate, token=SECONDS, fault=NAME, ...
    ///
    /// on, off, redacted or without=N: which files have a Xet hash, and whether listings withhold it; v1 or v2: version of the
    /// reconstructions; shared, indexed or separate: whether repositories share chunks; token=SECONDS: lifetime of a read
    /// token; fingerprints=on|off|short|odd; fault=expired-once|forbidden|unknown|too-many|unavailable|down|truncated|wrong-sum|conflict.
    #[arg(long, value_name = "WORD,...", default_value = "on", value_parser = advised::<XetOptions>)]
    pub(crate) xet: XetOptions,
}

/// `completions`.
#[derive(Debug, clap::Args)]
pub(crate) struct CompletionsArgs {
    /// Shell to write the script for.
    pub(crate) shell: Shell,
}

/// `man`.
#[derive(Debug, clap::Args)]
pub(crate) struct ManArgs {
    /// Folder to write to; created if missing.
    #[arg(value_name = "DIR")]
    pub(crate) dir: PathBuf,
}
