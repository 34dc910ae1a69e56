//! Measures the program as whole processes, and the floors beside it in the same run: figures
//! move from machine to machine, ratios much less.

#![expect(clippy::print_stdout, reason = "the figures are the output of a benchmark")]

mod archived;
mod claims;
mod crew;
mod engine;
mod generate;
mod graph;
mod inside;
mod measure;
mod operations;
mod queues;
mod random;
mod report;
mod sample;
mod transfers;

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::Command;

use milestone_store::pointer::StoreKind;
use report::Row;
use sample::Sample;

use crate::measure::Programs;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

const HELP: &str = "\
usage: milestone-bench [--quick] [--only PART]... [--tasks 100,1000,10000,100000] [--runs N]
                       [--seconds N] [--jobs N] [--archived N] [--json] [--no-build]
                       [--keep FOLDER] [operation...]

Parts: cli, archived, claims, queues, graph; and, only when asked for, inside and engine.
Operations: those of the table, by name; without any, all.
PostgreSQL is measured where MILESTONE_TEST_DATABASE_URL says: see scripts/measure.";

const PARTS: [&str; 5] = ["cli", "archived", "claims", "queues", "graph"];

/// The largest project that files are measured with; every larger one is for databases.
const FILES_MAX: usize = 10_000;

/// What was asked for.
struct Options {
    parts: Vec<String>,
    tasks: Vec<usize>,
    runs: usize,
    /// How long each contention is measured.
    seconds: u64,
    /// How many jobs each queue is filled with.
    jobs: usize,
    /// How many milestones are filed away, to see whether that costs anything.
    archived: usize,
    json: bool,
    build: bool,
    /// Where the projects are made and left, for a profiler to work on.
    keep: Option<PathBuf>,
    operations: Vec<String>,
}

impl Options {
    fn read(mut words: impl Iterator<Item = String>) -> Result<Option<Self>> {
        let mut options = Self {
            parts: Vec::new(),
            tasks: vec![100, 1000, 10_000, 100_000],
            runs: 15,
            seconds: 5,
            jobs: 1024,
            archived: 5000,
            json: false,
            build: true,
            keep: None,
            operations: Vec::new(),
        };
        while let Some(word) = words.next() {
            let mut value = || words.next().ok_or_else(|| format!("{word} needs a value"));
            match word.as_str() {
                "--quick" => options.quicken(),
                "--only" => options.parts.push(value()?),
                "--tasks" => {
                    let counts = value()?;
                    options.tasks =
                        counts.split(',').map(str::parse).collect::<std::result::Result<_, _>>()?;
                }
                "--runs" => options.runs = value()?.parse()?,
                "--seconds" => options.seconds = value()?.parse()?,
                // Everybody has as many as anybody else.
                "--jobs" => options.jobs = value()?.parse::<usize>()?.next_multiple_of(64),
                "--archived" => options.archived = value()?.parse()?,
                "--keep" => options.keep = Some(value()?.into()),
                "--json" => options.json = true,
                "--no-build" => options.build = false,
                "--help" | "-h" => return Ok(None),
                flag if flag.starts_with('-') => return Err(format!("what is {flag}?").into()),
                operation => options.operations.push(operation.to_owned()),
            }
        }
        Ok(Some(options))
    }

    /// Enough to see that everything works; what follows on the command line may say otherwise.
    fn quicken(&mut self) {
        self.tasks = vec![100, 1000];
        (self.runs, self.seconds, self.jobs, self.archived) = (5, 2, 192, 500);
    }

    fn measures(&self, part: &str) -> bool {
        let usual = self.parts.is_empty() && PARTS.contains(&part);
        usual || self.parts.iter().any(|wanted| wanted == part)
    }

    fn wants(&self, operation: &str) -> bool {
        self.operations.is_empty() || self.operations.iter().any(|wanted| wanted == operation)
    }

    /// Of the largest projects fewer runs do: what they take differs less.
    fn runs_with(&self, tasks: usize) -> usize {
        if tasks > FILES_MAX { self.runs.div_ceil(3) } else { self.runs }
    }

    /// How often each queue is emptied.
    fn rounds(&self) -> usize {
        self.runs.div_ceil(5)
    }
}

