//! The `hub-audit` command.

mod cli;

/// Tables that every pair of tensors fills anew are kept mapped between pairs; the system's allocator gives them back each time.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    cli::main()
}
