//! `milestone help VERB`: the same as `milestone VERB --help`, for those who look for it there.

use clap::Args;

use super::man::below;
use crate::args::whole;
use crate::errors::Failure;
use crate::output;

/// Print the help of a command
#[derive(Debug, Args)]
pub struct HelpArgs {
    /// The command it is about
    #[arg(value_name = "VERB")]
    verb: Vec<String>,
}

pub fn run(args: &HelpArgs) -> Result<(), Failure> {
    let mut command = below(&whole(), &args.verb)?.clone();
    let help =
        if args.verb.is_empty() { command.render_help() } else { command.render_long_help() };
    output::styled(&help.ansi().to_string())
}
