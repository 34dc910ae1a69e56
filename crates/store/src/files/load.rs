//! Reading one document: what is accepted of it, and what somebody changed without the program.

use std::time::{Duration, SystemTime};

use milestone_domain::apply::fold;
use milestone_domain::change::FieldChange;
use milestone_domain::document::{CANONICAL_ORDER, Milestone, TASK_ORDER};
use milestone_domain::event::{Event, Recorded, Stream};
use milestone_domain::ids::{MilestoneId, Uid, nearest};
use milestone_domain::snapshot::{Outline, Problem, ProblemKind};
use milestone_domain::status::MilestoneStatus;
use serde_json::Value;

use super::accepted::Accepted;
use super::disk::{Disk, fingerprint};
use super::history::History;
use super::meant::{self, Meant, Past, Saved};
use super::recent::{LateSave, Watched};
use super::{history, journal, text};
use crate::error::StoreError;
use crate::{Difference, Noticed};

type Result<T> = std::result::Result<T, StoreError>;

/// A text is believed once nobody has written to it for this long: editors and git write a file
/// in several steps, and a half-saved document may well read as a whole one.
const SETTLED: Duration = Duration::from_millis(150);

/// The same for a text that looks like the beginning of one.
const UNFINISHED: Duration = Duration::from_secs(1);

/// A document as this clone knows it.
#[derive(Debug, Clone, Default)]
pub struct Loaded {
    /// The accepted state.
    pub milestone: Option<Milestone>,
    /// The fingerprint of the text.
    pub text: Option<String>,
    pub noticed: Vec<Noticed>,
    pub problems: Vec<Problem>,
    /// Read from the document alone, in the state that the history ends in: a cache may keep it.
    pub clean: bool,
    /// Its history has grown without this program: by a pull or a merge.
    pub foreign: bool,
}

impl Loaded {
    /// Whether something is wrong with it that reading the text alone would not show.
    pub fn is_troubled(&self) -> bool {
        let shown = |kind| matches!(kind, ProblemKind::UnknownKey | ProblemKind::ProgramKey);
        self.problems.iter().any(|problem| !shown(problem.kind))
    }
}

pub fn places(id: MilestoneId) -> [(String, bool); 2] {
    [(format!("active/{}", id.file_name()), false), (format!("completed/{}", id.file_name()), true)]
}

pub fn load(disk: &Disk, id: MilestoneId, watched: &Watched) -> Result<Option<Loaded>> {
    match load_readable(disk, id, watched) {
        // Whatever stands where its files should, it hides this one milestone and no other.
        Err(
            error @ (StoreError::Io { .. }
            | StoreError::Corrupt { .. }
            | StoreError::Outside { .. }),
        ) => Ok(Some(shut(disk, id, &error))),
        loaded => loaded,
    }
}

/// A milestone of which a file cannot be read at all: it is as its history says, if that can.
fn shut(disk: &Disk, id: MilestoneId, error: &StoreError) -> Loaded {
    let history = history::read(disk, Stream::Milestone(id), None).unwrap_or_default();
    let kind = ProblemKind::Unreadable;
    let problem = problem(id, &places(id)[0].0, kind, error.to_string(), &error.next());
    let problems = history.problems.into_iter().chain([problem]).collect();
    Loaded { milestone: fold(&history.events), problems, ..Loaded::default() }
}

/// A document of which only the outline is wanted: what it says, and the fingerprint of its text.
/// Nothing where that must be read and judged as a whole.
pub fn outline(disk: &Disk, id: MilestoneId, watched: &Watched) -> Result<Option<Outlined>> {
    let Some((accepted, found)) = as_accepted(disk, id, watched)? else { return Ok(None) };
    let outline = accepted.outline().filter(|outline| outline.archived == found.archived);
    Ok(outline.map(|outline| Outlined { outline, text: accepted.text }))
}

/// Whether a document and its history are what was accepted of them, and nothing waits to be taken
/// in.
pub fn is_as_accepted(disk: &Disk, id: MilestoneId, watched: &Watched) -> Result<Option<String>> {
    let known = as_accepted(disk, id, watched)?.filter(|(accepted, _)| accepted.exact);
    Ok(known.map(|(accepted, _)| accepted.text))
}

