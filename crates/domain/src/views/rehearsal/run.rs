//! Work laid out in time for so many agents, as a session would begin it.

use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap, HashMap};

use crate::ids::TaskId;
use crate::readiness::overlap;

/// A task that may be begun as soon as others are done.
pub(super) struct Work<'a> {
    pub id: TaskId,
    /// In minutes.
    pub takes: u64,
    /// Of each of these, one has to be done.
    pub waits: Vec<Vec<TaskId>>,
    pub resources: &'a [String],
    /// Somebody else is at it, from the beginning.
    pub held: bool,
}

/// When each work begins.
pub(super) struct Run {
    /// In minutes; none for what nothing frees.
    pub begins: Vec<Option<u64>>,
    ends: Vec<u64>,
    /// Whose end let it begin.
    freed_by: Vec<Option<usize>>,
    /// The most that was worked on at the same time, but for what others do.
    pub most_at_once: usize,
}

impl Run {
    /// The minute in which everything is done that was begun.
    pub fn length(&self) -> u64 {
        self.ends.iter().copied().max().unwrap_or(0)
    }

    /// What the end waits for, from the beginning on, where nobody waits for an agent.
    pub fn chain(&self, works: &[Work<'_>]) -> Vec<TaskId> {
        let last = (0..works.len()).filter(|&at| self.begins[at].is_some());
        let mut chain = Vec::new();
        let mut next = last.max_by_key(|&at| (self.ends[at], Reverse(at)));
        while let Some(at) = next {
            chain.push(works[at].id);
            next = self.freed_by[at];
        }
        chain.reverse();
        chain
    }
}

/// Begins the works, the first ones first, whenever one is free of all it waits for.
pub(super) fn run(works: &[Work<'_>], agents: usize) -> Run {
    let mut stage = Stage::new(works, agents);
    stage.begin(0);
    while let Some(Reverse((now, first))) = stage.ending.pop() {
        stage.end(first);
        while let Some(Reverse((also, next))) = stage.ending.peek().copied()
            && also == now
        {
            stage.ending.pop();
            stage.end(next);
        }
        stage.begin(now);
    }
    stage.run
}

struct Stage<'a> {
    works: &'a [Work<'a>],
    /// Agents that have nothing to do.
    free: usize,
    busy: usize,
    ready: BTreeSet<usize>,
    at_work: BTreeSet<usize>,
    ending: BinaryHeap<Reverse<(u64, usize)>>,
    done: Vec<bool>,
    /// What each waits for, as places among the works.
    waits: Vec<Vec<Vec<usize>>>,
    /// Who has to be looked at when a work is done.
    after: Vec<Vec<usize>>,
    /// Who wants what a work that is under way has.
    parked: Vec<Vec<usize>>,
    run: Run,
}

impl<'a> Stage<'a> {
    fn new(works: &'a [Work<'a>], agents: usize) -> Self {
        let count = works.len();
        let places: HashMap<TaskId, usize> =
            works.iter().enumerate().map(|(at, work)| (work.id, at)).collect();
        let placed = |any: &Vec<TaskId>| -> Vec<usize> {
            any.iter().filter_map(|id| places.get(id).copied()).collect()
        };
        let waits: Vec<Vec<Vec<usize>>> =
            works.iter().map(|work| work.waits.iter().map(placed).collect()).collect();
        let mut after = vec![Vec::new(); count];
        for (at, waits) in waits.iter().enumerate() {
            waits.iter().flatten().for_each(|&first| after[first].push(at));
        }
        let mut this = Self {
            works,
            free: agents,
            busy: 0,
            ready: (0..count).filter(|&at| works[at].waits.is_empty()).collect(),
            at_work: BTreeSet::new(),
            ending: BinaryHeap::new(),
            done: vec![false; count],
            waits,
            after,
            parked: vec![Vec::new(); count],
            run: Run {
                begins: vec![None; count],
                ends: vec![0; count],
                freed_by: vec![None; count],
                most_at_once: 0,
            },
        };
        for at in (0..count).filter(|&at| works[at].held) {
            this.ready.remove(&at);
            this.start(at, 0);
        }
        this
    }

    fn begin(&mut self, now: u64) {
        let mut from = 0;
        while let (1.., Some(&at)) = (self.free, self.ready.range(from..).next()) {
            from = at + 1;
            self.ready.remove(&at);
            match self.in_the_way(at) {
                Some(other) => self.parked[other].push(at),
                None => {
                    self.free -= 1;
                    self.busy += 1;
                    self.run.most_at_once = self.run.most_at_once.max(self.busy);
                    self.start(at, now);
                }
            }
        }
    }

    fn start(&mut self, at: usize, now: u64) {
        let end = now.saturating_add(self.works[at].takes);
        self.run.begins[at] = Some(now);
        self.run.ends[at] = end;
        self.at_work.insert(at);
        self.ending.push(Reverse((end, at)));
    }

    /// Whoever is at work on something that this one touches, too.
    fn in_the_way(&self, at: usize) -> Option<usize> {
        let ours = self.works[at].resources;
        let mut others = self.at_work.iter().copied();
        others.find(|&other| overlap(ours, self.works[other].resources).is_some())
    }

    fn end(&mut self, at: usize) {
        self.at_work.remove(&at);
        self.done[at] = true;
        if !self.works[at].held {
            self.free += 1;
            self.busy -= 1;
        }
        let waited = std::mem::take(&mut self.parked[at]);
        let waited = waited.into_iter().chain(std::mem::take(&mut self.after[at]));
        for next in waited.collect::<Vec<_>>() {
            let waits = self.run.begins[next].is_none() && !self.ready.contains(&next);
            if waits && self.is_freed(next) {
                self.ready.insert(next);
                self.run.freed_by[next] = Some(at);
            }
        }
    }

    fn is_freed(&self, at: usize) -> bool {
        self.waits[at].iter().all(|any| any.iter().any(|&first| self.done[first]))
    }
}
