//! Bugs on purpose: each is one wrong line in a place where a real one could be. A build with the
//! feature `planted-bugs` has the one that `MILESTONE_PLANTED` names; any other build has none of
//! this, and every question below is answered "no" by the compiler.

/// The bugs of the file store, by name.
pub const BUGS: &[&str] = &[
    "journal-not-synced",
    "apply-before-journal",
    "journal-checksum-ignored",
    "recovery-skipped",
    "recovery-overwrites",
    "lock-not-taken",
    "versions-not-checked",
    "full-disk-swallowed",
    "late-save-dropped",
    "chain-not-checked",
    "torn-line-kept",
    "applied-first",
    "settle-skipped",
    "plain-rename",
    "apply-not-atomic",
    "claim-not-ended",
    "acknowledged-early",
    "renew-any-fence",
    "wall-clock-leases",
];

#[cfg(feature = "planted-bugs")]
pub fn has(bug: &str) -> bool {
    debug_assert!(BUGS.contains(&bug), "no such bug: {bug}");
    std::env::var("MILESTONE_PLANTED").is_ok_and(|planted| planted == bug)
}

#[cfg(not(feature = "planted-bugs"))]
#[inline]
pub const fn has(_bug: &str) -> bool {
    false
}
