//! The open work of a project as numbers: what there is to do, what waits for what, and in which
//! order so many workers take it.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, HashMap};

use jiff::Timestamp;
use jiff::civil::Date;

use super::correction::{Corrections, Lean};
use super::lognormal::Lognormal;
use crate::dependencies::{Dependencies, Place};
use crate::effort::Estimate;
use crate::ids::{MilestoneId, Node, TaskId};
use crate::limits;
use crate::schedule::downstream;
use crate::snapshot::{Outline, Snapshot, TaskOutline};
use crate::status::{Priority, TaskStatus};
use crate::views::urgency;

/// Open tasks and the starts and ends of open milestones, each with what it waits for.
pub(super) struct Network {
    pub nodes: Vec<Item>,
    pub works: Vec<Work>,
    /// What kinds share, so that it is drawn once a trial for all their tasks.
    pub kinds: Vec<KindDoubt>,
    pub milestones: Vec<Group>,
    before: Vec<Vec<u32>>,
    after: Vec<Vec<u32>>,
    /// The order in which ready work is taken: that of `next`.
    rank: Vec<u32>,
}

/// A place in the graph that is not behind us.
pub(super) struct Item {
    pub node: Node,
    /// The first working minute from today in which it may be.
    pub earliest: u64,
    /// Its number among the works; none for the start or end of a milestone.
    pub work: Option<u32>,
    /// Somebody is at it: it waits for nothing any more.
    pub held: bool,
}

/// Something that keeps one worker busy.
pub(super) struct Work {
    pub left: Lognormal,
    pub kind: u32,
    pub milestone: u32,
}

/// The doubt about a kind's correction: a part of that about all corrections, and its own.
#[derive(Clone, Copy, Default)]
pub(super) struct KindDoubt {
    pub shared: f64,
    pub own: f64,
}

/// An open milestone, and the node at which it is finished.
pub(super) struct Group {
    pub id: MilestoneId,
    pub finish: u32,
    pub doubt: f64,
    /// Whether there is anything in it to be forecast.
    pub planned: bool,
}

/// The nodes in an order in which they can be simulated one after the other.
pub(super) struct Layout {
    pub steps: Vec<Step>,
    /// What the steps wait for, as numbers of steps.
    pub before: Vec<u32>,
    /// Where each node stands.
    pub step_of: Vec<u32>,
}

pub(super) struct Step {
    pub node: u32,
    pub work: Option<u32>,
    pub earliest: f32,
    pub before: std::ops::Range<u32>,
}

/// What is known of the world when a network is made.
pub(super) struct Known<'a> {
    pub snapshot: &'a Snapshot,
    pub corrections: &'a Corrections,
    pub graph: &'a Dependencies<'a>,
    pub now: Timestamp,
    pub today: Date,
}

impl Network {
    /// Everything that is open or, for one milestone, what is open of it and of what it waits for.
    ///
    /// `order` is that of the graph.
    pub fn of(known: &Known<'_>, order: &[u32], only: Option<MilestoneId>) -> Self {
        let dag = known.graph.dag();
        let open = open_places(known, only);
        let mut number = vec![u32::MAX; open.len()];
        let places = (0..dag.nodes()).filter(|&place| open[at(place)]);
        let places: Vec<u32> = places.collect();
        for (&place, node) in places.iter().zip(0..) {
            number[at(place)] = node;
        }
        let neighbours = |list: &[u32]| {
            let open = list.iter().map(|&place| number[at(place)]);
            open.filter(|&node| node != u32::MAX).collect::<Vec<u32>>()
        };
        let mut builder = Builder::new(known);
        let earliest = known.graph.earliest(known.snapshot, known.today);
        let nodes: Vec<Item> = places
            .iter()
            .zip(0..)
            .map(|(&place, node)| builder.item(known, place, node, earliest[at(place)]))
            .collect();
        let before = |(place, item): (&u32, &Item)| {
            if item.held { Vec::new() } else { neighbours(dag.predecessors(*place)) }
        };
        let before: Vec<Vec<u32>> = places.iter().zip(&nodes).map(before).collect();
        let mut after = vec![Vec::new(); nodes.len()];
        for (list, node) in before.iter().zip(0..) {
            list.iter().for_each(|&first| after[at(first)].push(node));
        }
        let Builder { works, kinds, milestones, .. } = builder;
        let kinds = kinds.into_values().map(|(_, doubt)| doubt).collect();
        let mut this = Self { nodes, works, kinds, milestones, before, after, rank: Vec::new() };
        this.rank = this.ranked(known, order, &number);
        this
    }

