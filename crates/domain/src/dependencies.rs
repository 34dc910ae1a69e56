//! The dependency graph over milestones and tasks: what waits for what, how long it takes, and
//! what a slip moves.

use std::collections::{HashMap, HashSet};
use std::ops::Range;

use jiff::civil::Date;

use crate::effort::{self, Effort};
use crate::graph::Dag;
use crate::ids::{MilestoneId, Node, TaskId};
use crate::schedule::{Schedule, downstream};
use crate::snapshot::{Outline, Snapshot, TaskOutline};

/// What a node of the graph stands for. A milestone is two: nothing in it begins before its
/// start, and it is finished when everything in it is. A phase is one, by its place in the list:
/// its approval, which later phases wait for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Place {
    Start(MilestoneId),
    Finish(MilestoneId),
    Task(TaskId),
    Phase(MilestoneId, u32),
}

/// All edges of a snapshot: requirements, membership, and conditions that one node alone provides.
pub struct Dependencies<'a> {
    dag: Dag,
    places: Vec<Place>,
    slots: HashMap<MilestoneId, (u32, &'a Outline)>,
}

impl Place {
    pub(crate) fn node(self) -> Node {
        match self {
            Self::Start(id) | Self::Finish(id) | Self::Phase(id, _) => Node::Milestone(id),
            Self::Task(id) => Node::Task(id),
        }
    }
}

impl<'a> Dependencies<'a> {
    pub fn of(snapshot: &'a Snapshot) -> Self {
        let mut places = Vec::new();
        let mut slots = HashMap::new();
        for outline in snapshot.outlines.values() {
            slots.insert(outline.id, (index(places.len()), outline));
            places.extend([Place::Start(outline.id), Place::Finish(outline.id)]);
            places.extend(
                outline.tasks.iter().map(|task| Place::Task(TaskId::new(outline.id, task.number))),
            );
            let phases = 0..index(outline.phases.len());
            places.extend(phases.map(|at| Place::Phase(outline.id, at)));
        }
        let mut this = Self { dag: Dag::new(0, &[]), places, slots };
        let edges = this.edges(snapshot);
        this.dag = Dag::new(index(this.places.len()), &edges);
        this
    }

    fn edges(&self, snapshot: &'a Snapshot) -> Vec<(u32, u32)> {
        let providers = self.sole_providers(snapshot);
        let mut edges = Vec::new();
        for (base, outline) in self.slots.values() {
            let (start, finish) = (*base, base + 1);
            edges.push((start, finish));
            let waits = |nodes: &'a [crate::ids::Reference], conditions: &'a [String]| {
                let required = nodes.iter().filter_map(|node| self.done(node.node(outline.id)));
                let provided = conditions.iter().filter_map(|name| providers.get(name.as_str()));
                required.chain(provided.copied()).collect::<Vec<_>>()
            };
            let before = waits(&outline.requires, &outline.conditions);
            edges.extend(before.into_iter().map(|node| (node, start)));
            for (task, number) in outline.tasks.iter().zip(base + 2..) {
                edges.extend([(start, number), (number, finish)]);
                let before = waits(&task.requires, &task.conditions);
                edges.extend(before.into_iter().map(|node| (node, number)));
            }
            edges.extend(phase_edges(*base, outline));
        }
        edges
    }

