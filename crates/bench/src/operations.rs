//! The program's operations, as people and agents start them, each beside its floor.

use std::time::Instant;

use milestone_domain::ids::TaskId;
use milestone_domain::status::TaskStatus;
use milestone_store::pointer::StoreKind;
use postgres::{Client, NoTls};

use crate::measure::{Programs, Times, milliseconds};
use crate::report::{Row, Target};
use crate::sample::Sample;
use crate::{Options, Result, inside};

/// Memory and processor time hardly differ from run to run.
const USAGE_RUNS: usize = 5;

/// MB that a command on one document may take.
const ONE: f64 = 12.0;
/// And one that looks at the whole project.
const WHOLE: f64 = 60.0;

/// What is allowed beside a server for everything but its answers.
const BESIDE_SERVER: f64 = 3.0;

/// Which floor an operation is held against.
#[derive(Clone, Copy, PartialEq)]
enum Floor {
    Line,
    Replace,
    /// One process, one command on SQLite: this one.
    Sqlite(&'static str),
    /// One process that connects to the server and asks one thing.
    Postgres,
}

impl Floor {
    fn name(self) -> String {
        match self {
            Self::Line => "line".to_owned(),
            Self::Replace => "replace".to_owned(),
            Self::Sqlite(what) => format!("sqlite {what}"),
            Self::Postgres => "connect + ask".to_owned(),
        }
    }

    fn start(self, sample: &Sample) -> Start {
        match self {
            Self::Line => ("floor-line", Vec::new()),
            Self::Replace => ("floor-replace", words(&["replaced"])),
            Self::Sqlite(what) => {
                let id = (sample.tasks / 2 + 1).to_string();
                ("floor-sqlite", words(&[PLAIN, what, &id]))
            }
            Self::Postgres => ("floor-postgres", Vec::new()),
        }
    }
}

const OURS: &str = "milestone";

/// A program and what it is told.
type Start = (&'static str, Vec<String>);

/// The table that the floors of SQLite work on, beside the project.
const PLAIN: &str = "plain.db";

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
    /// What it is held against in files, and how often that it may take with 1,000 tasks and fewer,
    /// and with more.
    files: (Floor, f64, f64),
    sqlite: Floor,
    /// How often it may ask a server.
    round_trips: f64,
    whole: bool,
    undo: Undo,
}

const STARTS: [(&str, f64); 2] = [("--version", 1.5), ("--help", 1.5)];

const OPERATIONS: [Operation; 8] = [
    Operation {
        name: "show",
        words: |task| vec!["show".into(), task.milestone.to_string()],
        files: (Floor::Line, 3.0, 3.0),
        sqlite: Floor::Sqlite("show"),
        round_trips: 1.0,
        whole: false,
        undo: Undo::Nothing,
    },
    Operation {
        name: "next",
        words: |_| words(&["next"]),
        files: (Floor::Line, 10.0, 30.0),
        sqlite: Floor::Sqlite("ready"),
        round_trips: 2.0,
        whole: true,
        undo: Undo::Nothing,
    },
    Operation {
        name: "list",
        words: |_| words(&["list"]),
        files: (Floor::Line, 10.0, 30.0),
        sqlite: Floor::Sqlite("list"),
        round_trips: 2.0,
        whole: true,
        undo: Undo::Nothing,
    },
    Operation {
        name: "search",
        words: |_| words(&["search", "login", "token"]),
        files: (Floor::Line, 10.0, 30.0),
        sqlite: Floor::Sqlite("search"),
        round_trips: 2.0,
        whole: true,
        undo: Undo::Nothing,
    },
    Operation {
        name: "update",
        words: |_| words(&["update"]),
        files: (Floor::Line, 20.0, 80.0),
        sqlite: Floor::Line,
        round_trips: 2.0,
        whole: true,
        undo: Undo::Nothing,
    },
    Operation {
        name: "claim",
        words: |_| words(&["task", "claim", "--next"]),
        files: (Floor::Line, 10.0, 30.0),
        sqlite: Floor::Sqlite("claim"),
        round_trips: 2.0,
        whole: true,
        undo: Undo::Release,
    },
    Operation {
        name: "done",
        words: |task| words(&["task", "done", &task.to_string()]),
        files: (Floor::Replace, 4.0, 4.0),
        sqlite: Floor::Sqlite("add"),
        round_trips: 2.0,
        whole: false,
        undo: Undo::Reopen,
    },
    Operation {
        name: "add",
        words: |task| words(&["task", "add", &task.milestone.to_string(), "One more thing"]),
        files: (Floor::Replace, 4.0, 4.0),
        sqlite: Floor::Sqlite("add"),
        round_trips: 2.0,
        whole: false,
        undo: Undo::Remove,
    },
];

impl Operation {
    fn floor(&self, store: StoreKind) -> Floor {
        match store {
            StoreKind::Files => self.files.0,
            StoreKind::Sqlite => self.sqlite,
            StoreKind::Postgres if self.sqlite == Floor::Line => Floor::Line,
            StoreKind::Postgres => Floor::Postgres,
        }
    }

