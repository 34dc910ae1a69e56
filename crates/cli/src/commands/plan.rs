//! `milestone plan`: makes a milestone.

use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use clap::Args;
use milestone_domain::command::Context;
use milestone_domain::decide::decide;
use milestone_domain::document::{Criterion, Milestone, Task};
use milestone_domain::ids::{MilestoneId, Reference};
use milestone_domain::limits;
use milestone_domain::planning::draft::Draft;
use milestone_domain::planning::template::{NONE, Template};
use milestone_domain::planning::{self, Choice, Proposal, Request, Workflow};
use milestone_domain::snapshot::{Scope, Snapshot};
use milestone_domain::views::plan::{self, PlanView};
use milestone_store::{Change, Outcome, StoreError, files, yaml};

use super::{template, values};
use crate::app::App;
use crate::editing::MilestoneFields;
use crate::errors::Failure;
use crate::output;
use crate::render;

/// Plan a milestone
///
/// Breaks it down with the template that its words call for, writes its document and prints the id
/// it was given. Whoever lists tasks of their own, or a file, gets those and no others. Makes the
/// project first where there is none.
#[derive(Debug, Args)]
#[command(after_help = "\
A task is written as its title, and after bars its estimate and what it comes after:
  --task \"Design the flow | 4h\"
  --task \"Build it | 2h/4h/2d | after 1\"
  --task \"Ship it | after 1, 2\"
The numbers are those of the tasks of this milestone, in the order in which they are given.

Examples:
  milestone plan \"User authentication\"
  milestone plan \"Portal: login, password reset and profile page\" --dry-run
  milestone plan \"API Development\" --duration \"2 weeks\" --dependencies milestone-001,milestone-003
  milestone plan \"Payment System\" --kiro-workflow --approval-required
  milestone plan \"Login\" --task \"Design | 4h\" --task \"Build | after 1\" --due 2026-12-18
  milestone plan --from draft.yaml")]
pub struct PlanArgs {
    /// What is to be reached
    #[arg(value_name = "TITLE", required_unless_present = "from")]
    title: Option<String>,
    /// Begin with this YAML document; `-` reads it from standard input
    #[arg(long, value_name = "FILE")]
    from: Option<PathBuf>,
    /// The template to plan with, or `none` [default: the one that the words call for]
    #[arg(long, value_name = "NAME", conflicts_with = "from")]
    template: Option<String>,
    /// A task; may be repeated
    #[arg(long, value_name = "TASK")]
    task: Vec<String>,
    /// Something that must be true at the end; may be repeated
    #[arg(long, value_name = "TEXT")]
    criterion: Vec<String>,
    /// The same as --requires
    #[arg(long, value_name = "IDS", value_delimiter = ',')]
    dependencies: Vec<Reference>,
    /// In phases that leave documents behind: design, spec, task, execute
    #[arg(long)]
    kiro_workflow: bool,
    /// Each of these phases ends with an approval
    #[arg(long, requires = "kiro_workflow")]
    approval_required: bool,
    /// Show the document without writing it
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    fields: MilestoneFields,
}

pub fn run(app: &App, args: &PlanArgs) -> Result<(), Failure> {
    let proposal = propose(app, args)?;
    if args.dry_run {
        return dry_run(app, &proposal);
    }
    let (opened, made) = app.opened_or_made()?;
    if made {
        let mut page = app.out.page();
        page.say("Made a project in ").say(opened.root.folder().display()).say(".").end();
        output::say(&page);
    }
    let outcome = app.execute(&proposal.draft.command())?;
    let id = planned(&outcome)?;
    let document = outcome.snapshot.documents.get(&id).cloned();
    let document = document.ok_or(Failure::Store(StoreError::Stale))?;
    // It is planned: that the past cannot be read must not say it is not.
    let known = past(app).unwrap_or_else(|_| {
        output::warn(&format!("{id} is planned; what the past says about it cannot be read"));
        outcome.snapshot.clone()
    });
    let context = opened.project.context(app.actor());
    let view = seen(known, document, &proposal, true, &context)?;
    app.out.done(&view, &id.to_string(), |page| render::plan::plan(page, &view))
}

fn planned(outcome: &Outcome) -> Result<MilestoneId, Failure> {
    let mut ids = outcome.events.iter().filter_map(|recorded| match recorded.stream {
        milestone_domain::event::Stream::Milestone(id) => Some(id),
        milestone_domain::event::Stream::Project => None,
    });
    ids.next().ok_or(Failure::Store(StoreError::Stale))
}

/// Everything that bears on when a plan is done: open work, and the past.
fn past(app: &App) -> Result<Snapshot, Failure> {
    app.read(&Scope::Past(limits::PAST_MILESTONES_MAX))
}

fn seen(
    mut snapshot: Snapshot,
    document: Milestone,
    proposal: &Proposal,
    written: bool,
    context: &Context,
) -> Result<PlanView, Failure> {
    let id = document.id;
    snapshot.insert(document);
    let view = plan::plan(&snapshot, id, proposal, written, context.now, context.today);
    view.ok_or(Failure::Store(StoreError::Stale))
}

