//! A project under test: what the harness asked of it, and what it may sensibly ask next.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::ask::{Ask, Proof};
use crate::check::check;
use crate::ledger::{Entry, Ledger, Said};
use crate::random::Random;
use crate::run::{Program, Running};
use crate::server;
use crate::store::{Kept, PROGRAM_URL, Store};

/// What the ledger is called in a folder that is kept.
pub const LEDGER: &str = "ledger.jsonl";

/// What those are called who ask in a clone: what they were told before it joined came late.
pub const IN_A_CLONE: &str = "clone";

/// How long a command takes before any was measured.
const USUAL_MICROS: u64 = 8_000;

/// A project with its ledger. Several threads may ask at the same time.
pub struct Scene {
    pub root: PathBuf,
    pub program: Program,
    /// What keeps it once it is furnished.
    pub store: Store,
    /// What those who ask here are called, before their number.
    called: &'static str,
    asked: AtomicU64,
    inner: Mutex<Inner>,
}

#[derive(Default, Clone)]
struct Inner {
    ledger: Ledger,
    model: Model,
    /// By verb: how long it takes when nobody kills it.
    usual: BTreeMap<String, u64>,
}

/// What the harness believes, so that most requests make sense. The checker does not see it.
#[derive(Default, Clone)]
struct Model {
    milestones: BTreeMap<String, Open>,
    tasks: BTreeMap<String, Task>,
    conditions: Vec<String>,
}

#[derive(Default, Clone)]
struct Open {
    criteria: u32,
    closed: bool,
}

#[derive(Clone)]
struct Task {
    milestone: String,
    status: &'static str,
    proof: Option<Proof>,
}

impl Scene {
    pub fn new(root: &Path, program: &Program) -> Self {
        fs::create_dir_all(root).unwrap_or_else(|error| panic!("{}: {error}", root.display()));
        let (asked, inner) = (AtomicU64::new(0), Mutex::default());
        let (root, program) = (root.to_owned(), program.clone());
        Self { root, program, store: Store::Files, called: "op", asked, inner }
    }

    #[must_use]
    pub fn kept_in(self, store: Store) -> Self {
        Self { store, ..self }
    }

    /// A copy of the project, modification times included, with the same past.
    #[must_use]
    pub fn copied(&self, root: &Path) -> Self {
        let source = format!("{}/.", self.root.display());
        let target = root.display().to_string();
        fs::create_dir_all(root).unwrap_or_else(|error| panic!("{target}: {error}"));
        if let Err(error) = crate::run::tool(&["cp", "-a", &source, &target]) {
            panic!("{error}");
        }
        if let Err(error) = server::own_project(&root.join(".milestones"), self.url()) {
            panic!("{error}");
        }
        Self {
            root: root.to_owned(),
            program: self.program.clone(),
            store: self.store,
            called: self.called,
            asked: AtomicU64::new(self.asked.load(Ordering::Relaxed)),
            inner: Mutex::new(self.inner().clone()),
        }
    }

    /// With writers who wait for one another as long as it takes.
    #[must_use]
    pub fn waiting_long(self) -> Self {
        Self { program: self.program.with("MILESTONE_STORAGE_LOCK_WAIT", "60s"), ..self }
    }

    /// Where the server is that may keep it.
    pub fn url(&self) -> Option<&str> {
        self.program.value(PROGRAM_URL)
    }

