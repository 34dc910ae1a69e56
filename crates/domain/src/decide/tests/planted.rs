//! Bugs in the rules that the properties find.

use std::panic::catch_unwind;

use super::property::play;
use crate::planted::with;

#[test]
fn properties_find_what_is_planted() {
    for bug in [
        "prerequisites unchecked",
        "cycle unchecked",
        "live holder ignored",
        "fence forgotten",
        "fence unchecked",
    ] {
        let found = (0..500).find(|seed| with(bug, || catch_unwind(|| play(*seed))).is_err());
        println!("`{bug}` is found by seed {found:?}");
        assert!(found.is_some(), "`{bug}` is not found");
    }
}
