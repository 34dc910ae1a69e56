//! What every store does: the definition of the [`Store`](crate::Store) trait, as tests.
//!
//! A store's crate calls [`conformance!`](crate::conformance) with a name and with something that
//! makes a fresh [`Bench`]; each behaviour below becomes a test of that name.

#![expect(clippy::panic, clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

pub mod claims;
pub mod commits;
pub mod events;
pub mod finding;
pub mod gates;
pub mod offering;
pub mod random;
pub mod reading;

use std::time::Duration;

use jiff::civil::date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use milestone_domain::command::{Command, Context, Credential};
use milestone_domain::decide::decide;
use milestone_domain::document::{Milestone, Task};
use milestone_domain::event::{AttemptId, ChangeId, Recorded};
use milestone_domain::ids::{MilestoneId, Reference, TaskId};
use milestone_domain::needs::needs;
use milestone_domain::refusal::Refusal;
use milestone_domain::snapshot::{Scope, Snapshot};
use milestone_domain::status::TaskStatus;
use uuid::Uuid;

use crate::{Change, Error, EventFilter, Project, Store, StoreError};

/// One project of the store under test, which several processes may open.
pub trait Bench: Sync {
    /// Another handle, as another process would have it.
    fn open(&self) -> Box<dyn Store>;

    /// Lets time pass on the clock that judges leases.
    fn pass(&self, time: Duration);
}

/// Makes a new, empty project.
pub type Fresh<'a> = &'a dyn Fn() -> Box<dyn Bench>;

/// A behaviour of stores, under its name.
pub type Behaviour = (&'static str, fn(Fresh<'_>));

/// Hands every behaviour's module and name to another macro.
#[macro_export]
macro_rules! behaviours {
    ([$($then:tt)*] $($given:tt)*) => {
        $($then)*! { $($given)*
            reading::an_empty_project_reads_as_empty
            reading::a_planned_milestone_is_read_back_the_same
            reading::what_a_milestone_requires_is_read_with_it
            reading::conditions_are_seen_by_others
            reading::an_archived_milestone_stays_readable_and_satisfies_requirements
            reading::what_is_filed_away_comes_back
            reading::a_condition_that_an_archived_milestone_provides_still_holds
            reading::a_renumbered_milestone_gets_a_new_id
            reading::the_past_is_open_work_and_the_newest_of_what_is_filed_away
            commits::two_planners_with_the_same_snapshot_conflict
            commits::planners_at_once_get_different_ids
            commits::a_stale_change_leaves_nothing_behind
            commits::committing_the_same_change_twice_does_nothing
            commits::a_stale_document_is_refused
            commits::a_change_of_what_is_required_makes_a_completion_stale
            commits::an_edge_change_makes_another_edge_decision_stale
            commits::a_change_of_tasks_elsewhere_makes_nothing_stale
            commits::writers_at_once_lose_nothing
            gates::gates_hold_back_later_phases
            gates::an_approval_falls_with_what_was_approved
            gates::a_task_reopened_elsewhere_makes_an_approval_stale
            events::events_come_in_order_and_once
            events::filters_choose_events
            events::pages_follow_one_another
            events::a_cursor_of_another_project_is_gone
            events::a_trail_tells_what_the_events_tell
            finding::what_was_written_is_found
            finding::a_note_is_found_at_once
            finding::what_is_filed_away_is_found
            finding::what_changes_among_many_is_found
            finding::hostile_texts_are_found_as_texts
            claims::one_of_two_racing_claims_wins
            claims::one_of_many_claims_at_once_wins
            claims::a_claim_decided_before_another_is_stale
            claims::a_claim_moves_a_planned_milestone_along
            claims::a_renewal_needs_the_right_fence_and_attempt
            claims::a_renewal_moves_the_deadline
            claims::a_lapsed_claim_that_was_taken_over_can_do_nothing
            claims::a_lapsed_claim_that_nobody_took_over_is_still_its_holders
            claims::another_attempt_cannot_use_the_fence
            claims::fences_only_grow
            claims::claims_end_with_the_work
            claims::resources_in_use_refuse_a_second_claim
            claims::a_dead_holders_resources_are_free
            offering::the_best_ready_task_is_taken
            offering::what_is_meant_for_another_is_not_offered
            offering::what_a_lapsed_claim_leaves_is_offered
            offering::what_was_waited_for_brings_a_task_back
            offering::offers_are_what_next_says
            offering::many_workers_share_the_work
            random::folding_events_gives_the_documents
            random::any_part_of_the_events_folds
            random::stores_agree
        }
    };
}

/// Makes one test of each behaviour: `conformance!(memory, || Box::new(MyBench::new()))`.
#[macro_export]
macro_rules! conformance {
    ($name:ident, $fresh:expr) => {
        mod $name {
            use super::*;

            $crate::behaviours! { [$crate::behaviour_tests] [$fresh] }
        }
    };
}

