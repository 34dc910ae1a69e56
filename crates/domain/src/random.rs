//! Random commands from a seed: mostly sensible, sometimes not, the same for the same seed.

use std::collections::BTreeMap;

use jiff::civil::date;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::change::{FieldChange, Path};
use crate::command::{Closing, Command, Credential};
pub use crate::dice::Dice;
use crate::document::{Criterion, Lessons, Milestone, Phase, Task, task_key};
use crate::event::AttemptId;
use crate::ids::{MilestoneId, Node, Reference, TaskId, Uid};
use crate::snapshot::{Claim, Snapshot};
use crate::status::{Decision, MilestoneStatus, Priority, TaskStatus};

const CONDITIONS: &[&str] = &["schema", "login", "release"];
const RESOURCES: &[&str] = &["src/auth", "src/auth/login.rs", "src/store", "docs"];
const WORDS: &[&str] = &["Design", "Build", "Test: all", "Ship # it", "Naïve – “draft”", "- 1"];

/// In their order; one needs quotes in YAML.
const PHASES: &[&str] = &["design", "spec: all # of it", "build"];

const DECISIONS: &[Decision] =
    &[Decision::Approved, Decision::Approved, Decision::ChangesRequested, Decision::Rejected];

const MILESTONE_STATUSES: &[MilestoneStatus] = &[
    MilestoneStatus::Planned,
    MilestoneStatus::InProgress,
    MilestoneStatus::Paused,
    MilestoneStatus::Blocked,
    MilestoneStatus::Completed,
    MilestoneStatus::Cancelled,
];

const TASK_STATUSES: &[TaskStatus] = &[
    TaskStatus::Pending,
    TaskStatus::InProgress,
    TaskStatus::Blocked,
    TaskStatus::Completed,
    TaskStatus::Completed,
    TaskStatus::Failed,
    TaskStatus::Cancelled,
];

impl Dice {
    /// A word that YAML, shells and terminals may trip over.
    pub fn word(&mut self) -> String {
        self.pick(WORDS).map(|word| (*word).to_owned()).unwrap_or_default()
    }

    pub fn uuid(&mut self) -> Uuid {
        let bits = (u128::from(self.roll()) << 64) | u128::from(self.roll());
        uuid::Builder::from_random_bytes(bits.to_be_bytes()).into_uuid()
    }

    fn some(&mut self, chance: u64, names: &[&str]) -> Vec<String> {
        let lucky = self.percent(chance);
        lucky
            .then(|| self.pick(names))
            .flatten()
            .map(|name| (*name).to_owned())
            .into_iter()
            .collect()
    }
}

/// A command that somebody might give in a project that reads like this.
pub fn command(dice: &mut Dice, snapshot: &Snapshot) -> Command {
    let milestone = milestone(dice, snapshot);
    let task = task(dice, snapshot);
    match dice.below(48) {
        0..=2 => Command::Plan { draft: Box::new(draft(dice, snapshot)) },
        3 => adopt(dice, snapshot),
        4..=7 => Command::Amend { milestone, changes: changes(dice, snapshot, milestone) },
        8..=9 => Command::TakeIn { milestone, changes: changes(dice, snapshot, milestone) },
        10..=11 => {
            let to = dice.pick(MILESTONE_STATUSES).copied().unwrap_or(MilestoneStatus::Planned);
            Command::ChangeMilestone { milestone, to, reason: reason(dice) }
        }
        12..=14 => {
            let draft = Box::new(new_task(dice, snapshot, 1));
            Command::AddTask { milestone, draft }
        }
        15..=21 => Command::ChangeTask {
            task,
            to: dice.pick(TASK_STATUSES).copied().unwrap_or(TaskStatus::Pending),
            reason: reason(dice),
            credential: credential(dice, snapshot, task),
        },
        22..=26 => Command::Claim {
            task,
            attempt: AttemptId(dice.uuid()),
            lease_seconds: if dice.percent(95) { 600 } else { dice.below(100_000) },
        },
        27..=28 => {
            let credential = credential(dice, snapshot, task);
            Command::Release { task, reason: reason(dice), credential }
        }
        29..=30 => {
            let credential = credential(dice, snapshot, task);
            Command::Progress { task, percent: dice.count(105), credential }
        }
        31 if dice.percent(20) => Command::NoteMilestone { milestone, text: dice.word() },
        31 => {
            let credential = credential(dice, snapshot, task);
            Command::Note { task, text: dice.word(), credential }
        }
        32 => Command::RemoveTask { task },
        33..=34 => Command::MoveTask { task, to: milestone },
        rest => on_facts(dice, snapshot, milestone, rest),
    }
}

