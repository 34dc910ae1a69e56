//! When each piece of work can start and has to be done, and what decides the whole length.
//!
//! Times are minutes of working time since the start of the project; a
//! [`Calendar`](crate::calendar::Calendar) makes dates of them. As many people work as there is
//! work ready: this is the shortest the plan can take, not what a given team needs.

use crate::graph::Dag;

/// The latest an earliest start is taken to be, far beyond any date.
///
/// From here on the longest path of any graph that fits in memory cannot overflow.
const FAR: u64 = 1 << 62;

/// The critical-path schedule of a graph.
#[derive(Clone, Debug)]
pub struct Schedule {
    durations: Vec<u32>,
    early_finish: Vec<u64>,
    late_start: Vec<u64>,
    total: u64,
    critical: Vec<u32>,
}

/// What moves when one node takes longer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slip {
    /// Nodes that finish later, the slipping one first and each with its delay, in order of work.
    pub moved: Vec<(u32, u64)>,
    /// How much later the whole is done.
    pub total: u64,
}

impl Schedule {
    /// Schedules every node as early, and as late, as the others and `earliest` allow.
    ///
    /// `order` is that of `dag`. `durations` and `earliest`, the first minute in which a node may
    /// start, have an entry for each node; 0 holds nothing back.
    pub fn new(dag: &Dag, order: &[u32], durations: &[u32], earliest: &[u64]) -> Self {
        let early_finish = early_finish(dag, order, durations, earliest);
        let total = early_finish.iter().copied().max().unwrap_or(0);
        let late_start =
            downstream(dag, order, durations).iter().map(|rest| total - rest).collect();
        let mut schedule = Self {
            durations: durations.to_vec(),
            early_finish,
            late_start,
            total,
            critical: vec![],
        };
        schedule.critical = schedule.critical_path(dag);
        schedule
    }

    /// The first minute in which `node` can start.
    pub fn early_start(&self, node: u32) -> u64 {
        self.early_finish(node) - self.duration(node)
    }

    /// The minute by which `node` can be done.
    pub fn early_finish(&self, node: u32) -> u64 {
        self.early_finish[at(node)]
    }

    /// The last minute in which `node` may start without delaying the whole.
    pub fn late_start(&self, node: u32) -> u64 {
        self.late_start[at(node)]
    }

    /// The minute by which `node` has to be done so as not to delay the whole.
    pub fn late_finish(&self, node: u32) -> u64 {
        self.late_start(node) + self.duration(node)
    }

    /// How long `node` may be late without delaying the whole.
    pub fn slack(&self, node: u32) -> u64 {
        self.late_finish(node) - self.early_finish(node)
    }

    /// The last minute in which each node may start for it, and what comes after it, to be done by
    /// the minutes in `due`; [`u64::MAX`] is no such date, and no time at all is left from minute 0.
    pub fn latest_starts(&self, dag: &Dag, order: &[u32], due: &[u64]) -> Vec<u64> {
        let mut starts = due.to_vec();
        for &node in order.iter().rev() {
            let next = dag.successors(node).iter().map(|&next| starts[at(next)]);
            let finish = next.fold(due[at(node)], u64::min);
            let start = finish.saturating_sub(self.duration(node));
            starts[at(node)] = if finish == u64::MAX { finish } else { start };
        }
        starts
    }

    /// The minute by which everything can be done.
    pub fn total(&self) -> u64 {
        self.total
    }

    /// A path whose delay delays the whole, to the node that finishes last.
    ///
    /// It begins where nothing is waited for, or with a node held back by its earliest start. Of
    /// several such paths it is the one of the lowest nodes, looking back from the finish.
    pub fn critical(&self) -> &[u32] {
        &self.critical
    }

    /// Tells whether any delay of `node` delays the whole.
    ///
    /// That goes for all critical paths, of which [`Schedule::critical`] is one.
    pub fn is_critical(&self, node: u32) -> bool {
        self.slack(node) == 0
    }

