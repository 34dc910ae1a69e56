//! What a change does to the disk: the texts, lines and claims that its record puts into place.

use std::collections::BTreeMap;

use milestone_domain::document::Milestone;
use milestone_domain::event::{Event, Recorded, Stream};
use milestone_domain::ids::{MilestoneId, TaskId, Uid};
use milestone_domain::snapshot::Part;

use super::accepted::Accepted;
use super::disk::fingerprint;
use super::journal::{Applied, Before, Record, Versions, Write};
use super::meant::Rewritten;
use super::text;
use super::{Files, Held, boot, claims, follow, history, journal, load, meant, recent};
use crate::error::StoreError;
use crate::planted;
use crate::{Change, ClaimChange, Result};

impl Files {
    /// Everything the change does to the disk, and what is remembered once it is done.
    pub(super) fn record(&self, change: &Change, state: &Applied) -> Result<(Record, Vec<Memory>)> {
        let mut record = Record {
            seq: state.seq + 1,
            change: change.id,
            at: change.events.first().map_or(state.at, |event| event.at.as_millisecond()),
            writes: Vec::new(),
            appends: Vec::new(),
            graph: change.changes_graph(),
            late: change.late.clone(),
        };
        let mut memories = Vec::new();
        let mut followed = BTreeMap::new();
        for (id, document) in &change.documents {
            memories.push(self.write_document(change, *id, document, &mut record)?);
        }
        for stream in change.streams() {
            let memory = match memories.iter_mut().find(|memory| memory.stream == stream) {
                Some(memory) => memory,
                None => {
                    let memory = self.memory(stream)?;
                    memories
                        .push(Memory { uid: uid_of(change, stream, &memory.accepted), ..memory });
                    let last = memories.len() - 1;
                    &mut memories[last]
                }
            };
            self.add_events(change, stream, memory, &mut record, &mut followed)?;
        }
        if !self.mirrors {
            record.writes.extend(self.claim_writes(change)?);
        }
        if !followed.is_empty() {
            let lines = followed.into_values().collect();
            record.appends.push(follow::append(&self.disk, lines)?);
        }
        Ok((record, memories))
    }

    pub(super) fn memory(&self, stream: Stream) -> Result<Memory> {
        let accepted = Accepted::read(&self.disk, stream)?.unwrap_or_default();
        Ok(Memory { stream, accepted, uid: None })
    }

    fn add_events(
        &self,
        change: &Change,
        stream: Stream,
        memory: &mut Memory,
        record: &mut Record,
        followed: &mut BTreeMap<usize, String>,
    ) -> Result<()> {
        let in_stream = change.events.iter().enumerate().filter(|(_, e)| e.stream == stream);
        let (places, events): (Vec<usize>, Vec<&Recorded>) = in_stream.unzip();
        let sizes = history::sizes(&self.disk, stream)?;
        if let (Stream::Milestone(id), Some(last)) = (stream, events.last()) {
            let mut trail = self.trail(stream, &memory.accepted, &sizes, memory.uid)?;
            if let Some(document) = change.documents.get(&id) {
                trail.note(last.at, document);
            }
            memory.accepted.set_trail(&trail);
        }
        let own = memory.accepted.own.as_ref();
        let addition = history::add(&self.disk, stream, memory.uid, own, sizes, &events)?;
        for ((place, event), offset) in places.iter().zip(&events).zip(&addition.offsets) {
            // Followers see a change's events in its order, whatever streams they stand in.
            followed.insert(*place, follow::line(event, &addition.own.segment, *offset));
        }
        memory.accepted.own = Some(addition.own);
        record.appends.push(addition.append);
        Ok(())
    }

    fn new_text(&self, wanted: &Milestone) -> Result<String> {
        let schema = self.disk.kind(text::SCHEMA_PLACE)?.is_some();
        let write = if schema { text::write_with_schema_line } else { text::write };
        Ok(write(wanted, self.settings.document_progress))
    }

