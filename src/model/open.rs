//! One opened model: its layout, its family, and the tensors that a question wants of it, located to the byte.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::OnceLock,
};

use futures::future::try_join_all;

use super::{
    Access, AuditError, Question, Repository, Selection, Subfolder, Wanted,
    fit::{is_one, nearest},
    read_config, read_index,
};
use crate::{
    cache::TensorKey,
    checkpoint::{
        CheckpointError, Disagreement, Header, Layout, Quantisation, QuantisationHints, Scaling, ShardIndex, Storage,
        TensorInfo,
    },
    error::Result,
    family::{Classified, Family, FamilyChoice, LayerIndex, ModelConfig, Part, Registry, Role, Slot, is_known_buffer},
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
    /// How its values are made of its elements, where these are not the values themselves.
    pub scaled: Option<Scaled>,
    /// Whether its layer is past the last that the configuration states, and nothing says that it predicts further tokens.
    pub is_past: bool,
}

/// How values are made of a quantised tensor, and which of the model's companions that takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scaled {
    /// How it is scaled.
    pub scaling: Scaling,
    /// Place of the scales among [`Model::companions`].
    pub scale: usize,
    /// Place of the zero points, where there are any.
    pub zero_point: Option<usize>,
}

/// A tensor that is not in the answer, and why.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Exclusion {
    /// Name of the tensor.
    pub tensor: String,
    /// Why it is left out.
    pub reason: String,
    /// Whether it was asked for and cannot be read: the answer lacks it.
    pub is_fault: bool,
    /// What it would be, where it was asked for.
    pub slot: Option<Slot>,
    /// Its layer, likewise.
    pub layer: Option<LayerIndex>,
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
    /// Scales and zero points of those that are quantised.
    pub companions: Vec<Tensor>,
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
        let Subfolder { path: folder, notice } = Subfolder::of(&repository).await?;
        let index_path = Layout::index_path(repository.snapshot(), &folder).map(str::to_owned);
        let (config, index) =
            tokio::try_join!(read_config(&repository, &folder), read_index(&repository, index_path.as_deref()))?;
        let candidates = Layout::candidates(repository.snapshot(), &folder, index.as_ref())
            .map_err(|source| no_checkpoint(&repository, source))?;
        let (config, synthetic) = config.unwrap_or_default();
        let layout = nearest(&repository, candidates, &config).await;
        let layout =
            layout.ok_or_else(|| no_checkpoint(&repository, CheckpointError::NoSafetensors { found: Vec::new() }))?;
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
            notice,
            warnings,
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
        if self.layout.by_numbers
            && let Err((tensor, files)) = is_one(&self.headers)
        {
            return Err(no_checkpoint(&self.repository, CheckpointError::NamesMeet { tensor, files }));
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
        self.warn_of_copies();
        if question.all_headers {
            self.warn_of_size();
        }
        self.warn_of_layers_past();
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
        let beside = |name: &'_ str| -> Vec<&String> {
            let (module, last) = name.rfind('.').map_or(("", name), |dot| name.split_at(dot + 1));
            let is_of_module = !module.is_empty() && (last.contains("weight") || last.contains("data"));
            let stem = if is_of_module { module } else { name };
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
                let header = repository.header(shard, predicted).await.map_err(|source| AuditError::Shard {
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
            let what =
                if self.repository.is_dangling(shard) { "is a link that leads nowhere" } else { "does not exist" };
            self.warnings.push(format!("{by_whom} shard `{}`, which {what}", shard.escape_debug()));
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
                    // A copy that does not count is told as one.
                    Disagreement::NotInIndex(name) if self.find(&name).is_ok_and(|(counted, _)| counted != shard) => {
                        continue;
                    }
                    Disagreement::NotInIndex(name) => format!(
                        "tensor `{}` of shard `{}` is not in the index",
                        name.escape_debug(),
                        shard.escape_debug()
                    ),
                });
            }
        }
    }

    /// Tells a total size that the index states and that is not that of its tensors.
    fn warn_of_size(&mut self) {
        let Some(index) = self.index.as_ref().filter(|_| self.layout.missing_shards.is_empty()) else { return };
        if self.headers.len() < self.layout.shards.len() {
            return;
        }
        let bytes: u64 = self.counted().map(|(_, info)| info.range.len()).fold(0, u64::saturating_add);
        let stated = match (&index.total_size, &index.unclear_size) {
            (Some(stated), _) if *stated != bytes => format!("{stated} bytes"),
            (None, Some(text)) => format!("`{}`", text.escape_debug()),
            _ => return,
        };
        self.warnings.push(format!("the index states a total size of {stated}, and its tensors have {bytes} bytes"));
    }

    /// Tells layers past the last that the configuration states, where nothing says that they predict further tokens.
    fn warn_of_layers_past(&mut self) {
        let Some(stated) = self.config.num_hidden_layers.filter(|_| !self.config.predicts) else { return };
        let past = self.names().into_iter().filter_map(|name| self.slot_of(name)).filter(|slot| slot.mtp);
        let past: BTreeSet<LayerIndex> = past.filter_map(|slot| slot.layer).collect();
        if let (Some(first), Some(last)) = (past.first(), past.last()) {
            self.warnings.push(format!(
                "the configuration states {stated} layers, and tensors of layers {first} to {last} are there as well: they are kept apart"
            ));
        }
    }

    /// Names the copies of a tensor that do not count, and those of which none does.
    fn warn_of_copies(&mut self) {
        let mut holders: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for (shard, header) in &self.headers {
            for info in &header.tensors {
                holders.entry(&info.name).or_default().push(shard);
            }
        }
        let several = holders.into_iter().filter(|(_, shards)| shards.len() > 1);
        let told = several.map(|(name, shards)| match self.find(name) {
            Ok((counted, _)) => {
                let others = shards.into_iter().filter(|shard| *shard != counted);
                let others: Vec<String> = others.map(|shard| format!("`{}`", shard.escape_debug())).collect();
                format!(
                    "tensor `{}` counts as it is in shard `{}`, which the index names; its copy in {} does not",
                    name.escape_debug(),
                    counted.escape_debug(),
                    others.join(", ")
                )
            }
            Err(reason) => format!("tensor `{}` does not count: {reason}", name.escape_debug()),
        });
        let told: Vec<String> = told.collect();
        self.warnings.extend(told);
    }

    fn take(&mut self, selection: Selection) {
        let mut tensors = Vec::new();
        let mut companions = Vec::new();
        for wanted in selection.wanted {
            let (shard, info) = match self.find(&wanted.name) {
                Ok(found) => found,
                Err(reason) => {
                    let Wanted { name: tensor, slot, layer } = wanted;
                    self.excluded.push(Exclusion { tensor, reason, is_fault: true, slot, layer });
                    continue;
                }
            };
            if let Some(reason) = self.lost_scale(info) {
                let Wanted { name: tensor, slot, layer } = wanted;
                self.excluded.push(Exclusion { tensor, reason, is_fault: true, slot, layer });
                continue;
            }
            let mut companion = |name: &str| self.companion(name, &mut companions);
            let scaled = match self.quantisation().storage(&wanted.name) {
                Storage::Scaled(scaling) => companion(&scaling.scale).map(|scale| Scaled {
                    scaling: scaling.clone(),
                    scale,
                    zero_point: scaling.zero_point.as_deref().and_then(companion),
                }),
                _ => None,
            };
            tensors.push(Tensor {
                slot: wanted.slot,
                layer: wanted.layer,
                shard: shard.to_owned(),
                zero_centred: wanted.slot.is_some_and(|slot| self.is_zero_centred(slot)),
                info: info.clone(),
                scaled,
                is_past: wanted.slot.is_some_and(|slot| slot.mtp) && !self.config.predicts,
            });
        }
        self.tensors = tensors;
        self.companions = companions;
        let passed_over = selection.passed_over.into_iter();
        let passed_over =
            passed_over.map(|(tensor, reason)| Exclusion { tensor, reason, is_fault: false, slot: None, layer: None });
        self.excluded.extend(passed_over);
        self.excluded.sort();
    }

    /// Why the scales of codes cannot be read that the index names beside them: without them, codes look like a plain weight.
    fn lost_scale(&self, info: &TensorInfo) -> Option<String> {
        let index = self.index.as_ref().filter(|_| info.dtype.bits() == Some(8) && info.shape.len() > 1)?;
        let (stem, _) = info.name.rsplit_once('.')?;
        let stem = format!("{stem}.");
        let beside =
            index.weight_map.range(stem.clone()..).map_while(|(name, _)| Some((name, name.strip_prefix(&stem)?)));
        let mut scales = beside.filter(|(_, last)| !last.contains('.') && last.contains("scale")).map(|(name, _)| name);
        let (lost, reason) = scales.find_map(|name| Some((name, self.find(name).err()?)))?;
        Some(format!("`{}`, which scales it, cannot be read: {reason}", lost.escape_debug()))
    }

    /// Puts a tensor among the companions, and tells its place there.
    fn companion(&self, name: &str, companions: &mut Vec<Tensor>) -> Option<usize> {
        let (shard, info) = self.find(name).ok()?;
        companions.push(Tensor {
            slot: None,
            layer: None,
            shard: shard.to_owned(),
            info: info.clone(),
            zero_centred: false,
            scaled: None,
            is_past: false,
        });
        Some(companions.len() - 1)
    }

    /// Whether what the files hold of this slot is a gain less one.
    fn is_zero_centred(&self, slot: Slot) -> bool {
        slot.part == Part::Weight
            && self.family.family.is_some_and(|family| {
                family.is_zero_centred(slot.role) && !(self.is_saved_by_mlx() && family.is_centred_by_mlx())
            })
    }

    /// Whether its files say that MLX wrote them.
    pub(crate) fn is_saved_by_mlx(&self) -> bool {
        self.headers.values().any(|header| header.metadata.get("format").is_some_and(|format| format == "mlx"))
    }

    /// Takes a family for that of the model, and what it says of every tensor.
    pub(crate) fn adopt(&mut self, family: &'static Family, why: String) {
        self.family.family = Some(family);
        self.warnings.push(why);
        let slots: Vec<Option<Slot>> =
            self.tensors.iter().map(|tensor| family.classify(&tensor.info.name, &self.config).slot()).collect();
        for (at, slot) in slots.into_iter().enumerate() {
            let zero_centred = slot.is_some_and(|slot| self.is_zero_centred(slot));
            let tensor = &mut self.tensors[at];
            (tensor.slot, tensor.zero_centred) = (slot, zero_centred);
        }
    }

    /// A tensor that is brought to this machine: a wanted one, or after those a companion.
    pub(crate) fn brought(&self, position: usize) -> &Tensor {
        match position.checked_sub(self.tensors.len()) {
            None => &self.tensors[position],
            Some(place) => &self.companions[place],
        }
    }

    /// Positions, as of [`Model::brought`], of what the values of a tensor are made of beside its elements.
    pub(crate) fn companions_of(&self, tensor: &Tensor) -> impl Iterator<Item = usize> + use<> {
        let first = self.tensors.len();
        let places = tensor.scaled.as_ref().map(|scaled| (scaled.scale, scaled.zero_point));
        places.into_iter().flat_map(move |(scale, zero_point)| {
            std::iter::once(scale).chain(zero_point).map(move |place| first + place)
        })
    }

    /// The tensors that count, each once, with the shard that holds it.
    pub fn counted(&self) -> impl Iterator<Item = (&str, &TensorInfo)> {
        let all = self.headers.iter().flat_map(|(shard, header)| header.tensors.iter().map(move |info| (shard, info)));
        let counts = |shard: &str, name: &str| self.find(name).is_ok_and(|(counted, _)| counted == shard);
        all.filter(move |(shard, info)| counts(shard, &info.name)).map(|(shard, info)| (shard.as_str(), info))
    }

    /// What a name would be in this model.
    pub(crate) fn slot_of(&self, name: &str) -> Option<Slot> {
        self.family.family?.classify(name, &self.config).slot()
    }

    /// Why the model has no tensor of a role, where its configuration or its family tells.
    pub(crate) fn absent_reason(&self, role: Role) -> Option<&str> {
        match (role, self.config.tie_word_embeddings) {
            (Role::LmHead, Some(false)) => Some(
                "its configuration says that its output embeddings are not the token embeddings, and its files hold none of their own",
            ),
            (Role::EmbedTokens, Some(true)) => Some("its configuration ties them to the output embeddings"),
            _ => self.family.family?.absent_reason(role),
        }
    }

    /// The role of the embeddings that the model has not of their own, where its configuration ties both and it has the others.
    pub(crate) fn tied_role(&self) -> Option<(Role, usize)> {
        if self.config.tie_word_embeddings != Some(true) {
            return None;
        }
        let has = |role: Role| self.names().iter().any(|name| self.slot_of(name).is_some_and(|slot| slot.role == role));
        let held = |role: Role| {
            let is_held =
                |tensor: &Tensor| tensor.slot.is_some_and(|slot| slot.role == role && slot.part == Part::Weight);
            self.tensors.iter().position(is_held)
        };
        let pair = |missing: Role, other: Role| Some((missing, held(other).filter(|_| !has(missing))?));
        pair(Role::LmHead, Role::EmbedTokens).or_else(|| pair(Role::EmbedTokens, Role::LmHead))
    }

    /// Names that the files leave out, each with that of the tensor that it shares: notes of the writer, who keeps one of several
    /// tensors with the same memory.
    pub(crate) fn ties(&self) -> impl Iterator<Item = (&str, &str)> {
        let notes = self.headers.values().flat_map(|header| &header.metadata);
        let notes = notes.map(|(dropped, kept)| (dropped.as_str(), kept.as_str()));
        notes.filter(|(dropped, kept)| self.find(kept).is_ok() && self.find(dropped).is_err())
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
            (None, _, Some(shard)) if self.repository.is_dangling(shard) => {
                Err(format!("its shard `{}` is a link that leads nowhere", shard.escape_debug()))
            }
            (None, _, Some(shard)) if self.layout.missing_shards.contains(shard) => {
                Err(format!("its shard `{}` does not exist", shard.escape_debug()))
            }
            (None, ..) => Err("the index names it, but no shard holds it".to_owned()),
        }
    }

    /// Why the tensor that fits was asked for and cannot be read; `None` where there is none of that kind.
    pub(crate) fn unreadable(&self, fits: impl Fn(&Exclusion) -> bool) -> Option<String> {
        let fault = self.excluded.iter().find(|exclusion| exclusion.is_fault && fits(exclusion))?;
        Some(format!("`{}` cannot be read: {}", fault.tensor.escape_debug(), fault.reason))
    }

    /// What the tensors are that its headers show, by what stands beside them. Whole only where all headers were read: see
    /// [`Quantisation::of`].
    pub fn quantisation(&self) -> &Quantisation {
        self.quantisation.get_or_init(|| {
            let is_buffer = |name: &str| {
                let family = self.family.family;
                let class = family.map(|family| family.classify(name, &self.config));
                class == Some(Classified::Buffer) || family.is_none() && is_known_buffer(name)
            };
            let counted = self.counted().map(|(_, info)| info);
            let tensors = counted.filter(|info| !is_buffer(&info.name));
            let hints = QuantisationHints {
                method: self.config.quantisation.as_deref(),
                block: self.config.quantisation_block,
                bits: self.config.quantisation_bits,
                group: self.config.quantisation_group,
            };
            Quantisation::of(tensors, hints)
        })
    }

    /// The cache's name for a tensor; `None` for a folder.
    pub fn key(&self, tensor: &Tensor) -> Option<TensorKey> {
        self.repository.key(&tensor.info.name)
    }
}

fn no_checkpoint(repository: &Repository, source: CheckpointError) -> crate::Error {
    let links: Vec<String> = repository.dangling_weights().map(str::to_owned).collect();
    let source = match source {
        CheckpointError::NoSafetensors { .. } if !links.is_empty() => CheckpointError::Dangling { links },
        source => source,
    };
    AuditError::NoCheckpoint { model: repository.place(), source: Box::new(source.into()) }.into()
}