/// The tests that [`conformance!`](crate::conformance) makes.
#[macro_export]
macro_rules! behaviour_tests {
    ([$fresh:expr] $($module:ident::$behaviour:ident)*) => {
        $(
            #[test]
            fn $behaviour() {
                $crate::conformance::$module::$behaviour(&$fresh);
            }
        )*
    };
}

macro_rules! listed {
    ($($module:ident::$behaviour:ident)*) => {
        /// All of them.
        pub const BEHAVIOURS: &[Behaviour] =
            &[$((stringify!($behaviour), $module::$behaviour)),*];
    };
}

crate::behaviours! { [listed] }

/// The milestone that most behaviours are about.
const M1: MilestoneId = MilestoneId(1);

/// A user of the project: one process.
struct Handle {
    store: Box<dyn Store>,
    project: Project,
}

impl Handle {
    fn new(bench: &dyn Bench) -> Self {
        let project = Project::new(bench.open(), TimeZone::UTC);
        Self { store: bench.open(), project }
    }

    fn run(&self, command: &Command) -> Result<Vec<Recorded>, Error> {
        self.run_by("ada", command)
    }

    fn run_by(&self, actor: &str, command: &Command) -> Result<Vec<Recorded>, Error> {
        self.project.execute_as(command, &context(actor)).map(|outcome| outcome.events)
    }

    fn done(&self, command: &Command) -> Vec<Recorded> {
        self.run(command).unwrap_or_else(|error| panic!("{command:?}: {error}"))
    }

    fn refused(&self, command: &Command) -> Refusal {
        match self.run(command) {
            Err(Error::Refused(refusal)) => refusal,
            other => panic!("{command:?} was not refused: {other:?}"),
        }
    }

    /// What a command would change, decided on what is there now.
    fn decided(&self, command: &Command) -> Change {
        let context = context("ada");
        let snapshot = self.store.read(&needs(command)).unwrap().snapshot;
        let events = decide(&snapshot, command, &context).unwrap();
        Change::new(&snapshot, context.change, events)
    }

    fn stale(&self, change: &Change) {
        let answer = self.store.commit(change);
        assert!(matches!(answer, Err(StoreError::Stale)), "{answer:?}");
    }

    fn all(&self) -> Snapshot {
        self.project.read(&Scope::All, "ada").unwrap()
    }

    fn document(&self, id: MilestoneId) -> Milestone {
        let reading = self.store.read(&Scope::Milestone(id)).unwrap();
        reading.snapshot.documents[&id].clone()
    }

    fn task(&self, id: TaskId) -> Task {
        self.document(id.milestone).task(id.number).unwrap().clone()
    }

    fn events(&self) -> Vec<Recorded> {
        self.store.events(None, &EventFilter::default(), usize::MAX).unwrap().events
    }

    /// Claims a task as a new attempt.
    fn claim(&self, task: TaskId) -> Credential {
        let (command, credential) = claim(task);
        let fence = match &self.done(&command)[0].event {
            milestone_domain::event::Event::TaskClaimed { fence, .. } => *fence,
            other => panic!("a claim is no {other:?}"),
        };
        Credential { fence: Some(fence), ..credential }
    }

    /// Lets a claim's lease end.
    fn lapse(&self, bench: &dyn Bench, task: TaskId, credential: Credential) {
        let renewed = self.store.renew(task, credential, Duration::from_millis(1)).unwrap();
        assert!(renewed.is_some(), "the holder may renew");
        bench.pass(Duration::from_millis(20));
        assert!(!self.all().claims[&task].is_live(), "the lease is over");
    }
}

fn context(actor: &str) -> Context {
    context_of(ChangeId(Uuid::now_v7()), actor, 0)
}

fn context_of(change: ChangeId, actor: &str, seconds: i64) -> Context {
    let start = Timestamp::from_second(1_793_696_400).unwrap();
    let now = start + SignedDuration::from_secs(seconds);
    Context { change, actor: actor.to_owned(), now, today: date(2026, 11, 3) }
}

/// A milestone with these tasks, of which none requires another.
fn draft(tasks: &[&str]) -> Milestone {
    let mut draft = Milestone::new(MilestoneId(0), "Authentication");
    draft.tasks = (1..).zip(tasks).map(|(number, title)| Task::new(number, title)).collect();
    draft
}

fn plan(draft: Milestone) -> Command {
    Command::Plan { draft: Box::new(draft) }
}

/// "Build" waits for "Design".
fn small() -> Milestone {
    let mut draft = draft(&["Design", "Build", "Document"]);
    draft.tasks[1].requires = vec![Reference::Own(1)];
    draft
}

/// A new project with the small milestone in it.
fn started(fresh: Fresh<'_>) -> (Box<dyn Bench>, Handle) {
    let bench = fresh();
    let ada = Handle::new(bench.as_ref());
    ada.done(&plan(small()));
    (bench, ada)
}

