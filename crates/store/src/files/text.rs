//! Between a document's text, with its comments and layout, and what it says.

use std::cell::OnceCell;

use milestone_domain::change::{FieldChange, Path};
use milestone_domain::document::{CANONICAL_ORDER, DocumentError, Milestone, TASK_ORDER, aliases};
use milestone_domain::progress::Progress;
use serde_json::Value;

use crate::error::StoreError;
use crate::yaml::{self, Edit, Step};

/// Lists whose items are mappings with an identity.
const IDENTIFIED: [&str; 2] = ["tasks", "criteria"];

/// A text that is no document, and where that shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unreadable {
    pub line: u64,
    pub column: u64,
    pub message: String,
}

/// A document as its text says it.
#[derive(Debug, Clone)]
pub struct Said {
    pub milestone: Milestone,
    /// Keys that this program does not know, with their places.
    pub unknown: Vec<String>,
}

pub fn read(bytes: &[u8], archived: bool) -> Result<Said, Unreadable> {
    if let Some(line) = conflict_marker(bytes) {
        let message = "a merge left its conflict here; keep what is right and remove the markers";
        return Err(Unreadable { line, column: 1, message: message.into() });
    }
    let read = yaml::read_bytes::<Milestone>(bytes).map_err(|error| Unreadable {
        line: error.line as u64,
        column: error.column as u64,
        message: error.message,
    })?;
    let milestone = Milestone { archived, ..read.value };
    let milestone = milestone.checked().map_err(|error| locate(bytes, &error))?;
    Ok(Said { milestone, unknown: read.unknown })
}

/// The line of git's first conflict marker, if a merge left one.
pub fn conflict_marker(bytes: &[u8]) -> Option<u64> {
    let marker = |line: &[u8]| line.starts_with(b"<<<<<<< ") || line == b"<<<<<<<";
    let lines = bytes.split(|byte| *byte == b'\n');
    lines
        .map(|line| line.strip_suffix(b"\r").unwrap_or(line))
        .zip(1..)
        .find_map(|(line, number)| marker(line).then_some(number))
}

/// Finds the place that an error of meaning is about.
fn locate(bytes: &[u8], error: &DocumentError) -> Unreadable {
    let text = std::str::from_utf8(bytes).unwrap_or_default();
    let tree = yaml::to_value(text).unwrap_or_default();
    let steps = steps_by_id(&tree, &error.path);
    // The most precise place that exists in the text.
    let place = (0..=steps.len()).rev().find_map(|n| yaml::locate(text, &steps[..n]));
    let (line, column) = place.unwrap_or((1, 1));
    Unreadable { line: line as u64, column: column as u64, message: error.message.clone() }
}

fn steps_by_id(tree: &Value, path: &Path) -> Vec<Step> {
    let steps = path.steps();
    let in_list = steps.first().is_some_and(|list| IDENTIFIED.contains(&list.as_str()));
    let steps = steps.iter().enumerate().map(|(i, step)| {
        if i != 1 || !in_list {
            return Step::key(step);
        }
        let items = tree.get(&steps[0]).and_then(Value::as_array);
        // The last of two with the same id is the one to complain about.
        let at = items.and_then(|items| items.iter().rposition(|item| names(item, step)));
        at.map_or_else(|| Step::id(step), Step::Index)
    });
    steps.collect()
}

fn names(item: &Value, id: &str) -> bool {
    let Some(said) = item.get("id") else { return false };
    let said = said.as_str().map_or_else(|| said.to_string(), str::to_owned);
    let number =
        |text: &str| text.parse::<milestone_domain::ids::TaskName>().ok().map(|name| name.number);
    said == id || (number(&said).is_some() && number(&said) == number(id))
}

/// Where the schema of documents stands in a project whose editors use one.
pub const SCHEMA_PLACE: &str = "schema/milestone.schema.json";

/// The comment by which editors find it, in a document of any folder.
pub const SCHEMA_LINE: &str = "yaml-language-server: $schema=../schema/milestone.schema.json";

/// A new document's text, for a project whose editors use the schema.
pub fn write_with_schema_line(milestone: &Milestone, with_progress: bool) -> String {
    format!("# {SCHEMA_LINE}\n{}", write(milestone, with_progress))
}