    fn target(&self, sample: &Sample, beside: &BesideServer) -> Target {
        let few = sample.tasks <= 1000;
        let whole = if sample.tasks <= 10_000 { 40.0 } else { 300.0 };
        let more = beside.asking * (self.round_trips - 1.0);
        match (sample.store, self.floor(sample.store)) {
            (StoreKind::Files, _) => Target::times(if few { self.files.1 } else { self.files.2 }),
            (StoreKind::Sqlite, Floor::Line) => Target::times(whole),
            (StoreKind::Sqlite, _) => Target::times(2.0),
            (StoreKind::Postgres, Floor::Line) => {
                Target::Within { times: whole, plus: beside.connecting + more }
            }
            (StoreKind::Postgres, _) => Target::Within { times: 1.0, plus: more + BESIDE_SERVER },
        }
    }

    fn memory(&self, sample: &Sample) -> f64 {
        match (self.whole, sample.tasks) {
            (false, _) => ONE,
            (true, 0..=10_000) => WHOLE,
            (true, _) => 200.0,
        }
    }
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

/// What does not depend on the project, and the size of the program.
pub fn starts(programs: &Programs, sample: &Sample, options: &Options) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    for (name, most) in STARTS.into_iter().filter(|(name, _)| options.wants(name)) {
        let mut pair = Pair::default();
        for round in 0..options.runs * 2 {
            let floor = (sample, Floor::Line.start(sample));
            let own = (sample, (OURS, words(&[name])));
            pair.turn(programs, round, [floor, own], |_| Ok(()))?;
        }
        let row = Row::new(name, "–", 0, 0.0).held_to(Target::times(most));
        rows.push(pair.fill(row, &Floor::Line.name(), ONE));
    }
    if options.wants("size") {
        #[expect(clippy::cast_precision_loss, reason = "of megabytes nobody sees it")]
        let size = programs.path("milestone").metadata()?.len() as f64 / 1e6;
        rows.push(Row::new("size of the program", "–", 0, size).held_to(Target::Megabytes(30.0)));
    }
    Ok(rows)
}

/// All operations take turns with all floors, so that a busy moment of the machine meets all.
pub fn measure(programs: &Programs, sample: &Sample, options: &Options) -> Result<Vec<Row>> {
    let wanted = wanted(options);
    if wanted.is_empty() {
        return Ok(Vec::new());
    }
    let ready = inside::ready(sample)?;
    if sample.store == StoreKind::Sqlite {
        let tasks = sample.tasks.to_string();
        programs.run("floor-sqlite", &words(&[PLAIN, "make", &tasks]), &sample.repository)?;
    }
    let mut pairs: Vec<Pair> = wanted.iter().map(|_| Pair::default()).collect();
    for round in 0..options.runs_with(sample.tasks) {
        let task = ready[round % ready.len()];
        for (operation, pair) in wanted.iter().zip(&mut pairs) {
            let floor = (sample, operation.floor(sample.store).start(sample));
            let own = (sample, (OURS, (operation.words)(task)));
            pair.turn(programs, round, [floor, own], |sample| operation.undo(sample, task))?;
        }
    }
    let mut rows = Vec::new();
    let beside = BesideServer::of(programs, sample, options)?;
    for (operation, pair) in wanted.iter().zip(&pairs) {
        let target = operation.target(sample, &beside);
        let row = sample.row(operation.name, 0.0).held_to(target);
        let floor = operation.floor(sample.store).name();
        rows.push(pair.fill(row, &floor, operation.memory(sample)));
    }
    if sample.store == StoreKind::Postgres {
        let name = "(floor: one round trip of an open connection)";
        rows.push(sample.row(name, beside.asking));
    }
    Ok(rows)
}

/// Milliseconds of what no command on a server can do without.
#[derive(Default)]
struct BesideServer {
    /// One process that connects and asks once.
    connecting: f64,
    /// Each further question.
    asking: f64,
}

impl BesideServer {
    fn of(programs: &Programs, sample: &Sample, options: &Options) -> Result<Self> {
        let (StoreKind::Postgres, Some(server)) = (sample.store, &programs.server) else {
            return Ok(Self::default());
        };
        let mut connecting = Times::default();
        for _ in 0..options.runs {
            connecting.push(programs.run("floor-postgres", &[], &sample.repository)?);
        }
        let mut client = Client::connect(server, NoTls)?;
        let mut asking = Times::default();
        for _ in 0..options.runs * 10 {
            let started = Instant::now();
            client.query_typed("SELECT 1", &[])?;
            asking.push(milliseconds(started));
        }
        Ok(Self { connecting: connecting.median(), asking: asking.median() })
    }
}

/// The same operations in two projects whose open work is the same, and of which one has many
/// milestones filed away: the other one is the floor.
pub fn beside(
    programs: &Programs,
    bare: &Sample,
    laden: &Sample,
    filed: usize,
    options: &Options,
) -> Result<Vec<Row>> {
    let ready = inside::ready(bare)?;
    let mut rows = Vec::new();
    for operation in wanted(options) {
        let mut pair = Pair::default();
        for round in 0..options.runs {
            let task = ready[round % ready.len()];
            let both = [bare, laden].map(|sample| (sample, (OURS, (operation.words)(task))));
            pair.turn(programs, round, both, |sample| operation.undo(sample, task))?;
        }
        let name = format!("{}, {filed} filed away", operation.name);
        let row = laden.row(&name, 0.0).held_to(Target::times(SAME));
        // Memory is held against its bound where everything else is, with nothing filed away.
        rows.push(Row { memory: None, ..pair.fill(row, "none filed away", WHOLE) });
    }
    Ok(rows)
}

/// What two measurements of the same thing may differ by.
const SAME: f64 = 1.2;

fn wanted(options: &Options) -> Vec<&'static Operation> {
    OPERATIONS.iter().filter(|operation| options.wants(operation.name)).collect()
}

