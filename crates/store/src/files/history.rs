//! History: events in segments that no two clones write to, so that every forge merges them.
//!
//! A segment is a file of lines, each naming the fingerprint of the one before it. A clone only
//! adds to a segment whose last line it wrote itself, and only while it has seen nothing else;
//! otherwise it begins a new one that names everything present as its parents. Order is parents
//! first, then time, then id.

use std::collections::{BTreeMap, BTreeSet, BinaryHeap, HashMap};

use jiff::Timestamp;
use milestone_domain::event::{EVENT_VERSION, EventId, Recorded, Stream};
use milestone_domain::ids::Uid;
use milestone_domain::snapshot::{Problem, ProblemKind};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use super::disk::{Disk, fingerprint};
use super::journal::Append;
use super::numbers::{self, Shared};
use crate::error::StoreError;

type Result<T> = std::result::Result<T, StoreError>;

/// Most lines are shorter; only after a longer one is the whole segment read.
const LINE_BYTES: u64 = 4096;

pub fn folder(stream: Stream) -> String {
    format!("history/{stream}")
}

/// The segments of a stream and their sizes: enough to see whether anything came in.
pub type Sizes = BTreeMap<String, u64>;

pub fn sizes(disk: &Disk, stream: Stream) -> Result<Sizes> {
    let all = disk.sizes(&folder(stream))?;
    Ok(all.into_iter().filter(|(name, _)| name.ends_with(".jsonl")).collect())
}

/// The segment that this clone writes, as it left it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Own {
    pub segment: String,
    pub size: u64,
    /// Fingerprint of its last line.
    pub last: String,
    pub uid: Option<Uid>,
    /// The sizes of all other segments when it was last written.
    pub others: Sizes,
}

/// The first line of a segment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Header {
    v: u32,
    segment: String,
    /// The document whose history this is; one id may, after a merge, have been given to two.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    uid: Option<Uid>,
    /// `segment@fingerprint` of the line after which this segment begins.
    parents: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Line {
    prev: String,
    #[serde(flatten)]
    recorded: Recorded,
}

/// A stream's events in order, and everything noticed while reading them.
#[derive(Debug, Clone, Default)]
pub struct History {
    pub events: Vec<Recorded>,
    /// Events that a newer program wrote, as they stand.
    pub unknown: Vec<Value>,
    pub problems: Vec<Problem>,
    /// The documents whose history is here.
    pub uids: BTreeSet<Uid>,
    /// What two branches gave the same number; in `events` each has its own.
    pub shared: Vec<Shared>,
    /// The last line of every segment.
    tips: BTreeMap<String, String>,
}

/// One segment, read.
struct Segment {
    name: String,
    header: Header,
    lines: Vec<(String, Recorded)>,
    /// The fingerprints of all lines, whether their events are known or not.
    hashes: BTreeSet<String>,
}

/// Reads the history of one document; without a uid, of everything in the stream.
pub fn read(disk: &Disk, stream: Stream, uid: Option<Uid>) -> Result<History> {
    let mut history = History::default();
    let mut segments = Vec::new();
    for name in sizes(disk, stream)?.into_keys() {
        let place = format!("{}/{name}", folder(stream));
        let bytes = match disk.read(&place) {
            Ok(bytes) => bytes.unwrap_or_default(),
            Err(error @ (StoreError::Corrupt { .. } | StoreError::Outside { .. })) => {
                let kind = ProblemKind::BrokenHistory;
                history.problems.push(problem(stream, &place, 1, kind, error.to_string()));
                continue;
            }
            Err(error) => return Err(error),
        };
        if let Some(segment) = read_segment(stream, &name, &bytes, &mut history) {
            history.uids.extend(segment.header.uid);
            segments.push(segment);
        }
    }
    history.problems.extend(holes(stream, &segments));
    segments.retain(|segment| uid.is_none() || segment.header.uid == uid);
    for segment in &segments {
        let last = segment.lines.last().map(|(hash, _)| hash.clone());
        history.tips.insert(segment.name.clone(), last.unwrap_or_default());
    }
    let (mut events, places) = in_order(&segments).into_iter().unzip::<_, _, Vec<_>, Vec<_>>();
    let of_one = segments.windows(2).all(|pair| pair[0].header.uid == pair[1].header.uid);
    if of_one && numbers::may_be_shared(&events) {
        let seen = seen(&segments);
        let saw = |later: usize, earlier: usize| {
            let ((segment, line), (other, before)) = (places[later], places[earlier]);
            before < if segment == other { line } else { seen[segment][other] }
        };
        history.shared = numbers::tell_apart(&mut events, saw);
    }
    history.events = events;
    Ok(history)
}

