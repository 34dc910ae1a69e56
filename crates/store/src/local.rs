//! A project in a database, and the documents of it that stand in this clone.
//!
//! With the mirror on, documents and history are written beside the database after every change, so
//! that git has all of them; what people edit, pull or merge there is taken in as it is where files
//! are the truth. Without it, the documents that are there stay as the snapshot they were.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use milestone_domain::apply::{apply, fold};
use milestone_domain::change::merge;
use milestone_domain::command::Credential;
use milestone_domain::document::Milestone;
use milestone_domain::event::{ChangeId, EVENT_VERSION, Event, EventId, Recorded, Stream};
use milestone_domain::ids::{MilestoneId, TaskId, Uid};
use milestone_domain::past::Trail;
use milestone_domain::search::{Place, Query};
use milestone_domain::snapshot::{Claim, Part, Problem, Scope, Snapshot};
use uuid::Uuid;

use crate::error::StoreError;
use crate::files::Files;
use crate::files::mirror::Changed;
use crate::planted;
use crate::sql::copy::Movable;
use crate::{
    Bases, Candidate, Change, ClaimFilter, Collided, Cursor, EventFilter, Looked, Mending, Noticed,
    Optimized, Page, Portion, Reading, Result, Searched, Source, Store, Turn,
};

/// How many events are written to the mirror in one go.
const MIRRORED_TOGETHER_MAX: usize = 1000;

/// Who is said to have taken in what two histories together say.
const MERGED_BY: &str = "milestone";

pub struct Local {
    database: Box<dyn Movable>,
    files: Files,
    /// Whether documents and history are kept current here.
    mirrors: bool,
    /// Whether writers of this host wait for one another before they write.
    one_writer: bool,
    /// The texts of documents, by their fingerprints, as they were last read.
    texts: RefCell<BTreeMap<MilestoneId, String>>,
}

impl Local {
    /// A database of this host alone.
    pub fn alone(database: Box<dyn Movable>, files: Files, mirrors: bool) -> Self {
        let (files, texts) = (files.mirroring(), RefCell::default());
        Self { database, files, mirrors, one_writer: true, texts }
    }

    /// A database that other hosts share.
    pub fn shared(database: Box<dyn Movable>, files: Files, mirrors: bool) -> Self {
        Self { one_writer: mirrors, ..Self::alone(database, files, mirrors) }
    }

    fn read_mirrored(&self, scope: &Scope) -> Result<Reading> {
        self.texts.borrow_mut().clear();
        if !matches!(scope, Scope::Milestone(_)) {
            self.caught_up()?;
        }
        let Reading { snapshot, noticed } = self.database.read(scope)?;
        let known = match scope {
            Scope::All => snapshot.outlines.keys().copied().collect(),
            _ => snapshot.open().map(|outline| outline.id).collect(),
        };
        let changed = self.files.changed(scope, known)?;
        if changed.is_nothing() {
            self.texts.replace(changed.texts);
            return Ok(Reading { snapshot, noticed });
        }
        self.read_changed(scope, &changed)
    }

    /// Reads what stands in the documents, too, where somebody has written to them.
    fn read_changed(&self, scope: &Scope, changed: &Changed) -> Result<Reading> {
        let mut documents = self.files.read(scope)?;
        if self.take_in_histories(changed.project)? {
            documents = self.files.read(scope)?;
        }
        let read = documents.snapshot.versions.iter();
        let mut texts: BTreeMap<_, _> = read.filter_map(of_milestone).collect();
        let noticed = documents.noticed.iter();
        texts.extend(noticed.map(|noticed| (noticed.milestone, noticed.version.clone())));
        self.texts.replace(texts);
        let Reading { snapshot, .. } = self.database.read(scope)?;
        let highest = snapshot.highest.max(documents.snapshot.highest);
        let problems = documents.snapshot.problems;
        let snapshot = Snapshot { highest, problems, ..snapshot };
        Ok(Reading { snapshot, noticed: documents.noticed })
    }

