//! What is asked of the Hub and its content store: of every distinct file its terms, of every model its card's claim.

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

use futures::future::{join, join_all};

use super::{
    fingerprints::{borders, complements},
    row::ChunkTensor,
};
use crate::{
    digest::xet::XetHash,
    family::Classified,
    hub::{CasClient, CasError, CasFile, CasTraffic, Claim, ContentNode, Marks, Term, Unexamined},
    model::{Model, Opened, Session},
    question::hash::files::same_files,
    range::ByteRange,
    snapshot::RepoFile,
};

/// Repositories whose token is asked for to examine one content that several have.
const MOST_TOKENS: usize = 3;

/// Terms of all contents that are kept, in equal shares: of a thousand files 4,000 each, of 10,000 still more than twice the usual 150.
const MOST_TERMS: usize = 4_000_000;

/// What is asked beside listings and headers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChunksAsk {
    /// Nothing: files are met by the hashes that the Hub states.
    Nothing,
    /// Terms.
    Terms,
    /// Terms, and Merkle nodes between the borders of tensors, in two requests a file.
    Fingerprints,
}

/// A model whose files are met with others.
#[derive(Debug)]
pub struct ChunkModel {
    /// Short name, distinct within the run.
    pub label: String,
    /// As the Hub spells it, or the folder.
    pub model: String,
    /// The pinned commit; empty of a folder.
    pub commit: String,
    /// What its card says it was made of; `None` where that was not asked, or could not be read.
    pub claim: Option<Claim>,
    /// Files of the checkpoint.
    pub files: Vec<ChunkFile>,
    /// Tensors in them.
    pub tensors: Vec<ChunkTensor>,
}

impl ChunkModel {
    /// Bytes of its files.
    pub(crate) fn size(&self) -> u64 {
        self.files.iter().map(|file| file.size).sum()
    }
}

/// A file of a checkpoint.
#[derive(Debug, Clone)]
pub struct ChunkFile {
    /// Its path.
    pub path: String,
    /// Its size.
    pub size: u64,
    /// Which of the distinct contents it has.
    pub content: u32,
}

/// The content of one file, or of several that are equal.
#[derive(Debug)]
pub struct Content {
    /// Size in bytes.
    pub size: u64,
    /// What it is made of; nothing where it was not asked for.
    pub terms: Vec<Term>,
    /// Nodes of its Merkle tree; none where they were not asked for.
    pub nodes: Vec<ContentNode>,
    /// Whether it is made of more terms than are kept: of its end nothing is shown.
    pub is_cut: bool,
    /// Why nothing is known of it, and the reason in full where there is more to say.
    pub unexamined: Option<(Unexamined, String)>,
}

/// Models with what is known of their files' chunks.
#[derive(Debug)]
pub struct ChunkCorpus {
    /// Those that could be opened.
    pub models: Vec<ChunkModel>,
    /// All distinct contents.
    pub contents: Vec<Content>,
    /// Runs of chunks whose length was asked for, to place others.
    pub lengths: Vec<Term>,
    /// What was asked of the store.
    pub traffic: CasTraffic,
    /// Where fingerprints were asked for: why not all were given, if so.
    pub fingerprints: Option<Result<(), String>>,
}

