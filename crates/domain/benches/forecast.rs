//! Judges forecasts by replaying generated histories, and measures the promise that 10,000 trials
//! of 1,000 tasks take 100 ms on one core.

#![expect(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::print_stdout,
    reason = "the figures are the output of a benchmark"
)]
#![expect(clippy::unwrap_used, reason = "a history that cannot be made has failed")]

#[path = "../tests/forecast/history.rs"]
mod history;
#[path = "../tests/forecast/replay.rs"]
mod replay;

use std::hint::black_box;
use std::time::Instant;

use jiff::civil::date;
use milestone_domain::dice::Dice;
use milestone_domain::document::{Milestone, Task};
use milestone_domain::effort::{Effort, Estimate, ThreePoint};
use milestone_domain::forecast::{Question, forecast};
use milestone_domain::ids::{MilestoneId, Reference};
use milestone_domain::snapshot::{Outline, Snapshot};

use history::{TEAMS, moment};
use replay::{Score, Scored, replay};

const SCORED_TASKS: u32 = 2_500;
const SEEDS: std::ops::Range<u64> = 1..4;
const RUNS: usize = 15;

/// Both, or the one that is named: `-- replay` or `-- time`.
fn main() {
    let named: Vec<String> = std::env::args().collect();
    let wanted = |part: &str, other: &str| {
        named.iter().any(|name| name == part) || !named.iter().any(|name| name == other)
    };
    if wanted("replay", "time") {
        judge();
    }
    if wanted("time", "replay") {
        measure();
    }
}

fn judge() {
    println!("Forecasts judged by replay: {SCORED_TASKS} tasks a history after a warm-up,");
    println!("three histories a team. Error: median of |ln(real / said)|.\n");
    println!(
        "{:<10}{:<22}{:>7}{:>7}{:>7}{:>7}{:>10}{:>8}{:>8}{:>8}",
        "team", "what", "count", "P50 %", "P80 %", "P95 %", "forecast", "stands", "mean", "ratio"
    );
    for team in TEAMS {
        let mut score = Score::default();
        SEEDS.for_each(|seed| score.add(replay(&team, SCORED_TASKS, 1_000, seed)));
        show(team.name, "tasks", &score.tasks);
        show("", "milestones, begun", &score.begun);
        show("", "  as dates", &score.dates);
        show("", "milestones, half way", &score.half_way);
    }
}

fn show(team: &str, what: &str, scored: &Scored) {
    let [p50, p80, p95] = scored.coverage();
    let errors = scored.errors();
    let figure = |error: f64| if error.is_nan() { String::new() } else { format!("{error:.3}") };
    println!(
        "{team:<10}{what:<22}{:>7}{p50:>7.1}{p80:>7.1}{p95:>7.1}{:>10}{:>8}{:>8}{:>8}",
        scored.count,
        figure(errors.forecast),
        figure(errors.as_it_stands),
        figure(errors.mean_of_past),
        figure(errors.mean_ratio),
    );
}

fn measure() {
    let snapshot = thousand_tasks();
    println!(
        "\n1,000 tasks in 40 milestones with 2,000 edges, in ms: median and fastest of {RUNS} runs"
    );
    for (workers, trials) in [(1, 10_000), (4, 10_000), (16, 10_000), (4, 2_000)] {
        let question = Question { workers: Some(workers), trials, ..Question::default() };
        let mut taken: Vec<f64> = (0..RUNS)
            .map(|_| {
                let start = Instant::now();
                let answer = forecast(&snapshot, &question, moment(0, 9), date(2020, 1, 6));
                black_box(answer);
                start.elapsed().as_secs_f64() * 1000.0
            })
            .collect();
        taken.sort_by(f64::total_cmp);
        let (median, fastest) = (taken[RUNS / 2], taken[0]);
        println!("{trials:>6} trials, {workers:>2} workers {median:8.1} {fastest:8.1}");
    }
}

fn thousand_tasks() -> Snapshot {
    let mut dice = Dice::new(7);
    let mut snapshot = Snapshot::default();
    for number in 1..=40 {
        let mut milestone = Milestone::new(MilestoneId(number), "Generated");
        for task in 1..=25 {
            let mut new = Task::new(task, "Generated");
            new.requires = (0..2)
                .filter(|_| task > 1)
                .map(|_| Reference::Own(1 + dice.count(task - 1)))
                .collect();
            let likely = 60 * (1 + dice.count(24));
            let points = [likely / 2, likely, likely * 3].map(Effort::from_minutes);
            let points = ThreePoint::new(points[0], points[1], points[2]);
            new.estimate = points.ok().map(Estimate::ThreePoint);
            milestone.tasks.push(new);
        }
        if number > 1 && dice.percent(50) {
            let required = MilestoneId(1 + dice.count(number - 1));
            milestone.dependencies.requires.push(Reference::Milestone(required));
        }
        snapshot.outlines.insert(milestone.id, Outline::of(&milestone));
    }
    snapshot
}
