//! Reading what a scope asks for, in one statement, so that it is all of one moment.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use milestone_domain::document::{Milestone, Task};
use milestone_domain::event::AttemptId;
use milestone_domain::ids::{MilestoneId, TaskId};
use milestone_domain::snapshot::{
    Claim, ConditionSetBy, Outline, Part, Scope, Snapshot, TaskOutline,
};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::offers::holdings;
use super::{Columns, Connection, Database, Value, milestone, number};
use crate::Result;
use crate::error::StoreError;

/// The first byte of an outline as it is kept: one of another form is made anew from its document.
const FORM: u8 = 1;

/// What is read: which documents, and of which of them everything.
struct Wanted {
    /// Conditions on `archived` and `id` of which no two hold for the same document. They are asked
    /// one by one: for `OR`, SQLite goes through everything that is filed away.
    documents: Vec<String>,
    /// The same on tasks, by `archived` and `milestone`.
    tasks: Vec<String>,
    /// What all of these are given.
    values: Vec<Value<'static>>,
    /// Those of which the bodies are read.
    bodies: BTreeSet<MilestoneId>,
    all_bodies: bool,
    /// Whether versions of those without a body are wanted, too.
    versions: bool,
    /// Whether the ids of everything that is filed away are wanted.
    archived: bool,
}

/// What came back, before it is put together.
#[derive(Default)]
struct Found {
    documents: BTreeMap<MilestoneId, FoundDocument>,
    tasks: BTreeMap<MilestoneId, Vec<FoundTask>>,
    snapshot: Snapshot,
    graph: i64,
    resources: String,
    now: i64,
    /// The project is kept elsewhere.
    moved: bool,
    /// Something was kept in a form that this program does not read.
    other_form: bool,
}

struct FoundDocument {
    version: i64,
    archived: bool,
    order: Vec<u32>,
    document: Option<Milestone>,
    outline: Option<Outline>,
}

struct FoundTask {
    number: u32,
    version: i64,
    /// Large, and not there for most.
    document: Option<Box<Task>>,
    outline: Option<TaskOutline>,
}

impl<C: Connection> Database<C> {
    /// Everything of which the scope is, unless the project is kept elsewhere.
    pub(super) fn read_scope(&self, scope: &Scope) -> Result<Snapshot> {
        match scope {
            Scope::Milestone(id) => {
                let snapshot = self.select(&one(&self.connection, self.project, *id))?;
                match snapshot.outline(*id) {
                    // Nobody by that id: whoever asks wants to know which one is near.
                    None => self.select(&graph(self.project, &BTreeSet::new(), 0)),
                    Some(_) => Ok(snapshot),
                }
            }
            Scope::Graph(ids) => self.select(&graph(self.project, ids, 0)),
            Scope::Past(closed) => self.select(&graph(self.project, &BTreeSet::new(), *closed)),
            Scope::All => self.select(&Wanted {
                documents: vec!["1 = 1".into()],
                tasks: vec!["1 = 1".into()],
                values: Vec::new(),
                bodies: BTreeSet::new(),
                all_bodies: true,
                versions: true,
                archived: true,
            }),
        }
    }

    /// These documents, and nothing else.
    pub(super) fn documents(&self, ids: BTreeSet<MilestoneId>) -> Result<Snapshot> {
        let named = listed(&ids);
        self.select(&Wanted {
            documents: vec![format!("id IN ({named})")],
            tasks: vec![format!("milestone IN ({named})")],
            values: Vec::new(),
            bodies: ids,
            all_bodies: true,
            versions: false,
            archived: false,
        })
    }

