//! The only door to a project: every command of every front end goes through here.

mod claiming;

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::rc::Rc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use milestone_domain::command::{Command, Context, Credential};
use milestone_domain::decide::decide;
use milestone_domain::dependencies::Dependencies;
use milestone_domain::document::{Milestone, by_owner};
use milestone_domain::event::{ChangeId, Recorded};
use milestone_domain::ids::{MilestoneId, Node, TaskId};
use milestone_domain::needs::{needs, rests_on};
use milestone_domain::past::Trail;
use milestone_domain::refusal::Refusal;
use milestone_domain::search::Query;
use milestone_domain::snapshot::{Claim, Part, Problem, ProblemKind, Scope, Snapshot};
use milestone_domain::status::MilestoneStatus;
use uuid::Uuid;

use crate::place::Place;
use crate::{
    Bases, Change, Collided, Cursor, Difference, Error, EventFilter, Mending, Noticed, Optimized,
    Page, Reading, Result, Searched, Store, StoreError,
};

/// How often a command is decided again when what it was decided on has changed meanwhile.
const TRIES_MAX: u32 = 16;

/// How long a document may go on being saved before that is an error.
const BEING_SAVED_MAX: Duration = Duration::from_secs(5);
const BEING_SAVED_PAUSE: Duration = Duration::from_millis(40);

/// How often edits that come in while edits are taken in are looked for again.
const TAKE_IN_ROUNDS_MAX: u32 = 8;

/// How often a project that moves is followed by one command.
const MOVES_MAX: u32 = 4;

/// How many new documents one change takes in: few enough for a record of the journal.
const ADOPTED_TOGETHER_MAX: usize = 256;

/// A project, whatever keeps it.
pub struct Project {
    /// Replaced when the project moves elsewhere.
    store: RefCell<Rc<dyn Store>>,
    place: Option<Place>,
    zone: TimeZone,
}

/// What a command did.
#[derive(Debug, Clone)]
pub struct Outcome {
    pub events: Vec<Recorded>,
    /// The documents it changed, as they now are, and everything that was read for it.
    pub snapshot: Snapshot,
}

/// What a heartbeat came to.
#[derive(Debug, Clone, PartialEq)]
pub enum Renewed {
    Until(Claim),
    /// The claim is another's now, or nobody's.
    Lost,
}

impl Outcome {
    fn of(change: Change, mut snapshot: Snapshot) -> Self {
        change.documents.into_values().for_each(|document| snapshot.insert(document));
        Self { events: change.events, snapshot }
    }
}

impl Project {
    /// A project in this very store.
    pub fn new(store: Box<dyn Store>, zone: TimeZone) -> Self {
        Self { store: RefCell::new(store.into()), place: None, zone }
    }

    /// The project of a folder, wherever it is kept, and wherever it moves.
    pub fn at(place: Place) -> Result<Self> {
        let zone = place.settings.zone.clone();
        let store = match place.open() {
            Err(StoreError::Moved) => place.settle().and_then(|()| place.open()),
            opened => opened,
        };
        Ok(Self { store: RefCell::new(store?.into()), place: Some(place), zone })
    }

    fn store(&self) -> Rc<dyn Store> {
        Rc::clone(&self.store.borrow())
    }

    /// Does something again where the project is now, if it has moved.
    fn following<T, E: AsStoreError>(
        &self,
        work: impl Fn() -> std::result::Result<T, E>,
    ) -> std::result::Result<T, E> {
        for _ in 0..MOVES_MAX {
            match work() {
                Err(error) if matches!(error.store_error(), Some(StoreError::Moved)) => {
                    let Some(place) = &self.place else { return Err(error) };
                    let opened = place.settle().and_then(|()| place.open()).map_err(E::from)?;
                    self.store.replace(opened.into());
                }
                done => return done,
            }
        }
        work()
    }

    pub fn context(&self, actor: &str) -> Context {
        Self::context_in(&self.zone, actor)
    }

    /// The same where there is no project yet.
    pub fn context_in(zone: &TimeZone, actor: &str) -> Context {
        let now = Timestamp::now();
        Context {
            change: ChangeId(Uuid::now_v7()),
            actor: actor.to_owned(),
            // People read these in documents; what came first is told by ids, not by fractions.
            now: now.round(jiff::Unit::Second).unwrap_or(now),
            today: now.to_zoned(zone.clone()).date(),
        }
    }

