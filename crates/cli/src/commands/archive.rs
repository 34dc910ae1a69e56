//! `milestone archive`: files a finished milestone away, and keeps what it taught.

use std::collections::BTreeSet;

use clap::Args;
use milestone_domain::command::{Closing, Command};
use milestone_domain::document::{Lessons, Milestone};
use milestone_domain::ids::MilestoneId;
use milestone_domain::refusal::Refusal;
use milestone_domain::snapshot::{Outline, Scope};
use milestone_domain::status::MilestoneStatus;
use milestone_domain::views::retrospective::{Retrospective, retrospective};
use schemars::JsonSchema;
use serde::Serialize;

use crate::app::App;
use crate::errors::Failure;
use crate::output;
use crate::render;
use crate::render::style;
use crate::target::Target;

/// File completed milestones away, and keep what they taught
///
/// Completes a milestone whose tasks are done and whose criteria are met, compares what it took
/// with what was thought, and files it away. It is still found by `show`, `search` and `list
/// --archived`, and the next plans and forecasts learn from it.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  milestone archive 1
  milestone archive 1 --evidence \"2=all 31 tests pass\" --lesson \"test the import early\"
  milestone archive milestone-001,milestone-002 --capture-insights
  milestone archive --batch --release v1.2.0
  milestone archive 3 --force \"superseded by milestone-007\"")]
pub struct ArchiveArgs {
    /// Milestones, with commas or spaces between them
    #[arg(value_name = "ID", required_unless_present = "batch", value_delimiter = ',')]
    ids: Vec<Target>,
    /// Every milestone that is completed, or whose tasks and criteria are; with --release only
    /// those of that release, or where none names it, those of none
    #[arg(long, conflicts_with_all = ["ids", "force", "evidence"])]
    batch: bool,
    /// The release that they belong to, noted in each
    #[arg(long, value_name = "VERSION")]
    release: Option<String>,
    /// How a criterion was seen to hold: its number, `=`, and the evidence; may be repeated
    #[arg(long, value_name = "N=TEXT", value_parser = evidence)]
    evidence: Vec<(u32, String)>,
    /// What to do differently, or again, next time; may be repeated
    #[arg(long, value_name = "TEXT")]
    lesson: Vec<String>,
    /// Keep what the history shows, too: what blocked, what was done again, which estimates were
    /// off, which risks seem to have come true
    #[arg(long)]
    capture_insights: bool,
    /// File it away although something is open, for this reason
    #[arg(long, value_name = "REASON")]
    force: Option<String>,
}

fn evidence(text: &str) -> Result<(u32, String), String> {
    let parts = text.split_once('=').map(|(number, text)| (number.trim().parse(), text.trim()));
    match parts {
        Some((Ok(number), text)) if !text.is_empty() => Ok((number, text.to_owned())),
        _ => Err("write the criterion's number, `=` and the evidence: 2=all tests pass".into()),
    }
}

/// What was filed away, and what it taught.
#[derive(Serialize, JsonSchema)]
pub struct Archived {
    milestones: Vec<MilestoneId>,
    retrospectives: Vec<Retrospective>,
}

pub fn run(app: &App, args: &ArchiveArgs) -> Result<(), Failure> {
    let ids = match args.batch {
        true => finished(app, args.release.as_deref())?,
        false => args.ids.iter().map(|id| id.milestone(app)).collect::<Result<_, _>>()?,
    };
    let mut archived = Archived { milestones: Vec::new(), retrospectives: Vec::new() };
    for id in ids {
        archived.retrospectives.push(archive(app, id, args)?);
        archived.milestones.push(id);
    }
    if archived.milestones.is_empty() {
        return app.out.show(&archived, |page| {
            page.say("No milestone is completed; there is nothing to file away.").end();
        });
    }
    let names: Vec<String> = archived.milestones.iter().map(ToString::to_string).collect();
    app.out.done(&archived, &names.join("\n"), |page| {
        for view in &archived.retrospectives {
            page.styled(style::ID, view.id).say(" is filed away.  ").say(&view.title).end();
            render::retrospective::retrospective(page, view);
        }
    })
}

