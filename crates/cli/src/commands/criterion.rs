//! `milestone criterion`: what must be true at the end, and the evidence.

use std::path::Path;
use std::process::{Command as Process, Stdio};

use clap::{Args, Subcommand};
use milestone_domain::command::Command;
use milestone_domain::document::Criterion;
use milestone_domain::ids::{MilestoneId, Node};
use milestone_domain::refusal::Refusal;
use milestone_domain::snapshot::Scope;
use milestone_domain::status::CriterionKind;
use schemars::JsonSchema;
use serde::Serialize;

use crate::app::App;
use crate::errors::Failure;
use crate::render::style;
use crate::target::Target;
use crate::trust::Trust;

/// Say what must be true at the end, and give the evidence
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  milestone criterion add 1 \"a user can log in\" --check \"cargo test login\"
  milestone criterion check 1 1
  milestone criterion met 1 2 --evidence \"seen in the demo of 3 May\"")]
pub struct CriterionArgs {
    #[command(subcommand)]
    command: CriterionVerb,
}

#[derive(Debug, Subcommand)]
enum CriterionVerb {
    /// Add a criterion to a milestone, and print its number
    #[command(after_help = "\
Examples:
  milestone criterion add 1 \"a user can log in\"
  milestone criterion add 1 \"tests pass\" --kind quality --check \"cargo test\"")]
    Add {
        /// The milestone
        id: Target,
        /// What must be true
        text: String,
        /// functional, quality, integration or success
        #[arg(long, default_value = "success")]
        kind: CriterionKind,
        /// A command whose success is the evidence
        #[arg(long, value_name = "COMMAND")]
        check: Option<String>,
    },
    /// Run a criterion's check; if it succeeds, that is the evidence
    ///
    /// A command that came with the document is only run after you agreed to it once.
    #[command(after_help = "\
Examples:
  milestone criterion check 1 1
  milestone criterion check 1 1 --yes")]
    Check {
        /// The milestone
        id: Target,
        /// The criterion's number
        number: u32,
        /// Agree to run this command, now and later, in this project
        #[arg(long)]
        yes: bool,
    },
    /// Say that a criterion is met, and how that was seen
    #[command(after_help = "Examples:\n  milestone criterion met 1 2 --evidence \"demo of 3 May\"")]
    Met {
        /// The milestone
        id: Target,
        /// The criterion's number
        number: u32,
        /// How it was seen: words, a link, the name of a file
        #[arg(long, value_name = "TEXT")]
        evidence: String,
    },
}

/// How much of what a check says is kept as evidence.
const EVIDENCE_LINES: usize = 10;
const EVIDENCE_BYTES: usize = 4_000;

const TRUST_KIND: &str = "check";

pub fn run(app: &App, args: CriterionArgs) -> Result<(), Failure> {
    match args.command {
        CriterionVerb::Add { id, text, kind, check } => {
            let id = id.milestone(app)?;
            add(app, id, Criterion { kind, check, ..Criterion::from(text) })
        }
        CriterionVerb::Met { id, number, evidence } => {
            met(app, id.milestone(app)?, number, evidence)
        }
        CriterionVerb::Check { id, number, yes } => check(app, id.milestone(app)?, number, yes),
    }
}

/// A criterion, and whose it is.
#[derive(Debug, Serialize, JsonSchema)]
pub struct CriterionOf {
    milestone: MilestoneId,
    criterion: Option<Criterion>,
}

fn add(app: &App, id: MilestoneId, draft: Criterion) -> Result<(), Failure> {
    let command = draft.check.clone();
    let outcome = app.execute(&Command::AddCriterion { milestone: id, draft: Box::new(draft) })?;
    // Typed here by this person: that is agreement enough.
    if let (Some(command), Some(trust)) = (command, Trust::of(&app.opened()?.root.project)) {
        trust.add(TRUST_KIND, &command)?;
    }
    let document = outcome.snapshot.documents.get(&id);
    let added = document.and_then(|document| document.criteria.last()).cloned();
    let number = added.as_ref().and_then(|criterion| criterion.id).unwrap_or_default();
    let added = CriterionOf { milestone: id, criterion: added };
    app.out.done(&added, &number.to_string(), |page| {
        page.say("Added criterion ").styled(style::ID, number).say(" to ").say(id).say(".").end();
    })
}

