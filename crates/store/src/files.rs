//! The file store: YAML documents and their history, which git shares, and `data/`, which it
//! does not.

mod accepted;
mod boot;
mod cache;
mod claims;
mod disk;
mod doctor;
mod follow;
mod history;
mod journal;
mod layout;
mod load;
mod lock;
mod meant;
mod recent;
pub mod text;

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use milestone_domain::command::Credential;
use milestone_domain::document::Milestone;
use milestone_domain::event::{ChangeId, Event, Recorded, Stream};
use milestone_domain::ids::{MilestoneId, Node, TaskId};
use milestone_domain::settings::Settings;
use milestone_domain::snapshot::{
    Claim, ConditionSetBy, Conditions, Outline, Part, Problem, Scope, Snapshot,
};

use uuid::Uuid;

use crate::error::StoreError;
use crate::{
    Change, ClaimChange, Collision, Committed, Cursor, Difference, EventFilter, Noticed, Page,
    Reading, Result, Store, Turn,
};
use accepted::Accepted;
use cache::Cache;
use disk::{Disk, fingerprint};
use journal::{Applied, Before, Placed, Record, Write};
use load::Loaded;
use lock::Lock;

/// How often a reading that a writer disturbed is repeated before it waits for the lock.
const READ_TRIES: u32 = 3;

/// Makes a project's folder, or what is missing of it; what is there stays as it is. `shared` says
/// that others work on it too. Answers whether the project is new.
pub fn make(folder: &std::path::Path, shared: bool) -> Result<bool> {
    let disk = Disk::new(folder.to_owned());
    layout::make(&disk, shared)
}

/// A project kept in files, as one process sees it.
pub struct Files {
    disk: Disk,
    settings: Settings,
    lock_wait: Duration,
    /// The lock, while this process has its turn, and how many times it took it.
    turn: RefCell<Option<Lock>>,
    turns: Cell<u32>,
    /// Documents that were last read with something wrong about them: they are never accepted as
    /// they are, so that the next command names it again.
    troubled: RefCell<BTreeSet<MilestoneId>>,
}

impl Files {
    /// Opens the project whose `.milestones` folder is `root`.
    pub fn open(root: std::path::PathBuf, settings: Settings, lock_wait: Duration) -> Self {
        Self {
            disk: Disk::new(root),
            settings,
            lock_wait,
            turn: RefCell::new(None),
            turns: Cell::new(0),
            troubled: RefCell::default(),
        }
    }

    /// Runs `read` on a state that no writer touched meanwhile.
    fn undisturbed<T>(&self, read: impl Fn() -> Result<T>) -> Result<T> {
        if self.turns.get() > 0 {
            return read();
        }
        for _ in 0..READ_TRIES {
            let before = self.quiet()?;
            let Some(before) = before else { continue };
            let result = read();
            if self.quiet()?.as_ref() == Some(&before) {
                return result;
            }
        }
        match self.turn() {
            Ok(_turn) => read(),
            // Where the lock cannot be had because nothing can be written, what the journal still
            // has to say is laid over what the files say.
            Err(StoreError::Io { .. }) => {
                let applied = Applied::read(&self.disk)?;
                self.disk.set_overlay(journal::overlay(&self.disk, applied.as_ref())?);
                read()
            }
            Err(error) => Err(error),
        }
    }

    /// The state of the journal if nothing waits to be applied.
    fn quiet(&self) -> Result<Option<(u64, u64)>> {
        let applied = Applied::read(&self.disk)?;
        let length = journal::length(&self.disk)?;
        Ok(match applied {
            None if length == 0 => Some((0, 0)),
            Some(applied) if applied.journal == length && applied.boot == boot::boot() => {
                Some((applied.seq, length))
            }
            _ => None,
        })
    }

    fn read_scope(&self, scope: &Scope) -> Result<Reading> {
        let mut reading = Reading::default();
        let snapshot = &mut reading.snapshot;
        snapshot.settings = self.settings.clone();
        let now = boot::now();
        let kept = claims::read_all(&self.disk)?;
        snapshot.claims = kept.iter().map(|kept| (kept.task, kept.judged(&now))).collect();
        self.read_ids(snapshot, scope)?;
        self.read_conditions(&mut reading)?;
        match scope {
            Scope::Milestone(id) => self.read_milestone(*id, &mut reading)?,
            Scope::Graph(ids) => self.read_graph(ids, &mut reading)?,
            Scope::All => self.read_all(&mut reading)?,
        }
        Ok(reading)
    }