fn main() -> Result<()> {
    let Some(options) = Options::read(std::env::args().skip(1))? else {
        println!("{HELP}");
        return Ok(());
    };
    if options.build {
        build()?;
    }
    let this = std::env::current_exe()?;
    let folder = this.parent().unwrap_or(Path::new(".")).to_owned();
    let programs = Programs { folder, server: std::env::var("MILESTONE_TEST_DATABASE_URL").ok() };
    if programs.server.is_none() {
        say("without a server (scripts/measure starts one) there are no rows of PostgreSQL");
    }
    let temp = tempfile::tempdir()?;
    let folder = options.keep.clone().unwrap_or_else(|| temp.path().to_owned());
    std::fs::create_dir_all(&folder)?;
    let Outcome { rows, failed } = measure(&programs, &options, &folder);
    if options.json {
        println!("{}", report::json(&rows));
    } else {
        println!("{}\n\n{}", circumstances(&programs, &options)?, report::table(&rows));
    }
    if failed.is_empty() { Ok(()) } else { Err(format!("failed: {}", failed.join(", ")).into()) }
}

/// What whoever compares two tables has to know about them.
fn circumstances(programs: &Programs, options: &Options) -> Result<String> {
    let day = jiff::Zoned::now().date();
    let cores = std::thread::available_parallelism()?;
    let server = match &programs.server {
        None => "no server".to_owned(),
        Some(server) => {
            let mut client = postgres::Client::connect(server, postgres::NoTls)?;
            let mut shown = |name| -> Result<String> {
                Ok(client.query_one(&format!("SHOW {name}"), &[])?.get(0))
            };
            format!("PostgreSQL {} with fsync {}", shown("server_version")?, shown("fsync")?)
        }
    };
    let (runs, seconds, jobs) = (options.runs, options.seconds, options.jobs);
    Ok(format!(
        "{day}: {cores} cores, {server}; {runs} runs, {seconds} s of each contention, {jobs} jobs \
         in each queue."
    ))
}

/// A part that fails costs only its own rows, and is named.
#[derive(Default)]
struct Outcome {
    rows: Vec<Row>,
    failed: Vec<String>,
}

impl Outcome {
    fn add(&mut self, part: &str, measured: Result<Vec<Row>>) {
        match measured {
            Ok(rows) => self.rows.extend(rows),
            Err(error) => {
                say(&format!("{part} failed: {error}"));
                self.failed.push(part.to_owned());
            }
        }
    }
}

fn measure(programs: &Programs, options: &Options, folder: &Path) -> Outcome {
    let mut outcome = Outcome::default();
    if options.measures("cli") || options.measures("inside") {
        for (at, tasks) in options.tasks.iter().enumerate() {
            let measured = of_size(programs, options, folder, *tasks, at == 0);
            outcome.add(&format!("{tasks} tasks"), measured);
        }
    }
    if options.measures("archived") {
        outcome.add("archived", archived::measure(programs, options, folder));
    }
    if options.measures("claims") {
        outcome.add("claims", claims::measure(programs, options, folder));
    }
    if options.measures("queues") {
        outcome.add("queues", queues::measure(programs, options, folder));
    }
    if options.measures("engine") {
        outcome.add("engine", engine::measure(programs, options, folder));
    }
    if options.measures("graph") {
        say("graph");
        outcome.add("graph", graph::measure(options).map(|row| vec![row]));
    }
    outcome
}

/// One project, measured in each store that it grows into.
fn of_size(
    programs: &Programs,
    options: &Options,
    folder: &Path,
    tasks: usize,
    first: bool,
) -> Result<Vec<Row>> {
    say(&format!("{tasks} tasks"));
    let mut rows = Vec::new();
    let documents = generate::documents(tasks, 7);
    let repository = folder.join(format!("project-{tasks}"));
    let (mut sample, import) = Sample::make(programs, &repository, &documents)?;
    if options.wants("import") && options.measures("cli") {
        rows.push(import);
    }
    if first && options.measures("cli") {
        rows.extend(operations::starts(programs, &sample, options)?);
    }
    for store in programs.stores() {
        if store != StoreKind::Files {
            let moved = transfers::moved(programs, &mut sample, store, options, folder)?;
            rows.extend(moved.into_iter().filter(|_| options.measures("cli")));
        } else if tasks > FILES_MAX {
            continue;
        }
        say(&format!("{tasks} tasks in {}", store.word()));
        if options.measures("cli") {
            rows.extend(transfers::exported(&sample, options)?);
            rows.extend(operations::measure(programs, &sample, options)?);
        }
        if options.measures("inside") {
            rows.extend(inside::measure(&sample, options.runs_with(tasks))?);
        }
    }
    Ok(rows)
}

/// The floors and the program, as they are shipped.
fn build() -> Result<()> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let status = Command::new(cargo)
        .args(["build", "--quiet", "--release", "-p", "milestone", "-p", "milestone-bench"])
        .arg("--bins")
        .status()?;
    if status.success() { Ok(()) } else { Err("the programs to measure do not build".into()) }
}

/// How far it is, for whoever waits.
#[expect(clippy::print_stderr, reason = "the table goes to the other one")]
fn say(what: &str) {
    eprintln!("milestone-bench: {what}");
}