    /// Ranks work as `next` does: urgency, then what must begin first for a due date that presses,
    /// then the longest chain behind it, then the due date.
    fn ranked(&self, known: &Known<'_>, order: &[u32], number: &[u32]) -> Vec<u32> {
        let mut minutes = vec![0; number.len()];
        for (place, &node) in number.iter().enumerate() {
            let item = self.nodes.get(at(node));
            minutes[place] = item.map_or(0, |item| self.expected(item));
        }
        let chains = downstream(known.graph.dag(), order, &minutes);
        let plan = known.graph.plan(known.snapshot, known.today);
        let pressing = plan.map(|plan| plan.pressing(known.snapshot, known.today));
        let begin_by = |node: Node| match node {
            Node::Task(id) => pressing.as_ref()?.get(&id).copied(),
            Node::Milestone(_) => None,
        };
        let mut keys: Vec<_> = number
            .iter()
            .zip(chains)
            .filter_map(|(&node, chain)| {
                let item = self.nodes.get(at(node))?;
                let (urgent, due) = urgent_and_due(known.snapshot, item.node);
                let begin_by = begin_by(item.node);
                let pressed = (urgent, begin_by.is_none(), begin_by);
                Some((!item.held, pressed, Reverse(chain), due.is_none(), due, node))
            })
            .collect();
        keys.sort_unstable();
        let mut rank = vec![0; self.nodes.len()];
        for (key, place) in keys.iter().zip(0..) {
            rank[at(key.5)] = place;
        }
        rank
    }

    /// The minutes that a node takes if nothing unusual happens.
    fn expected(&self, item: &Item) -> u32 {
        let work = item.work.and_then(|work| self.works.get(at(work)));
        work.map_or(0, |work| super::effort(super::lognormal::narrow(work.left.median)).minutes())
    }

    /// Puts the nodes in the order in which so many workers begin them if everything takes as
    /// long as expected: whoever is free takes the best of what is ready.
    pub fn laid_out(&self, workers: u32) -> Layout {
        let mut waits: Vec<usize> = self.before.iter().map(Vec::len).collect();
        let mut begun = Vec::with_capacity(self.nodes.len());
        let mut ready: BinaryHeap<Reverse<(u32, u32)>> = BinaryHeap::new();
        let mut free = workers;
        // What comes at a moment: a node may begin, or is done.
        let mut moments: BinaryHeap<Reverse<(u64, bool, u32)>> = BinaryHeap::new();
        for (node, item) in (0..).zip(&self.nodes) {
            if waits[at(node)] == 0 {
                moments.push(Reverse((item.earliest, false, node)));
            }
        }
        while let Some(Reverse((now, done, node))) = moments.pop() {
            let item = &self.nodes[at(node)];
            if done {
                free += u32::from(item.work.is_some());
                for &next in &self.after[at(node)] {
                    waits[at(next)] -= 1;
                    if waits[at(next)] == 0 {
                        let from = now.max(self.nodes[at(next)].earliest);
                        moments.push(Reverse((from, false, next)));
                    }
                }
            } else if item.work.is_some() {
                ready.push(Reverse((self.rank[at(node)], node)));
            } else {
                begun.push(node);
                moments.push(Reverse((now, true, node)));
            }
            if moments.peek().is_some_and(|Reverse((next, ..))| *next == now) {
                continue;
            }
            while let (1.., Some(Reverse((_, node)))) = (free, ready.peek().copied()) {
                ready.pop();
                free -= 1;
                begun.push(node);
                let minutes = u64::from(self.expected(&self.nodes[at(node)]));
                moments.push(Reverse((now.saturating_add(minutes), true, node)));
            }
        }
        self.layout(&begun)
    }

