//! What a database says of a project, asked with statements of our own.

use std::collections::BTreeMap;
use std::path::Path;

use milestone_domain::apply::fold;
use milestone_domain::change::difference;
use milestone_domain::document::{Milestone, Task};
use milestone_domain::event::Recorded;
use milestone_domain::ids::TaskId;

use super::history::Stream;
use crate::store::{Database, Kept, Store};

/// A project as the rows of its database have it.
#[derive(Default)]
pub struct Rows {
    pub streams: BTreeMap<String, Stream>,
    pub documents: BTreeMap<String, Milestone>,
    /// By task: the fence and the attempt.
    pub claims: BTreeMap<TaskId, (u64, String)>,
}

/// `None` where the project is kept in files.
pub(super) fn read(
    folder: &Path,
    url: Option<&str>,
    settled: bool,
    wrong: &mut Vec<String>,
) -> Option<(Kept, Rows)> {
    let kept = match Kept::of(folder) {
        Ok(kept) => kept,
        Err(error) => {
            wrong.push(error);
            return None;
        }
    };
    left(folder, &kept, wrong);
    let rows = Database::open(folder, &kept, url).and_then(|database| match database {
        Some(mut database) => all(&mut database, &kept, settled).map(Some),
        None => Ok(None),
    });
    match rows {
        Ok(rows) => rows.map(|rows| (kept, rows)),
        Err(error) => {
            wrong.push(format!("the database: {error}"));
            Some((kept, Rows::default()))
        }
    }
}

/// Whatever stands in a database that the project has left says so itself: nobody who still has
/// it open may write there.
fn left(folder: &Path, kept: &Kept, wrong: &mut Vec<String>) {
    let data = folder.join("data");
    let current = kept.sqlite_file();
    for name in super::names(&data) {
        let is_database = Path::new(&name).extension().is_some_and(|extension| extension == "db");
        if !is_database || format!("data/{name}") == current {
            continue;
        }
        // One that was never finished has no table yet, or no project.
        let seals = Database::sqlite(&data.join(&name))
            .and_then(|mut database| database.rows("SELECT moved_to FROM milestone_project"));
        let filled = Database::sqlite(&data.join(&name))
            .and_then(|mut database| database.rows("SELECT 1 FROM milestone_event LIMIT 1"));
        let open = seals.is_ok_and(|seals| seals.iter().flatten().any(String::is_empty));
        if open && filled.is_ok_and(|events| !events.is_empty()) {
            wrong.push(format!("two stores keep the project: {name} was left without a seal"));
        }
    }
}

fn all(database: &mut Database, kept: &Kept, settled: bool) -> Result<Rows, String> {
    if kept.store == Store::Sqlite {
        let said = database.rows("PRAGMA integrity_check")?;
        if said != [["ok"]] {
            return Err(format!("it is damaged: {said:?}"));
        }
    }
    let uuid = &kept.project;
    let found = database
        .rows(&format!("SELECT id, moved_to FROM milestone_project WHERE uuid = '{uuid}'"))?;
    let [project] = found.as_slice() else {
        return Err(format!("{} projects are {uuid}", found.len()));
    };
    let (id, moved_to) = (&project[0], &project[1]);
    if settled && !moved_to.is_empty() {
        return Err(format!("the pointer leads there, and it has gone to {moved_to}"));
    }
    Ok(Rows {
        streams: streams(database, id)?,
        documents: documents(database, id)?,
        claims: claims(database, id)?,
    })
}

fn streams(database: &mut Database, project: &str) -> Result<BTreeMap<String, Stream>, String> {
    let sql = format!("SELECT body FROM milestone_event WHERE project = {project} ORDER BY seq");
    let mut streams: BTreeMap<String, Stream> = BTreeMap::new();
    for row in database.rows(&sql)? {
        let recorded: Recorded =
            serde_json::from_str(&row[0]).map_err(|error| format!("{}: {error}", row[0]))?;
        let stream = streams.entry(recorded.stream.to_string()).or_default();
        if stream.places.insert(recorded.id.to_string(), (String::new(), 0)).is_some() {
            return Err(format!("the event {} is there twice", recorded.id));
        }
        stream.events.push(recorded);
    }
    Ok(streams)
}

