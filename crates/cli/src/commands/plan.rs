//! `milestone plan`: makes a milestone.

use std::collections::BTreeSet;
use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use clap::Args;
use milestone_domain::command::Command;
use milestone_domain::decide::decide;
use milestone_domain::document::{Criterion, Milestone, Task, task_key};
use milestone_domain::ids::{MilestoneId, Reference};
use milestone_domain::snapshot::{Scope, Snapshot};
use milestone_domain::views::Reach;
use milestone_domain::views::milestone::milestone;
use milestone_store::{Change, Outcome, StoreError, files, yaml};
use serde_json::{Value, json};

use super::values;
use crate::app::App;
use crate::editing::MilestoneFields;
use crate::errors::Failure;
use crate::output;
use crate::render;
use crate::render::style;

/// Plan a milestone
///
/// Writes its document and prints the id it was given. Makes the project first where there is
/// none.
#[derive(Debug, Args)]
#[command(after_help = "\
A task is written as its title, and after bars its estimate and what it comes after:
  --task \"Design the flow | 4h\"
  --task \"Build it | 2h/4h/2d | after 1\"
  --task \"Ship it | after 1, 2\"
The numbers are those of the tasks of this milestone, in the order in which they are given.

Examples:
  milestone plan \"User authentication\"
  milestone plan \"API\" --duration \"2 weeks\" --dependencies milestone-001,milestone-003
  milestone plan \"Login\" --due 2026-12-18 --criterion \"a user can log in\" --dry-run
  milestone plan --from draft.yaml")]
pub struct PlanArgs {
    /// What is to be reached
    #[arg(value_name = "TITLE", required_unless_present = "from")]
    title: Option<String>,
    /// Begin with this YAML document; `-` reads it from standard input
    #[arg(long, value_name = "FILE")]
    from: Option<PathBuf>,
    /// A task; may be repeated
    #[arg(long, value_name = "TASK")]
    task: Vec<String>,
    /// Something that must be true at the end; may be repeated
    #[arg(long, value_name = "TEXT")]
    criterion: Vec<String>,
    /// The same as --requires
    #[arg(long, value_name = "IDS", value_delimiter = ',')]
    dependencies: Vec<Reference>,
    /// Show the document without writing it
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    fields: MilestoneFields,
}

pub fn run(app: &App, args: &PlanArgs) -> Result<(), Failure> {
    let draft = Box::new(draft(args)?);
    if args.dry_run {
        return dry_run(app, draft);
    }
    let (opened, made) = app.opened_or_made()?;
    if made {
        let mut page = app.out.page();
        page.say("Made a project in ").say(opened.root.folder().display()).say(".").end();
        output::say(&page);
    }
    let outcome = app.execute(&Command::Plan { draft })?;
    let id = planned(&outcome)?;
    let view = milestone(&outcome.snapshot, id, Reach::Own, app.today()?);
    app.out.done("milestone", &view, &id.to_string(), |page| {
        let view = view.as_ref();
        page.say("Planned ").styled(style::ID, id).say("  ");
        page.styled(style::HEAD, view.map(|view| view.title.as_str()).unwrap_or_default()).end();
        let tasks = view.map_or(0, |view| view.tasks.len());
        if tasks == 0 {
            page.say("Break it down: ");
            page.styled(style::HINT, format!("milestone task add {} \"What is to be done\"", id.0));
        } else {
            page.say(render::words::count(tasks, "task")).say(". See what can be started: ");
            page.styled(style::HINT, format!("milestone next {}", id.0));
        }
        page.end();
    })
}

fn planned(outcome: &Outcome) -> Result<MilestoneId, Failure> {
    let mut ids = outcome.events.iter().filter_map(|recorded| match recorded.stream {
        milestone_domain::event::Stream::Milestone(id) => Some(id),
        milestone_domain::event::Stream::Project => None,
    });
    ids.next().ok_or(Failure::Store(StoreError::Stale))
}

