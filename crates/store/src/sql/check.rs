//! Whether what is kept is what it should be: documents against their events, and everything that
//! is only there to be found by against the documents.

use std::collections::BTreeSet;

use milestone_domain::apply::fold;
use milestone_domain::document::Milestone;
use milestone_domain::event::ChangeId;
use milestone_domain::ids::MilestoneId;
use milestone_domain::snapshot::{Outline, Problem, ProblemKind, Scope, Snapshot};
use uuid::Uuid;

use super::commit::{document_values, edges};
use super::{Connection, Database, Value, number};
use crate::error::StoreError;
use crate::{Change, Mending, Result, Touched};

/// The columns of a document that repeat what it says, in the order of its values.
const COLUMNS: [&str; 7] =
    ["archived", "title", "status", "priority", "assignee", "due", "provides"];

const MENDED: &str = "`milestone doctor --fix` makes it anew from the documents";
const RESTORED: &str = "nothing was changed; restore a backup: `milestone storage status`";

/// What was found wrong with one milestone.
#[derive(Default)]
struct Findings {
    problems: Vec<Problem>,
    /// What is only made of documents and differs from what they make, if anything is.
    projections: Vec<&'static str>,
}

impl<C: Connection> Database<C> {
    /// What others write meanwhile is no damage: that is there at every look.
    pub(super) fn check_all(&self) -> Result<Vec<Problem>> {
        let problems = self.look()?;
        if problems.is_empty() {
            return Ok(problems);
        }
        let again = self.look()?;
        Ok(problems.into_iter().filter(|problem| again.contains(problem)).collect())
    }

    fn look(&self) -> Result<Vec<Problem>> {
        let mut problems = Vec::new();
        for message in self.connection.check_pages()? {
            problems.push(problem(None, ProblemKind::Other, message, RESTORED));
        }
        for id in self.ids()? {
            problems.extend(self.findings(id)?.problems);
        }
        Ok(problems)
    }

    /// Makes anew what is only made of documents. What they themselves say is for people to mend.
    pub(super) fn mend_all(&self) -> Result<Mending> {
        let mut mending = Mending::default();
        for id in self.ids()? {
            let findings = self.findings(id)?;
            if !findings.projections.is_empty() && self.make_anew(id)? {
                let what = findings.projections.join(", ");
                mending.done.push(format!("{id}: made anew from its document: {what}"));
            }
            let rest = findings.problems.iter().filter(|problem| problem.next != MENDED);
            mending.left.extend(rest.map(|problem| problem.message.clone()));
        }
        Ok(mending)
    }

    /// Whatever has an id anywhere.
    fn ids(&self) -> Result<BTreeSet<MilestoneId>> {
        let project = self.project;
        let sql = format!(
            "SELECT id FROM milestone_document WHERE project = {project} \
             UNION SELECT milestone FROM milestone_task WHERE project = {project} \
             UNION SELECT milestone FROM milestone_edge WHERE project = {project} \
             UNION SELECT milestone FROM milestone_event \
               WHERE project = {project} AND milestone > 0"
        );
        self.ids_by(&sql)
    }

    /// A row that cannot be read hides its own milestone and no other.
    fn findings(&self, id: MilestoneId) -> Result<Findings> {
        match self.look_at(id) {
            Err(error @ (StoreError::BadRow { .. } | StoreError::Corrupt { .. })) => {
                let found =
                    problem(Some(id), ProblemKind::Unreadable, format!("{id}: {error}"), RESTORED);
                Ok(Findings { problems: vec![found], projections: Vec::new() })
            }
            findings => findings,
        }
    }

    fn look_at(&self, id: MilestoneId) -> Result<Findings> {
        let snapshot = self.read_scope(&Scope::Milestone(id))?;
        let folded = fold(&self.events_of(id)?);
        let mut findings = Findings::default();
        let Some(document) = snapshot.documents.get(&id) else {
            if folded.is_some() {
                let message = format!("{id}: its history is there, its document is not");
                let kind = ProblemKind::MissingDocument;
                findings.problems.push(problem(Some(id), kind, message, RESTORED));
            }
            return Ok(findings);
        };
        findings.problems.extend(unlike_history(document, folded.as_ref()));
        findings.problems.extend(self.unlisted_tasks(id)?);
        findings.projections = self.differing(&snapshot, document)?;
        findings.problems.extend(findings.projections.iter().map(|what| {
            let message = format!("{id}: {what} not what its document says");
            problem(Some(id), ProblemKind::Other, message, MENDED)
        }));
        Ok(findings)
    }

