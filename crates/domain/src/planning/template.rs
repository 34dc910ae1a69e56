//! Templates: what work of a kind is made of.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::scope::Size;
use super::subject::{subject, thing};
use super::words::Text;
use crate::change::Path;
use crate::document::{
    CheckItem, Criterion, Deliverable, Phase, Risk, Task, or_text, text_or_mapping,
};
use crate::effort::{Effort, Estimate, ThreePoint};
use crate::graph::Dag;
use crate::ids::{MilestoneId, Reference};
use crate::past::worked;
use crate::snapshot::{Snapshot, TaskOutline};
use crate::status::{CriterionKind, TaskStatus};

/// Characters in a template's name, which is also a file's.
const NAME_CHARS_MAX: usize = 60;

/// The most that one word may say.
const WEIGHT_MAX: u32 = 9;

/// The name that asks for no template.
pub const NONE: &str = "none";

/// What work of a kind is made of. In every text `{title}` stands for the milestone's title,
/// `{subject}` for what the title is about, and `{part}` for one of the parts that it lists.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Template {
    pub name: String,
    /// What it is called among people.
    pub title: String,
    /// What it is for, in a sentence.
    pub about: String,
    /// Words and phrases of a title or a description that speak for it, and how much, 1 to 9.
    #[serde(default)]
    pub words: BTreeMap<String, u32>,
    pub category: Option<String>,
    pub theme: Option<String>,
    /// How much work it usually is.
    pub duration: Option<Span>,
    #[serde(default)]
    pub labels: Vec<String>,
    #[serde(default)]
    pub goals: Vec<String>,
    #[serde(default)]
    pub learning_goals: Vec<CheckItem>,
    #[serde(default)]
    pub focus_areas: Vec<String>,
    #[serde(default)]
    pub phases: Vec<Phase>,
    #[serde(default)]
    pub tasks: Vec<TemplateTask>,
    #[serde(default)]
    pub criteria: Vec<TemplateCriterion>,
    #[serde(default)]
    pub deliverables: Vec<Deliverable>,
    #[serde(default)]
    pub risks: Vec<Risk>,
    #[serde(default)]
    pub next_steps: Vec<CheckItem>,
    /// Titles of milestones that it was made for.
    #[serde(default)]
    pub examples: Vec<String>,
}

/// From the least to the most that something takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Span {
    pub from: Effort,
    pub to: Effort,
}

/// A task of a template.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TemplateTask {
    /// The name by which other tasks of the template require it.
    pub key: Option<String>,
    pub title: String,
    /// The title where no parts are listed, if that is another.
    pub alone: Option<String>,
    pub description: Option<String>,
    pub kind: Option<String>,
    pub phase: Option<String>,
    pub estimate: Option<Estimate>,
    /// Keys of the tasks that must be done before.
    #[serde(default)]
    pub requires: Vec<String>,
    /// Conditions that hold once it is done.
    #[serde(default)]
    pub provides: Vec<String>,
    /// There once for each part that the title or the description lists.
    pub each: Option<Each>,
    /// The least size of work that is worth this task.
    pub from_size: Option<Size>,
}

/// What a task is repeated for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Each {
    Part,
}

/// A criterion of a template.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(remote = "Self")]
#[schemars(transform = or_text)]
pub struct TemplateCriterion {
    pub text: String,
    #[serde(default = "success")]
    pub kind: CriterionKind,
    /// A command whose success is the evidence.
    pub check: Option<String>,
    /// The least size of work that is worth this criterion.
    pub from_size: Option<Size>,
}

fn success() -> CriterionKind {
    CriterionKind::Success
}

text_or_mapping!(TemplateCriterion, text, { kind: success(), check: None, from_size: None });

/// A template that can be read and still makes no sense.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TemplateError {
    /// Where, with the numbers of list items.
    pub path: Path,
    pub message: String,
}

impl fmt::Display for TemplateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path, self.message)
    }
}

impl std::error::Error for TemplateError {}

/// Whether a template may be called so: it is also the name of a file, and no id.
pub fn is_name(name: &str) -> bool {
    let letters = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.len() <= NAME_CHARS_MAX
        && name.chars().all(letters)
        && name != NONE
        && !["milestone-", "task-", "current"].iter().any(|id| name.starts_with(id))
}

