//! `serve`: the embedded Hub in the foreground, until stopped.

use std::time::Duration;

use anyhow::Context;
use hub_audit::{
    error::Error,
    serve::{self, ServeOptions, Store},
};

use super::{args::ServeArgs, exit::ExitStatus, printer::Printer, runtime};

pub(crate) fn run(args: &ServeArgs, printer: &Printer) -> anyhow::Result<ExitStatus> {
    let store = match &args.dir {
        Some(dir) => Store::folder(dir).map_err(Error::from)?,
        None => Store::replica(),
    };
    let mut options = ServeOptions::new(store);
    options.port = args.port;
    options.latency = Duration::from_millis(args.latency);
    options.xet = args.xet;
    let runtime = runtime::network()?;
    let outcome = runtime.block_on(async {
        let hub = serve::start(options).await.map_err(Error::from)?;
        printer.data(hub.url())?;
        printer.talk("serving until stopped (Ctrl-C)");
        tokio::signal::ctrl_c().await.context("Ctrl-C cannot be waited for")?;
        hub.shutdown().await;
        Ok(ExitStatus::Done)
    });
    // A digest of a large file that is still computed is waited for by nobody.
    runtime.shutdown_background();
    outcome
}
