//! One line per promise.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use crate::store::Store;

/// A broken promise.
#[derive(Debug)]
pub struct Exception {
    pub run: u64,
    pub what: Vec<String>,
    /// The project as it was when it was noticed, with its ledger.
    pub kept: PathBuf,
}

/// What became of one promise.
#[derive(Debug, Default)]
pub struct Report {
    pub promise: &'static str,
    pub store: Store,
    pub about: &'static str,
    /// What was counted, and how often it happened.
    pub counted: &'static str,
    pub count: u64,
    pub exceptions: Vec<Exception>,
    pub took: Duration,
    pub remarks: Vec<String>,
    /// Why it could not be tried here.
    pub skipped: Option<String>,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { promise, about, counted, count, took, .. } = self;
        let store = self.store.word();
        write!(f, "{promise:4} {store:8} {about}: ")?;
        if let Some(skipped) = &self.skipped {
            return write!(f, "skipped: {skipped}");
        }
        let (broken, seconds) = (self.exceptions.len(), took.as_secs_f64());
        write!(f, "{count} {counted}, {broken} exceptions, {seconds:.1} s")?;
        self.remarks.iter().try_for_each(|remark| write!(f, "; {remark}"))
    }
}