    /// Finds what finishes later, and by how much, if `node` takes `minutes` longer.
    ///
    /// `dag` and `order` are those of the schedule.
    pub fn slip(&self, dag: &Dag, order: &[u32], node: u32, minutes: u32) -> Slip {
        let mut delays = vec![0; order.len()];
        delays[at(node)] = u64::from(minutes);
        let mut slip = Slip { moved: vec![], total: 0 };
        for &node in order.iter().skip_while(|&&first| first != node) {
            let delay = delays[at(node)];
            if delay == 0 {
                continue;
            }
            let finish = self.early_finish(node) + delay;
            slip.moved.push((node, delay));
            slip.total = slip.total.max(finish.saturating_sub(self.total));
            for &next in dag.successors(node) {
                // What waits starts no earlier than before, so only the surplus is passed on.
                let late = finish.saturating_sub(self.early_start(next));
                delays[at(next)] = delays[at(next)].max(late);
            }
        }
        slip
    }

    /// Goes back from the last finish, over those whose finish is the start of the next.
    fn critical_path(&self, dag: &Dag) -> Vec<u32> {
        let last =
            |node: &u32| self.early_finish(*node) == self.total && dag.successors(*node).is_empty();
        let mut node = (0..dag.nodes()).find(last);
        let mut path = vec![];
        while let Some(current) = node {
            path.push(current);
            let start = self.early_start(current);
            let mut before = dag.predecessors(current).iter().copied();
            node = before.find(|&node| self.early_finish(node) == start);
        }
        path.reverse();
        path
    }

    fn duration(&self, node: u32) -> u64 {
        u64::from(self.durations[at(node)])
    }
}

/// Measures the longest path from each node to any end, the node itself included.
///
/// `order` is that of `dag`, and `durations` has an entry for each node.
pub fn downstream(dag: &Dag, order: &[u32], durations: &[u32]) -> Vec<u64> {
    let mut longest = vec![0; durations.len()];
    for &node in order.iter().rev() {
        let rest = dag.successors(node).iter().map(|&next| longest[at(next)]).max().unwrap_or(0);
        longest[at(node)] = u64::from(durations[at(node)]) + rest;
    }
    longest
}

fn early_finish(dag: &Dag, order: &[u32], durations: &[u32], earliest: &[u64]) -> Vec<u64> {
    let mut finish = vec![0; durations.len()];
    for &node in order {
        let allowed = earliest[at(node)].min(FAR);
        let before = dag.predecessors(node).iter().map(|&before| finish[at(before)]);
        finish[at(node)] = before.fold(allowed, u64::max) + u64::from(durations[at(node)]);
    }
    finish
}

