//! What waits on what: a directed graph over the nodes `0..n`, and its order.
//!
//! An edge `(a, b)` says that `b` waits on `a`. Nodes are numbers because the graph knows nothing
//! of tasks or milestones; naming a node that is not in the graph is a mistake of the caller.
//! Nothing here recurses, so a chain may be as long as memory allows.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// Marks a node that no search has come to.
const UNSEEN: u32 = u32::MAX;

/// A graph of what waits on what; it ought to have no cycle, which [`Dag::order`] finds out.
///
/// Neighbours stand in one array for all nodes, sorted and without duplicates, so that nothing
/// depends on the order in which edges were written.
#[derive(Clone, Debug)]
pub struct Dag {
    successors: Adjacency,
    predecessors: Adjacency,
}

/// Nodes that wait on one another, each on the one before it and the first on the last.
///
/// The first is the lowest and stands there once. No edge cuts the round short, so every node is
/// needed to understand it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cycle(pub Vec<u32>);

impl Dag {
    /// Builds the graph over `0..nodes`; an edge may stand there more than once.
    pub fn new(nodes: u32, edges: &[(u32, u32)]) -> Self {
        // Turning a graph around sorts its rows, in linear time.
        let backwards = Adjacency::new(nodes, edges.iter().map(|&(from, to)| (to, from)));
        let successors = backwards.reversed().without_duplicates();
        let predecessors = successors.reversed();
        Self { successors, predecessors }
    }

    /// Counts the nodes.
    pub fn nodes(&self) -> u32 {
        self.successors.nodes()
    }

    /// Lists what waits on `node`, lowest first.
    pub fn successors(&self, node: u32) -> &[u32] {
        self.successors.row(node)
    }

    /// Lists what `node` waits on, lowest first.
    pub fn predecessors(&self, node: u32) -> &[u32] {
        self.predecessors.row(node)
    }

    /// Puts every node after all it waits on, and the lowest first where there is a choice.
    pub fn order(&self) -> Result<Vec<u32>, Cycle> {
        let ends = self.predecessors.offsets.windows(2);
        let mut waits: Vec<u32> = ends.map(|row| row[1] - row[0]).collect();
        let mut ready: BinaryHeap<Reverse<u32>> =
            (0..self.nodes()).filter(|&n| waits[at(n)] == 0).map(Reverse).collect();
        let mut order = Vec::with_capacity(waits.len());
        while let Some(Reverse(node)) = ready.pop() {
            order.push(node);
            for &next in self.successors(node) {
                waits[at(next)] -= 1;
                if waits[at(next)] == 0 {
                    ready.push(Reverse(next));
                }
            }
        }
        if order.len() == waits.len() { Ok(order) } else { Err(self.cycle_among(&waits)) }
    }

    /// Finds the shortest path that an edge from `from` to `to` would make a cycle of.
    ///
    /// It leads from `to` to `from`, both included, and is that one node if they are the same.
    pub fn would_close(&self, from: u32, to: u32) -> Option<Vec<u32>> {
        let mut search = Search::new(&self.successors, to);
        while let Some(node) = search.visit() {
            if node == from {
                return Some(search.path_to(node));
            }
        }
        None
    }

    /// Lists all that `node` waits on, directly or not, nearest first.
    pub fn ancestors(&self, node: u32) -> Vec<u32> {
        Search::new(&self.predecessors, node).reachable()
    }

    /// Lists all that waits on `node`, directly or not, nearest first.
    pub fn descendants(&self, node: u32) -> Vec<u32> {
        Search::new(&self.successors, node).reachable()
    }

    /// Finds a cycle among the nodes that still wait when all others are done.
    fn cycle_among(&self, waits: &[u32]) -> Cycle {
        let start = self.node_on_cycle(waits);
        let mut search = Search::new(&self.successors, start);
        let mut path = vec![start];
        while let Some(node) = search.visit() {
            if self.successors(node).binary_search(&start).is_ok() {
                path = search.path_to(node);
                break;
            }
        }
        self.tightest(&path)
    }

    /// Goes backwards until a node comes up again: whatever still waits, waits on such another.
    fn node_on_cycle(&self, waits: &[u32]) -> u32 {
        let waiting = |node: &u32| waits[at(*node)] > 0;
        let mut seen = vec![false; waits.len()];
        let mut node = (0..self.nodes()).find(waiting).unwrap_or(0);
        while !seen[at(node)] {
            seen[at(node)] = true;
            node = self.predecessors(node).iter().copied().find(waiting).unwrap_or(node);
        }
        node
    }

