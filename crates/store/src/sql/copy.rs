//! A whole project out of a database and into one, and the end of a project that moves elsewhere.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use milestone_domain::document::{Milestone, Task};
use milestone_domain::event::AttemptId;
use milestone_domain::ids::{MilestoneId, TaskId};
use milestone_domain::search::Place;
use milestone_domain::snapshot::{Claim, Given};

use super::commit::edges;
use super::read::parsed;
use super::schema::TABLES;
use super::{Connection, Database, Rows, milestone, number};
use crate::planted;
use crate::pointer::Left;
use crate::{Portion, Result, Source, Store, Touched};

/// A project that is not whole yet, or that nobody has been sent to yet.
pub const COPYING: &str = "copying";

/// How many milestones and events are read, and rows written, at a time: few enough that a large
/// project takes no more memory than a small one, and so many that the way to a server and back
/// does not count.
const MILESTONES: u32 = 64;
const EVENTS: u32 = 256;
const ROWS: usize = 1000;

/// A database as a project leaves it, or comes into it.
pub trait Movable: Store {
    /// Closes the project to writers, until it is sealed or opened again.
    fn close(&self) -> Result<()>;

    /// Ends what closing began; where the project has gone stands in it from now on.
    fn seal(&self, left: &Left) -> Result<()>;

    fn open_again(&self);

    /// Where the project has gone; empty while it is here, [`COPYING`] while nobody has been sent
    /// here yet.
    fn moved_to(&self) -> Result<String>;

    /// Which milestones there are in a place; all of them, where only those are wanted that are filed
    /// away: what is open may be filed away in its document.
    fn milestones(&self, place: Place) -> Result<BTreeSet<MilestoneId>>;

    /// Fills a project that was made for it, and lets `check` look at it, in one step.
    fn fill(&self, source: Source<'_>, check: &dyn Fn(&dyn Store) -> Result<()>) -> Result<()>;

    /// A copy that everybody has been sent to is the project.
    fn take_up(&self) -> Result<()>;

    /// Removes a copy that nobody has been sent to; anything else stays.
    fn remove_if_abandoned(&self) -> Result<()>;
}

impl<C: Connection> Movable for Database<C> {
    fn close(&self) -> Result<()> {
        self.check_writable()?;
        self.connection.close(self.project)?;
        self.begun.set(true);
        self.check_seal()
    }

    fn seal(&self, left: &Left) -> Result<()> {
        self.set_seal(&serde_json::to_string(left).unwrap_or_default())?;
        self.keep()
    }

    fn open_again(&self) {
        self.roll_back();
    }

    fn moved_to(&self) -> Result<String> {
        Ok(self.connected(|| self.sealed_to())?.unwrap_or_default())
    }

    fn milestones(&self, place: Place) -> Result<BTreeSet<MilestoneId>> {
        let open = if place == Place::Open { " AND archived = 0" } else { "" };
        let sql =
            format!("SELECT id FROM milestone_document WHERE project = {}{open}", self.project);
        self.connected(|| self.ids_by(&sql))
    }

    fn fill(&self, source: Source<'_>, check: &dyn Fn(&dyn Store) -> Result<()>) -> Result<()> {
        self.begin()?;
        let filled = self.set_seal(COPYING).and_then(|()| self.take_all(source));
        self.keep_if(filled.and_then(|()| check(self)), |()| true)?;
        // Without it everything is only slower, and only for a while.
        let _ = self.connection.take_stock();
        Ok(())
    }

    fn take_up(&self) -> Result<()> {
        if planted::has("take-up-skipped") {
            return Ok(());
        }
        let sql = format!(
            "UPDATE milestone_project SET moved_to = '' WHERE id = {} AND moved_to = '{COPYING}'",
            self.project
        );
        self.connected(|| self.connection.run(&sql, &[])).map(drop)
    }

