//! A template made into the tasks, criteria and the rest of one milestone.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::Serialize;

use super::estimates::scaled;
use super::scope::{Scope, Size};
use super::subject::{action, fitting, head, in_sentence, whole};
use super::template::{Template, TemplateTask};
use super::verbs::plain;
use crate::document::{CheckItem, Criterion, Deliverable, Milestone, Phase, Risk, Task};
use crate::ids::Reference;

/// Of work in several parts, each is a share of the whole, but never less than half of what it
/// would be alone.
const PART_PERCENT_MIN: u32 = 50;

const PART: &str = "{part}";

/// Stands for a part, or the whole, as something to do.
const ACTION: &str = "{action}";

/// The kind of task that the phases of a workflow do in its place.
const DESIGN: &str = "design";

/// How much a template added.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Added {
    /// The numbers of the tasks.
    pub tasks: Vec<u32>,
    pub criteria: usize,
    pub deliverables: usize,
    pub risks: usize,
}

/// Adds what a template holds; what the milestone says already is not said twice.
pub fn add(
    template: &Template,
    scope: &Scope,
    in_workflow: bool,
    milestone: &mut Milestone,
) -> Added {
    let fill = Fill {
        title: milestone.title.clone(),
        plain: plain(&milestone.title),
        subject: scope.subject.clone(),
    };
    let said = |field: &mut Option<String>, value: &Option<String>| {
        *field = field.take().or_else(|| value.clone());
    };
    said(&mut milestone.category, &template.category);
    said(&mut milestone.theme, &template.theme);
    extend(&mut milestone.labels, template.labels.iter().cloned());
    extend(&mut milestone.goals, template.goals.iter().map(|goal| fill.text(goal)));
    extend(&mut milestone.focus_areas, template.focus_areas.iter().map(|area| fill.text(area)));
    extend(&mut milestone.learning_goals, template.learning_goals.iter().map(|i| fill.item(i)));
    extend(&mut milestone.next_steps, template.next_steps.iter().map(|item| fill.item(item)));
    if !in_workflow {
        extend(&mut milestone.phases, template.phases.iter().cloned());
    }
    let tasks = Tasks { template, scope, in_workflow, fill: &fill }.add(milestone);
    let deliverables = template.deliverables.iter().map(|deliverable| Deliverable {
        name: fill.text(&deliverable.name),
        phase: deliverable.phase.clone().filter(|_| !in_workflow),
        ..deliverable.clone()
    });
    let risks = template.risks.iter().map(|risk| Risk {
        text: fill.text(&risk.text),
        mitigation: risk.mitigation.as_deref().map(|text| fill.text(text)),
        ..risk.clone()
    });
    Added {
        tasks,
        deliverables: extend(&mut milestone.deliverables, deliverables),
        risks: extend(&mut milestone.risks, risks),
        criteria: criteria(template, scope.size, &fill, milestone),
    }
}

fn criteria(template: &Template, size: Size, fill: &Fill, milestone: &mut Milestone) -> usize {
    let before = milestone.criteria.len();
    for criterion in template.criteria.iter().filter(|criterion| criterion.is_for(size)) {
        let text = fill.text(&criterion.text);
        if milestone.criteria.iter().all(|known| known.text != text) {
            let id = Some(milestone.next_criterion_number());
            let (kind, check) = (criterion.kind, criterion.check.clone());
            milestone.criteria.push(Criterion { id, kind, check, ..Criterion::from(text) });
        }
    }
    milestone.criteria.len() - before
}

/// What a list says once.
pub trait Item {
    fn says(&self) -> &str;
}

impl Item for String {
    fn says(&self) -> &str {
        self
    }
}

macro_rules! item {
    ($($type:ident: $text:ident),* $(,)?) => {
        $(impl Item for $type {
            fn says(&self) -> &str {
                &self.$text
            }
        })*
    };
}

item! { CheckItem: text, Deliverable: name, Phase: name, Risk: text }

/// Adds the items that are not there; answers how many.
pub fn extend<T: Item>(list: &mut Vec<T>, more: impl IntoIterator<Item = T>) -> usize {
    let before = list.len();
    for item in more {
        if list.iter().all(|known| known.says() != item.says()) {
            list.push(item);
        }
    }
    list.len() - before
}

/// What placeholders stand for.
struct Fill {
    title: String,
    /// The title in the form that its verb is found in.
    plain: String,
    subject: String,
}

impl Fill {
    fn text(&self, pattern: &str) -> String {
        self.with_part(pattern, &self.subject)
    }

    /// In one pass: what is put in is not looked at again.
    fn with_part(&self, pattern: &str, part: &str) -> String {
        let known = [("{title}", &*self.title), ("{subject}", &self.subject), (PART, part)];
        let mut filled = String::new();
        let mut rest = pattern;
        while let Some(at) = rest.find('{') {
            let (before, from) = rest.split_at(at);
            filled.push_str(before);
            let placeholder = known.iter().find(|(name, _)| from.starts_with(name));
            let (text, length) = placeholder.map_or(("{", 1), |(name, text)| (*text, name.len()));
            filled.push_str(text);
            rest = &from[length..];
        }
        filled + rest
    }