fn read_segment(
    stream: Stream,
    name: &str,
    bytes: &[u8],
    history: &mut History,
) -> Option<Segment> {
    let file = format!("{}/{name}", folder(stream));
    let mut problem = |line: u64, kind, message: String| {
        history.problems.push(problem(stream, &file, line, kind, message));
    };
    // A last line without its end was torn by a crash and is cut by the next write.
    let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
    let mut lines =
        bytes[..whole].split(|byte| *byte == b'\n').zip(1..).take_while(|(l, _)| !l.is_empty());
    let (first, _) = lines.next()?;
    let Ok(header) = serde_json::from_slice::<Header>(first) else {
        problem(1, ProblemKind::BrokenHistory, "the first line of this segment is damaged".into());
        return None;
    };
    let mut prev = fingerprint(first);
    let mut known = Vec::new();
    let mut hashes = BTreeSet::new();
    for (line, number) in lines {
        let hash = fingerprint(line);
        hashes.insert(hash.clone());
        match serde_json::from_slice::<Line>(line) {
            Ok(read) => {
                if read.prev != prev && !crate::planted::has("chain-not-checked") {
                    let message = "a record before this line was changed, reordered or removed";
                    problem(number, ProblemKind::BrokenHistory, message.into());
                }
                known.push((hash.clone(), read.recorded));
            }
            Err(error) => match serde_json::from_slice::<Value>(line) {
                Ok(value) if is_newer(&value) => {
                    let message = format!("an event of a newer program: {}", value["kind"]);
                    problem(number, ProblemKind::NewerEvent, message);
                    history.unknown.push(value);
                }
                _ => {
                    problem(number, ProblemKind::BrokenHistory, format!("damaged record: {error}"));
                }
            },
        }
        prev = hash;
    }
    Some(Segment { name: name.to_owned(), header, lines: known, hashes })
}

/// Lines after which another segment begins, and which are gone: a segment comes with its parents.
fn holes(stream: Stream, segments: &[Segment]) -> Vec<Problem> {
    let mut problems = Vec::new();
    for segment in segments {
        for (name, hash) in segment.header.parents.iter().filter_map(|p| p.split_once('@')) {
            let parent =
                segments.iter().find(|other| other.name.trim_end_matches(".jsonl") == name);
            if parent.is_some_and(|parent| parent.hashes.contains(hash)) {
                continue;
            }
            let file = format!("{}/{name}.jsonl", folder(stream));
            let message = format!("records are gone that {} was written after", segment.name);
            problems.push(problem(stream, &file, 1, ProblemKind::BrokenHistory, message));
        }
    }
    problems
}

/// What this clone wrote at the end of its own segment, and is no longer there.
pub fn truncated(disk: &Disk, stream: Stream, own: &Own) -> Result<Option<Problem>> {
    let place = format!("{}/{}", folder(stream), own.segment);
    let bytes = disk.read(&place)?.unwrap_or_default();
    let size = usize::try_from(own.size).unwrap_or(usize::MAX);
    let last = bytes.get(..size).and_then(|whole| whole.strip_suffix(b"\n"));
    let last = last.and_then(|body| body.rsplit(|byte| *byte == b'\n').next());
    if last.is_some_and(|last| fingerprint(last) == own.last) {
        return Ok(None);
    }
    let line = String::from_utf8_lossy(&bytes).lines().count() as u64;
    let message = "records that this clone wrote behind this line are not here; that is so after \
                   going back to an older commit, and otherwise they are lost";
    let kind = ProblemKind::BrokenHistory;
    let next = "if you went back on purpose, nothing is wrong: this ends with the next change; \
                otherwise look for them in another clone";
    let next = next.to_owned();
    Ok(Some(Problem { next, ..problem(stream, &place, line, kind, message.to_owned()) }))
}