fn on_facts(dice: &mut Dice, snapshot: &Snapshot, milestone: MilestoneId, kind: u64) -> Command {
    let name = dice.pick(CONDITIONS).copied().unwrap_or_default().to_owned();
    match kind {
        35 => Command::AddCriterion { milestone, draft: Box::new(Criterion::from(dice.word())) },
        36..=37 => {
            let number = dice.count(4);
            Command::MeetCriterion { milestone, number, evidence: dice.word() }
        }
        38..=39 => Command::SetCondition { name, reason: reason(dice) },
        40 => Command::ClearCondition { name, reason: reason(dice) },
        41..=42 => Command::Archive { milestone, closing: Box::new(closing(dice)) },
        43..=46 => Command::DecideGate {
            milestone,
            task: dice.percent(5).then(|| dice.count(5)),
            phase: dice.pick(PHASES).copied().unwrap_or_default().to_owned(),
            decision: dice.pick(DECISIONS).copied().unwrap_or(Decision::Approved),
            reason: dice.percent(50).then(|| dice.word()),
        },
        _ => renumber(dice, snapshot, milestone),
    }
}

fn closing(dice: &mut Dice) -> Closing {
    let evidence = if dice.percent(30) { vec![(dice.count(4), dice.word())] } else { vec![] };
    let lessons = Lessons { improve: dice.some(20, WORDS), ..Lessons::default() };
    Closing { force: reason(dice), evidence, lessons, release: None }
}

fn renumber(dice: &mut Dice, snapshot: &Snapshot, from: MilestoneId) -> Command {
    let known = snapshot.documents.get(&from).cloned();
    let other = known.unwrap_or_else(|| Milestone::new(from, "Other"));
    let others = snapshot.documents.keys().copied().filter(|id| *id != from);
    let referring = others.filter(|_| dice.percent(30)).collect();
    let tree = Box::new(Milestone { archived: false, ..other }.tree());
    Command::Renumber { from, uid: Uid(dice.uuid()), tree, means: BTreeMap::new(), referring }
}

/// One of the milestones there are, and sometimes one that is not.
fn milestone(dice: &mut Dice, snapshot: &Snapshot) -> MilestoneId {
    let known: Vec<MilestoneId> = snapshot.documents.keys().copied().collect();
    match dice.pick(&known) {
        Some(id) if dice.percent(97) => *id,
        _ => MilestoneId(1 + dice.count(12)),
    }
}

fn task(dice: &mut Dice, snapshot: &Snapshot) -> TaskId {
    let known: Vec<TaskId> = snapshot.task_ids().collect();
    match dice.pick(&known) {
        Some(id) if dice.percent(97) => *id,
        _ => TaskId::new(milestone(dice, snapshot), 1 + dice.count(9)),
    }
}

fn reason(dice: &mut Dice) -> Option<String> {
    dice.percent(30).then(|| dice.word())
}

/// Mostly the right one, and every way of being wrong.
fn credential(dice: &mut Dice, snapshot: &Snapshot, task: TaskId) -> Credential {
    let Some(Claim { fence, attempt, .. }) = snapshot.claims.get(&task) else {
        let stale = dice.percent(10);
        return Credential { fence: stale.then(|| 1 + dice.below(3)), attempt: None };
    };
    match dice.below(10) {
        0 => Credential::default(),
        1 => Credential { fence: Some(fence - 1), attempt: Some(*attempt) },
        2 => Credential { fence: Some(*fence), attempt: Some(AttemptId(dice.uuid())) },
        _ => Credential { fence: Some(*fence), attempt: Some(*attempt) },
    }
}

/// A milestone with a few tasks that may require one another and what there is.
pub fn draft(dice: &mut Dice, snapshot: &Snapshot) -> Milestone {
    let mut draft = Milestone::new(MilestoneId(0), &dice.word());
    draft.priority = dice.percent(30).then_some(Priority::High);
    draft.start = dice.percent(10).then(|| date(2026, 11, 1 + i8::from(dice.percent(50))));
    draft.due = dice.percent(10).then(|| date(2026, 11, 2));
    draft.labels = dice.some(20, WORDS);
    draft.provides = dice.some(20, CONDITIONS);
    draft.dependencies.conditions = dice.some(10, CONDITIONS);
    if dice.percent(25) {
        draft.dependencies.requires.push(Reference::Milestone(milestone(dice, snapshot)));
    }
    for number in 1..=dice.count(5) {
        draft.tasks.push(new_task(dice, snapshot, number));
    }
    if dice.percent(40) {
        draft.phases = PHASES.iter().map(|name| phase(dice, name)).collect();
        for task in &mut draft.tasks {
            task.phase = dice.pick(PHASES).map(|name| (*name).to_owned());
        }
    }
    for _ in 0..dice.count(3) {
        draft.criteria.push(Criterion::from(dice.word()));
    }
    draft
}

fn phase(dice: &mut Dice, name: &str) -> Phase {
    let approval = dice.percent(70);
    Phase { approval, provides: dice.some(10, CONDITIONS), ..Phase::from(name.to_owned()) }
}

