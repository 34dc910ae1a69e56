//! What a person who saved a text meant to change, and the text that a commit leaves.
//!
//! An editor may have been opened before the program's last writes. Held against the present, its
//! text would take those back; held against the version that it was opened on, it says only what
//! the person did. That version is the one whose lines are nearest, and with it a save is merged
//! as a branch would be: field by field, and nothing of either side is dropped.

use std::collections::{BTreeMap, BTreeSet};

use milestone_domain::apply::apply;
use milestone_domain::change::{FieldChange, Path, difference, merge, put};
use milestone_domain::document::{KeyOwner, Milestone, by_owner, key_owner};
use milestone_domain::event::Recorded;
use serde_json::Value;

use super::history::History;
use super::journal::{Stood, Versions};
use super::numbers::{self, Shared};
use super::text;
use crate::error::StoreError;
use crate::{merge as documents, yaml};

/// How many events are undone to find what an editor was opened on, once that is older than every
/// text that the journal still has.
const EVENTS_UNDONE_MAX: usize = 2_000;

/// The present of a document, and everything that it was before, as far as that is known.
pub struct Past<'a> {
    /// Recent texts, oldest first.
    pub texts: &'a [Stood],
    /// The document's history.
    pub events: &'a [Recorded],
    /// What two branches gave the same number.
    pub shared: &'a [Shared],
    pub now: &'a Milestone,
}

/// A text that somebody saved.
pub struct Saved<'a> {
    pub text: &'a str,
    pub said: &'a Milestone,
    /// It reached a file that had been replaced, so it is older than the present for certain.
    pub late: bool,
}

/// What a person changed, split by whose word it is.
#[derive(Debug, Default)]
pub struct Meant {
    pub person: Vec<FieldChange>,
    pub program: Vec<FieldChange>,
}

/// A text that *is* an older version was put back on purpose, unless it came too late to be that.
pub fn meant(past: &Past<'_>, saved: &Saved<'_>) -> Meant {
    if past.shared.is_empty() {
        return meant_by(past, saved);
    }
    let said = numbers::in_numbers_of_history(past.shared, saved.said, past.now);
    let read = |stood: &Stood| text::read(stood.text.as_bytes(), past.now.archived).ok();
    let known: Vec<Milestone> =
        past.texts.iter().filter_map(read).map(|said| said.milestone).collect();
    let said = numbers::with_the_unseen(past.shared, said, past.now, &known);
    meant_by(past, &Saved { said: &said, ..*saved })
}

fn meant_by(past: &Past<'_>, saved: &Saved<'_>) -> Meant {
    let (now, said) = (past.now.tree(), saved.said.tree());
    if now == said {
        return Meant::default();
    }
    let Some(base) = base(past, saved, &now, &said) else {
        let (person, program) = by_owner(difference(&now, &said));
        return Meant { person, program };
    };
    let theirs = documents::without_collisions(&base, past.now, saved.said.clone()).tree();
    let mut merged = merge(&base, &now, &theirs);
    // Of two words on one field the later one counts; the history has both.
    for conflict in &merged.conflicts {
        put(&mut merged.tree, &conflict.path, conflict.theirs.as_ref());
    }
    let back = put_back(past, saved, &now, &said, &mut merged.tree);
    let (back, rest): (Vec<_>, Vec<_>) =
        difference(&now, &merged.tree).into_iter().partition(|change| back.contains(&change.path));
    let (person, program) = by_owner(rest);
    Meant { person: person.into_iter().chain(back).collect(), program }
}

