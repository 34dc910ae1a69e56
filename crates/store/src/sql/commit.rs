//! Keeping a change: all of it in one transaction, or nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::time::Duration;

use milestone_domain::command::Credential;
use milestone_domain::document::{Milestone, Task};
use milestone_domain::event::{AttemptId, Event, Recorded, Stream};
use milestone_domain::ids::{MilestoneId, Node, TaskId};
use milestone_domain::snapshot::{Claim, ConditionSetBy, Outline, Part, TaskOutline};
use milestone_domain::status::Priority;

use super::read::{packed, parsed};
use super::{Columns, Connection, Database, Question, Row, Rows, Value, milestone, number};
use crate::error::StoreError;
use crate::planted;
use crate::{Change, ClaimChange, Result, Touched, pruned};

impl<C: Connection> Database<C> {
    pub(super) fn commit_once(&self, change: &Change) -> Result<()> {
        self.begin()?;
        self.keep_if(self.write(change), |is_written| *is_written).map(drop)
    }

    /// Whether there was anything to write.
    fn write(&self, change: &Change) -> Result<bool> {
        let held = self.hold(change)?;
        if held.is_known {
            return Ok(false);
        }
        if !held.is_as_read && !planted::has("versions-not-compared") {
            return Err(StoreError::Stale);
        }
        for (id, document) in &change.documents {
            self.write_document(change, *id, document)?;
        }
        self.write_claims(change)?;
        change.events.iter().try_for_each(|recorded| self.write_condition(recorded))?;
        if change.changes_graph() {
            self.count("graph")?;
        }
        self.insert_events(&change.events, "")?;
        self.write_offers(change)?;
        Ok(true)
    }

    /// Whether an earlier try of the same change was kept.
    pub(super) fn knows(&self, change: &Change) -> Result<bool> {
        let mut found = Found::default();
        self.connection.each_of(vec![self.known(change)], &mut |row| found.take(row))?;
        found.is_known()
    }

    /// Holds everything that the change was decided on and writes to, and says whether it still is
    /// what was read. All take them in the same order, so that no two wait for one another.
    pub(super) fn hold(&self, change: &Change) -> Result<Held> {
        let mut questions = self.holding(&parts(change));
        let mut found = Found::default();
        let resources = change.reads.get(&Part::Resources).filter(|_| !self.queued.get());
        if resources.is_some() {
            self.connection.each_of(questions, &mut |row| found.take(row))?;
            questions = vec![self.queued_for(change)?];
        }
        questions.push(self.known(change));
        self.connection.each_of(questions, &mut |row| found.take(row))?;
        let is_as_read =
            found.is_as_read(change) && resources.is_none_or(|read| *read == found.resources);
        Ok(Held { is_as_read, is_known: found.is_known()? })
    }

    /// Asks for the versions of parts, and holds them: alone those that are written to.
    fn holding(&self, parts: &BTreeMap<Part, bool>) -> Vec<Question> {
        let parts: Vec<(Part, bool)> = parts.iter().map(|(part, alone)| (*part, *alone)).collect();
        let together = |a: &(Part, bool), b: &(Part, bool)| kind(a.0) == kind(b.0) && a.1 == b.1;
        let runs = parts.chunk_by(together).flat_map(|run| run.chunks(PARTS_TOGETHER));
        runs.filter_map(|run| self.holding_alike(run)).collect()
    }