impl Template {
    /// What it must hold by itself.
    pub fn check(&self) -> Result<(), TemplateError> {
        let at = |key: &str| Path::root().key(key);
        if !is_name(&self.name) {
            let message = format!(
                "a name is small letters, digits and dashes, begins with a letter, has at most \
                 {NAME_CHARS_MAX} characters and is neither `{NONE}` nor an id"
            );
            return Err(TemplateError { path: at("name"), message });
        }
        let mut known = BTreeSet::new();
        for (word, weight) in &self.words {
            let words = Text::new(word).words().to_vec();
            let message = if words.is_empty() {
                "a word has letters or digits".to_owned()
            } else if !(1..=WEIGHT_MAX).contains(weight) {
                format!("a word speaks with 1 to {WEIGHT_MAX}")
            } else if !known.insert(words) {
                "this word stands here already, in another case or number".to_owned()
            } else {
                continue;
            };
            return Err(TemplateError { path: at("words").key(word), message });
        }
        self.check_tasks()
    }

    fn check_tasks(&self) -> Result<(), TemplateError> {
        let mut keys = BTreeMap::new();
        let task = |number: usize| Path::root().key("tasks").key(&number.to_string());
        let error = |path, message| Err(TemplateError { path, message });
        for (number, one) in self.tasks.iter().enumerate() {
            if one.title.trim().is_empty() {
                return error(task(number).key("title"), "a title must say something".into());
            }
            if let Some(key) = &one.key
                && keys.insert(key.as_str(), number).is_some()
            {
                return error(task(number).key("key"), format!("two tasks have the key `{key}`"));
            }
            if let Some(phase) = one.phase.as_ref().filter(|phase| !knows(&self.phases, phase)) {
                return error(task(number).key("phase"), format!("there is no phase `{phase}`"));
            }
        }
        let mut edges = Vec::new();
        for (number, one) in self.tasks.iter().enumerate() {
            for key in &one.requires {
                match keys.get(key.as_str()) {
                    Some(before) => edges.push((index(*before), index(number))),
                    None => {
                        let path = task(number).key("requires");
                        return error(path, format!("there is no task with the key `{key}`"));
                    }
                }
            }
        }
        match Dag::new(index(self.tasks.len()), &edges).order() {
            Ok(_) => Ok(()),
            Err(cycle) => {
                let first = cycle.0.first().copied().unwrap_or_default();
                let message = "in the end it requires itself".to_owned();
                error(task(first as usize).key("requires"), message)
            }
        }
    }

    /// What its tasks are expected to take, for work of normal size in one part.
    pub fn effort(&self) -> Effort {
        let usual = self.tasks.iter().filter(|task| task.is_for(Size::Normal));
        usual.filter_map(|task| task.estimate).map(Estimate::expected).sum()
    }

    /// A template that repeats what a milestone was made of. What a task really took counts for
    /// more than what was thought of it.
    pub fn of_milestone(snapshot: &Snapshot, id: MilestoneId, name: &str) -> Option<Self> {
        let milestone = snapshot.documents.get(&id)?;
        let outline = snapshot.outline(id)?;
        let about = Placeholders::of(&milestone.title);
        let kept = |task: &&Task| task.status != TaskStatus::Cancelled;
        let numbers: BTreeSet<u32> =
            milestone.tasks.iter().filter(kept).map(|task| task.id.number).collect();
        let tasks = milestone.tasks.iter().filter(kept).map(|task| {
            let measured = outline.task(task.id.number).and_then(|task| measured(snapshot, task));
            let phase = task.phase.clone().filter(|phase| knows(&milestone.phases, phase));
            TemplateTask { phase, ..task_of(task, measured, &numbers, &about) }
        });
        let texts = |texts: &[String]| texts.iter().map(|text| about.put(text)).collect();
        Some(Self {
            name: name.to_owned(),
            title: milestone.title.clone(),
            about: format!("Made from {id}: {}", milestone.title),
            words: words_of(&milestone.title),
            category: milestone.category.clone(),
            theme: milestone.theme.clone(),
            duration: None,
            labels: milestone.labels.clone(),
            goals: texts(&milestone.goals),
            learning_goals: undone(&milestone.learning_goals, &about),
            focus_areas: texts(&milestone.focus_areas),
            phases: milestone.phases.iter().map(|phase| phase_of(phase, &about)).collect(),
            tasks: tasks.collect(),
            criteria: milestone.criteria.iter().map(|one| criterion_of(one, &about)).collect(),
            deliverables: milestone
                .deliverables
                .iter()
                .map(|one| Deliverable { name: about.put(&one.name), done: false, ..one.clone() })
                .collect(),
            risks: milestone
                .risks
                .iter()
                .map(|risk| Risk { text: about.put(&risk.text), ..risk.clone() })
                .collect(),
            next_steps: undone(&milestone.next_steps, &about),
            examples: Vec::new(),
        })
    }
}

