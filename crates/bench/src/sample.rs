//! A generated project, in the store in which it is measured.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use milestone_domain::document::Milestone;
use milestone_domain::snapshot::Scope;
use milestone_store::config::{Config, Layers, PROJECT_FILE};
use milestone_store::place::{Place, Told};
use milestone_store::pointer::StoreKind;
use milestone_store::{Project, Store};

use crate::inside::ACTOR;
use crate::measure::{Programs, milliseconds};
use crate::report::{Row, Target};
use crate::{Result, generate};

pub struct Sample {
    pub tasks: usize,
    pub store: StoreKind,
    pub repository: PathBuf,
    server: Option<String>,
}

impl Sample {
    /// A project in files, and what it took to take in all documents by one reading.
    pub fn make(
        programs: &Programs,
        repository: &Path,
        documents: &[Milestone],
    ) -> Result<(Self, Row)> {
        generate::write(repository, documents)?;
        let tasks = documents.iter().filter(|it| !it.archived).map(|it| it.tasks.len()).sum();
        let (repository, server) = (repository.to_owned(), programs.server.clone());
        let sample = Self { tasks, store: StoreKind::Files, repository, server };
        let project = sample.project()?;
        let started = Instant::now();
        let snapshot = project.read(&Scope::All, ACTOR)?;
        let taken = milliseconds(started);
        if let Some(problem) = snapshot.problems.first() {
            return Err(format!("the generated project has a problem: {problem:?}").into());
        }
        let row = sample.row("import", taken).held_to(match tasks {
            10_000 => Target::Milliseconds(1000.0),
            _ => Target::None,
        });
        Ok((sample, row))
    }

    /// Moves it, as a person would, and answers how many milliseconds that took.
    pub fn move_to(&mut self, programs: &Programs, store: StoreKind) -> Result<f64> {
        // Otherwise it would move back by itself.
        let wish = format!("scale_override: {}\n", store.word());
        fs::write(self.root().join(PROJECT_FILE), wish)?;
        let words = ["storage", "migrate", store.word()].map(str::to_owned);
        let taken = programs.run("milestone", &words, &self.repository)?;
        self.store = store;
        Ok(taken)
    }

    /// Whether documents are kept current beside the database it is in.
    pub fn mirrors(&self, mirrored: bool) -> Result<()> {
        let mirror = if mirrored { "on" } else { "off" };
        let settings =
            format!("scale_override: {}\nstorage:\n  mirror: '{mirror}'\n", self.store.word());
        Ok(fs::write(self.root().join(PROJECT_FILE), settings)?)
    }

    /// Opened anew each time, and let go before anything is measured: the last one that closes a
    /// SQLite database has more to do than the others.
    pub fn project(&self) -> Result<Project> {
        Ok(Project::at(self.place()?)?)
    }

    pub fn open(&self) -> Result<Box<dyn Store>> {
        Ok(self.place()?.open()?)
    }

    fn root(&self) -> PathBuf {
        self.repository.join(".milestones")
    }

    fn place(&self) -> Result<Place> {
        let url = self.server.clone().map(|url| ("MILESTONE_DATABASE_URL".to_owned(), url));
        let config = Config::load(&Layers {
            project: Some(self.root().join(PROJECT_FILE)),
            user: None,
            environment: url.into_iter().collect(),
        })?;
        Ok(Place {
            root: self.root(),
            settings: config.settings(),
            lock_wait: Duration::from_secs(10),
            postgres: config.postgres_url().cloned(),
            listen: None,
            shared: config.project(),
            wished: config.wished(),
            mirror: config.mirror(),
            told: Told::default(),
        })
    }

    pub fn row(&self, operation: &str, figure: f64) -> Row {
        Row::new(operation, self.store.word(), self.tasks, figure)
    }
}
