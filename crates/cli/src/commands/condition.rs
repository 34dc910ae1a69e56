//! `milestone condition`: project-wide facts that work waits for.

use std::collections::{BTreeMap, BTreeSet};

use clap::{Args, Subcommand};
use milestone_domain::command::Command;
use milestone_domain::ids::Node;
use milestone_domain::readiness::Board;
use milestone_domain::snapshot::{Outline, Scope};
use milestone_domain::views::ConditionState;
use schemars::JsonSchema;
use serde::Serialize;

use crate::app::App;
use crate::commands::values;
use crate::errors::Failure;
use crate::render;
use crate::render::page::clean;
use crate::render::style;

/// Set, clear and list conditions: facts that work waits for
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  milestone condition set api_specification_approved --reason \"review of 3 May\"
  milestone condition list")]
pub struct ConditionArgs {
    #[command(subcommand)]
    command: ConditionVerb,
}

#[derive(Debug, Subcommand)]
enum ConditionVerb {
    /// Say that a condition holds
    #[command(after_help = "Examples:\n  milestone condition set database_schema_complete")]
    Set(NameArgs),
    /// Say that a condition no longer holds
    #[command(after_help = "Examples:\n  milestone condition clear database_schema_complete")]
    Clear(NameArgs),
    /// List every condition, whether it holds, and what provides it
    #[command(after_help = "Examples:\n  milestone condition list --json")]
    List,
}

#[derive(Debug, Args)]
struct NameArgs {
    /// The condition's name
    #[arg(value_parser = values::condition)]
    name: String,
    /// Why
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
}

pub fn run(app: &App, args: ConditionArgs) -> Result<(), Failure> {
    match args.command {
        ConditionVerb::Set(NameArgs { name, reason }) => {
            app.execute(&Command::SetCondition { name: name.clone(), reason })?;
            changed(app, &name, true)
        }
        ConditionVerb::Clear(NameArgs { name, reason }) => {
            app.execute(&Command::ClearCondition { name: name.clone(), reason })?;
            changed(app, &name, false)
        }
        ConditionVerb::List => list(app),
    }
}

/// A condition as somebody said it is.
#[derive(Debug, Serialize, JsonSchema)]
pub struct ConditionSet {
    name: String,
    holds: bool,
}

fn changed(app: &App, name: &str, holds: bool) -> Result<(), Failure> {
    let word = if holds { " holds." } else { " no longer holds." };
    let set = ConditionSet { name: name.to_owned(), holds };
    // A name is what somebody made up, and is on standard output without a page.
    app.out.done(&set, &clean(name), |page| {
        page.styled(style::ID, name).say(word).end();
    })
}

fn list(app: &App) -> Result<(), Failure> {
    let snapshot = app.read(&Scope::Graph(BTreeSet::new()))?;
    let board = Board::new(&snapshot, app.today()?);
    let mut names: BTreeMap<String, Vec<Node>> = BTreeMap::new();
    for name in snapshot.conditions.0.keys() {
        names.entry(name.clone()).or_default();
    }
    for outline in snapshot.outlines.values() {
        let tasks = outline.tasks.iter().flat_map(|task| &task.conditions);
        for name in outline.conditions.iter().chain(tasks) {
            names.entry(name.clone()).or_default();
        }
    }
    for (name, node, _) in snapshot.outlines.values().flat_map(Outline::provisions) {
        names.entry(name.to_owned()).or_default().push(node);
    }
    let states: Vec<ConditionState> = names
        .into_iter()
        .map(|(name, provided_by)| ConditionState { holds: board.holds(&name), name, provided_by })
        .collect();
    app.out.show(&states, |page| {
        if states.is_empty() {
            page.say("No conditions: nothing waits for one.").end();
        }
        render::task::conditions(page, &states);
    })
}
