//! What is wrong with what is kept, and what of it can be mended without deciding anything.
//!
//! Looking changes nothing. Mending never deletes what somebody wrote: a text that is replaced is
//! kept in `data/kept/`.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use milestone_domain::apply::fold;
use milestone_domain::change::{Conflict, difference};
use milestone_domain::document::Milestone;
use milestone_domain::event::{Recorded, Stream};
use milestone_domain::ids::{MilestoneId, Uid};
use milestone_domain::snapshot::{Problem, ProblemKind};

use super::accepted::Accepted;
use super::disk::{Disk, fingerprint};
use super::numbers::in_numbers_of_history;
use super::{claims, history, layout, load, text};
use crate::error::StoreError;
use crate::merge::{self, Merged, Sides, split_markers};
use crate::{Bases, Collided, Mending};

type Result<T> = std::result::Result<T, StoreError>;

/// The length of the markers that git leaves.
const MARKER: usize = 7;

/// A draft that has been lying around for so long belongs to nobody.
const DRAFT_AGE: Duration = Duration::from_hours(1);

pub fn check(disk: &Disk) -> Result<Vec<Problem>> {
    let mut problems = Vec::new();
    for stream in streams(disk)? {
        problems.extend(history::read(disk, stream, None)?.problems);
        let own = Accepted::read(disk, stream)?.and_then(|accepted| accepted.own);
        problems
            .extend(own.map(|own| history::truncated(disk, stream, &own)).transpose()?.flatten());
    }
    problems.extend(strangers(disk)?);
    problems.extend(damaged_claims(disk)?);
    for (name, _) in layout::git_files() {
        if disk.stamp(name)?.is_none() {
            let message = "what git must not share would be shared".to_owned();
            problems.push(other(name, message, "`milestone doctor --fix` writes it again"));
        }
    }
    Ok(problems)
}

fn streams(disk: &Disk) -> Result<Vec<Stream>> {
    Ok(disk.names("history")?.iter().filter_map(|name| name.parse().ok()).collect())
}

fn other(file: &str, message: String, next: &str) -> Problem {
    let (line, column, milestone) = (None, None, None);
    let (file, next) = (file.to_owned(), next.to_owned());
    Problem { milestone, file, line, column, kind: ProblemKind::Other, message, next }
}

/// Files among the documents that no id names.
fn strangers(disk: &Disk) -> Result<Vec<Problem>> {
    let mut problems = Vec::new();
    for folder in ["active", "completed"] {
        for name in disk.names(folder)? {
            let id = name.strip_suffix(".yaml").and_then(|name| name.parse::<MilestoneId>().ok());
            let known = id.is_some_and(|id| id.file_name() == name);
            if known || name == "index.yaml" || name.starts_with('.') {
                continue;
            }
            let message = "no milestone is named like this file, so it is not read".to_owned();
            let next = "name it after its id, such as milestone-007.yaml, or move it elsewhere";
            problems.push(other(&format!("{folder}/{name}"), message, next));
        }
    }
    Ok(problems)
}

fn damaged_claims(disk: &Disk) -> Result<Vec<Problem>> {
    let mut problems = Vec::new();
    for name in disk.names(claims::FOLDER)? {
        let task = name.strip_suffix(".json").and_then(|name| name.parse().ok());
        let readable = match task {
            Some(task) => claims::read(disk, task)?.is_some(),
            None => false,
        };
        if !readable {
            let message = "this claim cannot be read, so nobody holds the task by it".to_owned();
            let next = "its worker is refused at its next write, and the task can be claimed again";
            problems.push(other(&format!("{}/{name}", claims::FOLDER), message, next));
        }
    }
    Ok(problems)
}

pub fn mend(disk: &Disk, bases: Bases<'_>) -> Result<Mending> {
    let mut mending = Mending::default();
    let done = &mut mending.done;
    for (name, text) in layout::git_files() {
        if disk.stamp(name)?.is_none() {
            disk.replace(name, text.as_bytes())?;
            done.push(format!("{name}: written again"));
        }
    }
    done.extend(sweep_drafts(disk)?);
    for (folder, archived) in [("active", false), ("completed", true)] {
        for id in named(disk, folder)? {
            match mend_conflict(disk, id, archived, bases)? {
                Some(Ok(said)) => done.push(said),
                Some(Err(said)) => mending.left.push(said),
                None => {}
            }
        }
    }
    for id in named(disk, "active")? {
        done.extend(mend_twice(disk, id, bases)?);
    }
    Ok(mending)
}

/// The milestones that files of a folder are named after.
fn named(disk: &Disk, folder: &str) -> Result<Vec<MilestoneId>> {
    let names = disk.names(folder)?;
    let ids = names.iter().filter_map(|name| name.strip_suffix(".yaml")?.parse().ok());
    Ok(ids.collect())
}

