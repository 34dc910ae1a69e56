//! What is made of milestones and of all that happened to them, so that not every reading goes
//! through every history: how far they were on each day, and what of them can be found.
//!
//! Who reads keeps it, and who writes need not know of it: a mark says up to which event everything
//! is kept, and a milestone to which anything happened after the mark is made anew.

use std::collections::{BTreeMap, BTreeSet};

use milestone_domain::document::Milestone;
use milestone_domain::event::Recorded;
use milestone_domain::ids::MilestoneId;
use milestone_domain::past::Trail;
use milestone_domain::search::{Found, Query, Searchable, search};

use super::events::{Position, recorded};
use super::read::{listed, packed, unpacked};
use super::{Connection, Database, Row, Rows, Value, milestone};
use crate::Result;
use crate::error::StoreError;

/// From how many milestones on it is worth writing what was made of them: below that, making them
/// anew costs less than a transaction.
const KEPT_TOGETHER: usize = 16;

/// How many milestones are made anew at a time, so that memory does not grow with the project.
const MADE_TOGETHER: usize = 256;

const COLUMNS: &str = "milestone_made (project, milestone, tx, seq, highest, trail, searchable)";

/// Up to which event everything is kept. It stands among what is kept, so that neither is ever
/// there without the other.
struct Mark {
    upto: Position,
    /// Of the last event that was there at all: where a server was restored from a dump,
    /// transactions are counted from the beginning again.
    highest: i64,
}

/// A milestone, and all that happened to it.
struct Told {
    milestone: Milestone,
    events: Vec<Recorded>,
}

impl<C: Connection> Database<C> {
    pub(super) fn find(&self, query: &Query) -> Result<Found> {
        let mut anew = self.to_be_made()?;
        let mut kept = Vec::new();
        let sql = format!(
            "SELECT milestone, searchable FROM milestone_made WHERE project = {} AND milestone > 0",
            self.project
        );
        self.connection.each(&sql, &[], &mut |row| {
            let id = milestone(row, 0)?;
            if !anew.contains(&id) {
                kept.push((id, row.bytes(1)?.to_vec()));
            }
            Ok(())
        })?;
        let mut all: Vec<Searchable<'_>> = Vec::new();
        for (id, bytes) in &kept {
            match unpacked(bytes) {
                Some(searchable) => all.push(searchable),
                None => drop(anew.insert(*id)),
            }
        }
        self.each_told(&anew, &mut |told| {
            all.push(Searchable::of(&told.milestone, &told.events));
            Ok(())
        })?;
        Ok(search(query, &all))
    }

    pub(super) fn trails_of(
        &self,
        ids: &BTreeSet<MilestoneId>,
    ) -> Result<BTreeMap<MilestoneId, Trail>> {
        let happened = self.to_be_made()?;
        let mut trails = BTreeMap::new();
        if !ids.is_empty() {
            let sql = format!(
                "SELECT milestone, trail FROM milestone_made \
                 WHERE project = {} AND milestone IN ({})",
                self.project,
                listed(ids)
            );
            self.connection.each(&sql, &[], &mut |row| {
                let id = milestone(row, 0)?;
                let trail = unpacked(row.bytes(1)?).filter(|_| !happened.contains(&id));
                trails.extend(trail.map(|trail| (id, trail)));
                Ok(())
            })?;
        }
        let anew = ids.iter().filter(|id| !trails.contains_key(id)).copied().collect();
        for (id, events) in self.histories(&anew)? {
            trails.insert(id, Trail::of(&events));
        }
        Ok(trails)
    }

    /// The milestones to which something happened after the mark.
    fn happened_to(&self) -> Result<BTreeSet<MilestoneId>> {
        let (mut ids, mut moved) = (BTreeSet::new(), false);
        self.connection.each(&self.after_the_mark(), &[], &mut |row| {
            match row.int(0)? {
                -1 => moved = true,
                0 => {}
                _ => drop(ids.insert(milestone(row, 0)?)),
            }
            Ok(())
        })?;
        if moved && !self.begun.get() { Err(StoreError::Moved) } else { Ok(ids) }
    }

    /// Each part goes by an index of its own: for what is said together, or beside the last one's
    /// number, SQLite takes an index in which it has to go through everything that ever happened.
    fn after_the_mark(&self) -> String {
        let project = self.project;
        let mark = |column: &str| {
            format!(
                "COALESCE((SELECT {column} FROM milestone_made \
                 WHERE project = {project} AND milestone = 0), -1)"
            )
        };
        let (tx, seq, highest) = (mark("tx"), mark("seq"), mark("highest"));
        format!(
            "SELECT milestone FROM milestone_event \
             WHERE project = {project} AND tx = {tx} AND seq > {seq} \
             UNION SELECT milestone FROM milestone_event WHERE project = {project} AND tx > {tx} \
             UNION SELECT milestone FROM milestone_event \
             WHERE seq > {highest} AND +project = {project} \
             UNION SELECT -1 FROM milestone_project WHERE id = {project} AND moved_to <> ''"
        )
    }

