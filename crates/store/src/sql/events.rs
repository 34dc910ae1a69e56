//! What happened, page by page.

use std::fmt::Write as _;

use milestone_domain::event::Recorded;
use milestone_domain::ids::MilestoneId;

use super::{Connection, Database};
use crate::error::StoreError;
use crate::{Cursor, EventFilter, Page, Result};

pub(super) fn recorded(body: &str) -> Result<Recorded> {
    serde_json::from_str(body).map_err(|error| StoreError::BadRow {
        table: "milestone_event",
        message: error.to_string(),
    })
}

/// How far somebody has followed: the transaction and the event in it.
#[derive(Clone, Copy, Default)]
pub(super) struct Position {
    pub tx: i64,
    pub seq: i64,
}

impl<C: Connection> Database<C> {
    pub(super) fn page(
        &self,
        after: Option<&Cursor>,
        filter: &EventFilter,
        limit: usize,
    ) -> Result<Page> {
        let epoch = self.epoch()?;
        let position = match after {
            None => Position::default(),
            Some(cursor) => position(cursor, &epoch)?,
        };
        // First how far one may read, then what is there: what begins in between comes later.
        let horizon = self.connection.horizon(self.project)?;
        let of = |id: MilestoneId| format!(" AND milestone = {}", id.0);
        let mut wanted = filter.milestone.map(of).unwrap_or_default();
        if let Some(task) = filter.task {
            let _ = write!(wanted, "{} AND task = {}", of(task.milestone), task.number);
        }
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let sql = since(self.project, position, horizon, &wanted, limit);
        let mut events = Vec::new();
        let mut last = position;
        self.connection.each(&sql, &[], &mut |row| {
            last = Position { tx: row.int(0)?, seq: row.int(1)? };
            let recorded = recorded(row.text(2)?)?;
            events.push((last.seq, recorded));
            Ok(())
        })?;
        if events.len() < usize::try_from(limit).unwrap_or(usize::MAX) {
            last = self.end(last, horizon)?;
        }
        // What one transaction waited for another one to finish comes after that one's.
        events.sort_by_key(|(seq, _)| *seq);
        let events = events.into_iter().map(|(_, recorded)| recorded).collect();
        Ok(Page { events, next: Cursor(format!("{epoch}:{}:{}", last.tx, last.seq)) })
    }

    /// The last of all events, wanted or not: nobody need look at them again.
    pub(super) fn end(&self, at: Position, horizon: i64) -> Result<Position> {
        let sql = format!(
            "SELECT tx, seq FROM milestone_event WHERE project = {} AND tx < {horizon} \
             ORDER BY tx DESC, seq DESC LIMIT 1",
            self.project
        );
        let end = self.one(&sql, &[], |row| Ok(Position { tx: row.int(0)?, seq: row.int(1)? }))?;
        Ok(end.filter(|end| (end.tx, end.seq) > (at.tx, at.seq)).unwrap_or(at))
    }

    fn epoch(&self) -> Result<String> {
        if let Some(epoch) = self.epoch.borrow().clone() {
            return Ok(epoch);
        }
        let sql = format!("SELECT epoch FROM milestone_project WHERE id = {}", self.project);
        let epoch = self.one(&sql, &[], |row| row.string(0))?.unwrap_or_default();
        self.epoch.replace(Some(epoch.clone()));
        Ok(epoch)
    }
}

/// Each part goes by the index: for what is said with OR, SQLite goes through all that ever happened.
fn since(
    project: i64,
    Position { tx, seq }: Position,
    horizon: i64,
    wanted: &str,
    limit: i64,
) -> String {
    let part = |after: String| {
        format!(
            "SELECT tx, seq, body FROM milestone_event WHERE project = {project} AND {after}{wanted}"
        )
    };
    let same = part(format!("tx = {tx} AND {tx} < {horizon} AND seq > {seq}"));
    let later = part(format!("tx > {tx} AND tx < {horizon}"));
    format!("{same} UNION ALL {later} ORDER BY tx, seq LIMIT {limit}")
}

fn position(cursor: &Cursor, epoch: &str) -> Result<Position> {
    let parts = cursor.0.rsplitn(3, ':').collect::<Vec<_>>();
    let [seq, tx, of] = parts[..] else { return Err(StoreError::Gone) };
    match (tx.parse(), seq.parse()) {
        (Ok(tx), Ok(seq)) if of == epoch => Ok(Position { tx, seq }),
        _ => Err(StoreError::Gone),
    }
}

#[cfg(test)]
#[cfg(feature = "sqlite")]
mod tests {
    use super::super::read::tests::steps;
    use super::*;

    #[test]
    fn what_happened_since_is_read_without_all_that_ever_happened() {
        let steps = steps(|database| {
            since(database.project, Position { tx: 0, seq: 7 }, i64::MAX, "", 100)
        });
        let events: Vec<_> = steps.iter().filter(|step| step.contains("milestone_event")).collect();
        let narrow = ["tx=? AND seq>?", "tx>?"];
        assert_eq!(events.len(), narrow.len(), "{steps:?}");
        for (step, narrow) in events.iter().zip(narrow) {
            assert!(step.contains(narrow), "{step}");
        }
        let sorted = steps.iter().any(|step| step.contains("TEMP B-TREE"));
        assert!(!sorted, "{steps:?}");
    }
}
