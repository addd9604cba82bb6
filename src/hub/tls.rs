//! Which cryptography TLS uses.

/// Makes `ring` the process's provider, unless the program has chosen one. reqwest asks for it when a client is built.
pub(super) fn choose_provider() {
    // An error means that one has been chosen already, which is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
}
