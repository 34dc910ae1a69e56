//! The checker: does the store hold what was acknowledged, all of it, and nothing else?
//!
//! It assumes that one clone wrote the project's files, that nobody edited by hand, and that every request
//! came from an actor of its own. So every event leads back to one request, and a hand edit that
//! the program claims to have noticed is a document that a fault tore.

mod claims;
mod database;
mod documents;
mod history;
mod leftovers;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use milestone_domain::apply::apply;
use milestone_domain::document::Milestone;
use milestone_domain::event::{Event, Recorded};
use milestone_domain::ids::TaskId;
use milestone_domain::status::{MilestoneStatus, TaskStatus};

use crate::ask::Ask;
use crate::ledger::{End, Entry, Ledger, Said};
use crate::project::IN_A_CLONE;
use crate::store::Kept;
use database::Rows;
use history::Stream;

/// What the checker saw.
#[derive(Debug, Default)]
pub struct Verdict {
    pub exceptions: Vec<String>,
    pub acknowledged: usize,
    pub unknown: usize,
    pub events: usize,
}

/// Compares the project whose `.milestones` is `folder` with what was acknowledged. `url`: where
/// the server is that may keep it. `settled`: the last command was one that writes, and it was
/// acknowledged, so nothing may be left over.
pub fn check(folder: &Path, url: Option<&str>, ledger: &Ledger, settled: bool) -> Verdict {
    let mut wrong = Vec::new();
    let mut project = Project::read(folder, url, ledger, settled, &mut wrong);
    for entry in &ledger.entries {
        ending(entry, &mut wrong);
    }
    let by_actor = project.events(&mut wrong);
    for entry in &ledger.entries {
        let events = by_actor.get(entry.actor.as_str()).map_or(&[][..], Vec::as_slice);
        project.acknowledged(entry, events, &mut wrong);
    }
    project.order(&mut wrong);
    if settled {
        project.edits(&mut wrong);
    }
    documents::once(&project, &mut wrong);
    if settled || project.rows.is_some() {
        claims::check(&project, &mut wrong);
    }
    let events = project.streams.values().map(|stream| stream.events.len()).sum();
    project.beside(settled, &mut wrong);
    Verdict {
        exceptions: wrong,
        acknowledged: count(ledger, Said::Kept),
        unknown: count(ledger, Said::Unknown),
        events,
    }
}

fn count(ledger: &Ledger, said: Said) -> usize {
    ledger.entries.iter().filter(|entry| entry.said() == said && entry.ask.records()).count()
}

/// The names in a folder, sorted.
fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut names: Vec<String> =
        entries.filter_map(|entry| entry.file_name().into_string().ok()).collect();
    names.sort_unstable();
    names
}

/// A project as it stands in its store, and what was asked of it.
struct Project<'a> {
    folder: &'a Path,
    /// What happened, by the store that keeps the project.
    streams: BTreeMap<String, Stream>,
    /// The same and more, where that is a database.
    rows: Option<(Kept, Rows)>,
    ledger: &'a Ledger,
}

impl<'a> Project<'a> {
    fn read(
        folder: &'a Path,
        url: Option<&str>,
        ledger: &'a Ledger,
        settled: bool,
        wrong: &mut Vec<String>,
    ) -> Self {
        let mut rows = database::read(folder, url, settled, wrong);
        let streams = match &mut rows {
            Some((_, rows)) => {
                database::check(rows, wrong);
                rows.streams.clone()
            }
            None => history::read_all(folder, wrong),
        };
        Self { folder, streams, rows, ledger }
    }

    /// The documents and histories on the disk, as far as they must be current.
    fn beside(&mut self, settled: bool, wrong: &mut Vec<String>) {
        match &self.rows {
            Some((kept, _)) if !kept.store.mirrors() => return,
            // A database is right at every moment, and its mirror once somebody has written.
            Some(_) if !settled => return,
            Some((_, rows)) => {
                let histories = history::read_all(self.folder, wrong);
                database::mirrored(rows, &histories, wrong);
                documents::check(self, settled, wrong);
                // Where each event stands is for the histories to say.
                self.streams = histories;
            }
            None => documents::check(self, settled, wrong),
        }
        if settled {
            leftovers::check(self, wrong);
        }
    }

