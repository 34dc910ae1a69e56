//! Where the boxes of a graph stand: layers from what waits for nothing to what waits for most,
//! and in each an order with few crossings.

use schemars::JsonSchema;
use serde::Serialize;

/// How often the layers are put in order by their neighbours; more changes next to nothing.
const ROUNDS: usize = 6;

/// A place in a layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Slot {
    /// The box of a node, by its number.
    Node(usize),
    /// An edge, by its number, on its way to a layer further on.
    Passage(usize),
}

/// Numbers of nodes in an order in which each stands after all that it waits for, and close to
/// them. Where there is a cycle, one edge of it runs back.
pub(super) fn order(nodes: usize, edges: &[(usize, usize)]) -> Vec<usize> {
    let mut waits = vec![0_usize; nodes];
    edges.iter().for_each(|(_, to)| waits[*to] += 1);
    let mut placed = vec![false; nodes];
    let mut ready: Vec<usize> = (0..nodes).rev().filter(|node| waits[*node] == 0).collect();
    let mut order = Vec::with_capacity(nodes);
    while order.len() < nodes {
        // Nothing is ready in a cycle: the first of those left begins it.
        let next = ready.pop().or_else(|| (0..nodes).find(|node| !placed[*node]));
        let Some(node) = next else { break };
        if std::mem::replace(&mut placed[node], true) {
            continue;
        }
        order.push(node);
        let mut unlocked = Vec::new();
        for (_, to) in edges.iter().filter(|(from, _)| *from == node) {
            waits[*to] = waits[*to].saturating_sub(1);
            if waits[*to] == 0 {
                unlocked.push(*to);
            }
        }
        unlocked.sort_unstable_by(|one, other| other.cmp(one));
        ready.extend(unlocked);
    }
    order
}

/// The layers of the nodes that have edges, for nodes numbered in the order of [`order`].
pub(super) fn layers(nodes: usize, edges: &[(usize, usize)]) -> Vec<Vec<Slot>> {
    let depth = depths(nodes, edges);
    let count = depth.iter().flatten().max().map_or(0, |deepest| deepest + 1);
    let mut layers: Vec<Vec<Slot>> = vec![Vec::new(); count];
    for (node, depth) in depth.iter().enumerate() {
        if let Some(depth) = depth {
            layers[*depth].push(Slot::Node(node));
        }
    }
    for (edge, (from, to)) in edges.iter().enumerate() {
        if let (Some(from), Some(to)) = (depth[*from], depth[*to]) {
            (from + 1..to).for_each(|between| layers[between].push(Slot::Passage(edge)));
        }
    }
    for round in 0..ROUNDS {
        let down = round % 2 == 0;
        for step in 1..layers.len() {
            let (here, there) =
                if down { (step, step - 1) } else { (count - 1 - step, count - step) };
            let fixed = layers[there].clone();
            sort_by_neighbours(&mut layers[here], &fixed, edges, down);
        }
    }
    layers
}

/// The longest way to each node; none for a node without edges. What waits for nothing stands
/// just before the first that waits for it.
fn depths(nodes: usize, edges: &[(usize, usize)]) -> Vec<Option<usize>> {
    let mut depth: Vec<Option<usize>> = vec![None; nodes];
    for (from, to) in edges {
        depth[*from] = Some(0);
        depth[*to] = Some(0);
    }
    for node in 0..nodes {
        let before = edges.iter().filter(|(from, to)| *to == node && from < to);
        let deepest = before.filter_map(|(from, _)| depth[*from]).max();
        if let Some(deepest) = deepest {
            depth[node] = Some(deepest + 1);
        }
    }
    for node in 0..nodes {
        let waits = edges.iter().any(|(_, to)| *to == node);
        let after = edges.iter().filter(|(from, _)| *from == node);
        let nearest = after.filter_map(|(_, to)| depth[*to]).min();
        if let Some(nearest) = nearest.filter(|_| !waits) {
            depth[node] = Some(nearest.saturating_sub(1));
        }
    }
    depth
}

/// Each moves to the middle of what it is joined to in the layer beside.
fn sort_by_neighbours(
    layer: &mut [Slot],
    beside: &[Slot],
    edges: &[(usize, usize)],
    beside_is_before: bool,
) {
    // Passages of an edge join each other, and its nodes.
    let joined = |one: Slot, other: Slot| {
        let (before, after) = if beside_is_before { (other, one) } else { (one, other) };
        match (before, after) {
            (Slot::Node(from), Slot::Node(to)) => edges.contains(&(from, to)),
            (Slot::Node(from), Slot::Passage(edge)) => edges[edge].0 == from,
            (Slot::Passage(edge), Slot::Node(to)) => edges[edge].1 == to,
            (Slot::Passage(one), Slot::Passage(other)) => one == other,
        }
    };
    // A fine scale, so that a middle between two places is not lost.
    let scale = 1000;
    let mut keyed: Vec<(usize, Slot)> = Vec::with_capacity(layer.len());
    for (place, slot) in layer.iter().enumerate() {
        let neighbours = beside.iter().enumerate().filter(|(_, other)| joined(*slot, **other));
        let (sum, count) = neighbours.fold((0, 0), |(sum, count), (at, _)| (sum + at, count + 1));
        keyed.push(((sum * scale).checked_div(count).unwrap_or(place * scale), *slot));
    }
    keyed.sort_by_key(|(key, _)| *key);
    layer.iter_mut().zip(keyed).for_each(|(slot, (_, sorted))| *slot = sorted);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_chain_stays_together() {
        assert_eq!(order(5, &[(0, 3), (3, 4), (1, 2)]), [0, 3, 4, 1, 2]);
    }

    #[test]
    fn a_long_edge_passes_the_layers_between() {
        let slots = layers(4, &[(0, 1), (1, 2), (0, 2)]);
        assert_eq!(slots[0], [Slot::Node(0)]);
        assert_eq!((slots[1].len(), slots.len()), (2, 3), "{slots:?}");
        assert!(slots[1].contains(&Slot::Passage(2)));
    }

    #[test]
    fn what_waits_for_nothing_stands_before_what_waits_for_it() {
        let slots = layers(4, &[(0, 1), (1, 3), (2, 3)]);
        assert!(slots[1].contains(&Slot::Node(2)), "{slots:?}");
    }

    proptest! {
        #[test]
        fn every_node_stands_once_and_after_what_it_waits_for(
            edges in prop::collection::vec((0..9_usize, 0..9_usize), 0..20),
        ) {
            let forward: Vec<_> = edges.iter().copied().filter(|(from, to)| from < to).collect();
            let placed = order(9, &edges);
            let mut sorted = placed.clone();
            sorted.sort_unstable();
            prop_assert_eq!(sorted, (0..9).collect::<Vec<_>>(), "a cycle loses nobody");
            let placed = order(9, &forward);
            let at = |node: usize| placed.iter().position(|other| *other == node);
            for (from, to) in &forward {
                prop_assert!(at(*from) < at(*to));
            }
            let slots = layers(9, &forward);
            let layer = |node: usize| slots.iter().position(|l| l.contains(&Slot::Node(node)));
            for (edge, (from, to)) in forward.iter().enumerate() {
                let (from, to) = (layer(*from).unwrap(), layer(*to).unwrap());
                prop_assert!(from < to);
                let passages = slots.iter().filter(|l| l.contains(&Slot::Passage(edge))).count();
                prop_assert_eq!(passages, to - from - 1);
            }
        }
    }
}
