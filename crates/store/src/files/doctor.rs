//! What is wrong with what is kept, and what of it can safely be mended.

use milestone_domain::snapshot::{Problem, Scope};

use super::Files;
use crate::{Result, Store};

pub fn check(files: &Files, _mend: bool) -> Result<Vec<Problem>> {
    Ok(files.read(&Scope::All)?.snapshot.problems)
}
