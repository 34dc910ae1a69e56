//! The file store: YAML documents and their history, which git shares, and `data/`, which it
//! does not.

mod accepted;
mod archive;
pub mod backup;
pub(crate) mod boot;
mod cache;
mod claims;
pub mod disk;
mod doctor;
mod facts;
mod follow;
mod given;
mod history;
mod journal;
mod layout;
mod load;
mod lock;
mod meant;
pub(crate) mod mirror;
mod numbers;
mod provided;
mod recent;
mod record;
pub mod restore;
mod sealed;
mod search;
pub mod text;
mod turns;

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use milestone_domain::command::Credential;
use milestone_domain::document::Milestone;
use milestone_domain::event::{ChangeId, Event, Recorded, Stream};
use milestone_domain::ids::{MilestoneId, Node, TaskId, Uid};
use milestone_domain::limits::PAST_MILESTONES_MAX;
use milestone_domain::past::Trail;
use milestone_domain::search::Query;
use milestone_domain::settings::Settings;
use milestone_domain::snapshot::{
    Claim, ConditionSetBy, Conditions, Outline, Part, Problem, Scope, Snapshot,
};

use uuid::Uuid;

use crate::error::StoreError;
use crate::planted;
use crate::{
    Bases, Change, Collided, Cursor, Difference, EventFilter, Mending, Noticed, Optimized, Page,
    Portion, Reading, Result, Searched, Source, Store, Turn,
};
use accepted::Accepted;
use archive::Archive;
use cache::Cache;
use disk::{Disk, fingerprint};
use journal::Applied;
use load::{Loaded, Outlined};
use lock::Lock;
use recent::Watched;
use record::Memory;

/// How many documents are kept in their read form during a turn.
const EXACT_MAX: usize = 16;

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
    /// What is watched for late saves, as this reading found it.
    watched: RefCell<Watched>,
    /// What texts say that were read in this turn, by their fingerprints.
    exact: RefCell<BTreeMap<String, Milestone>>,
    /// Documents that were last read with something wrong about them: they are never accepted as
    /// they are, so that the next command names it again.
    troubled: RefCell<BTreeSet<MilestoneId>>,
    /// Documents whose history was last seen to have grown without this program.
    foreign: RefCell<BTreeSet<MilestoneId>>,
    archive: RefCell<Option<Archive>>,
    /// What is kept here is a projection of a database, which has the claims.
    mirrors: bool,
    /// The texts that a change of the database was decided on, while it is written here.
    held: RefCell<BTreeMap<MilestoneId, Held>>,
}

/// A document's place, whether that is the archive, and its text.
type Held = (String, bool, String);

impl Files {
    /// Opens the project whose `.milestones` folder is `root`.
    pub fn open(root: std::path::PathBuf, settings: Settings, lock_wait: Duration) -> Self {
        Self {
            disk: Disk::new(root),
            settings,
            lock_wait,
            turn: RefCell::new(None),
            turns: Cell::new(0),
            watched: RefCell::default(),
            exact: RefCell::default(),
            troubled: RefCell::default(),
            foreign: RefCell::default(),
            archive: RefCell::default(),
            mirrors: false,
            held: RefCell::default(),
        }
    }

    /// Writes a backup to a file that is not there yet, or to the usual place. Answers where.
    pub fn back_up(
        &self,
        to: Option<&std::path::Path>,
        now: jiff::Timestamp,
    ) -> Result<(std::path::PathBuf, backup::Manifest)> {
        let _turn = self.turn(0)?;
        let parts = backup::Parts::of(&self.disk)?;
        self.save_backup(to, &parts, now)
    }

    /// The same of a project whose plan stands elsewhere, and which these have claimed.
    pub(crate) fn back_up_of(
        &self,
        documents: &Self,
        held: Vec<backup::Held>,
        to: Option<&std::path::Path>,
        now: jiff::Timestamp,
    ) -> Result<(std::path::PathBuf, backup::Manifest)> {
        let parts = backup::Parts { project: &self.disk, documents: &documents.disk, held };
        self.save_backup(to, &parts, now)
    }