    /// Ids are given once: a folder of history, or an archived document, still has its number.
    fn read_ids(&self, snapshot: &mut Snapshot, scope: &Scope) -> Result<()> {
        if matches!(scope, Scope::Milestone(_)) {
            return Ok(());
        }
        snapshot.archived = self.documents("completed")?;
        let mut highest = self.documents("active")?.last().copied();
        highest = highest.max(snapshot.archived.last().copied());
        let streams = self.disk.names("history")?;
        let recorded = streams.iter().filter_map(|name| name.parse::<MilestoneId>().ok());
        snapshot.highest = highest.max(recorded.max());
        Ok(())
    }

    fn documents(&self, folder: &str) -> Result<BTreeSet<MilestoneId>> {
        let names = self.disk.names(folder)?;
        let ids = names.iter().filter_map(|name| name.strip_suffix(".yaml"));
        let ids = ids.filter_map(|name| name.parse().ok());
        Ok(ids.filter(|id: &MilestoneId| names.binary_search(&id.file_name()).is_ok()).collect())
    }

    fn read_milestone(&self, id: MilestoneId, reading: &mut Reading) -> Result<()> {
        self.read_document(id, reading)?;
        let Some(outline) = reading.snapshot.outlines.get(&id) else {
            // Nobody by that id: whoever asks wants to know which one is near.
            reading.snapshot.archived = self.documents("completed")?;
            for near in self.documents("active")? {
                self.read_document(near, reading)?;
            }
            return Ok(());
        };
        let required: BTreeSet<MilestoneId> = outline.waits_for().map(Node::milestone).collect();
        if outline.has_conditions() {
            return self.read_graph(&BTreeSet::from([id]), reading);
        }
        for required in required {
            if !reading.snapshot.documents.contains_key(&required) {
                self.read_document(required, reading)?;
            }
        }
        Ok(())
    }

    fn read_document(&self, id: MilestoneId, reading: &mut Reading) -> Result<Option<Loaded>> {
        let Some(loaded) = load::load(&self.disk, id)? else { return Ok(None) };
        if loaded.is_troubled() {
            self.troubled.borrow_mut().insert(id);
        } else {
            self.troubled.borrow_mut().remove(&id);
        }
        reading.noticed.extend(loaded.noticed.iter().cloned());
        reading.snapshot.problems.extend(loaded.problems.iter().cloned());
        if let Some(milestone) = &loaded.milestone {
            reading.snapshot.insert(milestone.clone());
        }
        if let Some(text) = &loaded.text {
            reading.snapshot.versions.insert(Part::Milestone(id), text.clone());
        }
        Ok(Some(loaded))
    }

    /// The outlines of all open work, the documents asked for, and what open work refers to.
    fn read_graph(&self, ids: &BTreeSet<MilestoneId>, reading: &mut Reading) -> Result<()> {
        let graph = Applied::read(&self.disk)?.map_or(0, |applied| applied.graph);
        let mut cache = Cache::read(&self.disk)?;
        let active = self.open_milestones()?;
        for id in &active {
            if ids.contains(id) {
                continue;
            }
            self.read_outline(*id, &mut cache, reading)?;
        }
        for id in ids {
            if !reading.snapshot.documents.contains_key(id) {
                self.read_document(*id, reading)?;
            }
        }
        let open = reading.snapshot.outlines.values();
        let referred: BTreeSet<MilestoneId> =
            open.flat_map(Outline::waits_for).map(Node::milestone).collect();
        for id in referred {
            if !reading.snapshot.outlines.contains_key(&id) {
                self.read_outline(id, &mut cache, reading)?;
            }
        }
        cache.retain(|id| reading.snapshot.outlines.contains_key(&id));
        cache.save(&self.disk);
        reading.snapshot.versions.insert(Part::Graph, graph.to_string());
        Ok(())
    }

