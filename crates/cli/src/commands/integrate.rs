//! `milestone integrate`: tells coding agents and editors about this program.

use std::collections::BTreeSet;
use std::env;
use std::path::Path;

use clap::{Args, ValueEnum};
use milestone_store::repository::Repository;
use schemars::JsonSchema;
use serde::Serialize;

use crate::app::App;
use crate::errors::Failure;
use crate::integration::agents::Agent;
use crate::integration::editor;
use crate::integration::planned::{self, Planned, State};
use crate::output;
use crate::render::integration as shown;
use crate::render::style;

/// Tell coding agents, or an editor, about this project
///
/// Gives an agent commands of its own kind (plan, execute, update, archive, next, task) and a
/// section of AGENTS.md; gives an editor the schema of documents. Shows what would change and asks
/// first. What somebody changed by hand is left alone and named. Without names: what there is.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  milestone integrate
  milestone integrate claude codex --dry-run
  milestone integrate gemini --yes
  milestone integrate editor
  milestone integrate claude --remove")]
pub struct IntegrateArgs {
    /// Whom to tell
    #[arg(value_enum, value_name = "WHOM")]
    whom: Vec<Whom>,
    /// Take out what was written, as far as nobody changed it
    #[arg(long, requires = "whom")]
    remove: bool,
    /// Show the difference without writing it
    #[arg(long, requires = "whom")]
    dry_run: bool,
    /// Write without asking
    #[arg(long, requires = "whom")]
    yes: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Whom {
    Agent(Agent),
    Editor,
}

impl ValueEnum for Whom {
    fn value_variants<'a>() -> &'a [Self] {
        const ALL: [Whom; 7] = [
            Whom::Agent(Agent::Claude),
            Whom::Agent(Agent::Codex),
            Whom::Agent(Agent::Gemini),
            Whom::Agent(Agent::Opencode),
            Whom::Agent(Agent::Cursor),
            Whom::Agent(Agent::Copilot),
            Whom::Editor,
        ];
        &ALL
    }

    fn to_possible_value(&self) -> Option<clap::builder::PossibleValue> {
        match self {
            Self::Agent(agent) => agent.to_possible_value(),
            Self::Editor => Some(
                clap::builder::PossibleValue::new("editor")
                    .help("Editors with the YAML language server"),
            ),
        }
    }
}

/// What a run came to.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Integration {
    /// Whether the files are changed now.
    written: bool,
    files: Vec<Planned>,
    diff: String,
}

/// An agent, and how it stands.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Listed {
    pub name: String,
    pub title: &'static str,
    /// How the first of the commands is called.
    pub typed: String,
    pub state: Told,
    /// What says that the agent is used here.
    pub seen: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Told {
    No,
    Yes,
    /// Some commands are missing, older, or changed by hand.
    Partly,
}

pub fn run(app: &App, args: &IntegrateArgs) -> Result<(), Failure> {
    let root = app.place()?.project;
    let repository = Repository::at(&root);
    if args.whom.is_empty() {
        return list(app, &root, &repository);
    }
    let files = plan(app, &repository, args)?;
    let diff: String = files.iter().filter_map(Planned::diff).collect();
    let mut integration = Integration { written: false, files, diff };
    if !args.dry_run && !integration.diff.is_empty() {
        agreed(app, args, &integration.diff)?;
        planned::write(&repository, &integration.files)?;
        editor::write(app, &integration.files)?;
        integration.written = true;
    }
    let agents: Vec<Agent> = agents(args).into_iter().collect();
    app.out.show(&integration, |page| {
        if args.dry_run {
            shown::diff(page, &integration.diff);
        }
        shown::files(page, &integration.files, args.dry_run);
        if integration.written && !args.remove {
            shown::how_to_call(page, &agents);
        }
    })
}

fn agents(args: &IntegrateArgs) -> BTreeSet<Agent> {
    let agent = |whom: &Whom| match whom {
        Whom::Agent(agent) => Some(*agent),
        Whom::Editor => None,
    };
    args.whom.iter().filter_map(agent).collect()
}

fn plan(app: &App, repository: &Repository, args: &IntegrateArgs) -> Result<Vec<Planned>, Failure> {
    let agents = agents(args);
    let mut plan = Vec::new();
    if !agents.is_empty() {
        plan.extend(planned::agents(repository, &agents, args.remove)?);
    }
    if args.whom.contains(&Whom::Editor) {
        plan.extend(editor::plan(app, repository, args.remove)?);
    }
    Ok(plan)
}

/// Nothing is written that nobody has seen and agreed to.
fn agreed(app: &App, args: &IntegrateArgs, diff: &str) -> Result<(), Failure> {
    if app.out.json && args.yes {
        return Ok(());
    }
    let mut page = app.out.page();
    shown::diff(&mut page, diff);
    if args.yes {
        output::say(&page);
        return Ok(());
    }
    page.gap().say("Change these files? [y/N] ");
    if app.out.asks(&page) {
        return Ok(());
    }
    let names = args.whom.iter().filter_map(ValueEnum::to_possible_value);
    let names: Vec<String> = names.map(|name| name.get_name().to_owned()).collect();
    let remove = if args.remove { " --remove" } else { "" };
    Err(Failure::NotAgreed { command: format!("milestone integrate {}{remove}", names.join(" ")) })
}

fn list(app: &App, root: &Path, repository: &Repository) -> Result<(), Failure> {
    let listed = |agent: &Agent| -> Result<Listed, Failure> {
        let states = planned::told(repository, *agent)?;
        let is = |state| states.iter().filter(|planned| planned.state == state).count();
        Ok(Listed {
            name: agent.to_possible_value().map_or_else(String::new, |v| v.get_name().to_owned()),
            title: agent.title(),
            typed: agent.typed("plan"),
            state: match (is(State::Current), is(State::Created)) {
                (current, _) if current == states.len() => Told::Yes,
                (_, missing) if missing == states.len() => Told::No,
                _ => Told::Partly,
            },
            seen: seen(root, *agent),
        })
    };
    let all: Vec<Listed> = Agent::ALL.iter().map(listed).collect::<Result<_, _>>()?;
    app.out.show(&all, |page| {
        shown::list(page, &all);
        page.gap().say("To tell one: ").styled(style::HINT, "milestone integrate NAME").end();
    })
}

/// What says that an agent is used here: its files in the repository, its program on the path.
fn seen(root: &Path, agent: Agent) -> Vec<String> {
    let traces = agent.traces().iter().filter(|trace| root.join(trace).exists());
    let path = env::var_os("PATH").unwrap_or_default();
    let folders: Vec<_> = env::split_paths(&path).collect();
    let on_path = |program: &&&str| folders.iter().any(|folder| folder.join(program).is_file());
    let programs = agent.programs().iter().filter(on_path);
    traces
        .map(|trace| (*trace).to_owned())
        .chain(programs.map(|program| format!("`{program}`")))
        .collect()
}
