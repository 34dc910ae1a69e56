//! A whole project out of a database and into one, and the end of a project that moves elsewhere.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use milestone_domain::document::Milestone;
use milestone_domain::event::{AttemptId, Recorded};
use milestone_domain::ids::{MilestoneId, TaskId};
use milestone_domain::search::Place;
use milestone_domain::snapshot::{Claim, Given};

use super::read::parsed;
use super::{Connection, Database, Value};
use crate::planted;
use crate::{Portion, Result, Source, Store};

/// A project that is not whole yet, or that nobody has been sent to yet.
pub const COPYING: &str = "copying";

/// How many milestones are read, and rows written, at a time.
const MILESTONES: u32 = 256;
const EVENTS: i64 = 1000;
const ROWS: usize = 500;

/// A database as a project leaves it, or comes into it.
pub trait Movable: Store {
    /// Closes the project to writers, until it is sealed or opened again.
    fn close(&self) -> Result<()>;

    /// Ends what closing began; where the project has gone stands in it from now on.
    fn seal(&self, moved_to: &str) -> Result<()>;

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
}

impl<C: Connection> Movable for Database<C> {
    fn close(&self) -> Result<()> {
        self.check_writable()?;
        self.connection.close(self.project)?;
        self.begun.set(true);
        self.check_seal()
    }

    fn seal(&self, moved_to: &str) -> Result<()> {
        self.set_seal(moved_to)?;
        self.keep()
    }

    fn open_again(&self) {
        self.roll_back();
    }

    fn moved_to(&self) -> Result<String> {
        let sql = format!("SELECT moved_to FROM milestone_project WHERE id = {}", self.project);
        Ok(self.connected(|| self.one(&sql, &[], |row| row.string(0)))?.unwrap_or_default())
    }

    fn milestones(&self, place: Place) -> Result<BTreeSet<MilestoneId>> {
        let open = if place == Place::Open { " AND archived = 0" } else { "" };
        let sql =
            format!("SELECT id FROM milestone_document WHERE project = {}{open}", self.project);
        self.connected(|| {
            let mut ids = BTreeSet::new();
            self.connection.each(&sql, &[], &mut |row| {
                ids.insert(MilestoneId(u32::try_from(row.int(0)?).unwrap_or(0)));
                Ok(())
            })?;
            Ok(ids)
        })
    }

    fn fill(&self, source: Source<'_>, check: &dyn Fn(&dyn Store) -> Result<()>) -> Result<()> {
        self.begin()?;
        let filled = self.set_seal(COPYING).and_then(|()| self.take_all(source));
        match filled.and_then(|()| check(self)) {
            Ok(()) => self.keep(),
            Err(error) => {
                self.roll_back();
                Err(error)
            }
        }
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
}

impl<C: Connection> Database<C> {
    fn set_seal(&self, moved_to: &str) -> Result<()> {
        let sql = format!("UPDATE milestone_project SET moved_to = $1 WHERE id = {}", self.project);
        self.connection.run(&sql, &[moved_to.into()]).map(drop)
    }

    pub(super) fn import_once(&self, source: Source<'_>) -> Result<()> {
        self.begin()?;
        match self.check_seal().and_then(|()| self.take_all(source)) {
            Ok(()) => self.keep(),
            Err(error) => {
                self.roll_back();
                Err(error)
            }
        }
    }

