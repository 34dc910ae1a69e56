//! Bugs on purpose: each is one wrong line in a place where a real one could be. A build with the
//! feature `planted-bugs` has the one that `MILESTONE_PLANTED` names; any other build has none of
//! this, and every question below is answered "no" by the compiler.

/// The bugs of the file store, by name.
pub const BUGS: &[&str] = &[
    "apply-before-journal",
    "applied-first",
    "archived-ids-forgotten",
    "chain-not-checked",
    "claim-not-ended",
    "drafts-kept",
    "full-disk-swallowed",
    "journal-not-synced",
    "late-save-dropped",
    "lock-not-taken",
    "plain-rename",
    "reapply-skipped",
    "recovery-overwrites",
    "recovery-skipped",
    "renew-any-fence",
    "settle-skipped",
    "torn-line-kept",
    "wall-clock-leases",
];

#[cfg(feature = "planted-bugs")]
pub fn has(bug: &str) -> bool {
    debug_assert!(BUGS.contains(&bug), "no such bug: {bug}");
    std::env::var("MILESTONE_PLANTED").is_ok_and(|planted| planted == bug)
}

#[cfg(not(feature = "planted-bugs"))]
pub const fn has(_bug: &str) -> bool {
    false
}