    /// The milestones that have to be made anew for this reading. Where there are many, what is
    /// made of them is kept. That is only for speed: where it cannot be written, the reading goes
    /// on without.
    fn to_be_made(&self) -> Result<BTreeSet<MilestoneId>> {
        let happened = self.happened_to()?;
        let in_turn = self.begun.get() || self.turns.get() > 0;
        if happened.len() < KEPT_TOGETHER || in_turn || self.begin().is_err() {
            return Ok(happened);
        }
        match self.make_and_keep().and_then(|()| self.keep()) {
            Ok(()) => self.happened_to(),
            Err(_) => {
                self.roll_back();
                Ok(happened)
            }
        }
    }

    /// In a transaction of its own, one at a time: what another one keeps meanwhile is newer.
    fn make_and_keep(&self) -> Result<()> {
        let project = self.project;
        let nothing = Mark { upto: Position { tx: -1, seq: -1 }, highest: -1 };
        let held = " ON CONFLICT (project, milestone) DO UPDATE SET tx = milestone_made.tx";
        self.connection.insert(COLUMNS, vec![self.mark_row(&nothing)], held)?;
        // First how far one may read, then what is there: what begins in between comes later.
        let horizon = self.connection.horizon(project)?;
        let upto = self.end(Position::default(), horizon)?;
        let sql =
            format!("SELECT COALESCE(MAX(seq), -1) FROM milestone_event WHERE project = {project}");
        let highest = self.one(&sql, &[], |row| row.int(0))?.unwrap_or(-1);
        let mut rows = Vec::new();
        self.each_told(&self.happened_to()?, &mut |Told { milestone, events }| {
            let made = (&Trail::of(&events), &Searchable::of(&milestone, &events));
            rows.push(self.made_row(milestone.id, made));
            if rows.len() < MADE_TOGETHER { Ok(()) } else { self.write_made(&mut rows) }
        })?;
        rows.push(self.mark_row(&Mark { upto, highest }));
        self.write_made(&mut rows)
    }

    fn mark_row(&self, mark: &Mark) -> Row {
        let numbers = [self.project, 0, mark.upto.tx, mark.upto.seq, mark.highest];
        let numbers = numbers.into_iter().map(Value::Int);
        numbers.chain([Vec::new().into(), Vec::new().into()]).collect()
    }

    fn made_row(&self, id: MilestoneId, (trail, searchable): (&Trail, &Searchable<'_>)) -> Row {
        let (trail, searchable) = (packed(trail), packed(searchable));
        let numbers = [self.project, i64::from(id.0), 0, 0, 0].into_iter().map(Value::Int);
        numbers.chain([trail.into(), searchable.into()]).collect()
    }

    fn write_made(&self, rows: &mut Rows) -> Result<()> {
        let again = " ON CONFLICT (project, milestone) DO UPDATE SET \
             tx = excluded.tx, seq = excluded.seq, highest = excluded.highest, \
             trail = excluded.trail, searchable = excluded.searchable";
        self.connection.insert(COLUMNS, std::mem::take(rows), again)
    }

    /// Reads these milestones and all that happened to them, some at a time.
    fn each_told(
        &self,
        ids: &BTreeSet<MilestoneId>,
        each: &mut dyn FnMut(Told) -> Result<()>,
    ) -> Result<()> {
        let ids: Vec<MilestoneId> = ids.iter().copied().collect();
        for together in ids.chunks(MADE_TOGETHER) {
            let together = together.iter().copied().collect();
            let mut histories = self.histories(&together)?;
            for (id, milestone) in self.documents(together)?.documents {
                let events = histories.remove(&id).unwrap_or_default();
                each(Told { milestone, events })?;
            }
        }
        Ok(())
    }

    /// All that ever happened to these, each in its order.
    fn histories(
        &self,
        ids: &BTreeSet<MilestoneId>,
    ) -> Result<BTreeMap<MilestoneId, Vec<Recorded>>> {
        let mut histories: BTreeMap<MilestoneId, Vec<Recorded>> =
            ids.iter().map(|id| (*id, Vec::new())).collect();
        if ids.is_empty() {
            return Ok(histories);
        }
        let sql = format!(
            "SELECT milestone, body FROM milestone_event \
             WHERE project = {} AND milestone IN ({}) ORDER BY milestone, seq",
            self.project,
            listed(ids)
        );
        self.connection.each(&sql, &[], &mut |row| {
            let of = histories.entry(milestone(row, 0)?).or_default();
            of.push(recorded(row.text(1)?)?);
            Ok(())
        })?;
        Ok(histories)
    }
}

#[cfg(test)]
#[cfg(feature = "sqlite")]
mod tests {
    use super::super::read::tests::steps;
    use super::*;

    #[test]
    fn what_happened_since_is_found_without_all_that_ever_happened() {
        let steps = steps(Database::after_the_mark);
        let events: Vec<_> = steps.iter().filter(|step| step.contains("milestone_event")).collect();
        let narrow = ["tx=? AND seq>?", "tx>?", "rowid>?"];
        assert_eq!(events.len(), narrow.len(), "{events:?}");
        for (step, narrow) in events.iter().zip(narrow) {
            assert!(step.contains(narrow), "{step}");
        }
    }
}
