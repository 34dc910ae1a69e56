//! A project in a database, and the documents of it that stand in this clone.
//!
//! With the mirror on, documents and history are written beside the database after every change, so
//! that git has all of them; what people edit, pull or merge there is taken in as it is where files
//! are the truth. Without it, the documents that are there stay as the snapshot they were.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use milestone_domain::apply::{apply, fold};
use milestone_domain::change::{difference, merge};
use milestone_domain::command::Credential;
use milestone_domain::document::Milestone;
use milestone_domain::event::{ChangeId, EVENT_VERSION, Event, EventId, Recorded, Stream};
use milestone_domain::ids::{MilestoneId, TaskId};
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
    Bases, Change, Collided, Cursor, EventFilter, Mending, Noticed, Page, Portion, Reading, Result,
    Searched, Source, Store, Turn,
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
    /// The texts in which something was noticed when they were last read.
    noticed: RefCell<BTreeMap<MilestoneId, String>>,
}

impl Local {
    /// A database of this host alone.
    pub fn alone(database: Box<dyn Movable>, files: Files, mirrors: bool) -> Self {
        let (files, noticed) = (files.mirroring(), RefCell::default());
        Self { database, files, mirrors, one_writer: true, noticed }
    }

    /// A database that other hosts share.
    pub fn shared(database: Box<dyn Movable>, files: Files, mirrors: bool) -> Self {
        Self { one_writer: mirrors, ..Self::alone(database, files, mirrors) }
    }

