//! The documents of a project that is kept in a database which this clone cannot reach: they can
//! be read as they last stood here, and nothing can be written.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use milestone_domain::command::Credential;
use milestone_domain::event::Recorded;
use milestone_domain::ids::{MilestoneId, TaskId};
use milestone_domain::past::Trail;
use milestone_domain::search::Query;
use milestone_domain::snapshot::{Claim, Problem, ProblemKind, Scope};

use crate::error::StoreError;
use crate::files::Files;
use crate::{
    Bases, Change, Collided, Cursor, EventFilter, Mending, Noticed, Optimized, Page, Portion,
    Reading, Result, Searched, Source, Store, Turn,
};

pub struct SnapshotOnly {
    files: Files,
}

impl SnapshotOnly {
    pub fn new(files: Files) -> Self {
        Self { files: files.mirroring() }
    }

    fn problem() -> Problem {
        Problem {
            milestone: None,
            file: crate::moving::STORE_PAGE.into(),
            line: None,
            column: None,
            kind: ProblemKind::Other,
            message: "this is how the documents last stood here; the project itself is kept in \
                      PostgreSQL"
                .into(),
            next: StoreError::NoUrl.next(),
        }
    }
}

impl Store for SnapshotOnly {
    fn read(&self, scope: &Scope) -> Result<Reading> {
        let mut reading = self.files.read(scope)?;
        reading.noticed.clear();
        reading.snapshot.problems.push(Self::problem());
        Ok(reading)
    }

    fn turn(&self, _: u32) -> Result<Box<dyn Turn + '_>> {
        Err(StoreError::NoUrl)
    }

    fn commit(&self, _: &Change) -> Result<()> {
        Err(StoreError::NoUrl)
    }

    fn accept(&self, _: &Noticed) -> Result<()> {
        Err(StoreError::NoUrl)
    }

    fn renew(&self, _: TaskId, _: Credential, _: Duration) -> Result<Option<Claim>> {
        Err(StoreError::NoUrl)
    }

    fn events(&self, after: Option<&Cursor>, filter: &EventFilter, limit: usize) -> Result<Page> {
        self.files.events(after, filter, limit)
    }

    fn history(&self, id: MilestoneId) -> Result<Vec<Recorded>> {
        self.files.history(id)
    }

    fn trails(&self, ids: &BTreeSet<MilestoneId>) -> Result<BTreeMap<MilestoneId, Trail>> {
        self.files.trails(ids)
    }

    fn search(&self, query: &Query) -> Result<Searched> {
        let mut searched = self.files.search(query)?;
        searched.noticed.clear();
        searched.problems.push(Self::problem());
        Ok(searched)
    }

    fn text(&self, id: MilestoneId) -> Result<Option<String>> {
        self.files.text(id)
    }

    fn check(&self) -> Result<Vec<Problem>> {
        self.files.check()
    }

    fn mend(&self, _: Bases<'_>) -> Result<Mending> {
        Err(StoreError::NoUrl)
    }

    fn collisions(&self) -> Result<Vec<Collided>> {
        Ok(Vec::new())
    }

    fn optimize(&self) -> Result<Optimized> {
        Err(StoreError::NoUrl)
    }

    fn export(&self, each: &mut dyn FnMut(Portion) -> Result<()>) -> Result<()> {
        self.files.export(each)
    }

    fn import(&self, _: Source<'_>) -> Result<()> {
        Err(StoreError::NoUrl)
    }
}