    fn layout(&self, begun: &[u32]) -> Layout {
        let mut step_of = vec![0; self.nodes.len()];
        for (&node, step) in begun.iter().zip(0..) {
            step_of[at(node)] = step;
        }
        let mut before = Vec::new();
        let steps = begun.iter().map(|&node| {
            let from = index(before.len());
            before.extend(self.before[at(node)].iter().map(|&first| step_of[at(first)]));
            let item = &self.nodes[at(node)];
            let earliest = super::effort_of(item.earliest).minutes();
            Step {
                node,
                work: item.work,
                earliest: super::lognormal::narrow(f64::from(earliest)),
                before: from..index(before.len()),
            }
        });
        Layout { steps: steps.collect(), before, step_of }
    }
}

/// Which places of the graph are still to be reached, and wanted.
fn open_places(known: &Known<'_>, only: Option<MilestoneId>) -> Vec<bool> {
    let dag = known.graph.dag();
    let mut open: Vec<bool> =
        (0..dag.nodes()).map(|place| is_open(known.snapshot, known.graph.place(place))).collect();
    let Some(end) = only.and_then(|id| known.graph.done(Node::Milestone(id))) else { return open };
    // What is done already is not looked behind.
    let mut wanted = vec![false; open.len()];
    let mut search = vec![end];
    while let Some(place) = search.pop() {
        if open[at(place)] && !wanted[at(place)] {
            wanted[at(place)] = true;
            search.extend(dag.predecessors(place));
        }
    }
    open.copy_from_slice(&wanted);
    open
}

fn is_open(snapshot: &Snapshot, place: Place) -> bool {
    let milestone = snapshot.outline(place.node().milestone());
    let open = milestone.is_some_and(|outline| !outline.archived && !outline.status.is_closed());
    let task = match place {
        Place::Task(id) => snapshot.task(id).is_some_and(|task| !task.status.is_closed()),
        Place::Start(_) | Place::Finish(_) | Place::Phase(..) => true,
    };
    open && task
}

fn urgent_and_due(snapshot: &Snapshot, node: Node) -> (Priority, Option<Date>) {
    let outline = snapshot.outline(node.milestone());
    let own = match node {
        Node::Task(id) => snapshot.task(id).zip(outline),
        Node::Milestone(_) => None,
    };
    let (urgent, due) =
        own.map_or((None, None), |(task, outline)| (Some(urgency(outline, task)), task.due));
    let urgent = urgent.or_else(|| outline?.priority).unwrap_or(Priority::Medium);
    (urgent, due.or_else(|| outline?.due))
}

/// Gathers works, and what they share.
struct Builder<'a> {
    works: Vec<Work>,
    kinds: BTreeMap<Option<&'a str>, (u32, KindDoubt)>,
    milestones: Vec<Group>,
    group_of: HashMap<MilestoneId, (u32, Lean)>,
}

impl<'a> Builder<'a> {
    /// The kinds that have a correction of their own, and one for all others.
    fn new(known: &Known<'a>) -> Self {
        let corrections = known.corrections;
        let named = corrections.kinds.keys().map(|kind| Some(kind.as_str()));
        let kinds = std::iter::once(None).chain(named).zip(0..).map(|(kind, number)| {
            let (shared, own) = corrections.of(kind).doubts(&corrections.overall);
            (kind, (number, KindDoubt { shared, own }))
        });
        Self {
            works: Vec::new(),
            kinds: kinds.collect(),
            milestones: Vec::new(),
            group_of: HashMap::new(),
        }
    }