/// What a program and its floor took, run by run.
#[derive(Default)]
struct Pair {
    floor: Taken,
    own: Taken,
}

#[derive(Default)]
struct Taken {
    wall: Times,
    processor: Times,
    peak: Times,
}

impl Pair {
    /// The floor and then the program, each after a trivial one has told how busy the machine is.
    fn turn(
        &mut self,
        programs: &Programs,
        round: usize,
        [floor, own]: [(&Sample, Start); 2],
        undo: impl Fn(&Sample) -> Result<()>,
    ) -> Result<()> {
        for (taken, (sample, (name, words))) in [(&mut self.floor, floor), (&mut self.own, own)] {
            let again = || if name == OURS { undo(sample) } else { Ok(()) };
            let here = &sample.repository;
            let trivial = programs.run("floor-line", &[], here)?;
            taken.wall.push_after(trivial, programs.run(name, &words, here)?);
            again()?;
            if round < USAGE_RUNS {
                let usage = programs.usage(name, &words, here)?;
                taken.processor.push(usage.processor);
                taken.peak.push(usage.peak);
                again()?;
            }
        }
        Ok(())
    }

    fn fill(&self, row: Row, floor: &str, memory: f64) -> Row {
        let processor = Some((self.own.processor.median(), self.floor.processor.median()));
        let memory = Some((self.own.peak.median(), memory));
        let figure = self.own.wall.median();
        Row { figure, processor, memory, ..row }.above(floor, self.floor.wall.median())
    }
}

impl Operation {
    fn undo(&self, sample: &Sample, task: TaskId) -> Result<()> {
        match self.undo {
            Undo::Nothing => Ok(()),
            Undo::Release => inside::release_all(&sample.project()?),
            Undo::Reopen => inside::change(&sample.project()?, task, TaskStatus::Pending),
            Undo::Remove => inside::remove_last(&sample.project()?, task.milestone),
        }
    }
}
