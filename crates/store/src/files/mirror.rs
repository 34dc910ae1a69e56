//! Files as the projection of a database: what git shares of a project that is kept elsewhere.
//!
//! Everything by which hand edits, pulls and merges are understood is the same as where files are
//! the truth; only claims are kept in the database alone.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap, VecDeque};
use std::time::Duration;

use jiff::Timestamp;
use milestone_domain::apply::fold;
use milestone_domain::document::Milestone;
use milestone_domain::event::{ChangeId, EventId, Recorded, Stream};
use milestone_domain::ids::{MilestoneId, Uid};
use milestone_domain::snapshot::{Claim, Given, Problem, ProblemKind, Scope, Snapshot};
use uuid::Uuid;

use super::accepted::{self, Accepted};
use super::cache::{self, Cache};
use super::claims::{self, Kept};
use super::disk::{Stamp, fingerprint};
use super::recent::Watched;
use super::{Files, boot, follow, given, history, load};
use crate::error::StoreError;
use crate::pointer::{self, StoreKind};
use crate::{Change, Cursor, Portion, Reading, Result, Source, Store as _};

/// How far the database had come when its events were last written here.
const MIRRORED: &str = "data/mirrored";

/// What was written beside a database without this program.
pub(crate) struct Changed {
    pub documents: BTreeSet<MilestoneId>,
    pub project: bool,
    /// The texts of those that are read as a whole, as they stand here.
    pub texts: BTreeMap<MilestoneId, String>,
}

impl Changed {
    pub fn is_nothing(&self) -> bool {
        self.documents.is_empty() && !self.project
    }
}

impl Files {
    /// The same files, as the projection of a database.
    #[must_use]
    pub fn mirroring(self) -> Self {
        Self { mirrors: true, ..self }
    }

    /// Whoever has files for the truth must not when it is elsewhere.
    pub(super) fn check_place(&self) -> Result<()> {
        if self.mirrors {
            return Ok(());
        }
        match pointer::read(&self.disk)? {
            Some(pointer) if pointer.store != StoreKind::Files => Err(StoreError::Moved),
            _ => Ok(()),
        }
    }

    /// What happened to no milestone has been taken in as far as it stands here.
    pub(crate) fn accept_project(&self) -> Result<()> {
        let memory = self.memory(Stream::Project)?;
        self.disk.make_folder(accepted::FOLDER)?;
        self.remember(vec![memory]);
        Ok(())
    }

    /// Which of the documents in question are not what the program last wrote, and whether that
    /// holds for what happened to no milestone. Quick to say that nothing has changed. `known` are
    /// those of the scope that the database has.
    pub(crate) fn changed(&self, scope: &Scope, known: BTreeSet<MilestoneId>) -> Result<Changed> {
        self.watched.replace(Watched::list(&self.disk)?);
        let project = !self.tells_all(Stream::Project)?;
        let mut texts = BTreeMap::new();
        let whole = match scope {
            Scope::Milestone(id) => BTreeSet::from([*id]),
            Scope::Graph(ids) => ids.clone(),
            Scope::Past(_) | Scope::All => BTreeSet::new(),
        };
        for id in whole {
            texts.extend(self.as_written(id)?.map(|text| (id, text)));
        }
        let documents = match scope {
            Scope::Milestone(id) if texts.contains_key(id) => BTreeSet::new(),
            Scope::Milestone(id) => BTreeSet::from([*id]),
            Scope::Graph(_) | Scope::Past(_) => {
                let open = known.into_iter().chain(self.active()?);
                self.changed_among(open.collect())?
            }
            Scope::All => {
                let all = known.into_iter().chain(self.active()?);
                self.changed_among(all.chain(self.filed_away()?).collect())?
            }
        };
        Ok(Changed { documents, project, texts })
    }

    /// Whether a history is the one that the program last wrote, with all that the database tells.
    pub(crate) fn tells_all(&self, stream: Stream) -> Result<bool> {
        let accepted = Accepted::read(&self.disk, stream)?.unwrap_or_default();
        Ok(!accepted.untold && accepted.segments == history::sizes(&self.disk, stream)?)
    }

    /// The database tells more of a milestone than its history does here, until that is written to.
    pub(crate) fn note_untold(&self, id: MilestoneId) -> Result<()> {
        let stream = Stream::Milestone(id);
        let Some(mut accepted) = Accepted::read(&self.disk, stream)? else { return Ok(()) };
        accepted.untold = true;
        accepted.write(&self.disk, stream)
    }

    /// The fingerprint of a document's text, if it is the one that the program last wrote.
    pub(crate) fn as_written(&self, id: MilestoneId) -> Result<Option<String>> {
        match load::is_as_accepted(&self.disk, id, &self.watched.borrow()) {
            // Whatever stands in the way is named by whoever reads it.
            Err(
                StoreError::Io { .. } | StoreError::Corrupt { .. } | StoreError::Outside { .. },
            ) => Ok(None),
            seen => seen,
        }
    }

