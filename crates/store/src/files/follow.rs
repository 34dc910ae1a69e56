//! The order in which this clone first saw events: what a cursor counts in.

use milestone_domain::event::{ChangeId, Recorded};
use milestone_domain::ids::MilestoneId;
use serde::Deserialize;

use super::disk::Disk;
use super::history;
use super::journal::{Append, Applied};
use crate::error::StoreError;
use crate::{Cursor, EventFilter, Page};

type Result<T> = std::result::Result<T, StoreError>;

const PLACE: &str = "data/events.log";

/// How much of the end is searched for a change that may be there already. A repeated commit
/// follows its first try within seconds.
const RECENT_BYTES: u64 = 64 * 1024;

/// One line: the event's id, its stream, and where in which segment it stands.
pub fn line(recorded: &Recorded, segment: &str, offset: u64) -> String {
    format!("{} {} {segment} {offset}\n", recorded.id, recorded.stream)
}

pub fn append(disk: &Disk, text: String) -> Result<Append> {
    let (bytes, size) = disk.tail(PLACE, RECENT_BYTES)?;
    // A last line without its end was torn by a crash.
    let torn = bytes.iter().rev().take_while(|byte| **byte != b'\n').count() as u64;
    Ok(Append { place: PLACE.to_owned(), at: size - torn, text })
}

/// Whether a change has been kept already.
pub fn knows(disk: &Disk, change: ChangeId) -> Result<bool> {
    let (recent, _) = disk.tail(PLACE, RECENT_BYTES)?;
    let id = change.0.to_string();
    Ok(recent.split(|byte| *byte == b'\n').any(|line| line.starts_with(id.as_bytes())))
}

#[derive(Deserialize)]
struct Line {
    #[serde(flatten)]
    recorded: Recorded,
}

/// Events after a cursor, in the order in which this clone saw them.
pub fn events(
    disk: &Disk,
    after: Option<&Cursor>,
    filter: &EventFilter,
    limit: usize,
) -> Result<Page> {
    let epoch = Applied::read(disk)?.map(|applied| applied.epoch.to_string()).unwrap_or_default();
    let log = disk.read(PLACE)?.unwrap_or_default();
    let start = match after {
        None => 0,
        Some(cursor) => position(cursor, &epoch, log.len())?,
    };
    let mut segments = Segments { disk, last: None };
    let mut events = Vec::new();
    let mut at = start;
    for line in log[start..].split_inclusive(|byte| *byte == b'\n') {
        if events.len() == limit || !line.ends_with(b"\n") {
            break;
        }
        at += line.len();
        let text = String::from_utf8_lossy(line);
        events.extend(event(&mut segments, text.trim_end(), filter)?);
    }
    Ok(Page { events, next: Cursor(format!("{epoch}:{at}")) })
}

/// The segment that was read last: neighbouring events mostly stand in one.
struct Segments<'a> {
    disk: &'a Disk,
    last: Option<(String, Vec<u8>)>,
}

impl Segments<'_> {
    fn read(&mut self, place: String) -> Result<&[u8]> {
        if self.last.as_ref().is_none_or(|(last, _)| *last != place) {
            let bytes = self.disk.read(&place)?.unwrap_or_default();
            self.last = Some((place, bytes));
        }
        Ok(self.last.as_ref().map_or(&[], |(_, bytes)| bytes))
    }
}

fn position(cursor: &Cursor, epoch: &str, length: usize) -> Result<usize> {
    let (of, at) = cursor.0.split_once(':').ok_or(StoreError::Gone)?;
    let at: usize = at.parse().map_err(|_| StoreError::Gone)?;
    if of == epoch && at <= length { Ok(at) } else { Err(StoreError::Gone) }
}

/// The event of a line, if the filter wants it and git has not put another history in its place.
fn event(
    segments: &mut Segments<'_>,
    line: &str,
    filter: &EventFilter,
) -> Result<Option<Recorded>> {
    let mut parts = line.split(' ');
    let (Some(_), Some(stream), Some(segment), Some(offset)) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Ok(None);
    };
    let wanted = filter.milestone.or_else(|| filter.task.map(|task| task.milestone));
    if wanted.is_some_and(|id: MilestoneId| stream != id.to_string()) {
        return Ok(None);
    }
    let (Ok(stream), Ok(offset)) = (stream.parse(), offset.parse::<usize>()) else {
        return Ok(None);
    };
    let bytes = segments.read(format!("{}/{segment}", history::folder(stream)))?;
    let line = bytes.get(offset..).and_then(|rest| rest.split(|byte| *byte == b'\n').next());
    let recorded = line.and_then(|line| serde_json::from_slice::<Line>(line).ok());
    Ok(recorded.map(|line| line.recorded).filter(|recorded| filter.matches(recorded)))
}
