//! The process between a session and a runner; started by the program itself.

use std::ffi::OsString;

use clap::Args;

/// Run a program that ends when standard input does
#[derive(Debug, Args)]
pub struct KeepRunnerArgs {
    #[arg(last = true, required = true)]
    command: Vec<OsString>,
}

pub fn run(args: &KeepRunnerArgs) -> ! {
    let status = match args.command.split_first() {
        Some((program, arguments)) => milestone_engine::keeper::run(program, arguments),
        None => 2,
    };
    std::process::exit(status)
}
