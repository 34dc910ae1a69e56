//! Fields that people set from the command line, on new documents and on old ones.

use clap::Args;
use jiff::civil::Date;
use milestone_domain::change::{FieldChange, Path, difference, put};
use milestone_domain::command::Command;
use milestone_domain::document::{Milestone, Task, task_key};
use milestone_domain::effort::{Effort, Estimate};
use milestone_domain::ids::{MilestoneId, Node, Reference};
use milestone_domain::snapshot::Scope;
use milestone_domain::status::{MilestoneStatus, Priority};
use milestone_store::Outcome;

use crate::app::App;
use crate::commands::{show, values};
use crate::errors::Failure;

/// What `plan` and `update` can say about a milestone.
#[derive(Debug, Default, PartialEq, Args)]
#[command(next_help_heading = "Fields")]
pub struct MilestoneFields {
    /// What it is about; a list in it begins its lines with dashes
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    description: Option<String>,
    /// critical, high, medium or low
    #[arg(long)]
    priority: Option<Priority>,
    /// Who answers for it
    #[arg(long, value_name = "NAME")]
    assignee: Option<String>,
    /// Not before this date
    #[arg(long, value_name = "DATE", value_parser = values::date)]
    start: Option<Date>,
    /// When it is to be reached
    #[arg(long, value_name = "DATE", value_parser = values::date)]
    due: Option<Date>,
    /// How much work it is: 3d, "2 weeks"; `plan` scales the tasks of a template to it
    #[arg(long, value_name = "EFFORT")]
    duration: Option<Effort>,
    /// Percent added to what its tasks are estimated at
    #[arg(long, value_name = "PERCENT")]
    buffer: Option<u32>,
    /// How many people work on it
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    team_size: Option<u32>,
    /// What kind of work it is
    #[arg(long, value_name = "TEXT")]
    category: Option<String>,
    /// The part of the product
    #[arg(long, value_name = "TEXT")]
    component: Option<String>,
    /// The release it belongs to
    #[arg(long, value_name = "VERSION")]
    release: Option<String>,
    /// A label; may be repeated
    #[arg(long, value_name = "LABEL")]
    label: Vec<String>,
    /// A goal; may be repeated
    #[arg(long, value_name = "TEXT")]
    goal: Vec<String>,
    /// A risk; may be repeated
    #[arg(long, value_name = "TEXT")]
    risk: Vec<String>,
    /// Milestones and tasks that must be done before, with commas between them
    #[arg(long, value_name = "IDS", value_delimiter = ',')]
    requires: Vec<Reference>,
    /// A condition that must hold before; may be repeated
    #[arg(long, value_name = "NAME", value_parser = values::condition)]
    condition: Vec<String>,
}

/// What `task add` and `task set` can say about a task.
#[derive(Debug, Default, PartialEq, Args)]
#[command(next_help_heading = "Fields")]
pub struct TaskFields {
    /// What is to be done
    #[arg(long, value_name = "TEXT")]
    description: Option<String>,
    /// How much work it is: 4h, or best/most probable/worst: 2h/4h/2d
    #[arg(long, value_name = "EFFORT", value_parser = values::estimate)]
    estimate: Option<Estimate>,
    /// critical, high, medium or low
    #[arg(long)]
    priority: Option<Priority>,
    /// Who does it
    #[arg(long, value_name = "NAME")]
    assignee: Option<String>,
    /// Tasks and milestones that must be done before, with commas between them
    #[arg(long, value_name = "IDS", value_delimiter = ',')]
    requires: Vec<Reference>,
    /// A condition that must hold before; may be repeated
    #[arg(long, value_name = "NAME", value_parser = values::condition)]
    condition: Vec<String>,
    /// A condition that holds once it is done; may be repeated
    #[arg(long, value_name = "NAME", value_parser = values::condition)]
    provides: Vec<String>,
    /// A file or folder that it touches; may be repeated
    #[arg(long, value_name = "PATH")]
    resource: Vec<String>,
    /// Not before this date
    #[arg(long, value_name = "DATE", value_parser = values::date)]
    start: Option<Date>,
    /// When it is to be done
    #[arg(long, value_name = "DATE", value_parser = values::date)]
    due: Option<Date>,
    /// The phase it belongs to
    #[arg(long, value_name = "NAME")]
    phase: Option<String>,
    /// Its share of the milestone's progress [default: 1]
    #[arg(long, value_name = "N")]
    weight: Option<u32>,
    /// A label; may be repeated
    #[arg(long, value_name = "LABEL")]
    label: Vec<String>,
    /// What does it: shell, claude, manual, ...
    #[arg(long, value_name = "NAME")]
    runner: Option<String>,
    /// A command that does it
    #[arg(long, value_name = "COMMAND")]
    run: Option<String>,
    /// A command that shows that it is done; may be repeated
    #[arg(long, value_name = "COMMAND")]
    verify: Vec<String>,
}

fn set<T: Clone>(field: &mut Option<T>, value: Option<&T>) {
    if let Some(value) = value {
        *field = Some(value.clone());
    }
}

/// What is there already is not there twice.
pub fn add<T: Clone + PartialEq>(list: &mut Vec<T>, more: &[T]) {
    for item in more {
        if !list.contains(item) {
            list.push(item.clone());
        }
    }
}