    fn save_backup(
        &self,
        to: Option<&std::path::Path>,
        parts: &backup::Parts<'_>,
        now: jiff::Timestamp,
    ) -> Result<(std::path::PathBuf, backup::Manifest)> {
        let to = match to {
            Some(to) => to.to_owned(),
            None => {
                self.disk.make_folder(backup::FOLDER)?;
                backup::fresh_name(&self.disk, now)?
            }
        };
        let write =
            |file: &mut std::fs::File| backup::write(parts, std::io::BufWriter::new(file), now);
        let manifest = backup::save(&to, write)?;
        Ok((to, manifest))
    }

    /// Forgets what the journal need not keep, and the caches, which are made again.
    fn tidy(&self) -> Result<Optimized> {
        let size = || -> Result<u64> {
            let mut size = 0;
            for folder in ["data", "data/recent", "temp"] {
                let files = self.disk.sizes(folder)?.into_iter();
                size += files.map(|(_, bytes)| bytes).sum::<u64>();
            }
            Ok(size)
        };
        let before = size()?;
        let (records, _) = journal::read(&self.disk)?;
        if !records.is_empty() {
            journal::rewrite(&self.disk, &records, self.state()?)?;
        }
        recent::sweep(&self.disk)?;
        cache::forget(&self.disk)?;
        Ok(Optimized { before, after: size()? })
    }

    fn read_scope(&self, scope: &Scope) -> Result<Reading> {
        self.check_place()?;
        self.foreign.borrow_mut().clear();
        let mut reading = Reading::default();
        let snapshot = &mut reading.snapshot;
        snapshot.settings = self.settings.clone();
        snapshot.given = given::read(&self.disk)?;
        self.watched.replace(Watched::list(&self.disk)?);
        let now = boot::now();
        let kept = claims::read_all(&self.disk)?;
        snapshot.claims = kept.iter().map(|kept| (kept.task, kept.judged(&now))).collect();
        self.read_ids(snapshot, scope)?;
        self.read_conditions(&mut reading)?;
        match scope {
            Scope::Milestone(id) => self.read_milestone(*id, &mut reading)?,
            Scope::Graph(ids) => self.read_graph(ids, 0, &mut reading)?,
            Scope::Past(closed) => self.read_graph(&BTreeSet::new(), *closed, &mut reading)?,
            Scope::All => self.read_all(&mut reading)?,
        }
        Ok(reading)
    }

    /// Ids are given once: a folder of history, or an archived document, still has its number.
    fn read_ids(&self, snapshot: &mut Snapshot, scope: &Scope) -> Result<()> {
        if matches!(scope, Scope::Milestone(_)) {
            return Ok(());
        }
        snapshot.archived = self.filed_away()?;
        let mut highest = self.active()?.last().copied();
        if planted::has("archived-ids-forgotten") {
            snapshot.highest = highest;
            return Ok(());
        }
        highest = highest.max(snapshot.archived.last().copied());
        let recorded = self.recorded()?;
        let recorded = recorded.last().copied();
        snapshot.highest = highest.max(recorded).max(snapshot.given.milestone);
        Ok(())
    }

    fn read_milestone(&self, id: MilestoneId, reading: &mut Reading) -> Result<()> {
        self.read_document(id, reading)?;
        let Some(outline) = reading.snapshot.outlines.get(&id) else {
            // Nobody by that id: whoever asks wants to know which one is near.
            reading.snapshot.archived = self.filed_away()?;
            for near in self.active()? {
                // The one that was asked for is read: what is new in it is noticed once.
                if near != id {
                    self.read_document(near, reading)?;
                }
            }
            return Ok(());
        };
        let required: BTreeSet<MilestoneId> = outline.waits_for().map(Node::milestone).collect();
        if outline.has_conditions() {
            return self.read_graph(&BTreeSet::from([id]), 0, reading);
        }
        for required in required {
            if !reading.snapshot.documents.contains_key(&required)
                && !self.outlined(required, reading)
            {
                self.read_document(required, reading)?;
            }
        }
        Ok(())
    }

