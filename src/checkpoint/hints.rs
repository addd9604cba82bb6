//! What a configuration says of how a model's weights are stored.

/// What the configuration says of the quantisation.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct QuantisationHints<'a> {
    /// What it calls the method: `gptq`, `awq`, `fp8`, …
    pub method: Option<&'a str>,
    /// Rows and columns of a block that shares a scale.
    pub block: Option<[u64; 2]>,
    /// Bits of a packed weight.
    pub bits: Option<u64>,
    /// Weights that share a scale along the input.
    pub group: Option<u64>,
}
