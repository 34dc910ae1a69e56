//! Tasks and criteria of two branches that were each given the same number.
//!
//! A record means what its number meant to who wrote it: that is told by the records which were
//! there then. So each of the two keeps what happened to it. The first keeps the number, the other
//! one has the next that was free; every clone comes to the same from the same history.

use std::collections::{BTreeMap, BTreeSet};

use milestone_domain::change::{FieldChange, Path};
use milestone_domain::document::Milestone;
use milestone_domain::event::{Event, Recorded};
use milestone_domain::ids::{Reference, TaskName};
use serde_json::Value;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum List {
    Tasks,
    Criteria,
}

/// A task or criterion whose number another branch gave as well.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shared {
    pub list: List,
    /// The number that it was given.
    given: u32,
    /// The number that it has.
    pub number: u32,
    /// Its titles, or its texts.
    names: BTreeSet<String>,
}

/// What one branch added.
struct Item {
    list: List,
    given: u32,
    names: BTreeSet<String>,
    /// The records that add it: more than one if several clones noticed the same.
    added: Vec<usize>,
    /// The items that were there when it was added.
    saw: BTreeSet<usize>,
}

#[derive(Default)]
struct Items {
    all: Vec<Item>,
    /// The highest numbers of the document as it was created.
    first: BTreeMap<List, u32>,
}

type Holders = BTreeMap<(List, u32), usize>;

/// Whether some number was given twice, as far as that can be seen without looking at branches.
pub fn may_be_shared(events: &[Recorded]) -> bool {
    let mut given = BTreeSet::new();
    let numbers = events.iter().filter_map(|recorded| added(&recorded.event));
    numbers.map(|(list, number, _)| (list, number)).any(|number| !given.insert(number))
}

/// Gives everything a number of its own in the records, which come in order. `saw` answers whether
/// the one of two records was there when the other, later one was written.
pub fn tell_apart(events: &mut [Recorded], saw: impl Fn(usize, usize) -> bool) -> Vec<Shared> {
    let items = Items::of(events, &saw);
    let now: BTreeMap<usize, u32> =
        items.holders(&items.everything()).into_iter().map(|((_, n), item)| (item, n)).collect();
    let mut held = (BTreeSet::new(), Holders::new());
    for (at, recorded) in events.iter_mut().enumerate() {
        let seen = items.seen(at, &saw);
        if held.0 != seen {
            held = (seen.clone(), items.holders(&seen));
        }
        let number = |list, number| {
            let item = held.1.get(&(list, number));
            item.and_then(|item| now.get(item)).copied().unwrap_or(number)
        };
        renumber(&mut recorded.event, &number);
    }
    items.shared(&now)
}

impl Items {
    fn of(events: &[Recorded], saw: &impl Fn(usize, usize) -> bool) -> Self {
        let mut items = Self::default();
        for (at, Recorded { event, .. }) in events.iter().enumerate() {
            if let Event::MilestoneCreated { document }
            | Event::MilestoneRenumbered { document, .. } = event
            {
                items.begin_with(document);
            }
            if let Some((list, number, name)) = added(event) {
                items.add(at, (list, number), name, items.seen(at, saw));
            } else if let Some((list, number, name)) = renamed(event) {
                let holder = items.holders(&items.seen(at, saw)).get(&(list, number)).copied();
                if let Some(item) = holder.and_then(|item| items.all.get_mut(item)) {
                    item.names.insert(name.to_owned());
                }
            }
        }
        items
    }

    fn begin_with(&mut self, document: &Value) {
        let Ok(milestone) = Milestone::from_tree(document.clone(), false) else { return };
        let numbers = [
            (List::Tasks, milestone.next_task_number()),
            (List::Criteria, milestone.next_criterion_number()),
        ];
        for (list, next) in numbers {
            let highest = self.first.entry(list).or_default();
            *highest = (*highest).max(next.saturating_sub(1));
        }
    }