    /// The same of parts of one kind.
    fn holding_alike(&self, run: &[(Part, bool)]) -> Option<Question> {
        let (first, written) = run.first()?;
        let locking = self.connection.locking(*written);
        let mut values = vec![Value::Int(self.project)];
        let sql = match first {
            Part::Milestone(_) => {
                values.extend(run.iter().filter_map(|(part, _)| match part {
                    Part::Milestone(id) => Some(Value::from(id.0)),
                    _ => None,
                }));
                format!(
                    "SELECT 0, id, 0, version, '' FROM milestone_document \
                     WHERE project = $1 AND id IN {} ORDER BY id{locking}",
                    places(2, run.len(), 1)
                )
            }
            Part::Task(_) => {
                let keys = run.iter().flat_map(|(part, _)| match part {
                    Part::Task(task) => vec![task.milestone.0.into(), task.number.into()],
                    _ => Vec::new(),
                });
                values.splice(0..0, keys);
                let project = values.len();
                let columns = "SELECT 1, t.milestone, t.number, t.version, ''";
                match run.len() {
                    1 => format!(
                        "{columns} FROM milestone_task AS t \
                         WHERE t.milestone = $1 AND t.number = $2 AND t.project = $3{locking}"
                    ),
                    several => format!(
                        "{columns} FROM (VALUES {}) AS v CROSS JOIN milestone_task AS t \
                         WHERE t.project = ${project} AND t.milestone = v.column1 \
                           AND t.number = v.column2 ORDER BY t.milestone, t.number{locking}",
                        places(1, 2, several),
                        locking = of(locking, "t"),
                    ),
                }
            }
            Part::Graph => format!(
                "SELECT 2, 0, 0, value, '' FROM milestone_counter \
                 WHERE project = $1 AND name = 'graph'{locking}"
            ),
            // Nothing is held for it but the keys of its paths.
            Part::Resources => return None,
        };
        Some(Question { sql, values })
    }

    /// Whether the change is kept already, and whether anything is kept here any more.
    fn known(&self, change: &Change) -> Question {
        let sql = "SELECT 4, (SELECT COUNT(*) FROM (SELECT 1 FROM milestone_event \
               WHERE project = $1 AND change = $2 LIMIT 1) AS known), 0, 0, moved_to \
             FROM milestone_project WHERE id = $1";
        let values = vec![self.project.into(), change.id.0.to_string().into()];
        Question { sql: sql.into(), values }
    }

    pub(super) fn count(&self, name: &str) -> Result<()> {
        let sql = "INSERT INTO milestone_counter (project, name, value) VALUES ($1, $2, 1) \
             ON CONFLICT (project, name) DO UPDATE SET value = milestone_counter.value + 1";
        self.connection.write(sql.into(), vec![self.project.into(), name.to_owned().into()])
    }

    pub(super) fn write_document(
        &self,
        change: &Change,
        id: MilestoneId,
        document: &Milestone,
    ) -> Result<()> {
        let none = Touched::default();
        let touched = change.touched.get(&id).unwrap_or(&none);
        let text = change.texts.get(&id);
        if !change.reads.contains_key(&Part::Milestone(id)) && touched.document {
            self.insert_documents(vec![self.document_row(document, text)])?;
        } else if touched.document || text.is_some() {
            self.update_document(id, document, text)?;
        }
        let tasks = document.tasks.iter().filter(|task| touched.tasks.contains(&task.id.number));
        let rows: Vec<_> = tasks.map(|task| self.task_row(document, task)).collect();
        self.insert_tasks(rows)?;
        for number in &touched.removed {
            let sql = "DELETE FROM milestone_task \
                 WHERE project = $1 AND milestone = $2 AND number = $3";
            self.connection.write(sql.into(), self.task_key(TaskId::new(id, *number)))?;
        }
        if change.changes_graph() {
            self.write_edges(id, document)?;
            let key = |value: u32| vec![value.into(), self.project.into(), id.0.into()];
            let sql = "UPDATE milestone_task SET archived = $1 \
                 WHERE project = $2 AND milestone = $3 AND archived <> $1";
            self.connection.write(sql.into(), key(document.archived.into()))?;
            // A task's own provisions are the milestone's, whose row need not change with it.
            let sql = "UPDATE milestone_document SET provides = $1 \
                 WHERE project = $2 AND id = $3 AND provides <> $1";
            self.connection.write(sql.into(), key(provides(document)))?;
        }
        Ok(())
    }

    pub(super) fn insert_tasks(&self, rows: Rows) -> Result<()> {
        self.connection.insert(TASK_COLUMNS, rows, TASK_AGAIN)
    }

    pub(super) fn insert_documents(&self, rows: Rows) -> Result<()> {
        let inserted = self.connection.insert(DOCUMENT_COLUMNS, rows, "");
        match inserted.and_then(|()| self.connection.settle()) {
            // Somebody else was given the same id in this moment.
            Err(StoreError::Exists { .. }) => Err(StoreError::Stale),
            result => result,
        }
    }