    fn take_all(&self, source: Source<'_>) -> Result<()> {
        let mut importing = Importing::new(self)?;
        source(&mut |portion| importing.take(portion))?;
        importing.write_tasks()?;
        importing.write_events()?;
        self.look_again()?;
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
        let sql = format!("SELECT given FROM milestone_project WHERE id = {}", self.project);
        let given =
            self.one(&sql, &[], |row| parsed::<Given>("milestone_project", row.text(0)?))?;
        each(Portion::Given(given.unwrap_or_default()))?;
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
            let number = |column| Ok(u32::try_from(row.int(column)?).unwrap_or(0));
            let left = if row.text(5)? == now.boot { row.int(7)?.max(0) } else { 0 };
            let attempt = uuid::Uuid::try_parse(row.text(3)?).unwrap_or_default();
            let claim = Claim {
                task: TaskId::new(MilestoneId(number(0)?), number(1)?),
                attempt: AttemptId(attempt),
                fence: u64::try_from(row.int(2)?).unwrap_or(0),
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

    fn add_given(&self, more: &Given) -> Result<()> {
        let sql = format!("SELECT given FROM milestone_project WHERE id = {}", self.project);
        let given =
            self.one(&sql, &[], |row| parsed::<Given>("milestone_project", row.text(0)?))?;
        let all = given.unwrap_or_default().with(more);
        let text = serde_json::to_string(&all).unwrap_or_default();
        let sql = format!("UPDATE milestone_project SET given = $1 WHERE id = {}", self.project);
        self.connection.run(&sql, &[text.into()]).map(drop)
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
        let sql = format!(
            "SELECT COALESCE(MAX(id), 0) FROM milestone_document WHERE project = {}",
            self.project
        );
        let highest = self.one(&sql, &[], |row| row.int(0))?.unwrap_or(0);
        let mut first = 0;
        while i64::from(first) <= highest {
            let last = first + MILESTONES - 1;
            let mut texts = self.texts(first, last)?;
            for (id, milestone) in self.between(first, last)?.documents {
                let text = texts.remove(&id).filter(|text| !text.is_empty());
                each(Portion::Document { milestone: Box::new(milestone), text })?;
            }
            first += MILESTONES;
        }
        Ok(())
    }

    fn texts(&self, first: u32, last: u32) -> Result<BTreeMap<MilestoneId, String>> {
        let sql = format!(
            "SELECT id, text FROM milestone_document \
             WHERE project = {} AND id BETWEEN {first} AND {last}",
            self.project
        );
        let mut texts = BTreeMap::new();
        self.connection.each(&sql, &[], &mut |row| {
            let id = MilestoneId(u32::try_from(row.int(0)?).unwrap_or(0));
            texts.insert(id, row.string(1)?);
            Ok(())
        })?;
        Ok(texts)
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

/// Portions on their way into tables, many rows at a time.
struct Importing<'a, C> {
    database: &'a Database<C>,
    /// The documents that are there already.
    there: BTreeSet<MilestoneId>,
    tasks: Vec<Vec<Value<'static>>>,
    events: Vec<Recorded>,
}

impl<'a, C: Connection> Importing<'a, C> {
    fn new(database: &'a Database<C>) -> Result<Self> {
        let sql = format!("SELECT id FROM milestone_document WHERE project = {}", database.project);
        let mut there = BTreeSet::new();
        database.connection.each(&sql, &[], &mut |row| {
            there.insert(MilestoneId(u32::try_from(row.int(0)?).unwrap_or(0)));
            Ok(())
        })?;
        Ok(Self { database, there, tasks: Vec::new(), events: Vec::new() })
    }

    fn take(&mut self, portion: Portion) -> Result<()> {
        match portion {
            Portion::Given(given) => self.database.add_given(&given),
            Portion::Document { milestone, text } => self.take_document(&milestone, text.as_ref()),
            Portion::Event(recorded) => {
                self.database.write_condition(&recorded)?;
                self.events.push(recorded);
                if self.events.len() < ROWS { Ok(()) } else { self.write_events() }
            }
            Portion::Claim { claim, left } => self.database.grant(&claim, left),
        }
    }

    fn take_document(&mut self, document: &Milestone, text: Option<&String>) -> Result<()> {
        let (database, id) = (self.database, document.id);
        if self.there.contains(&id) {
            database.update_document(id, document, text)?;
            let kept: Vec<u32> = document.tasks.iter().map(|task| task.id.number).collect();
            database.remove_tasks_but(id, &kept)?;
        } else {
            database.insert_document(id, document, text)?;
            self.there.insert(id);
        }
        let rows = document.tasks.iter().map(|task| database.task_row(document, task));
        self.tasks.extend(rows);
        database.write_edges(id, document)?;
        database.write_all_offers(document)?;
        if self.tasks.len() < ROWS { Ok(()) } else { self.write_tasks() }
    }

    fn write_tasks(&mut self) -> Result<()> {
        self.database.insert_tasks(&std::mem::take(&mut self.tasks))
    }

    fn write_events(&mut self) -> Result<()> {
        let again = " ON CONFLICT (project, change, position) DO NOTHING";
        self.database.insert_events(&std::mem::take(&mut self.events), again)
    }
}
