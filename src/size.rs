//! Numbers of bytes as people read them.

/// So many bytes in decimal units: `512 B`, `5.9 MB`.
pub(crate) fn readable(bytes: f64) -> String {
    let units = ["B", "kB", "MB", "GB", "TB", "PB"];
    let (mut scaled, mut unit) = (bytes, 0);
    while scaled.abs() >= 999.5 && unit + 1 < units.len() {
        scaled /= 1000.0;
        unit += 1;
    }
    let digits = usize::from(unit > 0 && scaled.abs() < 99.95);
    // More digits of what no disk holds would be noise.
    if scaled.abs() >= 1e15 { format!("{scaled:.3e} PB") } else { format!("{scaled:.digits$} {}", units[unit]) }
}
