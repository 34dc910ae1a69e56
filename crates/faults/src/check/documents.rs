//! Every document parses, and says what its history says.

use std::collections::BTreeSet;
use std::fs;

use milestone_domain::apply::fold;
use milestone_domain::change::difference;
use milestone_domain::document::Milestone;
use milestone_domain::event::{Event, Recorded};
use milestone_domain::progress::Progress;
use milestone_store::files::text;

use super::{Project, names};

pub(super) fn check(project: &Project<'_>, settled: bool, wrong: &mut Vec<String>) {
    let mut seen = BTreeSet::new();
    for (folder, archived) in [("active", false), ("completed", true)] {
        for name in names(&project.folder.join(folder)) {
            if name == "index.yaml" {
                continue;
            }
            let place = format!("{folder}/{name}");
            let Some(id) = name.strip_suffix(".yaml").filter(|id| id.starts_with("milestone-"))
            else {
                wrong.push(format!("{place}: a file that does not belong here"));
                continue;
            };
            if !seen.insert(id.to_owned()) && settled {
                wrong.push(format!("{id}: stands in active/ and in completed/"));
            }
            let bytes = fs::read(project.folder.join(&place)).unwrap_or_default();
            match text::read(&bytes, archived) {
                Err(error) => {
                    let (line, message) = (error.line, error.message);
                    wrong.push(format!("{place}:{line}: {message} ({} bytes)", bytes.len()));
                }
                Ok(said) if settled => {
                    compare(project, id, &place, &said.milestone, wrong);
                }
                Ok(_) => {}
            }
        }
    }
    for (id, stream) in project.streams.iter().filter(|(id, _)| *id != "project") {
        if settled && !stream.events.is_empty() && !seen.contains(id) {
            wrong.push(format!("{id}: it has a history and no document"));
        }
    }
}

fn compare(
    project: &Project<'_>,
    id: &str,
    place: &str,
    said: &Milestone,
    wrong: &mut Vec<String>,
) {
    let events = project.streams.get(id).map_or(&[][..], |stream| stream.events.as_slice());
    let Some(folded) = fold(events) else {
        wrong.push(format!("{place}: a document that nothing made"));
        return;
    };
    for change in difference(&folded.tree(), &said.tree()) {
        let (before, after) = (&change.before, &change.after);
        wrong.push(format!("{place}: {}: history {before:?}, document {after:?}", change.path));
    }
    if said.archived != folded.archived {
        wrong.push(format!("{place}: it is filed in the wrong folder"));
    }
    let shown = Progress::of(&folded).shown();
    if said.progress.is_some_and(|progress| progress != shown) {
        wrong.push(format!("{place}: progress is {:?}, not {shown:?}", said.progress));
    }
}

/// Ids are given once.
pub(super) fn once(project: &Project<'_>, wrong: &mut Vec<String>) {
    for (id, stream) in &project.streams {
        given_once(id, &stream.events, wrong);
    }
}

fn given_once(id: &str, events: &[Recorded], wrong: &mut Vec<String>) {
    let mut tasks = BTreeSet::new();
    let mut made = 0;
    for recorded in events {
        match &recorded.event {
            Event::MilestoneCreated { .. } => made += 1,
            Event::TaskAdded { task, .. } if !tasks.insert(task.number) => {
                wrong.push(format!("{id}: {task} was given twice"));
            }
            _ => {}
        }
    }
    if made > 1 {
        wrong.push(format!("{id}: it was made {made} times"));
    }
}
