//! What program this is, for a report of a fault.

use std::{
    env::consts::{ARCH, OS},
    sync::LazyLock,
};

/// Version, the commit where the build was told it (`HUB_AUDIT_COMMIT`), platform and features.
pub(crate) fn long() -> &'static str {
    static TEXT: LazyLock<String> = LazyLock::new(text);
    &TEXT
}

fn text() -> String {
    let commit = option_env!("HUB_AUDIT_COMMIT").filter(|commit| !commit.is_empty());
    let commit = commit.map_or_else(String::new, |commit| format!(" (commit {commit})"));
    let features =
        [("hf-cache", cfg!(feature = "hf-cache")), ("png", cfg!(feature = "png")), ("serve", cfg!(feature = "serve"))];
    let features: Vec<&str> = features.into_iter().filter(|(_, on)| *on).map(|(name, _)| name).collect();
    format!("{}{commit}\nplatform: {OS} {ARCH}\nfeatures: {}", env!("CARGO_PKG_VERSION"), features.join(", "))
}