    /// Those with a document in `active/`, and those whose document is gone from both folders.
    fn open_milestones(&self) -> Result<BTreeSet<MilestoneId>> {
        let mut open = self.documents("active")?;
        let archived = self.documents("completed")?;
        let recorded = self.disk.names("history")?;
        let recorded = recorded.iter().filter_map(|name| name.parse::<MilestoneId>().ok());
        open.extend(recorded.filter(|id| !archived.contains(id)));
        Ok(open)
    }

    fn read_outline(
        &self,
        id: MilestoneId,
        cache: &mut Cache,
        reading: &mut Reading,
    ) -> Result<()> {
        for (place, _) in load::places(id) {
            let Some(stamp) = self.disk.stamp(&place)? else { continue };
            if let Some((outline, _)) = cache.get(&self.disk, id, &place, stamp)? {
                reading.snapshot.outlines.insert(id, outline.clone());
                return Ok(());
            }
            let Some(loaded) = self.read_document(id, reading)? else { return Ok(()) };
            // An outline is enough; the body was only read to make it.
            reading.snapshot.documents.remove(&id);
            reading.snapshot.versions.remove(&Part::Milestone(id));
            if let (true, Some(text), Some(outline)) =
                (loaded.clean, &loaded.text, reading.snapshot.outlines.get(&id))
            {
                cache.put(&self.disk, id, stamp, text, outline)?;
            }
            return Ok(());
        }
        self.read_document(id, reading)?;
        reading.snapshot.documents.remove(&id);
        Ok(())
    }

    fn read_all(&self, reading: &mut Reading) -> Result<()> {
        let graph = Applied::read(&self.disk)?.map_or(0, |applied| applied.graph);
        let ids: Vec<_> =
            self.open_milestones()?.into_iter().chain(self.documents("completed")?).collect();
        for id in ids {
            if !reading.snapshot.documents.contains_key(&id) {
                self.read_document(id, reading)?;
            }
        }
        reading.snapshot.versions.insert(Part::Graph, graph.to_string());
        Ok(())
    }

    fn read_conditions(&self, reading: &mut Reading) -> Result<()> {
        let stream = Stream::Project;
        let sizes = history::sizes(&self.disk, stream)?;
        let accepted = Accepted::read(&self.disk, stream)?;
        if let Some(accepted) = accepted.filter(|accepted| accepted.segments == sizes) {
            reading.snapshot.conditions = accepted.conditions;
            return Ok(());
        }
        let history = history::read(&self.disk, stream, None)?;
        reading.snapshot.problems.extend(history.problems);
        history
            .events
            .iter()
            .for_each(|event| set_condition(&mut reading.snapshot.conditions, event));
        Ok(())
    }

    /// Refuses a change that was decided on something that is no longer so.
    fn check_versions(&self, change: &Change, state: &Applied) -> Result<()> {
        for (id, version) in change.reads_milestones() {
            let mut now = None;
            for (place, _) in load::places(id) {
                if now.is_none() {
                    now = self.disk.read_beneath(&place)?.map(|bytes| fingerprint(&bytes));
                }
            }
            if now.as_ref() != Some(version) {
                return Err(StoreError::Stale);
            }
        }
        match change.reads.get(&Part::Graph) {
            Some(version) if *version != state.graph.to_string() => Err(StoreError::Stale),
            _ => Ok(()),
        }
    }

    /// Everything the change does to the disk, and what is remembered once it is done.
    fn record(&self, change: &Change, state: &Applied) -> Result<(Record, Vec<Memory>)> {
        let mut record = Record {
            seq: state.seq + 1,
            change: change.id,
            at: change.events.first().map_or(state.at, |event| event.at.as_millisecond()),
            writes: Vec::new(),
            appends: Vec::new(),
            graph: change.changes_graph(),
        };
        let mut memories = Vec::new();
        let mut followed = String::new();
        for (id, document) in &change.documents {
            memories.push(self.write_document(change, *id, document, &mut record)?);
        }
        for stream in change.streams() {
            let memory = match memories.iter_mut().find(|memory| memory.stream == stream) {
                Some(memory) => memory,
                None => {
                    memories.push(self.memory(stream)?);
                    let last = memories.len() - 1;
                    &mut memories[last]
                }
            };
            self.add_events(change, stream, memory, &mut record, &mut followed)?;
        }
        record.writes.extend(self.claim_writes(change)?);
        if !followed.is_empty() {
            record.appends.push(follow::append(&self.disk, followed)?);
        }
        Ok((record, memories))
    }