    fn write_document(
        &self,
        change: &Change,
        id: MilestoneId,
        wanted: &Milestone,
        record: &mut Record,
    ) -> Result<Memory> {
        let stream = Stream::Milestone(id);
        let mut memory = Memory { uid: wanted.uid, ..self.memory(stream)? };
        let place = load::places(id)[usize::from(wanted.archived)].0.clone();
        let there = self.document_text(id, change.reads.get(&Part::Milestone(id)))?;
        let written = change.texts.get(&id);
        let mut pending = Vec::new();
        let new = |text: String| {
            let (exact, clean) = says(&text, wanted).unwrap_or((false, false));
            (text, exact, clean)
        };
        let (text, exact, clean) = match (&there, written) {
            (None, None) => new(self.new_text(wanted)?),
            (None, Some(text)) => new(text::saying(&place, text, wanted)?),
            (Some((_, archived, there)), written) => {
                let accepted = &memory.accepted;
                let known = accepted.exact && accepted.text == fingerprint(there.as_bytes());
                let there = written.unwrap_or(there);
                if known && change.late.is_none() {
                    // The text says what was accepted, so all that differs is what is new.
                    let said = self.said(&place, there, *archived)?;
                    let edited = text::edit(&place, there, &said, wanted)?;
                    let was_clean = memory.accepted.outline().is_some();
                    (edited.text, true, edited.clean.unwrap_or(was_clean))
                } else {
                    let rewritten = self.rewritten(change, &place, there, *archived, wanted)?;
                    pending = rewritten.pending;
                    let said = says(&rewritten.text, wanted);
                    let (exact, clean) = said.map_err(|error| unreadable(&place, error))?;
                    (rewritten.text, exact, clean)
                }
            }
        };
        memory.accepted.exact = exact;
        let before = |place: &str, text: &str| -> Result<Before> {
            Ok(Before {
                fingerprint: fingerprint(text.as_bytes()),
                stamp: self.disk.stamp(place)?,
                text: Some(text.to_owned()),
            })
        };
        memory.accepted.text = fingerprint(text.as_bytes());
        memory.accepted.exact &= !self.troubled.borrow().contains(&id);
        // What is to be named to everybody who reads it is read from the text.
        memory.accepted.set_outline(clean.then_some(wanted));
        let same_place = there.as_ref().filter(|(old, ..)| *old == place);
        let first = same_place.map(|(old, _, text)| before(old, text)).transpose()?;
        // Recorded even where nothing is to be written: a text that was taken in as it is becomes
        // a version that later saves may have been made from.
        let (at, after) = (place.clone(), Some(text));
        record.writes.push(Write { place: at, before: first, after, document: true, pending });
        if let Some((old, _, text)) = there.as_ref().filter(|(old, ..)| *old != place) {
            let before = Some(before(old, text)?);
            let (place, pending) = (old.clone(), Vec::new());
            record.writes.push(Write { place, before, after: None, document: true, pending });
        }
        Ok(memory)
    }

    /// What a text says; mostly it was read a moment ago, when the change was decided.
    fn said(&self, place: &str, text: &str, archived: bool) -> Result<Milestone> {
        let known = self.exact.borrow().get(&fingerprint(text.as_bytes())).cloned();
        if let Some(said) = known.filter(|said| said.archived == archived) {
            return Ok(said);
        }
        let said = text::read(text.as_bytes(), archived);
        said.map(|said| said.milestone).map_err(|error| unreadable(place, error))
    }

    fn rewritten(
        &self,
        change: &Change,
        place: &str,
        there: &str,
        archived: bool,
        wanted: &Milestone,
    ) -> Result<Rewritten> {
        let late = change.late.as_ref().map(|key| recent::text(&self.disk, key)).transpose()?;
        let saved = change.late.as_ref().map(|key| recent::place(key));
        let saved = saved.as_deref().unwrap_or(place);
        let whole = change.late.is_none() && change.events.iter().any(|event| event.noticed);
        let touched = change.touched(wanted.id);
        let history = history::read(&self.disk, Stream::Milestone(wanted.id), wanted.uid)?;
        let versions = match history.events.is_empty() {
            true => Versions::default(),
            false => journal::versions(&self.disk, place, saved)?,
        };
        let rewrite = meant::Rewrite {
            place,
            archived,
            there,
            late: late.as_deref(),
            wanted,
            touched: (!whole).then_some(&touched),
        };
        meant::rewrite(&rewrite, &versions, &history)
    }

    /// The document's text, provided that it is the one that was read.
    pub(super) fn document_text(
        &self,
        id: MilestoneId,
        version: Option<&String>,
    ) -> Result<Option<Held>> {
        if let Some(held) = self.held.borrow().get(&id) {
            return Ok(Some(held.clone()));
        }
        let mut other = false;
        for (place, archived) in load::places(id) {
            let Some(bytes) = self.disk.read_beneath(&place)? else { continue };
            if version.is_some_and(|version| fingerprint(&bytes) != *version) {
                other = true;
                continue;
            }
            let text = String::from_utf8(bytes).map_err(|_| StoreError::Unreadable {
                file: place.clone(),
                line: 1,
                column: 1,
                message: "this is not UTF-8 text".into(),
            })?;
            return Ok(Some((place, archived, text)));
        }
        if other { Err(StoreError::Stale) } else { Ok(None) }
    }

