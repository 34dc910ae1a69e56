//! `milestone-check PROJECT LEDGER [--settled]`: compares a project with what was acknowledged.

use std::path::Path;
use std::process::ExitCode;

use milestone_faults::check::check;
use milestone_faults::ledger::Ledger;
use milestone_faults::store::{PROGRAM_URL, TEST_URL};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let settled = arguments.iter().any(|argument| argument == "--settled");
    let paths: Vec<&String> = arguments.iter().filter(|word| !word.starts_with("--")).collect();
    let [project, ledger] = paths[..] else {
        eprintln!("usage: milestone-check PROJECT LEDGER [--settled]");
        return ExitCode::from(2);
    };
    let ledger = match Ledger::read(Path::new(ledger)) {
        Ok(ledger) => ledger,
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::from(2);
        }
    };
    let url = std::env::var(TEST_URL).or_else(|_| std::env::var(PROGRAM_URL)).ok();
    let verdict = check(&Path::new(project).join(".milestones"), url.as_deref(), &ledger, settled);
    for exception in &verdict.exceptions {
        println!("{exception}");
    }
    println!(
        "{} acknowledged, {} unknown, {} events, {} exceptions",
        verdict.acknowledged,
        verdict.unknown,
        verdict.events,
        verdict.exceptions.len()
    );
    ExitCode::from(u8::from(!verdict.exceptions.is_empty()))
}