    fn memory(&self, stream: Stream) -> Result<Memory> {
        let accepted = Accepted::read(&self.disk, stream)?.unwrap_or_default();
        Ok(Memory { stream, accepted, uid: None })
    }

    fn add_events(
        &self,
        change: &Change,
        stream: Stream,
        memory: &mut Memory,
        record: &mut Record,
        followed: &mut String,
    ) -> Result<()> {
        let events: Vec<&Recorded> =
            change.events.iter().filter(|event| event.stream == stream).collect();
        let own = memory.accepted.own.as_ref();
        let addition = history::add(&self.disk, stream, memory.uid, own, &events)?;
        for (event, offset) in events.iter().zip(&addition.offsets) {
            followed.push_str(&follow::line(event, &addition.own.segment, *offset));
        }
        memory.accepted.own = Some(addition.own);
        record.appends.push(addition.append);
        Ok(())
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
        let text = match (&there, written) {
            (None, None) => text::write(wanted, self.settings.document_progress),
            (None, Some(text)) => text::saying(&place, text, wanted)?,
            (Some((_, archived, there)), written) => {
                let known =
                    memory.accepted.exact && memory.accepted.text == fingerprint(there.as_bytes());
                let there = written.unwrap_or(there);
                if known && change.late.is_none() {
                    // The text says what was accepted, so all that differs is what is new.
                    meant::edited(&place, there, *archived, wanted)?
                } else {
                    self.rewritten(change, &place, there, *archived, wanted)?
                }
            }
        };
        let before = |place: &str, text: &str| -> Result<Before> {
            Ok(Before {
                fingerprint: fingerprint(text.as_bytes()),
                stamp: self.disk.stamp(place)?,
                text: Some(text.to_owned()),
            })
        };
        memory.accepted.text = fingerprint(text.as_bytes());
        memory.accepted.exact = !self.troubled.borrow().contains(&id) && says(&text, wanted);
        let same_place = there.as_ref().filter(|(old, ..)| *old == place);
        let first = same_place.map(|(old, _, text)| before(old, text)).transpose()?;
        record.writes.push(Write {
            place: place.clone(),
            before: first,
            after: Some(text),
            document: true,
        });
        if let Some((old, _, text)) = there.as_ref().filter(|(old, ..)| *old != place) {
            let before = Some(before(old, text)?);
            record.writes.push(Write { place: old.clone(), before, after: None, document: true });
        }
        Ok(memory)
    }

    fn rewritten(
        &self,
        change: &Change,
        place: &str,
        there: &str,
        archived: bool,
        wanted: &Milestone,
    ) -> Result<String> {
        let late = change.late.as_ref().map(|key| recent::text(&self.disk, key)).transpose()?;
        // Without events it is there to make the text say what is so already.
        let whole = change.events.is_empty()
            || change.late.is_none() && change.events.iter().any(|event| event.noticed);
        let touched = change.touched(wanted.id);
        let texts = journal::versions(&self.disk, place)?;
        let history = history::read(&self.disk, Stream::Milestone(wanted.id), wanted.uid)?;
        let rewrite = meant::Rewrite {
            place,
            archived,
            there,
            late: late.as_deref(),
            wanted,
            touched: (!whole).then_some(&touched),
        };
        meant::rewrite(&rewrite, &texts, &history.events)
    }

    /// Writes what is accepted of a document over a text that is older than that.
    fn write_over(&self, noticed: &Noticed) -> Result<()> {
        let id = noticed.milestone;
        let Reading { mut snapshot, noticed: now } = self.read(&Scope::Milestone(id))?;
        let document = snapshot.documents.get(&id).cloned();
        let (true, Some(document)) = (now.contains(noticed), document) else { return Ok(()) };
        snapshot.versions.retain(|part, _| *part == Part::Milestone(id));
        let mut change = Change::new(&snapshot, ChangeId(Uuid::now_v7()), Vec::new());
        change.documents.insert(id, document);
        change.late.clone_from(&noticed.late);
        self.commit(&change).map(drop)
    }

