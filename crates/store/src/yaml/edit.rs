//! Changing a few places of a document, and proving that nothing else changed.

use std::ops::Range;

use serde_json::{Map, Value};
use thiserror::Error;

use super::engine;
use super::path::{self, Step, Steps};
use super::read::{ReadError, check_text};
use super::tree::{Node, Repeats, Tree, Trivia};

/// Most values and lines together of a document that is edited. The lossless editor takes about
/// 300 bytes for each, so a document that reads within its budget could still fill the memory.
const MAX_EDITED_PARTS: usize = 100_000;

/// One change of a document.
#[derive(Clone, Debug)]
pub enum Edit {
    /// Gives the place at `path` a value. Missing mappings on the way are made. A mapping or list
    /// that is there already is changed only where it differs, so its comments stay.
    Set {
        path: Vec<Step>,
        value: Value,
        /// Usual order of the keys beside the last one: where a key that is new belongs. A key
        /// that is not named goes to the end.
        order: &'static [&'static str],
    },
    /// Takes away a key or an item with its own lines, the comment at the end of its line, and
    /// comments inside it. Comment lines above it stay: they may be about what follows.
    Remove { path: Vec<Step> },
    /// Adds an item at the end of the list at `path`, which is made if it is missing or empty.
    Append { path: Vec<Step>, value: Value },
}

impl Edit {
    pub fn set(path: impl Into<Vec<Step>>, value: impl Into<Value>) -> Self {
        Self::Set { path: path.into(), value: value.into(), order: &[] }
    }

    fn path(&self) -> &Steps {
        match self {
            Self::Set { path, .. } | Self::Remove { path } | Self::Append { path, .. } => path,
        }
    }
}

/// Why a document was not edited. In every case there is no new text to write.
#[derive(Debug, Error)]
pub enum EditError {
    #[error("{0}")]
    Unreadable(ReadError),
    #[error("there is no {path} in this document")]
    NotFound { path: String },
    #[error("this document is too large to be edited; split it")]
    TooLarge,
    #[error("{path} cannot hold this: it is {found}")]
    WrongKind { path: String, found: &'static str },
    /// The form in which the document is written cannot be edited without touching other parts.
    #[error("{path} cannot be changed without changing other parts of the document ({reason})")]
    Unfaithful { path: String, reason: &'static str },
}

/// A change that concerns one existing mapping or list; its path has no [`Step::Id`].
pub(super) struct Change {
    pub path: Vec<Step>,
    pub action: Action,
}

pub(super) enum Action {
    Set { value: Value, order: &'static [&'static str] },
    Remove,
    Append(Value),
}

/// Applies `edits` in order. Lines they do not concern stay as they are, except that of the blank
/// lines on both sides of something removed, one side may go too.
///
/// Before it is returned, the result is read again: it holds exactly the values that were asked
/// for, and every comment that no edit concerns. Otherwise there is an error and no text.
pub fn edit(text: &str, edits: &[Edit]) -> Result<String, EditError> {
    let body = check_text(text).map_err(EditError::Unreadable)?;
    let lines = body.lines().count();
    if lines > MAX_EDITED_PARTS {
        return Err(EditError::TooLarge);
    }
    let mark = &text[..text.len() - body.len()];
    let crlf = has_only_crlf(body);
    let body = if crlf { body.replace("\r\n", "\n") } else { body.to_owned() };

    let old = Tree::parse(&body, Repeats::Refuse, Trivia::Keep).map_err(EditError::Unreadable)?;
    if old.nodes + lines > MAX_EDITED_PARTS {
        return Err(EditError::TooLarge);
    }
    let kept = kept_comments(&body, &old, edits);
    let blank_below_blocks = old.blank_below_blocks;
    let mut value = old.root.into_value();
    let changes = plan(&mut value, edits)?;
    if changes.is_empty() {
        return Ok(text.to_owned());
    }
    let named = || edits.iter().map(|edit| path::to_text(edit.path())).collect::<Vec<_>>();
    let unfaithful = |reason| EditError::Unfaithful { path: named().join(", "), reason };
    let new = engine::apply(&body, &blank_below_blocks, &changes).map_err(unfaithful)?;
    let new = verified(&body, new, &value, &kept).map_err(unfaithful)?;
    let new = if crlf { new.replace('\n', "\r\n") } else { new };
    Ok(format!("{mark}{new}"))
}

/// Whether every line ends in CR LF. Mixed endings are edited as they are.
fn has_only_crlf(text: &str) -> bool {
    let crlf = text.matches("\r\n").count();
    crlf > 0 && crlf == text.matches('\n').count() && crlf == text.matches('\r').count()
}

/// The new text, with a last line break only if the old text has one or the value needs it.
fn verified(
    old: &str,
    new: String,
    wanted: &Value,
    kept: &[String],
) -> Result<String, &'static str> {
    if !old.ends_with('\n')
        && let Some(stripped) = new.strip_suffix('\n')
        && verify(stripped, wanted, kept).is_ok()
    {
        return Ok(stripped.to_owned());
    }
    verify(&new, wanted, kept).map(|()| new)
}