    /// A condition that several may provide holds nobody back in particular.
    fn sole_providers(&self, snapshot: &'a Snapshot) -> HashMap<&'a str, u32> {
        let mut providers: HashMap<&str, Vec<u32>> = HashMap::new();
        for (name, node, _) in snapshot.outlines.values().flat_map(Outline::provisions) {
            providers.entry(name).or_default().extend(self.provided(name, node));
        }
        let set = |name: &str| snapshot.conditions.0.contains_key(name);
        let sole = providers.into_iter().filter(|(name, by)| by.len() == 1 && !set(name));
        sole.map(|(name, by)| (name, by[0])).collect()
    }

    /// The place that is reached when a condition holds: a phase that provides one is approved
    /// before its milestone is done.
    fn provided(&self, condition: &str, by: Node) -> Option<u32> {
        let providing = |outline: &&Outline| {
            let mut phases = outline.phases.iter();
            phases.position(|p| p.approval && p.provides.iter().any(|name| name == condition))
        };
        let (base, outline) = self.slots.get(&by.milestone())?;
        match by {
            Node::Milestone(_) => match providing(outline) {
                Some(at) => Some(phases(*base, outline).start + index(at)),
                None => self.done(by),
            },
            Node::Task(_) => self.done(by),
        }
    }

    /// The place that is reached when the node is done.
    pub(crate) fn done(&self, node: Node) -> Option<u32> {
        let (base, outline) = self.slots.get(&node.milestone())?;
        match node {
            Node::Milestone(_) => Some(base + 1),
            Node::Task(id) => outline.position(id.number).map(|at| base + 2 + index(at)),
        }
    }

    pub(crate) fn dag(&self) -> &Dag {
        &self.dag
    }

    pub(crate) fn place(&self, number: u32) -> Place {
        self.places[number as usize]
    }

    /// The first cycle, as the path that closes it: each waits for the next, the last for the
    /// first.
    pub fn cycle(&self) -> Option<Vec<Node>> {
        let cycle = self.dag.order().err()?;
        let mut path = cycle.0;
        path.reverse();
        Some(self.named(&path))
    }

    /// A cycle that an edge of `milestone` closes here and not in `old`.
    pub fn cycle_not_in(
        &self,
        old: &Dependencies<'_>,
        milestone: MilestoneId,
    ) -> Option<Vec<Node>> {
        let (base, outline) = self.slots.get(&milestone)?;
        let own = *base..phases(*base, outline).end;
        let known = old.edge_set(milestone);
        own.flat_map(|node| {
            let before = self.dag.predecessors(node).iter().map(move |&other| (other, node));
            let after = self.dag.successors(node).iter().map(move |&other| (node, other));
            before.chain(after)
        })
        .filter(|&(from, to)| !known.contains(&(self.place(from), self.place(to))))
        .find_map(|(from, to)| {
            let mut path = self.dag.would_close(from, to)?;
            path.reverse();
            Some(self.named(&path))
        })
    }

    fn edge_set(&self, milestone: MilestoneId) -> HashSet<(Place, Place)> {
        let Some((base, outline)) = self.slots.get(&milestone) else { return HashSet::new() };
        let own = *base..phases(*base, outline).end;
        own.flat_map(|node| {
            let before = self.dag.predecessors(node).iter().map(move |&other| (other, node));
            let after = self.dag.successors(node).iter().map(move |&other| (node, other));
            before.chain(after)
        })
        .map(|(from, to)| (self.place(from), self.place(to)))
        .collect()
    }

    /// A path in people's words, closed: a milestone's two places are one to them.
    fn named(&self, path: &[u32]) -> Vec<Node> {
        let mut nodes: Vec<Node> = path.iter().map(|&number| self.place(number).node()).collect();
        nodes.dedup();
        if nodes.len() > 1 && nodes.first() == nodes.last() {
            nodes.pop();
        }
        nodes.extend(nodes.first().copied());
        nodes
    }

    /// What waits for the node, directly.
    pub fn dependents(&self, node: Node) -> Vec<Node> {
        let phases = match node {
            Node::Milestone(id) => {
                self.slots.get(&id).map(|(base, outline)| phases(*base, outline))
            }
            Node::Task(_) => None,
        };
        let places = self.done(node).into_iter().chain(phases.into_iter().flatten());
        let after = places.flat_map(|place| self.dag.successors(place));
        let mut nodes: Vec<Node> = after.map(|&n| self.place(n).node()).collect();
        nodes.retain(|other| *other != node && *other != Node::Milestone(node.milestone()));
        nodes.sort_unstable();
        nodes.dedup();
        nodes
    }

    /// Lays the open work out in time, from `today` on; `None` while there is a cycle.
    pub fn plan(&self, snapshot: &Snapshot, today: Date) -> Option<Plan<'_, 'a>> {
        let order = self.dag.order().ok()?;
        let durations = self.durations(snapshot);
        let earliest = self.earliest(snapshot, today);
        let schedule = Schedule::new(&self.dag, &order, &durations, &earliest);
        let downstream = downstream(&self.dag, &order, &durations);
        Some(Plan { graph: self, order, schedule, downstream })
    }

    /// The minutes of work that are left in every place.
    fn durations(&self, snapshot: &Snapshot) -> Vec<u32> {
        let mut durations = vec![0; self.places.len()];
        for (base, outline) in self.slots.values() {
            let buffer = outline.buffer.unwrap_or(snapshot.settings.buffer);
            let buffer = u16::try_from(buffer).unwrap_or(u16::MAX);
            for (task, at) in outline.tasks.iter().zip(base + 2..) {
                durations[at as usize] = remaining(outline, task).with_buffer(buffer).minutes();
            }
            if outline.tasks.is_empty() && !outline.status.is_closed() {
                let duration = outline.duration.unwrap_or_default();
                durations[*base as usize + 1] = duration.minutes();
            }
        }
        durations
    }

    /// The first working minute, counted from today, in which each place may begin.
    pub(crate) fn earliest(&self, snapshot: &Snapshot, today: Date) -> Vec<u64> {
        let calendar = &snapshot.settings.calendar;
        let minutes = |date: Option<Date>| {
            let days = date.map_or(0, |date| calendar.working_days_between(today, date));
            u64::from(days) * u64::from(calendar.minutes_per_day())
        };
        let mut earliest = vec![0; self.places.len()];
        for (base, outline) in self.slots.values() {
            earliest[*base as usize] = minutes(outline.start);
            for (task, at) in outline.tasks.iter().zip(base + 2..) {
                earliest[at as usize] = minutes(task.start);
            }
        }
        earliest
    }

    /// The working minute, counted from today, by which each place is due.
    fn due(&self, snapshot: &Snapshot, today: Date) -> Vec<u64> {
        let calendar = &snapshot.settings.calendar;
        let minutes = |date: Option<Date>| {
            let end = |date: Date| date.tomorrow().unwrap_or(date);
            let days = date.map(|date| calendar.working_days_between(today, end(date)));
            days.map_or(u64::MAX, |days| u64::from(days) * u64::from(calendar.minutes_per_day()))
        };
        let mut due = vec![u64::MAX; self.places.len()];
        let open = self.slots.values().filter(|(_, outline)| !outline.status.is_closed());
        for (base, outline) in open {
            due[*base as usize + 1] = minutes(outline.due);
            for (task, at) in outline.tasks.iter().zip(base + 2..) {
                let date = task.due.filter(|_| !task.status.is_closed());
                due[at as usize] = minutes(date);
            }
        }
        due
    }
}

/// The places of a milestone's phases, behind those of its tasks.
fn phases(base: u32, outline: &Outline) -> Range<u32> {
    let first = base + 2 + index(outline.tasks.len());
    first..first + index(outline.phases.len())
}

/// An approval comes after the work of its phase and after the approvals before it; later phases
/// come after it.
fn phase_edges(base: u32, outline: &Outline) -> Vec<(u32, u32)> {
    let (start, finish) = (base, base + 1);
    let mut edges = Vec::new();
    let mut around: HashMap<&str, (u32, Option<u32>)> = HashMap::new();
    let mut last = start;
    for (phase, place) in outline.phases.iter().zip(phases(base, outline)) {
        around.insert(&phase.name, (last, phase.approval.then_some(place)));
        edges.extend([(last, place), (place, finish)]);
        if phase.approval {
            last = place;
        }
    }
    for (task, number) in outline.tasks.iter().zip(base + 2..) {
        let own = task.phase.as_deref().and_then(|phase| around.get(phase));
        if let Some((before, after)) = own {
            edges.push((*before, number));
            edges.extend(after.map(|after| (number, after)));
        }
    }
    edges
}

/// What is left to do of a task; a task nobody estimated is assumed to be a small one.
pub fn remaining(outline: &Outline, task: &TaskOutline) -> Effort {
    if task.status.is_closed() || outline.status.is_closed() {
        return Effort::default();
    }
    let effort = effort::expected(task.estimate);
    let left = u64::from(effort.minutes()) * u64::from(100 - task.percent.min(100)) / 100;
    Effort::from_minutes(u32::try_from(left).unwrap_or(u32::MAX))
}

/// The open work of a project, laid out in time.
pub struct Plan<'g, 'a> {
    graph: &'g Dependencies<'a>,
    order: Vec<u32>,
    schedule: Schedule,
    downstream: Vec<u64>,
}

/// When something can and must happen, in working minutes from today.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    pub early_start: u64,
    pub early_finish: u64,
    pub late_start: u64,
    pub late_finish: u64,
    pub slack: u64,
    pub critical: bool,
}