    /// The document's text, provided that it is the one that was read.
    fn document_text(
        &self,
        id: MilestoneId,
        version: Option<&String>,
    ) -> Result<Option<(String, bool, String)>> {
        for (place, archived) in load::places(id) {
            let Some(bytes) = self.disk.read_beneath(&place)? else { continue };
            if version.is_some_and(|version| fingerprint(&bytes) != *version) {
                return Err(StoreError::Stale);
            }
            let text = String::from_utf8(bytes).map_err(|_| StoreError::Unreadable {
                file: place.clone(),
                line: 1,
                column: 1,
                message: "this is not UTF-8 text".into(),
            })?;
            return Ok(Some((place, archived, text)));
        }
        Ok(None)
    }

    fn claim_writes(&self, change: &Change) -> Result<Vec<Write>> {
        let now = boot::now();
        let mut after: BTreeMap<TaskId, Option<String>> = BTreeMap::new();
        for change in change.claims() {
            match change {
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
            writes.push(Write { place, before, after, document: false });
        }
        Ok(writes)
    }

    /// What is remembered of a commit, so that the next reading is quick. Losing it costs time.
    fn remember(&self, memories: Vec<Memory>, change: &Change) {
        for mut memory in memories {
            let Ok(sizes) = history::sizes(&self.disk, memory.stream) else { continue };
            memory.accepted.segments = sizes;
            if memory.stream == Stream::Project {
                let events = history::read(&self.disk, Stream::Project, None);
                memory.accepted.conditions = Conditions::default();
                for event in events.map(|history| history.events).unwrap_or_default() {
                    set_condition(&mut memory.accepted.conditions, &event);
                }
            }
            let _ = memory.accepted.write(&self.disk, memory.stream);
        }
        if let Some(late) = &change.late {
            let _ = recent::settle(&self.disk, late);
        }
    }

    fn state(&self) -> Result<Applied> {
        Ok(Applied::read(&self.disk)?.unwrap_or_else(|| Applied::first(&boot::boot())))
    }

    /// Finishes what somebody left open, before anything is read or written under the lock.
    fn recovered(&self) -> Result<()> {
        if self.quiet()?.is_none() {
            journal::recover(&self.disk, Applied::read(&self.disk)?, &boot::boot())?;
        }
        Ok(())
    }
}

/// What is to be remembered of one stream after a commit.
struct Memory {
    stream: Stream,
    accepted: Accepted,
    uid: Option<milestone_domain::ids::Uid>,
}

/// Whether a text says exactly what the history does.
fn says(text: &str, wanted: &Milestone) -> bool {
    let said = text::read(text.as_bytes(), wanted.archived);
    said.is_ok_and(|said| {
        milestone_domain::change::difference(&said.milestone.tree(), &wanted.tree()).is_empty()
    })
}

fn set_condition(conditions: &mut Conditions, recorded: &Recorded) {
    match &recorded.event {
        Event::ConditionSet { name, .. } => {
            let by = ConditionSetBy { by: recorded.by.clone(), at: recorded.at };
            conditions.0.insert(name.clone(), by);
        }
        Event::ConditionCleared { name, .. } => {
            conditions.0.remove(name);
        }
        _ => {}
    }
}

/// Held while a command has its turn; taking it again within the same process costs nothing.
struct FilesTurn<'a> {
    files: &'a Files,
}

impl Turn for FilesTurn<'_> {}

impl Drop for FilesTurn<'_> {
    fn drop(&mut self) {
        let turns = self.files.turns.get() - 1;
        self.files.turns.set(turns);
        if turns == 0 {
            self.files.turn.replace(None);
        }
    }
}

impl Store for Files {
    fn read(&self, scope: &Scope) -> Result<Reading> {
        self.undisturbed(|| self.read_scope(scope))
    }