fn as_accepted(
    disk: &Disk,
    id: MilestoneId,
    watched: &Watched,
) -> Result<Option<(Accepted, Found)>> {
    let stream = Stream::Milestone(id);
    let Some(accepted) = Accepted::read(disk, stream)? else { return Ok(None) };
    let Some(found) = find(disk, id)? else { return Ok(None) };
    let known = accepted.text == found.fingerprint && !found.both;
    if !known
        || accepted.segments != history::sizes(disk, stream)?
        || !late_saves(disk, id, watched)?.is_empty()
    {
        return Ok(None);
    }
    Ok(Some((accepted, found)))
}

pub struct Outlined {
    pub outline: Outline,
    pub text: String,
}

fn load_readable(disk: &Disk, id: MilestoneId, watched: &Watched) -> Result<Option<Loaded>> {
    let accepted = Accepted::read(disk, Stream::Milestone(id))?;
    let segments = history::sizes(disk, Stream::Milestone(id))?;
    let late = late_saves(disk, id, watched)?;
    let Some(found) = find(disk, id)? else {
        return if segments.is_empty() { Ok(None) } else { missing(disk, id).map(Some) };
    };
    let known = accepted.as_ref().filter(|accepted| {
        let same = accepted.text == found.fingerprint && accepted.segments == segments;
        same && late.is_empty() && !found.both
    });
    if known.is_some_and(|accepted| accepted.exact)
        && let Ok(said) = text::read(&found.bytes, found.archived)
        && said.milestone.id == id
    {
        let problems = unknown_keys(id, &found.place, &said.unknown);
        let text = Some(found.fingerprint);
        let clean = problems.is_empty();
        let milestone = Some(said.milestone);
        return Ok(Some(Loaded { milestone, text, problems, clean, ..Loaded::default() }));
    }
    // Waiting for it is the caller's business, who may hold what others wait for.
    let is_ours = accepted.as_ref().is_some_and(|accepted| accepted.text == found.fingerprint);
    if !is_ours && !is_settled(disk, &found, !segments.is_empty())? {
        return Err(StoreError::BeingSaved { milestone: id });
    }
    let foreign = match &accepted {
        Some(accepted) => accepted.segments != segments,
        None => !segments.is_empty(),
    };
    let loaded = compare(disk, id, &found, late)?;
    Ok(Some(Loaded { foreign, ..loaded }))
}

/// A document's file, as it was read.
#[derive(Debug)]
struct Found {
    place: String,
    archived: bool,
    bytes: Vec<u8>,
    fingerprint: String,
    both: bool,
}

fn find(disk: &Disk, id: MilestoneId) -> Result<Option<Found>> {
    let mut found = Vec::new();
    for (place, archived) in places(id) {
        let Some(bytes) = disk.read(&place)? else { continue };
        let fingerprint = fingerprint(&bytes);
        found.push(Found { place, archived, bytes, fingerprint, both: false });
    }
    let Some(second) = found.pop() else { return Ok(None) };
    let Some(first) = found.pop() else { return Ok(Some(second)) };
    let counts = if is_filed_away(disk, id, &first.bytes)? { second } else { first };
    Ok(Some(Found { both: true, ..counts }))
}

/// Whether the history of the document in `bytes` says that it is in the archive: of two texts of
/// it, as a merge may leave them, the one there counts.
pub fn is_filed_away(disk: &Disk, id: MilestoneId, bytes: &[u8]) -> Result<bool> {
    let Some(uid) = uid_of(bytes) else { return Ok(false) };
    let history = history::read(disk, Stream::Milestone(id), Some(uid))?;
    Ok(fold(&history.events).is_some_and(|folded| folded.archived))
}

/// Whether the text has not been written to for a moment. One without a history was never another.
fn is_settled(disk: &Disk, found: &Found, has_history: bool) -> Result<bool> {
    let Some(age) = age(disk, &found.place)? else { return Ok(true) };
    if crate::planted::has("settle-skipped") {
        return Ok(true);
    }
    Ok(age >= SETTLED && (age >= UNFINISHED || !is_unfinished(disk, found, has_history)?))
}