/// A new document's text.
pub fn write(milestone: &Milestone, with_progress: bool) -> String {
    let progress = with_progress.then(|| Progress::of(milestone).shown());
    let mut tree = Milestone { progress, ..milestone.clone() }.whole_tree();
    if let (false, Value::Object(map)) = (with_progress, &mut tree) {
        map.shift_remove("progress");
    }
    yaml::write(&tree, None)
}

/// A text after an edit: it says exactly what was wanted.
pub struct Edited {
    pub text: String,
    /// Whether all of its keys are known; nothing if the text is the one that was there.
    pub clean: Option<bool>,
}

/// Changes a text so that it says `wanted`, and nothing else of it changes. What comes back is read
/// again and compared before it is given out.
pub fn edit(
    file: &str,
    text: &str,
    said: &Milestone,
    wanted: &Milestone,
) -> Result<Edited, StoreError> {
    let changes = differences(said, wanted);
    if changes.is_empty() && !shows_old_progress(said, wanted) {
        return Ok(Edited { text: text.to_owned(), clean: None });
    }
    let unfaithful = |message: String| StoreError::Unfaithful { file: file.to_owned(), message };
    let mut edits = Edits::new(text, said);
    for change in &changes {
        edits.add(change, wanted).map_err(|error| unfaithful(error.to_string()))?;
    }
    edits.progress(said, wanted);
    let edits = edits.in_order();
    let text = yaml::edit(text, &edits).map_err(|error| unfaithful(error.to_string()))?;
    let now = read(text.as_bytes(), said.archived).map_err(|error| unfaithful(error.message))?;
    match differences(&now.milestone, wanted).first() {
        None => Ok(Edited { text, clean: Some(now.unknown.is_empty()) }),
        Some(change) => Err(unfaithful(format!("{} would read differently", change.path))),
    }
}

/// What a text would have to say differently. Where it stands is no word of it.
pub fn differences(said: &Milestone, wanted: &Milestone) -> Vec<FieldChange> {
    let mut changes = said.changes_to(wanted);
    changes.retain(|change| change.path.steps() != ["archived"]);
    changes
}

fn shows_old_progress(said: &Milestone, wanted: &Milestone) -> bool {
    said.progress.is_some_and(|shown| shown != Progress::of(wanted).shown())
}

/// The text of another document, or of one that was lost, made to say all of `wanted`.
pub fn saying(file: &str, text: &str, wanted: &Milestone) -> Result<String, StoreError> {
    let said = read(text.as_bytes(), wanted.archived).map_err(|error| StoreError::Unfaithful {
        file: file.to_owned(),
        message: error.message,
    })?;
    edit(file, text, &said.milestone, wanted).map(|edited| edited.text)
}

/// The edits of one text, collected so that no edit moves what another one points at.
struct Edits<'a> {
    text: &'a str,
    /// What the text says in its own words; most edits need not know.
    tree: OnceCell<Value>,
    said: &'a Milestone,
    sets: Vec<Edit>,
    appends: Vec<Edit>,
    /// Positions of removed items, by list.
    removals: Vec<(&'static str, usize)>,
}

impl<'a> Edits<'a> {
    fn new(text: &'a str, said: &'a Milestone) -> Self {
        let (tree, sets, appends, removals) = Default::default();
        Self { text, tree, said, sets, appends, removals }
    }

    fn tree(&self) -> Result<&Value, yaml::ReadError> {
        match self.tree.get() {
            Some(tree) => Ok(tree),
            None => yaml::to_value(self.text).map(|tree| self.tree.get_or_init(|| tree)),
        }
    }

    fn in_order(mut self) -> Vec<Edit> {
        self.removals.sort_unstable();
        let removals = self
            .removals
            .iter()
            .rev()
            .map(|(list, at)| Edit::Remove { path: vec![Step::key(*list), Step::Index(*at)] });
        self.sets.into_iter().chain(removals).chain(self.appends).collect()
    }

    fn add(&mut self, change: &FieldChange, wanted: &Milestone) -> Result<(), yaml::ReadError> {
        let steps: Vec<&str> = change.path.steps().iter().map(String::as_str).collect();
        match steps.as_slice() {
            ["tasks", id, rest @ ..] => match self.task_at(id) {
                Some(at) => return self.item("tasks", at, rest, change, TASK_ORDER),
                None => self.append("tasks", change.after.as_ref()),
            },
            ["criteria", id, ..] => self.criterion(id, wanted),
            rest => return self.field(Vec::new(), rest, change.after.as_ref(), CANONICAL_ORDER),
        }
        Ok(())
    }