    fn claim_writes(&self, change: &Change) -> Result<Vec<Write>> {
        let now = boot::now();
        let mut after: BTreeMap<TaskId, Option<String>> = BTreeMap::new();
        for change in change.claims() {
            match change {
                ClaimChange::Ended { .. } if planted::has("claim-not-ended") => {}
                ClaimChange::Ended { task } => {
                    after.insert(task, None);
                }
                ClaimChange::Granted { claim, lease } => {
                    let lease = u64::try_from(lease.as_millis()).unwrap_or(u64::MAX);
                    let kept = claims::Kept {
                        task: claim.task,
                        attempt: claim.attempt,
                        fence: claim.fence,
                        actor: claim.actor,
                        boot: now.boot.clone(),
                        deadline_ms: now.millis.saturating_add(lease),
                        resources: claim.resources,
                    };
                    after.insert(kept.task, Some(kept.text()));
                }
            }
        }
        let mut writes = Vec::new();
        for (task, after) in after {
            let place = claims::place(task);
            let there = self.disk.read_beneath(&place)?;
            if there.is_none() && after.is_none() {
                continue;
            }
            let before = there.map(|bytes| Before {
                fingerprint: fingerprint(&bytes),
                stamp: None,
                text: None,
            });
            writes.push(Write { place, before, after, document: false, pending: Vec::new() });
        }
        Ok(writes)
    }
}

/// What is to be remembered of one stream after a commit.
pub(super) struct Memory {
    pub stream: Stream,
    pub accepted: Accepted,
    pub uid: Option<milestone_domain::ids::Uid>,
}

fn unreadable(place: &str, error: text::Unreadable) -> StoreError {
    let (file, line, column, message) = (place.into(), error.line, error.column, error.message);
    StoreError::Unreadable { file, line, column, message }
}

/// Whether a text says exactly what the history does, and whether all its keys are known.
fn says(text: &str, wanted: &Milestone) -> std::result::Result<(bool, bool), text::Unreadable> {
    let said = text::read(text.as_bytes(), wanted.archived)?;
    Ok((text::differences(&said.milestone, wanted).is_empty(), said.unknown.is_empty()))
}

impl Change {
    /// The fields of a document that the events touch.
    fn touched(&self, id: MilestoneId) -> Vec<milestone_domain::change::Path> {
        use milestone_domain::change::Path;
        let task = |number: u32| {
            Path::root().key("tasks").key(&milestone_domain::document::task_key(number))
        };
        let criterion = |number: u32| Path::root().key("criteria").key(&number.to_string());
        let events = self.events.iter().filter(|event| event.stream == Stream::Milestone(id));
        let mut paths = Vec::new();
        for recorded in events {
            match &recorded.event {
                Event::Edited { change } => paths.push(change.path.clone()),
                Event::MilestoneStatusChanged { .. } => {
                    paths.extend([Path::root().key("status"), Path::root().key("reason")]);
                }
                Event::CriterionMet { criterion: number, .. }
                | Event::CriterionReopened { criterion: number } => paths.push(criterion(*number)),
                Event::GateDecided { phase, .. } | Event::GateReopened { phase } => {
                    paths.push(Path::root().key("gates").key(phase));
                }
                Event::TaskAdded { task: name, .. } | Event::TaskRemoved { task: name, .. } => {
                    paths.push(task(name.number));
                }
                event => {
                    let own = event.task().map(task);
                    for key in ["status", "reason", "progress"] {
                        paths.extend(own.as_ref().map(|path| path.key(key)));
                    }
                }
            }
        }
        paths
    }
}

/// Whose history it is where the document itself is not written: events in a segment that does not
/// say so would be nobody's.
fn uid_of(change: &Change, stream: Stream, accepted: &Accepted) -> Option<Uid> {
    let made = change.events.iter().find_map(|recorded| match &recorded.event {
        Event::MilestoneCreated { document } if recorded.stream == stream => {
            serde_json::from_value(document["uid"].clone()).ok()
        }
        _ => None,
    });
    accepted.own.as_ref().and_then(|own| own.uid).or(made)
}