    fn item(&self, item: &CheckItem) -> CheckItem {
        CheckItem { text: self.text(&item.text), done: false }
    }
}

/// The tasks of a template on their way into a milestone.
struct Tasks<'a> {
    template: &'a Template,
    scope: &'a Scope,
    in_workflow: bool,
    fill: &'a Fill,
}

impl Tasks<'_> {
    fn add(&self, milestone: &mut Milestone) -> Vec<u32> {
        // The numbers of each task of the template, one for each part or only one.
        let mut numbers: BTreeMap<usize, Vec<u32>> = BTreeMap::new();
        let mut new = Vec::new();
        let kept = self.template.tasks.iter().enumerate().filter(|(_, task)| self.keeps(task));
        for (index, task) in kept {
            for title in self.titles(task) {
                let known = milestone.tasks.iter().find(|known| known.title == title);
                let number = match known {
                    Some(known) => known.id.number,
                    None => milestone.next_task_number(),
                };
                if known.is_none() {
                    milestone.tasks.push(self.task(number, &title, task));
                    new.push((number, index, numbers.get(&index).map_or(0, Vec::len)));
                }
                numbers.entry(index).or_default().push(number);
            }
        }
        for (number, index, copy) in &new {
            let before = self.before(*index, *copy, &numbers);
            if let Some(task) = milestone.task_mut(*number) {
                let others = before.into_iter().filter(|other| other != number);
                task.requires = others.map(Reference::Own).collect();
            }
        }
        new.into_iter().map(|(number, ..)| number).collect()
    }

    fn keeps(&self, task: &TemplateTask) -> bool {
        let done_by_phases = self.in_workflow && task.kind.as_deref() == Some(DESIGN);
        task.is_for(self.scope.size) && !done_by_phases
    }

    fn titles(&self, task: &TemplateTask) -> Vec<String> {
        if task.each.is_none() || self.scope.parts.is_empty() {
            let title = head(&self.fill.plain);
            let pattern = task.alone.as_ref().unwrap_or(&task.title);
            return vec![self.title(pattern, title, whole(title))];
        }
        let parts = self.scope.parts.iter();
        parts.map(|part| self.title(&task.title, part, in_sentence(part))).collect()
    }

    /// `short` is how a part, or the whole, stands in a sentence; without it `{part}` stands alone.
    fn title(&self, pattern: &str, part: &str, short: Option<String>) -> String {
        let title = match short {
            _ if pattern.contains(ACTION) => {
                self.fill.with_part(&pattern.replace(ACTION, PART), &action(part))
            }
            Some(short) => self.fill.with_part(pattern, &short),
            None if pattern.contains(PART) => part.to_owned(),
            None => self.fill.text(pattern),
        };
        fitting(title)
    }

    fn task(&self, number: u32, title: &str, from: &TemplateTask) -> Task {
        let parts = u32::try_from(self.scope.parts.len()).unwrap_or(u32::MAX);
        let share = match from.each {
            Some(_) if parts > 1 => (100 / parts).max(PART_PERCENT_MIN),
            _ => 100,
        };
        let factor = self.scope.size.percent() * share;
        let estimate = match factor {
            10_000 => from.estimate,
            factor => from.estimate.map(|estimate| scaled(estimate, factor, 10_000)),
        };
        Task {
            description: from.description.as_deref().map(|text| self.fill.text(text)),
            kind: from.kind.clone(),
            phase: from.phase.clone().filter(|_| !self.in_workflow),
            estimate,
            provides: from.provides.clone(),
            ..Task::new(number, title)
        }
    }

    /// What a task requires: in the place of a task that was left out, what that one requires; of
    /// a task that is there for each part, the one of the same part.
    fn before(&self, index: usize, copy: usize, numbers: &BTreeMap<usize, Vec<u32>>) -> Vec<u32> {
        let tasks = &self.template.tasks;
        let mut found = BTreeSet::new();
        let mut seen = BTreeSet::from([index]);
        let mut open = vec![index];
        while let Some(next) = open.pop() {
            for key in &tasks[next].requires {
                let at = tasks.iter().position(|task| task.key.as_ref() == Some(key));
                let Some(at) = at.filter(|at| seen.insert(*at)) else { continue };
                match numbers.get(&at) {
                    None => open.push(at),
                    Some(all) => {
                        let same = tasks[index].each.is_some() && tasks[at].each.is_some();
                        let one = all.get(copy).filter(|_| same && all.len() > 1);
                        found.extend(one.map_or(all.as_slice(), std::slice::from_ref));
                    }
                }
            }
        }
        found.into_iter().collect()
    }
}
