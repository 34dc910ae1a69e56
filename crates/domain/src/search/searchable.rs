//! What of a milestone can be found: made once from its document and its history, and kept beside
//! it by a store that wants to be quick.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::Range;

use jiff::Timestamp;
use jiff::fmt::serde::timestamp::second::optional as seconds;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::words::fold;
use crate::document::Milestone;
use crate::event::{Event, Recorded, Stream};
use crate::ids::{MilestoneId, Node, TaskId};
use crate::status::{MilestoneStatus, TaskStatus};

/// Where in a milestone or task a text stands.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Field {
    Id,
    Title,
    Labels,
    Category,
    Release,
    Assignee,
    /// Owner and team.
    People,
    Description,
    Goals,
    Reason,
    Criteria,
    Evidence,
    Risks,
    Lessons,
    Notes,
    Deliverables,
    Resources,
    /// The long sections: phases, technical, testing and so on.
    Details,
}

/// What a text that was found is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Milestone,
    Task,
    Criterion,
    Risk,
    Lesson,
    Note,
}

/// How a milestone or a task stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Status {
    Milestone(MilestoneStatus),
    Task(TaskStatus),
}

impl Status {
    pub fn word(self) -> &'static str {
        match self {
            Self::Milestone(status) => status.word(),
            Self::Task(status) => status.word(),
        }
    }
}

/// All texts of one milestone and of its tasks.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Searchable<'a> {
    pub id: MilestoneId,
    pub archived: bool,
    /// The milestone itself, then its tasks.
    units: Vec<Unit>,
    pieces: Vec<Piece>,
    /// The texts one behind the other, each as it was written.
    #[serde(borrow)]
    text: Cow<'a, str>,
    /// The same, folded.
    #[serde(borrow)]
    folded: Cow<'a, str>,
}

/// A milestone or a task: what one hit is about.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Unit {
    pub task: Option<u32>,
    pub status: Status,
    /// When anything last happened to it.
    #[serde(with = "seconds")]
    pub touched: Option<Timestamp>,
    /// Its pieces are those up to this one, from where those of the unit before it end.
    end: u32,
}

/// One text, and where it ends.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Piece {
    pub field: Field,
    text_end: u32,
    folded_end: u32,
}

impl Searchable<'_> {
    /// From a document as it is accepted, and everything that happened to it.
    pub fn of(milestone: &Milestone, events: &[Recorded]) -> Searchable<'static> {
        let mut building = Building {
            searchable: Searchable {
                id: milestone.id,
                archived: milestone.archived,
                units: Vec::new(),
                pieces: Vec::new(),
                text: Cow::Owned(String::new()),
                folded: Cow::Owned(String::new()),
            },
        };
        let past = Past::of(milestone.id, events);
        building.milestone(milestone, &past);
        building.searchable
    }

    pub(super) fn units(&self) -> &[Unit] {
        &self.units
    }

    /// The numbers of a unit's pieces; the first is its title.
    pub(super) fn pieces_of(&self, unit: usize) -> Range<usize> {
        let end = |unit: usize| self.units.get(unit).map_or(0, |unit| unit.end as usize);
        let start = if unit == 0 { 0 } else { end(unit - 1) };
        start..end(unit).min(self.pieces.len())
    }

    pub(super) fn field(&self, piece: usize) -> Field {
        self.pieces.get(piece).map_or(Field::Details, |piece| piece.field)
    }

    pub(super) fn text(&self, piece: usize) -> &str {
        self.part(piece, &self.text, |piece| piece.text_end)
    }

    pub(super) fn folded(&self, piece: usize) -> &str {
        self.part(piece, &self.folded, |piece| piece.folded_end)
    }

    /// All folded texts together: what is not in here is in none of them.
    pub(super) fn everything(&self) -> &str {
        &self.folded
    }

    pub(super) fn node(&self, unit: &Unit) -> Node {
        match unit.task {
            None => Node::Milestone(self.id),
            Some(number) => Node::Task(TaskId::new(self.id, number)),
        }
    }

    /// Whether a unit has this very text in a field.
    pub(super) fn says(&self, unit: usize, field: Field, text: &str) -> bool {
        self.pieces_of(unit).any(|piece| self.field(piece) == field && self.text(piece) == text)
    }

    pub(super) fn has(&self, unit: usize, field: Field) -> bool {
        self.pieces_of(unit).any(|piece| self.field(piece) == field)
    }

    fn part<'t>(&self, piece: usize, text: &'t str, end: fn(&Piece) -> u32) -> &'t str {
        let before = piece.checked_sub(1).and_then(|piece| self.pieces.get(piece));
        let start = before.map_or(0, end) as usize;
        let end = self.pieces.get(piece).map_or(0, end) as usize;
        // Between two texts stands a line end, which no folded word has in it.
        text.get(start..end.saturating_sub(1)).unwrap_or_default()
    }
}