    /// Which of what is only made of a document is not what the document makes of it.
    fn differing(&self, snapshot: &Snapshot, document: &Milestone) -> Result<Vec<&'static str>> {
        let mut differing = Vec::new();
        if snapshot.outline(document.id) != Some(&Outline::of(document)) {
            differing.push("its outline is");
        }
        if !self.has_columns(document)? || !self.has_task_columns(document)? {
            differing.push("its columns are");
        }
        if self.kept_edges(document)? != edges(document) {
            differing.push("its requirements as others find them are");
        }
        Ok(differing)
    }

    fn has_columns(&self, document: &Milestone) -> Result<bool> {
        let sql = format!(
            "SELECT archived, title, status, priority, assignee, due, provides \
             FROM milestone_document WHERE project = {} AND id = {}",
            self.project, document.id.0
        );
        let values = document_values(document);
        let kept = self.one(&sql, &[], |row| {
            let mut same = true;
            for (column, value) in values.iter().take(COLUMNS.len()).enumerate() {
                same &= match value {
                    Value::Int(number) => row.int(column)? == *number,
                    Value::Text(text) => row.text(column)? == text.as_ref(),
                    Value::Bytes(bytes) => row.bytes(column)? == bytes.as_ref(),
                };
            }
            Ok(same)
        })?;
        Ok(kept.unwrap_or(false))
    }

    fn has_task_columns(&self, document: &Milestone) -> Result<bool> {
        let sql = format!(
            "SELECT number, archived, title, status FROM milestone_task \
             WHERE project = {} AND milestone = {}",
            self.project, document.id.0
        );
        let mut same = true;
        self.connection.each(&sql, &[], &mut |row| {
            let number = number(row, 0)?;
            let archived = (row.int(1)? == 1) == document.archived;
            same &= document.task(number).is_some_and(|task| {
                archived
                    && row.text(2).is_ok_and(|title| title == task.title)
                    && row.text(3).is_ok_and(|status| status == task.status.word())
            });
            Ok(())
        })?;
        Ok(same)
    }

    fn kept_edges(&self, document: &Milestone) -> Result<BTreeSet<(u32, u32, u32)>> {
        let sql = format!(
            "SELECT task, on_milestone, on_task, open FROM milestone_edge \
             WHERE project = {} AND milestone = {}",
            self.project, document.id.0
        );
        let mut kept = BTreeSet::new();
        self.connection.each(&sql, &[], &mut |row| {
            // One that is open for a milestone that is not leads nowhere that was meant.
            let wrong = (row.int(3)? == 1) == document.archived;
            let task = if wrong { u32::MAX } else { number(row, 0)? };
            kept.insert((task, number(row, 1)?, number(row, 2)?));
            Ok(())
        })?;
        Ok(kept)
    }

    /// A task that the order names must be there, and the other way round.
    fn unlisted_tasks(&self, id: MilestoneId) -> Result<Option<Problem>> {
        let sql = format!(
            "SELECT tasks FROM milestone_document WHERE project = {} AND id = {}",
            self.project, id.0
        );
        let order = self.one(&sql, &[], |row| row.string(0))?.unwrap_or_default();
        let mut listed: Vec<String> = order.split(' ').map(str::to_owned).collect();
        listed.retain(|number| !number.is_empty());
        let sql = format!(
            "SELECT number FROM milestone_task WHERE project = {} AND milestone = {}",
            self.project, id.0
        );
        let mut there = Vec::new();
        self.connection.each(&sql, &[], &mut |row| {
            there.push(row.int(0)?.to_string());
            Ok(())
        })?;
        listed.sort();
        there.sort();
        let message = format!("{id}: the order of its tasks names others than there are");
        Ok((listed != there)
            .then(|| problem(Some(id), ProblemKind::BrokenHistory, message, RESTORED)))
    }

    /// `false` if somebody changed it in this moment: then there is nothing to say of it any more.
    fn make_anew(&self, id: MilestoneId) -> Result<bool> {
        self.begin()?;
        self.keep_if(self.made_anew(id), |made| *made)
    }

    fn made_anew(&self, id: MilestoneId) -> Result<bool> {
        let snapshot = self.read_scope(&Scope::Milestone(id))?;
        let Some(document) = snapshot.documents.get(&id) else { return Ok(false) };
        let mut change = Change::new(&snapshot, ChangeId(Uuid::now_v7()), Vec::new());
        change.touched.insert(id, Touched::all(document));
        if !self.hold(&change)?.is_as_read {
            return Ok(false);
        }
        self.write_document(&change, id, document)?;
        self.write_edges(id, document)?;
        Ok(true)
    }
}

fn unlike_history(document: &Milestone, folded: Option<&Milestone>) -> Option<Problem> {
    let id = document.id;
    let kind = ProblemKind::BrokenHistory;
    let Some(folded) = folded else {
        let message = format!("{id}: its document is there, its history is not");
        return Some(problem(Some(id), kind, message, RESTORED));
    };
    let mut fields: Vec<String> =
        folded.changes_to(document).iter().map(|change| change.path.to_string()).collect();
    if folded.archived != document.archived {
        fields.push("archived".into());
    }
    let message = format!("{id}: it says something else than its history: {}", fields.join(", "));
    (!fields.is_empty()).then(|| problem(Some(id), kind, message, RESTORED))
}

fn problem(
    milestone: Option<MilestoneId>,
    kind: ProblemKind,
    message: String,
    next: &str,
) -> Problem {
    let file = "the database".to_owned();
    Problem { milestone, file, line: None, column: None, kind, message, next: next.to_owned() }
}

#[cfg(test)]
mod tests;
