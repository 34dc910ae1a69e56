//! Which store a project belongs into: what was measured, held against thresholds and wishes.
//!
//! Deciding is pure and stands here. Beside it: how those that waited are remembered (`waits`),
//! what is written down for people (`note`), and the look that a command takes after it has
//! written (`look`).

mod explain;
mod look;
mod note;
mod waits;

#[cfg(test)]
mod tests;

use std::time::Duration;

use milestone_domain::views::storage::Bounds;

use crate::pointer::StoreKind;

pub use look::{Detector, Looked, Seen, carry_out, look, note_failure};
pub use note::PLACE as NOTE;
pub(crate) use waits::note as note_wait;
#[cfg(feature = "sqlite")]
pub(crate) use waits::note_for as note_wait_for;
pub use waits::{SLOW_WAITS_MIN, WINDOW};

/// What `scale_override` asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Wish {
    #[default]
    Auto,
    Files,
    Sqlite,
    Postgres,
    /// PostgreSQL where it is known where that is, else SQLite.
    Database,
}

impl Wish {
    /// By one of the words that people write.
    pub fn of(word: &str) -> Option<Self> {
        match word {
            "auto" => Some(Self::Auto),
            "file" | "files" => Some(Self::Files),
            "sqlite" => Some(Self::Sqlite),
            "postgres" | "postgresql" => Some(Self::Postgres),
            "database" => Some(Self::Database),
            _ => None,
        }
    }

    pub fn word(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Files => "files",
            Self::Sqlite => "sqlite",
            Self::Postgres => "postgres",
            Self::Database => "database",
        }
    }

    /// The store that is meant, whether it can be had or not; none if nobody says.
    pub fn store(self, has_url: bool) -> Option<StoreKind> {
        match self {
            Self::Auto => None,
            Self::Files => Some(StoreKind::Files),
            Self::Postgres => Some(StoreKind::Postgres),
            Self::Database if has_url => Some(StoreKind::Postgres),
            Self::Sqlite | Self::Database => Some(StoreKind::Sqlite),
        }
    }
}

/// How large a project is and how it is used. What is filed away is in none of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Measured {
    pub open_milestones: u32,
    pub open_tasks: u32,
    /// The most that wrote at once, again and again.
    pub writers: u32,
    /// How many commands lately waited longer than the threshold, again and again.
    pub slow_waits: u32,
}

/// From which figures on a store is too small.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Thresholds {
    pub sqlite_above_milestones: u32,
    pub postgres_above_milestones: u32,
    pub sqlite_above_tasks: u32,
    pub writers: u32,
    pub wait: Duration,
}

impl Default for Thresholds {
    fn default() -> Self {
        Self {
            sqlite_above_milestones: 50,
            postgres_above_milestones: 200,
            sqlite_above_tasks: 2000,
            writers: 8,
            wait: Duration::from_millis(200),
        }
    }
}

impl Thresholds {
    /// How much open work a store is made for.
    pub fn of(&self, store: StoreKind) -> Bounds {
        match store {
            StoreKind::Files => Bounds {
                milestones: Some(self.sqlite_above_milestones),
                tasks: Some(self.sqlite_above_tasks),
            },
            StoreKind::Sqlite => {
                Bounds { milestones: Some(self.postgres_above_milestones), tasks: None }
            }
            StoreKind::Postgres => Bounds::default(),
        }
    }
}

/// Everything a decision rests on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Grounds {
    pub present: StoreKind,
    pub measured: Measured,
    pub thresholds: Thresholds,
    pub wish: Wish,
    /// Whether it is known where PostgreSQL is.
    pub has_url: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    Stay,
    Move(StoreKind),
}

/// What is to be done, and why, in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    pub verdict: Verdict,
    pub why: String,
    /// Why it ought to be PostgreSQL, where nobody said where that is.
    pub lacks_url: Option<String>,
}

/// A figure that is too large for the present store.
struct Excess {
    to: StoreKind,
    why: String,
}

pub fn decide(grounds: &Grounds) -> Decision {
    match grounds.wish.store(grounds.has_url) {
        Some(wanted) => as_wished(grounds, wanted),
        None => by_figures(grounds),
    }
}

fn stay(why: String) -> Decision {
    Decision { verdict: Verdict::Stay, why, lacks_url: None }
}