    /// What keeps it at this moment, as its pointer says it.
    pub fn kept(&self) -> Store {
        Kept::of(&self.folder()).map_or(Store::Files, |kept| kept.store)
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn folder(&self) -> PathBuf {
        self.root.join(".milestones")
    }

    /// A name that nobody else asks under.
    pub fn actor(&self) -> String {
        format!("{}-{:05}", self.called, self.asked.fetch_add(1, Ordering::Relaxed))
    }

    /// A project with two milestones and a few tasks, in its store.
    pub fn furnish(&self) -> Result<(), String> {
        self.furnish_in_files()?;
        self.settle_in_store()
    }

    pub fn furnish_in_files(&self) -> Result<(), String> {
        self.must(Ask::Init)?;
        for name in ["first", "second"] {
            let tasks = (1..=3).map(|n| format!("{name} {n}")).collect();
            self.must(Ask::Plan { title: format!("The {name}"), tasks })?;
        }
        Ok(())
    }

    /// Moves what was made in files to where it is to be kept.
    pub fn settle_in_store(&self) -> Result<(), String> {
        match self.store {
            Store::Files => Ok(()),
            to => self.must(Ask::Migrate { to }).map(drop),
        }
    }

    /// Runs it without a fault, and wants it done.
    pub fn must(&self, ask: Ask) -> Result<Entry, String> {
        let entry = self.act(ask);
        if entry.said() == Said::Kept {
            return Ok(entry);
        }
        let told = format!("{:?} after {:?}: {}", entry.end, entry.ask, entry.stderr.trim());
        Err(format!("the next command needs a person: {told}"))
    }

    /// Runs it without a fault.
    pub fn act(&self, ask: Ask) -> Entry {
        let entry = self.program.run(&self.root, ask, &self.actor());
        let (verb, took) = (entry.ask.verb(), entry.ended - entry.started);
        let mut inner = self.inner();
        let usual = inner.usual.entry(verb).or_insert(took);
        *usual = (*usual * 3 + took) / 4;
        drop(inner);
        self.keep(entry)
    }

    /// The same, and nobody is told what it made: what others ask for leaves it alone.
    pub fn aside(&self, ask: Ask) -> Entry {
        let entry = self.program.run(&self.root, ask, &self.actor());
        self.inner().ledger.entries.push(entry.clone());
        entry
    }

    /// How many edits were made by hand.
    pub fn edits(&self) -> usize {
        let inner = self.inner();
        let edits = inner.ledger.entries.iter();
        edits.filter(|entry| matches!(entry.ask, Ask::Edit { .. })).count()
    }

    /// Somebody else who works on this project in a folder of their own.
    #[must_use]
    pub fn sharing(&self, root: &Path) -> Self {
        let (asked, inner) = (AtomicU64::new(0), Mutex::default());
        let (program, store) = (self.program.clone(), self.store);
        Self { root: root.to_owned(), program, store, called: IN_A_CLONE, asked, inner }
    }

    /// What the checker finds where both have asked.
    pub fn settle_and_verify_with(&self, other: &Self) -> Vec<String> {
        let entries = other.inner().ledger.entries.clone();
        self.inner().ledger.entries.extend(entries);
        self.settle_and_verify()
    }

    pub fn start(&self, ask: Ask) -> Running {
        self.program.start(&self.root, ask, &self.actor())
    }

    /// Runs it, and kills it somewhere within the time that it usually takes.
    pub fn act_killed(&self, ask: Ask, random: &mut Random) -> Entry {
        let usual = self.inner().usual.get(&ask.verb()).copied().unwrap_or(USUAL_MICROS);
        let delay = Duration::from_micros(random.below(usual + usual / 4));
        let entry = self.program.run_and_kill(&self.root, ask, &self.actor(), delay);
        self.keep(entry)
    }

    /// Writes down a run, whoever started it.
    pub fn keep(&self, entry: Entry) -> Entry {
        let mut inner = self.inner();
        inner.model.learn(&entry);
        inner.ledger.entries.push(entry.clone());
        entry
    }

    /// One command that writes and must work, after which nothing may be left over.
    pub fn settle(&self) -> Result<(), String> {
        // Whatever was left in any document is noticed by a command that reads them all.
        self.must(Ask::List)?;
        let task = self.inner().model.tasks.keys().next().cloned();
        let text = format!("settled {}", self.asked.load(Ordering::Relaxed));
        let ask = match task {
            Some(task) => Ask::Note { task, text, proof: None },
            None => Ask::Plan { title: text, tasks: vec!["one".into()] },
        };
        self.must(ask).map(drop)
    }

    /// What the checker finds.
    pub fn verify(&self, settled: bool) -> Vec<String> {
        let ledger = self.inner().ledger.clone();
        check(&self.folder(), self.url(), &ledger, settled).exceptions
    }

    pub fn settle_and_verify(&self) -> Vec<String> {
        match self.settle() {
            Ok(()) => self.verify(true),
            Err(error) => vec![error].into_iter().chain(self.verify(false)).collect(),
        }
    }

    pub fn write_ledger(&self) {
        let _ = self.inner().ledger.write(&self.root.join(LEDGER));
    }

    pub fn acknowledged(&self) -> usize {
        let inner = self.inner();
        inner.ledger.entries.iter().filter(|entry| entry.said() == Said::Kept).count()
    }

    /// Some write that may well succeed now.
    pub fn next_ask(&self, random: &mut Random) -> Ask {
        let number = self.asked.load(Ordering::Relaxed);
        self.inner().model.next_ask(random, &format!("{number}-{}", random.clone().below(10_000)))
    }

    /// A write of this verb that succeeds now, as far as the harness knows.
    pub fn ask_for(&self, verb: &str, random: &mut Random) -> Option<Ask> {
        let number = self.asked.load(Ordering::Relaxed);
        if let Some(to) = verb.strip_prefix("move to ").and_then(Store::named) {
            return (to != self.kept()).then_some(Ask::Migrate { to });
        }
        self.inner().model.ask_for(verb, random, &format!("{verb} {number}"))
    }
}

/// Every verb that writes, as [`Ask::verb`] names it; more frequent ones stand here more often.
pub const VERBS: &[&str] = &[
    "plan",
    "task add",
    "task add",
    "task set",
    "task start",
    "task start",
    "task done",
    "task done",
    "task fail",
    "task block",
    "task unblock",
    "task claim",
    "task claim",
    "task renew",
    "task release",
    "task note",
    "task note",
    "task progress",
    "task move",
    "task remove",
    "criterion add",
    "criterion met",
    "condition set",
    "condition clear",
    "update",
    "archive",
];

impl Model {
    fn next_ask(&self, random: &mut Random, token: &str) -> Ask {
        for _ in 0..20 {
            let verb = random.pick(VERBS).copied().unwrap_or("plan");
            // Few milestones, so that they are shared.
            if verb == "plan" && self.milestones.len() > 5 && random.percent(80) {
                continue;
            }
            if let Some(ask) = self.ask_for(verb, random, token) {
                return ask;
            }
        }
        Ask::Plan { title: format!("Plan {token}"), tasks: vec![format!("a {token}")] }
    }

