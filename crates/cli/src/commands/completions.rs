//! `milestone completions`: what makes a shell complete commands and ids.

use clap::{Args, ValueEnum};
use clap_complete::env::Shells;

use crate::completing::VARIABLE;
use crate::errors::Failure;
use crate::output;

/// Print what makes a shell complete commands, ids and names
///
/// What the shell then asks is answered by this program from the project it stands in: milestones
/// and tasks with their titles, conditions, settings. Nothing is changed by it.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  source <(milestone completions bash)         # in ~/.bashrc
  source <(milestone completions zsh)          # in ~/.zshrc, after compinit
  milestone completions fish | source          # in ~/.config/fish/config.fish
  eval (milestone completions elvish | slurp)  # in ~/.config/elvish/rc.elv
  milestone completions powershell | Out-String | Invoke-Expression  # $PROFILE")]
pub struct CompletionsArgs {
    /// The shell
    #[arg(value_enum)]
    shell: Shell,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Shell {
    Bash,
    Zsh,
    Fish,
    Elvish,
    Powershell,
}

impl Shell {
    fn name(self) -> &'static str {
        match self {
            Self::Bash => "bash",
            Self::Zsh => "zsh",
            Self::Fish => "fish",
            Self::Elvish => "elvish",
            Self::Powershell => "powershell",
        }
    }
}

pub fn run(args: &CompletionsArgs) -> Result<(), Failure> {
    const PROGRAM: &str = "milestone";
    let shells = Shells::builtins();
    let mut script = Vec::new();
    let written = shells
        .completer(args.shell.name())
        .map(|shell| shell.write_registration(VARIABLE, PROGRAM, PROGRAM, PROGRAM, &mut script));
    match written {
        Some(Ok(())) => output::raw(&String::from_utf8_lossy(&script)),
        _ => Err(Failure::usage("this shell is not known", "see `milestone completions --help`")),
    }
}