/// What would be written, decided on the project as it is or as it would be made.
fn dry_run(app: &App, draft: Box<Milestone>) -> Result<(), Failure> {
    let (snapshot, context) = match app.opened() {
        Ok(opened) => {
            (app.read(&Scope::Graph(BTreeSet::new()))?, opened.project.context(app.actor()))
        }
        Err(Failure::Store(StoreError::NoProject { .. })) => {
            (Snapshot::default(), new_project(app)?)
        }
        Err(other) => return Err(other),
    };
    let events = decide(&snapshot, &Command::Plan { draft }, &context)?;
    let change = Change::new(&snapshot, context.change, events);
    let Some((id, document)) = change.documents.into_iter().next() else {
        return Err(Failure::Store(StoreError::Stale));
    };
    if app.out.json {
        let mut after = snapshot;
        after.insert(document);
        let view = milestone(&after, id, Reach::Own, context.today);
        return app.out.show("milestone", &view, |_| {});
    }
    output::raw(&files::text::write(&document, snapshot.settings.document_progress))?;
    let mut page = app.out.page();
    page.styled(style::DIM, "Nothing was written: this is what `plan` would write.").end();
    output::say(&page);
    Ok(())
}

fn new_project(app: &App) -> Result<milestone_domain::command::Context, Failure> {
    let root = app.place()?;
    let config = milestone_store::config::Config::load(&crate::app::layers(None))?;
    let files = files::Files::open(root.folder(), config.settings(), config.lock_wait());
    let project = milestone_store::Project::new(Box::new(files), config.settings().zone);
    Ok(project.context(app.actor()))
}

fn draft(args: &PlanArgs) -> Result<Milestone, Failure> {
    let mut draft = match &args.from {
        Some(file) => from_file(file, args.title.as_deref())?,
        None => Milestone::new(MilestoneId(0), args.title.as_deref().unwrap_or("-")),
    };
    draft.title = args.title.clone().unwrap_or(draft.title);
    args.fields.apply(&mut draft);
    crate::editing::add(&mut draft.dependencies.requires, &args.dependencies);
    for text in &args.task {
        let number = draft.next_task_number();
        let task = task(number, text).map_err(|message| {
            let next = "write for example \"Design it | 4h | after 1\"";
            Failure::usage(format!("--task {text:?}: {message}"), next)
        })?;
        draft.tasks.push(task);
    }
    draft.criteria.extend(args.criterion.iter().cloned().map(Criterion::from));
    Ok(draft)
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

/// A draft needs no ids: it gets the next one free, and its tasks are numbered as they stand.
fn from_file(file: &Path, title: Option<&str>) -> Result<Milestone, Failure> {
    let failed = |source| Failure::Io { doing: "read", path: file.to_owned(), source };
    let mut text = String::new();
    if file == Path::new("-") {
        std::io::stdin().read_to_string(&mut text).map_err(failed)?;
    } else {
        text = fs::read_to_string(file).map_err(failed)?;
    }
    let unreadable = |line: usize, column: usize, message: String| {
        let (line, column) = (line as u64, column as u64);
        StoreError::Unreadable { file: file.display().to_string(), line, column, message }
    };
    let tree = yaml::to_value(&text).map_err(|e| unreadable(e.line, e.column, e.message))?;
    let Value::Object(mut map) = tree else {
        return Err(unreadable(1, 1, "a draft is a mapping of keys".into()).into());
    };
    map.insert("id".into(), json!(MilestoneId(0)));
    map.shift_remove("uid");
    if let Some(title) = title {
        map.insert("title".into(), title.into());
    }
    if let Some(Value::Array(tasks)) = map.get_mut("tasks") {
        number_tasks(tasks);
    }
    Milestone::from_tree(Value::Object(map), false)
        .map(without_history)
        .map_err(|error| unreadable(1, 1, error.to_string()).into())
}

fn number_tasks(tasks: &mut [Value]) {
    for (number, task) in (1..).zip(tasks) {
        if let Value::String(title) = task {
            *task = json!({ "title": title });
        }
        if let Value::Object(map) = task {
            map.entry("id").or_insert_with(|| task_key(number).into());
        }
    }
}

/// What the program writes tells of another document's life.
fn without_history(mut draft: Milestone) -> Milestone {
    draft.started_at = None;
    draft.completed_at = None;
    draft.retired_tasks.clear();
    for task in &mut draft.tasks {
        (task.attempts, task.started_at) = (None, None);
        (task.started_by, task.completed_at) = (None, None);
    }
    for criterion in &mut draft.criteria {
        criterion.met = None;
    }
    draft
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