    /// The first moment of a day, where this project is at home.
    pub fn start_of(&self, day: Date) -> Result<Timestamp> {
        let start = day.to_zoned(self.zone.clone()).map(|zoned| zoned.timestamp());
        start.map_err(|error| StoreError::Configuration {
            setting: day.to_string(),
            message: error.to_string(),
        })
    }

    /// Reads, after taking in what people changed without the program.
    pub fn read(&self, scope: &Scope, actor: &str) -> Result<Snapshot> {
        self.at_rest(scope, || self.read_once(scope, actor))
    }

    /// Waits while a document is being saved. Nothing is held meanwhile that others wait for.
    fn at_rest<T, E: AsStoreError>(
        &self,
        scope: &Scope,
        work: impl Fn() -> std::result::Result<T, E>,
    ) -> std::result::Result<T, E> {
        let started = Instant::now();
        let goes_on = || started.elapsed() < BEING_SAVED_MAX;
        loop {
            match self.following(&work) {
                Err(error) if error.store_error().is_some_and(is_being_saved) && goes_on() => {}
                done => return done,
            }
            std::thread::sleep(BEING_SAVED_PAUSE);
            while goes_on() && self.store().read(scope).is_err_and(|error| is_being_saved(&error)) {
                std::thread::sleep(BEING_SAVED_PAUSE);
            }
        }
    }

    fn read_once(&self, scope: &Scope, actor: &str) -> Result<Snapshot> {
        let reading = self.store().read(scope)?;
        if reading.noticed.is_empty() {
            return Ok(reading.snapshot);
        }
        let store = self.store();
        match store.turn(0) {
            Ok(_turn) => self.settled(scope, actor, Some(reading)),
            // Where nothing can be written, what people changed can still be read.
            Err(StoreError::Io { .. }) => {
                Ok(self.foreseen(reading.snapshot, &reading.noticed, actor))
            }
            Err(error) => Err(error),
        }
    }

    /// Reads until nothing is left to take in; what a rule refuses stays as a named problem.
    ///
    /// A reading from before this turn will do to begin with: whatever is taken in is held against
    /// what is there.
    fn settled(&self, scope: &Scope, actor: &str, mut begin: Option<Reading>) -> Result<Snapshot> {
        let mut refused: Vec<(Noticed, Problem)> = Vec::new();
        for _ in 0..TAKE_IN_ROUNDS_MAX {
            let mut reading = match begin.take() {
                Some(reading) => reading,
                None => self.store().read(scope)?,
            };
            reading.noticed.retain(|noticed| !refused.iter().any(|(known, _)| known == noticed));
            if reading.noticed.is_empty() {
                reading.snapshot.problems.extend(refused.into_iter().map(|(_, problem)| problem));
                return Ok(reading.snapshot);
            }
            // Documents that came in together may require one another, so each round takes in all
            // that it can before the next look.
            for noticed in self.adopt(reading.noticed, actor)? {
                match self.take_in(&noticed, actor) {
                    Ok(()) | Err(Error::Store(StoreError::Stale)) => {}
                    Err(Error::Refused(refusal)) => {
                        let problem = refused_edit(&noticed, &refusal, refusal.next());
                        refused.push((noticed, problem));
                    }
                    // A text that cannot be written to faithfully hides no other milestone.
                    Err(Error::Store(error @ StoreError::Unfaithful { .. })) => {
                        let problem = refused_edit(&noticed, &error, error.next());
                        refused.push((noticed, problem));
                    }
                    Err(Error::Store(error)) => return Err(error),
                }
            }
        }
        let reading = self.store().read(scope)?;
        Ok(self.foreseen(reading.snapshot, &reading.noticed, actor))
    }

    /// Takes in new documents, many in one change: an import or a first look at somebody else's
    /// folder brings hundreds, and each by itself would wait for the disk. Answers what is still
    /// to be taken in one by one.
    fn adopt(&self, noticed: Vec<Noticed>, actor: &str) -> Result<Vec<Noticed>> {
        let new = |noticed: &Noticed| matches!(noticed.what, Difference::New(_));
        let (new, mut others): (Vec<_>, Vec<_>) = noticed.into_iter().partition(new);
        for together in new.chunks(ADOPTED_TOGETHER_MAX) {
            let adopted = match together {
                [_] => false,
                _ => self.adopt_together(together, actor)?,
            };
            if !adopted {
                others.extend(together.iter().cloned());
            }
        }
        Ok(others)
    }