    pub(super) fn document_row(&self, document: &Milestone, text: Option<&String>) -> Row {
        let mut row = vec![Value::Int(self.project), document.id.0.into(), Value::Int(1)];
        row.extend(document_values(document));
        row.push(text.cloned().unwrap_or_default().into());
        row
    }

    pub(super) fn update_document(
        &self,
        id: MilestoneId,
        document: &Milestone,
        text: Option<&String>,
    ) -> Result<()> {
        let mut values = document_values(document);
        let mut sql = "UPDATE milestone_document SET version = version + 1, archived = $1, \
             title = $2, status = $3, priority = $4, assignee = $5, due = $6, provides = $7, \
             tasks = $8, document = $9, outline = $10"
            .to_owned();
        if let Some(text) = text {
            sql.push_str(", text = $11");
            values.push(text.clone().into());
        }
        let place = values.len();
        let _ = write!(sql, " WHERE project = ${} AND id = ${}", place + 1, place + 2);
        values.extend([self.project.into(), id.0.into()]);
        self.connection.write(sql, values)
    }

    pub(super) fn task_row(&self, document: &Milestone, task: &Task) -> Row {
        vec![
            Value::Int(self.project),
            document.id.0.into(),
            task.id.number.into(),
            Value::Int(1),
            u32::from(document.archived).into(),
            task.title.clone().into(),
            task.status.word().to_owned().into(),
            word(task.priority.map(Priority::word)),
            task.assignee.clone().unwrap_or_default().into(),
            task.due.map(|due| due.to_string()).unwrap_or_default().into(),
            pruned::to_string(task).into(),
            packed(&TaskOutline::of(task)).into(),
        ]
    }

    pub(super) fn write_edges(&self, id: MilestoneId, document: &Milestone) -> Result<()> {
        let project = self.project;
        let sql = "DELETE FROM milestone_edge WHERE project = $1 AND milestone = $2";
        self.connection.write(sql.into(), vec![project.into(), id.0.into()])?;
        let edges = edges(document);
        self.insert_edges(self.edge_rows(document, &edges))?;
        self.meet(&edges.iter().map(|(_, on, task)| (*on, *task)).collect())
    }

    pub(super) fn edge_rows(
        &self,
        document: &Milestone,
        edges: &BTreeSet<(u32, u32, u32)>,
    ) -> Rows {
        let open = u32::from(!document.archived);
        let row = |(task, milestone, number): &(u32, u32, u32)| {
            let numbers = [document.id.0, *task, *milestone, *number, open];
            std::iter::once(Value::Int(self.project)).chain(numbers.map(Value::from)).collect()
        };
        edges.iter().map(row).collect()
    }

    pub(super) fn insert_edges(&self, rows: Rows) -> Result<()> {
        self.connection.insert(EDGE_COLUMNS, rows, "")
    }

    /// Whoever completes something wakes those who wait for it: one who only begins to wait must
    /// not pass by unseen, so one of the two waits for the other to be kept.
    pub(super) fn meet(&self, on: &BTreeSet<(u32, u32)>) -> Result<()> {
        if on.contains(&(0, 0)) {
            self.count("conditions")?;
        }
        if self.connection.locking(false).is_empty() {
            return Ok(());
        }
        let part = |(id, number): &(u32, u32)| match (MilestoneId(*id), *number) {
            (id, 0) => Part::Milestone(id),
            (id, number) => Part::Task(TaskId::new(id, number)),
        };
        let awaited: BTreeMap<Part, bool> =
            on.iter().filter(|(id, _)| *id > 0).map(|on| (part(on), false)).collect();
        if awaited.is_empty() {
            return Ok(());
        }
        self.connection.each_of(self.holding(&awaited), &mut |_| Ok(()))
    }

    fn write_claims(&self, change: &Change) -> Result<()> {
        for change in change.claims() {
            match change {
                ClaimChange::Ended { task } => {
                    let sql = format!("DELETE FROM milestone_claim WHERE {IS_TASK}");
                    self.connection.write(sql, self.task_key(task))?;
                }
                ClaimChange::Granted { claim, lease } => self.grant(&claim, lease)?,
            }
        }
        Ok(())
    }

