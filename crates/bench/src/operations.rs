//! The program's operations, as people and agents start them.

use milestone_domain::ids::TaskId;
use milestone_domain::status::TaskStatus;

use crate::inside;
use crate::measure::{Times, run, usage};
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

const OPERATIONS: [Operation; 8] = [
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
    operation(
        "search",
        |_| words(&["search", "login", "token"]),
        Floor::Line,
        (10.0, 30.0),
        WHOLE,
        Undo::Nothing,
    ),
    operation("update", |_| words(&["update"]), Floor::Line, (20.0, 80.0), WHOLE, Undo::Nothing),
    operation(
        "claim",
        |_| words(&["task", "claim", "--next"]),
        Floor::Line,
        (10.0, 30.0),
        WHOLE,
        Undo::Release,
    ),
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
    words(&["task", verb, &task.to_string()])
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
    let mut floors = [Taken::default(), Taken::default()];
    let mut taken: Vec<Taken> = wanted.iter().map(|_| Taken::default()).collect();
    for round in 0..options.runs {
        let task = ready[round % ready.len()];
        for (operation, taken) in wanted.iter().zip(&mut taken) {
            floors[0].run(programs, "floor-line", &[], sample)?;
            floors[1].run(programs, "floor-replace", &words(&["replaced"]), sample)?;
            taken.run(programs, "milestone", &(operation.words)(task), sample)?;
            undo(sample, operation.undo, task)?;
        }
        usages(programs, sample, &wanted, &mut taken, &mut floors[0], task)?;
    }
    let rows = wanted.iter().zip(&taken);
    Ok(rows.map(|(operation, taken)| row(sample, operation, taken, &floors)).collect())
}

/// What all runs of one thing took.
#[derive(Default)]
struct Taken {
    wall: Times,
    processor: Times,
    peak: Times,
}

impl Taken {
    fn run(
        &mut self,
        programs: &Programs,
        name: &str,
        words: &[String],
        sample: &Sample,
    ) -> Result<()> {
        self.wall.push(run(&programs.path(name), words, &sample.repository)?);
        Ok(())
    }

    fn usage(
        &mut self,
        programs: &Programs,
        name: &str,
        words: &[String],
        sample: &Sample,
    ) -> Result<()> {
        let usage = usage(programs, name, words, &sample.repository)?;
        self.processor.push(usage.processor);
        self.peak.push(usage.peak);
        Ok(())
    }
}

/// Runs everything once more below the one that looks at memory and processor time.
fn usages(
    programs: &Programs,
    sample: &Sample,
    wanted: &[&Operation],
    taken: &mut [Taken],
    floor: &mut Taken,
    task: TaskId,
) -> Result<()> {
    floor.usage(programs, "floor-line", &[], sample)?;
    for (operation, taken) in wanted.iter().zip(taken) {
        taken.usage(programs, "milestone", &(operation.words)(task), sample)?;
        undo(sample, operation.undo, task)?;
    }
    Ok(())
}

fn row(sample: &Sample, operation: &Operation, taken: &Taken, floors: &[Taken; 2]) -> Row {
    let most = if sample.tasks > 1000 { operation.most.1 } else { operation.most.0 };
    Row {
        operation: operation.name.to_owned(),
        tasks: sample.tasks,
        figure: taken.wall.median(),
        floor: Some(floors[usize::from(operation.floor == Floor::Replace)].wall.median()),
        processor: Some((taken.processor.median(), floors[0].processor.median())),
        target: Target::Ratio(most),
        memory: Some((taken.peak.median(), operation.memory)),
    }
}

fn undo(sample: &Sample, undo: Undo, task: TaskId) -> Result<()> {
    match undo {
        Undo::Nothing => Ok(()),
        Undo::Release => inside::release_all(sample),
        Undo::Reopen => sample.change(task, TaskStatus::Pending),
        Undo::Remove => inside::remove_last(sample, task.milestone),
    }
}