fn is_unfinished(disk: &Disk, found: &Found, has_history: bool) -> Result<bool> {
    let texts = match has_history {
        true => journal::versions(disk, &found.place, &found.place)?.stood,
        false => Vec::new(),
    };
    Ok(meant::is_unfinished(&texts, &found.bytes, found.archived))
}

/// How long ago a file was written to; a time in the future says nothing about that.
fn age(disk: &Disk, place: &str) -> Result<Option<Duration>> {
    let Some(stamp) = disk.stamp(place)? else { return Ok(None) };
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let modified = u64::try_from(stamp.modified).unwrap_or(0);
    Ok(Some(now.checked_sub(Duration::from_nanos(modified)).unwrap_or(UNFINISHED)))
}

/// The saves that came too late and have come to rest.
fn late_saves(disk: &Disk, id: MilestoneId, watched: &Watched) -> Result<Vec<LateSave>> {
    let mut late = watched.late_saves(disk, id)?;
    if late.is_empty() {
        return Ok(late);
    }
    let mut texts = Vec::new();
    for (place, _) in places(id) {
        texts.extend(journal::versions(disk, &place, &place)?.stood);
    }
    // Of some only the beginning was ever written. Held against the newest version alone, one that
    // was opened before something was added at the end would look like that, too.
    let of_one = |save: &LateSave, texts| meant::is_unfinished(texts, &save.text, false);
    late.retain(|save| {
        let whole = |text| !of_one(save, std::slice::from_ref(text));
        texts.iter().any(whole) || texts.is_empty() && !of_one(save, &[])
    });
    for save in &late {
        let age = age(disk, &format!("data/recent/{}", save.name))?;
        if age.is_some_and(|age| age < SETTLED) {
            return Err(StoreError::BeingSaved { milestone: id });
        }
    }
    Ok(late)
}

/// The history is there and the document is not.
fn missing(disk: &Disk, id: MilestoneId) -> Result<Loaded> {
    let history = history::read(disk, Stream::Milestone(id), None)?;
    let problem = Problem {
        milestone: Some(id),
        file: places(id)[0].0.clone(),
        line: None,
        column: None,
        kind: ProblemKind::MissingDocument,
        message: format!("the document of {id} is gone; its history is there"),
        next: format!("`milestone doctor --fix` writes it again; to drop {id}, cancel it instead"),
    };
    let problems = history.problems.into_iter().chain([problem]).collect();
    Ok(Loaded { milestone: fold(&history.events), problems, ..Loaded::default() })
}

/// Holds the text against the fold of the history.
fn compare(disk: &Disk, id: MilestoneId, found: &Found, late: Vec<LateSave>) -> Result<Loaded> {
    let said = text::read(&found.bytes, found.archived);
    let uid = match &said {
        Ok(said) => said.milestone.uid,
        Err(_) => uid_of(&found.bytes),
    };
    let history = history::read(disk, Stream::Milestone(id), None)?;
    let uid = uid.or_else(|| history.uids.first().copied().filter(|_| history.uids.len() == 1));
    let (collided, uids) = (history.uids.len() > 1, history.uids.clone());
    let mut history = match uid.filter(|uid| uids.contains(uid) && collided) {
        Some(uid) => history::read(disk, Stream::Milestone(id), Some(uid))?,
        None => history,
    };
    let known = uid.is_none_or(|uid| uids.is_empty() || uids.contains(&uid));
    let base = known.then(|| fold(&history.events)).flatten();
    let newer = history.problems.iter().any(|problem| problem.kind == ProblemKind::NewerEvent);
    let mut loaded = Loaded {
        problems: std::mem::take(&mut history.problems),
        text: Some(found.fingerprint.clone()),
        ..Loaded::default()
    };
    loaded.problems.extend(collisions(id, &found.place, uid, &uids, &history.events));
    if found.both {
        loaded.problems.push(twice(id, found));
    }
    match said {
        Err(error) => {
            loaded.problems.push(unreadable(id, &found.place, &error));
            loaded.milestone = base;
        }
        Ok(said) if said.milestone.id != id => {
            loaded.problems.push(misnamed(id, &found.place, said.milestone.id));
            loaded.milestone = base;
        }
        // What a newer program meant is in the text; what it recorded, we cannot fold.
        Ok(said) if newer => loaded.milestone = Some(said.milestone),
        Ok(said) => {
            loaded.problems.extend(unknown_keys(id, &found.place, &said.unknown));
            notice(disk, id, found, said.milestone, base, &history, &mut loaded)?;
            notice_late(disk, id, found, late, &history, &mut loaded)?;
        }
    }
    Ok(loaded)
}

