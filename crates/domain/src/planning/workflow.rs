//! Work in four phases, three of which leave documents before the first line is built.

use std::collections::{BTreeMap, BTreeSet};

use super::Workflow;
use super::estimates::scaled;
use super::expand::extend;
use super::scope::Scope;
use super::subject::{fitting, head, whole};
use super::verbs::plain;
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

/// A task that writes a document.
struct Writing {
    phase: &'static str,
    title: &'static str,
    description: &'static str,
    kind: &'static str,
    /// Three points in minutes.
    points: [u32; 3],
}

/// In order of work: each waits for the one before.
const BEFORE: [Writing; 5] = [
    Writing {
        phase: DESIGN,
        title: "Write down the architecture of {subject}",
        description: "Its parts, its data and what happens when something fails; each decision \
                      with its reason",
        kind: "design",
        points: [120, 240, 960],
    },
    Writing {
        phase: DESIGN,
        title: "Specify the interfaces to the outside",
        description: "Calls, answers and errors, agreed on with whoever uses them",
        kind: "design",
        points: [60, 180, 480],
    },
    Writing {
        phase: SPEC,
        title: "Specify what it must do",
        description: "Requirements with a number each, limits, and what is left out",
        kind: "design",
        points: [120, 240, 720],
    },
    Writing {
        phase: SPEC,
        title: "Write the test plan",
        description: "For each requirement the test that shows it",
        kind: "test",
        points: [60, 120, 300],
    },
    Writing {
        phase: TASK,
        title: "Write the implementation plan",
        description: "The order of the tasks below, what each hands on, and what is missing here",
        kind: "docs",
        points: [60, 120, 240],
    },
];

const BUILD: Writing = Writing {
    phase: EXECUTE,
    title: "Build and test {subject} as specified",
    description: "Every requirement with its test",
    kind: "build",
    points: [960, 1_920, 4_800],
};

const AFTER: Writing = Writing {
    phase: EXECUTE,
    title: "Write down what was built and how it tested",
    description: "With every difference from the specification and its reason",
    kind: "docs",
    points: [60, 120, 240],
};

/// The kind of task that finds out what is designed with.
const RESEARCH: &str = "research";

/// The kind of task that is never all there is to execute.
const PREPARING: &str = "ops";

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

    let about = whole(head(&plain(&milestone.title)));
    let writer = Writer { scope, about };
    milestone.tasks = in_phases(std::mem::take(&mut milestone.tasks), &writer);
}

/// Groundwork, the documents of each phase, what is executed, and what is written down in the end.
fn in_phases(tasks: Vec<Task>, writer: &Writer<'_>) -> Vec<Task> {
    let groundwork = groundwork(&tasks);
    let (mut known, mut built): (Vec<Task>, Vec<Task>) =
        tasks.into_iter().partition(|task| groundwork.contains(&task.id.number));
    if built.iter().all(|task| task.kind.as_deref() == Some(PREPARING)) {
        let number = known.iter().chain(&built).map(|task| task.id.number).max().unwrap_or(0) + 1;
        let requires = built.iter().map(|task| Reference::Own(task.id.number)).collect();
        built.push(Task { requires, ..writer.task(number, &BUILD) });
    }
    let first = count(&known) + 1;
    let plan = count(&known) + count(&BEFORE);
    let ends = renumber(&mut known, 1, DESIGN);
    let mut documents: Vec<Task> =
        (first..).zip(&BEFORE).map(|(number, one)| writer.task(number, one)).collect();
    let mut before = ends;
    for task in &mut documents {
        task.requires = std::mem::replace(&mut before, vec![Reference::Own(task.id.number)]);
    }
    let ends = renumber(&mut built, plan + 1, EXECUTE);
    for task in &mut built {
        if !task.requires.iter().any(|reference| matches!(reference, Reference::Own(_))) {
            task.requires.push(Reference::Own(plan));
        }
    }
    let after = Task { requires: ends, ..writer.task(plan + count(&built) + 1, &AFTER) };
    [known, documents, built, vec![after]].concat()
}

/// Research that nothing but research comes before: the design rests on it.
fn groundwork(tasks: &[Task]) -> BTreeSet<u32> {
    let mut found = BTreeSet::new();
    for task in tasks.iter().filter(|task| task.kind.as_deref() == Some(RESEARCH)) {
        let known = |reference: &Reference| match reference {
            Reference::Own(number) => found.contains(number),
            _ => false,
        };
        if task.requires.iter().all(known) {
            found.insert(task.id.number);
        }
    }
    found
}

/// Numbers tasks of one phase from `first` on, and answers those that no other of them waits for.
/// What they require of other phases is said by the order of the phases.
fn renumber(tasks: &mut [Task], first: u32, phase: &str) -> Vec<Reference> {
    let new: BTreeMap<u32, u32> = tasks.iter().map(|task| task.id.number).zip(first..).collect();
    for task in tasks.iter_mut() {
        task.id = TaskName::new(new[&task.id.number]);
        task.phase = Some(phase.to_owned());
        task.requires = std::mem::take(&mut task.requires)
            .into_iter()
            .filter_map(|reference| match reference {
                Reference::Own(number) => new.get(&number).map(|new| Reference::Own(*new)),
                other => Some(other),
            })
            .collect();
    }
    let own = tasks.iter().map(|task| Reference::Own(task.id.number));
    own.filter(|one| !tasks.iter().any(|task| task.requires.contains(one))).collect()
}

fn count<T>(items: &[T]) -> u32 {
    u32::try_from(items.len()).unwrap_or(u32::MAX)
}

/// What writes tasks into a milestone.
struct Writer<'a> {
    scope: &'a Scope,
    /// What is made, where the title says that something is.
    about: Option<String>,
}

impl Writer<'_> {
    fn task(&self, number: u32, from: &Writing) -> Task {
        let [o, l, p] = from.points.map(Effort::from_minutes);
        let estimate = ThreePoint::new(o, l, p).ok().map(Estimate::ThreePoint);
        let title = match &self.about {
            Some(about) => from.title.replace("{subject}", about),
            None => from.title.replace(" of {subject}", "").replace("{subject}", "it"),
        };
        Task {
            phase: Some(from.phase.to_owned()),
            kind: Some(from.kind.to_owned()),
            description: Some(from.description.to_owned()),
            estimate: estimate.map(|estimate| scaled(estimate, self.scope.size.percent(), 100)),
            ..Task::new(number, &fitting(title))
        }
    }
}