    #[expect(clippy::too_many_lines, reason = "a table of verbs")]
    fn ask_for(&self, verb: &str, random: &mut Random, token: &str) -> Option<Ask> {
        let task = |random: &mut Random, wanted: &[&str], proof: Option<bool>| {
            let fits = |(_, task): &(&String, &Task)| {
                (wanted.is_empty() || wanted.contains(&task.status))
                    && proof.is_none_or(|proof| task.proof.is_some() == proof)
            };
            let fitting: Vec<_> = self.tasks.iter().filter(fits).collect();
            random.pick(&fitting).map(|(id, task)| ((*id).clone(), (*task).clone()))
        };
        let open: Vec<&String> =
            self.milestones.iter().filter(|(_, open)| !open.closed).map(|(id, _)| id).collect();
        let milestone = |random: &mut Random| random.pick(&open).map(|id| (*id).clone());
        let text = format!("{verb} {token}");
        let reason = text.clone();
        Some(match verb {
            "plan" => {
                Ask::Plan { title: text, tasks: vec![format!("a {token}"), format!("b {token}")] }
            }
            "task add" => Ask::Add { milestone: milestone(random)?, title: text },
            "task set" => Ask::Set { task: task(random, &[], Some(false))?.0, title: text },
            "task start" => Ask::Start { task: task(random, &["pending"], Some(false))?.0 },
            "task done" => {
                let (task, Task { proof, .. }) = task(random, &["in_progress"], None)?;
                Ask::Done { task, proof }
            }
            "task fail" => {
                let (task, Task { proof, .. }) = task(random, &["in_progress"], None)?;
                Ask::Fail { task, reason, proof }
            }
            "task block" => {
                let (task, Task { proof, .. }) = task(random, &["in_progress", "pending"], None)?;
                Ask::Block { task, reason, proof }
            }
            "task unblock" => Ask::Unblock { task: task(random, &["blocked"], None)?.0 },
            "task claim" => {
                Ask::Claim { task: task(random, &["pending"], Some(false))?.0, lease: "10m".into() }
            }
            "task renew" => {
                let (task, Task { proof, .. }) = task(random, &["in_progress"], Some(true))?;
                Ask::Renew { task, lease: "20m".into(), proof: proof? }
            }
            "task release" => {
                let (task, Task { proof, .. }) = task(random, &["in_progress"], Some(true))?;
                Ask::Release { task, proof }
            }
            "task note" => Ask::Note { task: task(random, &[], None)?.0, text, proof: None },
            "task progress" => {
                let (task, Task { proof, .. }) = task(random, &["in_progress"], None)?;
                Ask::Progress { task, percent: u32::try_from(random.below(101)).ok()?, proof }
            }
            "task move" => {
                let (task, Task { milestone: from, .. }) = task(random, &["pending"], Some(false))?;
                let to = milestone(random).filter(|to| *to != from)?;
                Ask::Move { task, to }
            }
            "task remove" => {
                Ask::Remove { task: task(random, &["pending", "failed"], Some(false))?.0 }
            }
            "criterion add" => Ask::AddCriterion { milestone: milestone(random)?, text },
            "criterion met" => {
                let milestone = milestone(random)?;
                let criteria = self.milestones.get(&milestone)?.criteria;
                let number = u32::try_from(random.below(u64::from(criteria.max(1)))).ok()? + 1;
                (criteria > 0).then_some(Ask::MeetCriterion {
                    milestone,
                    number,
                    evidence: text,
                })?
            }
            "condition set" => {
                Ask::SetCondition { name: format!("c_{}", token.replace(['-', ' '], "_")) }
            }
            "condition clear" => {
                Ask::ClearCondition { name: random.pick(&self.conditions)?.clone() }
            }
            "update" => {
                // The first two stay open: everything else happens there.
                let spare = open.get(2..).and_then(|spare| random.pick(spare));
                let milestone = (*spare?).clone();
                Ask::Update { milestone, status: "cancelled".into(), reason }
            }
            "archive" => {
                let closed: Vec<_> =
                    self.milestones.iter().filter(|(_, open)| open.closed).collect();
                Ask::Archive { milestone: random.pick(&closed)?.0.clone() }
            }
            _ => return None,
        })
    }

