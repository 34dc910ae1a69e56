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
use super::{Connection, Database, Value};
use crate::error::StoreError;
use crate::planted;
use crate::{Change, ClaimChange, Result, Touched, pruned};

impl<C: Connection> Database<C> {
    pub(super) fn commit_once(&self, change: &Change) -> Result<()> {
        self.begin()?;
        match self.write(change) {
            Ok(true) => {
                let kept = self.keep();
                if matches!(kept, Err(StoreError::ConnectionLost(_))) {
                    self.in_doubt.set(true);
                }
                kept
            }
            Ok(false) => {
                self.roll_back();
                Ok(())
            }
            Err(error) => {
                self.roll_back();
                Err(error)
            }
        }
    }

    /// Whether there was anything to write.
    fn write(&self, change: &Change) -> Result<bool> {
        let stale = !self.hold(change)? && !planted::has("versions-not-compared");
        if self.knows(change)? {
            return Ok(false);
        }
        if stale {
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

    /// Whether an earlier try of the same change was kept. Nothing is kept any more in a project
    /// that has moved elsewhere.
    pub(super) fn knows(&self, change: &Change) -> Result<bool> {
        if planted::has("change-id-not-asked") {
            return Ok(false);
        }
        let sql = format!(
            "SELECT moved_to, (SELECT COUNT(*) FROM (SELECT 1 FROM milestone_event \
               WHERE project = {project} AND change = $1 LIMIT 1) AS known) \
             FROM milestone_project WHERE id = {project}",
            project = self.project
        );
        let known = self.one(&sql, &[change.id.0.to_string().into()], |row| {
            Ok((row.text(0)?.is_empty(), row.int(1)? > 0))
        })?;
        match known {
            Some((here, known)) if here || planted::has("seal-not-checked") => Ok(known),
            _ => Err(StoreError::Moved),
        }
    }

    /// Holds everything that the change was decided on and writes to, and says whether it still is
    /// what was read. All take them in the same order, so that no two wait for one another.
    pub(super) fn hold(&self, change: &Change) -> Result<bool> {
        let mut parts: BTreeMap<Part, bool> =
            change.reads.keys().map(|part| (*part, false)).collect();
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
        let parts: Vec<(Part, bool)> = parts.into_iter().collect();
        let mut versions = BTreeMap::new();
        let together = |a: &(Part, bool), b: &(Part, bool)| kind(a.0) == kind(b.0) && a.1 == b.1;
        for run in parts.chunk_by(together) {
            self.hold_run(run, &mut versions)?;
        }
        let unread = |part: &Part| !change.reads.contains_key(part);
        if !self.resources_are(change)? {
            return Ok(false);
        }
        let mut reads = change.reads.iter().filter(|(part, _)| **part != Part::Resources);
        Ok(reads.all(|(part, version)| {
            let now = versions.get(part).copied();
            // Nobody has counted anything yet.
            let now = now.or((*part == Part::Graph).then_some(0));
            now.map(|now: i64| now.to_string()).as_ref() == Some(version)
        }) && change.touched.iter().all(|(id, _)| {
            // What was not there when it was read must not be there now.
            let part = Part::Milestone(*id);
            !unread(&part) || !versions.contains_key(&part)
        }))
    }

    fn hold_run(&self, run: &[(Part, bool)], versions: &mut BTreeMap<Part, i64>) -> Result<()> {
        let Some((first, written)) = run.first() else { return Ok(()) };
        let project = self.project;
        let locking = self.connection.locking(*written);
        let ids = |parts: &[(Part, bool)]| {
            let ids = parts.iter().filter_map(|(part, _)| match part {
                Part::Milestone(id) => Some(id.0.to_string()),
                _ => None,
            });
            ids.collect::<Vec<_>>().join(", ")
        };
        let sql = match first {
            Part::Milestone(_) => format!(
                "SELECT id, 0, version, '' FROM milestone_document \
                 WHERE project = {project} AND id IN ({}) ORDER BY id{locking}",
                ids(run)
            ),
            Part::Task(_) => {
                let tasks: BTreeSet<TaskId> = run
                    .iter()
                    .filter_map(|(part, _)| match part {
                        Part::Task(task) => Some(*task),
                        _ => None,
                    })
                    .collect();
                let names = tasks.iter().map(|id| format!("({}, {})", id.milestone.0, id.number));
                format!(
                    "SELECT t.milestone, t.number, t.version, '' FROM (VALUES {}) AS v \
                     CROSS JOIN milestone_task AS t WHERE t.project = {project} \
                       AND t.milestone = v.column1 AND t.number = v.column2 \
                     ORDER BY t.milestone, t.number{locking}",
                    names.collect::<Vec<_>>().join(", "),
                    locking = of(locking, "t"),
                )
            }
            Part::Graph => format!(
                "SELECT 0, 0, value, name FROM milestone_counter \
                 WHERE project = {project} AND name = 'graph'{locking}"
            ),
            // Nothing is held for it but the keys of its paths.
            Part::Resources => return Ok(()),
        };
        self.connection.each(&sql, &[], &mut |row| {
            let (id, number) = (number(row.int(0)?), number(row.int(1)?));
            let part = match first {
                Part::Milestone(_) => Part::Milestone(MilestoneId(id)),
                Part::Task(_) => Part::Task(TaskId::new(MilestoneId(id), number)),
                other => *other,
            };
            versions.insert(part, row.int(2)?);
            Ok(())
        })
    }

    pub(super) fn count(&self, name: &str) -> Result<()> {
        let sql = format!(
            "INSERT INTO milestone_counter (project, name, value) VALUES ({}, $1, 1) \
             ON CONFLICT (project, name) DO UPDATE SET value = milestone_counter.value + 1",
            self.project
        );
        self.connection.run(&sql, &[name.into()]).map(drop)
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
            self.insert_document(document, text)?;
        } else if touched.document || text.is_some() {
            self.update_document(id, document, text)?;
        }
        let tasks = document.tasks.iter().filter(|task| touched.tasks.contains(&task.id.number));
        let rows: Vec<_> = tasks.map(|task| self.task_row(document, task)).collect();
        self.insert_tasks(&rows)?;
        for number in &touched.removed {
            let sql = format!(
                "DELETE FROM milestone_task WHERE project = {} AND milestone = {} AND number = {number}",
                self.project, id.0
            );
            self.connection.run(&sql, &[])?;
        }
        if change.changes_graph() {
            self.write_edges(id, document)?;
            let sql = format!(
                "UPDATE milestone_task SET archived = $1 \
                 WHERE project = {} AND milestone = {} AND archived <> $1",
                self.project, id.0
            );
            self.connection.run(&sql, &[u32::from(document.archived).into()])?;
            // A task's own provisions are the milestone's, whose row need not change with it.
            let sql = format!(
                "UPDATE milestone_document SET provides = $1 \
                 WHERE project = {} AND id = {} AND provides <> $1",
                self.project, id.0
            );
            self.connection.run(&sql, &[provides(document).into()])?;
        }
        Ok(())
    }

    pub(super) fn insert_tasks(&self, rows: &[Vec<Value<'_>>]) -> Result<()> {
        self.connection.insert(TASK_COLUMNS, rows, TASK_AGAIN)
    }

    pub(super) fn insert_document(
        &self,
        document: &Milestone,
        text: Option<&String>,
    ) -> Result<()> {
        self.insert_documents(&[self.document_row(document, text)])
    }

    pub(super) fn insert_documents(&self, rows: &[Vec<Value<'_>>]) -> Result<()> {
        match self.connection.insert(DOCUMENT_COLUMNS, rows, "") {
            // Somebody else was given the same id in this moment.
            Err(StoreError::Exists { .. }) => Err(StoreError::Stale),
            result => result,
        }
    }

    pub(super) fn document_row(
        &self,
        document: &Milestone,
        text: Option<&String>,
    ) -> Vec<Value<'static>> {
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
            values.push(text.as_str().into());
        }
        let _ = write!(sql, " WHERE project = {} AND id = {}", self.project, id.0);
        self.connection.run(&sql, &values).map(drop)
    }

    pub(super) fn task_row(&self, document: &Milestone, task: &Task) -> Vec<Value<'static>> {
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
        let sql = format!(
            "DELETE FROM milestone_edge WHERE project = {project} AND milestone = {}",
            id.0
        );
        self.connection.run(&sql, &[])?;
        let edges = edges(document);
        self.insert_edges(&self.edge_rows(document, &edges))?;
        self.meet(&edges.iter().map(|(_, on, task)| (*on, *task)).collect())
    }

