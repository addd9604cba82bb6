//! What can be typed after the commands that read models.

use std::path::PathBuf;

use clap::ValueEnum;
use hub_audit::{
    family::RoleSelection,
    question::{critique::page::Language, embeddings::Sample, lineage::Groups},
    table::Condition,
};

use super::{
    hash_chunks,
    lineage::FailIf,
    options::{Limits, Proof, StdoutFormat, advised},
    output::Output,
    pairing::PairingArgs,
    settings::{HubArgs, Models},
    structure::Matrices,
    tensor_args::TensorArgs,
    words,
};

const TWO_MODELS: &str = "The two models: owner/name[@revision], or a folder as ./path, /path or `file:PATH`";

const TWO_LISTED: &str = "Read the two models, or the second, from FILE, one per line; `-` is standard input";

/// What `--role` is of commands that take every tensor where nothing else is said.
const ALL_ROLES: &str = "Roles, comma-separated, or `norms`, `matrices`, or `all`: every tensor, classified or not";

/// `lineage`.
#[derive(Debug, clap::Args)]
#[command(mut_arg("metric", |metric| metric.hide(true)))]
pub(crate) struct LineageArgs {
    #[command(flatten)]
    pub(crate) models: Models,
    /// Groups to test, comma-separated.
    #[arg(long, value_name = "G,...", default_value = "all", value_parser = words::groups())]
    pub(crate) group: Groups,
    /// Match layers by their units even if both models have the same number of layers (always done if the numbers differ).
    #[arg(long)]
    pub(crate) layer_map: bool,
    /// Also find copies whose units or hidden coordinates were reordered: match both, and test the matches on other data.
    ///
    /// Reads 192 more rows of two matrices per model, and for each pair as many again, of the coordinates that tokens match.
    #[arg(long)]
    pub(crate) disguised: bool,
    /// Presumed ancestor of the models: also estimate how much of each model's changes from it the other models share.
    ///
    /// It is read along with them; models that are linked with it are measured.
    #[arg(long, value_name = "MODEL")]
    pub(crate) base: Option<String>,
    /// Skip the additional rows that tell which kind of relation a link looks like.
    #[arg(long)]
    pub(crate) no_deep: bool,
    /// Blocks of eight rows to read per layer.
    ///
    /// Default: at least 2, and 32 over all layers.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=4096))]
    pub(crate) blocks: Option<u16>,
    /// Tokens to read per model.
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
    pub(crate) hub: HubArgs,
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
    pub(crate) hub: HubArgs,
}

/// `fetch`.
#[derive(Debug, clap::Args)]
pub(crate) struct FetchArgs {
    #[command(flatten)]
    pub(crate) models: Models,
    /// Output format.
    #[arg(long, value_enum, default_value = "text")]
    pub(crate) format: StdoutFormat,
    #[command(flatten)]
    pub(crate) tensors: TensorArgs,
    #[command(flatten)]
    pub(crate) limits: Limits,
    #[command(flatten)]
    pub(crate) hub: HubArgs,
}

/// `layers`.
#[derive(Debug, clap::Args)]
pub(crate) struct LayersArgs {
    #[command(flatten)]
    pub(crate) models: Models,
    #[command(flatten)]
    pub(crate) tensors: TensorArgs,
    #[command(flatten)]
    pub(crate) matrices: Matrices,
    #[command(flatten)]
    pub(crate) output: Output,
    /// Exit with status 3 if two adjacent layers meet this condition, such as pearson<0.1 or abs(pearson)>0.9.
    #[arg(long, value_name = "EXPR", value_parser = advised::<Condition>)]
    pub(crate) fail_if: Option<Condition>,
    #[command(flatten)]
    pub(crate) limits: Limits,
    #[command(flatten)]
    pub(crate) hub: HubArgs,
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
    /// Compare at most N pairs of tensors, in layer order.
    #[arg(long, value_name = "N")]
    pub(crate) max_tensors: Option<usize>,
    /// CSV or TOML (*.toml) file of regular expressions and replacements that map tensor names of one model to the other.
    #[arg(long, value_name = "FILE")]
    pub(crate) map: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) tensors: TensorArgs,
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
    pub(crate) hub: HubArgs,
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
    /// Print groups of equal files instead, by the hashes that the Hub lists; for one model, all its files with these hashes.
    ///
    /// Reads file listings only, no weights.
    #[arg(long, conflicts_with = "matches")]
    pub(crate) files: bool,
    /// Print which bytes of which tensors are identical instead, by the Hub's hashes of chunks of files.
    ///
    /// Reads no weights. For two models all tensors are listed; for one, those that it repeats; for more, each model beside the earlier
    /// ones that have its files or chunks first. Bytes that are not shown to be identical may still be. Tensors of every role count.
    #[arg(long, conflicts_with_all = ["matches", "files", "role", "layers", "tensor", "skip", "experts", "biases"])]
    #[arg(conflicts_with = "dry_run")]
    pub(crate) chunks: bool,
    /// With --chunks: also request Merkle nodes within the bounds of tensors, which show equal content wherever it is stored.
    ///
    /// Two more requests per file. Not yet checked on the live Hub.
    #[arg(long, requires = "chunks")]
    pub(crate) fingerprints: bool,
    /// With --chunks and one or two models: locate at most N runs of chunks that lie within others (not with --fingerprints).
    #[arg(long, value_name = "N", requires = "chunks", default_value_t = hash_chunks::PROBES)]
    pub(crate) probes: u16,
    /// With --chunks: download and compare the undecided bytes of tensors that have at most 512 KiB of them.
    ///
    /// Only this proves that tensors differ. --max-bytes limits it.
    #[arg(long, requires = "chunks")]
    pub(crate) close: bool,
    /// With --chunks: print pairs of models, not tensors.
    #[arg(long, requires = "chunks")]
    pub(crate) pairs: bool,
    /// Output format.
    ///
    /// Default: `text` with --chunks, else `csv`.
    #[arg(long, value_enum)]
    pub(crate) format: Option<StdoutFormat>,
    #[command(flatten)]
    pub(crate) tensors: TensorArgs,
    #[command(flatten)]
    pub(crate) limits: Limits,
    #[command(flatten)]
    pub(crate) hub: HubArgs,
}

/// `survey`.
#[derive(Debug, clap::Args)]
pub(crate) struct SurveyArgs {
    #[command(flatten)]
    pub(crate) models: Models,
    #[command(flatten)]
    pub(crate) tensors: TensorArgs,
    #[command(flatten)]
    pub(crate) pairing: PairingArgs,
    /// Compute principal components of matrices too (reads them a second time).
    #[arg(long)]
    pub(crate) components: bool,
    /// Also test every pair with `lineage` (about 16 MiB more per model), and add its section and files.
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
    pub(crate) hub: HubArgs,
}

/// `critique`.
#[derive(Debug, clap::Args)]
#[command(mut_arg("models", |models| models.help(
    "Models to run the experiments on instead of the study's nine: owner/name[@revision] or a folder"
)))]
#[command(mut_arg("metric", |metric| metric.hide(true)))]
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
    /// Also check published figures of other tensors: reads `k_proj` and `v_proj` of some layers (151 MB), the other norms, and
    /// all headers for numbers of parameters.
    #[arg(long)]
    pub(crate) all_roles: bool,
    /// Read every layer of every model, not only those of the experiments.
    #[arg(long)]
    pub(crate) all_layers: bool,
    /// Also test the first two models with `lineage` (about 16 MiB more of each), and add its section and files.
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
    pub(crate) hub: HubArgs,
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
    /// Select the table by the name of its tensor instead.
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
    pub(crate) hub: HubArgs,
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
