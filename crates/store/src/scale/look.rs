//! The look that a command takes at the project's size after it has written.

use jiff::{SignedDuration, Timestamp};
use milestone_domain::command::Command;
use milestone_domain::event::Event;
use milestone_domain::ids::MilestoneId;
use milestone_domain::needs::needs;
use milestone_domain::snapshot::{Scope, Snapshot};
use milestone_domain::views::scale::OpenWork;

use super::note::{Failed, Note};
use super::{Decision, Grounds, Measured, Verdict, decide, waits};
use crate::config::{Config, Source};
use crate::files::disk::Disk;
use crate::place::Place;
use crate::pointer::StoreKind;
use crate::{Outcome, Result};

/// From half of what is too many on, each new task is counted at once; below that, now and then.
const COUNTED_EVERY: u32 = 8;

/// The project whose scale is looked at.
pub struct Detector<'a> {
    disk: Disk,
    pub(super) config: &'a Config,
    pub(super) place: &'a Place,
    present: StoreKind,
}

/// What a command saw of the project's size while it did its own work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seen {
    /// Everything that is open.
    All(OpenWork),
    /// One milestone, in which there are at least so many open tasks; the highest number of a task
    /// that it added.
    Part { open_tasks: u32, added: Option<u32> },
}

impl Seen {
    pub fn all(snapshot: &Snapshot) -> Self {
        Self::All(OpenWork::of(snapshot))
    }

    /// Of a command and what it came to.
    pub fn by(command: &Command, outcome: &Outcome) -> Self {
        match needs(command) {
            Scope::Graph(_) | Scope::All => Self::all(&outcome.snapshot),
            Scope::Milestone(_) | Scope::Past(_) => Self::part(outcome),
        }
    }

    pub fn part(outcome: &Outcome) -> Self {
        let added = outcome.events.iter().filter_map(|recorded| match &recorded.event {
            Event::TaskAdded { task, .. } => Some(task.number),
            _ => None,
        });
        Self::Part { open_tasks: OpenWork::of(&outcome.snapshot).tasks, added: added.max() }
    }
}

/// What was found, and what it was decided from.
#[derive(Debug, Clone)]
pub struct Looked {
    pub grounds: Grounds,
    pub decision: Decision,
    /// Where the wish comes from.
    pub wish_from: Source,
    at: Timestamp,
    before: Option<Note>,
}

impl<'a> Detector<'a> {
    pub fn new(place: &'a Place, config: &'a Config) -> Result<Self> {
        Ok(Self { disk: place.disk(), config, place, present: place.kind()? })
    }

    fn grounds(&self, work: OpenWork, now: Timestamp) -> Grounds {
        let thresholds = self.config.thresholds();
        let pressure = waits::pressure(&self.disk, thresholds.wait, now);
        Grounds {
            present: self.present,
            measured: Measured {
                open_milestones: work.milestones,
                open_tasks: work.tasks,
                writers: pressure.writers,
                slow_waits: pressure.slow_waits,
            },
            thresholds,
            wish: self.config.wish(),
            has_url: self.config.postgres_url().is_some(),
        }
    }

    /// What is open, as far as it can be told without reading more than was read already; none if
    /// that is not enough.
    fn known(&self, seen: Seen, before: Option<&Note>) -> Option<OpenWork> {
        let (at_least, added) = match seen {
            Seen::All(work) => return Some(work),
            Seen::Part { open_tasks, added } => (open_tasks, added),
        };
        let before = &before?.measured;
        let tasks = before.open_tasks.max(at_least);
        // Where no number of tasks is too large, they need not be counted.
        if let (Some(number), Some(limit)) =
            (added, self.config.thresholds().of(self.present).tasks)
            && (tasks >= limit / 2 || number % COUNTED_EVERY == 0)
        {
            return None;
        }
        let milestones = match self.present {
            StoreKind::Files => self.open_documents()?,
            StoreKind::Sqlite | StoreKind::Postgres => before.open_milestones,
        };
        Some(OpenWork { milestones, tasks })
    }

