//! One opened model: its layout, its family, and the tensors that a question wants of it, located to the byte.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::OnceLock,
};

use futures::future::try_join_all;

use super::{Access, Question, Repository, Selection, Subfolder, read_config, read_index};
use crate::{
    cache::TensorKey,
    checkpoint::{Disagreement, Header, Layout, Quantisation, QuantisationHints, ShardIndex, TensorInfo},
    error::Result,
    family::{FamilyChoice, LayerIndex, ModelConfig, Part, Registry, Slot},
    spec::ModelSpec,
};

/// A wanted tensor, found in a shard.
#[derive(Debug, Clone)]
pub struct Tensor {
    /// What it is, where a family knows.
    pub slot: Option<Slot>,
    /// Its layer.
    pub layer: Option<LayerIndex>,
    /// The shard that holds it.
    pub shard: String,
    /// Name, element type, shape and place in the shard.
    pub info: TensorInfo,
    /// Whether the gain is stored zero-centred, so that 1 + w is what acts.
    pub zero_centred: bool,
}

/// A tensor that is not in the answer, and why.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Exclusion {
    /// Name of the tensor.
    pub tensor: String,
    /// Why it is left out.
    pub reason: String,
}

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
    /// Why there are none, and what to do.
    pub absence: Option<String>,
    /// Tensors passed over with a reason worth telling.
    pub excluded: Vec<Exclusion>,
    /// What was chosen for the reader among what the files offer, and must be told wherever the model is named.
    pub notice: Option<String>,
    /// What a reader should know about these files.
    pub warnings: Vec<String>,
    quantisation: OnceLock<Quantisation>,
}

impl Model {
    /// Opens a model as far as `question` needs: its listing, configuration and index, and the headers of the shards that hold
    /// what is wanted. Without an index every header is read.
    pub async fn open(access: &Access, spec: &ModelSpec, question: &Question) -> Result<Self> {
        let repository = Repository::open(access, spec).await?;
        let subfolder = Subfolder::of(&repository)?;
        let index_path = Layout::index_path(repository.snapshot()).map(str::to_owned);
        let (config, index) = tokio::try_join!(
            read_config(&repository, subfolder.as_ref()),
            read_index(&repository, index_path.as_deref())
        )?;
        let layout = Layout::choose(repository.snapshot(), index.as_ref()).map_err(|source| {
            crate::model::AuditError::NoCheckpoint { model: repository.place(), source: Box::new(source.into()) }
        })?;
        let index = index.filter(|_| layout.index.is_some());
        let mut model = Self {
            synthetic: config.as_ref().is_some_and(|(_, synthetic)| *synthetic),
            config: config.map(|(config, _)| config).unwrap_or_default(),
            family: FamilyChoice::default(),
            headers: BTreeMap::new(),
            tensors: Vec::new(),
            absence: None,
            depth: None,
            excluded: Vec::new(),
            notice: subfolder.and_then(|subfolder| subfolder.notice),
            warnings: Vec::new(),
            quantisation: OnceLock::new(),
            repository,
            index,
            layout,
        };
        model.warn_of_layout();
        let found = model.locate(question).await;
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

    async fn locate(&mut self, question: &Question) -> Result<()> {
        let everything = question.all_headers || self.index.is_none();
        if everything {
            self.read_headers(&self.layout.shards.clone()).await?;
        }
        let mut selection = self.select(question);
        if !everything {
            let shards = self.shards_of(&selection);
            self.read_headers(&shards).await?;
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
            self.read_headers(&self.layout.shards.clone()).await?;
            selection = self.select(question);
        }
        self.warn_of_disagreements();
        self.take(selection);
        Ok(())
    }

    /// The names that are known: of the headers, and of the index for shards whose header was not read.
    pub(crate) fn names(&self) -> BTreeSet<&str> {
        let read = self.headers.values().flat_map(|header| &header.tensors);
        let mut names: BTreeSet<&str> = read.map(|tensor| tensor.name.as_str()).collect();
        if let Some(index) = &self.index {
            let unread = index.weight_map.iter();
            let unread = unread.filter(|(_, shard)| !self.headers.contains_key(*shard));
            names.extend(unread.map(|(name, _)| name.as_str()));
        }
        names
    }

    /// Chooses among the names that are known.
    fn select(&mut self, question: &Question) -> Selection {
        let names = self.names();
        let family = Registry::builtin().choose(&self.config, names.iter().copied());
        let selection = question.select(names.into_iter(), family.family, &self.config);
        self.family = family;
        selection
    }

    fn shards_of(&self, selection: &Selection) -> Vec<String> {
        let Some(index) = &self.index else {
            return Vec::new();
        };
        // What stands beside a weight counts: one whose scales lie in another shard must not look like one without. A bias does
        // not tell how a weight is stored.
        let beside = |name: &'_ str| -> Vec<&String> {
            let stem = name.strip_suffix("weight").filter(|stem| !stem.is_empty()).unwrap_or(name);
            let names = index.weight_map.range(stem.to_owned()..);
            let names = names.take_while(|(found, _)| found.starts_with(stem));
            let names = names.filter(|(found, _)| *found == name || !found.ends_with("bias"));
            names.map(|(_, shard)| shard).collect()
        };
        let shards: BTreeSet<&String> = selection
            .wanted
            .iter()
            .flat_map(|wanted| beside(&wanted.name))
            .filter(|shard| self.layout.shards.contains(shard))
            .collect();
        shards.into_iter().cloned().collect()
    }