    /// Every event has somebody who asked for it. Answers the events of each actor.
    fn events<'b>(&'b self, wrong: &mut Vec<String>) -> BTreeMap<&'b str, Vec<&'b Recorded>> {
        let entries = self.ledger.by_actor();
        let mut by_actor: BTreeMap<&str, Vec<&Recorded>> = BTreeMap::new();
        for recorded in self.streams.values().flat_map(|stream| &stream.events) {
            let kind = format!("{} in {}: {:?}", recorded.id, recorded.stream, recorded.event);
            if recorded.noticed {
                if !self.is_edit(recorded) {
                    wrong.push(format!("an edit by hand that nobody made: {kind}"));
                }
                continue;
            }
            match entries.get(recorded.by.as_str()) {
                None => wrong.push(format!("nobody asked for {kind}")),
                Some(entry) if entry.said() == Said::Refused => {
                    let end = entry.end;
                    wrong.push(format!("{}: refused ({end:?}) and yet there: {kind}", entry.actor));
                }
                Some(entry) if !may_cause(&entry.ask, &recorded.event) => {
                    wrong.push(format!("{}: {:?} made {kind}", entry.actor, entry.ask));
                }
                Some(_) => {}
            }
            by_actor.entry(recorded.by.as_str()).or_default().push(recorded);
        }
        by_actor
    }

    /// Whether a person wrote that.
    fn is_edit(&self, recorded: &Recorded) -> bool {
        let Event::Edited { change } = &recorded.event else { return false };
        self.ledger.entries.iter().any(|entry| match &entry.ask {
            Ask::Edit { milestone, text } => {
                change.path.to_string() == "description"
                    && recorded.stream.to_string() == *milestone
                    && change.after.as_ref().is_some_and(|after| after == text.as_str())
            }
            _ => false,
        })
    }

    /// What people wrote into documents is in their history.
    fn edits(&self, wrong: &mut Vec<String>) {
        for entry in &self.ledger.entries {
            let Ask::Edit { milestone, text } = &entry.ask else { continue };
            let stream = self.streams.get(milestone);
            let says = |recorded: &Recorded| match &recorded.event {
                Event::Edited { change } => {
                    change.after.as_ref().is_some_and(|after| after == text.as_str())
                }
                _ => false,
            };
            if !stream.is_some_and(|stream| stream.events.iter().any(says)) {
                wrong.push(format!("{milestone}: somebody wrote {text:?} and it is lost"));
            }
        }
    }

    /// What was acknowledged is there, once and whole.
    fn acknowledged(&self, entry: &Entry, events: &[&Recorded], wrong: &mut Vec<String>) {
        let told = || format!("{}: {:?}", entry.actor, entry.ask);
        let changes: BTreeSet<_> = events.iter().map(|recorded| recorded.id.change).collect();
        if changes.len() > 1 {
            wrong.push(format!("{}: carried out {} times", told(), changes.len()));
        }
        let mut indexes: Vec<u16> = events.iter().map(|recorded| recorded.id.index).collect();
        indexes.sort_unstable();
        if !indexes.iter().copied().eq((0..).take(indexes.len())) {
            wrong.push(format!("{}: only a part of it is there: {indexes:?}", told()));
        }
        let whole = events.iter().any(|recorded| is_main(&entry.ask, recorded));
        if !events.is_empty() && !whole {
            wrong.push(format!("{}: its main event is missing", told()));
        }
        if entry.said() != Said::Kept || !entry.ask.records() {
            return;
        }
        if events.is_empty() && (entry.ask.always_records() || !self.was_so(&entry.ask)) {
            wrong.push(format!("{}: acknowledged and not there", told()));
        }
        for recorded in events {
            if let Some(printed) = misprinted(entry, recorded) {
                wrong.push(format!("{}: printed {printed}; made {:?}", told(), recorded.event));
            }
        }
    }

    /// Whether what was asked for was so at some moment, so that nothing had to be done.
    fn was_so(&self, ask: &Ask) -> bool {
        let task = |task: &str, so: &dyn Fn(&milestone_domain::document::Task) -> bool| {
            let Ok(id) = task.parse::<TaskId>() else { return false };
            let holds = |document: &Milestone| document.task(id.number).is_some_and(so);
            self.ever(&id.milestone.to_string(), &holds)
        };
        let condition = |wanted: &str| {
            self.streams.get("project").is_some_and(|stream| {
                let named = |recorded: &Recorded| matches!(&recorded.event, Event::ConditionSet { name, .. } if name == wanted);
                stream.events.iter().any(named)
            })
        };
        match ask {
            Ask::Start { task: id } => task(id, &|task| task.status == TaskStatus::InProgress),
            Ask::Done { task: id, .. } => task(id, &|task| task.status == TaskStatus::Completed),
            Ask::Unblock { task: id } => task(id, &|task| task.status == TaskStatus::Pending),
            Ask::Set { task: id, title } => task(id, &|task| task.title == *title),
            Ask::Progress { task: id, percent, .. } => {
                task(id, &|task| task.progress == Some(*percent))
            }
            Ask::Release { task: id, .. } => {
                task(id, &|task| task.status != TaskStatus::InProgress)
            }
            Ask::SetCondition { name } => condition(name),
            // Nothing to clear is also cleared.
            Ask::ClearCondition { .. } => true,
            Ask::Update { milestone, status, .. } => {
                let so = |status: MilestoneStatus, wanted: &str| status.word() == wanted;
                self.ever(milestone, &|document| so(document.status, status))
            }
            Ask::Archive { milestone } => self.ever(milestone, &|document| document.archived),
            _ => false,
        }
    }

    fn ever(&self, stream: &str, so: &dyn Fn(&Milestone) -> bool) -> bool {
        let Some(stream) = self.streams.get(stream) else { return false };
        let mut document = None;
        stream.events.iter().any(|recorded| {
            document = apply(document.take(), recorded);
            document.as_ref().is_some_and(so)
        })
    }

    /// Who was answered before another one asked stands before them.
    fn order(&self, wrong: &mut Vec<String>) {
        let entries = self.ledger.by_actor();
        for (name, stream) in &self.streams {
            let mut latest: Option<&Entry> = None;
            for recorded in &stream.events {
                let Some(entry) = entries.get(recorded.by.as_str()) else { continue };
                if entry.actor.starts_with(IN_A_CLONE) {
                    continue;
                }
                if let Some(latest) = latest
                    .filter(|latest| entry.said() == Said::Kept && entry.ended < latest.started)
                {
                    let (before, after) = (&latest.actor, &entry.actor);
                    wrong.push(format!(
                        "{name}: {before} stands before {after}, who was done first"
                    ));
                }
                if latest.is_none_or(|latest| entry.started > latest.started) {
                    latest = Some(entry);
                }
            }
        }
    }
}