    fn remove_if_abandoned(&self) -> Result<()> {
        self.begin()?;
        self.keep_if(self.remove_abandoned(), |()| true)
    }
}

impl<C: Connection> Database<C> {
    /// One that was made and never filled is empty, and not marked as a copy yet.
    fn remove_abandoned(&self) -> Result<()> {
        let project = self.project;
        let sql = format!(
            "DELETE FROM milestone_project WHERE id = {project} AND (moved_to = '{COPYING}' \
             OR (moved_to = '' \
               AND NOT EXISTS (SELECT 1 FROM milestone_document WHERE project = {project}) \
               AND NOT EXISTS (SELECT 1 FROM milestone_event WHERE project = {project})))"
        );
        if self.connection.run(&sql, &[])? == 0 {
            return Ok(());
        }
        TABLES.iter().try_for_each(|table| {
            let sql = format!("DELETE FROM {table} WHERE project = {project}");
            self.connection.run(&sql, &[]).map(drop)
        })
    }

    fn set_seal(&self, moved_to: &str) -> Result<()> {
        let sql = format!("UPDATE milestone_project SET moved_to = $1 WHERE id = {}", self.project);
        self.connection.run(&sql, &[moved_to.into()]).map(drop)
    }

    pub(super) fn import_once(&self, source: Source<'_>) -> Result<()> {
        self.begin()?;
        self.keep_if(self.check_seal().and_then(|()| self.take_all(source)), |()| true)
    }

    fn take_all(&self, source: Source<'_>) -> Result<()> {
        let mut importing = Importing::new(self)?;
        source(&mut |portion| importing.take(portion))?;
        importing.write_documents()?;
        importing.write_events()?;
        // Where nothing was before, everything that may be offered is offered as it came.
        if !importing.there.is_empty() {
            self.look_again()?;
        }
        self.count("graph")
    }

    pub(super) fn export_once(&self, each: &mut dyn FnMut(Portion) -> Result<()>) -> Result<()> {
        if self.begun.get() {
            return self.hand_over(each);
        }
        self.connection.begin_reading()?;
        self.begun.set(true);
        let done = self.hand_over(each);
        self.roll_back();
        done
    }

    fn hand_over(&self, each: &mut dyn FnMut(Portion) -> Result<()>) -> Result<()> {
        each(Portion::Given(self.given()?))?;
        self.hand_over_documents(each)?;
        self.hand_over_events(each)?;
        if planted::has("claims-left-behind") {
            return Ok(());
        }
        self.claims()?.into_iter().try_for_each(each)
    }

    fn claims(&self) -> Result<Vec<Portion>> {
        let now = self.connection.now();
        let sql = format!(
            "SELECT milestone, task, fence, attempt, actor, boot, resources, deadline - {} \
             FROM milestone_claim WHERE project = {}",
            now.millis, self.project
        );
        let mut claims = Vec::new();
        self.connection.each(&sql, &[], &mut |row| {
            let left = if row.text(5)? == now.boot { row.int(7)?.max(0) } else { 0 };
            let attempt = uuid::Uuid::try_parse(row.text(3)?).unwrap_or_default();
            let claim = Claim {
                task: TaskId::new(milestone(row, 0)?, number(row, 1)?),
                attempt: AttemptId(attempt),
                fence: number(row, 2)?,
                actor: row.string(4)?,
                seconds_left: None,
                resources: parsed("milestone_claim", row.text(6)?)?,
            };
            let left = Duration::from_millis(left.unsigned_abs());
            claims.push(Portion::Claim { claim, left });
            Ok(())
        })?;
        Ok(claims)
    }

    fn given(&self) -> Result<Given> {
        let sql = format!("SELECT given FROM milestone_project WHERE id = {}", self.project);
        let given = self.one(&sql, &[], |row| parsed("milestone_project", row.text(0)?))?;
        Ok(given.unwrap_or_default())
    }

    fn add_given(&self, more: &Given) -> Result<()> {
        let all = self.given()?.with(more);
        let text = serde_json::to_string(&all).unwrap_or_default();
        let sql = format!("UPDATE milestone_project SET given = $1 WHERE id = {}", self.project);
        self.connection.run(&sql, &[text.into()]).map(drop)
    }