    fn task_at(&self, id: &str) -> Option<usize> {
        let number = id.parse::<milestone_domain::ids::TaskName>().ok()?.number;
        self.said.tasks.iter().position(|task| task.id.number == number)
    }

    fn item(
        &mut self,
        list: &'static str,
        at: usize,
        rest: &[&str],
        change: &FieldChange,
        order: &'static [&'static str],
    ) -> Result<(), yaml::ReadError> {
        if rest.is_empty() && change.after.is_none() {
            self.removals.push((list, at));
            return Ok(());
        }
        let place = vec![Step::key(list), Step::Index(at)];
        self.field(place, rest, change.after.as_ref(), order)
    }

    /// A criterion may stand there as a plain text, so it is always set as a whole.
    fn criterion(&mut self, id: &str, wanted: &Milestone) {
        let number = id.parse().ok();
        let at = self.said.criteria.iter().position(|criterion| criterion.id == number);
        let wanted = wanted.criteria.iter().find(|criterion| criterion.id == number);
        let value = wanted.and_then(|criterion| serde_json::to_value(criterion).ok());
        let value = value.map(milestone_domain::document::pruned);
        match (at, value) {
            (Some(at), Some(value)) => {
                let path = vec![Step::key("criteria"), Step::Index(at)];
                let edit = Edit::Set { path, value, order: &[] };
                if !self.sets.iter().any(|set| format!("{set:?}") == format!("{edit:?}")) {
                    self.sets.push(edit);
                }
            }
            (Some(at), None) => self.removals.push(("criteria", at)),
            (None, value) => self.append("criteria", value.as_ref()),
        }
    }

    fn append(&mut self, list: &str, value: Option<&Value>) {
        if let Some(value) = value {
            let path = vec![Step::key(list)];
            self.appends.push(Edit::Append { path, value: value.clone() });
        }
    }

    fn field(
        &mut self,
        mut place: Vec<Step>,
        rest: &[&str],
        after: Option<&Value>,
        order: &'static [&'static str],
    ) -> Result<(), yaml::ReadError> {
        let in_task = !place.is_empty();
        let start = place.len();
        for step in rest {
            let aliases = if place.len() == start { aliases(step, in_task) } else { &[] };
            let perhaps = aliases.iter().any(|alias| self.text.contains(alias));
            let name = match perhaps {
                true => {
                    at(self.tree()?, &place).map_or(*step, |parent| alias(parent, step, aliases))
                }
                false => step,
            };
            place.push(Step::key(name));
        }
        match after {
            Some(value) => {
                self.sets.push(Edit::Set { path: place, value: value.clone(), order });
            }
            None if at(self.tree()?, &place).is_some() => {
                self.sets.push(Edit::Remove { path: place });
            }
            None => {}
        }
        Ok(())
    }

    /// `progress` is no word of anybody's: where it is shown, it shows what is so.
    fn progress(&mut self, said: &Milestone, wanted: &Milestone) {
        let now = Progress::of(wanted).shown();
        let Some(shown) = said.progress.filter(|shown| *shown != now) else { return };
        let fields = [
            ("percentage", shown.percentage, now.percentage),
            ("tasks_completed", shown.tasks_completed, now.tasks_completed),
        ];
        for (key, _, now) in fields.into_iter().filter(|(_, shown, now)| shown != now) {
            let path = vec![Step::key("progress"), Step::key(key)];
            self.sets.push(Edit::Set { path, value: now.into(), order: &[] });
        }
    }
}

fn at<'a>(tree: &'a Value, place: &[Step]) -> Option<&'a Value> {
    place.iter().try_fold(tree, |value, step| match step {
        Step::Key(key) | Step::Id(key) => value.get(key),
        Step::Index(index) => value.get(index),
    })
}

/// The name under which a key already stands in the text.
fn alias<'a>(parent: &Value, key: &'a str, aliases: &[&'a str]) -> &'a str {
    let there = |key: &&&str| parent.get(**key).is_some();
    [key].iter().chain(aliases).find(there).copied().unwrap_or(key)
}