/// Those that somebody completed, and those that only wait for somebody to say so: of the release,
/// or, where none belongs to it yet, of none. What belongs to another release stays.
fn finished(app: &App, release: Option<&str>) -> Result<Vec<MilestoneId>, Failure> {
    let snapshot = app.read(&Scope::Graph(BTreeSet::new()))?;
    let begun = snapshot.open().any(|o| release.is_some() && o.release.as_deref() == release);
    let belongs = |outline: &&Outline| match release {
        None => true,
        Some(_) if begun => outline.release.as_deref() == release,
        Some(_) => outline.release.is_none(),
    };
    let mut finished = Vec::new();
    for outline in snapshot.open().filter(belongs) {
        let id = outline.id;
        let tasks_done =
            !outline.tasks.is_empty() && outline.tasks.iter().all(|task| task.status.is_closed());
        let ended = match outline.status {
            MilestoneStatus::Completed => true,
            MilestoneStatus::InProgress => tasks_done,
            _ => false,
        };
        if ended && outline.is_finished() {
            finished.push(id);
        } else if ended && outline.criteria_open > 0 {
            output::warn(&format!("{id} stays: its tasks are done and criteria are open"));
        } else if ended {
            output::warn(&format!("{id} stays: its tasks are done and a phase is not approved"));
        }
    }
    Ok(finished)
}

fn archive(app: &App, id: MilestoneId, args: &ArchiveArgs) -> Result<Retrospective, Failure> {
    let before = looking_back(app, id)?;
    let captured = if args.capture_insights { before.insights.clone() } else { Lessons::default() };
    let mut lessons = captured;
    lessons.recommendations.splice(0..0, args.lesson.iter().cloned());
    let closing = Closing {
        force: args.force.clone(),
        evidence: args.evidence.clone(),
        lessons,
        release: args.release.clone(),
    };
    let command = Command::Archive { milestone: id, closing: Box::new(closing) };
    match app.execute(&command) {
        // It is filed away: that it cannot be read again must not say it is not.
        Ok(_) => looking_back(app, id).or_else(|_| {
            output::warn(&format!("{id} is filed away; what it was before is shown"));
            Ok(before)
        }),
        Err(failure) => {
            if let Failure::Refused(Refusal::Incomplete { .. }) = &failure {
                missing(app, id);
            }
            Err(failure)
        }
    }
}

fn looking_back(app: &App, id: MilestoneId) -> Result<Retrospective, Failure> {
    let (snapshot, milestone) = document(app, id)?;
    let project = &app.opened()?.project;
    let now = project.context(app.actor()).now;
    Ok(retrospective(&milestone, &project.history(id)?, &snapshot.settings, now))
}

fn document(
    app: &App,
    id: MilestoneId,
) -> Result<(milestone_domain::snapshot::Snapshot, Milestone), Failure> {
    let mut snapshot = app.read(&Scope::Milestone(id))?;
    match snapshot.documents.remove(&id) {
        Some(milestone) => Ok((snapshot, milestone)),
        None => Err(super::show::missing(&snapshot, milestone_domain::ids::Node::Milestone(id))),
    }
}

/// Says what keeps a milestone open, each with the command that closes it. Beside the refusal, so
/// that not being able to say it hides nothing.
fn missing(app: &App, id: MilestoneId) {
    if let (false, Ok((_, milestone))) = (app.out.json, document(app, id)) {
        let mut page = app.out.page();
        render::milestone::missing(&mut page, &milestone);
        output::say(&page);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn evidence_names_its_criterion() {
        assert_eq!(evidence("2= all tests = green "), Ok((2, "all tests = green".into())));
        for wrong in ["all tests pass", "2=", "=x", "-1=x"] {
            assert!(evidence(wrong).is_err(), "{wrong}");
        }
    }
}
