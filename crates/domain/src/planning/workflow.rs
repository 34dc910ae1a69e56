//! Work in four phases, three of which leave documents before the first line is built.

use super::Workflow;
use super::estimates::scaled;
use super::expand::extend;
use super::scope::Scope;
use crate::document::{Deliverable, Milestone, Phase, Task};
use crate::effort::{Effort, Estimate, ThreePoint};
use crate::ids::{Reference, TaskName};

const DESIGN: &str = "design";
const SPEC: &str = "spec";
const TASK: &str = "task";
const EXECUTE: &str = "execute";

const PHASES: [(&str, &str); 4] = [
    (DESIGN, "Architecture, and the interfaces to the outside"),
    (SPEC, "What it must do, and how that is tested"),
    (TASK, "The plan of the implementation, with its order"),
    (EXECUTE, "The solution, built and validated"),
];

/// What each phase leaves behind, below the milestone's own folder of deliverables.
const DELIVERABLES: [(&str, &str); 7] = [
    (DESIGN, "architecture.md"),
    (DESIGN, "api-spec.yaml"),
    (SPEC, "technical-spec.md"),
    (SPEC, "test-plan.md"),
    (TASK, "implementation-plan.md"),
    (EXECUTE, "implementation-summary.md"),
    (EXECUTE, "test-results.md"),
];

/// A task that writes a document: its phase, title, kind and three points in minutes.
type Writing = (&'static str, &'static str, &'static str, [u32; 3]);

/// In order of work: each waits for the one before.
const BEFORE: [Writing; 5] = [
    (DESIGN, "Write the architecture", "design", [120, 240, 960]),
    (DESIGN, "Specify the API", "design", [60, 180, 480]),
    (SPEC, "Write the technical specification", "design", [120, 240, 720]),
    (SPEC, "Write the test plan", "test", [60, 120, 300]),
    (TASK, "Write the implementation plan", "docs", [60, 120, 240]),
];

const BUILD: Writing = (EXECUTE, "Build and test it as specified", "build", [960, 1_920, 4_800]);

const AFTER: Writing =
    (EXECUTE, "Write down what was built and how it tested", "docs", [60, 120, 240]);

/// Puts the phases around the tasks that are there: they are what is executed.
pub fn surround(milestone: &mut Milestone, workflow: Workflow, scope: &Scope) {
    let phases = PHASES.iter().map(|(name, about)| Phase {
        description: Some((*about).to_owned()),
        approval: workflow.approval,
        ..Phase::from((*name).to_owned())
    });
    milestone.phases = phases.collect();
    let named = DELIVERABLES.iter().map(|(phase, name)| Deliverable {
        path: Some(format!("{phase}/{name}")),
        phase: Some((*phase).to_owned()),
        ..Deliverable::from((*name).to_owned())
    });
    extend(&mut milestone.deliverables, named);

    let mut tasks: Vec<Task> = (1..).zip(BEFORE).map(|(n, one)| writing(n, one, scope)).collect();
    for task in tasks.iter_mut().skip(1) {
        task.requires = vec![Reference::Own(task.id.number - 1)];
    }
    let planned = u32::try_from(tasks.len()).unwrap_or(u32::MAX);
    let mut built = std::mem::take(&mut milestone.tasks);
    if built.is_empty() {
        built.push(writing(1, BUILD, scope));
    }
    built.iter_mut().for_each(|task| shift(task, planned));
    let last = built.iter().map(|task| task.id.number).max().unwrap_or(planned);
    let required =
        |number| built.iter().any(|task| task.requires.contains(&Reference::Own(number)));
    let ends = built.iter().map(|task| task.id.number).filter(|number| !required(*number));
    let ends = ends.map(Reference::Own).collect();
    tasks.extend(built);
    tasks.push(Task { requires: ends, ..writing(last + 1, AFTER, scope) });
    milestone.tasks = tasks;
}

fn writing(number: u32, (phase, title, kind, points): Writing, scope: &Scope) -> Task {
    let [o, l, p] = points.map(Effort::from_minutes);
    let estimate = ThreePoint::new(o, l, p).ok().map(Estimate::ThreePoint);
    Task {
        phase: Some(phase.to_owned()),
        kind: Some(kind.to_owned()),
        estimate: estimate.map(|estimate| scaled(estimate, scope.size.percent(), 100)),
        ..Task::new(number, title)
    }
}

/// Moves a task behind those that were put before it; what begins the work waits for the plan.
fn shift(task: &mut Task, by: u32) {
    task.id = TaskName::new(task.id.number.saturating_add(by));
    for reference in &mut task.requires {
        if let Reference::Own(number) = reference {
            *number = number.saturating_add(by);
        }
    }
    if !task.requires.iter().any(|reference| matches!(reference, Reference::Own(_))) {
        task.requires.push(Reference::Own(by));
    }
    task.phase = Some(EXECUTE.to_owned());
}
