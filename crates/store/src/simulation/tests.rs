//! The team under many seeds, and histories that the checker must not believe.

use milestone_domain::document::{Milestone, Task};
use milestone_domain::event::{AttemptId, ChangeId, EVENT_VERSION, Event, Recorded, Stream};
use milestone_domain::ids::{MilestoneId, Reference, TaskId, TaskName};
use milestone_domain::status::TaskStatus;
use uuid::Uuid;

use super::checker::{Lease, Leases, check, unfinished};
use super::{LEASE, run};
use crate::conformance::full;

const M1: MilestoneId = MilestoneId(1);

/// Why a seed's run is wrong, if it is.
pub fn wrong(seed: u64) -> Option<String> {
    let run = run(seed).unwrap();
    if let Err(broken) = check(&run.history, &run.leases) {
        return Some(format!("{}: {}", broken.event, broken.promise));
    }
    let open = unfinished(&run.history);
    (!run.finished || !open.is_empty()).then(|| format!("left open: {open:?}"))
}

#[test]
fn the_protocol_holds_for_every_seed() {
    let one = std::env::var("MILESTONE_SEED").ok().and_then(|seed| seed.parse::<u64>().ok());
    let seeds = match one {
        Some(seed) => seed..seed + 1,
        None => 0..if full() { 20_000 } else { 500 },
    };
    for seed in seeds {
        if let Some(why) = wrong(seed) {
            panic!("{why}\nto repeat it: MILESTONE_SEED={seed}");
        }
    }
}

#[test]
fn a_seed_always_makes_the_same_history() {
    for seed in 0..5 {
        assert_eq!(run(seed).unwrap().history, run(seed).unwrap().history);
    }
}

/// What the storm is to bring about comes up: a simulator in which nothing happens proves nothing.
#[test]
fn the_storm_is_one() {
    let (mut taken_over, mut released, mut failed, mut reopened) = (0, 0, 0, 0);
    for seed in 0..50 {
        let run = run(seed).unwrap();
        for recorded in &run.history {
            match &recorded.event {
                Event::TaskClaimed { from: TaskStatus::InProgress, .. } => taken_over += 1,
                Event::TaskReleased { .. } => released += 1,
                Event::TaskStatusChanged { to: TaskStatus::Failed, .. } => failed += 1,
                Event::TaskStatusChanged { from: TaskStatus::Completed, .. } => reopened += 1,
                _ => {}
            }
        }
    }
    println!("{taken_over} taken over, {released} released, {failed} failed, {reopened} reopened");
    assert!(taken_over > 10 && released > 10 && failed > 10 && reopened > 10);
}

/// A history by hand: the second task requires the first; every event is a minute after the last.
struct Story {
    history: Vec<Recorded>,
    leases: Leases,
    now: u64,
}

impl Story {
    fn new() -> Self {
        let mut document = Milestone::new(M1, "Work");
        document.tasks = vec![Task::new(1, "First"), Task::new(2, "Second")];
        document.tasks[1].requires = vec![Reference::Own(1)];
        let story = Self { history: Vec::new(), leases: Leases::default(), now: 0 };
        story.by("ada", Event::MilestoneCreated { document: document.tree() })
    }

    fn by(mut self, actor: &str, event: Event) -> Self {
        let change = ChangeId(Uuid::from_u128(self.history.len() as u128));
        self.now += LEASE;
        self.leases.granted.insert(change, self.now);
        self.history.push(Recorded {
            v: EVENT_VERSION,
            id: change.event(0),
            at: jiff::Timestamp::UNIX_EPOCH,
            by: actor.to_owned(),
            noticed: false,
            stream: Stream::Milestone(M1),
            refers: std::collections::BTreeMap::new(),
            event,
        });
        self
    }

    fn claimed(self, actor: &str, from: TaskStatus, fence: u64) -> Self {
        let (task, attempt) = (TaskName::new(1), AttemptId(Uuid::from_u128(fence.into())));
        let lease_seconds = LEASE / 1000;
        self.by(actor, Event::TaskClaimed { task, from, attempt, fence, lease_seconds })
    }

