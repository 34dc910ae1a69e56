//! Random commands: whatever is asked for, events and documents say the same, in every store.

use std::collections::BTreeMap;

use jiff::tz::TimeZone;
use milestone_domain::apply::{apply, fold};
use milestone_domain::change::difference;
use milestone_domain::command::{Command, Context};
use milestone_domain::document::Milestone;
use milestone_domain::event::{ChangeId, Recorded, Stream};
use milestone_domain::ids::MilestoneId;
use milestone_domain::random::{Dice, command};
use milestone_domain::refusal::Refusal;
use milestone_domain::snapshot::{Claim, Scope, Snapshot};

use super::{Fresh, context_of, full};
use crate::memory::Memory;
use crate::{Error, EventFilter, Project};

const COMMANDS: u32 = 60;

fn seeds(quick: u64) -> std::ops::Range<u64> {
    let one = std::env::var("MILESTONE_SEED").ok().and_then(|seed| seed.parse().ok());
    match one {
        Some(seed) => seed..seed + 1,
        None => 0..if full() { quick * 100 } else { quick },
    }
}

/// Runs a check for every seed, and names the seed of the one that fails.
pub(super) fn each(quick: u64, check: impl Fn(u64)) {
    for seed in seeds(quick) {
        let guard = Named(seed);
        check(seed);
        std::mem::forget(guard);
    }
}

/// Says which seed it was when a check panics.
struct Named(u64);

impl Drop for Named {
    #[expect(clippy::print_stderr, reason = "a failed test says how to repeat it")]
    fn drop(&mut self) {
        eprintln!("to repeat it: MILESTONE_SEED={}", self.0);
    }
}

/// Gives random commands, and hands each with its context to `run`.
pub(super) fn play(seed: u64, reference: &Project, mut run: impl FnMut(&Command, &Context)) {
    let mut dice = Dice::new(seed);
    for step in 0..COMMANDS {
        let snapshot = read(reference);
        let command = command(&mut dice, &snapshot);
        let actor = *dice.pick(&["ada", "ben", "cleo"]).unwrap();
        let change = ChangeId(dice.uuid());
        run(&command, &context_of(change, actor, i64::from(step)));
    }
}

fn read(project: &Project) -> Snapshot {
    project.read(&Scope::All, "ada").unwrap()
}

fn events(project: &Project) -> Vec<Recorded> {
    project.events(None, &EventFilter::default(), usize::MAX).unwrap().events
}

fn of(events: &[Recorded], id: MilestoneId) -> impl Iterator<Item = &Recorded> {
    events.iter().filter(move |recorded| recorded.stream == Stream::Milestone(id))
}

/// The events of every milestone, folded, are its document, after whatever was done to it.
pub fn folding_events_gives_the_documents(fresh: Fresh<'_>) {
    each(10, |seed| {
        let bench = fresh();
        let project = Project::new(bench.open(), TimeZone::UTC);
        play(seed, &project, |command, context| {
            let answer = project.execute_as(command, context);
            assert!(!matches!(answer, Err(Error::Store(_))), "{command:?}: {answer:?}");
        });
        let (events, snapshot) = (events(&project), read(&project));
        for (id, document) in &snapshot.documents {
            let folded = fold(of(&events, *id)).unwrap();
            assert_eq!(difference(&folded.tree(), &document.tree()), [], "{id}");
            assert_eq!(folded.archived, document.archived, "{id}");
        }
    });
}

/// A history that lost events folds into something, too: branches are merged event by event.
pub fn any_part_of_the_events_folds(fresh: Fresh<'_>) {
    each(5, |seed| {
        let bench = fresh();
        let project = Project::new(bench.open(), TimeZone::UTC);
        play(seed, &project, |command, context| {
            let _ = project.execute_as(command, context);
        });
        let events = events(&project);
        let mut dice = Dice::new(seed);
        for id in read(&project).documents.into_keys() {
            let mut state: Option<Milestone> = None;
            for recorded in of(&events, id) {
                state = apply(state, recorded);
                let _ = state.as_ref().map(Milestone::tree);
            }
            for _ in 0..10 {
                let some: Vec<_> = of(&events, id).filter(|_| dice.percent(70)).collect();
                let _ = fold(some).map(|document| document.tree());
            }
        }
    });
}

/// The same commands get the same answers as from the plainest store, and leave the same behind.
pub fn stores_agree(fresh: Fresh<'_>) {
    each(10, |seed| {
        let bench = fresh();
        let ours = Project::new(bench.open(), TimeZone::UTC);
        let plain = Project::new(Box::new(Memory::new()), TimeZone::UTC);
        play(seed, &plain, |command, context| {
            let (one, two) =
                (ours.execute_as(command, context), plain.execute_as(command, context));
            let answer = |outcome: Result<crate::Outcome, Error>| match outcome {
                Ok(outcome) => Ok(outcome.events),
                Err(Error::Refused(refusal)) => Err(without_hints(refusal)),
                Err(Error::Store(error)) => panic!("{command:?}: {error}"),
            };
            let (one, two) = (answer(one), answer(two));
            assert_eq!(one, two, "{command:?}");
            if one.is_ok_and(|events| !events.is_empty()) {
                assert_eq!(said(&read(&ours)), said(&read(&plain)), "{command:?}");
            }
        });
        assert_eq!(events(&ours), events(&plain));
    });
}

/// How near another id is depends on how much was read, and so does who provides what nobody
/// waits for; how long a lease still is depends on the moment.
fn without_hints(refusal: Refusal) -> Refusal {
    match refusal {
        Refusal::Unknown { node, .. } => Refusal::Unknown { node, nearest: None },
        Refusal::Held { task, by, fence, .. } => {
            Refusal::Held { task, by, fence, seconds_left: None }
        }
        Refusal::ConditionProvided { name, .. } => Refusal::ConditionNotSet { name },
        other => other,
    }
}

/// What a reading says, without a store's own words for versions.
fn said(snapshot: &Snapshot) -> impl PartialEq + std::fmt::Debug + use<> {
    let claim = |claim: &Claim| Claim { seconds_left: None, ..claim.clone() };
    let documents: BTreeMap<_, _> =
        snapshot.documents.iter().map(|(id, m)| (*id, m.tree())).collect();
    let claims: Vec<_> = snapshot.claims.values().map(claim).collect();
    (documents, claims, snapshot.conditions.clone(), snapshot.highest, snapshot.archived.clone())
}
