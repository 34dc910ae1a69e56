//! Measures the program as whole processes, and the floors beside it in the same run: figures
//! move from machine to machine, ratios much less.

#![expect(clippy::print_stdout, reason = "the figures are the output of a benchmark")]

mod contention;
mod databases;
mod generate;
mod graph;
mod inside;
mod measure;
mod operations;
mod random;
mod report;

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use jiff::tz::TimeZone;
use milestone_domain::settings::Settings;
use milestone_store::Project;
use milestone_store::files::Files;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

const HELP: &str = "\
usage: milestone-bench [--tasks 10,100,1000,10000] [--runs N] [--seconds N] [--json]
                       [--no-build] [--keep FOLDER] [operation...]

Operations: those of the table, by name; also `import`, `contention`, `graph`, `inside`,
and by itself `databases`: SQLite, and the server of MILESTONE_TEST_DATABASE_URL.";

/// What was asked for.
struct Options {
    tasks: Vec<usize>,
    runs: usize,
    /// How long each contention is measured.
    seconds: u64,
    json: bool,
    build: bool,
    /// Where the projects are made and left, for a profiler to work on.
    keep: Option<PathBuf>,
    operations: Vec<String>,
}

impl Options {
    fn read(words: impl Iterator<Item = String>) -> Result<Option<Self>> {
        let mut options = Self {
            tasks: vec![10, 100, 1000, 10_000],
            runs: 15,
            seconds: 5,
            json: false,
            build: true,
            keep: None,
            operations: Vec::new(),
        };
        let mut words = words;
        while let Some(word) = words.next() {
            let mut value = || words.next().ok_or_else(|| format!("{word} needs a value"));
            match word.as_str() {
                "--tasks" => {
                    let counts = value()?;
                    options.tasks =
                        counts.split(',').map(str::parse).collect::<std::result::Result<_, _>>()?;
                }
                "--runs" => options.runs = value()?.parse()?,
                "--seconds" => options.seconds = value()?.parse()?,
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

    fn wants(&self, operation: &str) -> bool {
        self.operations.is_empty() || self.operations.iter().any(|wanted| wanted == operation)
    }
}

/// Where the measured programs are: beside this one.
pub struct Programs {
    folder: PathBuf,
}

impl Programs {
    fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }
}

/// A generated project.
pub struct Sample {
    pub tasks: usize,
    pub repository: PathBuf,
    pub project: Project,
}

fn main() -> Result<()> {
    let Some(options) = Options::read(std::env::args().skip(1))? else {
        println!("{HELP}");
        return Ok(());
    };
    if options.operations == ["databases"] {
        let temp = tempfile::tempdir()?;
        let folder = options.keep.clone().unwrap_or_else(|| temp.path().to_owned());
        std::fs::create_dir_all(&folder)?;
        let rows = databases::measure(&options, &folder)?;
        println!("{}", if options.json { report::json(&rows) } else { report::table(&rows) });
        return Ok(());
    }
    if options.build {
        build()?;
    }
    let this = std::env::current_exe()?;
    let programs = Programs { folder: this.parent().unwrap_or(Path::new(".")).to_owned() };
    let temp = tempfile::tempdir()?;
    let folder = options.keep.clone().unwrap_or_else(|| temp.path().to_owned());
    let mut rows = Vec::new();
    for (at, tasks) in options.tasks.iter().enumerate() {
        let (sample, import) = sample(&folder, *tasks)?;
        if options.wants("import") {
            rows.push(import);
        }
        if at == 0 {
            rows.extend(operations::starts(&programs, &sample, &options)?);
        }
        rows.extend(operations::measure(&programs, &sample, &options)?);
        if options.operations.iter().any(|operation| operation == "inside") {
            rows.extend(inside::measure(&sample, options.runs)?);
        }
        if *tasks == 1000 && options.wants("contention") {
            rows.extend(contention::measure(&programs, &sample, &options)?);
        }
    }
    if options.wants("graph") {
        rows.push(graph::measure(&options)?);
    }
    println!("{}", if options.json { report::json(&rows) } else { report::table(&rows) });
    Ok(())
}

/// The floors and the program, as they are shipped.
fn build() -> Result<()> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let status = Command::new(cargo)
        .args([
            "build",
            "--quiet",
            "--release",
            "-p",
            "milestone",
            "-p",
            "milestone-bench",
            "--bins",
        ])
        .status()?;
    if status.success() { Ok(()) } else { Err("the programs to measure do not build".into()) }
}

fn sample(folder: &Path, tasks: usize) -> Result<(Sample, report::Row)> {
    let repository = folder.join(format!("project-{tasks}"));
    let documents = generate::documents(tasks, 7);
    let root = generate::write(&repository, &documents)?;
    let files = Files::open(root, Settings::default(), Duration::from_secs(10));
    let project = Project::new(Box::new(files), TimeZone::UTC);
    let sample = Sample { tasks, repository, project };
    let import = inside::import(&sample)?;
    Ok((sample, import))
}
