//! One opened model: its layout, its family, and the tensors that a question wants of it, located to the byte.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::OnceLock,
};

use futures::future::{join, join_all, try_join_all};

use super::{
    Access, AuditError, Exclusion, Progress, Question, Repository, Selection, Tensor,
    fit::{is_one, nearest},
    read_config, read_index, subfolder,
};
use crate::{
    checkpoint::{CheckpointError, Header, Layout, Quantisation, ShardIndex},
    error::Result,
    family::{Family, FamilyChoice, ModelConfig, Registry, Role},
    hub::EarlyFile,
    spec::{ModelSource, ModelSpec},
};

/// An opened model.
#[derive(Debug)]
pub struct Model {
    /// Where its bytes are.
    pub repository: Repository,
    /// What its `config.json` says.
    pub config: ModelConfig,
    /// Whether its `config.json` says that it is synthetic.
    pub synthetic: bool,
    /// The naming scheme.
    pub family: FamilyChoice,
    /// The shard index, where there is one.
    pub index: Option<ShardIndex>,
    /// Which files are the checkpoint.
    pub layout: Layout,
    /// Headers that were read, by shard.
    pub headers: BTreeMap<String, Header>,
    /// Tensors that the question wants, sorted by layer, then name.
    pub tensors: Vec<Tensor>,
    /// Layers: what its configuration says, else one more than the last that a wanted tensor has. Taken once, at opening.
    pub depth: Option<u32>,
    /// Scales and zero points of those that are quantised.
    pub companions: Vec<Tensor>,
    /// Why there are none, and what to do.
    pub absence: Option<String>,
    /// Tensors passed over with a reason worth telling.
    pub excluded: Vec<Exclusion>,
    /// What was asked for and is not among its tensors: what `skip` leaves out, and what no model of the run has (a fault).
    pub lacking: Vec<Exclusion>,
    /// What was chosen for the reader among what the files offer, and must be told wherever the model is named.
    pub notice: Option<String>,
    /// What a reader should know about these files.
    pub warnings: Vec<String>,
    pub(super) quantisation: OnceLock<Quantisation>,
}

impl Model {
    /// Opens a model as far as `question` needs: its listing, configuration and index, and the headers of the shards that hold
    /// what is wanted. Without an index every header is read. `progress` is told of headers, of a model called `label`.
    ///
    /// What is sure to be wanted is asked for side by side: the configuration beside the listing, and headers beside both.
    pub async fn open(
        access: &Access,
        spec: &ModelSpec,
        question: &Question,
        progress: &dyn Progress,
        label: &str,
    ) -> Result<Self> {
        let watched = Watched { progress, label };
        let opening = async {
            let repository = Repository::open(access, spec, question.xet_hashes).await?;
            let certain = question.certain_headers(&repository);
            let certain = watched.headers(&repository, certain).await;
            Ok::<_, crate::Error>((repository, certain))
        };
        let (early, opened) = join(early_files(access, spec, question), opening).await;
        let (repository, certain) = opened?;
        repository.take(early);
        let (folder, notice) = subfolder(&repository).await?;
        let index_path = Layout::index_path(repository.snapshot(), &folder).map(str::to_owned);
        let (index_path, unread) = match index_path {
            Some(path) if question.does_without(&repository, &folder, &path) => (None, Some(path)),
            path => (path, None),
        };
        let (config, index) =
            tokio::try_join!(read_config(&repository, &folder), read_index(&repository, index_path.as_deref()))?;
        let candidates = Layout::candidates(repository.snapshot(), &folder, index.as_ref())
            .map_err(|source| no_checkpoint(&repository, source))?;
        let (config, synthetic) = config.unwrap_or_default();
        let layout = nearest(&repository, candidates, &config).await;
        let layout = layout.ok_or_else(|| {
            no_checkpoint(&repository, CheckpointError::NoSafetensors { folder: None, found: Vec::new() })
        })?;
        let mut warnings = Vec::new();
        if let (Some(path), None) = (&index_path, &layout.index) {
            warnings.push(format!(
                "index `{}` is not used: it does not name the files that are there",
                path.escape_debug()
            ));
        }
        let index = index.filter(|_| layout.index.is_some());
        let mut model = Self {
            synthetic,
            config,
            family: FamilyChoice::default(),
            headers: BTreeMap::new(),
            tensors: Vec::new(),
            companions: Vec::new(),
            absence: None,
            depth: None,
            excluded: Vec::new(),
            lacking: Vec::new(),
            notice,
            warnings,
            quantisation: OnceLock::new(),
            repository,
            index,
            layout,
        };
        model.warn_of_layout();
        let found = model.locate(question, unread, certain, watched).await;
        // Whatever was learnt is kept, also when what followed failed. A cache that cannot be written costs a later run, not
        // this one.
        if let Err(error) = model.repository.keep(access) {
            model.warnings.push(format!("what was learnt of its files could not be kept: {}", error.chain()));
        }
        found?;
        let last = model.tensors.iter().filter_map(|tensor| tensor.layer).max();
        model.depth = model.config.num_hidden_layers.or_else(|| Some(last?.0.saturating_add(1)));
        Ok(model)
    }