    /// Makes a document that is there already what it is elsewhere.
    fn replace_document(&self, document: &Milestone, text: Option<&String>) -> Result<()> {
        let id = document.id;
        self.update_document(id, document, text)?;
        let kept: Vec<u32> = document.tasks.iter().map(|task| task.id.number).collect();
        self.remove_tasks_but(id, &kept)?;
        let rows = document.tasks.iter().map(|task| self.task_row(document, task));
        self.insert_tasks(rows.collect())?;
        self.write_edges(id, document)?;
        self.write_all_offers(document)
    }

    fn remove_tasks_but(&self, id: MilestoneId, kept: &[u32]) -> Result<()> {
        let kept = kept.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        let others =
            if kept.is_empty() { String::new() } else { format!("AND number NOT IN ({kept})") };
        for table in ["milestone_task", "milestone_offer"] {
            let sql = format!(
                "DELETE FROM {table} WHERE project = {} AND milestone = {} {others}",
                self.project, id.0
            );
            self.connection.run(&sql, &[])?;
        }
        Ok(())
    }

    fn hand_over_documents(&self, each: &mut dyn FnMut(Portion) -> Result<()>) -> Result<()> {
        let mut after = 0;
        loop {
            let headers = self.headers(after)?;
            let (Some(first), Some(last)) = (headers.first(), headers.last()) else {
                return Ok(());
            };
            let last = last.milestone.id;
            let mut tasks = self.tasks_of(first.milestone.id, last)?;
            for Header { mut milestone, order, text } in headers {
                let mut own = tasks.remove(&milestone.id).unwrap_or_default();
                milestone.tasks = order.iter().filter_map(|number| own.remove(number)).collect();
                each(Portion::Document { milestone, text })?;
            }
            after = last.0;
        }
    }

    /// The next documents after one, without their tasks.
    fn headers(&self, after: u32) -> Result<Vec<Header>> {
        let sql = format!(
            "SELECT archived, tasks, document, text FROM milestone_document \
             WHERE project = {} AND id > {after} ORDER BY id LIMIT {MILESTONES}",
            self.project
        );
        let mut headers = Vec::new();
        self.connection.each(&sql, &[], &mut |row| {
            let archived = row.int(0)? == 1;
            let order = row.text(1)?.split(' ').filter_map(|number| number.parse().ok()).collect();
            let milestone: Milestone = parsed("milestone_document", row.text(2)?)?;
            let milestone = Box::new(Milestone { archived, ..milestone });
            let text = Some(row.string(3)?).filter(|text| !text.is_empty());
            headers.push(Header { milestone, order, text });
            Ok(())
        })?;
        Ok(headers)
    }

    fn tasks_of(
        &self,
        first: MilestoneId,
        last: MilestoneId,
    ) -> Result<BTreeMap<MilestoneId, BTreeMap<u32, Task>>> {
        let sql = format!(
            "SELECT milestone, document FROM milestone_task \
             WHERE project = {} AND milestone BETWEEN {} AND {}",
            self.project, first.0, last.0
        );
        let mut tasks: BTreeMap<MilestoneId, BTreeMap<u32, Task>> = BTreeMap::new();
        self.connection.each(&sql, &[], &mut |row| {
            let id = milestone(row, 0)?;
            let task: Task = parsed("milestone_task", row.text(1)?)?;
            tasks.entry(id).or_default().insert(task.id.number, task);
            Ok(())
        })?;
        Ok(tasks)
    }