fn sweep_drafts(disk: &Disk) -> Result<Vec<String>> {
    let mut swept = 0;
    for name in disk.names("data")?.iter().filter(|name| name.starts_with("draft-")) {
        let place = format!("data/{name}");
        let Some(stamp) = disk.stamp(&place)? else { continue };
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let written = u128::try_from(stamp.modified).unwrap_or(0);
        if now.as_nanos().saturating_sub(written) > DRAFT_AGE.as_nanos() {
            disk.remove(&place)?;
            swept += 1;
        }
    }
    Ok((swept > 0)
        .then(|| format!("data/: {swept} unfinished files of interrupted commands removed"))
        .into_iter()
        .collect())
}

/// Resolves what git's text merge left in a document, where the fields can be merged; says why not
/// where they cannot.
fn mend_conflict(
    disk: &Disk,
    id: MilestoneId,
    archived: bool,
    bases: Bases<'_>,
) -> Result<Option<std::result::Result<String, String>>> {
    let (place, _) = load::places(id)[usize::from(archived)].clone();
    let Some(bytes) = disk.read(&place)? else { return Ok(None) };
    if text::conflict_marker(&bytes).is_none() {
        return Ok(None);
    }
    let marked = String::from_utf8_lossy(&bytes).into_owned();
    let mut sides = split_markers(&marked, MARKER);
    sides.base = sides.base.or_else(|| bases(&place));
    let (resolved, said) = match resolve(disk, id, archived, &sides)? {
        Ok(resolved) => resolved,
        Err(why) => return Ok(Some(Err(format!("{place}: {why}")))),
    };
    let kept = keep(disk, id, "conflict", &marked)?;
    disk.replace(&place, resolved.as_bytes())?;
    Ok(Some(Ok(format!("{place}: {said}; the text with its markers is kept as {kept}"))))
}

/// Puts the two texts together that a merge left of a milestone which one branch filed away and
/// another one went on with.
fn mend_twice(disk: &Disk, id: MilestoneId, bases: Bases<'_>) -> Result<Option<String>> {
    let [(active, _), (completed, _)] = load::places(id);
    let (Some(worked_on), Some(filed)) = (disk.read(&active)?, disk.read(&completed)?) else {
        return Ok(None);
    };
    let uid = load::uid_of(&worked_on);
    if uid.is_none() || uid != load::uid_of(&filed) {
        return Ok(None);
    }
    let archived = load::is_filed_away(disk, id, &worked_on)?;
    let ((counts, ours), (other, theirs)) = match archived {
        true => ((&completed, filed), (&active, worked_on)),
        false => ((&active, worked_on), (&completed, filed)),
    };
    let [ours, theirs] = [ours, theirs].map(|text| String::from_utf8_lossy(&text).into_owned());
    let sides = Sides { base: bases(&active), ours, theirs };
    let resolved = resolve(disk, id, archived, &sides)?;
    let kept = keep(disk, id, "twice", &sides.theirs)?;
    let said = match resolved.or_else(|_| by_history(disk, id, archived, &sides)) {
        Ok((text, said)) => {
            disk.replace(counts, text.as_bytes())?;
            said
        }
        Err(_) => "nothing was taken from it",
    };
    disk.remove(other)?;
    Ok(Some(format!("{other}: {said} into {counts}; its text is kept as {kept}")))
}