    /// Writes what a process that died has left. One that is alive is about to write it, and where
    /// nothing can be written, reading goes on.
    fn caught_up(&self) -> Result<()> {
        let mirrored = self.files.mirrored()?;
        let nothing = EventFilter::default();
        let behind = match self.database.events(mirrored.as_ref(), &nothing, 1) {
            Ok(page) => !page.events.is_empty(),
            // The database is another one, or was put back.
            Err(StoreError::Gone) => true,
            Err(error) => return Err(error),
        };
        if !behind {
            return Ok(());
        }
        match self.files.turn_within(Duration::ZERO) {
            Ok(_turn) => self.catch_up(),
            Err(StoreError::Io { .. } | StoreError::Busy { .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }

    pub(crate) fn database(&self) -> &dyn Movable {
        self.database.as_ref()
    }

    pub(crate) fn mirrors(&self) -> bool {
        self.mirrors
    }

    pub(crate) fn files(&self) -> &Files {
        &self.files
    }

    /// Everything is in the mirror from here until somebody writes. Under the lock.
    pub(crate) fn mirror_all(&self) -> Result<()> {
        if self.mirrors { self.catch_up() } else { Ok(()) }
    }

    /// Brings what these files tell and the database does not know; says which fields both have
    /// changed, each in its own way.
    pub(crate) fn bring_from(&self, files: &Files) -> Result<Vec<String>> {
        let mut conflicts = Vec::new();
        let ids = files.read(&Scope::All)?.snapshot.documents;
        for (id, document) in ids {
            conflicts.extend(self.bring_milestone(id, &document, files)?);
        }
        self.absorb_project()?;
        Ok(conflicts)
    }

    /// Brings the claims of another store, but for tasks that somebody here has claimed.
    pub(crate) fn bring_claims(&self, from: &dyn Store) -> Result<()> {
        let here = self.database.read(&Scope::Graph(BTreeSet::new()))?.snapshot.claims;
        let mut claims = Vec::new();
        from.export(&mut |portion| {
            match portion {
                Portion::Claim { claim, left } if !here.contains_key(&claim.task) => {
                    claims.push(Portion::Claim { claim, left });
                }
                _ => {}
            }
            Ok(())
        })?;
        if claims.is_empty() { Ok(()) } else { self.bring(claims) }
    }

    fn bring_milestone(
        &self,
        id: MilestoneId,
        document: &Milestone,
        files: &Files,
    ) -> Result<Vec<String>> {
        let kept = self.kept(id)?;
        if kept.as_ref().is_some_and(|kept| kept.uid != document.uid) {
            return Ok(vec![format!(
                "{id} is another milestone there; this one stays in its file"
            )]);
        }
        let told = files.told(id, document.uid)?.1;
        let (both, new) = self.known_and_new(Stream::Milestone(id), told)?;
        if new.is_empty() {
            return Ok(Vec::new());
        }
        let base = fold(&both).map(|base| base.tree()).unwrap_or_default();
        let conflicts = kept.as_ref().map_or_else(Vec::new, |kept| {
            let merged = merge(&base, &document.tree(), &kept.tree());
            let named = merged.conflicts.iter();
            named.map(|conflict| format!("{id}: both have changed {}", conflict.path)).collect()
        });
        let Some(now) = new.iter().fold(kept, apply) else { return Ok(conflicts) };
        let text = files.text(id)?;
        let document = Portion::Document { milestone: Box::new(now), text };
        self.bring(std::iter::once(document).chain(new.into_iter().map(Portion::Event)).collect())?;
        Ok(conflicts)
    }

    /// Writes everything to the mirror that it does not have yet. Under the lock.
    fn catch_up(&self) -> Result<()> {
        let mut cursor = self.files.mirrored()?;
        let (mut milestones, mut project) = (BTreeSet::new(), false);
        loop {
            let all = EventFilter::default();
            let page = match self.database.events(cursor.as_ref(), &all, MIRRORED_TOGETHER_MAX) {
                Err(StoreError::Gone) => self.database.events(None, &all, MIRRORED_TOGETHER_MAX)?,
                page => page?,
            };
            for recorded in &page.events {
                match recorded.stream {
                    Stream::Milestone(id) => drop(milestones.insert(id)),
                    Stream::Project => project = true,
                }
            }
            let ended = page.events.is_empty();
            cursor = Some(page.next);
            if ended {
                break;
            }
        }
        if project {
            self.mirror_project()?;
        }
        milestones.into_iter().try_for_each(|id| self.mirror(id))?;
        cursor.map_or(Ok(()), |cursor| self.files.set_mirrored(&cursor))
    }

    fn mirror_project(&self) -> Result<()> {
        let here = self.files.told_of_project()?;
        let here: BTreeSet<EventId> = here.into_iter().map(|recorded| recorded.id).collect();
        let mut page = self.database.events(None, &EventFilter::default(), usize::MAX)?;
        page.events.retain(|event| event.stream == Stream::Project && !here.contains(&event.id));
        let Some(last) = page.events.last() else { return Ok(()) };
        let id = last.id.change;
        self.files.commit(&Change::new(&Snapshot::default(), id, page.events))
    }

    /// Makes a document and its history here what the database says.
    fn mirror(&self, id: MilestoneId) -> Result<()> {
        let Some(document) = self.kept(id)? else { return Ok(()) };
        let mut change = Change::new(&Snapshot::default(), ChangeId(Uuid::now_v7()), Vec::new());
        change.events = self.untold_here(id, document.uid)?;
        change.documents.insert(id, document);
        let held = self.files.hold(id)?;
        let still = held.is_none() || self.files.as_written(id)? == held;
        self.mirror_change(change, still)
    }

    fn kept(&self, id: MilestoneId) -> Result<Option<Milestone>> {
        let scope = Scope::Graph(BTreeSet::from([id]));
        Ok(self.database.read(&scope)?.snapshot.documents.remove(&id))
    }

    /// What the database tells of a milestone, and its history here does not.
    fn untold_here(&self, id: MilestoneId, uid: Option<Uid>) -> Result<Vec<Recorded>> {
        let (_, here) = self.files.told(id, uid)?;
        let here: BTreeSet<EventId> = here.into_iter().map(|recorded| recorded.id).collect();
        let mut events = self.database.history(id)?;
        events.retain(|recorded| !here.contains(&recorded.id));
        Ok(events)
    }

    /// Writes a change beside the database. Where somebody is writing to a document at the same
    /// time, or it cannot be written to as it is, its history alone is written: then its text is
    /// one that was saved after the change by somebody who did not know of it, and the next reading
    /// takes it for that.
    fn mirror_change(&self, mut change: Change, still: bool) -> Result<()> {
        let written = if still { self.files.commit(&change) } else { Err(StoreError::Stale) };
        self.files.let_go();
        let gave_way = matches!(
            written,
            Err(StoreError::Stale
                | StoreError::BeingSaved { .. }
                | StoreError::Unfaithful { .. }
                | StoreError::Unreadable { .. })
        );
        if !gave_way {
            return written;
        }
        if change.events.is_empty() {
            return Ok(());
        }
        change.documents.clear();
        change.texts.clear();
        change.late = None;
        self.files.commit(&change)
    }

    /// Takes in the events that came by a pull or a merge; says whether there were any.
    fn take_in_histories(&self, project: bool) -> Result<bool> {
        let foreign = self.files.foreign();
        if foreign.is_empty() && !project {
            return Ok(false);
        }
        let _turn = match self.files.turn(0) {
            Err(StoreError::Io { .. }) => return Ok(false),
            turn => turn?,
        };
        self.catch_up()?;
        let mut any = self.absorb_project()?;
        for id in foreign {
            any |= self.absorb(id)?;
        }
        Ok(any)
    }

    fn absorb_project(&self) -> Result<bool> {
        let (_, new) = self.known_and_new(Stream::Project, self.files.told_of_project()?)?;
        let any = !new.is_empty();
        if any {
            self.bring(new.into_iter().map(Portion::Event).collect())?;
        }
        self.files.accept_project()?;
        Ok(any)
    }

    /// Which of the events of a stream the database knows, and which it does not.
    fn known_and_new(
        &self,
        stream: Stream,
        told: Vec<Recorded>,
    ) -> Result<(Vec<Recorded>, Vec<Recorded>)> {
        let milestone = match stream {
            Stream::Milestone(id) => Some(id),
            Stream::Project => None,
        };
        let filter = EventFilter { milestone, task: None };
        let page = self.database.events(None, &filter, usize::MAX)?;
        let own = page.events.into_iter().filter(|recorded| recorded.stream == stream);
        let known: BTreeSet<EventId> = own.map(|recorded| recorded.id).collect();
        Ok(told.into_iter().partition(|recorded| known.contains(&recorded.id)))
    }

    /// Makes the database say of a milestone what the two histories say together.
    fn absorb(&self, id: MilestoneId) -> Result<bool> {
        let kept = self.kept(id)?;
        let uid = kept.as_ref().and_then(|document| document.uid);
        let (told, events) = self.files.told(id, uid)?;
        let (_, new) = self.known_and_new(Stream::Milestone(id), events)?;
        let Some(told) = told.filter(|_| !new.is_empty()) else { return Ok(false) };
        let one_after_the_other = new.iter().fold(kept, apply);
        let corrections = one_after_the_other.map_or_else(Vec::new, |now| corrections(&now, &told));
        let events = new.into_iter().chain(corrections).map(Portion::Event);
        let document = Portion::Document { milestone: Box::new(told), text: None };
        self.bring(std::iter::once(document).chain(events).collect())?;
        Ok(true)
    }

    fn bring(&self, portions: Vec<Portion>) -> Result<()> {
        let given = RefCell::new(portions);
        self.database.import(&|each| given.take().into_iter().try_for_each(each))
    }

    /// The same change for the database, which knows nothing of texts.
    fn of_database(&self, change: &Change) -> Change {
        let texts = self.texts.borrow();
        let mut change = change.clone();
        change.reads.retain(|part, version| match part {
            Part::Milestone(id) => texts.get(id) != Some(version),
            Part::Task(_) | Part::Graph | Part::Resources => true,
        });
        change
    }

    /// Holds the texts of the documents that a change is about. Refused if one was saved after it
    /// was read; answers whether all of them were read, or are as the program wrote them.
    fn hold(&self, change: &Change) -> Result<bool> {
        let mut still = true;
        for id in change.documents.keys() {
            let Some(now) = self.files.hold(*id)? else { continue };
            match self.texts.borrow().get(id) {
                Some(read) if *read != now => return Err(StoreError::Stale),
                Some(_) => {}
                None => still &= self.files.as_written(*id)?.as_ref() == Some(&now),
            }
        }
        Ok(still)
    }

    fn commit_mirrored(&self, change: &Change) -> Result<()> {
        let _turn = self.files.turn(0)?;
        self.files.let_go();
        // Texts that were held for a change that was refused must not be there for the next one.
        let committed = self.commit_and_mirror(change);
        self.files.let_go();
        committed
    }

    fn commit_and_mirror(&self, change: &Change) -> Result<()> {
        if self.files.has_seen(change.id)? {
            return Ok(());
        }
        let still = self.hold(change)?;
        self.database.commit(&self.of_database(change))?;
        // The change has happened. Whoever comes next writes what could not be written here.
        let _ = self.mirror_committed(change, still);
        Ok(())
    }

    fn mirror_committed(&self, change: &Change, still: bool) -> Result<()> {
        let limit = change.events.len() + 1;
        let cursor = self.files.mirrored()?;
        let page = self.database.events(cursor.as_ref(), &EventFilter::default(), limit);
        let Ok(page) = page else { return self.catch_up() };
        if page.events.iter().any(|recorded| recorded.id.change != change.id) {
            return self.catch_up();
        }
        if planted::has("mirrored-before-written") {
            self.files.set_mirrored(&page.next)?;
        }
        self.mirror_change(self.with_what_led_to_it(change)?, still)?;
        self.files.set_mirrored(&page.next)
    }

    /// The same change for the files. A branch that was checked out may be without what happened on
    /// another one, and its documents are about to say what came of it: its history tells it, too.
    fn with_what_led_to_it(&self, change: &Change) -> Result<Change> {
        let mut whole = Change { reads: BTreeMap::new(), ..change.clone() };
        for (id, document) in &change.documents {
            let stream = Stream::Milestone(*id);
            if !self.files.tells_all(stream)? {
                whole.events.retain(|recorded| recorded.stream != stream);
                whole.events.extend(self.untold_here(*id, document.uid)?);
            }
        }
        Ok(whole)
    }
}

fn of_milestone((part, version): (&Part, &String)) -> Option<(MilestoneId, String)> {
    match part {
        Part::Milestone(id) => Some((*id, version.clone())),
        Part::Task(_) | Part::Graph | Part::Resources => None,
    }
}

/// What makes the one document say what the other does, as events.
fn corrections(now: &Milestone, told: &Milestone) -> Vec<Recorded> {
    let change = ChangeId(Uuid::now_v7());
    let differences = now.changes_to(told);
    let corrections = (0..).zip(differences).map(|(index, field)| Recorded {
        v: EVENT_VERSION,
        id: change.event(index),
        at: jiff::Timestamp::now(),
        by: MERGED_BY.to_owned(),
        noticed: true,
        stream: Stream::Milestone(told.id),
        refers: BTreeMap::new(),
        event: Event::Edited { change: field },
    });
    corrections.collect()
}

/// Both turns of a process; the database's ends first.
struct LocalTurn<'a> {
    _database: Box<dyn Turn + 'a>,
    _files: Option<Box<dyn Turn + 'a>>,
}

impl Turn for LocalTurn<'_> {}

impl Store for Local {
    fn read(&self, scope: &Scope) -> Result<Reading> {
        if self.mirrors { self.read_mirrored(scope) } else { self.database.read(scope) }
    }

    fn turn(&self, tried: u32) -> Result<Box<dyn Turn + '_>> {
        let files = if self.one_writer { Some(self.files.turn(tried)?) } else { None };
        Ok(Box::new(LocalTurn { _database: self.database.turn(tried)?, _files: files }))
    }

    fn commit(&self, change: &Change) -> Result<()> {
        if self.mirrors { self.commit_mirrored(change) } else { self.database.commit(change) }
    }

    fn accept(&self, noticed: &Noticed) -> Result<()> {
        let _turn = self.files.turn(0)?;
        self.files.accept(noticed)?;
        let id = noticed.milestone;
        let uid = self.kept(id)?.and_then(|document| document.uid);
        if self.untold_here(id, uid)?.is_empty() { Ok(()) } else { self.files.note_untold(id) }
    }

    fn candidates(&self, n: usize, filter: &ClaimFilter) -> Result<Option<Vec<Candidate>>> {
        self.database.candidates(n, filter)
    }

    fn queue(&self, paths: &[String]) -> Result<()> {
        self.database.queue(paths)
    }

    fn withdraw(&self, looked: &[Looked]) -> Result<()> {
        let _turn = self.turn(0)?;
        self.database.withdraw(looked)
    }

    fn renew(
        &self,
        task: TaskId,
        credential: Credential,
        lease: Duration,
    ) -> Result<Option<Claim>> {
        self.database.renew(task, credential, lease)
    }

    fn events(&self, after: Option<&Cursor>, filter: &EventFilter, limit: usize) -> Result<Page> {
        self.database.events(after, filter, limit)
    }

    fn wait(&self, after: &Cursor, wait: Duration) -> Result<()> {
        self.database.wait(after, wait)
    }

    fn history(&self, id: MilestoneId) -> Result<Vec<Recorded>> {
        self.database.history(id)
    }

    fn trails(&self, ids: &BTreeSet<MilestoneId>) -> Result<BTreeMap<MilestoneId, Trail>> {
        self.database.trails(ids)
    }

    fn search(&self, query: &Query) -> Result<Searched> {
        if !self.mirrors {
            return self.database.search(query);
        }
        self.texts.borrow_mut().clear();
        self.caught_up()?;
        let scope = match query.filter.place {
            Place::Open => Scope::Graph(BTreeSet::new()),
            Place::Archived | Place::All => Scope::All,
        };
        let known = self.database.milestones(query.filter.place)?;
        let changed = self.files.changed(&scope, known)?;
        if changed.is_nothing() {
            return self.database.search(query);
        }
        let Reading { snapshot, noticed } = self.read_changed(&scope, &changed)?;
        let found = self.database.search(query)?.found;
        Ok(Searched { found, noticed, problems: snapshot.problems })
    }

    fn text(&self, id: MilestoneId) -> Result<Option<String>> {
        if self.mirrors { self.files.text(id) } else { self.database.text(id) }
    }

    fn check(&self) -> Result<Vec<Problem>> {
        let mut problems = self.database.check()?;
        if self.mirrors {
            problems.extend(self.files.read(&Scope::All)?.snapshot.problems);
            problems.extend(self.files.check()?);
        }
        Ok(problems)
    }

    fn mend(&self, bases: Bases<'_>) -> Result<Mending> {
        let mut mending = self.database.mend(bases)?;
        if self.mirrors {
            let more = self.files.mend(bases)?;
            mending.done.extend(more.done);
            mending.left.extend(more.left);
        }
        Ok(mending)
    }

    fn collisions(&self) -> Result<Vec<Collided>> {
        if self.mirrors { self.files.collisions() } else { self.database.collisions() }
    }

    fn optimize(&self) -> Result<Optimized> {
        let _turn = self.turn(0)?;
        let database = self.database.optimize()?;
        let files = self.files.optimize()?;
        let (before, after) = (database.before + files.before, database.after + files.after);
        Ok(Optimized { before, after })
    }

    fn export(&self, each: &mut dyn FnMut(Portion) -> Result<()>) -> Result<()> {
        self.database.export(&mut |portion| match portion {
            // The text that people edit is the one that stands here.
            Portion::Document { milestone, .. } if self.mirrors => {
                let text = self.files.text(milestone.id)?;
                each(Portion::Document { milestone, text })
            }
            portion => each(portion),
        })
    }

    fn import(&self, source: Source<'_>) -> Result<()> {
        self.database.import(source)
    }
}