fn at(node: u32) -> usize {
    node as usize
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[derive(Debug)]
    struct Plan {
        dag: Dag,
        order: Vec<u32>,
        durations: Vec<u32>,
        earliest: Vec<u64>,
    }

    impl Plan {
        fn new(edges: &[(u32, u32)], durations: &[u32], earliest: &[u64]) -> Self {
            let dag = Dag::new(u32::try_from(durations.len()).unwrap(), edges);
            let order = dag.order().unwrap();
            Self { dag, order, durations: durations.to_vec(), earliest: earliest.to_vec() }
        }

        fn schedule(&self) -> Schedule {
            Schedule::new(&self.dag, &self.order, &self.durations, &self.earliest)
        }

        fn downstream(&self) -> Vec<u64> {
            downstream(&self.dag, &self.order, &self.durations)
        }

        fn slip(&self, node: u32, minutes: u32) -> Slip {
            self.schedule().slip(&self.dag, &self.order, node, minutes)
        }

        fn nodes(&self) -> std::ops::Range<u32> {
            0..self.dag.nodes()
        }
    }

    /// Two ways from 0 to 3: the long one over 1, the short one over 2; and 4 apart from all.
    fn diamond() -> Plan {
        Plan::new(&[(0, 1), (0, 2), (1, 3), (2, 3)], &[10, 30, 5, 10, 20], &[0; 5])
    }

    fn times(schedule: &Schedule, node: u32) -> [u64; 5] {
        [
            schedule.early_start(node),
            schedule.early_finish(node),
            schedule.late_start(node),
            schedule.late_finish(node),
            schedule.slack(node),
        ]
    }

    #[test]
    fn due_dates_are_counted_back_over_what_waits() {
        let plan = diamond();
        let none = u64::MAX;
        let starts = |due: [u64; 5]| plan.schedule().latest_starts(&plan.dag, &plan.order, &due);
        assert_eq!(starts([none; 5]), [none; 5]);
        assert_eq!(starts([none, none, none, 60, none]), [10, 20, 45, 50, none]);
        assert_eq!(starts([none, none, 12, 60, 0]), [0, 20, 7, 50, 0]);
    }

    #[test]
    fn a_diamond_by_hand() {
        let plan = diamond();
        let schedule = plan.schedule();
        assert_eq!(schedule.total(), 50);
        assert_eq!(schedule.critical(), [0, 1, 3]);
        assert_eq!(times(&schedule, 0), [0, 10, 0, 10, 0]);
        assert_eq!(times(&schedule, 1), [10, 40, 10, 40, 0]);
        assert_eq!(times(&schedule, 2), [10, 15, 35, 40, 25]);
        assert_eq!(times(&schedule, 3), [40, 50, 40, 50, 0]);
        assert_eq!(times(&schedule, 4), [0, 20, 30, 50, 30]);
        assert!(schedule.is_critical(1) && !schedule.is_critical(2));
        assert_eq!(plan.downstream(), [50, 40, 15, 10, 20]);
    }

    #[test]
    fn nothing_takes_no_time() {
        let schedule = Plan::new(&[], &[], &[]).schedule();
        assert_eq!(schedule.total(), 0);
        assert!(schedule.critical().is_empty());
    }

    #[test]
    fn the_critical_path_goes_by_the_lowest_of_equals_and_through_marks() {
        for (edges, durations, path) in [
            (vec![(0, 3), (1, 3), (2, 3)], vec![5, 7, 7, 1], vec![1, 3]),
            (vec![], vec![3, 3], vec![0]),
            // A mark takes no time, yet it is the end of what leads to it.
            (vec![(1, 0)], vec![0, 3], vec![1, 0]),
            (vec![(0, 1), (1, 2)], vec![0, 0, 4], vec![0, 1, 2]),
            (vec![(0, 1)], vec![0, 0], vec![0, 1]),
        ] {
            let earliest = vec![0; durations.len()];
            assert_eq!(Plan::new(&edges, &durations, &earliest).schedule().critical(), path);
        }
    }

    #[test]
    fn an_earliest_start_leaves_a_gap_and_begins_the_critical_path() {
        let schedule = Plan::new(&[(0, 1), (1, 2)], &[10, 10, 10], &[0, 100, 0]).schedule();
        assert_eq!(schedule.critical(), [1, 2]);
        assert_eq!(schedule.total(), 120);
        assert_eq!(times(&schedule, 0), [0, 10, 90, 100, 90]);
        let early = Plan::new(&[(0, 1)], &[10, 10], &[0, 10]).schedule();
        assert_eq!(early.critical(), [0, 1]);
    }

    #[test]
    fn figures_beyond_all_dates_do_no_harm() {
        let plan = Plan::new(&[(0, 1), (1, 2)], &[u32::MAX; 3], &[u64::MAX; 3]);
        let schedule = plan.schedule();
        assert_eq!(schedule.total(), FAR + 3 * u64::from(u32::MAX));
        assert_eq!(plan.slip(0, u32::MAX).total, u64::from(u32::MAX));
    }

    #[test]
    fn a_slip_is_taken_up_by_slack_first() {
        let plan = diamond();
        assert_eq!(plan.slip(2, 20), Slip { moved: vec![(2, 20)], total: 0 });
        assert_eq!(plan.slip(2, 25), Slip { moved: vec![(2, 25)], total: 0 });
        assert_eq!(plan.slip(2, 28), Slip { moved: vec![(2, 28), (3, 3)], total: 3 });
        let all = vec![(0, 7), (1, 7), (2, 7), (3, 7)];
        assert_eq!(plan.slip(0, 7), Slip { moved: all, total: 7 });
        assert_eq!(plan.slip(4, 35), Slip { moved: vec![(4, 35)], total: 5 });
        assert_eq!(plan.slip(0, 0), Slip { moved: vec![], total: 0 });
    }

    fn plan() -> impl Strategy<Value = Plan> {
        (1..12_u32)
            .prop_flat_map(|nodes| {
                let n = at(nodes);
                (
                    Just((0..nodes).collect::<Vec<_>>()).prop_shuffle(),
                    prop::collection::vec((0..nodes, 0..nodes), 0..24),
                    prop::collection::vec(0..20_u32, n),
                    prop::collection::vec(prop_oneof![3 => Just(0), 1 => 0..60_u64], n),
                )
            })
            .prop_map(|(names, pairs, durations, earliest)| {
                // Edges go up before nodes are renamed, so there is no cycle in any numbering.
                let up = pairs.into_iter().filter(|(a, b)| a < b);
                let edges: Vec<_> = up.map(|(a, b)| (names[at(a)], names[at(b)])).collect();
                Plan::new(&edges, &durations, &earliest)
            })
    }

    /// The recursion of the textbook, without memory.
    fn finish_by_definition(plan: &Plan, node: u32) -> u64 {
        let before = plan.dag.predecessors(node).iter().map(|&n| finish_by_definition(plan, n));
        let start = before.max().unwrap_or(0).max(plan.earliest[at(node)]);
        start + u64::from(plan.durations[at(node)])
    }

    fn downstream_by_definition(plan: &Plan, node: u32) -> u64 {
        let after = plan.dag.successors(node).iter().map(|&n| downstream_by_definition(plan, n));
        after.max().unwrap_or(0) + u64::from(plan.durations[at(node)])
    }

    proptest! {
        #[test]
        fn times_agree_with_their_definition(plan in plan()) {
            let (schedule, downstream) = (plan.schedule(), plan.downstream());
            let finishes = plan.nodes().map(|node| finish_by_definition(&plan, node));
            prop_assert_eq!(schedule.total(), finishes.max().unwrap());
            for node in plan.nodes() {
                prop_assert_eq!(schedule.early_finish(node), finish_by_definition(&plan, node));
                prop_assert_eq!(downstream[at(node)], downstream_by_definition(&plan, node));
            }
        }

        #[test]
        fn early_is_never_after_late(plan in plan()) {
            let schedule = plan.schedule();
            for node in plan.nodes() {
                let [early_start, early_finish, late_start, late_finish, slack] =
                    times(&schedule, node);
                prop_assert!(early_start <= late_start && early_finish <= late_finish);
                prop_assert_eq!(late_start - early_start, slack);
                prop_assert!(late_finish <= schedule.total());
                prop_assert!(early_start >= plan.earliest[at(node)]);
                for &next in plan.dag.successors(node) {
                    prop_assert!(early_finish <= schedule.early_start(next));
                    prop_assert!(late_finish <= schedule.late_start(next));
                }
            }
        }

        #[test]
        fn the_critical_path_is_unbroken_and_as_long_as_the_whole(plan in plan()) {
            let schedule = plan.schedule();
            let path = schedule.critical();
            prop_assert!(path.iter().all(|&node| schedule.is_critical(node)));
            for step in path.windows(2) {
                prop_assert!(plan.dag.successors(step[0]).contains(&step[1]));
                prop_assert_eq!(schedule.early_finish(step[0]), schedule.early_start(step[1]));
            }
            let first = path[0];
            let held_back = schedule.early_start(first) == plan.earliest[at(first)];
            prop_assert!(held_back || plan.dag.predecessors(first).is_empty());
            let work: u64 = path.iter().map(|&node| schedule.duration(node)).sum();
            prop_assert_eq!(schedule.early_start(first) + work, schedule.total());
        }

        #[test]
        fn slack_is_exactly_what_the_whole_can_bear(plan in plan(), minutes in 0..60_u32) {
            let schedule = plan.schedule();
            for node in plan.nodes() {
                let surplus = u64::from(minutes).saturating_sub(schedule.slack(node));
                prop_assert_eq!(plan.slip(node, minutes).total, surplus);
            }
        }

        #[test]
        fn a_slip_agrees_with_scheduling_again(
            mut plan in plan(), node: prop::sample::Index, minutes in 0..60_u32,
        ) {
            let node = u32::try_from(node.index(plan.order.len())).unwrap();
            let (before, slip) = (plan.schedule(), plan.slip(node, minutes));
            plan.durations[at(node)] += minutes;
            let after = plan.schedule();
            let moved = plan.order.iter().filter_map(|&node| {
                let by = after.early_finish(node) - before.early_finish(node);
                (by > 0).then_some((node, by))
            });
            prop_assert_eq!(slip.moved, moved.collect::<Vec<_>>());
            prop_assert_eq!(slip.total, after.total() - before.total());
        }
    }
}