    fn open_documents(&self) -> Option<u32> {
        let names = self.disk.names("active").ok()?;
        let ids = names.iter().filter_map(|name| name.strip_suffix(".yaml"));
        u32::try_from(ids.filter(|id| id.parse::<MilestoneId>().is_ok()).count()).ok()
    }
}

/// Decides where the project belongs. `count` reads all open work, and is only asked where what
/// the command saw anyway does not tell.
pub fn look<E>(
    detector: &Detector<'_>,
    seen: Seen,
    now: Timestamp,
    count: impl Fn() -> std::result::Result<OpenWork, E>,
) -> std::result::Result<Looked, E> {
    let before = Note::read(&detector.disk);
    let known = detector.known(seen, before.as_ref());
    let mut grounds = detector.grounds(known.map_or_else(&count, Ok)?, now);
    let mut decision = decide(&grounds);
    let is_exact = known.is_none() || matches!(seen, Seen::All(_));
    // Figures of an earlier command are good enough to stay, and not to move.
    let by_figures = grounds.wish.store(grounds.has_url).is_none();
    if matches!(decision.verdict, Verdict::Move(_)) && by_figures && !is_exact {
        let work = count()?;
        grounds.measured.open_milestones = work.milestones;
        grounds.measured.open_tasks = work.tasks;
        decision = decide(&grounds);
    }
    let wish_from = detector.config.value("scale_override").map_or(Source::Default, |s| s.source);
    Ok(Looked { grounds, decision, wish_from, at: now, before })
}

/// Does what was decided: writes it down, and answers what a person is to be told now.
pub fn carry_out(detector: &Detector<'_>, looked: &Looked) -> Result<Option<String>> {
    let Looked { grounds, decision, wish_from, at, before } = looked;
    let mut note = Note::new(grounds, wish_from.word(), decision, *at);
    note.told = before.as_ref().map(|before| before.told.clone()).unwrap_or_default();
    note.failed = before.as_ref().and_then(|before| before.failed.clone());
    let news = decision.lacks_url.as_ref().filter(|_| !note.told.iter().any(|told| told == NO_URL));
    if news.is_some() {
        note.told.push(NO_URL.to_owned());
    }
    if before.as_ref().is_none_or(|before| !note.says_the_same(before)) {
        note.write(&detector.disk)?;
    }
    Ok(news.map(|why| {
        format!(
            "{why}: PostgreSQL would serve, and nobody said where it is; set storage.postgres_url \
             or MILESTONE_DATABASE_URL. Until then nothing stops: see `milestone storage explain`"
        )
    }))
}

impl Looked {
    /// How much open work it was decided from.
    pub fn work(&self) -> OpenWork {
        let Measured { open_milestones, open_tasks, .. } = self.grounds.measured;
        OpenWork { milestones: open_milestones, tasks: open_tasks }
    }

    /// Where the project is to go now. One that could not go there is left alone for a while.
    pub fn move_to(&self) -> Option<StoreKind> {
        let failed = self.before.as_ref().and_then(|before| before.failed.as_ref());
        let lately = failed.is_some_and(|failed| self.at.duration_since(failed.at) < TRIED_AGAIN);
        match self.decision.verdict {
            Verdict::Move(to) if !lately => Some(to),
            Verdict::Move(_) | Verdict::Stay => None,
        }
    }
}

/// Writes down that a move was tried in vain.
pub fn note_failure(detector: &Detector<'_>, why: &str, at: Timestamp) -> Result<()> {
    let Some(mut note) = Note::read(&detector.disk) else { return Ok(()) };
    note.failed = Some(Failed { at, why: why.to_owned() });
    note.write(&detector.disk)
}

/// How long a move that failed is not tried again.
const TRIED_AGAIN: SignedDuration = SignedDuration::from_mins(10);

/// What is remembered of having been said.
const NO_URL: &str = "PostgreSQL needs storage.postgres_url or MILESTONE_DATABASE_URL";