    /// Whether a wanted tensor is not where the index says, or is not in the index, or the index names shards that do not exist.
    fn index_misleads(&self, selection: &Selection) -> bool {
        let Some(index) = &self.index else { return false };
        if self.headers.len() == self.layout.shards.len() {
            return false;
        }
        let is_placed = |name: &str| {
            let claimed = index.weight_map.get(name);
            claimed.is_some_and(|shard| self.headers.get(shard).is_some_and(|header| header.get(name).is_some()))
        };
        !self.layout.missing_shards.is_empty() || selection.wanted.iter().any(|wanted| !is_placed(&wanted.name))
    }

    async fn read_headers(&mut self, shards: &[String]) -> Result<()> {
        let wanted: Vec<&String> = shards.iter().filter(|shard| !self.headers.contains_key(*shard)).collect();
        let read = try_join_all(wanted.into_iter().map(|shard| {
            let predicted = self
                .index
                .as_ref()
                .filter(|index| !index.tensors_of(shard).is_empty())
                .map(|index| index.predicted_header_length(shard));
            let repository = &self.repository;
            async move {
                let header =
                    repository.header(shard, predicted).await.map_err(|source| crate::model::AuditError::Shard {
                        model: repository.place(),
                        shard: shard.clone(),
                        source: Box::new(source),
                    })?;
                Ok::<_, crate::Error>((shard.clone(), header))
            }
        }))
        .await?;
        self.headers.extend(read);
        Ok(())
    }

    fn warn_of_layout(&mut self) {
        let by_whom = if self.layout.index.is_some() { "the index names" } else { "the numbers of the files imply" };
        for shard in &self.layout.missing_shards {
            self.warnings.push(format!("{by_whom} shard `{}`, which does not exist", shard.escape_debug()));
        }
        if self.repository.is_partly_known() {
            self.warnings.push(
                "the network is switched off: only the files that the Hugging Face cache has are known".to_owned(),
            );
        }
        if let Some(named) = self.repository.renamed_from() {
            let now = self.repository.place();
            self.warnings.push(format!("`{named}` is now {now}"));
        }
        for file in &self.layout.unused {
            self.warnings.push(format!("file `{}` is not counted: {}", file.path.escape_debug(), file.why));
        }
    }

    fn warn_of_disagreements(&mut self) {
        let Some(index) = &self.index else { return };
        for (shard, header) in &self.headers {
            for disagreement in index.disagreements(shard, header) {
                self.warnings.push(match disagreement {
                    Disagreement::MissingInShard(name) => format!(
                        "tensor `{}` is in the index, but not in shard `{}`",
                        name.escape_debug(),
                        shard.escape_debug()
                    ),
                    Disagreement::NotInIndex(name) => format!(
                        "tensor `{}` of shard `{}` is not in the index",
                        name.escape_debug(),
                        shard.escape_debug()
                    ),
                });
            }
        }
    }

    fn take(&mut self, selection: Selection) {
        let mut tensors = Vec::new();
        for wanted in selection.wanted {
            let (shard, info) = match self.find(&wanted.name) {
                Ok(found) => found,
                Err(reason) => {
                    self.excluded.push(Exclusion { tensor: wanted.name, reason });
                    continue;
                }
            };
            let is_gain = |slot: Slot| slot.part == Part::Weight;
            let zero_centred = |slot: Slot| self.family.family.is_some_and(|family| family.is_zero_centred(slot.role));
            tensors.push(Tensor {
                slot: wanted.slot,
                layer: wanted.layer,
                shard: shard.to_owned(),
                zero_centred: wanted.slot.is_some_and(|slot| is_gain(slot) && zero_centred(slot)),
                info: info.clone(),
            });
        }
        self.tensors = tensors;
        let passed_over = selection.passed_over.into_iter();
        self.excluded.extend(passed_over.map(|(tensor, reason)| Exclusion { tensor, reason }));
        self.excluded.sort();
    }

    /// The shard that holds a tensor. Where several do, the index decides; without an index nothing does.
    fn find(&self, name: &str) -> Result<(&str, &TensorInfo), String> {
        let named = self.index.as_ref().and_then(|index| index.weight_map.get(name));
        if let Some((shard, header)) = named.and_then(|shard| self.headers.get_key_value(shard))
            && let Some(info) = header.get(name)
        {
            return Ok((shard, info));
        }
        let mut holders = self.headers.iter().filter_map(|(shard, header)| Some((shard.as_str(), header.get(name)?)));
        match (holders.next(), holders.next(), named) {
            (Some(found), None, _) => Ok(found),
            (Some((first, _)), Some((second, _)), _) => Err(format!(
                "several shards hold it (`{}`, `{}`), and no index tells which counts",
                first.escape_debug(),
                second.escape_debug()
            )),
            (None, _, Some(shard)) if self.layout.missing_shards.contains(shard) => {
                Err(format!("its shard `{}` does not exist", shard.escape_debug()))
            }
            (None, ..) => Err("the index names it, but no shard holds it".to_owned()),
        }
    }

    /// What the tensors are that its headers show, by what stands beside them. Whole only where all headers were read: see
    /// [`Quantisation::of`].
    pub fn quantisation(&self) -> &Quantisation {
        self.quantisation.get_or_init(|| {
            let tensors = self.headers.values().flat_map(|header| &header.tensors);
            let hints = QuantisationHints {
                method: self.config.quantisation.as_deref(),
                block: self.config.quantisation_block,
            };
            Quantisation::of(tensors, hints)
        })
    }

    /// The cache's name for a tensor; `None` for a folder.
    pub fn key(&self, tensor: &Tensor) -> Option<TensorKey> {
        self.repository.key(&tensor.info.name)
    }
}