    pub(super) fn grant(&self, claim: &Claim, lease: Duration) -> Result<()> {
        let now = self.connection.now();
        let sql = format!(
            "INSERT INTO milestone_claim (project, milestone, task, attempt, fence, actor, boot, \
             deadline, resources) VALUES ($1, $2, $3, $4, $5, $6, $7, {} + $8, $9) \
             ON CONFLICT (project, milestone, task) DO UPDATE SET attempt = excluded.attempt, \
             fence = excluded.fence, actor = excluded.actor, boot = excluded.boot, \
             deadline = excluded.deadline, resources = excluded.resources",
            now.millis,
        );
        // As it is, empty or not: it is read as a list again.
        let resources = serde_json::to_string(&claim.resources).unwrap_or_default();
        let mut values = self.task_key(claim.task);
        values.extend([
            claim.attempt.0.to_string().into(),
            Value::Int(i64::try_from(claim.fence).unwrap_or(i64::MAX)),
            claim.actor.clone().into(),
            now.boot.into(),
            Value::Int(millis(lease)),
            resources.into(),
        ]);
        self.connection.write(sql, values)
    }

    pub(super) fn task_key(&self, task: TaskId) -> Vec<Value<'static>> {
        vec![self.project.into(), task.milestone.0.into(), task.number.into()]
    }

    pub(super) fn write_condition(&self, recorded: &Recorded) -> Result<()> {
        let project = Value::Int(self.project);
        match &recorded.event {
            Event::ConditionSet { name, .. } => {
                let by = ConditionSetBy { by: recorded.by.clone(), at: recorded.at };
                let sql = "INSERT INTO milestone_condition (project, name, set_by) \
                     VALUES ($1, $2, $3) \
                     ON CONFLICT (project, name) DO UPDATE SET set_by = excluded.set_by";
                let values = vec![project, name.clone().into(), pruned::to_string(&by).into()];
                self.connection.write(sql.into(), values)
            }
            Event::ConditionCleared { name, .. } => {
                let sql = "DELETE FROM milestone_condition WHERE project = $1 AND name = $2";
                self.connection.write(sql.into(), vec![project, name.clone().into()])
            }
            _ => Ok(()),
        }
    }

    pub(super) fn insert_events(&self, events: &[Recorded], then: &str) -> Result<()> {
        let rows: Vec<_> = events.iter().map(|recorded| self.event_row(recorded)).collect();
        self.insert_event_rows(rows, then)
    }

    pub(super) fn insert_event_rows(&self, rows: Rows, then: &str) -> Result<()> {
        self.connection.insert(EVENT_COLUMNS, rows, then)
    }

    pub(super) fn event_row(&self, recorded: &Recorded) -> Vec<Value<'static>> {
        let milestone = match recorded.stream {
            Stream::Milestone(id) => id.0,
            Stream::Project => 0,
        };
        let body = serde_json::to_value(recorded).unwrap_or_default();
        let kind = body["kind"].as_str().unwrap_or_default().to_owned();
        vec![
            Value::Int(self.project),
            recorded.id.change.0.to_string().into(),
            u32::from(recorded.id.index).into(),
            milestone.into(),
            recorded.event.task().unwrap_or(0).into(),
            recorded.at.to_string().into(),
            recorded.by.clone().into(),
            kind.into(),
            body.to_string().into(),
        ]
    }

    /// Moves a claim's deadline, if the credential is its own.
    pub(super) fn renewed(
        &self,
        task: TaskId,
        credential: Credential,
        lease: Duration,
    ) -> Result<Option<Claim>> {
        self.check_seal()?;
        let of_task = "project = $1 AND milestone = $2 AND number = $3";
        let key = self.task_key(task);
        // In the order in which a change takes them: the task, then its claim.
        let locking = self.connection.locking(true);
        let sql = format!("SELECT version FROM milestone_task WHERE {of_task}{locking}");
        self.one(&sql, &key, |row| row.int(0))?;
        let now = self.connection.now();
        let sql = format!(
            "SELECT attempt, fence, actor, boot, resources, deadline - {} FROM milestone_claim \
             WHERE {IS_TASK}",
            now.millis
        );
        let kept = self.one(&sql, &key, |row| {
            let attempt = uuid::Uuid::try_parse(row.text(0)?).unwrap_or_default();
            let claim = Claim {
                task,
                attempt: AttemptId(attempt),
                fence: number(row, 1)?,
                actor: row.string(2)?,
                seconds_left: Some(lease.as_millis().div_ceil(1000).try_into().unwrap_or(u64::MAX)),
                resources: parsed("milestone_claim", row.text(4)?)?,
            };
            let lapsed = row.text(3)? != now.boot || row.int(5)? <= 0;
            Ok((claim, lapsed))
        })?;
        let Some((claim, lapsed)) = kept else { return Ok(None) };
        let attempt = credential.attempt.is_none_or(|attempt| attempt == claim.attempt);
        if credential.fence != Some(claim.fence) || !attempt {
            return Ok(None);
        }
        let sql = format!(
            "UPDATE milestone_claim SET deadline = {} + $4, boot = $5 WHERE {IS_TASK}",
            now.millis,
        );
        let mut values = key.clone();
        values.extend([Value::Int(millis(lease)), now.boot.into()]);
        self.connection.write(sql, values)?;
        if lapsed {
            // Whoever was about to take the lapsed claim over has read what is no longer so.
            let sql = format!("UPDATE milestone_task SET version = version + 1 WHERE {of_task}");
            self.connection.write(sql, key)?;
        }
        Ok(Some(claim))
    }
}

