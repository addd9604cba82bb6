//! What a long job tells whoever watches. Injected, so that no computation knows about terminals.

/// Watches the opening of models and the fetching of tensors. Called from many tasks at once.
pub trait Progress: Send + Sync {
    /// A model's files are being opened.
    fn opening(&self, _model: &str) {}
    /// So many more of the model's headers are about to be read.
    fn headers(&self, _model: &str, _shards: usize) {}
    /// One of them is.
    fn header_read(&self, _model: &str) {}
    /// The model's headers are read, or it failed.
    fn opened(&self, _model: &str) {}
    /// So many bytes of the model's tensors are about to be fetched.
    fn planned(&self, _model: &str, _bytes: u64) {}
    /// So many more of them have arrived.
    fn arrived(&self, _model: &str, _bytes: u64) {}
}

/// Tells nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Progress for Silent {}
