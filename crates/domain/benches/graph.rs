//! Measures the promise that a graph of 100,000 tasks with 300,000 edges validates, orders and
//! yields its critical path in 150 ms.
//!
//! The floor is measured in the same run, because only the ratio holds on other machines: one pass
//! over the edges that counts them at both ends, which anything that looks at a graph has to do.

#![expect(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::print_stdout,
    reason = "the figures are the output of a benchmark"
)]

use std::hint::black_box;
use std::time::{Duration, Instant};

use milestone_domain::graph::{Cycle, Dag};
use milestone_domain::schedule::{Schedule, downstream};

const NODES: u32 = 100_000;
const EDGES: usize = 300_000;
const RUNS: usize = 15;

/// One graph with its tasks, as the store would hand it over.
struct Input {
    edges: Vec<(u32, u32)>,
    durations: Vec<u32>,
    earliest: Vec<u64>,
}

/// What each run took, step by step.
#[derive(Default)]
struct Taken {
    floor: Vec<Duration>,
    build: Vec<Duration>,
    order: Vec<Duration>,
    schedule: Vec<Duration>,
    downstream: Vec<Duration>,
    all: Vec<Duration>,
}

fn main() {
    let input = Input::generate();
    let mut taken = Taken::default();
    for _ in 0..RUNS {
        timed(&mut taken.floor, || black_box(floor(&input)));
        if let Err(Cycle(path)) = measure(&input, &mut taken) {
            println!("the generated graph has a cycle: {path:?}");
            return;
        }
    }
    let (all, floor) = (median(taken.all), median(taken.floor));
    println!("graph of {NODES} nodes and {EDGES} edges, median of {RUNS} runs in ms");
    println!("build       {:8.2}", median(taken.build));
    println!("order       {:8.2}", median(taken.order));
    println!("schedule    {:8.2}", median(taken.schedule));
    println!("downstream  {:8.2}", median(taken.downstream));
    println!("all         {all:8.2}");
    println!("floor       {floor:8.2}");
    println!("ratio       {:8.1}", all / floor);
}

fn measure(input: &Input, taken: &mut Taken) -> Result<(), Cycle> {
    let start = Instant::now();
    let dag = timed(&mut taken.build, || Dag::new(NODES, &input.edges));
    let order = timed(&mut taken.order, || dag.order())?;
    let schedule = timed(&mut taken.schedule, || {
        Schedule::new(&dag, &order, &input.durations, &input.earliest)
    });
    let ranks = timed(&mut taken.downstream, || downstream(&dag, &order, &input.durations));
    taken.all.push(start.elapsed());
    black_box((schedule.critical(), ranks));
    Ok(())
}

fn floor(input: &Input) -> Vec<u32> {
    let mut degrees = vec![0; input.durations.len()];
    for &(from, to) in &input.edges {
        degrees[from as usize] += 1;
        degrees[to as usize] += 1;
    }
    degrees
}

fn timed<T>(taken: &mut Vec<Duration>, work: impl FnOnce() -> T) -> T {
    let start = Instant::now();
    let result = work();
    taken.push(start.elapsed());
    result
}

fn median(mut taken: Vec<Duration>) -> f64 {
    taken.sort_unstable();
    taken[taken.len() / 2].as_secs_f64() * 1000.0
}

impl Input {
    /// Draws edges between random nodes, from the lower to the higher in a shuffled numbering, so
    /// that neither numbers nor memory follow the order that is to be found.
    fn generate() -> Self {
        let mut random = Xorshift(0x9e37_79b9_7f4a_7c15);
        let mut names: Vec<u32> = (0..NODES).collect();
        for last in (1..NODES).rev() {
            names.swap(last as usize, random.below(last + 1) as usize);
        }
        let mut edges = Vec::with_capacity(EDGES);
        while edges.len() < EDGES {
            let (a, b) = (random.below(NODES), random.below(NODES));
            if a != b {
                edges.push((names[a.min(b) as usize], names[a.max(b) as usize]));
            }
        }
        let durations = names.iter().map(|_| 30 + random.below(4770)).collect();
        let earliest = names.iter().map(|_| u64::from(random.below(10_000))).collect();
        Self { edges, durations, earliest }
    }
}

/// The smallest generator that will do; its seed makes every run the same.
struct Xorshift(u64);

impl Xorshift {
    fn below(&mut self, end: u32) -> u32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        // A remainder of a `u32` always fits.
        u32::try_from(self.0 % u64::from(end)).unwrap_or_default()
    }
}
