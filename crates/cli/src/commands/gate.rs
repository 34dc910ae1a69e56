//! `milestone approve`, `reject` and `request-changes`: decisions between the phases of a workflow.

use clap::Args;
use milestone_domain::command::Command;
use milestone_domain::ids::Node;
use milestone_domain::status::Decision;
use milestone_domain::views::gates::decided;

use crate::app::App;
use crate::errors::Failure;
use crate::render;
use crate::target::Target;

/// Approve what a phase left behind, so that the phases after it can begin
///
/// A phase of a document asks for this with `approval: true`. It can be approved when all of its
/// tasks are completed or cancelled. The approval falls when a task of the phase is reopened or
/// added, or when what the phase is to do or to leave behind is described otherwise.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  milestone approve 3 design
  milestone approve current specification --reason \"review of 3 May\"
  milestone approve 3/task-002 design")]
pub struct ApproveArgs {
    #[command(flatten)]
    gate: GateArgs,
    /// What it is based on
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
}

/// Reject what a phase left behind; the phases after it wait
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  milestone reject 3 design --reason \"a third-party service does all of it\"")]
pub struct RejectArgs {
    #[command(flatten)]
    gate: GateArgs,
    /// Why
    #[arg(long, value_name = "TEXT")]
    reason: String,
}

/// Ask for changes of what a phase left behind; the phases after it wait
///
/// Then reopen the tasks that are to be done over, or add new ones to the phase.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  milestone request-changes 3 design --reason \"the failure cases are missing\"
  milestone task reopen 3.1")]
pub struct RequestChangesArgs {
    #[command(flatten)]
    gate: GateArgs,
    /// What is to change
    #[arg(long, value_name = "TEXT")]
    reason: String,
}

#[derive(Debug, Args)]
struct GateArgs {
    /// The milestone; with a task behind it, only if that task is of the phase
    #[arg(value_name = "MILESTONE[/TASK]")]
    id: Target,
    /// The phase's name
    phase: String,
}

pub fn approve(app: &App, args: ApproveArgs) -> Result<(), Failure> {
    decide(app, args.gate, Decision::Approved, args.reason)
}

pub fn reject(app: &App, args: RejectArgs) -> Result<(), Failure> {
    decide(app, args.gate, Decision::Rejected, Some(args.reason))
}

pub fn request_changes(app: &App, args: RequestChangesArgs) -> Result<(), Failure> {
    decide(app, args.gate, Decision::ChangesRequested, Some(args.reason))
}

fn decide(
    app: &App,
    GateArgs { id, phase }: GateArgs,
    decision: Decision,
    reason: Option<String>,
) -> Result<(), Failure> {
    let (milestone, task) = match id.node(app)? {
        Node::Milestone(id) => (id, None),
        Node::Task(id) => (id.milestone, Some(id.number)),
    };
    let command = Command::DecideGate { milestone, task, phase: phase.clone(), decision, reason };
    let outcome = app.execute(&command)?;
    let view = decided(&outcome.snapshot, milestone, &phase, app.today()?);
    let missing = || super::show::missing(&outcome.snapshot, Node::Milestone(milestone));
    let view = view.ok_or_else(missing)?;
    app.out.done(&view, &milestone.to_string(), |page| {
        render::gates::decided(page, &view, outcome.events.is_empty());
    })
}