    fn moved(self, from: TaskStatus, to: TaskStatus, fence: Option<u64>) -> Self {
        self.task_moved(1, from, to, fence)
    }

    fn task_moved(self, number: u32, from: TaskStatus, to: TaskStatus, fence: Option<u64>) -> Self {
        let task = TaskName::new(number);
        self.by("ada", Event::TaskStatusChanged { task, from, to, reason: None, fence })
    }

    fn noted(self, actor: &str) -> Self {
        self.by(actor, Event::TaskNoted { task: TaskName::new(1), text: "still here".into() })
    }

    fn progressed(self, actor: &str, percent: u32) -> Self {
        self.by(actor, Event::TaskProgressed { task: TaskName::new(1), percent })
    }

    fn renewed(mut self, fence: u64) -> Self {
        let (from, until) = (self.now, self.now + 10 * LEASE);
        self.leases.renewed.push(Lease { task: TaskId::new(M1, 1), fence, from, until });
        self
    }

    fn verdict(&self) -> &'static str {
        check(&self.history, &self.leases).map_or_else(|broken| broken.promise, |()| "right")
    }
}

#[test]
fn the_checker_believes_what_may_happen() {
    use TaskStatus::{Completed, InProgress, Pending};
    let story = Story::new()
        .claimed("w1", Pending, 1)
        .progressed("w1", 50)
        .claimed("w2", InProgress, 2)
        .renewed(2)
        .noted("w2")
        .moved(InProgress, Completed, Some(2))
        .task_moved(2, Pending, Completed, None)
        .moved(Completed, Pending, None)
        .claimed("w1", Pending, 3)
        .moved(InProgress, Completed, Some(3));
    assert_eq!(story.verdict(), "right");
    assert_eq!(unfinished(&story.history), []);
}

#[test]
fn the_checker_rejects_what_must_not_happen() {
    use TaskStatus::{Completed, InProgress, Pending};
    let claimed = || Story::new().claimed("w1", Pending, 1);
    let taken_over = || claimed().claimed("w2", InProgress, 2);
    let old = "an old fence changes nothing";
    let cases = [
        (claimed().claimed("w2", InProgress, 1), "fences only grow"),
        (claimed().renewed(1).claimed("w2", InProgress, 2), "a live holder is not robbed"),
        (taken_over().moved(InProgress, Completed, Some(1)), old),
        (taken_over().moved(InProgress, Completed, Some(3)), old),
        (taken_over().noted("w1"), "who lost a task is silent about it"),
        (taken_over().progressed("w1", 10), "who lost a task is silent about it"),
        (
            claimed().moved(InProgress, Pending, Some(1)).moved(Pending, Completed, Some(1)),
            "after the end of a claim its fence changes nothing",
        ),
        (
            claimed().renewed(1).moved(InProgress, Completed, None),
            "what is held is changed by its holder only",
        ),
        (
            claimed().moved(InProgress, Completed, Some(1)).moved(Completed, Completed, None),
            "work is completed once",
        ),
        (
            claimed().moved(InProgress, Completed, Some(1)).claimed("w2", Completed, 2),
            "completed work is not claimed",
        ),
        (claimed().moved(Pending, Completed, Some(1)), "an event says what was before it"),
        (Story::new().task_moved(2, Pending, Completed, None), "what is required comes first"),
        (Story::new().task_moved(7, Pending, Completed, None), "only what exists is changed"),
        (Story::new().progressed("ada", 10), "only work in progress progresses"),
        (claimed().progressed("w1", 101), "progress is at most a hundred percent"),
    ];
    for (story, promise) in cases {
        assert_eq!(story.verdict(), promise, "{:#?}", story.history);
    }
    let mut twice = claimed();
    twice.history.push(twice.history[1].clone());
    assert_eq!(twice.verdict(), "an event happens once");
    let mut again = Story::new();
    again.history.push(Recorded { id: ChangeId(Uuid::max()).event(0), ..again.history[0].clone() });
    assert_eq!(again.verdict(), "an id is given once");
    assert_eq!(unfinished(&claimed().history).len(), 2);
}