    /// Whether all of them could be taken in. What they require of one another is no condition for
    /// that, so each is decided by itself.
    fn adopt_together(&self, noticed: &[Noticed], actor: &str) -> Result<bool> {
        let nothing = Snapshot::default();
        let mut all = Change::new(&nothing, self.context(actor).change, Vec::new());
        for noticed in noticed {
            let Some(command) = taking_in(noticed) else { return Ok(false) };
            let context = self.context(actor);
            let Ok(events) = decide(&nothing, &command, &context) else { return Ok(false) };
            let change = Change::new(&nothing, context.change, events);
            if all.events.is_empty() {
                // By its first event a change is known again.
                all.id = change.id;
            }
            all.events.extend(change.events);
            all.documents.extend(change.documents);
            all.touched.extend(change.touched);
            all.wakes.extend(change.wakes);
            all.reads.insert(Part::Milestone(noticed.milestone), noticed.version.clone());
        }
        match self.store().commit(&all) {
            Ok(()) => Ok(true),
            Err(StoreError::Stale | StoreError::Unfaithful { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    fn take_in(&self, noticed: &Noticed, actor: &str) -> std::result::Result<(), Error> {
        let context = self.context(actor);
        let Some(command) = taking_in(noticed) else { return Ok(self.store().accept(noticed)?) };
        let reading = self.store().read(&needs(&command))?;
        // Edited again since it was noticed: the next look sees it as it is.
        if !reading.noticed.iter().any(|now| now == noticed) {
            return Ok(());
        }
        let events = decide(&reading.snapshot, &command, &context)?;
        let change = Change::new(&reading.snapshot, context.change, events);
        self.store().commit(&Change { late: noticed.late.clone(), ..change })?;
        Ok(())
    }

    /// The snapshot as it would be with the edits taken in, where they cannot be.
    fn foreseen(&self, mut snapshot: Snapshot, noticed: &[Noticed], actor: &str) -> Snapshot {
        for noticed in noticed {
            let Some(command) = taking_in(noticed) else { continue };
            let context = self.context(actor);
            match decide(&snapshot, &command, &context) {
                Ok(events) => {
                    let change = Change::new(&snapshot, context.change, events);
                    change.documents.into_values().for_each(|document| snapshot.insert(document));
                }
                Err(refusal) => {
                    snapshot.problems.push(refused_edit(noticed, &refusal, refusal.next()));
                }
            }
        }
        snapshot
    }

    /// Does something in this process's turn to write, for who looks before deciding what to do.
    pub fn in_turn<T>(&self, work: impl FnOnce() -> T) -> Result<T> {
        let store = self.store();
        let _turn = store.turn(0)?;
        Ok(work())
    }

    /// Reads what the command needs, decides, and keeps what was decided.
    pub fn execute(&self, command: &Command, actor: &str) -> std::result::Result<Outcome, Error> {
        let context = self.context(actor);
        self.at_rest(&needs(command), || self.carry_out(command, &context, None))
    }

    /// The same, under an identity that the caller keeps.
    pub fn execute_as(
        &self,
        command: &Command,
        context: &Context,
    ) -> std::result::Result<Outcome, Error> {
        self.following(|| self.carry_out(command, context, None))
    }

    /// The text of a document as an editor should open it.
    pub fn text(&self, milestone: MilestoneId) -> Result<Option<String>> {
        self.following(|| self.store().text(milestone))
    }

    /// The same, with the text that a person wrote for the document in an editor, beginning with
    /// `base`: [`StoreError::Stale`] if the document has moved on since, because a whole text
    /// would take back what others changed meanwhile.
    pub fn execute_text(
        &self,
        milestone: MilestoneId,
        base: &str,
        text: &str,
        said: &Milestone,
        actor: &str,
    ) -> std::result::Result<Outcome, Error> {
        let scope = Scope::Milestone(milestone);
        self.at_rest(&scope, || self.execute_text_once(milestone, base, text, said, actor))
    }

    fn execute_text_once(
        &self,
        milestone: MilestoneId,
        base: &str,
        text: &str,
        said: &Milestone,
        actor: &str,
    ) -> std::result::Result<Outcome, Error> {
        let store = self.store();
        let _turn = store.turn(0)?;
        let snapshot = self.read_once(&Scope::Milestone(milestone), actor)?;
        if store.text(milestone)?.is_some_and(|now| now != base) {
            return Err(StoreError::Stale.into());
        }
        let unknown = || Refusal::Unknown { node: Node::Milestone(milestone), nearest: None };
        let now = snapshot.documents.get(&milestone).ok_or_else(unknown)?;
        let (changes, _) = by_owner(now.changes_to(said));
        let command = Command::Amend { milestone, changes };
        self.carry_out(&command, &self.context(actor), Some((milestone, text)))
    }

    fn carry_out(
        &self,
        command: &Command,
        context: &Context,
        text: Option<(MilestoneId, &str)>,
    ) -> std::result::Result<Outcome, Error> {
        let store = self.store();
        let mut lost = 0;
        let mut queued_for: Vec<String> = Vec::new();
        for _ in 0..TRIES_MAX {
            // Given up before every pause: who made this stale may be a person who is saving.
            let turn = store.turn(lost)?;
            if !queued_for.is_empty() {
                store.queue(&queued_for)?;
            }
            let snapshot = self.read_once(&needs(command), &context.actor)?;
            // Whoever begins on files queues for them before reading: of those who do not, each
            // makes all the others look again.
            let begins_on = begins_on(command, &snapshot);
            if !begins_on.is_empty() && begins_on != queued_for {
                queued_for = begins_on.to_vec();
                continue;
            }
            let events = decide(&snapshot, command, context)?;
            if events.is_empty() && text.is_none() {
                return Ok(Outcome { events, snapshot });
            }
            let mut change = Change::of(&snapshot, command, context.change, events);
            if let Some((id, text)) = text {
                change.texts.insert(id, text.to_owned());
                // Comments and layout are no events, and are kept all the same.
                if let Some(same) = snapshot.documents.get(&id) {
                    change.documents.entry(id).or_insert_with(|| same.clone());
                }
            }
            match store.commit(&change) {
                // What somebody saved in the same instant is for the next reading: it may not be
                // whole yet, and this change is kept whatever becomes of that.
                Ok(()) => return Ok(Outcome::of(change, snapshot)),
                Err(StoreError::Stale) => {
                    drop(turn);
                    pause(lost, context.change);
                    lost += 1;
                }
                Err(error) => return Err(error.into()),
            }
        }
        Err(StoreError::Stale.into())
    }

    pub fn renew(&self, task: TaskId, credential: Credential, lease: Duration) -> Result<Renewed> {
        self.following(|| {
            let store = self.store();
            let _turn = store.turn(0)?;
            let renewed = store.renew(task, credential, lease)?;
            Ok(renewed.map_or(Renewed::Lost, Renewed::Until))
        })
    }

    /// Gives back the room of what is gone.
    pub fn optimize(&self) -> Result<Optimized> {
        self.following(|| self.store().optimize())
    }

    pub fn history(&self, id: MilestoneId) -> Result<Vec<Recorded>> {
        self.following(|| self.store().history(id))
    }

    pub fn trails(&self, ids: &BTreeSet<MilestoneId>) -> Result<BTreeMap<MilestoneId, Trail>> {
        self.following(|| self.store().trails(ids))
    }

    pub fn events(
        &self,
        after: Option<&Cursor>,
        filter: &EventFilter,
        limit: usize,
    ) -> Result<Page> {
        self.following(|| self.store().events(after, filter, limit))
    }

    /// Finds milestones and tasks by their words, after taking in what people changed without the
    /// program.
    pub fn search(&self, query: &Query, actor: &str) -> Result<Searched> {
        let searched = self.following(|| self.store().search(query));
        let changed: BTreeSet<MilestoneId> = match searched {
            Ok(searched) if searched.noticed.is_empty() => return Ok(searched),
            Ok(searched) => searched.noticed.iter().map(|noticed| noticed.milestone).collect(),
            Err(StoreError::BeingSaved { milestone }) => BTreeSet::from([milestone]),
            Err(error) => return Err(error),
        };
        // What a rule refuses stays in its text, named, and is found as it was accepted.
        let problems = self.read(&Scope::Graph(changed), actor)?.problems;
        let scope = Scope::Graph(BTreeSet::new());
        let searched = self.at_rest(&scope, || self.store().search(query))?;
        Ok(Searched { problems, ..searched })
    }

    /// Waits until something happens after `after`, or the time is over.
    pub fn wait(
        &self,
        after: &Cursor,
        filter: &EventFilter,
        limit: usize,
        wait: Duration,
    ) -> Result<Page> {
        let until = Instant::now() + wait;
        let mut after = after.clone();
        loop {
            let page = self.events(Some(&after), filter, limit)?;
            let left = until.saturating_duration_since(Instant::now());
            if !page.events.is_empty() || left.is_zero() {
                return Ok(page);
            }
            // What does not concern the filter is not looked at again.
            after = page.next;
            self.following(|| self.store().wait(&after, left))?;
        }
    }

    /// Everything that is not as it should be, by what every reading names and by the store's own
    /// look at itself.
    pub fn check(&self, actor: &str) -> Result<Vec<Problem>> {
        let snapshot = self.read(&Scope::All, actor)?;
        let mut problems = graph_problems(&snapshot);
        problems.extend(snapshot.problems);
        for problem in self.store().check()? {
            if !problems.contains(&problem) {
                problems.push(problem);
            }
        }
        Ok(problems)
    }

    /// Mends what can safely be mended, and says what was done. Doing it again does nothing.
    pub fn mend(&self, bases: Bases<'_>, actor: &str) -> std::result::Result<Mending, Error> {
        let store = self.store();
        let _turn = store.turn(0)?;
        let mut mending = store.mend(bases)?;
        let done = &mut mending.done;
        let snapshot = self.read(&Scope::All, actor)?;
        for problem in &snapshot.problems {
            match (problem.kind, problem.milestone) {
                (ProblemKind::MissingDocument, Some(id)) => {
                    done.extend(self.write_again(&snapshot, id)?);
                }
                (ProblemKind::ArchivedOpen, Some(id)) => {
                    done.extend(self.bring_back(&snapshot, id, actor)?);
                }
                _ => {}
            }
        }
        done.extend(self.renumber_collided(actor)?);
        Ok(mending)
    }

    /// One after the other: those that refer to one another are looked for where they now are.
    fn renumber_collided(&self, actor: &str) -> std::result::Result<Vec<String>, Error> {
        let mut done = Vec::new();
        let mut renumbered = BTreeSet::new();
        loop {
            let next = self.store().collisions()?.into_iter().next();
            match next.filter(|collided| renumbered.insert(collided.uid)) {
                Some(collided) => done.push(self.renumber(collided, actor)?),
                None => return Ok(done),
            }
        }
    }

    /// Writes a lost document as its history says it.
    fn write_again(&self, snapshot: &Snapshot, id: MilestoneId) -> Result<Option<String>> {
        let Some(document) = snapshot.documents.get(&id) else { return Ok(None) };
        let context = ChangeId(Uuid::now_v7());
        let mut change = Change::new(snapshot, context, Vec::new());
        change.reads.clear();
        change.documents.insert(id, document.clone());
        self.store().commit(&change)?;
        Ok(Some(format!("{id}: its document is written again, from its history")))
    }

    /// Brings back what was filed away and is not finished; what was completed goes on.
    fn bring_back(
        &self,
        snapshot: &Snapshot,
        id: MilestoneId,
        actor: &str,
    ) -> std::result::Result<Option<String>, Error> {
        let Some(outline) = snapshot.outline(id) else { return Ok(None) };
        let to = match outline.status {
            MilestoneStatus::Completed => MilestoneStatus::InProgress,
            status => status,
        };
        let command = Command::ChangeMilestone { milestone: id, to, reason: None };
        self.execute(&command, actor)?;
        Ok(Some(format!("{id}: back among the open ones, because a branch went on with it")))
    }

    fn renumber(&self, collided: Collided, actor: &str) -> std::result::Result<String, Error> {
        let Collided { milestone: from, uid, tree, text, means, referring } = collided;
        let title = tree["title"].as_str().unwrap_or_default().to_owned();
        let tree = Box::new(tree);
        let command = Command::Renumber { from, uid, tree, means, referring: referring.clone() };
        let context = self.context(actor);
        let snapshot = self.read(&needs(&command), actor)?;
        let to = MilestoneId(snapshot.highest.map_or(1, |id| id.0 + 1));
        let text = text.as_deref().map(|text| (to, text));
        self.carry_out(&command, &context, text)?;
        let mut said = format!("{from}: the other milestone of that name, {title}, is now {to}");
        if !referring.is_empty() {
            let names: Vec<String> = referring.iter().map(ToString::to_string).collect();
            let _ = write!(said, "; references to it are corrected in {}", names.join(", "));
        }
        Ok(said)
    }
}

/// Requirements that lead nowhere, and the cycle that a merge may have closed.
fn graph_problems(snapshot: &Snapshot) -> Vec<Problem> {
    let problem = |id: MilestoneId, message: String, next: String| Problem {
        milestone: Some(id),
        file: format!("active/{}", id.file_name()),
        line: None,
        column: None,
        kind: ProblemKind::Graph,
        message,
        next,
    };
    let mut problems = Vec::new();
    for outline in snapshot.open() {
        let missing = outline.waits_for().filter(|node| match node {
            Node::Milestone(id) => !snapshot.outlines.contains_key(id),
            Node::Task(id) => snapshot.task(*id).is_none(),
        });
        problems.extend(missing.map(|node| {
            let message = format!("{} requires {node}, which does not exist", outline.id);
            problem(
                outline.id,
                message,
                format!("correct `requires`: `milestone edit {}`", outline.id),
            )
        }));
    }
    if let Some(cycle) = Dependencies::of(snapshot).cycle() {
        let names: Vec<String> = cycle.iter().map(ToString::to_string).collect();
        let message = format!("each of these waits for the next: {}", names.join(" → "));
        let id = cycle[0].milestone();
        problems.push(problem(id, message, "leave out one of these requirements".into()));
    }
    problems
}

/// An error that may be one of a store.
trait AsStoreError: From<StoreError> {
    fn store_error(&self) -> Option<&StoreError>;
}

impl AsStoreError for StoreError {
    fn store_error(&self) -> Option<&StoreError> {
        Some(self)
    }
}

impl AsStoreError for Error {
    fn store_error(&self) -> Option<&StoreError> {
        match self {
            Self::Store(error) => Some(error),
            Self::Refused(_) => None,
        }
    }
}

/// The files and folders that a command begins on, in a store in which others may be about to.
fn begins_on<'s>(command: &Command, snapshot: &'s Snapshot) -> &'s [String] {
    let (Command::Claim { task, .. } | Command::ChangeTask { task, .. }) = command else {
        return &[];
    };
    match rests_on(command, snapshot).contains_key(&Part::Resources) {
        true => snapshot.task(*task).map_or(&[], |task| &task.resources),
        false => &[],
    }
}

fn is_being_saved(error: &StoreError) -> bool {
    matches!(error, StoreError::BeingSaved { .. })
}

fn taking_in(noticed: &Noticed) -> Option<Command> {
    let milestone = noticed.milestone;
    match &noticed.what {
        Difference::New(document) => Some(Command::Adopt { document: document.clone() }),
        Difference::Fields(changes) => {
            Some(Command::TakeIn { milestone, changes: changes.clone() })
        }
        Difference::Layout | Difference::Stale => None,
    }
}

fn refused_edit(noticed: &Noticed, why: &dyn std::fmt::Display, next: String) -> Problem {
    Problem {
        milestone: Some(noticed.milestone),
        file: noticed.file.clone(),
        line: None,
        column: None,
        kind: ProblemKind::RefusedEdit,
        message: format!("an edit in this file does not count yet: {why}"),
        next,
    }
}

/// A little longer with every try, and differently for everybody who tries.
fn pause(round: u32, change: ChangeId) {
    let jitter = u64::from(change.0.as_bytes()[15]) % 8;
    std::thread::sleep(Duration::from_millis((1 << round.min(5)) + jitter));
}