    /// Reads an outline without its document, where that is certainly what was accepted. What is
    /// wrong shows when the document is read instead.
    fn outlined(&self, id: MilestoneId, reading: &mut Reading) -> bool {
        let outlined = load::outline(&self.disk, id, &self.watched.borrow());
        let Ok(Some(Outlined { outline, text })) = outlined else { return false };
        reading.snapshot.outlines.insert(id, outline);
        reading.snapshot.versions.insert(Part::Milestone(id), text);
        true
    }

    fn read_document(&self, id: MilestoneId, reading: &mut Reading) -> Result<Option<Loaded>> {
        let Some(loaded) = load::load(&self.disk, id, &self.watched.borrow())? else {
            return Ok(None);
        };
        if loaded.is_troubled() {
            self.troubled.borrow_mut().insert(id);
        } else {
            self.troubled.borrow_mut().remove(&id);
        }
        if loaded.foreign {
            self.foreign.borrow_mut().insert(id);
        }
        reading.noticed.extend(loaded.noticed.iter().cloned());
        reading.snapshot.problems.extend(loaded.problems.iter().cloned());
        self.keep_exact(&loaded);
        if let Some(milestone) = &loaded.milestone {
            reading.snapshot.insert(milestone.clone());
        }
        if let Some(text) = &loaded.text {
            reading.snapshot.versions.insert(Part::Milestone(id), text.clone());
        }
        Ok(Some(loaded))
    }

    /// A writer is about to need again what its document says.
    fn keep_exact(&self, loaded: &Loaded) {
        let mut exact = self.exact.borrow_mut();
        if self.turns.get() > 0
            && loaded.clean
            && exact.len() < EXACT_MAX
            && let (Some(text), Some(milestone)) = (&loaded.text, &loaded.milestone)
        {
            exact.insert(text.clone(), milestone.clone());
        }
    }

    /// The outlines of all open work, the documents asked for, what open work refers to, and the
    /// outlines of the newest of what is filed away.
    fn read_graph(
        &self,
        ids: &BTreeSet<MilestoneId>,
        closed: usize,
        reading: &mut Reading,
    ) -> Result<()> {
        let graph = Applied::read(&self.disk)?.map_or(0, |applied| applied.graph);
        let mut cache = Cache::read(&self.disk, &cache::OUTLINES)?;
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
        let mut referred: BTreeSet<MilestoneId> =
            open.clone().flat_map(Outline::waits_for).map(Node::milestone).collect();
        let awaited: BTreeSet<String> = open.flat_map(Outline::awaits).map(str::to_owned).collect();
        // What was filed away still provides what it did, to whoever waits for it.
        if !awaited.is_empty() {
            referred.extend(self.providers(&awaited, reading)?);
        }
        referred.extend(reading.snapshot.archived.iter().rev().take(closed));
        for id in referred {
            if !reading.snapshot.outlines.contains_key(&id) {
                self.read_outline(id, &mut cache, reading)?;
            }
        }
        let kept = &reading.snapshot;
        // What one command has no use for, the next one may ask for again.
        let newest = kept.archived.iter().rev().take(PAST_MILESTONES_MAX);
        let newest: BTreeSet<_> = newest.copied().collect();
        cache.retain(|id| kept.outlines.contains_key(&id) || newest.contains(&id));
        cache.save(&self.disk);
        reading.snapshot.versions.insert(Part::Graph, graph.to_string());
        Ok(())
    }