impl MilestoneFields {
    /// Whether anything was said.
    pub fn any(&self) -> bool {
        *self != Self::default()
    }

    pub fn apply(&self, milestone: &mut Milestone) {
        set(&mut milestone.description, self.description.as_ref());
        set(&mut milestone.priority, self.priority.as_ref());
        set(&mut milestone.assignee, self.assignee.as_ref());
        set(&mut milestone.start, self.start.as_ref());
        set(&mut milestone.due, self.due.as_ref());
        set(&mut milestone.duration, self.duration.as_ref());
        set(&mut milestone.buffer, self.buffer.as_ref());
        set(&mut milestone.team_size, self.team_size.as_ref());
        set(&mut milestone.category, self.category.as_ref());
        set(&mut milestone.component, self.component.as_ref());
        set(&mut milestone.release, self.release.as_ref());
        add(&mut milestone.labels, &self.label);
        add(&mut milestone.goals, &self.goal);
        let risks: Vec<_> = self.risk.iter().cloned().map(Into::into).collect();
        add(&mut milestone.risks, &risks);
        add(&mut milestone.dependencies.requires, &self.requires);
        add(&mut milestone.dependencies.conditions, &self.condition);
    }
}

impl TaskFields {
    /// Whether anything was said.
    pub fn any(&self) -> bool {
        *self != Self::default()
    }

    pub fn apply(&self, task: &mut Task, home: MilestoneId) {
        set(&mut task.description, self.description.as_ref());
        set(&mut task.estimate, self.estimate.as_ref());
        set(&mut task.priority, self.priority.as_ref());
        set(&mut task.assignee, self.assignee.as_ref());
        set(&mut task.start, self.start.as_ref());
        set(&mut task.due, self.due.as_ref());
        set(&mut task.phase, self.phase.as_ref());
        set(&mut task.weight, self.weight.as_ref());
        set(&mut task.runner, self.runner.as_ref());
        set(&mut task.run, self.run.as_ref());
        let requires: Vec<_> = self.requires.iter().map(|r| r.seen_from(home)).collect();
        add(&mut task.requires, &requires);
        add(&mut task.conditions, &self.condition);
        add(&mut task.provides, &self.provides);
        add(&mut task.resources, &self.resource);
        add(&mut task.labels, &self.label);
        add(&mut task.verify, &self.verify);
    }
}

/// What a milestone is to become, beside its fields.
#[derive(Debug, Default, Clone)]
pub struct MilestoneChange {
    pub title: Option<String>,
    pub status: Option<MilestoneStatus>,
    pub reason: Option<String>,
}

/// Changes a milestone's own fields, all of them or none.
pub fn amend_milestone(
    app: &App,
    id: MilestoneId,
    change: &MilestoneChange,
    fields: &MilestoneFields,
    unset: &[String],
) -> Result<(Outcome, Vec<FieldChange>), Failure> {
    amend(app, id, &Path::root(), unset, |milestone| {
        milestone.title = change.title.clone().unwrap_or_else(|| milestone.title.clone());
        if let Some(status) = change.status {
            milestone.status = status;
            // Who goes on with what was filed away brings it back.
            milestone.archived &= status.is_closed();
            milestone.reason.clone_from(&change.reason);
        }
        fields.apply(milestone);
        Ok(())
    })
}

/// Changes a task's fields, all of them or none.
pub fn amend_task(
    app: &App,
    id: milestone_domain::ids::TaskId,
    title: Option<&str>,
    fields: &TaskFields,
    unset: &[String],
) -> Result<(Outcome, Vec<FieldChange>), Failure> {
    let place = Path::root().key("tasks").key(&task_key(id.number));
    amend(app, id.milestone, &place, unset, |milestone| {
        let task = milestone.task_mut(id.number).ok_or(Node::Task(id))?;
        if let Some(title) = title {
            title.clone_into(&mut task.title);
        }
        fields.apply(task, id.milestone);
        Ok(())
    })
}

/// The fields are set on the document that is there now; what others change meanwhile in other
/// fields stays.
pub fn amend(
    app: &App,
    id: MilestoneId,
    place: &Path,
    unset: &[String],
    change: impl FnOnce(&mut Milestone) -> Result<(), Node>,
) -> Result<(Outcome, Vec<FieldChange>), Failure> {
    let snapshot = app.read(&Scope::Milestone(id))?;
    let before = snapshot.documents.get(&id);
    let before = before.ok_or_else(|| show::missing(&snapshot, Node::Milestone(id)))?;
    let mut after = before.clone();
    change(&mut after).map_err(|node| show::missing(&snapshot, node))?;
    let mut tree = after.tree();
    for key in unset {
        let path = key.split('.').fold(place.clone(), |path, step| path.key(step));
        if path.get(&before.tree()).is_none() {
            return Err(Failure::usage(
                format!("there is no `{key}` to unset"),
                format!("see what there is: `milestone show {id} --json`"),
            ));
        }
        put(&mut tree, &path, None);
    }
    let changes = difference(&before.tree(), &tree);
    let outcome = app.execute(&Command::Amend { milestone: id, changes: changes.clone() })?;
    Ok((outcome, changes))
}