/// What the text was made from; nothing if that is the present.
fn base(past: &Past<'_>, saved: &Saved<'_>, now: &Value, said: &Value) -> Option<Value> {
    let mut best = None;
    let mut fewest = difference(now, said).len();
    if let Some((at, distance)) = nearest(past.texts, saved.text)
        && let Some(tree) = accepted_tree(&past.texts[at], past.now.archived)
    {
        if distance == 0 && !saved.late {
            return None;
        }
        fewest = difference(&tree, said).len();
        best = Some(tree);
        // Opened on a version that the journal still has.
        if at > 0 {
            return best;
        }
    }
    let mut document = None;
    let mut states = Vec::new();
    let undone = past.events.len().saturating_sub(EVENTS_UNDONE_MAX);
    for (recorded, at) in past.events.iter().zip(0..) {
        document = apply(document, recorded);
        states.extend(document.as_ref().filter(|_| at >= undone).map(Milestone::tree));
    }
    for tree in states.into_iter().rev() {
        let changes = difference(&tree, said).len();
        if changes == 0 && !saved.late {
            return None;
        }
        if changes < fewest {
            fewest = changes;
            best = Some(tree);
        }
    }
    best
}

/// What was accepted of a text when it was written.
fn accepted_tree(stood: &Stood, archived: bool) -> Option<Value> {
    let mut tree = tree_of(&stood.text, archived)?;
    for change in &stood.pending {
        put(&mut tree, &change.path, change.before.as_ref());
    }
    Some(tree)
}

fn tree_of(text: &str, archived: bool) -> Option<Value> {
    text::read(text.as_bytes(), archived).ok().map(|said| said.milestone.tree())
}

/// How many lines of the one the other does not have.
fn missing(one: &BTreeMap<&str, usize>, other: &BTreeMap<&str, usize>) -> usize {
    let of = |line: &&str| other.get(*line).copied().unwrap_or(0);
    one.iter().map(|(line, n)| n.saturating_sub(of(line))).sum()
}

/// The lines of which the one has more than the other.
fn more<'l>(
    one: &'l BTreeMap<&str, usize>,
    other: &'l BTreeMap<&str, usize>,
) -> impl Iterator<Item = &'l str> {
    let of = |line: &str| other.get(line).copied().unwrap_or(0);
    one.iter().filter(move |(line, n)| **n > of(line)).map(|(line, _)| *line)
}

/// The first version that the save's editor can have been opened on: whoever puts back what a
/// person had replaced or taken out has seen that, and mends it.
fn first_seen(texts: &[Stood], text: &str) -> usize {
    let mine = lines(text);
    let undone = |pair: &[Stood]| {
        let [Stood { text: before, .. }, Stood { text: hand, by_hand: true, .. }] = pair else {
            return false;
        };
        // The beginning of this very save, or of another one, took nothing out.
        if text.starts_with(hand.as_str()) || before.starts_with(hand.as_str()) {
            return false;
        }
        let (before, hand) = (lines(before), lines(hand));
        let mut replaced = more(&before, &hand).peekable();
        replaced.peek().is_some()
            && replaced.all(|line| mine.contains_key(line))
            && !more(&hand, &before).any(|line| mine.contains_key(line))
    };
    texts.windows(2).rposition(undone).map_or(0, |before| before + 1)
}

/// The text with the fewest other lines, and how many those are.
fn nearest(texts: &[Stood], text: &str) -> Option<(usize, usize)> {
    let mine = lines(text);
    let distances: Vec<(usize, usize)> = texts
        .iter()
        .map(|stood| {
            let theirs = lines(&stood.text);
            let taken = missing(&theirs, &mine);
            let others = if stood.unseen { under_taken_numbers(&stood.text, text) } else { 0 };
            (taken + missing(&mine, &theirs) + others, taken)
        })
        .collect();
    let first = first_seen(texts, text);
    let fewest = distances.iter().skip(first).map(|(distance, _)| *distance).min()?;
    let newest = texts.len() - 1;
    // Of equal ones the newest, unless the save is older than that: then the one from which it
    // took the least, so that nothing of a version that its editor never saw is taken back.
    let order = |at: usize| (at != newest, distances[at].1, std::cmp::Reverse(at));
    let equal = (first..texts.len()).filter(|at| distances[*at].0 == fewest);
    equal.min_by_key(|at| order(*at)).map(|at| (at, fewest))
}

