//! Every bound of the domain, in one place.

/// The largest number in an id; far above any project, far below where arithmetic could overflow.
pub const ID_MAX: u32 = 999_999;

/// Tasks in one milestone.
pub const TASKS_MAX: usize = 10_000;

/// Characters in a title; a title is one line that people read.
pub const TITLE_CHARS_MAX: usize = 500;

/// Characters in any other single text of a command: a note, a reason, an evidence.
pub const TEXT_CHARS_MAX: usize = 100_000;

/// Characters in the name of an actor or a condition.
pub const NAME_CHARS_MAX: usize = 200;

/// The longest lease that may be asked for, in seconds: a day.
pub const LEASE_SECONDS_MAX: u64 = 24 * 60 * 60;

/// The shortest lease: below this, ordinary scheduling delays would end it.
pub const LEASE_SECONDS_MIN: u64 = 1;

/// Tasks that one session works on at once.
pub const AGENTS_MAX: u16 = 64;

/// What a task that nobody estimated is assumed to take: half a working day.
pub const ASSUMED_EFFORT: crate::effort::Effort = crate::effort::Effort::from_minutes(4 * 60);

/// What took less was not measured: somebody started and finished it in one go, to note it down.
pub const MEASURED_EFFORT_MIN: crate::effort::Effort = crate::effort::Effort::from_minutes(1);

/// How many milestones that were filed away the past is read from, the newest.
pub const PAST_MILESTONES_MAX: usize = 50;

/// How many completed tasks it takes before estimates are corrected by what they took.
pub const CORRECTION_SAMPLES_MIN: u32 = 5;

/// How many of the latest tasks of a kind its correction rests on; three times as many of all.
pub const CORRECTION_SAMPLES_MAX: usize = 60;

/// No correction makes more of an estimate than three times as much, or less than a third.
pub const CORRECTION_FACTOR_MAX: f64 = 3.0;

/// How much more, or less, doubt history may add to what estimates state.
pub const CORRECTION_SPREAD_MIN: f64 = 0.3;
pub const CORRECTION_SPREAD_MAX: f64 = 3.0;

/// Trials of a forecast; beyond that no date moves.
pub const TRIALS_MAX: u32 = 100_000;

/// Days in which somebody has to have worked to be counted on from now on.
pub const ACTIVE_DAYS: i64 = 14;

/// Rows of a Gantt chart: more than that is no picture.
pub const GANTT_ROWS_MAX: usize = 60;

/// Boxes of a graph.
pub const GRAPH_NODES_MAX: usize = 80;

/// Words and phrases of one search, and characters of all of them together.
pub const SEARCH_TERMS_MAX: usize = 32;
pub const SEARCH_CHARS_MAX: usize = 1_000;

/// Characters of a text that are shown around what was found in it.
pub const EXCERPT_CHARS_MAX: usize = 160;

/// How many near words are offered for one that stands nowhere.
pub const NEAR_WORDS_MAX: usize = 3;