/// Whole in its frame, and still not an event that this program knows.
fn is_newer(value: &Value) -> bool {
    let version = value["v"].as_u64();
    let framed = value["kind"].is_string() && value["id"].is_string() && value["prev"].is_string();
    let known = serde_json::from_value::<milestone_domain::event::Event>(value.clone());
    let unknown_kind =
        known.err().is_some_and(|error| error.to_string().contains("unknown variant"));
    framed && (version.is_some_and(|v| v > u64::from(EVENT_VERSION)) || unknown_kind)
}

fn problem(stream: Stream, file: &str, line: u64, kind: ProblemKind, message: String) -> Problem {
    let milestone = match stream {
        Stream::Milestone(id) => Some(id),
        Stream::Project => None,
    };
    let next = match kind {
        ProblemKind::NewerEvent => "use the newer program for this milestone",
        _ => "compare with another clone: `git log -p` on this file shows when it changed",
    };
    Problem {
        milestone,
        file: file.to_owned(),
        line: Some(line),
        column: None,
        kind,
        message,
        next: next.to_owned(),
    }
}

/// A segment, and a line of it.
type Place = (usize, usize);

/// After what each segment begins: one line of another segment each.
fn parents(segments: &[Segment]) -> Vec<Vec<Place>> {
    let place_of: HashMap<(&str, &str), Place> = segments
        .iter()
        .enumerate()
        .flat_map(|(s, segment)| {
            let name = segment.name.trim_end_matches(".jsonl");
            let lines = segment.lines.iter().enumerate();
            lines.map(move |(l, (hash, _))| ((name, hash.as_str()), (s, l)))
        })
        .collect();
    let of = |segment: &Segment| {
        let parents = segment.header.parents.iter().filter_map(|parent| parent.split_once('@'));
        parents.filter_map(|parent| place_of.get(&parent).copied()).collect()
    };
    segments.iter().map(of).collect()
}

/// How many lines of every segment were there when each one was begun.
fn seen(segments: &[Segment]) -> Vec<Vec<usize>> {
    let parents = parents(segments);
    let mut seen = vec![vec![0; segments.len()]; segments.len()];
    // A parent's parents may be known only after another round.
    let mut changed = true;
    while changed {
        changed = false;
        for (s, parents) in parents.iter().enumerate() {
            for &(parent, line) in parents {
                let mut there = seen[parent].clone();
                there[parent] = there[parent].max(line + 1);
                for (mine, there) in seen[s].iter_mut().zip(there) {
                    changed |= there > *mine;
                    *mine = there.max(*mine);
                }
            }
        }
    }
    seen
}

/// Merges the segments: a line comes after the line before it, a segment's first after its
/// parents, and where there is a choice the earlier time, then the smaller id, goes first.
fn in_order(segments: &[Segment]) -> Vec<(Recorded, Place)> {
    let waits = parents(segments);
    let mut done = vec![0_usize; segments.len()];
    let mut seen = BTreeSet::new();
    let mut events = Vec::new();
    let mut heap: BinaryHeap<std::cmp::Reverse<(Timestamp, EventId, usize)>> = BinaryHeap::new();
    let mut blocked: BTreeSet<usize> = (0..segments.len()).collect();
    loop {
        blocked.retain(|&s| {
            let free = waits[s].iter().all(|&(other, line)| done[other] > line);
            if let (true, Some((_, next))) = (free, segments[s].lines.first()) {
                heap.push(std::cmp::Reverse((next.at, next.id, s)));
            }
            !free
        });
        let Some(std::cmp::Reverse((_, id, s))) = heap.pop() else {
            // Segments that wait for one another: nothing of them is dropped.
            let Some(s) = blocked.pop_first() else { break };
            if let Some((_, next)) = segments[s].lines.first() {
                heap.push(std::cmp::Reverse((next.at, next.id, s)));
            }
            continue;
        };
        // Importing an event twice does nothing.
        if seen.insert(id) {
            events.push((segments[s].lines[done[s]].1.clone(), (s, done[s])));
        }
        done[s] += 1;
        if let Some((_, next)) = segments[s].lines.get(done[s]) {
            heap.push(std::cmp::Reverse((next.at, next.id, s)));
        }
    }
    events
}