/// A number whose title is another one was given to two tasks, if the save's editor cannot have
/// seen the first. Answers more than the lines that they happen to share.
fn under_taken_numbers(stood: &str, saved: &str) -> usize {
    let saved = titles(saved);
    let stood = titles(stood);
    let other = |(id, title): &(&&str, &&str)| saved.get(*id).is_some_and(|now| now != *title);
    stood.iter().filter(other).count() * TASK_LINES
}

/// More lines than a task has that was only just added.
const TASK_LINES: usize = 20;

/// The titles of tasks that are written as blocks, by their ids.
fn titles(text: &str) -> BTreeMap<&str, &str> {
    let mut titles = BTreeMap::new();
    let mut id = None;
    for line in text.lines().map(str::trim) {
        if let Some(new) = line.strip_prefix("- id:") {
            id = Some(new.trim());
        } else if let (Some(title), Some(id)) = (line.strip_prefix("title:"), id) {
            let title = title.split(" #").next().unwrap_or(title);
            titles.entry(id).or_insert(title.trim().trim_matches(['"', '\'']));
        }
    }
    titles
}

/// Whether a text was made from one that was not the newest any more, so that lines of that may
/// be missing in it.
pub fn is_behind(versions: &Versions, text: &str) -> bool {
    nearest(&versions.stood, text).is_some_and(|(at, distance)| {
        distance > 0 && versions.newest.as_ref() != Some(&versions.stood[at].text)
    })
}

/// How often each line stands in a text, whatever its editor made of line ends and indentation.
fn lines(text: &str) -> BTreeMap<&str, usize> {
    let mut lines = BTreeMap::new();
    for line in text.trim_start_matches('\u{feff}').lines() {
        *lines.entry(line.trim()).or_default() += 1;
    }
    lines
}

/// A save whose beginning had already been taken for the whole of it: what only seemed to be
/// removed or changed is put back as the whole says it. Answers where.
fn put_back(
    past: &Past<'_>,
    saved: &Saved<'_>,
    now: &Value,
    said: &Value,
    merged: &mut Value,
) -> BTreeSet<Path> {
    let mut back = BTreeSet::new();
    for pair in past.texts.windows(2) {
        let [Stood { text: before, .. }, Stood { text: beginning, .. }] = pair else { continue };
        if beginning.len() >= saved.text.len() || !saved.text.starts_with(beginning.as_str()) {
            continue;
        }
        let tree = |text: &String| tree_of(text, past.now.archived);
        let (Some(before), Some(beginning)) = (tree(before), tree(beginning)) else { continue };
        for change in difference(&before, &beginning) {
            let said = change.path.get(said);
            if change.path.get(now) != change.after.as_ref() || said == change.after.as_ref() {
                continue;
            }
            let said = said.map(|said| with_program_keys(&change, said.clone()));
            put(merged, &change.path, said.as_ref());
            back.insert(change.path);
        }
    }
    back
}

/// An item as the person has it, with what the program had written in it.
fn with_program_keys(change: &FieldChange, mut said: Value) -> Value {
    if let (Value::Object(said), Some(Value::Object(before))) = (&mut said, &change.before) {
        let program = |key: &str| key_owner(&change.path.key(key)) == KeyOwner::Program;
        said.retain(|key, _| key == "id" || !program(key));
        let written = before.iter().filter(|(key, _)| program(key));
        said.extend(written.map(|(key, value)| (key.clone(), value.clone())));
    }
    said
}

/// Whether a text is no document, or everything is gone that stood behind its end: so it looks
/// while it is being written.
pub fn is_unfinished(texts: &[Stood], bytes: &[u8], archived: bool) -> bool {
    if text::conflict_marker(bytes).is_some() {
        return false;
    }
    let text = match std::str::from_utf8(bytes) {
        Ok(text) if text::read(bytes, archived).is_ok() => text,
        _ => return true,
    };
    // Held against the version it was made from: a later one may have more at its end, and then
    // a whole text looks like the beginning of one.
    let Some((at, _)) = nearest(texts, text) else { return false };
    let trees = [text, &texts[at].text].map(yaml::to_value);
    let [Ok(now), Ok(before)] = trees else { return trees[0].is_err() };
    let (now, before) = (leaves(&now), leaves(&before));
    let there: BTreeSet<&String> = now.iter().collect();
    let last = now.iter().rev().find_map(|leaf| before.iter().position(|other| other == leaf));
    let behind = &before[last.map_or(0, |last| last + 1)..];
    !behind.is_empty() && !behind.iter().any(|leaf| there.contains(leaf))
}