    fn changed_among(&self, ids: BTreeSet<MilestoneId>) -> Result<BTreeSet<MilestoneId>> {
        let mut cache = Cache::read(&self.disk, &cache::SEEN)?;
        let mut changed = BTreeSet::new();
        for id in ids {
            if self.is_seen(id, &mut cache)? {
                continue;
            }
            let stamp = self.stamp_of(id)?;
            match (self.as_written(id)?, stamp) {
                (Some(text), Some((_, stamp))) => cache.put(&self.disk, id, stamp, &text, &())?,
                _ => {
                    changed.insert(id);
                }
            }
        }
        cache.save(&self.disk);
        Ok(changed)
    }

    /// A save that came too late does not show in the document.
    fn is_seen(&self, id: MilestoneId, cache: &mut Cache) -> Result<bool> {
        if !self.watched.borrow().late_saves(&self.disk, id)?.is_empty() {
            return Ok(false);
        }
        match self.stamp_of(id)? {
            Some((place, stamp)) => cache.is_fresh(&self.disk, id, &place, stamp),
            None => Ok(false),
        }
    }

    fn stamp_of(&self, id: MilestoneId) -> Result<Option<(String, Stamp)>> {
        for (place, _) in load::places(id) {
            if let Some(stamp) = self.disk.stamp(&place)? {
                return Ok(Some((place, stamp)));
            }
        }
        Ok(None)
    }

    /// Documents whose history had grown without this program when they were last read.
    pub(crate) fn foreign(&self) -> BTreeSet<MilestoneId> {
        self.foreign.borrow().clone()
    }

    /// What a document is by its history, and all of that history.
    pub(crate) fn told(
        &self,
        id: MilestoneId,
        uid: Option<Uid>,
    ) -> Result<(Option<Milestone>, Vec<Recorded>)> {
        let history = history::read(&self.disk, Stream::Milestone(id), uid)?;
        Ok((fold(&history.events), history.events))
    }

    /// What happened to no milestone.
    pub(crate) fn told_of_project(&self) -> Result<Vec<Recorded>> {
        Ok(history::read(&self.disk, Stream::Project, None)?.events)
    }

    /// Makes sure that everything here is on the disk.
    pub(crate) fn sync_all(&self) -> Result<()> {
        self.disk.sync_all().map(drop)
    }

    /// Holds a document's text as it is now: the next change is written as one of this text, and
    /// gives way to whatever is saved until then. Answers its fingerprint.
    pub(crate) fn hold(&self, id: MilestoneId) -> Result<Option<String>> {
        self.held.borrow_mut().remove(&id);
        let Some(held) = self.document_text(id, None)? else { return Ok(None) };
        let now = fingerprint(held.2.as_bytes());
        self.held.borrow_mut().insert(id, held);
        Ok(Some(now))
    }

    /// Whether a change is written here already.
    pub(crate) fn has_seen(&self, change: ChangeId) -> Result<bool> {
        follow::knows(&self.disk, change)
    }

    pub(crate) fn let_go(&self) {
        self.held.borrow_mut().clear();
    }

    pub(crate) fn mirrored(&self) -> Result<Option<Cursor>> {
        let bytes = self.disk.read(MIRRORED)?;
        Ok(bytes.and_then(|bytes| String::from_utf8(bytes).ok()).map(Cursor))
    }

    pub(crate) fn set_mirrored(&self, cursor: &Cursor) -> Result<()> {
        self.disk.replace(MIRRORED, cursor.0.as_bytes())
    }

    /// Everything is to be held against the database again.
    pub(crate) fn forget_mirrored(&self) -> Result<()> {
        if self.disk.stamp(MIRRORED)?.is_some() { self.disk.remove(MIRRORED) } else { Ok(()) }
    }

    pub(crate) fn given(&self) -> Result<Given> {
        given::read(&self.disk)
    }

    pub(crate) fn add_given(&self, more: &Given) -> Result<()> {
        let all = given::read(&self.disk)?.with(more);
        let text = serde_json::to_vec(&all).unwrap_or_default();
        self.disk.replace_synced(given::PLACE, &text)
    }

    fn claims_left(&self) -> Result<Vec<Portion>> {
        let now = boot::now();
        let kept = claims::read_all(&self.disk)?;
        let claim = |kept: &Kept| Portion::Claim {
            claim: kept.judged(&now),
            left: Duration::from_millis(kept.left(&now)),
        };
        Ok(kept.iter().map(claim).collect())
    }

    /// Makes these the claims there are.
    fn replace_claims(&self, claims: Vec<(Claim, Duration)>) -> Result<()> {
        self.disk.make_folder(claims::FOLDER)?;
        for name in self.disk.names(claims::FOLDER)? {
            self.disk.remove(&format!("{}/{name}", claims::FOLDER))?;
        }
        let now = boot::now();
        for (claim, left) in claims {
            let left = u64::try_from(left.as_millis()).unwrap_or(u64::MAX);
            let kept = Kept {
                task: claim.task,
                attempt: claim.attempt,
                fence: claim.fence,
                actor: claim.actor,
                boot: now.boot.clone(),
                deadline_ms: now.millis.saturating_add(left),
                resources: claim.resources,
            };
            self.disk.replace_synced(&claims::place(kept.task), kept.text().as_bytes())?;
        }
        self.disk.sync(claims::FOLDER)
    }

