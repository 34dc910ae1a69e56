//! `milestone-faults`: holds the program to its promises. See `docs/faults.md`.

use std::path::PathBuf;
use std::process::ExitCode;

use milestone_faults::promises::{Harness, PROMISES, planted};
use milestone_faults::report::Report;
use milestone_faults::run::Program;

const USAGE: &str = "\
usage: milestone-faults [--full] [--seed N] [--run N] [--jobs N] [--program FILE] [--work DIR] [P1 P2 ...]
       milestone-faults planted [the same] [BUG ...]";

struct Arguments {
    full: bool,
    planted: bool,
    seed: Option<u64>,
    run: Option<u64>,
    jobs: Option<usize>,
    program: Option<PathBuf>,
    work: Option<PathBuf>,
    names: Vec<String>,
}

fn arguments() -> Result<Arguments, String> {
    let mut read = Arguments {
        full: false,
        planted: false,
        seed: None,
        run: None,
        jobs: None,
        program: std::env::var_os("MILESTONE_PROGRAM").map(PathBuf::from),
        work: None,
        names: Vec::new(),
    };
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let mut value = || words.next().ok_or_else(|| format!("{word} needs a value"));
        let number = |text: String| text.parse().map_err(|_| format!("{text} is no number"));
        match word.as_str() {
            "--full" => read.full = true,
            "--seed" => read.seed = Some(number(value()?)?),
            "--run" => read.run = Some(number(value()?)?),
            "--jobs" => read.jobs = usize::try_from(number(value()?)?).ok(),
            "--program" => read.program = Some(PathBuf::from(value()?)),
            "--work" => read.work = Some(PathBuf::from(value()?)),
            "planted" => read.planted = true,
            name if name.starts_with("--") => return Err(format!("no option {name}")),
            name => read.names.push(name.to_owned()),
        }
    }
    let known = |name: &String| PROMISES.iter().any(|promise| promise.name == *name);
    match read.names.iter().find(|name| !read.planted && !known(name)) {
        Some(name) => Err(format!("no promise {name}")),
        None => Ok(read),
    }
}

/// The program to be tested: named, or beside this one.
fn program(named: Option<PathBuf>) -> Result<PathBuf, String> {
    let beside = || Some(std::env::current_exe().ok()?.with_file_name("milestone"));
    let path = named.or_else(beside).ok_or("no program to test")?;
    std::fs::canonicalize(&path).map_err(|error| format!("{}: {error}", path.display()))
}

fn main() -> ExitCode {
    let (arguments, path) = match arguments().and_then(|arguments| {
        let path = program(arguments.program.clone())?;
        Ok((arguments, path))
    }) {
        Ok(read) => read,
        Err(error) => {
            eprintln!("{error}\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let seed = arguments.seed.unwrap_or_else(|| now.map_or(1, |now| now.as_secs() % 1_000_000));
    let temporary =
        || std::env::temp_dir().join(format!("milestone-faults-{}", std::process::id()));
    let harness = Harness {
        program: Program::new(&path),
        full: arguments.full,
        seed,
        only: arguments.run,
        work: arguments.work.clone().unwrap_or_else(temporary),
        jobs: arguments
            .jobs
            .unwrap_or_else(|| std::thread::available_parallelism().map_or(2, usize::from)),
        sooner: 1,
    };
    let missed = if arguments.planted {
        planted::run(&harness, &arguments.names)
    } else {
        promises(&harness, &arguments.names)
    };
    // Empty unless something is worth keeping.
    let _ = std::fs::remove_dir(&harness.work);
    ExitCode::from(u8::from(missed > 0))
}

fn promises(harness: &Harness, names: &[String]) -> usize {
    let mut broken = 0;
    for promise in PROMISES {
        let wanted = if names.is_empty() {
            promise.usual
        } else {
            names.iter().any(|name| name == promise.name)
        };
        if !wanted {
            continue;
        }
        let report = (promise.run)(harness);
        println!("{report}");
        explain(harness, &report);
        broken += report.exceptions.len();
    }
    broken
}

fn explain(harness: &Harness, report: &Report) {
    for exception in &report.exceptions {
        let (name, run, seed) = (report.promise, exception.run, harness.seed);
        let full = if harness.full { " --full" } else { "" };
        println!("  run {run}; see {}", exception.kept.display());
        println!("  again: milestone-faults{full} --seed {seed} --run {run} {name}");
        for what in exception.what.iter().take(8) {
            println!("    {}", what.chars().take(600).collect::<String>());
        }
        if exception.what.len() > 8 {
            println!("    and {} more", exception.what.len() - 8);
        }
    }
}