/// What would be written, decided on the project as it is or as it would be made.
fn dry_run(app: &App, proposal: &Proposal) -> Result<(), Failure> {
    let command = proposal.draft.command();
    let (snapshot, context) = match app.opened() {
        Ok(opened) => {
            let scope = milestone_domain::needs::needs(&command);
            (app.read(&scope)?, opened.project.context(app.actor()))
        }
        Err(Failure::Store(StoreError::NoProject { .. })) => {
            let opened = crate::app::open(app.place()?)?;
            (Snapshot::default(), opened.project.context(app.actor()))
        }
        Err(other) => return Err(other),
    };
    let events = decide(&snapshot, &command, &context)?;
    let change = Change::new(&snapshot, context.change, events);
    let Some((_, document)) = change.documents.into_iter().next() else {
        return Err(Failure::Store(StoreError::Stale));
    };
    let text = files::text::write(&document, snapshot.settings.document_progress);
    let known = match past(app) {
        // A dry run makes no project.
        Err(Failure::Store(StoreError::NoProject { .. })) => Snapshot::default(),
        read => read?,
    };
    let view = seen(known, document, proposal, false, &context)?;
    if app.out.json {
        return app.out.show(&view, |_| {});
    }
    app.out.file(&text)?;
    let mut page = app.out.page();
    page.end();
    render::plan::plan(&mut page, &view);
    output::say(&page);
    Ok(())
}

fn propose(app: &App, args: &PlanArgs) -> Result<Proposal, Failure> {
    let said = said(args)?;
    let workflow = args.kiro_workflow.then_some(Workflow { approval: args.approval_required });
    if workflow.is_some() && !said.phases.is_empty() {
        return Err(Failure::usage(
            "the file has phases of its own, which --kiro-workflow would replace",
            "leave out one of the two",
        ));
    }
    let has_tasks = args.from.is_some() || !args.task.is_empty();
    let (mut shelf, template) = match args.template.as_deref() {
        Some(NONE) => return Ok(planned_by_hand(said, workflow)),
        None if has_tasks => return Ok(planned_by_hand(said, workflow)),
        name => (template::shelf(app)?, name),
    };
    let named = template.map(|name| template::wanted(&mut shelf, name)).transpose()?;
    let template = named.as_ref().map_or(Choice::ByWords, Choice::Named);
    let templates: Vec<&Template> = shelf.all().map(|held| &held.template).collect();
    Ok(planning::propose(Request { said, template, workflow }, &templates))
}

fn planned_by_hand(said: Milestone, workflow: Option<Workflow>) -> Proposal {
    planning::propose(Request { said, template: Choice::None, workflow }, &[])
}

/// What the command line, and the file that it names, say about the milestone.
fn said(args: &PlanArgs) -> Result<Milestone, Failure> {
    let mut said = match &args.from {
        Some(file) => from_file(file, args.title.as_deref())?,
        None => Draft::new(args.title.as_deref().unwrap_or("-")),
    }
    .milestone;
    said.title = args.title.clone().unwrap_or(said.title);
    args.fields.apply(&mut said);
    crate::editing::add(&mut said.dependencies.requires, &args.dependencies);
    for text in &args.task {
        let number = said.next_task_number();
        let task = task(number, text).map_err(|message| {
            let next = "write for example \"Design it | 4h | after 1\"";
            Failure::usage(format!("--task {text:?}: {message}"), next)
        })?;
        said.tasks.push(task);
    }
    said.criteria.extend(args.criterion.iter().cloned().map(Criterion::from));
    Ok(said)
}

/// `Title | 4h | after 1, 2`
fn task(number: u32, text: &str) -> Result<Task, String> {
    let mut parts = text.split('|').map(str::trim);
    let mut task = Task::new(number, parts.next().unwrap_or_default());
    for part in parts {
        match part.strip_prefix("after ") {
            Some(before) => {
                for one in before.split(',').map(str::trim) {
                    task.requires.push(reference(one)?);
                }
            }
            None => task.estimate = Some(values::estimate(part)?),
        }
    }
    Ok(task)
}

/// Here a number alone is a task of this milestone.
fn reference(text: &str) -> Result<Reference, String> {
    if let Ok(number) = text.parse::<u32>() {
        return Ok(Reference::Own(number));
    }
    text.parse().map_err(|error: milestone_domain::ids::IdError| error.to_string())
}

fn from_file(file: &Path, title: Option<&str>) -> Result<Draft, Failure> {
    let failed = |source| Failure::Io { doing: "read", path: file.to_owned(), source };
    let mut text = String::new();
    if file == Path::new("-") {
        std::io::stdin().read_to_string(&mut text).map_err(failed)?;
    } else {
        text = fs::read_to_string(file).map_err(failed)?;
    }
    let named = file != Path::new("-");
    let shown = if named { file.display().to_string() } else { "standard input".into() };
    let unreadable = |(line, column): (usize, usize), message: String| {
        let (line, column) = (line as u64, column as u64);
        StoreError::Unreadable { file: shown.clone(), line, column, message }
    };
    let tree = yaml::to_value(&text).map_err(|e| unreadable((e.line, e.column), e.message))?;
    let draft = Draft::read(tree, title).map_err(|error| {
        unreadable(yaml::nearest_place(&text, error.path.steps()), error.message)
    })?;
    Ok(draft)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_task_is_a_title_an_estimate_and_what_it_comes_after() {
        let requires = |text: &str| {
            let task = task(3, text).unwrap();
            let requires: Vec<_> = task.requires.iter().map(ToString::to_string).collect();
            (task.title, task.estimate.map(|e| e.expected().to_string()), requires.join(" "))
        };
        let none = String::new;
        assert_eq!(requires("Build"), ("Build".into(), None, none()));
        assert_eq!(requires("Build | 4h"), ("Build".into(), Some("4h".into()), none()));
        assert_eq!(
            requires("Build|after 1, 2|1h/4h/7h"),
            ("Build".into(), Some("4h".into()), "task-001 task-002".into())
        );
        assert_eq!(requires("B | after milestone-002").2, "milestone-002");
        for wrong in ["B | soon", "B | after x", "B | after "] {
            assert!(task(1, wrong).is_err(), "{wrong}");
        }
    }
}
