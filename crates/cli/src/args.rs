//! The command line as a whole; each command's own arguments stand beside it.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::builder::styling::{AnsiColor, Styles};
use clap::error::ErrorKind;
use clap::{Args, Command, CommandFactory as _, FromArgMatches as _, Parser, Subcommand};
use uuid::Uuid;

use crate::commands::{
    agent, archive, ci, completions, condition, config, criterion, doctor, edit, execute, gate,
    help, init, integrate, keep_runner, list, man, merge_driver, next, plan, schema, search,
    session, show, storage, task, template, update, values, watch, worker,
};

const STYLES: Styles = Styles::styled()
    .header(AnsiColor::Green.on_default().bold())
    .usage(AnsiColor::Green.on_default().bold())
    .literal(AnsiColor::Cyan.on_default().bold())
    .placeholder(AnsiColor::Cyan.on_default());

/// Plans, runs, watches and closes milestones of software work.
#[derive(Debug, Parser)]
#[command(
    name = "milestone",
    version,
    styles = STYLES,
    propagate_version = false,
    disable_help_subcommand = true,
    max_term_width = 100,
    after_help = "\
Examples:
  milestone plan \"User authentication\" --due 2026-12-18 --task \"Design the flow | 4h\"
  milestone next
  milestone task claim --next
  milestone task done 1.1
  milestone status

Ids are taken in any unambiguous form: milestone-001, 001, 1; task-001-003, 1.3;
`current` is the milestone in progress."
)]
pub struct Cli {
    #[command(flatten)]
    pub globals: Globals,
    #[command(subcommand)]
    pub command: Verb,
}

/// Every command with all that it takes.
pub fn whole() -> Command {
    let mut command = Cli::command();
    command.build();
    command
}

/// Reads a command line. What was not named is not made, which is most of the time that starting
/// takes, unless there is something to be said about it.
pub fn parse(line: &[OsString]) -> Result<Cli, clap::Error> {
    match Cli::try_parse_from(line) {
        Err(error) if error.kind() != ErrorKind::DisplayVersion => {
            Cli::from_arg_matches(&whole().try_get_matches_from(line)?)
        }
        parsed => parsed,
    }
}

/// What every command takes.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Global options")]
pub struct Globals {
    /// Print one JSON document instead of text for people
    #[arg(long, global = true)]
    pub json: bool,
    /// Who is asking [default: git's user.name, else the login name]
    #[arg(
        long,
        global = true,
        value_name = "NAME",
        env = "MILESTONE_ACTOR",
        hide_env_values = true,
        value_parser = values::actor
    )]
    pub actor: Option<String>,
    /// Act as if started in this folder
    #[arg(short = 'C', global = true, value_name = "DIR")]
    pub directory: Option<PathBuf>,
}

/// The right that a write on a claimed task shows.
#[derive(Debug, Clone, Args)]
pub struct Fencing {
    /// The claim's fence, as `task claim` printed it
    #[arg(long, value_name = "N", env = "MILESTONE_FENCE", hide_env_values = true)]
    pub fence: Option<u64>,
    /// The claim's attempt, as `task claim` printed it
    #[arg(long, value_name = "UUID", env = "MILESTONE_ATTEMPT", hide_env_values = true)]
    pub attempt: Option<Uuid>,
}

#[derive(Debug, Subcommand)]
#[command(defer = true)]
pub enum Verb {
    Init(init::InitArgs),
    Plan(Box<plan::PlanArgs>),
    #[command(visible_alias = "ls")]
    List(list::ListArgs),
    Show(show::ShowArgs),
    Search(search::SearchArgs),
    Next(next::NextArgs),
    Edit(edit::EditArgs),
    Task(task::TaskArgs),
    Criterion(criterion::CriterionArgs),
    Condition(condition::ConditionArgs),
    Approve(gate::ApproveArgs),
    Reject(gate::RejectArgs),
    RequestChanges(gate::RequestChangesArgs),
    Execute(execute::ExecuteArgs),
    Worker(worker::WorkerArgs),
    Session(session::SessionArgs),
    Agent(agent::AgentArgs),
    Ci(ci::CiArgs),
    Update(Box<update::UpdateArgs>),
    Status(update::StatusArgs),
    Archive(archive::ArchiveArgs),
    Template(template::TemplateArgs),
    Doctor(doctor::DoctorArgs),
    Storage(storage::StorageArgs),
    Watch(watch::WatchArgs),
    Config(config::ConfigArgs),
    Schema(schema::SchemaArgs),
    Integrate(integrate::IntegrateArgs),
    Completions(completions::CompletionsArgs),
    Man(man::ManArgs),
    /// Every command has `--help`, which the list above says; this is for habit
    #[command(hide = true)]
    Help(help::HelpArgs),
    #[command(hide = true)]
    KeepRunner(keep_runner::KeepRunnerArgs),
    #[command(hide = true)]
    MergeDriver(merge_driver::MergeDriverArgs),
}