/// How things stand once everything is held that a change rests on.
pub(super) struct Held {
    pub is_as_read: bool,
    /// An earlier try of the same change was kept.
    pub is_known: bool,
}

/// What was found while holding it.
#[derive(Default)]
struct Found {
    versions: BTreeMap<Part, i64>,
    resources: String,
    /// Whether the change is known; nothing in a project that is not here.
    known: Option<bool>,
}

impl Found {
    fn take(&mut self, row: &dyn Columns) -> Result<()> {
        let part = match row.int(0)? {
            0 => Part::Milestone(milestone(row, 1)?),
            1 => Part::Task(TaskId::new(milestone(row, 1)?, number(row, 2)?)),
            2 => Part::Graph,
            3 => {
                self.resources = row.string(4)?;
                return Ok(());
            }
            _ => {
                let is_here = row.text(4)?.is_empty() || planted::has("seal-not-checked");
                self.known = is_here.then_some(row.int(1)? > 0);
                return Ok(());
            }
        };
        self.versions.insert(part, row.int(3)?);
        Ok(())
    }

    /// Nothing is kept any more in a project that has moved elsewhere.
    fn is_known(&self) -> Result<bool> {
        let known = self.known.ok_or(StoreError::Moved)?;
        Ok(known && !planted::has("change-id-not-asked"))
    }

    fn is_as_read(&self, change: &Change) -> bool {
        let mut reads = change.reads.iter().filter(|(part, _)| **part != Part::Resources);
        reads.all(|(part, version)| {
            let now = self.versions.get(part).copied();
            // Nobody has counted anything yet.
            let now = now.or((*part == Part::Graph).then_some(0));
            now.map(|now: i64| now.to_string()).as_ref() == Some(version)
        }) && change.touched.keys().all(|id| {
            // What was not there when it was read must not be there now.
            let part = Part::Milestone(*id);
            change.reads.contains_key(&part) || !self.versions.contains_key(&part)
        })
    }
}

/// What a change rests on and writes to, and of which it writes to.
fn parts(change: &Change) -> BTreeMap<Part, bool> {
    let mut parts: BTreeMap<Part, bool> = change.reads.keys().map(|part| (*part, false)).collect();
    for (id, touched) in &change.touched {
        if touched.document {
            parts.insert(Part::Milestone(*id), true);
        }
        let tasks = touched.tasks.iter().chain(&touched.removed);
        parts.extend(tasks.map(|number| (Part::Task(TaskId::new(*id, *number)), true)));
    }
    parts.extend(change.texts.keys().map(|id| (Part::Milestone(*id), true)));
    if change.changes_graph() {
        parts.insert(Part::Graph, true);
    }
    parts.remove(&Part::Resources);
    parts
}