    fn select(&self, wanted: &Wanted) -> Result<Snapshot> {
        let mut found = self.found(wanted)?;
        if found.other_form {
            found = self.found(&Wanted {
                documents: wanted.documents.clone(),
                tasks: wanted.tasks.clone(),
                values: wanted.values.clone(),
                bodies: wanted.bodies.clone(),
                all_bodies: true,
                ..*wanted
            })?;
        }
        if found.moved && !self.begun.get() {
            return Err(StoreError::Moved);
        }
        let mut snapshot = Self::put_together(found, wanted);
        snapshot.settings = self.settings.clone();
        Ok(snapshot)
    }

    fn found(&self, wanted: &Wanted) -> Result<Found> {
        let now = self.connection.now();
        let mut found = Found::default();
        let sql = self.sql(wanted, &now.millis);
        self.connection.each(&sql, &wanted.values, &mut |row| found.take(row, &now.boot))?;
        let now = found.now;
        for claim in found.snapshot.claims.values_mut() {
            let left = claim.seconds_left.unwrap_or(0).saturating_sub(now.unsigned_abs());
            claim.seconds_left = (left > 0).then(|| left.div_ceil(1000));
        }
        Ok(found)
    }

    fn sql(&self, wanted: &Wanted, now: &str) -> String {
        let project = self.project;
        // A column that is not named need not be read, where an index has all the others.
        let bodies = |key: &str| match (wanted.all_bodies, wanted.bodies.is_empty()) {
            (true, _) => "document".to_owned(),
            (false, true) => "''".to_owned(),
            // The same text for every milestone is a statement that is known already.
            (false, false) if !wanted.values.is_empty() => {
                format!("CASE WHEN {key} = $1 THEN document ELSE '' END")
            }
            (false, false) => {
                format!("CASE WHEN {key} IN ({}) THEN document ELSE '' END", listed(&wanted.bodies))
            }
        };
        let (document, task) = (bodies("id"), bodies("milestone"));
        // All in one row: they only ever become more.
        let archived = match wanted.archived {
            true => format!(
                " UNION ALL SELECT 6, 0, 0, 0, \
                   COALESCE(string_agg(CAST(id AS TEXT), ' '), ''), '', NULL, 0 \
                 FROM milestone_document WHERE project = {project} AND archived = 1"
            ),
            false => String::new(),
        };
        // The first of them says of which types the columns are.
        let documents = wanted.documents.iter().map(|condition| {
            format!(
                "SELECT 4 AS what, id, archived, version, {document}, tasks, outline, 0 AS number \
                 FROM milestone_document WHERE project = {project} AND {condition}"
            )
        });
        let tasks = wanted.tasks.iter().map(|condition| {
            format!(
                "SELECT 5, milestone, archived, version, {task}, '', outline, number \
                 FROM milestone_task WHERE project = {project} AND {condition}"
            )
        });
        format!(
            "{both} \
             UNION ALL SELECT 3, milestone, fence, deadline, actor, \
               boot || ' ' || attempt || ' ' || resources, NULL, task \
             FROM milestone_claim WHERE project = {project} \
             UNION ALL SELECT 2, 0, 0, 0, name, set_by, NULL, 0 \
             FROM milestone_condition WHERE project = {project} \
             UNION ALL SELECT 1, value, 0, 0, name, '', NULL, 0 \
             FROM milestone_counter WHERE project = {project} \
             UNION ALL SELECT 0, {now}, \
               COALESCE((SELECT MAX(id) FROM milestone_document WHERE project = {project}), 0), 0, \
               given, moved_to || ' ' || {resources}, NULL, 0 \
             FROM milestone_project WHERE id = {project}{archived}",
            both = documents.chain(tasks).collect::<Vec<_>>().join(" UNION ALL "),
            resources = holdings(project),
        )
    }