    fn learn(&mut self, entry: &Entry) {
        if entry.said() == Said::Refused || !entry.ask.records() {
            return;
        }
        let sure = entry.said() == Said::Kept;
        let mut status = |task: &str, status: &'static str| {
            if let Some(task) = self.tasks.get_mut(task) {
                task.status = if sure { status } else { "unknown" };
                task.proof = None;
            }
        };
        match &entry.ask {
            Ask::Start { task } => status(task, "in_progress"),
            Ask::Done { task, .. } => status(task, "completed"),
            Ask::Fail { task, .. } => status(task, "failed"),
            Ask::Block { task, .. } => status(task, "blocked"),
            Ask::Unblock { task } | Ask::Release { task, .. } => status(task, "pending"),
            Ask::Claim { task, .. } => {
                status(task, "in_progress");
                if let (Some(task), true) = (self.tasks.get_mut(task), sure) {
                    task.proof = entry.proof();
                }
            }
            Ask::Move { task, .. } | Ask::Remove { task } => {
                self.tasks.remove(task);
            }
            Ask::Plan { tasks, .. } if sure => self.planned(entry, tasks.len()),
            Ask::Add { milestone, .. } if sure => {
                let id = entry.printed_id().unwrap_or_default().to_owned();
                let milestone = milestone.clone();
                self.tasks.insert(id, Task { milestone, status: "pending", proof: None });
            }
            Ask::AddCriterion { milestone, .. } if sure => {
                if let Some(open) = self.milestones.get_mut(milestone) {
                    open.criteria += 1;
                }
            }
            Ask::SetCondition { name } => self.conditions.push(name.clone()),
            Ask::ClearCondition { name } => self.conditions.retain(|known| known != name),
            Ask::Update { milestone, .. } => {
                if let Some(open) = self.milestones.get_mut(milestone) {
                    open.closed = true;
                }
                self.tasks.retain(|_, task| task.milestone != *milestone);
            }
            Ask::Archive { milestone } => {
                self.milestones.remove(milestone);
            }
            _ => {}
        }
    }

    fn planned(&mut self, entry: &Entry, tasks: usize) {
        let Some(milestone) = entry.printed_id() else { return };
        self.milestones.insert(milestone.to_owned(), Open::default());
        let number = milestone.trim_start_matches("milestone-");
        for task in 1..=tasks {
            let milestone = milestone.to_owned();
            let task_id = format!("task-{number}-{task:03}");
            self.tasks.insert(task_id, Task { milestone, status: "pending", proof: None });
        }
    }
}