impl Plan<'_, '_> {
    pub fn total(&self) -> Effort {
        Effort::from_minutes(u32::try_from(self.schedule.total()).unwrap_or(u32::MAX))
    }

    /// When a task, or the whole of a milestone, can and must happen.
    pub fn window(&self, node: Node) -> Option<Window> {
        let end = self.graph.done(node)?;
        let begin = match node {
            Node::Milestone(id) => self.graph.slots.get(&id)?.0,
            Node::Task(_) => end,
        };
        Some(Window {
            early_start: self.schedule.early_start(begin),
            early_finish: self.schedule.early_finish(end),
            late_start: self.schedule.late_start(begin),
            late_finish: self.schedule.late_finish(end),
            slack: self.schedule.slack(end),
            critical: self.schedule.is_critical(end),
        })
    }

    /// The tasks, and milestones without tasks, that decide when everything is done.
    pub fn critical_path(&self) -> Vec<Node> {
        let path = self.schedule.critical().iter();
        let mut nodes: Vec<Node> = path
            .filter(|&&place| self.schedule.early_finish(place) > self.schedule.early_start(place))
            .map(|&place| self.graph.place(place).node())
            .collect();
        nodes.dedup();
        nodes
    }

    /// The longest estimated path from a task to the end of everything that waits for it.
    pub fn downstream(&self, task: TaskId) -> u64 {
        self.graph.done(Node::Task(task)).map_or(0, |place| self.downstream[place as usize])
    }