/// What events add to a document.
#[derive(Default)]
struct Past<'a> {
    /// By task; the milestone's own under none.
    notes: BTreeMap<Option<u32>, Vec<&'a str>>,
    /// By task; the milestone's own under none.
    touched: BTreeMap<Option<u32>, Timestamp>,
}

impl<'a> Past<'a> {
    fn of(id: MilestoneId, events: &'a [Recorded]) -> Self {
        let mut past = Self::default();
        for recorded in events.iter().filter(|event| event.stream == Stream::Milestone(id)) {
            let touched = past.touched.entry(recorded.event.task()).or_insert(recorded.at);
            *touched = recorded.at.max(*touched);
            if let Event::TaskNoted { text, .. } | Event::MilestoneNoted { text } = &recorded.event
            {
                past.notes.entry(recorded.event.task()).or_default().push(text);
            }
        }
        past
    }

    /// A task that nothing happened to since is as old as its milestone's beginning.
    fn touched(&self, task: Option<u32>, created: Option<Timestamp>) -> Option<Timestamp> {
        self.touched.get(&task).copied().or(created)
    }
}

struct Building {
    searchable: Searchable<'static>,
}

impl Building {
    fn milestone(&mut self, milestone: &Milestone, past: &Past<'_>) {
        let tree = milestone.whole_tree();
        let nothing = Map::new();
        let keys = tree.as_object().unwrap_or(&nothing);
        self.piece(Field::Title, &milestone.title);
        for (key, value) in keys {
            match milestone_field(key) {
                Some(Field::Criteria) => self.criteria(value),
                Some(field) => self.leaves(field, value),
                None => {}
            }
        }
        self.notes(None, past);
        let created = past.touched.values().min().copied();
        let latest = past.touched.values().max().copied();
        self.unit(None, Status::Milestone(milestone.status), latest);
        let tasks = keys.get("tasks").and_then(Value::as_array).into_iter().flatten();
        for (task, tree) in milestone.tasks.iter().zip(tasks) {
            let number = task.id.number;
            self.piece(Field::Title, &task.title);
            for (key, value) in tree.as_object().unwrap_or(&nothing) {
                if let Some(field) = task_field(key) {
                    self.leaves(field, value);
                }
            }
            self.notes(Some(number), past);
            let touched = past.touched(Some(number), created);
            self.unit(Some(number), Status::Task(task.status), touched);
        }
    }

    fn notes(&mut self, task: Option<u32>, past: &Past<'_>) {
        for note in past.notes.get(&task).into_iter().flatten() {
            self.piece(Field::Notes, note);
        }
    }

    fn criteria(&mut self, criteria: &Value) {
        for criterion in criteria.as_array().into_iter().flatten() {
            match criterion {
                Value::Object(keys) => {
                    for (key, value) in keys {
                        let field = if key == "met" { Field::Evidence } else { Field::Criteria };
                        self.key(field, key, value);
                    }
                }
                plain => self.leaves(Field::Criteria, plain),
            }
        }
    }