    /// Cuts a closed path down to the shortest cycle that one of its nodes' edges makes of it.
    fn tightest(&self, path: &[u32]) -> Cycle {
        let mut position = vec![usize::MAX; at(self.nodes())];
        for (index, &node) in path.iter().enumerate() {
            position[at(node)] = index;
        }
        let back_edges = path.iter().enumerate().flat_map(|(end, &node)| {
            let starts = self.successors(node).iter().map(|&next| position[at(next)]);
            starts.filter(move |&start| start <= end).map(move |start| (end - start, start))
        });
        let (length, start) = back_edges.min().unwrap_or((path.len() - 1, 0));
        let mut cycle = path[start..=start + length].to_vec();
        let lowest = (0..cycle.len()).min_by_key(|&index| cycle[index]).unwrap_or(0);
        cycle.rotate_left(lowest);
        Cycle(cycle)
    }
}

/// The neighbours of every node: those of `n` are `neighbours[offsets[n]..offsets[n + 1]]`.
#[derive(Clone, Debug)]
struct Adjacency {
    offsets: Vec<u32>,
    neighbours: Vec<u32>,
}

impl Adjacency {
    /// Sorts edges by where they start, and otherwise keeps their order.
    fn new(nodes: u32, edges: impl Iterator<Item = (u32, u32)> + Clone) -> Self {
        let mut offsets = vec![0; at(nodes) + 1];
        let mut neighbours = Vec::new();
        edges.clone().for_each(|(from, _)| offsets[at(from) + 1] += 1);
        for node in 0..at(nodes) {
            offsets[node + 1] += offsets[node];
        }
        neighbours.resize(at(offsets[at(nodes)]), 0);
        let mut free = offsets.clone();
        edges.for_each(|(from, to)| {
            neighbours[at(free[at(from)])] = to;
            free[at(from)] += 1;
        });
        Self { offsets, neighbours }
    }

    fn nodes(&self) -> u32 {
        // Built from a `u32`, so it fits.
        u32::try_from(self.offsets.len() - 1).unwrap_or(u32::MAX)
    }

    fn row(&self, node: u32) -> &[u32] {
        let node = at(node);
        &self.neighbours[at(self.offsets[node])..at(self.offsets[node + 1])]
    }

    fn reversed(&self) -> Self {
        let row = |from| self.row(from).iter().map(move |&to| (to, from));
        Self::new(self.nodes(), (0..self.nodes()).flat_map(row))
    }

    /// Keeps one of each neighbour; rows have to be sorted.
    fn without_duplicates(mut self) -> Self {
        let (mut start, mut kept) = (0, 0);
        for offset in &mut self.offsets[1..] {
            let row = kept;
            for index in start..at(*offset) {
                let neighbour = self.neighbours[index];
                if kept == row || self.neighbours[at(kept) - 1] != neighbour {
                    self.neighbours[at(kept)] = neighbour;
                    kept += 1;
                }
            }
            start = at(*offset);
            *offset = kept;
        }
        self.neighbours.truncate(at(kept));
        self
    }
}

/// A breadth-first search, which comes to every node by a shortest path.
struct Search<'a> {
    edges: &'a Adjacency,
    came_from: Vec<u32>,
    found: Vec<u32>,
    visited: usize,
}

impl<'a> Search<'a> {
    fn new(edges: &'a Adjacency, start: u32) -> Self {
        let mut came_from = vec![UNSEEN; at(edges.nodes())];
        came_from[at(start)] = start;
        Self { edges, came_from, found: vec![start], visited: 0 }
    }

    /// Goes on to the next nearest node, the start being the first.
    fn visit(&mut self) -> Option<u32> {
        let node = *self.found.get(self.visited)?;
        self.visited += 1;
        for &next in self.edges.row(node) {
            if self.came_from[at(next)] == UNSEEN {
                self.came_from[at(next)] = node;
                self.found.push(next);
            }
        }
        Some(node)
    }

    fn reachable(mut self) -> Vec<u32> {
        while self.visit().is_some() {}
        self.found.split_off(1)
    }

    fn path_to(&self, mut node: u32) -> Vec<u32> {
        let mut path = vec![node];
        while self.came_from[at(node)] != node {
            node = self.came_from[at(node)];
            path.push(node);
        }
        path.reverse();
        path
    }
}