fn verify(new: &str, wanted: &Value, kept: &[String]) -> Result<(), &'static str> {
    let tree = check_text(new)
        .and_then(|new| Tree::parse(new, Repeats::Refuse, Trivia::Keep))
        .map_err(|_| "the result would not be readable")?;
    let mut comments = tree.comments.iter();
    if !kept.iter().all(|kept| comments.any(|comment| comment.text == *kept)) {
        return Err("a comment would be lost");
    }
    if tree.root.into_value() != *wanted {
        return Err("the result would not read as it should");
    }
    Ok(())
}

/// The comments that no edit concerns, in order.
fn kept_comments(text: &str, tree: &Tree, edits: &[Edit]) -> Vec<String> {
    let replaced: Vec<Range<usize>> =
        edits.iter().filter_map(|edit| replaced_range(text, &tree.root, edit)).collect();
    let is_kept = |start: usize| !replaced.iter().any(|range| range.contains(&start));
    let kept = tree.comments.iter().filter(|comment| is_kept(comment.start));
    kept.map(|comment| comment.text.clone()).collect()
}

/// The part of the old text that an edit replaces, as far as it exists.
fn replaced_range(text: &str, root: &Node, edit: &Edit) -> Option<Range<usize>> {
    let (last, parents) = edit.path().split_last()?;
    let mut node = root;
    for step in parents {
        node = node.child(step)?.0;
    }
    let old = node.child(last)?.0;
    let value = old.range.clone();
    let line_end = text[value.end..].find('\n').map_or(text.len(), |at| value.end + at);
    match edit {
        Edit::Append { .. } => None,
        // The lines of a block, with the comments above its first item and beside its last.
        Edit::Set { .. } if old.is_block() => match last {
            Step::Key(key) => {
                let key_end = node.entry(key)?.key_range.end;
                let body = text[key_end..].find('\n').map_or(value.start, |at| key_end + at);
                Some(body.min(value.start)..line_end)
            }
            _ => Some(value.start..line_end),
        },
        Edit::Set { .. } => Some(value),
        Edit::Remove { .. } => match last {
            Step::Key(key) => Some(node.entry(key)?.range().start..line_end),
            _ => Some(value.start..line_end),
        },
    }
}

/// Turns edits into changes, one existing container each, and applies them to the value on the
/// way: later edits see what earlier ones did.
fn plan(value: &mut Value, edits: &[Edit]) -> Result<Vec<Change>, EditError> {
    let mut changes = Vec::new();
    for edit in edits {
        plan_one(value, edit, &mut changes)?;
    }
    Ok(changes)
}

