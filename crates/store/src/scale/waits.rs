//! What writers remember of having waited for one another.
//!
//! A command that did not wait writes nothing. One that did leaves a line when its turn comes, so
//! mostly one process writes here at a time; a line that is lost or torn costs nothing but a
//! little of a figure.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::io::{Seek as _, SeekFrom, Write as _};
#[cfg(feature = "sqlite")]
use std::path::Path;
use std::time::Duration;

use jiff::Timestamp;

use crate::files::disk::Disk;

pub const PLACE: &str = "data/waits";

/// Less is what any disk makes anybody wait, and would only be more to read.
pub const NOTED_MIN: Duration = Duration::from_millis(5);

/// How far back pressure is looked for: long enough for work that goes on, short enough to forget
/// a day on which much was imported.
pub const WINDOW: Duration = Duration::from_mins(15);

/// One burst is no pressure: it has to be seen in this many stretches of time within the window.
pub const OCCASIONS_MIN: usize = 3;
const OCCASION_MS: i64 = 10_000;

/// So many slow commands within the window make pressure.
pub const SLOW_WAITS_MIN: u32 = 10;

/// How long the file may get, and how many lines of each stretch stay when it is shortened: the
/// longest, because those overlap with most others. Together they are below the length.
const BYTES_MAX: u64 = 64 * 1024;
const KEPT_MAX: usize = 24;

/// What the file says, in figures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Pressure {
    pub writers: u32,
    pub slow_waits: u32,
}

/// One command's waiting, in milliseconds: when it ended and how long it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Wait {
    pub until: i64,
    pub long: i64,
}

impl Wait {
    fn read(line: &str) -> Option<Self> {
        let (until, long) = line.split_once(' ')?;
        let (until, long) = (until.parse().ok()?, long.parse().ok()?);
        (until >= 0 && (0..=until).contains(&long)).then_some(Self { until, long })
    }

    fn occasion(self) -> i64 {
        self.until / OCCASION_MS
    }
}

/// Remembers that this process waited. Nothing depends on it, so nothing fails with it.
pub fn note(disk: &Disk, waited: Duration) {
    if waited < NOTED_MIN {
        return;
    }
    let now = Timestamp::now().as_millisecond();
    let line = format!("{now} {}\n", waited.as_millis());
    let Ok(mut file) = disk.open_to_write(PLACE) else { return };
    let Ok(end) = file.seek(SeekFrom::End(0)) else { return };
    if end < BYTES_MAX {
        let _ = file.write_all(line.as_bytes());
        return;
    }
    let mut text = shortened(&read_lines(disk), now);
    text.push_str(&line);
    let _ = disk.replace(PLACE, text.as_bytes());
}

/// The same of who waited for a database, if it stands where a project has its own.
#[cfg(feature = "sqlite")]
pub fn note_for(database: &Path, waited: Duration) {
    let folder = database.parent().filter(|folder| folder.ends_with("data"));
    if let Some(project) = folder.and_then(Path::parent).filter(|_| waited >= NOTED_MIN) {
        note(&Disk::new(project.to_owned()), waited);
    }
}

/// How things stand now. Where nobody waited lately that is one look at a file's age.
pub fn pressure(disk: &Disk, slow: Duration, now: Timestamp) -> Pressure {
    let Ok(Some(stamp)) = disk.stamp(PLACE) else { return Pressure::default() };
    let age = now.as_nanosecond().saturating_sub(stamp.modified);
    if age > i128::try_from(WINDOW.as_nanos()).unwrap_or(i128::MAX) {
        return Pressure::default();
    }
    told(&read_lines(disk), slow, now.as_millisecond())
}

fn read_lines(disk: &Disk) -> Vec<Wait> {
    let bytes = disk.tail(PLACE, BYTES_MAX * 2).map(|(bytes, _)| bytes).unwrap_or_default();
    String::from_utf8_lossy(&bytes).lines().filter_map(Wait::read).collect()
}

fn is_recent(wait: Wait, now: i64) -> bool {
    let window = i64::try_from(WINDOW.as_millis()).unwrap_or(i64::MAX);
    // A clock that was set back leaves lines from the future: they tell nothing.
    (0..window).contains(&now.saturating_sub(wait.until))
}

fn occasions(waits: &[Wait], now: i64) -> BTreeMap<i64, Vec<Wait>> {
    let mut all: BTreeMap<i64, Vec<Wait>> = BTreeMap::new();
    for wait in waits.iter().filter(|wait| is_recent(**wait, now)) {
        all.entry(wait.occasion()).or_default().push(*wait);
    }
    all
}

fn shortened(waits: &[Wait], now: i64) -> String {
    let mut text = String::new();
    for mut waits in occasions(waits, now).into_values() {
        waits.sort_by_key(|wait| Reverse(wait.long));
        for wait in waits.iter().take(KEPT_MAX) {
            let _ = writeln!(text, "{} {}", wait.until, wait.long);
        }
    }
    text
}

pub(super) fn told(waits: &[Wait], slow: Duration, now: i64) -> Pressure {
    let occasions = occasions(waits, now);
    let mut peaks: Vec<u32> = occasions.values().map(|waits| at_once(waits)).collect();
    peaks.sort_unstable_by_key(|peak| Reverse(*peak));
    let is_slow = |wait: &&Wait| wait.long > i64::try_from(slow.as_millis()).unwrap_or(i64::MAX);
    let slow_ones = || occasions.values().flatten().filter(is_slow);
    let seen: BTreeSet<i64> = slow_ones().map(|wait| wait.occasion()).collect();
    let slow_waits = if seen.len() < OCCASIONS_MIN { 0 } else { slow_ones().count() };
    Pressure {
        // What was reached again and again is the least of the highest.
        writers: peaks.get(OCCASIONS_MIN - 1).copied().unwrap_or(0),
        slow_waits: u32::try_from(slow_waits).unwrap_or(u32::MAX),
    }
}

/// The most that waited at one moment, and the one that they waited for.
fn at_once(waits: &[Wait]) -> u32 {
    let begins = waits.iter().map(|wait| (wait.until - wait.long, 1));
    let ends = waits.iter().map(|wait| (wait.until, -1));
    let mut changes: Vec<(i64, i32)> = begins.chain(ends).collect();
    changes.sort_unstable();
    let (mut waiting, mut most) = (0, 0);
    for (_, change) in changes {
        waiting += change;
        most = most.max(waiting);
    }
    u32::try_from(most + 1).unwrap_or(1)
}