    fn read_mirrored(&self, scope: &Scope) -> Result<Reading> {
        if !matches!(scope, Scope::Milestone(_)) {
            self.caught_up()?;
        }
        let Reading { snapshot, noticed } = self.database.read(scope)?;
        let changed = self.files.changed(scope, &snapshot)?;
        if changed.is_nothing() {
            self.noticed.borrow_mut().clear();
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
        let noticed = documents.noticed.iter();
        let noticed = noticed.map(|noticed| (noticed.milestone, noticed.version.clone()));
        self.noticed.replace(noticed.collect());
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
        let scope = Scope::Graph(BTreeSet::from([id]));
        let kept = self.database.read(&scope)?.snapshot.documents.remove(&id);
        if kept.as_ref().is_some_and(|kept| kept.uid != document.uid) {
            return Ok(vec![format!(
                "{id} is another milestone there; this one stays in its file"
            )]);
        }
        let events = files.told(id, document.uid)?.1;
        let known =
            self.known(EventFilter { milestone: Some(id), task: None }, Stream::Milestone(id))?;
        let (both, new): (Vec<_>, Vec<_>) =
            events.into_iter().partition(|recorded| known.contains(&recorded.id));
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
        loop {
            let all = EventFilter::default();
            let page = match self.database.events(cursor.as_ref(), &all, MIRRORED_TOGETHER_MAX) {
                Err(StoreError::Gone) => self.database.events(None, &all, MIRRORED_TOGETHER_MAX)?,
                page => page?,
            };
            if page.events.is_empty() {
                return Ok(());
            }
            if planted::has("mirrored-before-written") {
                self.files.set_mirrored(&page.next)?;
            }
            self.mirror(page.events)?;
            self.files.set_mirrored(&page.next)?;
            cursor = Some(page.next);
        }
    }

    /// Writes events, and the documents they are about as those now are.
    fn mirror(&self, events: Vec<Recorded>) -> Result<()> {
        let new = self.files.unseen(events)?;
        if new.is_empty() {
            return Ok(());
        }
        let streams = new.iter().filter_map(|recorded| match recorded.stream {
            Stream::Milestone(id) => Some(id),
            Stream::Project => None,
        });
        let ids: BTreeSet<MilestoneId> = streams.collect();
        let mut snapshot = self.database.read(&Scope::Graph(ids.clone()))?.snapshot;
        snapshot.documents.retain(|id, _| ids.contains(id));
        // Many changes in one, and perhaps only a part of the last: what is kept is told by events.
        let mut change = Change::new(&Snapshot::default(), ChangeId(Uuid::now_v7()), Vec::new());
        change.events = new;
        change.documents = snapshot.documents;
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
        let told = self.files.told_of_project()?;
        let known = self.known(EventFilter::default(), Stream::Project)?;
        let events: Vec<Recorded> =
            told.into_iter().filter(|recorded| !known.contains(&recorded.id)).collect();
        let any = !events.is_empty();
        if any {
            self.bring(events.into_iter().map(Portion::Event).collect())?;
        }
        self.files.accept_project()?;
        Ok(any)
    }

    fn known(&self, filter: EventFilter, stream: Stream) -> Result<BTreeSet<EventId>> {
        let page = self.database.events(None, &filter, usize::MAX)?;
        let own = page.events.into_iter().filter(|recorded| recorded.stream == stream);
        Ok(own.map(|recorded| recorded.id).collect())
    }

    /// Makes the database say of a milestone what the two histories say together.
    fn absorb(&self, id: MilestoneId) -> Result<bool> {
        let scope = Scope::Graph(BTreeSet::from([id]));
        let kept = self.database.read(&scope)?.snapshot.documents.remove(&id);
        let uid = kept.as_ref().and_then(|document| document.uid);
        let (told, events) = self.files.told(id, uid)?;
        let filter = EventFilter { milestone: Some(id), task: None };
        let known = self.known(filter, Stream::Milestone(id))?;
        let new: Vec<Recorded> =
            events.into_iter().filter(|recorded| !known.contains(&recorded.id)).collect();
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

    /// The same change for the database, which knows nothing of texts; refused if somebody saved a
    /// document after what it says was taken in.
    fn of_database(&self, change: &Change) -> Result<Change> {
        let noticed = self.noticed.borrow();
        let mut change = change.clone();
        for id in change.documents.keys() {
            let Some(version) = noticed.get(id) else { continue };
            let known = change.events.iter().any(|event| event.noticed);
            if known && self.files.fingerprint_of(*id)?.is_some_and(|now| now != *version) {
                return Err(StoreError::Stale);
            }
            if change.reads.get(&Part::Milestone(*id)) == Some(version) {
                change.reads.remove(&Part::Milestone(*id));
            }
        }
        Ok(change)
    }

    fn commit_mirrored(&self, change: &Change) -> Result<()> {
        let _turn = self.files.turn(0)?;
        let of_database = self.of_database(change)?;
        self.catch_up()?;
        self.database.commit(&of_database)?;
        // The change has happened. Whoever comes next writes what could not be written here.
        if planted::has("mirrored-before-written") {
            self.pass_over(change)?;
        }
        let mirrored = Change { reads: BTreeMap::new(), ..change.clone() };
        if self.files.commit(&mirrored).is_ok() {
            let _ = self.pass_over(change);
        }
        Ok(())
    }

    /// The mirror has everything up to this change, if nobody else has written meanwhile.
    fn pass_over(&self, change: &Change) -> Result<()> {
        let cursor = self.files.mirrored()?;
        let limit = change.events.len() + 1;
        let page = self.database.events(cursor.as_ref(), &EventFilter::default(), limit)?;
        if page.events.iter().all(|recorded| recorded.id.change == change.id) {
            self.files.set_mirrored(&page.next)?;
        }
        Ok(())
    }
}

/// What makes the one document say what the other does, as events.
fn corrections(now: &Milestone, told: &Milestone) -> Vec<Recorded> {
    let change = ChangeId(Uuid::now_v7());
    let differences = difference(&now.tree(), &told.tree());
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
        self.files.accept(noticed)
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
        let scope = match query.filter.place {
            Place::Open => Scope::Graph(BTreeSet::new()),
            Place::Archived | Place::All => Scope::All,
        };
        let Reading { snapshot, noticed } = self.read_mirrored(&scope)?;
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