/// The places of all single values, in the order of the text.
fn leaves(tree: &Value) -> Vec<String> {
    fn collect(place: &str, value: &Value, leaves: &mut Vec<String>) {
        match value {
            Value::Object(map) => {
                map.iter().for_each(|(key, value)| {
                    collect(&format!("{place}/{key}"), value, leaves);
                });
            }
            Value::Array(items) => items.iter().zip(0..).for_each(|(item, at)| {
                let name = item.get("id").map_or_else(|| format!("{at}"), Value::to_string);
                collect(&format!("{place}/{name}"), item, leaves);
            }),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
                leaves.push(place.to_owned());
            }
        }
    }
    let mut places = Vec::new();
    collect("", tree, &mut places);
    places
}

/// What a commit does to a text that is there.
pub struct Rewrite<'a> {
    pub place: &'a str,
    pub archived: bool,
    /// The text that is there.
    pub there: &'a str,
    /// The text of a late save that is taken in.
    pub late: Option<&'a str>,
    pub wanted: &'a Milestone,
    /// The fields that the change is about; nothing if it takes in all that the text says.
    pub touched: Option<&'a [Path]>,
}

/// A text, and what in it is a person's and not accepted.
pub struct Rewritten {
    pub text: String,
    pub pending: Vec<FieldChange>,
}

/// The text that says what is wanted, with the comments of everybody who wrote one. Where a person
/// says something else that is still refused, that stays; what only the program writes is put
/// back, and so is what is merely older than the present.
pub fn rewrite(
    rewrite: &Rewrite<'_>,
    versions: &Versions,
    history: &History,
) -> Result<Rewritten, StoreError> {
    let Rewrite { place, archived, there, late, wanted, touched } = *rewrite;
    let said = said(place, there, archived)?;
    let (mut tree, mut pending) = (wanted.tree(), Vec::new());
    if let Some(touched) = touched {
        let (events, shared) = (&history.events, &history.shared);
        let past = Past { texts: &versions.stood, events, shared, now: wanted };
        let meant = meant(&past, &Saved { text: there, said: &said, late: false });
        let untouched = |change: &FieldChange| {
            !touched
                .iter()
                .any(|path| path.starts_with(&change.path) || change.path.starts_with(path))
        };
        pending.extend(meant.person.into_iter().filter(untouched));
        for change in &pending {
            put(&mut tree, &change.path, change.after.as_ref());
        }
    }
    let target = Milestone::from_tree(tree, wanted.archived).unwrap_or_else(|_| wanted.clone());
    let text = match merged_text(versions, there, late, &target) {
        Some(text) => text,
        None => text::edit(place, there, &said, &target)?.text,
    };
    Ok(Rewritten { text, pending })
}

fn said(place: &str, text: &str, archived: bool) -> Result<Milestone, StoreError> {
    let said = text::read(text.as_bytes(), archived).map_err(|error| StoreError::Unreadable {
        file: place.to_owned(),
        line: error.line,
        column: error.column,
        message: error.message,
    })?;
    Ok(said.milestone)
}