type Resolution = std::result::Result<(String, &'static str), String>;

fn resolve(disk: &Disk, id: MilestoneId, archived: bool, sides: &Sides) -> Result<Resolution> {
    let base = sides.base.as_deref();
    let merged = merge::documents(base.unwrap_or_default(), &sides.ours, &sides.theirs);
    Ok(match merged {
        Merged::Different { theirs, .. } => {
            // The history of the other one is here as well; it gets its own number from there.
            keep(disk, id, &theirs.to_string(), &sides.theirs)?;
            Ok((sides.ours.clone(), "our milestone keeps this file and its number"))
        }
        Merged::Unreadable { error, .. } => Err(format!("line {}: {}", error.line, error.message)),
        Merged::Text(text) if base.is_some() => Ok((text, "merged field by field")),
        // Without the version that both sides began with, the history of both says how they go
        // together.
        Merged::Text(_) | Merged::Conflicts { .. } if base.is_none() => {
            by_history(disk, id, archived, sides)
        }
        Merged::Conflicts { fields, .. } => Err(left(&fields)),
        Merged::Text(_) => Err(left(&[])),
    })
}

fn left(fields: &[Conflict]) -> String {
    let named: Vec<String> = fields.iter().map(|field| format!("`{}`", field.path)).collect();
    let named = if named.is_empty() { "the same field".to_owned() } else { named.join(", ") };
    format!("both sides changed {named}; choose one and remove the markers")
}

fn by_history(disk: &Disk, id: MilestoneId, archived: bool, sides: &Sides) -> Resolution {
    let said = |side: &str| text::read(side.as_bytes(), archived).map(|said| said.milestone);
    let unreadable = |_| left(&[]);
    let (ours, theirs) =
        (said(&sides.ours).map_err(unreadable)?, said(&sides.theirs).map_err(unreadable)?);
    let history = history::read(disk, Stream::Milestone(id), ours.uid).map_err(|_| left(&[]))?;
    let folded = fold(&history.events).ok_or_else(|| left(&[]))?;
    let [ours, theirs] =
        [ours, theirs].map(|side| in_numbers_of_history(&history.shared, &side, &folded));
    if !explains(&folded, &ours, &theirs) {
        return Err(left(&[]));
    }
    let text = text::saying("merge", &sides.ours, &folded).map_err(|error| error.to_string())?;
    Ok((text, "merged by the history of both sides"))
}

/// Whether every field of the fold is one that a side shows: nobody's unrecorded edit is lost.
fn explains(folded: &Milestone, ours: &Milestone, theirs: &Milestone) -> bool {
    let (folded, ours, theirs) = (folded.tree(), ours.tree(), theirs.tree());
    let theirs_only = difference(&folded, &theirs);
    theirs_only.iter().all(|change| {
        change.path.get(&ours) == change.path.get(&folded)
            || milestone_domain::document::key_owner(&change.path)
                == milestone_domain::document::KeyOwner::Program
    })
}

/// Puts a text aside where nothing removes it.
fn keep(disk: &Disk, id: MilestoneId, name: &str, text: &str) -> Result<String> {
    disk.make_folder("data/kept")?;
    let print = fingerprint(text.as_bytes());
    let place = format!("data/kept/{id}.{name}.{}.yaml", &print[..8]);
    disk.replace(&place, text.as_bytes())?;
    Ok(place)
}

/// Milestones whose history stands under an id that now is another document's.
pub fn collisions(disk: &Disk) -> Result<Vec<Collided>> {
    let mut collisions = Vec::new();
    let mut living = None;
    for stream in streams(disk)? {
        let Stream::Milestone(id) = stream else { continue };
        let uids = history::read(disk, stream, None)?.uids;
        if uids.len() < 2 {
            continue;
        }
        let living = match &mut living {
            Some(living) => living,
            living => living.insert(Living::look(disk)?),
        };
        // Should no document show any of them, the first keeps the number.
        let taken = uids.iter().any(|uid| living.places.contains_key(uid));
        let keeper = if taken { None } else { uids.first().copied() };
        for uid in uids {
            if !living.places.contains_key(&uid) && Some(uid) != keeper {
                collisions.extend(collision(disk, id, uid, living)?);
            }
        }
    }
    Ok(collisions)
}

/// All documents there are, by their uids.
#[derive(Default)]
struct Living {
    places: BTreeMap<Uid, MilestoneId>,
}

impl Living {
    fn look(disk: &Disk) -> Result<Self> {
        let mut living = Self::default();
        for folder in ["active", "completed"] {
            for name in disk.names(folder)? {
                let id = name.strip_suffix(".yaml").and_then(|name| name.parse().ok());
                let Some(id) = id else { continue };
                let bytes = disk.read(&format!("{folder}/{name}"))?.unwrap_or_default();
                let said = text::read(&bytes, false).ok().and_then(|said| said.milestone.uid);
                let uid = said.or_else(|| load::uid_of(&bytes));
                living.places.extend(uid.map(|uid| (uid, id)));
            }
        }
        Ok(living)
    }
}

fn collision(disk: &Disk, id: MilestoneId, uid: Uid, living: &Living) -> Result<Option<Collided>> {
    let history = history::read(disk, Stream::Milestone(id), Some(uid))?;
    let Some(folded) = fold(&history.events) else { return Ok(None) };
    let mut referring = Vec::new();
    for (other_uid, other) in &living.places {
        // Under its id, another one's history may stand as well, which means others.
        let events = history::read(disk, Stream::Milestone(*other), Some(*other_uid))?.events;
        if *other != id && meant(&events).get(&id) == Some(&uid) {
            referring.push(*other);
        }
    }
    referring.sort();
    let text = kept_text(disk, id, uid)?;
    let said = text.as_ref().and_then(|text| text::read(text.as_bytes(), false).ok());
    let mut milestone = said.map_or(folded, |said| said.milestone);
    let (mut renamed, mut means) = (BTreeMap::new(), BTreeMap::new());
    for (named, meant) in meant(&history.events) {
        match living.places.get(&meant) {
            Some(now) => drop(renamed.insert(named, *now)),
            None => drop(means.insert(named, meant)),
        }
    }
    milestone.rename_references(&renamed);
    Ok(Some(Collided { milestone: id, uid, tree: milestone.tree(), text, means, referring }))
}

/// Whom a document last meant by each id that it refers to.
fn meant(events: &[Recorded]) -> BTreeMap<MilestoneId, Uid> {
    let refers = events.iter().flat_map(|recorded| &recorded.refers);
    refers.map(|(id, uid)| (*id, *uid)).collect()
}

fn kept_text(disk: &Disk, id: MilestoneId, uid: Uid) -> Result<Option<String>> {
    let prefix = format!("{id}.{uid}.");
    let names = disk.names("data/kept")?;
    let Some(name) = names.iter().find(|name| name.starts_with(&prefix)) else { return Ok(None) };
    let bytes = disk.read(&format!("data/kept/{name}"))?;
    Ok(bytes.and_then(|bytes| String::from_utf8(bytes).ok()))
}
