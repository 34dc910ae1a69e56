//! The only door to a project: every command of every front end goes through here.

use std::time::{Duration, Instant};

use jiff::Timestamp;
use jiff::tz::TimeZone;
use milestone_domain::change::difference;
use milestone_domain::command::{Command, Context, Credential};
use milestone_domain::decide::decide;
use milestone_domain::document::{Milestone, by_owner};
use milestone_domain::event::{ChangeId, Recorded};
use milestone_domain::ids::{MilestoneId, Node, TaskId};
use milestone_domain::needs::needs;
use milestone_domain::refusal::Refusal;
use milestone_domain::snapshot::{Claim, Problem, ProblemKind, Scope, Snapshot};
use uuid::Uuid;

use crate::{
    Change, Cursor, Difference, Error, EventFilter, Noticed, Page, Result, Store, StoreError,
};

/// How often a command is decided again when what it was decided on has changed meanwhile.
const TRIES_MAX: u32 = 16;

/// How often edits that come in while edits are taken in are looked for again.
const TAKE_IN_ROUNDS_MAX: u32 = 8;

/// A project, whatever keeps it.
pub struct Project {
    store: Box<dyn Store>,
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

impl Project {
    pub fn new(store: Box<dyn Store>, zone: TimeZone) -> Self {
        Self { store, zone }
    }

    pub fn context(&self, actor: &str) -> Context {
        let now = Timestamp::now();
        Context {
            change: ChangeId(Uuid::now_v7()),
            actor: actor.to_owned(),
            // People read these in documents; what came first is told by ids, not by fractions.
            now: now.round(jiff::Unit::Second).unwrap_or(now),
            today: now.to_zoned(self.zone.clone()).date(),
        }
    }

    /// Reads, after taking in what people changed without the program.
    pub fn read(&self, scope: &Scope, actor: &str) -> Result<Snapshot> {
        let reading = self.store.read(scope)?;
        if reading.noticed.is_empty() {
            return Ok(reading.snapshot);
        }
        match self.store.turn() {
            Ok(_turn) => self.settled(scope, actor),
            // Where nothing can be written, what people changed can still be read.
            Err(StoreError::Io { .. }) => Ok(self.foreseen(reading.snapshot, &reading.noticed, actor)),
            Err(error) => Err(error),
        }
    }

    /// Reads until nothing is left to take in; what a rule refuses stays as a named problem.
    fn settled(&self, scope: &Scope, actor: &str) -> Result<Snapshot> {
        let mut refused: Vec<(Noticed, Problem)> = Vec::new();
        for _ in 0..TAKE_IN_ROUNDS_MAX {
            let mut reading = self.store.read(scope)?;
            reading.noticed.retain(|noticed| !refused.iter().any(|(known, _)| known == noticed));
            if reading.noticed.is_empty() {
                reading.snapshot.problems.extend(refused.into_iter().map(|(_, problem)| problem));
                return Ok(reading.snapshot);
            }
            // Documents that came in together may require one another, so each round takes in all
            // that it can before the next look.
            for noticed in reading.noticed {
                match self.take_in(&noticed, actor) {
                    Ok(()) | Err(Error::Store(StoreError::Stale)) => {}
                    Err(Error::Refused(refusal)) => {
                        let problem = refused_edit(&noticed, &refusal);
                        refused.push((noticed, problem));
                    }
                    Err(Error::Store(error)) => return Err(error),
                }
            }
        }
        let reading = self.store.read(scope)?;
        Ok(self.foreseen(reading.snapshot, &reading.noticed, actor))
    }