    pub(super) fn edge_rows(
        &self,
        document: &Milestone,
        edges: &BTreeSet<(u32, u32, u32)>,
    ) -> Vec<Vec<Value<'static>>> {
        let open = u32::from(!document.archived);
        let row = |(task, milestone, number): &(u32, u32, u32)| {
            let numbers = [document.id.0, *task, *milestone, *number, open];
            std::iter::once(Value::Int(self.project)).chain(numbers.map(Value::from)).collect()
        };
        edges.iter().map(row).collect()
    }

    pub(super) fn insert_edges(&self, rows: &[Vec<Value<'_>>]) -> Result<()> {
        self.connection.insert(EDGE_COLUMNS, rows, "")
    }

    /// Whoever completes something wakes those who wait for it: one who only begins to wait must
    /// not pass by unseen, so one of the two waits for the other to be kept.
    pub(super) fn meet(&self, on: &BTreeSet<(u32, u32)>) -> Result<()> {
        if on.contains(&(0, 0)) {
            self.count("conditions")?;
        }
        let locking = self.connection.locking(false);
        if locking.is_empty() {
            return Ok(());
        }
        let project = self.project;
        let (milestones, tasks): (Vec<_>, Vec<_>) =
            on.iter().copied().filter(|(on, _)| *on > 0).partition(|(_, task)| *task == 0);
        let named = |(milestone, task): &(u32, u32)| format!("({milestone}, {task})");
        if !milestones.is_empty() {
            let ids = milestones.iter().map(|(on, _)| on.to_string()).collect::<Vec<_>>();
            let sql = format!(
                "SELECT id FROM milestone_document WHERE project = {project} AND id IN ({}) \
                 ORDER BY id{locking}",
                ids.join(", ")
            );
            self.connection.each(&sql, &[], &mut |_| Ok(()))?;
        }
        if !tasks.is_empty() {
            let names = tasks.iter().map(named).collect::<Vec<_>>();
            let sql = format!(
                "SELECT t.number FROM (VALUES {}) AS v CROSS JOIN milestone_task AS t \
                 WHERE t.project = {project} AND t.milestone = v.column1 AND t.number = v.column2 \
                 ORDER BY t.milestone, t.number{locking}",
                names.join(", "),
                locking = of(locking, "t"),
            );
            self.connection.each(&sql, &[], &mut |_| Ok(()))?;
        }
        Ok(())
    }

    fn write_claims(&self, change: &Change) -> Result<()> {
        for change in change.claims() {
            match change {
                ClaimChange::Ended { task } => {
                    let sql = format!("DELETE FROM milestone_claim WHERE {}", self.is_task(task));
                    self.connection.run(&sql, &[])?;
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
             deadline, resources) VALUES ({}, {}, {}, $1, {}, $2, $3, {} + {}, $4) \
             ON CONFLICT (project, milestone, task) DO UPDATE SET attempt = excluded.attempt, \
             fence = excluded.fence, actor = excluded.actor, boot = excluded.boot, \
             deadline = excluded.deadline, resources = excluded.resources",
            self.project,
            claim.task.milestone.0,
            claim.task.number,
            claim.fence,
            now.millis,
            millis(lease),
        );
        let attempt = claim.attempt.0.to_string();
        // As it is, empty or not: it is read as a list again.
        let resources = serde_json::to_string(&claim.resources).unwrap_or_default();
        let actor = claim.actor.as_str();
        let values = [attempt.into(), actor.into(), now.boot.as_str().into(), resources.into()];
        self.connection.run(&sql, &values).map(drop)
    }

    fn is_task(&self, task: TaskId) -> String {
        let (milestone, number) = (task.milestone.0, task.number);
        format!("project = {} AND milestone = {milestone} AND task = {number}", self.project)
    }

    pub(super) fn write_condition(&self, recorded: &Recorded) -> Result<()> {
        let project = self.project;
        match &recorded.event {
            Event::ConditionSet { name, .. } => {
                let by = ConditionSetBy { by: recorded.by.clone(), at: recorded.at };
                let sql = format!(
                    "INSERT INTO milestone_condition (project, name, set_by) \
                     VALUES ({project}, $1, $2) \
                     ON CONFLICT (project, name) DO UPDATE SET set_by = excluded.set_by"
                );
                self.connection
                    .run(&sql, &[name.as_str().into(), pruned::to_string(&by).into()])
                    .map(drop)
            }
            Event::ConditionCleared { name, .. } => {
                let sql = format!(
                    "DELETE FROM milestone_condition WHERE project = {project} AND name = $1"
                );
                self.connection.run(&sql, &[name.as_str().into()]).map(drop)
            }
            _ => Ok(()),
        }
    }

    pub(super) fn insert_events(&self, events: &[Recorded], then: &str) -> Result<()> {
        let rows: Vec<_> = events.iter().map(|recorded| self.event_row(recorded)).collect();
        self.insert_event_rows(&rows, then)
    }

    pub(super) fn insert_event_rows(&self, rows: &[Vec<Value<'_>>], then: &str) -> Result<()> {
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
        let (milestone, number) = (task.milestone.0, task.number);
        let of_task =
            format!("project = {} AND milestone = {milestone} AND number = {number}", self.project);
        // In the order in which a change takes them: the task, then its claim.
        let locking = self.connection.locking(true);
        let sql = format!("SELECT version FROM milestone_task WHERE {of_task}{locking}");
        self.one(&sql, &[], |row| row.int(0))?;
        let now = self.connection.now();
        let is_task = self.is_task(task);
        let sql = format!(
            "SELECT attempt, fence, actor, boot, resources, deadline - {} FROM milestone_claim \
             WHERE {is_task}",
            now.millis
        );
        let kept = self.one(&sql, &[], |row| {
            let attempt = uuid::Uuid::try_parse(row.text(0)?).unwrap_or_default();
            let claim = Claim {
                task,
                attempt: AttemptId(attempt),
                fence: u64::try_from(row.int(1)?).unwrap_or(0),
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
            "UPDATE milestone_claim SET deadline = {} + {}, boot = $1 WHERE {is_task}",
            now.millis,
            millis(lease)
        );
        self.connection.run(&sql, &[now.boot.as_str().into()])?;
        if lapsed {
            // Whoever was about to take the lapsed claim over has read what is no longer so.
            let sql = format!("UPDATE milestone_task SET version = version + 1 WHERE {of_task}");
            self.connection.run(&sql, &[])?;
        }
        Ok(Some(claim))
    }
}

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

fn millis(lease: Duration) -> u64 {
    u64::try_from(lease.as_millis()).unwrap_or(u64::MAX / 4)
}

fn number(int: i64) -> u32 {
    u32::try_from(int).unwrap_or(u32::MAX)
}