    fn put_together(found: Found, wanted: &Wanted) -> Snapshot {
        let Found { documents, mut tasks, mut snapshot, graph, resources, .. } = found;
        for (id, header) in documents {
            let own = tasks.remove(&id).unwrap_or_default();
            let body = wanted.all_bodies || wanted.bodies.contains(&id);
            if body || wanted.versions {
                snapshot.versions.insert(Part::Milestone(id), header.version.to_string());
                let parts = own.iter().map(|task| {
                    (Part::Task(TaskId::new(id, task.number)), task.version.to_string())
                });
                snapshot.versions.extend(parts);
            }
            let (mut bodies, mut outlines) = (Vec::new(), Vec::new());
            for task in in_order(own, &header.order) {
                let outline = task.outline;
                let outline = outline.or_else(|| task.document.as_deref().map(TaskOutline::of));
                outlines.extend(outline);
                bodies.extend(task.document.map(|document| *document));
            }
            let outline =
                header.outline.or_else(|| header.document.as_ref().map(Outline::without_tasks));
            if let Some(outline) = outline {
                let outline = Outline { archived: header.archived, ..outline };
                snapshot.outlines.insert(id, outline.with_tasks(outlines));
            }
            if let Some(document) = header.document.filter(|_| body) {
                let archived = header.archived;
                snapshot.documents.insert(id, Milestone { tasks: bodies, archived, ..document });
            }
        }
        snapshot.versions.insert(Part::Graph, graph.to_string());
        snapshot.versions.insert(Part::Resources, resources);
        snapshot
    }
}

/// The tasks that a document lists, as it lists them: nearly always as they are found.
fn in_order(found: Vec<FoundTask>, order: &[u32]) -> Vec<FoundTask> {
    if found.iter().map(|task| task.number).eq(order.iter().copied()) {
        return found;
    }
    let mut found: BTreeMap<u32, FoundTask> =
        found.into_iter().map(|task| (task.number, task)).collect();
    order.iter().filter_map(|number| found.remove(number)).collect()
}

/// One milestone and what it waits for; where it waits for conditions, whoever provides any. That
/// some are named twice does no harm; to leave out doubles, SQLite goes through all edges in order.
fn one(connection: &impl Connection, project: i64, id: MilestoneId) -> Wanted {
    let ids = format!(
        "SELECT $1 UNION ALL SELECT on_milestone FROM milestone_edge \
         WHERE project = {project} AND milestone = $1 \
         UNION ALL SELECT id FROM milestone_document WHERE project = {project} AND provides = 1 \
           AND EXISTS (SELECT 1 FROM milestone_edge WHERE project = {project} \
             AND milestone = $1 AND on_milestone = 0)"
    );
    let among = connection.among(&ids);
    Wanted {
        documents: vec![format!("id {among}")],
        tasks: vec![format!("milestone {among}")],
        values: vec![id.0.into()],
        bodies: BTreeSet::from([id]),
        all_bodies: false,
        versions: true,
        archived: false,
    }
}

/// All open work, what it refers to, what is filed away and still provides something, and the
/// newest of what is filed away. Some may be named twice, as in `one`.
fn graph(project: i64, ids: &BTreeSet<MilestoneId>, closed: usize) -> Wanted {
    let mut others = format!(
        "SELECT on_milestone FROM milestone_edge WHERE project = {project} AND open = 1 \
         UNION ALL SELECT id FROM milestone_document \
           WHERE project = {project} AND provides = 1 AND archived = 1"
    );
    for id in ids {
        let _ = write!(others, " UNION ALL SELECT CAST({} AS BIGINT)", id.0);
    }
    if closed > 0 {
        let _ = write!(
            others,
            " UNION ALL SELECT id FROM (SELECT id FROM milestone_document \
             WHERE project = {project} AND archived = 1 ORDER BY id DESC LIMIT {closed}) AS newest"
        );
    }
    Wanted {
        // By their keys: by its place, SQLite takes everything that is filed away and looks at each.
        documents: vec!["archived = 0".into(), format!("+archived = 1 AND id IN ({others})")],
        tasks: vec!["archived = 0".into(), format!("archived = 1 AND milestone IN ({others})")],
        values: Vec::new(),
        bodies: ids.clone(),
        all_bodies: false,
        versions: false,
        archived: true,
    }
}