fn documents(
    database: &mut Database,
    project: &str,
) -> Result<BTreeMap<String, Milestone>, String> {
    let sql = format!(
        "SELECT milestone, number, document, title, status FROM milestone_task WHERE project = {project}"
    );
    let mut tasks: BTreeMap<(String, String), Task> = BTreeMap::new();
    for row in database.rows(&sql)? {
        let task: Task =
            serde_json::from_str(&row[2]).map_err(|error| format!("{}: {error}", row[2]))?;
        if task.title != row[3] || task.status.word() != row[4] {
            return Err(format!("a task and its columns differ: {row:?}"));
        }
        tasks.insert((row[0].clone(), row[1].clone()), task);
    }
    let sql = format!(
        "SELECT id, archived, tasks, document, title, status FROM milestone_document \
         WHERE project = {project}"
    );
    let mut documents = BTreeMap::new();
    for row in database.rows(&sql)? {
        let mut document: Milestone =
            serde_json::from_str(&row[3]).map_err(|error| format!("{}: {error}", row[3]))?;
        if document.title != row[4] || document.status.word() != row[5] {
            return Err(format!("a document and its columns differ: {row:?}"));
        }
        document.archived = row[1] == "1";
        for number in row[2].split_whitespace() {
            let task = tasks.remove(&(row[0].clone(), number.to_owned()));
            document.tasks.push(task.ok_or(format!("{}: task {number} has no row", document.id))?);
        }
        documents.insert(document.id.to_string(), document);
    }
    match tasks.keys().next() {
        Some((milestone, number)) => Err(format!("task {number} of {milestone} belongs nowhere")),
        None => Ok(documents),
    }
}

fn claims(
    database: &mut Database,
    project: &str,
) -> Result<BTreeMap<TaskId, (u64, String)>, String> {
    let sql = format!(
        "SELECT milestone, task, fence, attempt FROM milestone_claim WHERE project = {project}"
    );
    let mut claims = BTreeMap::new();
    for row in database.rows(&sql)? {
        let id = format!("task-{:0>3}-{:0>3}", row[0], row[1]);
        let id: TaskId = id.parse().map_err(|_| format!("{id} is no task"))?;
        claims.insert(id, (row[2].parse().unwrap_or(0), row[3].clone()));
    }
    Ok(claims)
}

/// What the rows say is what their history says.
pub(super) fn check(rows: &Rows, wrong: &mut Vec<String>) {
    for (id, document) in &rows.documents {
        let events = rows.streams.get(id).map_or(&[][..], |stream| stream.events.as_slice());
        let Some(folded) = fold(events) else {
            wrong.push(format!("{id}: a row that nothing made"));
            continue;
        };
        for change in difference(&folded.tree(), &document.tree()) {
            let (before, after) = (&change.before, &change.after);
            wrong.push(format!("{id}: {}: history {before:?}, row {after:?}", change.path));
        }
        if document.archived != folded.archived {
            wrong.push(format!("{id}: its row is filed in the wrong place"));
        }
    }
    let made = rows.streams.keys().filter(|id| *id != "project");
    wrong.extend(
        made.filter(|id| !rows.documents.contains_key(*id))
            .map(|id| format!("{id}: it has a history and no row")),
    );
}

/// The histories beside a database are the database's, no event more and none less.
pub(super) fn mirrored(rows: &Rows, histories: &BTreeMap<String, Stream>, wrong: &mut Vec<String>) {
    let ids = |streams: &BTreeMap<String, Stream>| -> Vec<String> {
        let ids = streams.iter().flat_map(|(name, stream)| {
            stream.events.iter().map(move |event| format!("{} in {name}", event.id))
        });
        let mut ids: Vec<String> = ids.collect();
        ids.sort_unstable();
        ids
    };
    let (there, here) = (ids(&rows.streams), ids(histories));
    let lacks = |name: &str, from: &[String], of: &[String], wrong: &mut Vec<String>| {
        let missing: Vec<&String> =
            from.iter().filter(|id| of.binary_search(id).is_err()).collect();
        if let Some(first) = missing.first() {
            let count = missing.len();
            wrong.push(format!("the {name} lacks {count} events of the other: {first} is one"));
        }
    };
    lacks("mirror", &there, &here, wrong);
    lacks("database", &here, &there, wrong);
}
