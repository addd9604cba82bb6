//! The keys of nested configurations: what each is called, and how it is read.

use serde_json::Value;

/// Nested configurations, innermost first: the first level that has a key decides.
pub(super) struct Keys<'a>(pub(super) Vec<&'a Value>);

impl Keys<'_> {
    pub(super) fn find<T>(&self, read: impl Fn(&Value) -> Option<T>) -> Option<T> {
        self.0.iter().find_map(|level| read(level))
    }

    pub(super) fn figure<T: TryFrom<u64>>(&self, aliases: &[&str]) -> Option<T> {
        self.find(|level| aliases.iter().find_map(|key| figure(level.get(key)?)))
    }

    pub(super) fn figure_in<T: TryFrom<u64>>(&self, table: &str, key: &str) -> Option<T> {
        self.find(|level| figure(level.get(table)?.get(key)?))
    }

    /// T5 writes `num_layers` for its encoder, and for its decoder unless `num_decoder_layers` differs.
    pub(super) fn seq2seq(&self, key: &str) -> Option<u32> {
        self.flag("is_encoder_decoder").filter(|&both| both).and_then(|_| self.figure(&[key]))
    }

    /// A number of a level, or of its table of rotary parameters.
    pub(super) fn share(&self, aliases: &[&str]) -> Option<f64> {
        let within = |level: &Value, key: &&str| {
            let table = level.get("rope_parameters").or_else(|| level.get("rope_scaling"));
            let nested = table.and_then(|table| table.get(*key));
            level.get(*key).or(nested)?.as_f64()
        };
        self.find(|level| aliases.iter().find_map(|key| within(level, key)))
    }

    pub(super) fn flag(&self, key: &str) -> Option<bool> {
        self.find(|level| level.get(key)?.as_bool())
    }

    pub(super) fn text(&self, key: &str) -> Option<String> {
        self.find(|level| level.get(key)?.as_str().map(str::to_owned))
    }

    pub(super) fn quantisation(&self) -> Option<String> {
        self.find(|level| {
            if let Some(table) = quantisation_table(level) {
                let method = ["quant_method", "quant_algo"].iter().find_map(|key| table.get(key)?.as_str());
                return Some(method.unwrap_or("unknown").to_owned());
            }
            level.get("quantization")?.is_object().then(|| "mlx".to_owned())
        })
    }

    /// `checkpoint_format` of GPTQ, `version` of AWQ.
    pub(super) fn quantisation_layout(&self) -> Option<String> {
        self.find(|level| {
            let table = quantisation_table(level)?;
            if table.get("is_marlin_format").and_then(Value::as_bool) == Some(true) {
                return Some("marlin".to_owned());
            }
            let named = ["checkpoint_format", "version"].iter().find_map(|key| table.get(*key)?.as_str());
            named.map(str::to_ascii_lowercase)
        })
    }

    /// A figure of the quantisation's table, or of its groups and of the modules that it names, where all of them agree.
    pub(super) fn quantisation_figure(&self, aliases: &[&str]) -> Option<u64> {
        self.find(|level| {
            let table =
                quantisation_table(level).or_else(|| level.get("quantization").filter(|table| table.is_object()))?;
            let own = |table: &Value| aliases.iter().find_map(|key| figure::<u64>(table.get(*key)?));
            let groups = table.get("config_groups").and_then(Value::as_object);
            let of_groups = groups.into_iter().flat_map(|groups| groups.values()).map(|group| group.get("weights"));
            let of_modules = table.as_object()?.values().filter_map(own);
            let mut figures = own(table).into_iter().chain(of_groups.filter_map(|group| own(group?))).chain(of_modules);
            let first = figures.next()?;
            figures.all(|other| other == first).then_some(first)
        })
    }

    /// `weight_block_size`, or the one block that all groups of compressed-tensors agree on.
    pub(super) fn quantisation_block(&self) -> Option<[u64; 2]> {
        self.find(|level| {
            let table = quantisation_table(level)?;
            if let Some(written) = table.get("weight_block_size") {
                return block(written);
            }
            let mut blocks = table.get("config_groups")?.as_object()?.values().map(block_of_group);
            let first = blocks.next()??;
            blocks.all(|other| other == Some(first)).then_some(first)
        })
    }
}

fn quantisation_table(level: &Value) -> Option<&Value> {
    let table = level.get("quantization_config").or_else(|| level.get("compression_config"));
    table.filter(|table| table.is_object())
}

/// `[rows, columns]`, both positive.
fn block(value: &Value) -> Option<[u64; 2]> {
    let lengths: Vec<u64> = value.as_array()?.iter().map(Value::as_u64).collect::<Option<_>>()?;
    let block: [u64; 2] = lengths.try_into().ok()?;
    block.iter().all(|&length| length > 0).then_some(block)
}

/// The block of one group of compressed-tensors: its structure, or one row of a group's length.
fn block_of_group(group: &Value) -> Option<[u64; 2]> {
    let weights = group.get("weights")?;
    match weights.get("strategy")?.as_str()? {
        "block" => block(weights.get("block_structure")?),
        "group" => figure(weights.get("group_size")?).map(|length| [1, length]),
        _ => None,
    }
}

fn figure<T: TryFrom<u64>>(value: &Value) -> Option<T> {
    T::try_from(value.as_u64()?).ok()
}