fn at(node: u32) -> usize {
    node as usize
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn cycle(nodes: u32, edges: &[(u32, u32)]) -> Vec<u32> {
        Dag::new(nodes, edges).order().unwrap_err().0
    }

    #[test]
    fn order_respects_edges_and_prefers_the_lowest() {
        for (nodes, edges, order) in [
            (0, vec![], vec![]),
            (3, vec![], vec![0, 1, 2]),
            (3, vec![(2, 0)], vec![1, 2, 0]),
            (4, vec![(3, 2), (2, 1), (1, 0)], vec![3, 2, 1, 0]),
            (5, vec![(4, 0), (1, 0), (1, 3), (3, 2)], vec![1, 3, 2, 4, 0]),
            (3, vec![(0, 1), (0, 1), (1, 2), (0, 1)], vec![0, 1, 2]),
        ] {
            assert_eq!(Dag::new(nodes, &edges).order(), Ok(order), "{edges:?}");
        }
    }

    #[test]
    fn neighbours_are_sorted_and_stand_there_once() {
        let dag = Dag::new(4, &[(0, 3), (0, 1), (0, 3), (2, 3), (0, 1)]);
        assert_eq!(dag.nodes(), 4);
        assert_eq!(dag.successors(0), [1, 3]);
        assert_eq!(dag.predecessors(3), [0, 2]);
        assert!(dag.successors(1).is_empty());
        assert!(dag.predecessors(0).is_empty());
    }

    #[test]
    fn a_cycle_is_told_in_the_order_of_waiting() {
        for (nodes, edges, told) in [
            (1, vec![(0, 0)], vec![0]),
            (2, vec![(1, 0), (0, 1)], vec![0, 1]),
            (4, vec![(3, 2), (2, 1), (1, 3), (3, 0)], vec![1, 3, 2]),
            // What waits on a cycle, or leads into one, is no part of it.
            (5, vec![(0, 1), (1, 2), (2, 1), (2, 3), (3, 4)], vec![1, 2]),
            // The long way round 0..6 is there too, but two nodes say it all.
            (6, vec![(0, 1), (1, 2), (2, 3), (3, 4), (4, 5), (5, 0), (4, 3)], vec![3, 4]),
            (3, vec![(0, 1), (1, 2), (2, 0), (1, 1)], vec![1]),
        ] {
            assert_eq!(cycle(nodes, &edges), told, "{edges:?}");
        }
    }

    #[test]
    fn a_new_edge_is_judged_before_it_is_added() {
        let dag = Dag::new(5, &[(0, 1), (1, 2), (2, 3), (0, 2)]);
        assert_eq!(dag.would_close(3, 0), Some(vec![0, 2, 3]));
        assert_eq!(dag.would_close(1, 0), Some(vec![0, 1]));
        assert_eq!(dag.would_close(2, 2), Some(vec![2]));
        assert_eq!(dag.would_close(0, 3), None);
        assert_eq!(dag.would_close(4, 0), None);
    }

    #[test]
    fn reach_is_listed_nearest_first() {
        let dag = Dag::new(6, &[(5, 0), (5, 3), (0, 1), (1, 2), (3, 2)]);
        assert_eq!(dag.descendants(5), [0, 3, 1, 2]);
        assert_eq!(dag.ancestors(2), [1, 3, 0, 5]);
        assert!(dag.descendants(4).is_empty());
        let round = Dag::new(2, &[(0, 1), (1, 0)]);
        assert_eq!(round.descendants(0), [1]);
    }

    #[test]
    fn a_chain_may_be_very_long() {
        let nodes = 100_000;
        let mut edges: Vec<_> = (1..nodes).map(|n| (n, n - 1)).collect();
        let dag = Dag::new(nodes, &edges);
        assert_eq!(dag.order(), Ok((0..nodes).rev().collect()));
        assert_eq!(dag.descendants(nodes - 1).len(), at(nodes) - 1);
        assert_eq!(dag.would_close(0, nodes - 1).unwrap().len(), at(nodes));
        edges.push((0, nodes - 1));
        assert_eq!(cycle(nodes, &edges).len(), at(nodes));
    }

    fn graph() -> impl Strategy<Value = (u32, Vec<(u32, u32)>)> {
        (1..12_u32).prop_flat_map(|nodes| {
            (Just(nodes), prop::collection::vec((0..nodes, 0..nodes), 0..24))
        })
    }

    /// Whether each node reaches each other, over at least one edge.
    fn closure(nodes: u32, edges: &[(u32, u32)]) -> Vec<Vec<bool>> {
        let n = at(nodes);
        let mut reach = vec![vec![false; n]; n];
        for &(from, to) in edges {
            reach[at(from)][at(to)] = true;
        }
        for via in 0..n {
            for from in 0..n {
                for to in 0..n {
                    reach[from][to] |= reach[from][via] && reach[via][to];
                }
            }
        }
        reach
    }

    /// Takes the lowest ready node again and again, looking at every edge each time.
    fn order_by_searching(nodes: u32, edges: &[(u32, u32)]) -> Vec<u32> {
        let mut order = Vec::new();
        let ready = |order: &[u32], node: &u32| {
            let waits = |&(from, to): &(u32, u32)| to == *node && !order.contains(&from);
            !order.contains(node) && !edges.iter().any(waits)
        };
        while let Some(node) = (0..nodes).find(|node| ready(&order, node)) {
            order.push(node);
        }
        order
    }

    proptest! {
        #[test]
        fn order_or_cycle_agrees_with_searching((nodes, edges) in graph()) {
            let naive = order_by_searching(nodes, &edges);
            match Dag::new(nodes, &edges).order() {
                Ok(order) => prop_assert_eq!(order, naive),
                Err(_) => prop_assert!(naive.len() < at(nodes)),
            }
        }

        #[test]
        fn a_cycle_is_closed_by_real_edges_and_has_no_short_cut((nodes, edges) in graph()) {
            let Err(Cycle(cycle)) = Dag::new(nodes, &edges).order() else { return Ok(()) };
            let distinct: BTreeSet<_> = cycle.iter().collect();
            prop_assert_eq!(distinct.len(), cycle.len());
            prop_assert_eq!(cycle.first(), cycle.iter().min());
            for (index, &from) in cycle.iter().enumerate() {
                let next = cycle[(index + 1) % cycle.len()];
                for &to in &cycle {
                    prop_assert_eq!(edges.contains(&(from, to)), to == next);
                }
            }
        }

        #[test]
        fn nothing_depends_on_how_edges_are_written((nodes, edges) in graph()) {
            let mut other: Vec<_> = edges.iter().rev().copied().collect();
            other.extend(&edges);
            prop_assert_eq!(Dag::new(nodes, &edges).order(), Dag::new(nodes, &other).order());
        }

        #[test]
        fn neighbours_are_the_edges((nodes, edges) in graph()) {
            let dag = Dag::new(nodes, &edges);
            let wanted: BTreeSet<_> = edges.into_iter().collect();
            let pairs = |n| dag.successors(n).iter().map(move |&to| (n, to));
            prop_assert!((0..nodes).flat_map(pairs).eq(wanted.iter().copied()));
            let pairs = |n| dag.predecessors(n).iter().map(move |&from| (from, n));
            prop_assert_eq!((0..nodes).flat_map(pairs).collect::<BTreeSet<_>>(), wanted);
        }

        #[test]
        fn reach_agrees_with_the_closure((nodes, edges) in graph(), node: prop::sample::Index) {
            let node = u32::try_from(node.index(at(nodes))).unwrap();
            let (dag, reach) = (Dag::new(nodes, &edges), closure(nodes, &edges));
            let others = || (0..nodes).filter(|&n| n != node);
            let down = others().filter(|&n| reach[at(node)][at(n)]).collect::<BTreeSet<_>>();
            let up = others().filter(|&n| reach[at(n)][at(node)]).collect::<BTreeSet<_>>();
            prop_assert_eq!(dag.descendants(node).into_iter().collect::<BTreeSet<_>>(), down);
            prop_assert_eq!(dag.ancestors(node).into_iter().collect::<BTreeSet<_>>(), up);
        }

        #[test]
        fn an_edge_closes_a_cycle_exactly_if_there_is_a_way_back(
            (nodes, edges) in graph(), from: prop::sample::Index, to: prop::sample::Index,
        ) {
            let [from, to] = [from, to].map(|i| u32::try_from(i.index(at(nodes))).unwrap());
            let path = Dag::new(nodes, &edges).would_close(from, to);
            let back = from == to || closure(nodes, &edges)[at(to)][at(from)];
            prop_assert_eq!(path.is_some(), back);
            let Some(path) = path else { return Ok(()) };
            prop_assert_eq!((path.first(), path.last()), (Some(&to), Some(&from)));
            for step in path.windows(2) {
                prop_assert!(edges.contains(&(step[0], step[1])));
            }
        }
    }
}
