//! What program this is, for a report of a fault.

use std::sync::LazyLock;

use hub_audit::report::Provenance;

/// Version, the commit where the build was told it (`HUB_AUDIT_COMMIT`), platform and features.
pub(crate) fn long() -> &'static str {
    static TEXT: LazyLock<String> = LazyLock::new(text);
    &TEXT
}

fn text() -> String {
    let Provenance { tool_version, tool_commit, features, platform, .. } = Provenance::of_this_program();
    let commit = tool_commit.map_or_else(String::new, |commit| format!(" (commit {commit})"));
    format!("{tool_version}{commit}\nplatform: {platform}\nfeatures: {}", features.join(", "))
}