pub(super) fn listed(ids: &BTreeSet<MilestoneId>) -> String {
    ids.iter().map(|id| id.0.to_string()).collect::<Vec<_>>().join(", ")
}

impl Found {
    fn take(&mut self, row: &dyn Columns, boot: &str) -> Result<()> {
        match row.int(0)? {
            0 => self.take_project(row),
            1 => {
                if row.text(4)? == "graph" {
                    self.graph = row.int(1)?;
                }
                Ok(())
            }
            2 => {
                let set_by: ConditionSetBy = parsed("milestone_condition", row.text(5)?)?;
                self.snapshot.conditions.0.insert(row.string(4)?, set_by);
                Ok(())
            }
            3 => self.take_claim(row, boot),
            4 => self.take_document(row),
            5 => self.take_task(row),
            _ => {
                let ids = row.text(4)?.split(' ').filter_map(|id| id.parse().ok());
                self.snapshot.archived = ids.map(MilestoneId).collect();
                Ok(())
            }
        }
    }

    fn take_project(&mut self, row: &dyn Columns) -> Result<()> {
        self.now = row.int(1)?;
        let highest = Some(milestone(row, 2)?).filter(|id| id.0 > 0);
        self.snapshot.given = parsed("milestone_project", row.text(4)?)?;
        self.snapshot.highest = highest.max(self.snapshot.given.milestone);
        let (moved_to, resources) = row.text(5)?.rsplit_once(' ').unwrap_or_default();
        resources.clone_into(&mut self.resources);
        self.moved = !moved_to.is_empty();
        Ok(())
    }

    /// What is left of it follows once it is known what time it is: the deadline until then.
    fn take_claim(&mut self, row: &dyn Columns, boot: &str) -> Result<()> {
        let task = TaskId::new(milestone(row, 1)?, number(row, 7)?);
        let mut words = row.text(5)?.splitn(3, ' ');
        let (of, attempt, resources) = (words.next(), words.next(), words.next());
        let attempt = attempt.and_then(|text| uuid::Uuid::try_parse(text).ok());
        let (Some(attempt), Some(resources)) = (attempt, resources) else { return Ok(()) };
        let deadline = number(row, 3)?;
        let claim = Claim {
            task,
            attempt: AttemptId(attempt),
            fence: number(row, 2)?,
            actor: row.string(4)?,
            seconds_left: Some(deadline).filter(|_| of == Some(boot)),
            resources: parsed("milestone_claim", resources)?,
        };
        self.snapshot.claims.insert(task, claim);
        Ok(())
    }

    fn take_document(&mut self, row: &dyn Columns) -> Result<()> {
        let id = milestone(row, 1)?;
        let order = row.text(5)?.split(' ').filter_map(|number| number.parse().ok()).collect();
        let outline = unpacked(row.bytes(6)?);
        self.other_form |= outline.is_none();
        let document = body("milestone_document", row.text(4)?)?;
        let (archived, version) = (row.int(2)? == 1, row.int(3)?);
        let found = FoundDocument { version, archived, order, document, outline };
        self.documents.insert(id, found);
        Ok(())
    }

    fn take_task(&mut self, row: &dyn Columns) -> Result<()> {
        let outline = unpacked(row.bytes(6)?);
        self.other_form |= outline.is_none();
        let document = body("milestone_task", row.text(4)?)?.map(Box::new);
        let task = FoundTask { number: number(row, 7)?, version: row.int(3)?, document, outline };
        self.tasks.entry(milestone(row, 1)?).or_default().push(task);
        Ok(())
    }
}

fn body<T: DeserializeOwned>(table: &'static str, json: &str) -> Result<Option<T>> {
    if json.is_empty() { Ok(None) } else { parsed(table, json).map(Some) }
}