/// What a commit adds to a stream: the lines, and the state of the own segment afterwards.
pub struct Addition {
    pub append: Append,
    pub own: Own,
    /// Where each event's line begins in the segment.
    pub offsets: Vec<u64>,
}

pub fn add(
    disk: &Disk,
    stream: Stream,
    uid: Option<Uid>,
    own: Option<&Own>,
    sizes: Sizes,
    events: &[&Recorded],
) -> Result<Addition> {
    let mine = own.filter(|own| may_continue(own, uid, &sizes));
    let continued = match mine {
        Some(own) => ends_with(disk, stream, own)?.then_some(own),
        None => None,
    };
    let (segment, at, mut prev, mut text) = match continued {
        Some(own) => (own.segment.clone(), own.size, own.last.clone(), String::new()),
        None => begin(disk, stream, uid)?,
    };
    let mut offsets = Vec::new();
    for recorded in events {
        let line = serde_json::to_string(&Line { prev, recorded: (*recorded).clone() })
            .unwrap_or_default();
        prev = fingerprint(line.as_bytes());
        offsets.push(at + text.len() as u64);
        text.push_str(&line);
        text.push('\n');
    }
    let mut others = sizes;
    others.remove(&segment);
    let size = at + text.len() as u64;
    let append = Append { place: format!("{}/{segment}", folder(stream)), at, text };
    Ok(Addition { append, own: Own { segment, size, last: prev, uid, others }, offsets })
}

/// Nothing came in beside the own segment, and the own one has the length it was left with.
fn may_continue(own: &Own, uid: Option<Uid>, sizes: &Sizes) -> bool {
    let others = sizes.iter().filter(|(name, _)| **name != own.segment);
    own.uid == uid && sizes.get(&own.segment) == Some(&own.size) && others.eq(own.others.iter())
}

fn ends_with(disk: &Disk, stream: Stream, own: &Own) -> Result<bool> {
    let place = format!("{}/{}", folder(stream), own.segment);
    let mut length = LINE_BYTES;
    loop {
        let (bytes, size) = disk.tail(&place, length)?;
        let Some(body) = bytes.strip_suffix(b"\n") else { return Ok(false) };
        let last = body.rsplit(|byte| *byte == b'\n').next().unwrap_or_default();
        if last.len() < body.len() || length >= size {
            return Ok(fingerprint(last) == own.last);
        }
        length = size;
    }
}

/// A new segment, whose parents are everything there is.
fn begin(disk: &Disk, stream: Stream, uid: Option<Uid>) -> Result<(String, u64, String, String)> {
    let name = Uuid::now_v7().simple().to_string();
    let tips = read(disk, stream, uid)?.tips;
    let parents = tips.iter().filter(|(_, hash)| !hash.is_empty());
    let parents = parents.map(|(name, hash)| format!("{}@{hash}", name.trim_end_matches(".jsonl")));
    let header = Header { v: 1, segment: name.clone(), uid, parents: parents.collect() };
    let line = serde_json::to_string(&header).unwrap_or_default();
    let prev = fingerprint(line.as_bytes());
    Ok((format!("{name}.jsonl"), 0, prev, line + "\n"))
}
