//! What an edit should do, worked out without any of the code under test.

use std::ops::Range;

use serde_json::{Map, Value};

use super::generate::{Document, Place};
use crate::yaml::{Edit, Step, Steps};

/// The document as another resolver sees it: lax booleans, numbers in every form. Text that we
/// forget to quote would change here.
pub(super) fn value(text: &str) -> Result<Value, String> {
    serde_saphyr::from_str(text).map_err(|error| error.to_string())
}

pub(super) fn apply(root: &mut Value, edit: &Edit) {
    match edit {
        Edit::Set { path, value, .. } => *reach(root, path) = value.clone(),
        Edit::Remove { path } => {
            let (last, parents) = path.split_last().unwrap();
            match (reach(root, parents), last) {
                (Value::Object(entries), Step::Key(key)) => drop(entries.remove(key)),
                (Value::Array(items), step) => {
                    let index = index_of(items, step);
                    items.remove(index);
                }
                _ => panic!("nothing to remove"),
            }
        }
        Edit::Append { path, value } => match reach(root, path) {
            Value::Array(items) => items.push(value.clone()),
            place => *place = Value::Array(vec![value.clone()]),
        },
    }
}

fn reach<'v>(root: &'v mut Value, path: &Steps) -> &'v mut Value {
    path.iter().fold(root, |node, step| match step {
        Step::Key(key) => {
            if node.is_null() {
                *node = Value::Object(Map::new());
            }
            node.as_object_mut().unwrap().entry(key.clone()).or_insert(Value::Null)
        }
        step => {
            let items = node.as_array_mut().unwrap();
            let index = index_of(items, step);
            &mut items[index]
        }
    })
}

fn index_of(items: &[Value], step: &Step) -> usize {
    match step {
        Step::Index(index) => *index,
        Step::Id(id) => items
            .iter()
            .position(|item| match &item["id"] {
                Value::String(text) => text == id,
                Value::Number(number) => id.parse() == Ok(number.as_u64().unwrap()),
                _ => false,
            })
            .unwrap(),
        Step::Key(_) => panic!("a list has no keys"),
    }
}

pub(super) fn lost_comments(document: &Document, edit: &Edit, new: &str) -> Vec<String> {
    let may_go = |comment: &super::generate::Comment| match edit {
        Edit::Append { .. } => false,
        Edit::Set { path, .. } => {
            comment.owner.starts_with(path) && !(comment.owner == *path && comment.trailing)
        }
        Edit::Remove { path } => comment.owner.starts_with(path),
    };
    let lost = document.comments.iter().filter(|comment| !may_go(comment));
    lost.filter(|comment| !has_comment(new, &comment.text)).map(|c| c.text.clone()).collect()
}

fn has_comment(text: &str, comment: &str) -> bool {
    text.lines().any(|line| line.trim_end().ends_with(comment))
}

/// What an edit may do to the lines of its place.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Allowed {
    Change,
    Removal,
    /// Every old line must still be there.
    Addition,
}

/// Old lines that are gone or different, but do not belong to the place of the edit.
pub(super) fn foreign_changes(
    old: &str,
    new: &str,
    place: &Place,
    allowed: Allowed,
) -> Option<String> {
    if allowed == Allowed::Addition {
        let (changed, _) = changed_lines(old, new);
        return (!changed.is_empty()).then(|| format!("lines {changed:?} changed"));
    }
    let (old, new) = (lines(old), lines(new));
    let mut before = &old[..place.first_line];
    let mut after = old.get(place.last_line + 1..).unwrap_or_default();
    if allowed == Allowed::Removal {
        // Of the blank lines on both sides of what is removed, one side may go with it.
        before = &before[..before.len() - before.iter().rev().take_while(|l| l.is_empty()).count()];
        after = &after[after.iter().take_while(|l| l.is_empty()).count()..];
    }
    let kept = new.starts_with(before) && new[before.len()..].ends_with(after);
    (!kept).then(|| format!("only lines {}..={} may change", place.first_line, place.last_line))
}

/// Without the line ends: whether the last line has one is checked elsewhere.
fn lines(text: &str) -> Vec<&str> {
    text.trim_start_matches('\u{feff}').trim_end_matches(['\r', '\n']).lines().collect()
}

/// The lines, old and new, between what is the same at the beginning and at the end.
fn changed_lines(old: &str, new: &str) -> (Range<usize>, Range<usize>) {
    let (old, new) = (lines(old), lines(new));
    let head = old.iter().zip(&new).take_while(|(a, b)| a == b).count();
    let tails = old[head..].iter().rev().zip(new[head..].iter().rev());
    let tail = tails.take_while(|(a, b)| a == b).count();
    (head..old.len() - tail, head..new.len() - tail)
}

pub(super) fn difference(old: &str, new: &str) -> String {
    let (removed, added) = changed_lines(old, new);
    let first = removed.start.saturating_sub(4);
    let show = |mark: &str, text: &str, from: usize, to: usize| -> Vec<String> {
        let lines = text.split('\n').skip(from).take(to.saturating_sub(from));
        lines.map(|line| format!("{mark}{line:?}")).collect()
    };
    let parts = [
        show("  ", old, first, removed.start),
        show("- ", old, removed.start, removed.end),
        show("+ ", new, added.start, added.end),
        show("  ", old, removed.end, removed.end + 3),
    ];
    parts.concat().join("\n")
}