/// `($2, $3), ($4, $5)`: places for values, in rows of so many, beginning with the first.
pub(super) fn places(first: usize, width: usize, rows: usize) -> String {
    let row = |row: usize| {
        let own = (0..width).map(|column| format!("${}", first + row * width + column));
        format!("({})", own.collect::<Vec<_>>().join(", "))
    };
    (0..rows).map(row).collect::<Vec<_>>().join(", ")
}

/// A condition on the first three values, a task's key.
const IS_TASK: &str = "project = $1 AND milestone = $2 AND task = $3";

/// How many parts one statement names.
pub(super) const PARTS_TOGETHER: usize = 1000;

const DOCUMENT_COLUMNS: &str = "milestone_document (project, id, version, archived, title, status, \
     priority, assignee, due, provides, tasks, document, outline, text)";

const EDGE_COLUMNS: &str = "milestone_edge (project, milestone, task, on_milestone, on_task, open)";

const EVENT_COLUMNS: &str = "milestone_event (project, change, position, milestone, task, at, \
     actor, kind, body)";

const TASK_COLUMNS: &str = "milestone_task (project, milestone, number, version, archived, title, \
     status, priority, assignee, due, document, outline)";

const TASK_AGAIN: &str = " ON CONFLICT (project, milestone, number) DO UPDATE SET \
     version = milestone_task.version + 1, archived = excluded.archived, title = excluded.title, \
     status = excluded.status, priority = excluded.priority, assignee = excluded.assignee, \
     due = excluded.due, document = excluded.document, outline = excluded.outline";

/// What a milestone (0) and its tasks wait for: the task, and the milestone and task it waits for.
pub(super) fn edges(document: &Milestone) -> BTreeSet<(u32, u32, u32)> {
    let own = document.dependencies.requires.iter().map(|reference| (0, reference));
    let tasks = document
        .tasks
        .iter()
        .flat_map(|task| task.requires.iter().map(|reference| (task.id.number, reference)));
    let waiting = document.tasks.iter().filter(|task| !task.conditions.is_empty());
    // Conditions, which anybody may provide, are an edge to nobody in particular.
    let conditions = waiting.map(|task| (task.id.number, 0, 0));
    let has_own = !document.dependencies.conditions.is_empty();
    own.chain(tasks)
        .map(|(number, reference)| match reference.node(document.id) {
            Node::Milestone(on) => (number, on.0, 0),
            Node::Task(on) => (number, on.milestone.0, on.number),
        })
        .chain(conditions)
        .chain(has_own.then_some((0, 0, 0)))
        .collect()
}

fn provides(document: &Milestone) -> u32 {
    u32::from(Outline::of(document).provisions().next().is_some())
}

/// What a document's row says, from `archived` to `outline`.
pub(super) fn document_values(document: &Milestone) -> Vec<Value<'static>> {
    let order = document.tasks.iter().map(|task| task.id.number.to_string());
    let order = order.collect::<Vec<_>>().join(" ");
    let header = Milestone { tasks: Vec::new(), ..document.clone() };
    vec![
        u32::from(document.archived).into(),
        document.title.clone().into(),
        document.status.word().to_owned().into(),
        word(document.priority.map(Priority::word)),
        document.assignee.clone().unwrap_or_default().into(),
        document.due.map(|due| due.to_string()).unwrap_or_default().into(),
        provides(document).into(),
        order.into(),
        pruned::to_string(&header).into(),
        packed(&Outline::without_tasks(document)).into(),
    ]
}

/// What a query ends with that joins and locks the rows of one table only.
pub(super) fn of(locking: &str, table: &str) -> String {
    if locking.is_empty() { String::new() } else { format!("{locking} OF {table}") }
}

fn word(word: Option<&'static str>) -> Value<'static> {
    Value::Text(word.unwrap_or_default().into())
}

fn kind(part: Part) -> u8 {
    match part {
        Part::Milestone(_) => 0,
        Part::Task(_) => 1,
        Part::Graph => 2,
        Part::Resources => 3,
    }
}

fn millis(lease: Duration) -> i64 {
    i64::try_from(lease.as_millis()).unwrap_or(i64::MAX / 4)
}