    fn add(&mut self, at: usize, (list, given): (List, u32), name: &str, saw: BTreeSet<usize>) {
        let same =
            |item: &Item| item.list == list && item.given == given && item.names.contains(name);
        let holder = self.holders(&saw).get(&(list, given)).copied();
        let known = holder.or_else(|| self.all.iter().position(same));
        match known.and_then(|item| self.all.get_mut(item)) {
            Some(item) => {
                item.added.push(at);
                item.names.insert(name.to_owned());
            }
            None => {
                let names = BTreeSet::from([name.to_owned()]);
                self.all.push(Item { list, given, names, added: vec![at], saw });
            }
        }
    }

    fn everything(&self) -> BTreeSet<usize> {
        (0..self.all.len()).collect()
    }

    /// What was there when a record was written, and what it adds itself.
    fn seen(&self, at: usize, saw: &impl Fn(usize, usize) -> bool) -> BTreeSet<usize> {
        let there = |item: &Item| item.added.iter().any(|added| *added == at || saw(at, *added));
        self.all.iter().enumerate().filter(|(_, item)| there(item)).map(|(item, _)| item).collect()
    }

    /// Who has which number where all of `seen` is known. What was added since the branches met
    /// moves nobody: its number was chosen by who saw this.
    fn holders(&self, seen: &BTreeSet<usize>) -> Holders {
        let items: Vec<(usize, &Item)> =
            seen.iter().filter_map(|at| Some((*at, self.all.get(*at)?))).collect();
        let mut holders = Holders::new();
        let mut others = Vec::new();
        for (at, item) in &items {
            let holder = *holders.entry((item.list, item.given)).or_insert(*at);
            if holder != *at {
                others.push((*at, item.list, holder));
            }
        }
        for (at, list, holder) in others {
            let before = items.iter().filter(|(_, item)| {
                item.list == list && !(item.saw.contains(&at) && item.saw.contains(&holder))
            });
            let given = before.map(|(_, item)| item.given).chain(self.first.get(&list).copied());
            let mut number = given.max().unwrap_or(0).saturating_add(1);
            while holders.contains_key(&(list, number)) {
                number = number.saturating_add(1);
            }
            holders.insert((list, number), at);
        }
        holders
    }

    fn shared(self, now: &BTreeMap<usize, u32>) -> Vec<Shared> {
        let mut given: BTreeMap<(List, u32), usize> = BTreeMap::new();
        for item in &self.all {
            *given.entry((item.list, item.given)).or_default() += 1;
        }
        let items = self.all.into_iter().enumerate();
        let shared = items.filter(|(_, item)| given[&(item.list, item.given)] > 1);
        shared
            .filter_map(|(at, Item { list, given, names, .. })| {
                Some(Shared { list, given, number: *now.get(&at)?, names })
            })
            .collect()
    }
}

fn added(event: &Event) -> Option<(List, u32, &str)> {
    match event {
        Event::TaskAdded { task, document } => {
            Some((List::Tasks, task.number, document["title"].as_str()?))
        }
        Event::Edited { change: FieldChange { path, before: None, after: Some(after) } } => {
            match path.steps() {
                [list, number] if list == "criteria" => {
                    Some((List::Criteria, number.parse().ok()?, after["text"].as_str()?))
                }
                _ => None,
            }
        }
        _ => None,
    }
}

fn renamed(event: &Event) -> Option<(List, u32, &str)> {
    let Event::Edited { change: FieldChange { path, after: Some(after), .. } } = event else {
        return None;
    };
    let name = after.as_str()?;
    match path.steps() {
        [list, task, key] if list == "tasks" && key == "title" => {
            Some((List::Tasks, task.parse::<TaskName>().ok()?.number, name))
        }
        [list, number, key] if list == "criteria" && key == "text" => {
            Some((List::Criteria, number.parse().ok()?, name))
        }
        _ => None,
    }
}

fn renumber(event: &mut Event, number: &impl Fn(List, u32) -> u32) {
    match event {
        Event::TaskAdded { task, document } | Event::TaskRemoved { task, document, .. } => {
            task.number = number(List::Tasks, task.number);
            document["id"] = Value::String(task.to_string());
            if let Some(requires) = document.get_mut("requires") {
                renumber_references(requires, number);
            }
        }
        Event::TaskStatusChanged { task, .. }
        | Event::TaskClaimed { task, .. }
        | Event::TaskReleased { task, .. }
        | Event::TaskProgressed { task, .. }
        | Event::TaskNoted { task, .. } => task.number = number(List::Tasks, task.number),
        Event::CriterionMet { criterion, .. } | Event::CriterionReopened { criterion } => {
            *criterion = number(List::Criteria, *criterion);
        }
        Event::Edited { change } => renumber_change(change, number),
        _ => {}
    }
}