impl ChunkCorpus {
    /// Asks for what is not known, and for what cards claim where that is wanted; without network nothing. Of one model or two, and
    /// without fingerprints, also for as many places of runs as `probes`.
    pub async fn read(session: &Session, opened: &[Opened], ask: ChunksAsk, with_claims: bool, probes: usize) -> Self {
        let models: Vec<(&Opened, &Arc<Model>)> =
            opened.iter().filter_map(|opened| Some((opened, opened.outcome.as_ref().ok()?))).collect();
        let offline = session.access.offline;
        let holders = holders(&models);
        let cas = CasClient::new(&session.access.hub);
        let claims = models.iter().map(|(_, model)| async {
            let (repo, commit) = (model.repository.repo()?, model.repository.commit()?);
            // One model is met with no other.
            if offline || !with_claims || models.len() < 2 {
                return None;
            }
            session.access.hub.claim(repo, commit).await.ok()
        });
        let ask = if offline { ChunksAsk::Nothing } else { ask };
        let most = MOST_TERMS / holders.len().max(1);
        let contents = holders.iter().map(|holders| content(&cas, &models, holders, ask, most));
        let (claims, contents) = join(join_all(claims), join_all(contents)).await;
        let (contents, without_nodes): (Vec<Content>, Vec<Option<CasError>>) = contents.into_iter().unzip();
        let first = without_nodes.into_iter().flatten().next();
        let fingerprints =
            (ask == ChunksAsk::Fingerprints).then(|| first.map_or(Ok(()), |error| Err(error.to_string())));
        let by_file: HashMap<(usize, &str), u32> = (0..)
            .zip(&holders)
            .flat_map(|(content, holders)| {
                holders.iter().map(move |&(model, file)| ((model, file.path.as_str()), content))
            })
            .collect();
        let described = models.iter().zip(claims).enumerate();
        let described = described.map(|(at, ((opened, model), claim))| {
            let content = |path: &str| by_file.get(&(at, path)).copied();
            describe(&opened.label, model, claim, content)
        });
        let mut corpus = Self {
            models: described.collect(),
            contents,
            lengths: Vec::new(),
            traffic: CasTraffic::default(),
            fingerprints,
        };
        if !matches!(corpus.fingerprints, Some(Ok(()))) {
            let ask = async |content: u32, byte: u64| {
                let holder = holders.get(content as usize).and_then(|holders| holders.first());
                match holder.and_then(|&(model, file)| stored(models[model].1, file)) {
                    Some(file) => cas.chunk_at(&file, byte).await,
                    None => Ok(None),
                }
            };
            corpus.lengths = corpus.probed(probes, ask).await;
        }
        corpus.traffic = cas.traffic();
        corpus
    }
}

/// For each distinct content the files that have it and hold a wanted tensor, as (model, file), in the order of the models.
fn holders<'a>(models: &[(&'a Opened, &'a Arc<Model>)]) -> Vec<Vec<(usize, &'a RepoFile)>> {
    let snapshots = models.iter().map(|(_, model)| model.repository.snapshot()).enumerate();
    let mut group_of: HashMap<(usize, &str), usize> = HashMap::new();
    for (group, files) in same_files(snapshots).into_iter().enumerate() {
        group_of.extend(files.members.into_iter().map(|member| ((member.model, member.file.path.as_str()), group)));
    }
    let mut contents: Vec<Vec<(usize, &RepoFile)>> = Vec::new();
    let mut known: HashMap<usize, usize> = HashMap::new();
    for (at, (_, model)) in models.iter().enumerate() {
        let shards: BTreeSet<&str> = model.tensors.iter().map(|tensor| tensor.shard.as_str()).collect();
        for file in shards.into_iter().filter_map(|shard| model.repository.snapshot().file(shard)) {
            let next = contents.len();
            let group = group_of.get(&(at, file.path.as_str()));
            let content = group.map_or(next, |&group| *known.entry(group).or_insert(next));
            if content == next {
                contents.push(Vec::new());
            }
            contents[content].push((at, file));
        }
    }
    contents
}

