//! What a run has moved, and how long it took.

use std::time::Duration;

use hub_audit::hub::Traffic;

use super::{printer::Printer, size::Size, table};

/// What a run has cost.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Cost {
    /// Whether any of the models is one of the Hub: of folders alone nothing moves.
    pub(crate) of_the_hub: bool,
    pub(crate) traffic: Traffic,
    pub(crate) fetched: usize,
    pub(crate) cached: usize,
    /// Tensors that were read from the cache that the Hub's own clients share.
    pub(crate) shared: usize,
    pub(crate) elapsed: Duration,
}

impl Cost {
    /// Says it, where there was anything to pay for.
    pub(crate) fn tell(&self, printer: &Printer) {
        if self.of_the_hub {
            printer.talk(&self.line());
        }
    }

    /// `moved 5.9 MB in 131 requests, 33 tensors fetched, 0 from cache, 0.9 s`; before the time also
    /// `12 from the Hugging Face cache`, where any were.
    fn line(&self) -> String {
        let shared = match self.shared {
            0 => String::new(),
            count => format!(", {count} from the Hugging Face cache"),
        };
        format!(
            "moved {} in {}, {} fetched, {} from cache{shared}, {:.1} s",
            Size(self.traffic.bytes),
            table::count(self.traffic.requests, "request"),
            table::count(self.fetched as u64, "tensor"),
            self.cached,
            self.elapsed.as_secs_f64()
        )
    }
}