fn renumber_change(change: &mut FieldChange, number: &impl Fn(List, u32) -> u32) {
    let [list, name, rest @ ..] = change.path.steps() else { return };
    let (new, id) = match (list.as_str(), name.parse::<TaskName>(), name.parse::<u32>()) {
        ("tasks", Ok(task), _) => {
            let name = TaskName { number: number(List::Tasks, task.number), ..task }.to_string();
            (name.clone(), Value::String(name))
        }
        ("criteria", _, Ok(old)) => {
            let new = number(List::Criteria, old);
            (new.to_string(), new.into())
        }
        _ => return,
    };
    let requires = list == "tasks" && rest == ["requires"];
    let item = rest.is_empty();
    change.path = rest.iter().fold(Path::root().key(list).key(&new), |path, step| path.key(step));
    for value in [&mut change.before, &mut change.after].into_iter().flatten() {
        if requires {
            renumber_references(value, number);
        } else if item && value.is_object() {
            value["id"] = id.clone();
        }
    }
}

fn renumber_references(requires: &mut Value, number: &impl Fn(List, u32) -> u32) {
    for reference in requires.as_array_mut().into_iter().flatten() {
        if let Ok(Reference::Own(own)) = serde_json::from_value(reference.clone())
            && number(List::Tasks, own) != own
        {
            let new = Reference::Own(number(List::Tasks, own));
            *reference = serde_json::to_value(new).unwrap_or_default();
        }
    }
}

/// What a text says, under the numbers of the history: one that a merge left has them as one of
/// the sides had, or as the merge gave them.
pub fn in_numbers_of_history(shared: &[Shared], said: &Milestone, now: &Milestone) -> Milestone {
    let mut said = said.clone();
    let mut moved = BTreeMap::new();
    for task in &mut said.tasks {
        let old = task.id.number;
        let stands = now.task(old).is_some_and(|now| now.title == task.title);
        let new = number_of(shared, List::Tasks, old, &task.title).filter(|_| !stands);
        if let Some(new) = new.filter(|new| *new != old) {
            moved.insert(old, new);
            task.id.number = new;
        }
    }
    for reference in said.tasks.iter_mut().flat_map(|task| &mut task.requires) {
        if let Reference::Own(number) = reference
            && let Some(new) = moved.get(number)
        {
            *number = *new;
        }
    }
    for criterion in &mut said.criteria {
        let Some(old) = criterion.id else { continue };
        let stands = now.criterion(old).is_some_and(|now| now.text == criterion.text);
        if let Some(new) =
            number_of(shared, List::Criteria, old, &criterion.text).filter(|_| !stands)
        {
            criterion.id = Some(new);
        }
    }
    said
}

/// Of several of one name, the one that was given the number.
fn number_of(shared: &[Shared], list: List, old: u32, name: &str) -> Option<u32> {
    let named = || shared.iter().filter(|item| item.list == list && item.names.contains(name));
    let own = named().find(|item| item.number == old || item.given == old);
    own.or_else(|| named().next()).map(|item| item.number)
}

/// Puts in what a text that was made on one branch could not have: nobody has taken that out.
pub fn with_the_unseen(
    shared: &[Shared],
    mut said: Milestone,
    now: &Milestone,
    known: &[Milestone],
) -> Milestone {
    let has = |milestone: &Milestone, item: &Shared| match item.list {
        List::Tasks => milestone.task(item.number).is_some(),
        List::Criteria => milestone.criterion(item.number).is_some(),
    };
    for item in shared.iter().filter(|item| !has(&said, item)).collect::<Vec<_>>() {
        let group =
            || shared.iter().filter(|other| (other.list, other.given) == (item.list, item.given));
        if known.iter().any(|text| group().all(|other| has(text, other))) {
            continue;
        }
        match item.list {
            List::Tasks => said.tasks.extend(now.task(item.number).cloned()),
            List::Criteria => said.criteria.extend(now.criterion(item.number).cloned()),
        }
    }
    said
}