/// The uid that a text which cannot be read still shows.
pub fn uid_of(bytes: &[u8]) -> Option<Uid> {
    let mut lines = bytes.split(|byte| *byte == b'\n');
    let line = lines.find_map(|line| line.strip_prefix(b"uid:"))?;
    let text = std::str::from_utf8(line).ok()?.trim().trim_matches('"');
    uuid::Uuid::try_parse(text).ok().map(Uid)
}

fn notice(
    disk: &Disk,
    id: MilestoneId,
    found: &Found,
    said: Milestone,
    base: Option<Milestone>,
    history: &History,
    loaded: &mut Loaded,
) -> Result<()> {
    let noticed = |what| Noticed {
        milestone: id,
        what,
        version: found.fingerprint.clone(),
        file: found.place.clone(),
        late: None,
    };
    let Some(base) = base else {
        loaded.noticed.push(noticed(Difference::New(Box::new(said))));
        return Ok(());
    };
    loaded.problems.extend(went_on(&base, &found.place, history));
    let versions = journal::versions(disk, &found.place, &found.place)?;
    let text = String::from_utf8_lossy(&found.bytes);
    let past = Past {
        texts: &versions.stood,
        events: &history.events,
        shared: &history.shared,
        now: &base,
    };
    let Meant { person, program } =
        meant::meant(&past, &Saved { text: &text, said: &said, late: false });
    loaded.problems.extend(program.iter().map(|change| program_key(id, &found.place, change)));
    if !person.is_empty() {
        loaded.noticed.push(noticed(Difference::Fields(person)));
    } else if program.is_empty()
        && (said.tree() != base.tree() || meant::is_behind(&versions, &text))
    {
        loaded.noticed.push(noticed(Difference::Stale));
    } else if program.is_empty() && !loaded.is_troubled() {
        // What is wrong must be seen again by the next command, so only a document without
        // problems is accepted as it is.
        loaded.noticed.push(noticed(Difference::Layout));
    }
    loaded.milestone = Some(base);
    Ok(())
}

/// Saves that reached a file after it had been replaced.
fn notice_late(
    disk: &Disk,
    id: MilestoneId,
    found: &Found,
    late: Vec<LateSave>,
    history: &History,
    loaded: &mut Loaded,
) -> Result<()> {
    let Some(now) = loaded.milestone.clone() else { return Ok(()) };
    for save in late {
        let file = format!("data/recent/{}", save.name);
        let texts = journal::versions(disk, &found.place, &file)?.stood;
        let said = text::read(&save.text, found.archived);
        let Ok(said) = said.map(|said| said.milestone) else { continue };
        if said.id != id {
            continue;
        }
        let text = String::from_utf8_lossy(&save.text);
        let past =
            Past { texts: &texts, events: &history.events, shared: &history.shared, now: &now };
        let meant = meant::meant(&past, &Saved { text: &text, said: &said, late: true });
        let what = match save.told || meant.person.is_empty() {
            true => Difference::Stale,
            false => Difference::Fields(meant.person),
        };
        let version = found.fingerprint.clone();
        loaded.noticed.push(Noticed { milestone: id, what, version, file, late: Some(save.key()) });
    }
    Ok(())
}

fn problem(id: MilestoneId, file: &str, kind: ProblemKind, message: String, next: &str) -> Problem {
    let (line, column) = (None, None);
    let (milestone, file) = (Some(id), file.to_owned());
    Problem { milestone, file, line, column, kind, message, next: next.to_owned() }
}