    fn item(&mut self, known: &Known<'a>, place: u32, node: u32, earliest: u64) -> Item {
        let place = known.graph.place(place);
        let id = place.node();
        let outline = known.snapshot.outline(id.milestone());
        let left = outline.and_then(|outline| match place {
            Place::Start(_) | Place::Phase(..) => None,
            Place::Finish(_) => {
                self.finish(known.corrections, outline, node);
                let alone = outline.tasks.is_empty().then_some(outline.duration).flatten()?;
                let kind = outline.category.as_deref();
                Some((kind, known.corrections.own(kind, Estimate::Single(alone))))
            }
            Place::Task(id) => {
                let task = outline.task(id.number)?;
                let kind = task.kind.as_deref().or(outline.category.as_deref());
                Some((kind, left(known, id, kind, task)))
            }
        });
        let work =
            left.map(|(kind, left)| self.work(known.corrections, id.milestone(), kind, left));
        let held = matches!(place, Place::Task(id) if is_held(known.snapshot, id));
        Item { node: id, earliest: if held { 0 } else { earliest }, work, held }
    }

    fn work(
        &mut self,
        corrections: &Corrections,
        milestone: MilestoneId,
        kind: Option<&str>,
        left: Lognormal,
    ) -> u32 {
        let (group, lean) = self.group(corrections, milestone);
        let known = self.kinds.get(&kind).or_else(|| self.kinds.get(&None));
        let kind = known.map_or(0, |(number, _)| *number);
        self.works.push(Work { left: left.times(lean.mean.exp()), kind, milestone: group });
        index(self.works.len() - 1)
    }

    /// The number of a milestone, given when it is first met.
    fn group(&mut self, corrections: &Corrections, id: MilestoneId) -> (u32, Lean) {
        let milestones = &mut self.milestones;
        *self.group_of.entry(id).or_insert_with(|| {
            let lean = corrections.lean(id);
            // Found again, as its finish, before anything is asked of it.
            let finish = u32::MAX;
            milestones.push(Group { id, finish, doubt: lean.doubt, planned: false });
            (index(milestones.len() - 1), lean)
        })
    }

    fn finish(&mut self, corrections: &Corrections, outline: &Outline, node: u32) {
        let (number, _) = self.group(corrections, outline.id);
        let group = &mut self.milestones[at(number)];
        group.finish = node;
        group.planned = !outline.tasks.is_empty() || outline.duration.is_some();
    }
}

/// What is left of a task: of what it says is done, only the rest; of what has begun, what is
/// left of those that took as long as it has.
fn left(known: &Known<'_>, id: TaskId, kind: Option<&str>, task: &TaskOutline) -> Lognormal {
    let estimate = task.estimate.unwrap_or(Estimate::Single(limits::ASSUMED_EFFORT));
    let whole = known.corrections.own(kind, estimate);
    let elapsed = elapsed(known, task);
    match task.percent.min(100) {
        0 if is_held(known.snapshot, id) => whole.left_after(elapsed),
        percent => whole.exceeding(elapsed).times(f64::from(100 - percent).max(1.0) / 100.0),
    }
}

/// The minutes of work since the task was begun, if it is being worked on and never lay still.
fn elapsed(known: &Known<'_>, task: &TaskOutline) -> f64 {
    let steady = task.status == TaskStatus::InProgress && !task.interrupted;
    let begun = task.started_at.filter(|_| steady);
    begun.map_or(0.0, |begun| f64::from(known.snapshot.settings.worked(begun, known.now).minutes()))
}

/// Whether somebody is at it.
pub(super) fn is_held(snapshot: &Snapshot, id: TaskId) -> bool {
    let started = snapshot.task(id).is_some_and(|task| task.status == TaskStatus::InProgress);
    started || snapshot.claims.get(&id).is_some_and(crate::snapshot::Claim::is_live)
}

pub(super) fn at(number: u32) -> usize {
    number as usize
}

pub(super) fn index(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}
