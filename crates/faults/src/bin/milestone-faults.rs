//! `milestone-faults`: holds the program to its promises. See `docs/faults.md`.

use std::path::PathBuf;
use std::process::ExitCode;

use milestone_faults::promises::{Harness, PROMISES, Promise, planted, skipped};
use milestone_faults::report::Report;
use milestone_faults::run::Program;
use milestone_faults::store::{PROGRAM_URL, Store, TEST_URL};

const USAGE: &str = "\
usage: milestone-faults [--full] [--store files|sqlite|postgres|all] [--seed N] [--run N] [--jobs N]
                        [--program FILE] [--work DIR] [P1 P2 ...]
       milestone-faults planted [the same] [BUG ...]";

struct Arguments {
    full: bool,
    planted: bool,
    seed: Option<u64>,
    run: Option<u64>,
    jobs: Option<usize>,
    program: Option<PathBuf>,
    work: Option<PathBuf>,
    stores: Vec<Store>,
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
        stores: Store::ALL.to_vec(),
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
            "--store" => read.stores = stores(&value()?)?,
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

fn stores(word: &str) -> Result<Vec<Store>, String> {
    if word == "all" {
        return Ok(Store::ALL.to_vec());
    }
    let store = Store::named(word).ok_or(format!("no store {word}"))?;
    Ok(vec![store])
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
    let url = std::env::var(TEST_URL).ok().filter(|url| !url.is_empty());
    let harness = Harness {
        program: on_server(Program::new(&path), url.as_deref()),
        store: Store::Files,
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
        promises(&harness, &arguments.names, &arguments.stores)
    };
    // Empty unless something is worth keeping.
    let _ = std::fs::remove_dir(&harness.work);
    ExitCode::from(u8::from(missed > 0))
}

/// With the server that projects may be moved to; by itself, the program would know another one.
fn on_server(program: Program, url: Option<&str>) -> Program {
    match url {
        Some(url) => program.with(PROGRAM_URL, url),
        None => program,
    }
}

fn promises(harness: &Harness, names: &[String], stores: &[Store]) -> usize {
    let mut broken = 0;
    for promise in PROMISES {
        let wanted = if names.is_empty() {
            promise.usual
        } else {
            names.iter().any(|name| name == promise.name)
        };
        for store in promise.stores.iter().filter(|store| wanted && stores.contains(store)) {
            let harness = Harness { store: *store, ..harness.clone() };
            let report = kept_to(promise, &harness);
            println!("{report}");
            explain(&harness, &report);
            broken += report.exceptions.len();
        }
    }
    broken
}

/// A promise on one store, where that store can be had.
fn kept_to(promise: &Promise, harness: &Harness) -> Report {
    let server = harness.program.value(PROGRAM_URL).is_some() || promise.own_server;
    let report = if harness.store == Store::Postgres && !server {
        skipped(promise.name, format!("{TEST_URL} is not set"))
    } else {
        (promise.run)(harness)
    };
    Report { store: harness.store, ..report }
}

fn explain(harness: &Harness, report: &Report) {
    for exception in &report.exceptions {
        let (name, run, seed) = (report.promise, exception.run, harness.seed);
        let full = if harness.full { " --full" } else { "" };
        println!("  run {run}; see {}", exception.kept.display());
        let store = harness.store.word();
        println!(
            "  again: milestone-faults{full} --store {store} --seed {seed} --run {run} {name}"
        );
        for what in exception.what.iter().take(8) {
            println!("    {}", what.chars().take(600).collect::<String>());
        }
        if exception.what.len() > 8 {
            println!("    and {} more", exception.what.len() - 8);
        }
    }
}