    fn take_in(&self, noticed: &Noticed, actor: &str) -> std::result::Result<(), Error> {
        let context = self.context(actor);
        let Some(command) = taking_in(noticed) else { return Ok(self.store.accept(noticed)?) };
        let reading = self.store.read(&needs(&command))?;
        // Edited again since it was noticed: the next look sees it as it is.
        if !reading.noticed.iter().any(|now| now == noticed) {
            return Ok(());
        }
        let events = decide(&reading.snapshot, &command, &context)?;
        let change = Change::new(&reading.snapshot, context.change, events);
        self.store.commit(&Change { late: noticed.late.clone(), ..change })?;
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
                Err(refusal) => snapshot.problems.push(refused_edit(noticed, &refusal)),
            }
        }
        snapshot
    }

    /// Reads what the command needs, decides, and keeps what was decided.
    pub fn execute(&self, command: &Command, actor: &str) -> std::result::Result<Outcome, Error> {
        let context = self.context(actor);
        self.carry_out(command, &context, None)
    }

    /// The text of a document as an editor should open it.
    pub fn text(&self, milestone: MilestoneId) -> Result<Option<String>> {
        self.store.text(milestone)
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
        let _turn = self.store.turn()?;
        let snapshot = self.read(&Scope::Milestone(milestone), actor)?;
        if self.store.text(milestone)?.is_some_and(|now| now != base) {
            return Err(StoreError::Stale.into());
        }
        let unknown = || Refusal::Unknown { node: Node::Milestone(milestone), nearest: None };
        let now = snapshot.documents.get(&milestone).ok_or_else(unknown)?;
        let (changes, _) = by_owner(difference(&now.tree(), &said.tree()));
        let command = Command::Amend { milestone, changes };
        self.carry_out(&command, &self.context(actor), Some((milestone, text)))
    }

    fn carry_out(
        &self,
        command: &Command,
        context: &Context,
        text: Option<(MilestoneId, &str)>,
    ) -> std::result::Result<Outcome, Error> {
        let _turn = self.store.turn()?;
        for round in 0..TRIES_MAX {
            let snapshot = self.read(&needs(command), &context.actor)?;
            let events = decide(&snapshot, command, context)?;
            if events.is_empty() && text.is_none() {
                return Ok(Outcome { events, snapshot });
            }
            let mut change = Change::new(&snapshot, context.change, events);
            change.texts.extend(text.map(|(id, text)| (id, text.to_owned())));
            match self.store.commit(&change) {
                Ok(committed) => {
                    let mut snapshot = snapshot;
                    change.documents.into_values().for_each(|document| snapshot.insert(document));
                    if committed.saved_over {
                        self.settled(&needs(command), &context.actor)?;
                    }
                    return Ok(Outcome { events: change.events, snapshot });
                }
                Err(StoreError::Stale) => pause(round, context.change),
                Err(error) => return Err(error.into()),
            }
        }
        Err(StoreError::Stale.into())
    }

    pub fn renew(&self, task: TaskId, credential: Credential, lease: Duration) -> Result<Renewed> {
        let _turn = self.store.turn()?;
        Ok(self.store.renew(task, credential, lease)?.map_or(Renewed::Lost, Renewed::Until))
    }

    pub fn events(
        &self,
        after: Option<&Cursor>,
        filter: &EventFilter,
        limit: usize,
    ) -> Result<Page> {
        self.store.events(after, filter, limit)
    }

    /// Waits until something happens after `after`, or the time is over.
    pub fn wait(
        &self,
        after: &Cursor,
        filter: &EventFilter,
        limit: usize,
        wait: Duration,
    ) -> Result<Page> {
        const PAUSE: Duration = Duration::from_millis(100);
        let started = Instant::now();
        loop {
            let page = self.events(Some(after), filter, limit)?;
            if !page.events.is_empty() || started.elapsed() >= wait {
                return Ok(page);
            }
            std::thread::sleep(PAUSE.min(wait));
        }
    }

    pub fn check(&self, mend: bool) -> Result<Vec<Problem>> {
        self.store.check(mend)
    }
}

fn taking_in(noticed: &Noticed) -> Option<Command> {
    let milestone = noticed.milestone;
    match &noticed.what {
        Difference::New(document) => Some(Command::Adopt { document: document.clone() }),
        Difference::Fields(changes) => Some(Command::TakeIn { milestone, changes: changes.clone() }),
        Difference::Layout => None,
    }
}

fn refused_edit(noticed: &Noticed, refusal: &Refusal) -> Problem {
    Problem {
        milestone: Some(noticed.milestone),
        file: noticed.file.clone(),
        line: None,
        column: None,
        kind: ProblemKind::RefusedEdit,
        message: format!("an edit in this file does not count yet: {refusal}"),
        next: refusal.next(),
    }
}

/// A little longer with every try, and differently for everybody who tries.
fn pause(round: u32, change: ChangeId) {
    let jitter = u64::from(change.0.as_bytes()[15]) % 8;
    std::thread::sleep(Duration::from_millis((1 << round.min(5)) + jitter));
}