    /// Every text below a value.
    fn leaves(&mut self, field: Field, value: &Value) {
        match value {
            Value::String(text) => self.piece(field, text),
            Value::Array(items) => items.iter().for_each(|item| self.leaves(field, item)),
            Value::Object(keys) => {
                keys.iter().for_each(|(key, value)| self.key(field, key, value));
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }

    fn key(&mut self, field: Field, key: &str, value: &Value) {
        if !NO_WORDS.contains(&key) {
            self.leaves(field, value);
        }
    }

    fn piece(&mut self, field: Field, text: &str) {
        let searchable = &mut self.searchable;
        let place = |length: usize| u32::try_from(length).unwrap_or(u32::MAX);
        let all = searchable.text.to_mut();
        all.push_str(text);
        all.push('\n');
        let text_end = place(all.len());
        let all = searchable.folded.to_mut();
        all.push_str(&fold(text));
        all.push('\n');
        searchable.pieces.push(Piece { field, text_end, folded_end: place(all.len()) });
    }

    fn unit(&mut self, task: Option<u32>, status: Status, touched: Option<Timestamp>) {
        let end = u32::try_from(self.searchable.pieces.len()).unwrap_or(u32::MAX);
        self.searchable.units.push(Unit { task, status, touched, end });
    }
}

/// Keys of the smaller parts under which nothing stands that anybody would look for.
const NO_WORDS: &[&str] = &[
    "id",
    "status",
    "kind",
    "probability",
    "impact",
    "priority",
    "effort",
    "duration",
    "due",
    "at",
    "by",
    "reviews",
];

/// The field of a milestone's key, where it says anything that can be found.
fn milestone_field(key: &str) -> Option<Field> {
    Some(match key {
        "labels" => Field::Labels,
        "category" | "component" | "theme" => Field::Category,
        "release" => Field::Release,
        "assignee" => Field::Assignee,
        "owner" | "team" => Field::People,
        "description" => Field::Description,
        "goals" | "learning_goals" | "target_users" | "focus_areas" => Field::Goals,
        "reason" | "gates" => Field::Reason,
        "criteria" => Field::Criteria,
        "risks" => Field::Risks,
        "lessons" => Field::Lessons,
        "deliverables" => Field::Deliverables,
        "resources" | "dependencies" | "provides" => Field::Resources,
        "features"
        | "prds"
        | "stories"
        | "phases"
        | "success_metrics"
        | "technical"
        | "performance_requirements"
        | "security_requirements"
        | "communication"
        | "required_resources"
        | "testing"
        | "review"
        | "documentation"
        | "post_completion"
        | "next_steps"
        | "verify" => Field::Details,
        _ => return None,
    })
}

fn task_field(key: &str) -> Option<Field> {
    Some(match key {
        "labels" => Field::Labels,
        "kind" | "phase" => Field::Category,
        "assignee" => Field::Assignee,
        "description" => Field::Description,
        "reason" => Field::Reason,
        "requires" | "conditions" | "provides" | "resources" => Field::Resources,
        "runner" | "run" | "verify" | "effect" | "story" => Field::Details,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::{CANONICAL_ORDER, TASK_ORDER};

    /// Whoever adds a key to documents decides here whether it can be found.
    #[test]
    fn every_key_is_searched_or_has_no_words() {
        let silent = |keys: &[&'static str], field: fn(&str) -> Option<Field>| {
            keys.iter().filter(|key| field(key).is_none()).copied().collect::<Vec<_>>().join(" ")
        };
        assert_eq!(
            silent(CANONICAL_ORDER, milestone_field),
            "format id uid title status priority team_size created start due duration buffer \
             composition tasks started_at completed_at retired_tasks progress"
        );
        assert_eq!(
            silent(TASK_ORDER, task_field),
            "id title status priority estimate weight progress start due attempts started_at \
             started_by completed_at interrupted"
        );
    }
}