fn task(number: u32) -> TaskId {
    TaskId::new(M1, number)
}

fn move_task(task: TaskId, to: TaskStatus, credential: Credential) -> Command {
    Command::ChangeTask { task, to, reason: None, credential }
}

fn move_freely(task: TaskId, to: TaskStatus) -> Command {
    move_task(task, to, Credential::default())
}

fn claim(task: TaskId) -> (Command, Credential) {
    let attempt = AttemptId(Uuid::now_v7());
    let command = Command::Claim { task, attempt, lease_seconds: 600 };
    (command, Credential { fence: None, attempt: Some(attempt) })
}

/// Whether the long run was asked for.
pub fn full() -> bool {
    std::env::var_os("MILESTONE_FULL").is_some()
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::files::{Files, make};
    use crate::memory::Memory;
    use crate::moving::move_to;
    use crate::place::Place;
    use crate::pointer::StoreKind;
    use crate::postgres::Postgres;
    use crate::sql::Database;
    use crate::sqlite::Sqlite;
    use milestone_domain::settings::Settings;

    impl Bench for Memory {
        fn open(&self) -> Box<dyn Store> {
            Box::new(self.another())
        }

        fn pass(&self, time: Duration) {
            self.clock().pass(time);
        }
    }

    pub fn in_memory() -> Box<dyn Bench> {
        Box::new(Memory::new())
    }

    struct InFiles(tempfile::TempDir);

    impl Bench for InFiles {
        fn open(&self) -> Box<dyn Store> {
            let root = self.0.path().to_owned();
            Box::new(Files::open(root, Settings::default(), Duration::from_secs(20)))
        }

        fn pass(&self, time: Duration) {
            std::thread::sleep(time);
        }
    }

    fn in_files() -> Box<dyn Bench> {
        let bench = InFiles(tempfile::tempdir().unwrap());
        make(bench.0.path(), false).unwrap();
        Box::new(bench)
    }

    struct InSqlite(tempfile::TempDir);

    const PROJECT: &str = "00000000-0000-4000-8000-000000000001";

    impl Bench for InSqlite {
        fn open(&self) -> Box<dyn Store> {
            let file = self.0.path().join("milestones.db");
            let sqlite = Sqlite::open(&file, Duration::from_secs(20)).unwrap();
            Box::new(Database::open(sqlite, PROJECT, Settings::default()).unwrap())
        }

        fn pass(&self, time: Duration) {
            std::thread::sleep(time);
        }
    }

    fn in_sqlite() -> Box<dyn Bench> {
        let bench = InSqlite(tempfile::tempdir().unwrap());
        let file = bench.0.path().join("milestones.db");
        let sqlite = Sqlite::open(&file, Duration::from_secs(20)).unwrap();
        Database::make(sqlite, PROJECT, Settings::default()).unwrap();
        Box::new(bench)
    }

    /// Every project has the one database to share.
    struct InPostgres(String);

    fn connected() -> Postgres {
        let url = std::env::var("MILESTONE_TEST_DATABASE_URL");
        Postgres::open(&url.expect("no server: `scripts/with-postgres cargo nextest run`")).unwrap()
    }

    impl Bench for InPostgres {
        fn open(&self) -> Box<dyn Store> {
            Box::new(Database::open(connected(), &self.0, Settings::default()).unwrap())
        }

        fn pass(&self, time: Duration) {
            std::thread::sleep(time);
        }
    }

    fn in_postgres() -> Box<dyn Bench> {
        let bench = InPostgres(Uuid::now_v7().to_string());
        Database::make(connected(), &bench.0, Settings::default()).unwrap();
        Box::new(bench)
    }

    /// A project that has moved into SQLite, and the documents beside it.
    struct Mirrored(tempfile::TempDir);

    impl Mirrored {
        fn place(&self) -> Place {
            let wait = Duration::from_secs(20);
            Place::new(self.0.path().to_owned(), Settings::default(), wait)
        }
    }

    impl Bench for Mirrored {
        fn open(&self) -> Box<dyn Store> {
            self.place().open().unwrap()
        }

        fn pass(&self, time: Duration) {
            std::thread::sleep(time);
        }
    }

    fn mirrored() -> Box<dyn Bench> {
        let bench = Mirrored(tempfile::tempdir().unwrap());
        make(bench.0.path(), false).unwrap();
        move_to(&bench.place(), StoreKind::Sqlite, &|_, _, _| ()).unwrap();
        Box::new(bench)
    }

    crate::conformance!(mirrored, mirrored);
    crate::conformance!(sqlite, in_sqlite);
    crate::conformance!(postgres, in_postgres);
    crate::conformance!(memory, in_memory);
    crate::conformance!(files, in_files);
}