pub(super) fn parsed<T: DeserializeOwned>(table: &'static str, json: &str) -> Result<T> {
    serde_json::from_str(json)
        .map_err(|error| StoreError::BadRow { table, message: error.to_string() })
}

pub(super) fn unpacked<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Option<T> {
    let (form, body) = bytes.split_first()?;
    (*form == FORM).then(|| postcard::from_bytes(body).ok()).flatten()
}

pub(super) fn packed(value: &impl Serialize) -> Vec<u8> {
    let body = postcard::to_stdvec(value).unwrap_or_default();
    std::iter::once(FORM).chain(body).collect()
}

#[cfg(test)]
#[cfg(feature = "sqlite")]
pub(super) mod tests {
    use std::time::Duration;

    use milestone_domain::settings::Settings;

    use super::*;
    use crate::sqlite::Sqlite;

    /// Steps of a plan that go through a large table, whatever `narrow` does not name.
    fn whole_tables(wanted: impl Fn(&Sqlite) -> Wanted, narrow: &[&str]) -> Vec<String> {
        let mut plan = plan(wanted);
        let large = ["milestone_task", "milestone_document", "milestone_edge"];
        plan.retain(|step| {
            large.iter().any(|table| step.contains(table))
                && !narrow.iter().any(|narrow| step.contains(narrow))
        });
        plan
    }

    fn plan(wanted: impl Fn(&Sqlite) -> Wanted) -> Vec<String> {
        steps(|database| {
            let connection = &database.connection;
            database.sql(&wanted(connection), &connection.now().millis)
        })
    }

    pub(in crate::sql) fn database() -> (tempfile::TempDir, Database<Sqlite>) {
        let folder = tempfile::tempdir().unwrap();
        let sqlite = Sqlite::open(&folder.path().join("db"), Duration::ZERO).unwrap();
        let uuid = "00000000-0000-4000-8000-000000000001";
        (folder, Database::make(sqlite, uuid, Settings::default()).unwrap())
    }

    /// The steps in which a database goes about a question.
    pub(in crate::sql) fn steps(ask: impl Fn(&Database<Sqlite>) -> String) -> Vec<String> {
        let (_folder, database) = database();
        let mut steps = Vec::new();
        let explained = format!("EXPLAIN QUERY PLAN {}", ask(&database));
        database
            .connection
            .each(&explained, &[], &mut |row| {
                steps.push(row.string(3)?);
                Ok(())
            })
            .unwrap();
        steps
    }

    // The highest number is the last entry of an index.
    const NARROW: [&str; 4] = ["milestone=?", "id=?", "provides=?", "document USING COVERING"];

    #[test]
    fn one_milestone_is_read_by_its_key_however_many_there_are() {
        let wanted = |connection: &Sqlite| one(connection, 1, MilestoneId(3));
        assert_eq!(whole_tables(wanted, &NARROW), Vec::<String>::new());
    }

    #[test]
    fn open_work_is_read_without_going_through_what_is_filed_away() {
        let wanted = |_: &Sqlite| graph(1, &BTreeSet::from([MilestoneId(3)]), 5);
        let narrow = [&NARROW[..], &["archived=?", "open=?"]].concat();
        assert_eq!(whole_tables(wanted, &narrow), Vec::<String>::new());
        let by_place = "USING INDEX milestone_document_place (project=? AND archived=?)";
        let open = plan(wanted).iter().filter(|step| step.contains(by_place)).count();
        assert_eq!(open, 1, "what is open, and nothing else");
    }

    #[test]
    fn outlines_are_read_without_what_tasks_say() {
        let steps = plan(|_| graph(1, &BTreeSet::new(), 0));
        let tasks: Vec<_> = steps.iter().filter(|step| step.contains("milestone_task")).collect();
        let covered = |step: &&&String| step.contains("USING COVERING INDEX milestone_task_place");
        assert_eq!(tasks.iter().filter(covered).count(), tasks.len(), "{tasks:?}");
    }
}