fn met(app: &App, id: MilestoneId, number: u32, evidence: String) -> Result<(), Failure> {
    let command = Command::MeetCriterion { milestone: id, number, evidence };
    let outcome = app.execute(&command)?;
    let criterion = outcome.snapshot.documents.get(&id).and_then(|d| d.criterion(number)).cloned();
    app.out.done(&CriterionOf { milestone: id, criterion }, &number.to_string(), |page| {
        page.say("Criterion ").styled(style::ID, number).say(" of ").say(id).say(" is met.").end();
    })
}

fn check(app: &App, id: MilestoneId, number: u32, yes: bool) -> Result<(), Failure> {
    let snapshot = app.read(&Scope::Milestone(id))?;
    let document = snapshot.documents.get(&id);
    let document = document.ok_or_else(|| super::show::missing(&snapshot, Node::Milestone(id)))?;
    let known = u32::try_from(document.criteria.len()).unwrap_or(u32::MAX);
    let unknown = Refusal::UnknownCriterion { milestone: id, number, known };
    let criterion = document.criterion(number).ok_or(unknown)?;
    let command = criterion.check.clone().ok_or(Failure::NoCheck { milestone: id, number })?;
    let root = &app.opened()?.root.project;
    agree(app, root, &command, yes, format!("milestone criterion check {id} {number}"))?;
    let output = checked(root, &command)?;
    let evidence = format!("`{command}` succeeded\n{output}").trim_end().to_owned();
    met(app, id, number, evidence)
}

/// Nothing is run that this person has not agreed to.
fn agree(app: &App, root: &Path, command: &str, yes: bool, retry: String) -> Result<(), Failure> {
    let trust = Trust::of(root);
    if trust.as_ref().is_some_and(|trust| trust.has(TRUST_KIND, command)) {
        return Ok(());
    }
    if !yes && !asked(app, command) {
        return Err(Failure::Untrusted { command: command.to_owned(), retry });
    }
    trust.map_or(Ok(()), |trust| trust.add(TRUST_KIND, command))
}

fn asked(app: &App, command: &str) -> bool {
    let mut page = app.out.page();
    page.say("This command came with the document:").end().indented(command);
    page.say("Run it, now and later, in this project? [y/N] ");
    app.out.asks(&page)
}

/// Runs a check at the root of the repository, and gives the end of what it said.
fn checked(root: &Path, command: &str) -> Result<String, Failure> {
    let output = Process::new("sh")
        .arg("-c")
        .arg(command)
        .current_dir(root)
        .stdin(Stdio::null())
        .output()
        .map_err(|source| Failure::Io { doing: "run", path: "sh".into(), source })?;
    let said = [output.stdout, output.stderr].concat();
    let said = ending(&String::from_utf8_lossy(&said));
    if output.status.success() {
        return Ok(said);
    }
    Err(Failure::CheckFailed { command: command.to_owned(), output: said })
}

fn ending(text: &str) -> String {
    let lines: Vec<&str> = text.trim_end().lines().collect();
    let ending = lines[lines.len().saturating_sub(EVIDENCE_LINES)..].join("\n");
    let cut = ending.len().saturating_sub(EVIDENCE_BYTES);
    let cut = (cut..=ending.len()).find(|at| ending.is_char_boundary(*at)).unwrap_or(0);
    ending[cut..].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_end_of_a_long_output_is_evidence() {
        let long: Vec<String> = (0..100).map(|n| format!("line {n}")).collect();
        let kept = ending(&long.join("\n"));
        assert_eq!((kept.lines().count(), kept.ends_with("line 99")), (10, true));
        assert!(ending(&"é".repeat(10_000)).len() <= EVIDENCE_BYTES);
    }
}