    /// Every history, each in its order, the streams among one another by time.
    fn all_events(&self, ids: &BTreeSet<MilestoneId>) -> Result<Vec<Recorded>> {
        let of = ids.iter().map(|id| Stream::Milestone(*id));
        let mut streams = Vec::new();
        for stream in std::iter::once(Stream::Project).chain(of) {
            streams.push(VecDeque::from(self.whole_history(stream)?));
        }
        let mut events = Vec::new();
        let mut heads: BinaryHeap<Reverse<(Timestamp, usize)>> = BinaryHeap::new();
        let head = |streams: &[VecDeque<Recorded>], at: usize| {
            streams[at].front().map(|recorded| Reverse((recorded.at, at)))
        };
        heads.extend((0..streams.len()).filter_map(|at| head(&streams, at)));
        while let Some(Reverse((_, at))) = heads.pop() {
            events.extend(streams[at].pop_front());
            heads.extend(head(&streams, at));
        }
        Ok(events)
    }

    /// What a newer program recorded cannot be carried anywhere.
    fn whole_history(&self, stream: Stream) -> Result<Vec<Recorded>> {
        let history = history::read(&self.disk, stream, None)?;
        let newer = |problem: &&Problem| problem.kind == ProblemKind::NewerEvent;
        match history.problems.iter().find(newer) {
            Some(problem) => Err(StoreError::Unfaithful {
                file: problem.file.clone(),
                message: problem.message.clone(),
            }),
            None => Ok(history.events),
        }
    }

    /// One document after the other: a large project takes no more memory than a small one.
    pub(super) fn export_all(&self, each: &mut dyn FnMut(Portion) -> Result<()>) -> Result<()> {
        self.check_place()?;
        self.watched.replace(Watched::list(&self.disk)?);
        each(Portion::Given(self.given()?))?;
        let mut ids = self.open_milestones()?;
        ids.extend(self.filed_away()?);
        let mut known = BTreeSet::new();
        for id in ids {
            let mut reading = Reading::default();
            self.read_document(id, &mut reading)?;
            let Some(document) = reading.snapshot.documents.remove(&id) else { continue };
            let text = self.text(id)?;
            each(Portion::Document { milestone: Box::new(document), text })?;
            known.insert(id);
        }
        self.all_events(&known)?.into_iter().try_for_each(|event| each(Portion::Event(event)))?;
        if crate::planted::has("claims-left-behind") {
            return Ok(());
        }
        self.claims_left()?.into_iter().try_for_each(each)
    }

    /// Documents that are here already are made to say what they are to say, and keep their
    /// comments.
    pub(super) fn import_all(&self, source: Source<'_>) -> Result<()> {
        let _turn = self.turn(0)?;
        let mut given = Given::default();
        let mut documents = BTreeMap::new();
        let mut events: BTreeMap<Stream, Vec<Recorded>> = BTreeMap::new();
        let mut claims = Vec::new();
        source(&mut |portion| {
            match portion {
                Portion::Given(more) => given = given.clone().with(&more),
                Portion::Document { milestone, text } => {
                    documents.insert(milestone.id, (*milestone, text));
                }
                Portion::Event(event) => events.entry(event.stream).or_default().push(event),
                Portion::Claim { claim, left } => claims.push((claim, left)),
            }
            Ok(())
        })?;
        if given != Given::default() {
            self.add_given(&given)?;
        }
        if let Some(events) = events.remove(&Stream::Project) {
            self.import_stream(Stream::Project, None, events)?;
        }
        for (id, (milestone, text)) in documents {
            let events = events.remove(&Stream::Milestone(id)).unwrap_or_default();
            self.import_stream(Stream::Milestone(id), Some((milestone, text)), events)?;
        }
        self.replace_claims(claims)
    }

    fn import_stream(
        &self,
        stream: Stream,
        document: Option<(Milestone, Option<String>)>,
        events: Vec<Recorded>,
    ) -> Result<()> {
        let uid = document.as_ref().and_then(|(milestone, _)| milestone.uid);
        let known = history::read(&self.disk, stream, uid)?.events;
        let known: BTreeSet<EventId> = known.into_iter().map(|event| event.id).collect();
        let new = events.into_iter().filter(|event| !known.contains(&event.id)).collect();
        let mut change = Change::new(&Snapshot::default(), ChangeId(Uuid::now_v7()), new);
        change.documents.clear();
        if let Some((milestone, text)) = document {
            // A text that stands here is the newest that people have edited.
            let text = text.filter(|_| !self.stands_here(milestone.id));
            change.texts.extend(text.map(|text| (milestone.id, text)));
            change.documents.insert(milestone.id, milestone);
        }
        self.commit(&change)
    }

    fn stands_here(&self, id: MilestoneId) -> bool {
        load::places(id).iter().any(|(place, _)| self.disk.stamp(place).ok().flatten().is_some())
    }
}