/// However the machine failed, the program must not have.
fn ending(entry: &Entry, wrong: &mut Vec<String>) {
    let said = format!("{}: {:?}: {}", entry.actor, entry.ask, entry.stderr.trim());
    match entry.end {
        End::Exit(101 | 134) => wrong.push(format!("a panic: {said}")),
        End::Exit(2) => wrong.push(format!("wrong usage: {said}")),
        End::Signal(signal) => wrong.push(format!("ended by signal {signal}: {said}")),
        End::Exit(_) | End::Killed => {}
    }
    if entry.stderr.contains("panicked") && !matches!(entry.end, End::Exit(101 | 134)) {
        wrong.push(format!("a panic: {said}"));
    }
}

/// Whether a request may leave this kind of event.
fn may_cause(ask: &Ask, event: &Event) -> bool {
    match (ask, event) {
        (Ask::Plan { .. }, _)
        | (Ask::Add { .. } | Ask::Move { .. }, Event::TaskAdded { .. })
        | (Ask::Set { .. }, Event::Edited { .. })
        | (Ask::Claim { .. }, Event::TaskClaimed { .. })
        | (Ask::Release { .. }, Event::TaskReleased { .. } | Event::TaskStatusChanged { .. })
        | (Ask::Note { .. }, Event::TaskNoted { .. })
        | (Ask::Progress { .. }, Event::TaskProgressed { .. })
        | (Ask::Move { .. } | Ask::Remove { .. }, Event::TaskRemoved { .. })
        | (Ask::AddCriterion { .. } | Ask::Update { .. }, Event::Edited { .. })
        | (Ask::MeetCriterion { .. }, Event::CriterionMet { .. })
        | (Ask::SetCondition { .. }, Event::ConditionSet { .. })
        | (Ask::ClearCondition { .. }, Event::ConditionCleared { .. })
        | (Ask::Archive { .. }, Event::MilestoneArchived { .. }) => true,
        (ask, Event::TaskStatusChanged { .. }) => wanted_status(ask).is_some(),
        (ask, Event::MilestoneStatusChanged { .. }) => matches!(
            ask,
            Ask::Start { .. }
                | Ask::Done { .. }
                | Ask::Claim { .. }
                | Ask::Update { .. }
                | Ask::Archive { .. }
        ),
        _ => false,
    }
}

fn wanted_status(ask: &Ask) -> Option<TaskStatus> {
    match ask {
        Ask::Start { .. } => Some(TaskStatus::InProgress),
        Ask::Done { .. } => Some(TaskStatus::Completed),
        Ask::Fail { .. } => Some(TaskStatus::Failed),
        Ask::Block { .. } => Some(TaskStatus::Blocked),
        Ask::Unblock { .. } => Some(TaskStatus::Pending),
        _ => None,
    }
}

