//! The program's operations, as people and agents start them.

use std::path::Path;

use milestone_domain::ids::TaskId;
use milestone_domain::status::TaskStatus;

use crate::inside;
use crate::measure::{Times, peak, run};
use crate::report::{Row, Target};
use crate::{Options, Programs, Result, Sample};

/// Which floor an operation is held against.
#[derive(Clone, Copy, PartialEq)]
enum Floor {
    Line,
    Replace,
}

/// What is done after a measured run, so that the next one finds the same project.
#[derive(Clone, Copy)]
enum Undo {
    Nothing,
    Release,
    Reopen,
    Remove,
}

struct Operation {
    name: &'static str,
    words: fn(TaskId) -> Vec<String>,
    floor: Floor,
    /// What it may cost with 1,000 tasks and fewer, and with more.
    most: (f64, f64),
    memory: f64,
    undo: Undo,
}

const ONE: f64 = 12.0;
const WHOLE: f64 = 60.0;

const STARTS: [Operation; 2] = [
    operation("--version", |_| words(&["--version"]), Floor::Line, (1.5, 1.5), ONE, Undo::Nothing),
    operation("--help", |_| words(&["--help"]), Floor::Line, (1.5, 1.5), ONE, Undo::Nothing),
];

const OPERATIONS: [Operation; 7] = [
    operation(
        "show",
        |task| vec!["show".into(), task.milestone.to_string()],
        Floor::Line,
        (3.0, 3.0),
        ONE,
        Undo::Nothing,
    ),
    operation("next", |_| words(&["next"]), Floor::Line, (10.0, 30.0), WHOLE, Undo::Nothing),
    operation("list", |_| words(&["list"]), Floor::Line, (10.0, 30.0), WHOLE, Undo::Nothing),
    operation("update", |_| words(&["update"]), Floor::Line, (20.0, 80.0), WHOLE, Undo::Nothing),
    operation("claim", |task| on("claim", task), Floor::Line, (10.0, 30.0), WHOLE, Undo::Release),
    operation("done", |task| on("done", task), Floor::Replace, (4.0, 4.0), ONE, Undo::Reopen),
    operation("add", added, Floor::Replace, (4.0, 4.0), ONE, Undo::Remove),
];

const fn operation(
    name: &'static str,
    words: fn(TaskId) -> Vec<String>,
    floor: Floor,
    most: (f64, f64),
    memory: f64,
    undo: Undo,
) -> Operation {
    Operation { name, words, floor, most, memory, undo }
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

fn on(verb: &str, task: TaskId) -> Vec<String> {
    words(&["task", verb, &task.to_string(), "--actor", inside::ACTOR])
}

fn added(task: TaskId) -> Vec<String> {
    words(&["task", "add", &task.milestone.to_string(), "One more thing"])
}

/// What does not depend on the project.
pub fn starts(programs: &Programs, sample: &Sample, options: &Options) -> Result<Vec<Row>> {
    measured(programs, sample, options, &STARTS)
}

pub fn measure(programs: &Programs, sample: &Sample, options: &Options) -> Result<Vec<Row>> {
    measured(programs, sample, options, &OPERATIONS)
}

/// All operations take turns with both floors, so that a busy moment of the machine meets all.
fn measured(
    programs: &Programs,
    sample: &Sample,
    options: &Options,
    operations: &[Operation],
) -> Result<Vec<Row>> {
    let wanted: Vec<_> =
        operations.iter().filter(|operation| options.wants(operation.name)).collect();
    if wanted.is_empty() {
        return Ok(Vec::new());
    }
    let ready = sample.ready()?;
    let (mut line, mut replace) = (Times::default(), Times::default());
    let mut times: Vec<Times> = wanted.iter().map(|_| Times::default()).collect();
    let here = sample.repository.as_path();
    for round in 0..options.runs {
        let task = ready[round % ready.len()];
        for (operation, times) in wanted.iter().zip(&mut times) {
            line.push(run(&programs.path("floor-line"), &[""; 0], here)?);
            replace.push(run(&programs.path("floor-replace"), &["replaced"], here)?);
            times.push(run(&programs.path("milestone"), &(operation.words)(task), here)?);
            undo(sample, operation.undo, task)?;
        }
    }
    let rows = wanted.into_iter().zip(times).map(|(operation, times)| {
        let floor = if operation.floor == Floor::Line { &line } else { &replace };
        row(programs, sample, operation, (times.median(), floor.median()), ready[0])
    });
    rows.collect()
}

fn row(
    programs: &Programs,
    sample: &Sample,
    operation: &Operation,
    (figure, floor): (f64, f64),
    task: TaskId,
) -> Result<Row> {
    let peak = peak(programs, &(operation.words)(task), here(sample))?;
    undo(sample, operation.undo, task)?;
    let most = if sample.tasks > 1000 { operation.most.1 } else { operation.most.0 };
    Ok(Row {
        operation: operation.name.to_owned(),
        tasks: sample.tasks,
        figure,
        floor: Some(floor),
        target: Target::Ratio(most),
        memory: Some((peak, operation.memory)),
    })
}

fn here(sample: &Sample) -> &Path {
    &sample.repository
}

fn undo(sample: &Sample, undo: Undo, task: TaskId) -> Result<()> {
    match undo {
        Undo::Nothing => Ok(()),
        Undo::Release => inside::release(sample, task),
        Undo::Reopen => sample.change(task, TaskStatus::Pending),
        Undo::Remove => inside::remove_last(sample, task.milestone),
    }
}
