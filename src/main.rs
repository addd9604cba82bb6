//! The `hub-audit` command.

fn main() {}
