//! Threads: those of the network and those that compute. None of their numbers is left to variables that other programs set.

use std::{env, sync::OnceLock, thread};

use anyhow::Context;
use tokio::runtime::{Builder, Runtime};

use super::printer::Printer;

/// The network's runtime.
pub(crate) fn network() -> anyhow::Result<Runtime> {
    Builder::new_multi_thread()
        .worker_threads(machine())
        .enable_all()
        .build()
        .context("the network runtime cannot start")
}

/// Sets up the threads that compute: as many as were asked for, and no more than the machine has. A further round of one run keeps
/// those of the first.
pub(crate) fn compute(asked: Option<u16>, printer: &Printer) -> anyhow::Result<()> {
    static SET_UP: OnceLock<()> = OnceLock::new();
    if SET_UP.set(()).is_err() {
        return Ok(());
    }
    let most = machine();
    if let Some(asked) = asked.filter(|&asked| usize::from(asked) > most) {
        printer.talk(&format!("--threads {asked}: this machine has {most}, which are used"));
    }
    let by_variable = || env::var("RAYON_NUM_THREADS").ok()?.trim().parse().ok().filter(|&threads: &usize| threads > 0);
    let threads = asked.map(usize::from).or_else(by_variable).unwrap_or(most);
    rayon::ThreadPoolBuilder::new()
        .num_threads(threads.clamp(1, most))
        .build_global()
        .context("the compute threads cannot be set up")
}

fn machine() -> usize {
    thread::available_parallelism().map_or(1, usize::from)
}