    fn turn(&self) -> Result<Box<dyn Turn + '_>> {
        if self.turns.get() == 0 {
            if self.disk.stamp("data")?.is_none() {
                self.disk.make_folder("data")?;
                self.disk.keep_private("data")?;
            }
            self.disk.make_folder("data")?;
            let lock = Lock::acquire(&self.disk, self.lock_wait)?;
            self.turn.replace(Some(lock));
            if let Err(error) = self.recovered() {
                self.turn.replace(None);
                return Err(error);
            }
        }
        self.turns.set(self.turns.get() + 1);
        Ok(Box::new(FilesTurn { files: self }))
    }

    fn commit(&self, change: &Change) -> Result<Committed> {
        let _turn = self.turn()?;
        if follow::knows(&self.disk, change.id)? {
            return Ok(Committed { saved_over: false });
        }
        let mut state = self.state()?;
        self.check_versions(change, &state)?;
        let (record, memories) = self.record(change, &state)?;
        for folder in ["data/accepted", claims::FOLDER] {
            self.disk.make_folder(folder)?;
        }
        let length = journal::append(&self.disk, state.journal, &record)?;
        // The change has happened. What follows only puts it in place, and whoever comes next
        // does that if we cannot.
        let Ok(placed) = journal::apply(&self.disk, &record) else {
            return Ok(Committed { saved_over: false });
        };
        self.remember(memories, change);
        state = Applied {
            seq: record.seq,
            journal: length,
            graph: state.graph + u64::from(record.graph),
            at: record.at,
            ..state
        };
        let finished = state.write(&self.disk);
        if finished.is_ok() && journal::is_long(&state) {
            let (records, _) = journal::read(&self.disk)?;
            // The change is safe in the old journal should this fail.
            let _ = journal::rewrite(&self.disk, &records, state);
            let _ = recent::sweep(&self.disk);
        }
        Ok(Committed { saved_over: placed == Placed::OverSave })
    }

    fn accept(&self, noticed: &Noticed) -> Result<()> {
        let _turn = self.turn()?;
        if noticed.what == Difference::Stale {
            return self.write_over(noticed);
        }
        let stream = Stream::Milestone(noticed.milestone);
        let mut accepted = Accepted::read(&self.disk, stream)?.unwrap_or_default();
        noticed.version.clone_into(&mut accepted.text);
        accepted.exact = true;
        accepted.segments = history::sizes(&self.disk, stream)?;
        self.disk.make_folder("data/accepted")?;
        accepted.write(&self.disk, stream)
    }

    fn renew(
        &self,
        task: TaskId,
        credential: Credential,
        lease: Duration,
    ) -> Result<Option<Claim>> {
        let _turn = self.turn()?;
        let Some(mut kept) = claims::read(&self.disk, task)? else { return Ok(None) };
        let attempt = credential.attempt.is_none_or(|attempt| attempt == kept.attempt);
        if credential.fence != Some(kept.fence) || !attempt {
            return Ok(None);
        }
        let now = boot::now();
        let lease = u64::try_from(lease.as_millis()).unwrap_or(u64::MAX);
        kept.deadline_ms = now.millis.saturating_add(lease);
        kept.boot.clone_from(&now.boot);
        self.disk.replace(&claims::place(task), kept.text().as_bytes())?;
        Ok(Some(kept.judged(&now)))
    }

    fn events(&self, after: Option<&Cursor>, filter: &EventFilter, limit: usize) -> Result<Page> {
        self.undisturbed(|| follow::events(&self.disk, after, filter, limit))
    }

    fn text(&self, id: MilestoneId) -> Result<Option<String>> {
        for (place, _) in load::places(id) {
            if let Some(bytes) = self.disk.read(&place)? {
                return Ok(Some(String::from_utf8_lossy(&bytes).into_owned()));
            }
        }
        Ok(None)
    }

    fn check(&self) -> Result<Vec<Problem>> {
        doctor::check(&self.disk)
    }

    fn mend(&self) -> Result<Vec<String>> {
        let _turn = self.turn()?;
        doctor::mend(&self.disk)
    }

    fn collisions(&self) -> Result<Vec<Collision>> {
        doctor::collisions(&self.disk)
    }
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
