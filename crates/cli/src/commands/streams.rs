//! Working in streams: who decides on it, what a dry run shows of it, and a person's word.

use milestone_domain::command::Command;
use milestone_domain::document::Milestone;
use milestone_domain::ids::{MilestoneId, TaskId};
use milestone_domain::streams::{Stream, StreamName, Streams};
use milestone_engine::git::{Branch, Repository};
use milestone_engine::requests::Request;
use milestone_engine::session::Sessions;
use milestone_engine::verdicts::{Judge, Verdict};
use schemars::JsonSchema;
use serde::Serialize;

use super::execute::Coordination;
use crate::app::App;
use crate::errors::Failure;
use crate::kinds::{Kind, Printed};
use crate::render::style;

/// A stream, as an execution would work on it.
#[derive(Debug, Serialize, JsonSchema)]
pub struct StreamPlan {
    pub name: StreamName,
    pub branch: String,
    pub tasks: Vec<TaskId>,
    /// The streams that are in the milestone's branch before its tasks build on them.
    pub after: Vec<StreamName>,
}

impl StreamPlan {
    pub fn all(document: &Milestone, streams: &Streams) -> Vec<Self> {
        let plan = |stream: &Stream| Self {
            name: stream.name.clone(),
            branch: Branch::of_stream(document.id, &stream.name).name(),
            tasks: stream.tasks.clone(),
            after: stream.after.clone(),
        };
        streams.all().iter().map(plan).collect()
    }
}

/// A stream that a person has accepted.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Accepted {
    pub milestone: MilestoneId,
    pub stream: StreamName,
    pub branch: String,
    /// What was accepted; with other work on it, it is judged again.
    pub commit: String,
}

impl Printed for Accepted {
    const KIND: Kind = Kind::Accepted;
}

/// How a milestone is worked on: as somebody says, as its session was, or as its branches are.
pub fn coordination(
    said: Option<Coordination>,
    before: Option<Coordination>,
    repository: Option<&Repository>,
    id: MilestoneId,
) -> Result<Coordination, Failure> {
    let is_in_streams = match repository {
        Some(repository) => !repository.below(id)?.is_empty(),
        None => false,
    };
    let wanted = said.or(before);
    let chosen = wanted.unwrap_or(match is_in_streams {
        true => Coordination::Hierarchical,
        false => Coordination::Parallel,
    });
    let is_hierarchical = chosen == Coordination::Hierarchical;
    if is_hierarchical && repository.is_none() {
        return Err(Failure::usage(
            "every stream has a branch, and there is no git here",
            format!("work without streams: `milestone execute {id}`"),
        ));
    }
    if is_in_streams && !is_hierarchical {
        return Err(Failure::usage(
            format!("work of {id} is in the branches of streams, and not in its own yet"),
            format!("go on in streams: `milestone execute {id} --coordination hierarchical`"),
        ));
    }
    Ok(chosen)
}

/// `execute ID --accept STREAM`: a person's word, which needs no verification and no review.
pub fn accept(
    app: &App,
    document: &Milestone,
    repository: Option<&Repository>,
    name: &str,
) -> Result<(), Failure> {
    let id = document.id;
    let streams = Streams::of(document, app.opened()?.config.execution().streams);
    let stream = streams.named(name).ok_or_else(|| no_such_stream(id, name, &streams))?;
    let below = repository.map(|repository| repository.below(id)).transpose()?.unwrap_or_default();
    let branch = Branch::of_stream(id, &stream.name);
    let tip = repository.map(|repository| repository.tip(&branch)).transpose()?.flatten();
    let Some(tip) = tip.filter(|_| stream.tasks.iter().any(|task| below.contains(task))) else {
        return Err(Failure::usage(
            format!("{name} has no work that is not in the branch of {id}"),
            format!("see how it stands: `milestone show {id}`"),
        ));
    };
    if !stream.is_complete(document) {
        let done = stream.completed(document);
        return Err(Failure::usage(
            format!("{done} of the {} tasks of {name} are done", stream.tasks.len()),
            format!("accept it once all of them are: `milestone execute {id}`"),
        ));
    }
    let why = format!("{} has accepted it", app.actor());
    let (stream, by) = (stream.name.clone(), Judge::Person);
    let verdict = Verdict { stream, at: tip, accepted: true, by, why };
    app.execute(&Command::NoteMilestone { milestone: id, text: verdict.to_string() })?;
    // One that runs may have given it up.
    Sessions::of(&app.opened()?.root.folder()).ask(id, &Request::Restart)?;
    let accepted = Accepted {
        milestone: id,
        stream: verdict.stream,
        branch: branch.name(),
        commit: verdict.at.to_string(),
    };
    app.out.show(&accepted, |page| {
        page.say("Accepted: ").styled(style::ID, &accepted.stream).say(" at ");
        page.say(&accepted.commit[..accepted.commit.len().min(12)]).end();
        page.say("It goes up with `milestone execute ").say(id).say(" --resume`").end();
    })
}

fn no_such_stream(id: MilestoneId, name: &str, streams: &Streams) -> Failure {
    let names: Vec<&str> = streams.all().iter().map(|stream| stream.name.as_str()).collect();
    Failure::usage(
        format!("{id} has no stream {name}; it has {}", names.join(", ")),
        format!("see them: `milestone execute {id} --coordination hierarchical --dry-run`"),
    )
}