fn new_task(dice: &mut Dice, snapshot: &Snapshot, number: u32) -> Task {
    let mut new = Task::new(number, &dice.word());
    new.weight = dice.percent(10).then_some(3);
    new.provides = dice.some(10, CONDITIONS);
    new.conditions = dice.some(8, CONDITIONS);
    new.resources = dice.some(30, RESOURCES);
    new.requires = requires(dice, snapshot, number);
    new
}

fn requires(dice: &mut Dice, snapshot: &Snapshot, number: u32) -> Vec<Reference> {
    let mut requires = Vec::new();
    if number > 1 && dice.percent(40) {
        requires.push(Reference::Own(1 + dice.count(number - 1)));
    }
    if dice.percent(12) {
        let node = if dice.percent(70) {
            Node::Task(task(dice, snapshot))
        } else {
            Node::Milestone(milestone(dice, snapshot))
        };
        requires.push(node.reference(MilestoneId(0)));
    }
    requires
}

fn adopt(dice: &mut Dice, snapshot: &Snapshot) -> Command {
    let next = snapshot.highest.map_or(1, |id| id.0 + 1) + dice.count(2);
    let mut document = Milestone { id: MilestoneId(next), ..draft(dice, snapshot) };
    if let Some(task) = document.tasks.first_mut() {
        task.status = dice.pick(TASK_STATUSES).copied().unwrap_or(TaskStatus::Pending);
    }
    Command::Adopt { document: Box::new(document) }
}

/// One to three fields, each at most once.
fn changes(dice: &mut Dice, snapshot: &Snapshot, id: MilestoneId) -> Vec<FieldChange> {
    let unknown = Milestone::new(id, "Unknown");
    let milestone = snapshot.documents.get(&id).unwrap_or(&unknown);
    let tree = milestone.tree();
    let mut changes: Vec<FieldChange> = Vec::new();
    for _ in 0..=dice.below(3) {
        let (path, after) = field(dice, snapshot, milestone);
        if !changes.iter().any(|c| c.path.starts_with(&path) || path.starts_with(&c.path)) {
            let before = path.get(&tree).cloned();
            changes.push(FieldChange { path, before, after });
        }
    }
    changes.retain(|change| change.before != change.after);
    changes
}

fn field(dice: &mut Dice, snapshot: &Snapshot, milestone: &Milestone) -> (Path, Option<Value>) {
    let root = Path::root();
    let word = dice.word();
    match dice.below(18) {
        0 => (root.key("title"), Some(json!(word))),
        1 => (root.key("labels"), Some(json!([word]))),
        2 => (root.key("due"), Some(json!("2026-11-05"))),
        3 => (root.key("priority"), dice.percent(50).then(|| json!("low"))),
        4 => {
            let to = dice.pick(MILESTONE_STATUSES).map_or("planned", |status| status.word());
            (root.key("status"), Some(json!(to)))
        }
        5 => {
            let after = dice.percent(70).then(|| json!([CONDITIONS[0]]));
            (root.key("dependencies").key("conditions"), after)
        }
        6 => (root.key("archived"), dice.percent(50).then_some(json!(true))),
        7 => {
            let number = dice.count(3).to_string();
            (root.key("criteria").key(&number).key("text"), Some(json!(word)))
        }
        8 => (root.key("started_at"), Some(json!("2026-11-05T08:00:00Z"))),
        9 => (root.key("gates").key(PHASES[0]).key("decision"), Some(json!("approved"))),
        10 => {
            let phases: Vec<Phase> = PHASES[1..].iter().map(|name| phase(dice, name)).collect();
            (root.key("phases"), Some(json!(phases)))
        }
        11 => (root.key("no such key").key("0"), Some(json!({ "a": word }))),
        _ => field_of_task(dice, snapshot, milestone),
    }
}

fn field_of_task(
    dice: &mut Dice,
    snapshot: &Snapshot,
    milestone: &Milestone,
) -> (Path, Option<Value>) {
    let numbers: Vec<u32> = milestone.tasks.iter().map(|task| task.id.number).collect();
    let next = milestone.next_task_number();
    let number = dice.pick(&numbers).copied().unwrap_or(next);
    let tasks = Path::root().key("tasks");
    let task = tasks.key(&task_key(number));
    match dice.below(8) {
        0 => (task.key("title"), Some(json!(dice.word()))),
        1 | 2 => {
            let to = dice.pick(TASK_STATUSES).map_or("pending", |status| status.word());
            (task.key("status"), Some(json!(to)))
        }
        3 => {
            let requires = requires(dice, snapshot, number.max(2));
            let requires: Vec<String> = requires.iter().map(ToString::to_string).collect();
            (task.key("requires"), (!requires.is_empty()).then(|| json!(requires)))
        }
        4 => (task, None),
        6 => (task.key("phase"), dice.pick(PHASES).map(|name| json!(name))),
        5 => {
            let id = task_key(next);
            (tasks.key(&id), Some(json!({ "id": id, "title": dice.word(), "status": "pending" })))
        }
        _ => (task.key("attempts"), Some(json!(7))),
    }
}
