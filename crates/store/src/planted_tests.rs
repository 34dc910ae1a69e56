//! Bugs planted one by one: each is found by the behaviours named here, and those that a team
//! would trip over by the simulator too.

use std::panic::{AssertUnwindSafe, catch_unwind};

use milestone_domain::planted::with;

use crate::conformance::BEHAVIOURS;
use crate::conformance::tests::in_memory;
use crate::simulation::tests::wrong;

/// How many teams it may take to trip over a bug.
const SEEDS: u64 = 500;

struct Bug {
    name: &'static str,
    found_by: &'static [&'static str],
    by_the_simulator: bool,
}

const BUGS: &[Bug] = &[
    Bug {
        name: "fence unchecked",
        found_by: &[
            "a_lapsed_claim_that_was_taken_over_can_do_nothing",
            "another_attempt_cannot_use_the_fence",
            "claims_end_with_the_work",
        ],
        by_the_simulator: true,
    },
    Bug {
        name: "attempt unchecked",
        found_by: &["another_attempt_cannot_use_the_fence"],
        by_the_simulator: false,
    },
    Bug {
        name: "live holder ignored",
        found_by: &["one_of_two_racing_claims_wins", "a_renewal_moves_the_deadline"],
        by_the_simulator: true,
    },
    Bug { name: "fence forgotten", found_by: &["fences_only_grow"], by_the_simulator: true },
    Bug {
        name: "prerequisites unchecked",
        found_by: &["what_a_milestone_requires_is_read_with_it", "conditions_are_seen_by_others"],
        by_the_simulator: true,
    },
    Bug {
        name: "cycle unchecked",
        found_by: &["an_edge_change_makes_another_edge_decision_stale"],
        by_the_simulator: true,
    },
    Bug {
        name: "versions unchecked",
        found_by: &[
            "two_planners_with_the_same_snapshot_conflict",
            "a_stale_change_leaves_nothing_behind",
            "a_stale_document_is_refused",
            "a_change_of_what_is_required_makes_a_completion_stale",
            "an_edge_change_makes_another_edge_decision_stale",
            "a_claim_decided_before_another_is_stale",
        ],
        by_the_simulator: true,
    },
    Bug {
        name: "commit repeated",
        found_by: &["committing_the_same_change_twice_does_nothing"],
        by_the_simulator: true,
    },
    Bug {
        name: "renewal unchecked",
        found_by: &[
            "a_renewal_needs_the_right_fence_and_attempt",
            "a_lapsed_claim_that_was_taken_over_can_do_nothing",
        ],
        by_the_simulator: false,
    },
    Bug {
        name: "claim outlives its work",
        found_by: &["claims_end_with_the_work"],
        by_the_simulator: true,
    },
];

/// Whether something fails with a bug in the program.
fn fails(bug: &str, run: impl FnOnce()) -> bool {
    with(bug, || catch_unwind(AssertUnwindSafe(run)).is_err())
}

#[test]
fn every_planted_bug_is_found_by_the_suite() {
    for bug in BUGS {
        for name in bug.found_by {
            let (_, behaviour) = BEHAVIOURS.iter().find(|(known, _)| known == name).unwrap();
            behaviour(&in_memory);
            assert!(fails(bug.name, || behaviour(&in_memory)), "{name} misses `{}`", bug.name);
        }
    }
}

#[test]
fn every_bug_that_a_team_would_trip_over_is_found_by_the_simulator() {
    for bug in BUGS.iter().filter(|bug| bug.by_the_simulator) {
        let found = (0..SEEDS).find(|seed| {
            fails(bug.name, || assert_eq!(wrong(*seed), None, "`{}`, seed {seed}", bug.name))
        });
        let seed = found.unwrap_or_else(|| panic!("no team tripped over `{}`", bug.name));
        println!("`{}` is found by seed {seed}", bug.name);
    }
}