/// The lines of two sides put together, where there are two: a late save and the document, or a
/// save and the version that it went over without having seen it.
fn merged_text(
    versions: &Versions,
    there: &str,
    late: Option<&str>,
    target: &Milestone,
) -> Option<String> {
    let (ours, theirs) = match late {
        Some(late) => (there, late),
        None => (versions.newest.as_deref()?, there),
    };
    let texts = &versions.stood;
    let (at, distance) = nearest(texts, theirs)?;
    // What is there already has all the lines; or somebody went back to what was there before, as
    // an undo and a checkout do, and means that whole.
    if ours == theirs || late.is_none() && (texts[at].text == ours || distance == 0) {
        return None;
    }
    // What a save was made from may be older than every text that is known, and a late one may be
    // taken in after its own comments are: what it does not have, its editor may never have seen.
    let base = plain(&texts[at].text);
    let unsure = late.is_some() || at == 0 && distance > 0;
    let seen = if unsure { "" } else { &base };
    let (ours, plain) = (plain(ours), plain(theirs));
    let text = documents::text_saying(&base, &ours, &plain, seen, target)?;
    // In the form that the person's editor gave it.
    let text = if theirs.contains("\r\n") { text.replace('\n', "\r\n") } else { text };
    Some(if theirs.starts_with('\u{feff}') { format!("\u{feff}{text}") } else { text })
}

fn plain(text: &str) -> String {
    text.trim_start_matches('\u{feff}').replace("\r\n", "\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_whole_text_that_is_older_than_the_present_is_not_the_beginning_of_it() {
        let first = "id: milestone-001\ntitle: T\ntasks:\n  - id: task-001\n    title: A\n";
        let later = format!("{first}  - id: task-002\n    title: B\n");
        let texts = [first.to_owned(), later].map(seen);
        let saved = first.replace("title: T", "title: T # said by hand");
        assert!(!is_unfinished(&texts, saved.as_bytes(), false));
        let half = &saved[..saved.len() - 14];
        assert!(is_unfinished(&texts, half.as_bytes(), false), "{half}");
    }

    /// A task that was being added by hand before the program took one in under the same number.
    #[test]
    fn a_save_of_an_old_editor_takes_nothing_back_that_it_never_saw() {
        let task =
            |number: u32, title: &str| format!("  - id: task-{number:03}\n    title: {title}\n");
        let opened = format!("id: milestone-001\ntitle: T\ntasks:\n{}", task(1, "A"));
        let taken_in = format!("{opened}{}", task(2, "Theirs"));
        let newest = taken_in.replace("title: A\n", "title: A\n    assignee: ada\n");
        let made_from = |texts: &[Stood], text: &str| nearest(texts, text).map(|(at, _)| at);
        let mut texts = [opened.clone(), taken_in.clone(), newest.clone()].map(seen);
        let saved = format!("{opened}{}", task(2, "Mine"));
        assert_eq!(made_from(&texts, &saved), Some(0));
        // Made from the newest, the same is another title of that task.
        let renamed = newest.replace("Theirs", "Mine");
        assert_eq!(made_from(&texts, &renamed), Some(2));
        let renamed = taken_in.replace("Theirs", "Mine");
        assert_eq!(made_from(&texts[..2], &renamed), Some(1));
        // But nobody gives another title to a task that came this very moment.
        texts[1].unseen = true;
        assert_eq!(made_from(&texts[..2], &renamed), Some(0));
    }

    /// An editor that put a typing error there knows about it.
    #[test]
    fn whoever_mends_what_was_written_by_hand_has_seen_it() {
        let opened = "id: milestone-001\ntitle: T\ntasks:\n  - id: task-001\n    estimate: 4h\n";
        let mistyped = opened.replace("estimate", "estimte");
        let noted = format!("{mistyped}    progress: 10\n");
        let mut texts = [opened.to_owned(), mistyped, noted].map(seen);
        let made_from = |texts: &[Stood], text: &str| nearest(texts, text).map(|(at, _)| at);
        let mended = opened.replace("title: T", "title: New");
        assert_eq!(made_from(&texts, &mended), Some(0));
        texts[1].by_hand = true;
        assert_eq!(made_from(&texts, &mended), Some(1));
        // What another one added, and an old editor does not show, was not taken out by it.
        let added = format!("{opened}labels: [x]\n");
        let mut texts = [opened.to_owned(), added].map(seen);
        texts[1].by_hand = true;
        assert_eq!(made_from(&texts, &mended), Some(0));
    }

    fn seen(text: String) -> Stood {
        Stood { text, pending: Vec::new(), by_hand: false, unseen: false }
    }
}