    /// The tasks that a due date would be missed for if the longest chain of work went before them,
    /// each with the last minute in which it may begin.
    pub fn pressing(&self, snapshot: &Snapshot, today: Date) -> HashMap<TaskId, u64> {
        let due = self.graph.due(snapshot, today);
        let starts = self.schedule.latest_starts(&self.graph.dag, &self.order, &due);
        let longest = self.schedule.total();
        let tasks = self.graph.places.iter().zip(starts).filter_map(|(place, start)| match place {
            Place::Task(id) => Some((*id, start)),
            _ => None,
        });
        tasks.filter(|(_, start)| *start < longest).collect()
    }

    /// What finishes later, and by how many working minutes, if this takes so much longer.
    pub fn slip(&self, node: Node, by: Effort) -> Vec<(Node, u64)> {
        let Some(place) = self.graph.done(node) else { return Vec::new() };
        let slip = self.schedule.slip(&self.graph.dag, &self.order, place, by.minutes());
        let finishes = slip.moved.into_iter().filter(|(place, _)| {
            matches!(self.graph.place(*place), Place::Finish(_) | Place::Task(_))
        });
        finishes.map(|(place, delay)| (self.graph.place(place).node(), delay)).collect()
    }
}

/// Counts of places fit: a project's tasks are bounded far below.
fn index(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}