fn plan_one(root: &mut Value, edit: &Edit, changes: &mut Vec<Change>) -> Result<(), EditError> {
    let mut planner = Planner { changes, path: Vec::new() };
    match edit {
        Edit::Set { path, value, order } => planner.set(root, path, value, order),
        Edit::Remove { path } => planner.remove(root, path),
        Edit::Append { path, value } => planner.append(root, path, value),
    }
}

struct Planner<'c> {
    changes: &'c mut Vec<Change>,
    /// From the root to the node at hand, without ids.
    path: Vec<Step>,
}

impl Planner<'_> {
    fn set(
        &mut self,
        node: &mut Value,
        rest: &Steps,
        new: &Value,
        order: &'static [&'static str],
    ) -> Result<(), EditError> {
        let Some((step, deeper)) = rest.split_first() else {
            self.refine(node, new, order);
            return Ok(());
        };
        let is_gap = node.is_null() || node.get(key_of(step)).is_none() && node.is_object();
        if is_gap && matches!(step, Step::Key(_)) {
            // Where the gap is an empty value, the whole mapping is the change.
            let value = nested(if node.is_null() { rest } else { deeper }, new)
                .ok_or_else(|| self.not_found(rest))?;
            if node.is_object() {
                self.path.push(step.clone());
                if let Some(entries) = node.as_object_mut() {
                    entries.insert(key_of(step).to_owned(), value.clone());
                }
            } else {
                *node = value.clone();
            }
            let order = if deeper.is_empty() { order } else { &[] };
            self.change(Action::Set { value, order });
            return Ok(());
        }
        let child = self.enter(node, step, rest)?;
        self.set(child, deeper, new, order)
    }

    fn remove(&mut self, node: &mut Value, rest: &Steps) -> Result<(), EditError> {
        let Some((step, deeper)) = rest.split_first() else {
            return Err(EditError::NotFound { path: "root".to_owned() });
        };
        let child = self.enter(node, step, rest)?;
        if !deeper.is_empty() {
            return self.remove(child, deeper);
        }
        take(node, self.path.last());
        self.change(Action::Remove);
        Ok(())
    }

    fn append(&mut self, node: &mut Value, rest: &Steps, new: &Value) -> Result<(), EditError> {
        if let Some((step, deeper)) = rest.split_first() {
            if matches!(step, Step::Key(_))
                && (node.is_null() || node.is_object() && node.get(key_of(step)).is_none())
            {
                return self.set(node, rest, &Value::Array(vec![new.clone()]), &[]);
            }
            let child = self.enter(node, step, rest)?;
            return self.append(child, deeper, new);
        }
        match node {
            Value::Array(items) if !items.is_empty() => {
                items.push(new.clone());
                self.change(Action::Append(new.clone()));
            }
            Value::Array(_) | Value::Null => {
                let value = Value::Array(vec![new.clone()]);
                *node = value.clone();
                self.change(Action::Set { value, order: &[] });
            }
            other => return Err(self.wrong_kind(other)),
        }
        Ok(())
    }

    /// Changes `old` into `new` in as few places as possible.
    fn refine(&mut self, old: &mut Value, new: &Value, order: &'static [&'static str]) {
        if old == new {
            return;
        }
        match (&mut *old, new) {
            (Value::Object(old), Value::Object(new)) if share_a_key(old, new) => {
                self.refine_mapping(old, new);
            }
            (Value::Array(old), Value::Array(new)) if old.iter().any(|item| new.contains(item)) => {
                self.refine_list(old, new);
            }
            _ => {
                *old = new.clone();
                self.change(Action::Set { value: new.clone(), order });
            }
        }
    }

    fn refine_mapping(&mut self, old: &mut Map<String, Value>, new: &Map<String, Value>) {
        let gone: Vec<String> = old.keys().filter(|key| !new.contains_key(*key)).cloned().collect();
        for key in gone {
            old.shift_remove(&key);
            self.change_at(Step::Key(key), Action::Remove);
        }
        for (key, value) in new {
            if let Some(old) = old.get_mut(key) {
                self.path.push(Step::key(key));
                self.refine(old, value, &[]);
                self.path.pop();
            } else {
                old.insert(key.clone(), value.clone());
                let action = Action::Set { value: value.clone(), order: &[] };
                self.change_at(Step::key(key), action);
            }
        }
    }

    /// Keeps the items that stay in order, so that their comments stay; the rest goes or is added.
    fn refine_list(&mut self, old: &mut Vec<Value>, new: &[Value]) {
        let mut wanted = new.iter().peekable();
        let mut index = 0;
        while index < old.len() {
            let stays = wanted.peek().is_some_and(|item| **item == old[index]);
            if stays {
                wanted.next();
                index += 1;
            } else if old.len() == 1 {
                break;
            } else {
                old.remove(index);
                self.change_at(Step::Index(index), Action::Remove);
            }
        }
        let rest: Vec<Value> = wanted.cloned().collect();
        if index == 0 {
            *old = new.to_vec();
            self.change(Action::Set { value: Value::Array(new.to_vec()), order: &[] });
            return;
        }
        for item in rest {
            old.push(item.clone());
            self.change(Action::Append(item));
        }
    }

    fn enter<'v>(
        &mut self,
        node: &'v mut Value,
        step: &Step,
        rest: &Steps,
    ) -> Result<&'v mut Value, EditError> {
        let found = match (&*node, step) {
            (Value::Object(entries), Step::Key(key)) => {
                entries.contains_key(key).then(|| step.clone())
            }
            (Value::Array(items), Step::Id(id)) => path::item_with_id(items, id).map(Step::Index),
            (Value::Array(items), Step::Index(at)) => (*at < items.len()).then_some(step.clone()),
            (other, Step::Key(_)) => return Err(self.wrong_kind(other)),
            _ => None,
        };
        let Some(found) = found else { return Err(self.not_found(rest)) };
        self.path.push(found.clone());
        child_mut(node, &found).ok_or_else(|| EditError::NotFound { path: path::to_text(rest) })
    }

    fn change(&mut self, action: Action) {
        self.changes.push(Change { path: self.path.clone(), action });
    }

    fn change_at(&mut self, step: Step, action: Action) {
        self.path.push(step);
        self.change(action);
        self.path.pop();
    }

    fn not_found(&self, rest: &Steps) -> EditError {
        EditError::NotFound { path: path::to_text(&[&self.path, rest].concat()) }
    }

    fn wrong_kind(&self, found: &Value) -> EditError {
        let found = match found {
            Value::Object(_) => "a mapping",
            Value::Array(_) => "a list",
            Value::Null => "empty",
            _ => "a single value",
        };
        EditError::WrongKind { path: path::to_text(&self.path), found }
    }
}

fn key_of(step: &Step) -> &str {
    match step {
        Step::Key(key) => key,
        _ => "",
    }
}

fn child_mut<'v>(node: &'v mut Value, step: &Step) -> Option<&'v mut Value> {
    match step {
        Step::Key(key) => node.get_mut(key),
        Step::Index(index) => node.get_mut(index),
        Step::Id(_) => None,
    }
}

fn take(node: &mut Value, step: Option<&Step>) {
    match (node, step) {
        (Value::Object(entries), Some(Step::Key(key))) => {
            entries.shift_remove(key);
        }
        (Value::Array(items), Some(Step::Index(index))) => {
            items.remove(*index);
        }
        _ => {}
    }
}

/// `value` inside the mappings that `steps` name; nothing if they name an item of a list.
fn nested(steps: &Steps, value: &Value) -> Option<Value> {
    let Some((step, deeper)) = steps.split_first() else { return Some(value.clone()) };
    let Step::Key(key) = step else { return None };
    let inner = nested(deeper, value)?;
    Some(Value::Object(Map::from_iter([(key.clone(), inner)])))
}

fn share_a_key(old: &Map<String, Value>, new: &Map<String, Value>) -> bool {
    old.keys().any(|key| new.contains_key(key))
}