    /// `unread` is an index that was not read, since the files' names tell as much; not which of two copies of a tensor counts.
    /// `certain` is what came of the headers that were read before.
    async fn locate(
        &mut self,
        question: &Question,
        unread: Option<String>,
        certain: Result<Headers, (String, crate::Error)>,
        watched: Watched<'_>,
    ) -> Result<()> {
        let is_of_it = |shard: &String| self.layout.shards.contains(shard);
        match certain {
            Ok(headers) => self.headers.extend(headers.into_iter().filter(|(shard, _)| is_of_it(shard))),
            Err((shard, error)) if is_of_it(&shard) => return Err(error),
            Err(_) => {}
        }
        let everything = question.all_headers || self.index.is_none();
        if everything {
            self.read_headers(&self.layout.shards.clone(), watched).await?;
        }
        if unread.is_some() && is_one(&self.headers).is_err() {
            self.index = read_index(&self.repository, unread.as_deref()).await?;
            self.layout.index = unread;
        }
        if self.layout.by_numbers
            && let Err((tensor, files)) = is_one(&self.headers)
        {
            return Err(no_checkpoint(&self.repository, CheckpointError::NamesMeet { tensor, files }));
        }
        let mut selection = self.select(question);
        if !everything {
            let shards = self.shards_of(&selection);
            self.read_headers(&shards, watched).await?;
        }
        // By the index alone, and once more by the headers just read, which may hold what is wanted and the index leaves out.
        let mut misled = self.index_misleads(&selection);
        if !everything && !misled {
            selection = self.select(question);
            misled = self.index_misleads(&selection);
        }
        if misled {
            self.warnings.push(
                "the index does not tell where every tensor is: the headers of all shards were read instead".to_owned(),
            );
            self.read_headers(&self.layout.shards.clone(), watched).await?;
            selection = self.select(question);
        }
        self.warn_of_disagreements();
        self.warn_of_copies();
        if question.all_headers {
            self.warn_of_size();
        }
        self.warn_of_layers_past();
        self.lacking.extend(question.left_out(&selection.skipped));
        self.take(selection);
        Ok(())
    }

    /// Chooses among the names that are known.
    fn select(&mut self, question: &Question) -> Selection {
        let names = self.names();
        let family = Registry::builtin().choose(&self.config, names.iter().copied());
        let predicts = |name: &&str| {
            let slot = family.family.and_then(|family| family.classify(name, &self.config).slot());
            slot.is_some_and(|slot| matches!(slot.role, Role::MtpNorm | Role::MtpProj)) || name.contains("mtp")
        };
        let by_family = family.family.is_some_and(Family::predicts_past_the_last);
        let stated = self.config.prediction_blocks.map_or(by_family, |blocks| blocks > 0);
        let predicts = stated || names.iter().any(predicts);
        let config = ModelConfig { predicts, ..self.config.clone() };
        let selection = question.select(names.into_iter(), family.family, &config);
        self.config = config;
        self.family = family;
        selection
    }

