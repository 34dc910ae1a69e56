//! The typed graph at its promised size, without a store: 100,000 tasks with 300,000 edges.

use std::hint::black_box;
use std::time::Instant;

use jiff::civil::date;
use milestone_domain::dependencies::Dependencies;
use milestone_domain::snapshot::{Outline, Snapshot};

use crate::generate;
use crate::measure::{Times, milliseconds};
use crate::report::{Row, Target};
use crate::{Options, Result};

const TASKS: usize = 100_000;

pub fn measure(options: &Options) -> Result<Row> {
    let mut snapshot = Snapshot::default();
    for document in generate::documents(TASKS, 7) {
        snapshot.outlines.insert(document.id, Outline::of(&document));
    }
    let mut times = Times::default();
    for _ in 0..options.runs {
        let started = Instant::now();
        let graph = Dependencies::of(&snapshot);
        let plan =
            graph.plan(&snapshot, date(2026, 1, 1)).ok_or("the generated graph has a cycle")?;
        black_box(plan.critical_path());
        times.push(milliseconds(started));
    }
    let row = Row::new("graph: validate, order, critical path", "–", TASKS, times.median());
    Ok(row.held_to(Target::Milliseconds(150.0)))
}