    /// Those with a document in `active/`, and those whose document is gone from both folders.
    fn open_milestones(&self) -> Result<BTreeSet<MilestoneId>> {
        let mut open = self.active()?;
        let archived = self.filed_away()?;
        let recorded = self.recorded()?;
        open.extend(recorded.difference(&archived));
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
            if cache.is_fresh(&self.disk, id, &place, stamp)?
                && let Some(outline) = cache.kept(id)
            {
                reading.snapshot.outlines.insert(id, outline);
                return Ok(());
            }
            if self.outlined(id, reading) {
                let text = reading.snapshot.versions.remove(&Part::Milestone(id));
                if let (Some(text), Some(outline)) = (text, reading.snapshot.outlines.get(&id)) {
                    cache.put(&self.disk, id, stamp, &text, outline)?;
                }
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
        let ids: Vec<_> = self.open_milestones()?.into_iter().chain(self.filed_away()?).collect();
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

    /// How far a milestone was day by day: as it is remembered, if that tells all of its history.
    fn trail(
        &self,
        stream: Stream,
        accepted: &Accepted,
        sizes: &history::Sizes,
        uid: Option<Uid>,
    ) -> Result<Trail> {
        if accepted.segments == *sizes {
            if let Some(trail) = accepted.trail() {
                return Ok(trail);
            }
            if accepted.segments.is_empty() {
                return Ok(Trail::default());
            }
        }
        Ok(Trail::of(&history::read(&self.disk, stream, uid)?.events))
    }

    /// Refuses a change that was decided on something that is no longer so.
    fn check_versions(&self, change: &Change, state: &Applied) -> Result<()> {
        for (id, version) in change.reads_milestones() {
            let mut there = false;
            for (place, _) in load::places(id) {
                let now = self.disk.read_beneath(&place)?.map(|bytes| fingerprint(&bytes));
                there |= now.as_ref() == Some(version);
            }
            if !there {
                return Err(StoreError::Stale);
            }
        }
        match change.reads.get(&Part::Graph) {
            Some(version) if *version != state.graph.to_string() => Err(StoreError::Stale),
            _ => Ok(()),
        }
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
        self.commit(&change)
    }

    /// What is remembered of a commit, so that the next reading is quick. Losing it costs time.
    fn remember(&self, memories: Vec<Memory>) {
        for mut memory in memories {
            let Ok(sizes) = history::sizes(&self.disk, memory.stream) else { continue };
            memory.accepted.segments = sizes;
            memory.accepted.untold = false;
            if memory.stream == Stream::Project {
                let events = history::read(&self.disk, Stream::Project, None);
                memory.accepted.conditions = Conditions::default();
                for event in events.map(|history| history.events).unwrap_or_default() {
                    set_condition(&mut memory.accepted.conditions, &event);
                }
            }
            let _ = memory.accepted.write(&self.disk, memory.stream);
        }
    }

    fn state(&self) -> Result<Applied> {
        Ok(Applied::read(&self.disk)?.unwrap_or_else(|| Applied::first(&boot::boot())))
    }
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

impl Store for Files {
    fn read(&self, scope: &Scope) -> Result<Reading> {
        self.undisturbed(|| self.read_scope(scope))
    }

    fn turn(&self, _: u32) -> Result<Box<dyn Turn + '_>> {
        self.turn_within(self.lock_wait)
    }

    fn commit(&self, change: &Change) -> Result<()> {
        let _turn = self.turn(0)?;
        // An earlier change of this very turn may be in the journal and not in place.
        self.recovered()?;
        if follow::knows(&self.disk, change.id)? {
            return Ok(());
        }
        let mut state = self.state()?;
        self.check_versions(change, &state)?;
        let (record, memories) = self.record(change, &state)?;
        for folder in [accepted::FOLDER, claims::FOLDER] {
            self.disk.make_folder(folder)?;
        }
        if !self.turn.borrow().as_ref().is_some_and(|lock| lock.is_the_one(&self.disk)) {
            return Err(StoreError::Stale);
        }
        if planted::has("apply-before-journal") {
            journal::apply(&self.disk, &record)?;
        }
        let length = journal::append(&self.disk, state.journal, &record)?;
        if planted::has("applied-first") {
            let state = Applied { seq: record.seq, journal: length, ..state.clone() };
            state.write(&self.disk)?;
        }
        // The change has happened. What follows only puts it in place, and whoever comes next
        // does that if we cannot.
        let Ok(gave_way) = journal::apply(&self.disk, &record) else {
            return Ok(());
        };
        self.remember(memories);
        state.gave_way.extend(gave_way);
        state = Applied {
            seq: record.seq,
            journal: length,
            graph: state.graph + u64::from(record.graph),
            at: record.at,
            ..state
        };
        let finished = state.write(&self.disk);
        if finished.is_ok() && journal::is_long(&state) {
            // The change is safe in the old journal should this fail.
            let _ = journal::read(&self.disk)
                .and_then(|(records, _)| journal::rewrite(&self.disk, &records, state));
            let _ = recent::sweep(&self.disk);
        }
        Ok(())
    }

    fn accept(&self, noticed: &Noticed) -> Result<()> {
        let _turn = self.turn(0)?;
        if noticed.what == Difference::Stale {
            return self.write_over(noticed);
        }
        let stream = Stream::Milestone(noticed.milestone);
        let mut accepted = Accepted::read(&self.disk, stream)?.unwrap_or_default();
        noticed.version.clone_into(&mut accepted.text);
        accepted.exact = true;
        let text = self.disk.read(&noticed.file)?.unwrap_or_default();
        let said = text::read(&text, noticed.file.starts_with("completed/"));
        let said = said.ok().filter(|said| said.unknown.is_empty());
        let said = said.filter(|_| fingerprint(&text) == noticed.version);
        accepted.set_outline(said.as_ref().map(|said| &said.milestone));
        let uid = said.as_ref().and_then(|said| said.milestone.uid);
        let sizes = history::sizes(&self.disk, stream)?;
        accepted.set_trail(&self.trail(stream, &accepted, &sizes, uid)?);
        accepted.segments = sizes;
        self.disk.make_folder(accepted::FOLDER)?;
        accepted.write(&self.disk, stream)
    }

    fn renew(
        &self,
        task: TaskId,
        credential: Credential,
        lease: Duration,
    ) -> Result<Option<Claim>> {
        let _turn = self.turn(0)?;
        let Some(mut kept) = claims::read(&self.disk, task)? else { return Ok(None) };
        let attempt = credential.attempt.is_none_or(|attempt| attempt == kept.attempt);
        let right = credential.fence == Some(kept.fence) && attempt;
        if !right && !planted::has("renew-any-fence") {
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

    fn history(&self, id: MilestoneId) -> Result<Vec<Recorded>> {
        self.undisturbed(|| Ok(history::read(&self.disk, Stream::Milestone(id), None)?.events))
    }

    fn trails(&self, ids: &BTreeSet<MilestoneId>) -> Result<BTreeMap<MilestoneId, Trail>> {
        self.undisturbed(|| {
            let trail = |id: &MilestoneId| {
                let stream = Stream::Milestone(*id);
                let accepted = Accepted::read(&self.disk, stream)?.unwrap_or_default();
                let sizes = history::sizes(&self.disk, stream)?;
                Ok((*id, self.trail(stream, &accepted, &sizes, None)?))
            };
            ids.iter().map(trail).collect()
        })
    }

    fn search(&self, query: &Query) -> Result<Searched> {
        self.undisturbed(|| self.search_once(query))
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

    fn mend(&self, bases: Bases<'_>) -> Result<Mending> {
        let _turn = self.turn(0)?;
        doctor::mend(&self.disk, bases)
    }

    fn collisions(&self) -> Result<Vec<Collided>> {
        doctor::collisions(&self.disk)
    }

    fn optimize(&self) -> Result<Optimized> {
        let _turn = self.turn(0)?;
        self.tidy()
    }

    fn export(&self, each: &mut dyn FnMut(Portion) -> Result<()>) -> Result<()> {
        let _turn = self.turn(0)?;
        self.export_all(each)
    }

    fn import(&self, source: Source<'_>) -> Result<()> {
        self.import_all(source)
    }
}
