//! `execute --dry-run`: what an execution would do, with nothing of it begun.

use std::collections::{BTreeMap, BTreeSet};

use milestone_domain::document::{Milestone, Task};
use milestone_domain::forecast::{NoForecast, Quantiles, Question, forecast};
use milestone_domain::ids::{MilestoneId, Node, TaskId};
use milestone_domain::limits;
use milestone_domain::snapshot::Scope;
use milestone_domain::streams::{Streams, StreamsBy};
use milestone_domain::views::rehearsal::{Asked, Doer, Rehearsal, rehearse};
use milestone_engine::needs::Needs;
use schemars::JsonSchema;
use serde::Serialize;

use super::streams::StreamPlan;
use crate::app::App;
use crate::errors::Failure;
use crate::kinds::{Kind, Printed};
use crate::output;
use crate::render;

/// How a milestone is to be executed.
#[derive(Debug, Clone)]
pub struct How<'a> {
    pub agents: usize,
    pub coordination: &'static str,
    pub sequential: bool,
    /// What tasks make a stream, where there are streams; and what reviews them.
    pub streams: Option<StreamsBy>,
    pub reviewer: Option<String>,
    /// Without git there is one folder, and one task at a time in it.
    pub git: bool,
    pub needs: Needs<'a>,
}

/// What an execution would do.
#[derive(Debug, Serialize, JsonSchema)]
pub struct DryRun {
    #[serde(flatten)]
    pub rehearsal: Rehearsal,
    pub coordination: &'static str,
    pub git: bool,
    /// Where the work of each part goes before it goes into the milestone's branch.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub streams: Vec<StreamPlan>,
    /// When everything of the milestone is done, with so many at work and by what the past says.
    pub finish: Option<Quantiles>,
    /// Why that cannot be said.
    pub no_finish: Option<NoForecast>,
    /// What an execution would ask about before it begins.
    pub to_agree: Vec<ToAgree>,
}

/// Something that would be run, and that nobody has agreed to.
#[derive(Debug, Serialize, JsonSchema)]
pub struct ToAgree {
    pub kind: &'static str,
    pub text: String,
}

impl Printed for DryRun {
    const KIND: Kind = Kind::DryRun;
}

pub fn run(
    app: &App,
    document: &Milestone,
    how: &How<'_>,
    to_agree: Vec<(&'static str, String)>,
) -> Result<(), Failure> {
    let id = document.id;
    let rehearsal = rehearsed(app, id, how)?;
    let streams = how.streams.map(|by| StreamPlan::all(document, &Streams::of(document, by)));
    let past = app.read(&Scope::Past(limits::PAST_MILESTONES_MAX))?;
    let context = app.opened()?.project.context(app.actor());
    let workers = u32::try_from(how.agents).ok();
    let question = Question { only: Some(id), workers, why: false, ..Question::default() };
    let forecast = forecast(&past, &question, context.now, context.today);
    let view = DryRun {
        rehearsal,
        coordination: how.coordination,
        git: how.git,
        streams: streams.unwrap_or_default(),
        finish: forecast.finish,
        no_finish: forecast.reason,
        to_agree: to_agree.into_iter().map(|(kind, text)| ToAgree { kind, text }).collect(),
    };
    app.out.show(&view, |page| render::rehearsal::dry_run(page, &view))
}

/// Says when more agents than are going to be used would be of use.
pub fn hint(app: &App, id: MilestoneId, how: &How<'_>) -> Result<(), Failure> {
    let rehearsal = rehearsed(app, id, how)?;
    let more = rehearsal.suggested.filter(|suggested| suggested.agents > how.agents);
    let Some(more) = more else { return Ok(()) };
    let mut page = app.out.page();
    render::rehearsal::hint(&mut page, id, &more);
    // Whoever reads may have gone; the work goes on.
    let _ = output::print(&page);
    Ok(())
}

fn rehearsed(app: &App, id: MilestoneId, how: &How<'_>) -> Result<Rehearsal, Failure> {
    let snapshot = app.read(&Scope::Graph(BTreeSet::from([id])))?;
    let doers = snapshot.documents.get(&id).map(|document| doers(document, &how.needs));
    let doers = doers.unwrap_or_default();
    let asked =
        Asked { milestone: id, agents: how.agents, sequential: how.sequential, doers: &doers };
    let rehearsal = rehearse(&snapshot, asked, app.today()?);
    let mut rehearsal =
        rehearsal.ok_or_else(|| super::show::missing(&snapshot, Node::Milestone(id)))?;
    rehearsal.suggested = rehearsal.suggested.filter(|_| how.git);
    Ok(rehearsal)
}

fn doers(document: &Milestone, needs: &Needs<'_>) -> BTreeMap<TaskId, Doer> {
    let open = document.tasks.iter().filter(|task| !task.status.is_closed());
    let doer = |task: &Task| {
        let id = TaskId::new(document.id, task.id.number);
        let obstacle = needs.obstacle(id, task);
        (id, Doer { runner: needs.runner(task), obstacle })
    };
    open.map(doer).collect()
}
