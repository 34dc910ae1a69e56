//! `milestone ci`: what a CI found out, kept as evidence.

use std::path::PathBuf;

use clap::{ArgGroup, Args, Subcommand};
use milestone_domain::command::Command;
use milestone_domain::ids::Node;
use schemars::JsonSchema;
use serde::Serialize;

use crate::app::App;
use crate::args::Fencing;
use crate::ci::evidence::{self, Evidence};
use crate::errors::Failure;
use crate::kinds::{Kind, Printed};
use crate::render::page::Page;
use crate::render::style;
use crate::target::Target;

/// So many files still fit into one note.
const FILES_MAX: usize = 50;

/// Take in what a CI has found out
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  milestone ci report build/junit.xml --task 1.3")]
pub struct CiArgs {
    #[command(subcommand)]
    verb: CiVerb,
}

#[derive(Debug, Subcommand)]
enum CiVerb {
    Report(ReportArgs),
}

/// Keep the results of tests and checks as evidence
///
/// Takes JUnit XML, SARIF 2.1.0, and JSON with `passed` and `failed`; which it is, is seen by what
/// stands in it. What was found is kept in the history of the task or milestone. Ends with 0 if all
/// is well, and with 1 if anything in it failed; both are kept. A file that cannot be used ends with
/// 2, and nothing is kept.
#[derive(Debug, Args)]
#[command(
    group = ArgGroup::new("what").required(true),
    after_help = "\
Examples:
  milestone ci report build/junit.xml --task 1.3
  milestone ci report unit.xml e2e.xml --milestone 1
  milestone ci report lint.sarif --milestone current --json"
)]
pub struct ReportArgs {
    /// What the tests have written
    #[arg(value_name = "FILE", required = true, num_args = 1..)]
    files: Vec<PathBuf>,
    /// The task that it is evidence of
    #[arg(long, value_name = "TASK", group = "what")]
    task: Option<Target>,
    /// The milestone that it is evidence of
    #[arg(long, value_name = "ID", group = "what")]
    milestone: Option<Target>,
    #[command(flatten)]
    fencing: Fencing,
}

/// What was found, and where that is kept.
#[derive(Debug, Serialize, JsonSchema)]
pub struct CiReport {
    recorded_on: Node,
    /// Whether nothing failed.
    ok: bool,
    reports: Vec<Evidence>,
}

impl Printed for CiReport {
    const KIND: Kind = Kind::CiReport;
}

pub fn run(app: &App, args: &CiArgs) -> Result<(), Failure> {
    match &args.verb {
        CiVerb::Report(args) => report(app, args),
    }
}

fn report(app: &App, args: &ReportArgs) -> Result<(), Failure> {
    if args.files.len() > FILES_MAX {
        return Err(Failure::usage(
            format!("{} files are more than the {FILES_MAX} of one report", args.files.len()),
            "report them in several calls",
        ));
    }
    // All of them are understood before any is kept.
    let reports = args.files.iter().map(|file| evidence::read(file));
    let reports = reports.collect::<Result<Vec<_>, _>>()?;
    let ok = reports.iter().all(|report| report.ok);
    let view = CiReport { recorded_on: record(app, args, &reports)?, ok, reports };
    app.out.show(&view, |page| render(page, &view))?;
    if ok { Ok(()) } else { Err(Failure::ReportFailed { on: view.recorded_on }) }
}

fn record(app: &App, args: &ReportArgs, reports: &[Evidence]) -> Result<Node, Failure> {
    let lines: Vec<String> = reports.iter().map(Evidence::said).collect();
    let text = format!("CI report: {}", lines.join("; "));
    if let Some(task) = &args.task {
        let task = task.task(app)?;
        let credential = args.fencing.credential();
        app.execute(&Command::Note { task, text, credential })?;
        return Ok(Node::Task(task));
    }
    let milestone = args.milestone.unwrap_or(Target::Current).milestone(app)?;
    app.execute(&Command::NoteMilestone { milestone, text })?;
    Ok(Node::Milestone(milestone))
}

fn render(page: &mut Page, view: &CiReport) {
    for report in &view.reports {
        let (tone, word) = if report.ok { (style::GOOD, "ok") } else { (style::BAD, "failed") };
        page.styled(tone, word).say("  ").say(&report.file);
        page.say("  ").say(report.counts.said()).end();
        report.failing.iter().for_each(|name| {
            page.indented(name);
        });
    }
    page.say("Kept in the history of ").styled(style::ID, view.recorded_on).say(".").end();
}
