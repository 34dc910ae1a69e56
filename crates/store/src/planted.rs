//! Bugs on purpose: each is one wrong line in a place where a real one could be. A build with the
//! feature `planted-bugs` has the one that `MILESTONE_PLANTED` names; any other build has none of
//! this, and every question below is answered "no" by the compiler.

/// The bugs, by name.
pub const BUGS: &[&str] = &[
    "applied-first",
    "apply-before-journal",
    "archived-ids-forgotten",
    "chain-not-checked",
    "change-id-not-asked",
    "claim-not-ended",
    "claims-left-behind",
    "claimed-unannounced",
    "digest-not-compared",
    "drafts-kept",
    "full-disk-swallowed",
    "git-not-synced",
    "journal-not-synced",
    "late-save-dropped",
    "left-running",
    "lock-not-taken",
    "locks-left",
    "mirrored-before-written",
    "plain-rename",
    "pointer-before-copy",
    "queue-skipped",
    "reapply-skipped",
    "recovery-overwrites",
    "recovery-skipped",
    "removed-in-place",
    "renew-any-fence",
    "seal-not-checked",
    "settle-skipped",
    "sqlite-not-synced",
    "take-up-skipped",
    "torn-line-kept",
    "untracked-not-kept",
    "versions-not-compared",
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