    fn hand_over_events(&self, each: &mut dyn FnMut(Portion) -> Result<()>) -> Result<()> {
        let mut after = 0;
        loop {
            let sql = format!(
                "SELECT seq, body FROM milestone_event WHERE project = {} AND seq > {after} \
                 ORDER BY seq LIMIT {EVENTS}",
                self.project
            );
            let mut events = Vec::new();
            self.connection.each(&sql, &[], &mut |row| {
                after = row.int(0)?;
                events.push(super::events::recorded(row.text(1)?)?);
                Ok(())
            })?;
            if events.is_empty() {
                return Ok(());
            }
            events.into_iter().try_for_each(|event| each(Portion::Event(event)))?;
        }
    }
}

/// A document as its own row has it.
struct Header {
    milestone: Box<Milestone>,
    /// The numbers of its tasks, in their order.
    order: Vec<u32>,
    text: Option<String>,
}

/// Portions on their way into tables, many rows at a time.
struct Importing<'a, C> {
    database: &'a Database<C>,
    /// The documents that were there before.
    there: BTreeSet<MilestoneId>,
    brought: BTreeSet<MilestoneId>,
    documents: Rows,
    tasks: Rows,
    edges: Rows,
    holdings: Rows,
    offers: Rows,
    events: Rows,
    /// What was there before and is waited for now: others may be completing it in this moment. Of
    /// what is brought nobody knows yet.
    awaited: BTreeSet<(u32, u32)>,
}

impl<'a, C: Connection> Importing<'a, C> {
    fn new(database: &'a Database<C>) -> Result<Self> {
        let sql = format!("SELECT id FROM milestone_document WHERE project = {}", database.project);
        let there = database.ids_by(&sql)?;
        Ok(Self {
            database,
            there,
            brought: BTreeSet::new(),
            documents: Rows::new(),
            tasks: Rows::new(),
            edges: Rows::new(),
            holdings: Rows::new(),
            offers: Rows::new(),
            events: Rows::new(),
            awaited: BTreeSet::new(),
        })
    }

    fn take(&mut self, portion: Portion) -> Result<()> {
        match portion {
            Portion::Given(given) => self.database.add_given(&given),
            Portion::Document { milestone, text } => self.take_document(&milestone, text.as_ref()),
            Portion::Event(recorded) => {
                self.database.write_condition(&recorded)?;
                self.events.push(self.database.event_row(&recorded));
                if self.events.len() < ROWS { Ok(()) } else { self.write_events() }
            }
            Portion::Claim { claim, left } => self.database.grant(&claim, left),
        }
    }

    fn take_document(&mut self, document: &Milestone, text: Option<&String>) -> Result<()> {
        let (database, id) = (self.database, document.id);
        if self.there.contains(&id) || !self.brought.insert(id) {
            self.write_documents()?;
            return database.replace_document(document, text);
        }
        self.documents.push(database.document_row(document, text));
        self.tasks.extend(document.tasks.iter().map(|task| database.task_row(document, task)));
        let edges = edges(document);
        self.edges.extend(database.edge_rows(document, &edges));
        let on = edges.into_iter().map(|(_, on, task)| (on, task));
        self.awaited
            .extend(on.filter(|(on, _)| *on == 0 || self.there.contains(&MilestoneId(*on))));
        self.holdings
            .extend(document.tasks.iter().flat_map(|task| database.holding_rows(id, task)));
        let (all, unranked) = (Touched::all(document), BTreeMap::new());
        self.offers.extend(database.offer_rows(document, &all, &unranked));
        let rows = self.documents.len() + self.tasks.len();
        if rows < ROWS { Ok(()) } else { self.write_documents() }
    }

    fn write_documents(&mut self) -> Result<()> {
        let database = self.database;
        database.insert_documents(std::mem::take(&mut self.documents))?;
        database.insert_tasks(std::mem::take(&mut self.tasks))?;
        database.insert_edges(std::mem::take(&mut self.edges))?;
        database.meet(&std::mem::take(&mut self.awaited))?;
        database.insert_holdings(std::mem::take(&mut self.holdings))?;
        database.insert_offers(std::mem::take(&mut self.offers))
    }

    fn write_events(&mut self) -> Result<()> {
        let again = " ON CONFLICT (project, change, position) DO NOTHING";
        self.database.insert_event_rows(std::mem::take(&mut self.events), again)
    }
}