    fn shards_of(&self, selection: &Selection) -> Vec<String> {
        let Some(index) = &self.index else {
            return Vec::new();
        };
        // What stands beside a weight counts: one whose scales lie in another shard must not look like one without. A bias does
        // not tell how a weight is stored.
        let beside = |name: &'_ str| -> Vec<&str> {
            let (module, last) = name.rfind('.').map_or(("", name), |dot| name.split_at(dot + 1));
            let is_of_module = !module.is_empty() && (last.contains("weight") || last.contains("data"));
            let stem = if is_of_module { module } else { name };
            let names = index.beginning_with(stem);
            let names = names.filter(|(found, _)| *found == name || !found.ends_with("bias"));
            names.map(|(_, shard)| shard).collect()
        };
        let held: BTreeSet<&str> = self.layout.shards.iter().map(String::as_str).collect();
        let shards: BTreeSet<&str> = selection
            .wanted
            .iter()
            .flat_map(|wanted| beside(&wanted.name))
            .filter(|shard| held.contains(shard))
            .collect();
        shards.into_iter().map(str::to_owned).collect()
    }

    /// Whether a wanted tensor is not where the index says, or is not in the index, or the index names shards that do not exist.
    fn index_misleads(&self, selection: &Selection) -> bool {
        let Some(index) = &self.index else { return false };
        if self.headers.len() == self.layout.shards.len() {
            return false;
        }
        let is_placed = |name: &str| {
            let claimed = index.shard_of(name);
            claimed.is_some_and(|shard| self.headers.get(shard).is_some_and(|header| header.get(name).is_some()))
        };
        !self.layout.missing_shards.is_empty() || selection.wanted.iter().any(|wanted| !is_placed(&wanted.name))
    }

    async fn read_headers(&mut self, shards: &[String], watched: Watched<'_>) -> Result<()> {
        let predicted = |shard: &String| {
            let index = self.index.as_ref().filter(|index| index.tensors_of(shard).next().is_some())?;
            Some(index.predicted_header_length(shard))
        };
        let wanted = shards.iter().filter(|shard| !self.headers.contains_key(*shard));
        let wanted = wanted.map(|shard| (shard.clone(), predicted(shard))).collect();
        let read = watched.headers(&self.repository, wanted).await.map_err(|(_, error)| error)?;
        self.headers.extend(read);
        Ok(())
    }
}

/// Headers, each with its shard.
type Headers = Vec<(String, Header)>;

/// Whoever watches the opening of a model, and what he calls it.
#[derive(Clone, Copy)]
struct Watched<'w> {
    progress: &'w dyn Progress,
    label: &'w str,
}

impl Watched<'_> {
    /// Reads headers side by side, each with its length as far as that is predicted; or fails with the shard that cannot be read.
    async fn headers(
        self,
        repository: &Repository,
        shards: Vec<(String, Option<u64>)>,
    ) -> Result<Headers, (String, crate::Error)> {
        self.progress.headers(self.label, shards.len());
        let one = async |(shard, predicted): (String, Option<u64>)| match repository.header(&shard, predicted).await {
            Ok(header) => {
                self.progress.header_read(self.label);
                Ok((shard, header))
            }
            Err(source) => {
                let (model, source) = (repository.place(), Box::new(source));
                let error = AuditError::Shard { model, shard: shard.clone(), source };
                Err((shard, error.into()))
            }
        };
        try_join_all(shards.into_iter().map(one)).await
    }
}

/// Small files that are likely to be wanted, asked for while it is not known yet which commit is read.
async fn early_files(access: &Access, spec: &ModelSpec, question: &Question) -> Vec<EarlyFile> {
    let ModelSource::Hub { repo, revision } = &spec.source else { return Vec::new() };
    if !access.is_new(repo, revision) {
        return Vec::new();
    }
    let files = question.likely_files().into_iter();
    let asked = files.map(|(path, cap)| access.hub.early_file(repo, revision, path, cap));
    join_all(asked).await.into_iter().flatten().collect()
}

fn no_checkpoint(repository: &Repository, source: CheckpointError) -> crate::Error {
    let links: Vec<String> = repository.dangling_weights().map(str::to_owned).collect();
    let source = match source {
        CheckpointError::NoSafetensors { folder: None, .. } if !links.is_empty() => CheckpointError::Dangling { links },
        source => source,
    };
    AuditError::NoCheckpoint { model: repository.place(), source: Box::new(source.into()) }.into()
}