fn unreadable(id: MilestoneId, file: &str, error: &text::Unreadable) -> Problem {
    let next = format!("mend it in an editor; until then {id} is as it was last accepted");
    Problem {
        line: Some(error.line),
        column: Some(error.column),
        ..problem(id, file, ProblemKind::Unreadable, error.message.clone(), &next)
    }
}

fn misnamed(id: MilestoneId, file: &str, said: MilestoneId) -> Problem {
    let message = format!("this file is named for {id} and says `id: {said}`");
    let next = "give the file the name of its id, or the id that of its file";
    problem(id, file, ProblemKind::Unreadable, message, next)
}

fn twice(id: MilestoneId, counts: &Found) -> Problem {
    let [(active, _), (completed, _)] = places(id);
    let other = if counts.archived { active } else { completed };
    let message = format!("{id} stands in active/ and in completed/; {} counts", counts.place);
    let next = "`milestone doctor --fix` puts the two together, and keeps what it takes away";
    problem(id, &other, ProblemKind::Collision, message, next)
}

fn unknown_keys(id: MilestoneId, file: &str, unknown: &[String]) -> Vec<Problem> {
    let next = "kept as it is; `milestone schema milestone` lists the keys that are known";
    let named = unknown.iter().map(|key| {
        let near = nearest_key(key).map(|near| format!("; did you mean `{near}`?"));
        let near = near.unwrap_or_default();
        let message = format!("`{key}` is no key that this program knows{near}");
        problem(id, file, ProblemKind::UnknownKey, message, next)
    });
    named.collect()
}

fn nearest_key(place: &str) -> Option<String> {
    let steps: Vec<&str> = place.split('/').collect();
    match steps.as_slice() {
        [key] => nearest(*key, CANONICAL_ORDER.iter().copied()),
        ["tasks", _, key] => nearest(*key, TASK_ORDER.iter().copied()),
        _ => None,
    }
    .map(str::to_owned)
}

fn program_key(id: MilestoneId, file: &str, change: &FieldChange) -> Problem {
    let message = format!(
        "`{}` is written by the program only; the history says {}",
        change.path,
        change.before.as_ref().map_or_else(|| "nothing".to_owned(), Value::to_string)
    );
    problem(
        id,
        file,
        ProblemKind::ProgramKey,
        message,
        "the next change of this document puts it back",
    )
}

/// Work that one branch still had, or added, when another one filed the milestone away.
fn went_on(base: &Milestone, file: &str, history: &History) -> Option<Problem> {
    let archived = history.events.iter().rev().find_map(|recorded| match &recorded.event {
        Event::MilestoneArchived { forced } => Some(forced),
        _ => None,
    });
    let whole = match base.status {
        MilestoneStatus::Cancelled => true,
        MilestoneStatus::Completed => Outline::of(base).is_finished(),
        _ => false,
    };
    if whole || !base.archived || archived.is_none_or(Option::is_some) {
        return None;
    }
    let id = base.id;
    let message = format!("{id} was filed away on one branch, and another one went on with it");
    let next = "`milestone doctor --fix` brings it back among the open ones";
    Some(problem(id, file, ProblemKind::ArchivedOpen, message, next))
}

/// Other documents whose history stands under this id, and which have not been given another.
fn collisions(
    id: MilestoneId,
    file: &str,
    uid: Option<Uid>,
    uids: &std::collections::BTreeSet<Uid>,
    events: &[Recorded],
) -> Vec<Problem> {
    let settled = |other: &Uid| {
        events
            .iter()
            .any(|recorded| matches!(&recorded.event, Event::IdGivenUp { uid, .. } if uid == other))
    };
    let others = uids.iter().filter(|other| Some(**other) != uid && !settled(other));
    let named = others.map(|other| {
        let message = format!("two branches have made a {id}; the other one is {other}");
        let next = "`milestone doctor --fix` gives one of them the next number";
        problem(id, file, ProblemKind::Collision, message, next)
    });
    named.collect()
}