fn as_wished(grounds: &Grounds, wanted: StoreKind) -> Decision {
    let why = format!("scale_override asks for {}", grounds.wish.word());
    if wanted == grounds.present {
        return stay(why);
    }
    if wanted == StoreKind::Postgres && !grounds.has_url {
        let lacks_url = Some(why.clone());
        return Decision { lacks_url, ..stay(format!("{why}, and no URL of it is set")) };
    }
    Decision { verdict: Verdict::Move(wanted), why, lacks_url: None }
}

fn by_figures(grounds: &Grounds) -> Decision {
    let present = grounds.present;
    let all: Vec<Excess> =
        excesses(grounds).into_iter().filter(|excess| excess.to > present).collect();
    let postgres = said(all.iter().filter(|excess| excess.to == StoreKind::Postgres));
    let lacks_url = postgres.filter(|_| !grounds.has_url);
    let reach = if grounds.has_url { StoreKind::Postgres } else { StoreKind::Sqlite };
    let to = all.iter().map(|excess| excess.to.min(reach)).max();
    match (to, said(all.iter())) {
        (Some(to), Some(why)) if to > present => {
            Decision { verdict: Verdict::Move(to), why, lacks_url }
        }
        (Some(_), Some(why)) => Decision {
            lacks_url,
            ..stay(format!("{why}; PostgreSQL needs a URL, and none is set"))
        },
        _ => stay(enough(grounds)),
    }
}

/// Why the present store will do. Down is a wish, never a consequence.
fn enough(grounds: &Grounds) -> String {
    let Grounds { measured, thresholds, .. } = grounds;
    let of = |number: u32, limit: u32| format!("{} not more than {limit}", are(number));
    match grounds.present {
        StoreKind::Files => of(measured.open_milestones, thresholds.sqlite_above_milestones),
        StoreKind::Sqlite if excesses(grounds).is_empty() => {
            "it is large enough, and a project never moves down by itself".to_owned()
        }
        StoreKind::Sqlite => of(measured.open_milestones, thresholds.postgres_above_milestones),
        StoreKind::Postgres => {
            "there is nothing larger, and a project never moves down by itself".to_owned()
        }
    }
}

fn are(milestones: u32) -> String {
    match milestones {
        1 => "1 open milestone is".to_owned(),
        _ => format!("{milestones} open milestones are"),
    }
}

/// In one sentence; none where there is nothing to say.
fn said<'a>(excesses: impl Iterator<Item = &'a Excess>) -> Option<String> {
    let all: Vec<&str> = excesses.map(|excess| excess.why.as_str()).collect();
    (!all.is_empty()).then(|| all.join("; "))
}

fn excesses(grounds: &Grounds) -> Vec<Excess> {
    let Grounds { measured, thresholds, present, .. } = grounds;
    let mut found = Vec::new();
    let mut exceeds = |is: bool, to: StoreKind, why: String| {
        if is {
            found.push(Excess { to, why });
        }
    };
    let milestones = measured.open_milestones;
    let (sqlite, postgres) =
        (thresholds.sqlite_above_milestones, thresholds.postgres_above_milestones);
    let more = |limit: u32| format!("{} more than {limit}", are(milestones));
    // Of two bounds that are passed, the larger store's says all.
    let large = milestones > postgres;
    exceeds(large, StoreKind::Postgres, more(postgres));
    exceeds(milestones > sqlite && !large, StoreKind::Sqlite, more(sqlite));
    let (tasks, limit) = (measured.open_tasks, thresholds.sqlite_above_tasks);
    exceeds(tasks > limit, StoreKind::Sqlite, format!("{tasks} open tasks are more than {limit}"));
    let (writers, limit) = (measured.writers, thresholds.writers);
    let at_once = format!("{writers} at once wrote, or waited to; {limit} are too many");
    exceeds(writers >= limit, present.above(), at_once);
    let waits = measured.slow_waits;
    let longer = format!(
        "{waits} commands waited longer than {} ms within {} minutes; {SLOW_WAITS_MIN} are too many",
        thresholds.wait.as_millis(),
        WINDOW.as_secs() / 60,
    );
    exceeds(waits >= SLOW_WAITS_MIN, present.above(), longer);
    found
}