/// Whether this event is what was asked for, word for word.
fn is_main(ask: &Ask, recorded: &Recorded) -> bool {
    let of = |id: &str| {
        let id = id.parse::<TaskId>().ok();
        id.is_some_and(|id| {
            recorded.stream.to_string() == id.milestone.to_string()
                && recorded.event.task() == Some(id.number)
        })
    };
    let in_milestone = |id: &str| recorded.stream.to_string() == id;
    match (ask, &recorded.event) {
        (Ask::Plan { title, tasks }, Event::MilestoneCreated { document }) => {
            let made = document["tasks"].as_array().cloned().unwrap_or_default();
            // In a document's tree, tasks stand by their ids.
            let by_id = document["tasks"].as_object().map(|map| map.values().cloned().collect());
            let made: Vec<_> = by_id.unwrap_or(made);
            document["title"] == title.as_str()
                && tasks.iter().all(|title| made.iter().any(|task| task["title"] == title.as_str()))
        }
        (Ask::Add { milestone, title }, Event::TaskAdded { document, .. }) => {
            in_milestone(milestone) && document["title"] == title.as_str()
        }
        (Ask::Set { task, title }, Event::Edited { change }) => {
            of(task) && change.after.as_ref().is_some_and(|after| after == title.as_str())
        }
        (Ask::Note { task, text, .. }, Event::TaskNoted { text: noted, .. }) => {
            of(task) && noted == text
        }
        (Ask::Progress { task, percent, .. }, Event::TaskProgressed { percent: said, .. }) => {
            of(task) && percent == said
        }
        (Ask::Claim { task, .. }, Event::TaskClaimed { .. })
        | (
            Ask::Release { task, .. },
            Event::TaskReleased { .. } | Event::TaskStatusChanged { .. },
        )
        | (Ask::Move { task, .. } | Ask::Remove { task }, Event::TaskRemoved { .. }) => of(task),
        (Ask::AddCriterion { milestone, text }, Event::Edited { change }) => {
            let said = change.after.as_ref().map(ToString::to_string).unwrap_or_default();
            in_milestone(milestone) && said.contains(text.as_str())
        }
        (
            Ask::MeetCriterion { milestone, number, evidence },
            Event::CriterionMet { criterion, met },
        ) => in_milestone(milestone) && number == criterion && met.evidence == *evidence,
        (Ask::SetCondition { name }, Event::ConditionSet { name: said, .. })
        | (Ask::ClearCondition { name }, Event::ConditionCleared { name: said, .. }) => {
            name == said
        }
        (Ask::Update { milestone, status, .. }, Event::MilestoneStatusChanged { to, .. }) => {
            in_milestone(milestone) && to.word() == status
        }
        // Cancelled already, by somebody with another reason.
        (Ask::Update { milestone, reason, .. }, Event::Edited { change }) => {
            in_milestone(milestone)
                && change.after.as_ref().is_some_and(|said| said == reason.as_str())
        }
        (Ask::Archive { milestone }, Event::MilestoneArchived { .. }) => in_milestone(milestone),
        (
            Ask::Fail { task, reason, .. } | Ask::Block { task, reason, .. },
            Event::TaskStatusChanged { to, reason: said, .. },
        ) => of(task) && Some(*to) == wanted_status(ask) && said.as_ref() == Some(reason),
        (
            Ask::Start { task } | Ask::Done { task, .. } | Ask::Unblock { task },
            Event::TaskStatusChanged { to, .. },
        ) => of(task) && Some(*to) == wanted_status(ask),
        _ => false,
    }
}

/// What was printed, where it is not what happened.
fn misprinted(entry: &Entry, recorded: &Recorded) -> Option<String> {
    let printed = match (&entry.ask, &recorded.event) {
        (Ask::Plan { .. }, Event::MilestoneCreated { .. }) => {
            (entry.printed_id()?.to_owned(), recorded.stream.to_string())
        }
        (Ask::Add { .. }, Event::TaskAdded { task, .. }) => {
            let milestone_domain::event::Stream::Milestone(id) = recorded.stream else {
                return None;
            };
            (entry.printed_id()?.to_owned(), task.of(id).to_string())
        }
        (Ask::Claim { .. }, Event::TaskClaimed { fence, .. }) => {
            (entry.printed_field("fence")?.to_string(), fence.to_string())
        }
        _ => return None,
    };
    (printed.0 != printed.1).then_some(printed.0)
}