impl TemplateTask {
    pub fn is_for(&self, size: Size) -> bool {
        self.from_size.is_none_or(|least| least <= size)
    }
}

impl TemplateCriterion {
    pub fn is_for(&self, size: Size) -> bool {
        self.from_size.is_none_or(|least| least <= size)
    }
}

/// Puts placeholders where a milestone's texts name what it is about.
struct Placeholders {
    /// What is looked for, the longest first, and what is put in its place.
    known: [(String, &'static str); 3],
}

impl Placeholders {
    fn of(title: &str) -> Self {
        let (title, subject, thing) = (title.to_owned(), subject(title), thing(title));
        Self { known: [(title, "{title}"), (subject, "{subject}"), (thing, "{subject}")] }
    }

    fn put(&self, text: &str) -> String {
        // A short word stands for itself: in "Add UI", not every "UI" is the subject.
        let known = self.known.iter().filter(|(what, _)| what.chars().count() > 3);
        known.fold(text.to_owned(), |text, (what, with)| text.replace(what, with))
    }
}

fn measured(snapshot: &Snapshot, task: &TaskOutline) -> Option<Effort> {
    if task.status == TaskStatus::Completed { worked(snapshot, task) } else { None }
}

fn task_of(
    task: &Task,
    measured: Option<Effort>,
    numbers: &BTreeSet<u32>,
    about: &Placeholders,
) -> TemplateTask {
    let own = |reference: &Reference| match reference {
        Reference::Own(number) if numbers.contains(number) => Some(key(*number)),
        _ => None,
    };
    TemplateTask {
        key: Some(key(task.id.number)),
        title: about.put(&task.title),
        alone: None,
        description: task.description.as_deref().map(|text| about.put(text)),
        kind: task.kind.clone(),
        phase: None,
        estimate: learned(task.estimate, measured),
        requires: task.requires.iter().filter_map(own).collect(),
        provides: task.provides.clone(),
        each: None,
        from_size: None,
    }
}

fn key(number: u32) -> String {
    format!("task-{number}")
}

/// What was measured is the most probable figure; what was feared and hoped for stays around it.
fn learned(estimate: Option<Estimate>, measured: Option<Effort>) -> Option<Estimate> {
    let Some(actual) = measured else { return estimate };
    let points = match estimate {
        Some(Estimate::ThreePoint(points)) => ThreePoint::new(
            points.optimistic().min(actual),
            actual,
            points.pessimistic().max(actual),
        ),
        _ => return Some(Estimate::Single(actual)),
    };
    points.map(Estimate::ThreePoint).ok().or(estimate)
}

/// What the title is about speaks loudest as a whole. A word that begins titles of every kind, such
/// as "improve", tells none apart.
fn words_of(title: &str) -> BTreeMap<String, u32> {
    const PHRASE: u32 = 5;
    const WORD: u32 = 3;
    let thing = thing(title);
    let text = Text::new(&thing);
    let telling = text.words().iter().filter(|word| super::related::says_something(word));
    let mut words: BTreeMap<String, u32> = telling.map(|word| (word.clone(), WORD)).collect();
    if text.words().len() > 1 {
        words.insert(text.words().join(" "), PHRASE);
    }
    words
}

fn undone(items: &[CheckItem], about: &Placeholders) -> Vec<CheckItem> {
    items.iter().map(|item| CheckItem { text: about.put(&item.text), done: false }).collect()
}

fn phase_of(phase: &Phase, about: &Placeholders) -> Phase {
    Phase { activities: undone(&phase.activities, about), ..phase.clone() }
}

fn criterion_of(criterion: &Criterion, about: &Placeholders) -> TemplateCriterion {
    TemplateCriterion {
        text: about.put(&criterion.text),
        kind: criterion.kind,
        check: criterion.check.clone(),
        from_size: None,
    }
}

/// Where no phases are named, a task may be in any.
fn knows(phases: &[Phase], phase: &str) -> bool {
    phases.is_empty() || phases.iter().any(|known| known.name == phase)
}

fn index(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}