/// Asks what a content is made of, unless every model has it: then there is nothing else to be met. Beside it why it has no
/// fingerprints, if they were asked for. Terms beyond `most` are left.
async fn content(
    cas: &CasClient,
    models: &[(&Opened, &Arc<Model>)],
    holders: &[(usize, &RepoFile)],
    ask: ChunksAsk,
    most: usize,
) -> (Content, Option<CasError>) {
    let size = holders.first().map_or(0, |(_, file)| file.size);
    let known = |mut terms: Vec<Term>| {
        let is_cut = terms.len() > most;
        terms.truncate(most);
        Content { size, terms, nodes: Vec::new(), is_cut, unexamined: None }
    };
    let unknown = |state, reason| (Content { unexamined: Some((state, reason)), ..known(Vec::new()) }, None);
    let hash = |file: &RepoFile| XetHash::parse(file.xet_hash.as_deref()?);
    let Some(hash) = holders.iter().find_map(|(_, file)| hash(file)) else {
        let is_withheld = holders.iter().any(|(_, file)| file.withheld);
        return unknown(if is_withheld { Unexamined::Withheld } else { Unexamined::NoHash }, String::new());
    };
    if ask == ChunksAsk::Nothing {
        return unknown(Unexamined::Off, String::new());
    }
    if models.len() > 1 && (0..models.len()).all(|at| holders.iter().any(|(model, _)| *model == at)) {
        return (known(Vec::new()), None);
    }
    let mut refused: Option<CasError> = None;
    for (at, file) in holders.iter().take(MOST_TOKENS) {
        let model = models[*at].1;
        let Some(stored) = stored(model, file).map(|stored| CasFile { hash, ..stored }) else { continue };
        match cas.terms(&stored).await {
            Ok(terms) if ask == ChunksAsk::Fingerprints => {
                let outcome = nodes(cas, &stored, model).await;
                let (nodes, without) = outcome.map_or_else(|error| (Vec::new(), Some(error)), |nodes| (nodes, None));
                return (Content { nodes, ..known(terms) }, without);
            }
            Ok(terms) => return (known(terms), None),
            Err(error) => {
                let may_be_told_to_another = error.state == Unexamined::TokenRefused;
                refused = Some(error);
                if !may_be_told_to_another {
                    break;
                }
            }
        }
    }
    match refused {
        Some(error) => unknown(error.state, error.to_string()),
        None => unknown(Unexamined::NoHash, String::new()),
    }
}

/// A file of a model as the store knows it.
fn stored<'m>(model: &'m Model, file: &'m RepoFile) -> Option<CasFile<'m>> {
    let hash = XetHash::parse(file.xet_hash.as_deref()?)?;
    let repository = &model.repository;
    Some(CasFile { repo: repository.repo()?, commit: repository.commit()?, path: &file.path, size: file.size, hash })
}

/// The nodes of a file between the borders of its tensors, and across them; where the store gives none, those within each large one.
async fn nodes(cas: &CasClient, file: &CasFile<'_>, model: &Model) -> Result<Vec<ContentNode>, CasError> {
    let tensors = model.tensors.iter().filter(|tensor| tensor.shard == file.path).map(|tensor| tensor.info.range);
    let tensors: Vec<ByteRange> = tensors.collect();
    let all = async |marks: &[Vec<ByteRange>], form: Marks| {
        let mut nodes = Vec::new();
        for marks in marks {
            nodes.extend(cas.nodes(file, marks, form).await?);
        }
        Ok(nodes)
    };
    match all(&borders(&tensors), Marks::Borders).await {
        Err(error) => {
            let within = all(&complements(&tensors, file.size), Marks::Complement).await;
            within.map_err(|_: CasError| error)
        }
        nodes => nodes,
    }
}

fn describe(label: &str, model: &Model, claim: Option<Claim>, content: impl Fn(&str) -> Option<u32>) -> ChunkModel {
    let repository = &model.repository;
    let shards = model.layout.shards.iter().filter_map(|shard| repository.snapshot().file(shard));
    let file =
        |file: &RepoFile| Some(ChunkFile { path: file.path.clone(), size: file.size, content: content(&file.path)? });
    let files: Vec<ChunkFile> = shards.filter_map(file).collect();
    let places: HashMap<&str, usize> = files.iter().enumerate().map(|(at, file)| (file.path.as_str(), at)).collect();
    let is_buffer = |name: &str| {
        model.family.family.is_some_and(|family| family.classify(name, &model.config) == Classified::Buffer)
    };
    let tensors = model.tensors.iter().filter_map(|tensor| {
        Some(ChunkTensor {
            name: tensor.info.name.clone(),
            file: *places.get(tensor.shard.as_str())?,
            range: tensor.info.range,
            dtype: tensor.info.dtype.clone(),
            shape: tensor.info.shape.clone(),
            slot: tensor.slot,
            layer: tensor.layer,
            is_buffer: is_buffer(&tensor.info.name),
        })
    });
    ChunkModel {
        label: label.to_owned(),
        model: match (repository.repo(), repository.folder()) {
            (Some(repo), _) => repo.to_string(),
            (None, folder) => folder.map(|folder| folder.display().to_string()).unwrap_or_default(),
        },
        commit: repository.commit().map(ToString::to_string).unwrap_or_default(),
        claim,
        tensors: tensors.collect(),
        files,
    }
}
